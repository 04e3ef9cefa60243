package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// ErrNothing is a number or an event of which nothing is known.
var ErrNothing = errors.New("nothing is known of it")

// planned tells a preview what was decided about the record.
func (e *Engine) planned(w *work, p plan.Plan) {
	if e.opt.Planned != nil {
		e.opt.Planned(w.rec.ID(), p)
	}
}

// operatorKinds are the kinds of records, in the order in which a number is looked for.
func operatorKinds() []billing.Kind {
	return []billing.Kind{billing.KindInvoice, billing.KindPayment, billing.KindCustomer}
}

// Target names a record by a number, within a company or a kind if those are given.
type Target struct {
	Number  string
	Company string
	Kind    billing.Kind
}

// Find lists the records of a target.
func (e *Engine) Find(ctx context.Context, t Target) ([]record.Record, error) {
	var out []record.Record
	for _, id := range e.CompanyIDs() {
		if t.Company != "" && t.Company != id {
			continue
		}
		for _, kind := range operatorKinds() {
			if t.Kind != "" && t.Kind != kind {
				continue
			}
			rec, _, err := e.records.Get(ctx, record.ID(id, kind, t.Number))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, rec)
		}
	}
	return out, nil
}

// one is the only record of a target.
func (e *Engine) one(ctx context.Context, t Target) (record.Record, error) {
	found, err := e.Find(ctx, t)
	switch {
	case err != nil:
		return record.Record{}, err
	case len(found) == 0:
		return record.Record{}, fmt.Errorf("number %s: %w", t.Number, ErrNothing)
	case len(found) > 1:
		names := ""
		for _, r := range found {
			names += " " + r.ID()
		}
		return record.Record{}, refuse("%s is the number of several records:%s; name the company and the kind", t.Number, names)
	}
	return found[0], nil
}

// SyncNow works on the record of a number now, with today's settings and what the ERP has at this moment, whatever its
// status; a document that arbridge has never seen is read from the ERP. action is what the audit calls it. It returns the
// records as they are then.
func (e *Engine) SyncNow(ctx context.Context, by By, action string, t Target) ([]record.Record, error) {
	if t.Company != "" {
		if _, err := e.Company(t.Company); err != nil {
			return nil, err
		}
	}
	found, err := e.Find(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		if found, err = e.discover(ctx, t); err != nil {
			return nil, err
		}
	}
	out := make([]record.Record, 0, len(found))
	for _, rec := range found {
		after, err := e.syncRecord(ctx, by, action, rec)
		if err != nil {
			return out, err
		}
		out = append(out, after)
	}
	return out, nil
}

// syncRecord works on one record for an operator.
func (e *Engine) syncRecord(ctx context.Context, by By, action string, rec record.Record) (record.Record, error) {
	c, err := e.Company(rec.Company)
	if err != nil {
		return rec, err
	}
	switch {
	case c.paused():
		return rec, refuse("company %s is paused by its settings (company.enabled, company.mode)", c.ID)
	case rec.Status == record.Ignored:
		return rec, refuse("%s is ignored (%s): unignore it first", rec.ID(), rec.Summary)
	case e.held(rec.LeaseOwner, rec.LeaseUntil, e.clock.Now()):
		return rec, refuse("%s is being worked on: try again in a minute", rec.ID())
	}
	if err := e.expireSource(ctx, rec.ID()); err != nil {
		return rec, err
	}
	failed := e.Sync(ctx, Task{rec.Company, rec.Kind, rec.SourceID})
	after, _, err := e.records.Get(ctx, rec.ID())
	if err != nil {
		return rec, errors.Join(failed, err)
	}
	note := record.Audit{Company: c.ID, Action: action, Target: rec.ID(), Before: recordText(rec), After: recordText(after)}
	if failed != nil {
		note.After = "did not work: " + failed.Error()
	}
	return after, errors.Join(failed, e.Audit(context.WithoutCancel(ctx), by, note))
}

func recordText(r record.Record) string {
	if r.Summary == "" {
		return string(r.Status)
	}
	return string(r.Status) + ": " + r.Summary
}

