package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/breaker"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// controlAge is how long what operators stopped is used without reading it again: another process obeys within it.
const controlAge = 5 * time.Second

// controlCache is what operators stopped in a company, as last read.
type controlCache struct {
	mu    sync.Mutex
	at    time.Time
	value record.Control
}

func (cc *controlCache) last() record.Control {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	return cc.value
}

func (cc *controlCache) set(v record.Control, at time.Time) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	cc.value, cc.at = v, at
}

// controlOf is what operators stopped in the company, at most controlAge old.
func (e *Engine) controlOf(ctx context.Context, c *Company) (record.Control, error) {
	c.control.mu.Lock()
	at, value := c.control.at, c.control.value
	c.control.mu.Unlock()
	now := e.clock.Now()
	if age := now.Sub(at); !at.IsZero() && age >= 0 && age < controlAge {
		return value, nil
	}
	value, _, err := e.readControl(ctx, c)
	if err == nil {
		c.control.set(value, now)
	}
	return value, err
}

func (e *Engine) readControl(ctx context.Context, c *Company) (record.Control, store.Version, error) {
	value, version, err := e.controls.Get(ctx, store.ID(c.ID))
	if errors.Is(err, store.ErrNotFound) {
		return record.Control{Company: c.ID}, "", nil
	}
	return value, version, err
}

// readOnly reports whether nothing may be written for the company: by its setting, or because an operator said so.
func (c *Company) readOnly() bool {
	return c.Settings.Mode == settings.ModeReadOnly || c.control.last().ReadOnly != nil
}

// flowOf is the flow that a kind of record belongs to.
func flowOf(kind billing.Kind) string {
	if kind == billing.KindPayment {
		return record.FlowPayments
	}
	return record.FlowInvoices
}

func pausedReason(flow string, h record.Hold) plan.Reason {
	return plan.Because(plan.FlowPaused, "flow", flow, "actor", h.Actor, "reason", h.Reason)
}

// holdPaused parks a record whose flow an operator paused, and reports whether it did. A record whose outcome is unknown,
// or that somebody has, is left as it is: it stays due.
func (e *Engine) holdPaused(ctx context.Context, c *Company, t Task) (bool, error) {
	ctl, err := e.controlOf(ctx, c)
	if err != nil {
		return true, err
	}
	if t.Kind == billing.KindPayment { // its receipts may go to other companies
		for _, id := range e.CompanyIDs() {
			if _, err := e.controlOf(ctx, e.companies[id]); err != nil {
				return true, err
			}
		}
	}
	hold, paused := ctl.Stops(flowOf(t.Kind))
	if !paused {
		return false, nil
	}
	rec, version, err := e.records.Get(ctx, record.ID(c.ID, t.Kind, t.ID))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil || rec.LeaseOwner != "" || rec.Status != record.Scheduled && rec.Status != record.Waiting {
		return true, err
	}
	now := e.clock.Now()
	rec.Set(record.Waiting, []plan.Reason{pausedReason(flowOf(t.Kind), hold)})
	rec.DueAt, rec.UpdatedAt, rec.OverdueSince = store.At(now.Add(time.Hour)), store.At(now), store.Time{}
	rec.Note(now, "waiting", rec.Summary)
	_, err = e.records.Update(ctx, rec.ID(), rec, version)
	if errors.Is(err, store.ErrConflict) {
		return true, nil // it changed: its next message finds the flow paused, or not
	}
	return true, err
}

// By says who does something, and why.
type By struct {
	Actor  string
	Reason string
}

// ErrOperator is a request of an operator that can not be done as things are; its text says why.
var ErrOperator = errors.New("can not be done")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOperator, fmt.Sprintf(format, args...))
}

// Pause stops a flow of a company until Resume: its records wait, with who paused it and why. Flow record.FlowAll stops
// everything, polling included.
func (e *Engine) Pause(ctx context.Context, by By, company, flow string) error {
	if !slices.Contains(record.Flows(), flow) {
		return refuse("flow %q is none of %s", flow, strings.Join(record.Flows(), ", "))
	}
	return e.changeControl(ctx, by, company, "pause", flow, func(c *record.Control, h record.Hold) error {
		if was, paused := c.Paused[flow]; paused {
			return refuse("%s of %s is paused already by %s: %s", flow, company, was.Actor, was.Reason)
		}
		paused := map[string]record.Hold{flow: h}
		for f, was := range c.Paused {
			paused[f] = was
		}
		c.Paused = paused
		return nil
	})
}

