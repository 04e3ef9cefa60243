package sandbox

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

const maxApplications = 1000 // of a payment; the vendor's limit is not known

// readApplications reads applied_to as the complete list. An element that equals an old one keeps its id.
func (t *tx) readApplications(in wire.Values, old []application) ([]application, error) {
	given, err := in.Objects("applied_to")
	if err != nil {
		return nil, err
	}
	if len(given) > maxApplications {
		return nil, wire.Invalid("applied_to", "A payment has at most %d applications", maxApplications)
	}
	out := make([]application, 0, len(given))
	for _, g := range given {
		a, err := readApplication(g)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(old, func(o application) bool {
			o.ID = 0
			return o.Type == a.Type && o.Invoice == a.Invoice && o.CreditNote == a.CreditNote && o.Amount.Equal(a.Amount)
		})
		if at >= 0 && !slices.ContainsFunc(out, func(o application) bool { return o.ID == old[at].ID }) {
			a.ID = old[at].ID
		} else {
			a.ID = t.nextID()
		}
		out = append(out, a)
	}
	return out, nil
}

func readApplication(in wire.Values) (application, error) {
	var a application
	kind, err := in.Text("type")
	if err != nil {
		return a, err
	}
	if kind == nil {
		return a, wire.Invalid("applied_to", "type of an application is missing")
	}
	a.Type = *kind
	sum, err := in.Decimal("amount")
	if err != nil {
		return a, wire.Invalid("applied_to", "amount of an application must be a number")
	}
	if sum == nil || !sum.IsPositive() {
		return a, wire.Invalid("applied_to", "amount of an application must be above 0")
	}
	a.Amount = *sum
	document, err := in.Text("document_type")
	if err != nil {
		return a, err
	}
	for name, at := range map[string]*int64{"invoice": &a.Invoice, "credit_note": &a.CreditNote} {
		id, err := in.Integer(name)
		if err != nil {
			return a, wire.Invalid("applied_to", "%s of an application must be an id", name)
		}
		if id != nil {
			*at = *id
		}
	}
	return a.shape(document, in)
}

// shape checks that an application names what its type needs (invoiced-api 6.3).
func (a application) shape(documentType *string, in wire.Values) (application, error) {
	switch a.Type {
	case applyInvoice:
		if a.Invoice == 0 {
			return a, wire.Invalid("applied_to", "An application of type invoice needs an invoice")
		}
		a.CreditNote = 0
	case applyEstimate:
		return a, wire.Invalid("applied_to", "No such estimate: %v", in["estimate"])
	case applyCreditNote, applyAppliedCredit:
		return a.shapeCredit(documentType)
	case applyFee, applyCredit:
		a.Invoice, a.CreditNote = 0, 0
	default:
		return a, wire.Invalid("applied_to", "%q is not a type of application", a.Type)
	}
	return a, nil
}

// shapeCredit is shape for the applications without cash. A credit note without a document goes to the credit balance.
func (a application) shapeCredit(documentType *string) (application, error) {
	if a.Type == applyCreditNote && a.CreditNote == 0 {
		return a, wire.Invalid("applied_to", "An application of type credit_note needs a credit_note")
	}
	if a.Type == applyAppliedCredit {
		a.CreditNote = 0
	}
	if documentType != nil && *documentType != "invoice" {
		return a, wire.Invalid("applied_to", "document_type %q is not supported; no estimates exist", *documentType)
	}
	if a.Invoice == 0 && (a.Type == applyAppliedCredit || documentType != nil) {
		return a, wire.Invalid("applied_to", "An application of type %s needs an invoice", a.Type)
	}
	if a.Invoice != 0 {
		a.DocumentType = "invoice"
	}
	return a, nil
}

// checkApplications refuses what S10 forbids. The documents' balances must not contain this payment's own applications.
func (t *tx) checkApplications(p *payment) error {
	cash, used, credit := decimal.Zero, map[int64]decimal.Decimal{}, decimal.Zero
	for _, a := range p.Applied {
		if err := checkMoney("applied_to", a.Amount, p.Currency); err != nil {
			return err
		}
		if a.cash() {
			cash = cash.Add(a.Amount)
		}
		if a.Type == applyAppliedCredit {
			credit = credit.Add(a.Amount)
		}
		if p.Customer == 0 && a.Type != applyFee {
			return wire.Invalid("customer", "A payment needs a customer before it can be applied")
		}
		for _, target := range []struct {
			kind string
			id   int64
		}{{"invoice", a.Invoice}, {"credit_note", a.CreditNote}} {
			if target.id == 0 {
				continue
			}
			used[target.id] = used[target.id].Add(a.Amount)
			if err := t.checkTarget(p, target.kind, target.id, used[target.id]); err != nil {
				return err
			}
		}
	}
	if cash.GreaterThan(p.Amount) {
		return wire.Invalid("applied_to", "The applications come to %s, which is more than the amount of %s", cash, p.Amount)
	}
	if credit.IsPositive() {
		// The entries of this payment are not in the store while it is being checked.
		if have := t.s.creditBalance(t.acct, p.Customer, p.Currency, p.ID); credit.GreaterThan(have) {
			return wire.Invalid("applied_to", "The customer's credit balance is %s", have)
		}
	}
	return nil
}

