package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/logging"
	"github.com/arbridge/arbridge/pkg/meter"
)

// watcher is an Observer that puts a trace into the context and keeps what it is told.
type watcher struct {
	begun []string
	ended []int
}

func (w *watcher) Begin(ctx context.Context, name, method string) (context.Context, func(int)) {
	w.begun = append(w.begun, name+" "+method)
	return logging.InTrace(ctx, logging.Trace{ID: strings.Repeat("cd", 16), Span: strings.Repeat("ef", 8), Sampled: true}),
		func(status int) { w.ended = append(w.ended, status) }
}

// TestObserver: every request, handled or not, begins and ends once, and is counted by the class of its status.
func TestObserver(t *testing.T) {
	draining := new(Drain)
	draining.Begin()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		body    string
		drain   *Drain
		status  int
		class   string
	}{
		"fine":      {func(http.ResponseWriter, *http.Request) {}, "", nil, 200, "2xx"},
		"refused":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "", nil, 404, "4xx"},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "", nil, 503, "5xx"},
		"panic":     {func(http.ResponseWriter, *http.Request) { panic("x") }, "", nil, 500, "5xx"},
		"cut":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", nil, 500, "5xx"},
		"cut later": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("x") }, "", nil, 500, "5xx"},
		"too large": {readAll, "12345", nil, 413, "4xx"},
		"draining":  {readAll, "", draining, 503, "5xx"},
	} {
		t.Run(name, func(t *testing.T) {
			w, counted := &watcher{}, &meter.Recorder{}
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			_, lines := call(t, Options{Observe: w, Meter: meter.New(counted), MaxBody: 4, Drain: c.drain}, r, c.handler)
			if len(w.begun) != 1 || w.begun[0] != "test POST" || len(w.ended) != 1 || w.ended[0] != c.status {
				t.Errorf("begun %v and ended %v, want once with %d", w.begun, w.ended, c.status)
			}
			if n, _ := counted.Value("arbridge.requests", "test", c.class); n != 1 || len(counted.All()) != 1 {
				t.Errorf("counted %v, want one of %s", counted.All(), c.class)
			}
			for _, line := range lines {
				if line["logging.googleapis.com/trace"] != strings.Repeat("cd", 16) || line["logging.googleapis.com/spanId"] != strings.Repeat("ef", 8) {
					t.Errorf("logged outside of the observer's span: %v", line)
				}
			}
		})
	}
}

// late is an Observer that looks, at the end of a request, whether the process might end already.
type late struct {
	drain  *Drain
	active int
}

func (l *late) Begin(ctx context.Context, _, _ string) (context.Context, func(int)) {
	return ctx, func(int) { l.active = l.drain.Active() }
}

// TestObserverIsToldBeforeTheEnd: a process that drains ends when no request is in flight; by then everything is told about
// the last one.
func TestObserverIsToldBeforeTheEnd(t *testing.T) {
	l := &late{drain: new(Drain)}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	call(t, Options{Observe: l, Drain: l.drain}, r, func(http.ResponseWriter, *http.Request) {})
	if l.active != 1 || l.drain.Active() != 0 {
		t.Errorf("%d requests were in flight at its end, %d after it", l.active, l.drain.Active())
	}
}
