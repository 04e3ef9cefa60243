package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

const (
	fullKey  = "key-full"
	readKey  = "key-read"
	otherKey = "key-other"
	secret   = "whsec"
)

// start is a Tuesday, 12:00 in Chicago.
var start = time.Date(2026, 3, 10, 17, 0, 0, 0, time.UTC)

// rig is a sandbox behind a loopback server.
type rig struct {
	t   *testing.T
	s   *sandbox.Server
	srv *httptest.Server
	clk *clock.Movable
	cfg sandbox.Config
	key string
}

func newRig(t *testing.T, change ...func(*sandbox.Config)) *rig {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewMovable(start)
	cfg := sandbox.Config{
		Clock: clk, Logger: slog.New(slog.DiscardHandler),
		Accounts: []sandbox.Account{
			{
				Name: "main", Location: zone, Currency: "USD", WebhookSecret: secret,
				APIKeys: []sandbox.Key{{Value: fullKey}, {Value: readKey, ReadOnly: true}},
			},
			{Name: "other", Location: time.UTC, Currency: "EUR", APIKeys: []sandbox.Key{{Value: otherKey}}},
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	return openRig(t, cfg, clk)
}

func openRig(t *testing.T, cfg sandbox.Config, clk *clock.Movable) *rig {
	t.Helper()
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	r := &rig{t: t, s: s, srv: srv, clk: clk, cfg: cfg, key: fullKey}
	t.Cleanup(func() {
		srv.Close()
		_ = s.Close() // a test may have closed it
	})
	return r
}

// as is the rig with another API key.
func (r *rig) as(key string) *rig {
	c := *r
	c.key = key
	return &c
}

type reply struct {
	status int
	header http.Header
	body   []byte
	t      *testing.T
}

// call sends a request; headers come as "Name: value".
func (r *rig) call(method, path, body string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, r.srv.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.key != "" {
		req.SetBasicAuth(r.key, "")
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, raw, r.t}
}

// must is call with a status to expect; it returns the decoded object.
func (r *rig) must(status int, method, path, body string) obj {
	r.t.Helper()
	a := r.call(method, path, body)
	if a.status != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a.object()
}

// refused expects a 400 about a parameter.
func (r *rig) refused(param, method, path, body string) {
	r.t.Helper()
	a := r.call(method, path, body)
	if a.status != http.StatusBadRequest {
		r.t.Fatalf("%s %s %s: status %d, want 400: %s", method, path, body, a.status, a.body)
	}
	e := a.object()
	if e.str("type") != "invalid_request" || e.str("message") == "" || e.str("param") != param {
		r.t.Errorf("%s %s %s: error %s, want param %q", method, path, body, a.body, param)
	}
}

func (r *rig) list(path string) []obj {
	r.t.Helper()
	a := r.call("GET", path, "")
	if a.status != http.StatusOK {
		r.t.Fatalf("GET %s: status %d: %s", path, a.status, a.body)
	}
	return a.list()
}

func (a reply) object() obj {
	a.t.Helper()
	if len(a.body) == 0 {
		return nil
	}
	var o map[string]any
	a.decode(&o)
	return o
}

// param is the parameter that an error names.
func (a reply) param() string {
	a.t.Helper()
	if a.status < 400 {
		return ""
	}
	return a.object().str("param")
}

func (a reply) list() []obj {
	a.t.Helper()
	var l []obj
	a.decode(&l)
	return l
}

func (a reply) decode(into any) {
	a.t.Helper()
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		a.t.Fatalf("decoding %s: %v", a.body, err)
	}
}

// obj is a decoded JSON object.
type obj map[string]any

// at walks a path such as items.0.amount.
func (o obj) at(path string) any {
	var v any = map[string]any(o)
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// str is the value at a path as text; null and absent are empty.
func (o obj) str(path string) string {
	v := o.at(path)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (o obj) id() string { return o.str("id") }

// want compares values at paths, given as pairs.
func (o obj) want(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := o.str(pairs[i]); got != pairs[i+1] {
			t.Errorf("%s %s: %s = %q, want %q", o.str("object"), o.str("number"), pairs[i], got, pairs[i+1])
		}
	}
}

// customer makes a customer and returns its id.
func (r *rig) customer(extra string) string {
	r.t.Helper()
	return r.must(201, "POST", "/customers", `{"name":"Acme","email":"ap@acme.test"`+extra+`}`).id()
}

// invoice makes an issued invoice with one line over the amount.
func (r *rig) invoice(customer, amount, extra string) obj {
	r.t.Helper()
	return r.must(201, "POST", "/invoices", fmt.Sprintf(
		`{"customer":%s,"calculate_taxes":false,"items":[{"name":"Paper","quantity":1,"unit_cost":%s}]%s}`, customer, amount, extra))
}

func (r *rig) creditNote(customer, amount, extra string) obj {
	r.t.Helper()
	return r.must(201, "POST", "/credit_notes", fmt.Sprintf(
		`{"customer":%s,"items":[{"name":"Return","quantity":1,"unit_cost":%s}]%s}`, customer, amount, extra))
}

func (r *rig) get(path string) obj {
	r.t.Helper()
	return r.must(200, "GET", path, "")
}

// events returns the types of all events, oldest first.
func (r *rig) events() []string {
	r.t.Helper()
	var out []string
	for _, e := range r.list("/events") {
		out = append([]string{e.str("type")}, out...)
	}
	return out
}

// sim calls the control interface for the account main.
func (r *rig) sim(status int, path, body string) obj {
	r.t.Helper()
	return r.as("").must(status, "POST", "/_sim"+path+"?account=main", body)
}
