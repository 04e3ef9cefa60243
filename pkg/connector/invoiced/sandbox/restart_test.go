package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

func durable(t *testing.T) func(*sandbox.Config) {
	path := filepath.Join(t.TempDir(), "state")
	return func(c *sandbox.Config) { c.StatePath = path }
}

// again is the server after a kill: a second one on the same state.
func (r *rig) again() *rig { return openRig(r.t, r.cfg, r.clk) }

// What the sandbox does by itself goes on after a restart.
func TestScheduleResumes(t *testing.T) {
	r := newRig(t, durable(t))
	auto := r.customer(`,"autopay":true,"payment_source":{"invoiced_token":"4242424242424242"}`)
	ach := r.customer(`,"payment_source":{"invoiced_token":"123123123/123123893"}`)
	collected, early, pending := r.invoice(auto, "10", ""), r.invoice(ach, "100", `,"payment_terms":"1% 3 NET 9"`), r.invoice(ach, "20", "")
	r.must(201, "POST", "/charges", pay(ach, "20", toInvoice(pending, "20")))
	early.want(t, "total", "99")
	next := r.again()
	next.clk.Advance(5 * dayLength)
	next.get("/invoices/"+collected.id()).want(t, "status", "paid")
	next.get("/invoices/"+pending.id()).want(t, "status", "paid")
	next.get("/invoices/"+early.id()).want(t, "total", "100")
	last := next.again()
	before := len(last.list("/events"))
	last.clk.Advance(5 * dayLength)
	if after := len(last.list("/events")); after != before {
		t.Errorf("work was done again: %d events, then %d", before, after)
	}
}

// Numbers, ids, idempotency keys and disturbances are not forgotten either.
func TestSequencesResume(t *testing.T) {
	k := newSink(t)
	r := newRig(t, durable(t), hooked(k, func(c *sandbox.Config) { c.Options.Idempotency = true }))
	r.sim(200, "/chaos", `{"drop_percent":100}`)
	cust := r.customer("")
	r.invoice(cust, "1", "")
	deleted := r.invoice(cust, "1", "")
	r.must(204, "DELETE", "/invoices/"+deleted.id(), "")
	keyed := r.call("POST", "/customers", `{"name":"K"}`, "Idempotency-Key: k")
	next := r.again()
	fresh := next.invoice(cust, "1", "")
	fresh.want(t, "number", "INV-00003")
	if fresh.id() <= deleted.id() {
		t.Errorf("id %s comes again after %s", fresh.id(), deleted.id())
	}
	if a := next.call("POST", "/customers", `{"name":"K"}`, "Idempotency-Key: k"); string(a.body) != string(keyed.body) {
		t.Errorf("the key was forgotten: %s", a.body)
	}
	if next.s.Pending() != 0 {
		t.Errorf("%d deliveries although all are dropped", next.s.Pending())
	}
	last := next.list("/webhook_attempts")[0]
	last.want(t, "state", "dropped")
	next.run()
	next.must(201, "POST", "/webhook_attempts/"+last.id()+"/retries", "")
	until(t, "the retried delivery", func() bool { return k.count() == 1 })
}

// A reset is durable, too.
func TestResetResumes(t *testing.T) {
	r := newRig(t, durable(t))
	r.invoice(r.customer(""), "1", "")
	r.sim(200, "/reset", "")
	next := r.again()
	if n := len(next.list("/customers")) + len(next.list("/invoices")) + len(next.list("/events")); n != 0 {
		t.Errorf("%d objects came back", n)
	}
	next.customer("")
}

