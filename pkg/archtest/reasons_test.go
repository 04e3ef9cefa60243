package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unexpected are the reasons that no test expects, with why. The list may only shrink.
func unexpected() map[string]string {
	return map[string]string{}
}

// reasonCodes are the constants of type Code in package plan: the text of each by its name.
func reasonCodes(tree *Tree) map[string]string {
	out := map[string]string{}
	p := tree.find("pkg/plan")
	if p == nil {
		return out
	}
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST || f.Test {
				continue
			}
			for _, spec := range gen.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
					continue
				}
				typ, named := v.Type.(*ast.Ident)
				text, literal := v.Values[0].(*ast.BasicLit)
				if named && literal && typ.Name == "Code" {
					out[v.Names[0].Name], _ = strconv.Unquote(text.Value)
				}
			}
		}
	}
	return out
}

// missingReasons are the names of the codes that no test mentions, be it as plan.Name or by its text in test data.
func missingReasons(tree *Tree, data map[string]string) []string {
	mentioned := map[string]bool{}
	for _, p := range tree.Packages {
		for _, f := range p.Files {
			if !f.Test {
				continue
			}
			selectors(f, func(sel *ast.SelectorExpr, importPath string) {
				if importPath == tree.Module+"/pkg/plan" {
					mentioned[sel.Sel.Name] = true
				}
			})
		}
	}
	var out []string
	for name, text := range reasonCodes(tree) {
		inData := slices.ContainsFunc(mapValues(data), func(d string) bool { return strings.Contains(d, `"`+text+`"`) })
		if !mentioned[name] && !inData {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func mapValues(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// TestEveryReasonIsExpected: a reason that no test expects could be given for the wrong thing, and nobody would know.
func TestEveryReasonIsExpected(t *testing.T) {
	root := moduleRoot(t)
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(reasonCodes(tree)) < 70 {
		t.Fatalf("only %d reasons were read", len(reasonCodes(tree)))
	}
	missing := missingReasons(tree, testData(t, root))
	for _, name := range missing {
		if unexpected()[name] == "" {
			t.Errorf("plan.%s: no test expects this reason", name)
		}
	}
	for name, why := range unexpected() {
		if !slices.Contains(missing, name) {
			t.Errorf("plan.%s: the exception (%s) excuses nothing: remove it", name, why)
		}
	}
}

func TestUnexpectedReasonsAreFound(t *testing.T) {
	const code = "package plan\ntype Code string\nconst (\n\tAlpha Code = \"alpha\"\n\tBeta Code = \"beta\"\n\tGamma Code = \"gamma\"\n\tOther = \"x\"\n)\n"
	tree := plant(t, "pkg/plan/a.go", code, "pkg/plan/a_test.go", "package plan_test\nimport \""+module+"/pkg/plan\"\nvar _ = plan.Alpha\nvar _ = \"beta\"\n",
		"pkg/engine/a.go", "package engine\nimport \""+module+"/pkg/plan\"\nvar _ = plan.Beta\n")
	expect(t, missingReasons(tree, nil), "Beta", "Gamma")
	expect(t, missingReasons(tree, map[string]string{"pkg/plan/testdata/a.json": `{"reasons": ["gamma", "betas"]}`}), "Beta")
}
