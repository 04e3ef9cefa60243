package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// postReceipts posts what the plan says, one receipt after the other; each is remembered as soon as it is there.
func (e *Engine) postReceipts(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan) error {
	for _, step := range p.Steps {
		number, reason, err := e.postReceipt(ctx, w, *step.Receipt, step)
		if err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		if reason != nil {
			stopped := plan.Plan{Verdict: plan.Conflict, Reasons: append(p.Reasons, *reason)}
			return w.park(ctx, record.Attention, recheck(stopped), stopped.Reasons...)
		}
		w.addReceipt(*step.Receipt, number, "posted")
	}
	return e.completed(ctx, w, in, p.Reasons)
}

// addReceipt remembers a receipt that is in the ERP.
func (w *work) addReceipt(r billing.Receipt, number, what string) {
	w.rec.Receipts = append(w.rec.Receipts, receiptRecord(r, number))
	w.rec.Note(w.e.clock.Now(), what, fmt.Sprintf("cash receipt %s (%s) over %s", number, r.Reference, r.Amount))
}

// completed ends a payment all of whose receipts are there. What became of the money before they were is told at once: a
// part of it that was paid back, a dispute.
func (e *Engine) completed(ctx context.Context, w *work, in plan.PaymentInput, reasons []plan.Reason) error {
	in.Posted, in.Complete, in.PostedAs = posted(w.rec), true, plan.Parts(in.Payment)
	w.rec.Complete, w.rec.PostedAs, w.rec.Attempts, w.rec.SourceTotal = true, in.PostedAs, 0, w.rec.PortalTotal
	w.rec.Wanted, w.rec.Doubles = nil, nil
	if p := plan.Payment(in); p.Verdict == plan.Conflict {
		return e.endPayment(ctx, w, p)
	}
	return w.finish(ctx, func(r *record.Record) { r.Set(record.Synced, reasons) })
}

// closeHeld ends a payment whose receipts are keyed in by hand: complete when all are found under their references with
// their amounts, waiting until then with all that is to be keyed in (q360-api 4.6 rule 10).
func (e *Engine) closeHeld(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan, found map[string]billing.Receipt) error {
	var missing []billing.Receipt
	for _, step := range p.Steps {
		r, there := found[step.Receipt.Reference]
		if !there {
			missing = append(missing, *step.Receipt)
			continue
		}
		if !r.Amount.Equal(step.Receipt.Amount) {
			problem := fmt.Sprintf("its amount is %s, not %s", r.Amount, step.Receipt.Amount)
			return w.park(ctx, record.Attention, 6*time.Hour, plan.Because(plan.ReceiptMismatch, "receipt", r.Number, "problem", problem))
		}
	}
	if err := w.rec.Want(missing); err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if len(missing) > 0 {
		reason, err := e.keyedIn(ctx, w, missing)
		if err != nil && !cannotFind(err) {
			return w.fail(ctx, vendorERP, err)
		}
		if reason != nil {
			p = plan.Plan{Verdict: plan.Conflict, Reasons: []plan.Reason{*reason}}
		}
		return e.endPayment(ctx, w, p)
	}
	for _, step := range p.Steps {
		w.addReceipt(*step.Receipt, found[step.Receipt.Reference].Number, "found in the ERP")
	}
	return e.completed(ctx, w, in, nil)
}

// overpaid ends a payment that pays more than is owed. Perhaps it is owed no more because somebody keyed the payment in.
func (e *Engine) overpaid(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan) error {
	loose := in
	loose.Settings.Payments.Overpayment, loose.Others = "on_account", map[string]settings.Company{}
	for code, set := range in.Others {
		set.Payments.Overpayment = "on_account"
		loose.Others[code] = set
	}
	var wanted []billing.Receipt
	for _, s := range plan.Payment(loose).Steps {
		wanted = append(wanted, *s.Receipt)
	}
	reason, err := e.keyedIn(ctx, w, wanted)
	if err != nil && !cannotFind(err) {
		return w.fail(ctx, vendorERP, err)
	}
	if reason != nil {
		p.Reasons = []plan.Reason{*reason}
	}
	return e.endPayment(ctx, w, p)
}

