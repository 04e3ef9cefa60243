package sandbox

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/totals"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

const maxLines = 1000 // of a document; the vendor's limit is not known

// line is one line of a document (invoiced-api 4.5).
type line struct {
	ID           int64           `json:"id"`
	CatalogItem  string          `json:"catalog_item,omitempty"`
	Type         string          `json:"type,omitempty"`
	Name         string          `json:"name,omitempty"`
	Description  string          `json:"description,omitempty"`
	Quantity     decimal.Decimal `json:"quantity"`
	UnitCost     decimal.Decimal `json:"unit_cost"`
	Amount       decimal.Decimal `json:"amount"`
	Discountable bool            `json:"discountable"`
	Taxable      bool            `json:"taxable"`
	Discounts    []adjust        `json:"discounts,omitempty"`
	Taxes        []adjust        `json:"taxes,omitempty"`
	Metadata     attrs           `json:"metadata,omitempty"`
	Created      int64           `json:"created"`
	Updated      int64           `json:"updated"`
}

// adjust is a discount or a tax with the money it came to.
type adjust struct {
	ID      int64           `json:"id"`
	Amount  decimal.Decimal `json:"amount"`
	Rate    *rateTerms      `json:"rate,omitempty"` // nil: a flat amount
	Expires int64           `json:"expires,omitempty"`
	Auto    string          `json:"auto,omitempty"` // the rule of the vendor that added it
}

const (
	autoEarly = "early" // early-payment discount (invoiced-api 4.4)
	autoTax   = "tax"   // tax rule of the account (invoiced-api 4.5)
)

func (a adjust) rate() totals.Rate {
	if a.Rate == nil {
		return totals.Rate{Value: a.Amount}
	}
	return totals.Rate{Value: a.Rate.Value, Percent: a.Rate.Percent, Inclusive: a.Rate.Inclusive}
}

func renderLines(v *view, lines []line) []any {
	out := make([]any, len(lines))
	for i, l := range lines {
		out[i] = wire.Object{
			{Key: "id", Value: l.ID}, {Key: "object", Value: "line_item"},
			{Key: "catalog_item", Value: nullable(l.CatalogItem)}, {Key: "type", Value: nullable(l.Type)},
			{Key: "name", Value: nullable(l.Name)}, {Key: "description", Value: nullable(l.Description)},
			{Key: "quantity", Value: l.Quantity}, {Key: "unit_cost", Value: l.UnitCost}, {Key: "amount", Value: l.Amount},
			{Key: "discountable", Value: l.Discountable}, {Key: "discounts", Value: renderAdjusts(l.Discounts, "discount", "coupon")},
			{Key: "taxable", Value: l.Taxable}, {Key: "taxes", Value: renderAdjusts(l.Taxes, "tax", "tax_rate")},
			{Key: "plan", Value: nil}, {Key: "period_start", Value: nil}, {Key: "period_end", Value: nil},
			{Key: "prorated", Value: false}, {Key: "subscription", Value: nil}, {Key: "metadata", Value: v.metadata(l.Metadata)},
			{Key: "created_at", Value: l.Created}, {Key: "updated_at", Value: l.Updated},
		}
	}
	return out
}

func renderAdjusts(list []adjust, object, rateKey string) []any {
	out := make([]any, len(list))
	for i, a := range list {
		o := wire.Object{
			{Key: "id", Value: a.ID}, {Key: "object", Value: object}, {Key: "amount", Value: a.Amount},
			{Key: rateKey, Value: a.Rate.render(rateKey)},
		}
		if object == "discount" {
			o = append(o, wire.Pair{Key: "expires", Value: nullable(a.Expires)})
		}
		out[i] = o
	}
	return out
}

