package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/meter"
)

// metrics is the meter.Sink. Counters are sent every interval. A gauge is sent once for each time it was set, and not
// again and again with its last value: several processes measure the same company in turn, and what one of them said long
// ago would hide what another says now.
type metrics struct {
	exporter *exporter
	counters *sdkmetric.MeterProvider
	gauges   *sdkmetric.MeterProvider
	set      *sdkmetric.ManualReader // of the gauges
	count    map[string]metric.Int64Counter
	measure  map[string]metric.Int64Gauge
	// nobody is the context of values: they belong to no request, and none waits for them.
	nobody func() context.Context

	mu sync.Mutex // one flush at a time
}

func newMetrics(ctx context.Context, to sdkmetric.Exporter, res *resource.Resource, c clock.Clock) (*metrics, error) {
	out := &exporter{Exporter: to, clock: c}
	out.note()
	m := &metrics{exporter: out, count: map[string]metric.Int64Counter{}, measure: map[string]metric.Int64Gauge{}}
	ctx = context.WithoutCancel(ctx)
	m.nobody = func() context.Context { return ctx }
	m.set = sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(func(sdkmetric.InstrumentKind) metricdata.Temporality {
		return metricdata.DeltaTemporality // forgets what was sent
	}))
	plain := sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter)
	m.counters = sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), plain,
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(out, sdkmetric.WithInterval(interval), sdkmetric.WithTimeout(exportTimeout))))
	m.gauges = sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), plain, sdkmetric.WithReader(m.set))
	for _, d := range meter.Names() {
		var err error
		if name, help := d.Series(), metric.WithDescription(d.Help); d.Kind == meter.Counter {
			m.count[d.Name], err = m.counters.Meter(scope).Int64Counter(name, help)
		} else {
			m.measure[d.Name], err = m.gauges.Meter(scope).Int64Gauge(name, help)
		}
		if err != nil {
			return nil, fmt.Errorf("telemetry: metric %s: %w", d.Name, err)
		}
	}
	return m, nil
}

// Record implements meter.Sink.
func (m *metrics) Record(d *meter.Metric, value int64, values ...string) {
	attributes := make([]attribute.KeyValue, min(len(values), len(d.Attributes)))
	for i := range attributes {
		attributes[i] = attribute.String(d.Attributes[i], values[i])
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	if c, ok := m.count[d.Name]; ok {
		c.Add(m.nobody(), value, set)
	} else if g, ok := m.measure[d.Name]; ok {
		g.Record(m.nobody(), value, set)
	}
}

// flush sends the gauges that were set since it was last called.
func (m *metrics) flush(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var data metricdata.ResourceMetrics
	if err := m.set.Collect(ctx, &data); err != nil {
		return err
	}
	if len(data.ScopeMetrics) == 0 {
		return nil
	}
	return m.exporter.Exporter.Export(ctx, &data)
}

// exported is when counters were last sent, or when everything began.
func (m *metrics) exported() time.Time { return time.Unix(0, m.exporter.last.Load()) }

func (m *metrics) shutdown(ctx context.Context) error {
	err := m.flush(ctx) // before the exporter ends, which the counters' reader ends
	return errors.Join(err, m.gauges.Shutdown(ctx), m.counters.Shutdown(ctx))
}

// exporter remembers when it last sent something.
type exporter struct {
	sdkmetric.Exporter
	clock clock.Clock
	last  atomic.Int64 // nanoseconds since 1970
}

func (e *exporter) note() { e.last.Store(e.clock.Now().UnixNano()) }

// Export implements metric.Exporter of the SDK.
func (e *exporter) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	e.note()
	return e.Exporter.Export(ctx, data)
}
