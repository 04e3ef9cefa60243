package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault of a mapping file: where it is, what is there and what would be right.
type Problem struct {
	Path  string // such as entities.invoice.posted_when.op
	Value string
	Want  string
}

// String is the problem in one line.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s: is missing; expected %s", p.Path, p.Want)
	}
	return fmt.Sprintf("%s: %q; expected %s", p.Path, p.Value, p.Want)
}

// Problems are all faults of a mapping file in one error.
type Problems []Problem

// Error implements error with one line per problem.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p)+1)
	lines = append(lines, fmt.Sprintf("the Q360 mapping file has %d problem(s):", len(p)))
	for _, one := range p {
		lines = append(lines, "  "+one.String())
	}
	return strings.Join(lines, "\n")
}

// faults collects problems, at most one per path: a value of the wrong form is not reported again for its meaning.
type faults struct{ list Problems }

func (f *faults) add(path, value, want string) {
	if slices.ContainsFunc(f.list, func(p Problem) bool { return p.Path == path || strings.HasPrefix(path, p.Path+".") }) {
		return
	}
	f.list = append(f.list, Problem{Path: path, Value: value, Want: want})
}

func (f *faults) check(ok bool, path string, value any, want string) {
	if !ok {
		f.add(path, fmt.Sprint(value), want)
	}
}

func (f *faults) need(path, value, want string) {
	f.check(strings.TrimSpace(value) != "", path, value, want)
}

func (f *faults) oneOf(path, value string, allowed ...string) {
	f.check(slices.Contains(allowed, value), path, value, "one of "+strings.Join(allowed, ", "))
}
