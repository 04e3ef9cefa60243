package q360

import (
	"cmp"
	"context"
	"errors"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// source is a table that a feed reads, with the filters that bound the feed.
type source struct {
	op      string
	table   string
	key     string
	stamp   string // change stamp, "" without one
	columns []string
	filters []client.Filter
}

// page lists rows of the source in an order, under extra filters. Every row must have a key, or paging could not go on.
func (c *Connector) page(ctx context.Context, src source, limit int, order []client.Order, extra ...client.Filter) (client.Page, error) {
	filters := append(append([]client.Filter{}, src.filters...), extra...)
	p, err := c.api.List(ctx, client.Query{Op: src.op, Table: src.table, Columns: src.columns, Filters: filters, Order: order, Limit: limit})
	if err != nil {
		return client.Page{}, err
	}
	for _, r := range p.Rows {
		if r.Text(src.key) == "" {
			return client.Page{}, connector.NewError(connector.ClassBadResponse, src.op, "a row of %s has no %s, which the mapping names as its key", src.table, src.key)
		}
	}
	return p, nil
}

// pageAfter lists the rows after a key, by key; "" is the beginning. The key is compared by the server alone, whose
// collation nobody else knows (q360-api 4.5).
func (c *Connector) pageAfter(ctx context.Context, src source, after string, limit int, extra ...client.Filter) (client.Page, error) {
	if after != "" {
		extra = append(extra, client.Filter{Column: src.key, Op: ">", Value: after})
	}
	p, err := c.page(ctx, src, limit, []client.Order{{Column: src.key}}, extra...)
	if err != nil {
		return client.Page{}, err
	}
	return p, forward(src, p, src.key, after)
}

// forward refuses a page that does not go on: a server that ignores the filter would send the same page for ever.
func forward(src source, p client.Page, column, after string) error {
	for _, r := range p.Rows {
		if after != "" && client.SameKey(r.Raw(column), after) {
			return connector.NewError(connector.ClassBadResponse, src.op,
				"the site returned %s %s among the records after it: it does not apply the filter %s >", src.table, after, column)
		}
	}
	return nil
}

// maxPages bounds a list that is read to its end at once; the longest are the lines of one document.
const maxPages = 1000

// all reads every row of a source by key. A server whose pages never end is an error.
func (c *Connector) all(ctx context.Context, src source, extra ...client.Filter) ([]client.Row, error) {
	var out []client.Row
	walk, after := connector.Walk{Op: src.op, Most: maxPages}, ""
	for {
		p, err := c.pageAfter(ctx, src, after, c.m.Dialect.LinePageSize, extra...)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Rows...)
		if !p.More {
			return out, nil
		}
		after = p.Rows[len(p.Rows)-1].Raw(src.key)
		if err := walk.On(after); err != nil {
			return nil, err
		}
	}
}

// children reads the rows of a child table whose parent is in a range of parents, both ends included, grouped by parent
// (client.KeyOf). Pages follow (parent, key); the rows of the last parent of a page are dropped and read again with the
// next one, so that a parent is in the result complete or not at all. complete is false when the budget of the span was not enough.
func (c *Connector) children(ctx context.Context, src source, parent string, in span) (groups map[string][]client.Row, complete bool, err error) {
	groups = map[string][]client.Row{}
	from := client.Filter{Column: parent, Op: ">=", Value: in.first}
	order := []client.Order{{Column: parent}, {Column: src.key}}
	for range in.budget {
		p, err := c.page(ctx, src, c.m.Dialect.LinePageSize, order, from, client.Filter{Column: parent, Op: "<=", Value: in.last})
		if err != nil {
			return nil, false, err
		}
		end := ""
		if p.More {
			end = p.Rows[len(p.Rows)-1].Raw(parent)
		}
		whole := true // the page is one parent
		for _, r := range p.Rows {
			if end != "" && client.SameKey(r.Raw(parent), end) {
				continue
			}
			whole = false
			k := client.KeyOf(r.Raw(parent))
			groups[k] = append(groups[k], r)
		}
		switch {
		case !p.More:
			return groups, true, nil
		case !whole:
			from = client.Filter{Column: parent, Op: ">=", Value: end}
		default:
			if groups[client.KeyOf(end)], err = c.childrenOf(ctx, src, parent, end); err != nil {
				return nil, false, err
			}
			from = client.Filter{Column: parent, Op: ">", Value: end}
		}
	}
	return groups, false, nil
}

// childrenOf reads the rows of one parent.
func (c *Connector) childrenOf(ctx context.Context, src source, parent, value string) ([]client.Row, error) {
	rows, err := c.all(ctx, src, client.Filter{Column: parent, Op: "=", Value: value})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !client.SameKey(r.Raw(parent), value) {
			return nil, strangerError(src.op, src.table, parent, value)
		}
	}
	return rows, nil
}

// Posted implements connector.Ledger, by key.
func (c *Connector) Posted(ctx context.Context, from, to billing.Date, page string) (connector.Page[billing.Invoice], error) {
	src, _, err := c.invoiceSource(ctx, from)
	if err != nil {
		return connector.Page[billing.Invoice]{}, err
	}
	if to != "" {
		src.filters = append(src.filters, client.Filter{Column: c.postedColumn(), Op: "<", Value: c.api.DateLiteral(to.AddDays(1))})
	}
	return c.headers(ctx, src, page)
}

