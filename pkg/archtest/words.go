package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkFloats bans binary floating point from code and tests: money is exact, and ratios are shown in whole per mille.
func checkFloats(t *Tree, r *reporter) {
	names := []string{"float32", "float64", "complex64", "complex128"}
	members := []string{"ParseFloat", "FormatFloat", "AppendFloat", "NewFromFloat", "NewFromFloat32", "InexactFloat64", "Float64", "Float32"}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			ast.Inspect(f.AST, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if slices.Contains(names, n.Name) {
						r.at(n.Pos(), n.Name, "%s: use money, decimal or whole numbers", n.Name)
					}
				case *ast.BasicLit:
					if n.Kind == token.FLOAT || n.Kind == token.IMAG {
						r.at(n.Pos(), n.Value, "the constant %s is a floating-point number: write it as a whole number of a smaller unit", n.Value)
					}
				case *ast.SelectorExpr:
					if slices.Contains(members, n.Sel.Name) {
						r.at(n.Pos(), n.Sel.Name, "%s makes a floating-point number", n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// checkNames bans package names that say nothing.
func checkNames(t *Tree, r *reporter) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "base", "misc", "shared", "lib", "tools"}
	for _, p := range t.Packages {
		for _, name := range []string{p.Name, path.Base(p.Path)} {
			if slices.Contains(banned, name) {
				r.in(p.Path, name, "a package named %q says nothing: name it after what it holds", name)
				break
			}
		}
		if p.Name != "main" && strings.ToLower(p.Name) != p.Name || strings.Contains(p.Name, "_") {
			r.in(p.Path, p.Name, "package names are one lower-case word")
		}
	}
}

// The words are put together here, so that this file does not break its own rule.
var (
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	machinePath = regexp.MustCompile(`(^|[\s"'(=])/(work|root)/`)
	vagueError  = regexp.MustCompile(`(?i)\bfailed to\b`)
)

// checkWords bans marks of unfinished work and paths of one machine from every file, and vague wording from error texts.
func checkWords(t *Tree, r *reporter) {
	for _, text := range t.Texts {
		for i, line := range strings.Split(text.Content, "\n") {
			if why := badLine(line); why != "" {
				*r.out = append(*r.out, Violation{Rule: r.rule, Path: text.Path, Line: i + 1, Text: why})
			}
		}
	}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for i, line := range strings.Split(f.Source, "\n") {
				if why := badLine(line); why != "" {
					*r.out = append(*r.out, Violation{Rule: r.rule, Path: f.Path, Line: i + 1, Text: why})
				}
			}
			if !f.Test {
				checkStrings(r, f)
			}
		}
	}
}

func badLine(line string) string {
	if m := unfinished.FindString(line); m != "" {
		return m + " marks unfinished work: finish it or write an issue"
	}
	if machinePath.MatchString(line) {
		return "the path of one machine"
	}
	return ""
}

func checkStrings(r *reporter, f *File) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && vagueError.MatchString(lit.Value) {
			r.at(lit.Pos(), "", `%s: say what was being done, as in "doing x: …"`, vagueError.FindString(lit.Value))
		}
		return true
	})
}
