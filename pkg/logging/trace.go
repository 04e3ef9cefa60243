package logging

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

type traceKey struct{}

type trace struct {
	id, span string // lower-case hex; span may be empty
	sampled  bool
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
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) (trace, bool) {
	t, ok := ctx.Value(traceKey{}).(trace)
	return t, ok
}

// parseTraceparent reads "00-<32 hex>-<16 hex>-<2 hex>"; later versions may add fields.
func parseTraceparent(s string) (trace, bool) {
	parts := strings.Split(strings.TrimSpace(s), "-")
	if len(parts) < 4 || !isHex(parts[0], 2) || !isHex(parts[1], 32) || !isHex(parts[2], 16) || !isHex(parts[3], 2) {
		return trace{}, false
	}
	flags, err := strconv.ParseUint(parts[3], 16, 8)
	if err != nil || isZero(parts[1]) || isZero(parts[2]) || parts[0] == "ff" {
		return trace{}, false
	}
	return trace{id: parts[1], span: parts[2], sampled: flags&1 == 1}, true
}

// parseCloudTrace reads "TRACE/SPAN;o=1" with the span in decimal; span and options may be missing.
func parseCloudTrace(s string) (trace, bool) {
	s, options, _ := strings.Cut(strings.TrimSpace(s), ";")
	id, span, _ := strings.Cut(s, "/")
	id = strings.ToLower(id)
	if !isHex(id, 32) || isZero(id) {
		return trace{}, false
	}
	t := trace{id: id, sampled: options == "o=1"}
	if n, err := strconv.ParseUint(span, 10, 64); err == nil && n != 0 {
		t.span = fmt.Sprintf("%016x", n)
	}
	return t, true
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func isZero(s string) bool { return strings.Trim(s, "0") == "" }
