package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

func toInvoice(inv obj, amount string) string {
	return `{"type":"invoice","invoice":` + inv.id() + `,"amount":` + amount + `}`
}

func pay(customer, amount string, applied ...string) string {
	return `{"customer":` + customer + `,"amount":` + amount + `,"applied_to":[` + strings.Join(applied, ",") + `]}`
}

// S8, S12 and the event order of 16.4.
func TestPaymentAcrossInvoices(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	one, two := r.invoice(cust, "100", ""), r.invoice(cust, "50", "")
	p := r.must(201, "POST", "/payments?include=applied_to", pay(cust, "130", toInvoice(one, "100"), toInvoice(two, "20.00")))
	p.want(t, "amount", "130", "balance", "10", "method", "other", "applied_to.1.amount", "20", "source", "keyed", "charge", "")
	if p.str("applied_to.0.id") == "" {
		t.Error("applications have no ids")
	}
	r.get("/invoices/"+one.id()).want(t, "status", "paid", "balance", "0")
	r.get("/invoices/"+two.id()).want(t, "status", "not_sent", "balance", "30")
	if _, shown := r.get("/payments/" + p.id())["applied_to"]; shown {
		t.Error("applied_to is shown without include")
	}
	if got := strings.Join(r.events()[3:], " "); got != "payment.created invoice.updated invoice.updated invoice.paid" {
		t.Errorf("events %s", got)
	}
	for _, e := range r.list("/events?type=invoice.paid") {
		for _, key := range []string{"balance", "closed", "paid", "payment_url", "status", "updated_at"} {
			if _, ok := e.at("data.previous").(map[string]any)[key]; !ok {
				t.Errorf("previous has no %s", key)
			}
		}
		e.want(t, "data.object.customer.id", cust, "data.previous.balance", "100", "data.previous.status", "not_sent")
	}
	r.must(200, "PATCH", "/payments/"+p.id(), `{"applied_to":[`+toInvoice(two, "50")+`]}`).want(t, "balance", "80")
	r.get("/invoices/"+one.id()).want(t, "status", "not_sent", "balance", "100", "closed", "false")
	r.get("/invoices/"+two.id()).want(t, "status", "paid")
	r.must(200, "DELETE", "/payments/"+p.id(), "").want(t, "voided", "true")
	r.get("/invoices/"+two.id()).want(t, "status", "not_sent", "balance", "50", "paid", "false")
	e := r.events()
	if got := strings.Join(e[len(e)-2:], " "); got != "payment.deleted invoice.updated" {
		t.Errorf("events %s", got)
	}
	r.refused("", "DELETE", "/payments/"+p.id(), "")
	r.refused("", "PATCH", "/payments/"+p.id(), `{"notes":"x"}`)
}

// S10.
func TestPaymentRefusals(t *testing.T) {
	r := newRig(t)
	cust, stranger := r.customer(""), r.customer("")
	inv := r.invoice(cust, "100", "")
	draft, void := r.invoice(cust, "5", `,"draft":true`), r.invoice(cust, "5", "")
	r.must(200, "POST", "/invoices/"+void.id()+"/void", "")
	euro := r.invoice(cust, "5", `,"currency":"EUR"`)
	for _, c := range []struct{ name, param, body string }{
		{"more than the amount", "applied_to", pay(cust, "10", toInvoice(inv, "11"))},
		{"sum more than the amount", "applied_to", pay(cust, "10", toInvoice(inv, "6"), toInvoice(inv, "6"))},
		{"more than the balance", "applied_to", pay(cust, "200", toInvoice(inv, "101"))},
		{"sum more than the balance", "applied_to", pay(cust, "200", toInvoice(inv, "60"), toInvoice(inv, "60"))},
		{"another customer", "applied_to", pay(stranger, "10", toInvoice(inv, "10"))},
		{"another currency", "applied_to", pay(cust, "5", toInvoice(euro, "5"))},
		{"draft", "applied_to", pay(cust, "5", toInvoice(draft, "5"))},
		{"voided", "applied_to", pay(cust, "5", toInvoice(void, "5"))},
		{"unknown invoice", "applied_to", pay(cust, "5", `{"type":"invoice","invoice":1,"amount":5}`)},
		{"no invoice", "applied_to", pay(cust, "5", `{"type":"invoice","amount":5}`)},
		{"unknown type", "applied_to", pay(cust, "5", `{"type":"gift","amount":5}`)},
		{"no type", "applied_to", pay(cust, "5", `{"amount":5}`)},
		{"estimate", "applied_to", pay(cust, "5", `{"type":"estimate","estimate":1,"amount":5}`)},
		{"zero application", "applied_to", pay(cust, "5", toInvoice(inv, "0"))},
		{"fractions of a cent", "applied_to", pay(cust, "5", toInvoice(inv, "1.001"))},
		{"no customer", "customer", `{"amount":5,"applied_to":[` + toInvoice(inv, "5") + `]}`},
		{"unknown customer", "customer", `{"customer":1,"amount":5}`},
		{"no amount", "amount", `{"customer":` + cust + `}`},
		{"negative amount", "amount", `{"customer":` + cust + `,"amount":-1}`},
		{"amount with fractions of a cent", "amount", `{"customer":` + cust + `,"amount":1.005}`},
		{"no credit", "applied_to", pay(cust, "0", `{"type":"applied_credit","document_type":"invoice","invoice":`+inv.id()+`,"amount":1}`)},
	} {
		t.Run(c.name, func(t *testing.T) { r.refused(c.param, "POST", "/payments", c.body) })
	}
	if n := len(r.list("/payments")); n != 0 {
		t.Errorf("%d payments were kept", n)
	}
	r.get("/invoices/"+inv.id()).want(t, "balance", "100")
	r.must(201, "POST", "/payments", `{"amount":7}`).want(t, "customer", "", "balance", "7") // a bank-feed receipt
}

