package httpx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
)

// stepping is a movable clock on which every sleep passes at once; it keeps what was slept.
type stepping struct {
	*clock.Movable
	mu    sync.Mutex
	slept []time.Duration
	hook  func(n int) // called in the n-th sleep, from 1
}

func newStepping() *stepping {
	return &stepping{Movable: clock.NewMovable(time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC))}
}

func (s *stepping) Sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	s.slept = append(s.slept, d)
	n := len(s.slept)
	s.mu.Unlock()
	s.Advance(d)
	if s.hook != nil {
		s.hook(n)
	}
	return ctx.Err()
}

func (s *stepping) sleeps() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.slept...)
}

// reply is one hand-written answer.
type reply struct {
	status int
	body   string
	header map[string]string
}

// script answers with the replies one after the other, the last one again and again, and counts the calls.
type script struct {
	mu      sync.Mutex
	replies []reply
	calls   []*http.Request
	bodies  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls, s.bodies = append(s.calls, r), append(s.bodies, string(body))
	a := s.replies[0]
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	s.mu.Unlock()
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// open starts the vendor and a client of it on a stepping clock.
func open(t *testing.T, h http.Handler, change func(*Options)) (*Client, *stepping, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	steps := newStepping()
	opt := Options{BaseURL: srv.URL, Clock: steps, PerSecond: 1000}
	if change != nil {
		change(&opt)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c, steps, srv
}

var (
	read  = Request{Op: "reading x", Method: http.MethodGet, Path: "/x"}
	write = Request{Op: "writing x", Method: http.MethodPost, Path: "/x", Write: true, Body: []byte("{}"), ContentType: "application/json"}
)

func TestOnlyReadsAreRepeated(t *testing.T) {
	for _, c := range []struct {
		name      string
		req       Request
		replies   []reply
		calls     int
		status    int // of the answer, 0 for an error
		class     connector.Class
		ambiguous bool
	}{
		{"read that works", read, []reply{{200, "a", nil}}, 1, 200, "", false},
		{"read after two faults", read, []reply{{503, "", nil}, {429, "", nil}, {200, "a", nil}}, 3, 200, "", false},
		{"read that never works", read, []reply{{500, "", nil}}, 5, 0, connector.ClassRetry, false},
		{"read that is refused", read, []reply{{404, "", nil}}, 1, 404, "", false},
		{"write that works", write, []reply{{201, "a", nil}}, 1, 201, "", false},
		{"write with a fault", write, []reply{{500, "", nil}, {200, "", nil}}, 1, 0, connector.ClassRetry, true},
		{"write behind a broken edge", write, []reply{{502, "<html>", nil}}, 1, 0, connector.ClassRetry, true},
		{"write that is throttled", write, []reply{{429, "", nil}, {200, "", nil}}, 1, 0, connector.ClassRetry, false},
		{"write that is refused", write, []reply{{400, "no", nil}}, 1, 400, "", false},
	} {
		s := &script{replies: c.replies}
		cl, _, _ := open(t, s, nil)
		res, err := cl.Do(context.Background(), c.req)
		if s.count() != c.calls {
			t.Errorf("%s: %d calls, want %d", c.name, s.count(), c.calls)
		}
		if c.status > 0 {
			if err != nil || res.Status != c.status {
				t.Errorf("%s: %+v, %v; want status %d", c.name, res, err, c.status)
			}
			continue
		}
		var e *connector.Error
		if !errors.As(err, &e) || e.Class != c.class || e.Ambiguous != c.ambiguous || e.Op != c.req.Op || e.Status == 0 {
			t.Errorf("%s: %+v, want class %s, ambiguous %v", c.name, err, c.class, c.ambiguous)
		}
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	cl, steps, _ := open(t, &script{replies: []reply{{500, "", nil}}}, func(o *Options) {
		o.ReadAttempts, o.MinBackoff, o.MaxBackoff = 6, time.Second, 4*time.Second
	})
	if _, err := cl.Do(context.Background(), read); err == nil {
		t.Fatal("no error")
	}
	limits := []time.Duration{1, 2, 4, 4, 4}
	slept := steps.sleeps()
	if len(slept) != len(limits) {
		t.Fatalf("slept %v", slept)
	}
	for i, d := range slept {
		if limit := limits[i] * time.Second; d < limit/2 || d > limit {
			t.Errorf("pause %d is %s, want between half of %s and all of it", i, d, limit)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	at := newStepping().Now().Add(20 * time.Second).Format(http.TimeFormat)
	for _, c := range []struct {
		name, wish string
		low, high  time.Duration // of the wait, 0 for none
		returned   bool          // as an error at once
	}{
		{"seconds", "7", 6 * time.Second, 7 * time.Second, false},
		{"a date", at, 17 * time.Second, 20 * time.Second, false},
		{"none", "", time.Second, 2 * time.Second, false},
		{"unreadable", "soon", time.Second, 2 * time.Second, false},
		{"longer than we wait", "31", 31 * time.Second, 31 * time.Second, true},
	} {
		s := &script{replies: []reply{{429, "", map[string]string{"Retry-After": c.wish}}, {200, "", nil}}}
		cl, steps, _ := open(t, s, nil)
		_, err := cl.Do(context.Background(), read)
		var e *connector.Error
		if c.returned {
			if !errors.As(err, &e) || e.RetryAfter != c.low || e.Class != connector.ClassRetry || s.count() != 1 || len(steps.sleeps()) != 0 {
				t.Errorf("%s: %+v after %d calls, slept %v", c.name, err, s.count(), steps.sleeps())
			}
			continue
		}
		var total time.Duration
		for _, d := range steps.sleeps() {
			total += d
		}
		if err != nil || s.count() != 2 || total < c.low || total > c.high+time.Second {
			t.Errorf("%s: %v, %d calls, slept %s", c.name, err, s.count(), total)
		}
	}
}

// TestNoCallWhileTheVendorWantsNone: after a long wish no call leaves, of whatever kind, until its time has come.
func TestNoCallWhileTheVendorWantsNone(t *testing.T) {
	s := &script{replies: []reply{{429, "", map[string]string{"Retry-After": "600"}}, {200, "", nil}}}
	cl, steps, _ := open(t, s, nil)
	if _, err := cl.Do(context.Background(), write); connector.ClassOf(err) != connector.ClassRetry {
		t.Fatalf("error %v", err)
	}
	for range 3 {
		_, err := cl.Do(context.Background(), write)
		var e *connector.Error
		if !errors.As(err, &e) || e.RetryAfter < 590*time.Second || e.Ambiguous {
			t.Errorf("error %+v, want an unambiguous one with the rest of the wait", err)
		}
	}
	if s.count() != 1 {
		t.Errorf("%d calls reached the vendor, want 1", s.count())
	}
	steps.Advance(590 * time.Second)
	if _, err := cl.Do(context.Background(), write); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	slept := steps.sleeps()
	if len(slept) != 1 || slept[0] > 10*time.Second {
		t.Errorf("slept %v, want the last ten seconds at most", slept)
	}
}

// TestAPauseThatComesWhileWaiting: a call that waits for its turn looks again, because another was throttled meanwhile.
func TestAPauseThatComesWhileWaiting(t *testing.T) {
	cl, steps, _ := open(t, &script{replies: []reply{{200, "", nil}}}, func(o *Options) { o.PerSecond = 1 })
	steps.hook = func(n int) {
		if n == 1 {
			cl.close(15 * time.Second)
		}
	}
	for range 2 {
		if _, err := cl.Do(context.Background(), read); err != nil {
			t.Fatal(err)
		}
	}
	slept := steps.sleeps()
	if len(slept) != 2 || slept[1] < 14*time.Second || slept[1] > 15*time.Second {
		t.Errorf("slept %v, want our pace and then the vendor's fifteen seconds", slept)
	}
}

func TestPace(t *testing.T) {
	cl, steps, _ := open(t, &script{replies: []reply{{200, "", nil}}}, func(o *Options) { o.PerSecond = 2 })
	begin := steps.Now()
	for range 9 {
		if _, err := cl.Do(context.Background(), read); err != nil {
			t.Fatal(err)
		}
	}
	if took := steps.Now().Sub(begin); took < 4*time.Second {
		t.Errorf("nine calls at two a second took %s, want four seconds", took)
	}
	if n := len(steps.sleeps()); n != 8 {
		t.Errorf("%d pauses, want 8", n)
	}
}

// TestRefusedCallsCostNoTurn: calls that fail because the vendor wants none must not push later ones back.
func TestRefusedCallsCostNoTurn(t *testing.T) {
	cl, steps, _ := open(t, &script{replies: []reply{{429, "", map[string]string{"Retry-After": "60"}}, {200, "", nil}}},
		func(o *Options) { o.PerSecond = 1 })
	for range 50 {
		if _, err := cl.Do(context.Background(), write); connector.ClassOf(err) != connector.ClassRetry {
			t.Fatalf("error %v", err)
		}
	}
	steps.Advance(time.Minute)
	if _, err := cl.Do(context.Background(), write); err != nil {
		t.Fatal(err)
	}
	if slept := steps.sleeps(); len(slept) != 0 {
		t.Errorf("slept %v after the vendor's wait was over", slept)
	}
}

func TestCallsInFlightAreBounded(t *testing.T) {
	var now, most atomic.Int32
	release := make(chan struct{})
	cl, _, _ := open(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
	}), func(o *Options) { o.Parallel = 3 })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := cl.Do(context.Background(), read); err != nil {
				t.Error(err)
			}
		})
	}
	for now.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cl.Do(ctx, write); connector.ClassOf(err) != connector.ClassRetry || connector.Ambiguous(err) {
		t.Errorf("a call that never got its turn gives %v", err)
	}
	close(release)
	wg.Wait()
	if most.Load() != 3 {
		t.Errorf("%d calls at once, want 3", most.Load())
	}
}

