// Package clock is the one source of time. Everything that needs "now" or a pause is given a Clock, so that tests, the
// demo and serve --test-clock can move time instead of waiting for it. Pure packages get the time as a value.
package clock

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Clock tells the time and waits. Now is always in UTC.
type Clock interface {
	// Now is the current instant in UTC.
	Now() time.Time
	// Sleep waits until d has passed on this clock or ctx ends, whose error it then returns.
	Sleep(ctx context.Context, d time.Duration) error
}

// Jitter is a random part of a pause, from 0 up to but not including most, so that what failed together does not come again
// together. A clock that has a method of this name chooses it: a simulation has to be repeatable.
func Jitter(c Clock, most time.Duration) time.Duration {
	if own, ok := c.(interface {
		Jitter(most time.Duration) time.Duration
	}); ok {
		return own.Jitter(most)
	}
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now().UTC() }

// Sleep implements Clock.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Movable runs at the speed of the machine's clock from a chosen start and can be advanced. Advance wakes every sleeper
// whose time has come. It is safe for concurrent use; make one with NewMovable.
type Movable struct {
	mu     sync.Mutex
	offset time.Duration
	moved  chan struct{}
}

// NewMovable starts a movable clock at start.
func NewMovable(start time.Time) *Movable {
	return &Movable{offset: time.Until(start), moved: make(chan struct{})}
}

// Now implements Clock.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().UTC().Add(m.offset)
}

// Advance moves the clock forward by d; a negative d is ignored, because time never runs backwards here.
func (m *Movable) Advance(d time.Duration) {
	if d <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset += d
	close(m.moved)
	m.moved = make(chan struct{})
}

// Sleep implements Clock.
func (m *Movable) Sleep(ctx context.Context, d time.Duration) error {
	until := m.Now().Add(d)
	for {
		m.mu.Lock()
		moved := m.moved
		m.mu.Unlock()
		left := until.Sub(m.Now())
		if left <= 0 {
			return ctx.Err()
		}
		t := time.NewTimer(left)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		case <-moved:
			t.Stop()
		}
	}
}
