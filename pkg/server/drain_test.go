package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/logging"
)

// patience bounds how long a test waits for something that happens at once unless it is broken.
const patience = 30 * time.Second

// slow is a handler that says when it has started and answers when it is told to.
type slow struct{ started, finish chan struct{} }

func newSlow() slow { return slow{started: make(chan struct{}), finish: make(chan struct{})} }

func (s slow) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	close(s.started)
	<-s.finish
	_, _ = io.WriteString(w, "done")
}

type answer struct {
	status int
	body   string
	err    error
}

func fetch(url string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			out <- answer{err: err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		out <- answer{res.StatusCode, string(body), err}
	}()
	return out
}

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

func TestSIGTERMLetsRequestsFinish(t *testing.T) {
	drain, h := new(Drain), newSlow()
	srv := httptest.NewServer(Wrap("slow", h, Options{Drain: drain}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var out bytes.Buffer
	released, code := make(chan int, 1), make(chan int, 1)
	ready := make(chan struct{})
	go func() {
		close(ready)
		drain.ExitOnSignal(ctx, logging.New(&out, slog.LevelInfo, logging.FormatJSON, ""), func(context.Context) error {
			released <- drain.Active()
			return nil
		}, func(c int) { code <- c })
	}()
	<-ready
	running := fetch(srv.URL)
	receive(t, "start of the request", h.started)
	terminate(t, drain)

	if got := receive(t, "answer to a new request", fetch(srv.URL)); got.status != http.StatusServiceUnavailable {
		t.Errorf("new request: %+v, want 503", got)
	}
	select {
	case c := <-code:
		t.Fatalf("exit(%d) while a request is running", c)
	default:
	}
	close(h.finish)
	if got := receive(t, "answer to the running request", running); got.status != http.StatusOK || got.body != "done" {
		t.Errorf("running request: %+v, want 200 done", got)
	}
	if n := receive(t, "release", released); n != 0 {
		t.Errorf("released with %d requests in flight", n)
	}
	if c := receive(t, "exit", code); c != 0 {
		t.Errorf("exit code %d", c)
	}
}

// terminate sends SIGTERM to this process until the drain has begun: the first may come before anybody listens, and is
// then caught by the channel below instead of ending the test.
func terminate(t *testing.T, drain *Drain) {
	t.Helper()
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGTERM)
	defer signal.Stop(caught)
	limit := time.After(patience)
	for !drain.Draining() {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-limit:
			t.Fatal("SIGTERM did not begin the drain")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestExitOnSignalEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	new(Drain).ExitOnSignal(ctx, slog.New(slog.DiscardHandler), nil, func(c int) { t.Errorf("exit(%d)", c) })
}

func TestShutDownCodes(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		active  bool
		release func(context.Context) error
		want    int
	}{
		{"nothing to do", context.Background(), false, nil, 0},
		{"released", context.Background(), false, func(context.Context) error { return nil }, 0},
		{"release fails", context.Background(), false, func(context.Context) error { return errors.New("disk full") }, 1},
		{"request hangs", ended, true, nil, 1},
		{"release hangs", ended, false, func(context.Context) error { select {} }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			drain := new(Drain)
			if tt.active && !drain.enter() {
				t.Fatal("turned away before Begin")
			}
			if got := drain.shutDown(tt.ctx, quiet, tt.release); got != tt.want {
				t.Errorf("code %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTheWholeShutdownFitsIntoCloudRunsGrace(t *testing.T) {
	if grace >= 8*time.Second || drainGrace >= grace {
		t.Errorf("grace %s with %s for requests: must be below 8 s and leave time to release", grace, drainGrace)
	}
}

func TestDrainCounts(t *testing.T) {
	d := new(Drain)
	for range 2 {
		if !d.enter() {
			t.Fatal("turned away before Begin")
		}
	}
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	d.leave()
	if err := d.Wait(expired); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 requests") {
		t.Errorf("Wait before Begin: %v", err)
	}
	d.Begin()
	d.Begin() // twice is once
	if d.enter() {
		t.Error("entered after Begin")
	}
	if err := d.Wait(expired); err == nil {
		t.Error("Wait returned with a request in flight")
	}
	d.leave()
	for range 2 {
		if err := d.Wait(context.Background()); err != nil {
			t.Errorf("Wait with nothing in flight: %v", err)
		}
	}
}

func TestServeEndsInOrder(t *testing.T) {
	type ctxKey struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), ctxKey{}, "v"))
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newSlow()
	ended := make(chan error, 1)
	go func() {
		ended <- ServeListener(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			if r.Context().Err() != nil || r.Context().Value(ctxKey{}) != "v" {
				t.Errorf("request context: err %v, value %v", r.Context().Err(), r.Context().Value(ctxKey{}))
			}
		}))
	}()
	running := fetch("http://" + l.Addr().String())
	receive(t, "start of the request", h.started)
	cancel()
	for { // until the listener is closed, so that the request below really outlives the end of ctx
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(h.finish)
	if got := receive(t, "answer", running); got.status != http.StatusOK || got.body != "done" {
		t.Errorf("running request: %+v", got)
	}
	if err := receive(t, "end of Serve", ended); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeReportsWhyItCannot(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Serve(t.Context(), l.Addr().String(), http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "listening on") {
		t.Errorf("address in use: %v", err)
	}
	l.Close()
	if err := ServeListener(t.Context(), l, http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "serving on") {
		t.Errorf("closed listener: %v", err)
	}
}

func TestServerHasTimeLimits(t *testing.T) {
	s := newServer(t.Context(), http.NotFoundHandler())
	for name, d := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if d <= 0 {
			t.Errorf("no limit for %s", name)
		}
	}
	if s.WriteTimeout <= MaxTimeout { // the answer of a handler that took its time could not be written
		t.Errorf("an answer is cut off after %s, and a handler may take %s", s.WriteTimeout, MaxTimeout)
	}
	if s.MaxHeaderBytes <= 0 || s.ErrorLog == nil || s.BaseContext == nil {
		t.Error("header size, error log or base context is left to the default")
	}
}
