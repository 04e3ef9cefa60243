package engine_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

func TestNewInvoiceOfNewCustomer(t *testing.T) {
	f := synced(t, "104233")
	d := f.document()
	if d.Number != "104233" || !d.Total.Equal(usd("107")) || len(d.Items) != 1 || !d.Tax.Equal(usd("7")) {
		t.Errorf("document %+v", d)
	}
	payers, people := f.Portal.Payers(), f.Portal.People()
	if len(payers) != 1 || payers[0].Number != "C1" || d.CustomerID != payers[0].ID {
		t.Errorf("customers %+v", payers)
	}
	if len(people) != 1 || people[0].Email != "ap-c1@customer.example" || !people[0].Primary {
		t.Errorf("contacts %+v", people)
	}
	r := f.want(billing.KindInvoice, "104233", record.Synced, "")
	if r.PortalID != d.ID || r.SourceTotal != "107.00" || r.PortalTotal != "107.00" || !r.DueAt.IsZero() || r.Written != r.Seen {
		t.Errorf("record %+v", r)
	}
	c := f.want(billing.KindCustomer, "C1", record.Synced, "")
	if c.PortalID != payers[0].ID || c.Contacts["KC1"] != people[0].ID {
		t.Errorf("customer's record %+v", c)
	}
	if e := f.entry("invoice/104233"); e.State != journal.Done || e.VendorID != d.ID || e.Attempts != 1 || e.Amount != "107.00" {
		t.Errorf("journal %+v", e)
	}
}

func TestCostOfAnInvoice(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "2", record.Synced, "")
	f.portalCounts(1, 1)
	if n := f.ERP.Count("Invoice", "Customer"); n != 0 {
		t.Errorf("%d reads of single ERP records; the feed has them", n)
	}
	// Seen again unchanged: as every payment in the ERP makes it.
	f.Portal.Reset()
	published := f.Bus.Published()
	f.ERP.Touch("2")
	f.tick()
	f.portalCounts(0, 0)
	if n := f.Bus.Published() - published; n != 0 {
		t.Errorf("%d tasks for an unchanged invoice", n)
	}
	// A message for nothing costs nothing at the portal either.
	f.sync(billing.KindInvoice, "2")
	f.portalCounts(0, 0)
}

func TestBackfillLooksUpInBulk(t *testing.T) {
	const invoices = 150
	f := setup(t, func(w *enginetest.World) {
		w.Options.PageSize = 40
		w.ERP.PutCustomers(enginetest.Customer("C1"))
		for i := range invoices {
			w.ERP.PutInvoices(enginetest.Invoice(fmt.Sprintf("%d", 1000+i), "C1"))
		}
	})
	f.tick()
	if ok, open := f.Settled(); !ok || len(f.Portal.Invoices()) != invoices {
		t.Fatalf("%d invoices in the portal, open: %s", len(f.Portal.Invoices()), open)
	}
	if n := f.Portal.Count("FindDocuments", "FindCustomers", "Document"); n != 0 {
		t.Errorf("%d single look-ups in a backfill", n)
	}
	if n := f.Portal.Count("ListDocuments", "ListCustomers"); n > 6 {
		t.Errorf("%d pages read for one index", n)
	}
	if n := f.ERP.Count("Invoices"); n > 6 {
		t.Errorf("%d pages of the feed for %d invoices in pages of 40", n, invoices)
	}
}

func TestCustomerIsCreatedOnce(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	for i := range 20 {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(100+i), "C1"))
	}
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, m := range f.Bus.Lose() {
		wg.Go(func() {
			if err := enginetest.Deliver(t.Context(), f.e, m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.run(3 * time.Minute)
	if ok, open := f.Settled(); !ok {
		t.Fatalf("open: %s", open)
	}
	if payers, docs := f.Portal.Payers(), f.Portal.Invoices(); len(payers) != 1 || len(docs) != 20 {
		t.Errorf("%d customers and %d invoices, want 1 and 20", len(payers), len(docs))
	}
	if n := f.Portal.Count("CreateCustomer", "CreateContact"); n != 2 {
		t.Errorf("%d creations of customer and contact, want one each", n)
	}
}

func TestWaitingInvoicesAreWoken(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Customers.Create = false })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
	f.tick()
	for _, n := range []string{"1", "2"} {
		r := f.want(billing.KindInvoice, n, record.Waiting, plan.WaitsForCustomer)
		if r.WaitsFor != record.ID("us", billing.KindCustomer, "C1") || f.due(r) < 50*time.Minute {
			t.Errorf("invoice %s waits for %q, due in %s", n, r.WaitsFor, f.due(r))
		}
	}
	f.want(billing.KindCustomer, "C1", record.Waiting, plan.CustomerNotMade)
	f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Customer C1"})
	f.sync(billing.KindCustomer, "C1")
	f.drain() // without waiting for the hour to pass
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindInvoice, "2", record.Synced, "")
	if n := f.Portal.Count("CreateCustomer"); n != 0 {
		t.Errorf("%d customers created", n)
	}
}

