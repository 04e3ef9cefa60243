package q360

import (
	"context"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// Invoice implements connector.ERP. An invoice of another company is ClassNotFound here; one that is not posted is
// returned as such.
func (c *Connector) Invoice(ctx context.Context, number string) (billing.Invoice, error) {
	columns, _, err := c.invoiceColumns(ctx)
	if err != nil {
		return billing.Invoice{}, err
	}
	op := "reading invoice " + number
	inv, err := c.readHeader(ctx, op, number, columns)
	if err != nil {
		return billing.Invoice{}, err
	}
	src, parent := c.lineSource()
	src.op = "reading the lines of invoice " + number
	rows, err := c.childrenOf(ctx, src, parent, inv.Number)
	if err != nil {
		return billing.Invoice{}, err
	}
	if inv.Lines, err = c.lines(rows, inv.Currency); err != nil {
		return billing.Invoice{}, badRecord(op, err)
	}
	return inv, nil
}

// Balance implements connector.ERP with one call.
func (c *Connector) Balance(ctx context.Context, number string) (billing.Balance, error) {
	inv, err := c.readHeader(ctx, "reading the balance of invoice "+number, number, c.balanceColumns())
	return balanceOf(inv), err
}

// Balances implements connector.ERP. Lists know no choice of several keys, so that one call reads the customer's invoices
// from the first number to the last; what such a page does not hold is read singly.
func (c *Connector) Balances(ctx context.Context, customerNo string, numbers []string) ([]billing.Balance, error) {
	found, err := c.balancesInRange(ctx, customerNo, numbers)
	if err != nil {
		return nil, err
	}
	out := make([]billing.Balance, len(numbers))
	for i, number := range numbers {
		b, there := found[client.KeyOf(number)]
		if !there {
			if b, err = c.Balance(ctx, number); err != nil {
				return nil, err
			}
		}
		out[i] = b
	}
	return out, nil
}

// balancesInRange reads one page of the customer's invoices between the numbers and returns those that are wanted, by key.
func (c *Connector) balancesInRange(ctx context.Context, customerNo string, numbers []string) (map[string]billing.Balance, error) {
	e := c.m.Entities.Invoice
	if len(numbers) < 2 || strings.TrimSpace(customerNo) == "" {
		return nil, nil
	}
	op := "reading the balances of invoices of customer " + customerNo
	page, err := c.api.List(ctx, client.Query{Op: op, Table: e.Table, Columns: c.balanceColumns(), Limit: c.m.Dialect.PageSize,
		Order: []client.Order{{Column: e.Key}}, Filters: []client.Filter{
			{Column: e.Columns.CustomerNo, Op: "=", Value: customerNo},
			{Column: e.Key, Op: ">=", Value: slices.Min(numbers)}, {Column: e.Key, Op: "<=", Value: slices.Max(numbers)}}})
	if err != nil {
		return nil, err
	}
	found, twice := map[string]billing.Balance{}, map[string]bool{}
	for _, row := range page.Rows {
		key := client.KeyOf(row.Raw(e.Key))
		if !slices.ContainsFunc(numbers, func(n string) bool { return client.KeyOf(n) == key }) {
			continue
		}
		inv, err := c.fromHeader(ctx, op, row)
		if err != nil {
			return nil, err
		}
		_, twice[key] = found[key]
		found[key] = balanceOf(inv)
	}
	for key, is := range twice {
		if is {
			delete(found, key) // the single read refuses it
		}
	}
	return found, nil
}

// balanceColumns are the columns that a balance needs.
func (c *Connector) balanceColumns() []string {
	e := c.m.Entities.Invoice
	return append(mapping.Names(mapping.InvoiceColumns{Number: e.Key, CustomerNo: e.Columns.CustomerNo, CompanyNo: e.Columns.CompanyNo,
		Currency: e.Columns.Currency, Date: e.Columns.Date, Total: e.Columns.Total, Balance: e.Columns.Balance}), e.PostedWhen.Column)
}

func balanceOf(inv billing.Invoice) billing.Balance {
	return billing.Balance{Number: inv.Number, CompanyNo: inv.CompanyNo, CustomerNo: inv.CustomerNo, Currency: inv.Currency,
		Total: inv.Total, Balance: inv.Balance, Posted: inv.Posted}
}

func (c *Connector) readHeader(ctx context.Context, op, number string, columns []string) (billing.Invoice, error) {
	e := c.m.Entities.Invoice
	row, err := c.one(ctx, op, e.Table, e.Key, number, columns)
	if err != nil {
		return billing.Invoice{}, err
	}
	return c.fromHeader(ctx, op, row)
}

// fromHeader translates the header of an invoice of our company.
func (c *Connector) fromHeader(ctx context.Context, op string, row client.Row) (billing.Invoice, error) {
	terms, company, err := c.termsFor(ctx, []client.Row{row})
	if err != nil {
		return billing.Invoice{}, err
	}
	inv, err := c.header(row, terms[client.KeyOf(row.Raw(c.m.Entities.Invoice.Columns.CustomerNo))], company)
	if err != nil {
		return billing.Invoice{}, badRecord(op, err)
	}
	if !c.ours(inv.CompanyNo) {
		return billing.Invoice{}, connector.NewError(connector.ClassNotFound, op, "invoice %s belongs to company %s, not to %s", inv.Number, inv.CompanyNo, c.cfg.CompanyNo)
	}
	return inv, nil
}
