package receipt_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// call makes a request to the portal's own interface, as somebody else with a key would.
func call[T any](r *route, method, path, body string) T {
	r.t.Helper()
	var out T
	req, err := http.NewRequest(method, r.api+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("key", "")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil || res.StatusCode >= 300 {
		r.t.Fatalf("%s %s: %d, %v", method, path, res.StatusCode, err)
	}
	return out
}

type object = map[string]any

// collected is an invoice over 100.00 that the portal collects by itself from an instrument of its test gateway: its number
// and its id.
func collected(t *testing.T, mode, instrument string) (r *route, number, id string) {
	t.Helper()
	r = newRoute(t, func(s *settings.Company) { s.AutoPay, s.Payments.Mode = settings.AutoPayAll, mode },
		func(a *invoicedsim.Account) { a.ConvenienceFeePercent = decimal.NewFromInt(3) })
	number = r.bill("100.00")
	r.tick(time.Minute)
	id = r.record(billing.KindInvoice, number).PortalID
	inv := call[object](r, http.MethodGet, "/invoices/"+id, "")
	if inv["autopay"] != true || inv["payment_terms"] != "AutoPay" {
		t.Fatalf("the invoice is not on AutoPay: %v", inv)
	}
	r.give(id, instrument)
	return r, number, id
}

// give stores another instrument at the customer of an invoice.
func (r *route) give(id, instrument string) {
	r.t.Helper()
	inv := call[object](r, http.MethodGet, "/invoices/"+id, "")
	call[object](r, http.MethodPatch, fmt.Sprintf("/customers/%s", inv["customer"]), `{"payment_source":{"invoiced_token":"`+instrument+`"}}`)
}

// pass lets time pass with a tick every few hours, or every quarter of an hour in the first two.
func (r *route) pass(d time.Duration) {
	r.t.Helper()
	for left := d; left > 0; {
		step := min(left, 3*time.Hour)
		if d-left < 2*time.Hour {
			step = min(left, 16*time.Minute)
		}
		r.tick(step)
		left -= step
	}
}

// posted counts the receipts of arbridge in the ERP's books, and sums them.
func (r *route) posted() string {
	n, sum := 0, decimal.Zero
	for _, b := range r.erp.Ledger().Books {
		for _, x := range b.Receipts {
			if strings.HasPrefix(x.Reference, "IVD-") {
				n, sum = n+1, sum.Add(x.Amount.Decimal)
			}
		}
	}
	return fmt.Sprintf("%d over %s", n, sum.StringFixed(2))
}

// payments are the records of payments: status by id.
func (r *route) payments() map[string]record.Status {
	r.t.Helper()
	all, err := enginetest.All[record.Record](r.store, store.Records)
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]record.Status{}
	for _, x := range all {
		if x.Kind == billing.KindPayment {
			out[x.SourceID] = x.Status
		}
	}
	return out
}

// TestAutoPayBecomesOneReceipt: what the portal collects by itself is charged, and becomes one receipt with its fee,
// whether payments.mode is charged or all, however often it is heard of (F14, F21, F23).
func TestAutoPayBecomesOneReceipt(t *testing.T) {
	for _, mode := range []string{"charged", "all"} {
		t.Run(mode, func(t *testing.T) {
			r, number, id := collected(t, mode, "4242424242424242")
			r.pass(110 * time.Minute) // not before the invoice's date, noon in New York
			if got := r.posted(); got != "0 over 0.00" {
				t.Fatalf("before the first attempt: %s", got)
			}
			r.pass(50 * time.Minute)
			inv := call[object](r, http.MethodGet, "/invoices/"+id, "")
			list := call[[]object](r, http.MethodGet, "/payments?include=applied_to", "")
			if inv["status"] != "paid" || len(list) != 1 || list[0]["source"] != "autopay" || list[0]["amount"] != json.Number("103") || list[0]["charge"] == nil {
				t.Fatalf("invoice %v, payments %v", inv["status"], list)
			}
			payment := fmt.Sprint(list[0]["id"])
			if got := r.receipt(payment); got != "103.00: "+number+" 100.00, fee "+number+" 3.00; on account 0.00" {
				t.Errorf("the ERP has %s; the payment is %v", got, r.record(billing.KindPayment, payment).Summary)
			}
			r.repeat()
			r.pass(50 * time.Hour)
			if got := r.posted(); got != "1 over 103.00" || r.payments()[payment] != record.Synced {
				t.Errorf("in the end: %s, payments %v", got, r.payments())
			}
		})
	}
}

