package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/breaker"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// Receive makes an event durable under its id and wakes the receipt function. It reports whether the event was new. It is
// all the webhook does: when it returns, the event can be acknowledged.
func (e *Engine) Receive(ctx context.Context, c *Company, ev billing.Event, via string, secretNo int) (bool, error) {
	now := e.clock.Now()
	in := record.Inbox{
		Company: c.ID, EventID: ev.ID, Type: ev.Type, State: record.InboxNew, Via: via, SecretNo: secretNo, Raw: string(ev.Raw),
		ReceivedAt: store.At(now), DueAt: store.At(now.Add(e.opt.Grace)), ExpireAt: store.At(now.AddDate(0, 0, e.opt.InboxDays)),
	}
	if ev.ObjectID != "" {
		in.Subject = store.ID(c.ID, string(ev.Object), ev.ObjectID)
	}
	needed, state := needsWork(ev), meter.EventNew
	if ev.Object == "" {
		state = meter.EventUnknown
	}
	if !needed {
		in.State, in.DueAt, in.Effect = record.InboxDone, store.Time{}, plan.Because(plan.NotOurs, "type", ev.Type).Text()
	}
	_, err := e.inbox.Create(ctx, store.ID(c.ID, ev.ID), in)
	if errors.Is(err, store.ErrTooLarge) {
		needed, state = false, meter.EventTooLarge
		err = e.receiveLarge(ctx, c, ev, in)
	}
	if errors.Is(err, store.ErrExists) {
		e.opt.Meter.Event(c.ID, via, ev.Type, meter.EventDuplicate)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storing event %s: %w", ev.ID, err)
	}
	if needed {
		e.announceEvent(ctx, &in)
	}
	e.opt.Meter.Event(c.ID, via, ev.Type, state)
	return true, nil
}

// receiveLarge takes an event that the store can not hold: refusing it would only make the portal repeat it until it switches
// the webhook off. What it says about a payment is read again anyway; the rest is kept as a line for a person.
func (e *Engine) receiveLarge(ctx context.Context, c *Company, ev billing.Event, in record.Inbox) error {
	in.Effect = fmt.Sprintf("the event has %d bytes and was not kept", len(in.Raw))
	in.State, in.Raw, in.DueAt = record.InboxFailed, "", store.Time{}
	if ev.Object == billing.KindPayment {
		in.State = record.InboxDone
		if err := e.notePayment(ctx, c, ev.ObjectID, ev.ID, ev.ID); err != nil {
			return err
		}
		e.announce(ctx, &record.Record{Company: c.ID, Kind: billing.KindPayment, SourceID: ev.ObjectID})
	}
	_, err := e.inbox.Create(ctx, store.ID(c.ID, ev.ID), in)
	return err
}

// needsWork tells the events that lead to something from the rest, which include the echoes of our own writes.
func needsWork(ev billing.Event) bool {
	switch {
	case ev.Object == billing.KindPayment, deletes(ev), leaves(ev):
		return true
	case ev.Object == billing.KindInvoice:
		return ev.Commented || ev.Type == "invoice.viewed" || ev.Type == "invoice.paid"
	}
	return false
}

