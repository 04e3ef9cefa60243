package q360

import (
	"context"

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
	e := c.m.Entities.Invoice
	col := mapping.InvoiceColumns{Number: e.Key, CustomerNo: e.Columns.CustomerNo, CompanyNo: e.Columns.CompanyNo, Currency: e.Columns.Currency,
		Date: e.Columns.Date, Total: e.Columns.Total, Balance: e.Columns.Balance}
	inv, err := c.readHeader(ctx, "reading the balance of invoice "+number, number, append(mapping.Names(col), e.PostedWhen.Column))
	if err != nil {
		return billing.Balance{}, err
	}
	return billing.Balance{Number: inv.Number, CompanyNo: inv.CompanyNo, CustomerNo: inv.CustomerNo, Currency: inv.Currency,
		Total: inv.Total, Balance: inv.Balance, Posted: inv.Posted}, nil
}

func (c *Connector) readHeader(ctx context.Context, op, number string, columns []string) (billing.Invoice, error) {
	e := c.m.Entities.Invoice
	row, err := c.one(ctx, op, e.Table, e.Key, number, columns)
	if err != nil {
		return billing.Invoice{}, err
	}
	terms, company, err := c.termsFor(ctx, []client.Row{row})
	if err != nil {
		return billing.Invoice{}, err
	}
	inv, err := c.header(row, terms[client.KeyOf(row.Raw(e.Columns.CustomerNo))], company)
	if err != nil {
		return billing.Invoice{}, badRecord(op, err)
	}
	if !c.ours(inv.CompanyNo) {
		return billing.Invoice{}, connector.NewError(connector.ClassNotFound, op, "invoice %s belongs to company %s, not to %s", inv.Number, inv.CompanyNo, c.cfg.CompanyNo)
	}
	return inv, nil
}
