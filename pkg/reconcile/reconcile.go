package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// nightlyDays is the time before today that a run compares where none is given.
const nightlyDays = 120

// Company is one company with its settings and its two systems. The ERP has to be a connector.Ledger as well.
type Company struct {
	ID       string
	Settings settings.Company
	ERP      connector.ERP
	Portal   connector.Portal
}

// ErrUnknownCompany is a reference to a company that the Reconciler was not given.
var ErrUnknownCompany = errors.New("no such company is configured")

// Reconciler compares the two sides of companies. It is safe for concurrent use; a run holds the rows of one company in
// memory.
type Reconciler struct {
	store     store.Store
	clock     clock.Clock
	log       *slog.Logger
	companies map[string]Company
	ids       []string
}

// New makes a Reconciler. The store is read, and written to by Nightly alone.
func New(s store.Store, c clock.Clock, log *slog.Logger, companies []Company) *Reconciler {
	r := &Reconciler{store: s, clock: c, log: log, companies: map[string]Company{}}
	for _, co := range companies {
		r.companies[co.ID] = co
		r.ids = append(r.ids, co.ID)
	}
	return r
}

// Run compares a company from a date to another, both included. Without from it is the last 120 days and everything that is
// open from before; without to it is until now, which is tomorrow in a zone east of the company's. Nothing is written anywhere. An error means
// that one of the sides could not be read.
func (r *Reconciler) Run(ctx context.Context, company string, from, to billing.Date) (Report, error) {
	c, ok := r.companies[company]
	if !ok {
		return Report{}, fmt.Errorf("company %q: %w", company, ErrUnknownCompany)
	}
	ledger, ok := connector.As[connector.Ledger](c.ERP)
	if !ok {
		return Report{}, connector.NewError(connector.ClassUnsupported, "comparing "+company, "this ERP can not list what it has booked")
	}
	now := r.clock.Now()
	in := Input{Company: company, Settings: c.Settings, At: now, From: from, To: to, Later: ledger.AppliesLater()}
	today := billing.DateOf(now, c.Settings.TimeZone)
	if in.To == "" {
		in.To = today.AddDays(1)
	}
	if in.From == "" {
		in.From, in.Open = min(today, in.To).AddDays(-nightlyDays), true
	}
	if in.From > in.To {
		return Report{}, fmt.Errorf("comparing %s: from %s is after to %s", company, in.From, in.To)
	}
	rd := &reader{company: c, ledger: ledger, records: store.Table[record.Record]{Store: r.store, Collection: store.Records}, kept: newCopies()}
	if err := r.lastPoll(ctx, c, &in); err != nil {
		return Report{}, err
	}
	if err := rd.read(ctx, &in); err != nil {
		return Report{}, err
	}
	return r.twice(ctx, rd, &in)
}

// twice compares, and where something is unexplained reads that once more and compares again.
func (r *Reconciler) twice(ctx context.Context, rd *reader, in *Input) (Report, error) {
	report := Compare(*in)
	var others []string
	for _, id := range r.ids {
		if id != in.Company {
			others = append(others, id)
		}
	}
	more, err := rd.again(ctx, in, report, others)
	if err != nil || !more {
		return report, err
	}
	return Compare(*in), nil
}

// lastPoll reads when the ERP was last polled.
func (r *Reconciler) lastPoll(ctx context.Context, c Company, in *Input) error {
	runs := store.Table[record.Run]{Store: r.store, Collection: store.Runs}
	run, _, err := runs.Get(ctx, store.ID(c.ID, "poll"))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("comparing %s: %w", c.ID, err)
	}
	in.Polled = run.StartedAt.Time
	return nil
}

// Nightly compares the last 120 days and everything open of a company, stores the summary and logs one line. A company
// that is paused, by its settings or by an operator, is skipped.
func (r *Reconciler) Nightly(ctx context.Context, company string) error {
	c, ok := r.companies[company]
	if !ok {
		return fmt.Errorf("company %q: %w", company, ErrUnknownCompany)
	}
	if paused, err := r.paused(ctx, c); err != nil || paused {
		return err
	}
	began := r.clock.Now()
	report, err := r.Run(ctx, company, "", "")
	if err != nil {
		return err
	}
	if err := r.keep(ctx, report, began); err != nil {
		return fmt.Errorf("storing the reconciliation of %s: %w", company, err)
	}
	level := slog.LevelInfo
	if report.State() == Unexplained {
		level = slog.LevelWarn
	}
	r.log.Log(ctx, level, "reconciled", "company", company, "state", report.State(), "from", report.From, "to", report.To,
		"differences", len(report.Differences), "unexplained", report.Unexplained(), "at_stake", texts(report.Stake()),
		"seconds", int(r.clock.Now().Sub(began)/time.Second))
	return nil
}

func (r *Reconciler) paused(ctx context.Context, c Company) (bool, error) {
	if !c.Settings.Enabled || c.Settings.Mode == settings.ModePaused {
		return true, nil
	}
	controls := store.Table[record.Control]{Store: r.store, Collection: store.Controls}
	control, _, err := controls.Get(ctx, store.ID(c.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("reconciling %s: %w", c.ID, err)
	}
	_, all := control.Paused[record.FlowAll]
	return all, nil
}
