package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// feedBackfill is the cursor of a backfill.
const feedBackfill = "backfill"

// Outcome is what a backfill would do with a document.
type Outcome string

// The outcomes. Only the first two are scheduled.
const (
	OutcomeNew       Outcome = "new"       // today's settings let it through, and it is not in the portal
	OutcomeUpdate    Outcome = "update"    // it is in the portal and changed since
	OutcomeUnchanged Outcome = "unchanged" // it is in the portal as it is
	OutcomeExcluded  Outcome = "excluded"  // today's settings do not let it through
	OutcomeOpen      Outcome = "open"      // on its way, or with a person, without a backfill
	OutcomeIgnored   Outcome = "ignored"   // a person decided to leave it
)

func outcomes() []Outcome {
	return []Outcome{OutcomeNew, OutcomeUpdate, OutcomeUnchanged, OutcomeExcluded, OutcomeOpen, OutcomeIgnored}
}

// BackfillRow counts the documents with one outcome for one reason. Totals are decimal texts by currency.
type BackfillRow struct {
	Outcome   Outcome           `json:"outcome"`
	Code      plan.Code         `json:"code,omitempty"`
	Text      string            `json:"text"`
	Documents int               `json:"documents"`
	Totals    map[string]string `json:"totals,omitempty"`
	Examples  []string          `json:"examples,omitempty"` // up to five numbers
}

// BackfillPlan is what would go over with today's settings, by what is known of the ERP; no vendor is asked.
type BackfillPlan struct {
	Company   string        `json:"company"`
	Since     string        `json:"since,omitempty"`
	FeedSince string        `json:"feed_since,omitempty"` // the posting date from which documents are known
	Restart   bool          `json:"restart"`              // Since is earlier: the feed would be read again from there
	Documents int           `json:"documents"`
	Schedule  []string      `json:"schedule"` // the numbers that a run schedules, in their order
	Rows      []BackfillRow `json:"rows"`
}

// PlanBackfill decides anew, with today's settings, about every document that is known. since limits it to those posted on
// or after that date.
func (e *Engine) PlanBackfill(ctx context.Context, company string, since billing.Date) (BackfillPlan, error) {
	out := BackfillPlan{Company: company, Since: string(since), Schedule: []string{}, Rows: []BackfillRow{}}
	c, err := e.Company(company)
	if err != nil {
		return out, err
	}
	if out.FeedSince, err = e.feedSince(ctx, c); err != nil {
		return out, err
	}
	out.Restart = since != "" && out.FeedSince != "" && string(since) < out.FeedSince
	sums := newSums()
	for after := ""; ; {
		page, last, err := e.backfillPage(ctx, c, since, after)
		if err != nil {
			return out, err
		}
		for _, d := range page {
			out.Documents++
			sums.add(d)
			if d.scheduled() {
				out.Schedule = append(out.Schedule, d.source.Number)
			}
		}
		if last == "" {
			out.Rows = sums.rows()
			return out, nil
		}
		after = last
	}
}

// feedSince is the posting date from which the feed of invoices was read; "" before the first poll.
func (e *Engine) feedSince(ctx context.Context, c *Company) (string, error) {
	cur, version, err := e.cursor(ctx, c.ID, feedInvoices)
	if err != nil || version == "" || cur.Since != "" {
		return cur.Since, err
	}
	return c.Settings.Qualify.StartDate, nil
}

// decided is a document with what a backfill would do with it.
type decided struct {
	source  billing.Invoice
	rec     store.Row[record.Record]
	known   bool // it has a record
	outcome Outcome
	reason  plan.Reason
}

func (d decided) scheduled() bool { return d.outcome == OutcomeNew || d.outcome == OutcomeUpdate }

// backfillPageSize is the number of documents between two checkpoints.
const backfillPageSize = store.MaxBatch / 2

