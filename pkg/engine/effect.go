package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// effect is one write to a vendor that must happen at most once.
type effect struct {
	vendor string
	step   plan.Step
	record string
	amount string
	// call makes the write and returns the vendor's id.
	call func(ctx context.Context) (string, error)
	// look asks the vendor whether the write happened. An error means "can not tell".
	look func(ctx context.Context) (id string, found bool, err error)
	// checks are the pauses before each look-up; as many clear "absent" answers allow another attempt.
	checks   []time.Duration
	attempts int // calls at most before a person decides about a lost one; 0 for no limit
}

// journalKey is the key of a step's journal entry. The parts of step keys are escaped where the plan makes them.
func journalKey(c *Company, step string) string { return c.ID + "/" + step }

// errAttempts is an effect that used up its attempts.
var errAttempts = errors.New("attempts used up")

// perform brings the effect to done and returns the vendor's id: from the journal if it happened before, by looking it up
// if that is unknown, by making the call otherwise. w holds the lease that must still be ours when the call is made; nil
// for effects that need none.
func (e *Engine) perform(ctx context.Context, c *Company, w *work, f effect) (string, error) {
	want := journal.Entry{
		Key: journalKey(c, f.step.Key), Company: c.ID, Record: f.record, Vendor: f.vendor, Op: string(f.step.Op),
		Kind: string(f.step.Kind), Digest: f.step.Digest(), Amount: f.amount,
	}
	if w != nil {
		want.Fence = w.rec.Fence
	}
	entry, err := e.journal.Intend(ctx, want)
	if err != nil {
		return "", err
	}
	if entry.State == journal.Done {
		if f.step.Op != plan.OpUpdate {
			return entry.VendorID, nil
		}
		if id, there, err := e.again(ctx, entry, want, f); err != nil || there {
			return id, err
		}
	}
	if entry.Open() {
		id, found, err := e.resolve(ctx, c, entry, f)
		if err != nil || found {
			return id, err
		}
		// Only calls that got lost count: one that was clearly refused, or never taken, can be made again.
		if f.attempts > 0 && entry.Attempts >= f.attempts {
			return "", fmt.Errorf("%s: %w", f.step.Key, errAttempts)
		}
	}
	return e.attempt(ctx, c, entry, w, f)
}

// attempt makes the call and records what came of it.
func (e *Engine) attempt(ctx context.Context, c *Company, entry *journal.Entry, w *work, f effect) (string, error) {
	if err := c.stoppedCalls(f.vendor, f.step.Key); err != nil {
		return "", err
	}
	if err := e.start(ctx, entry, w); err != nil {
		return "", err
	}
	after := context.WithoutCancel(ctx) // what happened is recorded even if the caller went away
	if late := e.clock.Now().Sub(entry.StartedAt.Time); late > f.checks[0] {
		// Whoever looks it up counts from the start: a call that leaves long after would arrive when it is believed absent.
		err := fmt.Errorf("starting %s took %s: nothing was sent", f.step.Key, late.Round(time.Second))
		return "", errors.Join(err, e.journal.Refuse(after, entry, err))
	}
	id, err := f.call(ctx)
	switch {
	case err == nil:
		e.verdict(c, f, meter.VerdictDone)
		return id, e.journal.Finish(after, entry, id)
	case connector.Ambiguous(err):
		e.verdict(c, f, meter.VerdictUnknown)
		at := e.clock.Now().Add(f.checks[0])
		if lost := e.journal.Lose(after, entry, err, at); lost != nil {
			return "", lost
		}
		return "", openError{at}
	}
	e.verdict(c, f, meter.VerdictRefused)
	return "", errors.Join(err, e.journal.Refuse(after, entry, err))
}

// verdict counts what came of an effect.
func (e *Engine) verdict(c *Company, f effect, verdict string) {
	e.opt.Meter.Effect(c.ID, f.vendor, string(f.step.Kind), verdict)
}

