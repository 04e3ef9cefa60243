package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/logging"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/server"
	"github.com/arbridge/arbridge/pkg/telemetry/telemetrytest"
)

// patience bounds what happens at once unless it is broken.
const patience = 30 * time.Second

func noon() *clock.Movable {
	return clock.NewMovable(time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC))
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// start begins telemetry towards a collector.
func start(t *testing.T, c *telemetrytest.Collector, clk clock.Clock, pairs ...string) *Telemetry {
	t.Helper()
	tel, err := Start(t.Context(), Options{Env: env(append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT", c.URL()}, pairs...)...),
		Service: "arbridge-sync", Version: "1.2.3", Project: "example-prod", Clock: clk})
	if err != nil || !tel.On() {
		t.Fatalf("on %v, %v", tel.On(), err)
	}
	t.Cleanup(func() { stop(t, tel) })
	return tel
}

func stop(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestOff(t *testing.T) {
	c := telemetrytest.Start(t)
	for name, e := range map[string]func(string) string{
		"nothing":          env(),
		"no project":       env("K_SERVICE", "arbridge-poll"),
		"switched off":     env("OTEL_SDK_DISABLED", "true", "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL()),
		"switched off too": env("OTEL_SDK_DISABLED", "true", "K_SERVICE", "arbridge-poll"),
	} {
		project := ""
		if strings.HasPrefix(name, "switched") {
			project = "example-prod"
		}
		tel, err := Start(t.Context(), Options{Env: e, Service: "x", Clock: noon(), Project: project})
		if err != nil || tel == nil || tel.On() {
			t.Fatalf("%s: %v, %v", name, tel, err)
		}
		tel.Meter().Request("poll", "2xx")
		ctx, end := tel.Begin(t.Context(), "poll", http.MethodPost)
		end(200)
		if ctx != t.Context() {
			t.Errorf("%s: the context is another", name)
		}
		own := &http.Transport{}
		if tel.Transport(own) != http.RoundTripper(own) || tel.Transport(nil) != nil {
			t.Errorf("%s: calls take a detour", name)
		}
		if err := errors.Join(tel.Flush(t.Context()), tel.Shutdown(t.Context())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none *Telemetry
	if none.On() || none.Shutdown(t.Context()) != nil {
		t.Error("no telemetry is not off")
	}
	if got := c.Text(); got != "" {
		t.Errorf("sent although off: %s", got)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	for name, o := range map[string]Options{
		"no clock":  {Env: env(), Service: "x"},
		"no scheme": {Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), Service: "x", Clock: noon()},
		"password":  {Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:hunter2@collector"), Service: "x", Clock: noon()},
		"ratio":     {Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER_ARG", "2"), Service: "x", Clock: noon()},
	} {
		tel, err := Start(t.Context(), o)
		if err == nil || tel == nil || tel.On() || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: on %v, %v; want an error and a telemetry that is off", name, tel.On(), err)
		}
	}
}

func TestDestinations(t *testing.T) {
	for endpoint, want := range map[string]target{
		"http://127.0.0.1:4317":              {address: "127.0.0.1:4317", plain: true},
		"https://collector":                  {address: "collector:4317"},
		"https://telemetry.googleapis.com":   {address: "telemetry.googleapis.com:443", google: true},
		"https://telemetry.googleapis.com:1": {address: "telemetry.googleapis.com:1", google: true},
	} {
		got, err := destination(Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), Service: "x", Clock: noon()})
		if got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", endpoint, got, err, want)
		}
	}
	got, err := destination(Options{Env: env("K_SERVICE", "arbridge-poll"), Service: "x", Clock: noon(), Project: "example-prod"})
	if want := (target{address: "telemetry.googleapis.com:443", google: true}); got != want || err != nil {
		t.Errorf("on Cloud Run: %+v, %v, want %+v", got, err, want)
	}
}

// TestMetricsArrive: counters add up, each gauge that was set is sent once, and both say where they come from.
func TestMetricsArrive(t *testing.T) {
	c := telemetrytest.Start(t)
	tel := start(t, c, noon())
	m := tel.Meter()
	m.MoneyPosted("us", "USD", 1_000)
	m.MoneyPosted("us", "USD", 234)
	m.Freshness("us", meter.FlowPoll, 40)
	m.Freshness("us", meter.FlowPoll, 3)
	if err := tel.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, ok := c.Last("arbridge_freshness", "us", "poll"); v != 3 || !ok {
		t.Errorf("freshness %d, %v at once", v, ok)
	}
	m.Queue("ca", 7, 90)
	for range 2 {
		if err := tel.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, tel)
	times := map[string]int{}
	for _, p := range c.Points() {
		times[p.Metric]++
		if p.Sum != strings.HasSuffix(p.Metric, "_total") {
			t.Errorf("%s: sum %v", p.Metric, p.Sum)
		}
		for k, want := range map[string]string{"service.name": "arbridge-sync", "service.namespace": "arbridge", "service.version": "1.2.3", "gcp.project_id": "example-prod"} {
			if p.Process[k] != want {
				t.Errorf("%s: %s is %q, want %q", p.Metric, k, p.Process[k], want)
			}
		}
		if len(p.Process["service.instance.id"]) != 16 {
			t.Errorf("instance %q", p.Process["service.instance.id"])
		}
	}
	if times["arbridge_freshness"] != 1 || times["arbridge_queue_length"] != 1 || times["arbridge_queue_age"] != 1 {
		t.Errorf("gauges sent %v times, want once each", times)
	}
	if v, _ := c.Last("arbridge_money_posted_total", "us", "USD"); v != 1_234 {
		t.Errorf("%d minor units, want 1234", v)
	}
	if v, _ := c.Last("arbridge_queue_age", "ca"); v != 90 {
		t.Errorf("age %d", v)
	}
}

// TestEveryMetricIsKnown: what the table lists can be recorded and arrives under the name the table gives it.
func TestEveryMetricIsKnown(t *testing.T) {
	c := telemetrytest.Start(t)
	tel := start(t, c, noon())
	names := meter.Names()
	for i := range names {
		tel.metrics.Record(&names[i], 1, names[i].Attributes...)
	}
	stop(t, tel)
	for _, m := range names {
		found := slices.IndexFunc(c.Points(), func(p telemetrytest.Point) bool { return p.Metric == m.Series() })
		if found < 0 {
			t.Errorf("%s did not arrive as %s", m.Name, m.Series())
			continue
		}
		for _, a := range m.Attributes {
			if c.Points()[found].Attributes[a] != a {
				t.Errorf("%s: attributes %v", m.Name, c.Points()[found].Attributes)
			}
		}
	}
}

// TestCatchUp: when the timers stood still, as between the requests of Cloud Run, the next request has counters and spans
// sent beside it.
func TestCatchUp(t *testing.T) {
	c, clk := telemetrytest.Start(t), noon()
	tel := start(t, c, clk)
	h := server.Wrap("sync", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), server.Options{Observe: tel, Meter: tel.Meter()})
	request := func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", http.NoBody))
		tel.flushes.Wait()
	}
	request()
	clk.Advance(80 * time.Second)
	request()
	if c.Text() != "" {
		t.Fatal("sent although nothing is overdue")
	}
	clk.Advance(20 * time.Second)
	request()
	if v, ok := c.Last("arbridge_requests_total", "sync", "2xx"); !ok || v < 2 || len(c.Spans()) < 2 {
		t.Errorf("%d requests and %d spans arrived, want those before", v, len(c.Spans()))
	}
	before := len(c.Points())
	request()
	if len(c.Points()) != before {
		t.Error("sent again at once")
	}
}

// TestShutdownIsBounded: a collector that does not answer keeps nobody from ending.
func TestShutdownIsBounded(t *testing.T) {
	var log bytes.Buffer
	tel, err := Start(t.Context(), Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), Service: "x", Clock: noon(),
		Logger: logging.New(&log, slog.LevelInfo, logging.FormatJSON, "")})
	if err != nil {
		t.Fatal(err)
	}
	_, end := tel.Begin(t.Context(), "sync", http.MethodPost)
	end(200)
	tel.Meter().Request("sync", "2xx")
	tel.Meter().Queue("us", 1, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- tel.Shutdown(ctx) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("what could not be sent counts as sent")
		}
	case <-time.After(patience):
		t.Fatal("Shutdown goes on after its context")
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("a second Shutdown: %v", err)
	}
}

// ended ends telemetry whose collector does not take anything.
func ended(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = tel.Shutdown(ctx) // tells what could not be sent
}
