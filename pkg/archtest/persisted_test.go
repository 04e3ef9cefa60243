package archtest

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/store"
)

const plantedStore = "package store\ntype Table[T any] struct{}\nfunc (t Table[T]) Get() (v T) { return v }\nvar _ Table[int]\n"

func TestPersistedTypes(t *testing.T) {
	tests := []struct {
		name, code string
		want       []string // what the messages speak of
	}{
		{"texts and whole numbers", `type R struct { A string; N int64; L []string; M map[string]bool }; var t store.Table[R]`, nil},
		{"an amount", `type R struct { Total money.Money }; var t store.Table[R]`, []string{"money.Money in R.Total"}},
		{"a decimal deep inside", `type R struct { Lines []*Line }; type Line struct { More map[string]struct{ Q decimal.Decimal } }
			var t store.Table[R]`, []string{"decimal.Decimal in R.Lines[].More[].Q"}},
		{"in another package", `var t store.Table[other.R]`, []string{"money.Money in other.R.Total"}},
		{"a pointer to a big number", `type R struct { N *big.Int }; var t store.Table[R]`, []string{"big.Int in R.N"}},
		{"binary fractions", `type R struct { F float` + `64 }; var t store.Table[R]`, []string{"float" + "64 in R.F"}},
		{"embedded", `type R struct { base }; type base struct { T money.Money }; var t store.Table[R]`, []string{"money.Money in R.T"}},
		{"fields that are not encoded", "type R struct { a money.Money; B money.Money `json:\"-\"` }; var t store.Table[R]", nil},
		{"a type that encodes itself", `type R struct { V Own }; type Own struct { M money.Money }
			func (Own) MarshalJSON() ([]byte, error) { return nil, nil }; var t store.Table[R]`, nil},
		{"a type that holds itself", `type R struct { Next *R }; var t store.Table[R]`, nil},
		{"a generic type", `type Box[T any] struct { V T }; type R struct { B Box[money.Money] }; var t store.Table[R]`,
			[]string{"money.Money in R.B[money.Money]"}},
		{"a type parameter hides the type", `func table[T any]() store.Table[T] { return store.Table[T]{} }`,
			[]string{"type parameter", "type parameter"}},
		{"in a function", `type R struct { T money.Money }; func f() { _ = store.Table[R]{} }`, []string{"money.Money in R.T"}},
	}
	const imports = "package a\nimport (\"" + module + "/pkg/store\"; \"" + module + "/pkg/money\"; \"" + module + "/pkg/other\"; \"" + decimals +
		"\"; \"math/big\")\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := plant(t, "pkg/store/a.go", plantedStore, "pkg/a/a.go", imports+tt.code, "pkg/money/a.go", "package money\ntype Money struct{ n string }",
				"pkg/other/a.go", "package other\nimport \""+module+"/pkg/money\"\ntype R struct { Total money.Money }")
			var got []Violation
			checkPersisted(tree, &reporter{"persisted", tree.Fset, &got})
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %q", got, tt.want)
			}
			for i, v := range got {
				if !strings.Contains(v.Text, tt.want[i]) || v.Path != "pkg/a/a.go" {
					t.Errorf("got %v, want %q", v, tt.want[i])
				}
			}
		})
	}
}

func TestNoDecimals(t *testing.T) {
	type line struct{ Amount money.Money }
	type tree struct {
		Children []*tree
		At       store.Time
		hidden   *big.Int
		Skipped  *big.Int `json:"-"`
		Any      any
	}
	type embedded struct{ line }
	fraction := reflect.TypeOf(math.Pi)
	tests := map[string]struct {
		of   reflect.Type
		want string // what the message speaks of, "" for no error
	}{
		"plain":         {reflect.TypeFor[struct{ A, B string }](), ""},
		"recursive":     {reflect.TypeFor[tree](), ""},
		"money":         {reflect.TypeFor[line](), ".Amount is a money.Money"},
		"nested":        {reflect.TypeFor[map[string][]*line](), "[][].Amount"},
		"embedded":      {reflect.TypeFor[embedded](), ".line.Amount"},
		"big":           {reflect.TypeFor[struct{ N *big.Int }](), ".N is a big.Int"},
		"array of rats": {reflect.TypeFor[[2]big.Rat](), "[] is a big.Rat"},
		"fraction":      {reflect.MapOf(reflect.TypeFor[string](), fraction), "[] is a float"},
		"key":           {reflect.MapOf(fraction, reflect.TypeFor[string]()), "[key] is a float"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := NoDecimals(tt.of)
			if tt.want == "" {
				if err != nil {
					t.Errorf("unexpected: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	_ = tree{hidden: nil}
}
