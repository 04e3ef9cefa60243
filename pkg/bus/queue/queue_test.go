package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/clock"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// inbox is a handler that passes deliveries on and answers what it is told to.
type inbox struct {
	got    chan bus.Delivery
	status atomic.Int32
}

func newInbox(status int) *inbox {
	in := &inbox{got: make(chan bus.Delivery, 1000)}
	in.status.Store(int32(status))
	return in
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, err := bus.DecodePush(r)
	if err != nil {
		d.ID = err.Error()
	}
	in.got <- d
	w.WriteHeader(int(in.status.Load()))
}

// next is the next delivery.
func (in *inbox) next(t *testing.T) bus.Delivery {
	t.Helper()
	select {
	case d := <-in.got:
		return d
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was delivered")
		return bus.Delivery{}
	}
}

// none requires that nothing is delivered, given a moment in which it could be.
func (in *inbox) none(t *testing.T) {
	t.Helper()
	select {
	case d := <-in.got:
		t.Fatalf("delivered %q, attempt %d, too early", d.Data, d.Attempt)
	case <-time.After(30 * time.Millisecond):
	}
}

func publish(t testing.TB, q *queue.Queue, messages ...bus.Message) {
	t.Helper()
	if err := q.Publish(t.Context(), bus.TopicTasks, messages...); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the queue of the subscription has n messages.
func eventually(t *testing.T, q *queue.Queue, n int) {
	t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for {
		depth, err := q.Depth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if depth[subscription] == n {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("depth = %v, want %d", depth, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// recorded waits until the one message in the queue has failed n times.
func recorded(t *testing.T, db *testDB, n int) {
	t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for attempts := -1; attempts != n; time.Sleep(time.Millisecond) {
		if err := db.db.QueryRow("SELECT attempts FROM queue_messages").Scan(&attempts); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(limit) {
			t.Fatalf("%d failed attempts are recorded, want %d", attempts, n)
		}
	}
}

func TestBackoffFollowsTheClock(t *testing.T) {
	clk := clock.NewMovable(start)
	db := newDB(t)
	q := newQueue(t, db, clk)
	in := newInbox(http.StatusServiceUnavailable)
	subscribe(t, q, in, queue.SubscribeOptions{MinBackoff: time.Minute, MaxBackoff: 3 * time.Minute, MaxAttempts: 100})
	run(t, q)
	publish(t, q, bus.Message{Key: "k", Data: []byte("x")})
	if d := in.next(t); d.Attempt != 1 || d.Published.Before(start) {
		t.Errorf("attempt %d published %s, want attempt 1 after %s", d.Attempt, d.Published, start)
	}
	pauses := []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 3 * time.Minute}
	for i, pause := range pauses {
		recorded(t, db, i+1)
		clk.Advance(pause - 10*time.Second)
		in.none(t)
		clk.Advance(10 * time.Second)
		if d := in.next(t); d.Attempt != i+2 {
			t.Errorf("after pause %s: attempt %d, want %d", pause, d.Attempt, i+2)
		}
	}
}

func TestDelay(t *testing.T) {
	clk := clock.NewMovable(start)
	q := newQueue(t, newDB(t), clk)
	in := newInbox(http.StatusOK)
	subscribe(t, q, in, queue.SubscribeOptions{})
	run(t, q)
	publish(t, q,
		bus.Message{Data: []byte("late"), Delay: time.Hour},
		bus.Message{Key: "k", Data: []byte("middle"), Delay: 30 * time.Minute},
		bus.Message{Key: "k", Data: []byte("behind")},
		bus.Message{Data: []byte("now"), Delay: -time.Second})
	want := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if d := in.next(t); string(d.Data) != name {
				t.Errorf("delivered %q, want %q", d.Data, name)
			}
		}
		in.none(t)
	}
	want("now")
	clk.Advance(30*time.Minute - time.Second)
	want()
	clk.Advance(time.Second)
	want("middle", "behind")
	publish(t, q, bus.Message{Data: []byte("earlier"), Delay: time.Minute}) // comes before the alarm that is set
	clk.Advance(time.Minute)
	want("earlier")
	clk.Advance(29 * time.Minute)
	want("late")
}

func TestRestartRedelivers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "arbridge.db")
	q, err := queue.New(context.Background(), openDB(t, path), clock.System{}, slog.New(slog.DiscardHandler), queue.Options{DrainTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan bus.Delivery, 1)
	subscribe(t, q, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, _ := bus.DecodePush(r) // an empty delivery fails the test below
		begun <- d
		<-r.Context().Done() // in flight when the process stops
		w.WriteHeader(http.StatusInternalServerError)
	}), queue.SubscribeOptions{Workers: 1})
	stop := run(t, q)
	publish(t, q, bus.Message{Key: "k", Data: []byte("one")}, bus.Message{Key: "k", Data: []byte("two")})
	first := <-begun
	if err := stop(); err == nil || !strings.Contains(err.Error(), "1 handlers") {
		t.Errorf("stopping with a handler that does not end: %v, want an error that counts it", err)
	}

	q = newQueue(t, openDB(t, path), clock.System{})
	in := newInbox(http.StatusOK)
	subscribe(t, q, in, queue.SubscribeOptions{})
	run(t, q)
	again := in.next(t)
	if again.ID != first.ID || string(again.Data) != "one" || again.Attempt != 1 {
		t.Errorf("after the restart: %+v, want message %s again as attempt 1", again, first.ID)
	}
	if d := in.next(t); string(d.Data) != "two" {
		t.Errorf("then %q, want two", d.Data)
	}
	eventually(t, q, 0)
}