// HandleEvent does what a received event asks for. As with Sync, an error means trouble of our own.
func (e *Engine) HandleEvent(ctx context.Context, t EventTask) error {
	c, err := e.Company(t.Company)
	if err != nil {
		e.log.ErrorContext(ctx, "event for an unknown company dropped", "company", t.Company, "event_id", t.EventID)
		return nil
	}
	if c.paused() {
		return nil // it stays new, and the sweep finds it when the company goes on
	}
	in, version, err := e.inbox.Get(ctx, store.ID(t.Company, t.EventID))
	if errors.Is(err, store.ErrNotFound) || (err == nil && in.State != record.InboxNew) {
		return nil
	}
	if err != nil {
		return err
	}
	ev, err := c.ParseEvent([]byte(in.Raw))
	if err != nil {
		return e.closeEvent(ctx, in, version, record.InboxFailed, err.Error())
	}
	if ev.Object == billing.KindPayment {
		if err := e.notePayment(ctx, c, ev.ObjectID, in.EventID, in.EventID); err != nil {
			return err
		}
		if err := e.closeEvent(ctx, in, version, record.InboxDone, "payment "+ev.ObjectID+" looked at"); err != nil {
			return err
		}
		return e.Sync(ctx, Task{Company: c.ID, Kind: billing.KindPayment, ID: ev.ObjectID})
	}
	if deletes(ev) || leaves(ev) {
		text, again, err := e.noteTaken(ctx, c, ev)
		if err != nil {
			return err
		}
		if again {
			return e.retryEvent(ctx, in, version, time.Minute, text)
		}
		return e.closeEvent(ctx, in, version, record.InboxDone, text)
	}
	return e.logActivity(ctx, c, ev, in, version)
}

func (e *Engine) closeEvent(ctx context.Context, in record.Inbox, version store.Version, state, effect string) error {
	in.State, in.Effect, in.DueAt = state, effect, store.Time{}
	_, err := e.inbox.Update(ctx, store.ID(in.Company, in.EventID), in, version)
	if errors.Is(err, store.ErrConflict) {
		return nil // the same event was handled twice at the same time; what it did is journalled
	}
	return err
}

// retryEvent leaves the event in the inbox for later.
func (e *Engine) retryEvent(ctx context.Context, in record.Inbox, version store.Version, after time.Duration, why string) error {
	in.Attempts++
	in.Effect, in.DueAt = why, store.At(e.clock.Now().Add(after))
	_, err := e.inbox.Update(ctx, store.ID(in.Company, in.EventID), in, version)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// maxEventAttempts bounds the tries of an activity: a lost history entry is reported and dropped (q360-api 4.6).
const maxEventAttempts = 8

// logActivity writes the history entry of a view, a comment or a paid invoice, for the company whose invoice it is.
func (e *Engine) logActivity(ctx context.Context, c *Company, ev billing.Event, in record.Inbox, version store.Version) error {
	owner, rec, err := e.inAccount(ctx, c, billing.KindInvoice, ev.ObjectID)
	if err != nil {
		return err
	}
	if rec == nil && in.Attempts < 3 { // perhaps our own write is just being stored
		return e.retryEvent(ctx, in, version, time.Minute, "invoice "+ev.ObjectID+" is not known yet")
	}
	if owner == nil {
		owner = c
	}
	input := plan.ActivityInput{Event: ev, Settings: owner.Settings}
	if rec != nil {
		input.InvoiceNo, input.CustomerNo = rec.SourceID, rec.Customer
	}
	if ev.Commented {
		if input.Same, err = e.sameComment(ctx, c, owner, ev, in.Subject); err != nil {
			return err
		}
	}
	p := plan.Activity(input)
	if p.Verdict != plan.Create {
		return e.closeEvent(ctx, in, version, record.InboxDone, plan.Text(p.Reasons))
	}
	if held, err := e.holdEvent(ctx, owner, in, version); held || err != nil {
		return err
	}
	step := p.Steps[0]
	return e.activityDone(ctx, in, version, step, e.writeHistory(ctx, owner, rec.ID(), step))
}

// writeHistory brings a history entry to exist once.
func (e *Engine) writeHistory(ctx context.Context, c *Company, rec string, step plan.Step) error {
	if caps, err := e.Check(ctx, c); err == nil && !caps.Has(connector.FeatureHistory) {
		return noHistory{caps.Features[connector.FeatureHistory]}
	}
	_, err := e.perform(ctx, c, nil, effect{
		vendor: vendorERP, step: step, record: rec, checks: e.opt.DocumentChecks, attempts: 3,
		call: func(ctx context.Context) (string, error) {
			return step.History.Key, c.ERP.CreateHistory(ctx, *step.History)
		},
		look: func(ctx context.Context) (string, bool, error) {
			found, err := c.ERP.FindHistory(ctx, *step.History)
			return step.History.Key, found, err
		},
	})
	return err
}

// noHistory is a site that takes no history entries.
type noHistory struct{ state string }

func (n noHistory) Error() string { return "the ERP takes no history entries: " + n.state }

// sameComment is the key of the entry of the other event that tells of the same comment, if that is the one to use: the
// first of the two to be handled has the entry, so that there is one whatever order they come in.
func (e *Engine) sameComment(ctx context.Context, c, owner *Company, ev billing.Event, subject string) (string, error) {
	all, err := e.commentsOn(ctx, c, subject)
	if err != nil {
		return "", err
	}
	other, found := plan.SameComment(ev, all)
	if !found {
		return "", nil
	}
	entry, err := e.journal.Get(ctx, journalKey(owner, plan.HistoryKey(plan.CommentKey(other))))
	if err != nil || entry == nil || entry.State == journal.Refused {
		return "", err
	}
	return plan.CommentKey(other), nil
}

// commentsOn reads the comments among the events of a document. Views and updates are passed over by their type or their
// effect, unread.
func (e *Engine) commentsOn(ctx context.Context, c *Company, subject string) ([]billing.Event, error) {
	var out []billing.Event
	q := store.Query{Equal: []store.Equal{{Field: "subject", Value: subject}}, OrderBy: "received_at", Limit: 500}
	for {
		rows, err := e.inbox.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			in := row.Value
			if in.Type == "invoice.viewed" || in.Type == "invoice.paid" || in.Effect == plan.Because(plan.NotOurs, "type", in.Type).Text() {
				continue
			}
			if ev, err := c.ParseEvent([]byte(in.Raw)); err == nil && ev.Commented {
				out = append(out, ev)
			}
		}
		if len(rows) < q.Limit {
			return out, nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.ReceivedAt.Text(), ID: last.ID}
	}
}

