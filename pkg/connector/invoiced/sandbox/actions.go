package sandbox

import (
	"cmp"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/gateway"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// PortalAction is something a customer does with an invoice in the portal.
type PortalAction struct {
	Account string `json:"account,omitempty"`
	Step    string `json:"step,omitempty"`
	Invoice Ref    `json:"ref,omitempty"` // id or number
	Number  string `json:"number,omitempty"`
	Text    string `json:"text,omitempty"`   // of a comment
	Author  string `json:"author,omitempty"` // of a comment
	Date    int64  `json:"date,omitempty"`   // of a promise, unix seconds
	Method  string `json:"method,omitempty"` // of a promise
}

func (t *tx) portalInvoice(a PortalAction) (*document, error) {
	ref := a.Invoice
	if a.Number != "" {
		ref = Ref(a.Number)
		if d, ok := t.s.store.Find("invoice", t.acct.Name, a.Number).(*document); ok {
			ref = RefID(d.ID)
		}
	}
	d, err := resolve[*document](t, "invoice", ref)
	if err == nil && (d.Draft || d.Voided) {
		return nil, wire.Invalid("", "Invoice %s is invisible in the portal because it is %s", d.Number, d.status(t.view))
	}
	return d, err
}

// View is a customer opening an invoice: invoice.updated when that changes the status, and invoice.viewed every time.
func (s *Server) View(a PortalAction) (Result, error) {
	return perform(s, a.Account, "view", a.Step, actorCustomer, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err != nil {
			return Result{}, err
		}
		if d.Viewed {
			t.emit("invoice.viewed", d, nil)
			return t.result(d), nil
		}
		next := revise(t, d)
		next.Viewed = true
		if s.opt.ViewedFirst {
			t.Put(next)
			t.emit("invoice.viewed", next, nil)
		}
		t.updated(next)
		if !s.opt.ViewedFirst {
			t.emit("invoice.viewed", next, nil)
		}
		return t.result(next), nil
	})
}

// Comment is a customer commenting on an invoice. The API shows only needs_attention going from false to true; while it
// is true, further comments show nowhere. An option adds the retired invoice.commented with the text (invoiced-api 7.1).
func (s *Server) Comment(a PortalAction) (Result, error) {
	return perform(s, a.Account, "comment", a.Step, actorCustomer, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err != nil {
			return Result{}, err
		}
		if a.Text == "" {
			return Result{}, wire.Invalid("text", "text is missing")
		}
		if !d.Attention {
			next := revise(t, d)
			next.Attention = true
			t.updated(next)
			d = next
		}
		if s.opt.CommentedEvents {
			t.emitComment(d, a)
		}
		return t.result(d), nil
	})
}

func (t *tx) emitComment(d *document, a PortalAction) {
	object := wire.Object{
		{Key: "id", Value: t.nextID()}, {Key: "object", Value: "comment"}, {Key: "invoice", Value: d.ID},
		{Key: "text", Value: a.Text}, {Key: "from", Value: nullable(a.Author)}, {Key: "created_at", Value: t.now},
		{Key: "customer", Value: d.Customer},
	}
	t.emitObject("invoice.commented", object, nil, about(d))
}

// Acknowledge is vendor staff answering a comment, which ends needs_attention.
func (s *Server) Acknowledge(a PortalAction) (Result, error) {
	return perform(s, a.Account, "acknowledge", a.Step, actorStaff, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err != nil {
			return Result{}, err
		}
		if d.Attention {
			next := revise(t, d)
			next.Attention = false
			t.updated(next)
			d = next
		}
		return t.result(d), nil
	})
}

// Promise is a customer saying when the invoice will be paid: invoice.payment_expected.
func (s *Server) Promise(a PortalAction) (Result, error) {
	return perform(s, a.Account, "promise", a.Step, actorCustomer, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err != nil {
			return Result{}, err
		}
		if a.Date <= 0 {
			return Result{}, wire.Invalid("date", "date is missing; give unix seconds")
		}
		if !d.open() {
			return Result{}, wire.Invalid("", "Invoice %s is %s", d.Number, d.status(t.view))
		}
		next := revise(t, d)
		next.Expected = &promise{Date: a.Date, Method: a.Method}
		previous := t.view.diff(d, next)
		t.Put(next)
		t.emit("invoice.payment_expected", next, previous)
		return t.result(next), nil
	})
}