// keyedIn looks for receipts that somebody may have keyed in for those wanted, under other references (q360-api 4.4.7).
func (e *Engine) keyedIn(ctx context.Context, w *work, wanted []billing.Receipt) (*plan.Reason, error) {
	w.rec.Doubles = nil
	var numbers []string
	for _, r := range wanted {
		similar, err := e.onSite(w.c, r.CompanyNo).ERP.SimilarReceipts(ctx, r.CustomerNo, r.Amount, r.Date)
		if err != nil {
			return nil, err
		}
		for _, s := range similar {
			if e.posts(w.c, s.Reference) || slices.Contains(w.rec.Distinct, s.Number) {
				continue
			}
			numbers = append(numbers, s.Number)
			w.rec.Doubles = append(w.rec.Doubles, record.Double{
				Number: s.Number, Reference: r.Reference, Customer: r.CustomerNo, Company: r.CompanyNo, Date: string(r.Date), Amount: r.Amount.Amount(),
			})
		}
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	slices.Sort(numbers)
	reason := plan.Because(plan.PossibleDouble, "receipt", strings.Join(slices.Compact(numbers), ", "))
	return &reason, nil
}

// posts reports whether a reference is one that a company of the site uses for its receipts.
func (e *Engine) posts(c *Company, reference string) bool {
	for _, o := range e.companies {
		prefix := o.Settings.Payments.ReferencePrefix
		if (o == c || c.Site != "" && o.Site == c.Site) && prefix != "" && len(reference) > len(prefix) && strings.HasPrefix(reference, prefix) {
			return true
		}
	}
	return false
}

// ResolveDuplicate is a person's answer to a possible duplicate: the number of the receipt that was keyed in for the
// payment, which is adopted as it is, or "" when none of those found is, and the payment is to be posted. ErrOperator says
// why that can not be done; ErrNothing when no such payment is known.
func (e *Engine) ResolveDuplicate(ctx context.Context, by By, company, paymentID, adopt string) (record.Record, error) {
	c, err := e.Company(company)
	if err != nil {
		return record.Record{}, err
	}
	action := "not a duplicate"
	if adopt != "" {
		action = "adopt receipt " + adopt
	}
	rec, err := e.changeRecord(ctx, by, action, Target{Number: paymentID, Company: company, Kind: billing.KindPayment}, func(r *record.Record) error {
		if len(r.Doubles) == 0 {
			return refuse("no receipt in the ERP is like payment %s", paymentID)
		}
		if adopt == "" {
			for _, d := range r.Doubles {
				r.Distinct = append(r.Distinct, d.Number)
			}
		} else if err := e.adopt(ctx, c, r, adopt); err != nil {
			return err
		}
		r.Doubles = nil
		r.Set(record.Scheduled, nil)
		r.DueAt = store.At(e.clock.Now())
		return nil
	})
	if err == nil {
		e.announce(ctx, &rec)
	}
	return rec, err
}

// adopt makes a receipt that somebody keyed in the payment's own, if it is still there.
func (e *Engine) adopt(ctx context.Context, c *Company, r *record.Record, number string) error {
	i := slices.IndexFunc(r.Doubles, func(d record.Double) bool { return d.Number == number })
	if i < 0 {
		return refuse("receipt %s is none of those found for payment %s", number, r.SourceID)
	}
	d := r.Doubles[i]
	amount, err := money.Parse(d.Amount, money.Currency(r.Currency))
	if err != nil {
		return fmt.Errorf("adopting receipt %s: %w", number, err)
	}
	at := e.onSite(c, d.Company)
	if at == nil {
		return refuse("company %s of the ERP is not configured any more", d.Company)
	}
	found, err := at.ERP.SimilarReceipts(ctx, d.Customer, amount, billing.Date(d.Date))
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Number == number {
			adopted := receiptRecord(f, number)
			adopted.Reference, adopted.Adopted = d.Reference, true
			r.Receipts = append(r.Receipts, adopted)
			return nil
		}
	}
	return refuse("receipt %s is not in the ERP any more with this customer, amount and date", number)
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
func (e *Engine) postReceipt(ctx context.Context, w *work, r billing.Receipt, step plan.Step) (string, *plan.Reason, error) {
	number, reason, err := e.receiptHeader(ctx, w, &r, step)
	if err != nil || reason != nil {
		return "", reason, err
	}
	if err := e.receiptLines(ctx, w, r, number, step); err != nil {
		if errors.Is(err, errAttempts) || connector.ClassOf(err) == connector.ClassInvalid {
			return "", refused(err, r.Date, w.c.Settings.Payments.Attempts), nil
		}
		return "", nil, err
	}
	return e.verifyReceipt(ctx, w, r, number)
}

func refused(err error, date billing.Date, attempts int) *plan.Reason {
	r := plan.Because(plan.ReceiptRefused, "problem", err.Error())
	switch {
	case errors.Is(err, errAttempts):
		r = plan.Because(plan.ReceiptAttempts, "attempts", fmt.Sprint(attempts))
	case closedPeriod(err):
		r = plan.Because(plan.ClosedPeriod, "date", string(date))
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
		if reason, err := e.precheck(ctx, w, r, step); reason != nil || err != nil {
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
			if resumed {
				var err error
				if stop, err = e.precheck(ctx, w, r, step); err != nil {
					return "", readOnly(err)
				}
				if stop != nil {
					return "", connector.NewError(connector.ClassInvalid, "posting receipt "+r.Reference, "%s", stop.Text())
				}
			}
			return e.inOpenPeriod(ctx, w, r, step, e.onSite(w.c, r.CompanyNo).ERP.CreateReceipt)
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
		return "", refused(err, r.Date, w.c.Settings.Payments.Attempts), nil
	}
	return number, nil, err
}

// precheck looks for a receipt that somebody keyed in and asks the ERP for a preview, re-dating the receipt when the
// period is closed and the settings allow it.
func (e *Engine) precheck(ctx context.Context, w *work, r *billing.Receipt, step plan.Step) (*plan.Reason, error) {
	reason, err := e.keyedIn(ctx, w, []billing.Receipt{*step.Receipt})
	if reason != nil || err != nil {
		return reason, err
	}
	at := e.onSite(w.c, r.CompanyNo).ERP
	_, err = e.inOpenPeriod(ctx, w, r, step, func(ctx context.Context, r billing.Receipt) (string, error) { return "", at.PreviewReceipt(ctx, r) })
	if err != nil && connector.ClassOf(err) == connector.ClassInvalid {
		return refused(err, r.Date, 0), nil
	}
	return nil, err
}

// inOpenPeriod asks the ERP to take a receipt. One that it refuses because the period is closed gets the first day of the
// next month, and of the one after that, where the settings allow it, with the true date in its comment (q360-api 4.6
// rule 8): a refusal is definite, so nothing is there yet.
func (e *Engine) inOpenPeriod(
	ctx context.Context, w *work, r *billing.Receipt, step plan.Step, try func(context.Context, billing.Receipt) (string, error),
) (string, error) {
	policy := e.onSite(w.c, r.CompanyNo).Settings.Payments.ClosedPeriod
	for moved := 0; ; moved++ {
		number, err := try(ctx, *r)
		if !closedPeriod(err) || policy != "next_open_day" || moved == 3 {
			return number, err
		}
		day, bad := time.Parse(time.DateOnly, string(r.Date))
		if bad != nil {
			return number, err
		}
		r.Date = billing.Date(time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
		r.Comment = fmt.Sprintf("%s of %s; period closed", step.Receipt.Comment, step.Receipt.Date)
	}
}

func closedPeriod(err error) bool {
	var ce *connector.Error
	return errors.As(err, &ce) && ce.Code == "closed_period" && !ce.Ambiguous
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
			return number, e.onSite(w.c, r.CompanyNo).ERP.CreateReceiptLines(ctx, number, r, lines)
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
func (e *Engine) verifyReceipt(ctx context.Context, w *work, r billing.Receipt, number string) (string, *plan.Reason, error) {
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
