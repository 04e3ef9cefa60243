package clock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// patience bounds how long a test waits for something that happens at once unless it is broken.
const patience = 30 * time.Second

func TestBothClocksTellUTCAndGoForward(t *testing.T) {
	for name, c := range map[string]clock.Clock{"system": clock.System{}, "movable": clock.NewMovable(time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC))} {
		t.Run(name, func(t *testing.T) {
			a := c.Now()
			b := c.Now()
			if a.Location() != time.UTC || b.Before(a) {
				t.Errorf("%s in %s, then %s", a, a.Location(), b)
			}
		})
	}
}

func TestSleepContract(t *testing.T) {
	for name, c := range map[string]clock.Clock{"system": clock.System{}, "movable": clock.NewMovable(time.Unix(0, 0))} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond} {
				before := c.Now()
				if err := c.Sleep(t.Context(), d); err != nil || c.Now().Sub(before) < d {
					t.Errorf("Sleep(%s) took %s, error %v", d, c.Now().Sub(before), err)
				}
			}
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			for _, d := range []time.Duration{-time.Hour, 0, time.Hour} {
				if err := c.Sleep(ended, d); !errors.Is(err, context.Canceled) {
					t.Errorf("Sleep(%s) in an ended context: %v", d, err)
				}
			}
			expiring, stop := context.WithTimeout(context.Background(), time.Millisecond)
			defer stop()
			if err := c.Sleep(expiring, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Sleep past the deadline: %v", err)
			}
		})
	}
}

func TestMovableStartsAndAdvances(t *testing.T) {
	start := time.Date(2026, 5, 31, 23, 0, 0, 0, time.FixedZone("", -5*3600))
	c := clock.NewMovable(start)
	if off := c.Now().Sub(start); off < 0 || off > patience {
		t.Errorf("starts %s away from its start", off)
	}
	before := c.Now()
	c.Advance(48 * time.Hour)
	if moved := c.Now().Sub(before); moved < 48*time.Hour || moved > 48*time.Hour+patience {
		t.Errorf("moved by %s", moved)
	}
	before = c.Now()
	c.Advance(-time.Hour)
	c.Advance(0)
	if c.Now().Before(before) {
		t.Error("time went backwards")
	}
}

func TestAdvanceWakesSleepersWhoseTimeHasCome(t *testing.T) {
	c := clock.NewMovable(time.Unix(0, 0))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	early, late := make(chan error, 1), make(chan error, 1)
	go func() { early <- c.Sleep(ctx, time.Hour) }()
	go func() { late <- c.Sleep(ctx, 1000*time.Hour) }()

	// A sleeper that has not begun yet sleeps from the advanced time on, so advance until it has had its hour.
	limit := time.After(patience)
	for done := false; !done; {
		c.Advance(time.Hour)
		select {
		case err := <-early:
			if err != nil {
				t.Fatalf("early sleeper: %v", err)
			}
			done = true
		case <-limit:
			t.Fatal("the early sleeper was not woken")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	select {
	case err := <-late:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("late sleeper: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the late sleeper did not end with its context")
	}
}

func TestSleepersAndAdvancesAtTheSameTime(t *testing.T) {
	c := clock.NewMovable(time.Unix(0, 0))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var sleepers sync.WaitGroup
	for i := range 50 {
		sleepers.Go(func() {
			if err := c.Sleep(ctx, time.Duration(i)*time.Minute); err != nil {
				t.Errorf("sleeper %d: %v", i, err)
			}
		})
	}
	stop := make(chan struct{})
	var mover sync.WaitGroup
	mover.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				c.Advance(time.Second)
			}
		}
	})
	sleepers.Wait()
	close(stop)
	mover.Wait()
}

// chosen is a clock that says what its jitter is.
type chosen struct{ clock.System }

func (chosen) Jitter(most time.Duration) time.Duration { return most - 1 }

func TestJitter(t *testing.T) {
	for range 1000 {
		if j := clock.Jitter(clock.System{}, 3); j < 0 || j > 2 {
			t.Fatalf("%d is not in [0, 3)", j)
		}
	}
	if clock.Jitter(clock.System{}, 0) != 0 || clock.Jitter(clock.System{}, -1) != 0 {
		t.Error("no pause has a jitter")
	}
	if clock.Jitter(chosen{}, 10) != 9 {
		t.Error("the clock was not asked")
	}
}
