package infra

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	p, err := Read([]byte(`{"planned_values":{"root_module":{
		"resources":[{"address":"b.x","type":"b","values":{"n":600,"s":"t","yes":true,"list":["a"],"none":null,"block":[{"inner":[{"deep":"d"}]}]}}],
		"child_modules":[{"child_modules":[{"resources":[{"address":"a.y","type":"a","values":{}}]}]}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Resources) != 2 || p.Resources[0].Address != "a.y" || len(p.Of("b")) != 1 {
		t.Fatalf("resources are %+v", p.Resources)
	}
	v := p.Of("b")[0].Values
	got := []string{v.Text("n"), v.Text("s"), v.Text("none"), v.Text("block", "inner", "deep"), v.Text("gone", "deep"), strings.Join(v.Texts("list"), ",")}
	if diff := cmp.Diff([]string{"600", "t", "", "d", "", "a"}, got); diff != "" {
		t.Error(diff)
	}
	if !v.Flag("yes") || v.Flag("s") || v.Block("gone") != nil || v.Blocks("none") != nil {
		t.Error("values of other types are not told apart")
	}
}

func TestReadRefuses(t *testing.T) {
	for name, data := range map[string]string{"no JSON": "Plan: 3 to add", "no plan": `{"format_version":"1.2"}`, "empty plan": `{"planned_values":{"root_module":{}}}`} {
		if p, err := Read([]byte(data)); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
}

// TestStale: a recorded plan is compared with what it was recorded from, whatever a provider fills in.
func TestStale(t *testing.T) {
	was := Plan{[]Resource{{"a", "t", Values{"x": "1", "none": nil, "block": []any{map[string]any{"y": "2"}}, "next_rotation_time": "now"}}}}
	data, err := was.Record()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"address":"a","type":"t","values":{"block":[{"y":"2"}],"x":"1"}}` + "\n"; string(data) != want {
		t.Fatalf("recorded is %s", data)
	}
	rec, err := Recorded(data)
	if err != nil {
		t.Fatal(err)
	}
	same := Values{"x": "1", "filled": "in", "block": []any{map[string]any{"y": "2", "z": "3"}}, "next_rotation_time": "later"}
	for name, c := range map[string]struct {
		now  []Resource
		want []string
	}{
		"same":    {[]Resource{{"a", "t", same}}, nil},
		"changed": {[]Resource{{"a", "t", Values{"x": "2"}}}, []string{"a has changed"}},
		"shorter": {[]Resource{{"a", "t", Values{"x": "1", "block": []any{}}}}, []string{"a has changed"}},
		"other":   {[]Resource{{"b", "t", same}}, []string{"a is no longer planned", "b is new"}},
	} {
		got := Stale(rec, Plan{c.now})
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTable(t *testing.T) {
	got, err := Table("# X\n\n| Principal | Role | On | Why |\n|---|---|---|---|\n| `a` | `r/1`, `r/2` | topic x, topic y | because |\n\ntext | with | bars |\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Binding{{"a", "r/1", "topic x"}, {"a", "r/2", "topic x"}, {"a", "r/1", "topic y"}, {"a", "r/2", "topic y"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Table("| a | r | x | |"); err == nil {
		t.Error("a row without a reason is accepted")
	}
}

// TestBindings: each change of a grant changes what is compared with the page.
func TestBindings(t *testing.T) {
	good, err := Bindings(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(*edit){
		"secret for the webhook": func(e *edit) {
			e.add("google_secret_manager_secret_iam_member", `{"secret_id":"q360-api-user","role":"roles/secretmanager.secretAccessor","member":"serviceAccount:arbridge-webhook@example-prod.iam.gserviceaccount.com"}`)
		},
		"one grant fewer": func(e *edit) { e.drop(`publisher["tasks-sync"]`) },
		"another role":    func(e *edit) { e.at(`grant["sync-storage.objectViewer"]`)["role"] = "roles/storage.objectUser" },
		"another member":  func(e *edit) { e.at(`publisher["tasks-sync"]`)["member"] = "user:somebody@example.com" },
		"closed webhook":  func(e *edit) { delete(e.at(webhook), "invoker_iam_disabled") },
	} {
		e := &edit{t, recorded(t)}
		plant(e)
		got, err := Bindings(e.p)
		if err != nil || slices.Equal(got, good) {
			t.Errorf("%s: the bindings are the same, %v", name, err)
		}
	}
	for name, kind := range map[string]string{"binding": "google_project_iam_binding", "policy": "google_pubsub_topic_iam_policy"} {
		e := &edit{t, recorded(t)}
		e.add(kind, `{"role":"roles/x","members":["allUsers"]}`)
		if _, err := Bindings(e.p); err == nil {
			t.Errorf("%s: a grant that replaces others is not refused", name)
		}
	}
}
