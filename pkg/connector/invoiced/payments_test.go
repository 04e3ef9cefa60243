package invoiced

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// A portal payment of two invoices with a fee (invoiced-api 6.5).
const feePayment = `{"id":9001,"object":"payment","customer":15444,"date":1606806900,"currency":"usd","method":"credit_card",
 "amount":154.50,"balance":0,"voided":false,"reference":"ch_abc","source":"customer_portal","status":"applied","matched":null,
 "charge":{"id":501,"object":"charge","status":"succeeded","amount":154.50,"gateway":"test","gateway_id":"ch_abc",
  "amount_refunded":4.5,"refunded":false,"refunds":[{"id":1,"amount":4.5}],"disputed":true,"updated_at":1606806990,
  "payment_source":{"id":850,"object":"wallet_of_the_future","brand":{"deep":[1]}}},
 "applied_to":[{"id":1,"type":"invoice","invoice":46225,"amount":100.00},{"id":2,"type":"invoice","invoice":{"id":46226},"amount":50.00},
  {"id":3,"type":"convenience_fee","amount":4.50}],"created_at":1606806901,"updated_at":1606806943}`

func TestFromPayment(t *testing.T) {
	at := func(u int64) time.Time { return time.Unix(u, 0).UTC() }
	want := billing.Payment{ID: "9001", CustomerID: "15444", Date: at(1606806900), Currency: money.USD, Amount: usd("154.50"),
		Unapplied: usd("0"), Method: "credit_card", Reference: "ch_abc", Created: at(1606806901), Updated: at(1606806943),
		Applications: []billing.Application{{Type: billing.ApplyInvoice, InvoiceID: "46225", Amount: usd("100")},
			{Type: billing.ApplyInvoice, InvoiceID: "46226", Amount: usd("50")},
			{Type: billing.ApplyConvenienceFee, Amount: usd("4.50")}},
		Charge: &billing.Charge{ID: "501", Status: billing.ChargeSucceeded, Refunded: usd("4.50"), Disputed: true, Updated: at(1606806990)}}
	got, err := fromPayment(decode[client.Payment](t, feePayment), money.USD)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
}

func TestFromPaymentVariants(t *testing.T) {
	for _, c := range []struct {
		name, in, fails string
		check           func(billing.Payment) bool
	}{
		{name: "bank feed without a customer", in: `{"id":1,"date":5,"currency":"usd","amount":10,"balance":10,"customer":null,"applied_to":[]}`,
			check: func(p billing.Payment) bool {
				return p.CustomerID == "" && p.Unapplied.Equal(usd("10")) && p.Charge == nil
			}},
		{name: "nothing applied and nothing said", in: `{"id":1,"date":5,"amount":10,"balance":10}`,
			check: func(p billing.Payment) bool { return len(p.Applications) == 0 && p.Currency == money.USD }},
		{name: "credit note", in: `{"id":1,"date":5,"amount":0,"balance":0,"applied_to":[{"type":"credit_note","credit_note":9,"document_type":"invoice","invoice":7,"amount":3}]}`,
			check: func(p billing.Payment) bool {
				a := p.Applications[0]
				return a.Type == billing.ApplyCreditNote && a.InvoiceID == "7" && !a.Cash()
			}},
		{name: "unknown type is kept", in: `{"id":1,"date":5,"amount":3,"balance":0,"applied_to":{"2":{"type":"moon_tax","amount":3}}}`,
			check: func(p billing.Payment) bool {
				return p.Applications[0].Type == "moon_tax" && !p.Applications[0].Known()
			}},
		{name: "charge by id has no status", in: `{"id":1,"date":5,"amount":3,"balance":3,"charge":501}`,
			check: func(p billing.Payment) bool { return p.Charge.ID == "501" && p.Charge.Status == "" }},
		{name: "charge as an empty list", in: `{"id":1,"date":5,"amount":3,"balance":3,"charge":[]}`,
			check: func(p billing.Payment) bool { return p.Charge == nil }},
		{name: "unknown charge status is kept", in: `{"id":1,"date":5,"amount":3,"balance":3,"charge":{"id":1,"status":"reviewing"}}`,
			check: func(p billing.Payment) bool { return p.Charge.Status == "reviewing" && p.Charge.Refunded.IsZero() }},
		{name: "voided without applications", in: `{"id":1,"date":5,"amount":3,"balance":0,"voided":true}`,
			check: func(p billing.Payment) bool { return p.Voided }},
		{name: "yen", in: `{"id":1,"date":5,"amount":300,"balance":0,"currency":"JPY","applied_to":[{"type":"credit","amount":300.00}]}`,
			check: func(p billing.Payment) bool { return p.Amount.Minor() == 300 }},
		{name: "applications left out", in: `{"id":1,"date":5,"amount":10,"balance":0}`, fails: "applied_to"},
		{name: "no amount", in: `{"id":1,"date":5,"balance":0}`, fails: "amount is missing"},
		{name: "no balance", in: `{"id":1,"date":5,"amount":1}`, fails: "balance is missing"},
		{name: "no date", in: `{"id":1,"amount":1,"balance":1}`, fails: "date is missing"},
		{name: "no id", in: `{"date":5,"amount":1,"balance":1}`, fails: "id is missing"},
		{name: "inexact", in: `{"id":1,"date":5,"amount":1.005,"balance":0}`, fails: "amount"},
		{name: "inexact part", in: `{"id":1,"date":5,"amount":1,"balance":0,"applied_to":[{"type":"invoice","amount":0.999}]}`, fails: "application 1"},
		{name: "part without amount", in: `{"id":1,"date":5,"amount":1,"balance":0,"applied_to":[{"type":"invoice"}]}`, fails: "application 1"},
		{name: "refunded by how much", in: `{"id":1,"date":5,"amount":1,"balance":1,"charge":{"id":1,"refunded":true}}`, fails: "amount_refunded"},
		{name: "inexact refund", in: `{"id":1,"date":5,"amount":1,"balance":1,"charge":{"id":1,"amount_refunded":0.001}}`, fails: "charge"},
		{name: "unknown currency", in: `{"id":1,"date":5,"amount":1,"balance":1,"currency":"btc"}`, fails: "currency"},
	} {
		p, err := fromPayment(decode[client.Payment](t, c.in), money.USD)
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.fails)
		case c.fails == "" && (err != nil || !c.check(p)):
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
}

