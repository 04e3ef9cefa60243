package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

func TestCatalog(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	r.must(201, "POST", "/items", `{"id":"delivery","name":"Delivery","type":"service","description":"By van","unit_cost":10.5}`).
		want(t, "id", "delivery", "object", "item", "unit_cost", "10.5")
	inv := r.must(201, "POST", "/invoices", `{"customer":`+cust+`,"items":[{"catalog_item":"delivery","quantity":2}]}`)
	inv.want(t, "items.0.name", "Delivery", "items.0.type", "service", "items.0.description", "By van", "items.0.amount", "21", "total", "21")
	r.refused("items", "POST", "/invoices", `{"customer":`+cust+`,"items":[{"catalog_item":"none"}]}`)

	r.must(201, "POST", "/tax_rates", `{"name":"State Tax","value":"6.25"}`).want(t, "id", "state-tax", "is_percent", "true", "value", "6.25")
	r.refused("id", "POST", "/tax_rates", `{"name":"State Tax","value":1}`)
	r.refused("id", "POST", "/tax_rates", `{"id":"a b","name":"X"}`)
	r.refused("name", "POST", "/coupons", `{"value":1}`)
	taxed := r.must(201, "POST", "/invoices", `{"customer":`+cust+`,"items":[{"unit_cost":100}],"taxes":[{"tax_rate":"state-tax"}]}`)
	taxed.want(t, "total", "106.25", "taxes.0.tax_rate.id", "state-tax", "taxes.0.tax_rate.value", "6.25")
	r.must(200, "PATCH", "/tax_rates/state-tax", `{"value":7,"metadata":{"a":"b"}}`).want(t, "value", "7", "metadata.a", "b")
	r.get("/tax_rates/state-tax").want(t, "name", "State Tax")
	r.must(200, "PATCH", "/invoices/"+taxed.id(), `{"notes":"n"}`).want(t, "total", "106.25") // as it was when taxed
	r.must(204, "DELETE", "/tax_rates/state-tax", "")
	if a := r.call("GET", "/tax_rates/state-tax", ""); a.status != 404 {
		t.Errorf("deleted rate: %d", a.status)
	}
}

func TestCreditBalanceAdjustments(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	a := r.must(201, "POST", "/credit_balance_adjustments", `{"customer":`+cust+`,"amount":50,"date":1000,"notes":"goodwill"}`)
	a.want(t, "amount", "50", "currency", "usd", "notes", "goodwill")
	r.must(201, "POST", "/credit_balance_adjustments", `{"customer":`+cust+`,"amount":-20,"date":2000}`)
	balance := "/customers/" + cust + "/balance"
	r.get(balance).want(t, "available_credits", "30", "history.0.balance", "30", "history.0.timestamp", "2000", "history.1.balance", "50")
	r.must(200, "PATCH", "/credit_balance_adjustments/"+a.id(), `{"amount":60}`)
	inv := r.invoice(cust, "100", "")
	spend := `{"type":"applied_credit","document_type":"invoice","invoice":` + inv.id() + `,"amount":`
	r.refused("applied_to", "POST", "/payments", pay(cust, "0", spend+`40.01}`))
	p := r.must(201, "POST", "/payments", pay(cust, "0", spend+`40}`))
	r.get(balance).want(t, "available_credits", "0", "total_outstanding", "60")
	r.must(200, "PATCH", "/payments/"+p.id(), `{"applied_to":[`+spend+`15}]}`) // its own credit is free again while it is checked
	r.get(balance).want(t, "available_credits", "25", "total_outstanding", "85")
	r.refused("amount", "POST", "/credit_balance_adjustments", `{"customer":`+cust+`,"amount":0}`)
	r.refused("customer", "POST", "/credit_balance_adjustments", `{"customer":1,"amount":1}`)
	r.must(204, "DELETE", "/credit_balance_adjustments/"+a.id(), "")
}

