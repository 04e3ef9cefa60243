package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

func (f *fixture) syncNow(number string) record.Record {
	f.t.Helper()
	got, err := f.e.SyncNow(f.t.Context(), dana, "sync", engine.Target{Number: number})
	if err != nil || len(got) != 1 {
		f.t.Fatalf("sync %s: %+v, %v", number, got, err)
	}
	return got[0]
}

// TestSyncNowAppliesTodaysSettings: a changed rule is applied to one document when somebody asks for it, and only then.
func TestSyncNowAppliesTodaysSettings(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Qualify.Customers = []string{"C2"} })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Skipped, plan.CustomerExcluded)
	f.Settings.Qualify.Customers = nil
	f.e = f.Start()
	f.run(time.Hour)
	f.want(billing.KindInvoice, "1", record.Skipped, plan.CustomerExcluded)
	if got := f.syncNow("1"); got.Status != record.Synced {
		t.Errorf("record %+v", got)
	}
	f.want(billing.KindInvoice, "2", record.Skipped, plan.CustomerExcluded)
	log, err := f.e.AuditLog(t.Context(), "us", 1)
	if err != nil || len(log) != 1 || log[0].Action != "sync" || log[0].Target != "us/invoice/1" || log[0].After != "synced" || log[0].Before == "" || log[0].Reason != dana.Reason {
		t.Errorf("audit %+v, %v", log, err)
	}
}

// TestSyncNowReadsTheERP: what was read a minute ago is not good enough for somebody who asks.
func TestSyncNowReadsTheERP(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	if got := f.syncNow("1"); got.Status != record.Synced || got.PortalTotal != "127.00" || !f.document().Total.Equal(usd("127")) {
		t.Errorf("record %+v, document %+v", got, f.document())
	}
}

// TestSyncNowFindsTheUnseen: a document that no poll brought yet is read by its number; one that is nowhere is said so.
func TestSyncNowFindsTheUnseen(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Invoice("7", "C1"))
	if got := f.syncNow("7"); got.Status != record.Synced {
		t.Errorf("record %+v", got)
	}
	if _, err := f.e.SyncNow(t.Context(), dana, "sync", engine.Target{Number: "8"}); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("sync of a number that is nowhere: %v", err)
	}
	f.tick()
	if n := len(f.Portal.Invoices()); n != 2 {
		t.Errorf("the portal has %d invoices, want 2", n)
	}
}

// TestIgnore: an ignored record is left alone by every path until a person takes that back.
func TestIgnore(t *testing.T) {
	f := synced(t, "1")
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Class: connector.ClassInvalid})
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "2", record.Attention, plan.VendorRefused)
	f.Portal.Heal()
	if _, err := f.e.Ignore(t.Context(), dana, engine.Target{Number: "2"}); err != nil {
		t.Fatal(err)
	}
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("2", "C1"), 60))
	f.run(2 * time.Hour)
	f.sync(billing.KindInvoice, "2")
	r := f.want(billing.KindInvoice, "2", record.Ignored, plan.LeftAlone)
	if r.Summary != "left alone by dana: year-end closing" || !r.DueAt.IsZero() {
		t.Errorf("record %+v", r)
	}
	if _, err := f.e.SyncNow(t.Context(), dana, "sync", engine.Target{Number: "2"}); !errors.Is(err, engine.ErrOperator) {
		t.Errorf("sync of an ignored record: %v", err)
	}
	if _, err := f.e.Unignore(t.Context(), dana, engine.Target{Number: "2"}); err != nil {
		t.Fatal(err)
	}
	f.drain()
	f.want(billing.KindInvoice, "2", record.Synced, "")
	if got := f.audit(); got != "ignore us/invoice/2, unignore us/invoice/2" {
		t.Errorf("audit: %s", got)
	}
}

// TestIgnoredPayment: its events change nothing and do not come again and again.
func TestIgnoredPayment(t *testing.T) {
	f := synced(t, "1")
	f.pause(record.FlowPayments)
	ev := f.pays("1", "107")
	f.hook(ev)
	if _, err := f.e.Ignore(t.Context(), dana, engine.Target{Number: ev.ObjectID, Kind: billing.KindPayment}); err != nil {
		t.Fatal(err)
	}
	f.resume(record.FlowAll)
	f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID))
	f.run(10 * time.Minute)
	f.receipts()
	if r := f.want(billing.KindPayment, ev.ObjectID, record.Ignored, ""); !r.DueAt.IsZero() {
		t.Errorf("due %s", r.DueAt.Text())
	}
}

// TestReplayEvent: an event that was given up is handled again, and its effect still happens once.
func TestReplayEvent(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(enginetest.Fault{Method: "CreateHistory", Class: connector.ClassInvalid})
	ev := f.Portal.View(f.document().ID)
	f.hook(ev)
	if in := f.inbox(ev.ID); in.State != record.InboxFailed {
		t.Fatalf("inbox %+v", in)
	}
	f.ERP.Heal()
	for range 2 {
		got, err := f.e.ReplayEvent(t.Context(), dana, "", ev.ID)
		if err != nil || len(got) != 1 || got[0].State != record.InboxDone {
			t.Fatalf("replayed %+v, %v", got, err)
		}
	}
	if n := len(f.ERP.History()); n != 1 {
		t.Errorf("%d history entries, want 1", n)
	}
	if _, err := f.e.ReplayEvent(t.Context(), dana, "us", "never"); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("an event that never was: %v", err)
	}
	if got := f.audit(); got != "replay event "+ev.ID+", replay event "+ev.ID {
		t.Errorf("audit: %s", got)
	}
}