// S11.
func TestAppliedDocumentsProtected(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "100", "")
	p := r.must(201, "POST", "/payments", pay(cust, "40", toInvoice(inv, "40")))
	r.refused("", "POST", "/invoices/"+inv.id()+"/void", "")
	r.refused("", "DELETE", "/invoices/"+inv.id(), "")
	r.refused("", "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":39}]}`)
	r.refused("currency", "PATCH", "/invoices/"+inv.id(), `{"currency":"eur"}`)
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":40}]}`).want(t, "status", "paid")
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":90}]}`).want(t, "status", "not_sent", "balance", "50")
	r.must(200, "DELETE", "/payments/"+p.id(), "")
	r.must(200, "POST", "/invoices/"+inv.id()+"/void", "")
	r.refused("", "DELETE", "/customers/"+cust, "")

	loose := newRig(t, func(c *sandbox.Config) { c.Options.AllowVoidApplied, c.Options.AllowDeleteApplied = true, true })
	cust = loose.customer("")
	a, b := loose.invoice(cust, "10", ""), loose.invoice(cust, "10", "")
	p = loose.must(201, "POST", "/payments", pay(cust, "20", toInvoice(a, "10"), toInvoice(b, "10")))
	loose.must(200, "POST", "/invoices/"+a.id()+"/void", "").want(t, "status", "voided")
	if got := loose.call("DELETE", "/invoices/"+b.id(), ""); got.status != 204 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	loose.get("/payments/"+p.id()).want(t, "balance", "20")
}

// invoiced-api 5: credit notes are applied by payments without cash.
func TestCreditNotes(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv, note := r.invoice(cust, "100", ""), r.creditNote(cust, "30", "")
	note.want(t, "status", "open", "balance", "30", "number", "CN-00001")
	apply := func(amount string) string {
		return `{"customer":` + cust + `,"applied_to":[{"type":"credit_note","credit_note":` + note.id() +
			`,"document_type":"invoice","invoice":` + inv.id() + `,"amount":` + amount + `}]}`
	}
	r.refused("applied_to", "POST", "/payments", apply("31"))
	p := r.must(201, "POST", "/payments?include=applied_to", apply("30"))
	p.want(t, "amount", "0", "balance", "0", "applied_to.0.type", "credit_note", "applied_to.0.document_type", "invoice")
	r.get("/credit_notes/"+note.id()).want(t, "status", "paid", "balance", "0", "paid", "true")
	r.get("/invoices/"+inv.id()).want(t, "balance", "70", "status", "not_sent")
	r.refused("", "POST", "/credit_notes/"+note.id()+"/void", "")
	r.must(200, "DELETE", "/payments/"+p.id(), "")
	r.must(200, "POST", "/credit_notes/"+note.id()+"/void", "").want(t, "status", "voided")
	r.get("/invoices/"+inv.id()).want(t, "balance", "100")
	linked := r.creditNote(cust, "25", `,"invoice":`+inv.id())
	linked.want(t, "invoice", inv.id(), "status", "paid")
	r.get("/invoices/"+inv.id()).want(t, "balance", "75")
}

