package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExceptionsAreARatchet(t *testing.T) {
	tree := plant(t, "pkg/money/a.go", "// Package money is planted.\npackage money\nfunc init() {}\nvar half = 0.5\n")
	all := Check(tree, nil)
	if len(all) != 2 || all[0].Rule != "habit" || all[0].Line != 3 || all[1].Rule != "float" {
		t.Fatalf("without exceptions: %v", all)
	}
	if got, want := all[0].String(), "pkg/money/a.go:3: habit: init functions"; !strings.HasPrefix(got, want) {
		t.Errorf("text %q, want it to begin with %q", got, want)
	}
	tests := map[string]struct {
		exceptions []Exception
		left       []string
	}{
		"both excused": {[]Exception{{"habit", "pkg/money/a.go", "init", "r"}, {"float", "pkg/money/a.go", "", "r"}}, nil},
		"another name": {[]Exception{{"habit", "pkg/money/a.go", "other", "r"}, {"float", "pkg/money/a.go", "", "r"}},
			[]string{"excuses nothing", "init functions"}},
		"no reason": {[]Exception{{"habit", "pkg/money/a.go", "init", ""}, {"float", "pkg/money/a.go", "0.5", "r"}}, []string{"no reason"}},
		"unused": {[]Exception{{"habit", "pkg/money/a.go", "init", "r"}, {"float", "pkg/money/a.go", "", "r"},
			{"size", "pkg/money/b.go", "", "r"}}, []string{"excuses nothing"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Check(tree, tt.exceptions)
			if len(got) != len(tt.left) {
				t.Fatalf("left %v, want %q", got, tt.left)
			}
			for i, v := range got {
				if !strings.Contains(v.Text, tt.left[i]) {
					t.Errorf("left %v, want %q", v, tt.left[i])
				}
			}
		})
	}
}

func TestEveryRuleHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules() {
		if r.name == "" || seen[r.name] || r.check == nil {
			t.Errorf("rule %q is nameless, double or empty", r.name)
		}
		seen[r.name] = true
	}
	for _, e := range exceptions() {
		if !seen[e.Rule] {
			t.Errorf("exception for the unknown rule %q", e.Rule)
		}
	}
}

func TestTableRowsCanBeReached(t *testing.T) {
	table := importTable()
	for i, w := range table {
		sample := strings.NewReplacer("/...", "", "*", "some").Replace(w.pkg)
		for _, earlier := range table[:i] {
			if matches(earlier.pkg, sample) && !strings.Contains(w.pkg, "*") {
				t.Errorf("row %q is hidden by %q", w.pkg, earlier.pkg)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"pkg/a", "pkg/a", true}, {"pkg/a", "pkg/a/b", false}, {"pkg/a", "pkg/ab", false}, {"pkg/a/...", "pkg/a", true},
		{"pkg/a/...", "pkg/a/b/c", true}, {"pkg/a/...", "pkg/ab", false}, {"pkg/*/x", "pkg/q/x", true}, {"pkg/*/x", "pkg/x", false},
		{"pkg/*/x/...", "pkg/q/x/y", true}, {"pkg/*/x/...", "pkg/q/y/x", false},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.path); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.pattern, tt.path, got)
		}
	}
}

func TestLoadLeavesOut(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module " + module + "\n", "pkg/a/a.go": "package a\n", "pkg/a/notes.md": "x", "pkg/a/data.json": "{}", "Makefile": "x:\n",
		".hidden/a.go": "package broken {", "_old/a.go": "package broken {", "pkg/a/testdata/a.go": "package broken {",
		"nested/go.mod": "module other\n", "nested/a.go": "package broken {",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Module != module || len(tree.Packages) != 1 || len(tree.Texts) != 2 {
		t.Errorf("module %q, %d packages, texts %v", tree.Module, len(tree.Packages), tree.Texts)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder without go.mod was loaded")
	}
	if err := os.WriteFile(filepath.Join(dir, "pkg/a/b.go"), []byte("package broken {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a file with a syntax error was loaded")
	}
}
