package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/intake"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// noteCredit makes a record of the work that follows a credit note which was just created in the portal: applying it to
// open invoices, where credit_notes.apply wants that. The work begins a little later, so that invoices which come with the
// note are there; after a first full read, much later.
func (e *Engine) noteCredit(ctx context.Context, w *work) error {
	if apply := w.c.Settings.CreditNotes.Apply; apply == "" || apply == "none" {
		return nil
	}
	now, pause := e.clock.Now(), e.opt.Grace
	if w.rec.Backfill {
		pause = time.Hour
	}
	rec := record.Record{
		Company: w.c.ID, Kind: billing.KindCredit, SourceID: w.rec.SourceID, Customer: w.rec.Customer, Status: record.Scheduled,
		DueAt: store.At(now.Add(pause)), CreatedAt: store.At(now), UpdatedAt: store.At(now),
	}
	if _, err := e.records.Create(ctx, rec.ID(), rec); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("noting credit %s: %w", w.rec.SourceID, err)
	}
	return nil
}

// syncCredit applies a credit note of the portal to open invoices. What is applied is no cash: the payment that stands for
// it has no cash part, so that its event never becomes a receipt (F25).
func (e *Engine) syncCredit(ctx context.Context, c *Company, number string) error {
	w, err := e.take(ctx, c, billing.KindCredit, number)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	credits, able := connector.As[connector.Credits](c.Portal)
	if !able {
		return w.park(ctx, record.Skipped, 0, plan.Because(plan.CreditsMissing))
	}
	if reason, stop := w.stopped(); stop {
		return w.park(ctx, record.Waiting, time.Hour, reason)
	}
	id, err := e.noteID(ctx, w)
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	if id == "" {
		return w.park(ctx, record.Waiting, 10*time.Minute, plan.Because(plan.CreditWaits, "note", number))
	}
	note, err := c.Portal.Document(ctx, billing.KindCreditNote, id)
	if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
		return w.park(ctx, record.Skipped, 0, plan.Because(plan.GoneInPortal))
	}
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	return e.applyCredit(ctx, w, credits, note)
}

// noteID is the portal's id of the credit note; "" while it is not there.
func (e *Engine) noteID(ctx context.Context, w *work) (string, error) {
	rec, _, err := e.records.Get(ctx, record.ID(w.c.ID, billing.KindInvoice, w.rec.SourceID))
	if errors.Is(err, store.ErrNotFound) || err == nil && rec.PortalKind != billing.KindCreditNote {
		return "", nil
	}
	return rec.PortalID, err
}

// applyCredit ends what an interrupted run began and then does what the plan says, from balances read after that.
func (e *Engine) applyCredit(ctx context.Context, w *work, credits connector.Credits, note billing.PortalDocument) error {
	for i, use := range w.rec.Uses {
		if use.PaymentID == "" {
			if err := e.useCredit(ctx, w, credits, note, i); err != nil {
				return w.refusedUse(ctx, err)
			}
			var err error
			if note, err = w.c.Portal.Document(ctx, billing.KindCreditNote, note.ID); err != nil {
				return w.fail(ctx, vendorPortal, err)
			}
		}
	}
	in, err := e.creditInput(ctx, w, credits, note)
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	p := plan.Credit(in)
	e.planned(w, p)
	left := note.Balance
	for _, step := range p.Steps {
		w.rec.Uses = append(w.rec.Uses, record.Use{
			Invoice: step.Credit.InvoiceNo, InvoiceID: step.Credit.InvoiceID, Amount: step.Credit.Amount.Amount(), Before: left.Amount(),
		})
		if err := e.useCredit(ctx, w, credits, note, len(w.rec.Uses)-1); err != nil {
			return w.refusedUse(ctx, err)
		}
		left = left.Sub(step.Credit.Amount)
	}
	return w.finish(ctx, func(r *record.Record) {
		reasons := []plan.Reason{}
		for _, u := range r.Uses {
			reasons = append(reasons, plan.Because(plan.CreditApplied, "amount", u.Amount+" "+r.Currency, "invoice", u.Invoice))
		}
		r.Attempts, r.PortalID = 0, note.ID
		r.Set(record.Synced, append(reasons, p.Reasons...))
		r.Note(e.clock.Now(), "credit applied", r.Summary)
	})
}

// refusedUse forgets a use that the portal clearly did not take, so that the next run plans anew, and ends the work. Most
// often another credit note, or a payment, was quicker; after a few tries a person has to look, while it is tried on.
func (w *work) refusedUse(ctx context.Context, err error) error {
	if !errors.Is(err, errOpen) && !connector.Ambiguous(err) {
		w.rec.Uses = slices.DeleteFunc(slices.Clone(w.rec.Uses), func(u record.Use) bool { return u.PaymentID == "" })
	}
	if !definite(err) {
		return w.fail(ctx, vendorPortal, err)
	}
	reason := plan.Because(plan.VendorRefused, "vendor", vendorPortal, "problem", intake.Cause(err))
	if w.rec.Attempts++; w.rec.Attempts > patience {
		return w.park(ctx, record.Attention, missingAgain, reason)
	}
	return w.park(ctx, record.Scheduled, w.backoff(0), reason)
}

