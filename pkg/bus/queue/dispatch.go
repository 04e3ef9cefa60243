package queue

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

const (
	// failurePause is the wait after the database refused to read or write.
	failurePause = time.Second
	// settleTimeout bounds the recording of the last answers when Run stops.
	settleTimeout = 2 * time.Second
)

// dispatcher delivers the messages of one subscription. Its fields belong to the goroutine of run; workers only see the
// channels, which have room for everything held, so that no one ever blocks on them.
type dispatcher struct {
	q      *Queue
	s      *subscription
	window int                // how many messages may be held
	held   map[int64]struct{} // read from the table and not yet settled
	work   chan message
	done   chan outcome
	more   bool // the table may have messages that are ready and not held
	alarm  alarm
}

// newDispatcher makes the dispatcher of s. The window is larger than the number of workers, so that they stay busy while
// answers are recorded and many answers share one transaction.
func newDispatcher(q *Queue, s *subscription) *dispatcher {
	window := min(max(8*s.opts.Workers, 128), 1024)
	window = max(window, s.opts.Workers)
	return &dispatcher{
		q: q, s: s, window: window, more: true, held: make(map[int64]struct{}),
		work: make(chan message, window), done: make(chan outcome, window),
	}
}

// run delivers until ctx ends and then drains.
func (d *dispatcher) run(ctx context.Context) error {
	defer d.alarm.stop()
	handling, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	var workers sync.WaitGroup
	for range d.s.opts.Workers {
		workers.Go(func() { d.serve(ctx, handling) })
	}
	var pending []outcome // not recorded yet
	for ctx.Err() == nil {
		if d.more && len(d.held) <= d.window/2 && !d.claim(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-d.s.wake:
			d.more = true
		case <-d.alarm.rings():
			d.more, d.alarm.c = true, nil
		case o := <-d.done:
			pending = d.gather(append(pending, o))
			pending = d.record(ctx, pending)
		}
	}
	return d.drain(ctx, &workers, interrupt, pending)
}

// serve handles messages, one at a time, until ctx ends.
func (d *dispatcher) serve(ctx, handling context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case m := <-d.work:
			if ctx.Err() == nil {
				d.done <- d.deliver(handling, m)
			}
		}
	}
}

// claim reads messages that are ready and gives them to the workers. If it found all there are, it sets the alarm for
// the next. False means that the table could not be read.
func (d *dispatcher) claim(ctx context.Context) bool {
	limit := d.window - len(d.held)
	messages, next, err := d.q.ready(ctx, d.s.name, d.held, limit)
	if err != nil {
		d.failed(ctx, "reading queued messages", err)
		return false
	}
	for _, m := range messages {
		d.held[m.seq] = struct{}{}
		d.work <- m
	}
	if d.more = len(messages) == limit; d.more {
		return true
	}
	at := d.q.clk.Now().Add(d.q.opts.PollInterval)
	if !next.IsZero() && next.Before(at) {
		at = next
	}
	d.alarm.set(ctx, d.q.clk, at)
	return true
}

// gather adds the answers that are there already.
func (d *dispatcher) gather(outcomes []outcome) []outcome {
	for {
		select {
		case o := <-d.done:
			outcomes = append(outcomes, o)
		default:
			return outcomes
		}
	}
}

// record settles outcomes; it returns those still to be settled, which are all of them after an error.
func (d *dispatcher) record(ctx context.Context, outcomes []outcome) []outcome {
	for len(outcomes) > 0 && ctx.Err() == nil {
		err := d.settle(ctx, outcomes)
		if err == nil {
			return outcomes[:0]
		}
		if ctx.Err() == nil {
			d.failed(ctx, "recording answers", err)
			outcomes = d.gather(outcomes)
		}
	}
	return outcomes
}

// settle writes what became of delivered messages in one transaction: acknowledged and dead ones go, and let the next
// of their key pass; the others get their next time.
func (d *dispatcher) settle(ctx context.Context, outcomes []outcome) error {
	now := d.q.clk.Now()
	err := d.q.db.Exec(ctx, func(tx *sql.Tx) error {
		gone := make([]int64, 0, len(outcomes))
		for _, o := range outcomes {
			attempts := o.attempts + 1
			var err error
			switch {
			case o.result == interrupted:
				continue
			case o.result == acknowledged:
				gone = append(gone, o.seq)
			case attempts >= d.s.opts.MaxAttempts:
				gone = append(gone, o.seq)
				_, err = tx.ExecContext(ctx, bury, o.seq, attempts, now.UnixNano(), o.reason)
			default:
				_, err = tx.ExecContext(ctx, postpone, o.seq, attempts, now.Add(d.backoff(attempts)).UnixNano())
			}
			if err != nil {
				return err
			}
		}
		list := jsonArray(gone)
		if _, err := tx.ExecContext(ctx, promoteNext, list); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, deleteGone, list)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		delete(d.held, o.seq)
		d.more = d.more || o.key != "" || o.result != acknowledged
		if o.result == refused && o.attempts+1 >= d.s.opts.MaxAttempts {
			d.q.log.Error("message dead-lettered", "subscription", d.s.name, "message", o.id, "key", o.key,
				"attempts", o.attempts+1, "reason", o.reason)
		}
	}
	return nil
}

// backoff is the pause after a number of failed attempts: the minimum, doubled each time, up to the maximum.
func (d *dispatcher) backoff(attempts int) time.Duration {
	pause := d.s.opts.MinBackoff
	for range attempts - 1 {
		if pause >= d.s.opts.MaxBackoff/2 {
			return d.s.opts.MaxBackoff
		}
		pause *= 2
	}
	return pause
}

// drain waits for the handlers, interrupts them when the time is up, and records the answers.
func (d *dispatcher) drain(ctx context.Context, workers *sync.WaitGroup, interrupt context.CancelFunc, pending []outcome) error {
	ctx = context.WithoutCancel(ctx)
	limit, cancel := context.WithTimeout(ctx, d.q.opts.DrainTimeout)
	defer cancel()
	stop := context.AfterFunc(limit, interrupt)
	workers.Wait()
	stop()
	pending = d.gather(pending)
	stopped := 0
	for _, o := range pending {
		if o.result == interrupted {
			stopped++
		}
	}
	ctx, cancel = context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if len(pending) > 0 {
		if err := d.settle(ctx, pending); err != nil {
			return fmt.Errorf("stopping subscription %s: recording %d answers: %w", d.s.name, len(pending), err)
		}
	}
	if stopped > 0 {
		return fmt.Errorf("stopping subscription %s: %d handlers did not finish within %s", d.s.name, stopped, d.q.opts.DrainTimeout)
	}
	return nil
}

// failed logs a database error and pauses, so that a broken disk does not fill the log.
func (d *dispatcher) failed(ctx context.Context, doing string, err error) {
	if ctx.Err() != nil {
		return
	}
	d.q.log.Error("queue is held up", "subscription", d.s.name, "doing", doing, "error", err)
	_ = d.q.clk.Sleep(ctx, failurePause) // the caller looks at ctx
}
