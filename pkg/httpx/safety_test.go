package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
)

func TestBaseURL(t *testing.T) {
	for in, ok := range map[string]bool{
		"https://api.invoiced.com": true, "https://api.invoiced.com/": true, "http://127.0.0.1:80": true, "http://localhost:1/q": true,
		"http://[::1]:80": true, "http://127.8.8.8": true, "http://api.invoiced.com": false, "http://127.evil.example": false,
		"http://localhost.evil.example": false, "": false, "api.invoiced.com": false, "https://": false, "://": false,
		"https://user:pass-word@h.example": false, "https://h.example?key=pass-word": false, "ftp://h.example": false,
	} {
		_, err := New(Options{BaseURL: in})
		if (err == nil) != ok {
			t.Errorf("New(%q): %v, want ok %v", in, err, ok)
		}
		if err != nil && strings.Contains(err.Error(), "pass-word") {
			t.Errorf("the error quotes a credential: %v", err)
		}
	}
}

func TestRedirects(t *testing.T) {
	other := &script{replies: []reply{{200, "stolen", nil}}}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	for _, c := range []struct {
		name, target string
		req          Request
		status       int
		calls        int
		class        connector.Class
	}{
		{"read within the host", "/y", read, 200, 2, ""},
		{"read to another host", elsewhere.URL + "/y", read, 0, 1, connector.ClassBadResponse},
		{"read to another scheme", "SCHEME", read, 0, 1, connector.ClassBadResponse},
		{"write within the host", "/y", write, 307, 1, ""},
		{"write to another host", elsewhere.URL + "/y", write, 307, 1, ""},
	} {
		s := &script{}
		cl, steps, srv := open(t, s, func(o *Options) {
			o.Authorize = func(_ context.Context, r *http.Request) error { r.Header.Set("Authorization", "Bearer x"); return nil }
		})
		if c.target == "SCHEME" {
			c.target = strings.Replace(srv.URL, "http:", "https:", 1)
		}
		s.replies = []reply{{307, "", map[string]string{"Location": c.target}}, {200, "", nil}}
		res, err := cl.Do(context.Background(), c.req)
		if s.count() != c.calls || other.count() != 0 || len(steps.sleeps()) != 0 {
			t.Errorf("%s: %d calls (want %d), %d elsewhere, slept %v", c.name, s.count(), c.calls, other.count(), steps.sleeps())
		}
		switch {
		case c.class != "" && (connector.ClassOf(err) != c.class || connector.Ambiguous(err)):
			t.Errorf("%s: error %v", c.name, err)
		case c.class == "" && (err != nil || res.Status != c.status):
			t.Errorf("%s: %+v, %v", c.name, res, err)
		}
	}
}

func TestARedirectLoopEnds(t *testing.T) {
	s := &script{replies: []reply{{302, "", map[string]string{"Location": "/x"}}}}
	cl, _, _ := open(t, s, nil)
	if _, err := cl.Do(context.Background(), read); connector.ClassOf(err) != connector.ClassBadResponse {
		t.Errorf("error %v", err)
	}
	if s.count() > 5 {
		t.Errorf("%d calls", s.count())
	}
}

// TestLostAnswers: a write whose answer is lost may have happened; one that was never sent has not.
func TestLostAnswers(t *testing.T) {
	drop := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			fmt.Fprint(buf, after)
			_ = buf.Flush()
			_ = conn.Close()
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	_ = closed.Close()
	release := make(chan struct{})
	defer close(release) // before the servers are closed, which waits for their handlers
	for _, c := range []struct {
		name      string
		handler   http.HandlerFunc
		base      string
		ambiguous bool
	}{
		{"connection dropped", drop(""), "", true},
		{"answer cut off", drop("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf"), "", true},
		{"garbage", drop("what is this\r\n\r\n"), "", true},
		{"time-out", func(http.ResponseWriter, *http.Request) { <-release }, "", true},
		{"nobody listens", nil, nobody, false},
	} {
		cl, _, srv := open(t, c.handler, func(o *Options) {
			o.ReadAttempts = 1
			if c.base != "" {
				o.BaseURL = c.base
			}
		})
		w, r := write, read
		w.Timeout, r.Timeout = 200*time.Millisecond, 200*time.Millisecond
		w.Query = url.Values{"mail": {"jane@acme.example"}}
		_, err := cl.Do(context.Background(), w)
		if connector.ClassOf(err) != connector.ClassRetry || connector.Ambiguous(err) != c.ambiguous {
			t.Errorf("%s: write gives %v, want ambiguous %v", c.name, err, c.ambiguous)
		}
		if strings.Contains(err.Error(), "jane") || strings.Contains(err.Error(), srv.URL+"/x") {
			t.Errorf("%s: the error holds the URL: %v", c.name, err)
		}
		if _, err = cl.Do(context.Background(), r); connector.ClassOf(err) != connector.ClassRetry || connector.Ambiguous(err) {
			t.Errorf("%s: read gives %v", c.name, err)
		}
	}
}

