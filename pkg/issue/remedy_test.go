package issue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// quiet are the reasons that never leave a record with a person: of what is in step, of what is left out, and notes beside
// the reason that counts.
func quiet() []plan.Code {
	return []plan.Code{
		plan.NotPosted, plan.BeforeStart, plan.ZeroTotal, plan.MethodExcluded, plan.TypeExcluded, plan.CustomerExcluded, plan.BalanceBelow,
		plan.SettledInERP, plan.PartlyPaidInERP, plan.CreditsOff, plan.LinesDoNotAddUp, plan.RoundingLine, plan.DiscountTerms, plan.MixedSigns,
		plan.Unchanged, plan.AlreadyThere, plan.PaymentVoided, plan.PaymentFailed, plan.NotCharged, plan.CreditsOnly, plan.OnAccount,
		plan.FeeAllocated, plan.FeeExcluded, plan.LeftAlone, plan.NotOurs, plan.ActivityOff, plan.FilesOff, plan.MailUnknown, plan.MailRefused,
		plan.MailNobody, plan.GoneBefore, plan.GoneVoided, plan.GoneOnBoth, plan.FoundByMetadata, plan.OtherOwner, plan.FeeOneLine,
		plan.FeeUnapplied, plan.CreditApplied, plan.CreditLeft, plan.CreditsMissing,
	}
}

// TestEveryReasonIsJudged: each reason either has a remedy or is known never to need a person. A new one has to be put on
// one side or the other.
func TestEveryReasonIsJudged(t *testing.T) {
	for _, code := range plan.Codes() {
		_, named := remedies[code]
		if silent := slices.Contains(quiet(), code); named == silent {
			t.Errorf("%s: has a remedy is %v, is known to need none is %v", code, named, silent)
		}
	}
	for code := range remedies {
		if !slices.Contains(plan.Codes(), code) {
			t.Errorf("%s: a remedy for a reason that is not there", code)
		}
	}
}

// TestEveryConflictHasARemedy reads where the plan and the engine leave a record to a person, and finds a remedy for each
// reason that is given there.
func TestEveryConflictHasARemedy(t *testing.T) {
	codes := map[string]plan.Code{}
	for _, f := range parsed(t, "../plan") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && len(spec.Values) == 1 {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					codes[spec.Names[0].Name] = plan.Code(strings.Trim(lit.Value, `"`))
				}
			}
			return true
		})
	}
	found := 0
	for _, f := range append(parsed(t, "../plan"), parsed(t, "../engine")...) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !mentions(call.Args, "Conflict", "Attention", "Reversed") {
				return true
			}
			for _, name := range because(call) {
				if _, ok := remedies[codes[name]]; !ok {
					t.Errorf("plan.%s leaves a record to a person and has no remedy", name)
				}
				found++
			}
			return true
		})
	}
	if found < 25 {
		t.Errorf("only %d reasons were found: the plan is no longer written as this test reads it", found)
	}
}

func parsed(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatal(dir, err)
	}
	var out []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// mentions reports whether one of the arguments is one of the names, of this package or another.
func mentions(args []ast.Expr, names ...string) bool {
	return slices.ContainsFunc(args, func(a ast.Expr) bool { return slices.Contains(names, last(a)) })
}

func last(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// because are the names of the codes given to Because within a call.
func because(n ast.Node) []string {
	var out []string
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && last(call.Fun) == "Because" && len(call.Args) > 0 {
			out = append(out, last(call.Args[0]))
		}
		return true
	})
	return out
}

// TestRemediesAreFitToRead: every cause has a title and a fix in sentences; settings and commands that a fix names exist.
func TestRemediesAreFitToRead(t *testing.T) {
	all := map[string]remedy{"": unnamed}
	for code, r := range remedies {
		all[string(code)] = r
	}
	for _, cause := range companyCauses() {
		all[cause] = companyRemedies[cause]
	}
	if len(companyRemedies) != len(companyCauses()) {
		t.Errorf("%d causes of a company, %d remedies", len(companyCauses()), len(companyRemedies))
	}
	key := regexp.MustCompile(`\b[a-z_]+\.[a-z_]+\b`)
	verb := regexp.MustCompile(`arbridge ([a-z]+)`)
	main, err := os.ReadFile("../../infra/docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for cause, r := range all {
		if r.title == "" || strings.HasSuffix(r.title, ".") || !strings.HasSuffix(r.fix, ".") || len(r.title) > 80 ||
			!slices.Contains([]Severity{High, Normal, Low}, r.severity) {
			t.Errorf("%s: %+v", cause, r)
		}
		for _, name := range key.FindAllString(r.fix, -1) {
			if _, err := settings.Lookup(name); err != nil && name != "receipts.applied_when" { // that one is in the mapping
				t.Errorf("%s: %v", cause, err)
			}
		}
		for _, m := range verb.FindAllStringSubmatch(strings.ReplaceAll(r.fix, "of arbridge", ""), -1) {
			if !slices.Contains([]string{"issues", "reconcile"}, m[1]) && !strings.Contains(string(main), "`arbridge "+m[1]) && !strings.Contains(string(main), "arbridge "+m[1]) {
				t.Errorf("%s: there is no command %q", cause, m[1])
			}
		}
	}
}