// readItems takes items as the complete list: lines not in it are removed, lines with an id of this document are
// updated, any other id is refused (S9, invoiced-api 4.6).
func (t *tx) readItems(d *document, in wire.Values) error {
	if !in.Has("items") {
		return nil
	}
	given, err := in.Objects("items")
	if err != nil {
		return err
	}
	if len(given) > maxLines {
		return wire.Invalid("items", "A document has at most %d lines", maxLines)
	}
	old := d.Items
	d.Items = make([]line, 0, len(given))
	for _, g := range given {
		l := line{Quantity: decimal.NewFromInt(1), Discountable: true, Taxable: true, Created: t.now, Updated: t.now}
		id, err := g.Integer("id")
		if err != nil {
			return err
		}
		if id != nil {
			at := slices.IndexFunc(old, func(l line) bool { return l.ID == *id })
			if at < 0 || slices.ContainsFunc(d.Items, func(l line) bool { return l.ID == *id }) {
				return wire.Invalid("items", "Line item %d does not belong to this document", *id)
			}
			l = old[at]
			l.Updated = max(t.now, l.Updated+1)
		} else {
			l.ID = t.nextID()
		}
		if err := t.readLine(&l, g); err != nil {
			return err
		}
		d.Items = append(d.Items, l)
	}
	return nil
}

func (t *tx) readLine(l *line, in wire.Values) error {
	if err := t.readCatalogItem(l, in); err != nil {
		return err
	}
	for name, at := range map[string]*string{"type": &l.Type, "name": &l.Name, "description": &l.Description} {
		if !in.Has(name) {
			continue
		}
		s, err := in.Text(name)
		if err != nil {
			return wire.Invalid("items", "%s of a line must be a string", name)
		}
		*at = ""
		if s != nil {
			*at = *s
		}
		limit := t.s.opt.MaxText
		if name == "description" {
			limit = t.s.opt.MaxLongText
		}
		if utf8.RuneCountInString(*at) > limit {
			return wire.Invalid("items", "%s of a line is longer than %d characters", name, limit)
		}
	}
	if err := t.readLineNumbers(l, in); err != nil {
		return err
	}
	if in.Has("metadata") {
		m, err := readMetadata(in)
		if err != nil {
			return err
		}
		l.Metadata = m
	}
	var err error
	if l.Discounts, err = t.readAdjusts(l.Discounts, in, "discounts", "coupon"); err != nil {
		return err
	}
	l.Taxes, err = t.readAdjusts(l.Taxes, in, "taxes", "tax_rate")
	return err
}

func (t *tx) readLineNumbers(l *line, in wire.Values) error {
	for name, at := range map[string]*decimal.Decimal{"quantity": &l.Quantity, "unit_cost": &l.UnitCost} {
		d, err := in.Decimal(name)
		if err != nil {
			return wire.Invalid("items", "%s of a line must be a number", name)
		}
		if d != nil {
			*at = *d
		}
	}
	for name, at := range map[string]*bool{"discountable": &l.Discountable, "taxable": &l.Taxable} {
		b, err := in.Flag(name)
		if err != nil {
			return wire.Invalid("items", "%s of a line must be a boolean", name)
		}
		if b != nil {
			*at = *b
		}
	}
	if t.s.opt.RefuseNegativeLines && l.Quantity.Mul(l.UnitCost).IsNegative() {
		return wire.Invalid("items", "A line cannot be negative")
	}
	return nil
}

// readCatalogItem fills a line from an item of /items; what the request gives itself wins.
func (t *tx) readCatalogItem(l *line, in wire.Values) error {
	id, err := in.Text("catalog_item")
	if err != nil || id == nil {
		return err
	}
	item, ok := t.s.store.Find("item", t.acct.Name, *id).(*rate)
	if !ok {
		return wire.Invalid("items", "No such item: %s", *id)
	}
	l.CatalogItem, l.Name, l.Type = item.Key, item.Attr.text("name"), item.Attr.text("type")
	l.Description = item.Attr.text("description")
	if cost, ok := item.Attr["unit_cost"].(json.Number); ok {
		l.UnitCost, err = decimal.NewFromString(cost.String())
	}
	return err
}

