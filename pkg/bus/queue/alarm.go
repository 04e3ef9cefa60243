package queue

import (
	"context"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// alarm is one pending wake-up on a clock.
type alarm struct {
	c      chan struct{} // nil when none is set
	at     time.Time
	cancel context.CancelFunc
}

// rings is the channel to wait on; nil, which never rings, when no alarm is set.
func (a *alarm) rings() <-chan struct{} { return a.c }

// set arms the alarm for at, unless it rings earlier anyway.
func (a *alarm) set(ctx context.Context, clk clock.Clock, at time.Time) {
	if a.c != nil && !at.Before(a.at) {
		return
	}
	a.stop()
	ctx, a.cancel = context.WithCancel(ctx)
	c := make(chan struct{})
	a.c, a.at = c, at
	go func() {
		for left := at.Sub(clk.Now()); left > 0; left = at.Sub(clk.Now()) {
			if clk.Sleep(ctx, left) != nil {
				return
			}
		}
		close(c)
	}()
}

// stop cancels a pending wake-up.
func (a *alarm) stop() {
	if a.cancel != nil {
		a.cancel()
	}
	a.c, a.cancel = nil, nil
}