// creditInput reads what the plan needs: the customer's open invoices that arbridge synced, and the contracts in the ERP.
func (e *Engine) creditInput(ctx context.Context, w *work, credits connector.Credits, note billing.PortalDocument) (plan.CreditInput, error) {
	in := plan.CreditInput{Settings: w.c.Settings, Number: w.rec.SourceID, Note: note}
	w.rec.Currency, w.rec.PortalTotal = string(note.Currency), note.Total.Amount()
	for _, u := range w.rec.Uses {
		in.Used = append(in.Used, u.Invoice)
	}
	contract, err := e.contractOf(ctx, w.c, w.rec.SourceID)
	if err != nil || note.Balance.IsZero() {
		return in, err
	}
	in.ContractNo = contract
	open, err := credits.OpenInvoices(ctx, note.CustomerID)
	if err != nil {
		return in, err
	}
	for _, d := range open {
		rec, err := e.byPortalID(ctx, w.c, billing.KindInvoice, d.ID)
		if err != nil {
			return in, err
		}
		if rec == nil {
			continue
		}
		if contract, err = e.contractOf(ctx, w.c, rec.SourceID); err != nil {
			return in, err
		}
		in.Open = append(in.Open, plan.OpenInvoice{Document: d, Number: rec.SourceID, ContractNo: contract})
	}
	return in, nil
}

// contractOf is the contract of an invoice in the ERP, as last read.
func (e *Engine) contractOf(ctx context.Context, c *Company, number string) (string, error) {
	s, _, err := e.sources.Get(ctx, record.ID(c.ID, billing.KindInvoice, number))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var inv billing.Invoice
	err = s.Decode(&inv)
	return inv.ContractNo, err
}

// useCredit brings one use of the note to exist once. It is in the record before the call, because what is looked up after
// a lost answer is what was sent then, not what would be planned now.
func (e *Engine) useCredit(ctx context.Context, w *work, credits connector.Credits, note billing.PortalDocument, i int) error {
	use := w.rec.Uses[i]
	amount, err := money.Parse(use.Amount, note.Currency)
	if err != nil {
		return fmt.Errorf("applying credit note %s: %w", w.rec.SourceID, err)
	}
	step := plan.CreditStep(w.rec.SourceID, plan.CreditUse{
		CustomerID: note.CustomerID, CreditNoteID: note.ID, InvoiceID: use.InvoiceID, InvoiceNo: use.Invoice, Amount: amount,
	})
	id, err := e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), amount: use.Amount, checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			return credits.ApplyCreditNote(ctx, connector.CreditApplication{
				CustomerID: note.CustomerID, CreditNoteID: note.ID, InvoiceID: use.InvoiceID, Amount: amount,
			}, step.Digest())
		},
		look: func(ctx context.Context) (string, bool, error) { return e.findUse(ctx, w, use, note.ID, amount) },
	})
	if err != nil {
		return err
	}
	w.rec.Uses = slices.Clone(w.rec.Uses)
	w.rec.Uses[i].PaymentID = id
	w.rec.Note(e.clock.Now(), "applied", fmt.Sprintf("%s to invoice %s, payment %s", amount, use.Invoice, id))
	return nil
}

// findUse asks the portal whether a use happened. While as much is left of the note as before it did not. Otherwise the
// payment that stands for it is looked for among those made since: somebody else may have used the note.
func (e *Engine) findUse(ctx context.Context, w *work, use record.Use, noteID string, amount money.Money) (string, bool, error) {
	note, err := w.c.Portal.Document(ctx, billing.KindCreditNote, noteID)
	if err != nil || note.Balance.Amount() == use.Before {
		return "", false, err
	}
	id, unread := "", 0
	err = eachPage("finding the use of credit note "+noteID, func(page string) (connector.Page[billing.Payment], error) {
		p, err := w.c.Portal.ListPayments(ctx, w.rec.CreatedAt.Add(-10*time.Minute), page)
		unread += len(p.Bad)
		return p, err
	}, func(pay billing.Payment) {
		known := slices.ContainsFunc(w.rec.Uses, func(u record.Use) bool { return u.PaymentID == pay.ID })
		if pay.Voided || known {
			return
		}
		for _, a := range pay.Applications {
			if a.Type == billing.ApplyCreditNote && a.InvoiceID == use.InvoiceID && a.Amount.Equal(amount) {
				id = pay.ID
			}
		}
	})
	if err == nil && id == "" && unread > 0 { // one of those may be it: nothing is clear
		err = &connector.Error{Class: connector.ClassRetry, Op: "looking for the use of credit note " + w.rec.SourceID,
			Err: fmt.Errorf("%d payments of the list can not be read", unread)}
	}
	return id, id != "", err
}