func TestDrainRecordsAnswers(t *testing.T) {
	db := newDB(t)
	q := newQueue(t, db, clock.System{})
	begun, finish := make(chan struct{}), make(chan struct{})
	subscribe(t, q, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the handler was interrupted although it finished in time")
		}
	}), queue.SubscribeOptions{Workers: 1})
	stop := run(t, q)
	publish(t, q, bus.Message{Data: []byte("running")})
	<-begun
	publish(t, q, bus.Message{Data: []byte("waiting")})
	time.AfterFunc(20*time.Millisecond, func() { close(finish) })
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	eventually(t, q, 1) // the running one is acknowledged, the other still there
}

func TestHandlerDeadline(t *testing.T) {
	q := newQueue(t, newDB(t), clock.System{})
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	var calls atomic.Int32
	done := make(chan struct{})
	subscribe(t, q, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1: // ends with its context, as it should
			<-r.Context().Done()
			w.WriteHeader(http.StatusGatewayTimeout)
		case 2: // ignores it
			<-hang
		default:
			close(done)
		}
	}), queue.SubscribeOptions{AckDeadline: 10 * time.Millisecond, MinBackoff: time.Millisecond})
	run(t, q)
	publish(t, q, bus.Message{Key: "k", Data: []byte("x")})
	<-done
	eventually(t, q, 0)
}

