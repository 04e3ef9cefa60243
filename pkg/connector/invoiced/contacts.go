package invoiced

import (
	"context"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
)

// Contacts implements connector.Portal.
func (c *Connector) Contacts(ctx context.Context, customerID string) ([]billing.PortalContact, error) {
	found, err := c.api.Contacts(ctx, customerID)
	if err != nil {
		return nil, err
	}
	out := make([]billing.PortalContact, 0, len(found))
	for _, w := range found {
		v, err := contact("reading the contacts of customer "+customerID, false, w, customerID)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// CreateContact implements connector.Portal.
func (c *Connector) CreateContact(ctx context.Context, v billing.PortalContact, key string) (billing.PortalContact, error) {
	op := "creating a contact of customer " + v.CustomerID
	f, err := toContact(op, v)
	if err != nil {
		return billing.PortalContact{}, err
	}
	w, err := c.api.CreateContact(ctx, v.CustomerID, f, key)
	if err != nil {
		return billing.PortalContact{}, err
	}
	return contact(op, true, w, v.CustomerID)
}

// UpdateContact implements connector.Portal.
func (c *Connector) UpdateContact(ctx context.Context, v billing.PortalContact) (billing.PortalContact, error) {
	op := "updating contact " + v.ID
	f, err := toContact(op, v)
	if err != nil {
		return billing.PortalContact{}, err
	}
	w, err := c.api.UpdateContact(ctx, v.CustomerID, v.ID, f)
	if err != nil {
		return billing.PortalContact{}, err
	}
	return contact(op, true, w, v.CustomerID)
}

// DeleteContact implements connector.Portal.
func (c *Connector) DeleteContact(ctx context.Context, customerID, id string) error {
	return c.api.DeleteContact(ctx, customerID, id)
}

func contact(op string, write bool, w client.Contact, customerID string) (billing.PortalContact, error) {
	v := fromContact(w, customerID)
	if v.ID == "" {
		return v, inexact(op, write, missing("id"))
	}
	return v, nil
}

// fromContact is the contact as the portal has it. The customer is the one asked for, because not every answer names it
// (invoiced-api 3).
func fromContact(w client.Contact, customerID string) billing.PortalContact {
	return billing.PortalContact{ID: string(w.ID), CustomerID: customerID, Name: string(w.Name), Title: string(w.Title),
		Email: lower(string(w.Email)), Phone: string(w.Phone), Primary: bool(w.Primary)}
}

// toContact is the request that creates or replaces the contact. A contact without a name gets its e-mail for one, as
// the vendor's own importer does.
func toContact(op string, v billing.PortalContact) (client.ContactFields, error) {
	name := v.Name
	if name == "" {
		name = lower(v.Email)
	}
	if name == "" {
		return client.ContactFields{}, invalid(op, "name", "the contact has neither a name nor an e-mail address; fill one in the ERP")
	}
	return client.ContactFields{Name: client.Some(name), Title: client.Words(v.Title), Email: client.Words(lower(v.Email)),
		Phone: client.Words(v.Phone), Primary: client.Some(v.Primary)}, nil
}