func (e *Engine) activityDone(ctx context.Context, in record.Inbox, version store.Version, step plan.Step, err error) error {
	var open openError
	switch {
	case err == nil:
		return e.closeEvent(ctx, in, version, record.InboxDone, "history entry "+step.History.Code+" of "+step.History.InvoiceNo)
	case errors.As(err, new(noHistory)):
		return e.closeEvent(ctx, in, version, record.InboxDone, err.Error())
	case errors.Is(err, breaker.ErrStopped):
		in.Attempts-- // no call was made
		return e.retryEvent(ctx, in, version, stoppedFor(err), err.Error())
	case errors.Is(err, store.ErrConflict):
		return e.retryEvent(ctx, in, version, 5*time.Second, "the same entry is just being written")
	case errors.As(err, &open):
		return e.retryEvent(ctx, in, version, max(time.Second, open.at.Sub(e.clock.Now())), "outcome of the entry is being looked up")
	case errors.Is(err, errAttempts) || in.Attempts >= maxEventAttempts:
		return e.closeEvent(ctx, in, version, record.InboxFailed, "history entry dropped: "+err.Error())
	case connector.ClassOf(err) == connector.ClassInvalid:
		return e.closeEvent(ctx, in, version, record.InboxFailed, "history entry refused: "+err.Error())
	}
	return e.retryEvent(ctx, in, version, min(time.Minute<<in.Attempts, time.Hour), err.Error())
}

