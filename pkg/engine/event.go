package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
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
	needed := needsWork(ev)
	if !needed {
		in.State, in.DueAt, in.Effect = record.InboxDone, store.Time{}, plan.Because(plan.NotOurs, "type", ev.Type).Text()
	}
	if _, err := e.inbox.Create(ctx, store.ID(c.ID, ev.ID), in); err != nil {
		if errors.Is(err, store.ErrExists) {
			return false, nil
		}
		return false, fmt.Errorf("storing event %s: %w", ev.ID, err)
	}
	if needed {
		e.announceEvent(ctx, &in)
	}
	return true, nil
}

// needsWork tells the events that lead to something from the rest, which include the echoes of our own writes.
func needsWork(ev billing.Event) bool {
	switch {
	case ev.Object == billing.KindPayment:
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
		if err := e.notePayment(ctx, c, ev.ObjectID, in.EventID); err != nil {
			return err
		}
		if err := e.closeEvent(ctx, in, version, record.InboxDone, "payment "+ev.ObjectID+" looked at"); err != nil {
			return err
		}
		return e.syncPayment(ctx, c, ev.ObjectID)
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

// logActivity writes the history entry of a view, a comment or a paid invoice.
func (e *Engine) logActivity(ctx context.Context, c *Company, ev billing.Event, in record.Inbox, version store.Version) error {
	rec, err := e.byPortalID(ctx, c, ev.ObjectID)
	if err != nil {
		return err
	}
	if rec == nil && in.Attempts < 3 { // perhaps our own write is just being stored
		return e.retryEvent(ctx, in, version, time.Minute, "invoice "+ev.ObjectID+" is not known yet")
	}
	input := plan.ActivityInput{Event: ev, Settings: c.Settings}
	if rec != nil {
		input.InvoiceNo, input.CustomerNo = rec.SourceID, rec.Customer
	}
	p := plan.Activity(input)
	if p.Verdict != plan.Create {
		return e.closeEvent(ctx, in, version, record.InboxDone, plan.Text(p.Reasons))
	}
	if c.Settings.Mode == settings.ModeReadOnly {
		in.Attempts-- // waiting is no attempt
		return e.retryEvent(ctx, in, version, time.Hour, "the company's mode is "+string(c.Settings.Mode))
	}
	if caps, err := e.Check(ctx, c); err == nil && !caps.Has(connector.FeatureHistory) {
		return e.closeEvent(ctx, in, version, record.InboxDone, "the ERP takes no history entries: "+caps.Features[connector.FeatureHistory])
	}
	step := p.Steps[0]
	_, err = e.perform(ctx, c, nil, effect{
		vendor: vendorERP, step: step, record: rec.ID(), checks: e.opt.DocumentChecks, attempts: 3,
		call: func(ctx context.Context) (string, error) {
			return step.History.Key, c.ERP.CreateHistory(ctx, *step.History)
		},
		look: func(ctx context.Context) (string, bool, error) {
			found, err := c.ERP.FindHistory(ctx, *step.History)
			return step.History.Key, found, err
		},
	})
	return e.activityDone(ctx, in, version, step, err)
}

func (e *Engine) activityDone(ctx context.Context, in record.Inbox, version store.Version, step plan.Step, err error) error {
	var open openError
	switch {
	case err == nil:
		return e.closeEvent(ctx, in, version, record.InboxDone, "history entry "+step.History.Code+" of "+step.History.InvoiceNo)
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

// byPortalID finds the record of a portal invoice; nil when arbridge has none.
func (e *Engine) byPortalID(ctx context.Context, c *Company, portalID string) (*record.Record, error) {
	rows, err := e.records.Query(ctx, store.Query{
		Equal:   []store.Equal{{Field: "company", Value: c.ID}, {Field: "kind", Value: string(billing.KindInvoice)}, {Field: "portal_id", Value: portalID}},
		OrderBy: "updated_at", Desc: true, Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0].Value, nil
}

// notePayment makes sure that the payment has a record, due now, before the event is closed.
func (e *Engine) notePayment(ctx context.Context, c *Company, id, eventID string) error {
	key := record.ID(c.ID, billing.KindPayment, id)
	for range 5 {
		now := e.clock.Now()
		rec, version, err := e.records.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			fresh := record.Record{
				Company: c.ID, Kind: billing.KindPayment, SourceID: id, PortalID: id, Status: record.Scheduled, Seen: eventID,
				Events: []string{eventID}, CreatedAt: store.At(now), UpdatedAt: store.At(now), DueAt: store.At(now.Add(e.opt.Grace)),
			}
			_, err = e.records.Create(ctx, key, fresh)
		} else if err == nil {
			rec.Seen, rec.UpdatedAt = eventID, store.At(now)
			rec.Events = append(rec.Events, eventID)
			rec.Events = rec.Events[max(0, len(rec.Events)-20):]
			if rec.LeaseOwner == "" && rec.Status != record.Unknown {
				rec.DueAt = store.At(now.Add(e.opt.Grace))
			}
			_, err = e.records.Update(ctx, key, rec, version)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("noting payment %s: %w", id, store.ErrConflict)
}
