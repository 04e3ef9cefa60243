package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record logs one line as JSON and decodes it.
func record(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(New(&out, slog.LevelDebug, FormatJSON, "proj"))
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Fatalf("%d lines, want one: %q", n, out.String())
	}
	got := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("line is not JSON: %v: %s", err, out.String())
	}
	return got
}

func TestSeverities(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelInfo + 2: "NOTICE", slog.LevelWarn: "WARNING",
		slog.LevelError: "ERROR", slog.LevelError + 4: "CRITICAL",
	} {
		got := record(t, func(l *slog.Logger) { l.Log(context.Background(), level, "hello") })
		if got["severity"] != want || got["message"] != "hello" || got["time"] == nil {
			t.Errorf("level %v: got %v, want severity %s and message and time", level, got, want)
		}
		if got["level"] != nil || got["msg"] != nil {
			t.Errorf("level %v: slog's own names are left: %v", level, got)
		}
	}
}

func TestLevelIsTheLeastWritten(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, slog.LevelWarn, FormatJSON, "")
	l.Info("quiet")
	if out.Len() != 0 {
		t.Errorf("info was written at level warn: %s", out.String())
	}
	l.Warn("loud")
	if !strings.Contains(out.String(), "loud") {
		t.Errorf("warning is missing: %q", out.String())
	}
}

func TestTraceOfTheRequest(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	tests := []struct {
		name          string
		header        http.Header
		trace, span   string
		sampled, none bool
	}{
		{name: "w3c", header: http.Header{"Traceparent": {"00-" + id + "-00f067aa0ba902b7-01"}},
			trace: id, span: "00f067aa0ba902b7", sampled: true},
		{name: "w3c unsampled", header: http.Header{"Traceparent": {"00-" + id + "-00f067aa0ba902b7-00"}},
			trace: id, span: "00f067aa0ba902b7"},
		{name: "cloud", header: http.Header{"X-Cloud-Trace-Context": {id + "/255;o=1"}},
			trace: id, span: "00000000000000ff", sampled: true},
		{name: "cloud without span", header: http.Header{"X-Cloud-Trace-Context": {id}}, trace: id},
		{name: "unreadable w3c falls back", header: http.Header{"Traceparent": {"00-zz"}, "X-Cloud-Trace-Context": {id + "/1"}},
			trace: id, span: "0000000000000001"},
		{name: "zero id", header: http.Header{"Traceparent": {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}}, none: true},
		{name: "version ff", header: http.Header{"Traceparent": {"ff-" + id + "-00f067aa0ba902b7-01"}}, none: true},
		{name: "garbage", header: http.Header{"X-Cloud-Trace-Context": {"../../etc"}}, none: true},
		{name: "absent", none: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := WithTrace(context.Background(), tt.header)
			got := record(t, func(l *slog.Logger) { l.InfoContext(ctx, "x") })
			if tt.none {
				if v, ok := got[fieldTrace]; ok {
					t.Fatalf("trace %v out of nothing", v)
				}
				return
			}
			span, _ := got[fieldSpan].(string)
			if got[fieldTrace] != "projects/proj/traces/"+tt.trace || span != tt.span || got[fieldSampled] != tt.sampled {
				t.Errorf("got trace %v span %v sampled %v", got[fieldTrace], got[fieldSpan], got[fieldSampled])
			}
		})
	}
}

func TestGroupsKeepTheTraceOutside(t *testing.T) {
	ctx := WithTrace(context.Background(), http.Header{"X-Cloud-Trace-Context": {strings.Repeat("ab", 16)}})
	got := record(t, func(l *slog.Logger) {
		l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "x", "c", 3, "password", "p")
	})
	want := map[string]any{"b": float("2"), "h": map[string]any{"c": float("3"), "password": redacted}}
	if diff := cmp.Diff(want, got["g"]); diff != "" {
		t.Errorf("group (-want +got):\n%s", diff)
	}
	if got["a"] != float("1") || got[fieldTrace] == nil {
		t.Errorf("top level lost something: %v", got)
	}
}

