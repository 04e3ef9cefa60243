package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// CompanyIDs lists the configured companies, sorted.
func (e *Engine) CompanyIDs() []string {
	ids := make([]string, 0, len(e.companies))
	for id := range e.companies {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// sweepLimit bounds one sweep of a company; the next tick goes on.
const sweepLimit = 1000

// Sweep publishes again what is due: parked records, leases that ran out, messages that got lost.
func (e *Engine) Sweep(ctx context.Context, company string) error {
	now := e.clock.Now()
	rows, err := e.records.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "due_at", UpTo: store.At(now).Text(), Limit: sweepLimit,
	})
	if err != nil {
		return err
	}
	due := make([]*record.Record, 0, len(rows))
	for i := range rows {
		rec := rows[i].Value
		if rec.OverdueSince.IsZero() {
			rec.OverdueSince = rec.DueAt
		}
		rec.DueAt = store.At(now.Add(e.opt.Grace)) // not again before that
		_, err := e.records.Update(ctx, rows[i].ID, rec, rows[i].Version)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			continue // somebody is on it
		}
		if err != nil {
			return err
		}
		due = append(due, &rec)
	}
	e.announce(ctx, due...)
	return errors.Join(e.sweepInbox(ctx, company, now), e.reap(ctx, company, now), e.purge(ctx, now))
}

const (
	// reapAfter is how long after its look-up was due an open effect is taken for one that nobody looks up any more.
	reapAfter = 6 * time.Hour
	// dropAfter is how long after it was sent such an effect is let go, unless it made something. A removal is let go at once:
	// removing what is gone changes nothing.
	dropAfter = 24 * time.Hour
)

