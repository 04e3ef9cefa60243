package q360

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

// header translates an invoice row without its lines. t holds what the customer's record adds where the invoice has no
// column or no currency of its own; company is the currency of the company (q360-api 4.3, fallbacks).
func (c *Connector) header(row client.Row, t customerTerms, company money.Currency) (billing.Invoice, error) {
	e := c.m.Entities.Invoice
	col := e.Columns
	r := c.reader(e.Table, e.Key, row)
	cur := c.documentCurrency(r, col.Currency, t, company)
	inv := billing.Invoice{
		Number: r.required(col.Number), CompanyNo: r.code(col.CompanyNo), CustomerNo: r.required(col.CustomerNo), SiteNo: r.text(col.SiteNo),
		Posted: client.Holds(e.PostedWhen, row), Date: r.date(col.Date), DueDate: r.date(col.DueDate), PostedDate: r.date(col.PostedDate),
		Currency: cur, Terms: r.code(col.Terms), PayMethod: r.code(col.PayMethod), Type: r.text(col.Type),
		Freight: r.money(col.Freight, cur, false), Tax: r.money(col.Tax, cur, false), Total: r.money(col.Total, cur, true),
		Paid: r.money(col.Paid, cur, false), Balance: r.money(col.Balance, cur, true),
		ContractNo: r.text(col.ContractNo), ProjectNo: r.text(col.ProjectNo), DispatchNo: r.text(col.DispatchNo),
		CustomerPO: r.text(col.CustomerPO), Comment: r.text(col.Comment), Modified: r.moment(col.Modified),
	}
	if inv.Date == "" {
		r.fail(col.Date, errors.New("is empty"), "fill in the invoice date in Q360")
	}
	inv.CompanyNo = cmp.Or(inv.CompanyNo, t.companyNo, c.m.Defaults.CompanyNo)
	if col.PostedDate == "" {
		inv.PostedDate = inv.Date
	}
	if col.PayMethod == "" {
		inv.PayMethod = t.payMethod
	}
	if r.err != nil {
		return billing.Invoice{}, r.err
	}
	if r.text(col.Paid) == "" && col.Paid == "" {
		inv.Paid = inv.Total.Sub(inv.Balance)
	}
	inv.Subtotal = inv.Total.Sub(inv.Tax).Sub(inv.Freight)
	if r.text(col.Subtotal) != "" {
		inv.Subtotal = r.money(col.Subtotal, cur, false)
	}
	return inv, r.err
}

// documentCurrency is the currency of a document: its own, else its customer's, else the company's, else the configured.
func (c *Connector) documentCurrency(r *reader, column string, t customerTerms, company money.Currency) money.Currency {
	if cur := r.currency(column); cur != "" || r.err != nil {
		return cur
	}
	if t.currency != "" {
		customer := c.m.Entities.Customer
		cr := &reader{row: client.NewRow(map[string]string{customer.Columns.Currency: t.currency}), table: customer.Table, record: t.number}
		cur := cr.currency(customer.Columns.Currency)
		if cr.err != nil && r.err == nil {
			r.err = cr.err
		}
		return cur
	}
	cur := cmp.Or(company, c.cfg.DefaultCurrency)
	if cur == "" {
		r.fail(cmp.Or(column, "currency"), errors.New("is empty, and neither the customer nor the company has a currency"), "set a currency in Q360 or a default currency in the settings")
	}
	return cur
}