// Profile is a customer changing its own data in the portal; Changes are properties of the customer as in PATCH.
type Profile struct {
	Account  string         `json:"account,omitempty"`
	Step     string         `json:"step,omitempty"`
	Customer Ref            `json:"ref,omitempty"`
	Changes  map[string]any `json:"changes"`
}

// ChangeProfile emits customer.updated with the customer as actor.
func (s *Server) ChangeProfile(p Profile) (Result, error) {
	return perform(s, p.Account, "profile", p.Step, actorCustomer, func(t *tx) (Result, error) {
		cust, err := resolve[*customer](t, "customer", p.Customer)
		if err != nil {
			return Result{}, err
		}
		next, err := t.changeCustomer(cust, p.Changes)
		if err != nil {
			return Result{}, err
		}
		return t.result(next), nil
	})
}

// Merge is staff merging one customer into another in the dashboard, which cannot be undone.
type Merge struct {
	Account  string `json:"account,omitempty"`
	Step     string `json:"step,omitempty"`
	Customer Ref    `json:"ref,omitempty"`
	Into     Ref    `json:"into"`
}

// Merge moves everything of a customer to another one and removes it. customer.merged carries the customer that went,
// with the one that stays in merged_into_customer; the real payload is not documented (Q20).
func (s *Server) Merge(m Merge) (Result, error) {
	return perform(s, m.Account, "merge", m.Step, actorStaff, func(t *tx) (Result, error) {
		gone, err := resolve[*customer](t, "customer", m.Customer)
		if err != nil {
			return Result{}, err
		}
		into, err := resolve[*customer](t, "customer", m.Into)
		if err != nil {
			return Result{}, err
		}
		if gone.ID == into.ID {
			return Result{}, wire.Invalid("into", "A customer cannot be merged into itself")
		}
		for _, kind := range []string{"invoice", "credit_note", "payment", "contact", "note", "task", "credit_balance_adjustment"} {
			for _, id := range append([]int64(nil), s.store.Owned(kind, gone.ID)...) {
				t.move(kind, id, into.ID)
			}
		}
		object := append(t.view.render(gone), wire.Pair{Key: "merged_into_customer", Value: into.ID})
		t.Remove("customer", gone.ID)
		t.emitObject("customer.merged", object, nil, []objectRef{refOf(gone), refOf(into)})
		return t.result(into), nil
	})
}

func (t *tx) move(kind string, id, to int64) {
	o := t.s.store.Get(kind, t.acct.Name, id)
	if o == nil {
		return
	}
	var next objects.Object = revise(t, o)
	switch o := next.(type) {
	case *document:
		o.Customer = to
	case *payment:
		o.Customer = to
	case *contact:
		o.Customer = to
	case *note:
		o.Customer = to
	case *adjustment:
		o.Customer = to
	case *task:
		o.Attr["customer_id"] = jsonNumber(to)
	}
	t.Put(next)
}

// PortalPayment is a customer paying invoices in the portal.
type PortalPayment struct {
	Account  string       `json:"account,omitempty"`
	Step     string       `json:"step,omitempty"`
	Customer Ref          `json:"customer,omitempty"` // empty: the one of the first line
	Method   string       `json:"method,omitempty"`   // empty: by the instrument, or credit_card
	Lines    []PortalLine `json:"lines"`
	// Fee, an amount, wins over FeePercent, which wins over the account's percentage for cards. Percentages above 4 are
	// refused, as the vendor does.
	FeePercent *decimal.Decimal `json:"convenience_fee_percent,omitempty"`
	Fee        *decimal.Decimal `json:"convenience_fee,omitempty"`
	Credit     decimal.Decimal  `json:"credit,omitempty"`     // paid on account
	Unapplied  decimal.Decimal  `json:"unapplied,omitempty"`  // left as the payment's balance
	Outcome    string           `json:"outcome,omitempty"`    // succeeded, pending or failed; empty: by the instrument
	Instrument string           `json:"instrument,omitempty"` // a value of the vendor's test gateway
	Reference  string           `json:"reference,omitempty"`  // empty: the gateway's id
	Date       int64            `json:"date,omitempty"`       // unix seconds; 0 is now
}