// TestTheTransportRepeatsNoWrite: net/http itself sends a request again when a connection that was used before breaks,
// provided it carries an idempotency key and its body can be read twice.
func TestTheTransportRepeatsNoWrite(t *testing.T) {
	for name, body := range map[string]string{"with a body": "{}", "without one": ""} {
		for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
			var calls atomic.Int32
			cl, _, _ := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got, _ := io.ReadAll(r.Body); string(got) != body || len(r.TransferEncoding) > 0 || r.Header.Get("Idempotency-Key") != "k" {
					t.Errorf("%s: body %q, transfer encoding %v, headers %v", r.Method, got, r.TransferEncoding, r.Header)
				}
				if calls.Add(1) == 1 {
					return // the connection stays open
				}
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_ = conn.Close()
				}
			}), nil)
			w := Request{Op: "writing x", Method: method, Path: "/x", Write: true, Body: []byte(body), Header: http.Header{"Idempotency-Key": {"k"}}}
			if _, err := cl.Do(context.Background(), w); err != nil {
				t.Fatal(err)
			}
			if _, err := cl.Do(context.Background(), w); !connector.Ambiguous(err) {
				t.Errorf("%s %s: error %v, want an ambiguous one", method, name, err)
			}
			if n := calls.Load(); n != 2 {
				t.Errorf("%s %s: the second write arrived %d times", method, name, n-1)
			}
		}
	}
}

func TestACancelledCallIsNotSent(t *testing.T) {
	s := &script{replies: []reply{{500, "", nil}}}
	cl, steps, _ := open(t, s, nil)
	ctx, cancel := context.WithCancel(context.Background())
	steps.hook = func(int) { cancel() }
	if _, err := cl.Do(ctx, read); connector.ClassOf(err) != connector.ClassRetry {
		t.Errorf("error %v", err)
	}
	if s.count() != 1 {
		t.Errorf("%d calls, want none after the cancellation", s.count())
	}
}

func TestAuthorizationThatFails(t *testing.T) {
	s := &script{replies: []reply{{200, "", nil}}}
	cl, _, _ := open(t, s, func(o *Options) {
		o.Authorize = func(context.Context, *http.Request) error { return errors.New("no grant") }
	})
	_, err := cl.Do(context.Background(), write)
	if connector.ClassOf(err) != connector.ClassAuth || connector.Ambiguous(err) || s.count() != 0 {
		t.Errorf("error %v after %d calls", err, s.count())
	}
}

func TestRequestsThatCanNotBeBuilt(t *testing.T) {
	cl, _, _ := open(t, &script{replies: []reply{{200, "", nil}}}, nil)
	for _, r := range []Request{{Op: "x", Method: "BAD METHOD", Path: "/"}, {Op: "x", Method: "GET", Path: "/%zz?m=jane@acme.example"}} {
		_, err := cl.Do(context.Background(), r)
		if connector.ClassOf(err) != connector.ClassBug || strings.Contains(err.Error(), "jane") {
			t.Errorf("%+v gives %v", r, err)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "86401": 24 * time.Hour, "1.5": 0, "soon": 0,
		"9223372036854775807":           24 * time.Hour,
		"Sun, 31 May 2026 12:00:30 GMT": 30 * time.Second, "Sun, 31 May 2026 11:00:00 GMT": 0, "Sun, 31 May 2099 12:00:00 GMT": 24 * time.Hour,
	} {
		if got := parseRetryAfter(in, now); got != want {
			t.Errorf("parseRetryAfter(%q) = %s, want %s", in, got, want)
		}
	}
}
