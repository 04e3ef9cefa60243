package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The vendors' names in journal entries, reasons and logs.
const (
	vendorERP    = "q360"
	vendorPortal = "invoiced"
)

func (e *Engine) syncInvoice(ctx context.Context, c *Company, number string) error {
	w, err := e.take(ctx, c, billing.KindInvoice, number)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil // the one who has it sees the change when done; without a record there is nothing to do
	}
	if err != nil {
		return err
	}
	if err := e.heedDeletions(ctx, w); err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	src, err := e.invoiceSource(ctx, w)
	if err != nil {
		if connector.ClassOf(err) == connector.ClassNotFound {
			return e.goneInvoice(ctx, w, err)
		}
		return w.fail(ctx, vendorERP, err)
	}
	w.foundAgain()
	in := plan.InvoiceInput{Source: src, Settings: c.Settings, Known: known(w.rec)}
	if w.rec.Written == src.Fingerprint() { // otherwise the plan asks for the file
		if in.HasPDF, err = e.laterFile(ctx, w); err != nil {
			return w.fail(ctx, vendorPortal, err)
		}
		in.File = plan.FileLook{Looked: in.HasPDF, Found: in.HasPDF}
	}
	p, wait, err := e.planInvoice(ctx, w, &in)
	if err != nil {
		vendor := vendorPortal
		if errors.As(err, new(erpError)) {
			vendor = vendorERP
		}
		return w.fail(ctx, vendor, err)
	}
	return e.applyInvoice(ctx, w, in, p, wait)
}

func known(r record.Record) plan.Known {
	return plan.Known{PortalID: r.PortalID, Kind: r.PortalKind, Fingerprint: r.Written, Bare: r.Bare}
}

// planInvoice asks the plan, reading what it asks for. wait is the record the plan waits for, with the pause.
func (e *Engine) planInvoice(ctx context.Context, w *work, in *plan.InvoiceInput) (plan.Plan, waiting, error) {
	for {
		p := plan.Invoice(*in)
		switch {
		case p.Has(plan.WaitsForCustomer) && in.CustomerID == "":
			id, wait, err := e.customerID(ctx, w, in.Source.CustomerNo)
			if err != nil || id == "" {
				return p, wait, err
			}
			in.CustomerID = id
		case p.Has(plan.NeedLook):
			if err := e.lookDocument(ctx, w, in); err != nil {
				return p, waiting{}, err
			}
		case p.Has(plan.NeedFile):
			if err := e.lookFile(ctx, w, in); err != nil {
				return p, waiting{}, err
			}
		case p.Has(plan.WaitsForFile):
			e.planned(w, p)
			pause, _ := e.nextLook(w, in.Source)
			return p, waiting{due: pause}, nil
		default:
			e.planned(w, p)
			return p, waiting{}, nil
		}
	}
}

// lookDocument reads the portal's side: by id when we know it, by number otherwise. What was sent as the other kind is forgotten
// once it is voided or deleted: as what it is now, the document was never sent.
func (e *Engine) lookDocument(ctx context.Context, w *work, in *plan.InvoiceInput) error {
	in.Looked = true
	if in.Known.PortalID != "" {
		d, err := w.c.Portal.Document(ctx, in.Known.Kind, in.Known.PortalID)
		gone := err != nil && connector.ClassOf(err) == connector.ClassNotFound
		switch {
		case in.Known.Kind != in.Source.Kind() && (gone || err == nil && d.Voided):
			in.Known = plan.Known{}
			w.rec.PortalID, w.rec.PortalKind, w.rec.PortalURL, w.rec.PortalTotal, w.rec.Written, w.rec.Bare = "", "", "", "", "", false
		case gone:
			return e.lookRemade(ctx, w, in)
		default:
			in.Dest = &d
			return err
		}
	}
	found, err := e.findDocuments(ctx, w.c, in.Source.Kind(), in.Source.Number, w.rec.Backfill)
	in.Found = found
	if err != nil || len(found) != 1 {
		return err
	}
	return e.regain(ctx, w, in)
}

