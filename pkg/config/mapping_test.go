package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// indented puts a block below a key, comments and all.
func indented(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return by + strings.Join(lines, "\n"+by) + "\n"
}

func written(mapping string) string {
	return "companies:\n  - id: us\n    q360:\n      base_url: https://q360.example.com\n      credentials_secret: q360-api-user\n      mapping:\n" +
		indented(mapping, "        ") + strings.SplitN(company("us", "01", ""), "\n", 3)[2]
}

// TestMappingInTheConfiguration: the mapping that ships with arbridge arrives whole when it is written out in the
// configuration, where its comments, quotes and flow style are.
func TestMappingInTheConfiguration(t *testing.T) {
	text, err := os.ReadFile("../connector/q360/mapping/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := Parse([]byte(written(string(text))), t.TempDir(), Env{})
	if problems != nil {
		t.Fatal(problems)
	}
	got := cfg.Companies[0].Q360.MappingYAML
	if diff := cmp.Diff(decoded(t, text), decoded(t, got)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(got), "#") {
		t.Errorf("comments are carried over:\n%s", got)
	}
}

// TestMappingKeepsItsForms: what a value is does not change on the way, whatever it looks like.
func TestMappingKeepsItsForms(t *testing.T) {
	const text = `code: "01"
word: off
yes: 'yes'
number: 100
fraction: 0.10
flag: true
none: null
tilde: ~
blank: ""
expression: '(?i)\bperiod\b.*"closed"'
lines: |
  one
  two: three
folded: >-
  a long
  text
date: 2026-01-31
"01": key
list: [a, "1", {deep: ["#", "x: y"]}]
`
	cfg, problems := Parse([]byte(written(text)), t.TempDir(), Env{})
	if problems != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(decoded(t, []byte(text)), decoded(t, cfg.Companies[0].Q360.MappingYAML)); diff != "" {
		t.Error(diff)
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var out any
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestStrictMapping(t *testing.T) {
	in := func(mapping string) string {
		return q360("base_url: https://h, credentials_secret: x, mapping: " + mapping)
	}
	refused(t, map[string]strictCase{
		"empty map":      {in("{}"), "line 3: company us: q360.mapping: empty"},
		"a list":         {in("[a]"), "line 3: company us: q360.mapping: not a text"},
		"a text of many": {in(`"contract: x\nsite: {}"`), "or the mapping itself as a map"},
		"key twice":      {written("contract: a\nsite:\n  name: b\n  name: c\n"), "line 10: company us: q360.mapping.name: given twice, first in line 9"},
		"alias":          {written("site: &a {name: b}\nentities: *a\n"), "line 8: company us: q360.mapping: anchors, aliases"},
		"merge":          {written("site: {<<: {name: b}}\n"), "line 7: company us: q360.mapping: anchors, aliases"},
		"explicit type":  {written("site:\n  name: !!binary s3cret\n"), "line 8: company us: q360.mapping: explicit types"},
		"key is a map":   {written("? {a: b}\n: s3cret\n"), "line 7: company us: q360.mapping: a key is not a text"},
	})
}

// FuzzMapping: whatever map is taken is handed on as a map that says the same.
func FuzzMapping(f *testing.F) {
	f.Add("a: {b: [1, \"01\", ~]}")
	f.Add("a: |\n  x\n\n  y\nb: >\n  z\n")
	f.Add("? x\n: \"\\u0001\\t\"\n")
	f.Add("a: &x y")
	f.Add("a: 0x1F\nb: .inf\nc: 1e400")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, problems := Parse([]byte(written(text)), "", Env{ReadFile: files})
		if problems != nil || cfg.Companies[0].Q360.MappingYAML == nil {
			return
		}
		root, bad := document(cfg.Companies[0].Q360.MappingYAML)
		if bad != nil || root.Kind != yaml.MappingNode {
			t.Fatalf("%q became %q: %+v", text, cfg.Companies[0].Q360.MappingYAML, bad)
		}
		whole, _ := document([]byte(written(text)))
		r := &reading{env: Env{}.orMachine()}
		q := r.fields(r.fields(r.fields(whole, place{}, "companies")["companies"].Content[0], place{}, "id", "q360", "invoiced", "settings")["q360"], place{}, "base_url", "credentials_secret", "mapping")
		want, _ := r.value(q["mapping"], place{})
		got, _ := r.value(root, place{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}
