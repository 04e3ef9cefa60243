package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/store"
)

// vault holds the versions of secrets, newest first.
type vault map[string][]string

func (v vault) Get(_ context.Context, name string) ([]secret.Value, error) {
	if len(v[name]) == 0 {
		return nil, secret.ErrNotFound
	}
	var out []secret.Value
	for _, text := range v[name] {
		out = append(out, secret.NewValue(text))
	}
	return out, nil
}

func sign(body, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

type fixture struct {
	*enginetest.World
	handler http.Handler
	log     bytes.Buffer
}

func setup() *fixture {
	f := &fixture{World: enginetest.NewWorld()}
	f.AddSite("ca")
	secrets := vault{"invoiced-us-webhook": {"new key", "old key"}}
	f.handler = webhook.Handler(f.Start(), secrets, func(company string) string { return "invoiced-" + company + "-webhook" },
		webhook.Vendor{Verify: invoiced.Verify, Parse: enginetest.ParseEvent}, slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return f
}

func (f *fixture) post(method, path, body, signature string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if signature != "" {
		r.Header.Set(webhook.SignatureHeader, signature)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

func (f *fixture) inbox(t *testing.T) map[string]record.Inbox {
	t.Helper()
	all, err := enginetest.All[record.Inbox](f.Store, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const event = `{"id":"e1","type":"payment.created","at":"2026-05-05T14:00:00Z","object":"payment","object_id":"9001"}`

func TestAnswers(t *testing.T) {
	large := `{"id":"e1","type":"payment.created","x":"` + strings.Repeat("x", webhook.MaxBody) + `"}`
	strange := `{"id":"e1","type":"moon.phase","at":"2026-05-05T14:00:00Z"}`
	for _, c := range []struct {
		name      string
		method    string
		path      string
		body      string
		signature string
		store     error
		status    int
		stored    int
	}{
		{"signed", http.MethodPost, "/webhook/us", event, sign(event, "new key"), nil, 204, 1},
		{"signed with the old secret", http.MethodPost, "/webhook/us", event, sign(event, "old key"), nil, 204, 1},
		{"a type nobody knows", http.MethodPost, "/webhook/us", strange, sign(strange, "new key"), nil, 204, 1},
		{"signed with another secret", http.MethodPost, "/webhook/us", event, sign(event, "guess"), nil, 401, 0},
		{"not signed", http.MethodPost, "/webhook/us", event, "", nil, 401, 0},
		{"the signature of another body", http.MethodPost, "/webhook/us", event + " ", sign(event, "new key"), nil, 401, 0},
		{"a signature that is none", http.MethodPost, "/webhook/us", event, "zz", nil, 401, 0},
		{"larger than 1 MiB", http.MethodPost, "/webhook/us", large, sign(large, "new key"), nil, 413, 0},
		{"nobody's company", http.MethodPost, "/webhook/xx", event, sign(event, "new key"), nil, 404, 0},
		{"no company", http.MethodPost, "/webhook/", event, sign(event, "new key"), nil, 404, 0},
		{"a browser", http.MethodGet, "/webhook/us", "", "", nil, 405, 0},
		{"signed, but no event", http.MethodPost, "/webhook/us", `{"hello":1}`, sign(`{"hello":1}`, "new key"), nil, 400, 0},
		{"the store is down", http.MethodPost, "/webhook/us", event, sign(event, "new key"), errors.New("disk full"), 503, 0},
		{"the secret can not be read", http.MethodPost, "/webhook/ca", event, sign(event, "new key"), nil, 503, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := setup()
			f.Store.Break(c.store)
			w := f.post(c.method, c.path, c.body, c.signature)
			f.Store.Break(nil)
			if w.Code != c.status || len(f.inbox(t)) != c.stored {
				t.Errorf("status %d and %d events, want %d and %d", w.Code, len(f.inbox(t)), c.status, c.stored)
			}
			if c.status == 405 && w.Header().Get("Allow") != http.MethodPost {
				t.Errorf("Allow is %q", w.Header().Get("Allow"))
			}
			if body := w.Body.String(); c.status == 204 && body != "" || strings.Contains(body, "disk full") {
				t.Errorf("answer %q", body)
			}
			for _, never := range []string{"new key", "old key", sign(event, "new key")} {
				if strings.Contains(f.log.String(), never) {
					t.Errorf("the log holds %q", never)
				}
			}
			if n := f.ERP.Count() + f.Portal.Count(); n != 0 {
				t.Errorf("%d calls to vendors", n)
			}
		})
	}
}

func TestStoredEvent(t *testing.T) {
	f := setup()
	if w := f.post(http.MethodPost, "/webhook/us", event, sign(event, "old key")); w.Code != 204 {
		t.Fatalf("status %d", w.Code)
	}
	in := f.inbox(t)["us/e1"]
	if in.Raw != event || in.SecretNo != 1 || in.Via != "webhook" || in.State != record.InboxNew || in.Subject != "us/payment/9001" || in.Type != "payment.created" {
		t.Errorf("inbox %+v", in)
	}
	if !in.ReceivedAt.Equal(f.Clock.Now()) || !in.DueAt.After(f.Clock.Now()) || !in.ExpireAt.After(f.Clock.Now().AddDate(1, 0, 0)) {
		t.Errorf("times %+v", in)
	}
	messages := f.Bus.Lose()
	if len(messages) != 1 || messages[0].Topic != "events" || messages[0].Key != "us/payment/9001" || string(messages[0].Data) != `{"company":"us","event_id":"e1"}` {
		t.Errorf("messages %+v", messages)
	}
	for range 3 { // the portal repeats itself
		if w := f.post(http.MethodPost, "/webhook/us", event, sign(event, "new key")); w.Code != 204 {
			t.Errorf("status %d for a known event", w.Code)
		}
	}
	if len(f.inbox(t)) != 1 || len(f.Bus.Lose()) != 0 || f.inbox(t)["us/e1"].SecretNo != 1 {
		t.Errorf("a known event changes something: %+v", f.inbox(t))
	}
}

func TestUnknownTypesNeedNothing(t *testing.T) {
	f := setup()
	body := `{"id":"e2","type":"moon.phase","at":"2026-05-05T14:00:00Z"}`
	f.post(http.MethodPost, "/webhook/us", body, sign(body, "new key"))
	if in := f.inbox(t)["us/e2"]; in.State != record.InboxDone || in.Raw != body || !in.DueAt.IsZero() {
		t.Errorf("inbox %+v", in)
	}
	if len(f.Bus.Lose()) != 0 {
		t.Error("somebody is woken for it")
	}
}

func TestBrokenBusLosesNothing(t *testing.T) {
	f := setup()
	f.Bus.Break(errors.New("unreachable"))
	if w := f.post(http.MethodPost, "/webhook/us", event, sign(event, "new key")); w.Code != 204 {
		t.Errorf("status %d although the event is stored", w.Code)
	}
	if in := f.inbox(t)["us/e1"]; in.State != record.InboxNew || in.DueAt.IsZero() {
		t.Errorf("inbox %+v", in)
	}
}

// cutBody is a connection that ends too early.
type cutBody struct{}

func (cutBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCutBody(t *testing.T) {
	f := setup()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webhook/us", cutBody{}))
	if w.Code != 400 {
		t.Errorf("status %d", w.Code)
	}
	limited := httptest.NewRequest(http.MethodPost, "/webhook/us", strings.NewReader(event))
	limited.Body = http.MaxBytesReader(httptest.NewRecorder(), limited.Body, 10) // as the wrapper around the handler does
	w = httptest.NewRecorder()
	f.handler.ServeHTTP(w, limited)
	if w.Code != 413 {
		t.Errorf("status %d for a body that the wrapper cut", w.Code)
	}
}

// TestWholeWay: what the webhook stores, the receipt function finishes.
func TestWholeWay(t *testing.T) {
	f := setup()
	e := f.Start()
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	if err := f.Tick(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(f.Portal.Invoices()[0].ID, "107"))
	if w := f.post(http.MethodPost, "/webhook/us", string(ev.Raw), sign(string(ev.Raw), "new key")); w.Code != 204 {
		t.Fatalf("status %d", w.Code)
	}
	if err := f.Bus.Drain(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if len(f.ERP.Receipts()) != 1 {
		t.Errorf("receipts %+v", f.ERP.Receipts())
	}
}
