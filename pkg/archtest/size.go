package archtest

import (
	"go/ast"
	"go/token"
)

// The limits of style 1.7. Aim well below: 250 lines a file, 35 a function.
const (
	maxFileLines     = 500
	maxFunctionLines = 70
	maxCyclomatic    = 15
	maxPackageFiles  = 20
)

// checkSizes measures files (tests too), functions, branching and packages. Generated files may have any size.
func checkSizes(t *Tree, r *reporter) {
	for _, p := range t.Packages {
		code := p.product()
		if len(code) > maxPackageFiles {
			r.in(p.Path, "", "%d code files, the limit is %d: split the package by subject", len(code), maxPackageFiles)
		}
		for _, f := range p.Files {
			if f.Lines > maxFileLines && !f.Generated {
				r.in(f.Path, "", "%d lines, the limit is %d: split the file by subject", f.Lines, maxFileLines)
			}
		}
		for _, f := range code {
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					checkFunction(t, r, fn)
				}
			}
		}
	}
}

func checkFunction(t *Tree, r *reporter, fn *ast.FuncDecl) {
	lines := t.Fset.Position(fn.End()).Line - t.Fset.Position(fn.Pos()).Line + 1
	if lines > maxFunctionLines {
		r.at(fn.Pos(), functionName(fn), "%s has %d lines, the limit is %d: move straight-line work into helpers", functionName(fn), lines, maxFunctionLines)
	}
	if n := cyclomatic(fn); n > maxCyclomatic {
		r.at(fn.Pos(), functionName(fn), "%s has the cyclomatic number %d, the limit is %d: make the cases a table", functionName(fn), n, maxCyclomatic)
	}
}

// functionName is "Name" or "Receiver.Name".
func functionName(fn *ast.FuncDecl) string {
	if recv := receiver(fn); recv != "" {
		return recv + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver is the name of a method's receiver type, "" for a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	expr := fn.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// cyclomatic is the number of decisions plus one; function literals count towards the function that holds them.
func cyclomatic(fn *ast.FuncDecl) int {
	n := 1
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}
