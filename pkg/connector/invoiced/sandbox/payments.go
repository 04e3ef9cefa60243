package sandbox

import (
	"maps"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// payment is money received, or credits moved, with what it is applied to (invoiced-api 6.2).
type payment struct {
	objects.Head
	Attr     attrs           `json:"attr"`
	Metadata attrs           `json:"metadata"`
	Customer int64           `json:"customer,omitempty"`
	Date     int64           `json:"date"`
	Currency string          `json:"currency"` // lower case
	Amount   decimal.Decimal `json:"amount"`   // money received, a convenience fee included
	Applied  []application   `json:"applied"`
	Charge   *charge         `json:"charge,omitempty"`
	Voided   bool            `json:"voided,omitempty"`
	Token    string          `json:"token"`
}

// application is one element of applied_to (invoiced-api 6.3).
type application struct {
	ID           int64           `json:"id"`
	Type         string          `json:"type"`
	Invoice      int64           `json:"invoice,omitempty"`
	CreditNote   int64           `json:"credit_note,omitempty"`
	DocumentType string          `json:"document_type,omitempty"`
	Amount       decimal.Decimal `json:"amount"`
}

// The types of application.
const (
	applyInvoice       = "invoice"
	applyEstimate      = "estimate"
	applyCreditNote    = "credit_note"
	applyFee           = "convenience_fee"
	applyCredit        = "credit"
	applyAppliedCredit = "applied_credit"
)

// cash reports whether the application uses up money of the payment; credits do not.
func (a application) cash() bool { return a.Type != applyCreditNote && a.Type != applyAppliedCredit }

// Kind implements objects.Object.
func (*payment) Kind() string { return "payment" }

// LinkToken is the token of the receipt link.
func (p *payment) LinkToken() string { return p.Token }

// Owners lists the payment under its customer and under every document it is applied to.
func (p *payment) Owners() []int64 {
	ids := []int64{p.Customer}
	for _, a := range p.Applied {
		ids = append(ids, a.Invoice, a.CreditNote)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > 0 && ids[0] == 0 {
		ids = ids[1:]
	}
	return ids
}

func (p *payment) attributes() attrs { return p.Attr }

// Clone implements objects.Object.
func (p *payment) Clone() objects.Object {
	next := *p
	next.Attr = maps.Clone(p.Attr)
	next.Applied = slices.Clone(p.Applied)
	if p.Charge != nil {
		c := *p.Charge
		c.Refunds = slices.Clone(p.Charge.Refunds)
		next.Charge = &c
	}
	return &next
}

// unapplied is the payment's balance: money no application uses.
func (p *payment) unapplied() decimal.Decimal {
	left := p.Amount
	for _, a := range p.Applied {
		if a.cash() {
			left = left.Sub(a.Amount)
		}
	}
	return left
}

// shownAmount is the amount on the wire. Credits do not count in it, unless an option says they do (Q5).
func (p *payment) shownAmount(opt Options) decimal.Decimal {
	sum := p.Amount
	if opt.CreditPaymentAmount && p.Amount.IsZero() {
		for _, a := range p.Applied {
			if !a.cash() {
				sum = sum.Add(a.Amount)
			}
		}
	}
	return sum
}

// settledMoney reports whether the applications count. A payment that a bank has not confirmed exists, with its charge
// pending, but lowers no balance until it settles: that is the careful reading of what is not documented [A].
func (p *payment) settledMoney(opt Options) bool {
	switch {
	case p.Voided:
		return false
	case p.Charge == nil || p.Charge.Status == chargeSucceeded:
		return true
	}
	return p.Charge.Status == chargePending && opt.PendingReducesBalance
}

func (p *payment) pending() bool {
	return !p.Voided && p.Charge != nil && p.Charge.Status == chargePending
}

func paymentSchema() *schema {
	fields := append(head("payment"),
		link("customer", "customer", func(_ *view, p *payment) any { return nullable(p.Customer) }),
		show("date", func(_ *view, p *payment) any { return p.Date }),
		show("currency", func(_ *view, p *payment) any { return p.Currency }),
		show("amount", func(v *view, p *payment) any { return p.shownAmount(v.s.opt) }),
		show("balance", func(_ *view, p *payment) any { return p.unapplied() }),
		field{name: "method", kind: shortText, def: "other"},
		field{name: "reference", kind: shortText},
		field{name: "ach_sender_id", kind: shortText},
		field{name: "source", kind: shortText, def: "keyed"},
		field{name: "notes", kind: longText},
		show("charge", func(_ *view, p *payment) any { return p.Charge.render(p.Customer) }),
		fixed("matched", nil),
		show("voided", func(_ *view, p *payment) any { return p.Voided }),
		show("pdf_url", func(v *view, p *payment) any { return v.base + "/portal/payments/" + p.Token + "/pdf" }),
		show("metadata", func(v *view, p *payment) any { return v.metadata(p.Metadata) }),
		show("applied_to", func(v *view, p *payment) any {
			if !v.include["applied_to"] {
				return omitted // S12
			}
			return p.renderApplied()
		}),
	)
	return newSchema("payment", nil, append(fields, tail()...)...)
}

func (p *payment) renderApplied() []any {
	out := make([]any, len(p.Applied))
	for i, a := range p.Applied {
		o := wire.Object{{Key: "id", Value: a.ID}, {Key: "type", Value: a.Type}, {Key: "amount", Value: a.Amount}}
		if a.CreditNote != 0 {
			o = append(o, wire.Pair{Key: "credit_note", Value: a.CreditNote})
		}
		if a.DocumentType != "" {
			o = append(o, wire.Pair{Key: "document_type", Value: a.DocumentType})
		}
		if a.Invoice != 0 {
			o = append(o, wire.Pair{Key: "invoice", Value: a.Invoice})
		}
		out[i] = o
	}
	return out
}

func paymentEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /payments", do: createPayment},
		{pattern: "GET /payments", do: func(c *call) (*answer, error) {
			return c.list(listing{
				kind: "payment", ids: c.s.store.IDs("payment", c.acct.Name), date: "date",
				meta: func(o objects.Object) attrs { return o.(*payment).Metadata },
			})
		}},
		{pattern: "GET /payments/{id}", do: showPayment},
		{pattern: "PATCH /payments/{id}", do: updatePayment},
		{pattern: "DELETE /payments/{id}", do: func(c *call) (*answer, error) {
			p, err := find[*payment](c, "payment")
			if err != nil {
				return nil, err
			}
			if p, err = c.t.voidPayment(p); err != nil {
				return nil, err
			}
			return c.object(http.StatusOK, p), nil
		}},
		{pattern: "POST /payments/{id}/emails", do: func(c *call) (*answer, error) {
			p, err := find[*payment](c, "payment")
			if err != nil {
				return nil, err
			}
			return c.emailAbout(p, p.Customer, "payment_receipt_email")
		}},
	}
}