func (t *tx) checkTarget(p *payment, kind string, id int64, sum decimal.Decimal) error {
	d, err := get[*document](t, kind, id)
	switch {
	case err != nil:
		return wire.Invalid("applied_to", "No such %s: %d", kind, id)
	case d.Customer != p.Customer:
		return wire.Invalid("applied_to", "%s %d belongs to another customer", kind, id)
	case d.Currency != p.Currency:
		return wire.Invalid("applied_to", "%s %d is in %s", kind, id, d.Currency)
	case d.Draft, d.Voided, d.Closed:
		return wire.Invalid("applied_to", "Payments cannot be applied to %s %d, which is %s", kind, id, d.status(t.view))
	}
	free := d.Balance
	if !t.s.opt.PendingReducesBalance {
		free = free.Sub(d.Pending)
	}
	if sum.GreaterThan(free) {
		return wire.Invalid("applied_to", "%s is more than the balance of %s %d, which is %s", sum, kind, id, free)
	}
	return nil
}

// rebalance computes balance, pending money and paid of a document from the payments applied to it.
func (t *tx) rebalance(d *document) error {
	applied, pending := decimal.Zero, decimal.Zero
	for _, id := range t.s.store.Owned("payment", d.ID) {
		p, ok := t.s.store.Get("payment", t.acct.Name, id).(*payment)
		if !ok {
			continue
		}
		sum := decimal.Zero
		for _, a := range p.Applied {
			if a.Invoice == d.ID || a.CreditNote == d.ID {
				sum = sum.Add(a.Amount)
			}
		}
		if p.settledMoney(t.s.opt) {
			applied = applied.Add(sum)
		}
		if p.pending() {
			pending = pending.Add(sum)
		}
	}
	d.Balance, d.Pending = d.Total.Sub(applied), pending
	committed := applied
	if !t.s.opt.PendingReducesBalance {
		committed = committed.Add(pending)
	}
	if committed.GreaterThan(d.Total) {
		return wire.Invalid("", "Payments of %s are applied, which is more than the total of %s", committed, d.Total)
	}
	d.Paid = !d.Draft && !d.Voided && d.Balance.IsZero()
	if d.Paid { // nothing left to collect or to ask for
		d.NextAttempt, d.SendAt = 0, 0
	}
	return nil
}

// Record is staff recording a payment that came another way, such as a check: nothing is charged.
func (s *Server) Record(q PortalPayment) (Result, error) {
	return perform(s, q.Account, "record", q.Step, actorStaff, func(t *tx) (Result, error) {
		p, _, err := t.portalPayment(q)
		if err == nil {
			err = t.recordPayment(p)
		}
		if err != nil {
			return Result{}, err
		}
		return t.result(p), nil
	})
}

// release takes a payment's applications off its documents without events, so that new ones can be checked; restore puts
// the documents back as they were, so that applyEffects finds the whole change.
func (t *tx) release(p *payment) error {
	bare := p.Clone().(*payment)
	bare.Applied = nil
	t.Put(bare)
	for _, id := range p.Owners() {
		if d := t.document(id); d != nil {
			t.base[refOf(d)] = d
			next := d.Clone().(*document)
			if err := t.rebalance(next); err != nil {
				return err
			}
			t.Put(next)
		}
	}
	return nil
}

func (t *tx) restore(ids []int64) {
	for _, id := range ids {
		if d := t.document(id); d != nil && t.base[refOf(d)] != nil {
			t.Put(t.base[refOf(d)])
		}
	}
}

