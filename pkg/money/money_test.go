package money_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/money"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in    string
		cur   money.Currency
		minor int64
		text  string
		err   error
	}{
		{in: "19.99", cur: money.USD, minor: 1999, text: "19.99 USD"},
		{in: "19.9900", cur: money.USD, minor: 1999, text: "19.99 USD"},
		{in: "-1250.5", cur: money.CAD, minor: -125050, text: "-1250.50 CAD"},
		{in: " 7 ", cur: money.EUR, minor: 700, text: "7.00 EUR"},
		{in: "+.5", cur: money.GBP, minor: 50, text: "0.50 GBP"},
		{in: "5.", cur: money.USD, minor: 500, text: "5.00 USD"},
		{in: "-0.00", cur: money.USD, minor: 0, text: "0.00 USD"},
		{in: "1.2e3", cur: money.USD, minor: 120000, text: "1200.00 USD"},
		{in: "120E-2", cur: money.USD, minor: 120, text: "1.20 USD"},
		{in: "0e30", cur: money.USD, minor: 0, text: "0.00 USD"},
		{in: "500", cur: "JPY", minor: 500, text: "500 JPY"},
		{in: "500.00", cur: "JPY", minor: 500, text: "500 JPY"},
		{in: "1.234", cur: "KWD", minor: 1234, text: "1.234 KWD"},
		{in: "1.2345", cur: "CLF", minor: 12345, text: "1.2345 CLF"},
		{in: "9999999999999999.99", cur: money.USD, minor: 999999999999999999, text: "9999999999999999.99 USD"},

		{in: "19.999", cur: money.USD, err: money.ErrInexact},
		{in: "0.5", cur: "JPY", err: money.ErrInexact},
		{in: "1.2345", cur: "KWD", err: money.ErrInexact},
		{in: "1e-30", cur: money.USD, err: money.ErrInexact},
		{in: "10000000000000000", cur: money.USD, err: money.ErrRange},
		{in: "-10000000000000000", cur: money.USD, err: money.ErrRange},
		{in: "1000000000000000000", cur: "JPY", err: money.ErrRange},
		{in: "1e30", cur: money.USD, err: money.ErrRange},
		{in: "1e31", cur: money.USD, err: money.ErrSyntax},
		{in: "1e999999999", cur: money.USD, err: money.ErrSyntax},
		{in: strings.Repeat("1", 65), cur: money.USD, err: money.ErrSyntax},
	}
	for _, bad := range []string{"", " ", ".", "-", "+", "e5", "1e", "1e+", "1,250.50", "$5", "5 USD", "0x10", "NaN", "Infinity", "1_000",
		"--5", "-+5", "+-5", "5-", "1.2.3", "1 2", "１２", "1e1.5", "null"} {
		tests = append(tests, struct {
			in    string
			cur   money.Currency
			minor int64
			text  string
			err   error
		}{in: bad, cur: money.USD, err: money.ErrSyntax})
	}
	for _, tt := range tests {
		t.Run(tt.in+" "+string(tt.cur), func(t *testing.T) {
			m, err := money.Parse(tt.in, tt.cur)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				if !strings.Contains(err.Error(), string(tt.cur)) || len(err.Error()) > 300 {
					t.Errorf("error text does not name the currency, or has no bound: %v", err)
				}
				return
			}
			if m.Minor() != tt.minor || m.String() != tt.text || m.Currency() != tt.cur {
				t.Errorf("got %s, %d minor units, want %s, %d", m, m.Minor(), tt.text, tt.minor)
			}
			if !money.FromMinor(tt.minor, tt.cur).Equal(m) {
				t.Errorf("FromMinor(%d) is not %s", tt.minor, m)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-19.99", "1e-3", "99999999999999999999", "+.5", "１", "1e30", "0e30"} {
		f.Add(s, "USD")
	}
	f.Add("1.234", "KWD")
	f.Fuzz(func(t *testing.T, s, code string) {
		cur, err := money.ParseCurrency(code)
		if err != nil {
			return
		}
		m, err := money.Parse(s, cur)
		if err != nil {
			if !errors.Is(err, money.ErrSyntax) && !errors.Is(err, money.ErrInexact) && !errors.Is(err, money.ErrRange) {
				t.Fatalf("Parse(%q): an error of no kind: %v", s, err)
			}
			return
		}
		if back := money.FromMinor(m.Minor(), cur); !back.Equal(m) {
			t.Fatalf("Parse(%q) = %s, but its minor units make %s", s, m, back)
		}
		if again, err := money.Parse(m.Amount(), cur); err != nil || !again.Equal(m) {
			t.Fatalf("Parse(%q) = %s, which reads back as %s, %v", s, m, again, err)
		}
		want, err := decimal.NewFromString(strings.TrimSpace(s))
		if err != nil || !want.Equal(m.Decimal()) {
			t.Fatalf("Parse(%q) = %s, the number is %s, %v", s, m, want, err)
		}
	})
}

func TestFromDecimalRefusesHugeExponents(t *testing.T) {
	for _, exp := range []int32{1 << 30, -1 << 30, 19, -100} {
		if _, err := money.FromDecimal(decimal.New(1, exp), money.USD); !errors.Is(err, money.ErrRange) {
			t.Errorf("1e%d: %v, want ErrRange", exp, err)
		}
	}
	if m, err := money.FromDecimal(decimal.New(0, 1<<30), money.USD); err != nil || !m.Equal(money.Zero(money.USD)) {
		t.Errorf("0e(2^30) = %s, %v", m, err)
	}
}

func TestRoundHalfAwayFromZero(t *testing.T) {
	for in, want := range map[string]string{"0.005": "0.01", "-0.005": "-0.01", "0.0049": "0.00", "2.675": "2.68", "33.335": "33.34"} {
		d, err := money.ParseDecimal(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := money.Round(d, money.USD).Amount(); got != want {
			t.Errorf("Round(%s) = %s, want %s", in, got, want)
		}
	}
	d, _ := money.ParseDecimal("1.5")
	if got := money.Round(d, "JPY").Amount(); got != "2" {
		t.Errorf("1.5 JPY rounds to %s", got)
	}
}

func TestArithmetic(t *testing.T) {
	a, b := money.MustParse("10.05", money.USD), money.MustParse("0.95", money.USD)
	var none money.Money
	for name, pair := range map[string][2]money.Money{
		"sum":               {a.Add(b), money.MustParse("11", money.USD)},
		"difference":        {b.Sub(a), money.MustParse("-9.10", money.USD)},
		"nothing added":     {a.Add(none), a},
		"added to nothing":  {none.Add(a), a},
		"taken off nothing": {none.Sub(a), a.Neg()},
		"absolute":          {a.Neg().Abs(), a},
		"sum of many":       {money.Sum(money.USD, a, b, a.Neg()), b},
		"sum of none":       {money.Sum(money.USD), money.Zero(money.USD)},
	} {
		if !pair[0].Equal(pair[1]) {
			t.Errorf("%s: %s, want %s", name, pair[0], pair[1])
		}
	}
	if a.Cmp(b) != 1 || b.Cmp(a) != -1 || a.Cmp(a) != 0 || a.Neg().Sign() != -1 || !none.IsZero() {
		t.Error("comparison or sign is wrong")
	}
	if money.Zero(money.USD).Equal(money.Zero(money.CAD)) {
		t.Error("zero of two currencies is equal")
	}
	if a.String() != "10.05 USD" || none.String() != "0" {
		t.Errorf("texts: %s, %s", a, none)
	}
}

func TestMixedCurrenciesPanic(t *testing.T) {
	usd, cad := money.MustParse("1", money.USD), money.MustParse("1", money.CAD)
	for name, f := range map[string]func(){
		"add": func() { usd.Add(cad) }, "sub": func() { usd.Sub(cad) }, "cmp": func() { usd.Cmp(cad) },
		"sum": func() { money.Sum(money.USD, cad) }, "zero counts": func() { money.Zero(money.USD).Add(cad) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if !strings.Contains(text, "USD") || !strings.Contains(text, "CAD") {
					t.Errorf("panic %q does not name both currencies", text)
				}
			}()
			f()
		})
	}
}