// regain recognises a document that an earlier run wrote without getting to remember it: it is known from now on, with
// what was written then, and is confirmed or updated like any other.
func (e *Engine) regain(ctx context.Context, w *work, in *plan.InvoiceInput) error {
	have, p := in.Found[0], asNew(*in)
	if p.Verdict != plan.Create || have.Metadata[plan.MetaID] != p.Steps[0].Document.Metadata[plan.MetaID] {
		return nil
	}
	entry, err := e.journal.Get(ctx, journalKey(w.c, p.Steps[0].Key))
	if err != nil || entry == nil || entry.State != journal.Done && !entry.Open() {
		return err
	}
	if have, err = w.c.Portal.Document(ctx, have.Kind, have.ID); err != nil { // the index may be older
		return err
	}
	if entry.Open() {
		if err := e.journal.Finish(ctx, entry, have.ID); err != nil {
			return err
		}
	}
	in.Known = plan.Known{PortalID: have.ID, Kind: have.Kind, Fingerprint: have.Metadata[plan.MetaHash]}
	in.Dest, w.regained = &have, &have
	w.remember(&w.rec, have)
	w.rec.Written = in.Known.Fingerprint
	return nil
}

// asNew is the plan of the document as if nobody had ever sent it.
func asNew(in plan.InvoiceInput) plan.Plan {
	in.Known, in.Dest, in.Found, in.Looked = plan.Known{}, nil, nil, true
	in.File = plan.FileLook{Looked: true, Found: true}
	if in.CustomerID == "" {
		in.CustomerID = "any"
	}
	return plan.Invoice(in)
}

// remember stores what the portal has.
func (w *work) remember(r *record.Record, d billing.PortalDocument) {
	r.Sent = false
	r.PortalID, r.PortalKind, r.PortalURL, r.PortalTotal = d.ID, d.Kind, d.URL, d.Total.Amount()
}

// waiting is what a record waits for.
type waiting struct {
	record  string
	due     time.Duration
	reasons []plan.Reason // of that record
}

func (e *Engine) applyInvoice(ctx context.Context, w *work, in plan.InvoiceInput, p plan.Plan, wait waiting) error {
	src := in.Source
	creates := src.Kind()
	if p.Verdict == plan.Skip || p.Verdict == plan.Conflict || p.Verdict == plan.Hold {
		creates = ""
	}
	if over, err := e.leftOpen(ctx, w, creates); over || err != nil {
		return err
	}
	w.settleUnsent(ctx, in, p)
	switch p.Verdict {
	case plan.Create, plan.Update:
		if reason, stop := w.stopped(); stop {
			return w.park(ctx, record.Waiting, time.Hour, append(p.Reasons, reason)...)
		}
		return e.writeDocument(ctx, w, in, p)
	case plan.Hold:
		return w.finish(ctx, func(r *record.Record) {
			describe(r, src)
			r.Set(record.Waiting, append(p.Reasons, wait.reasons...))
			r.WaitsFor = wait.record
			r.DueAt = store.At(e.clock.Now().Add(orHour(wait.due)))
			r.Note(e.clock.Now(), "waiting", r.Summary)
		})
	case plan.Skip:
		return w.finish(ctx, func(r *record.Record) {
			describe(r, src)
			r.Set(record.Skipped, p.Reasons)
			r.Note(e.clock.Now(), "skipped", r.Summary)
		})
	case plan.Conflict:
		reasons := p.Reasons
		if p.Has(plan.VoidedInPortal) && (plan.Plan{Reasons: w.rec.Reasons}).Has(plan.PortalDiffers) {
			reasons = w.rec.Reasons // we voided it, for that reason
		}
		return w.finish(ctx, func(r *record.Record) {
			describe(r, src)
			r.Set(record.Attention, reasons)
			r.Note(e.clock.Now(), "needs attention", r.Summary)
			if p.Has(plan.GoneInPortal) { // until it is made again, or void in the ERP
				r.DueAt = store.At(e.clock.Now().Add(24 * time.Hour))
			}
		})
	case plan.Adopt:
		w.settle(ctx, in.Found[0].ID)
		return e.finishAndFollow(ctx, w, false, func(r *record.Record) {
			describe(r, src)
			w.remember(r, in.Found[0])
			r.Note(e.clock.Now(), "adopted", plan.Text(p.Reasons))
			r.Set(syncedStatus(p.Reasons), p.Reasons)
			r.Written, r.Attempts, r.Backfill, r.Bare, r.MailDue = src.Fingerprint(), 0, false, false, false
		})
	}
	return e.inStep(ctx, w, in, p)
}

// settleUnsent closes an update that was lost on the way and is not to be sent any more, or not before a payment has settled: it
// is compared, and sent again if need be, then.
func (w *work) settleUnsent(ctx context.Context, in plan.InvoiceInput, p plan.Plan) {
	if p.Verdict == plan.Conflict && in.Looked && in.Dest != nil || p.Has(plan.GoneInPortal) || p.Has(plan.PaymentInFlight) {
		w.settle(ctx, w.rec.PortalID)
	}
}

