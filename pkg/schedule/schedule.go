// Package schedule runs the jobs of a company that are due by the calendar, such as the nightly reconciliation: each once
// per due time, however many ticks and processes there are, and late rather than never.
//
// Nothing here waits: every tick asks what is due. What ran is kept in the store, so that a night that was missed because
// nothing ran is made up for at the next tick, once.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// Job is something that is done for a company now and then.
type Job struct {
	// Name is the job's place in the collection of runs: company/name.
	Name string
	// Next is the first time after t at which the job is due for the company; the zero time is never.
	Next func(company string, t time.Time) time.Time
	// Run does it. After an error it is tried again at growing distance, until it succeeds or is due anew.
	Run func(ctx context.Context, company string) error
}

// ErrUnknown is the name of no job.
var ErrUnknown = errors.New("no such job")

// Lease is how long a job may take before another process takes it for dead.
const Lease = 30 * time.Minute

// The pauses after a job that did not succeed: doubled from the first to the last.
const (
	firstPause = 5 * time.Minute
	lastPause  = 2 * time.Hour
)

// Runner runs jobs. It is safe for concurrent use, also by several processes.
type Runner struct {
	runs  store.Table[record.Run]
	clock clock.Clock
	jobs  []Job
}

// New makes a runner of jobs, in the order of their runs.
func New(s store.Store, c clock.Clock, jobs ...Job) *Runner {
	return &Runner{runs: store.Table[record.Run]{Store: s, Collection: store.Runs}, clock: c, jobs: jobs}
}

// Due names the jobs that are to be run for the company now, in their order. A job that is seen for the first time begins to
// be watched: its first due time is the next one, not one before the company was there.
func (r *Runner) Due(ctx context.Context, company string) ([]string, error) {
	now := r.clock.Now()
	ids := make([]string, len(r.jobs))
	for i, job := range r.jobs {
		ids[i] = store.ID(company, job.Name)
	}
	rows, err := r.runs.GetAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]record.Run, len(rows))
	for _, row := range rows {
		seen[row.ID] = row.Value
	}
	var out []string
	for i, job := range r.jobs {
		run, known := seen[ids[i]]
		if known {
			if due(job, company, run, now) {
				out = append(out, job.Name)
			}
			continue
		}
		first := record.Run{Company: company, Flow: job.Name, StartedAt: store.At(now), EndedAt: store.At(now), SucceededAt: store.At(now)}
		if _, err := r.runs.Create(ctx, ids[i], first); err != nil && !errors.Is(err, store.ErrExists) {
			return nil, err
		}
	}
	return out, nil
}

// Run runs a job for the company if it is still due. Its error is returned, and kept in its run for the next attempt.
func (r *Runner) Run(ctx context.Context, company, name string) error {
	i := slices.IndexFunc(r.jobs, func(j Job) bool { return j.Name == name })
	if i < 0 {
		return fmt.Errorf("job %q: %w", name, ErrUnknown)
	}
	job, id, now := r.jobs[i], store.ID(company, name), r.clock.Now()
	run, version, err := r.runs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // not watched yet: Due begins it
	}
	if err != nil || !due(job, company, run, now) {
		return err
	}
	if run.Attempts++; run.Error == "" && !run.EndedAt.IsZero() {
		run.Attempts = 1
	}
	run.StartedAt, run.EndedAt, run.Error = store.At(now), store.Time{}, ""
	if version, err = r.runs.Update(ctx, id, run, version); err != nil {
		return unlessTaken(err)
	}
	failed := job.Run(ctx, company)
	run.EndedAt = store.At(r.clock.Now())
	if failed != nil {
		run.Error = failed.Error()
	} else {
		run.SucceededAt = run.EndedAt
	}
	_, err = r.runs.Update(context.WithoutCancel(ctx), id, run, version)
	if err = errors.Join(failed, unlessTaken(err)); err != nil {
		return fmt.Errorf("%s of %s: %w", name, company, err)
	}
	return nil
}

// unlessTaken drops the error of a run that another process has taken over: then that one tells.
func unlessTaken(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// due reports whether the job is to be run: its time came since it last began, or it did not succeed then, or whoever ran
// it died.
func due(job Job, company string, run record.Run, now time.Time) bool {
	if run.EndedAt.IsZero() {
		return now.Sub(run.StartedAt.Time) >= Lease
	}
	next := job.Next(company, run.StartedAt.Time)
	if !next.IsZero() && !next.After(now) {
		return true
	}
	return run.Error != "" && now.Sub(run.EndedAt.Time) >= pause(run.Attempts)
}

// pause is the distance of the next attempt after so many without success.
func pause(attempts int) time.Duration {
	p := firstPause
	for ; attempts > 1 && p < lastPause; attempts-- {
		p *= 2
	}
	return min(p, lastPause)
}