func TestMustParsePanicsOnBadInput(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	money.MustParse("1.999", money.USD)
}

func TestJSON(t *testing.T) {
	for _, m := range []money.Money{money.MustParse("1250.5", money.USD), money.MustParse("-3", "JPY"), money.Zero("KWD"), {}} {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back money.Money
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(m) {
			t.Errorf("%s becomes %s and reads back as %s, %v", m, text, back, err)
		}
	}
	text, _ := json.Marshal(money.MustParse("1250.5", money.USD))
	if string(text) != `{"amount":"1250.50","currency":"USD"}` {
		t.Errorf("form: %s", text)
	}
	for _, bad := range []string{`{"amount":1.5,"currency":"USD"}`, `{"amount":"1.555","currency":"USD"}`, `{"amount":"1","currency":"XYZ"}`,
		`{"amount":"x","currency":"USD"}`, `{"currency":"USD"}`, `"1.50"`, `{"amount":"1","currency":"usd"}`} {
		was := money.MustParse("7", money.USD)
		if err := json.Unmarshal([]byte(bad), &was); err == nil || !was.Equal(money.MustParse("7", money.USD)) {
			t.Errorf("%s was read as %s, error %v", bad, was, err)
		}
	}
}

func TestCurrencies(t *testing.T) {
	for code, units := range map[money.Currency]int{money.USD: 2, "JPY": 0, "KWD": 3, "CLF": 4, "XAF": 0, "XYZ": 2} {
		if got := code.MinorUnits(); got != units {
			t.Errorf("%s has %d minor units, want %d", code, got, units)
		}
	}
	for _, in := range []string{"usd", " USD ", "Usd"} {
		if got, err := money.ParseCurrency(in); err != nil || got != money.USD || got.Lower() != "usd" {
			t.Errorf("ParseCurrency(%q) = %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "US", "USDX", "XYZ", "U D", "D C", " ", "ED ", "$"} {
		if got, err := money.ParseCurrency(bad); err == nil {
			t.Errorf("ParseCurrency(%q) = %q", bad, got)
		}
		if money.Currency(bad).Known() {
			t.Errorf("%q is known", bad)
		}
	}
}

func TestAddingAndSubtractingIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOf(rapid.Int64Range(-1_000_000_000_000, 1_000_000_000_000)).Draw(t, "minor")
		var want int64
		got := money.Zero("KWD")
		for _, n := range amounts {
			want += n
			got = got.Add(money.FromMinor(n, "KWD"))
		}
		if got.Minor() != want {
			t.Fatalf("sum %s, want %d minor units", got, want)
		}
		for _, n := range amounts {
			got = got.Sub(money.FromMinor(n, "KWD"))
		}
		if !got.IsZero() {
			t.Fatalf("%s is left", got)
		}
	})
}
