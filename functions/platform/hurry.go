package platform

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// ErrEnding is the end of a pause because the process is about to end.
var ErrEnding = errors.New("the process is ending")

// hurried is a clock whose pauses can be ended, so that what waits for a vendor gives up and parks its work, while a call
// that is on its way may still be answered.
type hurried struct {
	clock.Clock

	mu       sync.Mutex
	hurry    bool
	next     int
	sleepers map[int]context.CancelFunc
}

func newHurried(c clock.Clock) *hurried {
	return &hurried{Clock: c, sleepers: map[int]context.CancelFunc{}}
}

// Jitter is that of the clock below, see clock.Jitter.
func (h *hurried) Jitter(most time.Duration) time.Duration { return clock.Jitter(h.Clock, most) }

// Sleep implements clock.Clock.
func (h *hurried) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return h.Clock.Sleep(ctx, d)
	}
	sleeping, cancel := context.WithCancel(ctx)
	defer cancel()
	defer h.enter(cancel)()
	err := h.Clock.Sleep(sleeping, d)
	if err != nil && ctx.Err() == nil {
		return ErrEnding
	}
	return err
}

// enter notes a sleeper, or ends its pause at once; what it returns forgets it.
func (h *hurried) enter(cancel context.CancelFunc) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hurry {
		cancel()
	}
	id := h.next
	h.next++
	h.sleepers[id] = cancel
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sleepers, id)
	}
}

func (h *hurried) set(hurry bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hurry = hurry
	if hurry {
		for _, cancel := range h.sleepers {
			cancel()
		}
	}
}

// Hurry ends every pause on the platform's clock, those to come too, until it is called with false. A process that ends
// does not wait for a vendor that asked for patience: what waits fails with ErrEnding, and is done by the next process.
func (p *Platform) Hurry(on bool) {
	if h, ok := p.Clock.(*hurried); ok {
		h.set(on)
	}
}
