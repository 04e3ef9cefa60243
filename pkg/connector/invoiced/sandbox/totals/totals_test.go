package totals_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/totals"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func pct(s string) totals.Rate { return totals.Rate{Value: d(s), Percent: true} }

func flat(s string) totals.Rate { return totals.Rate{Value: d(s)} }

func inclusive(s string) totals.Rate { return totals.Rate{Value: d(s), Percent: true, Inclusive: true} }

func line(quantity, cost string) totals.Line {
	return totals.Line{Quantity: d(quantity), UnitCost: d(cost), Discountable: true, Taxable: true}
}

func rated(l totals.Line, discounts, taxes []totals.Rate) totals.Line {
	l.Discounts, l.Taxes = discounts, taxes
	return l
}

// The first two cases are the documented ones (invoiced-api 4.5).
func TestCompute(t *testing.T) {
	untaxed, fixed := line("1", "50"), line("1", "50")
	untaxed.Taxable = false
	fixed.Discountable = false
	two := totals.Rounding{Places: 2}
	for _, c := range []struct {
		name            string
		doc             totals.Document
		round           totals.Rounding
		subtotal, total string
	}{
		{"fixture, before", totals.Document{
			Lines: []totals.Line{rated(line("1", "412"), nil, []totals.Rate{pct("4")})}, Taxes: []totals.Rate{pct("7")},
		}, two, "412", "457.32"},
		{"fixture, after", totals.Document{
			Lines:     []totals.Line{rated(line("1", "412"), []totals.Rate{pct("2")}, []totals.Rate{pct("4")})},
			Discounts: []totals.Rate{pct("3")}, Taxes: []totals.Rate{pct("7")},
		}, two, "412", "435.22"},
		{"nothing", totals.Document{}, two, "0", "0"},
		{"line rounded half up", totals.Document{Lines: []totals.Line{line("0.5", "0.05")}}, two, "0.03", "0.03"},
		{"line rounded half even", totals.Document{Lines: []totals.Line{line("0.5", "0.05")}},
			totals.Rounding{Places: 2, HalfEven: true}, "0.02", "0.02"},
		{"no minor units", totals.Document{Lines: []totals.Line{line("3", "33.5")}, Taxes: []totals.Rate{pct("10")}},
			totals.Rounding{Places: 0}, "101", "111"},
		{"three minor units", totals.Document{Lines: []totals.Line{line("1", "1.2345")}}, totals.Rounding{Places: 3}, "1.235", "1.235"},
		{"each tax on its own", totals.Document{Lines: []totals.Line{line("1", "0.10")}, Taxes: []totals.Rate{pct("5"), pct("5")}},
			two, "0.1", "0.12"},
		{"flat", totals.Document{
			Lines: []totals.Line{line("2", "10")}, Discounts: []totals.Rate{flat("1.50")}, Taxes: []totals.Rate{flat("0.995")},
		}, two, "20", "19.5"},
		{"tax on taxable lines only", totals.Document{Lines: []totals.Line{line("1", "50"), untaxed}, Taxes: []totals.Rate{pct("10")}},
			two, "100", "105"},
		{"discount on discountable lines only", totals.Document{Lines: []totals.Line{line("1", "50"), fixed}, Discounts: []totals.Rate{pct("10")}},
			two, "100", "95"},
		{"discount shared with untaxed lines", totals.Document{
			Lines: []totals.Line{line("1", "50"), untaxed}, Discounts: []totals.Rate{flat("10")}, Taxes: []totals.Rate{pct("10")},
		}, two, "100", "94.5"}, // half of the discount lowers the tax base to 45
		{"discount wholly off the tax base", totals.Document{
			Lines: []totals.Line{line("1", "50"), untaxed}, Discounts: []totals.Rate{flat("10")}, Taxes: []totals.Rate{pct("10")},
		}, totals.Rounding{Places: 2, WholeDiscount: true}, "100", "94"},
		{"inclusive", totals.Document{Lines: []totals.Line{line("1", "110")}, Taxes: []totals.Rate{inclusive("10")}}, two, "100", "110"},
		{"inclusive rounds up", totals.Document{Lines: []totals.Line{line("1", "100")}, Taxes: []totals.Rate{inclusive("7")}}, two, "93.45", "100"},
		{"negative line", totals.Document{Lines: []totals.Line{line("1", "10"), line("-1", "4")}, Taxes: []totals.Rate{pct("10")}},
			two, "6", "6.6"},
	} {
		got := totals.Compute(c.doc, c.round)
		if !got.Subtotal.Equal(d(c.subtotal)) || !got.Total.Equal(d(c.total)) {
			t.Errorf("%s: subtotal %s total %s, want %s and %s", c.name, got.Subtotal, got.Total, c.subtotal, c.total)
		}
	}
}

