package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// goneConfirm is how long after the ERP first said that a document does not exist it is asked again, before the document
// is voided in the portal.
const goneConfirm = 15 * time.Minute

// memoryGone is the name under which a record remembers when the ERP first said that its document does not exist.
const memoryGone = "gone since"

// noteGone makes the documents that left the ERP's feed be read directly. The feed alone proves nothing: it shows what is
// posted and ours, and only a clear "no such document" to its number counts as gone.
func (e *Engine) noteGone(ctx context.Context, c *Company, numbers []string) error {
	for _, number := range numbers {
		if err := e.noteOneGone(ctx, c, number); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) noteOneGone(ctx context.Context, c *Company, number string) error {
	key := record.ID(c.ID, billing.KindInvoice, number)
	if err := e.distrustSource(ctx, key); err != nil {
		return err
	}
	for range 5 {
		rec, version, err := e.records.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil // never ours
		}
		if err != nil {
			return err
		}
		now := e.clock.Now()
		rec.Seen, rec.UpdatedAt = "", store.At(now) // so that its return is a change
		rec.Note(now, "left the ERP's feed", "")
		if rec.LeaseOwner == "" && rec.Status != record.Ignored && rec.Status != record.Unknown {
			rec.Set(record.Scheduled, nil)
			rec.DueAt = store.At(now.Add(e.opt.Grace))
		}
		_, err = e.records.Update(ctx, key, rec, version)
		if err == nil {
			e.announce(ctx, &rec)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

// distrustSource makes the next work on a record read the ERP, however fresh what the poll read is.
func (e *Engine) distrustSource(ctx context.Context, key string) error {
	s, version, err := e.sources.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.ReadAt = store.Time{}
	_, err = e.sources.Update(ctx, key, s, version)
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody has just read it
	}
	return err
}

// goneInvoice works on a record whose document the ERP does not have: cause is its answer.
func (e *Engine) goneInvoice(ctx context.Context, w *work, cause error) error {
	w.seen, w.rec.Seen = "", ""
	if over, err := e.leftOpen(ctx, w, ""); over || err != nil {
		return err
	}
	problem := cause.Error()
	var ce *connector.Error
	if errors.As(cause, &ce) && ce.Err != nil {
		problem = ce.Err.Error()
	}
	in := plan.GoneInput{Number: w.rec.SourceID, Settings: w.c.Settings, Known: known(w.rec), Problem: problem, Confirmed: w.goneConfirmed()}
	p := plan.Gone(in)
	if p.Has(plan.NeedLook) {
		in.Looked = true
		d, err := w.c.Portal.Document(ctx, in.Known.Kind, in.Known.PortalID)
		switch {
		case err == nil:
			d.Kind, in.Dest = in.Known.Kind, &d
		case connector.ClassOf(err) != connector.ClassNotFound:
			return w.fail(ctx, vendorPortal, err)
		}
		p = plan.Gone(in)
	}
	e.planned(w, p)
	switch p.Verdict {
	case plan.Hold:
		return w.park(ctx, record.Waiting, goneConfirm, p.Reasons...)
	case plan.Conflict:
		return w.park(ctx, record.Attention, 0, p.Reasons...)
	case plan.Update:
		if over, err := e.voidGone(ctx, w, p); over || err != nil {
			return err
		}
	}
	if p.Has(plan.GoneOnBoth) {
		if err := e.ownVoid(ctx, w, &p); err != nil {
			return err
		}
	}
	w.settle(ctx, w.rec.PortalID)
	return w.finish(ctx, func(r *record.Record) {
		r.Set(record.Skipped, p.Reasons)
		r.Written, r.Attempts = "", 0 // should it return, it is compared with what the portal has then
		r.Note(e.clock.Now(), "gone in the ERP", r.Summary)
	})
}

// voidGone voids the document. It reports whether the work ends with that, because the document was not voided. A first refusal is
// looked into once more: somebody may have paid at that moment.
func (e *Engine) voidGone(ctx context.Context, w *work, p plan.Plan) (over bool, err error) {
	if reason, stop := w.stopped(); stop {
		return true, w.park(ctx, record.Waiting, time.Hour, append(p.Reasons, reason)...)
	}
	err = e.voidDocument(ctx, w, p.Steps[0])
	switch {
	case err == nil:
		return false, nil
	case connector.ClassOf(err) == connector.ClassInvalid && w.rec.Attempts == 0:
		w.rec.Attempts++
		return true, w.comeBack(ctx, time.Minute)
	}
	return true, w.fail(ctx, vendorPortal, err)
}

// leftOpen finds out what became of a document whose creation was begun and which the record does not know, when it is not to be
// created any more, or as the other kind: the ERP may have taken it back meanwhile or changed its sign, and then the portal
// would have a bill that nobody here knows. creates is the kind that is about to be created, which looks for its own, or "".
// It reports whether the work ends with that: the answer is still to come, or the document is there and planned for as such.
func (e *Engine) leftOpen(ctx context.Context, w *work, creates billing.Kind) (over bool, err error) {
	if w.rec.PortalID != "" || !w.rec.Sent && !w.interrupted() {
		return false, nil
	}
	entries, err := e.journal.OfRecord(ctx, w.rec.ID())
	if err != nil {
		return true, w.fail(ctx, vendorPortal, err)
	}
	for i := range entries {
		if !begunDocument(&entries[i]) || entries[i].Kind == string(creates) {
			continue
		}
		got, found, err := e.findBegun(ctx, w, &entries[i])
		if err != nil {
			return true, w.fail(ctx, vendorPortal, err)
		}
		if found && !(got.Voided && creates != "") { // what is void does not stand in the way of the other kind
			return true, w.finish(ctx, func(r *record.Record) {
				w.remember(r, got)
				r.Written, r.DueAt = got.Metadata[plan.MetaHash], store.At(e.clock.Now().Add(time.Second))
				r.Set(record.Scheduled, nil)
			})
		}
	}
	return false, nil
}

// begunDocument reports whether an effect is the creation of a document whose answer was lost, or was not stored.
func begunDocument(e *journal.Entry) bool {
	kind := billing.Kind(e.Kind)
	return e.Op == string(plan.OpCreate) && (kind == billing.KindInvoice || kind == billing.KindCreditNote) &&
		(e.Open() || e.State == journal.Done && e.VendorID != "")
}

// findBegun looks a document up whose creation was begun, and ends the effect when it is clear that it never arrived. One that
// did arrive may have been taken back by staff meanwhile.
func (e *Engine) findBegun(ctx context.Context, w *work, entry *journal.Entry) (got billing.PortalDocument, found bool, err error) {
	step := plan.Step{Op: plan.OpCreate, Kind: billing.Kind(entry.Kind), Document: &billing.PortalDocument{
		Number: w.rec.SourceID, Metadata: map[string]string{plan.MetaID: w.c.Settings.Q360Company + "/" + w.rec.SourceID},
	}}
	look := func(ctx context.Context) (id string, there bool, err error) {
		got, there, err = e.lookWritten(ctx, w.c, step)
		return got.ID, there, err
	}
	if entry.State == journal.Done {
		_, found, err = look(ctx)
	} else if _, found, err = e.resolve(ctx, w.c, entry, effect{vendor: vendorPortal, step: step, checks: e.opt.DocumentChecks, look: look}); err == nil && !found {
		err = e.journal.Refuse(ctx, entry, errors.New("it never arrived"))
	}
	got.Kind = billing.Kind(entry.Kind)
	return got, found, err
}

// ownVoid recognises a document that we voided ourselves, also when the answer was lost.
func (e *Engine) ownVoid(ctx context.Context, w *work, p *plan.Plan) error {
	step := plan.Void(w.rec.SourceID, billing.PortalDocument{ID: w.rec.PortalID, Kind: w.rec.PortalKind})
	entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
	if err == nil && entry != nil && (entry.Open() || entry.State == journal.Done) {
		p.Reasons = []plan.Reason{plan.Because(plan.GoneVoided)}
	}
	return err
}

// goneConfirmed notes when the document was first missed, and reports whether that is long enough ago.
func (w *work) goneConfirmed() bool {
	now := w.e.clock.Now()
	since, err := time.Parse(time.RFC3339, w.rec.Memory[memoryGone])
	if err != nil {
		w.rec.Memory = w.rec.Memory.With(plan.Memory{memoryGone: now.UTC().Format(time.RFC3339)})
		return false
	}
	return now.Sub(since) >= goneConfirm
}

// foundAgain forgets that the document was missed.
func (w *work) foundAgain() {
	if w.rec.Memory[memoryGone] != "" {
		w.rec.Memory = w.rec.Memory.With(plan.Memory{memoryGone: ""})
	}
}

// voidDocument makes a step that voids a document happen.
func (e *Engine) voidDocument(ctx context.Context, w *work, step plan.Step) error {
	_, err := e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), amount: step.Document.Total.Amount(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			d, err := w.c.Portal.VoidDocument(ctx, step.Kind, step.Target)
			return d.ID, err
		},
		look: func(ctx context.Context) (string, bool, error) {
			d, err := w.c.Portal.Document(ctx, step.Kind, step.Target)
			return d.ID, err == nil && d.Voided, err
		},
	})
	return err
}

