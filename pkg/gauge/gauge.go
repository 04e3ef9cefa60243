// Package gauge measures how a company is doing from what the store says, for dashboards and alerts: how long ago each flow
// last succeeded, what is due and for how long, unknown outcomes, open issues, differences, and events that no webhook
// brought. One measurement is a handful of reads, all by declared query shapes.
package gauge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/store"
)

const (
	// maxUntold bounds the events that are counted as found by the gap fill alone.
	maxUntold = 200
	// maxOpen bounds the unknown outcomes, issues and due records that are counted.
	maxOpen = meter.QueueLimit
	day     = 24 * time.Hour
)

// Options of New. Store, Clock and Meter are needed.
type Options struct {
	Store store.Store
	Clock clock.Clock
	Meter meter.Meter
	// Jobs are those due by the calendar; each that is due at some time for a company has a freshness.
	Jobs []schedule.Job
	// Grace is how far the sweep moves what it publishes again (engine.Options.Grace): 2 min.
	Grace time.Duration
}

// Gauges measures. It is safe for concurrent use.
type Gauges struct {
	opt   Options
	begun time.Time
}

// New makes a Gauges. What never succeeded is as old as the Gauges.
func New(opt Options) *Gauges {
	opt.Grace = cmp.Or(opt.Grace, 2*time.Minute)
	return &Gauges{opt: opt, begun: opt.Clock.Now()}
}

// Refresh measures a company and tells the meter. The freshness of the polls and of the webhooks of a paused company is not
// told: nothing is expected of it. What can not be read is left out and reported.
func (g *Gauges) Refresh(ctx context.Context, company string, paused bool) error {
	now := g.opt.Clock.Now()
	var errs []error
	if !paused {
		errs = append(errs, g.feeds(ctx, company, now), g.webhooks(ctx, company, now))
	}
	errs = append(errs, g.jobs(ctx, company, now), g.queue(ctx, company, now), g.unknown(ctx, company, now), g.issues(ctx, company),
		g.reconciliation(ctx, company))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("measuring %s: %w", company, err)
	}
	return nil
}

// ago is the whole seconds from a time until now, not below 0; what never happened is as old as the process's watch.
func (g *Gauges) ago(now time.Time, at store.Time) int64 {
	if at.IsZero() {
		return max(0, int64(now.Sub(g.begun)/time.Second))
	}
	return max(0, int64(now.Sub(at.Time)/time.Second))
}

// feeds are the flows whose cursor is stored whenever they were read to the end: a poll that was not made, because the
// vendor does not answer, ends without an error, but its cursor stays as it is.
func (g *Gauges) feeds(ctx context.Context, company string, now time.Time) error {
	invoices, events := store.ID(company, "invoices"), store.ID(company, "events")
	rows, err := store.Table[record.Cursor]{Store: g.opt.Store, Collection: store.Cursors}.GetAll(ctx, []string{invoices, events})
	if err != nil {
		return err
	}
	at := map[string]store.Time{}
	for _, r := range rows {
		at[r.ID] = r.Value.UpdatedAt
	}
	g.opt.Meter.Freshness(company, meter.FlowPoll, g.ago(now, at[invoices]))
	g.opt.Meter.Freshness(company, meter.FlowGapFill, g.ago(now, at[events]))
	return nil
}

// jobs are the flows that are due by the calendar. One that never is for the company, such as a digest that nobody gets, has
// no freshness.
func (g *Gauges) jobs(ctx context.Context, company string, now time.Time) error {
	if len(g.opt.Jobs) == 0 {
		return nil
	}
	ids := make([]string, len(g.opt.Jobs))
	for i, j := range g.opt.Jobs {
		ids[i] = store.ID(company, j.Name)
	}
	rows, err := store.Table[record.Run]{Store: g.opt.Store, Collection: store.Runs}.GetAll(ctx, ids)
	if err != nil {
		return err
	}
	at := map[string]store.Time{}
	for _, r := range rows {
		if run := r.Value; run.SucceededAt.IsZero() && run.Error == "" {
			at[r.ID] = run.EndedAt // a run of before that was kept
		} else {
			at[r.ID] = run.SucceededAt
		}
	}
	for i, j := range g.opt.Jobs {
		if !j.Next(company, now).IsZero() {
			g.opt.Meter.Freshness(company, j.Name, g.ago(now, at[ids[i]]))
		}
	}
	return nil
}

