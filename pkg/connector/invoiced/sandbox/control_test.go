package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// invoiced-api 6.5: the documented shape of a two-invoice portal payment with a 3 % fee.
func TestPortalPayment(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	one, two := r.invoice(cust, "100", `,"number":"A-1"`), r.invoice(cust, "50", "")
	res := r.sim(200, "/portal/payments", `{"customer":`+cust+`,"method":"credit_card","convenience_fee_percent":3,
		"lines":[{"number":"A-1","amount":"100.00"},{"invoice":`+two.id()+`}],"outcome":"succeeded"}`)
	res.want(t, "kind", "payment", "status", "succeeded", "object.source", "customer_portal", "object.charge.status", "succeeded",
		"object.amount", "154.5", "object.balance", "0", "object.reference", res.str("object.charge.gateway_id"),
		"object.applied_to.0.invoice", one.id(), "object.applied_to.1.invoice", two.id(), "object.applied_to.1.amount", "50",
		"object.applied_to.2.type", "convenience_fee", "object.applied_to.2.amount", "4.5", "object.charge.amount", "154.5")
	r.get("/invoices/"+one.id()).want(t, "status", "paid")
	r.get("/invoices/"+two.id()).want(t, "status", "paid")
	for _, bad := range []string{
		`{"lines":[{"invoice":` + two.id() + `}]}`, `{"customer":` + cust + `}`, `{"lines":[]}`, `{"lines":[{"invoice":1}]}`,
		`{"customer":` + cust + `,"unapplied":5,"convenience_fee_percent":4.01}`, `{"customer":` + cust + `,"unapplied":5,"outcome":"maybe"}`,
		`{"customer":` + cust + `,"unapplied":5,"instrument":"1"}`, `{"customr":1}`, `[`, `7`,
	} {
		if a := r.as("").call("POST", "/_sim/portal/payments?account=main", bad); a.status != 400 && a.status != 404 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	if n := len(r.list("/payments")); n != 1 {
		t.Errorf("%d payments", n)
	}
	extra := r.sim(200, "/portal/payments", `{"customer":`+cust+`,"unapplied":"5.00","credit":2,"convenience_fee":"0.35","method":"ach"}`)
	extra.want(t, "object.amount", "7.35", "object.balance", "5", "object.method", "ach", "object.charge.payment_source.object", "bank_account")
	r.get("/customers/"+cust+"/balance").want(t, "available_credits", "2")
}

// The account's own fee is on cards alone.
func TestAccountFee(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Accounts[0].ConvenienceFeePercent = decimal.RequireFromString("2.95") })
	cust := r.customer("")
	inv := r.invoice(cust, "33.33", "")
	r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`,"amount":10}],"method":"ach"}`).want(t, "object.amount", "10")
	r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}]}`).want(t, "object.amount", "24.02", "object.applied_to.1.amount", "0.69")
}

func TestPendingPayment(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "100", "")
	pending := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"method":"ach","outcome":"pending"}`)
	pending.want(t, "status", "pending", "object.balance", "0")
	r.get("/invoices/"+inv.id()).want(t, "status", "pending", "balance", "100")
	path := "/payments/" + pending.id()
	r.sim(400, path+"/settle", `{"outcome":"perhaps"}`)
	r.sim(200, path+"/settle", `{"outcome":"succeeded"}`).want(t, "status", "succeeded")
	r.get("/invoices/"+inv.id()).want(t, "status", "paid")
	r.sim(400, path+"/settle", `{"outcome":"failed"}`)
	r.sim(404, "/payments/1/settle", `{"outcome":"failed"}`)
	charge := "/charges/" + r.get(path).str("charge.id")
	r.sim(200, charge+"/refund", `{"amount":"30.00"}`).want(t, "object.charge.amount_refunded", "30")
	r.sim(200, path+"/dispute", "").want(t, "object.charge.disputed", "true")
	r.sim(200, charge+"/refund", "").want(t, "object.charge.refunded", "true")
	r.sim(200, path+"/void", "").want(t, "status", "voided")
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent", "balance", "100")

	back := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"method":"ach"}`)
	back.want(t, "status", "succeeded")
	r.sim(200, "/payments/"+back.id()+"/return", "").want(t, "status", "voided", "object.charge.status", "failed")
	r.sim(400, "/payments/"+back.id()+"/return", "")
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent", "balance", "100")
	check := r.sim(200, "/payments", `{"lines":[{"invoice":`+inv.id()+`,"amount":"40"}],"method":"check"}`)
	check.want(t, "status", "recorded", "object.charge", "", "object.method", "check")
	r.sim(400, "/invoices/"+inv.id()+"/void", "")
	r.sim(400, "/invoices/"+inv.id()+"/delete", "")
	r.sim(200, "/payments/"+check.id()+"/void", "")

	failing := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"method":"ach","outcome":"pending"}`)
	r.sim(200, "/payments/"+failing.id()+"/settle", `{"outcome":"failed"}`).want(t, "status", "voided", "object.charge.status", "failed")
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent", "balance", "100")
	failed := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"outcome":"failed"}`)
	failed.want(t, "status", "failed", "id", "0", "failure", "The payment was declined")
	if l := r.list("/events?type=charge.failed"); len(l) != 3 {
		t.Errorf("%d failures", len(l))
	}
	r.sim(200, "/invoices/"+inv.id()+"/void", "").want(t, "status", "voided")
	other := r.invoice(cust, "5", "")
	r.sim(200, "/invoices/"+other.id()+"/delete", "").want(t, "number", other.str("number"))
	r.sim(404, "/invoices/"+other.id()+"/delete", "")
}

func TestSilentPendingOption(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.SilentPending, c.Options.RefundEvents = true, true })
	inv := r.invoice(r.customer(""), "100", "")
	p := r.sim(200, "/portal/payments", `{"lines":[{"invoice":`+inv.id()+`}],"outcome":"pending"}`)
	if l := r.list("/events?type=payment.created"); len(l) != 0 {
		t.Error("a pending payment was reported")
	}
	r.sim(200, "/payments/"+p.id()+"/settle", `{"outcome":"succeeded"}`)
	if l := r.list("/events?type=payment.created"); len(l) != 1 {
		t.Error("the settled payment was not reported")
	}
	r.sim(200, "/charges/"+p.str("object.charge.id")+"/refund", `{"amount":1}`)
	r.list("/events?type=payment.updated")[0].want(t, "data.previous.charge.amount_refunded", "0", "data.object.charge.amount_refunded", "1")
}

// A step already done answers as it did and does nothing, also after a kill.
func TestSteps(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.StatePath = filepath.Join(t.TempDir(), "state") })
	inv := r.invoice(r.customer(""), "100", "")
	body := `{"step":"pay-1","lines":[{"invoice":` + inv.id() + `,"amount":10}]}`
	first := r.as("").call("POST", "/_sim/portal/payments?account=main", body)
	again := r.as("").call("POST", "/_sim/portal/payments?account=main", body)
	if first.status != 200 || string(first.body) != string(again.body) {
		t.Errorf("answers differ: %s, %s", first.body, again.body)
	}
	reborn := openRig(t, r.cfg, r.clk)
	later := reborn.as("").call("POST", "/_sim/portal/payments?account=main", body)
	if string(later.body) != string(first.body) {
		t.Errorf("after a restart: %s", later.body)
	}
	if n := len(reborn.list("/payments")); n != 1 {
		t.Errorf("%d payments", n)
	}
	reborn.sim(400, "/portal/invoices/"+inv.id()+"/view", `{"step":"pay-1"}`) // another action
	reborn.sim(404, "/portal/invoices/9/view", `{"step":"view-1"}`)           // a refused step is not done
	reborn.sim(200, "/portal/invoices/"+inv.id()+"/view", `{"step":"view-1"}`)
	reborn.sim(200, "/portal/invoices/"+inv.id()+"/view", `{"step":"view-1"}`)
	if n := len(reborn.list("/events?type=invoice.viewed")); n != 1 {
		t.Errorf("%d views", n)
	}
	now := reborn.s.Now()
	reborn.sim(200, "/clock", `{"step":"tomorrow","advance":"24h"}`)
	reborn.sim(200, "/clock", `{"step":"tomorrow","advance":"24h"}`)
	if d := reborn.s.Now().Sub(now); d < dayLength || d > dayLength+dayLength/2 {
		t.Errorf("the clock moved by %s", d)
	}
}

func TestLedger(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"number":"C-1"`)
	r.must(201, "POST", "/customers/"+cust+"/contacts", `{"name":"Ann","email":"ann@x.test"}`)
	inv := r.invoice(cust, "100.5", `,"number":"A-1"`)
	r.invoice(cust, "7", `,"draft":true`)
	r.invoice(cust, "1", `,"currency":"jpy"`)
	note := r.creditNote(cust, "20", "")
	r.must(201, "POST", "/payments", `{"customer":`+cust+`,"applied_to":[{"type":"credit_note","credit_note":`+note.id()+`,"invoice":`+inv.id()+`,"amount":15}]}`)
	r.sim(200, "/portal/payments", `{"lines":[{"number":"A-1","amount":50}],"convenience_fee":1.5}`)
	r.sim(200, "/portal/payments", `{"lines":[{"number":"A-1","amount":10}],"outcome":"pending","unapplied":0.25}`)
	l := r.as("").get("/_sim/ledger?account=main")
	l.want(t, "account", "main", "customers.0.number", "C-1", "customers.0.contacts.0.email", "ann@x.test",
		"invoices.0.number", "A-1", "invoices.0.status", "pending", "invoices.0.total", "100.50", "invoices.0.balance", "35.50",
		"invoices.1.status", "draft", "invoices.2.total", "1", "credit_notes.0.balance", "5.00", "payments.0.applied.0.invoice", "A-1",
		"payments.0.applied.0.credit_note", "CN-00001", "payments.0.amount", "0.00", "payments.1.applied.1.type", "convenience_fee",
		"payments.2.charge_status", "pending",
		"sums.usd.invoiced", "100.50", "sums.usd.outstanding", "35.50", "sums.usd.credited", "20.00", "sums.usd.open_credit", "5.00",
		"sums.usd.received", "51.50", "sums.usd.fees", "1.50", "sums.usd.unapplied", "0.00", "sums.usd.pending", "10.25",
		"sums.jpy.outstanding", "1")
	if a := r.as("").call("GET", "/_sim/ledger", ""); a.status != 400 {
		t.Errorf("no account: %d", a.status)
	}
	if a := r.as("").call("GET", "/_sim/ledger?account=nobody", ""); a.status != 400 {
		t.Errorf("unknown account: %d", a.status)
	}
}