// inStep ends work that found nothing to do. The status and the reasons are those of when the document was written: that
// its lines did not add up, or that a person has to see to it, stays true however often it is looked at.
func (e *Engine) inStep(ctx context.Context, w *work, in plan.InvoiceInput, p plan.Plan) error {
	src := in.Source
	reasons := p.Reasons
	if plan.Relines(in) { // it has these lines already, or keeps those it has
		w.rec.Bare, reasons = false, nil
	}
	in.HasPDF = e.hasFile(ctx, w) && !w.rec.Bare
	written := asNew(in)
	if written.Verdict == plan.Create {
		reasons = append(written.Reasons, reasons...)
	}
	if w.regained != nil {
		step := plan.Step{Op: plan.OpCreate, Kind: w.regained.Kind, Document: &billing.PortalDocument{Total: src.Total.Abs()}}
		w.rec.Bare = !in.HasPDF || written.Verdict == plan.Create && !plan.SameLines(w.regained.Items, written.Steps[0].Document.Items)
		return e.confirmDocument(ctx, w, src, step, *w.regained, written.Reasons)
	}
	var m mailed
	if w.rec.MailDue {
		var err error
		if m, err = e.mail(ctx, w, src, billing.PortalDocument{ID: w.rec.PortalID, Kind: w.rec.PortalKind}); err != nil {
			return w.fail(ctx, vendorPortal, err)
		}
		w.rec.Set(w.rec.Status, plan.Without(w.rec.Reasons, plan.MailWaits))
	}
	w.settle(ctx, w.rec.PortalID)
	err := w.finish(ctx, func(r *record.Record) {
		describe(r, src)
		switch w.was {
		case record.Synced, record.Variance, record.Attention:
			r.Status = w.was
		default:
			r.Set(syncedStatus(reasons), reasons)
		}
		r.Written, r.Attempts, r.Backfill = src.Fingerprint(), 0, false
		m.tell(e, r)
	})
	if err != nil {
		return err
	}
	return e.follow(ctx, w, false, false)
}

func orHour(d time.Duration) time.Duration {
	if d <= 0 {
		return time.Hour
	}
	return d
}

func describe(r *record.Record, src billing.Invoice) {
	r.Customer, r.Currency, r.SourceTotal = src.CustomerNo, string(src.Currency), src.Total.Amount()
}

func syncedStatus(reasons []plan.Reason) record.Status {
	if (plan.Plan{Reasons: reasons}).Has(plan.LinesDoNotAddUp) {
		return record.Variance
	}
	return record.Synced
}

// writeDocument makes the plan's one step happen, then compares the totals of both systems (F16).
func (e *Engine) writeDocument(ctx context.Context, w *work, in plan.InvoiceInput, p plan.Plan) error {
	src, step := in.Source, p.Steps[0]
	if step.Op == plan.OpCreate { // stored with the start of the call: whoever finds the document knows of its e-mail
		w.rec.Sent, w.rec.MailDue = true, plan.Mails(step.Kind, w.c.Settings)
	}
	var got billing.PortalDocument
	called := false
	f := effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), amount: step.Document.Total.Amount(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			var err error
			if step.Op == plan.OpUpdate {
				got, err = w.c.Portal.UpdateDocument(ctx, step.Target, *step.Document)
			} else {
				got, err = w.c.Portal.CreateDocument(ctx, *step.Document, step.Digest())
			}
			called = true
			return got.ID, err
		},
		look: func(ctx context.Context) (string, bool, error) {
			var found bool
			var err error
			got, found, err = e.lookWritten(ctx, w.c, step)
			return got.ID, found, err
		},
	}
	id, err := e.perform(ctx, w.c, w, f)
	if err != nil {
		if over, failed := e.customerGone(ctx, w, step, src.CustomerNo, err); over || failed != nil {
			return failed
		}
		return w.refused(ctx, err)
	}
	if got.ID == "" { // done in an earlier run that could not store it: read it
		if got, err = w.c.Portal.Document(ctx, step.Kind, id); err != nil {
			if connector.ClassOf(err) == connector.ClassNotFound { // and staff deleted it since
				w.rec.PortalID, w.rec.PortalKind = id, step.Kind
			}
			return w.refused(ctx, err)
		}
	}
	if hash := got.Metadata[plan.MetaHash]; step.Op == plan.OpCreate && hash != step.Document.Metadata[plan.MetaHash] {
		return w.finish(ctx, func(r *record.Record) { // written by an earlier run from what the ERP had then: to be updated
			describe(r, src)
			w.remember(r, got)
			r.Written, r.DueAt = hash, store.At(e.clock.Now().Add(time.Second))
			r.Set(record.Scheduled, nil)
		})
	}
	// One that was found may have been written when there was no file yet.
	w.rec.Bare = !in.HasPDF || !called && !plan.SameLines(got.Items, step.Document.Items)
	return e.confirmDocument(ctx, w, src, step, got, p.Reasons)
}

