package sandbox_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// FuzzAPI throws bodies at every writing endpoint: whatever comes, the answer is an object or an error of the request,
// never a fault of the server, and every number in it is plain.
func FuzzAPI(f *testing.F) {
	for i, s := range []string{
		`{"name":"A","metadata":{"a":"b"},"payment_source":{"invoiced_token":"4242424242424242"}}`,
		`{"customer":5000001,"items":[{"quantity":1e3,"unit_cost":0.1,"taxes":[{"tax_rate":{"value":7}}]}],"payment_terms":"2% 10 NET 30"}`,
		`{"customer":5000001,"amount":1e2,"applied_to":[{"type":"invoice","invoice":5000003,"amount":1}]}`,
		`customer=5000001&items[0][unit_cost]=5&discounts[][amount]=1`,
		`{"url":"http://x.test","name":"n","size":1}`, `{"items":[{"unit_cost":99999999999999999}]}`, `null`, `[]`, `{"draft":null}`,
		`{"installments":[{"date":1,"amount":10}]}`, `{"date":-99999999999999}`, `{"currency":"kwd","items":[{"unit_cost":-1e-30}]}`,
	} {
		f.Add(uint8(i), s, i%2 == 0)
	}
	s, err := sandbox.New(sandbox.Config{
		Clock: clock.NewMovable(start), Logger: slog.New(slog.DiscardHandler),
		Accounts: []sandbox.Account{{Name: "main", Location: time.UTC, Currency: "USD", APIKeys: []sandbox.Key{{Value: fullKey}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	send := func(method, path, body string, form bool) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.SetBasicAuth(fullKey, "")
		req.Header.Set("Content-Type", "application/json")
		if form {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		return w
	}
	send("POST", "/customers", `{"name":"A"}`, false)                                   // 5000001
	send("POST", "/invoices", `{"customer":5000001,"items":[{"unit_cost":10}]}`, false) // 5000003
	targets := []string{
		"POST /customers", "PATCH /customers/5000001", "POST /customers/5000001/contacts", "POST /invoices", "PATCH /invoices/5000003",
		"POST /credit_notes", "POST /payments", "POST /charges", "POST /files", "POST /notes", "POST /tasks", "POST /webhooks",
		"POST /items", "POST /tax_rates", "POST /credit_balance_adjustments", "PUT /invoices/5000003/payment_plan",
		"POST /invoices/5000003/emails", "POST /customers/5000001/emails",
	}
	f.Fuzz(func(t *testing.T, target uint8, body string, form bool) {
		method, path, _ := strings.Cut(targets[int(target)%len(targets)], " ")
		w := send(method, path, body, form)
		if w.Code >= http.StatusInternalServerError || w.Code < 200 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		dec := json.NewDecoder(w.Body)
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		if bad := strangeNumber(v); bad != "" && w.Code < 300 {
			t.Fatalf("%s %s %s: number %s", method, path, body, bad)
		}
	})
}

// strangeNumber finds a number with an exponent or trailing zeros after the point.
func strangeNumber(v any) string {
	switch v := v.(type) {
	case json.Number:
		s := v.String()
		if strings.ContainsAny(s, "eE") || strings.Contains(s, ".") && strings.HasSuffix(s, "0") {
			return s
		}
	case map[string]any:
		for key, e := range v {
			if bad := strangeNumber(e); bad != "" {
				return fmt.Sprintf("%s of %s", bad, key)
			}
		}
	case []any:
		for _, e := range v {
			if bad := strangeNumber(e); bad != "" {
				return bad
			}
		}
	}
	return ""
}

// Many documents: the pages cover all of them once, and finding one by its number needs no search.
func TestManyInvoices(t *testing.T) {
	const n = 10_000
	r := newRig(t)
	cust := r.customer("")
	h := r.s.Handler()
	send := func(method, path, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.SetBasicAuth(fullKey, "")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w
	}
	for i := range n {
		body := fmt.Sprintf(`{"customer":%s,"number":"N%05d","items":[{"unit_cost":%d.10}]}`, cust, i, i)
		if w := send("POST", "/invoices", body); w.Code != 201 {
			t.Fatalf("invoice %d: %d %s", i, w.Code, w.Body)
		}
	}
	seen := map[string]bool{}
	for page := 1; page <= n/100; page++ {
		w := send("GET", fmt.Sprintf("/invoices?per_page=100&page=%d&sort=total%%20desc", page), "")
		for _, o := range (reply{t: t, body: w.Body.Bytes()}).list() {
			seen[o.id()] = true
		}
		if next := strings.Contains(w.Header().Get("Link"), `rel="next"`); next != (page < n/100) || w.Header().Get("X-Total-Count") != fmt.Sprint(n) {
			t.Fatalf("page %d: %v", page, w.Header())
		}
	}
	if len(seen) != n {
		t.Errorf("the pages show %d of %d", len(seen), n)
	}
	if l := r.list("/invoices?filter[number]=N09999"); len(l) != 1 || l[0].str("total") != "9999.1" {
		t.Errorf("found %v", l)
	}
}

func BenchmarkCreateInvoice(b *testing.B) {
	s, err := sandbox.New(sandbox.Config{
		Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler), StatePath: b.TempDir() + "/state",
		Accounts: []sandbox.Account{{Name: "main", Location: time.UTC, Currency: "USD", APIKeys: []sandbox.Key{{Value: fullKey}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	send := func(path, body string) {
		req := httptest.NewRequest("POST", path, strings.NewReader(body))
		req.SetBasicAuth(fullKey, "")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		if w.Code != 201 {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	send("/customers", `{"name":"A"}`)
	for b.Loop() {
		send("/invoices", `{"customer":5000001,"items":[{"unit_cost":10}]}`)
	}
}
