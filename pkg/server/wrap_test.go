package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/logging"
)

// call sends one request through a wrapped handler and returns the answer and the log lines.
func call(t *testing.T, o Options, r *http.Request, h http.HandlerFunc) (*httptest.ResponseRecorder, []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	o.Logger = logging.New(&out, slog.LevelDebug, logging.FormatJSON, "")
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
				t.Errorf("panic %v came through", p)
			}
		}()
		Wrap("test", h, o).ServeHTTP(rec, r)
	}()
	var lines []map[string]any
	for text := range strings.Lines(out.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return rec, lines
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

func readAll(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		http.Error(w, "bad body", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "fine")
}

func TestOneLineForEachRequest(t *testing.T) {
	r := get("/invoices/1?token=abcdef")
	r.Header.Set("Traceparent", "00-"+strings.Repeat("ab", 16)+"-00f067aa0ba902b7-01")
	now := clock.NewMovable(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	rec, lines := call(t, Options{Clock: now}, r, func(w http.ResponseWriter, _ *http.Request) {
		now.Advance(time.Hour)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "hello")
	})
	if rec.Code != http.StatusAccepted || len(lines) != 1 {
		t.Fatalf("status %d, %d lines", rec.Code, len(lines))
	}
	line, _ := json.Marshal(lines[0])
	if strings.Contains(string(line), "abcdef") {
		t.Errorf("the query was logged: %s", line)
	}
	for _, want := range []string{`"method":"GET"`, `"path":"/invoices/1"`, `"status":202`, `"bytes":5`, `"handler":"test"`,
		`"severity":"INFO"`, `"ms":3600`, strings.Repeat("ab", 16)} {
		if !strings.Contains(string(line), want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
}

func TestStatusesAsLogged(t *testing.T) {
	tests := []struct {
		name     string
		h        http.HandlerFunc
		status   string
		severity string
	}{
		{"nothing written is 200", func(http.ResponseWriter, *http.Request) {}, "200", "INFO"},
		{"write alone is 200", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }, "200", "INFO"},
		{"first status counts", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); _, _ = w.Write(nil) }, "404", "INFO"},
		{"early hints are no answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(201) }, "201", "INFO"},
		{"a failure is a warning", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "503", "WARNING"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, lines := call(t, Options{}, get("/"), tt.h)
			text, _ := json.Marshal(lines[0])
			if !strings.Contains(string(text), `"status":`+tt.status) || lines[0]["severity"] != tt.severity {
				t.Errorf("logged %s", text)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	ignore := func(w http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }
	own := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusOK) // a handler that had enough may still succeed
	}
	tests := []struct {
		name    string
		size    int
		chunked bool
		h       http.HandlerFunc
		want    int
	}{
		{"at the limit", 10, false, readAll, http.StatusOK},
		{"above, announced", 11, false, readAll, http.StatusRequestEntityTooLarge},
		{"above, chunked, handler answers 400", 11, true, readAll, http.StatusRequestEntityTooLarge},
		{"above, chunked, handler answers nothing", 11, true, ignore, http.StatusRequestEntityTooLarge},
		{"above, chunked, handler answers 200", 11, true, own, http.StatusOK},
		{"at the limit, chunked", 10, true, readAll, http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(Wrap("t", tt.h, Options{MaxBody: 10}))
			defer srv.Close()
			var body io.Reader = strings.NewReader(strings.Repeat("x", tt.size))
			if tt.chunked {
				body = io.MultiReader(body) // hides the length
			}
			res, err := http.Post(srv.URL, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != tt.want {
				t.Errorf("status %d, want %d", res.StatusCode, tt.want)
			}
		})
	}
}

func TestAnnouncedBodyNeverReachesTheHandler(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("12345678901"))
	rec, _ := call(t, Options{MaxBody: 10}, r, func(http.ResponseWriter, *http.Request) { t.Error("handler was called") })
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", rec.Code)
	}
}

func TestDeadline(t *testing.T) {
	rec, _ := call(t, Options{Timeout: time.Millisecond}, get("/"), func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		if !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
			t.Errorf("context ended with %v", r.Context().Err())
		}
		w.WriteHeader(http.StatusGatewayTimeout)
	})
	if rec.Code != http.StatusGatewayTimeout {
		t.Errorf("status %d", rec.Code)
	}
}

func TestPanicIsOneLineAnd500(t *testing.T) {
	drain := new(Drain)
	rec, lines := call(t, Options{Drain: drain}, get("/x"), func(http.ResponseWriter, *http.Request) {
		panic(errors.New("mail of jane@example.com"))
	})
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "jane") {
		t.Errorf("answer %d %q", rec.Code, rec.Body)
	}
	if len(lines) != 2 || lines[0]["message"] != "panic" || lines[0]["severity"] != "ERROR" || lines[1]["message"] != "request" {
		t.Fatalf("lines: %v", lines)
	}
	if lines[0]["error"] != "mail of [email]" || !strings.Contains(lines[0]["stack"].(string), "wrap_test.go") {
		t.Errorf("panic line: %v", lines[0])
	}
	if drain.Active() != 0 {
		t.Errorf("%d requests still count", drain.Active())
	}
}

func TestAbortedAnswers(t *testing.T) {
	tests := map[string]struct {
		h     http.HandlerFunc
		lines int
	}{
		"abort goes through": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1},
		"a panic in mid-answer aborts": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("boom")
		}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			drain := new(Drain)
			_, lines := call(t, Options{Drain: drain}, get("/"), tt.h)
			if len(lines) != tt.lines || lines[len(lines)-1]["aborted"] != true || lines[len(lines)-1]["severity"] != "WARNING" {
				t.Errorf("lines: %v", lines)
			}
			if drain.Active() != 0 {
				t.Errorf("%d requests still count", drain.Active())
			}
			srv := httptest.NewServer(Wrap("t", tt.h, Options{}))
			defer srv.Close()
			res, err := http.Get(srv.URL)
			if err == nil {
				defer res.Body.Close()
				if _, err = io.ReadAll(res.Body); err == nil {
					t.Error("the client took the answer for a whole one")
				}
			}
		})
	}
}

func TestTheConnectionStaysReachable(t *testing.T) {
	srv := httptest.NewServer(Wrap("t", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "part")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
	}), Options{}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ContentLength != -1 {
		t.Errorf("length %d: the answer was not flushed in parts", res.ContentLength)
	}
}