// S15: credits go to new invoices by themselves, oldest note first, then the credit balance.
func TestAutoApplyCredits(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Accounts[0].AutoApplyCredits = true })
	cust := r.customer("")
	r.creditNote(cust, "30", "")
	r.must(201, "POST", "/payments", pay(cust, "25", `{"type":"credit","amount":25}`))
	r.get("/customers/"+cust+"/balance").want(t, "available_credits", "25", "history.0.balance", "25")
	draft := r.invoice(cust, "40", `,"draft":true`)
	draft.want(t, "balance", "40")
	r.must(200, "PATCH", "/invoices/"+draft.id(), `{"draft":false}`).want(t, "status", "paid", "total", "40", "balance", "0")
	created := r.list("/events?type=payment.created")[0]
	created.want(t, "data.object.amount", "0", "data.object.applied_to.0.type", "credit_note", "data.object.applied_to.0.amount", "30",
		"data.object.applied_to.1.type", "applied_credit", "data.object.applied_to.1.amount", "10")
	r.get("/customers/"+cust+"/balance").want(t, "available_credits", "15", "total_outstanding", "0")
	r.invoice(cust, "20", "").want(t, "total", "20", "balance", "5", "status", "not_sent")
}

func TestCreditPaymentAmountOption(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) {
		c.Accounts[0].AutoApplyCredits, c.Options.CreditPaymentAmount = true, true
	})
	cust := r.customer("")
	r.creditNote(cust, "30", "")
	r.invoice(cust, "30", "")
	r.list("/payments")[0].want(t, "amount", "30", "balance", "0")
}

func TestBalance(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	r.invoice(cust, "100", `,"payment_terms":"NET 1"`)
	r.invoice(cust, "50", "")
	r.invoice(cust, "7", `,"draft":true`)
	r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":30}`) // unapplied: lowers nothing
	balance := "/customers/" + cust + "/balance"
	r.get(balance).want(t, "total_outstanding", "150", "past_due", "false", "due_now", "0", "currency", "usd", "available_credits", "0")
	r.clk.Advance(2 * dayLength)
	r.get(balance).want(t, "past_due", "true", "due_now", "100")
	r.get(balance+"?currency=EUR").want(t, "total_outstanding", "0", "currency", "eur")
	if a, b := len(r.list("/customers?open_balance=1")), len(r.list("/customers?open_balance=0")); a != 1 || b != 0 {
		t.Errorf("open balance: %d and %d", a, b)
	}
}

// invoiced-api 6.4, 6.6: charges over the API.
func TestCharges(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "100", "")
	body := func(token, amount string) string {
		return `{"customer":` + cust + `,"amount":` + amount + `,"method":"credit_card","invoiced_token":"` + token + `","applied_to":[` + toInvoice(inv, amount) + `]}`
	}
	r.refused("payment_source", "POST", "/charges", body("4000000000000069", "100"))
	r.refused("invoiced_token", "POST", "/charges", body("1234", "100"))
	r.refused("payment_source", "POST", "/charges", pay(cust, "1"))
	failed := r.list("/events?type=charge.failed")
	if len(failed) != 1 || len(r.list("/payments")) != 0 {
		t.Fatalf("%d failures, %d payments", len(failed), len(r.list("/payments")))
	}
	failed[0].want(t, "data.object.object", "charge", "data.object.status", "failed", "data.object.customer.id", cust)
	if l := r.list("/events?type=charge.failed&related_to=invoice%2C" + inv.id()); len(l) != 1 {
		t.Errorf("related events %d", len(l))
	}
	p := r.must(201, "POST", "/charges", body("4242424242424242", "100"))
	p.want(t, "object", "payment", "charge.object", "charge", "charge.status", "succeeded", "charge.payment_source.last4", "4242",
		"reference", p.str("charge.gateway_id"), "charge.amount_refunded", "0", "charge.refunded", "false")
	refunds := "/charges/" + p.str("charge.id") + "/refunds"
	r.refused("amount", "POST", refunds, `{"amount":40}`) // a partial card refund on the day of the charge
	r.clk.Advance(dayLength)
	r.must(201, "POST", refunds, `{"amount":40}`).want(t, "object", "refund", "amount", "40", "charge", p.str("charge.id"))
	r.refused("amount", "POST", refunds, `{"amount":60.01}`)
	r.must(201, "POST", refunds, `{"amount":60}`)
	r.get("/payments/"+p.id()).want(t, "charge.amount_refunded", "100", "charge.refunded", "true", "balance", "0")
	r.get("/invoices/"+inv.id()).want(t, "status", "paid") // refunds do not reopen
	if l := r.list("/events?type=payment.updated"); len(l) != 0 {
		t.Errorf("a refund sent %d events", len(l))
	}
	if a := r.call("POST", "/charges/1/refunds", `{"amount":1}`); a.status != 404 {
		t.Errorf("unknown charge: %d", a.status)
	}
}

