package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// sharing is a world in which the companies "us" (01) and "ca" (02) share one ERP site and one portal account. Invoice 1 is
// of us, invoices 2 and 3 of ca, all of customer C1.
func sharing(t *testing.T, change ...func(ca *enginetest.Site)) (*fixture, *enginetest.Site) {
	t.Helper()
	var ca *enginetest.Site
	f := steady(t, func(w *enginetest.World) {
		ca = w.AddSite("ca")
		ca.ERP, ca.Portal, ca.Settings.Q360Company = w.ERP, w.Portal, "02"
		ca.Settings.Payments.GLAccounts = map[money.Currency]string{money.USD: "2010"}
		w.Site.Installation, ca.Installation, w.Site.Account, ca.Account = "q360", "q360", "portal", "portal"
		for _, c := range change {
			c(ca)
		}
	})
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	for _, n := range []string{"1", "2", "3"} {
		inv := enginetest.Invoice(n, "C1")
		if n != "1" {
			inv.CompanyNo = "02"
		}
		f.ERP.PutInvoices(inv)
	}
	f.run(3 * time.Minute)
	return f, ca
}

func (f *fixture) of(company string, kind billing.Kind, id string) record.Record {
	f.t.Helper()
	all, err := enginetest.All[record.Record](f.Store, store.Records)
	if err != nil {
		f.t.Fatal(err)
	}
	return all[record.ID(company, kind, id)]
}

// hookTo delivers events to the webhooks of companies.
func (f *fixture) hookTo(companies []string, events ...billing.Event) {
	f.t.Helper()
	for _, id := range companies {
		c, err := f.e.Company(id)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, ev := range events {
			if _, err := f.e.Receive(f.t.Context(), c, ev, "webhook", 0); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	f.drain()
}

// TestOnePaymentOfTwoCompanies: whoever hears of it, once each, a receipt per company with its own account, under references
// that do not depend on who heard first.
func TestOnePaymentOfTwoCompanies(t *testing.T) {
	for name, heard := range map[string][]string{"us": {"us"}, "ca": {"ca"}, "both": {"us", "ca"}, "both, the other way": {"ca", "us"}} {
		t.Run(name, func(t *testing.T) {
			f, _ := sharing(t)
			ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded,
				enginetest.On(f.of("ca", billing.KindInvoice, "2").PortalID, "107"), enginetest.On(f.of("us", billing.KindInvoice, "1").PortalID, "107"),
				enginetest.Fee("2.01"))
			f.hookTo(heard, ev)
			f.run(time.Hour)
			all := f.ERP.Receipts()
			f.receipts("108.01 application:1:107.00 fee:1:1.01", "108.00 application:2:107.00 fee:2:1.00")
			for i, want := range []billing.Receipt{{Reference: "IVD-" + ev.ObjectID, CompanyNo: "01", GLAccount: "1010"}, {Reference: "IVD-" + ev.ObjectID + "-2", CompanyNo: "02", GLAccount: "2010"}} {
				if r := all[i]; r.Reference != want.Reference || r.CompanyNo != want.CompanyNo || r.GLAccount != want.GLAccount {
					t.Errorf("receipt %+v, want %+v", r, want)
				}
			}
			owner, other := f.of("ca", billing.KindPayment, ev.ObjectID), f.of("us", billing.KindPayment, ev.ObjectID)
			if owner.Status != record.Synced || len(owner.Receipts) != 2 {
				t.Errorf("the payment of ca: %+v", owner)
			}
			if other.Status != record.Skipped || !has(&other, plan.OtherOwner) {
				t.Errorf("the payment of us: %+v", other)
			}
			f.hookTo([]string{"us"}, f.Portal.Void(ev.ObjectID)) // only the other one hears that it was taken back
			f.run(time.Hour)
			if owner = f.of("ca", billing.KindPayment, ev.ObjectID); owner.Status != record.Reversed {
				t.Errorf("taken back: %s (%s)", owner.Status, owner.Summary)
			}
		})
	}
}

// TestPaymentOfTheOtherCompany: an account has two companies, and a payment concerns only one.
func TestPaymentOfTheOtherCompany(t *testing.T) {
	f, _ := sharing(t)
	ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(f.of("ca", billing.KindInvoice, "3").PortalID, "107"))
	view := f.Portal.View(f.of("ca", billing.KindInvoice, "3").PortalID)
	f.hookTo([]string{"us", "ca"}, ev, view)
	f.run(10 * time.Minute)
	f.receipts("107.00 application:3:107.00")
	if r := f.of("us", billing.KindPayment, ev.ObjectID); r.Status != record.Skipped {
		t.Errorf("us: %s (%s)", r.Status, r.Summary)
	}
	if h := f.ERP.History(); len(h) != 1 || h[0].InvoiceNo != "3" {
		t.Errorf("history %+v", h)
	}
}

// TestOtherCompanyStops: a company that is read-only or holds its receipts is not written to on another's behalf.
func TestOtherCompanyStops(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(ca *enginetest.Site)
		status record.Status
		reason plan.Code
	}{
		{"no account for the currency", func(ca *enginetest.Site) { ca.Settings.Payments.GLAccounts = nil }, record.Attention, plan.NoGLAccount},
		{"its receipts are keyed in", func(ca *enginetest.Site) { ca.Settings.Payments.ReceiptMode = "hold" }, record.Waiting, plan.HeldForEntry},
		{"another site", func(ca *enginetest.Site) { ca.Installation = "another q360" }, record.Attention, plan.OtherCompany},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ca := sharing(t)
			c.change(ca)
			f.e = f.Start()
			two := f.of("ca", billing.KindInvoice, "2").PortalID
			ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(two, "107"), enginetest.On(f.of("us", billing.KindInvoice, "1").PortalID, "107"))
			f.hookTo([]string{"ca"}, ev)
			if r := f.of("ca", billing.KindPayment, ev.ObjectID); r.Status != c.status || !has(&r, c.reason) {
				t.Errorf("%s (%s)", r.Status, r.Summary)
			}
			f.receipts()
		})
	}
}

// TestSamePortalIDElsewhere: ids of two accounts may be equal; without a shared account nobody looks at the other's.
func TestSamePortalIDElsewhere(t *testing.T) {
	f, ca := sharing(t)
	ca.Account = "another portal"
	f.e = f.Start()
	ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(f.of("ca", billing.KindInvoice, "2").PortalID, "107"))
	f.hookTo([]string{"us"}, ev)
	if r := f.of("us", billing.KindPayment, ev.ObjectID); r.Status != record.Attention || !has(&r, plan.UnknownInvoice) {
		t.Errorf("%s (%s)", r.Status, r.Summary)
	}
	f.receipts()
	if err := f.e.Sync(t.Context(), engine.Task{Company: "us", Kind: billing.KindPayment, ID: ev.ObjectID}); err != nil {
		t.Fatal(err)
	}
	f.receipts()
}
