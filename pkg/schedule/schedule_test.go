package schedule_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

var noon = time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)

// nightly is due at three o'clock.
func nightly(_ string, t time.Time) time.Time {
	at := time.Date(t.Year(), t.Month(), t.Day(), 3, 0, 0, 0, time.UTC)
	if !at.After(t) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// rig is a store, a clock that only moves when told, and a job that notes its runs.
type rig struct {
	t     *testing.T
	db    store.Store
	clock *fixed
	ran   []string
	fail  error
	job   schedule.Job
}

// fixed is a clock that stands still.
type fixed struct {
	mu sync.Mutex
	at time.Time
	clock.System
}

func (c *fixed) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fixed) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newRig(t *testing.T) *rig {
	db, err := sqlite.Open(t.TempDir()+"/state.db", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &rig{t: t, db: db, clock: &fixed{at: noon}}
	r.job = schedule.Job{Name: "reconcile", Next: nightly, Run: func(_ context.Context, company string) error {
		r.ran = append(r.ran, company+" "+r.clock.Now().Format("02 15:04"))
		return r.fail
	}}
	return r
}

func (r *rig) runner() *schedule.Runner { return schedule.New(r.db, r.clock, r.job) }

// tick is what a tick does: it runs what is due, and says what was.
func (r *rig) tick(company string) []string {
	r.t.Helper()
	runner := r.runner() // every tick may come to another process
	names, err := runner.Due(r.t.Context(), company)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range names {
		if err := runner.Run(r.t.Context(), company, name); !errors.Is(err, r.fail) {
			r.t.Fatal(err)
		}
	}
	return names
}

func (r *rig) want(runs ...string) {
	r.t.Helper()
	if !slices.Equal(r.ran, runs) {
		r.t.Errorf("ran %q, want %q", r.ran, runs)
	}
}

func TestOncePerDueTime(t *testing.T) {
	r := newRig(t)
	r.tick("us") // begins to be watched at noon: tonight is the first time
	for range 3 * 24 * 12 {
		r.clock.move(5 * time.Minute)
		r.tick("us")
	}
	r.want("us 05 03:00", "us 06 03:00", "us 07 03:00")
}

func TestMissedNightIsMadeUpForOnce(t *testing.T) {
	r := newRig(t)
	r.tick("us")
	r.clock.move(5 * 24 * time.Hour) // nothing ran for five nights
	r.tick("us")
	r.tick("us")
	r.want("us 09 12:00")
}

func TestCompaniesDoNotShareRuns(t *testing.T) {
	r := newRig(t)
	r.tick("us")
	r.clock.move(24 * time.Hour)
	r.tick("us")
	r.tick("ca") // came later
	r.clock.move(24 * time.Hour)
	r.tick("ca")
	r.want("us 05 12:00", "ca 06 12:00")
}

func TestFailedJobIsTriedAgainAtGrowingDistance(t *testing.T) {
	r := newRig(t)
	r.fail = errors.New("the portal does not answer")
	r.tick("us")
	r.clock.move(15*time.Hour + time.Minute)
	for range 60 {
		r.tick("us")
		r.clock.move(time.Minute)
	}
	r.want("us 05 03:01", "us 05 03:06", "us 05 03:16", "us 05 03:36")
	run := r.stored("us")
	if run.Error != r.fail.Error() || run.Attempts != 4 {
		t.Errorf("stored %+v", run)
	}
	r.fail = nil
	r.clock.move(time.Hour)
	r.tick("us")
	if run = r.stored("us"); run.Error != "" || run.Attempts != 5 || len(r.ran) != 5 {
		t.Errorf("after success %+v, %q", run, r.ran)
	}
	if got := r.tick("us"); got != nil {
		t.Errorf("due after success: %q", got)
	}
	r.clock.move(24 * time.Hour)
	if r.tick("us"); r.stored("us").Attempts != 1 {
		t.Errorf("attempts are counted on after success: %+v", r.stored("us"))
	}
}

func (r *rig) stored(company string) record.Run {
	r.t.Helper()
	run, _, err := (store.Table[record.Run]{Store: r.db, Collection: store.Runs}).Get(r.t.Context(), store.ID(company, "reconcile"))
	if err != nil {
		r.t.Fatal(err)
	}
	return run
}

// TestOneOfManyRuns: the message that asks for a job may come any number of times, to any process, at the same moment.
func TestOneOfManyRuns(t *testing.T) {
	r := newRig(t)
	r.tick("us")
	r.clock.move(24 * time.Hour)
	var mu sync.Mutex
	var wg sync.WaitGroup
	inner := r.job.Run
	r.job.Run = func(ctx context.Context, company string) error {
		mu.Lock()
		defer mu.Unlock()
		return inner(ctx, company)
	}
	for range 8 {
		wg.Go(func() {
			if err := r.runner().Run(t.Context(), "us", "reconcile"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.want("us 05 12:00")
}

// TestDeadProcess: a job whose process died is run again after its lease, not before.
func TestDeadProcess(t *testing.T) {
	r := newRig(t)
	r.tick("us")
	r.clock.move(24 * time.Hour)
	inner := r.job.Run
	ctx, die := context.WithCancel(t.Context())
	r.job.Run = func(context.Context, string) error {
		die()
		panic("the process ends here")
	}
	func() {
		defer func() { _ = recover() }()
		_ = r.runner().Run(ctx, "us", "reconcile")
	}()
	r.job.Run = inner
	r.clock.move(schedule.Lease - time.Minute)
	if got := r.tick("us"); got != nil {
		t.Errorf("due while the lease of the dead one holds: %q", got)
	}
	r.clock.move(time.Minute)
	r.tick("us")
	r.want("us 05 12:30")
}

func TestUnknownJob(t *testing.T) {
	if err := newRig(t).runner().Run(t.Context(), "us", "dust"); !errors.Is(err, schedule.ErrUnknown) || !strings.Contains(err.Error(), "dust") {
		t.Error(err)
	}
}

// TestNeverDue: a schedule that never fires runs nothing, and what was never asked for is not begun by a message.
func TestNeverDue(t *testing.T) {
	r := newRig(t)
	if err := r.runner().Run(t.Context(), "us", "reconcile"); err != nil {
		t.Fatal(err)
	}
	r.job.Next = func(string, time.Time) time.Time { return time.Time{} }
	r.tick("us")
	r.clock.move(1000 * time.Hour)
	r.tick("us")
	r.want()
}
