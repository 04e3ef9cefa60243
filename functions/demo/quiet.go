package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// settle ticks until nothing is left to do: the queue is empty, no webhook is on its way, nothing was read, and no
// record is scheduled. Pauses that arbridge makes on purpose — a retry, an outcome to be looked up — are skipped by
// moving the clock.
func (s *stage) settle(ctx context.Context, doing string) error {
	for range 10_000 {
		s.progress.show(doing, s.world)
		results, err := s.platform.Engine.PollAll(ctx)
		s.polls++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		busy, stopped := judge(results)
		busy = busy || err != nil
		if err := s.drained(ctx); err != nil {
			return err
		}
		next, waiting, err := s.nextDue(ctx)
		if err != nil {
			return err
		}
		if stopped && !waiting {
			next, waiting = s.clock.Now().Add(time.Minute), true
		}
		if !busy && !waiting {
			return nil
		}
		if waiting {
			if err := s.clock.move(min(next.Sub(s.clock.Now())+time.Millisecond, time.Hour)); err != nil {
				return err
			}
		}
	}
	return errors.New("the demo does not come to rest")
}

// judge tells whether a poll found something, and whether a vendor that did not answer is being left alone for a while.
func judge(results []engine.PollResult) (busy, stopped bool) {
	for _, r := range results {
		busy = busy || r.Changed > 0 || r.More
		stopped = stopped || r.Skipped != ""
	}
	return busy, stopped
}

// drained waits until the queue and the webhooks on their way are empty.
func (s *stage) drained(ctx context.Context) error {
	for quiet := 0; quiet < 2; {
		depth, err := s.platform.Queue.Depth(ctx)
		if err != nil {
			return err
		}
		left := s.world.portal.Pending()
		for _, n := range depth {
			left += n
		}
		if left == 0 {
			quiet++
		} else {
			quiet = 0
		}
		s.progress.tick(s.world)
		if err := (clock.System{}).Sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// nextDue is the earliest time at which arbridge wants to do something by itself within the next hour.
func (s *stage) nextDue(ctx context.Context) (time.Time, bool, error) {
	horizon := store.At(s.clock.Now().Add(30 * time.Minute)).Text()
	records := store.Table[record.Record]{Store: s.platform.Store, Collection: store.Records}
	rows, err := records.Query(ctx, store.Query{OrderBy: "due_at", UpTo: horizon, Limit: 200})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("what is due: %w", err)
	}
	for _, r := range rows {
		if r.Value.Status != record.Waiting || r.Value.WaitsFor != "" {
			return r.Value.DueAt.Time, true, nil
		}
	}
	inbox := store.Table[record.Inbox]{Store: s.platform.Store, Collection: store.Inbox}
	events, err := inbox.Query(ctx, store.Query{Equal: []store.Equal{{Field: "state", Value: record.InboxNew}}, OrderBy: "due_at", UpTo: horizon, Limit: 1})
	if err != nil || len(events) == 0 {
		return time.Time{}, false, err
	}
	return events[0].Value.DueAt.Time, true, nil
}