// PortalLine is one invoice of a PortalPayment.
type PortalLine struct {
	Invoice Ref              `json:"invoice,omitempty"` // id or number
	Number  string           `json:"number,omitempty"`
	Amount  *decimal.Decimal `json:"amount,omitempty"` // nil: the whole balance
}

// Pay makes a portal payment. A failed one leaves charge.failed and no payment; a pending one exists with its charge
// pending and waits for Settle.
func (s *Server) Pay(q PortalPayment) (Result, error) {
	return perform(s, q.Account, "pay", q.Step, actorCustomer, func(t *tx) (Result, error) {
		switch q.Outcome {
		case "", chargeSucceeded, chargePending, chargeFailed:
		default:
			return Result{}, wire.Invalid("outcome", "outcome must be succeeded, pending or failed")
		}
		p, from, err := t.portalPayment(q)
		if err != nil {
			return Result{}, err
		}
		failure, err := t.process(p, from, q.Outcome)
		if err != nil {
			return Result{}, err
		}
		if failure != "" {
			return Result{Kind: "payment", Status: chargeFailed, Failure: failure}, nil
		}
		return t.result(p), nil
	})
}

func (t *tx) portalPayment(q PortalPayment) (*payment, *gateway.Source, error) {
	p := &payment{
		Head: t.newHead(), Attr: attrs{"source": t.s.opt.PortalSource}, Metadata: attrs{}, Token: t.newToken(),
		Date: cmp.Or(q.Date, t.now), Applied: []application{},
	}
	if q.Customer != "" {
		cust, err := resolve[*customer](t, "customer", q.Customer)
		if err != nil {
			return nil, nil, err
		}
		p.Customer, p.Currency = cust.ID, cust.currency()
	}
	if err := t.portalLines(p, q.Lines); err != nil {
		return nil, nil, err
	}
	if p.Customer == 0 {
		return nil, nil, wire.Invalid("customer", "Give a customer or at least one invoice")
	}
	p.Currency = cmp.Or(p.Currency, t.acct.currency)
	invoices := p.Amount
	if q.Credit.IsPositive() {
		p.Amount = p.Amount.Add(q.Credit)
		p.Applied = append(p.Applied, application{ID: t.nextID(), Type: applyCredit, Amount: q.Credit})
	}
	p.Amount = p.Amount.Add(q.Unapplied)
	from, err := t.portalSource(q)
	if err != nil {
		return nil, nil, err
	}
	p.Attr["method"] = cmp.Or(q.Method, from.Method())
	if q.Reference != "" {
		p.Attr["reference"] = q.Reference
	}
	if err := t.portalFee(p, q, invoices); err != nil {
		return nil, nil, err
	}
	if err := checkMoney("amount", p.Amount, p.Currency); err != nil || !p.Amount.IsPositive() {
		return nil, nil, wire.Invalid("lines", "The payment must come to an amount of money above 0")
	}
	return p, from, t.checkApplications(p)
}

func (t *tx) portalLines(p *payment, lines []PortalLine) error {
	for i, l := range lines {
		ref := l.Invoice
		if ref == "" {
			ref = Ref(l.Number)
		}
		inv, err := resolve[*document](t, "invoice", ref)
		if err != nil {
			return err
		}
		if p.Customer == 0 {
			p.Customer = inv.Customer
		}
		if i == 0 {
			p.Currency = inv.Currency
		}
		sum := inv.Balance.Sub(inv.Pending)
		if l.Amount != nil {
			sum = *l.Amount
		}
		if !sum.IsPositive() {
			return wire.Invalid("lines", "Line %s pays nothing", strconv.Itoa(i))
		}
		p.Amount = p.Amount.Add(sum)
		p.Applied = append(p.Applied, application{ID: t.nextID(), Type: applyInvoice, Invoice: inv.ID, Amount: sum})
	}
	return nil
}

// portalSource is the instrument the customer pays with.
func (t *tx) portalSource(q PortalPayment) (*gateway.Source, error) {
	text := q.Instrument
	if text == "" {
		switch q.Method {
		case "", "credit_card":
			text = gateway.Card
		case "ach":
			text = gateway.ACH
		case "direct_debit":
			text = gateway.SEPA
		default:
			return nil, nil
		}
	}
	return t.newSource(text)
}

