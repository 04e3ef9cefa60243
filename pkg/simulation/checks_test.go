package simulation

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// calmFacts are those of a company in which everything is in step.
func calmFacts() *facts {
	now := time.Date(2026, 5, 9, 0, 0, 0, 0, time.UTC)
	return &facts{
		company: "us", code: "01", now: now, lastWrite: now.Add(-24 * time.Hour),
		erp:    []erpDocument{{number: "1", currency: "USD", posted: true, total: dec("107"), balance: dec("0")}},
		portal: []portalDocument{{number: "1", currency: "USD", status: "paid", total: dec("107"), balance: dec("0")}},
		payments: []portalPayment{{id: "9", currency: "USD", status: "succeeded", charged: true, amount: dec("110"), cash: dec("110"), fee: dec("3"),
			applied: map[string]decimal.Decimal{"1": dec("107")}}},
		receipts: []erpReceipt{{number: "R1", reference: "IVD-9", currency: "USD", amount: dec("110"), fees: dec("3"), applied: map[string]decimal.Decimal{"1": dec("107")}}},
		records: map[string]record.Record{
			"invoice/1": {Company: "us", Kind: billing.KindInvoice, SourceID: "1", Status: record.Synced, PortalID: "5"},
			"payment/9": {Company: "us", Kind: billing.KindPayment, SourceID: "9", Status: record.Synced, Complete: true, Receipts: []record.Receipt{{Reference: "IVD-9", Number: "R1"}}},
		},
		inbox: map[string]record.Inbox{"e1": {EventID: "e1", State: record.InboxDone}}, acked: []string{"e1"}, told: []string{"e1"},
		voided: map[string]bool{}, dropped: map[string]bool{}, keyed: map[string]bool{}, hasty: map[string]bool{},
	}
}

func (f *facts) set(id string, s record.Status, codes ...plan.Code) {
	r := f.records[id]
	r.Status, r.Reasons, r.DueAt = s, nil, store.At(f.now.Add(time.Hour))
	for _, c := range codes {
		r.Reasons = append(r.Reasons, plan.Because(c))
	}
	f.records[id] = r
}

// TestRestIsChecked: each thing that must not be at rest is noticed, under its invariant.
func TestRestIsChecked(t *testing.T) {
	if v := check(*calmFacts()); len(v) > 0 {
		t.Fatalf("in step, and yet %v", v)
	}
	for _, c := range []struct {
		name      string
		invariant string
		plant     func(f *facts)
	}{
		{"twice in the portal", oneDocument, func(f *facts) { f.portal = append(f.portal, f.portal[0]) }},
		{"missing", oneDocument, func(f *facts) { f.portal = nil }},
		{"a cent more", oneDocument, func(f *facts) { f.portal[0].total = dec("107.01") }},
		{"in the portal alone", oneDocument, func(f *facts) { f.erp = nil }},
		{"no longer posted", oneDocument, func(f *facts) { f.erp[0].posted, f.erp[0].balance = false, dec("107") }},
		{"before the start date", notForAll, func(f *facts) { f.erp[0].old = true }},
		{"disabled", notForAll, func(f *facts) { f.off = true }},
		{"no receipt", onePayment, func(f *facts) { f.receipts = nil }},
		{"receipt twice", onePayment, func(f *facts) { f.receipts = append(f.receipts, f.receipts[0]) }},
		{"receipt a cent short", onePayment, func(f *facts) { f.receipts[0].amount, f.receipts[0].fees = dec("109.99"), dec("2.99") }},
		{"receipt without its lines", onePayment, func(f *facts) { f.receipts[0].applied, f.receipts[0].loose = nil, dec("107") }},
		{"lines of another invoice", onePayment, func(f *facts) { f.receipts[0].applied = map[string]decimal.Decimal{"2": dec("107")} }},
		{"lines that do not add up", onePayment, func(f *facts) { f.receipts[0].loose = dec("1") }},
		{"another currency", onePayment, func(f *facts) { f.receipts[0].currency = "CAD" }},
		{"a begun receipt that is not named", onePayment, func(f *facts) {
			r := f.records["payment/9"]
			r.Complete, r.Receipts = false, nil
			f.records["payment/9"] = r
			f.set("payment/9", record.Attention, plan.Overpayment)
		}},
		{"pending", onlySettled, func(f *facts) { f.payments[0].status = "pending" }},
		{"failed", onlySettled, func(f *facts) { f.payments[0].status = "failed" }},
		{"voided", onlySettled, func(f *facts) { f.payments[0].voided = true }},
		{"refunded", onlySettled, func(f *facts) { f.payments[0].refunded = dec("1") }},
		{"of no payment", onlySettled, func(f *facts) { f.payments = nil }},
		{"event not kept", noWebhookLost, func(f *facts) { f.inbox = nil }},
		{"event not handled", noWebhookLost, func(f *facts) { f.inbox["e1"] = record.Inbox{State: record.InboxNew} }},
		{"event that nobody brought", noWebhookLost, func(f *facts) { f.told = append(f.told, "e2") }},
		{"nobody goes on", somebodyOwns, func(f *facts) {
			f.set("invoice/1", record.Waiting)
			r := f.records["invoice/1"]
			r.DueAt = store.Time{}
			f.records["invoice/1"] = r
		}},
		{"still unknown", comesToRest, func(f *facts) { f.set("invoice/1", record.Unknown) }},
		{"refused for no reason", comesToRest, func(f *facts) { f.set("invoice/1", record.Attention, plan.VendorRefused) }},
		{"still writing", comesToRest, func(f *facts) { f.lastWrite = f.now }},
		{"still on its way", comesToRest, func(f *facts) { f.waiting = 1 }},
		{"effect open", comesToRest, func(f *facts) {
			f.open = []journal.Entry{{Key: "us/receipt/IVD-9", Record: "us/payment/9"}}
			f.polled = f.now
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := calmFacts()
			c.plant(f)
			if v := check(*f); !slices.ContainsFunc(v, func(v Violation) bool { return v.Invariant == c.invariant }) {
				t.Errorf("not noticed: %v", v)
			}
		})
	}
}

