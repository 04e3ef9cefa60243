package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// paid is a payment that waits because payments are paused: its invoice in the ERP's books, and its id.
func (s *site) paid(erp *witness) (inv q360sim.LedgerInvoice, currency, id string) {
	s.t.Helper()
	s.urls[0] = listenOn(s.t, erp.watch(s.erp.Handler()))
	s.configure("")
	numbers := s.left()
	for _, b := range s.erp.Ledger().Books {
		for _, i := range b.Invoices {
			if slices.Contains(numbers, i.InvoiceNo) && i.Balance.Sign() > 0 {
				inv, currency = i, b.Currency
			}
		}
	}
	if inv.InvoiceNo == "" {
		s.t.Fatalf("nothing is owed on any of %v", numbers)
	}
	s.arbridge(exitOK, "sync", inv.InvoiceNo)
	fee := decimal.RequireFromString("1.03")
	res, err := s.portal.Pay(invoicedsim.PortalPayment{Account: "us", Method: "credit_card", Outcome: "succeeded", Fee: &fee,
		Lines: []invoicedsim.PortalLine{{Number: inv.InvoiceNo, Amount: &inv.Balance.Decimal}}})
	if err != nil {
		s.t.Fatal(err)
	}
	id = strconv.FormatInt(res.ID, 10)
	s.arbridge(exitOK, "pause", "--flow", "payments", "--reason", "to look first")
	addr, stop := s.serve()
	defer stop()
	body := fmt.Sprintf(`{"id":9001,"type":"payment.created","timestamp":%d,"data":{"object":{"id":%s,"object":"payment"}}}`, time.Now().Unix(), id)
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/webhook/us", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set(invoicedsim.SignatureHeader, invoicedsim.Sign("hook-secret", []byte(body)))
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		s.t.Fatalf("the webhook answers %d", answer.StatusCode)
	}
	for range 500 {
		if r := s.payment(id); r != nil && r.Status == record.Waiting {
			return inv, currency, id
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("payment %s has no record that waits", id)
	return inv, currency, id
}

// payment is what is shown of a payment; nil without a record.
func (s *site) payment(id string) *view.Row {
	s.t.Helper()
	for _, r := range answer[view.List](s, exitOK, "list", "--kind", "payment", "--limit", "100").Rows {
		if r.Number == id {
			return &r
		}
	}
	return nil
}

// books are both sides as they are, for comparing.
func (s *site) books() string {
	s.t.Helper()
	portal, err := s.portal.Ledger("us")
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal([]any{s.erp.Ledger(), portal})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// puts are the writes among what reached the ERP, whose lists are POSTs.
func puts(all []write) []write {
	var out []write
	for _, w := range all {
		if w.method != http.MethodPost {
			out = append(out, w)
		}
	}
	return out
}

// erpIDs replaces what is drawn by lot or known only afterwards: boundaries of forms and the receipt's number.
func erpIDs(text string) string {
	return regexp.MustCompile(`"RECEIPTNO":"[^"]*"|[0-9a-f]{40,}`).ReplaceAllString(text, "ID")
}

// TestPaymentAndItsPreview: the preview of a payment prints, to the byte but for the receipt's number, the requests that
// post its receipt, and writes nothing to the ERP, to the portal or to the state.
func TestPaymentAndItsPreview(t *testing.T) {
	s := polled(t)
	erp := &witness{}
	inv, currency, id := s.paid(erp)
	before, state := s.books(), answer[view.Show](s, exitOK, "show", id)
	s.seen.take()
	erp.take()
	p := answer[preview](s, exitOK, "sync", id, "--kind", "payment", "--dry-run")
	if sent := append(puts(erp.take()), s.seen.take()...); len(sent) > 0 {
		t.Fatalf("the preview sent %v", sent)
	}
	if after := s.books(); after != before {
		t.Errorf("the preview changed the books")
	}
	if after := answer[view.Show](s, exitOK, "show", id); !reflect.DeepEqual(state, after) {
		t.Errorf("the preview changed the state:\n%+v\n%+v", state, after)
	}
	if len(p.Requests) != 3 || len(p.Records) != 1 || p.Records[0].Kind != billing.KindPayment || p.Records[0].Status != record.Synced {
		t.Fatalf("preview %+v", p)
	}
	last := p.Decisions[len(p.Decisions)-1]
	if last.Verdict != plan.Create || len(last.Steps) != 1 || last.Steps[0].Receipt.Reference != "IVD-"+id {
		t.Errorf("decisions %+v", p.Decisions)
	}
	total := inv.Balance.Add(decimal.RequireFromString("1.03")).StringFixed(2)
	for i, want := range [][]string{
		{"previewing receipt IVD-" + id, `_preview"`, `"REFERENCE":"IVD-` + id + `"`, `"AMOUNT":"` + total + `"`},
		{"creating receipt IVD-" + id, `"CUSTOMERNO":"` + inv.CustomerNo + `"`, `"CURRENCY":"` + currency + `"`, `"AMOUNT":"` + total + `"`, `"PAYMETHOD":"CARD"`},
		{"creating lines of receipt IVD-" + id, `"INVOICENO":"` + inv.InvoiceNo + `"`, `"AMOUNT":"` + inv.Balance.StringFixed(2) + `"`, `"AMOUNT":"1.03"`, `"RECEIPTNO":"NEW-receipt-IVD-` + id + `"`},
	} {
		r := p.Requests[i]
		for _, part := range want {
			if r.Method != http.MethodPut || !strings.HasPrefix(r.URL, s.urls[0]) || !strings.Contains(r.Op+"\n"+r.Body, part) {
				t.Errorf("request %d does not have %q: %+v", i, part, r)
			}
		}
	}
	s.arbridge(exitOK, "resume")
	s.arbridge(exitOK, "sync", id, "--kind", "payment")
	sent := slices.DeleteFunc(puts(erp.take()), func(w write) bool { return strings.Contains(w.body, "arbridge checks its rights") })
	if len(sent) != len(p.Requests) {
		t.Fatalf("%d requests were shown, %d were sent: %+v", len(p.Requests), len(sent), sent)
	}
	for i, r := range p.Requests {
		if w := sent[i]; r.Method != w.method || r.Path != w.path || erpIDs(r.Body) != erpIDs(w.body) {
			t.Errorf("request %d\nwas shown as %s %s %s\nand sent as   %s %s %s", i, r.Method, r.Path, r.Body, w.method, w.path, w.body)
		}
	}
	if r := s.payment(id); r.Status != record.Synced || s.books() == before {
		t.Errorf("afterwards the payment is %s", r.Status)
	}
	if again := answer[preview](s, exitOK, "sync", id, "--kind", "payment", "--dry-run"); len(again.Requests) != 0 {
		t.Errorf("a second sync would send %+v", again.Requests)
	}
}
