// Package telemetry sends traces and metrics by OTLP: to a collector that the environment names, or on Cloud Run to Google
// Cloud (gcp-go-stack 0 and 1). Where neither is there, everything here does nothing and costs nothing.
//
// Only what this package writes leaves the process. No process-wide tracer is set, so that the libraries of Google and of
// others, which would put whole URLs into their spans, stay silent. Spans hold names of functions, hosts, methods, routes
// and statuses; never a query, a body, a header, an id or an address of a person.
package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/detectors/gcp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/logging"
	"github.com/arbridge/arbridge/pkg/meter"
)

const (
	interval      = time.Minute      // between two exports of counters
	overdue       = 90 * time.Second // since the last export: the timer has stood still
	exportTimeout = 10 * time.Second // of one export
	flushTimeout  = 3 * time.Second  // of a Flush, which somebody waits for
	scope         = "github.com/arbridge/arbridge"
)

// Options of Start. Env, Service and Clock are needed.
type Options struct {
	// Env reads the environment. OTEL_EXPORTER_OTLP_ENDPOINT, http or https, is the collector; without it, and with K_SERVICE
	// (Cloud Run) and a Project, it is Google Cloud. OTEL_SDK_DISABLED=true switches everything off. OTEL_TRACES_SAMPLER_ARG
	// is the part of traces kept, from 0 to 1 (1), of those that nobody before us dropped.
	Env     func(name string) string
	Service string // what this process is, such as arbridge-poll
	Version string
	Project string // Google Cloud project, empty when there is none
	Clock   clock.Clock
	Logger  *slog.Logger // told when something can not be sent; none

	roots *x509.CertPool // that the collector's certificate must lead to; those of the system when nil
}

// Telemetry sends what it is told. Make one with Start; it is safe for concurrent use. The zero value does nothing.
type Telemetry struct {
	clock   clock.Clock
	tracer  trace.Tracer // nil: off
	spans   *sdktrace.TracerProvider
	metrics *metrics
	conn    *grpc.ClientConn

	flushing atomic.Bool
	flushes  sync.WaitGroup
	ended    sync.Once
}

// Start begins to collect. It connects to nothing before there is something to send. An error comes with a Telemetry that
// does nothing, so that a program can say what is wrong and go on.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	to, err := destination(o)
	if err != nil || to.address == "" {
		return new(Telemetry), err
	}
	sampler, err := samplerOf(o)
	if err != nil {
		return new(Telemetry), err
	}
	res, err := describe(ctx, o)
	if err != nil {
		return new(Telemetry), err
	}
	conn, err := to.dial(ctx, o.roots)
	if err != nil {
		return new(Telemetry), err
	}
	t, err := collect(ctx, o, conn, res, sampler)
	if err != nil {
		return new(Telemetry), errors.Join(err, conn.Close())
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry not sent", logging.KeyError, err)
	}))
	return t, nil
}

// collect puts the parts together.
func collect(ctx context.Context, o Options, conn *grpc.ClientConn, res *resource.Resource, sampler sdktrace.Sampler) (*Telemetry, error) {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn), otlptracegrpc.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	values, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("telemetry: metrics: %w", err)
	}
	t := &Telemetry{clock: o.Clock, conn: conn}
	if t.metrics, err = newMetrics(ctx, values, res, o.Clock); err != nil {
		return nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithBatcher(spans)}
	if sampler != nil {
		options = append(options, sdktrace.WithSampler(sampler))
	}
	t.spans = sdktrace.NewTracerProvider(options...)
	t.tracer = t.spans.Tracer(scope)
	return t, nil
}

// describe says where the values come from. Google Cloud needs project, region and instance (prometheus_target).
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("telemetry: naming this process: %w", err)
	}
	attributes := []attribute.KeyValue{
		attribute.String("service.namespace", "arbridge"), attribute.String("service.name", o.Service),
		attribute.String("service.version", o.Version), attribute.String("service.instance.id", hex.EncodeToString(id)),
	}
	if o.Project != "" {
		attributes = append(attributes, attribute.String("gcp.project_id", o.Project))
	}
	options := []resource.Option{resource.WithAttributes(attributes...), resource.WithFromEnv()}
	if o.Env("K_SERVICE") != "" {
		options = append(options, resource.WithDetectors(gcp.NewDetector()))
	}
	res, err := resource.New(ctx, options...)
	if errors.Is(err, resource.ErrPartialResource) {
		err = nil // what could be found out is better than nothing
	}
	if err != nil {
		return nil, fmt.Errorf("telemetry: describing this process: %w", err)
	}
	return res, nil
}

// On reports whether anything is sent.
func (t *Telemetry) On() bool { return t != nil && t.tracer != nil }

// Meter counts and measures into what is sent; it does nothing when nothing is.
func (t *Telemetry) Meter() meter.Meter {
	if !t.On() {
		return meter.Meter{}
	}
	return meter.New(t.metrics)
}

// Flush sends the gauges set since the last Flush now. Whoever sets gauges calls it afterwards, because on Cloud Run nothing
// runs between requests. Counters and spans are sent as time goes by.
func (t *Telemetry) Flush(ctx context.Context) error {
	if !t.On() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := t.metrics.flush(ctx); err != nil {
		return fmt.Errorf("telemetry: sending gauges: %w", err)
	}
	return nil
}

// catchUp sends counters and spans beside a request if the timers that should have done it stood still, as they do on Cloud
// Run between requests.
func (t *Telemetry) catchUp(ctx context.Context) {
	if t.clock.Now().Sub(t.metrics.exported()) < overdue || !t.flushing.CompareAndSwap(false, true) {
		return
	}
	t.flushes.Go(func() {
		defer t.flushing.Store(false)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
		defer cancel()
		if err := errors.Join(t.metrics.counters.ForceFlush(ctx), t.spans.ForceFlush(ctx)); err != nil {
			otel.Handle(err)
		}
	})
}

// Shutdown sends what is left, as far as ctx allows, and ends. After it, nothing is sent.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if !t.On() {
		return nil
	}
	var errs [3]error
	t.ended.Do(func() {
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = t.spans.Shutdown(ctx) })
		wg.Go(func() { errs[1] = t.metrics.shutdown(ctx) })
		wg.Wait()
		t.flushes.Wait()
		errs[2] = t.conn.Close()
	})
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("telemetry: sending what is left: %w", err)
	}
	return nil
}
