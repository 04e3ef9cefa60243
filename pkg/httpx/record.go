package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// ErrRecorded is the end of a write that a Recorder kept instead of sending it.
var ErrRecorded = errors.New("recorded and not sent: this is a preview")

// Call is a write as it would have been sent. It has no headers, because they carry the credentials.
type Call struct {
	Op          string // what it does: "creating invoice 104233"
	Method      string
	URL         string // scheme, host and path
	Path        string // path and query
	ContentType string
	Body        []byte
}

// Recorder is a transport that lets reads pass and keeps writes: they end with ErrRecorded, which clients report as a clear
// refusal. What is a write is told by the client (Request.Write), not by the method, because there are vendors whose reads
// are POSTs. A request of no client of this package that is neither GET nor HEAD counts as a write.
type Recorder struct {
	// Next makes the reads.
	Next http.RoundTripper

	mu    sync.Mutex
	calls []Call
}

// Calls are the writes so far, in their order.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Call(nil), r.calls...)
}

// RoundTrip implements http.RoundTripper.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	about, known := req.Context().Value(requestKey{}).(Request)
	if known && !about.Write || !known && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		return r.Next.RoundTrip(req)
	}
	c := Call{Op: about.Op, Method: req.Method, Path: req.URL.RequestURI(), ContentType: req.Header.Get("Content-Type")}
	target := *req.URL
	target.RawQuery, target.User = "", nil
	c.URL = target.String()
	if req.Body != nil {
		var err error
		if c.Body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	return nil, ErrRecorded
}

// requestKey is the place of the Request in the context of what is sent for it.
type requestKey struct{}

// describe makes the request known to the transport.
func describe(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}
