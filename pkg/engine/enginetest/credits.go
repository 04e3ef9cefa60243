package enginetest

import (
	"context"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// ApplyCreditNote implements connector.Credits. As in the real one, a payment without cash stands for the use, and it is
// told like any other.
func (p *Portal) ApplyCreditNote(ctx context.Context, a connector.CreditApplication, _ string) (string, error) {
	return write(ctx, &p.Calls, "ApplyCreditNote", func() (string, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		note, err := p.document(billing.KindCreditNote, a.CreditNoteID)
		if err != nil {
			return "", err
		}
		inv, err := p.document(billing.KindInvoice, a.InvoiceID)
		if err != nil {
			return "", err
		}
		if a.Amount.Cmp(note.Balance) > 0 || a.Amount.Cmp(inv.Balance) > 0 || note.CustomerID != inv.CustomerID || a.CustomerID != note.CustomerID {
			return "", refuse(connector.ClassInvalid, "applying credit note "+note.Number, "the amount or the customer does not fit")
		}
		return p.useCredit(note, inv, a.Amount).ObjectID, nil
	})
}

func (p *Portal) useCredit(note, inv billing.PortalDocument, amount money.Money) billing.Event {
	note.Balance = note.Balance.Sub(amount)
	p.documents[note.ID] = note
	now, zero := p.clock.Now(), money.Zero(amount.Currency())
	pay := billing.Payment{
		ID: p.id(), CustomerID: note.CustomerID, Date: now, Currency: amount.Currency(), Amount: zero, Unapplied: zero, Method: "other",
		Applications: []billing.Application{{Type: billing.ApplyCreditNote, InvoiceID: inv.ID, Amount: amount}}, Created: now, Updated: now,
	}
	p.payments[pay.ID] = pay
	p.apply(pay, 1)
	return p.tell("payment.created", billing.KindPayment, pay.ID)
}

// AutoApply is the portal using a credit note for an invoice by itself, as its setting for new invoices has it.
func (p *Portal) AutoApply(noteID, invoiceID string, amount money.Money) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.useCredit(p.documents[noteID], p.documents[invoiceID], amount)
}

// OpenInvoices implements connector.Credits.
func (p *Portal) OpenInvoices(ctx context.Context, customerID string) ([]billing.PortalDocument, error) {
	return read(ctx, &p.Calls, "OpenInvoices", func() ([]billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return listed(p.documents, func(d billing.PortalDocument) bool {
			return d.Kind == billing.KindInvoice && d.CustomerID == customerID && !d.Voided && !d.Draft && d.Balance.Sign() > 0
		}), nil
	})
}

// Quiet changes a payment without an event and without counting as a change of it, as a refund does (invoiced-api 6.4).
func (p *Portal) Quiet(id string, f func(*billing.Payment)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pay := p.payments[id]
	if pay.Charge != nil {
		charge := *pay.Charge
		pay.Charge = &charge
	}
	f(&pay)
	p.payments[id] = pay
}

// Flag is needs_attention of an invoice turning on, which is all that the portal may tell of a comment (invoiced-api 7.1).
func (p *Portal) Flag(documentID string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell("invoice.updated", billing.KindInvoice, documentID)
	ev := &p.events[len(p.events)-1]
	ev.Commented = true
	ev.Raw = raw(*ev)
	return *ev
}

// Forget makes the portal's list of events lose the newest.
func (p *Portal) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := &p.events[len(p.events)-1]
	last.At = time.Time{} // in no range that anybody asks for
}

// PaymentIDs lists the payments, in the order they were made.
func (p *Portal) PaymentIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := []string{}
	for _, pay := range listed(p.payments, every) {
		ids = append(ids, pay.ID)
	}
	return ids
}