// changedRule is a world with many documents of two customers, one of whom was no pilot customer until today.
func changedRule(t *testing.T, n int) *fixture {
	t.Helper()
	f := steady(t, func(w *enginetest.World) { w.Settings.Qualify.Customers = []string{"C1"} })
	f.ERP.PutCustomers(enginetest.Customer("C1"), enginetest.Customer("C2"))
	for i := range n {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprintf("A%04d", i), "C1"), enginetest.Invoice(fmt.Sprintf("B%04d", i), "C2"))
	}
	old := enginetest.Invoice("old", "C2")
	old.Date, old.PostedDate = "2025-11-01", "2025-11-02"
	f.ERP.PutInvoices(old)
	f.tick()
	f.Settings.Qualify.Customers = nil
	f.e = f.Start()
	f.Portal.Reset()
	f.ERP.Reset()
	return f
}

// TestBackfill: a changed rule posts nothing by itself; the plan says what would go over, without a call, and a run does
// exactly that.
func TestBackfill(t *testing.T) {
	f := changedRule(t, 120)
	f.run(30 * time.Minute)
	if f.Portal.Writes() != 0 {
		t.Fatalf("a changed rule made %d writes by itself", f.Portal.Writes())
	}
	f.ERP.Reset()
	f.Portal.Reset()
	p, err := f.e.PlanBackfill(t.Context(), "us", "")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range p.Rows {
		got += fmt.Sprintf("%s %s %d %s; ", r.Outcome, r.Code, r.Documents, r.Totals["USD"])
	}
	if got != "new customer_excluded 120 12840.00; unchanged unchanged 120 12840.00; excluded before_start 1 107.00; " || len(p.Schedule) != 120 || p.Restart {
		t.Fatalf("plan %s with %d to schedule, restart %v", got, len(p.Schedule), p.Restart)
	}
	if f.ERP.Count() != 0 || f.Portal.Count() != 0 {
		t.Error("planning called a vendor")
	}
	if _, err := f.e.StartBackfill(t.Context(), dana, "us", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.e.StartBackfill(t.Context(), dana, "us", ""); !errors.Is(err, engine.ErrOperator) {
		t.Errorf("a second run beside the first: %v", err)
	}
	steps := 0
	for b := (record.Backfill{State: record.BackfillRunning}); b.State == record.BackfillRunning; steps++ {
		f.e = f.Start() // each step in a new process: the cursor carries it
		if b, err = f.e.BackfillStep(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
		if steps == 0 && (b.State != record.BackfillRunning || b.After == "" || b.Looked != 100) {
			t.Errorf("after the first step %+v", b)
		}
		if b.State == record.BackfillDone && (b.Looked != 241 || b.Scheduled != 120) {
			t.Errorf("at the end %+v", b)
		}
	}
	if steps != 3 {
		t.Errorf("%d steps, want 3", steps)
	}
	f.drain()
	f.run(3 * time.Minute)
	for _, number := range []string{"A0000", "B0000", "B0119"} {
		f.want(billing.KindInvoice, number, record.Synced, "")
	}
	f.want(billing.KindInvoice, "old", record.Skipped, plan.BeforeStart)
	if n := f.Portal.Count("CreateDocument"); n != 120 || f.Portal.Count("UpdateDocument") != 0 {
		t.Errorf("%d documents created and %d updated, want the 120 of the plan", n, f.Portal.Count("UpdateDocument"))
	}
	if _, err := f.e.BackfillStep(t.Context(), "us"); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("a step after the end: %v", err)
	}
	if got := f.audit(); got != "backfill invoices" {
		t.Errorf("audit: %s", got)
	}
}

// TestBackfillSince: an earlier start date reads nothing again by itself; a run from that date does.
func TestBackfillSince(t *testing.T) {
	f := changedRule(t, 1)
	before := enginetest.Invoice("before", "C1")
	before.Date, before.PostedDate = "2025-11-20", "2025-11-20"
	f.ERP.PutInvoices(enginetest.Invoice("C0", "C1"))
	f.tick()
	f.Settings.Qualify.StartDate = "2025-11-10"
	f.e = f.Start()
	f.run(5 * time.Minute)
	if n := f.Portal.Count("CreateDocument"); n != 1 {
		t.Fatalf("%d documents went over, want the new one alone", n)
	}
	p, err := f.e.PlanBackfill(t.Context(), "us", "2025-11-10")
	if err != nil || !p.Restart || p.FeedSince != "2026-01-01" {
		t.Fatalf("plan %+v, %v", p, err)
	}
	b, err := f.e.StartBackfill(t.Context(), dana, "us", "2025-11-10")
	if err != nil || !b.Restarted {
		t.Fatalf("started %+v, %v", b, err)
	}
	if cur := f.cursor("invoices"); cur.Value != "" || cur.Since != "2025-11-10" {
		t.Errorf("cursor %+v", cur)
	}
	for b.State == record.BackfillRunning {
		if b, err = f.e.BackfillStep(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
	}
	f.ERP.PutInvoices(before)
	f.tick()
	f.want(billing.KindInvoice, "before", record.Synced, "")
	if p, err := f.e.PlanBackfill(t.Context(), "us", "2025-11-10"); err != nil || p.Restart {
		t.Errorf("planned again: %+v, %v", p, err)
	}
}