// A test account that pends settles by itself; until then nothing is paid.
func TestPendingInstruments(t *testing.T) {
	for _, c := range []struct{ account, status, events string }{
		{"123123893", "paid", "payment.updated invoice.updated invoice.paid"},
		{"000222222227", "not_sent", "charge.failed payment.deleted invoice.updated"},
	} {
		r := newRig(t)
		cust := r.customer(`,"payment_source":{"method":"ach","invoiced_token":"123123123/` + c.account + `"}`)
		inv := r.invoice(cust, "10", "")
		p := r.must(201, "POST", "/charges", pay(cust, "10", toInvoice(inv, "10")))
		p.want(t, "charge.status", "pending", "method", "ach")
		r.get("/invoices/"+inv.id()).want(t, "status", "pending", "balance", "10", "paid", "false")
		r.refused("applied_to", "POST", "/payments", pay(cust, "10", toInvoice(inv, "10")))
		r.refused("", "POST", "/invoices/"+inv.id()+"/void", "")
		r.clk.Advance(5 * dayLength)
		r.get("/invoices/"+inv.id()).want(t, "status", c.status)
		e := r.events()
		if got := strings.Join(e[len(e)-3:], " "); got != c.events {
			t.Errorf("%s: events %s", c.account, got)
		}
	}
}

func TestPendingReducesBalanceOption(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.PendingReducesBalance = true })
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	r.sim(200, "/portal/payments", `{"account":"main","lines":[{"invoice":`+inv.id()+`}],"outcome":"pending"}`)
	r.get("/invoices/"+inv.id()).want(t, "balance", "0")
}

// invoiced-api 4.8, 4.9.
func TestAutoPay(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Accounts[0].ConvenienceFeePercent = decimal.NewFromInt(3) })
	cust := r.customer(`,"autopay":true,"payment_source":{"method":"credit_card","invoiced_token":"4242424242424242"}`)
	inv := r.invoice(cust, "100", "")
	inv.want(t, "autopay", "true", "payment_terms", "AutoPay", "next_payment_attempt", fmt.Sprint(r.s.Now().Unix()+3600), "payment_source.last4", "4242")
	r.clk.Advance(59 * time.Minute)
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent")
	r.clk.Advance(2 * time.Minute)
	r.get("/invoices/"+inv.id()).want(t, "status", "paid", "attempt_count", "1", "next_payment_attempt", "")
	p := r.list("/payments?include=applied_to")[0]
	p.want(t, "amount", "103", "balance", "0", "source", "autopay", "applied_to.1.type", "convenience_fee", "applied_to.1.amount", "3")

	plain := r.invoice(r.customer(""), "5", "")
	r.refused("", "POST", "/invoices/"+plain.id()+"/pay", "")
	bare := r.invoice(r.customer(`,"autopay":true`), "5", "")
	r.refused("", "POST", "/invoices/"+bare.id()+"/pay", "")
	r.refused("payment_source", "PATCH", "/customers/"+cust, `{"payment_source":{"method":"credit_card","invoiced_token":"4000000000000127"}}`)
	now := r.invoice(cust, "8", "")
	r.must(200, "POST", "/invoices/"+now.id()+"/pay", "").want(t, "status", "paid")
}

// Failed attempts are repeated after 3, 5 and 7 days; then the invoice is past due.
func TestAutoPayRetries(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"autopay":true,"payment_source":{"method":"credit_card","invoiced_token":"4000000000000069"}`)
	inv := r.invoice(cust, "100", "")
	r.clk.Advance(2 * time.Hour)
	for i, days := range []int{3, 5, 7} {
		got := r.get("/invoices/" + inv.id())
		got.want(t, "attempt_count", fmt.Sprint(i+1), "status", "not_sent")
		r.clk.Advance(time.Duration(days)*dayLength + time.Minute)
	}
	r.get("/invoices/"+inv.id()).want(t, "attempt_count", "4", "status", "past_due", "next_payment_attempt", "")
	if l := r.list("/events?type=charge.failed"); len(l) != 4 {
		t.Errorf("%d failures", len(l))
	}
	r.must(200, "PATCH", "/customers/"+cust, `{"autopay":false}`)
	r.get("/invoices/"+inv.id()).want(t, "autopay", "false", "payment_terms", "")
}

func TestPaymentPlan(t *testing.T) {
	r := newRig(t)
	inv := r.invoice(r.customer(""), "10", "")
	path := "/invoices/" + inv.id() + "/payment_plan"
	r.refused("installments", "PUT", path, `{"installments":[{"date":1774000000,"amount":9}]}`)
	r.must(201, "PUT", path, `{"installments":[{"date":1774000000,"amount":4},{"date":1775000000,"amount":6}]}`)
	r.get("/invoices/"+inv.id()).want(t, "payment_terms", "Payment Plan", "payment_plan", r.get(path).id())
	if a := r.call("DELETE", path, ""); a.status != 204 {
		t.Errorf("delete: %d", a.status)
	}
	if a := r.call("GET", path, ""); a.status != 404 {
		t.Errorf("deleted plan: %d", a.status)
	}
}