// detach takes every application off a document, for the options that let applied documents be voided or deleted.
func (t *tx) detach(d *document) (*document, error) {
	for _, id := range slices.Clone(t.s.store.Owned("payment", d.ID)) {
		p, err := get[*payment](t, "payment", id)
		if err != nil {
			return nil, err
		}
		if _, err := t.changePayment(p, func(p *payment) error {
			p.Applied = slices.DeleteFunc(p.Applied, func(a application) bool { return a.Invoice == d.ID || a.CreditNote == d.ID })
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return get[*document](t, d.Type, d.ID)
}

// autoApply spends open credit notes, oldest first, and then credit balance on a newly issued invoice, as one payment
// without cash (S15, invoiced-api 5.3, 13).
func (t *tx) autoApply(inv *document) error {
	left := inv.Balance
	p := &payment{
		Head: t.newHead(), Attr: attrs{"method": "other", "source": "api"}, Metadata: attrs{}, Customer: inv.Customer,
		Date: t.now, Currency: inv.Currency, Token: t.newToken(), Applied: []application{},
	}
	apply := func(kind string, note int64, have decimal.Decimal) {
		sum := decimal.Min(left, have)
		if !sum.IsPositive() {
			return
		}
		p.Applied = append(p.Applied, application{
			ID: t.nextID(), Type: kind, CreditNote: note, DocumentType: "invoice", Invoice: inv.ID, Amount: sum,
		})
		left = left.Sub(sum)
	}
	notes := t.s.documentsOf(t.acct, "credit_note", inv.Customer)
	slices.SortStableFunc(notes, func(a, b *document) int { return cmp.Compare(a.Date, b.Date) })
	for _, n := range notes {
		if n.open() && n.Currency == inv.Currency {
			apply(applyCreditNote, n.ID, n.Balance.Sub(n.Pending))
		}
	}
	apply(applyAppliedCredit, 0, t.s.creditBalance(t.acct, inv.Customer, inv.Currency, 0))
	if len(p.Applied) == 0 {
		return nil
	}
	return t.recordPayment(p)
}

// applyToLinkedInvoice applies a credit note created with an invoice to that invoice (invoiced-api 5.2).
func (t *tx) applyToLinkedInvoice(note *document) error {
	inv, err := get[*document](t, "invoice", note.Invoice)
	if err != nil {
		return err
	}
	sum := decimal.Min(note.Balance, inv.Balance.Sub(inv.Pending))
	if !inv.open() || inv.Currency != note.Currency || !sum.IsPositive() {
		return nil
	}
	return t.recordPayment(&payment{
		Head: t.newHead(), Attr: attrs{"method": "other", "source": "api"}, Metadata: attrs{}, Customer: note.Customer,
		Date: t.now, Currency: note.Currency, Token: t.newToken(), Applied: []application{{
			ID: t.nextID(), Type: applyCreditNote, CreditNote: note.ID, DocumentType: "invoice", Invoice: inv.ID, Amount: sum,
		}},
	})
}

// creditEntry is one change of a customer's credit balance.
type creditEntry struct {
	at  int64
	sum decimal.Decimal
}

// creditEntries lists the changes of a credit balance by time: cash put on account, credit notes applied to no document,
// adjustments, and credit spent. A payment given as without is left out.
func (s *Server) creditEntries(acct *account, customer int64, currency string, without int64) []creditEntry {
	var out []creditEntry
	for _, id := range s.store.Owned("payment", customer) {
		p, ok := s.store.Get("payment", acct.Name, id).(*payment)
		if !ok || p.Currency != currency || p.ID == without || !p.settledMoney(s.opt) {
			continue
		}
		for _, a := range p.Applied {
			switch {
			case a.Type == applyCredit, a.Type == applyCreditNote && a.Invoice == 0:
				out = append(out, creditEntry{p.Date, a.Amount})
			case a.Type == applyAppliedCredit:
				out = append(out, creditEntry{p.Date, a.Amount.Neg()})
			}
		}
	}
	for _, id := range s.store.Owned("credit_balance_adjustment", customer) {
		if a, ok := s.store.Get("credit_balance_adjustment", acct.Name, id).(*adjustment); ok && a.Currency == currency {
			out = append(out, creditEntry{a.Date, a.Amount})
		}
	}
	slices.SortStableFunc(out, func(a, b creditEntry) int { return cmp.Compare(a.at, b.at) })
	return out
}

func (s *Server) creditBalance(acct *account, customer int64, currency string, without int64) decimal.Decimal {
	sum := decimal.Zero
	for _, e := range s.creditEntries(acct, customer, currency, without) {
		sum = sum.Add(e.sum)
	}
	return sum
}

func balanceEndpoints() []endpoint {
	return []endpoint{{pattern: "GET /customers/{id}/balance", do: showBalance}}
}

// showBalance answers with the customer's balance (invoiced-api 2.3). Unapplied payments do not lower it.
func showBalance(c *call) (*answer, error) {
	cust, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	currency := cmp.Or(cust.currency(), c.acct.currency)
	if text := c.query.Raw.Get("currency"); text != "" {
		if currency, err = c.s.currency(text); err != nil {
			return nil, err
		}
	}
	outstanding, due, late := decimal.Zero, decimal.Zero, false
	for _, d := range c.s.documentsOf(c.acct, "invoice", cust.ID) {
		if !d.open() || d.Currency != currency {
			continue
		}
		outstanding = outstanding.Add(d.Balance)
		if d.pastDue(c.view) {
			late = true
		}
		if d.Due != 0 && d.Due <= c.view.now {
			due = due.Add(d.Balance)
		}
	}
	sum, history := decimal.Zero, []any{}
	for _, e := range c.s.creditEntries(c.acct, cust.ID, currency, 0) {
		sum = sum.Add(e.sum)
		history = append(history, wire.Object{
			{Key: "timestamp", Value: e.at}, {Key: "currency", Value: currency}, {Key: "balance", Value: sum},
		})
	}
	slices.Reverse(history)
	return jsonAnswer(http.StatusOK, wire.Object{
		{Key: "available_credits", Value: sum}, {Key: "currency", Value: currency}, {Key: "history", Value: history},
		{Key: "past_due", Value: late}, {Key: "total_outstanding", Value: outstanding}, {Key: "due_now", Value: due},
	}), nil
}
