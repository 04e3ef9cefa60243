package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// rate is a tax rate, a coupon or an item: objects whose ids are texts (invoiced-api 4.5, 11.2).
type rate struct {
	objects.Head
	Type     string `json:"type"`
	Key      string `json:"key"` // the id on the wire
	Attr     attrs  `json:"attr"`
	Metadata attrs  `json:"metadata"`
}

// Kind implements objects.Object.
func (r *rate) Kind() string { return r.Type }

// UniqueName makes the object findable by its id on the wire.
func (r *rate) UniqueName() string { return r.Key }

func (r *rate) attributes() attrs { return r.Attr }

// Clone implements objects.Object.
func (r *rate) Clone() objects.Object {
	next := *r
	next.Attr = maps.Clone(r.Attr)
	return &next
}

func rateSchema(kind string) *schema {
	fields := []field{
		show("id", func(_ *view, r *rate) any { return r.Key }),
		fixed("object", kind),
		{name: "name", kind: shortText},
		{name: "currency", kind: shortText},
	}
	if kind == "item" {
		fields = append(fields,
			field{name: "type", kind: shortText}, field{name: "description", kind: longText}, field{name: "unit_cost", kind: amount},
			field{name: "taxable", kind: flag, def: true}, field{name: "discountable", kind: flag, def: true},
			field{name: "gl_account", kind: shortText}, field{name: "taxes", kind: textList, def: []any{}},
		)
	} else {
		fields = append(fields,
			field{name: "value", kind: amount, def: int64(0)}, field{name: "is_percent", kind: flag, def: true},
			field{name: "inclusive", kind: flag, def: false},
		)
	}
	fields = append(fields, show("metadata", func(v *view, r *rate) any { return v.metadata(r.Metadata) }))
	return newSchema(kind, []string{"id"}, append(fields, tail()...)...)
}

// rateTerms is a rate as a document keeps it: later changes of the tax rate do not reach issued documents.
type rateTerms struct {
	Key       string          `json:"key"`
	Name      string          `json:"name"`
	Value     decimal.Decimal `json:"value"`
	Percent   bool            `json:"percent"`
	Inclusive bool            `json:"inclusive,omitempty"`
}

func (r *rateTerms) render(object string) any {
	if r == nil {
		return nil
	}
	return wire.Object{
		{Key: "id", Value: r.Key}, {Key: "object", Value: object}, {Key: "name", Value: r.Name}, {Key: "currency", Value: nil},
		{Key: "value", Value: r.Value}, {Key: "is_percent", Value: r.Percent}, {Key: "inclusive", Value: r.Inclusive},
		{Key: "metadata", Value: wire.Object{}},
	}
}

// readRate reads a rate by its id, or one that the request brings along with a value.
func (t *tx) readRate(in wire.Values, kind string) (*rateTerms, error) {
	var inline wire.Values
	id := ""
	switch v := in[kind].(type) {
	case string:
		id = v
	case map[string]any:
		inline = v
		if s, err := inline.Text("id"); err == nil && s != nil {
			id = *s
		}
	default:
		return nil, wire.Invalid(kind, "%s must be an id or an object", kind)
	}
	if r, ok := t.s.store.Find(kind, t.acct.Name, id).(*rate); ok {
		value, _ := number(r.Attr["value"])
		return &rateTerms{
			Key: r.Key, Name: r.Attr.text("name"), Value: value,
			Percent: r.Attr.flag("is_percent", true), Inclusive: r.Attr.flag("inclusive", false),
		}, nil
	}
	value, err := inline.Decimal("value")
	if err != nil || value == nil || value.IsNegative() {
		return nil, wire.Invalid(kind, "No such %s: %s", strings.ReplaceAll(kind, "_", " "), id)
	}
	out := &rateTerms{Key: id, Value: *value, Percent: true}
	if s, err := inline.Text("name"); err == nil && s != nil {
		out.Name = *s
	}
	for name, at := range map[string]*bool{"is_percent": &out.Percent, "inclusive": &out.Inclusive} {
		b, err := inline.Flag(name)
		if err != nil {
			return nil, err
		}
		if b != nil {
			*at = *b
		}
	}
	return out, nil
}

func catalogEndpoints() []endpoint {
	var out []endpoint
	for kind, root := range map[string]string{"item": "/items", "tax_rate": "/tax_rates", "coupon": "/coupons"} {
		out = append(out,
			endpoint{pattern: "POST " + root, do: func(c *call) (*answer, error) { return saveRate(c, kind) }},
			endpoint{pattern: "PATCH " + root + "/{id}", do: func(c *call) (*answer, error) { return saveRate(c, kind) }},
			endpoint{pattern: "GET " + root, do: func(c *call) (*answer, error) {
				return c.list(listing{kind: kind, ids: c.s.store.IDs(kind, c.acct.Name)})
			}},
			endpoint{pattern: "GET " + root + "/{id}", do: func(c *call) (*answer, error) {
				r, err := findRate(c, kind)
				if err != nil {
					return nil, err
				}
				return c.object(http.StatusOK, r), nil
			}},
			endpoint{pattern: "DELETE " + root + "/{id}", do: func(c *call) (*answer, error) {
				r, err := findRate(c, kind)
				if err != nil {
					return nil, err
				}
				c.t.Remove(kind, r.ID)
				return noContent(), nil
			}},
		)
	}
	for _, root := range []string{"/estimates", "/plans", "/subscriptions", "/inboxes"} {
		out = append(out, endpoint{pattern: "GET " + root, do: func(c *call) (*answer, error) { return c.rows([]any{}) }})
	}
	return append(append(out, adjustmentEndpoints()...), planEndpoints()...)
}

