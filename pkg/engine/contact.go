package engine

import (
	"context"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
)

// applyContacts brings the contacts of a customer in step, remembering each as it is done. A customer that was just created
// has none to read.
func (e *Engine) applyContacts(ctx context.Context, w *work, in plan.CustomerInput, fresh bool) error {
	ids := map[string]string{}
	for number, id := range w.rec.Contacts {
		ids[number] = id
	}
	w.rec.Contacts = ids
	if !in.Settings.Contacts.Sync && (fresh || !plan.RecipientsMove(in.Memory, in.Settings)) {
		return nil
	}
	input := plan.ContactsInput{Source: in.Source, Settings: in.Settings, CustomerID: w.rec.PortalID, Known: ids, Memory: w.rec.Memory}
	if !fresh {
		have, err := w.c.Portal.Contacts(ctx, w.rec.PortalID)
		if err != nil {
			return err
		}
		input.Have = have
		if err := e.regainContacts(ctx, w, input, ids); err != nil {
			return err
		}
	}
	p := plan.Contacts(input)
	e.planned(w, p.Plan)
	for number, id := range p.IDs {
		ids[number] = id
	}
	w.rec.Memory = w.rec.Memory.With(p.Memory)
	for i, step := range p.Steps {
		got, err := e.writeContact(ctx, w, step, ids)
		if err != nil {
			return err
		}
		switch {
		case step.Op == plan.OpDelete:
			delete(ids, step.Target)
		case step.Target != "":
			ids[step.Target] = got
		}
		w.rec.Memory = w.rec.Memory.With(p.Done[i])
	}
	return nil
}

// regainContacts remembers the contacts that an earlier run created without getting to note their ids; without them a
// changed e-mail address would become a second contact.
func (e *Engine) regainContacts(ctx context.Context, w *work, in plan.ContactsInput, ids map[string]string) error {
	anew := in
	anew.Have, anew.Known = nil, nil
	for _, step := range plan.Contacts(anew).Steps {
		id, there := findContact(in.Have, *step.Contact, ids)
		if ids[step.Target] != "" || !there {
			continue
		}
		entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
		if err != nil {
			return err
		}
		if entry == nil || !entry.Open() && (entry.State != journal.Done || entry.VendorID != "" && entry.VendorID != id) {
			continue
		}
		ids[step.Target] = id
		if entry.Open() { // the record may not tell of it any more
			if err := e.journal.Finish(ctx, entry, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// findContact finds a contact by address and name among those that are nobody's yet.
func findContact(have []billing.PortalContact, want billing.PortalContact, known map[string]string) (string, bool) {
	taken := make([]string, 0, len(known))
	for _, id := range known {
		taken = append(taken, id)
	}
	for _, h := range have {
		if h.Email == want.Email && h.Name == want.Name && !slices.Contains(taken, h.ID) {
			return h.ID, true
		}
	}
	return "", false
}

func (e *Engine) writeContact(ctx context.Context, w *work, step plan.Step, known map[string]string) (string, error) {
	return e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			switch step.Op {
			case plan.OpUpdate:
				got, err := w.c.Portal.UpdateContact(ctx, *step.Contact)
				return got.ID, err
			case plan.OpDelete:
				err := w.c.Portal.DeleteContact(ctx, step.Contact.CustomerID, step.Contact.ID)
				if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
					err = nil
				}
				return step.Contact.ID, err
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
			if step.Op == plan.OpDelete {
				there := slices.ContainsFunc(have, func(c billing.PortalContact) bool { return c.ID == step.Contact.ID })
				return step.Contact.ID, !there, nil
			}
			id, found := findContact(have, *step.Contact, known)
			return id, found, nil
		},
	})
}
