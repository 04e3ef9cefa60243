// Package archtest holds the rules of this code base as tests over its own source: which package may import which, which
// packages are pure, how large things may get, that everything exported is explained, that nothing persisted loses
// precision, and which habits are banned. Every rule reads the syntax alone, so files for other systems are checked too.
//
// A rule that has to be broken in one place gets an entry in exceptions.go with the reason. An entry that no longer
// excuses anything is itself reported, so the list can only shrink.
package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the parsed source of one module.
type Tree struct {
	Module   string // module path
	Fset     *token.FileSet
	Packages []*Package // by Path
	Texts    []Text     // other readable files, by Path
}

// Package is the Go files of one folder, tests and external tests included.
type Package struct {
	Path  string // relative to the module, such as pkg/money; "." for its root
	Name  string // of the package clause, without _test
	Files []*File
}

// File is one Go file.
type File struct {
	Path      string // relative to the module
	Test      bool   // named _test.go
	Generated bool   // carries the "Code generated … DO NOT EDIT." line
	Lines     int
	Source    string
	AST       *ast.File
	imports   map[string]*ast.ImportSpec // by import path
	names     map[string]string          // import path by the name it has in the file
}

// Text is one readable file that is no Go code.
type Text struct {
	Path, Content string
}

// Load parses the module whose root folder is given. Folders that start with "." or "_", testdata, vendor and nested
// modules are left out, as the go command leaves them out.
func Load(root string) (*Tree, error) {
	module, err := modulePath(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && skipFolder(name, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !readable(d.Name()) {
			return nil
		}
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since the folder was listed
		}
		rel, relErr := filepath.Rel(root, name)
		files[filepath.ToSlash(rel)] = string(content)
		return errors.Join(err, relErr)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the source tree: %w", err)
	}
	return Parse(module, files)
}

func modulePath(gomod string) (string, error) {
	content, err := os.ReadFile(gomod)
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("finding the module: %s has no module line", gomod)
}

func skipFolder(name, base string) bool {
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

func readable(base string) bool {
	switch path.Ext(base) {
	case ".go", ".md", ".tf", ".yaml", ".yml", ".sh":
		return true
	}
	return base == "Makefile" || base == "Dockerfile"
}

// Parse builds a tree from file contents by path relative to the module. Folders without Go files have no package.
func Parse(module string, files map[string]string) (*Tree, error) {
	t := &Tree{Module: module, Fset: token.NewFileSet()}
	packages := map[string]*Package{}
	for name, content := range files {
		if path.Ext(name) != ".go" {
			t.Texts = append(t.Texts, Text{name, content})
			continue
		}
		parsed, err := parser.ParseFile(t.Fset, name, content, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parsing the source tree: %w", err)
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &Package{Path: dir, Name: strings.TrimSuffix(parsed.Name.Name, "_test")}
			t.Packages = append(t.Packages, packages[dir])
		}
		packages[dir].Files = append(packages[dir].Files, (&File{
			Path: name, Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(parsed),
			Lines: countLines(content), Source: content, AST: parsed,
		}).index())
	}
	for _, p := range t.Packages {
		slices.SortFunc(p.Files, func(a, b *File) int { return strings.Compare(a.Path, b.Path) })
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(t.Texts, func(a, b Text) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

func countLines(content string) int {
	n := strings.Count(content, "\n")
	if content != "" && !strings.HasSuffix(content, "\n") {
		n++
	}
	return n
}

// find returns the package with the path, or nil.
func (t *Tree) find(pkg string) *Package {
	i, ok := slices.BinarySearchFunc(t.Packages, pkg, func(p *Package, want string) int { return strings.Compare(p.Path, want) })
	if !ok {
		return nil
	}
	return t.Packages[i]
}

// local returns the path of an imported package inside the module, and whether it is there.
func (t *Tree) local(importPath string) (string, bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}

// product returns the files that are neither tests nor generated.
func (p *Package) product() []*File {
	var out []*File
	for _, f := range p.Files {
		if !f.Test && !f.Generated {
			out = append(out, f)
		}
	}
	return out
}

// index notes the imports of the file.
func (f *File) index() *File {
	f.imports, f.names = map[string]*ast.ImportSpec{}, map[string]string{}
	for _, spec := range f.AST.Imports {
		importPath := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(importPath)
		if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(importPath))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		f.imports[importPath], f.names[name] = spec, importPath
	}
	return f
}

// importedAs returns the import path that an identifier stands for in the file, "" when it is no import or is shadowed.
func (f *File) importedAs(id *ast.Ident) string {
	if id.Obj != nil {
		return ""
	}
	return f.names[id.Name]
}
