package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// syncPayment reads a payment again, decides, and posts its receipts. Events only say that it should be looked at.
func (e *Engine) syncPayment(ctx context.Context, c *Company, id string) error {
	w, err := e.take(ctx, c, billing.KindPayment, id)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	pay, err := e.readPayment(ctx, w)
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	in := plan.PaymentInput{Payment: pay, Settings: c.Settings, Posted: posted(w.rec), Complete: w.rec.Complete && w.rec.SourceTotal == pay.Amount.Amount()}
	p := plan.Payment(in) // most events need nothing more: pending, failed, complete, credits
	if p.Has(plan.PaymentVoided) || p.Has(plan.PaymentFailed) {
		if err := e.regainReceipts(ctx, w, &in); err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		p = plan.Payment(in)
	}
	if !p.Has(plan.UnknownInvoice) && p.Verdict != plan.Create {
		return e.endPayment(ctx, w, p)
	}
	return e.receivePayment(ctx, w, in)
}

// receivePayment plans the receipts of a payment that is cash, with the balances read under the customers' leases.
func (e *Engine) receivePayment(ctx context.Context, w *work, in plan.PaymentInput) error {
	c := w.c
	if err := e.holdWithoutRights(ctx, c, &in.Settings); err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	customers, err := e.invoicesOf(ctx, w, &in)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	release, err := e.leaseCustomers(ctx, c, customers)
	if errors.Is(err, errBusy) { // another receipt of the customer is being posted; its balances are about to change
		return w.park(ctx, record.Scheduled, 2*time.Second)
	}
	if err != nil {
		return err
	}
	defer release()
	found, err := e.readBalances(ctx, c, &in, len(customers))
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	p := plan.Payment(in)
	if p.Has(plan.HeldForEntry) {
		return e.closeHeld(ctx, w, p, found)
	}
	if p.Verdict != plan.Create {
		return e.endPayment(ctx, w, p)
	}
	if reason, stop := w.stopped(); stop {
		return w.park(ctx, record.Waiting, time.Hour, append(p.Reasons, reason)...)
	}
	return e.postReceipts(ctx, w, in, p)
}

// readPayment reads the payment as the portal has it now. One that was deleted there counts as voided: if it was posted, a
// person is told (invoiced-api 14.2).
func (e *Engine) readPayment(ctx context.Context, w *work) (billing.Payment, error) {
	pay, err := w.c.Portal.Payment(ctx, w.rec.SourceID)
	if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
		return billing.Payment{ID: w.rec.SourceID, Voided: true}, nil
	}
	if err == nil {
		e.describePayment(w, pay)
	}
	return pay, err
}

// holdWithoutRights turns posting off where the site can not create receipts or not find them again: a receipt that can
// not be looked up could be posted twice (q360-api 4.6 rule 0).
func (e *Engine) holdWithoutRights(ctx context.Context, c *Company, set *settings.Company) error {
	caps, err := e.Check(ctx, c)
	if err == nil && !(caps.Has(connector.FeatureReceipts) && caps.Has(connector.FeatureFind)) {
		set.Payments.ReceiptMode = "hold"
	}
	return err
}

func (e *Engine) describePayment(w *work, pay billing.Payment) {
	fee := money.Zero(pay.Currency)
	for _, a := range pay.Applications {
		if a.Type == billing.ApplyConvenienceFee {
			fee = fee.Add(a.Amount)
		}
	}
	w.rec.Currency, w.rec.PortalTotal, w.rec.Method, w.rec.Fee = string(pay.Currency), pay.Amount.Amount(), pay.Method, fee.Amount()
}

// posted gives the plan the receipts that exist already.
func posted(r record.Record) map[string]billing.Receipt {
	out := map[string]billing.Receipt{}
	for _, x := range r.Receipts {
		amount, err := money.Parse(x.Amount, money.Currency(r.Currency))
		if err != nil {
			continue // written by us from an amount; it always parses
		}
		out[x.Reference] = billing.Receipt{Number: x.Number, Reference: x.Reference, Amount: amount}
	}
	return out
}

// endPayment stores a decision that posts nothing.
func (e *Engine) endPayment(ctx context.Context, w *work, p plan.Plan) error {
	status, due := record.Skipped, time.Duration(0)
	switch p.Verdict {
	case plan.None:
		status = record.Synced
	case plan.Hold: // pending, or to be keyed in by hand: an event usually comes first
		status, due = record.Waiting, 6*time.Hour
	case plan.Conflict:
		status = record.Attention
		if p.Has(plan.UnknownInvoice) {
			due = time.Hour // perhaps it is just being synced
		}
		if p.Has(plan.ReversedAfter) {
			status = record.Reversed
		}
	}
	return w.park(ctx, status, due, p.Reasons...)
}