// quietWorld is a world in which nothing has happened, with a process.
func quietWorld(t *testing.T) (*world, *process) {
	t.Helper()
	w, err := newWorld(newScene(begins()[0]), Options{Seed: 1, Faults: []Fault{}, Logs: true})
	if err != nil {
		t.Fatal(err)
	}
	w.past.bills["1"] = &bill{no: "1", co: w.companies[0], version: 1, wasPosted: true}
	w.companies[0].off, w.companies[0].sandbox = false, false
	return w, w.start()
}

// leaving is a call of the first company that leaves a process.
func leaving(w *world, p *process, method, url, body string) *call {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	co, erp := w.companies[0], strings.HasPrefix(url, erpURL)
	r.SetBasicAuth(w.secrets["key-"+co.id], "")
	if erp {
		r.SetBasicAuth(erpUser(co.id), "password-of-"+co.id)
	}
	return &call{p: p, co: co, r: r, body: []byte(body), erp: erp}
}

// TestStepsAreChecked: each thing that a process must not do is noticed as it does it.
func TestStepsAreChecked(t *testing.T) {
	const document = `{"number":"1","purchase_order":"PO-V1","items":[]}`
	for _, c := range []struct {
		name      string
		invariant string // "" for nothing
		act       func(w *world, p *process)
	}{
		{"a journalled write", "", func(w *world, p *process) {
			p.effect = "us/invoice/1"
			w.leaves(leaving(w, p, http.MethodPost, portalURL+"/invoices", document))
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"a write without the journal", journalExplains, func(w *world, p *process) {
			w.leaves(leaving(w, p, http.MethodPost, portalURL+"/invoices", document))
		}},
		{"a second call of one effect", journalExplains, func(w *world, p *process) {
			p.effect, p.used = "us/invoice/1", true
			w.leaves(leaving(w, p, http.MethodPost, portalURL+"/invoices", document))
		}},
		{"somebody else's key", onlyOwnSecrets, func(w *world, p *process) {
			call := leaving(w, p, http.MethodGet, portalURL+"/invoices", "")
			call.r.SetBasicAuth(w.secrets["key-ca"], "")
			w.leaves(call)
		}},
		{"a call before Retry-After", rateKept, func(w *world, p *process) {
			p.account(w.companies[0], "portal").closed = w.loop.now.Add(time.Second)
			w.leaves(leaving(w, p, http.MethodGet, portalURL+"/invoices", ""))
		}},
		{"too many calls", rateKept, func(w *world, p *process) {
			for range 20 {
				w.leaves(leaving(w, p, http.MethodGet, portalURL+"/invoices", ""))
			}
		}},
		{"a call for a disabled company", notForAll, func(w *world, p *process) {
			w.companies[0].off = true
			w.leaves(leaving(w, p, http.MethodGet, portalURL+"/invoices", ""))
		}},
		{"an early document", notForAll, func(w *world, p *process) {
			w.past.bills["1"].old = true
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"an unposted document", notForAll, func(w *world, p *process) {
			w.past.bills["1"].wasPosted = false
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"another company's document", onlyOwnSecrets, func(w *world, p *process) {
			w.past.bills["1"].co = w.companies[1]
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"older over newer", newestWins, func(w *world, p *process) {
			w.past.versions["us 1"] = 2
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"deleted by staff and made again", goneStaysGone, func(w *world, p *process) {
			w.past.knownDeleted["us 1"] = true
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"deleted in the ERP and written", goneStaysGone, func(w *world, p *process) {
			w.past.bills["1"].deleted = w.loop.now.Add(-time.Hour)
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices", document), 201)
		}},
		{"voided with payments", paidStays, func(w *world, p *process) {
			w.saw(leaving(w, p, http.MethodGet, portalURL+"/invoices/5", ""), 200, []byte(`{"amount_paid":1}`))
			w.wrote(leaving(w, p, http.MethodPost, portalURL+"/invoices/5/void", ""), 200)
		}},
		{"changed with payments", paidStays, func(w *world, p *process) {
			w.saw(leaving(w, p, http.MethodGet, portalURL+"/invoices/5", ""), 200, []byte(`{"paid":true}`))
			w.wrote(leaving(w, p, http.MethodPatch, portalURL+"/invoices/5", document), 200)
		}},
		{"a record that nobody owns", somebodyOwns, func(w *world, _ *process) { w.owned("us/invoice/1", []byte(`{"status":"waiting"}`)) }},
		{"a secret in the log", noSecretLogged, func(w *world, _ *process) {
			_, _ = w.logs.Write([]byte(`{"msg":"` + w.secrets["key-us"] + `"}`))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p := quietWorld(t)
			c.act(w, p)
			switch {
			case c.invariant == "" && len(w.found) > 0:
				t.Errorf("noticed without a reason: %v", w.found)
			case c.invariant != "" && !slices.ContainsFunc(w.found, func(v Violation) bool { return v.Invariant == c.invariant }):
				t.Errorf("not noticed: %v", w.found)
			}
		})
	}
}

// TestReceiptsAndAddressesAreChecked: what a vendor's books show after a write.
func TestReceiptsAndAddressesAreChecked(t *testing.T) {
	w, p := quietWorld(t)
	x := &doer{w: w, rng: w.people, co: w.companies[0]}
	b, err := x.create(x.invoice(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"IVD-77", "check 1"} {
		if _, err := w.erp.NativePayment(nativePayment(b.no, reference)); err != nil {
			t.Fatal(err)
		}
	}
	w.wrote(leaving(w, p, http.MethodPut, erpURL+"/api/Record", "\r\nCASHRECEIPT\r\n"), 200)
	if len(w.found) != 1 || w.found[0].Invariant != onlySettled {
		t.Errorf("a receipt of no settled payment: %v", w.found)
	}
	w.found = nil
	r := leaving(w, p, http.MethodPost, portalURL+"/customers", `{"name":"A","number":"C1","email":"a@b.example"}`)
	res, _ := (&network{p, w.companies[0]}).vendor(r.r, r.body)
	w.companies[0].sandbox = true
	if w.wrote(r, res.StatusCode); len(w.found) != 1 || w.found[0].Invariant != safeOnly {
		t.Errorf("status %d, an address that is not the safe one: %v", res.StatusCode, w.found)
	}
}
