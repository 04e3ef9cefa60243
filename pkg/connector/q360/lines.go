package q360

import (
	"context"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// group is some invoice rows of one list, whose lines are read together.
type group struct {
	rows  []client.Row
	byKey bool   // in key order: the first and the last row bound the others
	dense bool   // little else is between the first and the last
	src   source // else: the list they came from, in order of its change stamp
}

const fewRecords = 4 // less have their lines, sites or contacts read one by one

// build makes complete invoices of a group. What can not be taken exactly is reported as bad and stops nothing.
func (c *Connector) build(ctx context.Context, g group) ([]billing.Invoice, []connector.BadRecord, error) {
	terms, company, err := c.termsFor(ctx, g.rows)
	if err != nil {
		return nil, nil, err
	}
	e := c.m.Entities.Invoice
	var bad []connector.BadRecord
	report := func(number, message string) {
		bad = append(bad, connector.BadRecord{Kind: billing.KindInvoice, Number: number, Message: message})
	}
	var heads []billing.Invoice
	var kept []client.Row
	count := map[string]int{}
	for _, r := range g.rows {
		count[client.KeyOf(r.Raw(e.Key))]++
	}
	for _, r := range g.rows {
		inv, err := c.header(r, terms[client.KeyOf(r.Raw(e.Columns.CustomerNo))], company)
		number := r.Text(e.Key)
		switch {
		case count[client.KeyOf(number)] > 1:
			report(number, e.Table+"."+e.Key+" of record "+number+": several rows have this key; check the key in the mapping and mend the data in Q360")
		case err != nil:
			report(number, err.Error())
		case !c.ours(inv.CompanyNo): // another company's: not this connector's business
		default:
			heads, kept = append(heads, inv), append(kept, r)
		}
	}
	g.rows = kept
	lines, err := c.linesOf(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	items := heads[:0]
	for _, inv := range heads {
		if inv.Lines, err = c.lines(lines[client.KeyOf(inv.Number)], inv.Currency); err != nil {
			report(inv.Number, err.Error())
			continue
		}
		items = append(items, inv)
	}
	return items, bad, nil
}

func (c *Connector) lineSource() (src source, parent string) {
	e := c.m.Entities.InvoiceLine
	columns := append(mapping.Names(e.Columns), mapping.Names(mapping.LineColumns{ID: e.Key, Seq: e.OrderBy, Item: e.Parent})...)
	return source{op: "listing invoice lines", table: e.Table, key: e.Key, columns: columns}, e.Parent
}

// linesOf reads the lines of a group by invoice (client.KeyOf). A range of invoices is one list; what the list does not
// cover, and invoices that seem to have no lines at all, are read one by one.
func (c *Connector) linesOf(ctx context.Context, g group) (map[string][]client.Row, error) {
	src, parent := c.lineSource()
	found := map[string][]client.Row{}
	key := c.m.Entities.Invoice.Key
	span, err := c.bounds(ctx, g, key)
	if err != nil {
		return nil, err
	}
	if span.budget > 0 {
		if found, _, err = c.children(ctx, src, parent, span); err != nil {
			return nil, err
		}
	}
	for _, r := range g.rows {
		k := client.KeyOf(r.Raw(key))
		if _, covered := found[k]; covered {
			continue
		}
		rows, err := c.childrenOf(ctx, src, parent, r.Text(key))
		if err != nil {
			return nil, err
		}
		found[k] = rows
	}
	return found, nil
}

// span is a range of parents whose children are worth one list, and the calls that may be spent on it; no calls when the
// children are better read one by one.
type span struct {
	first, last string
	budget      int
}

// bounds finds the span of a group in the server's order. A group in stamp order asks the server: the keys are never
// compared here. Records that moved meanwhile are outside the span and read one by one.
func (c *Connector) bounds(ctx context.Context, g group, key string) (span, error) {
	n := len(g.rows)
	if n < fewRecords || !g.byKey && g.src.stamp == "" {
		return span{}, nil
	}
	out := span{budget: max(3, n/10)}
	if g.dense {
		out.budget = n
	}
	if g.byKey {
		out.first, out.last = g.rows[0].Raw(key), g.rows[n-1].Raw(key)
		return out, nil
	}
	src := g.src
	src.columns = []string{src.key}
	from := client.Filter{Column: src.stamp, Op: ">=", Value: g.rows[0].Raw(src.stamp)}
	to := client.Filter{Column: src.stamp, Op: "<=", Value: g.rows[n-1].Raw(src.stamp)}
	for i, end := range []*string{&out.first, &out.last} {
		p, err := c.page(ctx, src, 1, []client.Order{{Column: src.key, Desc: i == 1}}, from, to)
		if err != nil || len(p.Rows) == 0 {
			return span{}, err
		}
		*end = p.Rows[0].Raw(src.key)
	}
	return out, nil
}
