package sandbox_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// model drives a sandbox with random requests and knows what must hold whatever was asked.
type model struct {
	t         *rapid.T
	s         *sandbox.Server
	cfg       sandbox.Config
	clk       *clock.Movable
	customers []string
	invoices  []string
	notes     []string
	payments  []string
}

func (m *model) call(method, path, body string) (int, obj) {
	m.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.SetBasicAuth(fullKey, "")
	req.RemoteAddr = "127.0.0.1:9"
	w := httptest.NewRecorder()
	m.s.Handler().ServeHTTP(w, req)
	if w.Code >= 500 {
		m.t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.UseNumber()
	var o map[string]any
	if w.Body.Len() > 0 && w.Body.Bytes()[0] == '{' {
		if err := dec.Decode(&o); err != nil {
			m.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return w.Code, o
}

// all reads every page of a list.
func (m *model) all(path string) []obj {
	m.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	var out []obj
	for page := 1; ; page++ {
		req := httptest.NewRequest("GET", fmt.Sprintf("%s%spage=%d&per_page=100", path, sep, page), nil)
		req.SetBasicAuth(fullKey, "")
		w := httptest.NewRecorder()
		m.s.Handler().ServeHTTP(w, req)
		dec := json.NewDecoder(w.Body)
		dec.UseNumber()
		var rows []obj
		if err := dec.Decode(&rows); err != nil {
			m.t.Fatalf("GET %s: %v", path, err)
		}
		out = append(out, rows...)
		if !strings.Contains(w.Header().Get("Link"), `rel="next"`) {
			return out
		}
	}
}

// money draws an amount between 0.01 and 100.00.
func (m *model) money(label string) string {
	return decimal.New(rapid.Int64Range(1, 10_000).Draw(m.t, label), -2).String()
}

func (m *model) pick(label string, ids []string) string {
	if len(ids) == 0 {
		return "1"
	}
	return rapid.SampledFrom(ids).Draw(m.t, label)
}

func (m *model) keep(ids *[]string, status int, o obj) {
	if status == 201 {
		*ids = append(*ids, o.id())
	}
}

func (m *model) createInvoice(*rapid.T) {
	extra := rapid.SampledFrom([]string{
		``, `,"draft":true`, `,"payment_terms":"NET 1"`, `,"payment_terms":"3% 2 NET 5"`, `,"autopay":true`, `,"discounts":[{"amount":0.5}]`,
		`,"taxes":[{"tax_rate":{"value":8.25}}]`, `,"currency":"eur"`,
	}).Draw(m.t, "extra")
	status, o := m.call("POST", "/invoices", fmt.Sprintf(`{"customer":%s,"items":[{"unit_cost":%s},{"quantity":3,"unit_cost":%s}]%s}`,
		m.pick("customer", m.customers), m.money("cost"), m.money("cost"), extra))
	m.keep(&m.invoices, status, o)
}

func (m *model) createCreditNote(*rapid.T) {
	extra := ""
	if rapid.Bool().Draw(m.t, "linked") {
		extra = `,"invoice":` + m.pick("invoice", m.invoices)
	}
	status, o := m.call("POST", "/credit_notes", fmt.Sprintf(`{"customer":%s,"items":[{"unit_cost":%s}]%s}`,
		m.pick("customer", m.customers), m.money("cost"), extra))
	m.keep(&m.notes, status, o)
}

// applied draws applications, sensible and senseless ones.
func (m *model) applied() string {
	var out []string
	for range rapid.IntRange(0, 3).Draw(m.t, "applications") {
		sum := m.money("application")
		switch rapid.SampledFrom([]string{"invoice", "note", "credit", "fee", "spend"}).Draw(m.t, "type") {
		case "invoice":
			out = append(out, fmt.Sprintf(`{"type":"invoice","invoice":%s,"amount":%s}`, m.pick("invoice", m.invoices), sum))
		case "note":
			out = append(out, fmt.Sprintf(`{"type":"credit_note","credit_note":%s,"invoice":%s,"amount":%s}`,
				m.pick("note", m.notes), m.pick("invoice", m.invoices), sum))
		case "credit":
			out = append(out, fmt.Sprintf(`{"type":"credit","amount":%s}`, sum))
		case "fee":
			out = append(out, fmt.Sprintf(`{"type":"convenience_fee","amount":%s}`, sum))
		case "spend":
			out = append(out, fmt.Sprintf(`{"type":"applied_credit","invoice":%s,"amount":%s}`, m.pick("invoice", m.invoices), sum))
		}
	}
	return "[" + strings.Join(out, ",") + "]"
}

func (m *model) createPayment(*rapid.T) {
	status, o := m.call("POST", "/payments", fmt.Sprintf(`{"customer":%s,"amount":%s,"applied_to":%s}`,
		m.pick("customer", m.customers), m.money("amount"), m.applied()))
	m.keep(&m.payments, status, o)
}

func (m *model) changePayment(*rapid.T) {
	m.call("PATCH", "/payments/"+m.pick("payment", m.payments), `{"applied_to":`+m.applied()+`}`)
}

func (m *model) voidPayment(*rapid.T) {
	m.call("DELETE", "/payments/"+m.pick("payment", m.payments), "")
}

func (m *model) changeInvoice(*rapid.T) {
	body := rapid.SampledFrom([]string{
		`{"draft":false}`, `{"closed":true}`, `{"closed":false}`, `{"sent":true}`, `{"items":[{"unit_cost":12.34}]}`, `{"autopay":true}`,
		`{"autopay":false}`, `{"payment_terms":"2% 1 NET 3"}`, `{"discounts":[]}`,
	}).Draw(m.t, "change")
	m.call("PATCH", "/invoices/"+m.pick("invoice", m.invoices), body)
}

func (m *model) voidDocument(*rapid.T) {
	if rapid.Bool().Draw(m.t, "note") {
		m.call("POST", "/credit_notes/"+m.pick("note", m.notes)+"/void", "")
		return
	}
	m.call("POST", "/invoices/"+m.pick("invoice", m.invoices)+"/void", "")
}

func (m *model) deleteInvoice(*rapid.T) {
	m.call("DELETE", "/invoices/"+m.pick("invoice", m.invoices), "")
}

func (m *model) payInPortal(*rapid.T) {
	outcome := rapid.SampledFrom([]string{"succeeded", "pending", "failed"}).Draw(m.t, "outcome")
	status, o := m.call("POST", "/_sim/portal/payments", fmt.Sprintf(`{"lines":[{"invoice":%s,"amount":%s}],"convenience_fee_percent":3,"outcome":%q}`,
		m.pick("invoice", m.invoices), m.money("line"), outcome))
	if status == 200 && o.str("id") != "0" {
		m.payments = append(m.payments, o.id())
	}
}

func (m *model) settle(*rapid.T) {
	outcome := rapid.SampledFrom([]string{"succeeded", "failed"}).Draw(m.t, "outcome")
	m.call("POST", "/_sim/payments/"+m.pick("payment", m.payments)+"/settle", `{"outcome":"`+outcome+`"}`)
}

func (m *model) passTime(*rapid.T) {
	m.clk.Advance(time.Duration(rapid.Int64Range(1, 5).Draw(m.t, "hours")) * 13 * time.Hour)
}

// reopen is a kill: the new server reads what the old one, never closed, had committed.
func (m *model) reopen(*rapid.T) {
	next, err := sandbox.New(m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	old := m.s
	for _, path := range []string{"/customers", "/invoices", "/credit_notes", "/payments?include=applied_to", "/events"} {
		m.s = old
		before := m.all(path)
		m.s = next
		if after := m.all(path); !sameObjects(before, after) {
			m.t.Fatalf("%s changed over a restart:\n%v\n%v", path, before, after)
		}
	}
	_ = old.Close() // its file is the new one's now
}

func sameObjects(a, b []obj) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func dec(m *model, o obj, path string) decimal.Decimal {
	d, err := decimal.NewFromString(o.str(path))
	if err != nil {
		m.t.Fatalf("%s of %v: %v", path, o, err)
	}
	return d
}

// check is what holds at any time: balances follow from the payments, no money is applied twice, and statuses follow from
// the numbers.
func (m *model) check(*rapid.T) {
	applied, pending := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	for _, p := range m.all("/payments?include=applied_to") {
		cash := decimal.Zero
		list, _ := p["applied_to"].([]any)
		for _, e := range list {
			a := obj(e.(map[string]any))
			sum := dec(m, a, "amount")
			if !slices.Contains([]string{"credit_note", "applied_credit"}, a.str("type")) {
				cash = cash.Add(sum)
			}
			for _, key := range []string{"invoice", "credit_note"} {
				if p.str("charge.status") == "pending" {
					pending[a.str(key)] = pending[a.str(key)].Add(sum)
				} else {
					applied[a.str(key)] = applied[a.str(key)].Add(sum)
				}
			}
		}
		if !dec(m, p, "amount").Equal(cash.Add(dec(m, p, "balance"))) || dec(m, p, "balance").IsNegative() {
			m.t.Fatalf("payment does not add up: %v", p)
		}
		if p.str("voided") == "true" && len(list) > 0 {
			m.t.Fatalf("voided payment is applied: %v", p)
		}
	}
	for _, path := range []string{"/invoices", "/credit_notes"} {
		for _, d := range m.all(path) {
			m.checkDocument(d, applied[d.id()], pending[d.id()])
		}
	}
}

func (m *model) checkDocument(d obj, applied, pending decimal.Decimal) {
	m.t.Helper()
	total, balance := dec(m, d, "total"), dec(m, d, "balance")
	if !balance.Equal(total.Sub(applied)) || balance.Sub(pending).IsNegative() {
		m.t.Fatalf("%s applied and %s pending do not fit %v", applied, pending, d)
	}
	status := d.str("status")
	if (status == "paid") != (d.str("paid") == "true") || d.str("paid") == "true" && !balance.IsZero() {
		m.t.Fatalf("paid without being it, or the other way: %v", d)
	}
	if status == "pending" && !pending.IsPositive() {
		m.t.Fatalf("pending without a pending payment: %v", d)
	}
	if status == "voided" && !balance.Equal(total) {
		m.t.Fatalf("voided with payments: %v", d)
	}
}

// checkEvents compares the last event about each payment, invoice and credit note with the object, status aside: that one
// also changes by time alone.
func (m *model) checkEvents() {
	seen := map[string]bool{}
	for _, e := range m.all("/events") {
		kind, id := e.str("data.object.object"), e.str("data.object.id")
		if seen[id] || !slices.Contains([]string{"payment", "invoice", "credit_note"}, kind) {
			continue
		}
		seen[id] = true
		status, now := m.call("GET", "/"+kind+"s/"+id+"?expand=customer&include=applied_to", "")
		if status == 404 {
			if e.str("type") != kind+".deleted" {
				m.t.Fatalf("%s %s is gone and its last event is %s", kind, id, e.str("type"))
			}
			continue
		}
		then := obj(e.at("data.object").(map[string]any))
		for key, value := range then {
			if key != "status" && key != "customer" && fmt.Sprint(value) != fmt.Sprint(now[key]) {
				m.t.Fatalf("%s %s: %s is %v, its last event %s says %v", kind, id, key, now[key], e.str("type"), value)
			}
		}
	}
}

// TestModel runs a third of rapid's usual number of checks, unless -rapid.checks asks for another: each is a whole story.
func TestModel(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("35"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
	}
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		clk := clock.NewMovable(start)
		m := &model{t: t, clk: clk, cfg: sandbox.Config{
			StatePath: filepath.Join(dir, fmt.Sprint(round)), Clock: clk, Logger: slog.New(slog.DiscardHandler),
			Accounts: []sandbox.Account{{
				Name: "main", Location: time.UTC, Currency: "USD", APIKeys: []sandbox.Key{{Value: fullKey}},
				AutoApplyCredits: rapid.Bool().Draw(t, "auto-apply"),
			}},
		}}
		var err error
		if m.s, err = sandbox.New(m.cfg); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = m.s.Close()
			_ = os.Remove(m.cfg.StatePath)
		}()
		for _, source := range []string{"4242424242424242", "4000000000000069", "123123123/000222222227"} {
			_, o := m.call("POST", "/customers", `{"name":"A","payment_source":{"invoiced_token":"`+source+`"}}`)
			m.customers = append(m.customers, o.id())
		}
		t.Repeat(map[string]func(*rapid.T){
			"create invoice": m.createInvoice, "create credit note": m.createCreditNote, "create payment": m.createPayment,
			"change payment": m.changePayment, "void payment": m.voidPayment, "change invoice": m.changeInvoice,
			"void document": m.voidDocument, "delete invoice": m.deleteInvoice, "pay in portal": m.payInPortal, "settle": m.settle,
			"pass time": m.passTime, "reopen": m.reopen, "": m.check,
		})
		m.checkEvents()
	})
}
