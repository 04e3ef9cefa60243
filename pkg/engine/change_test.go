package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestWhatThePortalOwnsStays: an update replaces the lines, and nothing that people or the portal decided there.
func TestWhatThePortalOwnsStays(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Invoices.Draft = true })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	first := enginetest.Invoice("1", "C1")
	f.ERP.PutInvoices(first)
	f.tick()
	if !f.document().Draft {
		t.Fatal("not created as a draft")
	}
	f.Settings.Invoices.Draft = false // drafts that are there wait for a person all the same
	f.e = f.Start()
	f.ERP.PutInvoices(enginetest.Over(first, 60))
	f.tick()
	if d := f.document(); !d.Draft || !d.Total.Equal(usd("127")) {
		t.Errorf("draft %v, total %s", d.Draft, d.Total)
	}
	f.Portal.EditDocument(f.document().ID, func(d *billing.PortalDocument) {
		d.Draft, d.AutoPay, d.Notes = false, true, "Please pay by Friday"
		d.Metadata["crm"] = "77"
	})
	f.Settings.Invoices.Draft = true // issued ones stay issued
	f.e = f.Start()
	f.ERP.PutInvoices(enginetest.Over(first, 70))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	d := f.document()
	if d.Draft || !d.AutoPay || d.Notes != "Please pay by Friday" || d.Metadata["crm"] != "77" || d.Metadata[plan.MetaID] != "01/1" || len(d.Items) != 1 {
		t.Errorf("document %+v", d)
	}
}

// TestPortalStates: what happens in the portal stops an update, and lets it go on when it is over.
func TestPortalStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		there  func(f *fixture, id string)
		status record.Status
		reason plan.Code
	}{
		{"late fee", func(f *fixture, id string) { f.Portal.ChargeLate(id, usd("5")) }, record.Attention, plan.LateFees},
		{"closed", func(f *fixture, id string) {
			f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Closed, d.Status = true, "bad_debt" })
		}, record.Attention, plan.ClosedInPortal},
		{"payment under way", func(f *fixture, id string) {
			f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Status = "pending" })
		}, record.Waiting, plan.PaymentInFlight},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			c.there(f, f.document().ID)
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
			f.tick()
			f.want(billing.KindInvoice, "1", c.status, c.reason)
			if n := f.Portal.Writes(); n != 0 {
				t.Errorf("%d writes", n)
			}
			f.Portal.EditDocument(f.document().ID, func(d *billing.PortalDocument) { // the person, or the bank, is done
				d.Closed, d.Status, d.Items, d.Total, d.Balance = false, "sent", d.Items[:1], usd("107"), usd("107")
			})
			f.run(2 * time.Hour)
			f.sync(billing.KindInvoice, "1")
			f.want(billing.KindInvoice, "1", record.Synced, "")
			if !f.document().Total.Equal(usd("127")) {
				t.Errorf("total %s", f.document().Total)
			}
		})
	}
}

func TestInvoiceOfAnotherCustomer(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutCustomers(enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C2"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.CustomerDiffers)
	if n := f.Portal.Count("UpdateDocument", "CreateDocument"); n != 0 {
		t.Errorf("%d writes of documents", n)
	}
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1")) // a mistake
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
}

// TestSignThereAndBack: an invoice that became a credit is for a person, and fine again when it is what it was.
func TestSignThereAndBack(t *testing.T) {
	f := synced(t, "1")
	inv := enginetest.Invoice("1", "C1")
	credit := inv
	credit.Total, credit.Balance, credit.Tax, credit.Lines = usd("-107"), usd("-107"), usd("0"), nil
	f.ERP.PutInvoices(credit)
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.KindChanged)
	f.ERP.PutInvoices(inv)
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.portalCounts(0, 1)
}

// TestOwnEchoesChangeNothing: what we write comes back as events, and as changes in the portal's lists.
func TestOwnEchoesChangeNothing(t *testing.T) {
	f := synced(t, "1")
	d, c := f.document(), f.Portal.Payers()[0]
	published := f.Bus.Published()
	f.hook(
		f.Portal.Tell("invoice.created", billing.KindInvoice, d.ID), f.Portal.Tell("invoice.updated", billing.KindInvoice, d.ID),
		f.Portal.Tell("customer.created", billing.KindCustomer, c.ID), f.Portal.Tell("customer.updated", billing.KindCustomer, c.ID),
		f.Portal.Tell("contact.created", billing.KindContact, f.Portal.People()[0].ID),
	)
	f.run(time.Hour)
	f.portalCounts(0, 0)
	if n := f.ERP.Writes(); n != 0 {
		t.Errorf("%d writes to the ERP", n)
	}
	if n := f.Bus.Published() - published; n != 0 {
		t.Errorf("%d messages", n)
	}
}