func showPayment(c *call) (*answer, error) {
	p, err := find[*payment](c, "payment")
	if err != nil {
		return nil, err
	}
	if c.wantsPDF() {
		return pdfAnswer(p.summary()...), nil
	}
	return c.object(http.StatusOK, p), nil
}

func (p *payment) summary() []string {
	return []string{
		"Receipt " + p.Attr.text("reference"),
		"Amount: " + p.Amount.StringFixed(minorUnits(p.Currency)) + " " + p.Currency,
	}
}

func createPayment(c *call) (*answer, error) {
	p := &payment{
		Head: c.t.newHead(), Attr: attrs{}, Metadata: attrs{}, Date: c.t.now, Currency: c.acct.currency, Token: c.t.newToken(),
		Applied: []application{},
	}
	if err := c.t.fillPayment(p, c.body); err != nil {
		return nil, err
	}
	if p.Amount.IsZero() && len(p.Applied) == 0 {
		return nil, wire.Invalid("amount", "Amount is missing")
	}
	if err := c.t.recordPayment(p); err != nil {
		return nil, err
	}
	return c.object(http.StatusCreated, p), nil
}

// fillPayment reads everything but the effect on documents.
func (t *tx) fillPayment(p *payment, in wire.Values) error {
	if err := t.s.schemas["payment"].apply(p.Attr, in, t.s.opt); err != nil {
		return err
	}
	if err := t.readPayer(p, in); err != nil {
		return err
	}
	if date, err := in.Integer("date"); err != nil {
		return err
	} else if date != nil {
		p.Date = *date
	}
	if text, err := in.Text("currency"); err != nil {
		return err
	} else if text != nil {
		if p.Currency, err = t.s.currency(*text); err != nil {
			return err
		}
	}
	sum, err := in.Decimal("amount")
	if err != nil {
		return err
	}
	if sum != nil {
		if err := checkMoney("amount", *sum, p.Currency); err != nil {
			return err
		}
		p.Amount = *sum
	}
	if in.Has("metadata") {
		if p.Metadata, err = readMetadata(in); err != nil {
			return err
		}
	}
	if in.Has("applied_to") {
		if p.Applied, err = t.readApplications(in, p.Applied); err != nil {
			return err
		}
	}
	return t.checkApplications(p)
}

