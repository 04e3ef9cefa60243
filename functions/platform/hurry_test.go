package platform

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// still is a clock on which no time passes; it tells who falls asleep.
type still struct{ asleep chan time.Duration }

func (s still) Now() time.Time { return time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC) }

// Sleep implements clock.Clock.
func (s still) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	s.asleep <- d
	<-ctx.Done()
	return ctx.Err()
}

// Jitter is always the same.
func (s still) Jitter(time.Duration) time.Duration { return 42 }

// TestHurryEndsPauses: those that are under way, and those to come, until it is over; and a pause that its own context ends
// says so.
func TestHurryEndsPauses(t *testing.T) {
	inner := still{asleep: make(chan time.Duration, 1)}
	p := &Platform{Clock: newHurried(inner)}
	slept := make(chan error, 1)
	sleep := func(ctx context.Context) { slept <- p.Clock.Sleep(ctx, time.Hour) }

	go sleep(t.Context())
	<-inner.asleep
	p.Hurry(true)
	if err := <-slept; !errors.Is(err, ErrEnding) {
		t.Errorf("a pause under way: %v", err)
	}
	sleep(t.Context())
	<-inner.asleep
	if err := <-slept; !errors.Is(err, ErrEnding) {
		t.Errorf("a new pause: %v", err)
	}
	if err := p.Clock.Sleep(t.Context(), 0); err != nil {
		t.Errorf("no pause at all: %v", err)
	}
	p.Hurry(false)
	ctx, cancel := context.WithCancel(t.Context())
	go sleep(ctx)
	<-inner.asleep
	cancel()
	if err := <-slept; !errors.Is(err, context.Canceled) {
		t.Errorf("a pause whose context ended: %v", err)
	}
	if n := len(p.Clock.(*hurried).sleepers); n != 0 {
		t.Errorf("%d sleepers are remembered", n)
	}
	if got := clock.Jitter(p.Clock, time.Hour); got != 42 {
		t.Errorf("the clock's own jitter is hidden: %s", got)
	}
	(&Platform{Clock: clock.System{}}).Hurry(true) // a trial has a plain clock
}
