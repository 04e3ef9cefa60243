package breaker

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
)

// look finds an ability by connector.As.
type look func(system any) (any, bool)

func as[T any](system any) (any, bool) { return connector.As[T](system) }

// optional are the abilities that a portal or an ERP may have beside its own contract.
func optional() map[string]look {
	return map[string]look{
		"Files": as[connector.Files], "Credits": as[connector.Credits], "Mailer": as[connector.Mailer], "Metadata": as[connector.Metadata],
		"Ledger": as[connector.Ledger],
	}
}

// onlyOne are systems with one ability each. Whoever calls what is in them, which is nothing, panics: a call past the breaker
// is seen.
func onlyOne() map[string]any {
	return map[string]any{
		"Files": struct {
			connector.Portal
			connector.Files
		}{},
		"Credits": struct {
			connector.Portal
			connector.Credits
		}{},
		"Mailer": struct {
			connector.Portal
			connector.Mailer
		}{},
		"Metadata": struct {
			connector.Portal
			connector.Metadata
		}{},
		"Ledger": struct {
			connector.ERP
			connector.Ledger
		}{},
	}
}

// guardOf puts the breaker before a portal or an ERP.
func guardOf(system any, b *Breaker) any {
	if p, ok := system.(connector.Portal); ok {
		return Portal(p, b)
	}
	return ERP(system.(connector.ERP), b)
}

// TestAbilitiesAreKnown: every contract of the package connector is one that the guards know, so that a new one can not be
// left out here.
func TestAbilitiesAreKnown(t *testing.T) {
	want := []string{"ERP", "Portal", "Wrapper"}
	want = slices.Sorted(slices.Values(slices.AppendSeq(want, maps.Keys(optional()))))
	files, err := filepath.Glob("../../connector/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	var got []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || strings.HasSuffix(file, "_test.go") {
				return true
			}
			if _, contract := spec.Type.(*ast.InterfaceType); contract && spec.Name.IsExported() {
				got = append(got, spec.Name.Name)
			}
			return true
		})
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("contracts %v, the guards know %v", got, want)
	}
}

// TestGuardKeepsAbilities: behind the breaker, and behind two, a system has exactly the optional abilities it had, and none
// of them by a type assertion.
func TestGuardKeepsAbilities(t *testing.T) {
	systems := onlyOne()
	systems["nothing"] = struct{ connector.Portal }{}
	systems["no books"] = struct{ connector.ERP }{}
	systems["Files, Mailer"] = struct {
		connector.Portal
		connector.Files
		connector.Mailer
	}{}
	systems["Credits, Files, Mailer, Metadata"] = struct {
		connector.Portal
		connector.Files
		connector.Credits
		connector.Mailer
		connector.Metadata
	}{}
	for name, system := range systems {
		b := New("vendor", clock.System{}, nil)
		once := guardOf(system, b)
		for behind, v := range map[string]any{"alone": system, "guarded": once, "guarded twice": guardOf(once, b)} {
			for ability, find := range optional() {
				got, found := find(v)
				if want := slices.Contains(strings.Split(name, ", "), ability); found != want {
					t.Errorf("%s, %s: has %s: %v, want %v", name, behind, ability, found, want)
				}
				if found && behind != "alone" && reflect.TypeOf(got) == reflect.TypeOf(system) {
					t.Errorf("%s, %s: %s is not behind the breaker", name, behind, ability)
				}
			}
		}
	}
}

// TestNothingPassesTheBreaker: while the vendor is not called, every method of both contracts and of every ability is
// refused; one that went past the breaker would panic in a system with nothing in it.
func TestNothingPassesTheBreaker(t *testing.T) {
	clk := clock.NewMovable(time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC))
	b := New("vendor", clk, nil)
	b.open, b.until = true, clk.Now().Add(time.Hour)
	contracts := map[string]any{
		"Portal": Portal(struct{ connector.Portal }{}, b), "ERP": ERP(struct{ connector.ERP }{}, b),
	}
	for name, system := range onlyOne() {
		ability, found := optional()[name](guardOf(system, b))
		if !found {
			t.Fatalf("%s is lost behind the breaker", name)
		}
		contracts[name] = ability
	}
	for name, contract := range contracts {
		v := reflect.ValueOf(contract)
		for i := range v.NumMethod() {
			method := v.Type().Method(i).Name
			if method == "AppliesLater" || method == "Abilities" { // no calls of the vendor
				continue
			}
			if err := refusal(t, v.Method(i)); !errors.Is(err, ErrStopped) {
				t.Errorf("%s.%s: %v, want it stopped", name, method, err)
			}
		}
	}
}

// refusal calls a method with nothing but a context and gives its error.
func refusal(t *testing.T, method reflect.Value) error {
	t.Helper()
	args := make([]reflect.Value, method.Type().NumIn())
	for i := range args {
		args[i] = reflect.Zero(method.Type().In(i))
	}
	args[0] = reflect.ValueOf(t.Context())
	out := method.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}