func TestSizeLimit(t *testing.T) {
	big := strings.Repeat("x", 101)
	for _, c := range []struct {
		name      string
		req       Request
		status    int
		perCall   int64
		class     connector.Class
		ambiguous bool
	}{
		{"read", read, 200, 0, connector.ClassBadResponse, false},
		{"write", write, 201, 0, connector.ClassBadResponse, true},
		{"allowed for this call", read, 200, 101, "", false},
		{"fault", write, 500, 0, connector.ClassRetry, true},
		{"throttled", write, 429, 0, connector.ClassRetry, false},
	} {
		cl, _, _ := open(t, &script{replies: []reply{{c.status, big, nil}}}, func(o *Options) { o.MaxBody, o.ReadAttempts = 100, 1 })
		c.req.MaxBody = c.perCall
		res, err := cl.Do(context.Background(), c.req)
		if c.class == "" {
			if err != nil || len(res.Body) != 101 {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if connector.ClassOf(err) != c.class || connector.Ambiguous(err) != c.ambiguous {
			t.Errorf("%s: %v, want %s ambiguous %v", c.name, err, c.class, c.ambiguous)
		}
	}
}

func TestRequestIsBuiltAsAsked(t *testing.T) {
	var logs bytes.Buffer
	s := &script{replies: []reply{{200, `{"a":1}`, map[string]string{"X-Total-Count": "7"}}}}
	cl, _, _ := open(t, s, func(o *Options) {
		o.BaseURL += "/v1/"
		o.UserAgent = "arbridge-test"
		o.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Authorize = func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer fixture-token")
			return nil
		}
	})
	r := write
	r.Query = url.Values{"mail": {"jane@acme.example"}}
	r.Header = http.Header{"Idempotency-Key": {"k"}}
	res, err := cl.Do(context.Background(), r)
	if err != nil || res.Status != 200 || string(res.Body) != `{"a":1}` || res.Header.Get("X-Total-Count") != "7" {
		t.Fatalf("%+v, %v", res, err)
	}
	got := s.calls[0]
	if got.URL.Path != "/v1/x" || got.URL.Query().Get("mail") != "jane@acme.example" || s.bodies[0] != "{}" {
		t.Errorf("request %s with %q", got.URL, s.bodies[0])
	}
	for k, want := range map[string]string{"User-Agent": "arbridge-test", "Content-Type": "application/json", "Idempotency-Key": "k", "Authorization": "Bearer fixture-token"} {
		if got.Header.Get(k) != want {
			t.Errorf("%s = %q, want %q", k, got.Header.Get(k), want)
		}
	}
	if l := logs.String(); !strings.Contains(l, "writing x") || strings.Contains(l, "fixture-token") || strings.Contains(l, "jane") {
		t.Errorf("log %s", l)
	}
}