func TestChangedInvoice(t *testing.T) {
	f := synced(t, "1")
	first := enginetest.Invoice("1", "C1")
	// There and back and there again: every change arrives, none is taken for one that was written before.
	for i, price := range []int64{60, 50, 60, 50, 70} {
		f.ERP.PutInvoices(enginetest.Over(first, price))
		f.tick()
		want := enginetest.Over(first, price).Total
		if d := f.document(); !d.Total.Equal(want) || d.Voided {
			t.Fatalf("change %d: the portal has %s (voided %v), want %s", i+1, d.Total, d.Voided, want)
		}
		if r := f.want(billing.KindInvoice, "1", record.Synced, ""); r.SourceTotal != want.Amount() || r.PortalTotal != want.Amount() {
			t.Fatalf("record says %s and %s", r.SourceTotal, r.PortalTotal)
		}
	}
	f.portalCounts(5, 7) // one read each, and a second look for the two that were written before
}

func TestInvoiceVerdicts(t *testing.T) {
	first := enginetest.Invoice("1", "C1")
	for _, c := range []struct {
		name   string
		act    func(f *fixture) // with invoice 1 in the portal
		status record.Status
		reason plan.Code
		writes int
	}{
		{"changed after payment", func(f *fixture) {
			f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(f.document().ID, "7"))
			f.ERP.PutInvoices(enginetest.Over(first, 60))
		}, record.Attention, plan.ChangedWhenPaid, 0},
		{"only texts changed after payment", func(f *fixture) {
			f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(f.document().ID, "7"))
			inv := first
			inv.CustomerPO = "PO-9"
			f.ERP.PutInvoices(inv)
		}, record.Synced, "", 0},
		{"updates are off", func(f *fixture) {
			f.Settings.Invoices.Update = "never"
			f.e = f.Start()
			f.ERP.PutInvoices(enginetest.Over(first, 60))
		}, record.Attention, plan.UpdatesOff, 0},
		{"voided in the portal, then changed", func(f *fixture) {
			_, _ = f.Portal.VoidDocument(t.Context(), billing.KindInvoice, f.document().ID)
			f.Portal.Reset()
			f.ERP.PutInvoices(enginetest.Over(first, 60))
		}, record.Attention, plan.VoidedInPortal, 0},
		{"deleted in the portal, then changed", func(f *fixture) {
			f.Portal.Remove(f.document().ID)
			f.ERP.PutInvoices(enginetest.Over(first, 60))
		}, record.Attention, plan.GoneInPortal, 0},
		{"became a credit", func(f *fixture) {
			inv := first
			inv.Total, inv.Balance, inv.Tax = usd("-107"), usd("-107"), usd("0")
			inv.Lines = nil
			f.ERP.PutInvoices(inv)
		}, record.Attention, plan.KindChanged, 0},
		{"changed, then back before it was looked at", func(f *fixture) {
			f.ERP.PutInvoices(enginetest.Over(first, 60))
			_, _ = f.e.Poll(t.Context(), "us")
			f.Bus.Lose()
			f.ERP.PutInvoices(first)
		}, record.Synced, plan.Unchanged, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			c.act(f)
			f.tick()
			f.want(billing.KindInvoice, "1", c.status, c.reason)
			if n := f.Portal.Writes(); n != c.writes {
				t.Errorf("%d writes, want %d", n, c.writes)
			}
			f.sync(billing.KindInvoice, "1") // looking again changes no verdict
			f.want(billing.KindInvoice, "1", c.status, c.reason)
		})
	}
}

func TestAlreadyInThePortal(t *testing.T) {
	ours := map[string]string{plan.MetaID: "01/1"}
	for _, c := range []struct {
		name   string
		total  string
		meta   map[string]string
		twice  bool
		status record.Status
		reason plan.Code
	}{
		{"same total, nobody's", "107", nil, false, record.Synced, plan.AlreadyThere},
		{"same total, ours", "107", ours, false, record.Synced, plan.AlreadyThere},
		{"another total", "108", nil, false, record.Attention, plan.PortalDiffers},
		{"somebody else's", "107", map[string]string{plan.MetaID: "02/1"}, false, record.Attention, plan.NumberTaken},
		{"twice", "107", nil, true, record.Attention, plan.SeveralWithNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := steady(t)
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			d := billing.PortalDocument{
				Kind: billing.KindInvoice, Number: "1", Currency: "USD", Tax: usd(c.total), Metadata: c.meta,
			}
			d = f.Portal.EnterDocument(d)
			if c.twice {
				f.Portal.EnterDocument(d)
			}
			f.tick()
			r := f.want(billing.KindInvoice, "1", c.status, c.reason)
			if n := f.Portal.Count("CreateDocument", "UpdateDocument", "VoidDocument"); n != 0 {
				t.Errorf("%d writes of documents", n)
			}
			if c.status == record.Synced && r.PortalID != d.ID {
				t.Errorf("adopted %q, want %q", r.PortalID, d.ID)
			}
		})
	}
}

