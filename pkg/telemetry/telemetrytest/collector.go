// Package telemetrytest is an OTLP collector in the process of a test, on loopback.
package telemetrytest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracespb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	spanpb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what is sent to it. Make one with Start.
type Collector struct {
	address string

	mu      sync.Mutex
	spans   []*tracespb.ExportTraceServiceRequest
	metrics []*metricspb.ExportMetricsServiceRequest
	headers []metadata.MD
}

// Start serves a collector until the test ends.
func Start(t testing.TB, options ...grpc.ServerOption) *Collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{address: l.Addr().String()}
	s := grpc.NewServer(options...)
	tracespb.RegisterTraceServiceServer(s, &traces{c: c})
	metricspb.RegisterMetricsServiceServer(s, &metrics{c: c})
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			panic(err)
		}
	})
	t.Cleanup(func() { s.Stop(); serving.Wait() })
	return c
}

// Address is host and port of the collector.
func (c *Collector) Address() string { return c.address }

// URL is the collector's address as OTEL_EXPORTER_OTLP_ENDPOINT has it, without TLS.
func (c *Collector) URL() string { return "http://" + c.address }

type traces struct {
	tracespb.UnimplementedTraceServiceServer
	c *Collector
}

// Export implements the OTLP service of traces.
func (s *traces) Export(ctx context.Context, req *tracespb.ExportTraceServiceRequest) (*tracespb.ExportTraceServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.spans = append(s.c.spans, req)
	s.c.note(ctx)
	return &tracespb.ExportTraceServiceResponse{}, nil
}

type metrics struct {
	metricspb.UnimplementedMetricsServiceServer
	c *Collector
}

// Export implements the OTLP service of metrics.
func (s *metrics) Export(ctx context.Context, req *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.metrics = append(s.c.metrics, req)
	s.c.note(ctx)
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

// note keeps the headers of a call.
func (c *Collector) note(ctx context.Context) {
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		c.headers = append(c.headers, md)
	}
}

// Span is a span that arrived.
type Span struct {
	Name, Kind, Status  string // Kind such as SERVER, Status such as ERROR
	Trace, ID, Parent   string // hexadecimal; Parent is empty for a root
	Attributes, Process map[string]string
}

// Spans are the spans that arrived, in their order.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Span
	for _, req := range c.spans {
		for _, r := range req.GetResourceSpans() {
			process := texts(r.GetResource().GetAttributes())
			for _, s := range r.GetScopeSpans() {
				for _, span := range s.GetSpans() {
					out = append(out, spanOf(span, process))
				}
			}
		}
	}
	return out
}

func spanOf(s *spanpb.Span, process map[string]string) Span {
	return Span{
		Name: s.GetName(), Kind: strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"),
		Status: strings.TrimPrefix(s.GetStatus().GetCode().String(), "STATUS_CODE_"),
		Trace:  fmt.Sprintf("%x", s.GetTraceId()), ID: fmt.Sprintf("%x", s.GetSpanId()), Parent: fmt.Sprintf("%x", s.GetParentSpanId()),
		Attributes: texts(s.GetAttributes()), Process: process,
	}
}

// Point is a value of a metric that arrived.
type Point struct {
	Metric     string
	Sum        bool // of a counter that adds up from the start; else a gauge
	Value      int64
	Attributes map[string]string
	Process    map[string]string
}

// Points are the values that arrived, in their order.
func (c *Collector) Points() []Point {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Point
	for _, req := range c.metrics {
		for _, r := range req.GetResourceMetrics() {
			process := texts(r.GetResource().GetAttributes())
			for _, s := range r.GetScopeMetrics() {
				for _, m := range s.GetMetrics() {
					out = append(out, pointsOf(m, process)...)
				}
			}
		}
	}
	return out
}

func pointsOf(m *metricpb.Metric, process map[string]string) []Point {
	var out []Point
	sum := m.GetSum().GetIsMonotonic() && m.GetSum().GetAggregationTemporality() == metricpb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	for _, p := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
		out = append(out, Point{Metric: m.GetName(), Sum: sum, Value: p.GetAsInt(), Attributes: texts(p.GetAttributes()), Process: process})
	}
	return out
}

// Last is the newest value of a series; attributes are its values in any order.
func (c *Collector) Last(metric string, attributes ...string) (int64, bool) {
	for _, p := range slices.Backward(c.Points()) {
		values := make([]string, 0, len(p.Attributes))
		for _, v := range p.Attributes {
			values = append(values, v)
		}
		slices.Sort(values)
		if p.Metric == metric && slices.Equal(values, slices.Sorted(slices.Values(attributes))) {
			return p.Value, true
		}
	}
	return 0, false
}

// Headers are the values of a header of the calls that arrived.
func (c *Collector) Headers(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, md := range c.headers {
		out = append(out, md.Get(name)...)
	}
	return out
}

// Text is everything that arrived, to look for what must not be in it.
func (c *Collector) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	for _, m := range c.spans {
		write(&out, m)
	}
	for _, m := range c.metrics {
		write(&out, m)
	}
	return out.String()
}

func write(out *strings.Builder, m proto.Message) {
	out.WriteString(prototext.Format(m))
	out.WriteString("\n")
}

func texts(attributes []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range attributes {
		out[a.GetKey()] = a.GetValue().GetStringValue()
		if _, whole := a.GetValue().GetValue().(*commonpb.AnyValue_IntValue); whole {
			out[a.GetKey()] = fmt.Sprint(a.GetValue().GetIntValue())
		}
	}
	return out
}