func TestRequestsAndReset(t *testing.T) {
	r := newRig(t)
	r.invoice(r.customer(""), "1", "")
	r.as(otherKey).must(201, "POST", "/customers", `{"name":"B"}`)
	journal := r.as("").get("/_sim/requests")
	journal.want(t, "counts.POST /customers", "2", "counts.POST /invoices", "1", "requests.1.path", "/invoices", "requests.1.status", "201")
	if !strings.Contains(journal.str("requests.1.body"), "unit_cost") {
		t.Errorf("no body in %s", journal.str("requests.1"))
	}
	r.sim(200, "/faults", `{"rules":[{"kind":"status","status":503,"path":"/tasks"}]}`)
	if a := r.call("GET", "/tasks", ""); a.status != 503 {
		t.Errorf("fault: %d", a.status)
	}
	r.as("").get("/_sim/faults").want(t, "status", "1")
	r.sim(400, "/faults", `{"rules":[{"kind":"nonsense"}]}`)
	r.sim(200, "/reset", "") // of the account main
	if n := len(r.list("/customers")) + len(r.list("/events")) + len(r.list("/tasks")); n != 0 {
		t.Errorf("%d objects after a reset", n)
	}
	if n := len(r.as(otherKey).list("/customers")); n != 1 {
		t.Errorf("the other account has %d customers", n)
	}
	r.customer("")
	r.list("/customers")[0].want(t, "number", "CUST-00001")
	r.as("").must(200, "POST", "/_sim/reset", "")
	if n := len(r.as(otherKey).list("/customers")); n != 0 {
		t.Errorf("the other account has %d customers after a full reset", n)
	}
	if a := r.as("").call("POST", "/_sim/nothing", ""); a.status != 404 {
		t.Errorf("unknown action: %d", a.status)
	}
}

