package archtest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// maxPageLines bounds a document that people write; longer ones are split by subject.
const maxPageLines = 250

// generatedPages come from other sources and may have any size.
func generatedPages() []string { return []string{"infra/docs/settings.md"} }

// TestDocuments holds every page to what it says about the tree: links lead somewhere, and named paths exist.
func TestDocuments(t *testing.T) {
	root := moduleRoot(t)
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	pages := pagesOf(tree)
	if pages["infra/docs/README.md"] == "" || pages["infra/docs/architecture.md"] == "" {
		t.Fatal("the documents were not read")
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
		return err == nil
	}
	for _, problem := range append(checkPages(pages, exists), checkNamedTests(pages, testFunctions(tree))...) {
		t.Error(problem)
	}
}

// checkNamedTests returns the tests that pages name as `package TestName` and that do not exist. functions are those of
// each package.
func checkNamedTests(pages map[string]string, functions map[string][]string) []string {
	var out []string
	for name, content := range pages {
		for i, line := range prose(content) {
			for _, span := range backquoted.FindAllStringSubmatch(line, -1) {
				words := strings.Fields(span[1])
				if len(words) < 2 || !testPackage.MatchString(words[0]) || !testName.MatchString(words[1]) {
					continue
				}
				for _, test := range words[1:] {
					if !slices.Contains(functions[words[0]], test) {
						out = append(out, fmt.Sprintf("%s:%d: %s has no test %s", name, i+1, words[0], test))
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestUnknownTestsInDocumentsAreFound(t *testing.T) {
	functions := map[string][]string{"pkg/plan": {"TestA", "FuzzB"}}
	for line, want := range map[string]string{
		"by `pkg/plan TestA FuzzB`":                    "",
		"`pkg/plan` and `TestGone` alone, `go test x`": "",
		"```\n`pkg/plan TestGone`\n```":                "",
		"`pkg/plan TestA TestGone`":                    "a.md:1: pkg/plan has no test TestGone",
		"`pkg/gone TestA`":                             "a.md:1: pkg/gone has no test TestA",
	} {
		if got := strings.Join(checkNamedTests(map[string]string{"a.md": line}, functions), "\n"); got != want {
			t.Errorf("%q gives %q, want %q", line, got, want)
		}
	}
}

func TestBrokenDocumentsAreFound(t *testing.T) {
	index := "# Index\n[a](a.md) [b](sub/b.md#two-words)\n"
	tests := map[string]struct {
		page string
		want string // part of the problem; empty for none
	}{
		"fine":             {"# A\n[index](README.md), [web](https://example.com), [here](#a), `pkg/money`, `pkg/*/x`", ""},
		"missing file":     {"# A\nsee [it](gone.md)", "infra/docs/a.md:2: link to gone.md: infra/docs/gone.md does not exist"},
		"outside":          {"[up](../../../x.md)", "leads out of the repository"},
		"missing heading":  {"[it](sub/b.md#three)", "no heading three"},
		"own heading":      {"# A\n[it](#b)", "no heading b"},
		"missing path":     {"`pkg/gone/x.go` is named", "pkg/gone/x.go does not exist"},
		"inside a fence":   {"```sh\n[x](gone.md) `pkg/gone`\n```\n", ""},
		"code is no link":  {"`m[k](gone.md)` calls", ""},
		"too long":         {strings.Repeat("x\n", maxPageLines+1), "251 lines"},
		"heading in fence": {"[it](#x)\n```\n# x\n```\n", "no heading x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pages := map[string]string{
				"infra/docs/README.md": index, "infra/docs/a.md": tt.page, "infra/docs/sub/b.md": "# B\n## Two `words`!\n",
			}
			got := checkPages(pages, func(name string) bool { return pages[name] != "" || name == "pkg/money" })
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestDocumentsMustBeInTheIndex(t *testing.T) {
	pages := map[string]string{"infra/docs/README.md": "# Index\n", "infra/docs/a.md": "# A\n", "pkg/x/notes.md": "# N\n"}
	got := checkPages(pages, func(name string) bool { return pages[name] != "" })
	if len(got) != 1 || !strings.Contains(got[0], "infra/docs/a.md is not in infra/docs/README.md") {
		t.Errorf("got %q", got)
	}
}

// pagesOf are the Markdown files of a tree by path.
func pagesOf(tree *Tree) map[string]string {
	pages := map[string]string{}
	for _, text := range tree.Texts {
		if path.Ext(text.Path) == ".md" {
			pages[text.Path] = text.Content
		}
	}
	return pages
}

var (
	pageLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan  = regexp.MustCompile("`[^`]*`")
	namedPath = regexp.MustCompile("`((?:pkg|functions|infra|terraform)/[A-Za-z0-9_./-]+)`")
	headline  = regexp.MustCompile(`^#{1,6} +(.*)$`)
)

// checkPages returns what is wrong with the pages, sorted by place. exists tells whether a path of the repository is there.
func checkPages(pages map[string]string, exists func(string) bool) []string {
	var out []string
	linked := map[string]bool{}
	for name, content := range pages {
		if lines := strings.Count(content, "\n"); lines > maxPageLines && !slices.Contains(generatedPages(), name) {
			out = append(out, fmt.Sprintf("%s: %d lines, the limit is %d: split it by subject", name, lines, maxPageLines))
		}
		for i, line := range prose(content) {
			for _, m := range namedPath.FindAllStringSubmatch(line, -1) {
				if target := strings.TrimRight(m[1], "/."); !exists(target) {
					out = append(out, fmt.Sprintf("%s:%d: %s does not exist", name, i+1, target))
				}
			}
			for _, m := range pageLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
				target, why := checkLink(pages, name, m[1], exists)
				if why != "" {
					out = append(out, fmt.Sprintf("%s:%d: link to %s: %s", name, i+1, m[1], why))
				}
				if name == "infra/docs/README.md" {
					linked[target] = true
				}
			}
		}
	}
	for name := range pages {
		if strings.HasPrefix(name, "infra/docs/") && name != "infra/docs/README.md" && !linked[name] {
			out = append(out, name+" is not in infra/docs/README.md")
		}
	}
	slices.Sort(out)
	return out
}

// checkLink returns the file a link leads to, and why it leads nowhere.
func checkLink(pages map[string]string, from, link string, exists func(string) bool) (string, string) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return "", ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	switch {
	case strings.HasPrefix(target, ".."):
		return target, "it leads out of the repository"
	case !exists(target):
		return target, target + " does not exist"
	case anchor != "" && path.Ext(target) == ".md" && !slices.Contains(headings(pages[target]), anchor):
		return target, target + " has no heading " + anchor
	}
	return target, ""
}

// prose is the lines of a page with those of fenced code emptied.
func prose(content string) []string {
	lines := strings.Split(content, "\n")
	fenced := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			fenced = !fenced
		}
		if fence || fenced {
			lines[i] = ""
		}
	}
	return lines
}

// headings are the anchors of a page, as its readers make them: lower case, blanks as hyphens, other signs dropped.
func headings(content string) []string {
	var out []string
	for _, line := range prose(content) {
		m := headline.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(m[1])))
	}
	return out
}