// reap sees to effects that are open and that nobody looks up any more: what asked for them was changed meanwhile, or a store
// that failed kept them from being closed. Money is left alone: its payment is looked at until it is clear, or a person's.
func (e *Engine) reap(ctx context.Context, company string, now time.Time) error {
	entries, err := e.journal.Overdue(ctx, company, now.Add(-reapAfter))
	if err != nil {
		return err
	}
	for i := range entries {
		if entries[i].Kind == string(billing.KindReceipt) {
			continue
		}
		if err := e.reapOne(ctx, &entries[i], now); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// reapOne lets an effect go, or has its record looked at again, which closes it.
func (e *Engine) reapOne(ctx context.Context, entry *journal.Entry, now time.Time) error {
	rec, version, err := e.records.Get(ctx, entry.Record)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	creates := begunDocument(entry) || entry.Kind == string(billing.KindCustomer) || entry.Kind == string(billing.KindCredit)
	switch {
	case err != nil || entry.Op == string(plan.OpDelete) || !creates && entry.StartedAt.Before(now.Add(-dropAfter)):
		return e.journal.Refuse(ctx, entry, errors.New("nothing asks for it any more"))
	case rec.LeaseOwner != "" || !rec.DueAt.IsZero() || rec.Status == record.Ignored:
		return nil // it is looked at anyway, or never
	}
	rec.DueAt, rec.Attempts = store.At(now), max(1, rec.Attempts)
	if _, err := e.records.Update(ctx, entry.Record, rec, version); err != nil {
		return err
	}
	e.announce(ctx, &rec)
	return e.journal.Lose(ctx, entry, nil, now)
}

// purgeLimit bounds what one sweep removes; the next goes on.
const purgeLimit = 200

// purger is a store that removes by itself nothing whose retention ended, as the embedded one.
type purger interface {
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// purge removes documents whose retention ended, where the store does not.
func (e *Engine) purge(ctx context.Context, now time.Time) error {
	p, ok := e.store.(purger)
	if !ok {
		return nil
	}
	n, err := p.Purge(ctx, now, purgeLimit)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return nil // one of them just changed: the next sweep looks again
	}
	if n > 0 {
		e.log.InfoContext(ctx, "retention ended", "removed", n)
	}
	return err
}

func (e *Engine) sweepInbox(ctx context.Context, company string, now time.Time) error {
	q := store.Query{
		Equal: []store.Equal{{Field: "state", Value: record.InboxNew}}, OrderBy: "due_at", UpTo: store.At(now).Text(), Limit: sweepLimit,
	}
	for { // the events of a paused company stay due and must not hide those of others
		rows, err := e.inbox.Query(ctx, q)
		if err != nil {
			return err
		}
		if err := e.sweepEvents(ctx, company, rows, now); err != nil || len(rows) < q.Limit {
			return err
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.DueAt.Text(), ID: last.ID}
	}
}

func (e *Engine) sweepEvents(ctx context.Context, company string, rows []store.Row[record.Inbox], now time.Time) error {
	for _, row := range rows {
		if row.Value.Company != company {
			continue
		}
		in := row.Value
		in.DueAt = store.At(now.Add(e.opt.Grace))
		_, err := e.inbox.Update(ctx, row.ID, in, row.Version)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		e.announceEvent(ctx, &in)
	}
	return nil
}

// lease takes a named lease that is no record; the returned function gives it back.
func (e *Engine) lease(ctx context.Context, id string) (func(), error) {
	now := e.clock.Now()
	l, version, err := e.leases.Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil && e.held(l.Owner, l.Until, now) {
		return nil, errBusy
	}
	mine := record.Lease{Owner: e.opt.Owner, Until: store.At(now.Add(5 * e.opt.Lease)), Fence: l.Fence + 1}
	if err != nil {
		version, err = e.leases.Create(ctx, id, mine)
	} else {
		version, err = e.leases.Update(ctx, id, mine, version)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
		return nil, errBusy
	}
	if err != nil {
		return nil, err
	}
	return func() {
		mine.Owner, mine.Until = "", store.Time{}
		_, err := e.leases.Update(context.WithoutCancel(ctx), id, mine, version)
		if err != nil {
			e.log.WarnContext(ctx, "lease not given back; it runs out by itself", "lease", id, "error", err)
		}
	}, nil
}

// noteBad keeps a source record that can not be used visible, with its reason, until the ERP has it right.
func (e *Engine) noteBad(ctx context.Context, c *Company, b connector.BadRecord) error {
	code := plan.BadSource
	switch b.Kind {
	case billing.KindPayment:
		code = plan.BadPayment
	case billing.KindActivity:
		b.Kind, code = billing.KindPayment, plan.BadEvent
	}
	reasons := []plan.Reason{plan.Because(code, "problem", b.Message)}
	key := record.ID(c.ID, b.Kind, b.Number)
	now := e.clock.Now()
	rec, version, err := e.records.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		rec = record.Record{Company: c.ID, Kind: b.Kind, SourceID: b.Number, CreatedAt: store.At(now)}
	case err != nil:
		return err
	case rec.Summary == plan.Text(reasons) || rec.LeaseOwner != "" || rec.Status == record.Ignored:
		return nil
	}
	rec.Set(record.Attention, reasons)
	rec.Seen, rec.DueAt, rec.UpdatedAt = "", store.Time{}, store.At(now)
	rec.Note(now, "needs attention", rec.Summary)
	if version == "" {
		_, err = e.records.Create(ctx, key, rec)
	} else {
		_, err = e.records.Update(ctx, key, rec, version)
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
		return nil // the next poll tells again
	}
	return err
}

// unreadableEntry and unreadableEvent begin the numbers of records that stand for entries of the portal's lists which name
// no payment. Nothing can be read again for them.
const (
	unreadableEntry = "entry-"
	unreadableEvent = "event-"
)

// noteUnreadable makes an entry of the payments list that can not be read exactly a record. Its payment is read by itself,
// where it may be whole, and again until it is; payments without a record get one where the list is that of changes.
func (e *Engine) noteUnreadable(ctx context.Context, c *Company, b connector.BadRecord, fresh bool) error {
	e.log.WarnContext(ctx, "payment can not be used", "company", c.ID, "source_id", b.Number, "reason", b.Message)
	if b.Number == "" {
		b.Number, b.Kind = unreadableEntry+"without-id", billing.KindPayment
		return e.noteBad(ctx, c, b)
	}
	sum := sha256.Sum256([]byte(b.Message))
	seen := seenUnreadable + hex.EncodeToString(sum[:8])
	rec, _, err := e.records.Get(ctx, record.ID(c.ID, billing.KindPayment, b.Number))
	switch {
	case errors.Is(err, store.ErrNotFound):
		if !fresh {
			return nil
		}
	case err != nil:
		return err
	case rec.Seen == seen:
		return nil // told before
	}
	if err := e.notePayment(ctx, c, b.Number, seen, ""); err != nil {
		return err
	}
	e.announce(ctx, &record.Record{Company: c.ID, Kind: billing.KindPayment, SourceID: b.Number})
	return nil
}

// seenUnreadable begins what is remembered of a payment whose entry in the list can not be read.
const seenUnreadable = "unreadable "

// noteUnreadableEvent keeps an entry of the events list that can not be read: one that names its payment has that read,
// any other becomes a record of its own.
func (e *Engine) noteUnreadableEvent(ctx context.Context, c *Company, b connector.BadRecord) error {
	e.log.WarnContext(ctx, "event can not be used", "company", c.ID, "source_id", b.Number, "reason", b.Message)
	if b.Kind == billing.KindPayment && b.Number != "" {
		return e.noteUnreadable(ctx, c, b, true)
	}
	if b.Number == "" {
		sum := sha256.Sum256([]byte(b.Message))
		b.Number = hex.EncodeToString(sum[:8])
	}
	b.Kind, b.Number = billing.KindActivity, unreadableEvent+b.Number
	return e.noteBad(ctx, c, b)
}

// nameAll closes the record of entries without an id once a complete list has none.
func (e *Engine) nameAll(ctx context.Context, c *Company, l listed) error {
	key := record.ID(c.ID, billing.KindPayment, unreadableEntry+"without-id")
	rec, version, err := e.records.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) || err == nil && (l.nameless || rec.Status != record.Attention) {
		return nil
	}
	if err != nil {
		return err
	}
	now := e.clock.Now()
	rec.Set(record.Skipped, []plan.Reason{plan.Because(plan.Unchanged)})
	rec.UpdatedAt = store.At(now)
	rec.Note(now, "closed", "the portal's list can be read")
	_, err = e.records.Update(ctx, key, rec, version)
	return err
}

