package engine

import (
	"context"
	"errors"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
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
	if rec.PortalID != "" {
		return rec.PortalID, waiting{}, nil
	}
	if err := e.syncCustomer(ctx, w.c, number); err != nil {
		return "", wait, err
	}
	if rec, _, err = e.records.Get(ctx, key); err != nil || rec.PortalID != "" {
		return rec.PortalID, waiting{}, err
	}
	if rec.Status != record.Working { // not merely busy: it waits or needs a person
		wait.due = time.Hour
		if !rec.DueAt.IsZero() {
			wait.due = max(time.Second, rec.DueAt.Sub(e.clock.Now())+time.Second)
		}
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
	in := plan.CustomerInput{Source: src, Settings: c.Settings, Known: known(w.rec)}
	p := plan.Customer(in)
	if p.Has(plan.NeedLook) {
		if err := e.lookCustomer(ctx, w, &in); err != nil {
			return w.fail(ctx, vendorPortal, err)
		}
		p = plan.Customer(in)
	}
	switch p.Verdict {
	case plan.Hold:
		return w.park(ctx, record.Waiting, time.Hour, p.Reasons...)
	case plan.Conflict:
		return w.park(ctx, record.Attention, 0, p.Reasons...)
	}
	return e.applyCustomer(ctx, w, in, p)
}

func (e *Engine) lookCustomer(ctx context.Context, w *work, in *plan.CustomerInput) error {
	in.Looked = true
	if in.Known.PortalID == "" {
		found, err := e.findCustomers(ctx, w.c, in.Source.Number, w.rec.Backfill)
		in.Found = found
		return err
	}
	d, err := w.c.Portal.Customer(ctx, in.Known.PortalID)
	if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
		return nil
	}
	in.Dest = &d
	return err
}

// applyCustomer writes the customer, then its contacts, and wakes the invoices that waited.
func (e *Engine) applyCustomer(ctx context.Context, w *work, in plan.CustomerInput, p plan.Plan) error {
	first := w.rec.PortalID == ""
	id := w.rec.PortalID
	if id == "" && len(in.Found) == 1 {
		id = in.Found[0].ID
	}
	if reason, stop := w.stopped(); stop && !w.written(in) {
		return w.waitForMode(ctx, id, reason, first && id != "")
	}
	for _, step := range p.Steps {
		got, err := e.writeCustomer(ctx, w, step)
		if err != nil {
			return w.refused(ctx, err)
		}
		if step.Op == plan.OpCreate {
			id = got
		}
	}
	contacts, err := e.applyContacts(ctx, w, in, id, first && p.Verdict == plan.Create)
	if err != nil {
		w.rec.PortalID, w.rec.PortalKind, w.rec.Contacts = id, billing.KindCustomer, contacts
		return errors.Join(w.fail(ctx, vendorPortal, err), e.wake(ctx, w))
	}
	w.settle(ctx, id)
	err = w.finish(ctx, func(r *record.Record) {
		r.Set(record.Synced, p.Reasons)
		r.PortalID, r.PortalKind, r.Written, r.Contacts = id, billing.KindCustomer, in.Source.Fingerprint(), contacts
		r.Attempts, r.Backfill = 0, false
		if p.Verdict != plan.None {
			r.Note(e.clock.Now(), string(p.Verdict)+" in the portal", "customer "+in.Source.Number+" as "+id)
		}
	})
	if err != nil || !first {
		return err
	}
	return e.wake(ctx, w)
}

// written reports whether the customer and its contacts are in the portal as the source has them.
func (w *work) written(in plan.CustomerInput) bool {
	return in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint()
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
			if err != nil || len(found) == 0 {
				return "", false, err
			}
			return found[0].ID, true, nil
		},
	})
}

// applyContacts brings the contacts in step. A customer that was just created has none to read.
func (e *Engine) applyContacts(ctx context.Context, w *work, in plan.CustomerInput, id string, fresh bool) (map[string]string, error) {
	ids := map[string]string{}
	for k, v := range w.rec.Contacts {
		ids[k] = v
	}
	if !in.Settings.Contacts.Sync || w.written(in) {
		return ids, nil
	}
	input := plan.ContactsInput{Source: in.Source, Settings: in.Settings, CustomerID: id, Known: ids}
	if !fresh {
		have, err := w.c.Portal.Contacts(ctx, id)
		if err != nil {
			return ids, err
		}
		input.Have = have
		if err := e.regainContacts(ctx, w, input, ids); err != nil {
			return ids, err
		}
	}
	for _, step := range plan.Contacts(input).Steps {
		got, err := e.writeContact(ctx, w, step)
		if err != nil {
			return ids, err
		}
		ids[step.Target] = got
	}
	return ids, nil
}

// regainContacts remembers the contacts that an earlier run created without getting to note their ids; without them a
// changed e-mail address would become a second contact.
func (e *Engine) regainContacts(ctx context.Context, w *work, in plan.ContactsInput, ids map[string]string) error {
	anew := in
	anew.Have, anew.Known = nil, nil
	for _, step := range plan.Contacts(anew).Steps {
		id, there := findContact(in.Have, *step.Contact)
		if ids[step.Target] != "" || !there {
			continue
		}
		entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
		if err != nil {
			return err
		}
		if entry != nil && (entry.Open() || entry.State == journal.Done) {
			ids[step.Target] = id
		}
	}
	return nil
}

func findContact(have []billing.PortalContact, want billing.PortalContact) (string, bool) {
	for _, h := range have {
		if h.Email == want.Email && h.Name == want.Name {
			return h.ID, true
		}
	}
	return "", false
}

func (e *Engine) writeContact(ctx context.Context, w *work, step plan.Step) (string, error) {
	return e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			if step.Op == plan.OpUpdate {
				got, err := w.c.Portal.UpdateContact(ctx, *step.Contact)
				return got.ID, err
			}
			got, err := w.c.Portal.CreateContact(ctx, *step.Contact, step.Digest())
			return got.ID, err
		},
		look: func(ctx context.Context) (string, bool, error) {
			if step.Op == plan.OpUpdate {
				return "", false, nil // a repeated update writes the same values
			}
			have, err := w.c.Portal.Contacts(ctx, step.Contact.CustomerID)
			if err != nil {
				return "", false, err
			}
			id, found := findContact(have, *step.Contact)
			return id, found, nil
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