func findRate(c *call, kind string) (*rate, error) {
	r, ok := c.s.store.Find(kind, c.acct.Name, c.r.PathValue("id")).(*rate)
	if !ok {
		return nil, wire.Missing(kind, c.r.PathValue("id"))
	}
	return r, nil
}

func saveRate(c *call, kind string) (*answer, error) {
	status, next := http.StatusCreated, &rate{Head: c.t.newHead(), Type: kind, Attr: attrs{}, Metadata: attrs{}}
	if c.r.PathValue("id") != "" {
		old, err := findRate(c, kind)
		if err != nil {
			return nil, err
		}
		status, next = http.StatusOK, revise(c.t, old)
	}
	if err := c.s.schemas[kind].apply(next.Attr, c.body, c.s.opt); err != nil {
		return nil, err
	}
	if next.Attr.text("name") == "" {
		return nil, wire.Invalid("name", "Name is missing")
	}
	if c.body.Has("metadata") {
		m, err := readMetadata(c.body)
		if err != nil {
			return nil, err
		}
		next.Metadata = m
	}
	if next.Key == "" {
		id, err := c.body.Text("id")
		if err != nil {
			return nil, err
		}
		if next.Key = slug(next.Attr.text("name")); id != nil {
			next.Key = *id
		}
		if len(next.Key) < 2 || strings.Trim(next.Key, keyLetters) != "" {
			return nil, wire.Invalid("id", "id must have at least two letters, digits, - or _")
		}
		if c.s.store.Find(kind, c.acct.Name, next.Key) != nil {
			return nil, wire.Invalid("id", "The given id has already been taken: %s", next.Key)
		}
	}
	c.t.Put(next)
	return c.object(status, next), nil
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !strings.ContainsRune(keyLetters, r) })
	return strings.Join(words, "-")
}

