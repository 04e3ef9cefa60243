package telemetry

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/arbridge/arbridge/pkg/logging"
)

// Begin starts the span of a request that came in, as a part of the trace that its headers named (logging.WithTrace), and
// makes what is logged for the request part of the span. The returned function ends it with the status answered.
func (t *Telemetry) Begin(ctx context.Context, name, method string) (context.Context, func(status int)) {
	if !t.On() {
		return ctx, func(int) {}
	}
	t.catchUp(ctx)
	if in, ok := logging.TraceOf(ctx); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote(in))
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", methodOf(method))))
	of := span.SpanContext()
	ctx = logging.InTrace(ctx, logging.Trace{ID: of.TraceID().String(), Span: of.SpanID().String(), Sampled: of.IsSampled()})
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// remote is the span that the sender of a request has. X-Cloud-Trace-Context may name a trace alone; the trace is then
// continued under a span id made of its own.
func remote(in logging.Trace) trace.SpanContext {
	var c trace.SpanContextConfig
	if in.Span == "" && len(in.ID) >= 16 {
		in.Span = in.ID[:16]
	}
	id, err := hex.DecodeString(in.ID)
	span, spanErr := hex.DecodeString(in.Span)
	if err != nil || spanErr != nil || len(id) != len(c.TraceID) || len(span) != len(c.SpanID) {
		return trace.SpanContext{}
	}
	copy(c.TraceID[:], id)
	copy(c.SpanID[:], span)
	if in.Sampled {
		c.TraceFlags = trace.FlagsSampled
	}
	c.Remote = true
	return trace.NewSpanContext(c)
}

// Transport makes a span of every call to a vendor. Nothing is added to the call: the vendor learns of no trace. When
// nothing is sent it returns next itself.
func (t *Telemetry) Transport(next http.RoundTripper) http.RoundTripper {
	if !t.On() {
		return next
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{tracer: t.tracer, next: next}
}

type transport struct {
	tracer trace.Tracer
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The span ends when the answer begins to arrive.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	method, route := methodOf(req.Method), Route(req.URL.Path)
	ctx, span := t.tracer.Start(req.Context(), method+" "+route, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("server.address", req.URL.Hostname()),
		attribute.String("url.template", route)))
	defer span.End()
	res, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		kind := errorType(err) // its text may hold anything
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, kind)
		return res, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	if res.StatusCode >= 400 {
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(res.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	return res, nil
}

// maxSegments is how much of a path a route has; vendors have nothing but ids and their parts below.
const maxSegments = 5

// Route is a path without what tells one thing from another: every part that is not a plain word becomes {id}.
func Route(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > maxSegments {
		parts = append(parts[:maxSegments:maxSegments], "…")
	}
	for i, p := range parts {
		if p != "…" && !isWord(p) {
			parts[i] = "{id}"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// isWord reports whether s is letters and _ alone, as the parts of a vendor's interface are.
func isWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' {
			return false
		}
	}
	return len(s) <= 32
}

// methodOf keeps known methods: anybody can send others.
func methodOf(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}

func errorType(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return "network"
}
