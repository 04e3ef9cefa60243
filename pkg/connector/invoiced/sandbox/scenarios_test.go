package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// A month of one customer, with the books checked at the end of every chapter.
func TestMonth(t *testing.T) {
	k := newSink(t)
	r := newRig(t, durable(t), hooked(k, func(c *sandbox.Config) {
		c.Accounts[0].AutoApplyCredits = true
		c.Accounts[0].ConvenienceFeePercent = decimal.RequireFromString("2.5")
		c.Options.CommentedEvents = true
	}))
	r.run()
	books := func(chapter string, want ...string) {
		t.Helper()
		l := r.as("").get("/_sim/ledger?account=main")
		for i := 0; i < len(want); i += 2 {
			if got := l.str("sums.usd." + want[i]); got != want[i+1] {
				t.Errorf("%s: %s is %s, want %s", chapter, want[i], got, want[i+1])
			}
		}
	}
	cust := r.customer(`,"number":"C-100","payment_terms":"NET 30"`)
	first := r.invoice(cust, "1000", `,"number":"1001","draft":true`)
	second := r.invoice(cust, "250.75", `,"number":"1002","draft":true`)
	books("drafts count for nothing")
	for _, inv := range []obj{first, second} {
		r.must(200, "PATCH", "/invoices/"+inv.id(), `{"draft":false}`)
		r.must(200, "PATCH", "/invoices/"+inv.id(), `{"sent":true}`)
	}
	books("issued", "invoiced", "1250.75", "outstanding", "1250.75")

	r.sim(200, "/portal/invoices/1001/view", "")
	r.sim(200, "/portal/invoices/1001/comment", `{"text":"When was this delivered?","author":"Ann"}`)
	r.sim(200, "/portal/invoices/1002/promise", fmt.Sprintf(`{"date":%d}`, r.s.Now().Add(5*dayLength).Unix()))
	paid := r.sim(200, "/portal/payments", `{"lines":[{"number":"1001","amount":"600"},{"number":"1002"}]}`)
	paid.want(t, "object.amount", "872.02", "object.applied_to.2.amount", "21.27") // 2.5 % of 850.75 is 21.26875
	books("paid in part", "outstanding", "400.00", "received", "872.02", "fees", "21.27", "unapplied", "0.00")

	r.creditNote(cust, "150", `,"number":"CN-1"`)
	books("credited", "credited", "150.00", "open_credit", "150.00", "outstanding", "400.00")
	third := r.invoice(cust, "100", `,"number":"1003"`)
	third.want(t, "balance", "0", "status", "paid")
	books("credit applied by itself", "open_credit", "50.00", "outstanding", "400.00", "received", "872.02")

	ach := r.sim(200, "/portal/payments", `{"lines":[{"number":"1001"}],"method":"ach","outcome":"pending"}`)
	books("on its way", "pending", "400.00", "outstanding", "400.00")
	r.sim(200, "/clock", `{"advance":"96h"}`)
	r.sim(200, "/payments/"+ach.id()+"/settle", `{"outcome":"failed"}`)
	books("returned", "pending", "0.00", "outstanding", "400.00", "received", "872.02")
	r.sim(200, "/clock", `{"advance":"720h"}`)
	r.get("/invoices/"+first.id()).want(t, "status", "past_due")

	check := r.must(201, "POST", "/payments", pay(cust, "500", toInvoice(first, "400")))
	check.want(t, "balance", "100")
	books("a check with too much", "outstanding", "0.00", "received", "1372.02", "unapplied", "100.00")
	r.must(200, "DELETE", "/payments/"+check.id(), "")
	books("it bounced", "outstanding", "400.00", "received", "872.02", "unapplied", "0.00")
	r.sim(200, "/charges/"+paid.str("object.charge.id")+"/refund", `{"amount":"50.00"}`)
	books("refunded in part", "outstanding", "400.00", "received", "872.02", "refunded", "50.00")

	r.quiet()
	k.checkCounts(map[string]int{
		"customer.created": 1, "invoice.created": 3, "invoice.viewed": 1, "invoice.commented": 1, "invoice.payment_expected": 1,
		"payment.created": 4, "payment.deleted": 2, "charge.failed": 1, "invoice.paid": 3, "credit_note.created": 1,
	})
	if total := len(r.list("/events")); total != k.count() {
		t.Errorf("%d events, %d delivered", total, k.count())
	}
}

// checkCounts compares how many events of some types were received.
func (k *sink) checkCounts(want map[string]int) {
	k.t.Helper()
	received := map[string]int{}
	for e := range strings.FieldsSeq(k.types()) {
		received[e]++
	}
	for kind, n := range want {
		if received[kind] != n {
			k.t.Errorf("%d × %s, want %d", received[kind], kind, n)
		}
	}
}