// readAdjusts reads discounts or taxes: {amount} is flat, {coupon} or {tax_rate} names a rate or brings one along.
func (t *tx) readAdjusts(old []adjust, in wire.Values, key, rateKey string) ([]adjust, error) {
	if !in.Has(key) {
		return old, nil
	}
	list, err := in.List(key)
	if err != nil {
		return nil, err
	}
	if len(list) > maxLines {
		return nil, wire.Invalid(key, "%s has more than %d entries", key, maxLines)
	}
	var out []adjust
	for _, e := range list {
		var g wire.Values
		switch e := e.(type) {
		case string:
			g = wire.Values{rateKey: e}
		case map[string]any:
			g = e
		default:
			return nil, wire.Invalid(key, "%s must hold objects", key)
		}
		a, err := t.readAdjust(old, g, key, rateKey)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (t *tx) readAdjust(old []adjust, in wire.Values, key, rateKey string) (adjust, error) {
	var a adjust
	id, err := in.Integer("id")
	if err != nil {
		return a, err
	}
	if id != nil {
		at := slices.IndexFunc(old, func(o adjust) bool { return o.ID == *id })
		if at < 0 {
			return a, wire.Invalid(key, "%d does not belong to this document", *id)
		}
		a = old[at]
	} else {
		a.ID = t.nextID()
	}
	if expires, err := in.Integer("expires"); err != nil {
		return a, err
	} else if expires != nil {
		a.Expires = *expires
	}
	if !in.Null(rateKey) {
		a.Rate, err = t.readRate(in, rateKey)
		return a, err
	}
	d, err := in.Decimal("amount")
	if err != nil {
		return a, err
	}
	if d != nil && a.Rate == nil {
		a.Amount = *d
	}
	if d == nil && id == nil {
		return a, wire.Invalid(key, "Each of %s needs an amount or a %s", key, rateKey)
	}
	if a.Amount.IsNegative() {
		return a, wire.Invalid(key, "%s cannot be negative", key)
	}
	return a, nil
}

// total recomputes all money of a document from its lines and rates (invoiced-api 4.5) and refuses a negative total.
func (t *tx) total(d *document) error {
	in := totals.Document{Discounts: rates(d.Discounts), Taxes: rates(d.Taxes)}
	for _, l := range d.Items {
		in.Lines = append(in.Lines, totals.Line{
			Quantity: l.Quantity, UnitCost: l.UnitCost, Discountable: l.Discountable, Taxable: l.Taxable,
			Discounts: rates(l.Discounts), Taxes: rates(l.Taxes),
		})
	}
	out := totals.Compute(in, totals.Rounding{
		Places: d.places(), HalfEven: t.s.opt.RoundHalfEven, WholeDiscount: t.s.opt.WholeDiscountOffTax,
	})
	for i := range d.Items {
		d.Items[i].Amount = out.Lines[i].Amount
		d.Items[i].Discounts = settled(d.Items[i].Discounts, out.Lines[i].Discounts)
		d.Items[i].Taxes = settled(d.Items[i].Taxes, out.Lines[i].Taxes)
	}
	d.Discounts, d.Taxes = settled(d.Discounts, out.Discounts), settled(d.Taxes, out.Taxes)
	d.Subtotal, d.Total = out.Subtotal, out.Total
	switch {
	case d.Total.IsNegative():
		return wire.Invalid("items", "The total of a document cannot be negative")
	case d.Total.IsZero() && t.s.opt.RefuseZeroTotals:
		return wire.Invalid("items", "The total of a document cannot be zero")
	case d.Total.Cmp(decimal.New(1, 15)) >= 0:
		return wire.Invalid("items", "The total of the document is too large")
	}
	return nil
}

func rates(list []adjust) []totals.Rate {
	out := make([]totals.Rate, len(list))
	for i, a := range list {
		out[i] = a.rate()
	}
	return out
}

// settled returns a copy of the rates with their money; a flat amount is thereby rounded to the currency.
func settled(list []adjust, amounts []decimal.Decimal) []adjust {
	out := slices.Clone(list)
	for i := range out {
		out[i].Amount = amounts[i]
	}
	return out
}
