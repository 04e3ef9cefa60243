package q360

import (
	"cmp"
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

const (
	maxSteps     = 40 // list calls of one Invoices call, lines not counted
	maxLeftReads = 20 // single reads of one step
)

// Invoices implements connector.ERP. The feed begins with everything posted, by key; then it follows change stamps or
// snapshots (q360-api 4.5), and at intervals sweeps the open balances, because a receipt need not touch an invoice's
// stamp. An earlier since than the cursor's starts the feed again, so that nothing between the two is missed.
func (c *Connector) Invoices(ctx context.Context, cur string, since billing.Date, limit int) (connector.InvoicePage, error) {
	if limit <= 0 {
		limit = c.m.Dialect.PageSize
	}
	src, strategy, err := c.invoiceSource(ctx, since)
	if err != nil {
		return connector.InvoicePage{}, err
	}
	f, err := c.openFeed(ctx, src, cur, strategy, since)
	if err != nil {
		return connector.InvoicePage{}, err
	}
	out := connector.InvoicePage{Backfill: f.pos.Phase == phaseBackfill}
	idle := false
	for range maxSteps {
		if idle, err = f.step(ctx, limit-f.taken); err != nil {
			return connector.InvoicePage{}, err
		}
		if idle || f.taken >= limit || out.Backfill {
			break
		}
	}
	for _, g := range f.groups {
		items, bad, err := c.build(ctx, g)
		if err != nil {
			return connector.InvoicePage{}, err
		}
		out.Items, out.Bad = append(out.Items, items...), append(out.Bad, bad...)
	}
	out.Gone, out.Next, out.More = f.gone, f.pos.encode(), !idle
	return out, nil
}

// invoiceFeed is one call of Invoices at work.
type invoiceFeed struct {
	c      *Connector
	src    source
	pos    cursor
	groups []group
	gone   []string
	taken  int // rows in groups
}

// openFeed restores the feed's position, or starts it.
func (c *Connector) openFeed(ctx context.Context, src source, cur, strategy string, since billing.Date) (*invoiceFeed, error) {
	f := &invoiceFeed{c: c, src: src}
	if cur != "" {
		pos, err := decodeCursor(cur, billing.KindInvoice)
		if err != nil {
			return nil, err
		}
		if pos.Strategy == strategy && (since == pos.Since || pos.Since == "" || since > pos.Since) {
			f.pos, f.pos.Since = pos, since
			return f, nil
		}
	}
	f.pos = cursor{V: cursorVersion, Feed: billing.KindInvoice, Phase: phaseBackfill, Strategy: strategy, Since: since, Swept: c.clock.Now().Unix()}
	if strategy == strategyModdate {
		stamp, err := c.lastStamp(ctx, src)
		if err != nil {
			return nil, err
		}
		f.pos.Track.start(c, stamp)
	}
	return f, nil
}

// lastStamp is the newest change stamp of the source as received, "" without any.
func (c *Connector) lastStamp(ctx context.Context, src source) (string, error) {
	src.columns = []string{src.key, src.stamp}
	ceiling := client.Filter{Column: src.stamp, Op: "<=", Value: c.api.TimeLiteral(c.clock.Now().Add(futureSlip))}
	p, err := c.page(ctx, src, 1, []client.Order{{Column: src.stamp, Desc: true}}, ceiling)
	if err != nil || len(p.Rows) == 0 {
		return "", err
	}
	return p.Rows[0].Raw(src.stamp), nil
}

// invoiceSource is the invoice table, bounded to what the feed is about, and the change strategy that works there.
func (c *Connector) invoiceSource(ctx context.Context, since billing.Date) (source, string, error) {
	e := c.m.Entities.Invoice
	columns, strategy, err := c.invoiceColumns(ctx)
	if err != nil {
		return source{}, "", err
	}
	src := source{op: "listing invoices", table: e.Table, key: e.Key, columns: columns, filters: []client.Filter{client.Condition(e.PostedWhen)}}
	if strategy == strategyModdate {
		src.stamp = e.Columns.Modified
	}
	if e.Columns.CompanyNo != "" {
		src.filters = append(src.filters, client.Filter{Column: e.Columns.CompanyNo, Op: "=", Value: c.cfg.CompanyNo})
	}
	if since != "" {
		src.filters = append(src.filters, client.Filter{Column: cmp.Or(e.Columns.PostedDate, e.Columns.Date), Op: ">=", Value: c.api.DateLiteral(since)})
	}
	return src, strategy, nil
}

// invoiceColumns are the columns to read of an invoice, and the change strategy: with auto, moddate where the table has
// the mapped change stamp.
func (c *Connector) invoiceColumns(ctx context.Context) ([]string, string, error) {
	e := c.m.Entities.Invoice
	col, strategy := e.Columns, c.m.Changes.Strategy
	if strategy == "auto" {
		has, err := c.hasColumn(ctx, e.Table, col.Modified)
		if err != nil {
			return nil, "", err
		}
		strategy = strategySnapshot
		if has {
			strategy = strategyModdate
		}
	}
	if strategy == strategySnapshot {
		col.Modified = ""
	}
	return append(mapping.Names(col), e.PostedWhen.Column), strategy, nil
}

// step makes one list call, or some single reads, and moves the position. idle: nothing is left to do now.
func (f *invoiceFeed) step(ctx context.Context, room int) (idle bool, err error) {
	switch f.pos.Phase {
	case phaseBackfill:
		return false, f.backfill(ctx, room)
	case phaseSweep:
		return false, f.sweep(ctx, room)
	case phaseLeft:
		return f.left(ctx, room)
	}
	if f.pos.Strategy == strategySnapshot {
		return f.recent(ctx, room)
	}
	rows, done, err := f.pos.Track.step(ctx, f.c, f.src, room)
	if err != nil {
		return false, err
	}
	f.take(group{rows: rows, src: f.src})
	return done && !f.sweepDue(), nil
}

// backfill takes the next page of everything by key.
func (f *invoiceFeed) backfill(ctx context.Context, room int) error {
	p, err := f.c.pageAfter(ctx, f.src, f.pos.Key, min(room, f.c.m.Dialect.PageSize))
	if err != nil {
		return err
	}
	f.take(group{rows: p.Rows, byKey: true, dense: true})
	if n := len(p.Rows); n > 0 {
		f.pos.Key = p.Rows[n-1].Raw(f.src.key)
	}
	if !p.More {
		f.pos.Phase, f.pos.Key, f.pos.Day = phaseChanges, "", f.c.today()
	}
	return nil
}

// take puts rows on the page and remembers what they look like, so that the next sweep knows them.
func (f *invoiceFeed) take(g group) {
	if len(g.rows) == 0 {
		return
	}
	f.groups, f.taken = append(f.groups, g), f.taken+len(g.rows)
	for _, r := range g.rows {
		f.remember(r)
	}
}

func (f *invoiceFeed) remember(r client.Row) {
	k, sum := r.Text(f.src.key), r.Digest()
	if f.open(r) {
		f.pos.Open.set(k, sum, f.pos.Round)
		f.pos.Recent.remove(k)
		return
	}
	f.pos.Open.remove(k)
	if f.pos.Strategy == strategySnapshot && f.isRecent(r) {
		f.pos.Recent.set(k, sum, f.pos.RRound)
	}
}

// open reports whether the row has an outstanding balance. Whatever does not read as zero is open.
func (f *invoiceFeed) open(r client.Row) bool {
	rd := f.c.reader(f.src.table, f.src.key, r)
	d := rd.decimal(f.c.m.Entities.Invoice.Columns.Balance, decimal.Zero)
	return rd.err != nil || !d.IsZero()
}

func (f *invoiceFeed) isRecent(r client.Row) bool {
	d, err := f.c.api.ParseDate(r.Text(f.c.m.Entities.Invoice.Columns.Date))
	return err == nil && d >= f.c.recentFrom()
}

// filter keeps the rows that a sweep has to deliver, at most room of them, and cuts the page after the last one.
func (f *invoiceFeed) filter(rows []client.Row, room int, recent bool) (changed []client.Row, cut bool) {
	for _, r := range rows {
		k, sum := r.Text(f.src.key), r.Digest()
		same := f.pos.Open.same(k, sum) || recent && f.pos.Recent.same(k, sum)
		if !same {
			if len(changed) == room {
				return changed, true
			}
			changed = append(changed, r)
		}
		f.pos.Key = r.Raw(f.src.key)
		f.remember(r)
	}
	return changed, false
}

// recent takes a page of the recent invoices, the snapshot strategy's part (a). Once a day everything recent is delivered,
// which also finds changed lines under an unchanged header.
func (f *invoiceFeed) recent(ctx context.Context, room int) (idle bool, err error) {
	if f.pos.Key == "" {
		f.pos.RRound++
		if f.pos.Day != f.c.today() {
			f.pos.Recent = digests{}
			f.forgetOpen()
		}
	}
	date := client.Filter{Column: f.c.m.Entities.Invoice.Columns.Date, Op: ">=", Value: f.c.api.DateLiteral(f.c.recentFrom())}
	p, err := f.c.pageAfter(ctx, f.src, f.pos.Key, f.c.m.Dialect.LinePageSize, date)
	if err != nil {
		return false, err
	}
	changed, cut := f.filter(p.Rows, room, true)
	f.take(group{rows: changed, byKey: true})
	if cut || p.More {
		return false, nil
	}
	f.pos.Key, f.pos.Day = "", f.c.today()
	for _, k := range f.pos.Recent.stale(f.pos.RRound, maxDigests) {
		f.pos.Recent.remove(k)
	}
	return !f.sweepDue(), nil
}

// forgetOpen makes the next pass deliver open invoices again as well, and keeps their keys for the sweep's end.
func (f *invoiceFeed) forgetOpen() {
	for k, e := range f.pos.Open.entries {
		f.pos.Open.entries[k] = digest{round: e.round}
	}
}

// sweepDue starts the sweep of the open balances when its time has come.
func (f *invoiceFeed) sweepDue() bool {
	now := f.c.clock.Now()
	if now.Sub(time.Unix(f.pos.Swept, 0)) < f.c.m.Changes.Snapshot.FullOpenEvery {
		return false
	}
	f.pos.Phase, f.pos.Key, f.pos.Swept, f.pos.Round = phaseSweep, "", now.Unix(), f.pos.Round+1
	return true
}

// sweep takes a page of the open balances, part (b) of the snapshot strategy. Unchanged ones cost nothing but the list.
func (f *invoiceFeed) sweep(ctx context.Context, room int) error {
	open := client.Filter{Column: f.c.m.Entities.Invoice.Columns.Balance, Op: "!=", Value: "0"}
	p, err := f.c.pageAfter(ctx, f.src, f.pos.Key, f.c.m.Dialect.LinePageSize, open)
	if err != nil {
		return err
	}
	changed, cut := f.filter(p.Rows, room, false)
	f.take(group{rows: changed, byKey: true})
	if !cut && !p.More {
		f.pos.Phase, f.pos.Key = phaseLeft, ""
	}
	return nil
}

// left reads invoices that were open and are no more, one by one: paid, written off, or gone.
func (f *invoiceFeed) left(ctx context.Context, room int) (idle bool, err error) {
	keys := f.pos.Open.stale(f.pos.Round, min(room, maxLeftReads))
	for _, k := range keys {
		row, err := f.c.one(ctx, "reading invoice "+k, f.src.table, f.src.key, k, f.src.columns)
		switch {
		case err == nil:
			f.take(group{rows: []client.Row{row}})
			f.pos.Open.remove(k) // also when it is open again: the next sweep meets it
		case connector.ClassOf(err) == connector.ClassNotFound:
			f.gone = append(f.gone, k)
			f.pos.Open.remove(k)
		default:
			return false, err
		}
	}
	if len(f.pos.Open.stale(f.pos.Round, 1)) > 0 {
		return false, nil
	}
	f.pos.Phase = phaseChanges
	return true, nil
}

// today is the site's calendar date.
func (c *Connector) today() billing.Date { return billing.DateOf(c.clock.Now(), c.api.Zone()) }

func (c *Connector) recentFrom() billing.Date {
	return c.today().AddDays(-c.m.Changes.Snapshot.RecentDays)
}
