package archtest

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/settings"
)

// declaredIn is where the typed fields are; a comment behind each field names its setting.
const declaredIn = "pkg/settings/resolved.go"

// fieldPaths are the fields that settings are read from, such as Invoices.Draft, by key. A company's own fields are below
// Company, those of the installation below Deployment.
func fieldPaths(tree *Tree) map[string][]string {
	out := map[string][]string{}
	for _, p := range tree.Packages {
		for _, f := range p.Files {
			if f.Path != declaredIn {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range s.Fields.List {
						words := strings.FieldsFunc(field.Comment.Text(), func(r rune) bool { return strings.ContainsRune(" ,:;\n", r) })
						if len(words) > 0 && strings.Contains(words[0], ".") && len(field.Names) == 1 {
							out[words[0]] = append(out[words[0]], spec.Name.Name+"."+field.Names[0].Name)
						}
					}
				}
				return true
			})
		}
	}
	return out
}

// flips are what a file sets: the fields on the left of its assignments, as the last two names of each, and its texts.
func flips(f *File) (fields map[string]bool, texts []string) {
	fields = map[string]bool{}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				fields[lastTwo(left)] = true
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && !strings.Contains(n.Value, "companies:") { // a whole configuration shows no effect
				texts = append(texts, n.Value)
			}
		}
		return true
	})
	return fields, texts
}

// lastTwo are the last two names of what is assigned to. A variable, field or call that holds a company's or the
// installation's settings goes by the name of its type.
func lastTwo(left ast.Expr) string {
	if index, ok := left.(*ast.IndexExpr); ok {
		left = index.X
	}
	sel, ok := left.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	owner := ""
	switch x := sel.X.(type) {
	case *ast.Ident:
		owner = x.Name
	case *ast.SelectorExpr:
		owner = x.Sel.Name
	}
	switch owner {
	case "set", "Settings", "settings", "company":
		owner = "Company"
	case "dep", "deployment", "Options": // what the engine is given of it
		owner = "Deployment"
	}
	return owner + "." + sel.Sel.Name
}

// unproven are the keys that no test sets: neither their field is assigned nor their key written, outside of the packages
// that declare and read settings. data are the texts of test data by path.
func unproven(tree *Tree, keys []string, data map[string]string) []string {
	paths := fieldPaths(tree)
	set := map[string]bool{}
	var texts []string
	for _, p := range tree.Packages {
		if below(p.Path, "pkg/settings") || below(p.Path, "pkg/config") || below(p.Path, "pkg/archtest") {
			continue
		}
		for _, f := range p.Files {
			if !f.Test {
				continue
			}
			fields, more := flips(f)
			for name := range fields {
				set[name] = true
			}
			texts = append(texts, more...)
		}
	}
	for name, text := range data {
		if !strings.HasPrefix(name, "pkg/settings/") && !strings.HasPrefix(name, "pkg/config/") {
			texts = append(texts, text)
		}
	}
	var out []string
	for _, key := range keys {
		named := slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, key) })
		if !named && !slices.ContainsFunc(paths[key], func(p string) bool { return set[p] }) {
			out = append(out, key)
		}
	}
	return out
}

// testData are the text files below testdata folders.
func testData(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		rel = filepath.ToSlash(rel)
		if err != nil || !strings.Contains(rel, "/testdata/") || strings.Contains(rel, "/fuzz/") {
			return err
		}
		content, err := os.ReadFile(name)
		out[rel] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEverySettingIsFlipped: a setting that no test sets could be without effect, and nobody would know.
func TestEverySettingIsFlipped(t *testing.T) {
	root := moduleRoot(t)
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	paths := fieldPaths(tree)
	for _, s := range settings.Declarations() {
		keys = append(keys, s.Key)
		if len(paths[s.Key]) == 0 {
			t.Errorf("%s has no field in %s whose comment begins with it", s.Key, declaredIn)
		}
	}
	for _, key := range unproven(tree, keys, testData(t, root)) {
		t.Errorf("%s: no test sets it: flip it in a test that shows its effect", key)
	}
}

func TestUnflippedSettingsAreFound(t *testing.T) {
	const fields = "package settings\ntype Company struct {\n\tMode string // company.mode\n\tInvoices Invoices\n}\n" +
		"type Invoices struct {\n\tDraft bool // invoices.draft\n\tSend string // invoices.send: a, b\n\tItemMap map[string]string // invoices.item_map\n}\n" +
		"type Deployment struct {\n\tPoll int // schedule.poll, in minutes\n}\n"
	keys := []string{"company.mode", "invoices.draft", "invoices.send", "invoices.item_map", "schedule.poll"}
	const four = `in.Settings.Invoices.Draft, set.Mode = true, "x"; dep.Poll = 3; m.Invoices.ItemMap["a"] = "b"; `
	for name, tt := range map[string]struct {
		path, body string
		data       map[string]string
		want       string
	}{
		"all set":              {"pkg/plan/a_test.go", four + `x.Invoices.Send = "b"`, nil, ""},
		"named in a text":      {"pkg/plan/a_test.go", four + "_ = \"invoices.send: a\"", nil, ""},
		"named in test data":   {"pkg/plan/a_test.go", four, map[string]string{"pkg/plan/testdata/a.yaml": "invoices.send: a"}, ""},
		"in a configuration":   {"pkg/plan/a_test.go", four + "_ = `companies: [{settings: {invoices.send: a}}]`", nil, "invoices.send"},
		"not set":              {"pkg/plan/a_test.go", four, nil, "invoices.send"},
		"only read":            {"pkg/plan/a_test.go", four + "_ = x.Invoices.Send", nil, "invoices.send"},
		"another's field":      {"pkg/plan/a_test.go", four + `x.Payments.Send = "b"`, nil, "invoices.send"},
		"only in a fixture":    {"pkg/plan/a_test.go", four + `_ = Invoices{Send: "b"}`, nil, "invoices.send"},
		"in its own package":   {"pkg/settings/a_test.go", four + `x.Invoices.Send = "b"`, nil, strings.Join(keys, " ")},
		"in code":              {"pkg/plan/a.go", four + `x.Invoices.Send = "b"`, nil, strings.Join(keys, " ")},
		"in its own test data": {"pkg/plan/a_test.go", four, map[string]string{"pkg/config/testdata/a.yaml": "invoices.send: a"}, "invoices.send"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := plant(t, declaredIn, fields, tt.path, "package x\nfunc f() {"+tt.body+"}\n")
			if got := strings.Join(unproven(tree, keys, tt.data), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