// takeBack voids a document whose total is wrong, and says in words what became of it. An error means that it is to be
// tried again; a clear refusal is for a person.
func (e *Engine) takeBack(ctx context.Context, w *work, number string, got billing.PortalDocument) (string, error) {
	if got.Voided {
		return "it was voided", nil
	}
	err := e.voidDocument(ctx, w, plan.Void(number, got))
	var ce *connector.Error
	switch {
	case err == nil:
		return "it was voided", nil
	case !errors.As(err, &ce), ce.Class == connector.ClassRetry, ce.Class == connector.ClassAuth:
		return "", err
	}
	return "voiding it did not work: " + err.Error(), nil
}

// lookRemade looks for a document by its number that the portal does not have under its id: staff may have deleted it and made
// it again. One that is found is one that we never wrote.
func (e *Engine) lookRemade(ctx context.Context, w *work, in *plan.InvoiceInput) error {
	in.Dest = nil
	found, err := w.c.Portal.FindDocuments(ctx, in.Known.Kind, in.Source.Number)
	found = slices.DeleteFunc(found, func(d billing.PortalDocument) bool { return d.ID == in.Known.PortalID }) // the list may be older
	if err == nil && len(found) > 0 {
		in.Known, in.Found = plan.Known{}, found
	}
	return err
}

