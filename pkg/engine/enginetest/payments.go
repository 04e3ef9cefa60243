package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// Payment implements connector.Portal.
func (p *Portal) Payment(ctx context.Context, id string) (billing.Payment, error) {
	return read(ctx, &p.Calls, "Payment", func() (billing.Payment, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		pay, ok := p.payments[id]
		if !ok {
			return pay, refuse(connector.ClassNotFound, "reading payment "+id, "no such payment")
		}
		if why := p.spoilt[id]; why != "" && why != listOnly {
			return billing.Payment{}, refuse(connector.ClassBadResponse, "reading payment "+id, "%s", why)
		}
		if pay.Charge != nil {
			charge := *pay.Charge
			pay.Charge = &charge
		}
		return pay, nil
	})
}

// ListPayments implements connector.Portal.
func (p *Portal) ListPayments(ctx context.Context, since time.Time, page string) (connector.Page[billing.Payment], error) {
	return read(ctx, &p.Calls, "ListPayments", func() (connector.Page[billing.Payment], error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		all := listed(p.payments, func(pay billing.Payment) bool { return pay.Updated.After(since) })
		out, err := pageOf(p, page, slices.DeleteFunc(slices.Clone(all), func(pay billing.Payment) bool { return p.spoilt[pay.ID] != "" }))
		for _, pay := range all {
			if why := p.spoilt[pay.ID]; why != "" && page == "" {
				out.Bad = append(out.Bad, connector.BadRecord{Kind: billing.KindPayment, Number: pay.ID, Message: why})
			}
		}
		if why := p.spoilt[""]; why != "" {
			out.Bad = append(out.Bad, connector.BadRecord{Kind: billing.KindPayment, Message: why})
		}
		return out, err
	})
}

// listOnly is the reason of a payment that can not be read in lists and is whole by itself.
const listOnly = "its entry has no balance"

// Spoil makes a payment one that can not be read exactly, until why is empty. Without an id it is an entry of the list
// that names no payment.
func (p *Portal) Spoil(id, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoilt[id] = why
	if pay, ok := p.payments[id]; ok {
		pay.Updated = p.clock.Now()
		p.payments[id] = pay
	}
}

// SpoilEntry makes a payment one that can not be read in lists.
func (p *Portal) SpoilEntry(id string) { p.Spoil(id, listOnly) }

// Odd adds an entry that can not be read to the list of events.
func (p *Portal) Odd(b connector.BadRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = append(p.odd, b)
}

// Pay is a customer paying: the amount is the sum of the parts that are cash. A status makes it a processed payment, an
// empty one a recorded one. It returns the payment's event.
func (p *Portal) Pay(method string, status billing.ChargeStatus, parts ...billing.Application) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	cur := parts[0].Amount.Currency()
	pay := billing.Payment{
		ID: p.id(), Date: now, Currency: cur, Amount: money.Zero(cur), Unapplied: money.Zero(cur), Method: method, Applications: parts, Created: now, Updated: now,
	}
	for _, a := range parts {
		if a.Cash() {
			pay.Amount = pay.Amount.Add(a.Amount)
		}
	}
	if status != "" {
		pay.Charge = &billing.Charge{ID: "ch" + pay.ID, Status: status, Refunded: money.Zero(cur), Updated: now}
	}
	p.payments[pay.ID] = pay
	p.apply(pay, 1)
	return p.tell("payment.created", billing.KindPayment, pay.ID)
}

// apply lowers the balances of the documents a payment applies to, or raises them again.
func (p *Portal) apply(pay billing.Payment, sign int) {
	for _, a := range pay.Applications {
		d, ok := p.documents[a.InvoiceID]
		if !ok {
			continue
		}
		amount := a.Amount
		if sign < 0 {
			amount = amount.Neg()
		}
		d.Balance = d.Balance.Sub(amount)
		p.documents[a.InvoiceID] = d
	}
}

// change changes a payment and tells its event.
func (p *Portal) change(id, event string, f func(*billing.Payment)) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	pay := p.payments[id]
	pay.Updated = p.clock.Now()
	if pay.Charge != nil {
		charge := *pay.Charge
		charge.Updated = pay.Updated
		pay.Charge = &charge
	}
	f(&pay)
	p.payments[id] = pay
	return p.tell(event, billing.KindPayment, id)
}

// Apply moves what payments pay of one document to another, as staff do.
func (p *Portal) Apply(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, pay := range p.payments {
		p.apply(pay, -1)
		pay.Applications = slices.Clone(pay.Applications)
		for i, a := range pay.Applications {
			if a.InvoiceID == from {
				pay.Applications[i].InvoiceID = to
			}
		}
		p.apply(pay, 1)
		p.payments[id] = pay
	}
}

// Settle makes a pending payment a succeeded one.
func (p *Portal) Settle(id string) billing.Event {
	return p.change(id, "payment.updated", func(pay *billing.Payment) { pay.Charge.Status = billing.ChargeSucceeded })
}

// Bounce makes a payment a failed one, as when a bank returns it.
func (p *Portal) Bounce(id string) billing.Event {
	return p.change(id, "payment.updated", func(pay *billing.Payment) {
		pay.Charge.Status = billing.ChargeFailed
		p.apply(*pay, -1)
	})
}

// Void takes a payment back.
func (p *Portal) Void(id string) billing.Event {
	return p.change(id, "payment.updated", func(pay *billing.Payment) {
		pay.Voided = true
		p.apply(*pay, -1)
	})
}

// Refund pays part of a payment back.
func (p *Portal) Refund(id string, amount money.Money) billing.Event {
	return p.change(id, "payment.updated", func(pay *billing.Payment) { pay.Charge.Refunded = amount })
}

// Delete removes a payment.
func (p *Portal) Delete(id string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apply(p.payments[id], -1)
	delete(p.payments, id)
	return p.tell("payment.deleted", billing.KindPayment, id)
}

// View is a customer looking at an invoice.
func (p *Portal) View(documentID string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tell("invoice.viewed", billing.KindInvoice, documentID)
}

// Paid tells that an invoice is paid in full.
func (p *Portal) Paid(documentID string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tell("invoice.paid", billing.KindInvoice, documentID)
}

// Comment is a customer leaving a comment on an invoice.
func (p *Portal) Comment(documentID, text string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell("invoice.commented", billing.KindInvoice, documentID)
	ev := &p.events[len(p.events)-1]
	ev.Commented, ev.Comment = true, text
	ev.Raw = raw(*ev)
	return *ev
}

// Tell makes any event.
func (p *Portal) Tell(kind string, object billing.Kind, id string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tell(kind, object, id)
}

func (p *Portal) tell(kind string, object billing.Kind, id string) billing.Event {
	ev := billing.Event{ID: fmt.Sprintf("ev%d", len(p.events)+1), Type: kind, At: p.clock.Now(), Object: object, ObjectID: id}
	ev.Raw = raw(ev)
	p.events = append(p.events, ev)
	return ev
}

func raw(ev billing.Event) []byte {
	b, err := json.Marshal(ev)
	if err != nil {
		panic(err) // texts and a time always encode
	}
	return b
}

// ParseEvent reads an event as this portal sends it.
func ParseEvent(body []byte) (billing.Event, error) {
	ev, err := decode[billing.Event](body)
	if err != nil {
		return ev, fmt.Errorf("reading an event: %w", err)
	}
	if ev.ID == "" || ev.Type == "" {
		return ev, errors.New("reading an event: id or type is missing")
	}
	ev.Raw = body
	return ev, nil
}
