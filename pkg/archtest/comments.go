package archtest

import (
	"go/ast"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkComments demands a package comment of every package, and of every exported name a comment that begins with it.
// Fields of structs and methods of unexported types are free; constants and variables of a group may share its comment,
// and so does the only method of an interface.
func checkComments(t *Tree, r *reporter) {
	for _, p := range t.Packages {
		code := p.product()
		if len(code) == 0 {
			continue
		}
		checkPackageComment(r, p, code)
		for _, f := range code {
			for _, d := range f.AST.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					checkFunctionComment(r, d)
				case *ast.GenDecl:
					checkGroupComments(r, d)
				}
			}
		}
	}
}

func checkPackageComment(r *reporter, p *Package, code []*File) {
	want := "Package " + p.Name + " "
	if p.Name == "main" {
		want = ""
	}
	found := 0
	for _, f := range code {
		doc := f.AST.Doc.Text()
		if doc == "" {
			continue
		}
		found++
		if !strings.HasPrefix(strings.ReplaceAll(doc, "\n", " "), want) {
			r.at(f.AST.Doc.Pos(), p.Name, "the package comment must begin with %q", want)
		}
	}
	switch {
	case found == 0:
		r.in(p.Path, p.Name, "no file has a package comment: say what the package is for")
	case found > 1:
		r.in(p.Path, p.Name, "%d files have a package comment: keep one", found)
	}
}

func checkFunctionComment(r *reporter, fn *ast.FuncDecl) {
	recv := receiver(fn)
	if !fn.Name.IsExported() || recv != "" && !ast.IsExported(recv) {
		return
	}
	if !beginsWith(fn.Doc.Text(), fn.Name.Name) {
		r.at(fn.Pos(), functionName(fn), "the comment of %s must begin with its name", functionName(fn))
	}
}

func checkGroupComments(r *reporter, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			checkTypeComment(r, d, spec)
		case *ast.ValueSpec:
			grouped := d.Lparen.IsValid() && (d.Doc.Text() != "" || spec.Comment.Text() != "") && spec.Doc.Text() == ""
			doc := spec.Doc.Text()
			if !d.Lparen.IsValid() {
				doc = d.Doc.Text()
			}
			for _, name := range spec.Names {
				if name.IsExported() && !grouped && !beginsWith(doc, spec.Names[0].Name) {
					r.at(name.Pos(), name.Name, "the comment of %s must begin with its name", name.Name)
				}
			}
		}
	}
}

func checkTypeComment(r *reporter, d *ast.GenDecl, spec *ast.TypeSpec) {
	if !spec.Name.IsExported() || d.Tok != token.TYPE {
		return
	}
	doc := spec.Doc.Text()
	if doc == "" {
		doc = d.Doc.Text()
	}
	if !beginsWith(doc, spec.Name.Name) {
		r.at(spec.Pos(), spec.Name.Name, "the comment of %s must begin with its name", spec.Name.Name)
	}
	methods, ok := spec.Type.(*ast.InterfaceType)
	if !ok {
		return
	}
	if methods.Methods.NumFields() < 2 {
		return // the interface's own comment speaks of its one method
	}
	for _, m := range methods.Methods.List {
		for _, name := range m.Names { // none for an embedded interface
			commented := m.Comment.Text() != "" || beginsWith(m.Doc.Text(), name.Name)
			if name.IsExported() && !commented {
				full := spec.Name.Name + "." + name.Name
				r.at(name.Pos(), full, "the comment of %s must begin with %s", full, name.Name)
			}
		}
	}
}

// beginsWith reports whether the first word of a comment is the name.
func beginsWith(doc, name string) bool {
	rest, ok := strings.CutPrefix(doc, name)
	next, _ := utf8.DecodeRuneInString(rest)
	return ok && !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '_'
}
