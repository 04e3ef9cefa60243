package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

func TestLoadAGoodFile(t *testing.T) {
	cfg, err := Load("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Problems != nil || len(cfg.Companies) != 2 {
		t.Fatal(cfg.Problems)
	}
	if got := cfg.SecretsDir; got != filepath.Join("testdata", "keys") {
		t.Errorf("secrets in %s", got)
	}
	wantCloud := Cloud{Project: "example-prod", Database: "(default)", Bucket: "example-prod-arbridge",
		PushServiceAccount: "push@example-prod.iam.gserviceaccount.com", BaseURL: "https://arbridge.example.com", Authenticated: true}
	if diff := cmp.Diff(wantCloud, cfg.Deployment.Cloud); diff != "" || !cfg.Deployment.Cloud.Configured() {
		t.Error(diff)
	}
	if d := cfg.Deployment.Settings; d.Poll != 10*time.Minute || d.Digest != "daily" || d.GapFill != 15*time.Minute {
		t.Errorf("deployment settings: %+v", d)
	}
	us, _ := cfg.Company("us")
	wantQ360 := Q360{BaseURL: "https://q360.example.com", MappingYAML: []byte("contract: q360-gateway/v1\n"), CredentialsSecret: "q360-api-user"}
	wantInvoiced := Invoiced{BaseURL: "https://api.sandbox.invoiced.com", APIKeySecret: "invoiced-us-api-key", WebhookSecret: "invoiced-us-webhook"}
	if diff := cmp.Diff(wantQ360, us.Q360) + cmp.Diff(wantInvoiced, us.Invoiced); diff != "" || us.Name != "Example US" {
		t.Error(us.Name, diff)
	}
	s := us.Settings
	got := fmt.Sprint(s.Mode, s.Q360Company, s.TimeZone, s.Qualify.StartDate, s.Payments.GLAccounts, s.Payments.Attempts,
		s.Invoices.Variance, s.Invoices.Comment, s.Fees.GLAccount, s.Notify)
	want := fmt.Sprint(settings.ModeLive, "01", "America/New_York", "2026-01-01",
		map[money.Currency]string{"USD": "1010", "CAD": "1020.10"}, 3, "0.05", "off", "4950",
		settings.Notify{Digest: "off", Recipients: []string{"ar@example.com"}, At: "07:00"})
	if got != want {
		t.Errorf("settings of us:\n%s\nwant\n%s", got, want)
	}
	if _, given := us.Values["notify.recipients"]; given || us.Values["company.mode"] != "live" {
		t.Errorf("values as given: %v", us.Values)
	}
	ca, ok := cfg.Company("ca")
	if !ok || ca.Name != "ca" || ca.Q360.MappingYAML != nil || ca.Q360.BaseURL != "http://127.0.0.1:8080/q360" ||
		ca.Invoiced.BaseURL != "https://api.invoiced.com" || ca.Settings.Notify.Digest != "daily" || ca.Settings.Mode != settings.ModeSandbox {
		t.Errorf("ca: %+v", ca)
	}
	if _, ok := cfg.Company("mx"); ok {
		t.Error("found a company that is not there")
	}
}

func TestFifteenMistakesAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := Parse(data, "testdata", Env{})
	if cfg != nil || !problems.Fatal() || len(problems) != 15 {
		t.Errorf("%d problems", len(problems))
	}
	golden(t, "mistakes.txt", problems.String()+"\n")
	for _, secret := range []string{"s3cr3tK3yPastedHere", "hunter"} {
		if strings.Contains(problems.String(), secret) {
			t.Errorf("%q is repeated", secret)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; look, then run the test with UPDATE_GOLDEN=1\n%s", path, diff)
	}
}

func TestLoadFromTheEnvironment(t *testing.T) {
	data, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvVar, strings.Replace(string(data), "mapping: q360", "mapping: testdata/q360", 1))
	cfg, err := Load("")
	if err != nil || len(cfg.Companies) != 2 || cfg.SecretsDir != "keys" {
		t.Fatalf("%+v, %v", cfg, err)
	}
	t.Setenv(EnvVar, "")
	if _, err := Load(""); err == nil || !strings.Contains(err.Error(), EnvVar) {
		t.Errorf("neither file nor text: %v", err)
	}
}

func TestLoadReportsWhyNothingCanRun(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "arbridge.yaml")
	write := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		return err
	}
	for _, text := range []string{"companies: [{id: us}]", "companies: [", "", strings.Repeat("#", maxSize+1)} {
		var problems *ProblemsError
		if err := write(text); !errors.As(err, &problems) || len(problems.Problems) == 0 {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestBadCompaniesDoNotStopGoodOnes(t *testing.T) {
	data, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "currency: CAD", "currency: CAN", 1) + "  - id: mx\n  -\n  - 5\n"
	cfg, problems := Parse([]byte(text), "testdata", Env{})
	if cfg == nil || len(cfg.Companies) != 1 || cfg.Companies[0].ID != "us" || problems.Fatal() {
		t.Fatal(problems)
	}
	if got := cfg.Problems.Of("ca"); len(got) != 1 || got[0].Key != "company.currency" || got[0].Line != 35 {
		t.Errorf("ca: %v", got)
	}
	if len(problems.Of("us")) != 0 || len(problems.Of("mx")) < 5 || len(problems.Of("#4")) != 1 || len(problems.Of("#5")) != 1 {
		t.Error(problems)
	}
}
