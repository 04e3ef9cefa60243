package sandbox

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func byMethod(r *http.Request) string { return r.Method + " " + r.URL.Path }

func noon() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func TestCallsAreRecorded(t *testing.T) {
	var c Calls
	h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/drop":
			panic(http.ErrAbortHandler)
		case "/created":
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(body)
		case "/text":
			_, _ = io.WriteString(w, "x")
			w.WriteHeader(http.StatusTeapot) // too late
		}
	}), noon, byMethod, true)
	url := serve(t, h)
	if got := post(url+"/created?page=2", "body"); got.body != "body" {
		t.Errorf("the handler read %q", got.body)
	}
	post(url+"/text", "")
	post(url+"/nothing", strings.Repeat("y", maxCallBody+1))
	post(url+"/drop", "z")
	waitFor(t, func() bool { return len(c.Recent()) == 4 })
	want := []Call{
		{"POST", "/created", "page=2", "body", 201, noon()},
		{"POST", "/text", "", "", 200, noon()},
		{"POST", "/nothing", "", strings.Repeat("y", maxCallBody), 200, noon()},
		{"POST", "/drop", "", "z", 0, noon()},
	}
	for i, got := range c.Recent() {
		if got != want[i] {
			t.Errorf("call %d: %+v, want %+v", i, got, want[i])
		}
	}
	wantCounts := map[string]int{"POST /created": 1, "POST /text": 1, "POST /nothing": 1, "POST /drop": 1}
	if got := c.Counts(); !maps.Equal(got, wantCounts) {
		t.Errorf("counts: %v", got)
	}
	c.Reset()
	if len(c.Recent()) != 0 || len(c.Counts()) != 0 {
		t.Error("Reset forgot to forget")
	}
}

// waitFor waits for what a server does right after its client has seen the end of the connection.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it did not happen")
		}
	}
}

func TestBodiesAreOnlyKeptOnRequest(t *testing.T) {
	var c Calls
	h := c.Wrap(http.NotFoundHandler(), noon, byMethod, false)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("secret")))
	if got := c.Recent(); len(got) != 1 || got[0].Body != "" || got[0].Status != http.StatusNotFound {
		t.Errorf("recorded %+v", got)
	}
}

func TestAnUnreadableBodyIsRefused(t *testing.T) {
	var c Calls
	var f Faults
	called := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
	for name, h := range map[string]http.Handler{"calls": c.Wrap(called, noon, byMethod, true), "faults": f.Wrap(called)} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("a"), brokenReader{})))
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%s answered %d", name, rec.Code)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTheJournalIsBounded(t *testing.T) {
	var c Calls
	for i := range maxCalls + 1 {
		c.add("x", Call{Path: fmt.Sprint(i)})
	}
	recent := c.Recent()
	if len(recent) > maxCalls || recent[len(recent)-1].Path != fmt.Sprint(maxCalls) {
		t.Errorf("%d kept, the last is %s", len(recent), recent[len(recent)-1].Path)
	}
	if got := c.Counts()["x"]; got != maxCalls+1 {
		t.Errorf("counted %d", got)
	}
}

func TestLoopbackOnly(t *testing.T) {
	h := LoopbackOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for addr, want := range map[string]int{
		"127.0.0.1:999": 204, "127.9.9.9:1": 204, "[::1]:80": 204, "[::ffff:127.0.0.1]:80": 204,
		"10.0.0.1:80": 403, "[2001:db8::1]:80": 403, "localhost:80": 403, "": 403, "127.0.0.1": 403,
	} {
		rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = addr
		h.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("from %q: %d, want %d", addr, rec.Code, want)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	rec := httptest.NewRecorder()
	WriteJSON(rec, http.StatusConflict, map[string]any{"a": 1})
	if rec.Code != http.StatusConflict || rec.Header().Get("Content-Type") != "application/json" || strings.TrimSpace(rec.Body.String()) != `{"a":1}` {
		t.Errorf("wrote %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestTheConnectionIsReachableThroughTheJournal(t *testing.T) {
	var c Calls
	url := serve(t, c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
	}), noon, byMethod, false))
	if got := post(url, ""); got.err != nil {
		t.Error(got.err)
	}
}