func TestMergeAndProfile(t *testing.T) {
	r := newRig(t)
	gone, into := r.customer(`,"number":"G"`), r.customer(`,"number":"I"`)
	inv := r.invoice(gone, "10", "")
	r.must(201, "POST", "/payments", pay(gone, "4", toInvoice(inv, "4")))
	r.sim(400, "/customers/G/merge", `{"into":"G"}`)
	r.sim(200, "/customers/G/merge", `{"into":"I"}`).want(t, "id", into)
	if a := r.call("GET", "/customers/"+gone, ""); a.status != 404 {
		t.Errorf("the merged customer is still there: %d", a.status)
	}
	r.get("/invoices/"+inv.id()).want(t, "customer", into, "balance", "6")
	r.list("/payments")[0].want(t, "customer", into)
	r.list("/events")[0].want(t, "type", "customer.merged", "data.object.id", gone, "data.object.merged_into_customer", into)
	r.sim(200, "/portal/customers/I/profile", `{"changes":{"address1":"New Street 1"}}`)
	e := r.list("/events?include=user")[0]
	e.want(t, "type", "customer.updated", "data.object.address1", "New Street 1", "user.id", "-1")
}

// The control interface answers on loopback only.
func TestControlOnLoopbackOnly(t *testing.T) {
	r := newRig(t)
	req := httptest.NewRequest("GET", "/_sim/pending", nil)
	req.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	r.s.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

func TestConfigRefusals(t *testing.T) {
	good := newRig(t).cfg
	for name, change := range map[string]func(*sandbox.Config){
		"no clock":          func(c *sandbox.Config) { c.Clock = nil },
		"no accounts":       func(c *sandbox.Config) { c.Accounts = nil },
		"name twice":        func(c *sandbox.Config) { c.Accounts[1].Name = "main" },
		"no zone":           func(c *sandbox.Config) { c.Accounts[0].Location = nil },
		"unknown currency":  func(c *sandbox.Config) { c.Accounts[0].Currency = "XXX" },
		"key twice":         func(c *sandbox.Config) { c.Accounts[1].APIKeys = c.Accounts[0].APIKeys },
		"high fee":          func(c *sandbox.Config) { c.Accounts[0].ConvenienceFeePercent = decimal.NewFromInt(5) },
		"state is a folder": func(c *sandbox.Config) { c.StatePath = t.TempDir() },
	} {
		cfg := good
		cfg.Accounts = append([]sandbox.Account(nil), good.Accounts...)
		change(&cfg)
		if s, err := sandbox.New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
			_ = s.Close()
		}
	}
}
