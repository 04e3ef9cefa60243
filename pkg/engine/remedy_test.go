package engine_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// What the issues tell a person to do has to lead out of them.

// TestRemedyOfAChangedSign: voided in the portal, the document goes over as what it is now, with its file.
func TestRemedyOfAChangedSign(t *testing.T) {
	for name, act := range map[string]func(f *fixture){
		"voided":  func(f *fixture) { _, _ = f.Portal.VoidDocument(t.Context(), billing.KindInvoice, f.numbered("1").ID) },
		"deleted": func(f *fixture) { f.Portal.DeleteDocument(f.numbered("1").ID) },
	} {
		t.Run(name, func(t *testing.T) {
			f := attaching(t)
			f.t = t
			f.ERP.PutFile("1", file("1", 0), pdf("first"))
			f.bill()
			f.tick()
			f.wantAttached("1", string(pdf("first")))
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), -60))
			f.tick()
			f.want(billing.KindInvoice, "1", record.Attention, plan.KindChanged)
			if got := f.syncNow("1"); got.Status != record.Attention {
				t.Fatalf("%s (%s) before anybody did anything", got.Status, got.Summary)
			}
			act(f)
			f.Portal.Reset()
			f.Portal.Fail(lost("CreateDocument", true))
			f.syncNow("1")
			f.want(billing.KindInvoice, "1", record.Unknown, plan.OutcomeUnknown)
			f.run(time.Hour)
			if got := f.Record(billing.KindInvoice, "1"); got.Status == record.Attention || got.PortalKind != billing.KindCreditNote || f.Portal.Count("CreateDocument") != 1 {
				t.Fatalf("%s as %s: %s", got.Status, got.PortalKind, got.Summary)
			}
			for _, d := range f.Portal.Invoices() {
				if d.Number == "1" && d.Kind == billing.KindCreditNote && (len(f.Portal.Attached(d.ID)) != 1 || !d.Total.Equal(usd("113"))) {
					t.Errorf("the credit note is over %s with %d files", d.Total, len(f.Portal.Attached(d.ID)))
				}
			}
			f.noOpenEffects()
		})
	}
}

// remade is what staff do who delete a document in the portal and make it again there.
func (f *fixture) remade(id string, change func(*billing.PortalDocument)) billing.PortalDocument {
	f.t.Helper()
	for _, d := range f.Portal.Invoices() {
		if d.ID == id {
			f.Portal.DeleteDocument(id)
			d.Metadata, d.Voided = nil, false
			change(&d)
			return f.Portal.EnterDocument(d)
		}
	}
	f.t.Fatalf("the portal has no document %s", id)
	return billing.PortalDocument{}
}

// TestRemediesByMakingAgain: deleted in the portal and made again there as it should be, a document is taken as ours.
func TestRemediesByMakingAgain(t *testing.T) {
	for _, c := range []struct {
		reason plan.Code
		before func(f *fixture)
		change func(f *fixture, d *billing.PortalDocument)
	}{
		{plan.CustomerDiffers, func(f *fixture) {
			f.ERP.PutCustomers(enginetest.Customer("C2"))
			f.ERP.PutInvoices(enginetest.Invoice("1", "C2"))
		}, func(f *fixture, d *billing.PortalDocument) {
			d.CustomerID = f.Record(billing.KindCustomer, "C2").PortalID
		}},
		{plan.VoidedInPortal, func(f *fixture) {
			_, _ = f.Portal.VoidDocument(t.Context(), billing.KindInvoice, f.numbered("1").ID)
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
		}, func(_ *fixture, d *billing.PortalDocument) { d.Items[0].UnitCost = decimal.NewFromInt(60) }},
		{plan.PortalDiffers, func(f *fixture) {
			f.Portal.Add("1", usd("3.33"))
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
		}, func(f *fixture, d *billing.PortalDocument) { f.Portal.Add("1", usd("0")) }},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			c.before(f)
			f.run(time.Hour)
			r := f.want(billing.KindInvoice, "1", record.Attention, c.reason)
			again := f.remade(r.PortalID, func(d *billing.PortalDocument) { c.change(f, d) })
			if got := f.syncNow("1"); got.Status != record.Synced || got.PortalID != again.ID {
				t.Errorf("%s as %s: %s", got.Status, got.PortalID, got.Summary)
			}
			f.noOpenEffects()
		})
	}
}

// TestRemedyOfAnotherTotal: a document of the portal that is corrected there is taken as ours.
func TestRemedyOfAnotherTotal(t *testing.T) {
	f := synced(t, "0")
	d := f.Portal.EnterDocument(billing.PortalDocument{
		Kind: billing.KindInvoice, Number: "1", CustomerID: f.numbered("0").CustomerID, Currency: "USD", Items: f.numbered("0").Items, Tax: usd("8"),
	})
	f.bill()
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.PortalDiffers)
	f.Portal.EditDocument(d.ID, func(d *billing.PortalDocument) { d.Tax, d.Total = usd("7"), usd("107") })
	if got := f.syncNow("1"); got.Status != record.Synced || got.PortalID != d.ID {
		t.Errorf("%s as %s: %s", got.Status, got.PortalID, got.Summary)
	}
}

// TestCustomerLeavesThePortal: staff delete a customer or merge it into another one. One record says so, its documents wait, and
// all goes on when the customer is made again under its number.
func TestCustomerLeavesThePortal(t *testing.T) {
	for name, told := range map[string]bool{"with an event": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			gone := f.Record(billing.KindCustomer, "C1").PortalID
			f.Portal.Remove(gone)
			if told {
				f.hook(f.Portal.Tell("customer.merged", billing.KindCustomer, gone))
				f.want(billing.KindCustomer, "C1", record.Attention, plan.GoneInPortal)
			}
			f.ERP.PutInvoices(enginetest.Invoice("2", "C1"), enginetest.Invoice("3", "C1"))
			f.run(3 * time.Hour)
			f.want(billing.KindCustomer, "C1", record.Attention, plan.GoneInPortal)
			f.want(billing.KindInvoice, "2", record.Waiting, plan.WaitsForCustomer)
			f.want(billing.KindInvoice, "3", record.Waiting, plan.WaitsForCustomer)
			if n := f.Portal.Count("CreateDocument"); n > 2 || told && n > 0 {
				t.Errorf("%d documents were sent for a customer that is not there", n)
			}
			if n := f.Portal.Count("CreateCustomer"); n != 0 {
				t.Error("the customer was made again by itself")
			}
			again := f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Made again"})
			f.run(2 * time.Hour)
			for _, number := range []string{"2", "3"} {
				f.want(billing.KindInvoice, number, record.Synced, "")
				if d := f.numbered(number); d.CustomerID != again.ID {
					t.Errorf("document %s is of customer %s", number, d.CustomerID)
				}
			}
			r := f.want(billing.KindCustomer, "C1", record.Synced, "")
			if r.PortalID != again.ID || len(r.Contacts) != 1 {
				t.Errorf("the customer is %s with contacts %v", r.PortalID, r.Contacts)
			}
			f.noOpenEffects()
		})
	}
}
