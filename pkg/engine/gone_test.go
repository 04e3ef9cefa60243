package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// voiding makes the company void what vanished.
func (f *fixture) voiding() {
	f.Settings.Invoices.Gone = "void_if_unpaid"
	f.e = f.Start()
}

func TestGoneInvoice(t *testing.T) {
	for _, c := range []struct {
		name   string
		act    func(f *fixture) // with invoice 1 in the portal
		status record.Status
		reason plan.Code
		voided bool
	}{
		{"flagged", func(f *fixture) { f.ERP.Vanish("1") }, record.Attention, plan.GoneInERP, false},
		{"voided", func(f *fixture) { f.voiding(); f.ERP.Vanish("1") }, record.Skipped, plan.GoneVoided, true},
		{"partly paid: never voided", func(f *fixture) {
			f.voiding()
			f.Portal.Pay("check", "", enginetest.On(f.document().ID, "7"))
			f.ERP.Vanish("1")
		}, record.Attention, plan.GoneWhenPaid, false},
		{"only missed by the feed", func(f *fixture) { f.voiding(); f.ERP.Miss("1") }, record.Synced, "", false},
		{"back before the second look", func(f *fixture) {
			f.voiding()
			f.ERP.Vanish("1")
			f.tick()
			f.want(billing.KindInvoice, "1", record.Waiting, plan.GoneChecking)
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		}, record.Synced, plan.Unchanged, false},
		{"deleted there too", func(f *fixture) {
			f.ERP.Vanish("1")
			f.Portal.Remove(f.document().ID)
		}, record.Skipped, plan.GoneOnBoth, false},
		{"no longer posted", func(f *fixture) {
			inv := enginetest.Invoice("1", "C1")
			inv.Posted = false
			f.ERP.PutInvoices(inv)
		}, record.Attention, plan.NoLongerPosted, false},
		{"another company's by now", func(f *fixture) {
			inv := enginetest.Invoice("1", "C1")
			inv.CompanyNo = "02"
			f.ERP.PutInvoices(inv)
		}, record.Attention, plan.MovedCompany, false},
		{"merged into another", func(f *fixture) {
			f.voiding()
			f.ERP.Vanish("1")
		}, record.Skipped, plan.GoneVoided, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			c.act(f)
			f.run(2 * time.Hour)
			f.want(billing.KindInvoice, "1", c.status, c.reason)
			if docs := f.Portal.Invoices(); len(docs) > 0 && docs[0].Voided != c.voided {
				t.Errorf("voided: %v", docs[0].Voided)
			}
			if n := f.Portal.Count("VoidDocument"); n > 1 || (n == 1) != c.voided {
				t.Errorf("%d attempts to void", n)
			}
			f.sync(billing.KindInvoice, "1") // looking again changes nothing
			f.want(billing.KindInvoice, "1", c.status, "")
			f.noOpenEffects()
		})
	}
}

// TestGoneNeedsTwoAnswers: a void can not be taken back, so the ERP is asked twice, some time apart.
func TestGoneNeedsTwoAnswers(t *testing.T) {
	f := synced(t, "1")
	f.voiding()
	f.ERP.Vanish("1")
	f.tick()
	f.want(billing.KindInvoice, "1", record.Waiting, plan.GoneChecking)
	f.sync(billing.KindInvoice, "1") // a message too early changes nothing
	f.want(billing.KindInvoice, "1", record.Waiting, plan.GoneChecking)
	if f.document().Voided {
		t.Fatal("voided after one answer")
	}
	f.run(20 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Skipped, plan.GoneVoided)
	if e := f.entry("invoice/1/void/" + f.document().ID); e.State != journal.Done || e.Attempts != 1 || e.Amount != "107.00" {
		t.Errorf("journal %+v", e)
	}
	// It comes back: what was voided is never resurrected.
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.VoidedInPortal)
	if d := f.document(); !d.Voided {
		t.Errorf("document %+v", d)
	}
}

func TestERPDownIsNotGone(t *testing.T) {
	for _, class := range []connector.Class{connector.ClassRetry, connector.ClassForbidden, connector.ClassUnsupported, connector.ClassAuth, connector.ClassBadResponse} {
		f := synced(t, "1")
		f.voiding()
		f.ERP.Miss("1")
		f.ERP.Fail(enginetest.Fault{Method: "Invoice", Class: class})
		f.run(2 * time.Hour)
		if r := f.Record(billing.KindInvoice, "1"); f.document().Voided || has(r, plan.GoneInERP) || has(r, plan.GoneChecking) {
			t.Errorf("%s: %s (%s)", class, r.Status, r.Summary)
		}
	}
}

func TestLostVoid(t *testing.T) {
	for _, after := range []bool{true, false} {
		f := synced(t, "1")
		f.voiding()
		f.ERP.Vanish("1")
		f.Portal.Fail(lost("VoidDocument", after))
		f.run(3 * time.Hour)
		f.want(billing.KindInvoice, "1", record.Skipped, "")
		if !f.document().Voided {
			t.Errorf("after %v: not voided", after)
		}
		f.noOpenEffects()
	}
}

