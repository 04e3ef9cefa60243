// Package totals computes what an Invoiced document comes to (invoiced-api 4.5). It is pure and exact: every discount
// and tax is a decimal rounded on its own to the currency's minor units.
package totals

import "github.com/shopspring/decimal"

// Rate is a discount or a tax: a flat amount, or a percentage of a base.
type Rate struct {
	Value     decimal.Decimal // money, or percent when Percent is set
	Percent   bool
	Inclusive bool // a tax that the prices already contain
}

// Line is one line of a document.
type Line struct {
	Quantity, UnitCost    decimal.Decimal
	Discountable, Taxable bool
	Discounts, Taxes      []Rate
}

// Document is what goes in.
type Document struct {
	Lines            []Line
	Discounts, Taxes []Rate
}

// LineResult holds the computed money of a line; Discounts and Taxes are in the order of the line's rates.
type LineResult struct {
	Amount           decimal.Decimal
	Discounts, Taxes []decimal.Decimal
}

// Result is what comes out; Discounts and Taxes are in the order of the document's rates.
type Result struct {
	Lines            []LineResult
	Discounts, Taxes []decimal.Decimal
	Subtotal, Total  decimal.Decimal
}

// Rounding is how amounts are brought to the minor units of a currency.
type Rounding struct {
	Places   int32 // minor units
	HalfEven bool  // the documented totals fit half-up and do not exclude half-even (invoiced-api 4.5)
	// WholeDiscount takes the entire document discount off the tax base. Normally the taxable lines bear the part of it
	// that falls to them, because how Invoiced shares it is not documented.
	WholeDiscount bool
}

func (r Rounding) round(d decimal.Decimal) decimal.Decimal {
	if r.HalfEven {
		return d.RoundBank(r.Places)
	}
	return d.Round(r.Places)
}

var hundred = decimal.New(1, 2)

// bases collects what the document's own rates are computed on.
type bases struct {
	discountable decimal.Decimal // after line discounts
	taxable      decimal.Decimal // after line discounts
	both         decimal.Decimal // lines that are discountable and taxable
}

// Compute applies the rules: line discounts on the line's amount, line taxes on what is left, document discounts on the
// discountable lines, document taxes on the taxable lines after document discounts, line taxes not included.
func Compute(doc Document, r Rounding) Result {
	var out Result
	var base bases
	for _, l := range doc.Lines {
		line := LineResult{Amount: r.round(l.Quantity.Mul(l.UnitCost))}
		net := line.Amount
		for _, d := range l.Discounts {
			v := r.flat(d, line.Amount)
			line.Discounts = append(line.Discounts, v)
			net = net.Sub(v)
		}
		out.Subtotal = out.Subtotal.Add(line.Amount)
		out.Total = out.Total.Add(net)
		line.Taxes = out.tax(l.Taxes, net, r)
		base.add(l, net)
		out.Lines = append(out.Lines, line)
	}
	off := decimal.Zero
	for _, d := range doc.Discounts {
		v := r.flat(d, base.discountable)
		out.Discounts = append(out.Discounts, v)
		off = off.Add(v)
	}
	out.Total = out.Total.Sub(off)
	out.Taxes = out.tax(doc.Taxes, base.taxBase(off, r), r)
	return out
}

func (b *bases) add(l Line, net decimal.Decimal) {
	if l.Discountable {
		b.discountable = b.discountable.Add(net)
	}
	if l.Taxable {
		b.taxable = b.taxable.Add(net)
	}
	if l.Discountable && l.Taxable {
		b.both = b.both.Add(net)
	}
}

// taxBase is the taxable money after the part of the document discounts that falls to it.
func (b *bases) taxBase(off decimal.Decimal, r Rounding) decimal.Decimal {
	switch {
	case r.WholeDiscount, b.both.Equal(b.discountable):
		return b.taxable.Sub(off)
	case b.discountable.IsZero():
		return b.taxable
	}
	return b.taxable.Sub(off.Mul(b.both).DivRound(b.discountable, 20))
}

// tax computes taxes on base, adding exclusive ones to the total. Inclusive ones lower the subtotal instead, so that
// subtotal and tax come to the billed price; they round in the tax agency's favour.
func (o *Result) tax(taxes []Rate, base decimal.Decimal, r Rounding) []decimal.Decimal {
	inclusive := decimal.Zero
	for _, t := range taxes {
		if t.Inclusive && t.Percent {
			inclusive = inclusive.Add(t.Value)
		}
	}
	var out []decimal.Decimal
	for _, t := range taxes {
		if !t.Inclusive {
			v := r.flat(t, base)
			o.Total = o.Total.Add(v)
			out = append(out, v)
			continue
		}
		v := r.round(t.Value)
		if t.Percent {
			v = base.Mul(t.Value).DivRound(hundred.Add(inclusive), 20).RoundUp(r.Places)
		}
		o.Subtotal = o.Subtotal.Sub(v)
		out = append(out, v)
	}
	return out
}

func (r Rounding) flat(rate Rate, base decimal.Decimal) decimal.Decimal {
	if rate.Percent {
		return r.round(base.Mul(rate.Value).Shift(-2))
	}
	return r.round(rate.Value)
}