func (t *tx) readPayer(p *payment, in wire.Values) error {
	id, err := in.Integer("customer")
	if err != nil || !in.Has("customer") {
		return err
	}
	p.Customer = 0
	if id == nil {
		return nil
	}
	if _, err := get[*customer](t, "customer", *id); err != nil {
		return wire.Invalid("customer", "No such customer: %d", *id)
	}
	p.Customer = *id
	return nil
}

// checkMoney refuses negative amounts and digits beyond the currency's minor units.
func checkMoney(param string, d decimal.Decimal, currency string) error {
	if d.IsNegative() {
		return wire.Invalid(param, "%s cannot be negative", param)
	}
	if !d.Equal(d.Truncate(minorUnits(currency))) {
		return wire.Invalid(param, "%s has more decimals than %s has", param, currency)
	}
	if d.Cmp(decimal.New(1, 15)) >= 0 {
		return wire.Invalid(param, "%s is too large", param)
	}
	return nil
}

// recordPayment stores a new payment and applies it: payment.created, then invoice.updated per document, then
// invoice.paid per invoice that reached zero (invoiced-api 16.4).
func (t *tx) recordPayment(p *payment) error {
	if p.pending() && t.s.opt.SilentPending {
		t.Put(p)
	} else {
		t.created(p)
	}
	return t.applyEffects(p.Owners())
}

// applyEffects brings the given documents up to date after their payments changed.
func (t *tx) applyEffects(ids []int64) error {
	type paid struct {
		doc      *document
		previous wire.Object
	}
	var done []paid
	for _, id := range ids {
		d := t.document(id)
		if d == nil {
			continue
		}
		next := revise(t, d)
		if err := t.rebalance(next); err != nil {
			return err
		}
		if next.Balance.Equal(d.Balance) && next.Paid == d.Paid && next.Pending.Equal(d.Pending) {
			continue
		}
		previous := t.updated(next)
		if next.Paid && !d.Paid && next.Type == "invoice" {
			done = append(done, paid{next, previous})
		}
	}
	for _, p := range done {
		t.emit("invoice.paid", p.doc, p.previous)
	}
	return nil
}

// document finds an invoice or credit note.
func (t *tx) document(id int64) *document {
	for _, kind := range []string{"invoice", "credit_note"} {
		if d, ok := t.s.store.Get(kind, t.acct.Name, id).(*document); ok {
			return d
		}
	}
	return nil
}

func updatePayment(c *call) (*answer, error) {
	old, err := find[*payment](c, "payment")
	if err != nil {
		return nil, err
	}
	next, err := c.t.changePayment(old, func(p *payment) error { return c.t.fillPayment(p, c.body) })
	if err != nil {
		return nil, err
	}
	return c.object(http.StatusOK, next), nil
}

// changePayment releases the old applications, lets change fill the payment, and applies the new ones.
func (t *tx) changePayment(old *payment, change func(*payment) error) (*payment, error) {
	if old.Voided {
		return nil, wire.Invalid("", "A voided payment cannot be changed")
	}
	affected := old.Owners()
	next := revise(t, old)
	if err := t.release(old); err != nil {
		return nil, err
	}
	if err := change(next); err != nil {
		return nil, err
	}
	if old.Charge != nil && !next.Amount.Equal(old.Amount) {
		return nil, wire.Invalid("amount", "The amount of a processed payment cannot be changed")
	}
	t.updated(next)
	for _, id := range next.Owners() {
		if !slices.Contains(affected, id) {
			affected = append(affected, id)
		}
	}
	t.restore(affected)
	return next, t.applyEffects(affected)
}

// voidPayment un-applies a payment and marks it voided; it is not deleted (invoiced-api 6.1, 12).
func (t *tx) voidPayment(p *payment) (*payment, error) {
	if p.Voided {
		return nil, wire.Invalid("", "This payment has already been voided")
	}
	affected := p.Owners()
	next := revise(t, p)
	next.Voided, next.Applied = true, []application{}
	if t.s.opt.VoidSendsUpdated {
		t.updated(next)
	}
	t.Put(next)
	t.emit("payment.deleted", next, nil)
	t.base[refOf(next)] = next
	return next, t.applyEffects(affected)
}
