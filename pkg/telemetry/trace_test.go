package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/logging"
	"github.com/arbridge/arbridge/pkg/server"
	"github.com/arbridge/arbridge/pkg/telemetry/telemetrytest"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

// vendor is a server that keeps the headers it is sent.
type vendor struct {
	*httptest.Server
	headers []http.Header
}

func newVendor(t *testing.T, status int) *vendor {
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.headers = append(v.headers, r.Header.Clone())
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"email":"jane@example.com"}`)
	}))
	t.Cleanup(v.Close)
	return v
}

// caller is a vendor's client as the connectors make it, with the spans of tel.
func caller(t *testing.T, tel *Telemetry, v *vendor) *httpx.Client {
	t.Helper()
	c, err := httpx.New(httpx.Options{BaseURL: v.URL, Trace: tel.Transport, Clock: clock.System{}, ReadAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOneTrace: a push continues the trace of its headers, the call to the vendor is below it, what is logged is part of it,
// and the vendor learns nothing.
func TestOneTrace(t *testing.T) {
	for name, header := range map[string]http.Header{
		"w3c":   {"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}},
		"cloud": {"X-Cloud-Trace-Context": {traceID + "/67667974448284343;o=1"}}, // spanID in decimal
		"alone": {"X-Cloud-Trace-Context": {traceID + ";o=1"}},
		"none":  {},
	} {
		t.Run(name, func(t *testing.T) {
			c, v := telemetrytest.Start(t), newVendor(t, http.StatusOK)
			tel := start(t, c, noon())
			client := caller(t, tel, v)
			var out bytes.Buffer
			log := logging.New(&out, slog.LevelInfo, logging.FormatJSON, "example-prod")
			h := server.Wrap("sync", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				log.InfoContext(r.Context(), "inside")
				if _, err := client.Do(r.Context(), httpx.Request{Op: "x", Method: http.MethodPost, Path: "/invoices/104233/pay", Write: true, Body: []byte("{}")}); err != nil {
					t.Error(err)
				}
				w.WriteHeader(http.StatusNoContent)
			}), server.Options{Observe: tel, Logger: log})
			r := httptest.NewRequest(http.MethodPost, "/?token=hunter2", strings.NewReader("jane@example.com"))
			r.Header = header
			h.ServeHTTP(httptest.NewRecorder(), r)
			stop(t, tel)

			spans := map[string]telemetrytest.Span{}
			for _, s := range c.Spans() {
				spans[s.Kind] = s
			}
			in, to := spans["SERVER"], spans["CLIENT"]
			if in.Name != "sync" || in.Attributes["http.request.method"] != "POST" || in.Attributes["http.response.status_code"] != "204" {
				t.Errorf("server span %+v", in)
			}
			if to.Name != "POST /invoices/{id}/pay" || to.Trace != in.Trace || to.Parent != in.ID || to.Attributes["http.response.status_code"] != "200" ||
				to.Attributes["server.address"] != "127.0.0.1" || to.Attributes["url.template"] != "/invoices/{id}/pay" {
				t.Errorf("client span %+v below %+v", to, in)
			}
			wantParent := map[string]string{"w3c": spanID, "cloud": spanID, "alone": traceID[:16], "none": ""}[name]
			if in.Parent != wantParent || (in.Trace == traceID) == (name == "none") {
				t.Errorf("span of trace %s under %q, want under %q", in.Trace, in.Parent, wantParent)
			}
			for text := range strings.Lines(out.String()) {
				line := map[string]any{}
				if err := json.Unmarshal([]byte(text), &line); err != nil {
					t.Fatal(err)
				}
				if line["logging.googleapis.com/trace"] != "projects/example-prod/traces/"+in.Trace || line["logging.googleapis.com/spanId"] != in.ID ||
					line["logging.googleapis.com/trace_sampled"] != true {
					t.Errorf("logged beside the span %s of %s: %s", in.ID, in.Trace, text)
				}
			}
			if n := strings.Count(out.String(), "\n"); n != 2 {
				t.Errorf("%d lines", n)
			}
			for k := range v.headers[0] {
				if k := strings.ToLower(k); strings.Contains(k, "trace") || k == "baggage" {
					t.Errorf("the vendor is sent %s", k)
				}
			}
		})
	}
}

// TestNothingPrivateLeaves: ids, queries, bodies, addresses, credentials and headers stay.
func TestNothingPrivateLeaves(t *testing.T) {
	c, v := telemetrytest.Start(t), newVendor(t, http.StatusUnprocessableEntity)
	tel := start(t, c, noon())
	client := caller(t, tel, v)
	h := server.Wrap("webhook", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, path := range []string{"/customers/jane@example.com", "/invoices/104233", "/notes/hunter2", "/a/b/c/d/e/secretname"} {
			_, err := client.Do(r.Context(), httpx.Request{Op: "mail to jane@example.com", Method: http.MethodGet, Path: path,
				Query: map[string][]string{"filter[email]": {"jane@example.com"}}, Header: http.Header{"Authorization": {"Basic hunter2"}}})
			if err != nil {
				t.Error(err)
			}
		}
		panic("jane@example.com")
	}), server.Options{Observe: tel, Meter: tel.Meter()})
	r := httptest.NewRequest(http.MethodPost, "/webhook/us?api_key=hunter2", strings.NewReader("jane@example.com"))
	r.Method = "JANE@EXAMPLE.COM"
	r.Header.Set("Authorization", "Bearer hunter2")
	r.Header.Set("Baggage", "user=jane")
	h.ServeHTTP(httptest.NewRecorder(), r)
	v.Close() // the next call has an error with the address in it
	if _, err := client.Do(t.Context(), httpx.Request{Op: "x", Method: http.MethodGet, Path: "/x", Query: map[string][]string{"q": {"jane"}}}); err == nil {
		t.Error("a closed server answers")
	}
	stop(t, tel)
	text := strings.ToLower(c.Text())
	for _, bad := range []string{"jane", "hunter2", "104233", "basic", "bearer", "filter", "api_key", "secretname"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q was sent: %s", bad, text)
		}
	}
	var failed, refused int
	for _, s := range c.Spans() {
		if s.Status == "ERROR" && s.Attributes["error.type"] == "network" {
			failed++
		}
		if s.Status == "ERROR" && s.Attributes["error.type"] == "422" {
			refused++
		}
		if s.Kind == "SERVER" && (s.Status != "ERROR" || s.Attributes["http.response.status_code"] != "500") {
			t.Errorf("a panic shows as %+v", s)
		}
	}
	if failed != 1 || refused != 4 {
		t.Errorf("%d calls without an answer and %d refused, want 1 and 4", failed, refused)
	}
	if v, _ := c.Last("arbridge_requests_total", "webhook", "5xx"); v != 1 {
		t.Errorf("%d failed requests", v)
	}
}

func TestRoutes(t *testing.T) {
	for path, want := range map[string]string{
		"/invoices":                      "/invoices",
		"/invoices/12":                   "/invoices/{id}",
		"/customers/7/contacts/9":        "/customers/{id}/contacts/{id}",
		"/api/Record/LS_CASHRECEIPT":     "/api/Record/LS_CASHRECEIPT",
		"/x/" + strings.Repeat("a", 33):  "/x/{id}",
		"/a/b/c/d/e/f/g":                 "/a/b/c/d/e/…",
		"/":                              "/",
		"":                               "/",
		"/payments/jane@example.com/ünx": "/payments/{id}/{id}",
	} {
		if got := Route(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// keeps says which of some traces a sampler keeps.
func keeps(t *testing.T, s sdktrace.Sampler, ctx func(trace.TraceID) trace.SpanContext) int {
	t.Helper()
	n := 0
	for i := range 1000 {
		var id trace.TraceID
		id[0], id[8], id[9] = 1, byte(i*256/1000), byte(i)
		p := sdktrace.SamplingParameters{ParentContext: t.Context(), TraceID: id}
		if ctx != nil {
			p.ParentContext = trace.ContextWithSpanContext(t.Context(), ctx(id))
		}
		if s.ShouldSample(p).Decision == sdktrace.RecordAndSample {
			n++
		}
	}
	return n
}

func TestSampling(t *testing.T) {
	parent := func(sampled, remote bool) func(trace.TraceID) trace.SpanContext {
		return func(id trace.TraceID) trace.SpanContext {
			c := trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}, Remote: remote}
			if sampled {
				c.TraceFlags = trace.FlagsSampled
			}
			return trace.NewSpanContext(c)
		}
	}
	for arg, want := range map[string]int{"": 1000, "1": 1000, "0": 0, "0.25": 250, "1/4": 250, "0.1": 102} {
		s, err := samplerOf(Options{Env: env("OTEL_TRACES_SAMPLER_ARG", arg)})
		if err != nil {
			t.Fatal(err)
		}
		if got := keeps(t, s, nil); got < want-2 || got > want+2 {
			t.Errorf("ratio %q keeps %d of 1000, want %d", arg, got, want)
		}
		if got := keeps(t, s, parent(true, true)); got < want-2 || got > want+2 {
			t.Errorf("ratio %q keeps %d of what others keep, want %d", arg, got, want)
		}
		if got := keeps(t, s, parent(false, true)); got != 0 {
			t.Errorf("ratio %q keeps %d of what others dropped", arg, got)
		}
		if got := keeps(t, s, parent(true, false)); got != 1000 {
			t.Errorf("ratio %q keeps %d spans of 1000 below one that is kept", arg, got)
		}
	}
	for _, bad := range []string{"2", "-1", "x", "NaN", "1e999999999999999999", "0.00000000000000000000001"} {
		if _, err := samplerOf(Options{Env: env("OTEL_TRACES_SAMPLER_ARG", bad)}); err == nil {
			t.Errorf("ratio %q is taken", bad)
		}
	}
	if s, err := samplerOf(Options{Env: env("OTEL_TRACES_SAMPLER", "always_off")}); s != nil || err != nil {
		t.Errorf("%v, %v: the library's own setting is overridden", s, err)
	}
}

func TestErrorTypes(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	client := &http.Client{Timeout: 10 * time.Millisecond, Transport: &http.Transport{}}
	_, err := client.Get(slow.URL)
	if got := errorType(err); got != "timeout" {
		t.Errorf("%v is a %s", err, got)
	}
	if got := errorType(errors.New("x")); got != "network" {
		t.Errorf("anything is a %s", got)
	}
}
