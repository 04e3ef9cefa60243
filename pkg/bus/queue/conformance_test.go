package queue_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/bustest"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

const subscription = "sync"

func TestConformance(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Harness { return harness(t, newDB(t)) })
}

// TestConformanceStore shares the file with the store that it shares it with in production.
func TestConformanceStore(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Harness { return harness(t, newStore(t)) })
}

// newStore opens a store in a new file.
func newStore(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "arbridge.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing store: %v", err)
		}
	})
	return s
}

// harness is a queue in db.
func harness(t *testing.T, db queue.DB) bustest.Harness {
	q := newQueue(t, db, clock.System{})
	return bustest.Harness{
		Publisher: q, Topic: bus.TopicTasks, MaxAttempts: 4,
		Receive: func(h http.Handler) {
			subscribe(t, q, h, queue.SubscribeOptions{MinBackoff: 10 * time.Millisecond, MaxAttempts: 4})
			run(t, q)
		},
		DeadLetters: func(ctx context.Context) ([]bus.Delivery, error) {
			letters, err := q.DeadLetters(ctx, subscription, 10)
			var out []bus.Delivery
			for _, l := range letters {
				out = append(out, l.Delivery)
			}
			return out, err
		},
	}
}

// newQueue opens a queue that never polls, so that a lost wake-up makes a test hang.
func newQueue(t testing.TB, db queue.DB, clk clock.Clock) *queue.Queue {
	t.Helper()
	q, err := queue.New(context.Background(), db, clk, slog.New(slog.DiscardHandler), queue.Options{PollInterval: 1000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func subscribe(t testing.TB, q *queue.Queue, h http.Handler, opts queue.SubscribeOptions) {
	t.Helper()
	if err := q.Subscribe(bus.TopicTasks, subscription, h, opts); err != nil {
		t.Fatal(err)
	}
}

// run starts the queue; the returned function stops it, as does the end of the test.
func run(t testing.TB, q *queue.Queue) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stopping queue: %v", err)
		}
	})
	return stop
}
