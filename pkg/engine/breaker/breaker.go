// Package breaker stops calling a vendor that does not answer, for one company, and finds out by itself when it is back.
package breaker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// After Failures failures of ClassRetry in a row no call is made for a while; then one is tried, and its success lets all
// others pass (F41).
const (
	Failures     = 10
	FirstPause   = time.Minute      // before the first trial
	LongestPause = 15 * time.Minute // pauses double up to this
)

// ErrStopped is a call that was not made because the vendor did not answer the ones before.
var ErrStopped = errors.New("calls are stopped until the vendor answers again")

// Breaker decides whether a vendor is called. It is safe for concurrent use; make one with New.
type Breaker struct {
	vendor string
	clock  clock.Clock
	// changed is told of every change of state, without the lock.
	changed func(ctx context.Context, b record.Breaker)

	mu       sync.Mutex
	failures int
	problem  string
	open     bool
	trying   bool // one call is made to see whether the vendor is back
	pause    time.Duration
	until    time.Time
	since    time.Time
}

// New makes a breaker that lets calls pass. changed is told of every change of state and every trial in vain.
func New(vendor string, c clock.Clock, changed func(ctx context.Context, b record.Breaker)) *Breaker {
	return &Breaker{vendor: vendor, clock: c, changed: changed}
}

// Wait is how long no call is to be made; 0 when one may be.
func (b *Breaker) Wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return 0
	}
	return max(0, b.until.Sub(b.clock.Now()))
}

// enter lets a call pass, perhaps as the trial, or refuses it with ErrStopped.
func (b *Breaker) enter(op string) (trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return false, nil
	}
	left := b.until.Sub(b.clock.Now())
	if left <= 0 && !b.trying {
		b.trying = true
		return true, nil
	}
	return false, &connector.Error{Class: connector.ClassRetry, Op: op, RetryAfter: max(left, time.Second), Err: ErrStopped}
}

// leave counts what became of a call.
func (b *Breaker) leave(ctx context.Context, trial bool, err error) {
	b.mu.Lock()
	was := b.open
	given := ctx.Err() != nil // the caller gave up: that says nothing about the vendor
	failed := err != nil && connector.ClassOf(err) == connector.ClassRetry
	switch {
	case given:
	case !failed:
		b.failures, b.open, b.pause, b.problem = 0, false, 0, ""
	case b.open && !trial: // a call from before
	default:
		b.failures++
		b.problem = err.Error()
		if b.failures >= Failures {
			b.open = true
			b.pause = min(max(2*b.pause, FirstPause), LongestPause)
			b.until = b.clock.Now().Add(b.pause)
		}
	}
	if trial {
		b.trying = false
	}
	turned := was != b.open
	if turned {
		b.since = b.clock.Now()
	}
	now := b.state()
	b.mu.Unlock()
	if turned || trial && !given {
		b.changed(context.WithoutCancel(ctx), now)
	}
}

// state is the breaker for people; the caller holds the lock.
func (b *Breaker) state() record.Breaker {
	s := record.Breaker{Vendor: b.vendor, State: record.BreakerClosed, Failures: b.failures, Problem: b.problem, ChangedAt: store.At(b.since)}
	if b.open {
		s.State, s.Until = record.BreakerOpen, store.At(b.until)
	}
	return s
}

// guarded makes a call with a result through the breaker.
func guarded[T any](ctx context.Context, b *Breaker, op string, call func() (T, error)) (out T, err error) {
	trial, err := b.enter(op)
	if err != nil {
		return out, err
	}
	err = errors.New("the call ended in a panic")
	defer func() { b.leave(ctx, trial, err) }()
	out, err = call()
	return out, err
}

// guard makes a call without a result through the breaker.
func guard(ctx context.Context, b *Breaker, op string, call func() error) error {
	_, err := guarded(ctx, b, op, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// Stopped is the error of a call that would not be made at present, nil when it would: whoever asks can spare the preparations.
func (b *Breaker) Stopped(op string) error {
	left := b.Wait()
	if left <= 0 {
		return nil
	}
	return &connector.Error{Class: connector.ClassRetry, Op: op, RetryAfter: left, Err: ErrStopped}
}
