package enginetest

import (
	"context"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// FindCustomers implements connector.Portal.
func (p *Portal) FindCustomers(ctx context.Context, number string) ([]billing.PortalCustomer, error) {
	return read(ctx, &p.Calls, "FindCustomers", func() ([]billing.PortalCustomer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return listed(p.customers, func(c billing.PortalCustomer) bool { return c.Number == number }), nil
	})
}

// ListCustomers implements connector.Portal.
func (p *Portal) ListCustomers(ctx context.Context, page string) (connector.Page[billing.PortalCustomer], error) {
	return read(ctx, &p.Calls, "ListCustomers", func() (connector.Page[billing.PortalCustomer], error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return pageOf(p, page, listed(p.customers, every))
	})
}

// Customer implements connector.Portal.
func (p *Portal) Customer(ctx context.Context, id string) (billing.PortalCustomer, error) {
	return read(ctx, &p.Calls, "Customer", func() (billing.PortalCustomer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c, ok := p.customers[id]
		if !ok {
			return c, refuse(connector.ClassNotFound, "reading customer "+id, "no such customer")
		}
		return c, nil
	})
}

// CreateCustomer implements connector.Portal.
func (p *Portal) CreateCustomer(ctx context.Context, c billing.PortalCustomer, _ string) (billing.PortalCustomer, error) {
	return write(ctx, &p.Calls, "CreateCustomer", func() (billing.PortalCustomer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, have := range p.customers {
			if have.Number == c.Number {
				return c, refuse(connector.ClassConflict, "creating customer "+c.Number, "the number is taken")
			}
		}
		c.ID, c.Updated = p.id(), p.clock.Now()
		p.customers[c.ID] = c
		return c, nil
	})
}

// UpdateCustomer implements connector.Portal.
func (p *Portal) UpdateCustomer(ctx context.Context, id string, patch billing.CustomerPatch) (billing.PortalCustomer, error) {
	return write(ctx, &p.Calls, "UpdateCustomer", func() (billing.PortalCustomer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c, ok := p.customers[id]
		if !ok {
			return c, refuse(connector.ClassNotFound, "updating customer "+id, "no such customer")
		}
		set(&c.Name, patch.Name)
		set(&c.Email, patch.Email)
		set(&c.Phone, patch.Phone)
		set(&c.Terms, patch.Terms)
		set(&c.Address, patch.Address)
		set(&c.AutoPay, patch.AutoPay)
		set(&c.Chase, patch.Chase)
		set(&c.Metadata, patch.Metadata)
		c.Updated = p.clock.Now()
		p.customers[id] = c
		return c, nil
	})
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// Contacts implements connector.Portal.
func (p *Portal) Contacts(ctx context.Context, customerID string) ([]billing.PortalContact, error) {
	return read(ctx, &p.Calls, "Contacts", func() ([]billing.PortalContact, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return listed(p.contacts, func(c billing.PortalContact) bool { return c.CustomerID == customerID }), nil
	})
}

// CreateContact implements connector.Portal.
func (p *Portal) CreateContact(ctx context.Context, c billing.PortalContact, _ string) (billing.PortalContact, error) {
	return write(ctx, &p.Calls, "CreateContact", func() (billing.PortalContact, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, ok := p.customers[c.CustomerID]; !ok {
			return c, refuse(connector.ClassNotFound, "creating a contact", "no customer %s", c.CustomerID)
		}
		c.ID, c.Email = p.id(), strings.ToLower(c.Email)
		p.contacts[c.ID] = c
		return c, nil
	})
}

// UpdateContact implements connector.Portal.
func (p *Portal) UpdateContact(ctx context.Context, c billing.PortalContact) (billing.PortalContact, error) {
	return write(ctx, &p.Calls, "UpdateContact", func() (billing.PortalContact, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, ok := p.contacts[c.ID]; !ok {
			return c, refuse(connector.ClassNotFound, "updating contact "+c.ID, "no such contact")
		}
		c.Email = strings.ToLower(c.Email)
		p.contacts[c.ID] = c
		return c, nil
	})
}

// DeleteContact implements connector.Portal.
func (p *Portal) DeleteContact(ctx context.Context, _, id string) error {
	_, err := write(ctx, &p.Calls, "DeleteContact", func() (struct{}, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.contacts, id)
		return struct{}{}, nil
	})
	return err
}
