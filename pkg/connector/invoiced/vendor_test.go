package invoiced

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/secret"
)

const fixtureKey = "sk-fixture-0815-do-not-print"

// fixedSecrets knows one version of every secret.
type fixedSecrets struct{}

func (fixedSecrets) Get(context.Context, string) ([]secret.Value, error) {
	return []secret.Value{secret.NewValue(fixtureKey)}, nil
}

// received is a request as the vendor got it.
type received struct {
	call   string // "POST /invoices"
	query  map[string][]string
	header http.Header
	body   string
}

// vendor answers each "METHOD /path" with the texts written for it, one after the other, the last one again and again. A
// text that starts with a number and a blank has that status.
type vendor struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]string
	got     []received
	link    string // Link header of every answer, if any
	logs    bytes.Buffer
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	call := r.Method + " " + r.URL.Path
	v.got = append(v.got, received{call, r.URL.Query(), r.Header.Clone(), string(body)})
	texts := v.answers[call]
	if len(texts) > 1 {
		v.answers[call] = texts[1:]
	}
	v.mu.Unlock()
	if len(texts) == 0 {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"type":"invalid_request","message":"`+call+` is not part of this test"}`)
		return
	}
	status, text := http.StatusOK, texts[0]
	if code, rest, ok := strings.Cut(text, " "); ok && len(code) == 3 && code[0] >= '1' && code[0] <= '5' {
		status, text = int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0'), rest
	}
	if v.link != "" {
		w.Header().Set("Link", v.link)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (v *vendor) requests(call string) []received {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []received
	for _, r := range v.got {
		if r.call == call {
			out = append(out, r)
		}
	}
	return out
}

// body is what the n-th request of a call carried, as a map.
func (v *vendor) body(t *testing.T, call string, n int) map[string]any {
	t.Helper()
	got := v.requests(call)
	if len(got) <= n {
		t.Fatalf("%s arrived %d times, want more than %d", call, len(got), n)
	}
	m := map[string]any{}
	d := json.NewDecoder(strings.NewReader(got[n].body))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%s: body %q: %v", call, got[n].body, err)
	}
	return m
}

func chicago(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func testConfig(t testing.TB, url string) Config {
	return Config{Name: "Acme West", BaseURL: url, APIKeySecret: "invoiced-api-key", Location: chicago(t), Currency: money.USD,
		Country: "US", PerSecond: 10000, ReadAttempts: 2, MinBackoff: time.Millisecond, MaxBackoff: time.Second}
}

// start starts a vendor with hand-written answers and a connector to it.
func start(t *testing.T, answers map[string][]string) (*vendor, *Connector) {
	t.Helper()
	v := &vendor{answers: answers}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	c, err := New(testConfig(t, v.URL), Deps{Secrets: fixedSecrets{},
		Logger: slog.New(slog.NewTextHandler(&v.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

// usd is an amount in dollars.
func usd(s string) money.Money { return money.MustParse(s, money.USD) }
