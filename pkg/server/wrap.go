// Package server puts the same guards around every HTTP handler, whether Cloud Run's functions framework or the embedded
// process serves it: a limit on the body, a deadline, recovery from panics, one log line a request, and an orderly end on
// SIGTERM (gcp-go-stack 3.1, 3.2). The framework itself has none of these.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/logging"
	"github.com/arbridge/arbridge/pkg/meter"
)

// Options of Wrap. Zero values take the defaults named.
type Options struct {
	MaxBody int64         // bytes of a request's body, 1 MiB
	Timeout time.Duration // until the request's context ends, 60 s, at most MaxTimeout
	Logger  *slog.Logger  // none
	Clock   clock.Clock   // System; measures how long a request takes
	Drain   *Drain        // none: requests are neither counted nor turned away
	Meter   meter.Meter   // counts requests; none
	Observe Observer      // none
}

// MaxTimeout is the longest time that a request may take. It is above that of every handler.
const MaxTimeout = 30 * time.Minute

// Observer is told of every request, such as a tracer.
type Observer interface {
	// Begin is called when the handling of a request begins, which goes on with the context returned. The function returned
	// is called once, with the status answered, or 500 when the connection was cut.
	Begin(ctx context.Context, name, method string) (context.Context, func(status int))
}

// unobserved is the Observer of those who have none.
type unobserved struct{}

// Begin implements Observer.
func (unobserved) Begin(ctx context.Context, _, _ string) (context.Context, func(int)) {
	return ctx, func(int) {}
}

func (o Options) withDefaults() Options {
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 60 * time.Second
	}
	o.Timeout = min(o.Timeout, MaxTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Drain == nil {
		o.Drain = new(Drain)
	}
	if o.Observe == nil {
		o.Observe = unobserved{}
	}
	return o
}

// Wrap guards a handler; name stands in its log lines. A body above MaxBody is answered 413: at once when its length is
// announced, else as soon as the handler, whose read fails with *http.MaxBytesError, answers with any error. A panic
// becomes 500 and one log line; http.ErrAbortHandler goes on to the server, which closes the connection.
func Wrap(name string, h http.Handler, o Options) http.Handler {
	o = o.withDefaults()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := o.Clock.Now()
		ctx, cancel := context.WithTimeout(logging.WithTrace(r.Context(), r.Header), o.Timeout)
		defer cancel()
		entered := o.Drain.enter()
		if entered {
			defer o.Drain.leave() // when all is told about the request: then the process may end
		}
		ctx, end := o.Observe.Begin(ctx, name, r.Method)
		rw := &responseWriter{ResponseWriter: w}
		defer func() {
			o.logRequest(ctx, name, r, rw, started)
			status := rw.answered()
			o.Meter.Request(name, class(status))
			end(status)
		}()
		if !entered {
			rw.Header().Set("Connection", "close")
			rw.Header().Set("Retry-After", "1")
			http.Error(rw, "shutting down", http.StatusServiceUnavailable)
			return
		}
		if r.ContentLength > o.MaxBody {
			rw.Header().Set("Connection", "close")
			http.Error(rw, "body too large", http.StatusRequestEntityTooLarge)
			return
		}
		rw.body = &limitedBody{ReadCloser: http.MaxBytesReader(w, r.Body, o.MaxBody)}
		guarded := r.WithContext(ctx)
		guarded.Body = rw.body
		defer o.recover(ctx, name, rw)
		h.ServeHTTP(rw, guarded)
		rw.finish()
	})
}

func (o Options) recover(ctx context.Context, name string, rw *responseWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		rw.aborted = true
		panic(http.ErrAbortHandler)
	}
	o.Logger.ErrorContext(ctx, "panic", "handler", name, logging.KeyError, cause, "stack", string(debug.Stack()))
	if rw.status != 0 {
		rw.aborted = true
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	http.Error(rw, "internal error", http.StatusInternalServerError)
}

func (o Options) logRequest(ctx context.Context, name string, r *http.Request, rw *responseWriter, started time.Time) {
	level := slog.LevelInfo
	if rw.aborted || rw.status >= 500 && !o.Drain.Draining() {
		level = slog.LevelWarn
	}
	o.Logger.Log(ctx, level, "request", "handler", name, "method", r.Method, "path", r.URL.Path, "status", rw.status,
		"ms", o.Clock.Now().Sub(started).Milliseconds(), "bytes", rw.bytes, "aborted", rw.aborted)
}

// responseWriter remembers what was answered.
type responseWriter struct {
	http.ResponseWriter
	body    *limitedBody // nil before the handler is called
	status  int          // 0 until something is written
	bytes   int64
	aborted bool // the connection is closed without a whole answer
}

// WriteHeader sends the status, or 413 in place of another error after the body turned out too large.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx only precede the answer
		if status >= 400 && w.body.exceeded() {
			status = http.StatusRequestEntityTooLarge
		}
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *responseWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// answered is the status as others see it: half an answer is a failure of ours.
func (w *responseWriter) answered() int {
	if w.aborted {
		return http.StatusInternalServerError
	}
	return w.status
}

// class is the class of a status, such as 2xx.
func class(status int) string { return string(rune('0'+status/100)) + "xx" }

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish settles the answer of a handler that returned without one.
func (w *responseWriter) finish() {
	switch {
	case w.status != 0:
	case w.body.exceeded():
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
	default:
		w.status = http.StatusOK // net/http sends it
	}
}

// limitedBody remembers whether the limit was hit.
type limitedBody struct {
	io.ReadCloser
	over bool
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		b.over = true
	}
	return n, err
}

func (b *limitedBody) exceeded() bool { return b != nil && b.over }
