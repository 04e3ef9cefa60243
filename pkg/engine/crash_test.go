package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// outcome is what a workflow leaves behind, without times and ways.
type outcome struct {
	Documents []string
	Payers    []string
	People    []string
	Receipts  []string
	History   []string
	Records   map[string]string
	Effects   map[string]string
}

func outcomeOf(t *testing.T, w *enginetest.World) outcome {
	t.Helper()
	o := outcome{Records: map[string]string{}, Effects: map[string]string{}}
	names := map[string]string{} // of portal ids, which depend on what came first
	for _, d := range w.Portal.Invoices() {
		names[d.ID] = d.Number
		o.Documents = append(o.Documents, fmt.Sprint(d.Kind, d.Number, d.Total, d.Balance, d.Voided))
	}
	slices.Sort(o.Documents)
	for _, c := range w.Portal.Payers() {
		names[c.ID] = c.Number
		o.Payers = append(o.Payers, c.Number+c.Name)
	}
	for _, c := range w.Portal.People() {
		names[c.ID] = c.Email
		o.People = append(o.People, c.Name+c.Email)
	}
	for _, r := range w.ERP.Receipts() {
		o.Receipts = append(o.Receipts, fmt.Sprint(r.Number, r.Reference, r.Amount, r.Lines))
	}
	for _, h := range w.ERP.History() {
		o.History = append(o.History, h.Key+h.Comment)
	}
	records, err := enginetest.All[record.Record](w.Store, store.Records)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range records {
		for number, contact := range r.Contacts {
			r.Contacts[number] = names[contact]
		}
		o.Records[id] = fmt.Sprint(r.Status, names[r.PortalID], r.SourceTotal, r.PortalTotal, r.Contacts, r.Receipts, r.Complete, r.Written == r.Seen || r.Kind == billing.KindPayment,
			r.DueAt.Text(), r.LeaseOwner, r.Attempts, r.WaitsFor)
	}
	entries, err := enginetest.All[journal.Entry](w.Store, store.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for key, e := range entries {
		o.Effects[key] = fmt.Sprint(e.State, e.Amount)
	}
	return o
}

// TestCrashEverywhere kills the process at every call that leaves it, before and after the call has its effect. Whatever
// was published is lost with it. A new process brings every workflow to the same end.
func TestCrashEverywhere(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, w *enginetest.World, e *engine.Engine)
		act     func(t *testing.T, w *enginetest.World)                   // outside of the process
		run     func(t *testing.T, w *enginetest.World, e *engine.Engine) // in the process that dies
		least   int                                                       // calls that leave the process in it
	}{
		{"invoice of a known customer", customerKnown, func(_ *testing.T, w *enginetest.World) {
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		}, tick, 15},
		{"invoice and customer", emptyWorld, func(_ *testing.T, w *enginetest.World) {
			w.ERP.PutCustomers(enginetest.Customer("C1"))
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
		}, tick, 40},
		{"first full read", nil, func(_ *testing.T, w *enginetest.World) {
			w.ERP.PutCustomers(enginetest.Customer("C1"))
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
		}, tick, 40},
		{"changed invoice", customerKnown, func(_ *testing.T, w *enginetest.World) {
			w.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("0", "C1"), 60))
		}, tick, 15},
		{"changed customer", customerKnown, func(_ *testing.T, w *enginetest.World) {
			cust := enginetest.Customer("C1")
			cust.Name, cust.Contacts[0].Email = "Acme", "new@customer.example"
			w.ERP.PutCustomers(cust)
		}, tick, 15},
		{"portal charges more", customerKnown, func(_ *testing.T, w *enginetest.World) {
			w.Portal.Add("1", usd("1"))
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		}, tick, 15},
		{"receipt", customerKnown, pay, receive, 20},
		{"view", customerKnown, func(_ *testing.T, w *enginetest.World) {
			w.Portal.View(w.Portal.Invoices()[0].ID)
		}, receive, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want outcome
			for n := 0; ; n++ {
				died := false
				for _, after := range []bool{false, true} {
					w := enginetest.NewWorld()
					w.Options.Exclusive = true
					if c.prepare != nil {
						c.prepare(t, w, w.Start())
					}
					c.act(t, w)
					line := enginetest.NewLine(n, after) // n 0: it lives
					e := w.StartOn(line)
					died = enginetest.Dies(func() { c.run(t, w, e) })
					w.Bus.Lose()
					if err := w.Run(t.Context(), w.Start(), 40*time.Minute); err != nil {
						t.Fatalf("killed at call %d, after %v: %v", n, after, err)
					}
					got := outcomeOf(t, w)
					if n == 0 {
						if want = got; line.Crossed() < c.least {
							t.Fatalf("the workflow has %d calls; it is cut short", line.Crossed())
						}
						continue
					}
					if d := cmp.Diff(want, got); d != "" {
						t.Fatalf("killed at call %d, after %v (-want +got):\n%s", n, after, d)
					}
				}
				if n > 0 && !died {
					return
				}
			}
		})
	}
}

// emptyWorld lets a process do its first full reads.
func emptyWorld(t *testing.T, w *enginetest.World, e *engine.Engine) { tick(t, w, e) }

// customerKnown is a world with invoice 0 of customer C1 in the portal.
func customerKnown(t *testing.T, w *enginetest.World, e *engine.Engine) {
	tick(t, w, e)
	w.ERP.PutCustomers(enginetest.Customer("C1"))
	w.ERP.PutInvoices(enginetest.Invoice("0", "C1"))
	tick(t, w, e)
}

func tick(t *testing.T, w *enginetest.World, e *engine.Engine) {
	if err := w.Tick(t.Context(), e); err != nil {
		t.Error(err)
	}
}

func pay(_ *testing.T, w *enginetest.World) {
	w.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(w.Portal.Invoices()[0].ID, "107"), enginetest.Fee("3.10"))
}

// receive delivers the portal's last event. What the process does not take is found by the gap fill.
func receive(t *testing.T, w *enginetest.World, e *engine.Engine) {
	page, err := w.Portal.Events(t.Context(), enginetest.Start(), w.Clock.Now(), "")
	if err != nil || len(page.Items) == 0 {
		t.Errorf("events: %v, %v", page, err)
		return
	}
	if err := w.Hook(t.Context(), e, page.Items[0]); err != nil {
		t.Error(err)
	}
	if err := w.Bus.Drain(t.Context(), e); err != nil {
		t.Error(err)
	}
}