// webhooks tells when the last webhook came, and, if none came for a day, how many events of that day the gap fill found.
func (g *Gauges) webhooks(ctx context.Context, company string, now time.Time) error {
	last, err := g.inbox(ctx, company, "webhook", time.Time{}, 1)
	if err != nil {
		return err
	}
	var at store.Time
	if len(last) > 0 {
		at = last[0].Value.ReceivedAt
	}
	var found []store.Row[received]
	if now.Sub(at.Time) >= day {
		if found, err = g.inbox(ctx, company, "gap_fill", now.Add(-day), maxUntold); err != nil {
			return err
		}
	}
	g.opt.Meter.Freshness(company, meter.FlowWebhook, g.ago(now, at))
	g.opt.Meter.Untold(company, int64(len(found)))
	return nil
}

// received is what counts of an inbox entry.
type received struct {
	ReceivedAt store.Time `json:"received_at"`
}

// inbox lists the newest events that came in a way, down to a time.
func (g *Gauges) inbox(ctx context.Context, company, via string, from time.Time, limit int) ([]store.Row[received], error) {
	return store.Table[received]{Store: g.opt.Store, Collection: store.Inbox}.Query(ctx, store.Query{
		Equal:   []store.Equal{{Field: "company", Value: company}, {Field: "via", Value: via}},
		OrderBy: "received_at", Desc: true, From: store.At(from).Text(), Limit: limit,
	})
}

// due is what counts of a record that is due.
type due struct {
	DueAt        store.Time `json:"due_at,omitzero"`
	OverdueSince store.Time `json:"overdue_since,omitzero"`
}

// queue counts what is due, including what the sweep has just published again.
func (g *Gauges) queue(ctx context.Context, company string, now time.Time) error {
	rows, err := store.Table[due]{Store: g.opt.Store, Collection: store.Records}.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "due_at", UpTo: store.At(now.Add(g.opt.Grace)).Text(), Limit: maxOpen,
	})
	if err != nil {
		return err
	}
	length, age := int64(0), int64(0)
	for _, r := range rows {
		since := r.Value.OverdueSince
		if since.IsZero() {
			since = r.Value.DueAt
		}
		if since.After(now) {
			continue // not due yet
		}
		length, age = length+1, max(age, g.ago(now, since))
	}
	g.opt.Meter.Queue(company, length, age)
	return nil
}

// open is what counts of a journal entry.
type open struct {
	Company   string     `json:"company"`
	StartedAt store.Time `json:"started_at,omitzero"`
}

// unknown counts the writes whose answer was lost, and those whose process died before it could say so.
func (g *Gauges) unknown(ctx context.Context, company string, now time.Time) error {
	count, age := int64(0), int64(0)
	for _, q := range []struct {
		state journal.State
		upTo  string
	}{{journal.Unknown, ""}, {journal.Started, store.At(now).Text()}} {
		rows, err := store.Table[open]{Store: g.opt.Store, Collection: store.Journal}.Query(ctx, store.Query{
			Equal: []store.Equal{{Field: "state", Value: string(q.state)}}, OrderBy: "check_at", UpTo: q.upTo, Limit: maxOpen,
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.Company == company {
				count, age = count+1, max(age, g.ago(now, r.Value.StartedAt))
			}
		}
	}
	g.opt.Meter.Unknown(company, count, age)
	return nil
}

// severe is what counts of an issue.
type severe struct {
	Severity issue.Severity `json:"severity"`
}

// issues counts the open issues of each severity, those without any as well: a gauge goes back to 0 only when it is told.
func (g *Gauges) issues(ctx context.Context, company string) error {
	rows, err := store.Table[severe]{Store: g.opt.Store, Collection: store.Issues}.Query(ctx, store.Query{
		Equal:   []store.Equal{{Field: "company", Value: company}, {Field: "state", Value: string(issue.Open)}},
		OrderBy: "updated_at", Desc: true, Limit: maxOpen,
	})
	if err != nil {
		return err
	}
	count := map[issue.Severity]int64{}
	for _, r := range rows {
		count[r.Value.Severity]++
	}
	for _, s := range []issue.Severity{issue.High, issue.Normal, issue.Low} {
		g.opt.Meter.Issues(company, string(s), count[s])
	}
	return nil
}

// reconciliation tells the unexplained differences of the last reconciliation, once there was one.
func (g *Gauges) reconciliation(ctx context.Context, company string) error {
	last, ok, err := issue.LastReconciliation(ctx, g.opt.Store, company)
	if err == nil && ok {
		g.opt.Meter.Unexplained(company, int64(last.Unexplained))
	}
	return err
}
