package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const module = "example.test/m"

// plant parses files given as path and content in turn.
func plant(t *testing.T, pathsAndContents ...string) *Tree {
	t.Helper()
	files := map[string]string{}
	for i := 0; i < len(pathsAndContents); i += 2 {
		files[pathsAndContents[i]] = pathsAndContents[i+1]
	}
	tree, err := Parse(module, files)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// found runs one rule and gives "path name" of each violation, sorted.
func found(tree *Tree, check func(*Tree, *reporter)) []string {
	var violations []Violation
	check(tree, &reporter{"rule", tree.Fset, &violations})
	out := []string{}
	for _, v := range violations {
		out = append(out, strings.TrimSpace(v.Path+" "+v.Name))
	}
	slices.Sort(out)
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("violations:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// file is a source file of a package with imports.
func file(pkg string, imports ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", pkg)
	for _, path := range imports {
		if name, rest, ok := strings.Cut(path, " "); ok {
			fmt.Fprintf(&b, "import %s %q\n", name, rest)
			continue
		}
		fmt.Fprintf(&b, "import %q\n", path)
	}
	return b.String()
}

func TestImportsThatAreRefused(t *testing.T) {
	const m = module + "/"
	tests := []struct {
		name, path string
		imports    []string
		refused    []string
	}{
		{"contracts in the engine", "pkg/engine/a.go", []string{m + "pkg/store", m + "pkg/plan", "net/http"}, nil},
		{"an implementation in the engine", "pkg/engine/a.go", []string{m + "pkg/store/sqlite"}, []string{m + "pkg/store/sqlite"}},
		{"a vendor in the engine", "pkg/engine/a.go", []string{m + "pkg/connector/q360"}, []string{m + "pkg/connector/q360"}},
		{"a vendor in a route", "pkg/route/a.go", []string{m + "pkg/connector/q360"}, nil},
		{"a sandbox in a route", "pkg/route/a.go", []string{m + "pkg/connector/q360/sandbox"}, []string{m + "pkg/connector/q360/sandbox"}},
		{"a sandbox in a main package", "functions/x/a.go", []string{m + "pkg/connector/q360/sandbox"}, nil},
		{"a sandbox in a test", "pkg/engine/a_test.go", []string{m + "pkg/connector/q360/sandbox/wire"}, nil},
		{"a vendor's own parts", "pkg/connector/q360/a.go", []string{m + "pkg/connector/q360/client", m + "pkg/httpx"}, nil},
		{"a vendor's own sandbox", "pkg/connector/q360/a.go", []string{m + "pkg/connector/q360/sandbox"}, []string{m + "pkg/connector/q360/sandbox"}},
		{"another vendor", "pkg/connector/xero/a.go", []string{m + "pkg/connector/q360/client"}, []string{m + "pkg/connector/q360/client"}},
		{"another vendor in a test", "pkg/connector/xero/a_test.go", []string{m + "pkg/connector/q360"}, []string{m + "pkg/connector/q360"}},
		{"the suite in a vendor's test", "pkg/connector/xero/a_test.go", []string{m + "pkg/connector/connectortest"}, nil},
		{"plan, engine, store, settings in a vendor", "pkg/connector/xero/client/a.go",
			[]string{m + "pkg/plan", m + "pkg/engine", m + "pkg/store", m + "pkg/settings"},
			[]string{m + "pkg/plan", m + "pkg/engine", m + "pkg/store", m + "pkg/settings"}},
		{"the kit in a sandbox", "pkg/connector/xero/sandbox/a.go", []string{m + "pkg/sandbox", m + "pkg/money", "net/http/httptest"}, nil},
		{"the client in a sandbox", "pkg/connector/xero/sandbox/a.go", []string{m + "pkg/httpx"}, []string{m + "pkg/httpx"}},
		{"the contract in the client", "pkg/httpx/a.go", []string{m + "pkg/connector", m + "pkg/clock"}, nil},
		{"settings in the client", "pkg/httpx/a.go", []string{m + "pkg/settings"}, []string{m + "pkg/settings"}},
		{"an SDK in its place", "pkg/store/firestore/a.go", []string{"cloud.google.com/go/firestore/apiv1"}, nil},
		{"an SDK elsewhere", "pkg/engine/a.go", []string{"cloud.google.com/go/firestore"}, []string{"cloud.google.com/go/firestore"}},
		{"an SDK in a test elsewhere", "pkg/engine/a_test.go", []string{"cloud.google.com/go/storage"}, []string{"cloud.google.com/go/storage"}},
		{"a name that only begins like an allowed one", "pkg/money/a.go", []string{decimals + "x"}, []string{decimals + "x"}},
		{"test modules in tests", "pkg/money/a_test.go", []string{"pgregory.net/rapid", "github.com/google/go-cmp/cmp"}, nil},
		{"test modules in code", "pkg/money/a.go", []string{"pgregory.net/rapid"}, []string{"pgregory.net/rapid"}},
		{"test support in code", "functions/x/a.go", []string{m + "pkg/emulator"}, []string{m + "pkg/emulator"}},
		{"testing in a suite", "pkg/store/storetest/a.go", []string{"testing"}, nil},
		{"testing in code", "pkg/store/a.go", []string{"testing"}, []string{"testing"}},
		{"SQL outside of its packages", "pkg/engine/a.go", []string{"database/sql"}, []string{"database/sql"}},
		{"unsafe even in a test", "pkg/money/a_test.go", []string{"unsafe"}, []string{"unsafe"}},
		{"a main package in a test", "pkg/engine/a_test.go", []string{m + "functions/x"}, []string{m + "functions/x"}},
		{"blank imports", "pkg/engine/a.go", []string{"_ net/http/pprof", "_ embed"}, []string{"net/http/pprof"}},
		{"a driver", "pkg/store/sqlite/a.go", []string{"_ modernc.org/sqlite", "database/sql"}, nil},
		{"a dot import", "pkg/engine/a.go", []string{". strings"}, []string{"strings"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for _, r := range tt.refused {
				want = append(want, tt.path+" "+r)
			}
			expect(t, found(plant(t, tt.path, file("p", tt.imports...)), checkImports), want...)
		})
	}
}

func TestUnlistedPackagesAreRefused(t *testing.T) {
	expect(t, found(plant(t, "pkg/novelty/a.go", "package novelty\n", "main.go", "package m\n", "pkg/money/deep/a.go", "package deep\n"),
		checkImports), "pkg/novelty", ".", "pkg/money/deep")
}

func TestPurity(t *testing.T) {
	tree := plant(t,
		"pkg/plan/a.go", "package plan\n"+`import ("time"; "os"; "fmt"; m "`+module+`/pkg/money")
			func a() { now := time.Now; _ = now; go a(); fmt.Println(time.UTC, os.Args, m.X) }`,
		"pkg/plan/a_test.go", "package plan\n"+`import "os"`,
		"pkg/plan/shadow.go", "package plan\n"+`import "time"
			type clock struct{}
			func (clock) Now() {}
			func b() { var time clock; time.Now() }
			var zone = time.UTC`,
		"pkg/money/a.go", "package money\n"+`import "`+module+`/pkg/deep"`,
		"pkg/deep/a.go", "package deep\n"+`import ("context"; "`+decimals+`"); func f(c chan int) { c <- 1 }`,
		"pkg/other/a.go", "package other\n"+`import "os"`,
	)
	expect(t, found(tree, checkPurity), "pkg/plan/a.go os", "pkg/plan/a.go time.Now", "pkg/plan/a.go fmt.Println",
		"pkg/plan/a.go concurrency", "pkg/deep/a.go context", "pkg/deep/a.go concurrency")
}

func TestSizes(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\n", n) }
	branches := func(n int) string { return strings.Repeat("if x && !x {}\n", n) }
	many := []string{}
	for i := range maxPackageFiles + 1 {
		many = append(many, fmt.Sprintf("pkg/many/f%d.go", i), "package many\n")
	}
	tree := plant(t, append(many,
		"pkg/many/more_test.go", "package many\n",
		"pkg/a/just.go", "package a\n"+lines(499), "pkg/a/long.go", "package a\n"+lines(500), "pkg/a/long_test.go", "package a\n"+lines(500),
		"pkg/a/made.go", "// Code generated by x. DO NOT EDIT.\n\npackage a\n"+lines(500)+"func made() {"+lines(90)+"}",
		"pkg/b/just.go", "package b\nfunc just() {"+lines(69)+"}\nfunc (b *B[T]) Long() {"+lines(70)+"}",
		"pkg/b/b_test.go", "package b\nfunc fine() {"+lines(90)+"}",
		"pkg/c/c.go", "package c\nvar x bool\nfunc just() {\n"+branches(7)+"}\nfunc over() {\n"+branches(7)+"for {}}",
		"pkg/c/d.go", "package c\nfunc cases(c chan int) { switch 1 {\n"+strings.Repeat("case 1:\n", 7)+"default: }; select {\n"+
			strings.Repeat("case <-c:\n", 7)+"default: }; func() { for range 3 {} }() }",
	)...)
	expect(t, found(tree, checkSizes), "pkg/many", "pkg/a/long.go", "pkg/a/long_test.go", "pkg/b/just.go B.Long", "pkg/c/c.go over",
		"pkg/c/d.go cases")
}

func TestComments(t *testing.T) {
	tree := plant(t,
		"pkg/a/a.go", `// Package a is for tests.
package a

// Fine is fine.
func Fine() {}

// This one is not.
func Wrong() {}

// Prefixed is not the name.
func Prefix() {}

func free() {}

type hidden struct{}

func (hidden) Method() {}

// Shown is shown.
type Shown struct { Field int }

func (s *Shown) Bare() {}

// Some constants.
const (
	One = 1
	Two = 2
)

const (
	Three = 3 // with its own
	Four  = 4
	// It has another.
	Five = 5
)

var Six = 6

// Few has one method.
type Few interface { Do() }

// Many has two.
type Many interface {
	// Do does.
	Do()
	Dont()
	Few
}
`,
		"pkg/a/two.go", "// Package a is explained twice.\npackage a\n",
		"pkg/b/b.go", "// Something else.\npackage b\n",
		"pkg/c/c.go", "package c\n", "pkg/d/d_test.go", "package d\n", "functions/x/main.go", "// Command x runs.\npackage main\n",
	)
	expect(t, found(tree, checkComments), "pkg/a a", "pkg/a/a.go Wrong", "pkg/a/a.go Prefix", "pkg/a/a.go Shown.Bare", "pkg/a/a.go Four",
		"pkg/a/a.go Five", "pkg/a/a.go Six", "pkg/a/a.go Many.Dont", "pkg/b/b.go b", "pkg/c c")
}

func TestFloats(t *testing.T) {
	tree := plant(t,
		"pkg/a/a.go", "package a\nvar x float"+"64\nvar half = 0.5\nvar whole = 5\n",
		"pkg/a/a_test.go", "package a\nvar y = d.Inexact"+"Float64()\nvar s = \"float"+"32 in a text\"\n",
	)
	expect(t, found(tree, checkFloats), "pkg/a/a.go float"+"64", "pkg/a/a.go 0.5", "pkg/a/a_test.go InexactFloat"+"64")
}

func TestNamesAndWords(t *testing.T) {
	tree := plant(t, "pkg/utils/a.go", "package stringutil\n", "pkg/x/a.go", "package helpers\n", "pkg/y/a.go", "package two_words\n",
		"pkg/ok/a.go", "package ok\n")
	expect(t, found(tree, checkNames), "pkg/utils utils", "pkg/x helpers", "pkg/y two_words")

	tree = plant(t,
		"README.md", "Fine.\n\nTO"+"DO: write.\n", "pkg/a/a.go", "package a\n// see /wo"+"rk/x\nvar e = \"Failed to read\"\n// It failed to read.\n",
		"pkg/a/a_test.go", "package a\nvar e = \"failed to read\"\n// FIX"+"ME\n", "terraform/main.tf", "# /workers/x\n")
	expect(t, found(tree, checkWords), "README.md", "pkg/a/a.go", "pkg/a/a.go", "pkg/a/a_test.go")
}

func TestHabits(t *testing.T) {
	tree := plant(t,
		"pkg/a/a.go", `package a
import ("context"; "time"; "log/slog"; "net/http"; "os"; "fmt")
type s struct { ctx context.Context }
func init() {}
func (s) init() {}
func f(l *slog.Logger) {
	time.Sleep(1); slog.Info(""); l.WithGroup("g"); http.Get(""); os.Exit(1); fmt.Println(); fmt.Errorf("")
	context.Background(); context.WithoutCancel(nil)
}`,
		"pkg/a/a_test.go", `package a
import ("testing"; "time"; "context"; "log/slog")
func TestX(t *testing.T) { time.Sleep(1); t.Skip("later"); slog.SetDefault(nil); context.Background(); iter.Skip() }`,
		"pkg/clock/a.go", "package clock\nimport \"time\"\nvar now = time.Now()",
		"pkg/store/storetest/a.go", "package storetest\nimport \"time\"\nvar now = time.Now()",
		"functions/x/a.go", "package main\nimport (\"os\"; \"context\"; \"time\")\nfunc f() { os.Exit(1); context.Background(); time.Now() }",
		"pkg/emulator/a.go", "package emulator\nfunc f(t T) { t.Skip() }",
	)
	const a = "pkg/a/a.go "
	expect(t, found(tree, checkHabits), a+"context", a+"init", a+"time.Sleep", a+"log/slog.Info", a+"WithGroup", a+"net/http.Get",
		a+"os.Exit", a+"fmt.Println", a+"context.Background", "pkg/a/a_test.go Skip", "pkg/a/a_test.go log/slog.SetDefault",
		"functions/x/a.go time.Now")
}
