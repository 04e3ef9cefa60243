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
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// postReceipts posts what the plan says, one receipt after the other; each is remembered as soon as it is there. found are
// those that an interrupted run may have posted.
func (e *Engine) postReceipts(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan, found map[string]billing.Receipt) error {
	if err := w.begin(in, p); err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	for _, step := range p.Steps {
		w.expect(in, *step.Receipt, found)
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
	w.rec.Wanted, w.rec.Doubles, w.rec.Begun = nil, nil, nil
	if p := plan.Payment(in); p.Verdict == plan.Conflict {
		return e.endPayment(ctx, w, p)
	}
	if len(w.rec.Applied) > 0 {
		return e.compareBalances(ctx, w, reasons)
	}
	return w.finish(ctx, func(r *record.Record) { r.Set(record.Synced, reasons) })
}

// expect remembers, before a receipt is posted, the balances that it will lower; it is stored with the start of the
// posting. Where an interrupted run wrote lines already, what that run remembered counts.
func (w *work) expect(in plan.PaymentInput, r billing.Receipt, found map[string]billing.Receipt) {
	mine := func(a record.Applied) bool { return a.Reference == r.Reference }
	if len(found[r.Reference].Lines) > 0 && slices.ContainsFunc(w.rec.Applied, mine) {
		return
	}
	w.rec.Applied = slices.DeleteFunc(slices.Clone(w.rec.Applied), mine)
	for _, l := range r.Lines {
		for _, b := range in.Invoices {
			if l.Kind == billing.LineApplication && l.InvoiceNo == b.Number {
				w.rec.Applied = append(w.rec.Applied, record.Applied{Reference: r.Reference, Invoice: b.Number, Customer: b.CustomerNo,
					Company: b.CompanyNo, Before: b.Balance.Amount(), Amount: l.Amount.Amount(), At: store.At(w.e.clock.Now())})
			}
		}
	}
}

// unexpected forgets what a receipt that was in the ERP already would have done to balances.
func (w *work) unexpected(reference string) {
	w.rec.Applied = slices.DeleteFunc(slices.Clone(w.rec.Applied), func(a record.Applied) bool { return a.Reference == reference })
}

// compareBalances ends a payment whose receipts are all there: in step when the balances in the ERP are what the receipts
// had to make of them. Before anything is said of a difference it is read once more. reasons describe the payment.
func (e *Engine) compareBalances(ctx context.Context, w *work, reasons []plan.Reason) error {
	caps, err := e.Check(ctx, w.c)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if caps.Applied == "" {
		w.rec.Applied = nil
	}
	w.keepOwnApplied()
	var p plan.Plan
	var next time.Duration
	for range 2 {
		in, err := e.balancesNow(ctx, w)
		if err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		in.Later = caps.Applied != connector.AppliedOnCreate
		if p, next = plan.Balances(in); p.Verdict != plan.Conflict {
			break
		}
	}
	if p.Verdict == plan.Conflict {
		return w.park(ctx, record.Attention, 24*time.Hour, p.Reasons...)
	}
	return w.finish(ctx, func(r *record.Record) {
		r.Set(record.Synced, append(slices.Clone(reasons), p.Reasons...))
		if p.Verdict == plan.Hold {
			r.DueAt = store.At(e.clock.Now().Add(next))
			return
		}
		r.Applied = nil
	})
}

// keepOwnApplied drops what was expected of receipts that came to be in another way: keyed in, adopted.
func (w *work) keepOwnApplied() {
	w.rec.Applied = slices.DeleteFunc(slices.Clone(w.rec.Applied), func(a record.Applied) bool {
		posted := slices.ContainsFunc(w.rec.Receipts, func(r record.Receipt) bool { return r.Reference == a.Reference && !r.Adopted })
		return !posted || w.e.onSite(w.c, a.Company) == nil
	})
}

// balancesNow reads the balances that a payment's receipts had to lower: those of one customer together.
func (e *Engine) balancesNow(ctx context.Context, w *work) (in plan.BalancesInput, err error) {
	numbers := map[[2]string][]string{}
	for _, a := range w.rec.Applied {
		of := [2]string{a.Company, a.Customer}
		numbers[of] = append(numbers[of], a.Invoice)
	}
	now, asked := map[string]billing.Balance{}, e.clock.Now()
	for of, list := range numbers {
		got, err := readSeveral(ctx, e.onSite(w.c, of[0]), of[1], list)
		if err != nil {
			return in, err
		}
		for i, b := range got {
			now[list[i]] = b
		}
	}
	for _, a := range w.rec.Applied {
		b := now[a.Invoice]
		before, amount, err := a.Amounts(b.Currency)
		if err != nil {
			return in, fmt.Errorf("comparing the balance of invoice %s: %w", a.Invoice, err)
		}
		number := a.Reference
		for _, r := range w.rec.Receipts {
			if r.Reference == a.Reference {
				number = r.Number
			}
		}
		in.Applied = append(in.Applied, plan.Applied{Receipt: number, InvoiceNo: a.Invoice, Before: before, Amount: amount, Now: b.Balance})
		in.Waited = max(in.Waited, asked.Sub(a.At.Time))
	}
	return in, nil
}

// readSeveral reads the balances of a customer's invoices with as few calls as the ERP can.
func readSeveral(ctx context.Context, c *Company, customer string, numbers []string) ([]billing.Balance, error) {
	if len(numbers) > 1 {
		return c.ERP.Balances(ctx, customer, numbers)
	}
	b, err := c.ERP.Balance(ctx, numbers[0])
	return []billing.Balance{b}, err
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
		begun, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
		if err != nil {
			return err
		}
		if begun != nil && begun.Attempts > 0 { // by us, before receipts were to be keyed in
			if !whole(r) {
				return w.park(ctx, record.Attention, time.Hour, w.begun(found)...)
			}
			if err := e.closeReceipt(ctx, w, begun, r); err != nil {
				return w.fail(ctx, vendorERP, err)
			}
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
		w.unexpected(step.Receipt.Reference)
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
		p.Reasons = append(plan.Without(p.Reasons, plan.Overpayment), *reason)
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
			if len(found[0].Lines) > 0 {
				w.unexpected(r.Reference)
			}
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
			number, err := e.inOpenPeriod(ctx, w, r, step, e.onSite(w.c, r.CompanyNo).ERP.CreateReceipt)
			if err == nil {
				e.opt.Meter.MoneyPosted(w.c.ID, string(r.Amount.Currency()), r.Amount.Minor())
			}
			return number, err
		},
		look: func(ctx context.Context) (string, bool, error) {
			found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
			if err != nil || len(found) == 0 {
				return "", false, err
			}
			e.opt.Meter.MoneyPosted(w.c.ID, string(r.Amount.Currency()), r.Amount.Minor()) // its answer was lost, so it was not counted
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
		return plan.MissingLines(r.Lines, found[0].Lines), nil
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

// verifyReceipt checks that the ERP has exactly one receipt with the reference and that it is what was sent. A list that does
// not show one that was just posted may be behind: it is asked again when it is believed. What counts is when it was asked.
func (e *Engine) verifyReceipt(ctx context.Context, w *work, r billing.Receipt, number string) (string, *plan.Reason, error) {
	asked := e.clock.Now()
	found, err := w.c.ERP.FindReceipts(ctx, r.Reference)
	if err != nil {
		return "", nil, err
	}
	if len(found) == 0 {
		entry, err := e.journal.Get(ctx, journalKey(w.c, plan.ReceiptKey(r.Reference)))
		if err != nil {
			return "", nil, err
		}
		if entry != nil && asked.Before(entry.StartedAt.Add(e.settled())) {
			return "", nil, openError{entry.StartedAt.Add(e.settled())}
		}
	}
	if reason := plan.Verify(r, number, found); reason != nil {
		return "", reason, nil
	}
	return number, nil, nil
}