// 16.4 under the roughest webhooks: duplicated, reordered, dropped and wrongly signed, what arrives plus what the events
// endpoint shows is everything, and nothing else.
func TestGapFillFindsEverything(t *testing.T) {
	k := newSink(t)
	r := newRig(t, hooked(k, func(c *sandbox.Config) { c.Options.RetryInterval = 5 * time.Millisecond }))
	r.sim(200, "/chaos", `{"seed":7,"duplicate_percent":30,"reorder_percent":50,"reorder_ms":10,"drop_percent":20,"wrong_signature_percent":20}`)
	r.run()
	cust := r.customer("")
	for range 20 {
		inv := r.invoice(cust, "5", "")
		r.must(201, "POST", "/payments", pay(cust, "5", toInvoice(inv, "5")))
	}
	r.quiet()
	all, arrived := map[string]bool{}, map[string]int{}
	for _, e := range r.list("/events") {
		all[e.id()] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.got {
		arrived[fmt.Sprintf("%.0f", e["id"])]++
	}
	twice := 0
	for id, n := range arrived {
		if !all[id] {
			t.Errorf("event %s arrived and is not shown", id)
		}
		if n > 1 {
			twice++
		}
	}
	if len(all) != 81 || len(arrived) == len(all) || len(arrived) < 40 || twice == 0 || k.bad == 0 {
		t.Errorf("%d events, %d arrived, %d twice, %d wrongly signed", len(all), len(arrived), twice, k.bad)
	}
}

// invoiced-api 6.5: fees by percentage, rounded once over the whole payment.
func TestFees(t *testing.T) {
	for _, c := range []struct {
		lines          []string
		percent, total string
		fee            string // empty: no application
	}{
		{[]string{"100"}, "3", "103", "3"},
		{[]string{"100", "50"}, "3", "154.5", "4.5"},
		{[]string{"33.33", "33.33", "33.34"}, "2.95", "102.95", "2.95"},
		{[]string{"0.01"}, "3", "0.01", ""},     // rounds to nothing
		{[]string{"0.17"}, "3", "0.18", "0.01"}, // 0.0051
		{[]string{"16.50"}, "3", "17", "0.5"},   // 0.495 rounds up
		{[]string{"9999.99"}, "4", "10399.99", "400"},
		{[]string{"10"}, "0", "10", ""},
	} {
		r := newRig(t)
		cust := r.customer("")
		var lines []string
		for _, amount := range c.lines {
			lines = append(lines, `{"invoice":`+r.invoice(cust, amount, "").id()+`}`)
		}
		p := r.sim(200, "/portal/payments", `{"convenience_fee_percent":`+c.percent+`,"lines":[`+strings.Join(lines, ",")+`]}`)
		n := len(c.lines)
		p.want(t, "object.amount", c.total, "object.balance", "0", fmt.Sprintf("object.applied_to.%d.amount", n), c.fee)
		if c.fee != "" {
			p.want(t, fmt.Sprintf("object.applied_to.%d.type", n), "convenience_fee", fmt.Sprintf("object.applied_to.%d.invoice", n), "")
		}
		for _, inv := range r.list("/invoices") {
			inv.want(t, "status", "paid")
		}
	}
}

// invoiced-api 4.8: when the first AutoPay attempt is.
func TestAutoPayTimes(t *testing.T) {
	now := start.Unix()
	for _, c := range []struct {
		customer, invoice string
		first             int64
	}{
		{"", "", now + 3600},
		{"", fmt.Sprintf(`,"date":%d`, now-86400), now + 3600},
		{"", fmt.Sprintf(`,"date":%d`, now+3*86400), now + 3*86400},
		{`,"autopay_delay_days":2`, "", now + 3600 + 2*86400},
		{`,"autopay_delay_days":-1`, "", now + 3600}, // the account's default
		{`,"autopay_delay_days":2`, fmt.Sprintf(`,"date":%d`, now+3*86400), now + 5*86400},
	} {
		r := newRig(t)
		cust := r.customer(`,"autopay":true,"payment_source":{"invoiced_token":"4242424242424242"}` + c.customer)
		inv := r.invoice(cust, "10", c.invoice)
		at, _ := decimal.NewFromString(inv.str("next_payment_attempt"))
		if d := at.IntPart() - c.first; d < 0 || d > 60 {
			t.Errorf("%s %s: first attempt %s, want %d", c.customer, c.invoice, at, c.first)
		}
	}
	r := newRig(t)
	auto := r.customer(`,"autopay":true`)
	draft := r.invoice(auto, "10", `,"draft":true`)
	draft.want(t, "next_payment_attempt", "", "autopay", "true")
	issued := r.must(200, "PATCH", "/invoices/"+draft.id(), `{"draft":false}`)
	if issued.str("next_payment_attempt") == "" {
		t.Error("issuing planned no attempt")
	}
	r.clk.Advance(2 * time.Hour) // nothing to charge: the customer can pay by link
	r.get("/invoices/"+draft.id()).want(t, "next_payment_attempt", "", "status", "not_sent", "attempt_count", "0")
	r.invoice(auto, "10", `,"autopay":false,"payment_terms":"NET 1"`).want(t, "autopay", "false", "payment_terms", "NET 1")
}

// invoiced-api 5.2: the states of a credit note.
func TestCreditNoteStatus(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "100", "")
	note := r.creditNote(cust, "30", `,"draft":true`)
	path := "/credit_notes/" + note.id()
	use := `{"customer":` + cust + `,"applied_to":[{"type":"credit_note","credit_note":` + note.id() + `,"invoice":` + inv.id() + `,"amount":30}]}`
	note.want(t, "status", "draft")
	r.refused("applied_to", "POST", "/payments", use)
	r.must(200, "PATCH", path, `{"draft":false}`).want(t, "status", "open")
	r.must(200, "PATCH", path, `{"closed":true}`).want(t, "status", "closed")
	r.refused("applied_to", "POST", "/payments", use)
	r.must(200, "PATCH", path, `{"closed":false}`).want(t, "status", "open")
	p := r.must(201, "POST", "/payments", use)
	r.get(path).want(t, "status", "paid", "closed", "true")
	r.refused("", "DELETE", path, "")
	r.refused("", "PATCH", path, `{"items":[{"unit_cost":29}]}`)
	r.must(200, "DELETE", "/payments/"+p.id(), "")
	r.must(204, "DELETE", path, "")
	onAccount := r.creditNote(cust, "12", "")
	r.must(201, "POST", "/payments", `{"customer":`+cust+`,"applied_to":[{"type":"credit_note","credit_note":`+onAccount.id()+`,"amount":12}]}`)
	r.get("/customers/"+cust+"/balance").want(t, "available_credits", "12")
	r.refused("invoice", "POST", "/credit_notes", `{"customer":`+r.customer("")+`,"invoice":`+inv.id()+`}`)
}