// again reopens an update that was done before, unless the vendor still has it: what was written once may have been
// changed and changed back since.
func (e *Engine) again(ctx context.Context, entry *journal.Entry, want journal.Entry, f effect) (string, bool, error) {
	id, there, err := f.look(ctx)
	if err != nil || there {
		return id, there, err
	}
	return "", false, e.journal.Reopen(ctx, entry, want)
}

// resolve looks an open effect up. found ends it; after enough clear "absent" answers it may be attempted again; until
// then the error is errOpen with the next time.
func (e *Engine) resolve(ctx context.Context, c *Company, entry *journal.Entry, f effect) (string, bool, error) {
	now := e.clock.Now()
	if entry.State == journal.Started { // the process that started it died, or lost its lease
		at := entry.StartedAt.Add(f.checks[0])
		if now.Before(at) {
			return "", false, openError{at}
		}
	} else if now.Before(entry.CheckAt.Time) {
		return "", false, openError{entry.CheckAt.Time}
	}
	id, found, err := f.look(ctx)
	if err != nil {
		at := now.Add(f.checks[min(entry.Checks, len(f.checks)-1)])
		if lost := e.journal.Lose(ctx, entry, err, at); lost != nil {
			return "", false, lost
		}
		return "", false, openError{at}
	}
	if found {
		e.verdict(c, f, meter.VerdictFound)
		return id, true, e.journal.Finish(ctx, entry, id)
	}
	next := entry.Checks + 1
	if next >= len(f.checks) {
		e.verdict(c, f, meter.VerdictAbsent)
		return "", false, nil
	}
	at := now.Add(f.checks[next])
	if err := e.journal.Absent(ctx, entry, at); err != nil {
		return "", false, err
	}
	return "", false, openError{at}
}

// start marks the entry started under the lease. A poll that touched the record meanwhile costs one more try; a lease that
// somebody else has by now ends it.
func (e *Engine) start(ctx context.Context, entry *journal.Entry, w *work) error {
	if w == nil {
		_, err := e.journal.Start(ctx, entry)
		return err
	}
	for range 4 {
		guard, err := w.guard()
		if err != nil {
			return err
		}
		was := *entry
		versions, err := e.journal.Start(ctx, entry, guard)
		if err == nil {
			w.version = versions[0]
			return nil
		}
		var we *store.WriteError
		if !errors.As(err, &we) || we.Collection != store.Records {
			return err
		}
		*entry = was
		if err := w.refresh(ctx); err != nil {
			return err
		}
	}
	return errLost
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
		if err := e.regainReceipt(ctx, w, in, entry, reference); err != nil {
			return err
		}
	}
}

// wentBack reports whether all of the money went back, so that no more receipts are posted of it.
func wentBack(p plan.Plan) bool {
	for _, code := range []plan.Code{plan.PaymentVoided, plan.PaymentFailed, plan.RefundedBefore, plan.ReversedAfter, plan.RefundedWhole} {
		if p.Has(code) {
			return true
		}
	}
	return false
}

// regainReceipt finds one receipt again, whose writing was begun.
func (e *Engine) regainReceipt(ctx context.Context, w *work, in *plan.PaymentInput, entry *journal.Entry, reference string) error {
	now := e.clock.Now() // when it is asked: the answer may be old when it is seen
	found, err := w.c.ERP.FindReceipts(ctx, reference)
	if err != nil {
		return err
	}
	if len(found) == 0 && now.Before(entry.StartedAt.Add(e.settled())) { // the list may be behind, also where it is known to be there
		return openError{now.Add(e.opt.ReceiptChecks[0])}
	}
	if len(found) == 0 && entry.Open() {
		return e.journal.Refuse(ctx, entry, errors.New("it never arrived"))
	}
	for _, r := range found {
		if err := e.closeReceipt(ctx, w, entry, r); err != nil {
			return err
		}
		w.rec.Currency = string(r.Amount.Currency())
		w.addReceipt(r, r.Number, "found in the ERP")
		in.Posted[reference] = r
	}
	return nil
}

