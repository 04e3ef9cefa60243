package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// Customer is a customer as read (invoiced-api 2.2). Fields that nothing uses are not decoded.
type Customer struct {
	ID           ID       `json:"id"`
	Number       Text     `json:"number"`
	Name         Text     `json:"name"`
	Email        Text     `json:"email"`
	Phone        Text     `json:"phone"`
	PaymentTerms Text     `json:"payment_terms"`
	Currency     Text     `json:"currency"`
	AutoPay      Flag     `json:"autopay"`
	Chase        Flag     `json:"chase"`
	Address1     Text     `json:"address1"`
	Address2     Text     `json:"address2"`
	City         Text     `json:"city"`
	State        Text     `json:"state"`
	PostalCode   Text     `json:"postal_code"`
	Country      Text     `json:"country"`
	Metadata     Metadata `json:"metadata"`
	UpdatedAt    Unix     `json:"updated_at"`
}

// CustomerFields are the fields of a customer to write; absent ones stay as they are.
type CustomerFields struct {
	Number       Optional[string]            `json:"number,omitzero"`
	Name         Optional[string]            `json:"name,omitzero"`
	Email        Optional[string]            `json:"email,omitzero"`
	Phone        Optional[string]            `json:"phone,omitzero"`
	PaymentTerms Optional[string]            `json:"payment_terms,omitzero"`
	Currency     Optional[string]            `json:"currency,omitzero"`
	AutoPay      Optional[bool]              `json:"autopay,omitzero"`
	Chase        Optional[bool]              `json:"chase,omitzero"`
	Address1     Optional[string]            `json:"address1,omitzero"`
	Address2     Optional[string]            `json:"address2,omitzero"`
	City         Optional[string]            `json:"city,omitzero"`
	State        Optional[string]            `json:"state,omitzero"`
	PostalCode   Optional[string]            `json:"postal_code,omitzero"`
	Country      Optional[string]            `json:"country,omitzero"`
	Metadata     Optional[map[string]string] `json:"metadata,omitzero"` // the whole map (invoiced-api 11.1)
}

// Contact is a contact as read (invoiced-api 3).
type Contact struct {
	ID      ID   `json:"id"`
	Name    Text `json:"name"`
	Title   Text `json:"title"`
	Email   Text `json:"email"`
	Phone   Text `json:"phone"`
	Primary Flag `json:"primary"`
}

// ContactFields are the fields of a contact to write; absent ones stay as they are.
type ContactFields struct {
	Name    Optional[string] `json:"name,omitzero"`
	Title   Optional[string] `json:"title,omitzero"`
	Email   Optional[string] `json:"email,omitzero"`
	Phone   Optional[string] `json:"phone,omitzero"`
	Primary Optional[bool]   `json:"primary,omitzero"`
}

// Ping makes the cheapest read that needs a valid key: one customer of a list.
func (c *Client) Ping(ctx context.Context) error {
	in := call{op: "checking the API key", method: http.MethodGet, path: "/customers", query: url.Values{"per_page": {"1"}}}
	res, err := c.send(ctx, in)
	if err != nil {
		return err
	}
	var rows Rows[json.RawMessage]
	if err := json.Unmarshal(res.Body, &rows); err != nil || !rows.Given {
		return unreadable(in.op, false, res.Status, errors.New("it is not a JSON list"))
	}
	return nil
}

// FindCustomers returns the customers that the filter for the number gives. Compare the numbers: the filter's treatment
// of case and blanks is not documented.
func (c *Client) FindCustomers(ctx context.Context, number string) ([]Customer, error) {
	return all[Customer](ctx, c, "finding customer "+number, url.Values{"filter[number]": {number}}, "customers")
}

// FindCustomersByMetadata returns the customers with a value in their metadata (invoiced-api 1.6).
func (c *Client) FindCustomersByMetadata(ctx context.Context, name, value string) ([]Customer, error) {
	return all[Customer](ctx, c, "finding customers by metadata "+name, url.Values{"metadata[" + name + "]": {value}}, "customers")
}

// ListCustomers reads a page of all customers in the order of their changes.
func (c *Client) ListCustomers(ctx context.Context, token string) (List[Customer], error) {
	return changes(ctx, c, "listing customers", 0, nil, token, func(v Customer) Unix { return v.UpdatedAt }, "customers")
}

// Customer reads one customer.
func (c *Client) Customer(ctx context.Context, id string) (Customer, error) {
	return get[Customer](ctx, c, "reading customer "+id, nil, "customers", id)
}

// CreateCustomer creates a customer.
func (c *Client) CreateCustomer(ctx context.Context, f CustomerFields, key string) (Customer, error) {
	number, _ := f.Number.Get()
	return create[Customer](ctx, c, "creating customer "+number, f, key, "customers")
}

// UpdateCustomer changes a customer.
func (c *Client) UpdateCustomer(ctx context.Context, id string, f CustomerFields) (Customer, error) {
	return update[Customer](ctx, c, "updating customer "+id, f, "customers", id)
}

// Contacts reads all contacts of a customer.
func (c *Client) Contacts(ctx context.Context, customerID string) ([]Contact, error) {
	return all[Contact](ctx, c, "reading the contacts of customer "+customerID, nil, "customers", customerID, "contacts")
}

// CreateContact creates a contact of a customer.
func (c *Client) CreateContact(ctx context.Context, customerID string, f ContactFields, key string) (Contact, error) {
	return create[Contact](ctx, c, "creating a contact of customer "+customerID, f, key, "customers", customerID, "contacts")
}

// UpdateContact changes a contact.
func (c *Client) UpdateContact(ctx context.Context, customerID, id string, f ContactFields) (Contact, error) {
	return update[Contact](ctx, c, "updating contact "+id, f, "customers", customerID, "contacts", id)
}

// DeleteContact removes a contact.
func (c *Client) DeleteContact(ctx context.Context, customerID, id string) error {
	return c.remove(ctx, "deleting contact "+id, "customers", customerID, "contacts", id)
}