// float is how encoding/json hands out a number.
func float(s string) any {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		panic(err)
	}
	return v
}

type leaky struct {
	Name     string
	APIKey   string `json:"api_key"`
	Contacts []string
}

type angry struct{ text string }

func (a *angry) Error() string { return a.text }

func TestNothingSecretIsWritten(t *testing.T) {
	const secret = "hunter2hunter2"
	const address = "jane.doe+ar@example.com"
	var none *angry
	attrs := []any{
		"password", secret, "client_secret", secret, "apiKey", secret, "Authorization", "Basic " + secret,
		"token", []byte(secret), "customer_email", address, "emails", []string{address}, "set-cookie", secret,
		"err", errors.New("calling https://user:" + secret + "@host/x: Bearer " + secret),
		"note", "sent to " + address + " with token=" + secret + "&x=1",
		"body", `{"password" : "` + secret + `","a":1}`, "raw", []byte("to " + address),
		"struct", leaky{Name: "n", APIKey: secret, Contacts: []string{address}},
		"map", map[string]any{"secret": secret, "deep": map[string]any{"email": address}},
		"nothing", none, slog.Group("g", "password", secret, "who", address),
		"odd", func() {}, "url", fmt.Sprintf("https://x/?access_token=%s", secret),
	}
	for _, format := range []string{FormatJSON, FormatText} {
		var out bytes.Buffer
		New(&out, slog.LevelInfo, format, "").With("signing_key", secret).Info("mail to "+address+" refused", attrs...)
		for _, bad := range []string{secret, "jane", "example.com"} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%s holds %q: %s", format, bad, out.String())
			}
		}
		if !strings.Contains(out.String(), "x=1") || !strings.Contains(out.String(), "refused") {
			t.Errorf("%s lost what may be shown: %s", format, out.String())
		}
	}
}

func TestWhatIsNoSecretStays(t *testing.T) {
	got := record(t, func(l *slog.Logger) {
		l.Info("invoice 104233 @ 3 days", "secret_name", "us-q360", "emails_sent", 3, "token", "", "password", true,
			"key", "us/invoice/1", "n", 12, KeyVerdict, "create", "note", "reading the secret: permission denied")
	})
	for key, want := range map[string]any{
		"message": "invoice 104233 @ 3 days", "secret_name": "us-q360", "emails_sent": float("3"), "token": "", "password": true,
		"key": "us/invoice/1", "n": float("12"), "verdict": "create", "note": "reading the secret: permission denied",
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"plain":                            "plain",
		"a@b":                              "a@b",
		"Ärger@müller.example, b@c.co":     "[email], [email]",
		"<x@y.org>":                        "<[email]>",
		"https://k:@api.invoiced.com/x":    "https://[redacted]@api.invoiced.com/x",
		"Authorization: Basic dXNlcjpwYQ":  "Authorization: Basic [redacted]",
		"bearer abc.def-ghi":               "bearer [redacted]",
		"?api_key=123&page=2":              "?api_key=[redacted]&page=2",
		`{"client_secret":"a\"b","n":"c"}`: `{"client_secret":"[redacted]","n":"c"}`,
	} {
		if got := Scrub(in); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", in, got, want)
		}
		if again := Scrub(want); again != want {
			t.Errorf("Scrub is not stable: %q becomes %q", want, again)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("mail a@b.co", "x")
	f.Add("Basic", "https://u:p@h/")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Scrub(before + " jane.doe@example.com " + after)
		if strings.Contains(got, "jane.doe@example.com") {
			t.Errorf("address survives in %q", got)
		}
	})
}

func TestTextFormatHasTheTraceToo(t *testing.T) {
	var out bytes.Buffer
	ctx := WithTrace(context.Background(), http.Header{"X-Cloud-Trace-Context": {strings.Repeat("ab", 16)}})
	New(&out, slog.LevelInfo, FormatText, "proj").InfoContext(ctx, "hi", KeyCompany, "us")
	for _, want := range []string{"level=INFO", "msg=hi", "company=us", "trace=" + strings.Repeat("ab", 16)} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}
