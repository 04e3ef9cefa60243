package archtest

import (
	"go/ast"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// checkPersisted finds every type that store.Table is instantiated with and follows its encoded fields: none may hold a
// decimal, an amount of money or a floating-point number. Stored amounts are texts (package store), so that no reader of
// the store turns them into binary fractions. NoDecimals is the same rule for a type at hand.
func checkPersisted(t *Tree, r *reporter) {
	told := map[string]bool{} // what was reported, so that a second mention of a type repeats nothing
	for _, p := range t.Packages {
		for _, f := range p.product() {
			for _, d := range f.AST.Decls {
				inspectInstances(r, scope{t, p, f, typeParameters(d)}, d, told)
			}
		}
	}
}

func inspectInstances(r *reporter, in scope, d ast.Node, told map[string]bool) {
	ast.Inspect(d, func(n ast.Node) bool {
		index, ok := n.(*ast.IndexExpr)
		if !ok || !in.isTable(index.X) {
			return true
		}
		if id, ok := index.Index.(*ast.Ident); ok && slices.Contains(in.params, id.Name) {
			if in.pkg.Path != storePackage {
				r.at(index.Pos(), id.Name, "store.Table of a type parameter: name the stored type, so that its fields can be checked")
			}
			return true
		}
		for _, bad := range in.walk(index.Index, typeText(index.Index), map[ast.Node]bool{}) {
			if key := in.pkg.Path + " " + bad; !told[key] {
				told[key] = true
				r.at(index.Pos(), typeText(index.Index), "stored type holds %s: store amounts as text", bad)
			}
		}
		return true
	})
}

const storePackage = "pkg/store"

// scope is where a type expression stands.
type scope struct {
	tree   *Tree
	pkg    *Package
	file   *File
	params []string // type parameters of the declaration
}

// isTable reports whether an expression is the generic type store.Table.
func (s scope) isTable(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return s.pkg.Path == storePackage && x.Name == "Table"
	case *ast.SelectorExpr:
		id, ok := x.X.(*ast.Ident)
		return ok && x.Sel.Name == "Table" && s.file.importedAs(id) == s.tree.Module+"/"+storePackage
	}
	return false
}

// walk returns what a type holds that may not be stored, each with the path to it.
func (s scope) walk(x ast.Expr, at string, seen map[ast.Node]bool) []string {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.walk(x.X, at, seen)
	case *ast.StarExpr:
		return s.walk(x.X, at, seen)
	case *ast.ArrayType:
		return s.walk(x.Elt, at+"[]", seen)
	case *ast.MapType:
		return slices.Concat(s.walk(x.Key, at+"[key]", seen), s.walk(x.Value, at+"[]", seen))
	case *ast.StructType:
		return s.walkFields(x, at, seen)
	case *ast.IndexExpr:
		return slices.Concat(s.walk(x.X, at, seen), s.walk(x.Index, at+"["+typeText(x.Index)+"]", seen))
	case *ast.IndexListExpr:
		out := s.walk(x.X, at, seen)
		for _, arg := range x.Indices {
			out = slices.Concat(out, s.walk(arg, at+"["+typeText(arg)+"]", seen))
		}
		return out
	case *ast.Ident:
		return s.walkNamed(s.pkg, x.Name, at, seen)
	case *ast.SelectorExpr:
		return s.walkSelector(x, at, seen)
	}
	return nil
}

func (s scope) walkFields(x *ast.StructType, at string, seen map[ast.Node]bool) []string {
	var out []string
	for _, field := range x.Fields.List {
		if field.Tag != nil {
			if tag, err := strconv.Unquote(field.Tag.Value); err == nil && reflect.StructTag(tag).Get("json") == "-" {
				continue
			}
		}
		if len(field.Names) == 0 {
			out = append(out, s.walk(field.Type, at, seen)...)
		}
		for _, name := range field.Names {
			if name.IsExported() {
				out = append(out, s.walk(field.Type, at+"."+name.Name, seen)...)
			}
		}
	}
	return out
}

func (s scope) walkSelector(x *ast.SelectorExpr, at string, seen map[ast.Node]bool) []string {
	id, ok := x.X.(*ast.Ident)
	if !ok {
		return nil
	}
	importPath := s.file.importedAs(id)
	target, ok := s.tree.local(importPath)
	if !ok {
		return inexact(importPath, x.Sel.Name, at)
	}
	if p := s.tree.find(target); p != nil {
		return s.walkNamed(p, x.Sel.Name, at, seen)
	}
	return nil
}

// walkNamed follows a type declared in a package of the module, or judges a predeclared one.
func (s scope) walkNamed(p *Package, name, at string, seen map[ast.Node]bool) []string {
	if slices.Contains(s.params, name) {
		return nil
	}
	if p.Path == "pkg/money" && name == "Money" {
		return []string{"money.Money in " + at}
	}
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			spec := typeSpec(d, name)
			if spec == nil {
				continue
			}
			if seen[spec] || marshals(p, name) {
				return nil
			}
			seen[spec] = true
			return scope{s.tree, p, f, fieldNames(spec.TypeParams)}.walk(spec.Type, at, seen)
		}
	}
	return inexact("", name, at)
}

func typeSpec(d ast.Decl, name string) *ast.TypeSpec {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return nil
	}
	for _, spec := range g.Specs {
		if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.Name == name {
			return ts
		}
	}
	return nil
}

// marshals reports whether a type writes itself, so that its fields are not what is stored.
func marshals(p *Package, name string) bool {
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && receiver(fn) == name && (fn.Name.Name == "MarshalJSON" || fn.Name.Name == "MarshalText") {
				return true
			}
		}
	}
	return false
}

// inexact judges a type from outside the module, and the predeclared ones under the empty path.
func inexact(importPath, name, at string) []string {
	switch {
	case importPath == "" && (strings.HasPrefix(name, "float") || strings.HasPrefix(name, "complex")),
		importPath == decimals && strings.HasSuffix(name, "Decimal"), importPath == "math/big":
		return []string{path.Base(importPath) + "." + name + " in " + at}
	}
	return nil
}

func typeParameters(d ast.Node) []string {
	var out []string
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			out = append(out, fieldNames(n.Type.TypeParams)...)
			if n.Recv != nil && len(n.Recv.List) == 1 {
				out = append(out, receiverParameters(n.Recv.List[0].Type)...)
			}
		case *ast.TypeSpec:
			out = append(out, fieldNames(n.TypeParams)...)
		}
		return true
	})
	return out
}

func receiverParameters(x ast.Expr) []string {
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	var args []ast.Expr
	switch x := x.(type) {
	case *ast.IndexExpr:
		args = []ast.Expr{x.Index}
	case *ast.IndexListExpr:
		args = x.Indices
	}
	var out []string
	for _, a := range args {
		if id, ok := a.(*ast.Ident); ok {
			out = append(out, id.Name)
		}
	}
	return out
}

func fieldNames(l *ast.FieldList) []string {
	var out []string
	if l == nil {
		return nil
	}
	for _, f := range l.List {
		for _, n := range f.Names {
			out = append(out, n.Name)
		}
	}
	return out
}

// typeText names a type expression in messages.
func typeText(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return typeText(x.X) + "." + x.Sel.Name
	case *ast.StarExpr:
		return "*" + typeText(x.X)
	}
	return "a composed type"
}
