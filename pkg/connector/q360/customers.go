package q360

import (
	"context"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// customerSweep is how often all customers are read: contacts and sites have no change stamp (q360-api 4.5).
const customerSweep = 24 * time.Hour

// Customers implements connector.ERP. The feed begins with all customers by key, goes on by change stamp where the table
// has one, and reads everything again once a day, because a changed contact does not touch its customer.
func (c *Connector) Customers(ctx context.Context, cur string, limit int) (connector.CustomerPage, error) {
	if limit <= 0 {
		limit = c.m.Dialect.PageSize
	}
	src, err := c.customerSource(ctx)
	if err != nil {
		return connector.CustomerPage{}, err
	}
	pos, err := c.openCustomers(ctx, src, cur)
	if err != nil {
		return connector.CustomerPage{}, err
	}
	var out connector.CustomerPage
	for range maxSteps {
		idle, g, err := c.customerStep(ctx, src, &pos, limit)
		if err != nil {
			return connector.CustomerPage{}, err
		}
		if len(g.rows) > 0 {
			if out.Items, out.Bad, err = c.buildCustomers(ctx, g); err != nil {
				return connector.CustomerPage{}, err
			}
		}
		out.More = !idle
		if idle || len(g.rows) > 0 {
			break
		}
	}
	out.Next = pos.encode()
	return out, nil
}

func (c *Connector) customerSource(ctx context.Context) (source, error) {
	e := c.m.Entities.Customer
	col := e.Columns
	has := false
	if c.m.Changes.Strategy != strategySnapshot {
		var err error
		if has, err = c.hasColumn(ctx, e.Table, col.Modified); err != nil {
			return source{}, err
		}
	}
	src := source{op: "listing customers", table: e.Table, key: e.Key, stamp: col.Modified}
	if !has {
		col.Modified, src.stamp = "", ""
	}
	src.columns = mapping.Names(col)
	if e.ActiveWhen != nil {
		src.columns = append(src.columns, e.ActiveWhen.Column)
	}
	return src, nil
}

func (c *Connector) openCustomers(ctx context.Context, src source, cur string) (cursor, error) {
	strategy := strategySnapshot
	if src.stamp != "" {
		strategy = strategyModdate
	}
	if cur != "" {
		pos, err := decodeCursor(cur, billing.KindCustomer)
		if err != nil || pos.Strategy == strategy {
			return pos, err
		}
	}
	pos := cursor{V: cursorVersion, Feed: billing.KindCustomer, Phase: phaseSweep, Strategy: strategy, Swept: c.clock.Now().Unix()}
	if src.stamp != "" {
		stamp, err := c.lastStamp(ctx, src)
		if err != nil {
			return cursor{}, err
		}
		pos.Track.start(c, stamp)
	}
	return pos, nil
}

// customerStep makes one list call and moves the position. idle: nothing is left to do now.
func (c *Connector) customerStep(ctx context.Context, src source, pos *cursor, limit int) (idle bool, g group, err error) {
	if pos.Phase == phaseSweep {
		p, err := c.pageAfter(ctx, src, pos.Key, min(limit, c.m.Dialect.PageSize))
		if err != nil {
			return false, group{}, err
		}
		if n := len(p.Rows); n > 0 {
			pos.Key = p.Rows[n-1].Raw(src.key)
		}
		if !p.More {
			pos.Phase, pos.Key = phaseChanges, ""
		}
		return false, group{rows: p.Rows, byKey: true, dense: true}, nil
	}
	idle = true
	if src.stamp != "" {
		var rows []client.Row
		if rows, idle, err = pos.Track.step(ctx, c, src, limit); err != nil {
			return false, group{}, err
		}
		g = group{rows: rows, src: src}
	}
	if now := c.clock.Now(); idle && now.Sub(time.Unix(pos.Swept, 0)) >= customerSweep {
		pos.Phase, pos.Key, pos.Swept, idle = phaseSweep, "", now.Unix(), false
	}
	return idle, g, nil
}

// Customer implements connector.ERP with one read each of customer, billing site and contacts.
func (c *Connector) Customer(ctx context.Context, number string) (billing.Customer, error) {
	src, err := c.customerSource(ctx)
	if err != nil {
		return billing.Customer{}, err
	}
	op := "reading customer " + number
	row, err := c.one(ctx, op, src.table, src.key, number, src.columns)
	if err != nil {
		return billing.Customer{}, err
	}
	items, bad, err := c.buildCustomers(ctx, group{rows: []client.Row{row}})
	if err != nil {
		return billing.Customer{}, err
	}
	if len(bad) > 0 {
		return billing.Customer{}, connector.NewError(connector.ClassBadResponse, op, "%s", bad[0].Message)
	}
	return items[0], nil
}

// buildCustomers completes customer rows with billing sites and contacts.
func (c *Connector) buildCustomers(ctx context.Context, g group) ([]billing.Customer, []connector.BadRecord, error) {
	var items []billing.Customer
	var bad []connector.BadRecord
	in, err := c.bounds(ctx, g, c.m.Entities.Customer.Key)
	if err != nil {
		return nil, nil, err
	}
	sites, err := c.sitesOf(ctx, g, in)
	if err != nil {
		return nil, nil, err
	}
	contacts, err := c.contactsOf(ctx, g, in)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range g.rows {
		customer, err := c.customer(row)
		if err != nil {
			bad = append(bad, connector.BadRecord{Kind: billing.KindCustomer, Number: row.Text(c.m.Entities.Customer.Key), Message: err.Error()})
			continue
		}
		if customer.BillingSite != "" {
			customer.Billing = sites[client.KeyOf(customer.BillingSite)]
		}
		customer.Contacts = c.contacts(contacts[client.KeyOf(customer.Number)])
		items = append(items, customer)
	}
	return items, bad, nil
}

// sitesOf reads the addresses of the billing sites of some customers by site (client.KeyOf).
func (c *Connector) sitesOf(ctx context.Context, g group, in span) (map[string]billing.Address, error) {
	e, customer := c.m.Entities.Site, c.m.Entities.Customer
	out := map[string]billing.Address{}
	if e == nil || customer.Columns.InvoiceSite == "" || c.isDenied(e.Table) {
		return out, nil
	}
	src := source{op: "listing sites", table: e.Table, key: e.Key, columns: mapping.Names(e.Columns)}
	if in.budget > 0 {
		found, _, err := c.children(ctx, src, e.Columns.CustomerNo, in)
		if c.optional(ctx, e.Table, err) != nil {
			return nil, err
		}
		for _, rows := range found {
			for _, r := range rows {
				out[client.KeyOf(r.Raw(e.Key))] = c.siteAddress(r)
			}
		}
	}
	for _, r := range g.rows {
		number := r.Text(customer.Columns.InvoiceSite)
		if _, have := out[client.KeyOf(number)]; have || number == "" {
			continue
		}
		address, err := c.siteAlone(ctx, src, number, r.Text(customer.Key))
		if err != nil {
			return nil, err
		}
		out[client.KeyOf(number)] = address
	}
	return out, nil
}

// siteAlone reads the address of one site; none for a site that does not exist, and when the site table is refused.
func (c *Connector) siteAlone(ctx context.Context, src source, number, customerNo string) (billing.Address, error) {
	if c.isDenied(src.table) {
		return billing.Address{}, nil
	}
	row, err := c.one(ctx, "reading site "+number, src.table, src.key, number, src.columns)
	switch {
	case err == nil:
		return c.siteAddress(row), nil
	case connector.ClassOf(err) == connector.ClassNotFound:
		c.log.WarnContext(ctx, "a customer's billing site does not exist", "customer", customerNo, "site", number)
		return billing.Address{}, nil
	}
	return billing.Address{}, c.optional(ctx, src.table, err)
}

// contactsOf reads the contacts of some customers by customer (client.KeyOf).
func (c *Connector) contactsOf(ctx context.Context, g group, in span) (map[string][]client.Row, error) {
	e, customer := c.m.Entities.Contact, c.m.Entities.Customer
	if e == nil || c.isDenied(e.Table) {
		return nil, nil
	}
	columns := mapping.Names(e.Columns)
	for _, flag := range e.FlagColumns() {
		columns = append(columns, flag.Column)
	}
	if e.ActiveWhen != nil {
		columns = append(columns, e.ActiveWhen.Column)
	}
	src := source{op: "listing contacts", table: e.Table, key: e.Key, columns: columns}
	found, complete := map[string][]client.Row{}, false
	var err error
	if in.budget > 0 {
		if found, complete, err = c.children(ctx, src, e.Columns.CustomerNo, in); err != nil {
			return nil, c.optional(ctx, e.Table, err)
		}
	}
	singles := len(g.rows)
	if complete && g.byKey { // customers without contacts are common; a range without any is believed after a check
		singles = 0
		if len(found) == 0 {
			singles = 2
		}
	}
	for _, r := range g.rows {
		k := client.KeyOf(r.Raw(customer.Key))
		if _, covered := found[k]; covered || singles == 0 {
			continue
		}
		singles--
		if found[k], err = c.childrenOf(ctx, src, e.Columns.CustomerNo, r.Text(customer.Key)); err != nil {
			return nil, c.optional(ctx, e.Table, err)
		}
	}
	return found, nil
}

// optional swallows the refusal of a table that the site does not have or grant, and leaves the table alone for a while.
// Check reports the same as a problem.
func (c *Connector) optional(ctx context.Context, table string, err error) error {
	if err == nil || !missing(err) {
		return err
	}
	c.log.WarnContext(ctx, "a table can not be read and is left out", "table", table, "reason", err.Error())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[table] = c.clock.Now().Add(deniedFor)
	return nil
}

func (c *Connector) isDenied(table string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.Now().Before(c.denied[table])
}
