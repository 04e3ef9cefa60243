package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Call is one request a sandbox received.
type Call struct {
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	Body   string    `json:"body,omitempty"` // the first 8 KiB
	Status int       `json:"status"`         // 0 when the connection was dropped
	At     time.Time `json:"at"`
}

const (
	maxCalls    = 20_000  // kept; older ones only count
	maxCallBody = 8 << 10 // bytes kept of a body
	maxBody     = 64 << 20
)

// Calls is a journal of requests, for assertions and for the call counts of benchmarks. The zero value is ready.
type Calls struct {
	mu     sync.Mutex
	recent []Call
	counts map[string]int
}

// Wrap records every call of a handler under the label that name gives it, such as "POST /invoices". keepBodies also
// keeps the beginning of each body.
func (c *Calls) Wrap(next http.Handler, now func() time.Time, name func(*http.Request) string, keepBodies bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, At: now()}
		if keepBodies {
			body, err := bufferBody(r)
			if err != nil {
				http.Error(w, "reading body: "+err.Error(), http.StatusBadRequest)
				return
			}
			call.Body = string(body[:min(len(body), maxCallBody)])
		}
		label := name(r)
		sw := &statusWriter{ResponseWriter: w}
		defer func() { // also when a fault aborts the connection
			call.Status = sw.status
			c.add(label, call)
		}()
		next.ServeHTTP(sw, r)
		if sw.status == 0 {
			sw.status = http.StatusOK // what net/http sends for a handler that wrote nothing
		}
	})
}

func (c *Calls) add(label string, call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[label]++
	c.recent = append(c.recent, call)
	if len(c.recent) > maxCalls {
		c.recent = slices.Clone(c.recent[maxCalls/2:])
	}
}

// Recent returns the calls kept, oldest first.
func (c *Calls) Recent() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.recent)
}

// Counts returns how many calls were received per label since the last Reset.
func (c *Calls) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.counts))
	for k, n := range c.counts {
		out[k] = n
	}
	return out
}

// Reset forgets all calls.
func (c *Calls) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent, c.counts = nil, nil
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// bufferBody reads the body and puts an equal one in its place.
func bufferBody(r *http.Request) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return nil, err
	}
	body := buf.Bytes()
	if len(body) > maxBody {
		return nil, fmt.Errorf("more than %d bytes", maxBody)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// LoopbackOnly lets only callers from this machine through: control interfaces are never part of a vendor's API.
func LoopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "the control interface answers only on loopback", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}