// Discounts and taxes as the API takes them: flat, by an id, brought along, on lines and on the document.
func TestRates(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	r.must(201, "POST", "/tax_rates", `{"id":"vat","name":"VAT","value":20,"inclusive":true}`)
	r.must(201, "POST", "/coupons", `{"id":"five","name":"Five off","value":5,"is_percent":false}`)
	for _, c := range []struct{ body, subtotal, total string }{
		{`"items":[{"unit_cost":100}],"taxes":[{"amount":7.5}]`, "100", "107.5"},
		{`"items":[{"unit_cost":100}],"taxes":[{"amount":7.5},{"amount":2.25}]`, "100", "109.75"},
		{`"items":[{"unit_cost":100}],"discounts":[{"coupon":"five"}]`, "100", "95"},
		{`"items":[{"unit_cost":100}],"discounts":["five"]`, "100", "95"},
		{`"items":[{"unit_cost":120}],"taxes":[{"tax_rate":"vat"}]`, "100", "120"},
		{`"items":[{"unit_cost":120,"taxes":[{"tax_rate":"vat"}]}]`, "100", "120"},
		{`"items":[{"unit_cost":100,"discounts":[{"amount":10}],"taxes":[{"tax_rate":{"value":10}}]}]`, "100", "99"},
		{`"items":[{"unit_cost":100,"taxable":false},{"unit_cost":100}],"taxes":[{"tax_rate":{"value":10}}]`, "200", "210"},
		{`"items":[{"unit_cost":100,"discountable":false},{"unit_cost":100}],"discounts":[{"coupon":{"value":10}}]`, "200", "190"},
		{`"items":[{"name":"Freight","type":"shipping","unit_cost":12.34},{"unit_cost":10}]`, "22.34", "22.34"},
		{`"items":[{"quantity":"2.5","unit_cost":"3.333"}]`, "8.33", "8.33"},
		{`"items":[]`, "0", "0"},
	} {
		r.must(201, "POST", "/credit_notes", `{"customer":`+cust+`,`+c.body+`}`).want(t, "subtotal", c.subtotal, "total", c.total)
		r.must(201, "POST", "/invoices", `{"customer":`+cust+`,`+c.body+`}`).want(t, "subtotal", c.subtotal, "total", c.total)
	}
	inv := r.must(201, "POST", "/invoices", `{"customer":`+cust+`,"items":[{"unit_cost":100}],"taxes":[{"amount":1},{"amount":2}]}`)
	path := "/invoices/" + inv.id()
	kept := r.must(200, "PATCH", path, `{"taxes":[{"id":`+inv.str("taxes.1.id")+`},{"amount":4}]}`)
	kept.want(t, "taxes.0.id", inv.str("taxes.1.id"), "taxes.0.amount", "2", "taxes.1.amount", "4", "total", "106")
	r.refused("taxes", "PATCH", path, `{"taxes":[{"id":1,"amount":5}]}`)
	r.refused("taxes", "PATCH", path, `{"taxes":[{"amount":-1}]}`)
	r.refused("discounts", "PATCH", path, `{"discounts":[7]}`)
	r.must(200, "PATCH", path, `{"taxes":[]}`).want(t, "total", "100", "taxes.0", "")
}