func TestNumberTakenMeanwhile(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() {
		f.Portal.EnterDocument(billing.PortalDocument{Kind: billing.KindInvoice, Number: "1", Currency: "USD", Tax: usd("107")})
	}})
	f.tick()
	if r := f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorRefused); f.due(r) > time.Minute {
		t.Errorf("looks again only in %s", f.due(r))
	}
	f.run(time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, plan.AlreadyThere)
	if n := f.Portal.Count("CreateDocument"); n != 1 {
		t.Errorf("%d attempts to create", n)
	}
}

func TestNumberTakenButNotShown(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Class: connector.ClassConflict})
	f.tick()
	f.run(10 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Attention, plan.VendorRefused)
	if n := f.Portal.Count("CreateDocument"); n != 2 {
		t.Errorf("%d attempts to create, want 2: it does not go on for ever", n)
	}
}

func TestPortalChargesMore(t *testing.T) {
	f := synced(t, "0")
	f.Portal.Add("1", usd("3.33"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	check := func() {
		t.Helper()
		r := f.want(billing.KindInvoice, "1", record.Attention, plan.PortalDiffers)
		if r.PortalTotal != "110.33" || r.SourceTotal != "107.00" {
			t.Errorf("record says %s and %s", r.SourceTotal, r.PortalTotal)
		}
	}
	check()
	for _, d := range f.Portal.Invoices() {
		if d.Number == "1" && !d.Voided {
			t.Errorf("an invoice over %s stands in the portal", d.Total)
		}
	}
	f.sync(billing.KindInvoice, "1") // a second message does not make it good
	check()
	f.run(3 * time.Hour)
	check()
	if n := f.Portal.Count("VoidDocument"); n != 1 {
		t.Errorf("voided %d times", n)
	}
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60)) // and back before it is looked at
	f.poll()
	f.Bus.Lose()
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.VoidedInPortal)
}

func TestVarianceStays(t *testing.T) {
	f := synced(t, "0")
	inv := enginetest.Invoice("1", "C1")
	inv.Total, inv.Balance = usd("108"), usd("108") // the lines make 107
	f.ERP.PutInvoices(inv)
	f.tick()
	f.want(billing.KindInvoice, "1", record.Variance, plan.LinesDoNotAddUp)
	f.sync(billing.KindInvoice, "1")
	f.want(billing.KindInvoice, "1", record.Variance, plan.LinesDoNotAddUp)
}

func TestModesThatWriteNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*settings.Company)
		reads   bool
		invoice record.Status
	}{
		{"read only", func(s *settings.Company) { s.Mode = settings.ModeReadOnly }, true, record.Waiting},
		{"paused", func(s *settings.Company) { s.Mode = settings.ModePaused }, false, record.Scheduled},
		{"off", func(s *settings.Company) { s.Enabled = false }, false, record.Scheduled},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "0", "1")
			f.ERP.PutCustomers(enginetest.Customer("C2"), enginetest.Customer("C3"))
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60), enginetest.Invoice("2", "C2"), enginetest.Invoice("3", "C3"))
			c3 := f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C3", Name: "Customer C3", Terms: "NET30", Address: enginetest.Customer("C3").Main}) // only its contacts are missing
			if _, err := f.e.Poll(t.Context(), "us"); err != nil {
				t.Fatal(err)
			}
			live := f.Settings
			c.change(&f.Settings)
			f.e = f.Start()
			doc := f.Record(billing.KindInvoice, "0").PortalID
			events := []billing.Event{f.Portal.View(doc), f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(doc, "107"))}
			f.Portal.Reset()
			f.ERP.Reset()
			f.hook(events...)
			f.run(5 * time.Hour)
			if p, q := f.Portal.Writes(), f.ERP.Writes(); p != 0 || q != 0 {
				t.Errorf("%d writes to the portal and %d to the ERP", p, q)
			}
			if !c.reads && f.Portal.Count()+f.ERP.Count() > 0 {
				t.Errorf("%d calls although nothing is to be done", f.Portal.Count()+f.ERP.Count())
			}
			f.want(billing.KindInvoice, "1", c.invoice, "")
			f.want(billing.KindInvoice, "2", c.invoice, "")
			f.Settings = live
			f.e = f.Start()
			f.run(3 * time.Hour)
			if ok, open := f.Settled(); !ok {
				t.Fatalf("after it went on: %s", open)
			}
			if len(f.ERP.Receipts()) != 1 || len(f.ERP.History()) != 1 || len(f.Portal.Invoices()) != 4 {
				t.Errorf("receipts %v, history %v, invoices %d", f.ERP.Receipts(), f.ERP.History(), len(f.Portal.Invoices()))
			}
			if got, _ := f.Portal.Contacts(t.Context(), c3.ID); len(got) != 1 {
				t.Errorf("contacts of C3: %v", got)
			}
		})
	}
}