// invoicesOf finds our records of the invoices a payment applies to and returns their customers, sorted. The balances
// they get are read later, under the customers' leases.
func (e *Engine) invoicesOf(ctx context.Context, w *work, in *plan.PaymentInput) ([]string, error) {
	in.Invoices = map[string]billing.Balance{}
	var customers []string
	for _, a := range in.Payment.Applications {
		if a.Type != billing.ApplyInvoice || in.Invoices[a.InvoiceID].Number != "" {
			continue
		}
		rec, err := e.byPortalID(ctx, w.c, a.InvoiceID)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			continue
		}
		in.Invoices[a.InvoiceID] = billing.Balance{Number: rec.SourceID}
		customers = append(customers, rec.Customer)
	}
	slices.Sort(customers)
	return slices.Compact(customers), nil
}

// leaseCustomers serialises receipts per customer, because two receipts on one invoice race on its balance
// (q360-api 4.6 rule 6). The leases are taken in sorted order, all or none.
func (e *Engine) leaseCustomers(ctx context.Context, c *Company, customers []string) (func(), error) {
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	for _, number := range customers {
		r, err := e.lease(ctx, store.ID(c.ID, "receipts", number))
		if err != nil {
			release()
			return nil, err
		}
		releases = append(releases, r)
	}
	return release, nil
}

// readBalances reads the ERP's balances now, without what an interrupted run of this payment, or a person under its
// references, applied already: its own receipts must not look like somebody else's. It returns those receipts.
func (e *Engine) readBalances(ctx context.Context, c *Company, in *plan.PaymentInput, receipts int) (map[string]billing.Receipt, error) {
	for id, b := range in.Invoices {
		got, err := c.ERP.Balance(ctx, b.Number)
		if err != nil {
			return nil, err
		}
		in.Invoices[id] = got
	}
	own := map[string]billing.Receipt{}
	byHand := in.Settings.Payments.ReceiptMode == "hold"
	for n := range receipts {
		reference := plan.Reference(c.Settings, in.Payment.ID, n)
		if _, known := in.Posted[reference]; known {
			continue
		}
		entry, err := e.journal.Get(ctx, journalKey(c, plan.ReceiptKey(reference)))
		if err != nil {
			return nil, err
		}
		if !byHand && (entry == nil || entry.Attempts == 0) {
			continue
		}
		found, err := c.ERP.FindReceipts(ctx, reference)
		if err != nil && !(byHand && cannotFind(err)) {
			return nil, err
		}
		addBack(in.Invoices, found)
		if len(found) == 1 {
			own[reference] = found[0]
		}
	}
	return own, nil
}

// cannotFind reports whether the site has no way of finding receipts, which is why they are keyed in by hand.
func cannotFind(err error) bool {
	class := connector.ClassOf(err)
	return class == connector.ClassForbidden || class == connector.ClassUnsupported
}

func addBack(invoices map[string]billing.Balance, receipts []billing.Receipt) {
	for _, r := range receipts {
		for _, l := range r.Lines {
			for id, b := range invoices {
				if l.Kind == billing.LineApplication && l.InvoiceNo == b.Number {
					b.Balance = b.Balance.Add(l.Amount)
					invoices[id] = b
				}
			}
		}
	}
}

// closeHeld ends a payment whose receipts are keyed in by hand: complete when all are found under their references with
// their amounts, waiting until then (q360-api 4.6 rule 10).
func (e *Engine) closeHeld(ctx context.Context, w *work, p plan.Plan, found map[string]billing.Receipt) error {
	for _, step := range p.Steps {
		r, there := found[step.Receipt.Reference]
		if !there {
			return e.endPayment(ctx, w, p)
		}
		if !r.Amount.Equal(step.Receipt.Amount) {
			problem := fmt.Sprintf("its amount is %s, not %s", r.Amount, step.Receipt.Amount)
			return w.park(ctx, record.Attention, 6*time.Hour, plan.Because(plan.ReceiptMismatch, "receipt", r.Number, "problem", problem))
		}
	}
	for _, step := range p.Steps {
		w.addReceipt(*step.Receipt, found[step.Receipt.Reference].Number, "found in the ERP")
	}
	return w.complete(ctx, nil)
}
