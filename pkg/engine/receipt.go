package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// postReceipts posts what the plan says, one receipt after the other; each is remembered as soon as it is there.
func (e *Engine) postReceipts(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan) error {
	for _, step := range p.Steps {
		number, reason, err := e.postReceipt(ctx, w, in, *step.Receipt, step)
		if err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		if reason != nil {
			return w.park(ctx, record.Attention, 0, append(p.Reasons, *reason)...)
		}
		w.addReceipt(*step.Receipt, number, "posted")
	}
	return w.complete(ctx, p.Reasons)
}

// addReceipt remembers a receipt that is in the ERP.
func (w *work) addReceipt(r billing.Receipt, number, what string) {
	w.rec.Receipts = append(w.rec.Receipts, receiptRecord(r, number))
	w.rec.Note(w.e.clock.Now(), what, fmt.Sprintf("cash receipt %s (%s) over %s", number, r.Reference, r.Amount))
}

// complete ends a payment all of whose receipts are there.
func (w *work) complete(ctx context.Context, reasons []plan.Reason) error {
	return w.finish(ctx, func(r *record.Record) {
		r.Set(record.Synced, reasons)
		r.Complete, r.Attempts, r.SourceTotal = true, 0, r.PortalTotal
	})
}

// regainReceipts finds the receipts that an interrupted run posted without getting to remember them, before a payment that
// was taken back is let go: somebody has to reverse them.
func (e *Engine) regainReceipts(ctx context.Context, w *work, in *plan.PaymentInput) error {
	for n := 0; ; n++ {
		reference := plan.Reference(w.c.Settings, in.Payment.ID, n)
		entry, err := e.journal.Get(ctx, journalKey(w.c, plan.ReceiptKey(reference)))
		if err != nil || entry == nil {
			return err
		}
		if _, known := in.Posted[reference]; known || entry.Attempts == 0 || entry.State == journal.Refused {
			continue
		}
		found, err := w.c.ERP.FindReceipts(ctx, reference)
		if err != nil {
			return err
		}
		now := e.clock.Now()
		if len(found) == 0 && entry.Open() && now.Before(entry.StartedAt.Add(e.settled())) {
			return openError{now.Add(e.opt.ReceiptChecks[0])}
		}
		for _, r := range found {
			w.rec.Currency = string(r.Amount.Currency())
			w.addReceipt(r, r.Number, "found in the ERP")
			in.Posted[reference] = r
		}
	}
}

// settled is how long after a lost write a clear "absent" answer is believed.
func (e *Engine) settled() time.Duration {
	var d time.Duration
	for _, pause := range e.opt.ReceiptChecks {
		d += pause
	}
	return d
}

func receiptRecord(r billing.Receipt, number string) record.Receipt {
	fees, loose := money.Zero(r.Amount.Currency()), money.Zero(r.Amount.Currency())
	for _, l := range r.Lines {
		switch l.Kind {
		case billing.LineFee:
			fees = fees.Add(l.Amount)
		case billing.LineOnAccount:
			loose = loose.Add(l.Amount)
		}
	}
	return record.Receipt{Reference: r.Reference, Number: number, Amount: r.Amount.Amount(), Fees: fees.Amount(), OnAccount: loose.Amount()}
}

// postReceipt brings one receipt to exist exactly once (q360-api 4.6). A reason instead of an error is for a person.
func (e *Engine) postReceipt(ctx context.Context, w *work, in plan.PaymentInput, r billing.Receipt, step plan.Step) (string, *plan.Reason, error) {
	number, reason, err := e.receiptHeader(ctx, w, &r, step)
	if err != nil || reason != nil {
		return "", reason, err
	}
	if err := e.receiptLines(ctx, w, r, number, step); err != nil {
		if errors.Is(err, errAttempts) || connector.ClassOf(err) == connector.ClassInvalid {
			return "", refused(err, w.c.Settings.Payments.Attempts), nil
		}
		return "", nil, err
	}
	return e.verifyReceipt(ctx, w, in, r, number)
}

func refused(err error, attempts int) *plan.Reason {
	r := plan.Because(plan.ReceiptRefused, "problem", err.Error())
	if errors.Is(err, errAttempts) {
		r = plan.Because(plan.ReceiptAttempts, "attempts", fmt.Sprint(attempts))
	}
	return &r
}

// receiptHeader finds or creates the header. r gets the date it has in the ERP.
func (e *Engine) receiptHeader(ctx context.Context, w *work, r *billing.Receipt, step plan.Step) (string, *plan.Reason, error) {
	entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
	if err != nil {
		return "", nil, err
	}
	if entry == nil || !entry.Open() && entry.VendorID == "" {
		found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
		if err != nil {
			return "", nil, err
		}
		if len(found) > 0 {
			return found[0].Number, nil, nil // ours from before the journal knew, or keyed in under our reference: verified below
		}
		if reason, err := e.precheck(ctx, w, r); reason != nil || err != nil {
			return "", reason, err
		}
	}
	return e.createHeader(ctx, w, r, step, entry != nil && entry.Open())
}