func jsonNumber(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// adjustment changes a customer's credit balance by hand (invoiced-api 5.4).
type adjustment struct {
	objects.Head
	Customer int64           `json:"customer"`
	Currency string          `json:"currency"`
	Amount   decimal.Decimal `json:"amount"` // above zero is credit to the customer
	Date     int64           `json:"date"`
	Attr     attrs           `json:"attr"`
}

// Kind implements objects.Object.
func (*adjustment) Kind() string { return "credit_balance_adjustment" }

// Owners lists the adjustment under its customer.
func (a *adjustment) Owners() []int64 { return []int64{a.Customer} }

func (a *adjustment) attributes() attrs { return a.Attr }

// Clone implements objects.Object.
func (a *adjustment) Clone() objects.Object {
	next := *a
	next.Attr = maps.Clone(a.Attr)
	return &next
}

func adjustmentSchema() *schema {
	return newSchema("credit_balance_adjustment", nil, append(append(head("credit_balance_adjustment"),
		link("customer", "customer", func(_ *view, a *adjustment) any { return a.Customer }),
		show("currency", func(_ *view, a *adjustment) any { return a.Currency }),
		show("amount", func(_ *view, a *adjustment) any { return a.Amount }),
		show("date", func(_ *view, a *adjustment) any { return a.Date }),
		field{name: "notes", kind: longText},
	), tail()...)...)
}

func adjustmentEndpoints() []endpoint {
	const kind, root = "credit_balance_adjustment", "/credit_balance_adjustments"
	return []endpoint{
		{pattern: "POST " + root, do: saveAdjustment},
		{pattern: "PATCH " + root + "/{id}", do: saveAdjustment},
		{pattern: "GET " + root, do: func(c *call) (*answer, error) {
			return c.list(listing{kind: kind, ids: c.s.store.IDs(kind, c.acct.Name), date: "date"})
		}},
		{pattern: "GET " + root + "/{id}", do: showOne[*adjustment](kind)},
		{pattern: "DELETE " + root + "/{id}", do: func(c *call) (*answer, error) {
			a, err := find[*adjustment](c, kind)
			if err != nil {
				return nil, err
			}
			c.t.Remove(kind, a.ID)
			return noContent(), nil
		}},
	}
}

func saveAdjustment(c *call) (*answer, error) {
	status := http.StatusCreated
	next := &adjustment{Head: c.t.newHead(), Currency: c.acct.currency, Date: c.t.now, Attr: attrs{}}
	if c.r.PathValue("id") != "" {
		old, err := find[*adjustment](c, "credit_balance_adjustment")
		if err != nil {
			return nil, err
		}
		status, next = http.StatusOK, revise(c.t, old)
	}
	if err := c.s.schemas[next.Kind()].apply(next.Attr, c.body, c.s.opt); err != nil {
		return nil, err
	}
	for name, at := range map[string]*int64{"customer": &next.Customer, "date": &next.Date} {
		n, err := c.body.Integer(name)
		if err != nil {
			return nil, err
		}
		if n != nil {
			*at = *n
		}
	}
	if c.s.store.Get("customer", c.acct.Name, next.Customer) == nil {
		return nil, wire.Invalid("customer", "No such customer: %d", next.Customer)
	}
	if text, err := c.body.Text("currency"); err != nil {
		return nil, err
	} else if text != nil {
		if next.Currency, err = c.s.currency(*text); err != nil {
			return nil, err
		}
	}
	sum, err := c.body.Decimal("amount")
	if err != nil {
		return nil, err
	}
	if sum != nil {
		next.Amount = *sum
	}
	if err := checkMoney("amount", next.Amount.Abs(), next.Currency); err != nil || next.Amount.IsZero() {
		return nil, wire.Invalid("amount", "amount must be an amount of money other than 0")
	}
	c.t.Put(next)
	return c.object(status, next), nil
}

// plan is the payment plan of an invoice (invoiced-api 4.1).
type plan struct {
	ID           int64         `json:"id"`
	Installments []installment `json:"installments"`
	Created      int64         `json:"created"`
}

type installment struct {
	ID     int64           `json:"id"`
	Date   int64           `json:"date"`
	Amount decimal.Decimal `json:"amount"`
}

func (p *plan) id() int64 {
	if p == nil {
		return 0
	}
	return p.ID
}

func (p *plan) render() wire.Object {
	rows := make([]any, len(p.Installments))
	for i, n := range p.Installments {
		rows[i] = wire.Object{
			{Key: "id", Value: n.ID}, {Key: "date", Value: n.Date}, {Key: "amount", Value: n.Amount}, {Key: "balance", Value: n.Amount},
		}
	}
	return wire.Object{
		{Key: "id", Value: p.ID}, {Key: "object", Value: "payment_plan"}, {Key: "status", Value: "active"},
		{Key: "installments", Value: rows}, {Key: "approval", Value: nil},
		{Key: "created_at", Value: p.Created}, {Key: "updated_at", Value: p.Created},
	}
}

const termsPlan = "Payment Plan"

func planEndpoints() []endpoint {
	const root = "/invoices/{id}/payment_plan"
	return []endpoint{
		{pattern: "PUT " + root, do: createPlan},
		{pattern: "POST " + root, do: createPlan}, // the vendor's Go SDK
		{pattern: "GET " + root, do: func(c *call) (*answer, error) {
			inv, err := findPlanned(c)
			if err != nil {
				return nil, err
			}
			return jsonAnswer(http.StatusOK, inv.Plan.render()), nil
		}},
		{pattern: "DELETE " + root, do: func(c *call) (*answer, error) {
			inv, err := findPlanned(c)
			if err != nil {
				return nil, err
			}
			next := revise(c.t, inv)
			next.Plan, next.Terms = nil, ""
			c.t.updated(next)
			c.t.emitObject("payment_plan.deleted", inv.Plan.render(), nil, append(about(inv), objectRef{"payment_plan", inv.Plan.ID}))
			return noContent(), nil
		}},
	}
}

func findPlanned(c *call) (*document, error) {
	inv, err := find[*document](c, "invoice")
	if err == nil && inv.Plan == nil {
		return nil, wire.Missing("payment plan of invoice", inv.ID)
	}
	return inv, err
}

// createPlan attaches a plan whose installments come to the balance; a plan cannot be changed afterwards.
func createPlan(c *call) (*answer, error) {
	inv, err := find[*document](c, "invoice")
	if err != nil {
		return nil, err
	}
	if inv.Plan != nil || !inv.open() {
		return nil, wire.Invalid("", "The invoice cannot get a payment plan because it has one or is %s", inv.status(c.view))
	}
	given, err := c.body.Objects("installments")
	if err != nil {
		return nil, err
	}
	p := &plan{ID: c.t.nextID(), Created: max(1, c.t.now)}
	sum := decimal.Zero
	for _, g := range given {
		date, err := g.Integer("date")
		if err != nil {
			return nil, err
		}
		part, err := g.Decimal("amount")
		if err != nil {
			return nil, err
		}
		if date == nil || part == nil || !part.IsPositive() {
			return nil, wire.Invalid("installments", "Each installment needs a date and an amount")
		}
		sum = sum.Add(*part)
		p.Installments = append(p.Installments, installment{ID: c.t.nextID(), Date: *date, Amount: *part})
	}
	if !sum.Equal(inv.Balance) {
		return nil, wire.Invalid("installments", "The installments come to %s and not to the balance of %s", sum, inv.Balance)
	}
	next := revise(c.t, inv)
	next.Plan, next.Terms, next.SendAt = p, termsPlan, 0
	c.t.updated(next)
	c.t.emitObject("payment_plan.created", p.render(), nil, append(about(next), objectRef{"payment_plan", p.ID}))
	return jsonAnswer(http.StatusCreated, p.render()), nil
}
