package issue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// rescan is how long the records are taken as they were read while none of them changed: time alone makes issues of what
// waits too long.
const rescan = time.Hour

// Tracker keeps the issues of companies. It is safe for concurrent use; several processes may refresh one company.
type Tracker struct {
	store store.Store
	clock clock.Clock
	log   *slog.Logger

	records store.Table[record.Record]
	issues  store.Table[Issue]

	mu      sync.Mutex
	scanned map[string]scan // by company
}

// scan says which state of a company's records was looked at, and when.
type scan struct {
	newest string // id and version of the record that changed last
	at     time.Time
}

// New makes a tracker.
func New(s store.Store, c clock.Clock, log *slog.Logger) *Tracker {
	return &Tracker{
		store: s, clock: c, log: log, scanned: map[string]scan{},
		records: store.Table[record.Record]{Store: s, Collection: store.Records}, issues: table(s),
	}
}

// Refresh compares the issues of a company with what its records, its polls, its vendors, its events and its last
// reconciliation say now, and writes what changed. An issue whose cause is gone is resolved.
func (t *Tracker) Refresh(ctx context.Context, company string) error {
	found := &findings{company: company, now: t.clock.Now(), by: map[string]*finding{}}
	looked, err := t.lookRecords(ctx, found)
	if err == nil {
		err = t.lookCompany(ctx, found)
	}
	if err == nil {
		err = t.write(ctx, found, looked)
	}
	if err != nil {
		t.forget(company)
		return fmt.Errorf("refreshing the issues of %s: %w", company, err)
	}
	return nil
}

// forget makes the next refresh look at the records again.
func (t *Tracker) forget(company string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.scanned, company)
}

// findings are the causes that are there now.
type findings struct {
	company string
	now     time.Time
	by      map[string]*finding
}

// finding gathers one cause.
type finding struct {
	Issue
	sums   map[money.Currency]money.Money
	mixed  bool // the records say different things
	oldest time.Time
}

// cause is the finding of a cause, made by fill if it is new.
func (f *findings) cause(name string, since time.Time, detail string, words remedy) *finding {
	c := f.by[name]
	if c == nil {
		c = &finding{sums: map[money.Currency]money.Money{}, oldest: since, Issue: Issue{
			Company: f.company, Cause: name, Title: words.title, Fix: words.fix, Severity: words.severity, Detail: detail, State: Open,
		}}
		f.by[name] = c
	}
	if c.mixed = c.mixed || c.Detail != detail; c.mixed {
		c.Detail = ""
	}
	if since.Before(c.oldest) {
		c.oldest = since
	}
	return c
}

// concern adds something that the cause concerns.
func (c *finding) concern(id string) {
	c.Count++
	c.Records = append(c.Records, id)
}

// issue is the finding as it is stored.
func (c *finding) issue() Issue {
	i := c.Issue
	slices.Sort(i.Records)
	i.Records = slices.Clone(i.Records[:min(len(i.Records), MaxRecords)])
	for cur, m := range c.sums {
		if i.Money == nil {
			i.Money = map[string]string{}
		}
		i.Money[string(cur)] = m.Amount()
	}
	return i
}

// write stores the difference. Without a look at the records only the causes of the whole company are compared.
func (t *Tracker) write(ctx context.Context, found *findings, looked bool) error {
	rows, err := query(ctx, t.store, found.company, Open)
	if err != nil {
		return err
	}
	have := map[string]store.Row[Issue]{}
	for _, r := range rows {
		if looked || slices.Contains(companyCauses(), r.Value.Cause) {
			have[r.Value.Cause] = r
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(found.by)) {
		was, open := have[name]
		delete(have, name)
		errs = append(errs, t.open(ctx, found, found.by[name], was, open))
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		errs = append(errs, t.resolve(ctx, found.now, have[name]))
	}
	return errors.Join(errs...)
}

// open stores a cause that is there, if that is new.
func (t *Tracker) open(ctx context.Context, found *findings, c *finding, was store.Row[Issue], open bool) error {
	now, next := store.At(found.now), c.issue()
	next.FirstSeen, next.LastSeen, next.UpdatedAt = store.At(c.oldest), now, now
	if open {
		if next.FirstSeen = was.Value.FirstSeen; next.same(was.Value) {
			return nil
		}
		_, err := t.issues.Update(ctx, was.ID, next, was.Version)
		return t.settled(found.company, err)
	}
	t.log.WarnContext(ctx, "issue", "company", next.Company, "cause", next.Cause, "severity", next.Severity, "count", next.Count)
	_, version, err := t.issues.Get(ctx, next.ID())
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = t.issues.Create(ctx, next.ID(), next)
	case err == nil:
		_, err = t.issues.Update(ctx, next.ID(), next, version)
	}
	return t.settled(found.company, err)
}

// resolve closes an issue whose cause is gone. What it was about is kept.
func (t *Tracker) resolve(ctx context.Context, now time.Time, was store.Row[Issue]) error {
	next := was.Value
	next.State, next.LastSeen, next.ResolvedAt, next.UpdatedAt = Resolved, store.At(now), store.At(now), store.At(now)
	t.log.InfoContext(ctx, "issue resolved", "company", next.Company, "cause", next.Cause)
	_, err := t.issues.Update(ctx, was.ID, next, was.Version)
	return t.settled(next.Company, err)
}

// settled drops the error of a write that another process came before: the next refresh compares again.
func (t *Tracker) settled(company string, err error) error {
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
		t.forget(company)
		return nil
	}
	return err
}