// closeReceipt ends the effects of a receipt that is in the ERP, when nothing more is to be sent of it: its header is there,
// and so are its lines, or they are not and will not come any more. An answer may still be on its way for a while.
func (e *Engine) closeReceipt(ctx context.Context, w *work, header *journal.Entry, r billing.Receipt) error {
	if header != nil && header.Open() {
		if err := e.journal.Finish(ctx, header, r.Number); err != nil {
			return err
		}
	}
	lines, err := e.journal.Get(ctx, journalKey(w.c, plan.ReceiptKey(r.Reference))+"/lines")
	if err != nil || lines == nil || !lines.Open() {
		return err
	}
	if whole(r) {
		return e.journal.Finish(ctx, lines, r.Number)
	}
	if now := e.clock.Now(); now.Before(lines.StartedAt.Add(e.settled())) {
		return openError{now.Add(e.opt.ReceiptChecks[0])}
	}
	return e.journal.Refuse(ctx, lines, errors.New("not all of them arrived, and no more are to be sent"))
}

// whole reports whether the lines of a receipt account for all of it.
func whole(r billing.Receipt) bool {
	for _, l := range r.Lines {
		r.Amount = r.Amount.Sub(l.Amount)
	}
	return r.Amount.IsZero()
}

// settled is how long after a lost write a clear "absent" answer is believed.
func (e *Engine) settled() time.Duration {
	var d time.Duration
	for _, pause := range e.opt.ReceiptChecks {
		d += pause
	}
	return d
}

// allThere reports whether receipts that were found account for the whole payment, with their lines. found are its own.
func (w *work) allThere(pay billing.Payment, found map[string]billing.Receipt) bool {
	left := pay.Amount
	for _, r := range found {
		if !whole(r) || r.Amount.Currency() != left.Currency() {
			return false
		}
		left = left.Sub(r.Amount)
	}
	return len(found) > 0 && len(w.rec.Receipts) == 0 && left.IsZero()
}

// keepFound remembers the receipts that an interrupted run posted, before a person decides about the rest of their payment.
func (e *Engine) keepFound(ctx context.Context, w *work, found map[string]billing.Receipt) error {
	for _, reference := range slices.Sorted(maps.Keys(found)) {
		entry, err := e.journal.Get(ctx, journalKey(w.c, plan.ReceiptKey(reference)))
		if err != nil {
			return err
		}
		r := found[reference]
		if entry == nil || entry.Attempts == 0 || !whole(r) {
			continue // it was keyed in, or is to be finished
		}
		if err := e.closeReceipt(ctx, w, entry, r); err != nil {
			return err
		}
		w.addReceipt(r, r.Number, "found in the ERP")
	}
	return nil
}

// begun names the receipts that an interrupted run left in the ERP without all of their lines, for the person who decides
// what becomes of their payment: keying another one in would count the money twice.
func (w *work) begun(found map[string]billing.Receipt) []plan.Reason {
	var out []plan.Reason
	for _, reference := range slices.Sorted(maps.Keys(found)) {
		r := found[reference]
		known := slices.ContainsFunc(w.rec.Receipts, func(x record.Receipt) bool { return x.Reference == reference })
		if !known && !whole(r) {
			out = append(out, plan.Because(plan.ReceiptMismatch, "receipt", r.Number, "problem", "not all of it has lines"))
		}
	}
	return out
}

// begin remembers all receipts of a payment as they are about to be posted; it is stored with the start of the first.
func (w *work) begin(in plan.PaymentInput, p plan.Plan) error {
	all, err := w.rec.BegunReceipts()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r billing.Receipt) bool { _, posted := in.Posted[r.Reference]; return !posted })
	for _, s := range p.Steps {
		all = append(all, *s.Receipt)
	}
	return w.rec.Begin(all, plan.Parts(in.Payment))
}

