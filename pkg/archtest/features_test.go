package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// featuresPage says what each feature does here and which tests prove it.
const featuresPage = "infra/docs/features.md"

// featureIDs are the features that must have a proven row. F19 was never given.
func featureIDs() []string {
	var ids []string
	for _, span := range [][2]int{{1, 18}, {20, 27}, {40, 44}, {46, 49}} {
		for n := span[0]; n <= span[1]; n++ {
			ids = append(ids, fmt.Sprintf("F%02d", n))
		}
	}
	return ids
}

// featureRow is one row of the table.
type featureRow struct {
	line                    int
	id, does, where, limits string
	spans                   []string // what stands between backquotes in the column of tests
}

// featureColumns are the titles of the table.
func featureColumns() []string {
	return []string{"Id", "What it does here", "Where", "Proven by", "Known limits"}
}

var (
	featureID   = regexp.MustCompile(`^F\d\d$`)
	backquoted  = regexp.MustCompile("`([^`]*)`")
	testPackage = regexp.MustCompile(`^(pkg|functions)(/[a-z0-9_]+)+$`)
	testName    = regexp.MustCompile(`^(Test|Fuzz)[A-Za-z0-9_]+$`)
)

// readFeatures returns the rows of the tables of features, and the lines that look like one and are not.
func readFeatures(content string) (rows []featureRow, problems []string) {
	inside := false
	for i, line := range prose(content) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case slices.Equal(cells, featureColumns()):
			inside = true
		case !inside || strings.Trim(line, "|-: ") == "":
		case len(cells) != len(featureColumns()) || !featureID.MatchString(cells[0]):
			problems = append(problems, fmt.Sprintf("line %d is no row of %s", i+1, strings.Join(featureColumns(), ", ")))
		default:
			row := featureRow{line: i + 1, id: cells[0], does: cells[1], where: cells[2], limits: cells[4]}
			for _, m := range backquoted.FindAllStringSubmatch(cells[3], -1) {
				row.spans = append(row.spans, m[1])
			}
			rows = append(rows, row)
		}
	}
	return rows, problems
}

// checkFeatures says what is wrong with the page. functions are the test functions of each package.
func checkFeatures(content string, functions map[string][]string) []string {
	rows, out := readFeatures(content)
	seen := map[string]bool{}
	for _, r := range rows {
		say := func(format string, args ...any) {
			out = append(out, fmt.Sprintf("line %d, %s: ", r.line, r.id)+fmt.Sprintf(format, args...))
		}
		switch {
		case seen[r.id]:
			say("the feature has two rows")
		case r.does == "" || r.limits == "":
			say("what it does and its limits need words")
		case !pageLink.MatchString(r.where):
			say("link to the files it lives in")
		case len(r.spans) == 0:
			say("no test is named: write `package TestName`")
		}
		seen[r.id] = true
		for _, s := range r.spans {
			words := strings.Fields(s)
			if len(words) < 2 || !testPackage.MatchString(words[0]) {
				say("%q is not `package TestName`", s)
				continue
			}
			for _, name := range words[1:] {
				if !testName.MatchString(name) || !slices.Contains(functions[words[0]], name) {
					say("%s has no test %s", words[0], name)
				}
			}
		}
	}
	for _, id := range featureIDs() {
		if !seen[id] {
			out = append(out, id+" has no row")
		}
	}
	return out
}

// testFunctions are the tests and fuzz targets of each package.
func testFunctions(tree *Tree) map[string][]string {
	out := map[string][]string{}
	for _, p := range tree.Packages {
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if f.Test && ok && fn.Recv == nil && testName.MatchString(fn.Name.Name) {
					out[p.Path] = append(out[p.Path], fn.Name.Name)
				}
			}
		}
	}
	return out
}

// TestEveryFeatureIsProven holds the page of features to the tests there are.
func TestEveryFeatureIsProven(t *testing.T) {
	tree, err := Load(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range checkFeatures(pagesOf(tree)[featuresPage], testFunctions(tree)) {
		t.Errorf("%s: %s", featuresPage, problem)
	}
}

func TestUnprovenFeaturesAreFound(t *testing.T) {
	tree := plant(t, "pkg/plan/a_test.go", "package plan\nfunc TestA() {}\nfunc FuzzB() {}\nfunc helper() {}\nfunc (s) TestMethod() {}\n",
		"pkg/plan/a.go", "package plan\nfunc TestNotATest() {}\n", "functions/x/x_test.go", "package x\nfunc TestX() {}\n")
	functions := testFunctions(tree)
	page := func(edit string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "# Features\n\n| %s |\n|---|---|---|---|---|\n", strings.Join(featureColumns(), " | "))
		for _, id := range featureIDs() {
			row := "| " + id + " | does it | [x](x.go) | `pkg/plan TestA` | none |\n"
			if id == "F16" && edit != "" {
				row = strings.ReplaceAll(edit, "ID", id) + "\n"
			}
			b.WriteString(row)
		}
		return b.String()
	}
	good := "| ID | does | [x](x.go) | %s | none |"
	for name, tt := range map[string]struct{ row, want string }{
		"fine":                  {"", ""},
		"several tests":         {fmt.Sprintf(good, "`pkg/plan TestA FuzzB`, `functions/x TestX`"), ""},
		"words beside the test": {fmt.Sprintf(good, "unpaid: `pkg/plan TestA`"), ""},
		"missing row":           {"", "F16 has no row"},
		"no test":               {fmt.Sprintf(good, "by hand"), "no test is named"},
		"empty":                 {fmt.Sprintf(good, ""), "no test is named"},
		"unknown test":          {fmt.Sprintf(good, "`pkg/plan TestB`"), "pkg/plan has no test TestB"},
		"unknown package":       {fmt.Sprintf(good, "`pkg/gone TestA`"), "pkg/gone has no test TestA"},
		"a method":              {fmt.Sprintf(good, "`pkg/plan TestMethod`"), "has no test TestMethod"},
		"not in a test file":    {fmt.Sprintf(good, "`pkg/plan TestNotATest`"), "has no test TestNotATest"},
		"a helper":              {fmt.Sprintf(good, "`pkg/plan helper`"), "has no test helper"},
		"one of two unknown":    {fmt.Sprintf(good, "`pkg/plan TestA TestGone`"), "has no test TestGone"},
		"no package":            {fmt.Sprintf(good, "`TestA`"), "is not `package TestName`"},
		"no link":               {"| ID | does | x.go | `pkg/plan TestA` | none |", "link to the files"},
		"no limits":             {"| ID | does | [x](x.go) | `pkg/plan TestA` |  |", "need words"},
		"too few columns":       {"| ID | does | `pkg/plan TestA` |", "is no row of"},
		"two rows":              {strings.Repeat(fmt.Sprintf(good, "`pkg/plan TestA`")+"\n", 2), "two rows"},
	} {
		t.Run(name, func(t *testing.T) {
			content := page(tt.row)
			if name == "missing row" {
				content = strings.ReplaceAll(content, "| F16 |", "| F45 |")
			}
			got := strings.Join(checkFeatures(content, functions), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
	if got := checkFeatures("", functions); len(got) != len(featureIDs()) {
		t.Errorf("without a page: %q", got)
	}
}
