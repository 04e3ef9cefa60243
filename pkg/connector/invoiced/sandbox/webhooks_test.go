package sandbox_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// sink receives webhooks.
type sink struct {
	t   *testing.T
	srv *httptest.Server
	// secret signs what arrives; empty is the account's.
	secret string
	mu     sync.Mutex
	got    []obj
	bad    int    // wrong signatures
	last   string // the last signature
	fail   int    // deliveries to refuse first
	// gate holds every delivery back until it is closed; nil does not.
	gate   chan struct{}
	inside int
	most   int
}

func newSink(t *testing.T) *sink {
	t.Helper()
	k := &sink{t: t}
	k.srv = httptest.NewServer(k)
	t.Cleanup(k.srv.Close)
	return k
}

func (k *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	k.inside++
	k.most = max(k.most, k.inside)
	gate := k.gate
	k.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inside--
	k.last = r.Header.Get(sandbox.SignatureHeader)
	switch {
	case r.Header.Get(sandbox.SignatureHeader) != sandbox.Sign(cmp.Or(k.secret, secret), body):
		k.bad++
		w.WriteHeader(http.StatusUnauthorized)
		return
	case k.fail > 0:
		k.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var o obj
	if err := json.Unmarshal(body, &o); err != nil {
		k.t.Errorf("webhook body %s: %v", body, err)
	}
	k.got = append(k.got, o)
	w.WriteHeader(http.StatusNoContent)
}

// types are the event types received, sorted: deliveries run side by side and promise no order.
func (k *sink) types() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, o := range k.got {
		out = append(out, o.str("type"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (k *sink) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.got)
}

// run delivers in the background; the returned function ends it.
func (r *rig) run() (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				r.t.Errorf("Run ended with %v", err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func (r *rig) quiet() {
	r.t.Helper()
	until(r.t, "quiet", func() bool { return r.s.Pending() == 0 })
}

func hooked(k *sink, more ...func(*sandbox.Config)) func(*sandbox.Config) {
	return func(c *sandbox.Config) {
		c.Accounts[0].WebhookURL = k.srv.URL
		for _, f := range more {
			f(c)
		}
	}
}

// Webhooks are signed, carry the user, and equal what the events endpoint shows.
func TestWebhookDelivery(t *testing.T) {
	k := newSink(t)
	r := newRig(t, hooked(k))
	r.run()
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	r.must(201, "POST", "/payments", pay(cust, "10", toInvoice(inv, "10")))
	r.quiet()
	if got := k.types(); got != "customer.created invoice.created invoice.paid invoice.updated payment.created" {
		t.Errorf("received %s", got)
	}
	shown := map[string]string{}
	for _, e := range r.list("/events?include=user") {
		text, _ := json.Marshal(e)
		shown[e.id()] = string(text)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.got {
		text, _ := json.Marshal(e)
		var number obj
		_ = json.Unmarshal(text, &number)
		id := fmt.Sprintf("%.0f", number["id"])
		if !sameJSON(t, shown[id], string(text)) {
			t.Errorf("event %s: sent %s, shown %s", id, text, shown[id])
		}
	}
	for _, a := range r.list("/webhook_attempts") {
		a.want(t, "attempts.0.status_code", "204", "state", "delivered")
	}
	if _, has := r.list("/events")[0]["user"]; has {
		t.Error("user is shown without include")
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

// A refused delivery is repeated after the interval, on the sandbox's own clock.
func TestWebhookRetry(t *testing.T) {
	k := newSink(t)
	k.fail = 2
	r := newRig(t, hooked(k))
	r.run()
	r.customer("")
	attempts := func() int {
		l := r.list("/webhook_attempts")
		tries, _ := l[0]["attempts"].([]any)
		return len(tries)
	}
	until(t, "the first try", func() bool { return attempts() == 1 })
	if r.s.Pending() != 1 {
		t.Errorf("%d pending", r.s.Pending())
	}
	r.sim(200, "/clock", `{"advance":"1h1s"}`)
	until(t, "the second try", func() bool { return attempts() == 2 })
	r.clk.Advance(time.Hour + time.Second)
	r.quiet()
	r.list("/webhook_attempts")[0].want(t, "attempts.0.status_code", "503", "attempts.2.status_code", "204", "state", "delivered")
}

// After the last try the endpoint is disabled and gets nothing more until it is enabled again.
func TestWebhookExhausted(t *testing.T) {
	k := newSink(t)
	k.fail = 1000
	r := newRig(t, hooked(k, func(c *sandbox.Config) {
		c.Options.MaxAttempts, c.Options.RetryInterval = 3, 10*time.Millisecond
	}))
	r.run()
	r.customer("")
	r.quiet()
	hook := r.list("/webhooks")[0]
	hook.want(t, "enabled", "false")
	attempt := r.list("/webhook_attempts")[0]
	attempt.want(t, "state", "exhausted", "attempts.2.status_code", "503", "attempts.3", "")
	r.customer("")
	if n := len(r.list("/webhook_attempts")); n != 1 {
		t.Errorf("a disabled endpoint has %d attempts", n)
	}
	k.mu.Lock()
	k.fail = 0
	k.mu.Unlock()
	r.must(200, "PATCH", "/webhooks/"+hook.id(), `{"enabled":true}`)
	r.must(201, "POST", "/webhook_attempts/"+attempt.id()+"/retries", "")
	r.customer("")
	until(t, "both", func() bool { return k.count() == 2 })
	if n := len(r.list("/events")); n != 3 {
		t.Errorf("%d events; the one not sent must be there for a gap fill", n)
	}
}

// What a killed process leaves is delivered by the next one, to where the endpoint is then.
func TestWebhooksResumeAfterKill(t *testing.T) {
	gone := newSink(t)
	path := filepath.Join(t.TempDir(), "state")
	r := newRig(t, hooked(gone, func(c *sandbox.Config) { c.StatePath = path }))
	cust := r.customer("")
	inv := r.invoice(cust, "10", `,"number":"A-1"`)
	r.must(201, "POST", "/payments", pay(cust, "4", toInvoice(inv, "4")))
	r.sim(200, "/clock", `{"advance":"24h"}`)
	upload := r.call("POST", "/files", "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n--B--\r\n",
		"Content-Type: multipart/form-data; boundary=B").object()
	if r.s.Pending() != 4 {
		t.Fatalf("%d pending", r.s.Pending())
	}
	before := r.call("GET", "/events", "").body

	k := newSink(t)
	cfg := r.cfg // the first server is never closed, as after a kill
	cfg.Accounts = slices.Clone(cfg.Accounts)
	cfg.Accounts[0].WebhookURL = k.srv.URL
	second := openRig(t, cfg, r.clk)
	if second.s.Pending() != 4 {
		t.Fatalf("%d pending after the restart", second.s.Pending())
	}
	if got := second.call("GET", "/events", "").body; string(got) != string(before) {
		t.Errorf("events differ:\n%s\n%s", before, got)
	}
	if d := second.s.Now().Sub(r.s.Now()).Abs(); d > time.Minute {
		t.Errorf("the clocks are %s apart", d)
	}
	second.run()
	second.quiet()
	if k.count() != 4 || gone.count() != 0 {
		t.Errorf("the new endpoint got %d, the old one %d", k.count(), gone.count())
	}
	second.list("/invoices?filter[number]=A-1")[0].want(t, "balance", "6", "id", inv.id())
	token := upload.str("url")[strings.LastIndex(upload.str("url"), "/"):]
	if a := second.as("").call("GET", "/portal/files"+token, ""); string(a.body) != "bytes" {
		t.Errorf("the upload is %q", a.body)
	}
	if next := second.customer(""); next <= inv.id() {
		t.Errorf("id %s was given after %s", next, inv.id())
	}
	second.quiet()
	third := openRig(t, cfg, second.clk)
	if third.s.Pending() != 0 {
		t.Errorf("delivered webhooks came back: %d", third.s.Pending())
	}
}

// A delivery under way when Run ends is made again by the next Run.
func TestRunEndsInTheMiddle(t *testing.T) {
	k := newSink(t)
	k.gate = make(chan struct{})
	r := newRig(t, hooked(k))
	stop := r.run()
	for range 20 {
		r.customer("")
	}
	until(t, "eight deliveries side by side", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.inside == 8 })
	stop()
	if r.s.Pending() != 20 {
		t.Errorf("%d pending", r.s.Pending())
	}
	k.mu.Lock()
	close(k.gate)
	k.gate = nil
	k.mu.Unlock()
	r.run()
	r.quiet()
	ids := map[string]bool{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.got {
		ids[fmt.Sprint(o["id"])] = true
	}
	if len(ids) != 20 || k.most != 8 {
		t.Errorf("%d different events, at most %d at once", len(ids), k.most)
	}
}

func TestChaos(t *testing.T) {
	for _, c := range []struct {
		name, settings   string
		got, bad, events int
	}{
		{"duplicate", `{"duplicate_percent":100}`, 10, 0, 5},
		{"drop", `{"drop_percent":100}`, 0, 0, 5},
		{"wrong signature", `{"wrong_signature_percent":100}`, 5, 5, 5},
		{"reorder and delay", `{"reorder_percent":100,"reorder_ms":20,"delay_ms":5,"seed":3}`, 5, 0, 5},
		{"none", `{}`, 5, 0, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newSink(t)
			r := newRig(t, hooked(k, func(c *sandbox.Config) { c.Options.RetryInterval = 10 * time.Millisecond }))
			r.sim(200, "/chaos", c.settings)
			r.run()
			for range 5 {
				r.customer("")
			}
			r.quiet()
			if k.count() != c.got || k.bad != c.bad || len(r.list("/events")) != c.events {
				t.Errorf("received %d, wrongly signed %d, events %d", k.count(), k.bad, len(r.list("/events")))
			}
		})
	}
	r := newRig(t)
	r.sim(400, "/chaos", `{"drop_percent":101}`)
}

// A receiver slower than the time-out counts as failed.
func TestWebhookTimeout(t *testing.T) {
	k := newSink(t)
	k.gate = make(chan struct{})
	defer close(k.gate)
	r := newRig(t, hooked(k, func(c *sandbox.Config) {
		c.Options.DeliveryTimeout, c.Options.MaxAttempts = 20*time.Millisecond, 1
	}))
	r.run()
	r.customer("")
	r.quiet()
	r.list("/webhook_attempts")[0].want(t, "state", "exhausted", "attempts.0.status_code", "0")
}

func TestWebhookEndpoints(t *testing.T) {
	k := newSink(t)
	r := newRig(t)
	r.refused("url", "POST", "/webhooks", `{"url":"nowhere"}`)
	hook := r.must(201, "POST", "/webhooks", `{"url":"`+k.srv.URL+`","events":["invoice.created"],"secret":"`+secret+`"}`)
	if hook["secret"] != nil {
		t.Error("the secret is shown")
	}
	r.run()
	r.invoice(r.customer(""), "1", "")
	until(t, "the invoice", func() bool { return k.count() == 1 })
	r.quiet()
	if got := k.types(); got != "invoice.created" {
		t.Errorf("received %s", got)
	}
	if a := r.call("DELETE", "/webhooks/"+hook.id(), ""); a.status != 204 {
		t.Errorf("delete: %d", a.status)
	}
	r.sim(200, "/webhook", `{"url":"`+k.srv.URL+`"}`)
	r.customer("")
	until(t, "the customer", func() bool { return k.count() == 2 })
}

// A clock that never moves by itself: the work of hours later is done when the time is moved there.
func TestScheduledWorkWithoutRequests(t *testing.T) {
	k := newSink(t)
	r := newRig(t, hooked(k))
	r.run()
	cust := r.customer(`,"autopay":true,"payment_source":{"method":"credit_card","invoiced_token":"4242424242424242"}`)
	r.invoice(cust, "100", "")
	r.clk.Advance(2 * time.Hour)
	until(t, "the AutoPay payment", func() bool { return strings.Contains(k.types(), "invoice.paid") })
}
