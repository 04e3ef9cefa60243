package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/breaker"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The feeds of a company, as cursor and run names.
const (
	feedInvoices  = "invoices"
	feedCustomers = "customers"
	feedEvents    = "events"
)

// PollResult says what a poll of one company did.
type PollResult struct {
	Company string `json:"company"`
	Read    int    `json:"read"`
	Changed int    `json:"changed"`
	Bad     int    `json:"bad"`
	More    bool   `json:"more"` // stopped at MaxPerPoll: the next tick continues
	Skipped string `json:"skipped,omitempty"`
}

// PollAll polls every company; one company's trouble is reported and never stops another.
func (e *Engine) PollAll(ctx context.Context) ([]PollResult, error) {
	var out []PollResult
	var errs []error
	for _, id := range e.CompanyIDs() {
		r, err := e.Poll(ctx, id)
		out = append(out, r)
		if err != nil {
			e.log.ErrorContext(ctx, "poll", "company", id, "error", err)
			errs = append(errs, fmt.Errorf("polling %s: %w", id, err))
		}
	}
	return out, errors.Join(errs...)
}

// Poll asks the company's ERP what changed, stores it, and publishes a task for each record; then it sweeps what is due
// and fills gaps in the events. A cursor moves only after its page is durable.
func (e *Engine) Poll(ctx context.Context, company string) (PollResult, error) {
	res := PollResult{Company: company}
	c, err := e.Company(company)
	if err != nil {
		return res, err
	}
	if c.paused() {
		res.Skipped = "paused"
		return res, nil
	}
	ctl, err := e.controlOf(ctx, c)
	if err != nil {
		return res, err
	}
	if hold, all := ctl.Paused[record.FlowAll]; all {
		res.Skipped = "paused by " + hold.Actor + ": " + hold.Reason
		return res, nil
	}
	release, err := e.lease(ctx, store.ID(company, "poll"))
	if errors.Is(err, errBusy) {
		res.Skipped = "another poll is running"
		return res, nil
	}
	if err != nil {
		return res, err
	}
	defer release()
	run := record.Run{Company: company, Flow: "poll", StartedAt: store.At(e.clock.Now())}
	err = e.poll(ctx, c, &res)
	if errors.Is(err, breaker.ErrStopped) {
		res.Skipped = err.Error()
	}
	err = errors.Join(unlessStopped(err), e.Sweep(ctx, company), unlessStopped(e.GapFill(ctx, c)), unlessStopped(e.RereadPayments(ctx, c)))
	run.EndedAt, run.Read, run.Changed, run.Bad = store.At(e.clock.Now()), res.Read, res.Changed, res.Bad
	if err != nil {
		run.Error = err.Error()
	}
	_, saved := e.runs.Put(ctx, store.ID(company, "poll"), run)
	return res, errors.Join(err, saved)
}

// unlessStopped drops the error of calls that were not made because the vendor does not answer: that was told when the calls
// stopped, and the next trial decides.
func unlessStopped(err error) error {
	if errors.Is(err, breaker.ErrStopped) {
		return nil
	}
	return err
}

func (e *Engine) poll(ctx context.Context, c *Company, res *PollResult) error {
	caps, err := e.Check(ctx, c)
	if err != nil {
		return fmt.Errorf("start-up check: %w", err)
	}
	if fatal := caps.Fatal(); len(fatal) > 0 {
		res.Skipped = "the ERP's mapping does not fit: " + fatal[0].Message
		return fmt.Errorf("the start-up check refuses the company: %s", fatal[0].Message)
	}
	if err := e.checkRecipients(ctx, c); err != nil {
		return err
	}
	if err := e.pollCustomers(ctx, c, res); err != nil {
		return err
	}
	return e.pollInvoices(ctx, c, res)
}

// cursor reads a cursor with its version; a missing one is the start.
func (e *Engine) cursor(ctx context.Context, company, feed string) (record.Cursor, store.Version, error) {
	cur, v, err := e.cursors.Get(ctx, store.ID(company, feed))
	if errors.Is(err, store.ErrNotFound) {
		return record.Cursor{Company: company, Feed: feed, Backfill: true}, "", nil
	}
	return cur, v, err
}

