package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// customerID is the portal's id of a customer, creating it when its first invoice needs it. An empty id comes with what
// to wait for.
func (e *Engine) customerID(ctx context.Context, w *work, number string) (string, waiting, error) {
	key := record.ID(w.c.ID, billing.KindCustomer, number)
	wait := waiting{record: key, due: 5 * time.Second}
	rec, _, err := e.records.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		now := store.At(e.clock.Now())
		_, err = e.records.Create(ctx, key, record.Record{
			Company: w.c.ID, Kind: billing.KindCustomer, SourceID: number, Customer: number, Status: record.Scheduled,
			DueAt: now, CreatedAt: now, UpdatedAt: now, Backfill: w.rec.Backfill,
		})
		if errors.Is(err, store.ErrExists) {
			return "", wait, nil
		}
	}
	if err != nil {
		return "", wait, err
	}
	ready := func() bool {
		return rec.PortalID != "" && plan.RecipientsRight(rec.Memory, w.c.Settings) && !(plan.Plan{Reasons: rec.Reasons}).Has(plan.GoneInPortal)
	}
	if ready() {
		return rec.PortalID, waiting{}, nil
	}
	if err := e.syncCustomer(ctx, w.c, number); err != nil {
		return "", wait, err
	}
	if rec, _, err = e.records.Get(ctx, key); err != nil || ready() {
		return rec.PortalID, waiting{}, err
	}
	if rec.Status != record.Working { // not merely busy: it waits or needs a person
		wait.due = time.Hour
		if !rec.DueAt.IsZero() {
			wait.due = max(time.Second, rec.DueAt.Sub(e.clock.Now())+time.Second)
		}
		wait.reasons = rec.Reasons
	}
	return "", wait, nil
}

func (e *Engine) syncCustomer(ctx context.Context, c *Company, number string) error {
	w, err := e.take(ctx, c, billing.KindCustomer, number)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	src, err := e.customerSource(ctx, w)
	if err != nil {
		if connector.ClassOf(err) == connector.ClassNotFound {
			return w.park(ctx, record.Waiting, time.Hour, plan.Because(plan.CustomerMissing, "customer", number))
		}
		return w.fail(ctx, vendorERP, err)
	}
	in := plan.CustomerInput{Source: src, Settings: c.Settings, Known: known(w.rec), Memory: w.rec.Memory}
	p, err := e.planCustomer(ctx, w, &in)
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	e.planned(w, p)
	switch p.Verdict {
	case plan.Hold:
		return w.park(ctx, record.Waiting, time.Hour, p.Reasons...)
	case plan.Conflict:
		if p.Has(plan.GoneInPortal) { // what was begun with it ended with it
			w.settle(ctx, w.rec.PortalID)
		}
		return w.park(ctx, record.Attention, 0, p.Reasons...)
	}
	return e.applyCustomer(ctx, w, in, p)
}

// planCustomer asks the plan, reading what it asks for.
func (e *Engine) planCustomer(ctx context.Context, w *work, in *plan.CustomerInput) (plan.Plan, error) {
	for {
		p := plan.Customer(*in)
		var err error
		switch {
		case p.Has(plan.NeedLook):
			err = e.lookCustomer(ctx, w, in)
		case p.Has(plan.NeedTagged):
			in.TagsLooked = true
			in.Tagged, err = e.findTagged(ctx, w.c, in.Source.Number, w.rec.Backfill)
		default:
			return p, nil
		}
		if err != nil {
			return p, err
		}
	}
}

func (e *Engine) lookCustomer(ctx context.Context, w *work, in *plan.CustomerInput) error {
	in.Looked = true
	if in.Known.PortalID == "" {
		found, err := e.findCustomers(ctx, w.c, in.Source.Number, w.rec.Backfill)
		in.Found = found
		return err
	}
	d, err := w.c.Portal.Customer(ctx, in.Known.PortalID)
	if err == nil || connector.ClassOf(err) != connector.ClassNotFound {
		in.Dest = &d
		return err
	}
	found, err := w.c.Portal.FindCustomers(ctx, in.Source.Number)
	// The list may be older than the look by id.
	found = slices.DeleteFunc(found, func(c billing.PortalCustomer) bool { return c.ID == in.Known.PortalID })
	if err == nil && len(found) > 0 { // staff made it again: nothing that was remembered is of this one
		in.Known, in.Found, in.Memory = plan.Known{}, found, nil
		w.rec.PortalID, w.rec.Memory, w.rec.Contacts = "", nil, nil
	}
	return err
}

// customerGone reports whether a document was refused because its customer is not in the portal any more, where staff may have
// deleted it or merged it into another one. It ends the work then: the customer is looked at, and the document waits for it.
func (e *Engine) customerGone(ctx context.Context, w *work, step plan.Step, number string, refusal error) (bool, error) {
	class := connector.ClassOf(refusal)
	if step.Op != plan.OpCreate || !definite(refusal) || class != connector.ClassInvalid && class != connector.ClassNotFound {
		return false, nil
	}
	_, err := w.c.Portal.Customer(ctx, step.Document.CustomerID)
	if err == nil {
		return false, nil // the refusal is about something else
	}
	if connector.ClassOf(err) != connector.ClassNotFound {
		return true, w.fail(ctx, vendorPortal, err)
	}
	cust, _, err := e.records.Get(ctx, record.ID(w.c.ID, billing.KindCustomer, number))
	if err != nil {
		return true, err
	}
	if err := e.lookInPortal(ctx, cust); err != nil {
		return true, err
	}
	return true, w.finish(ctx, func(r *record.Record) {
		r.Set(record.Waiting, []plan.Reason{plan.Because(plan.WaitsForCustomer, "customer", number)})
		r.WaitsFor, r.DueAt = cust.ID(), store.At(e.clock.Now().Add(time.Hour))
		r.Note(e.clock.Now(), "waiting", refusal.Error())
	})
}