// lines translates line rows in the order of their sequence numbers; rows of one number stay in key order.
func (c *Connector) lines(rows []client.Row, cur money.Currency) ([]billing.Line, error) {
	e := c.m.Entities.InvoiceLine
	col := e.Columns
	out := make([]billing.Line, 0, len(rows))
	one := decimal.New(1, 0)
	for _, row := range rows {
		r := c.reader(e.Table, e.Key, row)
		r.record += " (invoice " + row.Text(e.Parent) + ")"
		line := billing.Line{
			ID: cmp.Or(r.text(col.ID), r.text(e.Key)), Seq: int(r.whole(cmp.Or(col.Seq, e.OrderBy))), Item: r.text(col.Item),
			Description: r.text(col.Description), Quantity: r.decimal(col.Quantity, one), Amount: r.money(col.Amount, cur, false),
			GLAccount: r.text(col.GLAccount),
		}
		price := decimal.Zero
		if line.Quantity.Equal(one) {
			price = line.Amount.Decimal()
		}
		line.UnitPrice = r.decimal(col.UnitPrice, price)
		if r.err != nil {
			return nil, r.err
		}
		out = append(out, line)
	}
	slices.SortStableFunc(out, func(a, b billing.Line) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}

// customer translates a customer row without site and contacts.
func (c *Connector) customer(row client.Row) (billing.Customer, error) {
	e := c.m.Entities.Customer
	col := e.Columns
	r := c.reader(e.Table, e.Key, row)
	out := billing.Customer{
		Number: r.required(e.Key), Name: r.text(col.Name), Type: r.code(col.Type), Active: holds(e.ActiveWhen, row),
		CompanyNo: r.code(col.CompanyNo), Currency: r.currency(col.Currency), Terms: r.code(col.Terms), PayMethod: r.code(col.PayMethod),
		Parent: r.text(col.Parent), Phone: r.text(col.Phone), BillingSite: r.text(col.InvoiceSite), MainContact: r.text(col.MainContact),
		Main: billing.Address{
			Line1: r.text(col.Address1), Line2: r.text(col.Address2), City: r.text(col.City), State: r.text(col.State),
			PostalCode: r.text(col.PostalCode), Country: r.country(col.Country),
		},
		Modified: r.moment(col.Modified),
	}
	return out, r.err
}

func holds(c *mapping.Condition, row client.Row) bool { return c == nil || client.Holds(*c, row) }

func (c *Connector) siteAddress(row client.Row) billing.Address {
	e := c.m.Entities.Site
	col := e.Columns
	r := c.reader(e.Table, e.Key, row)
	return billing.Address{
		Line1: r.text(col.Address1), Line2: r.text(col.Address2), City: r.text(col.City), State: r.text(col.State),
		PostalCode: r.text(col.PostalCode), Country: r.country(col.Country),
	}
}

// contacts translates contact rows, ordered by number.
func (c *Connector) contacts(rows []client.Row) []billing.Contact {
	e := c.m.Entities.Contact
	var out []billing.Contact
	for _, row := range rows {
		col := e.Columns
		r := c.reader(e.Table, e.Key, row)
		out = append(out, billing.Contact{
			Number: r.text(col.Number), CustomerNo: r.text(col.CustomerNo), Title: r.text(col.Title), Email: r.email(col.Email),
			Name:  strings.TrimSpace(r.text(col.FirstName) + " " + r.text(col.LastName)),
			Phone: cmp.Or(r.text(col.Phone), r.text(col.Mobile)), Roles: rolesOf(e, row), Active: holds(e.ActiveWhen, row),
		})
	}
	slices.SortFunc(out, func(a, b billing.Contact) int { return strings.Compare(a.Number, b.Number) })
	return out
}

// rolesOf are the roles of a contact in a fixed order. The role column may hold several values, with commas or
// semicolons between them; values that the mapping does not name mean no role.
func rolesOf(e *mapping.Contact, row client.Row) []billing.Role {
	values := strings.FieldsFunc(row.Text(e.Columns.Role), func(r rune) bool { return r == ',' || r == ';' })
	var out []billing.Role
	for _, role := range []billing.Role{billing.RoleAR, billing.RoleAP, billing.RoleCollections} {
		has := slices.ContainsFunc(e.Roles[string(role)], func(mapped string) bool {
			if e.RoleSource == "flags" {
				return client.Yes(row.Text(mapped))
			}
			return slices.ContainsFunc(values, func(v string) bool { return client.SameKey(v, mapped) })
		})
		if has {
			out = append(out, role)
		}
	}
	return out
}