func (e *Engine) saveCursor(ctx context.Context, cur record.Cursor, was store.Version) (store.Version, error) {
	cur.UpdatedAt = store.At(e.clock.Now())
	id := store.ID(cur.Company, cur.Feed)
	if was == "" {
		return e.cursors.Create(ctx, id, cur)
	}
	return e.cursors.Update(ctx, id, cur, was)
}

func (e *Engine) pollInvoices(ctx context.Context, c *Company, res *PollResult) error {
	cur, version, err := e.cursor(ctx, c.ID, feedInvoices)
	if err != nil {
		return err
	}
	if cur.Since == "" {
		cur.Since = c.Settings.Qualify.StartDate
	}
	for read := 0; ; {
		// An earlier start date alone reads nothing again: what it lets through is scheduled by a backfill.
		began := e.clock.Now()
		page, err := c.ERP.Invoices(ctx, cur.Value, billing.Date(cur.Since), e.opt.PageSize)
		if err != nil {
			return err
		}
		items := make([]item, len(page.Items))
		for i := range page.Items {
			inv := &page.Items[i]
			items[i] = item{kind: billing.KindInvoice, id: inv.Number, fingerprint: inv.Fingerprint(), invoice: inv, customer: inv.CustomerNo, read: began}
		}
		changed, err := e.storePage(ctx, c, items, page.Backfill)
		if err != nil {
			return err
		}
		if err := standsStill("listing invoices", cur.Value, page.Next, page.More && len(items)+len(page.Bad)+len(page.Gone) == 0); err != nil {
			return err
		}
		if err := e.noteGone(ctx, c, page.Gone); err != nil {
			return err
		}
		e.reportBad(ctx, c, page.Bad)
		res.Read, res.Changed, res.Bad = res.Read+len(items), res.Changed+changed, res.Bad+len(page.Bad)
		cur.Value, cur.Backfill, cur.Items = page.Next, page.Backfill, cur.Items+int64(len(items))
		if version, err = e.saveCursor(ctx, cur, version); err != nil {
			return err
		}
		read += max(1, len(items))
		if !page.More {
			return nil
		}
		if read >= e.opt.MaxPerPoll {
			res.More = true
			return nil
		}
	}
}

func (e *Engine) pollCustomers(ctx context.Context, c *Company, res *PollResult) error {
	cur, version, err := e.cursor(ctx, c.ID, feedCustomers)
	if err != nil {
		return err
	}
	for read := 0; ; {
		began := e.clock.Now()
		page, err := c.ERP.Customers(ctx, cur.Value, e.opt.PageSize)
		if err != nil {
			return err
		}
		items := make([]item, len(page.Items))
		for i := range page.Items {
			cust := &page.Items[i]
			items[i] = item{kind: billing.KindCustomer, id: cust.Number, fingerprint: cust.Fingerprint(), cust: cust, customer: cust.Number, read: began}
		}
		if _, err := e.storePage(ctx, c, items, false); err != nil {
			return err
		}
		e.reportBad(ctx, c, page.Bad)
		res.Bad += len(page.Bad)
		if page.Next == cur.Value && version != "" && len(items) == 0 {
			return standsStill("listing customers", cur.Value, page.Next, page.More) // nothing moved: spare the write
		}
		cur.Value, cur.Backfill, cur.Items = page.Next, false, cur.Items+int64(len(items))
		if version, err = e.saveCursor(ctx, cur, version); err != nil {
			return err
		}
		if read += max(1, len(items)); !page.More || read >= mostCustomers {
			return nil
		}
	}
}

// mostCustomers bounds one poll of the customers; the next goes on at the cursor.
const mostCustomers = 200_000

// standsStill is the error of a feed that has more, and says so for ever: it gave nothing and did not move.
func standsStill(op, was, next string, empty bool) error {
	if empty && was == next {
		return connector.NewError(connector.ClassBadResponse, op, "the feed says that there is more, gives nothing, and stays at cursor %.80q", next)
	}
	return nil
}

func (e *Engine) reportBad(ctx context.Context, c *Company, bad []connector.BadRecord) {
	for _, b := range bad {
		e.log.WarnContext(ctx, "source record can not be used", "company", c.ID, "kind", b.Kind, "source_id", b.Number, "reason", b.Message)
		if err := e.noteBad(ctx, c, b); err != nil {
			e.log.ErrorContext(ctx, "bad record not stored", "company", c.ID, "source_id", b.Number, "error", err)
		}
	}
}