func TestCustomerDeletion(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.AllowCustomerDelete = true })
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	r.must(201, "POST", "/payments", pay(cust, "5", toInvoice(inv, "5")))
	r.must(201, "POST", "/customers/"+cust+"/contacts", `{"name":"N"}`)
	r.must(201, "POST", "/notes", `{"customer_id":`+cust+`,"notes":"n"}`)
	r.must(201, "POST", "/credit_balance_adjustments", `{"customer":`+cust+`,"amount":1}`)
	r.must(204, "DELETE", "/customers/"+cust, "")
	for _, path := range []string{"/invoices", "/payments", "/notes", "/customers", "/credit_balance_adjustments"} {
		if l := r.list(path); len(l) != 0 {
			t.Errorf("%s still has %v", path, l)
		}
	}
	e := r.events()
	if got := strings.Join(e[len(e)-5:], " "); got != "payment.deleted invoice.deleted contact.deleted note.deleted customer.deleted" {
		t.Errorf("events %s", got)
	}
}

func TestPaymentSources(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"payment_source":{"method":"credit_card","gateway_token":"tok_5454545454545454"}`)
	stored := r.list("/customers/" + cust + "/payment_sources")
	stored[0].want(t, "object", "card", "brand", "Mastercard")
	r.must(200, "PATCH", "/customers/"+cust, `{"payment_source":{"id":1,"object":"card"}}`).want(t, "payment_source.brand", "Mastercard")
	if a := r.call("DELETE", "/customers/"+cust+"/cards/1", ""); a.status != 404 {
		t.Errorf("unknown source: %d", a.status)
	}
	r.must(204, "DELETE", "/customers/"+cust+"/cards/"+stored[0].id(), "")
	r.get("/customers/"+cust).want(t, "payment_source", "")
	if l := r.list("/events?type=payment_source.deleted"); len(l) != 1 {
		t.Errorf("%d events", len(l))
	}
}

// invoiced-api 13: the automatic new-invoice e-mail, and what prevents it.
func TestAutoSend(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) {
		c.Accounts[0].AutoSend = true
		c.PublicURL = "https://portal.test/"
	})
	cust := r.customer("")
	plain := r.invoice(cust, "10", "")
	r.invoice(cust, "10", `,"sent":true`)
	r.invoice(cust, "10", `,"draft":true`)
	r.invoice(cust, "10", `,"date":1999999999`)
	r.invoice(r.must(201, "POST", "/customers", `{"name":"no e-mail"}`).id(), "10", "")
	if !strings.HasPrefix(plain.str("url"), "https://portal.test/portal/invoices/") {
		t.Errorf("url %s", plain.str("url"))
	}
	r.clk.Advance(6 * time.Minute)
	r.get("/invoices/"+plain.id()).want(t, "status", "sent")
	sent, err := r.s.Emails("main")
	if err != nil || len(sent) != 1 || sent[0].To != "ap@acme.test" {
		t.Errorf("sent %+v, %v", sent, err)
	}
}

// tap-invoiced reads every stream like this until rel="next" is gone (invoiced-api 16.1).
func TestTapSync(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	for range 5 {
		r.invoice(cust, "1", "")
	}
	mark := "0"
	var seen int
	for page := "/invoices?include=updated_at&page=1&per_page=2&sort=updated_at%20ASC&updated_after=0"; page != ""; {
		a := r.call("GET", page, "")
		for _, o := range a.list() {
			if o.str("updated_at") < mark {
				t.Errorf("updated_at %s after %s", o.str("updated_at"), mark)
			}
			mark = o.str("updated_at")
			seen++
		}
		page = strings.TrimPrefix(parseLinks(t, a.header.Get("Link"))["next"], r.srv.URL)
	}
	if seen != 5 {
		t.Errorf("%d of 5", seen)
	}
	if l := r.list("/invoices?updated_after=" + mark); len(l) != 0 {
		t.Errorf("the bookmark does not advance: %d", len(l))
	}
}
