// Package wire is what the buses have in common: the check of a message before it is published, and the push of an
// envelope to a handler of the same process.
package wire

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/bus"
)

// maxKey is the longest ordering key in bytes (gcp-go-stack 5.1).
const maxKey = 1 << 10

// handlerGrace is the time a handler has to return after its context ended, before it is left behind.
const handlerGrace = time.Second

// Check refuses an unknown topic and messages that Pub/Sub would refuse, or that are above bus.MaxMessage, so that both
// buses take the same messages. The size of a message is that of its data, key and attributes.
func Check(topics []string, topic string, messages []bus.Message) error {
	if !slices.Contains(topics, topic) {
		return fmt.Errorf("topic %q is unknown; known topics: %q", topic, topics)
	}
	for i, m := range messages {
		if err := check(m); err != nil {
			return fmt.Errorf("message %d for %s: %w", i, topic, err)
		}
	}
	return nil
}

func check(m bus.Message) error {
	size := len(m.Data) + len(m.Key)
	valid := utf8.ValidString(m.Key)
	for k, v := range m.Attributes {
		size += len(k) + len(v)
		valid = valid && utf8.ValidString(k) && utf8.ValidString(v)
	}
	switch {
	case len(m.Data) == 0 && len(m.Attributes) == 0:
		return fmt.Errorf("it has neither data nor attributes; give one of them")
	case size > bus.MaxMessage:
		return fmt.Errorf("it has %d bytes, above the limit of %d; publish a reference instead of a document", size, bus.MaxMessage)
	case len(m.Key) > maxKey:
		return fmt.Errorf("its key has %d bytes, above the limit of %d; use a shorter key", len(m.Key), maxKey)
	case !valid:
		return fmt.Errorf("its key or attributes are not UTF-8; put bytes into data")
	}
	return nil
}

// PanicError is a handler that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack string // where
}

// Error implements error without the value, which may hold anything.
func (e *PanicError) Error() string { return "handler panicked" }

// Push hands d to h as a push request and returns nil when h acknowledges it. Any other answer, a panic (*PanicError)
// and the end of ctx are errors. A handler that does not return within a second of the end of ctx is left behind, as
// Pub/Sub would do, and may still run when the message is delivered again.
func Push(ctx context.Context, h http.Handler, d bus.Delivery) error {
	body, err := bus.EncodePush(d)
	if err != nil {
		return fmt.Errorf("encoding push envelope: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://bus.invalid/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making push request: %w", err)
	}
	req.RequestURI = "/"
	req.Header.Set("Content-Type", "application/json")
	answers := make(chan error, 1)
	go func() { answers <- call(h, req) }()
	select {
	case err = <-answers:
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), handlerGrace)
		defer cancel()
		select {
		case err = <-answers:
		case <-grace.Done():
			return fmt.Errorf("handler does not return: %w", ctx.Err())
		}
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// call runs the handler and judges its answer.
func call(h http.Handler, req *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: string(debug.Stack())}
		}
	}()
	w := &statusWriter{header: make(http.Header)}
	h.ServeHTTP(w, req)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if !bus.Acknowledged(w.status) {
		return fmt.Errorf("handler answered %d", w.status)
	}
	return nil
}

// statusWriter keeps the status of an answer and drops the body, which nobody reads.
type statusWriter struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (w *statusWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter; the first status counts, but a later one replaces 102.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 || w.status == http.StatusProcessing {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return len(p), nil
}