func TestFanOut(t *testing.T) {
	q := newQueue(t, newDB(t), clock.System{})
	good, bad := newInbox(http.StatusOK), newInbox(http.StatusInternalServerError)
	opts := queue.SubscribeOptions{MaxAttempts: 1}
	if err := q.Subscribe(bus.TopicEvents, "receipt", good, opts); err != nil {
		t.Fatal(err)
	}
	if err := q.Subscribe(bus.TopicEvents, "activity", bad, opts); err != nil {
		t.Fatal(err)
	}
	run(t, q)
	if err := q.Publish(t.Context(), bus.TopicEvents, bus.Message{Key: "k", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	a, b := good.next(t), bad.next(t)
	if a.ID != b.ID || a.Subscription != "receipt" || b.Subscription != "activity" {
		t.Errorf("delivered %+v and %+v, want the same id in receipt and activity", a, b)
	}
}

func TestDeadLetters(t *testing.T) {
	clk := clock.NewMovable(start)
	q := newQueue(t, newDB(t), clk)
	in := newInbox(http.StatusTeapot)
	subscribe(t, q, in, queue.SubscribeOptions{MaxAttempts: 1})
	run(t, q)
	publish(t, q, bus.Message{Key: "k", Data: []byte("one"), Attributes: map[string]string{"a": "b"}},
		bus.Message{Key: "k", Data: []byte("two")})
	first := in.next(t)
	in.next(t)
	eventually(t, q, 0)

	letters, err := q.DeadLetters(t.Context(), subscription, 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("dead letters = %v, %v, want 2", letters, err)
	}
	one := letters[1] // newest first
	if string(one.Delivery.Data) != "one" || one.Delivery.Attributes["a"] != "b" || one.Delivery.Attempt != 1 ||
		one.Delivery.Key != "k" || one.Delivery.Subscription != subscription || one.Delivery.ID != first.ID ||
		one.Died.Before(start) || !strings.Contains(one.Reason, "418") {
		t.Errorf("dead letter = %+v, want message one with its answer 418", one)
	}
	if some, err := q.DeadLetters(t.Context(), subscription, 1); err != nil || len(some) != 1 {
		t.Errorf("with limit 1: %v, %v", some, err)
	}

	in.status.Store(http.StatusOK)
	if err := q.Replay(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	if d := in.next(t); d.ID != first.ID || d.Attempt != 1 || string(d.Data) != "one" {
		t.Errorf("replayed as %+v, want message %s, attempt 1", d, first.ID)
	}
	if err := q.Discard(t.Context(), letters[0].ID); err != nil {
		t.Error(err)
	}
	if left, err := q.DeadLetters(t.Context(), subscription, 10); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v, want none", left, err)
	}
	for _, id := range []string{one.ID, "", "x", "999"} {
		if err := q.Replay(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("replaying %q: %v, want ErrNotFound", id, err)
		}
		if err := q.Discard(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("discarding %q: %v, want ErrNotFound", id, err)
		}
	}
}

func TestDatabaseErrors(t *testing.T) {
	db := newDB(t)
	clk := clock.NewMovable(start)
	q := newQueue(t, db, clk)
	in := newInbox(http.StatusOK)
	subscribe(t, q, in, queue.SubscribeOptions{})
	publish(t, q, bus.Message{Data: []byte("x")})
	db.setBroken(errBroken)
	if err := q.Publish(t.Context(), bus.TopicTasks, bus.Message{Data: []byte("y")}); !errors.Is(err, errBroken) {
		t.Errorf("publishing: %v, want the error of the database", err)
	}
	if _, err := q.Depth(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("depth: %v, want the error of the database", err)
	}
	run(t, q)
	in.none(t)
	db.setBroken(nil)
	clk.Advance(time.Minute)
	if d := in.next(t); string(d.Data) != "x" {
		t.Errorf("delivered %q, want x", d.Data)
	}
	eventually(t, q, 0)
}

func TestIdleQueueRests(t *testing.T) {
	db := newDB(t)
	q := newQueue(t, db, clock.System{})
	in := newInbox(http.StatusOK)
	subscribe(t, q, in, queue.SubscribeOptions{})
	run(t, q)
	publish(t, q, bus.Message{Data: []byte("x")})
	in.next(t)
	eventually(t, q, 0)
	execs, reads := db.calls()
	in.none(t)
	if e, r := db.calls(); e != execs || r > reads+1 { // one read may follow the last answer
		t.Errorf("idle: %d writes and %d reads, want none", e-execs, r-reads)
	}
}

func TestSubscribeErrors(t *testing.T) {
	q := newQueue(t, newDB(t), clock.System{})
	h := newInbox(http.StatusOK)
	subscribe(t, q, h, queue.SubscribeOptions{})
	tests := []struct {
		topic, name string
		handler     http.Handler
	}{
		{"nonsense", "x", h}, {bus.TopicTasks, "", h}, {bus.TopicTasks, "x", nil}, {bus.TopicEvents, subscription, h},
	}
	for _, tt := range tests {
		if err := q.Subscribe(tt.topic, tt.name, tt.handler, queue.SubscribeOptions{}); err == nil {
			t.Errorf("subscribing %q to %q: accepted", tt.name, tt.topic)
		}
	}
	stop := run(t, q)
	publish(t, q, bus.Message{Data: []byte("x")})
	h.next(t) // it runs
	if err := q.Subscribe(bus.TopicTasks, "late", h, queue.SubscribeOptions{}); err == nil {
		t.Error("subscribing while running: accepted")
	}
	if err := q.Run(t.Context()); err == nil {
		t.Error("running twice: accepted")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestOrderUnderFailures sends messages of a few keys through handlers that fail in a fixed pattern, across restarts of
// the queue, and requires that each key was worked off in order, one at a time.
func TestOrderUnderFailures(t *testing.T) {
	const keys, each, restarts = 7, 40, 4
	path := filepath.Join(t.TempDir(), "arbridge.db")
	var mu sync.Mutex
	worked := make(map[string][]string)
	calls := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := bus.DecodePush(r)
		mu.Lock()
		defer mu.Unlock()
		calls++
		if err != nil || calls%3 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if list := worked[d.Key]; !slices.Contains(list, string(d.Data)) {
			worked[d.Key] = append(list, string(d.Data))
		}
	})
	for round := range restarts {
		q := newQueue(t, openDB(t, path), clock.System{})
		subscribe(t, q, h, queue.SubscribeOptions{Workers: 4, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, MaxAttempts: 1000})
		stop := run(t, q)
		for i := range each {
			for k := range keys {
				publish(t, q, bus.Message{Key: fmt.Sprint(k), Data: fmt.Appendf(nil, "%02d", round*each+i)})
			}
		}
		if round == restarts-1 {
			eventually(t, q, 0)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	for k := range keys {
		list := worked[fmt.Sprint(k)]
		if len(list) != each*restarts || !slices.IsSortedFunc(list, compareNumbers) {
			t.Errorf("key %d: worked off %v, want 0 to %d in order", k, list, each*restarts-1)
		}
	}
}

func compareNumbers(a, b string) int {
	return strings.Compare(fmt.Sprintf("%04s", a), fmt.Sprintf("%04s", b))
}