// refused ends the work after the portal did not take a document or customer. A number that is taken was made by somebody
// since we looked, what is not found was deleted, and what can not be changed as planned may have been paid: we look again soon,
// once; a number that is taken and can not be found, and what is refused again, is for a person.
func (w *work) refused(ctx context.Context, err error) error {
	class := connector.ClassOf(err)
	stale := class == connector.ClassConflict || class == connector.ClassNotFound || class == connector.ClassInvalid && w.rec.PortalID != ""
	if !stale || (plan.Plan{Reasons: w.rec.Reasons}).Has(plan.VendorRefused) {
		return w.fail(ctx, vendorPortal, err)
	}
	w.c.forgetIndex()
	w.rec.Backfill = false
	w.rec.Attempts++
	return w.park(ctx, record.Scheduled, time.Second, plan.Because(plan.VendorRefused, "vendor", vendorPortal, "problem", err.Error()))
}

// lookWritten asks the portal whether a step whose answer was lost happened.
func (e *Engine) lookWritten(ctx context.Context, c *Company, step plan.Step) (billing.PortalDocument, bool, error) {
	if step.Op == plan.OpUpdate {
		d, err := c.Portal.Document(ctx, step.Kind, step.Target)
		there := err == nil && d.Metadata[plan.MetaHash] == step.Document.Metadata[plan.MetaHash]
		return d, there && (!step.Lines || plan.SameLines(d.Items, step.Document.Items)), err
	}
	found, err := c.Portal.FindDocuments(ctx, step.Kind, step.Document.Number)
	if err != nil {
		return billing.PortalDocument{}, false, err
	}
	for _, d := range found {
		if d.Metadata[plan.MetaID] == step.Document.Metadata[plan.MetaID] {
			return d, true, nil
		}
	}
	return billing.PortalDocument{}, false, nil
}

// confirmDocument stores a written document, or takes it back when the portal's total is not the ERP's.
func (e *Engine) confirmDocument(ctx context.Context, w *work, src billing.Invoice, step plan.Step, got billing.PortalDocument, reasons []plan.Reason) error {
	want := step.Document.Total
	got.Kind = step.Kind
	set := func(r *record.Record) {
		describe(r, src)
		w.remember(r, got)
		r.Written, r.Attempts, r.Backfill = src.Fingerprint(), 0, false
	}
	if got.Voided && got.Total.Equal(want) {
		w.settle(ctx, got.ID)
		return w.finish(ctx, func(r *record.Record) {
			set(r)
			r.Written = ""
			r.Set(record.Attention, []plan.Reason{plan.Because(plan.VoidedInPortal)})
		})
	}
	if !got.Total.Equal(want) {
		note, err := e.takeBack(ctx, w, src.Number, got)
		if err != nil {
			if w.rec.Written = ""; w.regained != nil { // it is found and compared again
				w.rec.PortalID, w.rec.PortalKind = "", ""
			}
			return w.fail(ctx, vendorPortal, err)
		}
		w.settle(ctx, got.ID)
		return w.finish(ctx, func(r *record.Record) {
			set(r)
			r.Written = "" // the portal does not have it
			r.Set(record.Attention, []plan.Reason{plan.Because(plan.PortalDiffers, "portal", got.Total.String(), "total", want.String())})
			r.Note(e.clock.Now(), "needs attention", r.Summary+"; "+note)
		})
	}
	if step.Op == plan.OpCreate && step.Kind == billing.KindCreditNote {
		if err := e.noteCredit(ctx, w); err != nil {
			return err
		}
	}
	m, err := e.mail(ctx, w, src, got)
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	w.settle(ctx, got.ID)
	fresh := step.Op == plan.OpCreate && w.regained == nil && !w.interrupted()
	return e.finishAndFollow(ctx, w, fresh, func(r *record.Record) {
		set(r)
		r.Set(syncedStatus(reasons), reasons)
		r.Note(e.clock.Now(), string(step.Op)+"d in the portal", fmt.Sprintf("%s %s as %s, total %s. %s", step.Kind, src.Number, got.ID, got.Total, r.Summary))
		m.tell(e, r)
	})
}

// finishAndFollow ends work on a document that is in step, and brings its file and whatever else comes after it.
func (e *Engine) finishAndFollow(ctx context.Context, w *work, fresh bool, set func(*record.Record)) error {
	if err := w.finish(ctx, set); err != nil {
		return err
	}
	return e.follow(ctx, w, true, fresh)
}
