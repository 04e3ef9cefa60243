package enginetest_test

import (
	"fmt"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
)

var (
	_ connector.ERP    = (*enginetest.ERP)(nil)
	_ connector.Portal = (*enginetest.Portal)(nil)
)

func TestFeed(t *testing.T) {
	e := enginetest.NewERP()
	for i := range 25 {
		e.PutInvoices(enginetest.Invoice(fmt.Sprint(i), "C1"))
	}
	seen, at, backfill := map[string]int{}, "", 0
	for pages := 1; ; pages++ {
		p, err := e.Invoices(t.Context(), at, "", 10)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		for _, i := range p.Items {
			seen[i.Number]++
		}
		if pages == 1 {
			e.Touch("3")
			e.PutInvoices(enginetest.Invoice("new", "C1"))
		}
		if p.Backfill {
			backfill++
		}
		if at = p.Next; !p.More {
			break
		}
	}
	if len(seen) != 26 || seen["3"] != 2 || seen["new"] != 1 || backfill != 3 {
		t.Errorf("%d pages of the first read; seen %v", backfill, seen)
	}
	if p, err := e.Invoices(t.Context(), at, "", 10); err != nil || len(p.Items) != 0 || p.Next != at || p.Backfill {
		t.Errorf("at the end: %+v, %v", p, err)
	}
	if p, err := e.Invoices(t.Context(), "", "2026-05-03", 10); err != nil || len(p.Items) != 0 {
		t.Errorf("everything was posted before: %+v, %v", p, err)
	}
	if _, err := e.Invoices(t.Context(), "nonsense", "", 10); connector.ClassOf(err) != connector.ClassInvalid {
		t.Errorf("a cursor of somebody else: %v", err)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   enginetest.Fault
		errs    []bool // of three creations
		entries int
	}{
		{"none", enginetest.Fault{}, []bool{false, false, false}, 3},
		{"second, before", enginetest.Fault{Method: "CreateHistory", Nth: 2, Class: connector.ClassRetry}, []bool{false, true, false}, 2},
		{"second, after", enginetest.Fault{Method: "CreateHistory", Nth: 2, Class: connector.ClassRetry, After: true, Ambiguous: true}, []bool{false, true, false}, 3},
		{"every", enginetest.Fault{Method: "CreateHistory", Class: connector.ClassInvalid}, []bool{true, true, true}, 0},
		{"another method", enginetest.Fault{Method: "FindHistory", Class: connector.ClassInvalid}, []bool{false, false, false}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := enginetest.NewERP()
			e.Fail(c.fault)
			for i, want := range c.errs {
				err := e.CreateHistory(t.Context(), billing.HistoryEntry{Key: fmt.Sprint(i)})
				if (err != nil) != want || err != nil && (connector.ClassOf(err) != c.fault.Class || connector.Ambiguous(err) != c.fault.Ambiguous) {
					t.Errorf("call %d: %v", i+1, err)
				}
			}
			if len(e.History()) != c.entries || e.Count("CreateHistory") != 3 || e.Writes() != 3 {
				t.Errorf("%d entries after %d calls", len(e.History()), e.Count("CreateHistory"))
			}
		})
	}
}

func TestKill(t *testing.T) {
	for n, entries := range map[int][2]int{1: {0, 1}, 2: {1, 2}, 3: {2, 3}, 4: {3, 3}} {
		for i, after := range []bool{false, true} {
			w := enginetest.NewWorld()
			line := enginetest.NewLine(n, after)
			w.StartOn(line)
			killed := enginetest.Dies(func() {
				defer func() { _ = w.ERP.CreateHistory(t.Context(), billing.HistoryEntry{}) }() // reaches nobody once it is dead
				for range 3 {
					_ = w.ERP.CreateHistory(t.Context(), billing.HistoryEntry{})
				}
			})
			if killed != (n <= 4) || n < 4 && len(w.ERP.History()) != entries[i] || n == 4 && len(w.ERP.History()) != 3+i {
				t.Errorf("killed at %d, after %v: %v, %d entries", n, after, killed, len(w.ERP.History()))
			}
			w.Start()
			before := len(w.ERP.History())
			if err := w.ERP.CreateHistory(t.Context(), billing.HistoryEntry{}); err != nil || len(w.ERP.History()) != before+1 {
				t.Errorf("the next process: %v", err)
			}
		}
	}
}

func TestPortalRules(t *testing.T) {
	p := enginetest.NewPortal(enginetest.NewClock(enginetest.Start()))
	c, err := p.CreateCustomer(t.Context(), billing.PortalCustomer{Number: "C1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CreateCustomer(t.Context(), billing.PortalCustomer{Number: "C1"}, ""); connector.ClassOf(err) != connector.ClassConflict {
		t.Errorf("the number of a customer twice: %v", err)
	}
	want := billing.PortalDocument{Kind: billing.KindInvoice, Number: "1", CustomerID: c.ID, Currency: "USD", Tax: enginetest.USD("7"), Total: enginetest.USD("999")}
	d, err := p.CreateDocument(t.Context(), want, "")
	if err != nil || !d.Total.Equal(enginetest.USD("7")) || !d.Balance.Equal(d.Total) {
		t.Fatalf("the portal computes its own total: %+v, %v", d, err)
	}
	if _, err := p.CreateDocument(t.Context(), want, ""); connector.ClassOf(err) != connector.ClassConflict {
		t.Errorf("the number of an invoice twice: %v", err)
	}
	ev := p.Pay("ach", billing.ChargePending, enginetest.On(d.ID, "5"))
	if d, _ = p.Document(t.Context(), billing.KindInvoice, d.ID); !d.Paid().Equal(enginetest.USD("5")) {
		t.Errorf("paid %s", d.Paid())
	}
	p.Bounce(ev.ObjectID)
	if d, _ = p.Document(t.Context(), billing.KindInvoice, d.ID); !d.Paid().IsZero() {
		t.Errorf("paid %s after the bank returned it", d.Paid())
	}
	if d, err = p.VoidDocument(t.Context(), billing.KindInvoice, d.ID); err != nil || !d.Voided {
		t.Errorf("void: %+v, %v", d, err)
	}
	if _, err := p.UpdateDocument(t.Context(), d.ID, want); connector.ClassOf(err) != connector.ClassInvalid {
		t.Errorf("a voided invoice takes no update: %v", err)
	}
}
