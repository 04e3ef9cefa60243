package enginetest

import (
	"context"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// Vanish removes an invoice from the ERP, as merging and renumbering do. The next page of the feed names it.
func (e *ERP) Vanish(number string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.invoices, number)
	e.gone = append(e.gone, number)
}

// Miss makes the next page of the feed name an invoice as gone, whether or not it is.
func (e *ERP) Miss(number string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = append(e.gone, number)
}

// FindCustomersByMetadata implements connector.Metadata.
func (p *Portal) FindCustomersByMetadata(ctx context.Context, name, value string) ([]billing.PortalCustomer, error) {
	return read(ctx, &p.Calls, "FindCustomersByMetadata", func() ([]billing.PortalCustomer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return listed(p.customers, func(c billing.PortalCustomer) bool { return c.Metadata[name] == value && value != "" }), nil
	})
}

// Edit is a person changing a customer in the portal.
func (p *Portal) Edit(id string, change func(*billing.PortalCustomer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.customers[id]
	c.Metadata = maps.Clone(c.Metadata)
	change(&c)
	p.customers[id] = c
}

// EditContact is a person changing a contact in the portal.
func (p *Portal) EditContact(id string, change func(*billing.PortalContact)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.contacts[id]
	change(&c)
	p.contacts[id] = c
}

// EditDocument is a person, or the portal by itself, changing a document.
func (p *Portal) EditDocument(id string, change func(*billing.PortalDocument)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.documents[id]
	d.Items, d.Metadata = slices.Clone(d.Items), maps.Clone(d.Metadata)
	change(&d)
	p.documents[id] = d
}

// ChargeLate makes the portal add a late fee to a document, as its own settings may say (invoiced-api 13).
func (p *Portal) ChargeLate(id string, fee money.Money) {
	p.EditDocument(id, func(d *billing.PortalDocument) {
		d.Items = append(d.Items, billing.PortalItem{Name: "Late fee", Type: "late_fee", Quantity: decimal.NewFromInt(1), UnitCost: fee.Decimal()})
		d.Total, d.Balance = d.Total.Add(fee), d.Balance.Add(fee)
	})
}

// DeleteDocument is a person deleting a document in the portal; it returns the event that tells of it.
func (p *Portal) DeleteDocument(id string) billing.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.documents[id]
	delete(p.documents, id)
	ev := p.tell(string(d.Kind)+".deleted", d.Kind, id)
	ev.Number = d.Number
	ev.Raw = raw(ev)
	p.events[len(p.events)-1] = ev
	return ev
}