// notAttached ends work on a file that the portal did not take. Where that does not have the document any more, the invoice is
// looked at, and the file waits for it.
func (e *Engine) notAttached(ctx context.Context, w *work, inv record.Record, err error) error {
	if connector.ClassOf(err) != connector.ClassNotFound {
		return w.fail(ctx, vendorPortal, err)
	}
	if err := e.lookInPortal(ctx, inv); err != nil {
		return err
	}
	return w.waitForInvoice(ctx)
}

// letGo ends what was begun with a file and not answered, when the document that it was for is not in the portal any more: a
// stored file that is attached to nothing is seen by nobody, and is stored again when it is needed.
func (w *work) letGo(ctx context.Context) error {
	if !w.interrupted() {
		return nil
	}
	entries, err := w.e.journal.OfRecord(ctx, w.rec.ID())
	for i := 0; i < len(entries) && err == nil; i++ {
		if entries[i].Open() {
			err = w.e.journal.Refuse(ctx, &entries[i], errors.New("its document is not in the portal"))
		}
	}
	return err
}

// lookInPortal makes a document be compared with what the portal has now. One that somebody works on is left: whoever wants
// this asks again.
func (e *Engine) lookInPortal(ctx context.Context, inv record.Record) error {
	rec, version, err := e.records.Get(ctx, inv.ID())
	if err != nil || rec.PortalID != inv.PortalID || rec.LeaseOwner != "" || rec.Status == record.Ignored {
		return err
	}
	now := store.At(e.clock.Now())
	rec.Written, rec.DueAt, rec.UpdatedAt = "", now, now
	rec.Note(now.Time, "not found in the portal", "")
	if _, err = e.records.Update(ctx, rec.ID(), rec, version); err == nil {
		e.announce(ctx, &rec)
	}
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// deletes reports whether an event tells that a document was deleted.
func deletes(ev billing.Event) bool {
	return (ev.Object == billing.KindInvoice || ev.Object == billing.KindCreditNote) && ev.Type == string(ev.Object)+".deleted"
}

// leaves reports whether an event tells that a customer left the portal: it was deleted, or merged into another one.
func leaves(ev billing.Event) bool {
	return ev.Type == "customer.deleted" || ev.Type == "customer.merged"
}

// noteTaken has a document looked at that was deleted, or a customer that left, so that a person is told of that before its next
// invoice is refused. The text says what was done about the event; again that it has to come back.
func (e *Engine) noteTaken(ctx context.Context, c *Company, ev billing.Event) (text string, again bool, err error) {
	if deletes(ev) {
		return "deleted " + string(ev.Object) + " " + ev.ObjectID + " looked at", false, e.noteDeleted(ctx, c, ev)
	}
	_, rec, err := e.inAccount(ctx, c, billing.KindCustomer, ev.ObjectID)
	switch {
	case err != nil:
		return "", false, err
	case rec == nil:
		return "customer " + ev.ObjectID + " is not known here", false, nil
	case rec.LeaseOwner != "":
		return "customer " + rec.SourceID + " is being worked on", true, nil
	}
	return "customer " + rec.SourceID + " looked at", false, e.lookInPortal(ctx, *rec)
}

// noteDeleted makes the record of a document look at the event of its deletion: that which has its id in the portal, or that of
// its number, whose creation may have had no answer.
func (e *Engine) noteDeleted(ctx context.Context, c *Company, ev billing.Event) error {
	rec, err := e.byPortalID(ctx, c, billing.KindInvoice, ev.ObjectID)
	if err != nil {
		return err
	}
	key := record.ID(c.ID, billing.KindInvoice, ev.Number)
	if rec != nil && rec.PortalKind == ev.Object {
		key = rec.ID()
	} else if ev.Number == "" {
		return nil
	}
	for range 5 {
		rec, version, err := e.records.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) || err == nil && (rec.Status == record.Ignored || rec.PortalID != "" && rec.PortalID != ev.ObjectID) {
			return nil
		}
		if err != nil {
			return err
		}
		now := store.At(e.clock.Now())
		rec.Events, rec.UpdatedAt = append(slices.Clone(rec.Events), ev.ID), now
		rec.Note(now.Time, "deleted in the portal", string(ev.Object)+" "+ev.ObjectID)
		if rec.LeaseOwner == "" {
			rec.DueAt = now
		}
		_, err = e.records.Update(ctx, key, rec, version)
		if err == nil {
			return e.Sync(ctx, Task{Company: c.ID, Kind: billing.KindInvoice, ID: rec.SourceID})
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

// heedDeletions takes in what events told of the deletion of a document. One whose creation had no answer was there: it gets its
// id, and is not created a second time.
func (e *Engine) heedDeletions(ctx context.Context, w *work) error {
	for _, id := range w.rec.Events {
		in, _, err := e.inbox.Get(ctx, store.ID(w.c.ID, id))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		ev, err := w.c.ParseEvent([]byte(in.Raw))
		if err != nil || !deletes(ev) {
			continue
		}
		if w.rec.PortalID == "" {
			if err := e.heedLost(ctx, w, ev); err != nil {
				return err
			}
		}
		if w.rec.PortalID == ev.ObjectID && w.rec.PortalKind == ev.Object {
			w.rec.Written = "" // so that it is looked for
		}
	}
	w.rec.Events = nil
	return nil
}

// deletedSlack is how far the clocks of the portal and of this process may differ.
const deletedSlack = time.Minute

// heedLost ends the creation of a document whose answer was lost, and which was deleted since.
func (e *Engine) heedLost(ctx context.Context, w *work, ev billing.Event) error {
	entries, err := e.journal.OfRecord(ctx, w.rec.ID())
	if err != nil {
		return err
	}
	for i := range entries {
		entry := &entries[i]
		if !begunDocument(entry) || entry.Kind != string(ev.Object) || ev.At.Before(entry.StartedAt.Add(-deletedSlack)) {
			continue
		}
		if entry.Open() {
			if err := e.journal.Finish(ctx, entry, ev.ObjectID); err != nil {
				return err
			}
		}
		if entry.VendorID == ev.ObjectID {
			w.rec.PortalID, w.rec.PortalKind = ev.ObjectID, ev.Object
		}
	}
	return nil
}
