package gen

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/settings"
)

// root of the repository, seen from this package.
const root = "../../.."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := Files(settings.Declarations())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("%d files, want 4", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("%s is missing (%v); run: %s", name, err, Command)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is stale; run: %s\n%s", name, Command, cmp.Diff(string(got), string(want)))
		}
	}
}

// sample has one setting of every form, so that a generator can be read in its expected output.
func sample() []settings.Setting {
	company, deployment := []settings.Scope{settings.ScopeCompany}, []settings.Scope{settings.ScopeDeployment}
	on := settings.Choice{Value: "on", Help: "Works."}
	off := settings.Choice{Value: "off", Help: "Does | nothing."}
	return []settings.Setting{
		{Key: "company.mode", Title: "Mode", Help: "What it does. More.", Scopes: company, Kind: settings.KindEnum,
			Default: "on", Choices: []settings.Choice{on, off}},
		{Key: "company.code", Title: "Code", Help: "The code.", Scopes: company, Kind: settings.KindString, Required: true,
			Pattern: `^\d{2}$`, Example: "01"},
		{Key: "sandbox.email", Title: "Address", Help: "The address.", Scopes: company, Kind: settings.KindEmail,
			RequiredWhen: &settings.Condition{Key: "company.mode", Value: "on"}, Secret: true, Example: "a@example.com"},
		{Key: "payments.methods_map", Title: "Methods", Help: "The ${methods}.", Scopes: company, Kind: settings.KindMap,
			RequiredWhen: &settings.Condition{Key: "company.mode", Not: true, Value: "off"}, KeyPattern: "^[a-z]+$",
			Choices: []settings.Choice{on, off}, Example: map[string]string{"b": "on", "a": "off"}},
		{Key: "schedule.poll", Title: "Poll", Help: "How often.", Scopes: deployment, Kind: settings.KindDuration,
			Min: "1m", Max: "1h", Default: "5m", Advanced: true},
		{Key: "notify.digest", Title: "Digest", Help: "When.", Scopes: []settings.Scope{settings.ScopeDeployment, settings.ScopeCompany},
			Kind: settings.KindSet, Default: []string{"on"}, Choices: []settings.Choice{on, off}},
		{Key: "notify.mail", Title: "Mail", Help: "Old.", Scopes: deployment, Kind: settings.KindBool, Default: true,
			Deprecated: "no longer used", Successor: "notify.digest"},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; look, then run the test with UPDATE_GOLDEN=1\n%s", path, diff)
	}
}

func TestFormsOfTheGenerators(t *testing.T) {
	schema, err := Schema(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.md", Markdown(sample()))
	golden(t, "sample.schema.json", schema)
	golden(t, "sample.tf", Terraform(sample()))
	golden(t, "sample.names.tf", TerraformNames(sample()))
}

func TestPageNamesEverySetting(t *testing.T) {
	page := string(Markdown(settings.Declarations()))
	for _, s := range settings.Declarations() {
		if !strings.Contains(page, "\n### "+s.Key+"\n") || !strings.Contains(page, s.Help) {
			t.Errorf("%s is not on the page", s.Key)
		}
		for _, c := range s.Choices {
			if !strings.Contains(page, "| `"+c.Value+"` | "+c.Help+" |") {
				t.Errorf("%s: choice %s is not on the page", s.Key, c.Value)
			}
		}
	}
}

type schemaProperty struct {
	Type       string
	Default    json.RawMessage
	Examples   []json.RawMessage
	Enum       []string
	Pattern    string
	Items      *schemaProperty
	Order      *int   `json:"x-order"`
	Group      string `json:"x-group"`
	Properties map[string]schemaProperty
	Required   []string
	AllOf      []json.RawMessage
}

func TestSchemaAcceptsItsDefaultsAndExamples(t *testing.T) {
	data, err := Schema(settings.Declarations())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs map[string]schemaProperty `json:"$defs"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	company, deployment := doc.Defs["company"], doc.Defs["deployment"]
	want := []string{"company.q360_company", "company.time_zone", "company.currency", "qualify.start_date"}
	if !slices.Equal(company.Required, want) || len(company.AllOf) != 4 || len(deployment.Properties) != 9 {
		t.Errorf("required %v, %d rules, %d deployment properties", company.Required, len(company.AllOf), len(deployment.Properties))
	}
	for key, p := range company.Properties {
		if p.Group == "" || p.Order == nil || len(p.Examples) != 1 {
			t.Errorf("%s: group, order or example is missing", key)
		}
		for _, raw := range append(p.Examples, p.Default) {
			if raw != nil {
				p.accept(t, key, raw)
			}
		}
	}
}

// accept checks the parts of the schema that a text or a list of texts can break.
func (p schemaProperty) accept(t *testing.T, key string, raw json.RawMessage) {
	t.Helper()
	var text string
	var list []json.RawMessage
	switch {
	case p.Type == "string" && json.Unmarshal(raw, &text) == nil:
		if p.Enum != nil && !slices.Contains(p.Enum, text) || !regexp.MustCompile(p.Pattern).MatchString(text) {
			t.Errorf("%s: %q is not accepted", key, text)
		}
	case p.Type == "array" && json.Unmarshal(raw, &list) == nil:
		for _, e := range list {
			p.Items.accept(t, key, e)
		}
	case p.Type == "boolean" && (string(raw) == "true" || string(raw) == "false"):
	case p.Type == "integer" && regexp.MustCompile(`^\d+$`).Match(raw):
	case p.Type == "object" && raw[0] == '{':
	default:
		t.Errorf("%s: %s is no %s", key, raw, p.Type)
	}
}

func TestTerraformCoversEverySetting(t *testing.T) {
	text := string(Terraform(settings.Declarations()))
	for _, s := range settings.Declarations() {
		if !strings.Contains(text, "    "+s.Key+": ") {
			t.Errorf("%s is not described", s.Key)
		}
		if !regexp.MustCompile(`(?m)^      (  )?` + s.Name() + ` += `).MatchString(text) {
			t.Errorf("%s is no attribute", s.Key)
		}
		if s.RequiredWhen != nil && !strings.Contains(text, "Setting "+s.Key+": required while ") {
			t.Errorf("%s: its condition is not validated", s.Key)
		}
	}
	if strings.Contains(text, "sensitive") {
		t.Error("no setting is secret, so no variable is sensitive")
	}
}
