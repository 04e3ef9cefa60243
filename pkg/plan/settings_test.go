package plan_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/settings"
)

// TestEverySettingIsFlipped: whatever setting the decisions on documents and customers read, some case of the tables gives
// it a value that makes the decision another one.
func TestEverySettingIsFlipped(t *testing.T) {
	flipped := map[string]bool{}
	for kind, decide := range map[string]func(*testing.T, decision) outcome{
		"invoice": invoiceDecision, "customer": customerDecision, "contact": contactDecision,
	} {
		for _, cases := range tables(t, kind) {
			for _, c := range cases {
				for _, key := range flips(t, c, decide) {
					flipped[key] = true
				}
			}
		}
	}
	read := settingsRead(t, "customer.go", "contact.go", "memory.go", "invoice.go", "document.go", "gone.go")
	if len(read) < 30 {
		t.Fatalf("only %d settings are read; the search is broken: %v", len(read), read)
	}
	for _, key := range read {
		if !flipped[key] {
			t.Errorf("no case flips %s", key)
		}
	}
}

// flips lists the settings of a case without which it would be decided otherwise.
func flips(t *testing.T, c decision, decide func(*testing.T, decision) outcome) (out []string) {
	t.Helper()
	values := map[string]json.RawMessage{}
	if len(c.Settings) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Settings, &values); err != nil {
		t.Fatal(err)
	}
	for key := range values {
		usual := c
		rest := maps.Clone(values)
		delete(rest, key)
		usual.Settings, _ = json.Marshal(rest)
		if _, problems := resolve(t, usual.Settings); settings.Blocking(problems) {
			continue // the setting needs another
		}
		if asText(t, decide(t, usual)) != asText(t, decide(t, c)) {
			out = append(out, key)
		}
	}
	return out
}

// settingsRead lists the keys of the settings that some files of the package read, from the types of their selections and
// from the methods of the settings that they call.
func settingsRead(t *testing.T, files ...string) []string {
	t.Helper()
	fset := token.NewFileSet()
	declared, inSettings := check(t, fset, "../settings", "settings", nil)
	_, inPlan := check(t, fset, ".", "plan", declared)
	keys := settingKeys(t, declared)
	var out []string
	note := func(s *types.Selection) {
		if v, ok := s.Obj().(*types.Var); ok && v.IsField() {
			if key := keys[v.Pos()]; key != "" && !slices.Contains(out, key) {
				out = append(out, key)
			}
		}
	}
	called := map[types.Object]bool{}
	for expr, s := range inPlan.Selections {
		if !slices.Contains(files, filepath.Base(fset.Position(expr.Pos()).Filename)) {
			continue
		}
		note(s)
		if s.Obj().Pkg() == declared {
			called[s.Obj()] = true
		}
	}
	for expr, s := range inSettings.Selections {
		for method := range called {
			if fn, ok := method.(*types.Func); ok && fn.Scope() != nil && fn.Scope().Contains(expr.Pos()) {
				note(s)
			}
		}
	}
	slices.Sort(out)
	return out
}

// check finds the types of a package's product code. Of what it imports only the settings are known; that is enough for
// selections from them.
func check(t *testing.T, fset *token.FileSet, dir, name string, declared *types.Package) (*types.Package, *types.Info) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, n, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{Importer: only{declared}, Error: func(error) {}}
	pkg, _ := conf.Check("github.com/arbridge/arbridge/pkg/"+name, fset, parsed, info) // what is not known does not matter
	return pkg, info
}

// only imports the settings; every other package is empty.
type only struct {
	declared *types.Package
}

// Import implements types.Importer.
func (o only) Import(path string) (*types.Package, error) {
	if o.declared != nil && path == o.declared.Path() {
		return o.declared, nil
	}
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// settingKeys are the keys of the settings by the place of their field, as resolved.go names them behind each.
func settingKeys(t *testing.T, declared *types.Package) map[token.Pos]string {
	t.Helper()
	content, err := os.ReadFile("../settings/resolved.go")
	if err != nil {
		t.Fatal(err)
	}
	byField := map[string]string{}
	owner := ""
	for _, line := range strings.Split(string(content), "\n") {
		if rest, ok := strings.CutPrefix(line, "type "); ok {
			owner, _, _ = strings.Cut(rest, " ")
		}
		field, comment, ok := strings.Cut(strings.TrimSpace(line), "// ")
		key := strings.FieldsFunc(comment, func(r rune) bool { return r == ':' || r == ',' || r == ';' || r == ' ' })
		if ok && field != "" && len(key) > 0 && strings.Contains(key[0], ".") {
			name, _, _ := strings.Cut(field, " ")
			byField[owner+"."+name] = key[0]
		}
	}
	keys := map[token.Pos]string{}
	for _, name := range declared.Scope().Names() {
		s, ok := declared.Scope().Lookup(name).Type().Underlying().(*types.Struct)
		if !ok {
			continue
		}
		for i := range s.NumFields() {
			if key := byField[name+"."+s.Field(i).Name()]; key != "" {
				keys[s.Field(i).Pos()] = key
			}
		}
	}
	return keys
}
