package logging

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

type traceKey struct{}

// Trace is the place of a piece of work in a trace.
type Trace struct {
	ID      string // 32 lower-case hexadecimal digits
	Span    string // 16 lower-case hexadecimal digits, or empty when only the trace is known
	Sampled bool   // whether whoever began the trace keeps it
}

// InTrace makes records logged with the context part of the trace.
func InTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf is the trace of the context, and whether there is one.
func TraceOf(ctx context.Context) (Trace, bool) {
	t, ok := ctx.Value(traceKey{}).(Trace)
	return t, ok
}

// WithTrace takes the trace of an incoming request into the context, so that records logged with it are shown together.
// traceparent (W3C) wins over X-Cloud-Trace-Context; without a readable header the context is returned as it is.
func WithTrace(ctx context.Context, header http.Header) context.Context {
	t, ok := parseTraceparent(header.Get("Traceparent"))
	if !ok {
		t, ok = parseCloudTrace(header.Get("X-Cloud-Trace-Context"))
	}
	if !ok {
		return ctx
	}
	return InTrace(ctx, t)
}

// parseTraceparent reads "00-<32 hex>-<16 hex>-<2 hex>"; later versions may add fields.
func parseTraceparent(s string) (Trace, bool) {
	parts := strings.Split(strings.TrimSpace(s), "-")
	if len(parts) < 4 || !isHex(parts[0], 2) || !isHex(parts[1], 32) || !isHex(parts[2], 16) || !isHex(parts[3], 2) {
		return Trace{}, false
	}
	flags, err := strconv.ParseUint(parts[3], 16, 8)
	if err != nil || isZero(parts[1]) || isZero(parts[2]) || parts[0] == "ff" {
		return Trace{}, false
	}
	return Trace{ID: parts[1], Span: parts[2], Sampled: flags&1 == 1}, true
}

// parseCloudTrace reads "TRACE/SPAN;o=1" with the span in decimal; span and options may be missing.
func parseCloudTrace(s string) (Trace, bool) {
	s, options, _ := strings.Cut(strings.TrimSpace(s), ";")
	id, span, _ := strings.Cut(s, "/")
	id = strings.ToLower(id)
	if !isHex(id, 32) || isZero(id) {
		return Trace{}, false
	}
	t := Trace{ID: id, Sampled: options == "o=1"}
	if n, err := strconv.ParseUint(span, 10, 64); err == nil && n != 0 {
		t.Span = fmt.Sprintf("%016x", n)
	}
	return t, true
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func isZero(s string) bool { return strings.Trim(s, "0") == "" }
