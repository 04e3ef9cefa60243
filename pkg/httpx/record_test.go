package httpx_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// TestRecorder: reads reach the vendor, whatever their method; writes are kept with what would have been sent, without the
// credentials, and end as something that clearly did not happen.
func TestRecorder(t *testing.T) {
	var reached atomic.Int32
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(vendor.Close)
	rec := &httpx.Recorder{Next: http.DefaultTransport}
	c, err := httpx.New(httpx.Options{BaseURL: vendor.URL, HTTP: &http.Client{Transport: rec}, PerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if _, err := c.Do(t.Context(), httpx.Request{Op: "listing", Method: method, Path: "/list"}); err != nil {
			t.Errorf("a read by %s: %v", method, err)
		}
	}
	if reached.Load() != 2 {
		t.Errorf("%d reads reached the vendor, want 2", reached.Load())
	}
	_, err = c.Do(t.Context(), httpx.Request{Op: "creating invoice 7", Method: http.MethodPost, Path: "/invoices", Query: url.Values{"a": {"1"}},
		Body: []byte(`{"number":"7"}`), ContentType: "application/json", Write: true, Header: http.Header{"Authorization": {"Basic secret"}}})
	if !errors.Is(err, httpx.ErrRecorded) || connector.Ambiguous(err) || connector.ClassOf(err) == connector.ClassRetry {
		t.Errorf("a write ended with %v (%s)", err, connector.ClassOf(err))
	}
	if _, err := c.Do(t.Context(), httpx.Request{Op: "removing file 9", Method: http.MethodDelete, Path: "/files/9", Write: true}); !errors.Is(err, httpx.ErrRecorded) {
		t.Errorf("a removal ended with %v", err)
	}
	if reached.Load() != 2 {
		t.Error("a write reached the vendor")
	}
	want := []httpx.Call{
		{Op: "creating invoice 7", Method: "POST", URL: vendor.URL + "/invoices", Path: "/invoices?a=1", ContentType: "application/json", Body: []byte(`{"number":"7"}`)},
		{Op: "removing file 9", Method: "DELETE", URL: vendor.URL + "/files/9", Path: "/files/9", Body: []byte{}},
	}
	got := rec.Calls()
	if len(got) != len(want) {
		t.Fatalf("recorded %+v", got)
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Op != w.Op || g.Method != w.Method || g.URL != w.URL || g.Path != w.Path || g.ContentType != w.ContentType || string(g.Body) != string(w.Body) {
			t.Errorf("call %d: %+v, want %+v", i, g, w)
		}
	}
}
