package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/pubsub"
	"github.com/arbridge/arbridge/pkg/clock"
)

// reactor answers Publish calls with an error while its code is set.
type reactor struct{ code atomic.Int32 }

// React implements pstest.Reactor.
func (r *reactor) React(any) (handled bool, ret any, err error) {
	if code := codes.Code(r.code.Load()); code != codes.OK {
		return true, &pubsubpb.PublishResponse{}, status.Error(code, "told to fail")
	}
	return false, nil, nil
}

func message(key, data string) bus.Message { return bus.Message{Key: key, Data: []byte(data)} }

func TestPublishResumesKeys(t *testing.T) {
	var r reactor
	srv, p := inProcess(t, pstest.ServerReactorOption{FuncName: "Publish", Reactor: &r})
	pub := p.publisher(t, pubsub.Options{})
	r.code.Store(int32(codes.PermissionDenied))
	err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "lost"), message("k", "lost too"), message("other", "lost"))
	if status.Code(errors.Unwrap(err)) != codes.PermissionDenied || !strings.Contains(err.Error(), "3 of 3") {
		t.Fatalf("error = %v, want permission denied for 3 of 3 messages", err)
	}
	r.code.Store(int32(codes.OK))
	if err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "sent")); err != nil {
		t.Fatalf("the key does not go on after a failure: %v", err)
	}
	if got := srv.Messages(); len(got) != 1 || string(got[0].Data) != "sent" {
		t.Errorf("the server has %v, want one message", got)
	}
}

// TestPublishAfterCallerLeft is about a key that fails once nobody waits any more: the next call finds it paused.
func TestPublishAfterCallerLeft(t *testing.T) {
	var r reactor
	srv, p := inProcess(t, pstest.ServerReactorOption{FuncName: "Publish", Reactor: &r})
	pub := p.publisher(t, pubsub.Options{Timeout: 300 * time.Millisecond})
	r.code.Store(int32(codes.Unavailable)) // retried until the timeout
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := pub.Publish(ctx, bus.TopicTasks, message("k", "left behind")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v, want the deadline of the caller", err)
	}
	time.Sleep(time.Second) // the client gives up in the background and pauses the key
	r.code.Store(int32(codes.OK))
	if err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "a"), message("k", "b"), message("", "c")); err != nil {
		t.Fatalf("publishing to a paused key: %v", err)
	}
	count := make(map[string]int)
	for _, m := range srv.Messages() {
		count[string(m.Data)]++
	}
	if len(count) != 3 || count["a"] != 1 || count["b"] != 1 || count["c"] != 1 {
		t.Errorf("the server has %v, want a, b and c once", count)
	}
}

func TestServiceDown(t *testing.T) {
	_, p := inProcess(t)
	pub := p.publisher(t, pubsub.Options{Timeout: 200 * time.Millisecond})
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "x"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want context.DeadlineExceeded from the publish timeout", err)
	}
}

func TestStatusesBecomeContextErrors(t *testing.T) {
	for code, want := range map[codes.Code]error{codes.DeadlineExceeded: context.DeadlineExceeded, codes.Canceled: context.Canceled} {
		var r reactor
		_, p := inProcess(t, pstest.ServerReactorOption{FuncName: "Publish", Reactor: &r})
		pub := p.publisher(t, pubsub.Options{Timeout: 200 * time.Millisecond})
		r.code.Store(int32(code))
		err := pub.Publish(t.Context(), bus.TopicTasks, message("", "x"))
		if !errors.Is(err, want) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("status %s: error = %v, want %v", code, err, want)
		}
	}
}

func TestCloseIsBounded(t *testing.T) {
	_, p := inProcess(t)
	pub := pubsub.New(p.client, pubsub.Options{Prefix: prefix, Timeout: time.Second})
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() { failed <- pub.Publish(context.Background(), bus.TopicTasks, message("k", "x")) }()
	time.Sleep(50 * time.Millisecond) // the message is on its way
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := pub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing while the service is down: %v, want the deadline of the caller", err)
	}
	if err := <-failed; err == nil {
		t.Error("a message was accepted by a service that is down")
	}
	if err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "x")); err == nil {
		t.Error("publishing after Close: accepted")
	}
	if err := pub.Close(t.Context()); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestPrefix(t *testing.T) {
	_, p := inProcess(t)
	err := pubsub.New(p.client, pubsub.Options{Prefix: "absent-", Timeout: 200 * time.Millisecond}).
		Publish(t.Context(), bus.TopicTasks, message("", "x"))
	if err == nil || !strings.Contains(err.Error(), "absent-tasks") {
		t.Errorf("error = %v, want one about the topic absent-tasks", err)
	}
}

// leaseClock stands still but for step, which moves it by the next long sleep that somebody is in. Short sleeps are real.
type leaseClock struct {
	now      atomic.Int64
	sleepers chan sleeper
}

type sleeper struct {
	d    time.Duration
	done chan struct{}
}

func (c *leaseClock) Now() time.Time { return time.Unix(0, c.now.Load()).UTC() }

func (c *leaseClock) Sleep(ctx context.Context, d time.Duration) error {
	if d < time.Second {
		return clock.System{}.Sleep(ctx, d)
	}
	s := sleeper{d, make(chan struct{})}
	select {
	case c.sleepers <- s:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *leaseClock) step() time.Duration {
	s := <-c.sleepers
	c.now.Add(int64(s.d))
	close(s.done)
	return s.d
}

// TestDispatcherKeepsLease lets a handler run for more than three times the lease of its message.
func TestDispatcherKeepsLease(t *testing.T) {
	srv, p := inProcess(t)
	clk := &leaseClock{sleepers: make(chan sleeper)}
	clk.now.Store(time.Now().UnixNano())
	srv.SetTimeNowFunc(clk.Now)
	p.create(t, p.tasks())
	pub := p.publisher(t, pubsub.Options{})
	var calls atomic.Int32
	done := make(chan struct{})
	p.dispatch(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if calls.Add(1) > 1 {
			return
		}
		for passed := time.Duration(0); passed < 35*time.Second; {
			passed += clk.step()
			time.Sleep(10 * time.Millisecond) // a pull comes by
		}
		close(done)
	}), clk, pubsub.DispatcherOptions{Lease: 10 * time.Second, PollInterval: time.Millisecond})
	if err := pub.Publish(t.Context(), bus.TopicTasks, message("k", "slow")); err != nil {
		t.Fatal(err)
	}
	<-done
	if n := calls.Load(); n != 1 {
		t.Errorf("handled %d times, want once", n)
	}
}

func TestDispatcherStops(t *testing.T) {
	_, p := inProcess(t)
	p.create(t, p.tasks())
	pub := p.publisher(t, pubsub.Options{})
	begun := make(chan struct{}, 100)
	t.Run("with handlers running", func(t *testing.T) {
		p.dispatch(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun <- struct{}{}
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}), clock.System{}, pubsub.DispatcherOptions{Workers: 2})
		for i := range 5 {
			if err := pub.Publish(t.Context(), bus.TopicTasks, message(fmt.Sprint(i), "x")); err != nil {
				t.Fatal(err)
			}
		}
		<-begun
	})
	// what was not acknowledged has been given back and comes at once
	var seen atomic.Int32
	all := make(chan struct{})
	p.dispatch(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if seen.Add(1) == 5 {
			close(all)
		}
	}), clock.System{}, pubsub.DispatcherOptions{})
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		t.Errorf("%d of 5 messages came again", seen.Load())
	}
}
