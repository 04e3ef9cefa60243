package archtest

import (
	"go/ast"
	"slices"
	"strings"
)

// row says what the packages that match a pattern may import. In a pattern "*" stands for one part of a path and a final
// "/..." for the package and everything below it.
type row struct {
	pkg    string   // pattern of the packages the row is about
	module []string // patterns of module packages; own stands for the rest of the same vendor, sandboxes excepted
	third  []string // import paths of other modules, packages below them included
	test   []string // as third, for tests only
	std    []string // reserved packages of the standard library that these may use
	// support marks packages for tests: product code may not import them, and they may use package testing.
	support bool
	// fakes may be used by product code that runs on them: the simulation's store and files are those of the tests.
	fakes bool
	// sandboxes lets product code import the vendors' sandboxes.
	sandboxes bool
}

// own in row.module stands for the packages of the same vendor.
const own = "(own)"

// checkImports holds every import against the table. Tests may import any package of the module but another vendor's and
// the main packages; other modules only as the table says.
func checkImports(t *Tree, r *reporter) {
	table := importTable()
	for _, p := range t.Packages {
		if p.Path == "." {
			r.in(p.Path, "", "the root of the module holds no code: move it below pkg/ or functions/")
			continue
		}
		i := slices.IndexFunc(table, func(w row) bool { return matches(w.pkg, p.Path) })
		if i < 0 {
			r.in(p.Path, "", "the package is not in the import table: add a row to pkg/archtest/table.go that says what it may import")
			continue
		}
		for _, f := range p.Files {
			for importPath, spec := range f.imports {
				if why := refuse(t, table[i], p.Path, f.Test, importPath); why != "" {
					r.at(spec.Pos(), importPath, "%s may not import %s: %s", p.Path, importPath, why)
				}
				if spec.Name != nil && spec.Name.Name == "_" && !sideEffects(importPath, f) {
					r.at(spec.Pos(), importPath, "blank import of %s: name what you use instead of registering it", importPath)
				}
				if spec.Name != nil && spec.Name.Name == "." {
					r.at(spec.Pos(), importPath, "dot import of %s: qualify its names", importPath)
				}
			}
		}
	}
}

// refuse says why a package may not import another, "" when it may.
func refuse(t *Tree, w row, pkg string, test bool, importPath string) string {
	if target, ok := t.local(importPath); ok {
		if test {
			return refuseInTest(pkg, target)
		}
		return refuseLocal(w, pkg, target)
	}
	if standard(importPath) {
		return refuseStandard(w, test, importPath)
	}
	allowed := w.third
	if test {
		allowed = slices.Concat(w.third, w.test, testModules())
	}
	if slices.ContainsFunc(allowed, func(prefix string) bool { return below(importPath, prefix) }) {
		return ""
	}
	return "the module is not in its row of the import table"
}

func refuseLocal(w row, pkg, target string) string {
	if matches(sandboxPattern, target) && !matches(sandboxPattern, pkg) {
		if !w.sandboxes {
			return "only functions and tests run sandboxes"
		}
		return ""
	}
	if isSupport(target) && !w.support && !w.fakes {
		return "it is for tests"
	}
	for _, pattern := range w.module {
		if pattern == own && vendor(pkg) != "" && vendor(pkg) == vendor(target) || matches(pattern, target) {
			return ""
		}
	}
	return "it is not in its row of the import table"
}

// isSupport reports whether a package exists for tests.
func isSupport(pkg string) bool {
	table := importTable()
	i := slices.IndexFunc(table, func(w row) bool { return matches(w.pkg, pkg) })
	return i >= 0 && table[i].support
}

func refuseInTest(pkg, target string) string {
	if v, other := vendor(pkg), vendor(target); v != "" && other != "" && v != other && target != "pkg/connector/connectortest" {
		return "vendors do not know each other"
	}
	if below(target, "functions") && !below(pkg, "functions") {
		return "main packages are not for tests of others"
	}
	return ""
}

func refuseStandard(w row, test bool, importPath string) string {
	if test && importPath != "unsafe" || !slices.Contains(reservedStandard(), importPath) || slices.Contains(w.std, importPath) {
		return ""
	}
	if w.support && importPath != "unsafe" {
		return ""
	}
	return "the standard package is reserved"
}

// sideEffects reports whether a blank import is one of the accepted ones: SQL drivers register themselves, and embed and
// tzdata only change the build.
func sideEffects(importPath string, f *File) bool {
	switch importPath {
	case "embed", "time/tzdata":
		return true
	case "modernc.org/sqlite":
		_, sql := f.imports["database/sql"]
		return sql
	}
	return false
}

// vendor is the name of the vendor a package belongs to, "" for others.
func vendor(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, "pkg/connector/")
	if !ok || rest == "connectortest" {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

func below(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// matches reports whether a path fits a pattern of a row.
func matches(pattern, p string) bool {
	pattern, tree := strings.CutSuffix(pattern, "/...")
	want, got := strings.Split(pattern, "/"), strings.Split(p, "/")
	if len(got) < len(want) || len(got) > len(want) && !tree {
		return false
	}
	for i, part := range want {
		if part != "*" && part != got[i] {
			return false
		}
	}
	return true
}

// selectors calls visit for each mention of an imported package's member in a file.
func selectors(f *File, visit func(sel *ast.SelectorExpr, importPath string)) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok {
				if importPath := f.importedAs(id); importPath != "" {
					visit(sel, importPath)
				}
			}
		}
		return true
	})
}
