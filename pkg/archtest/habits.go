package archtest

import (
	"go/ast"
	"slices"
	"strings"
)

// habit is a member of a package that is banned outside some folders.
type habit struct {
	importPath string
	names      []string
	except     []string // folders in which it is fine; main is every main package
	tests      bool     // tests and their support packages are held to it too
	why        string
}

// habits lists the banned members. Real time belongs to package clock; the kit and the sandboxes play a vendor, whose
// answers take real time.
func habits() []habit {
	const inject = "take it as a parameter"
	return []habit{
		{"time", []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
			[]string{"pkg/clock", "pkg/sandbox"}, false, "use pkg/clock"},
		{"log/slog", []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext",
			"ErrorContext", "Log", "LogAttrs"}, nil, true, "a logger is given to the constructor"},
		{"log/slog", []string{"NewTextHandler", "NewJSONHandler"}, []string{"pkg/logging", "pkg/simulation"}, false, "use pkg/logging, which redacts"},
		{"net/http", []string{"Transport", "DefaultTransport"}, []string{"pkg/httpx", "pkg/connector/invoiced/sandbox", "pkg/telemetry", "functions/demo", "main"}, false,
			"use httpx.NewTransport, which judges the address really dialled"},
		{"log", []string{"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"}, nil, true, "use the given *slog.Logger"},
		{"fmt", []string{"Print", "Printf", "Println"}, []string{"main"}, false, "write to a given io.Writer"},
		{"net/http", []string{"DefaultServeMux", "Handle", "HandleFunc", "DefaultClient", "Get", "Post", "Head", "ListenAndServe"}, nil, false,
			"process-wide state, or no time limit: " + inject},
		{"context", []string{"Background", "TO" + "DO"}, []string{"main"}, false, inject},
		{"os", []string{"Exit"}, []string{"main"}, false, "return an error"},
	}
}

// checkHabits bans what the code base does without: init functions, contexts in structs, groups of log attributes, the
// process-wide logger, mux and clock, and skipped tests.
func checkHabits(t *Tree, r *reporter) {
	banned := habits()
	for _, p := range t.Packages {
		for _, f := range p.Files {
			checkMembers(r, p, f, banned)
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					r.at(fn.Pos(), "init", "init functions act at a distance: call what is needed from main")
				}
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.StructType:
					checkStoredContext(r, f, n)
				case *ast.CallExpr:
					checkCall(r, p, n)
				}
				return true
			})
		}
	}
}

func checkMembers(r *reporter, p *Package, f *File, banned []habit) {
	forTests := f.Test || isSupport(p.Path)
	selectors(f, func(sel *ast.SelectorExpr, importPath string) {
		for _, h := range banned {
			exempt := forTests && !h.tests || slices.ContainsFunc(h.except, func(folder string) bool {
				return below(p.Path, folder) || folder == "main" && p.Name == "main"
			})
			if h.importPath == importPath && !exempt && slices.Contains(h.names, sel.Sel.Name) {
				r.at(sel.Pos(), importPath+"."+sel.Sel.Name, "%s.%s: %s", importPath, sel.Sel.Name, h.why)
			}
		}
	})
}

func checkStoredContext(r *reporter, f *File, s *ast.StructType) {
	for _, field := range s.Fields.List {
		sel, ok := field.Type.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Context" || f.Test {
			continue
		}
		if id, ok := sel.X.(*ast.Ident); ok && f.importedAs(id) == "context" {
			r.at(field.Pos(), "context", "a context kept in a struct outlives its call: pass it as the first parameter")
		}
	}
}

func checkCall(r *reporter, p *Package, call *ast.CallExpr) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	switch name := sel.Sel.Name; name {
	case "WithGroup":
		if p.Path != "pkg/logging" {
			r.at(sel.Pos(), name, "WithGroup hides the trace fields: use slog.Group values")
		}
	case "Skip", "Skipf", "SkipNow":
		if id, ok := sel.X.(*ast.Ident); ok && (id.Name == "t" || id.Name == "tb" || id.Name == "b") && !strings.HasPrefix(p.Path, "pkg/emulator") {
			r.at(sel.Pos(), name, "a skipped test looks like a passed one: only pkg/emulator may skip")
		}
	}
}
