package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/server"
	"github.com/arbridge/arbridge/pkg/telemetry/telemetrytest"
)

// oneCompany is a configuration whose vendors nobody is.
const oneCompany = `companies:
  - id: us
    settings:
      company: {mode: live, q360_company: 01, time_zone: America/New_York, currency: USD}
      qualify.start_date: 2026-01-01
      payments: {methods_map: {credit_card: CARD}, gl_accounts: {USD: 1010}}
      fees: {gl_account: 4950}
    q360: {base_url: http://127.0.0.1:9, credentials_secret: q360-user}
    invoiced: {base_url: http://127.0.0.1:9, api_key_secret: invoiced-key, webhook_secret: invoiced-webhook}
`

func TestPushOptions(t *testing.T) {
	onCloudRun := func(name string) string { return map[string]string{"K_SERVICE": "arbridge-sync"}[name] }
	elsewhere := func(string) string { return "" }
	for name, c := range map[string]struct {
		env           func(string) string
		authenticated bool
		want          bool
	}{
		"Cloud Run":                        {onCloudRun, true, true},
		"a service that anybody may call":  {onCloudRun, false, false},
		"elsewhere":                        {elsewhere, true, false},
		"elsewhere, open to everybody too": {elsewhere, false, false},
	} {
		cloud := config.Cloud{BaseURL: "https://arbridge.example.com", PushServiceAccount: "push@example-prod.iam.gserviceaccount.com", Authenticated: c.authenticated}
		o := pushOptions(cloud, clock.System{}, c.env)
		if o.BehindIAM != c.want || o.Audience != cloud.BaseURL || len(o.Emails) != 1 || o.Emails[0] != cloud.PushServiceAccount {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// stripped is a token as Cloud Run hands it on after it has checked it.
func stripped(t *testing.T, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": "https://accounts.google.com", "aud": "https://arbridge.example.com", "email": "push@example-prod.iam.gserviceaccount.com",
		"email_verified": true, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	var parts []string
	for _, v := range []map[string]any{{"alg": "RS256", "typ": "JWT", "kid": "x"}, claims} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	return strings.Join(parts, ".") + ".SIGNATURE_REMOVED_BY_GOOGLE"
}

// TestPushesBehindIAM: what Cloud Run has checked is taken on the services that are pushed to, if its claims are right, and
// only there.
func TestPushesBehindIAM(t *testing.T) {
	cfg, problems := config.Parse([]byte(oneCompany), t.TempDir(), config.Env{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, err := platform.Open(t.Context(), cfg, platform.Options{DataDir: t.TempDir(), Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	cloud := config.Cloud{BaseURL: "https://arbridge.example.com", PushServiceAccount: "push@example-prod.iam.gserviceaccount.com", Authenticated: true}
	good := stripped(t, nil)
	for _, c := range []struct {
		name, function, token string
		cloudRun, open        bool
		status                int
	}{
		{"checked by Cloud Run", "sync", good, true, false, http.StatusNoContent},
		{"checked by Cloud Run", "receipt", good, true, false, http.StatusNoContent},
		{"checked by Cloud Run", "poll", good, true, false, http.StatusNoContent},
		{"the service is open to everybody", "sync", good, true, true, http.StatusUnauthorized},
		{"not on Cloud Run", "sync", good, false, false, http.StatusUnauthorized},
		{"no token", "sync", "", true, false, http.StatusUnauthorized},
		{"the token of another service", "sync", stripped(t, func(c map[string]any) { c["aud"] = "https://other.example.com" }), true, false, http.StatusUnauthorized},
		{"the token of another account", "sync", stripped(t, func(c map[string]any) { c["email"] = "x@example-prod.iam.gserviceaccount.com" }), true, false, http.StatusUnauthorized},
		{"an old token", "sync", stripped(t, func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), true, false, http.StatusUnauthorized},
		{"webhooks bring none", "webhook", "", true, false, http.StatusServiceUnavailable}, // their secret is nowhere
	} {
		t.Run(c.function+" "+c.name, func(t *testing.T) {
			t.Setenv("K_SERVICE", map[bool]string{true: "arbridge-" + c.function}[c.cloudRun])
			cloud := cloud
			cloud.Authenticated = !c.open
			h, err := functionHandler(t.Context(), c.function, p, cloud, server.Options{Logger: p.Log, Clock: p.Clock})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/webhook/us", strings.NewReader(`{"message":{"messageId":"1","data":"e30="}}`))
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("answered %d, want %d: %s", w.Code, c.status, w.Body)
			}
		})
	}
}

// TestSIGTERMOfAFunction: the process of a service that gets SIGTERM finishes the request it has, takes no new one, sends
// its telemetry, and ends with 0 before Cloud Run would kill it.
func TestSIGTERMOfAFunction(t *testing.T) {
	collector := telemetrytest.Start(t)
	dir, addr := filepath.Join(t.TempDir(), "data"), free(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := start(t, addr, []string{"FUNCTION_TARGET=webhook", "PORT=" + port, "ARBRIDGE_DATA=" + dir, "ARBRIDGE_CONFIG=" + oneCompany,
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL(), "ARBRIDGE_SECRET_INVOICED_WEBHOOK=jane@example.com"})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /webhook/us?token=hunter2 HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nX-Invoiced-Signature: 00\r\n\r\n{\"id\""); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // until the handler waits for the rest of the body
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for status(t, http.MethodPost, "http://"+addr+"/webhook/us", `{"id":1}`) != http.StatusServiceUnavailable {
		if time.Since(began) > 5*time.Second {
			t.Fatal("new requests are taken after SIGTERM")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := io.WriteString(conn, ":1}"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("the running request: %v, %v; want it handled", res, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to end", took)
	}
	spans, failed := 0, int64(0)
	for _, s := range collector.Spans() {
		if s.Name == "webhook" && s.Attributes["http.response.status_code"] == "401" {
			spans++
		}
	}
	if failed, _ = collector.Last("arbridge_requests_total", "webhook", "4xx"); spans == 0 || failed == 0 {
		t.Errorf("%d spans and %d counted requests arrived, want those of the request", spans, failed)
	}
	for _, bad := range []string{"hunter2", "jane", "q360-user"} {
		if strings.Contains(collector.Text(), bad) {
			t.Errorf("%q was sent", bad)
		}
	}
}