// backfillPage decides about the known documents after a source id. last is where the next page begins, "" for none.
func (e *Engine) backfillPage(ctx context.Context, c *Company, since billing.Date, after string) (out []decided, last string, err error) {
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: c.ID}, {Field: "kind", Value: string(billing.KindInvoice)}},
		OrderBy: "source_id", Limit: backfillPageSize,
	}
	if after != "" {
		q.After = store.Position{Value: after, ID: record.ID(c.ID, billing.KindInvoice, after)}
	}
	rows, err := e.sources.Query(ctx, q)
	if err != nil || len(rows) == 0 {
		return nil, "", err
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	have, err := e.getRecords(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows {
		var d decided
		if err := r.Value.Decode(&d.source); err != nil {
			return nil, "", err
		}
		if since != "" && postedOn(d.source) < since {
			continue
		}
		d.rec, d.known = have[r.ID]
		d.decide(c)
		out = append(out, d)
	}
	if len(rows) == q.Limit {
		last = rows[len(rows)-1].Value.SourceID
	}
	return out, last, nil
}

func postedOn(src billing.Invoice) billing.Date {
	if src.PostedDate != "" {
		return src.PostedDate
	}
	return src.Date
}

// decide asks the plan as the sync would, as if the portal had nothing but what is remembered.
func (d *decided) decide(c *Company) {
	rec, set := d.rec.Value, c.Settings
	set.Documents.Attach, set.Documents.Required = false, false // whether the ERP has a file is not known without a call
	in := plan.InvoiceInput{Source: d.source, Settings: set, Known: known(rec), CustomerID: "any", Looked: true}
	if rec.PortalID != "" {
		in.Dest = &billing.PortalDocument{ID: rec.PortalID, Kind: rec.PortalKind, Currency: d.source.Currency, Total: d.source.Total.Abs(), Balance: d.source.Total.Abs()}
	}
	p := plan.Invoice(in)
	settled := d.known && (rec.Status == record.Skipped || rec.Status == record.Synced || rec.Status == record.Variance)
	d.outcome = OutcomeOpen
	switch {
	case rec.Status == record.Ignored:
		d.outcome = OutcomeIgnored
	case p.Verdict == plan.Skip:
		d.outcome = OutcomeExcluded
	case settled:
		d.outcome = outcomeOf(p.Verdict)
	}
	switch d.outcome {
	case OutcomeUpdate:
	case OutcomeExcluded, OutcomeUnchanged:
		d.reason = firstReason(p.Reasons)
	default: // for a new one: why it was left out until today
		d.reason = firstReason(rec.Reasons)
	}
}

func outcomeOf(v plan.Verdict) Outcome {
	switch v {
	case plan.None:
		return OutcomeUnchanged
	case plan.Create:
		return OutcomeNew
	case plan.Update:
		return OutcomeUpdate
	}
	return OutcomeOpen
}

func firstReason(reasons []plan.Reason) plan.Reason {
	if len(reasons) == 0 {
		return plan.Reason{}
	}
	return reasons[0]
}

// sums counts documents by outcome and reason.
type sums struct {
	byKey map[string]*BackfillRow
	money map[string]map[money.Currency]money.Money
}

func newSums() *sums {
	return &sums{byKey: map[string]*BackfillRow{}, money: map[string]map[money.Currency]money.Money{}}
}

func (s *sums) add(d decided) {
	key := string(d.outcome) + "/" + string(d.reason.Code)
	row := s.byKey[key]
	if row == nil {
		row = &BackfillRow{Outcome: d.outcome, Code: d.reason.Code, Text: words(d)}
		s.byKey[key], s.money[key] = row, map[money.Currency]money.Money{}
	}
	row.Documents++
	if len(row.Examples) < 5 {
		row.Examples = append(row.Examples, d.source.Number)
	}
	cur := d.source.Currency
	total, ok := s.money[key][cur]
	if !ok {
		total = money.Zero(cur)
	}
	s.money[key][cur] = total.Add(d.source.Total)
}

// words says a row in words: the reason of one document, as an example.
func words(d decided) string {
	reason := ""
	if d.reason.Code != "" {
		reason = d.reason.Text()
	}
	switch {
	case d.outcome == OutcomeNew && reason == "":
		return "would go over"
	case d.outcome == OutcomeNew:
		return "would go over now; left out until today: " + reason
	case d.outcome == OutcomeUpdate:
		return "changed in the ERP since it was sent"
	case reason == "":
		return string(d.outcome)
	}
	return reason
}

func (s *sums) rows() []BackfillRow {
	out := []BackfillRow{}
	for key, row := range s.byKey {
		row.Totals = map[string]string{}
		for cur, total := range s.money[key] {
			row.Totals[string(cur)] = total.Amount()
		}
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b BackfillRow) int {
		if d := slices.Index(outcomes(), a.Outcome) - slices.Index(outcomes(), b.Outcome); d != 0 {
			return d
		}
		return strings.Compare(string(a.Code), string(b.Code))
	})
	return out
}

