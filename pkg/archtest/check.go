package archtest

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
)

// Violation is one place that breaks a rule.
type Violation struct {
	Rule string // name of the rule, as in exceptions
	Path string // file or package
	Line int    // 0 when the whole file or package is meant
	Name string // what is meant there: a function, a type, an import; may be empty
	Text string // what is wrong and what to do
}

// String is "path:line: rule: text".
func (v Violation) String() string {
	where := v.Path
	if v.Line > 0 {
		where = fmt.Sprintf("%s:%d", v.Path, v.Line)
	}
	return fmt.Sprintf("%s: %s: %s", where, v.Rule, v.Text)
}

// Exception excuses the violations of one rule in one place.
type Exception struct {
	Rule   string
	Path   string // as in the violation
	Name   string // as in the violation; empty excuses every name
	Reason string
}

func (e Exception) covers(v Violation) bool {
	return e.Rule == v.Rule && e.Path == v.Path && (e.Name == "" || e.Name == v.Name)
}

// rule is one named check.
type rule struct {
	name  string
	check func(*Tree, *reporter)
}

// rules lists every rule there is.
func rules() []rule {
	return []rule{
		{"import", checkImports},
		{"pure", checkPurity},
		{"size", checkSizes},
		{"comment", checkComments},
		{"persisted", checkPersisted},
		{"float", checkFloats},
		{"name", checkNames},
		{"word", checkWords},
		{"habit", checkHabits},
	}
}

// reporter collects the violations of one rule.
type reporter struct {
	rule string
	fset *token.FileSet
	out  *[]Violation
}

func (r *reporter) at(pos token.Pos, name, format string, args ...any) {
	p := r.fset.Position(pos)
	*r.out = append(*r.out, Violation{r.rule, p.Filename, p.Line, name, fmt.Sprintf(format, args...)})
}

func (r *reporter) in(place, name, format string, args ...any) {
	*r.out = append(*r.out, Violation{r.rule, place, 0, name, fmt.Sprintf(format, args...)})
}

// Check runs every rule over the tree and returns what the exceptions do not excuse, and the exceptions that excuse
// nothing or give no reason, ordered by place.
func Check(t *Tree, exceptions []Exception) []Violation {
	var found []Violation
	for _, r := range rules() {
		r.check(t, &reporter{r.name, t.Fset, &found})
	}
	used := make([]bool, len(exceptions))
	out := slices.DeleteFunc(found, func(v Violation) bool {
		excused := false
		for i, e := range exceptions {
			if e.covers(v) {
				excused, used[i] = true, true
			}
		}
		return excused
	})
	for i, e := range exceptions {
		if !used[i] {
			out = append(out, Violation{Rule: e.Rule, Path: e.Path, Name: e.Name, Text: "the exception excuses nothing: remove it"})
		}
		if e.Reason == "" {
			out = append(out, Violation{Rule: e.Rule, Path: e.Path, Name: e.Name, Text: "the exception gives no reason"})
		}
	}
	slices.SortStableFunc(out, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return out
}