// createHeader brings the header to exist once. For one whose first attempt is long ago, resumed, another attempt checks
// again what was checked before the first.
func (e *Engine) createHeader(ctx context.Context, w *work, r *billing.Receipt, step plan.Step, resumed bool) (string, *plan.Reason, error) {
	var stop *plan.Reason
	number, err := e.perform(ctx, w.c, w, effect{
		vendor: vendorERP, step: step, record: w.rec.ID(), amount: r.Amount.Amount(), checks: e.opt.ReceiptChecks, attempts: w.c.Settings.Payments.Attempts,
		call: func(ctx context.Context) (string, error) {
			if !resumed {
				return w.c.ERP.CreateReceipt(ctx, *r)
			}
			var err error
			if stop, err = e.precheck(ctx, w, r); err != nil {
				return "", readOnly(err)
			}
			if stop != nil {
				return "", connector.NewError(connector.ClassInvalid, "posting receipt "+r.Reference, "%s", stop.Text())
			}
			return w.c.ERP.CreateReceipt(ctx, *r)
		},
		look: func(ctx context.Context) (string, bool, error) {
			found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
			if err != nil || len(found) == 0 {
				return "", false, err
			}
			return found[0].Number, true, nil
		},
	})
	if stop != nil {
		return "", stop, nil
	}
	if errors.Is(err, errAttempts) || err != nil && connector.ClassOf(err) == connector.ClassInvalid {
		return "", refused(err, w.c.Settings.Payments.Attempts), nil
	}
	return number, nil, err
}

// precheck looks for a receipt that somebody keyed in and asks the ERP for a preview, re-dating the receipt when the
// period is closed and the settings allow it.
func (e *Engine) precheck(ctx context.Context, w *work, r *billing.Receipt) (*plan.Reason, error) {
	similar, err := w.c.ERP.SimilarReceipts(ctx, r.CustomerNo, r.Amount, r.Date)
	if err != nil {
		return nil, err
	}
	for _, s := range similar {
		if !ours(s.Reference, w.c.Settings.Payments.ReferencePrefix) {
			reason := plan.Because(plan.PossibleDouble, "receipt", s.Number)
			return &reason, nil
		}
	}
	asked := r.Date
	for range 4 {
		err = w.c.ERP.PreviewReceipt(ctx, *r)
		var ce *connector.Error
		if !errors.As(err, &ce) || ce.Code != "closed_period" || w.c.Settings.Payments.ClosedPeriod != "next_open_day" {
			break
		}
		next, perr := time.Parse(time.DateOnly, string(r.Date))
		if perr != nil {
			break
		}
		r.Date = billing.Date(time.Date(next.Year(), next.Month()+1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
		r.Comment = fmt.Sprintf("Invoiced payment of %s; period closed", asked)
	}
	if err != nil && connector.ClassOf(err) == connector.ClassInvalid {
		return refused(err, 0), nil
	}
	return nil, err
}

func ours(reference, prefix string) bool {
	return prefix != "" && len(reference) > len(prefix) && reference[:len(prefix)] == prefix
}

// receiptLines writes the lines that the receipt does not have yet.
func (e *Engine) receiptLines(ctx context.Context, w *work, r billing.Receipt, number string, step plan.Step) error {
	step.Key += "/lines"
	missing := func(ctx context.Context) ([]billing.ReceiptLine, error) {
		found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return r.Lines, nil
		}
		r.Date = found[0].Date // an earlier run may have moved it to an open period
		return missingLines(r.Lines, found[0].Lines), nil
	}
	_, err := e.perform(ctx, w.c, w, effect{
		vendor: vendorERP, step: step, record: w.rec.ID(), amount: r.Amount.Amount(), checks: e.opt.ReceiptChecks, attempts: w.c.Settings.Payments.Attempts,
		call: func(ctx context.Context) (string, error) {
			lines, err := missing(ctx)
			if err != nil {
				return "", readOnly(err)
			}
			if len(lines) == 0 {
				return number, nil
			}
			return number, w.c.ERP.CreateReceiptLines(ctx, number, r, lines)
		},
		look: func(ctx context.Context) (string, bool, error) {
			lines, err := missing(ctx)
			return number, err == nil && len(lines) == 0, err
		},
	})
	return err
}

// readOnly marks the failure of a read that came before a write: nothing was written.
func readOnly(err error) error {
	var ce *connector.Error
	if errors.As(err, &ce) {
		c := *ce
		c.Ambiguous = false
		return &c
	}
	return err
}

// missingLines are the wanted lines that are not among the present ones, compared by kind, invoice and amount.
func missingLines(want, have []billing.ReceiptLine) []billing.ReceiptLine {
	left := slices.Clone(have)
	var out []billing.ReceiptLine
	for _, l := range want {
		i := slices.IndexFunc(left, func(h billing.ReceiptLine) bool {
			return h.Kind == l.Kind && h.InvoiceNo == l.InvoiceNo && h.Amount.Equal(l.Amount)
		})
		if i < 0 {
			out = append(out, l)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// verifyReceipt checks that the ERP has exactly one receipt with the reference and that it is what was sent.
func (e *Engine) verifyReceipt(ctx context.Context, w *work, in plan.PaymentInput, r billing.Receipt, number string) (string, *plan.Reason, error) {
	found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
	if err != nil {
		return "", nil, err
	}
	problem := ""
	switch {
	case len(found) != 1:
		problem = fmt.Sprintf("%d receipts have reference %s", len(found), r.Reference)
	case !found[0].Amount.Equal(r.Amount):
		problem = fmt.Sprintf("its amount is %s, not %s", found[0].Amount, r.Amount)
	case len(missingLines(r.Lines, found[0].Lines)) > 0 || len(found[0].Lines) != len(r.Lines):
		problem = "its lines are not the ones that were sent"
	}
	if problem != "" {
		reason := plan.Because(plan.ReceiptMismatch, "receipt", number, "problem", problem)
		return "", &reason, nil
	}
	return number, nil, nil
}
