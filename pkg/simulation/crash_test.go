package simulation

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// workflow is what people do in a company, one thing after the other.
type workflow struct {
	name string
	// before is done in peace; then it is that crashes happen.
	before, during []func(*doer) error
}

// newBill posts an invoice of one customer over an amount, with a PDF.
func newBill(total string) func(*doer) error {
	return func(x *doer) error {
		in := q360sim.NewInvoice{Post: true, Header: q360sim.Record{
			"CUSTOMERNO": x.co.customers[0], "INVOICESITENO": x.co.site[x.co.customers[0]], "COMPANYNO": x.co.code, "CURRENCY": x.co.currencies[0],
			"INVOICEDATE": x.w.loop.now.Format(time.DateOnly) + " 00:00:00.000", "PAYMENTTERMS": "NET30", "PAYMETHOD": "CHECK", "PONUM": orderNo(1), "INVAMOUNT": total,
		}, Lines: []q360sim.Record{{"SEQ": "10", "DESCRIPTION": "Work", "QTY": "1", "PRICE": total, "EXTENDEDPRICE": total, "TAXAMOUNT": "0", "ACCOUNTNO": "4000"}}}
		b, err := x.create(in)
		if err == nil {
			x.attach(b, "")
		}
		return err
	}
}

func (x *doer) last(n int) *bill { return x.w.past.bills[x.w.past.order[len(x.w.past.order)-1-n]] }

func changed(x *doer) error {
	b := x.last(0)
	b.version++
	_, err := x.w.erp.ChangeInvoice(q360sim.Change{No: b.no, Set: q360sim.Record{"INVAMOUNT": "77.00", "PONUM": orderNo(b.version)}, Lines: &[]q360sim.Record{
		{"SEQ": "10", "DESCRIPTION": "Less work", "QTY": "1", "PRICE": "77.00", "EXTENDEDPRICE": "77.00", "TAXAMOUNT": "0", "ACCOUNTNO": "4000"},
	}})
	return err
}

// paidTwo pays the last two invoices at once, with a fee.
func paidTwo(x *doer) error {
	_, err := x.w.portal.Pay(invoicedsim.PortalPayment{Account: x.co.id, Method: "credit_card", Outcome: "succeeded", FeePercent: percent("2.9"),
		Lines: []invoicedsim.PortalLine{{Number: x.last(0).no}, {Number: x.last(1).no}}})
	x.w.past.note(x.w, x.co.id)
	return err
}

func gone(x *doer) error {
	b := x.last(0)
	if _, err := x.w.erp.UnpostInvoice(q360sim.InvoiceStep{InvoiceNo: b.no}); err != nil {
		return err
	}
	b.unposted, b.deleted = x.w.loop.now, x.w.loop.now
	_, err := x.w.erp.DeleteInvoice(q360sim.InvoiceStep{InvoiceNo: b.no})
	return err
}

func viewed(x *doer) error {
	_, err := x.w.portal.View(invoicedsim.PortalAction{Account: x.co.id, Number: x.last(0).no})
	return err
}

func workflows() []workflow {
	type do = func(*doer) error
	return []workflow{
		{"new invoice of a new customer with its PDF", nil, []do{newBill("120.00")}},
		{"changed invoice", []do{newBill("120.00")}, []do{changed}},
		{"credit applied", []do{newBill("120.00")}, []do{newBill("-30.00")}},
		{"payment with a fee over two invoices", []do{newBill("120.00"), newBill("99.99")}, []do{paidTwo}},
		{"view", []do{newBill("120.00")}, []do{viewed}},
		{"gone document", []do{newBill("120.00")}, []do{gone}},
	}
}

// crashed plays a workflow with a crash at each of the given boundaries, counted from where it begins to matter. It returns
// how many boundaries there were, and whether everything came right.
func crashed(t *testing.T, s *scene, f workflow, at ...int) (int, []Violation) {
	t.Helper()
	w, err := newWorld(s, Options{Seed: 13, Events: 1, Workers: 1, Faults: []Fault{}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.loop.close()
	x := &doer{w: w, rng: w.people, co: w.companies[0]}
	x.co.off, x.co.sandbox = false, false
	w.every = 30 * time.Minute // so that an hourly full read of the ERP is due soon
	for _, co := range w.companies[1:] {
		co.off = true
	}
	w.companies = w.companies[:1]
	w.start()
	w.tick()
	when := s.start
	play := func(deeds []func(*doer) error) {
		for _, do := range deeds {
			when = when.Add(time.Minute)
			w.loop.at(when, "deed", func() {
				if err := do(x); err != nil {
					t.Errorf("%s: %v", f.name, err)
				}
				w.touch(x.co)
			})
		}
		w.until(when.Add(time.Second))
	}
	play(f.before)
	if len(f.before) > 0 {
		when = when.Add(30 * time.Minute)
		w.until(when)
	}
	w.boundary, w.crashAt = 0, at
	play(f.during)
	w.until(when.Add(3 * time.Hour))
	n := w.boundary
	w.until(when.Add(12 * time.Hour))
	w.atRest()
	return n, w.found
}

// TestCrashAtEveryBoundary: a process dies right before, or right after, each thing that leaves it, and another one goes on.
func TestCrashAtEveryBoundary(t *testing.T) {
	s := newScene(begins()[0])
	for _, f := range workflows() {
		t.Run(f.name, func(t *testing.T) {
			n, bad := crashed(t, s, f)
			if len(bad) > 0 || n < 10 {
				t.Fatalf("without a crash: %d boundaries, %v", n, bad)
			}
			t.Logf("%d boundaries", n)
			for k := 1; k <= n; k++ {
				if _, bad := crashed(t, s, f, k); len(bad) > 0 {
					t.Errorf("crash at boundary %d: %v", k, bad)
				}
			}
		})
	}
}

// TestCrashTwiceWhilePosting: pairs of crashes around the posting of a cash receipt. The second one meets the process that
// takes over, which begins again.
func TestCrashTwiceWhilePosting(t *testing.T) {
	s := newScene(begins()[0])
	f := workflows()[3]
	const posted = 44 // boundaries until it is posted without a crash
	pairs := 0
	for a := 1; a <= posted; a += step(t) {
		for b := a + 1; b <= a+posted+20; b += step(t) {
			pairs++
			if _, bad := crashed(t, s, f, a, b); len(bad) > 0 {
				t.Errorf("crashes at boundaries %d and %d: %v", a, b, bad)
			}
		}
	}
	t.Logf("%d pairs", pairs)
}

// stepVar is the environment variable that says how far the pairs that are tried lie apart: make sim-crash tries all of them.
const stepVar = "ARBRIDGE_CRASH_STEP"

// step is that number; 5 unless the variable says otherwise.
func step(t *testing.T) int {
	t.Helper()
	text := os.Getenv(stepVar)
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: a whole number above 0 is needed", stepVar, text)
	}
	return n
}

// TestEveryWorkflowIsThere holds the list of workflows to what was promised.
func TestEveryWorkflowIsThere(t *testing.T) {
	names := []string{}
	for _, f := range workflows() {
		names = append(names, f.name)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) != 6 {
		t.Error(fmt.Sprint(names))
	}
}
