package infra

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	recordFile = "testdata/prod.jsonl"
	plansVar   = "ARBRIDGE_PLANS"
)

var update = flag.Bool("update", false, "record the plan of prod that "+plansVar+" has")

// TestPlans checks the recorded plan of production and, where ARBRIDGE_PLANS names the folder that terraform/check.sh wrote,
// the plan of every environment as it is now (make tf-check).
func TestPlans(t *testing.T) {
	plans := map[string]Plan{}
	dir := os.Getenv(plansVar)
	if dir != "" {
		plans = current(t, dir)
	}
	plans["recorded"] = recorded(t)
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			f := facts(t)
			f.Protected = name == "prod" || name == "recorded"
			for _, problem := range Check(p, f) {
				t.Error(problem)
			}
			got, err := Bindings(p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(documented(t), got); diff != "" {
				t.Errorf("infra/docs/iam.md (-) and the plan (+) differ:\n%s", diff)
			}
		})
	}
	if dir == "" {
		return
	}
	for _, why := range Stale(plans["recorded"], plans["prod"]) {
		t.Errorf("%s: %s; record it: %s=%s go test ./pkg/infra -run TestPlans -update", recordFile, why, plansVar, dir)
	}
}

// current reads the plans of all environments and, with -update, records production's.
func current(t *testing.T, dir string) map[string]Plan {
	t.Helper()
	plans := map[string]Plan{}
	environments, err := os.ReadDir(filepath.Join(root, "terraform/environments"))
	if err != nil || len(environments) == 0 {
		t.Fatalf("no environments: %v", err)
	}
	for _, e := range environments {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()+".json"))
		if err != nil {
			t.Fatalf("%s names a folder without this plan: %v", plansVar, err)
		}
		if plans[e.Name()], err = Read(data); err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
	}
	if *update {
		data, err := plans["prod"].Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recordFile, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return plans
}

func documented(t *testing.T) []Binding {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "infra/docs/iam.md"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := Table(string(page))
	if err != nil {
		t.Fatalf("infra/docs/iam.md: %v", err)
	}
	return table
}