// expireSource makes the next sync of a record read the ERP.
func (e *Engine) expireSource(ctx context.Context, id string) error {
	s, version, err := e.sources.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.ReadAt = store.Time{}
	if _, err = e.sources.Update(ctx, id, s, version); errors.Is(err, store.ErrConflict) {
		return nil // it was just read
	}
	return err
}

// discover makes records of an invoice that arbridge has not seen, in each company whose ERP has it.
func (e *Engine) discover(ctx context.Context, t Target) ([]record.Record, error) {
	var out []record.Record
	for _, id := range e.CompanyIDs() {
		c := e.companies[id]
		if t.Company != "" && t.Company != id || t.Kind != "" && t.Kind != billing.KindInvoice || c.paused() {
			continue
		}
		inv, err := c.ERP.Invoice(ctx, t.Number)
		if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if inv.CompanyNo != c.Settings.Q360Company {
			continue
		}
		now := store.At(e.clock.Now())
		rec := record.Record{
			Company: id, Kind: billing.KindInvoice, SourceID: inv.Number, Customer: inv.CustomerNo, Status: record.Scheduled,
			CreatedAt: now, UpdatedAt: now, DueAt: now,
		}
		rec.Note(now.Time, "seen in the ERP", "asked for by number")
		if _, err := e.records.Create(ctx, rec.ID(), rec); err != nil && !errors.Is(err, store.ErrExists) {
			return nil, err
		}
		out = append(out, rec)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("number %s, here or in the ERP: %w", t.Number, ErrNothing)
	}
	return out, nil
}

// Ignore leaves a record alone until Unignore, for a reason that has to be given.
func (e *Engine) Ignore(ctx context.Context, by By, t Target) (record.Record, error) {
	if by.Reason == "" {
		return record.Record{}, refuse("ignoring needs a reason")
	}
	return e.changeRecord(ctx, by, "ignore", t, func(r *record.Record) error {
		switch r.Status {
		case record.Ignored:
			return refuse("%s is ignored already: %s", r.ID(), r.Summary)
		case record.Unknown:
			return refuse("the outcome of a write of %s is being looked up: wait until it is known", r.ID())
		}
		r.Set(record.Ignored, []plan.Reason{plan.Because(plan.LeftAlone, "actor", by.Actor, "reason", by.Reason)})
		r.DueAt, r.WaitsFor = store.Time{}, ""
		return nil
	})
}

// Unignore lets a record take part again; it is looked at at once.
func (e *Engine) Unignore(ctx context.Context, by By, t Target) (record.Record, error) {
	rec, err := e.changeRecord(ctx, by, "unignore", t, func(r *record.Record) error {
		if r.Status != record.Ignored {
			return refuse("%s is not ignored but %s", r.ID(), r.Status)
		}
		r.Set(record.Scheduled, nil)
		r.DueAt = store.At(e.clock.Now())
		return nil
	})
	if err == nil {
		e.announce(ctx, &rec)
	}
	return rec, err
}

// ResolveDuplicate is a person's answer to a possible duplicate: the number of the receipt that was keyed in for the
// payment, which is adopted as it is, or "" when none of those found is, and the payment is to be posted. ErrOperator says
// why that can not be done; ErrNothing when no such payment is known.
func (e *Engine) ResolveDuplicate(ctx context.Context, by By, company, paymentID, adopt string) (record.Record, error) {
	c, err := e.Company(company)
	if err != nil {
		return record.Record{}, err
	}
	action := "not a duplicate"
	if adopt != "" {
		action = "adopt receipt " + adopt
	}
	rec, err := e.changeRecord(ctx, by, action, Target{Number: paymentID, Company: company, Kind: billing.KindPayment}, func(r *record.Record) error {
		if len(r.Doubles) == 0 {
			return refuse("no receipt in the ERP is like payment %s", paymentID)
		}
		if adopt == "" {
			for _, d := range r.Doubles {
				r.Distinct = append(r.Distinct, d.Number)
			}
		} else if err := e.adopt(ctx, c, r, adopt); err != nil {
			return err
		}
		r.Doubles = nil
		r.Set(record.Scheduled, nil)
		r.DueAt = store.At(e.clock.Now())
		return nil
	})
	if err == nil {
		e.announce(ctx, &rec)
	}
	return rec, err
}

