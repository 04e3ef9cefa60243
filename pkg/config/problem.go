package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	Line     int    `json:"line,omitempty"`     // line of the text from 1; of the section when a key is missing; 0 when there is none
	Company  string `json:"company,omitempty"`  // id of the company, or its place such as #2 while the id is no id; empty for the installation
	Key      string `json:"key,omitempty"`      // setting, or path below the company or the file, such as q360.base_url
	Value    string `json:"value,omitempty"`    // what was given, shortened; never a secret
	Expected string `json:"expected,omitempty"` // the form of a good value, where there is one
	Message  string `json:"message"`            // what is wrong
	Warning  bool   `json:"warning,omitempty"`  // the value is used all the same
}

// String is the problem as one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Company != "" {
		b.WriteString("company " + p.Company + ": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key)
		if p.Value != "" {
			b.WriteString(" = " + p.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Expected != "" {
		b.WriteString(" (expected " + p.Expected + ")")
	}
	if p.Warning {
		b.WriteString(" [warning]")
	}
	return b.String()
}

// Problems are all problems of a configuration, in the order of the lines.
type Problems []Problem

// ProblemsError is the error of Load when the configuration can be read but nothing can run with it.
type ProblemsError struct{ Problems Problems }

// Error implements error.
func (e *ProblemsError) Error() string { return e.Problems.String() }

// String is a readable list, one problem a line.
func (p Problems) String() string {
	switch len(p) {
	case 0:
		return "no problems"
	case 1:
		return "1 problem in the configuration:\n  " + p[0].String()
	}
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = "  " + one.String()
	}
	return fmt.Sprintf("%d problems in the configuration:\n%s", len(p), strings.Join(lines, "\n"))
}

// Fatal reports whether the installation can not run at all: a problem outside the companies that is no warning.
func (p Problems) Fatal() bool { return p.blocks("") }

// Of returns the problems of one company.
func (p Problems) Of(company string) Problems {
	var out Problems
	for _, one := range p {
		if one.Company == company {
			out = append(out, one)
		}
	}
	return out
}

func (p Problems) blocks(company string) bool {
	return slices.ContainsFunc(p, func(one Problem) bool { return one.Company == company && !one.Warning })
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}