// maxMissing bounds the payments that one complete list makes be read singly because it does not have them.
const maxMissing = 100

// lookForMissing has the payments read singly that were posted in the days of a complete list and are not in it: they may
// have been deleted while the event of that got lost. The payment's own reading decides. What was noted while the list was
// being read may be missing in it.
func (e *Engine) lookForMissing(ctx context.Context, c *Company, l listed, from, began time.Time) error {
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: c.ID}, {Field: "kind", Value: string(billing.KindPayment)}},
		OrderBy: "updated_at", Desc: true, From: store.At(from).Text(), Limit: 500,
	}
	missing := 0
	for {
		rows, err := e.records.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("comparing payments with the list: %w", err)
		}
		for _, row := range rows {
			rec := row.Value
			if l.ids[rec.SourceID] || len(rec.Receipts) == 0 || rec.Status == record.Reversed || rec.Status == record.Ignored ||
				rec.CreatedAt.Before(from) || rec.CreatedAt.After(began.Add(-10*time.Minute)) {
				continue
			}
			if missing++; missing > maxMissing {
				e.log.WarnContext(ctx, "many posted payments are not in the portal's list; the next list goes on", "company", c.ID)
				return nil
			}
			if err := e.notePayment(ctx, c, rec.SourceID, "missing "+began.Format(time.DateOnly), ""); err != nil {
				return err
			}
			e.announce(ctx, &rec)
		}
		if len(rows) < q.Limit {
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}