// adopt makes a receipt that somebody keyed in the payment's own, if it is still there.
func (e *Engine) adopt(ctx context.Context, c *Company, r *record.Record, number string) error {
	i := slices.IndexFunc(r.Doubles, func(d record.Double) bool { return d.Number == number })
	if i < 0 {
		return refuse("receipt %s is none of those found for payment %s", number, r.SourceID)
	}
	d := r.Doubles[i]
	amount, err := money.Parse(d.Amount, money.Currency(r.Currency))
	if err != nil {
		return fmt.Errorf("adopting receipt %s: %w", number, err)
	}
	at := e.onSite(c, d.Company)
	if at == nil {
		return refuse("company %s of the ERP is not configured any more", d.Company)
	}
	found, err := at.ERP.SimilarReceipts(ctx, d.Customer, amount, billing.Date(d.Date))
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Number == number {
			adopted := receiptRecord(f, number)
			adopted.Reference, adopted.Adopted = d.Reference, true
			r.Receipts = append(r.Receipts, adopted)
			return nil
		}
	}
	return refuse("receipt %s is not in the ERP any more with this customer, amount and date", number)
}

// AcceptBalance is a person's word that what a payment's receipts did to balances in the ERP is right, or was put right
// there: it is not compared any more. ErrOperator when nothing is to be compared; ErrNothing when no such payment is known.
func (e *Engine) AcceptBalance(ctx context.Context, by By, company, paymentID string) (record.Record, error) {
	t := Target{Number: paymentID, Company: company, Kind: billing.KindPayment}
	rec, err := e.changeRecord(ctx, by, "accept balance", t, func(r *record.Record) error {
		if len(r.Applied) == 0 {
			return refuse("no balance of payment %s waits to be compared", paymentID)
		}
		r.Applied = nil
		r.Set(record.Scheduled, nil)
		r.DueAt = store.At(e.clock.Now())
		return nil
	})
	if err == nil {
		e.announce(ctx, &rec)
	}
	return rec, err
}

// changeRecord changes a record that nobody works on, together with its entry in the audit.
func (e *Engine) changeRecord(ctx context.Context, by By, action string, t Target, change func(*record.Record) error) (record.Record, error) {
	found, err := e.one(ctx, t)
	if err != nil {
		return found, err
	}
	for range 5 {
		rec, version, err := e.records.Get(ctx, found.ID())
		if err != nil {
			return rec, err
		}
		now := e.clock.Now()
		if rec.Status == record.Working {
			return rec, refuse("%s is being worked on: try again in a minute", rec.ID())
		}
		before := recordText(rec)
		if err := change(&rec); err != nil {
			return rec, err
		}
		rec.UpdatedAt = store.At(now)
		rec.Note(now, action, "by "+by.Actor+orNothing(": ", by.Reason))
		w, err := e.records.Write(rec.ID(), rec, store.IfVersion, version)
		if err != nil {
			return rec, err
		}
		note, err := e.auditWrite(by, record.Audit{Company: rec.Company, Action: action, Target: rec.ID(), Before: before, After: recordText(rec)})
		if err != nil {
			return rec, err
		}
		if _, err = e.store.Write(ctx, w, note); !errors.Is(err, store.ErrConflict) {
			return rec, err
		}
	}
	return found, fmt.Errorf("%s %s: %w", action, found.ID(), store.ErrConflict)
}