// MakeReadOnly stops every write of a company to its vendors until Resume with record.FlowAll; plans are still made.
func (e *Engine) MakeReadOnly(ctx context.Context, by By, company string) error {
	return e.changeControl(ctx, by, company, "read_only", record.FlowAll, func(c *record.Control, h record.Hold) error {
		if c.ReadOnly != nil {
			return refuse("%s is read-only already by %s: %s", company, c.ReadOnly.Actor, c.ReadOnly.Reason)
		}
		c.ReadOnly = &h
		return nil
	})
}

// Resume ends the pause of a flow and wakes what waited; record.FlowAll ends every pause of the company and its being
// read-only. It returns how many records and events were woken.
func (e *Engine) Resume(ctx context.Context, by By, company, flow string) (int, error) {
	err := e.changeControl(ctx, by, company, "resume", flow, func(c *record.Control, _ record.Hold) error {
		if flow == record.FlowAll {
			if len(c.Paused) == 0 && c.ReadOnly == nil {
				return refuse("nothing of %s is paused", company)
			}
			c.Paused, c.ReadOnly = nil, nil
			return nil
		}
		if _, all := c.Paused[record.FlowAll]; all {
			return refuse("all of %s is paused: resume all", company)
		}
		if _, there := c.Paused[flow]; !there {
			return refuse("%s of %s is not paused", flow, company)
		}
		paused := map[string]record.Hold{}
		for f, h := range c.Paused {
			if f != flow {
				paused[f] = h
			}
		}
		c.Paused = paused
		return nil
	})
	if err != nil {
		return 0, err
	}
	records, err := e.wakeHeld(ctx, company, flow)
	if err != nil {
		return records, err
	}
	events, err := e.wakeEvents(ctx, company)
	return records + events, err
}

// changeControl changes what is stopped in a company, together with its entry in the audit.
func (e *Engine) changeControl(ctx context.Context, by By, company, action, flow string, change func(*record.Control, record.Hold) error) error {
	c, err := e.Company(company)
	if err != nil {
		return err
	}
	for range 5 {
		value, version, err := e.readControl(ctx, c)
		if err != nil {
			return err
		}
		now := e.clock.Now()
		before := controlText(value)
		if err := change(&value, record.Hold{Actor: by.Actor, Reason: by.Reason, At: store.At(now)}); err != nil {
			return err
		}
		value.UpdatedAt = store.At(now)
		cond := store.IfVersion
		if version == "" {
			cond = store.IfAbsent
		}
		w, err := e.controls.Write(store.ID(c.ID), value, cond, version)
		if err != nil {
			return err
		}
		note, err := e.auditWrite(by, record.Audit{Company: c.ID, Action: action, Target: flow, Before: before, After: controlText(value)})
		if err != nil {
			return err
		}
		_, err = e.store.Write(ctx, w, note)
		if err == nil {
			c.control.set(value, now)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("%s of %s: %w", action, company, store.ErrConflict)
}

func controlText(c record.Control) string {
	out := "running"
	if flows := c.Flows(); len(flows) > 0 {
		out = "paused: " + strings.Join(flows, ", ")
	}
	if c.ReadOnly != nil {
		out += "; read-only"
	}
	return out
}

// auditWrite makes the write of an audit entry, which goes in one batch with what it tells of.
func (e *Engine) auditWrite(by By, a record.Audit) (store.Write, error) {
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		return store.Write{}, fmt.Errorf("naming an audit entry: %w", err)
	}
	a.At, a.Actor, a.Reason = store.At(e.clock.Now()), by.Actor, by.Reason
	return e.audits.Write(store.ID(a.Company, a.At.Text(), hex.EncodeToString(b)), a, store.IfAbsent, "")
}

// Audit notes something an operator did that is no change of the engine's own, such as a replayed dead letter.
func (e *Engine) Audit(ctx context.Context, by By, a record.Audit) error {
	w, err := e.auditWrite(by, a)
	if err == nil {
		_, err = e.store.Write(ctx, w)
	}
	return err
}

// AuditLog lists what operators did to a company, newest first.
func (e *Engine) AuditLog(ctx context.Context, company string, limit int) ([]record.Audit, error) {
	rows, err := e.audits.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "at", Desc: true, Limit: min(max(limit, 1), 1000),
	})
	out := make([]record.Audit, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	return out, err
}

