package invoiced

import (
	"context"
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// FindCustomers implements connector.Portal. An answer with other numbers than the one asked for is not believed: a
// filter that is not honoured would make an existing customer look absent (invoiced-api 14.1).
func (c *Connector) FindCustomers(ctx context.Context, number string) ([]billing.PortalCustomer, error) {
	op := "finding customer " + number
	if strings.TrimSpace(number) == "" {
		return nil, invalid(op, "number", "a customer without a number can not be found; give it one")
	}
	found, err := c.api.FindCustomers(ctx, number)
	if err != nil {
		return nil, err
	}
	var out []billing.PortalCustomer
	for _, w := range found {
		if !like(string(w.Number), number) {
			return nil, inexact(op, false, fmt.Errorf("the portal answered with customer %s, so it ignores the filter", w.ID))
		}
		if string(w.Number) != number {
			continue
		}
		v, err := c.customer(op, false, w)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// FindCustomersByMetadata implements connector.Metadata. An answer without the value is not believed either.
func (c *Connector) FindCustomersByMetadata(ctx context.Context, name, value string) ([]billing.PortalCustomer, error) {
	op := "finding customers by metadata " + name
	if strings.TrimSpace(name) == "" || strings.TrimSpace(value) == "" {
		return nil, invalid(op, "metadata", "an empty name or value finds nothing; give both")
	}
	found, err := c.api.FindCustomersByMetadata(ctx, name, value)
	if err != nil {
		return nil, err
	}
	var out []billing.PortalCustomer
	for _, w := range found {
		if !like(w.Metadata[name], value) {
			return nil, inexact(op, false, fmt.Errorf("the portal answered with customer %s, so it ignores the filter", w.ID))
		}
		if w.Metadata[name] != value {
			continue
		}
		v, err := c.customer(op, false, w)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// like reports whether a filter may take the two numbers for equal.
func like(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// ListCustomers implements connector.Portal, in the order of changes. A customer changed while the list is read comes
// twice.
func (c *Connector) ListCustomers(ctx context.Context, page string) (connector.Page[billing.PortalCustomer], error) {
	l, err := c.api.ListCustomers(ctx, page)
	if err != nil {
		return connector.Page[billing.PortalCustomer]{}, err
	}
	return mapped(billing.KindCustomer, l,
		func(w client.Customer) (string, string) { return string(w.ID), string(w.Number) },
		func(w client.Customer) (billing.PortalCustomer, error) { return fromCustomer(w, c.cfg.Country) }), nil
}

// Customer implements connector.Portal.
func (c *Connector) Customer(ctx context.Context, id string) (billing.PortalCustomer, error) {
	w, err := c.api.Customer(ctx, id)
	if err != nil {
		return billing.PortalCustomer{}, err
	}
	return c.customer("reading customer "+id, false, w)
}

// CreateCustomer implements connector.Portal. Name and number are needed: without a number the portal invents one.
func (c *Connector) CreateCustomer(ctx context.Context, v billing.PortalCustomer, key string) (billing.PortalCustomer, error) {
	op := "creating customer " + v.Number
	f, err := toCustomer(op, v, c.cfg.Country)
	if err != nil {
		return billing.PortalCustomer{}, err
	}
	w, err := c.api.CreateCustomer(ctx, f, key)
	if err != nil {
		return billing.PortalCustomer{}, err
	}
	return c.customer(op, true, w)
}

// UpdateCustomer implements connector.Portal.
func (c *Connector) UpdateCustomer(ctx context.Context, id string, p billing.CustomerPatch) (billing.PortalCustomer, error) {
	op := "updating customer " + id
	f, err := toCustomerPatch(op, p, c.cfg.Country)
	if err != nil {
		return billing.PortalCustomer{}, err
	}
	w, err := c.api.UpdateCustomer(ctx, id, f)
	if err != nil {
		return billing.PortalCustomer{}, err
	}
	return c.customer(op, true, w)
}

func (c *Connector) customer(op string, write bool, w client.Customer) (billing.PortalCustomer, error) {
	v, err := fromCustomer(w, c.cfg.Country)
	if err != nil {
		return v, inexact(op, write, err)
	}
	return v, nil
}

// fromCustomer is the customer as the portal has it. own is the company's country.
func fromCustomer(w client.Customer, own string) (billing.PortalCustomer, error) {
	v := billing.PortalCustomer{
		ID: string(w.ID), Number: string(w.Number), Name: string(w.Name), Email: lower(string(w.Email)), Phone: string(w.Phone),
		Terms: string(w.PaymentTerms), AutoPay: bool(w.AutoPay), Chase: bool(w.Chase),
		Metadata: w.Metadata, Updated: instant(w.UpdatedAt),
		Address: billing.Address{Line1: string(w.Address1), Line2: string(w.Address2), City: string(w.City),
			State: string(w.State), PostalCode: string(w.PostalCode), Country: fromCountry(string(w.Country), own)},
	}
	if v.ID == "" {
		return v, missing("id")
	}
	if w.Currency != "" {
		cur, err := money.ParseCurrency(string(w.Currency))
		if err != nil {
			return v, fmt.Errorf("currency: %w", err)
		}
		v.Currency = cur
	}
	return v, nil
}

// toCustomer is the request that creates the customer.
func toCustomer(op string, v billing.PortalCustomer, own string) (client.CustomerFields, error) {
	f := client.CustomerFields{
		Number: client.Some(v.Number), Name: client.Some(v.Name), Email: client.Filled(lower(v.Email)),
		Phone: client.Filled(v.Phone), PaymentTerms: client.Filled(v.Terms), Currency: client.Filled(v.Currency.Lower()),
		AutoPay: client.Some(v.AutoPay), Chase: client.Some(v.Chase),
		Address1: client.Filled(v.Address.Line1), Address2: client.Filled(v.Address.Line2), City: client.Filled(v.Address.City),
		State: client.Filled(v.Address.State), PostalCode: client.Filled(v.Address.PostalCode),
		Country: client.Filled(toCountry(v.Address.Country, own)),
	}
	if len(v.Metadata) > 0 {
		f.Metadata = client.Some(v.Metadata)
	}
	switch {
	case strings.TrimSpace(v.Number) == "":
		return f, invalid(op, "number", "the customer has no number; give it the ERP's")
	case strings.TrimSpace(v.Name) == "":
		return f, invalid(op, "name", "customer %s has no name, which the portal needs; fill it in the ERP", v.Number)
	}
	return f, checkMetadata(op, v.Metadata)
}

// toCustomerPatch is the request that changes a customer.
func toCustomerPatch(op string, p billing.CustomerPatch, own string) (client.CustomerFields, error) {
	var f client.CustomerFields
	if p.Name != nil {
		if strings.TrimSpace(*p.Name) == "" {
			return f, invalid(op, "name", "the new name is empty, which the portal does not allow; fill it in the ERP")
		}
		f.Name = client.Some(*p.Name)
	}
	if p.Email != nil {
		f.Email = client.Words(lower(*p.Email))
	}
	if p.Phone != nil {
		f.Phone = client.Words(*p.Phone)
	}
	if p.Terms != nil {
		f.PaymentTerms = client.Words(*p.Terms)
	}
	if a := p.Address; a != nil {
		f.Address1, f.Address2, f.City = client.Words(a.Line1), client.Words(a.Line2), client.Words(a.City)
		f.State, f.PostalCode = client.Words(a.State), client.Words(a.PostalCode)
		f.Country = client.Words(toCountry(a.Country, own))
	}
	if p.AutoPay != nil {
		f.AutoPay = client.Some(*p.AutoPay)
	}
	if p.Chase != nil {
		f.Chase = client.Some(*p.Chase)
	}
	if p.Metadata == nil {
		return f, nil
	}
	f.Metadata = wholeMap(*p.Metadata)
	return f, checkMetadata(op, *p.Metadata)
}

// toCountry fills in the company's own country, which addresses leave empty.
func toCountry(country, own string) string {
	if country == "" {
		return own
	}
	return strings.ToUpper(country)
}

// fromCountry leaves the company's own country empty.
func fromCountry(country, own string) string {
	if country = strings.ToUpper(country); country == own {
		return ""
	}
	return country
}