// Two endpoints each get their own events, signed with their own secret; a redirect is no success.
func TestSeveralEndpoints(t *testing.T) {
	all, some := newSink(t), newSink(t)
	some.secret = "another"
	moved := httptest.NewServer(http.RedirectHandler(all.srv.URL, http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	r := newRig(t, hooked(all, func(c *sandbox.Config) { c.Options.MaxAttempts = 1 }))
	r.must(201, "POST", "/webhooks", `{"url":"`+some.srv.URL+`","secret":"another","events":["invoice.created","invoice.updated"]}`)
	away := r.must(201, "POST", "/webhooks", `{"url":"`+moved.URL+`","events":["invoice.deleted"]}`)
	off := r.must(201, "POST", "/webhooks", `{"url":"`+all.srv.URL+`","enabled":false}`)
	r.run()
	inv := r.invoice(r.customer(""), "1", "")
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"notes":"n"}`)
	r.must(204, "DELETE", "/invoices/"+inv.id(), "")
	r.quiet()
	if got := all.types(); got != "customer.created invoice.created invoice.deleted invoice.updated" {
		t.Errorf("the first got %s", got)
	}
	if got := some.types(); got != "invoice.created invoice.updated" || some.bad != 0 {
		t.Errorf("the second got %s and %d wrong signatures", got, some.bad)
	}
	r.get("/webhooks/"+away.id()).want(t, "enabled", "false") // its only delivery was redirected
	r.get("/webhooks/"+off.id()).want(t, "enabled", "false")
	if n := len(r.as(otherKey).list("/webhooks")); n != 0 {
		t.Errorf("the other account sees %d endpoints", n)
	}
}

// Deleting an endpoint ends what is still to be sent to it.
func TestDeleteEndpointWithPending(t *testing.T) {
	k := newSink(t)
	r := newRig(t, hooked(k))
	r.customer("")
	r.must(204, "DELETE", "/webhooks/"+r.list("/webhooks")[0].id(), "")
	if r.s.Pending() != 0 {
		t.Errorf("%d pending", r.s.Pending())
	}
	r.list("/webhook_attempts")[0].want(t, "state", "exhausted")
}

// The control interface as Go methods, as tests in one process use it.
func TestGoMethods(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "100", `,"number":"A-1"`)
	three := decimal.NewFromInt(3)
	res, err := r.s.Pay(sandbox.PortalPayment{
		Account: "main", Lines: []sandbox.PortalLine{{Number: "A-1"}}, FeePercent: &three, Outcome: "pending", Method: "ach", Step: "p",
	})
	if err != nil || res.Kind != "payment" || res.Status != "pending" {
		t.Fatalf("%+v %v", res, err)
	}
	if again, err := r.s.Pay(sandbox.PortalPayment{Account: "main", Step: "p"}); err != nil || again.ID != res.ID {
		t.Errorf("step done again: %+v %v", again, err)
	}
	settled, err := r.s.Settle(sandbox.PaymentAction{Account: "main", Ref: sandbox.RefID(res.ID), Outcome: "succeeded"})
	if err != nil || settled.Status != "succeeded" {
		t.Errorf("%+v %v", settled, err)
	}
	viewed, err := r.s.View(sandbox.PortalAction{Account: "main", Invoice: "A-1"})
	if err != nil || viewed.Number != "A-1" || viewed.Status != "paid" {
		t.Errorf("%+v %v", viewed, err)
	}
	if _, err := r.s.Promise(sandbox.PortalAction{Account: "main", Number: "A-1", Date: 1}); err == nil {
		t.Error("a paid invoice was promised")
	}
	l, err := r.s.Ledger("main")
	if err != nil || l.Sums["usd"].Received != "103.00" || l.Sums["usd"].Fees != "3.00" || l.Invoices[0].Status != "paid" {
		t.Errorf("%+v %v", l, err)
	}
	voided, err := r.s.Void(sandbox.PaymentAction{Account: "main", Ref: sandbox.RefID(res.ID)})
	if err != nil || voided.Status != "voided" {
		t.Errorf("%+v %v", voided, err)
	}
	r.get("/invoices/"+inv.id()).want(t, "balance", "100", "status", "viewed")
	for name, act := range map[string]func() error{
		"account": func() error { _, err := r.s.View(sandbox.PortalAction{Account: "x", Invoice: "A-1"}); return err },
		"invoice": func() error { _, err := r.s.View(sandbox.PortalAction{Account: "main", Invoice: "A-2"}); return err },
		"text":    func() error { _, err := r.s.Comment(sandbox.PortalAction{Account: "main", Invoice: "A-1"}); return err },
		"date":    func() error { _, err := r.s.Promise(sandbox.PortalAction{Account: "main", Invoice: "A-1"}); return err },
		"payment": func() error { _, err := r.s.Void(sandbox.PaymentAction{Account: "main", Ref: "x"}); return err },
		"charge":  func() error { _, err := r.s.Refund(sandbox.PaymentAction{Account: "main", Ref: "1"}); return err },
		"clock":   func() error { _, err := r.s.MoveClock(sandbox.ClockMove{Advance: "-1h"}); return err },
		"no time": func() error { _, err := r.s.MoveClock(sandbox.ClockMove{}); return err },
		"reset":   func() error { _, err := r.s.Reset(sandbox.Reset{Account: "x"}); return err },
		"into": func() error {
			_, err := r.s.Merge(sandbox.Merge{Account: "main", Customer: sandbox.Ref(cust)})
			return err
		},
	} {
		if err := act(); err == nil {
			t.Errorf("a wrong %s was accepted", name)
		}
	}
}

// An invoice whose number is another one's id: the id wins, number= asks for the number.
func TestReferencesByNumber(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	one := r.invoice(cust, "1", "")
	two := r.invoice(cust, "1", `,"number":"`+one.id()+`"`)
	r.sim(200, "/portal/invoices/"+one.id()+"/view", "").want(t, "id", one.id())
	r.sim(200, "/portal/invoices/-/view", `{"number":"`+one.id()+`"}`).want(t, "id", two.id())
	slash := r.invoice(cust, "1", `,"number":"A/1 b"`)
	r.sim(200, "/portal/invoices/A%2F1%20b/view", "").want(t, "id", slash.id())
}

// Portal pages: nothing of drafts and voided documents, nothing under a token of another kind, text escaped.
func TestPortalPages(t *testing.T) {
	r := newRig(t)
	cust := r.must(201, "POST", "/customers", `{"name":"<b>Acme</b>"}`)
	inv := r.invoice(cust.id(), "1.5", `,"number":"<i>"`)
	draft := r.invoice(cust.id(), "1", `,"draft":true`)
	note := r.creditNote(cust.id(), "2", "")
	path := func(o obj, key string) string { return strings.TrimPrefix(o.str(key), r.srv.URL) }
	open := r.as("")
	if a := open.call("GET", path(inv, "url"), ""); !strings.Contains(string(a.body), "&lt;i&gt;") || strings.Contains(string(a.body), "<i>") {
		t.Errorf("page %s", a.body)
	}
	statement := open.call("GET", path(cust, "statement_url"), "")
	if strings.Contains(string(statement.body), "<b>") || !strings.Contains(string(statement.body), "1.50 usd") {
		t.Errorf("statement %s", statement.body)
	}
	if a := open.call("GET", path(note, "url"), ""); a.status != 200 || !strings.Contains(string(a.body), "CN-00001") {
		t.Errorf("credit note: %d %s", a.status, a.body)
	}
	token := path(inv, "url")[len("/portal/invoices/"):]
	for _, gone := range []string{
		path(draft, "url"), "/portal/payments/" + token + "/pdf", "/portal/files/" + token, "/portal/statements/" + token, "/portal/nothing",
	} {
		if a := open.call("GET", gone, ""); a.status != 404 {
			t.Errorf("%s: %d", gone, a.status)
		}
	}
	r.must(200, "POST", "/invoices/"+inv.id()+"/void", "")
	if a := open.call("GET", path(inv, "url"), ""); a.status != 404 {
		t.Errorf("voided: %d", a.status)
	}
	if n := len(r.list("/events?type=invoice.viewed")); n != 0 {
		t.Errorf("%d views without view=1", n)
	}
}

// Payments in two currencies stay apart.
func TestCurrenciesApart(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"currency":"CAD"`)
	usd := r.invoice(cust, "10", "")
	cad := r.invoice(cust, "20", `,"currency":"CAD"`)
	usd.want(t, "currency", "usd")
	cad.want(t, "currency", "cad")
	r.refused("applied_to", "POST", "/payments", pay(cust, "30", toInvoice(usd, "10"), toInvoice(cad, "20")))
	r.sim(400, "/portal/payments", fmt.Sprintf(`{"lines":[{"invoice":%s},{"invoice":%s}]}`, usd.id(), cad.id()))
	r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+cad.id()+`}]}`).want(t, "object.currency", "cad", "object.charge.currency", "cad")
	r.get("/customers/"+cust+"/balance").want(t, "currency", "cad", "total_outstanding", "0")
	r.get("/customers/"+cust+"/balance?currency=usd").want(t, "total_outstanding", "10")
	l, err := r.s.Ledger("main")
	if err != nil || l.Sums["usd"].Outstanding != "10.00" || l.Sums["cad"].Received != "20.00" {
		t.Errorf("%+v %v", l.Sums, err)
	}
}

// A pending payment and AutoPay do not both collect.
func TestAutoPayWaitsForPending(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"autopay":true,"payment_source":{"invoiced_token":"4242424242424242"}`)
	inv := r.invoice(cust, "10", "")
	p := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"outcome":"pending","method":"ach"}`)
	r.clk.Advance(2 * time.Hour)
	r.get("/invoices/"+inv.id()).want(t, "status", "pending", "attempt_count", "0")
	r.refused("", "POST", "/invoices/"+inv.id()+"/pay", "")
	r.sim(200, "/payments/"+p.id()+"/settle", `{"outcome":"succeeded"}`)
	if n := len(r.list("/payments")); n != 1 {
		t.Errorf("%d payments", n)
	}
}