// The documented parts of the fixture.
func TestComputeParts(t *testing.T) {
	got := totals.Compute(totals.Document{
		Lines:     []totals.Line{rated(line("1", "412"), []totals.Rate{pct("2")}, []totals.Rate{pct("4")})},
		Discounts: []totals.Rate{pct("3")}, Taxes: []totals.Rate{pct("7")},
	}, totals.Rounding{Places: 2})
	for _, c := range []struct {
		name string
		have decimal.Decimal
		want string
	}{
		{"line discount", got.Lines[0].Discounts[0], "8.24"}, {"line tax", got.Lines[0].Taxes[0], "16.15"},
		{"discount", got.Discounts[0], "12.11"}, {"tax", got.Taxes[0], "27.42"},
	} {
		if !c.have.Equal(d(c.want)) {
			t.Errorf("%s %s, want %s", c.name, c.have, c.want)
		}
	}
}

// total = subtotal − line discounts − discounts + line taxes + taxes, for exclusive taxes and whatever is thrown at it.
func TestComputeAddsUp(t *testing.T) {
	number := func(t *rapid.T, label string, from, to int64) decimal.Decimal {
		return decimal.New(rapid.Int64Range(from, to).Draw(t, label), -rapid.Int32Range(0, 4).Draw(t, label+" places"))
	}
	rates := func(t *rapid.T, label string) []totals.Rate {
		var out []totals.Rate
		for range rapid.IntRange(0, 2).Draw(t, label) {
			out = append(out, totals.Rate{Value: number(t, label, 0, 2000), Percent: rapid.Bool().Draw(t, label+" percent")})
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := totals.Document{Discounts: rates(t, "discounts"), Taxes: rates(t, "taxes")}
		for range rapid.IntRange(0, 4).Draw(t, "lines") {
			doc.Lines = append(doc.Lines, totals.Line{
				Quantity: number(t, "quantity", -10, 1000), UnitCost: number(t, "cost", -100, 100000),
				Discountable: rapid.Bool().Draw(t, "discountable"), Taxable: rapid.Bool().Draw(t, "taxable"),
				Discounts: rates(t, "line discounts"), Taxes: rates(t, "line taxes"),
			})
		}
		places := rapid.Int32Range(0, 3).Draw(t, "places")
		got := totals.Compute(doc, totals.Rounding{Places: places, HalfEven: rapid.Bool().Draw(t, "even")})
		sum := got.Subtotal
		add := func(list []decimal.Decimal, sign int64) {
			for _, x := range list {
				if !x.Equal(x.Truncate(places)) {
					t.Fatalf("%s is not rounded to %d places", x, places)
				}
				sum = sum.Add(x.Mul(decimal.NewFromInt(sign)))
			}
		}
		for _, l := range got.Lines {
			add(l.Discounts, -1)
			add(l.Taxes, 1)
		}
		add(got.Discounts, -1)
		add(got.Taxes, 1)
		if !sum.Equal(got.Total) {
			t.Fatalf("parts come to %s, total is %s", sum, got.Total)
		}
	})
}