// item is a source record of a feed page.
type item struct {
	kind        billing.Kind
	id          string
	fingerprint string
	customer    string
	invoice     *billing.Invoice
	cust        *billing.Customer
	files       *listing  // of a new invoice, when they were listed in bulk
	read        time.Time // when the page was asked for
}

// storePage makes a page durable: the source records that changed, and a scheduled sync record for each. It returns how
// many changed. Customers get a record only when their first invoice needs one.
func (e *Engine) storePage(ctx context.Context, c *Company, items []item, backfill bool) (int, error) {
	changed := 0
	for len(items) > 0 {
		n := min(len(items), store.MaxBatch/2)
		chunk, rest := items[:n], items[n:]
		count, err := e.storeChunk(ctx, c, chunk, backfill)
		if err != nil {
			return changed, err
		}
		changed += count
		items = rest
	}
	return changed, nil
}

// errOldPage is a page that was read so long ago that what changed since may be known by now. It is read again.
var errOldPage = errors.New("the page was read too long ago to be stored; it is read again")

func (e *Engine) storeChunk(ctx context.Context, c *Company, items []item, backfill bool) (int, error) {
	for range 5 {
		writes, todo, err := e.pageWrites(ctx, c, items, backfill)
		if err != nil || len(writes) == 0 {
			return 0, err
		}
		if e.clock.Now().After(items[0].read.Add(e.opt.SourceFresh)) {
			return 0, errOldPage
		}
		_, err = e.store.Write(ctx, writes...)
		if err == nil {
			e.announce(ctx, todo...)
			return len(todo), nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return 0, err
		}
	}
	if len(items) > 1 { // workers keep changing some of the records: one at a time gets through
		total := 0
		for _, it := range items {
			n, err := e.storeChunk(ctx, c, []item{it}, backfill)
			if err != nil {
				return total, err
			}
			total += n
		}
		return total, nil
	}
	return 0, fmt.Errorf("storing %s %s: %w", items[0].kind, items[0].id, store.ErrConflict)
}

// latest keeps the last of items with one id: a feed delivers at least once, and a batch may write a document only once.
func latest(items []item) []item {
	at := make(map[string]int, len(items))
	for i, it := range items {
		at[it.id] = i
	}
	if len(at) == len(items) {
		return items
	}
	out := make([]item, 0, len(at))
	for i, it := range items {
		if at[it.id] == i {
			out = append(out, it)
		}
	}
	return out
}

// clocksDiffer is by how much the clocks of two processes may differ.
const clocksDiffer = time.Minute

// pageWrites compares the items with what is stored and returns the writes that bring the store up to date.
func (e *Engine) pageWrites(ctx context.Context, c *Company, items []item, backfill bool) ([]store.Write, []*record.Record, error) {
	items = latest(items)
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = record.ID(c.ID, it.kind, it.id)
	}
	have, err := e.getRecords(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	e.listFiles(ctx, c, items, have)
	now := e.clock.Now()
	var writes []store.Write
	var todo []*record.Record
	for i, it := range items {
		old, exists := have[ids[i]]
		if exists && old.Value.Seen == it.fingerprint {
			continue
		}
		seenAt := store.At(it.read)
		if old.Value.SeenAt.After(it.read.Add(-clocksDiffer)) {
			it.read = time.Time{} // somebody read it since, or about then: the worker reads what is true now
			if old.Value.SeenAt.After(seenAt.Time) {
				seenAt = old.Value.SeenAt
			}
		}
		source, err := it.source(c.ID)
		if err != nil {
			return nil, nil, err
		}
		src, err := e.sources.Write(ids[i], source, store.Always, "")
		if err != nil {
			return nil, nil, err
		}
		writes = append(writes, src)
		if !exists && it.kind == billing.KindCustomer {
			continue
		}
		rec := e.scheduled(c, it, old, exists, backfill, now)
		rec.SeenAt = seenAt
		cond := store.IfAbsent
		if exists {
			cond = store.IfVersion
		}
		w, err := e.records.Write(ids[i], *rec, cond, old.Version)
		if err != nil {
			return nil, nil, err
		}
		writes, todo = append(writes, w), append(todo, rec)
	}
	return writes, todo, nil
}

