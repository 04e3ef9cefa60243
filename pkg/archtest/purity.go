package archtest

import (
	"go/ast"
	"slices"
)

// purePackages decide, compute or describe and do nothing else: everything they need comes in as a value.
func purePackages() []string { return []string{"pkg/plan", "pkg/billing", "pkg/money", "pkg/settings"} }

// pureStandard is what a pure package may use of the standard library. None of it reads or changes the world, once
// impureMembers are taken away.
func pureStandard() []string {
	return []string{"bytes", "cmp", "crypto/sha256", "encoding", "encoding/base64", "encoding/hex", "encoding/json", "errors", "fmt",
		"hash/fnv", "iter", "maps", "math", "math/big", "math/bits", "net/mail", "net/netip", "net/url", "reflect", "regexp", "slices",
		"sort", "strconv", "strings", "time", "unicode", "unicode/utf8"}
}

// impureMembers are the functions of those packages that look at a clock, wait, read files or write.
func impureMembers() map[string][]string {
	return map[string][]string{
		"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "LoadLocation", "Local"},
		"fmt": {"Print", "Printf", "Println", "Fprint", "Fprintf", "Fprintln", "Scan", "Scanf", "Scanln", "Fscan", "Fscanf",
			"Fscanln"},
		"encoding/json": {"NewEncoder"},
	}
}

// checkPurity follows the pure packages' imports through the whole module and holds every package reached to the list of
// what is pure.
func checkPurity(t *Tree, r *reporter) {
	reached := map[string]string{} // package to the pure package that needs it
	queue := []string{}
	for _, name := range purePackages() {
		reached[name] = name
		queue = append(queue, name)
	}
	for len(queue) > 0 {
		p := t.find(queue[0])
		queue = queue[1:]
		if p == nil {
			continue
		}
		root := reached[p.Path]
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			for importPath := range f.imports {
				if target, ok := t.local(importPath); ok && reached[target] == "" {
					reached[target] = root
					queue = append(queue, target)
				}
			}
			checkPureFile(t, r, f, p.Path, root)
		}
	}
}

func checkPureFile(t *Tree, r *reporter, f *File, pkg, root string) {
	for importPath, spec := range f.imports {
		if _, ok := t.local(importPath); ok || importPath == decimals || slices.Contains(pureStandard(), importPath) {
			continue
		}
		if pkg == root {
			r.at(spec.Pos(), importPath, "%s is pure and may not import %s: take what you need as a value", pkg, importPath)
		} else {
			r.at(spec.Pos(), importPath, "%s imports %s, and the pure %s depends on it: move what %s needs elsewhere", pkg, importPath, root, root)
		}
	}
	impure := impureMembers()
	selectors(f, func(sel *ast.SelectorExpr, importPath string) {
		if slices.Contains(impure[importPath], sel.Sel.Name) {
			r.at(sel.Pos(), importPath+"."+sel.Sel.Name, "%s is needed by the pure %s and may not use %s.%s", pkg, root, importPath, sel.Sel.Name)
		}
	})
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
			r.at(n.Pos(), "concurrency", "%s is needed by the pure %s and may not use goroutines or channels", pkg, root)
		}
		return true
	})
}