func TestPaymentCalls(t *testing.T) {
	v, c := start(t, map[string][]string{
		"GET /payments/9001": {feePayment, strings.Replace(feePayment, `"balance":0`, `"balance":0.001`, 1)},
		"GET /payments":      {"[" + feePayment + `,{"id":9002,"date":5,"amount":1,"balance":0},{"id":9003,"amount":[]}]`},
	})
	ctx := context.Background()
	if p, err := c.Payment(ctx, "9001"); err != nil || len(p.Applications) != 3 {
		t.Errorf("read: %+v, %v", p, err)
	}
	if q := v.requests("GET /payments/9001")[0].query; q["include"][0] != "applied_to" {
		t.Errorf("query %v", q)
	}
	if _, err := c.Payment(ctx, "9001"); connector.ClassOf(err) != connector.ClassBadResponse || connector.Ambiguous(err) {
		t.Errorf("an inexact balance gives %v", err)
	}
	l, err := c.ListPayments(ctx, time.Unix(1606806000, 5), "")
	if err != nil || len(l.Items) != 1 || len(l.Bad) != 2 || l.Bad[0].Number != "9003" || l.Bad[1].Number != "9002" {
		t.Errorf("list: %+v, %v", l, err)
	}
	q := v.requests("GET /payments")[0].query
	want := map[string][]string{"include": {"applied_to"}, "sort": {"updated_at ASC"}, "per_page": {"100"}, "updated_after": {"1606805999"}}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if _, err := c.ListPayments(ctx, time.Time{}, ""); err != nil || v.requests("GET /payments")[1].query["updated_after"] != nil {
		t.Errorf("a list of everything: %v, %v", err, v.requests("GET /payments")[1].query)
	}
}

func TestApplyCreditNote(t *testing.T) {
	v, c := start(t, map[string][]string{"POST /payments": {`201 {"id":77,"amount":"unread"}`, `201 {}`, `201 []`}})
	a := connector.CreditApplication{CustomerID: "15444", CreditNoteID: "9", InvoiceID: "46225", Amount: usd("12.50")}
	ctx := context.Background()
	if id, err := c.ApplyCreditNote(ctx, a, "k"); id != "77" || err != nil {
		t.Errorf("id %q, %v", id, err)
	}
	for _, odd := range []string{"an object without an id", "a list"} {
		if _, err := c.ApplyCreditNote(ctx, a, "k"); connector.ClassOf(err) != connector.ClassBadResponse || !connector.Ambiguous(err) {
			t.Errorf("%s gives %v", odd, err)
		}
	}
	const line = `"applied_to":[{"type":"credit_note","credit_note":9,"document_type":"invoice","invoice":46225,"amount":12.5}]}`
	if got, want := v.requests("POST /payments")[0].body, `{"customer":15444,"currency":"usd",`+line; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if got, want := encoded(t, toCreditPayment(a, CreditAmountZero)), `{"customer":15444,"currency":"usd","amount":0,`+line; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	a.Amount = usd("0")
	_, err := c.ApplyCreditNote(ctx, a, "k")
	checkInvalid(t, err, "amount")
	if _, err = c.ApplyCreditNote(ctx, connector.CreditApplication{Amount: usd("1")}, "k"); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("an application of nothing gives %v", err)
	}
}
