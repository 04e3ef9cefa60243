// Package queue is the embedded bus: a durable queue in the SQLite file of the store that hands the Pub/Sub push
// envelope to HTTP handlers of the same process.
//
// Delivery is at least once. The messages of one key are handled one at a time in the order published; a message that is
// delayed or keeps failing holds back the later ones of its key until it is acknowledged or dead-lettered. A handler
// acknowledges as in a push subscription (gcp-go-stack 3.3); any other answer, a panic or a missed deadline brings the
// message back after an exponential pause, and after the last attempt it moves to the dead letters, where it stays until
// it is replayed or discarded.
//
// The file holds what is queued; which messages are being handled is known in memory only, so a crash simply leaves them
// queued. One process may use a file at a time. As with Pub/Sub, a message goes to the subscriptions that exist when it
// is published, so subscribe before publishing.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/clock"
)

// ErrNotFound is a dead letter that does not exist.
var ErrNotFound = errors.New("dead letter not found")

// DB is the part of the SQLite store that the queue needs.
type DB interface {
	// Exec runs fn inside a write transaction that is durable when Exec returns nil. It may be shared with other
	// callers and fn may run more than once.
	Exec(ctx context.Context, fn func(tx *sql.Tx) error) error
	// Read runs fn for reading committed data.
	Read(ctx context.Context, fn func(db *sql.DB) error) error
}

// Options of a Queue; the zero value is ready to use.
type Options struct {
	// Topics are the known topics; bus.Topics when nil.
	Topics []string
	// PollInterval is how often an idle subscription looks into the file without having been woken; 1 minute when zero.
	PollInterval time.Duration
	// DrainTimeout is how long Run lets handlers finish once it is told to stop; 5 seconds when zero.
	DrainTimeout time.Duration
}

// SubscribeOptions of one subscription; each zero field means its default.
type SubscribeOptions struct {
	// Workers is how many messages are handled at a time; 16 when zero.
	Workers int
	// MinBackoff is the pause after the first failure, doubled after each further one; 1 second when zero.
	MinBackoff time.Duration
	// MaxBackoff bounds the pause; 10 minutes when zero.
	MaxBackoff time.Duration
	// MaxAttempts is the number of deliveries after which a message is dead-lettered; 10 when zero.
	MaxAttempts int
	// AckDeadline is the time a handler has, on the machine's clock; 1 minute when zero.
	AckDeadline time.Duration
}

// Queue is a bus.Publisher that also delivers. Make one with New; it is safe for concurrent use.
type Queue struct {
	db   DB
	clk  clock.Clock
	log  *slog.Logger
	opts Options

	mu      sync.Mutex
	subs    []*subscription
	running bool
}

var _ bus.Publisher = (*Queue)(nil)

// subscription is one receiver of one topic.
type subscription struct {
	topic, name string
	handler     http.Handler
	opts        SubscribeOptions
	wake        chan struct{} // holds one signal that messages may be ready
}

// New opens the queue in db and creates its tables if they are missing.
func New(ctx context.Context, db DB, clk clock.Clock, log *slog.Logger, opts Options) (*Queue, error) {
	if opts.Topics == nil {
		opts.Topics = bus.Topics
	}
	opts.PollInterval = orDefault(opts.PollInterval, time.Minute)
	opts.DrainTimeout = orDefault(opts.DrainTimeout, 5*time.Second)
	if err := db.Exec(ctx, createTables); err != nil {
		return nil, fmt.Errorf("opening queue: %w", err)
	}
	return &Queue{db: db, clk: clk, log: log, opts: opts}, nil
}

// Subscribe registers h for the messages of a topic under a subscription name that is unique in the queue. All
// subscriptions are made before Run. The messages of a name queued earlier, also by an earlier process, are delivered
// to h.
func (q *Queue) Subscribe(topic, name string, h http.Handler, opts SubscribeOptions) error {
	if !slices.Contains(q.opts.Topics, topic) {
		return fmt.Errorf("subscribing %q: topic %q is unknown; known topics: %q", name, topic, q.opts.Topics)
	}
	if name == "" || h == nil {
		return fmt.Errorf("subscribing %q to %s: a name and a handler are needed", name, topic)
	}
	opts.Workers = orDefault(opts.Workers, 16)
	opts.MinBackoff = orDefault(opts.MinBackoff, time.Second)
	opts.MaxBackoff = max(orDefault(opts.MaxBackoff, 10*time.Minute), opts.MinBackoff)
	opts.MaxAttempts = orDefault(opts.MaxAttempts, 10)
	opts.AckDeadline = orDefault(opts.AckDeadline, time.Minute)

	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running {
		return fmt.Errorf("subscribing %q: the queue is running already", name)
	}
	if slices.ContainsFunc(q.subs, func(s *subscription) bool { return s.name == name }) {
		return fmt.Errorf("subscribing %q: the name is taken", name)
	}
	s := &subscription{topic: topic, name: name, handler: h, opts: opts, wake: make(chan struct{}, 1)}
	q.subs = append(q.subs, s)
	return nil
}

// Run delivers until ctx ends, then lets running handlers finish within Options.DrainTimeout and records their answers.
// It returns nil after a clean stop, and an error when handlers had to be interrupted or answers could not be recorded;
// their messages stay queued.
func (q *Queue) Run(ctx context.Context) error {
	q.mu.Lock()
	if q.running {
		q.mu.Unlock()
		return errors.New("running queue: it runs already")
	}
	q.running = true
	subs := slices.Clone(q.subs)
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		q.running = false
		q.mu.Unlock()
	}()

	errs := make([]error, len(subs))
	var wg sync.WaitGroup
	for i, s := range subs {
		wg.Go(func() { errs[i] = newDispatcher(q, s).run(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	return errors.Join(errs...)
}

// subscribed lists the subscriptions of a topic.
func (q *Queue) subscribed(topic string) []*subscription {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*subscription
	for _, s := range q.subs {
		if s.topic == topic {
			out = append(out, s)
		}
	}
	return out
}

// signal wakes the dispatcher of s; signals that were not yet seen merge.
func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// orDefault replaces a value that is not positive.
func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