// repeat delivers every event of the portal once more, as webhooks under new ids.
func (r *route) repeat() {
	r.t.Helper()
	c, err := r.e.Company("us")
	if err != nil {
		r.t.Fatal(err)
	}
	for i, e := range call[[]object](r, http.MethodGet, "/events?per_page=100", "") {
		e["id"] = 900_000 + i
		raw, err := json.Marshal(e)
		if err != nil {
			r.t.Fatal(err)
		}
		ev, err := c.ParseEvent(raw)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.e.Receive(r.t.Context(), c, ev, "webhook", 0); err != nil {
			r.t.Fatal(err)
		}
	}
	r.tick(time.Minute)
}

// TestAutoPayThatFails: attempts that fail leave an event each and no payment; nothing is posted. They are repeated after 3,
// 5 and 7 days, then the invoice is past due, and what the customer pays after that is posted once.
func TestAutoPayThatFails(t *testing.T) {
	r, number, id := collected(t, "charged", "4000000000000069")
	for i, days := range []int{0, 3, 5, 7} {
		r.pass(time.Duration(days)*24*time.Hour + 3*time.Hour)
		inv := call[object](r, http.MethodGet, "/invoices/"+id, "")
		failed := call[[]object](r, http.MethodGet, "/events?type=charge.failed", "")
		if fmt.Sprint(inv["attempt_count"]) != fmt.Sprint(i+1) || len(failed) != i+1 || (inv["status"] == "past_due") != (i == 3) {
			t.Fatalf("after attempt %d: %v attempts, %d failures, status %v", i+1, inv["attempt_count"], len(failed), inv["status"])
		}
		r.repeat()
		if got := r.posted(); got != "0 over 0.00" || len(r.payments()) != 0 {
			t.Fatalf("after attempt %d: %s, payments %v", i+1, got, r.payments())
		}
	}
	if inv := r.record(billing.KindInvoice, number); inv.Status != record.Synced {
		t.Errorf("the invoice is %s (%s)", inv.Status, inv.Summary)
	}
	payment := r.pay("0", number)
	r.pass(time.Hour)
	if got := r.receipt(payment); got != "100.00: "+number+" 100.00; on account 0.00" || r.posted() != "1 over 100.00" {
		t.Errorf("paid by hand: %s, in all %s", got, r.posted())
	}
}

// TestAutoPayAtTheSecondAttempt: the customer mends the card between two attempts.
func TestAutoPayAtTheSecondAttempt(t *testing.T) {
	r, number, id := collected(t, "charged", "4000000000000069")
	r.pass(3 * time.Hour)
	r.give(id, "4242424242424242")
	r.pass(2 * 24 * time.Hour)
	if got := r.posted(); got != "0 over 0.00" {
		t.Fatalf("before the second attempt: %s", got)
	}
	r.pass(26 * time.Hour)
	list := call[[]object](r, http.MethodGet, "/payments", "")
	if len(list) != 1 || r.receipt(fmt.Sprint(list[0]["id"])) != "103.00: "+number+" 100.00, fee "+number+" 3.00; on account 0.00" {
		t.Fatalf("payments %v, in the ERP %s", list, r.posted())
	}
	day := ""
	for _, b := range r.erp.Ledger().Books {
		for _, x := range b.Receipts {
			if strings.HasPrefix(x.Reference, "IVD-") {
				day = x.Date
			}
		}
	}
	if day != "2026-06-18" {
		t.Errorf("the receipt has the date %s, not that of the attempt that succeeded", day)
	}
}

// TestAutoPayByBankDebit: a debit pends for days; it is posted when it settles, and never when the bank returns it.
func TestAutoPayByBankDebit(t *testing.T) {
	for instrument, want := range map[string]struct {
		posted string
		status record.Status
	}{"123123123/123123893": {"1 over 100.00", record.Synced}, "123123123/000222222227": {"0 over 0.00", record.Skipped}} {
		t.Run(instrument, func(t *testing.T) {
			r, number, _ := collected(t, "charged", instrument)
			r.pass(3 * time.Hour)
			list := call[[]object](r, http.MethodGet, "/payments", "")
			if len(list) != 1 || r.posted() != "0 over 0.00" || r.payments()[fmt.Sprint(list[0]["id"])] != record.Waiting {
				t.Fatalf("while it pends: payments %v, posted %s, records %v", list, r.posted(), r.payments())
			}
			r.pass(5 * 24 * time.Hour)
			id := fmt.Sprint(list[0]["id"])
			if got := r.posted(); got != want.posted || r.payments()[id] != want.status {
				t.Errorf("in the end %s; payment %s of invoice %s: %s", got, id, number, r.payments()[id])
			}
		})
	}
}