func orNothing(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// ReplayEvent handles a received event again, whatever became of it before, and returns it as it is then. ErrNothing when
// there is no such event.
func (e *Engine) ReplayEvent(ctx context.Context, by By, company, eventID string) ([]record.Inbox, error) {
	var out []record.Inbox
	for _, id := range e.CompanyIDs() {
		if company != "" && company != id {
			continue
		}
		in, version, err := e.inbox.Get(ctx, store.ID(id, eventID))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		after, err := e.replay(ctx, by, in, version)
		if err != nil {
			return out, err
		}
		out = append(out, after)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("event %s: %w", eventID, ErrNothing)
	}
	return out, nil
}

func (e *Engine) replay(ctx context.Context, by By, in record.Inbox, version store.Version) (record.Inbox, error) {
	before := in.State + orNothing(": ", in.Effect)
	key := store.ID(in.Company, in.EventID)
	in.State, in.Attempts, in.DueAt = record.InboxNew, 0, store.At(e.clock.Now())
	if _, err := e.inbox.Update(ctx, key, in, version); err != nil {
		return in, err
	}
	failed := e.HandleEvent(ctx, EventTask{in.Company, in.EventID})
	after, _, err := e.inbox.Get(ctx, key)
	if err != nil {
		return in, errors.Join(failed, err)
	}
	note := record.Audit{Company: in.Company, Action: "replay", Target: "event " + in.EventID, Before: before, After: after.State + orNothing(": ", after.Effect)}
	return after, errors.Join(failed, e.Audit(context.WithoutCancel(ctx), by, note))
}

// CompanyStatus is how a company is doing.
type CompanyStatus struct {
	Company  string                 `json:"company"`
	Name     string                 `json:"name,omitempty"`
	Enabled  bool                   `json:"enabled"`
	Mode     string                 `json:"mode"` // company.mode, or read_only when an operator said so
	Paused   map[string]record.Hold `json:"paused,omitempty"`
	ReadOnly *record.Hold           `json:"read_only,omitempty"`
	LastPoll *record.Run            `json:"last_poll,omitempty"`
	Counts   map[record.Status]int  `json:"counts"`
	Breakers []record.Breaker       `json:"breakers"`
	Unknowns []string               `json:"unknowns"` // records whose write has an unknown outcome
	Backfill *record.Backfill       `json:"backfill,omitempty"`
}

// Status reads how a company is doing. It calls no vendor.
func (e *Engine) Status(ctx context.Context, company string) (CompanyStatus, error) {
	c, err := e.Company(company)
	if err != nil {
		return CompanyStatus{}, err
	}
	s := CompanyStatus{
		Company: c.ID, Name: c.Name, Enabled: c.Settings.Enabled, Mode: string(c.Settings.Mode), Counts: map[record.Status]int{},
		Breakers: []record.Breaker{}, Unknowns: []string{},
	}
	ctl, _, err := e.readControl(ctx, c)
	if err != nil {
		return s, err
	}
	s.Paused, s.ReadOnly = ctl.Paused, ctl.ReadOnly
	if s.ReadOnly != nil {
		s.Mode = "read_only"
	}
	if s.LastPoll, err = optional(e.runs.Get(ctx, store.ID(c.ID, "poll"))); err != nil {
		return s, err
	}
	if s.Backfill, err = optional(e.backfills.Get(ctx, store.ID(c.ID, feedBackfill))); err != nil {
		return s, err
	}
	for _, vendor := range []string{vendorERP, vendorPortal} {
		b, err := optional(e.breakers.Get(ctx, store.ID(c.ID, "breaker", vendor)))
		if err != nil {
			return s, err
		}
		if b == nil {
			b = &record.Breaker{Company: c.ID, Vendor: vendor, State: record.BreakerClosed}
		}
		s.Breakers = append(s.Breakers, *b)
	}
	return s, e.count(ctx, &s)
}

func optional[T any](v T, _ store.Version, err error) (*T, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// count counts the records of each status.
func (e *Engine) count(ctx context.Context, s *CompanyStatus) error {
	q := store.Query{Equal: []store.Equal{{Field: "company", Value: s.Company}}, OrderBy: "updated_at", Desc: true, Limit: 1000}
	for {
		rows, err := e.records.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range rows {
			s.Counts[r.Value.Status]++
			if r.Value.Status == record.Unknown {
				s.Unknowns = append(s.Unknowns, r.ID)
			}
		}
		if len(rows) < q.Limit {
			slices.Sort(s.Unknowns)
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}