// applyCustomer writes the customer, then its contacts, and wakes the invoices that waited.
func (e *Engine) applyCustomer(ctx context.Context, w *work, in plan.CustomerInput, p plan.Plan) error {
	first, ready := w.rec.PortalID == "", plan.RecipientsRight(w.rec.Memory, in.Settings)
	id := w.rec.PortalID
	if have := plan.Matched(in); have != nil {
		id = have.ID
	}
	written := in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint() && ready
	if reason, stop := w.stopped(); stop && !written {
		return w.waitForMode(ctx, id, reason, first && id != "")
	}
	after := plan.CustomerMemory(in)
	w.rec.Memory = w.rec.Memory.With(after.Kept())
	for _, step := range p.Steps {
		got, err := e.writeCustomer(ctx, w, step)
		if err != nil {
			return w.refused(ctx, err)
		}
		id = cmp.Or(step.Target, got)
	}
	w.rec.PortalID, w.rec.PortalKind = id, billing.KindCustomer
	if !written {
		if err := e.contactsOf(ctx, w, in, after, first && p.Verdict == plan.Create); err != nil {
			return e.contactTrouble(ctx, w, err)
		}
	}
	w.rec.Memory = w.rec.Memory.WithRecipients(after)
	w.settle(ctx, id)
	err := w.finish(ctx, func(r *record.Record) {
		r.Set(record.Synced, p.Reasons)
		r.Written, r.Attempts, r.Backfill = in.Source.Fingerprint(), 0, false
		e.noteVerdict(r, p)
	})
	if err != nil || !first && ready {
		return err
	}
	return e.wake(ctx, w)
}

func (e *Engine) noteVerdict(r *record.Record, p plan.Plan) {
	if p.Verdict != plan.None {
		r.Note(e.clock.Now(), string(p.Verdict)+" in the portal", "customer "+r.SourceID+" as "+r.PortalID)
	}
}

// contactsOf remembers what was written of the customer and goes on with its contacts. They may hold other recipients than
// the mode allows until they have been looked at, except those of a customer that was just created.
func (e *Engine) contactsOf(ctx context.Context, w *work, in plan.CustomerInput, after plan.Memory, fresh bool) error {
	w.rec.Memory = after
	if !fresh {
		w.rec.Memory = after.WithRecipients(in.Memory)
	}
	return e.applyContacts(ctx, w, in, fresh)
}

// contactTrouble ends work on a customer that is in the portal without all of its contacts. That holds no invoice, as long
// as no recipient is one that the mode does not allow.
func (e *Engine) contactTrouble(ctx context.Context, w *work, err error) error {
	err = w.fail(ctx, vendorPortal, err)
	if plan.RecipientsRight(w.rec.Memory, w.c.Settings) {
		err = errors.Join(err, e.wake(ctx, w))
	}
	return err
}

// waitForMode parks a customer that may not be written now. One that is in the portal already is remembered, so that
// its invoices can be planned.
func (w *work) waitForMode(ctx context.Context, id string, reason plan.Reason, wake bool) error {
	if id != "" {
		w.rec.PortalID, w.rec.PortalKind = id, billing.KindCustomer
	}
	if err := w.park(ctx, record.Waiting, time.Hour, reason); err != nil || !wake {
		return err
	}
	return w.e.wake(ctx, w)
}

func (e *Engine) writeCustomer(ctx context.Context, w *work, step plan.Step) (string, error) {
	return e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			if step.Op == plan.OpUpdate {
				got, err := w.c.Portal.UpdateCustomer(ctx, step.Target, *step.Patch)
				return got.ID, err
			}
			got, err := w.c.Portal.CreateCustomer(ctx, *step.Customer, step.Digest())
			return got.ID, err
		},
		look: func(ctx context.Context) (string, bool, error) {
			if step.Op == plan.OpUpdate {
				return "", false, nil // a repeated update writes the same values
			}
			found, err := w.c.Portal.FindCustomers(ctx, step.Customer.Number)
			for _, c := range found {
				if c.Metadata[plan.MetaID] == step.Customer.Metadata[plan.MetaID] { // else somebody took the number meanwhile
					return c.ID, true, nil
				}
			}
			return "", false, err
		},
	})
}

// wake publishes the records that wait for this one.
func (e *Engine) wake(ctx context.Context, w *work) error {
	rows, err := e.records.Query(ctx, store.Query{
		Equal:   []store.Equal{{Field: "company", Value: w.c.ID}, {Field: "waits_for", Value: w.rec.ID()}},
		OrderBy: "updated_at", Desc: true, Limit: 1000,
	})
	if err != nil {
		return err
	}
	recs := make([]*record.Record, len(rows))
	for i := range rows {
		recs[i] = &rows[i].Value
	}
	e.announce(ctx, recs...)
	return nil
}