// begunInERP reports whether the posting of the payment got so far that a receipt of it may be in the ERP.
func (e *Engine) begunInERP(ctx context.Context, w *work) (bool, error) {
	begun, err := w.rec.BegunReceipts()
	for _, r := range begun {
		entry, err := e.journal.Get(ctx, journalKey(w.c, plan.ReceiptKey(r.Reference)))
		if err != nil || entry != nil && (entry.Open() || entry.State == journal.Done) {
			return err == nil, err
		}
	}
	return false, err
}

// asBegun is what is to be posted of a payment. Once one of its receipts is in the ERP, with or without its lines, all are as
// they were planned then, whatever the settings or the balances make of the payment by now: a receipt whose header and lines
// come from two plans would add up to neither. That ends where the payment pays other parts than then, where a receipt does
// not fit any more, or where the ERP refused its lines.
func (w *work) asBegun(in plan.PaymentInput, found map[string]billing.Receipt) (plan.Plan, error) {
	p := plan.Payment(in)
	begun, err := w.rec.BegunReceipts()
	refused := plan.Plan{Reasons: w.rec.Reasons}.Has(plan.ReceiptRefused)
	if err != nil || refused || w.rec.PostedAs != plan.Parts(in.Payment) {
		return p, err
	}
	kept, there := plan.Plan{Verdict: plan.Create}, false
	same := p.Verdict == plan.Create
	for i, r := range begun {
		_, posted := in.Posted[r.Reference]
		_, inERP := found[r.Reference]
		there = there || posted || inERP
		if posted {
			continue
		}
		if !stillFits(in, r, found) {
			return p, nil
		}
		step := plan.Step{Op: plan.OpCreate, Kind: billing.KindReceipt, Key: plan.ReceiptKey(r.Reference), Receipt: &begun[i]}
		n := len(kept.Steps)
		same = same && n < len(p.Steps) && p.Steps[n].Digest() == step.Digest()
		kept.Steps = append(kept.Steps, step)
	}
	switch {
	case !there, same && len(kept.Steps) == len(p.Steps):
		return p, nil
	case len(kept.Steps) == 0:
		return plan.Plan{Verdict: plan.None, Reasons: []plan.Reason{plan.Because(plan.Unchanged)}}, nil
	}
	return kept, nil
}

// stillFits reports whether a receipt that was planned before can be posted as it is: its company takes receipts from us, and
// its invoices owe as much as it pays. Of one that was found with all of its lines nothing is sent any more.
func stillFits(in plan.PaymentInput, r billing.Receipt, found map[string]billing.Receipt) bool {
	if have, there := found[r.Reference]; there && whole(have) {
		return true
	}
	set, known := in.Others[r.CompanyNo]
	if r.CompanyNo == in.Settings.Q360Company {
		set, known = in.Settings, true
	}
	if !known || set.Payments.ReceiptMode == "hold" {
		return false
	}
	owed := slices.Collect(maps.Values(in.Invoices))
	return !slices.ContainsFunc(r.Lines, func(l billing.ReceiptLine) bool {
		return l.Kind == billing.LineApplication && !slices.ContainsFunc(owed, func(b billing.Balance) bool {
			return b.Number == l.InvoiceNo && b.Posted && b.Currency == l.Amount.Currency() && l.Amount.Cmp(b.Balance) <= 0
		})
	})
}

// readOrMissing is readSeveral for the invoices of a payment: one that was deleted in the ERP counts as one that is not posted
// there, and is found when it is back.
func readOrMissing(ctx context.Context, c *Company, customer string, numbers []string, cur money.Currency) ([]billing.Balance, error) {
	got, err := readSeveral(ctx, c, customer, numbers)
	if err == nil || connector.ClassOf(err) != connector.ClassNotFound {
		return got, err
	}
	got = make([]billing.Balance, len(numbers))
	for i, number := range numbers {
		got[i], err = c.ERP.Balance(ctx, number)
		if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
			none := money.Zero(cur)
			got[i], err = billing.Balance{
				Number: number, CompanyNo: c.Settings.Q360Company, CustomerNo: customer, Currency: cur, Total: none, Balance: none,
			}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return got, nil
}