// scheduled is the record of a new or changed source. One that a worker has keeps its lease; the worker sees the change
// when it finishes.
func (e *Engine) scheduled(c *Company, it item, old store.Row[record.Record], exists, backfill bool, now time.Time) *record.Record {
	rec := old.Value
	if !exists {
		rec = record.Record{Company: c.ID, Kind: it.kind, SourceID: it.id, CreatedAt: store.At(now), Backfill: backfill}
		rec.Note(now, "seen in the ERP", "")
	} else {
		rec.Note(now, "changed in the ERP", "")
	}
	rec.Seen, rec.Customer, rec.UpdatedAt, rec.Attempts = it.fingerprint, it.customer, store.At(now), 0
	if rec.LeaseOwner == "" && rec.Status != record.Ignored && rec.Status != record.Unknown {
		rec.Set(record.Scheduled, nil)
		rec.DueAt = store.At(now.Add(e.opt.Grace))
	}
	return &rec
}

func (e *Engine) getRecords(ctx context.Context, ids []string) (map[string]store.Row[record.Record], error) {
	rows, err := e.records.GetAll(ctx, ids)
	out := make(map[string]store.Row[record.Record], len(rows))
	for _, row := range rows {
		out[row.ID] = row
	}
	return out, err
}

// invoiceSource is the ERP's invoice of a record.
func (e *Engine) invoiceSource(ctx context.Context, w *work) (billing.Invoice, error) {
	return sourceOf(ctx, w, w.c.ERP.Invoice, billing.Invoice.Fingerprint)
}

// customerSource is the ERP's customer of a record.
func (e *Engine) customerSource(ctx context.Context, w *work) (billing.Customer, error) {
	return sourceOf(ctx, w, w.c.ERP.Customer, billing.Customer.Fingerprint)
}

// sourceOf is the ERP record behind a sync record: as the poll read it if that is fresh and what the sync record speaks of,
// else read now and kept, unless a poll that was later kept it meanwhile.
func sourceOf[T billing.Invoice | billing.Customer](
	ctx context.Context, w *work, read func(context.Context, string) (T, error), fingerprint func(T) string,
) (doc T, err error) {
	e, id := w.e, w.rec.ID()
	s, version, err := e.sources.Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return doc, err
	}
	now := e.clock.Now()
	current := err == nil && (w.rec.Seen == "" || s.Fingerprint == w.rec.Seen)
	if current && now.Sub(s.ReadAt.Time) < e.opt.SourceFresh && s.Decode(&doc) == nil { // else it is read again
		if w.rec.Seen == "" && w.rec.Written == "" { // a record made on demand, from what the poll had read before
			w.seen, w.rec.Seen = s.Fingerprint, s.Fingerprint
		}
		if s.Listed {
			w.files = &listing{s.Files}
		}
		return doc, nil
	}
	if doc, err = read(ctx, w.rec.SourceID); err != nil {
		return doc, err
	}
	w.seen = fingerprint(doc)
	w.rec.Seen, w.rec.SeenAt = w.seen, store.At(now)
	if s, err = record.NewSource(w.c.ID, w.rec.Kind, w.rec.SourceID, w.seen, now, doc); err != nil {
		return doc, err
	}
	return doc, e.keepSource(ctx, id, s, version)
}

// keepSource keeps what was read of the ERP in the place of a version, "" for none. Whoever kept something else meanwhile
// changed the sync record, too.
func (e *Engine) keepSource(ctx context.Context, id string, s record.Source, version store.Version) (err error) {
	if version == "" {
		_, err = e.sources.Create(ctx, id, s)
	} else {
		_, err = e.sources.Update(ctx, id, s, version)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// source is the item's ERP record as it is kept.
func (it item) source(company string) (record.Source, error) {
	if it.invoice != nil {
		s, err := record.NewSource(company, it.kind, it.id, it.fingerprint, it.read, *it.invoice)
		if it.files != nil {
			s.Files, s.Listed = it.files.files, true
		}
		return s, err
	}
	return record.NewSource(company, it.kind, it.id, it.fingerprint, it.read, *it.cust)
}