// StartBackfill begins a backfill; BackfillStep does it, a page at a time. since earlier than the start of the invoice feed
// sets the feed back to it: the next polls read from there.
func (e *Engine) StartBackfill(ctx context.Context, by By, company string, since billing.Date) (record.Backfill, error) {
	c, err := e.Company(company)
	if err != nil {
		return record.Backfill{}, err
	}
	key := store.ID(c.ID, feedBackfill)
	old, version, err := e.backfills.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return old, err
	}
	if err == nil && old.State == record.BackfillRunning {
		return old, refuse("a backfill of %s is under way since %s: resume it", company, old.StartedAt.Text())
	}
	now := store.At(e.clock.Now())
	b := record.Backfill{Company: c.ID, State: record.BackfillRunning, Since: string(since), Actor: by.Actor, Reason: by.Reason, StartedAt: now, UpdatedAt: now}
	writes, err := e.restartFeed(ctx, c, since)
	if err != nil {
		return b, err
	}
	b.Restarted = len(writes) > 0
	cond := store.IfVersion
	if version == "" {
		cond = store.IfAbsent
	}
	w, err := e.backfills.Write(key, b, cond, version)
	if err != nil {
		return b, err
	}
	what := "documents that are known"
	if b.Restarted {
		what += "; the invoice feed starts again at " + b.Since
	}
	note, err := e.auditWrite(by, record.Audit{Company: c.ID, Action: "backfill", Target: record.FlowInvoices, Before: "feed", After: what})
	if err != nil {
		return b, err
	}
	_, err = e.store.Write(ctx, append(writes, w, note)...)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
		return b, refuse("something else of %s was just changed: try again", company)
	}
	return b, err
}

// restartFeed makes the write that sets the invoice feed back, where since is earlier than its start.
func (e *Engine) restartFeed(ctx context.Context, c *Company, since billing.Date) ([]store.Write, error) {
	start, err := e.feedSince(ctx, c)
	if err != nil || since == "" || start == "" || string(since) >= start {
		return nil, err
	}
	cur, version, err := e.cursor(ctx, c.ID, feedInvoices)
	if err != nil {
		return nil, err
	}
	cur.Value, cur.Backfill, cur.Since, cur.UpdatedAt = "", true, string(since), store.At(e.clock.Now())
	w, err := e.cursors.Write(store.ID(c.ID, feedInvoices), cur, store.IfVersion, version)
	return []store.Write{w}, err
}

// BackfillStep schedules what the next page of a running backfill has to schedule, and saves how far it came in the same
// batch. ErrNothing when none is under way.
func (e *Engine) BackfillStep(ctx context.Context, company string) (record.Backfill, error) {
	c, err := e.Company(company)
	if err != nil {
		return record.Backfill{}, err
	}
	key := store.ID(c.ID, feedBackfill)
	for range 5 {
		b, version, err := e.backfills.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) || err == nil && b.State != record.BackfillRunning {
			return b, fmt.Errorf("backfill of %s: none is under way: %w", company, ErrNothing)
		}
		if err != nil {
			return b, err
		}
		page, last, err := e.backfillPage(ctx, c, billing.Date(b.Since), b.After)
		if err != nil {
			return b, err
		}
		writes, due, err := e.backfillWrites(page)
		if err != nil {
			return b, err
		}
		b.Looked, b.Scheduled, b.UpdatedAt = b.Looked+int64(len(page)), b.Scheduled+int64(len(due)), store.At(e.clock.Now())
		if b.After = last; last == "" {
			b.State = record.BackfillDone
		}
		w, err := e.backfills.Write(key, b, store.IfVersion, version)
		if err != nil {
			return b, err
		}
		if _, err = e.store.Write(ctx, append(writes, w)...); err == nil {
			e.announce(ctx, due...)
			return b, nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return b, err
		}
	}
	return record.Backfill{}, fmt.Errorf("backfill of %s: %w", company, store.ErrConflict)
}

// backfillWrites schedules the records of a page that are to go over.
func (e *Engine) backfillWrites(page []decided) ([]store.Write, []*record.Record, error) {
	var writes []store.Write
	var due []*record.Record
	now := e.clock.Now()
	for _, d := range page {
		if !d.scheduled() {
			continue
		}
		rec := d.rec.Value
		rec.Set(record.Scheduled, nil)
		rec.DueAt, rec.UpdatedAt, rec.Attempts, rec.Backfill = store.At(now.Add(e.opt.Grace)), store.At(now), 0, rec.PortalID == ""
		rec.Note(now, "backfill", "scheduled again")
		w, err := e.records.Write(rec.ID(), rec, store.IfVersion, d.rec.Version)
		if err != nil {
			return nil, nil, err
		}
		writes, due = append(writes, w), append(due, &rec)
	}
	return writes, due, nil
}