// TestPaidWhileVoiding: the portal refuses to void what was paid between the look and the call, and the person is told that.
func TestPaidWhileVoiding(t *testing.T) {
	f := synced(t, "1")
	f.voiding()
	f.ERP.Vanish("1")
	f.Portal.Fail(enginetest.Fault{Method: "VoidDocument", Nth: 1, Hook: func() { f.Portal.Pay("check", "", enginetest.On(f.document().ID, "7")) }})
	f.run(3 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Attention, plan.GoneWhenPaid)
	if n := f.Portal.Count("VoidDocument"); n != 1 || f.document().Voided {
		t.Errorf("%d attempts to void", n)
	}
	f.noOpenEffects()
}

// TestVoidRefused: a document that the portal refuses to void for a reason of its own is shown to a person after two attempts.
func TestVoidRefused(t *testing.T) {
	f := synced(t, "1")
	f.voiding()
	f.ERP.Vanish("1")
	f.Portal.Fail(enginetest.Fault{Method: "VoidDocument", Class: connector.ClassInvalid})
	f.run(3 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Attention, plan.VendorRefused)
	if n := f.Portal.Count("VoidDocument"); n != 2 {
		t.Errorf("%d attempts to void", n)
	}
	f.noOpenEffects()
}

func TestGoneWhileReadOnly(t *testing.T) {
	f := synced(t, "1")
	f.Settings.Mode = settings.ModeReadOnly
	f.voiding()
	f.ERP.Vanish("1")
	f.run(time.Hour)
	f.want(billing.KindInvoice, "1", record.Waiting, plan.ReadOnly)
	f.portalCounts(0, f.Portal.Count("Document"))
	f.Settings.Mode = settings.ModeLive
	f.e = f.Start()
	f.run(2 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Skipped, plan.GoneVoided)
}

func TestGoneBeforeItWasSent(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Customers.Create = false })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.ERP.Vanish("1")
	f.tick()
	f.want(billing.KindInvoice, "1", record.Skipped, plan.GoneBefore)
	f.ERP.Miss("never seen")
	f.tick()
	if f.Record(billing.KindInvoice, "never seen") != nil {
		t.Error("a record of something that never was")
	}
	f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Customer C1", Terms: "NET30"})
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1")) // and back
	f.run(2 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Synced, "")
}

// TestTakenBackWhileUnknown: an invoice whose creation got no answer is taken back in the ERP before that is looked up. What
// the portal has of it is not forgotten.
func TestTakenBackWhileUnknown(t *testing.T) {
	unposted := func(f *fixture) {
		inv := enginetest.Invoice("1", "C1")
		inv.Posted = false
		f.ERP.PutInvoices(inv)
	}
	for _, c := range []struct {
		name   string
		after  bool // it was created
		act    func(f *fixture)
		status record.Status
		reason plan.Code
	}{
		{"created, then no longer posted", true, unposted, record.Attention, plan.NoLongerPosted},
		{"not created, then no longer posted", false, unposted, record.Skipped, plan.NotPosted},
		{"created, then gone", true, func(f *fixture) { f.ERP.Vanish("1") }, record.Attention, plan.GoneInERP},
		{"not created, then gone", false, func(f *fixture) { f.ERP.Vanish("1") }, record.Skipped, plan.GoneBefore},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "0")
			f.t = t
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			f.Portal.Fail(lost("CreateDocument", c.after))
			f.tick()
			f.want(billing.KindInvoice, "1", record.Unknown, plan.OutcomeUnknown)
			c.act(f)
			f.run(2 * time.Hour)
			f.want(billing.KindInvoice, "1", c.status, c.reason)
			f.noOpenEffects()
			if n := f.Portal.Count("CreateDocument"); n != 1 {
				t.Errorf("%d documents were created", n)
			}
		})
	}
}

// TestTakenBackBeforeItWasRemembered: a process dies after it created a document and before it could store that; then the
// ERP takes the invoice back.
func TestTakenBackBeforeItWasRemembered(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	r := f.want(billing.KindInvoice, "1", record.Synced, "")
	id := r.PortalID
	r.PortalID, r.PortalKind, r.Written, r.Status = "", "", "", record.Working
	r.LeaseOwner, r.LeaseUntil = "dead", store.At(f.Clock.Now().Add(time.Minute))
	r.DueAt = r.LeaseUntil
	records := store.Table[record.Record]{Store: f.Store, Collection: store.Records}
	if _, err := records.Put(t.Context(), r.ID(), *r); err != nil {
		t.Fatal(err)
	}
	inv := enginetest.Invoice("1", "C1")
	inv.Posted = false
	f.ERP.PutInvoices(inv)
	f.run(2 * time.Hour)
	if r = f.want(billing.KindInvoice, "1", record.Attention, plan.NoLongerPosted); r.PortalID != id {
		t.Errorf("the record has document %q, not %s", r.PortalID, id)
	}
}

// TestPaidWhileUnknown: an update whose answer was lost is not to be sent any more once the customer paid.
func TestPaidWhileUnknown(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.Portal.Fail(lost("UpdateDocument", false))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Unknown, plan.OutcomeUnknown)
	f.Portal.Pay("check", "", enginetest.On(f.document().ID, "107"))
	f.run(time.Hour)
	f.want(billing.KindInvoice, "1", record.Attention, plan.ChangedWhenPaid)
	f.noOpenEffects()
}