// GapFill reads the portal's events since the last reading and stores those that no webhook brought (F26).
func (e *Engine) GapFill(ctx context.Context, c *Company) error {
	cur, version, err := e.cursor(ctx, c.ID, feedEvents)
	if err != nil {
		return err
	}
	now := e.clock.Now()
	if version != "" && now.Sub(cur.UpdatedAt.Time) < e.opt.GapFill {
		return nil
	}
	from, to := now.Add(-24*time.Hour), now.Add(-30*time.Second)
	if cur.Value != "" {
		if at, err := time.Parse(time.RFC3339, cur.Value); err == nil {
			from = at.Add(-10 * time.Minute)
		}
	}
	var stored error
	err = eachPage("listing events", func(page string) (connector.Page[billing.Event], error) {
		p, err := c.Portal.Events(ctx, from, to, page)
		for _, bad := range p.Bad {
			stored = errors.Join(stored, e.noteUnreadableEvent(ctx, c, bad))
		}
		p.Items = e.unknownEvents(ctx, c, p.Items)
		return p, err
	}, func(ev billing.Event) {
		if _, err := e.Receive(ctx, c, ev, "gap_fill", 0); err != nil {
			stored = errors.Join(stored, err)
		}
	})
	if err = errors.Join(err, stored); err != nil {
		return fmt.Errorf("gap fill: %w", err)
	}
	cur.Value, cur.Backfill = to.Format(time.RFC3339), false
	_, err = e.saveCursor(ctx, cur, version)
	return err
}

// unknownEvents leaves out the events that are in the inbox: looking costs less than a write that is refused, and nearly all
// of a page came as webhooks before. Those that can not be looked up stay: storing them tells.
func (e *Engine) unknownEvents(ctx context.Context, c *Company, events []billing.Event) []billing.Event {
	ids := make([]string, len(events))
	for i, ev := range events {
		ids[i] = store.ID(c.ID, ev.ID)
	}
	docs, err := e.store.GetAll(ctx, store.Inbox, ids)
	if err != nil {
		return events
	}
	known := map[string]bool{}
	for _, doc := range docs {
		known[doc.ID] = true
	}
	return slices.DeleteFunc(events, func(ev billing.Event) bool {
		is := known[store.ID(c.ID, ev.ID)]
		if is {
			e.opt.Meter.Event(c.ID, "gap_fill", ev.Type, meter.EventDuplicate)
		}
		return is
	})
}

// announceBuffer bounds the events that wait for Announce. What does not fit is left to the sweep.
const announceBuffer = 4096

// eventMessage wakes the receipt function for an inbox entry, under its subject, so that the events of one object are
// handled in order.
func eventMessage(in *record.Inbox) bus.Message {
	data, err := json.Marshal(EventTask{in.Company, in.EventID})
	if err != nil {
		panic("engine: " + err.Error()) // two texts always encode
	}
	key := in.Subject
	if key == "" {
		key = store.ID(in.Company, in.EventID)
	}
	return bus.Message{Key: key, Data: data}
}

// announceEvent wakes the receipt function: now, or by Announce where that runs.
func (e *Engine) announceEvent(ctx context.Context, in *record.Inbox) {
	m := eventMessage(in)
	if !e.opt.AnnounceLater {
		e.publishEvents(ctx, m)
		return
	}
	select {
	case e.later <- m:
	default: // the sweep publishes it: the inbox entry is due
	}
}

func (e *Engine) publishEvents(ctx context.Context, messages ...bus.Message) {
	if err := e.publisher.Publish(ctx, bus.TopicEvents, messages...); err != nil {
		e.log.WarnContext(ctx, "events not published; the sweep will", "count", len(messages), "error", err)
	}
}

// Announce publishes, several at a time, what Receive stored, until ctx ends. With Options.AnnounceLater a webhook waits
// for one durable write instead of two; the event is safe either way, because the sweep finds every unhandled inbox entry.
func (e *Engine) Announce(ctx context.Context) error {
	for {
		var batch []bus.Message
		select {
		case <-ctx.Done():
			return nil
		case m := <-e.later:
			batch = append(batch, m)
		}
		for more := true; more && len(batch) < 200; {
			select {
			case m := <-e.later:
				batch = append(batch, m)
			default:
				more = false
			}
		}
		e.publishEvents(ctx, batch...)
	}
}
