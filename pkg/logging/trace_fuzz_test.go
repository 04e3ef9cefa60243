package logging

import (
	"net/http"
	"testing"
)

// FuzzTraceHeaders: what a caller sends as a trace is one in the form that Cloud Logging reads, or is left out.
func FuzzTraceHeaders(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "")
	f.Add("", "4bf92f3577b34da6a3ce929d0e0e4736/255;o=1")
	f.Add("ff-x", "\n\"/1;o=1")
	f.Fuzz(func(t *testing.T, w3c, cloud string) {
		trace, ok := TraceOf(WithTrace(t.Context(), http.Header{"Traceparent": {w3c}, "X-Cloud-Trace-Context": {cloud}}))
		if ok && (!isHex(trace.ID, 32) || isZero(trace.ID) || trace.Span != "" && !isHex(trace.Span, 16)) {
			t.Errorf("%q and %q give %+v", w3c, cloud, trace)
		}
	})
}
