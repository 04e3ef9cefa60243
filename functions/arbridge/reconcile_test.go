package main

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
)

// settled is a site whose documents all went over, or were left out, and how many numbers of open invoices.
func settled(t *testing.T) (*site, []string) {
	t.Helper()
	s := newSite(t)
	s.configure("      documents.attach: false\n")
	_, stop := s.serve()
	var rows []view.Row
	for range 1000 {
		rows = answer[view.List](s, exitOK, "list", "--limit", "1000").Rows
		busy := slices.ContainsFunc(rows, func(r view.Row) bool {
			return r.Status == record.Scheduled || r.Status == record.Working || r.Status == record.Waiting
		})
		if len(rows) > 0 && !busy && s.pollEnded() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	var open []string
	for _, b := range s.erp.Ledger().Books {
		for _, inv := range b.Invoices {
			synced := slices.ContainsFunc(rows, func(r view.Row) bool {
				return r.Number == inv.InvoiceNo && r.Status == record.Synced && r.Kind == billing.KindInvoice
			})
			if synced && b.Currency == "USD" && inv.Posted && inv.Balance.Equal(inv.Total.Decimal) && inv.Total.GreaterThan(decimal.NewFromInt(100)) {
				open = append(open, inv.InvoiceNo)
			}
		}
	}
	if len(open) < 6 {
		t.Fatalf("%d open invoices went over: %v", len(open), open)
	}
	return s, open
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// compared is the command's JSON.
func (s *site) compared(code int, args ...string) reconcile.ReportLine {
	s.t.Helper()
	got, out, errs := command(s.t, append([]string{"reconcile", "--format", "json", "--data", s.dir}, args...)...)
	var f reconcile.File
	if err := json.Unmarshal([]byte(out), &f); got != code || err != nil || f.Schema != reconcile.Schema || len(f.Reports) != 1 {
		s.t.Fatalf("exit %d, want %d: %v\n%s%s", got, code, err, out, errs)
	}
	return f.Reports[0]
}

// TestReconcile: two sandboxes in step agree, each thing done to one of them alone is found, and the vendors are only read.
func TestReconcile(t *testing.T) {
	s, open := settled(t)
	s.seen.take()
	calm := s.compared(exitOK)
	if calm.Unexplained != 0 || len(calm.Books) == 0 {
		t.Fatalf("%+v", calm)
	}
	before := map[string]bool{}
	for _, d := range calm.Differences {
		before[string(d.Kind)+d.Number] = true
	}
	deleted, unposted, byHand, off, paid := open[0], open[1], open[2], open[3], open[4]
	must[invoicedsim.Result](t)(s.portal.DeleteDocument(invoicedsim.PortalAction{Account: "us", Number: deleted}))
	must[q360sim.InvoiceAnswer](t)(s.erp.UnpostInvoice(q360sim.InvoiceStep{InvoiceNo: unposted}))
	must[q360sim.ReceiptAnswer](t)(s.erp.NativePayment(q360sim.NativePayment{InvoiceNo: byHand, Amount: "12.34", Items: []q360sim.Record{{"INVOICENO": byHand, "AMOUNT": "12.34"}}}))
	must[q360sim.InvoiceAnswer](t)(s.erp.WriteOff(q360sim.WriteOff{InvoiceNo: off, Amount: "0.01"}))
	must[q360sim.ReceiptAnswer](t)(s.erp.NativePayment(q360sim.NativePayment{InvoiceNo: open[5], Amount: "5.00", Header: q360sim.Record{"REFERENCE": "IVD-424242"},
		Items: []q360sim.Record{{"INVOICENO": open[5], "AMOUNT": "5.00"}}}))
	must[invoicedsim.Result](t)(s.portal.Pay(invoicedsim.PortalPayment{Account: "us", Method: "credit_card", Outcome: "succeeded", Lines: []invoicedsim.PortalLine{{Number: paid}}}))

	r := s.compared(exitDifferences)
	var got []string
	for _, d := range r.Differences {
		if !before[string(d.Kind)+d.Number] && d.Class != reconcile.Money {
			state := "unexplained"
			if d.Explained {
				state = d.Code
			}
			got = append(got, strings.Join([]string{string(d.Kind), d.Number, state}, " "))
		}
	}
	want := []string{"deleted_in_portal " + deleted + " unexplained", "unposted_in_erp " + unposted + " unexplained", "paid_outside " + byHand + " keyed_by_hand",
		"paid_outside " + off + " unexplained", "balance_differs " + paid + " follows", "balance_differs " + open[5] + " follows"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q\n%+v", got, want, r.Differences)
	}
	money := map[reconcile.Kind]reconcile.DifferenceLine{}
	for _, d := range r.Differences {
		if d.Class == reconcile.Money {
			money[d.Kind] = d
		}
	}
	if d := money[reconcile.WithoutPayment]; len(money) != 2 || d.Number != "424242" || d.Amount != "5.00" || !money[reconcile.NotPosted].Explained {
		t.Errorf("money %+v", money)
	}
	if sent := s.seen.take(); len(sent) != 0 {
		t.Errorf("the comparison wrote to the portal: %v", sent)
	}
	s.reconcileForms(off)
}

// reconcileForms checks the table and the CSV of a site where a cent was written off an invoice.
func (s *site) reconcileForms(off string) {
	s.t.Helper()
	text := s.arbridge(exitDifferences, "reconcile", "--company", "us")
	for _, want := range []string{"UNEXPLAINED DIFFERENCES", "Invoice " + off + ": paid outside", "the ERP's balance fell by 0.01 USD", "ERP total", "Explained ("} {
		if !strings.Contains(text, want) {
			s.t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	code, out, errs := command(s.t, "reconcile", "--format", "csv", "--data", s.dir)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != exitDifferences || err != nil || len(rows) < 7 {
		s.t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	number, amount := slices.Index(rows[0], "number"), slices.Index(rows[0], "difference")
	if !slices.ContainsFunc(rows, func(row []string) bool { return row[number] == off && row[amount] == "-0.01" }) {
		s.t.Errorf("the CSV has no line of invoice %s over -0.01:\n%s", off, out)
	}
}

func TestReconcileUsage(t *testing.T) {
	s := newSite(t)
	for _, c := range [][]string{
		{"--format", "xml"}, {"--from", "soon"}, {"--from", "2026-02-01", "--to", "2026-01-01"}, {"--company", "mars"}, {"extra"},
	} {
		if out := s.arbridge(exitUsage, append([]string{"reconcile"}, c...)...); !strings.Contains(out, "--help") {
			t.Errorf("%v: %s", c, out)
		}
	}
}