// byPortalID finds the record of a thing of the portal; nil when arbridge has none.
func (e *Engine) byPortalID(ctx context.Context, c *Company, kind billing.Kind, portalID string) (*record.Record, error) {
	rows, err := e.records.Query(ctx, store.Query{
		Equal:   []store.Equal{{Field: "company", Value: c.ID}, {Field: "kind", Value: string(kind)}, {Field: "portal_id", Value: portalID}},
		OrderBy: "updated_at", Desc: true, Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0].Value, nil
}

// notePayment makes sure that the payment has a record, due now, before whatever told of it is done with. seen identifies
// that: a new one makes a worker who has the payment look once more. eventID may be empty.
func (e *Engine) notePayment(ctx context.Context, c *Company, id, seen, eventID string) error {
	key := record.ID(c.ID, billing.KindPayment, id)
	for range 5 {
		now := e.clock.Now()
		rec, version, err := e.records.Get(ctx, key)
		fresh := errors.Is(err, store.ErrNotFound)
		if fresh {
			rec, err = record.Record{
				Company: c.ID, Kind: billing.KindPayment, SourceID: id, PortalID: id, Status: record.Scheduled, CreatedAt: store.At(now),
			}, nil
		}
		if err != nil {
			return err
		}
		rec.Seen, rec.UpdatedAt = seen, store.At(now)
		if eventID != "" {
			rec.Events = append(rec.Events, eventID)
			rec.Events = rec.Events[max(0, len(rec.Events)-20):]
		}
		if rec.LeaseOwner == "" && rec.Status != record.Unknown && rec.Status != record.Ignored {
			rec.DueAt = store.At(now.Add(e.opt.Grace))
		}
		if fresh {
			_, err = e.records.Create(ctx, key, rec)
		} else {
			_, err = e.records.Update(ctx, key, rec, version)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("noting payment %s: %w", id, store.ErrConflict)
}

// The feeds of payments, as cursor names.
const (
	feedPayments = "payments"
	feedMoney    = "payments_daily"
)

// moneyDays is how long money can go back without the portal saying so: card disputes come up to 120 days later.
const moneyDays = 120

// RereadPayments looks at payments beside their events (F24, F26). At most every GapFill it lists those that changed since
// the last reading, and looks at the ones that are not what was seen of them. Once a day it lists all that changed in the
// last 120 days and looks at those it knows: a refund has no event and need not count as a change of its payment
// (invoiced-api 6.4). Either is one call per hundred payments.
func (e *Engine) RereadPayments(ctx context.Context, c *Company) error {
	cur, version, err := e.cursor(ctx, c.ID, feedPayments)
	if err != nil {
		return err
	}
	now := e.clock.Now()
	if version != "" && now.Sub(cur.UpdatedAt.Time) < e.opt.GapFill {
		return nil
	}
	if cur.Value == "" {
		cur.Value = now.Add(-24 * time.Hour).Format(time.RFC3339)
		cur.Since = cur.Value
	}
	from, err := time.Parse(time.RFC3339, cur.Value)
	if err != nil {
		return fmt.Errorf("reading the payments cursor: %w", err)
	}
	l, err := e.listPayments(ctx, c, from.Add(-10*time.Minute), cur.Since)
	if errors.Is(err, breaker.ErrStopped) {
		return nil // the vendor is not called at present
	}
	if err != nil {
		return err
	}
	if l.newest.After(from) {
		cur.Value = l.newest.Format(time.RFC3339)
	}
	cur.Backfill = false
	if _, err := e.saveCursor(ctx, cur, version); err != nil {
		return err
	}
	return e.rereadMoney(ctx, c, now)
}

// rereadMoney is the daily part of RereadPayments. The first one is a day after the company began.
func (e *Engine) rereadMoney(ctx context.Context, c *Company, now time.Time) error {
	cur, version, err := e.cursor(ctx, c.ID, feedMoney)
	if err != nil || version != "" && now.Sub(cur.UpdatedAt.Time) < 24*time.Hour {
		return err
	}
	if version != "" {
		from := now.AddDate(0, 0, -moneyDays)
		l, err := e.listPayments(ctx, c, from, "")
		if err != nil {
			return err
		}
		if err := errors.Join(e.lookForMissing(ctx, c, l, from, now), e.nameAll(ctx, c, l)); err != nil {
			return err
		}
	}
	cur.Value, cur.Backfill = now.Format(time.RFC3339), false
	_, err = e.saveCursor(ctx, cur, version)
	return err
}

// listed is a complete reading of the payments list.
type listed struct {
	newest   time.Time // change in it
	ids      map[string]bool
	nameless bool // it has entries whose id can not be read
}

// listPayments looks at the payments listed since a time that are not what was last seen of them. Those without a record
// get one if they were made after since; none does without that time.
func (e *Engine) listPayments(ctx context.Context, c *Company, from time.Time, since string) (listed, error) {
	out := listed{ids: map[string]bool{}}
	err := connector.EachPage("listing payments", func(page string) (connector.Page[billing.Payment], error) {
		return c.Portal.ListPayments(ctx, from, page)
	}, func(p connector.Page[billing.Payment]) error {
		for _, bad := range p.Bad {
			out.ids[bad.Number] = true
			out.nameless = out.nameless || bad.Number == ""
			if err := e.noteUnreadable(ctx, c, bad, since != ""); err != nil {
				return err
			}
		}
		for _, pay := range p.Items {
			out.ids[pay.ID] = true
			if pay.Updated.After(out.newest) {
				out.newest = pay.Updated
			}
		}
		return e.compareSeen(ctx, c, p.Items, since)
	})
	if err != nil {
		return out, fmt.Errorf("listing payments: %w", err)
	}
	return out, nil
}

func (e *Engine) compareSeen(ctx context.Context, c *Company, payments []billing.Payment, since string) error {
	ids := make([]string, len(payments))
	for i, pay := range payments {
		ids[i] = record.ID(c.ID, billing.KindPayment, pay.ID)
	}
	slices.Sort(ids)
	have, err := e.getRecords(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	for _, pay := range payments {
		row, known := have[record.ID(c.ID, billing.KindPayment, pay.ID)]
		rec, print := row.Value, paymentPrint(pay)
		made := pay.Created
		if made.IsZero() {
			made = pay.Date
		}
		switch {
		case !known && (since == "" || made.UTC().Format(time.RFC3339) < since):
			continue
		case known && (rec.Written == print || rec.Seen == seenListed+print || rec.Seen == seenReread+print || rec.Written == "" && !rec.DueAt.IsZero()):
			continue // nothing new, or it is about to be read
		}
		if err := e.notePayment(ctx, c, pay.ID, seenListed+print, ""); err != nil {
			return err
		}
		e.announce(ctx, &record.Record{Company: c.ID, Kind: billing.KindPayment, SourceID: pay.ID})
	}
	return nil
}

// paymentPrint identifies what matters of a payment: equal prints lead to the same decision.
func paymentPrint(pay billing.Payment) string {
	pay.Updated, pay.Created = time.Time{}, time.Time{}
	if pay.Charge != nil {
		charge := *pay.Charge
		charge.Updated, pay.Charge = time.Time{}, &charge
	}
	b, err := json.Marshal(pay)
	if err != nil {
		panic("engine: " + err.Error()) // texts, times and amounts always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// What is remembered of a payment that the list shows otherwise than it was read begins with one of these; its print follows.
const (
	seenListed = "listed "
	seenReread = "reread " // it was read since, and said otherwise than the list
)

// secondLook is after how long a payment is read once more that does not say what the list said of it.
const secondLook = 5 * time.Minute

// behindList reports whether the payment reads otherwise than the list that had it looked at. One of the two is behind, and
// with it a refund would be missed for good: the payment is read once more, and what it says then counts.
func (w *work) behindList() bool {
	print, listed := strings.CutPrefix(w.rec.Seen, seenListed)
	if !listed || print == w.rec.Written {
		return false
	}
	w.rec.Seen = seenReread + print
	w.seen = w.rec.Seen
	return true
}