// wakeHeld makes the records due that waited for a flow to go on.
func (e *Engine) wakeHeld(ctx context.Context, company, flow string) (int, error) {
	woken := 0
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: company}, {Field: "status", Value: string(record.Waiting)}},
		OrderBy: "updated_at", Desc: true, Limit: 500,
	}
	for {
		rows, err := e.records.Query(ctx, q)
		if err != nil {
			return woken, err
		}
		var due []*record.Record
		for _, row := range rows {
			rec := row.Value
			p := plan.Plan{Reasons: rec.Reasons}
			if !p.Has(plan.FlowPaused) && !p.Has(plan.ReadOnly) || flow != record.FlowAll && flowOf(rec.Kind) != flow {
				continue
			}
			rec.DueAt = store.At(e.clock.Now())
			if _, err := e.records.Update(ctx, row.ID, rec, row.Version); err != nil && !errors.Is(err, store.ErrConflict) {
				return woken, err
			}
			due = append(due, &rec)
		}
		e.announce(ctx, due...)
		woken += len(due)
		if len(rows) < q.Limit {
			return woken, nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}

// heldEvent begins the effect of an event that waits because an operator said so.
const heldEvent = "waits: "

// holdEvent leaves an event of a paused flow in the inbox, and reports whether it did.
func (e *Engine) holdEvent(ctx context.Context, c *Company, in record.Inbox, version store.Version) (bool, error) {
	ctl, err := e.controlOf(ctx, c)
	if err != nil {
		return true, err
	}
	why := ""
	if hold, paused := ctl.Stops(record.FlowActivity); paused {
		why = pausedReason(record.FlowActivity, hold).Text()
	} else if c.readOnly() {
		why = plan.Because(plan.ReadOnly).Text()
	}
	if why == "" {
		return false, nil
	}
	in.Attempts-- // waiting is no attempt
	return true, e.retryEvent(ctx, in, version, time.Hour, heldEvent+why)
}

// wakeEvents makes the company's events due that waited because an operator said so.
func (e *Engine) wakeEvents(ctx context.Context, company string) (int, error) {
	woken := 0
	q := store.Query{Equal: []store.Equal{{Field: "state", Value: record.InboxNew}}, OrderBy: "due_at", From: store.At(e.clock.Now()).Text(), Limit: 500}
	for {
		rows, err := e.inbox.Query(ctx, q)
		if err != nil {
			return woken, err
		}
		for _, row := range rows {
			in := row.Value
			if in.Company != company || !strings.HasPrefix(in.Effect, heldEvent) {
				continue
			}
			in.DueAt = store.At(e.clock.Now())
			if _, err := e.inbox.Update(ctx, row.ID, in, row.Version); err != nil && !errors.Is(err, store.ErrConflict) {
				return woken, err
			}
			e.announceEvent(ctx, &in)
			woken++
		}
		if len(rows) < q.Limit {
			return woken, nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.DueAt.Text(), ID: last.ID}
	}
}

// stoppedFor is how long an error of breaker.ErrStopped wants the caller to wait.
func stoppedFor(err error) time.Duration {
	var ce *connector.Error
	if errors.As(err, &ce) {
		return max(ce.RetryAfter, time.Second)
	}
	return time.Minute
}

// protect puts the breakers between the engine and the company's systems.
func (e *Engine) protect(c *Company) {
	show := func(ctx context.Context, s record.Breaker) { e.showBreaker(ctx, c, s) }
	c.erpBreaker, c.portalBreaker = breaker.New(vendorERP, e.clock, show), breaker.New(vendorPortal, e.clock, show)
	c.ERP, c.Portal = breaker.ERP(c.ERP, c.erpBreaker), breaker.Portal(c.Portal, c.portalBreaker)
}

// showBreaker tells people that a vendor is no longer called, or is again.
func (e *Engine) showBreaker(ctx context.Context, c *Company, s record.Breaker) {
	s.Company, s.Process = c.ID, e.opt.Owner
	level := slog.LevelInfo
	if s.State == record.BreakerOpen {
		level = slog.LevelError
	}
	e.log.Log(ctx, level, "circuit breaker", "company", c.ID, "vendor", s.Vendor, "state", s.State, "until", s.Until.Text(), "problem", s.Problem)
	if _, err := e.breakers.Put(ctx, store.ID(c.ID, "breaker", s.Vendor), s); err != nil {
		e.log.WarnContext(ctx, "state of the circuit breaker not stored", "company", c.ID, "vendor", s.Vendor, "error", err)
	}
}

// stoppedCalls is the error of a call that a vendor would not get at present, before a write is even noted as started.
func (c *Company) stoppedCalls(vendor, op string) error {
	if vendor == vendorERP {
		return c.erpBreaker.Stopped(op)
	}
	return c.portalBreaker.Stopped(op)
}