// Open implements connector.Ledger, by key.
func (c *Connector) Open(ctx context.Context, before billing.Date, page string) (connector.Page[billing.Invoice], error) {
	src, _, err := c.invoiceSource(ctx, "")
	if err != nil {
		return connector.Page[billing.Invoice]{}, err
	}
	src.filters = append(src.filters, client.Filter{Column: c.postedColumn(), Op: "<", Value: c.api.DateLiteral(before)},
		client.Filter{Column: c.m.Entities.Invoice.Columns.Balance, Op: "!=", Value: "0"})
	return c.headers(ctx, src, page)
}

// next is the key to continue a list after, "" on its last page.
func next(p client.Page, src source) string {
	if n := len(p.Rows); p.More && n > 0 {
		return p.Rows[n-1].Raw(src.key)
	}
	return ""
}

func (c *Connector) postedColumn() string {
	col := c.m.Entities.Invoice.Columns
	return cmp.Or(col.PostedDate, col.Date)
}

// headers lists invoices without their lines.
func (c *Connector) headers(ctx context.Context, src source, after string) (connector.Page[billing.Invoice], error) {
	src.op = "listing posted documents"
	var out connector.Page[billing.Invoice]
	p, err := c.pageAfter(ctx, src, after, c.m.Dialect.LinePageSize)
	if err != nil {
		return out, err
	}
	terms, company, err := c.termsFor(ctx, p.Rows)
	if err != nil {
		return out, err
	}
	for _, row := range p.Rows {
		inv, err := c.header(row, terms[client.KeyOf(row.Raw(c.m.Entities.Invoice.Columns.CustomerNo))], company)
		switch {
		case err != nil:
			out.Bad = append(out.Bad, connector.BadRecord{Kind: billing.KindInvoice, Number: row.Text(src.key), Message: err.Error()})
		case c.ours(inv.CompanyNo):
			out.Items = append(out.Items, inv)
		}
	}
	out.Next = next(p, src)
	return out, nil
}

// Receipts implements connector.Ledger, by key. The lines of a page are one list where they fit.
func (c *Connector) Receipts(ctx context.Context, from, to billing.Date, page string) (connector.Page[billing.Receipt], error) {
	op := "listing receipts"
	var out connector.Page[billing.Receipt]
	m, err := c.receiptTables(op)
	if err != nil {
		return out, err
	}
	src := c.receiptSource(op)
	src.columns = append(src.columns, src.key)
	for _, bound := range []client.Filter{
		{Column: m.Header.Columns.Date, Op: ">=", Value: c.api.DateLiteral(from)},
		{Column: m.Header.Columns.Date, Op: "<", Value: c.api.DateLiteral(to.AddDays(1))},
		{Column: m.Header.Columns.CompanyNo, Op: "=", Value: c.cfg.CompanyNo},
	} {
		if bound.Column != "" && bound.Value != "" {
			src.filters = append(src.filters, bound)
		}
	}
	p, err := c.pageAfter(ctx, src, page, c.m.Dialect.PageSize)
	if err != nil || len(p.Rows) == 0 {
		return out, err
	}
	out.Next = next(p, src)
	col := m.Application.Columns
	lines := source{op: op + ": lines", table: m.Application.Table, key: m.Application.Key, columns: append(mapping.Names(col), m.Application.Key)}
	n := len(p.Rows)
	groups, complete, err := c.children(ctx, lines, col.ReceiptNo, span{first: p.Rows[0].Raw(src.key), last: p.Rows[n-1].Raw(src.key), budget: n})
	if err != nil {
		return out, err
	}
	for _, row := range p.Rows {
		found, covered := groups[client.KeyOf(row.Raw(src.key))]
		if !covered && !complete {
			if found, err = c.childrenOf(ctx, lines, col.ReceiptNo, row.Raw(src.key)); err != nil {
				return out, err
			}
		}
		r, err := c.wholeReceipt(ctx, row, found)
		var bad *recordError
		switch {
		case errors.As(err, &bad):
			out.Bad = append(out.Bad, connector.BadRecord{Kind: billing.KindReceipt, Number: row.Text(src.key), Message: err.Error()})
		case err != nil:
			return out, err
		case c.ours(r.CompanyNo):
			out.Items = append(out.Items, r)
		}
	}
	return out, nil
}

// AppliesLater implements connector.Ledger (q360-api 4.3, receipts.applied_when).
func (c *Connector) AppliesLater() bool {
	return c.m.Receipts != nil && c.m.Receipts.AppliedWhen != "" && c.m.Receipts.AppliedWhen != "on_create"
}

// wholeReceipt translates a header and its lines.
func (c *Connector) wholeReceipt(ctx context.Context, row client.Row, lines []client.Row) (billing.Receipt, error) {
	r, err := c.receipt(ctx, row)
	if err != nil {
		return r, err
	}
	for _, l := range lines {
		line, err := c.receiptLine(l, r.Amount.Currency())
		if err != nil {
			return r, err
		}
		r.Lines = append(r.Lines, line)
	}
	return r, nil
}