func (t *tx) portalFee(p *payment, q PortalPayment, on decimal.Decimal) error {
	if q.Fee != nil {
		if err := checkMoney("convenience_fee", *q.Fee, p.Currency); err != nil {
			return err
		}
		t.addFee(p, *q.Fee)
		return nil
	}
	percent := decimal.Zero
	if q.FeePercent != nil {
		percent = *q.FeePercent
	} else if p.Attr.text("method") == "credit_card" {
		percent = t.acct.ConvenienceFeePercent
	}
	if percent.IsNegative() || percent.GreaterThan(maxFeePercent) {
		return wire.Invalid("convenience_fee_percent", "A convenience fee is at most 4 percent")
	}
	t.addFee(p, percentOf(on, percent, p.Currency))
	return nil
}

// PaymentAction is something a bank or vendor staff does with a payment or charge.
type PaymentAction struct {
	Account string           `json:"account,omitempty"`
	Step    string           `json:"step,omitempty"`
	Ref     Ref              `json:"ref,omitempty"`     // id of the payment, of the charge in Refund
	Outcome string           `json:"outcome,omitempty"` // of Settle: succeeded or failed
	Amount  *decimal.Decimal `json:"amount,omitempty"`  // of Refund; nil: all that is left
}

// id reads the id an action names.
func (a PaymentAction) id(kind string) (int64, error) {
	id, err := strconv.ParseInt(string(a.Ref), 10, 64)
	if err != nil {
		return 0, wire.Missing(kind, string(a.Ref))
	}
	return id, nil
}

func (s *Server) onPayment(a PaymentAction, name string, do func(*tx, *payment) (*payment, error)) (Result, error) {
	return perform(s, a.Account, name, a.Step, actorStaff, func(t *tx) (Result, error) {
		id, err := a.id("payment")
		if err != nil {
			return Result{}, err
		}
		p, err := get[*payment](t, "payment", id)
		if err != nil {
			return Result{}, err
		}
		if p, err = do(t, p); err != nil {
			return Result{}, err
		}
		return t.result(p), nil
	})
}

// Settle ends the waiting of a pending payment.
func (s *Server) Settle(a PaymentAction) (Result, error) {
	return s.onPayment(a, "settle", func(t *tx, p *payment) (*payment, error) { return t.settle(p, a.Outcome) })
}

// Void is staff voiding a payment in the dashboard.
func (s *Server) Void(a PaymentAction) (Result, error) {
	return s.onPayment(a, "void", func(t *tx, p *payment) (*payment, error) { return t.voidPayment(p) })
}

// Return is a bank taking back a debit that had settled: the charge fails and the payment is voided, as when a pending one
// fails.
func (s *Server) Return(a PaymentAction) (Result, error) {
	return s.onPayment(a, "return", func(t *tx, p *payment) (*payment, error) {
		if p.Voided || p.Charge == nil || p.Charge.Status != chargeSucceeded {
			return nil, wire.Invalid("", "Only a succeeded charge can be returned")
		}
		next := revise(t, p)
		t.fail(next, "The bank returned the payment")
		t.Put(next)
		return t.voidPayment(next)
	})
}

// Dispute is a chargeback: the charge is marked and payment.updated sent; the applications stay.
func (s *Server) Dispute(a PaymentAction) (Result, error) {
	return s.onPayment(a, "dispute", func(t *tx, p *payment) (*payment, error) {
		if p.Voided || p.Charge == nil || p.Charge.Status != chargeSucceeded {
			return nil, wire.Invalid("", "Only a succeeded charge can be disputed")
		}
		next := revise(t, p)
		next.Charge.Disputed, next.Charge.Updated = true, max(t.now, p.Charge.Updated+1)
		t.updated(next)
		return next, nil
	})
}

// Refund is staff refunding a charge in the dashboard. The gateway's rule against partial refunds on the day of the
// charge holds in the API only, so that a demo need not wait a day.
func (s *Server) Refund(a PaymentAction) (Result, error) {
	return perform(s, a.Account, "refund", a.Step, actorStaff, func(t *tx) (Result, error) {
		id, err := a.id("charge")
		if err != nil {
			return Result{}, err
		}
		p, err := s.findCharge(t.acct, id)
		if err != nil {
			return Result{}, err
		}
		sum := p.Charge.Amount.Sub(p.Charge.refunded())
		if a.Amount != nil {
			sum = *a.Amount
		}
		if p, err = t.refund(p, sum); err != nil {
			return Result{}, err
		}
		return t.result(p), nil
	})
}
