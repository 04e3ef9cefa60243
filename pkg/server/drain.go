package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/arbridge/arbridge/pkg/logging"
)

// Cloud Run kills the process 10 s after SIGTERM (gcp-go-stack 3.2). Everything has to be done well before.
const (
	grace      = 7500 * time.Millisecond // from the signal to the exit
	drainGrace = 6000 * time.Millisecond // of it, at most, for requests still running
)

// Drain counts the requests in flight and, once begun, turns new ones away. The zero value is ready; one Drain serves all
// handlers of a process.
type Drain struct {
	mu     sync.Mutex
	begun  bool
	active int
	idle   chan struct{} // made by the first Wait, closed when begun and active is 0
}

// Begin makes every later request be answered 503.
func (d *Drain) Begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
	d.signalIdle()
}

// Draining reports whether Begin was called.
func (d *Drain) Draining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// Active is the number of requests in flight.
func (d *Drain) Active() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active
}

// Wait returns when, after Begin, no request is in flight any more, or with the context's error.
func (d *Drain) Wait(ctx context.Context) error {
	d.mu.Lock()
	if d.idle == nil {
		d.idle = make(chan struct{})
		d.signalIdle()
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %d requests: %w", d.Active(), ctx.Err())
	}
}

func (d *Drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun {
		return false
	}
	d.active++
	return true
}

func (d *Drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active--
	d.signalIdle()
}

// signalIdle closes idle when it is time to; d.mu is held.
func (d *Drain) signalIdle() {
	if d.idle == nil || !d.begun || d.active > 0 {
		return
	}
	select {
	case <-d.idle:
	default:
		close(d.idle)
	}
}

// ExitOnSignal waits for SIGTERM or SIGINT, drains, calls release (which closes stores and sends what is buffered; nil for
// nothing) and then exit with code 0, or 1 when requests or release did not finish. From the signal to exit it takes less
// than 8 s. It returns when ctx ends, and after exit where exit returns. exit is os.Exit except in tests.
func (d *Drain) ExitOnSignal(ctx context.Context, log *slog.Logger, release func(context.Context) error, exit func(code int)) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	select {
	case <-ctx.Done():
		return
	case s := <-signals:
		log.InfoContext(ctx, "shutting down", "signal", s.String(), "active", d.Active())
	}
	exit(d.shutDown(context.WithoutCancel(ctx), log, release))
}

func (d *Drain) shutDown(ctx context.Context, log *slog.Logger, release func(context.Context) error) int {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	d.Begin()
	code := 0
	waiting, stop := context.WithTimeout(ctx, drainGrace)
	defer stop()
	if err := d.Wait(waiting); err != nil {
		log.WarnContext(ctx, "requests cut off", logging.KeyError, err)
		code = 1
	}
	if release == nil {
		return code
	}
	released := make(chan error, 1)
	go func() { released <- release(ctx) }()
	var err error
	select {
	case err = <-released:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		log.ErrorContext(ctx, "releasing resources", logging.KeyError, err)
		code = 1
	}
	return code
}
