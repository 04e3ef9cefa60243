package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// leave puts an effect into the journal that was sent, and that nobody looks up.
func (f *fixture) leave(key, rec string, kind billing.Kind) {
	f.t.Helper()
	j := journal.New(f.Store, f.Clock)
	e, err := j.Intend(f.t.Context(), journal.Entry{Key: "us/" + key, Company: "us", Record: rec, Vendor: "invoiced", Op: string(plan.OpUpdate), Kind: string(kind)})
	if err == nil {
		_, err = j.Start(f.t.Context(), e)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestReap: an effect that nobody looks up any more does not stay open for ever. Money does, for a person to see.
func TestReap(t *testing.T) {
	f := synced(t, "1", "2")
	if _, err := f.e.Ignore(t.Context(), dana, engine.Target{Number: "2"}); err != nil {
		t.Fatal(err)
	}
	f.leave("lost/1", record.ID("us", billing.KindInvoice, "1"), billing.KindActivity)
	f.leave("lost/2", record.ID("us", billing.KindInvoice, "2"), billing.KindActivity)
	f.leave("lost/3", record.ID("us", billing.KindInvoice, "3"), billing.KindInvoice)
	f.leave("lost/4", record.ID("us", billing.KindPayment, "9"), billing.KindReceipt)
	states := func() (out [4]journal.State) {
		for i, key := range []string{"lost/1", "lost/2", "lost/3", "lost/4"} {
			out[i] = f.entry(key).State
		}
		return out
	}
	f.run(5 * time.Hour)
	if got := states(); got != [4]journal.State{journal.Started, journal.Started, journal.Started, journal.Started} {
		t.Fatalf("too soon: %v", got)
	}
	f.run(2 * time.Hour)
	if got := states(); got != [4]journal.State{journal.Done, journal.Started, journal.Refused, journal.Started} {
		t.Fatalf("after hours: %v", got)
	}
	f.run(18 * time.Hour)
	if got := states(); got != [4]journal.State{journal.Done, journal.Refused, journal.Refused, journal.Started} {
		t.Fatalf("after a day: %v", got)
	}
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
}

// TestSleeper: a worker that slept for long begins nothing with what it read before, even if nobody took its lease.
func TestSleeper(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.Bus.Lose()
	f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 1, Hook: func() { f.Clock.Advance(40 * time.Minute) }})
	f.sync(billing.KindInvoice, "1")
	if n := f.Portal.Count("CreateDocument"); n != 0 {
		t.Fatalf("%d creations by the sleeper", n)
	}
	f.run(5 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Count("CreateDocument"); n != 1 {
		t.Errorf("%d creations", n)
	}
}

// TestPaymentsOfACustomerTakeTurns: a payment that waits for another one of its customer says all the while what it said before.
func TestPaymentsOfACustomerTakeTurns(t *testing.T) {
	f := synced(t, "1", "2")
	first := f.pays("1", "120") // more than is owed
	f.hook(first)
	f.want(billing.KindPayment, first.ObjectID, record.Attention, plan.Overpayment)
	second := f.pays("2", "107")
	other := f.Start()
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 1, Hook: func() {
		task := engine.Task{Company: "us", Kind: billing.KindPayment, ID: first.ObjectID}
		if err := other.Sync(t.Context(), task); err != nil {
			t.Error(err)
		}
		if r := f.want(billing.KindPayment, first.ObjectID, record.Attention, plan.Overpayment); f.due(r) > time.Minute {
			t.Errorf("it is looked at again after %s", f.due(r))
		}
	}})
	f.hook(second)
	f.want(billing.KindPayment, second.ObjectID, record.Synced, "")
	if f.ERP.Count("CreateReceipt") != 1 {
		t.Error("the second payment was not posted")
	}
}

// TestReceiptListsThatAreBehind: a list that does not show a receipt yet is no reason to tell a person, nor to post it again.
func TestReceiptListsThatAreBehind(t *testing.T) {
	f := synced(t, "1", "2")
	ev := f.pays("1", "107")
	f.ERP.Behind(3) // two searches before it is posted, and the one after
	f.hook(ev)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	if d := f.due(r); d < 15*time.Minute || d > 25*time.Minute {
		t.Errorf("it is looked at again after %s", d)
	}
	f.run(30 * time.Minute)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	f.noOpenEffects()

	second := f.pays("2", "107")
	f.ERP.Behind(1000) // it never shows it
	f.hook(second)
	f.run(3 * time.Hour)
	if r := f.Record(billing.KindPayment, second.ObjectID); r.Status != record.Attention {
		t.Errorf("a receipt that is nowhere is %s", r.Status)
	}
}

// TestSleepAfterAListThatIsBehind: how long ago a receipt was posted counts from when the list was asked, not from when a process
// that slept looks at the answer.
func TestSleepAfterAListThatIsBehind(t *testing.T) {
	f := synced(t, "1", "2")
	ev := f.pays("1", "107")
	f.ERP.Behind(3) // two searches before it is posted, and the one after
	f.ERP.Fail(enginetest.Fault{Method: "FindReceipts", Nth: 3, After: true, Hook: func() { f.Clock.Advance(30 * time.Minute) }})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	f.run(30 * time.Minute)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	f.noOpenEffects()
}

// TestVoidedWhileTheListIsBehind: a payment that is taken back after it was posted is told, even if the ERP does not show its
// receipt yet.
func TestVoidedWhileTheListIsBehind(t *testing.T) {
	for behind, sleep := range map[int]time.Duration{5: 0, 4: 30 * time.Minute} { // of the process that asked
		f := synced(t, "1")
		ev := f.pays("1", "107")
		f.ERP.Behind(behind)
		f.ERP.Fail(enginetest.Fault{Method: "FindReceipts", Nth: 4, After: true, Hook: func() { f.Clock.Advance(sleep) }})
		f.hook(ev)
		f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
		f.hook(f.Portal.Void(ev.ObjectID))
		f.run(40 * time.Minute)
		r := f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.ReversedAfter)
		if len(r.Receipts) != 1 {
			t.Errorf("the receipt is not named: %+v", r)
		}
		f.receipts("107.00 application:1:107.00")
		f.noOpenEffects()
	}
}

// TestSleepingPoll: what a poll asked for long ago is not stored over what may be known by now; it is read again.
func TestSleepingPoll(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.ERP.Fail(enginetest.Fault{Method: "Invoices", Nth: 1, Hook: func() { f.Clock.Advance(20 * time.Minute) }})
	if _, err := f.e.Poll(t.Context(), "us"); err == nil {
		t.Error("a page of twenty minutes ago is stored")
	}
	f.drain()
	if n := f.Portal.Writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Writes(); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// TestChangedBehindTheRead: what a worker read and is slow to keep does not take the place of what a poll read meanwhile.
func TestChangedBehindTheRead(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.Bus.Lose()
	f.Clock.Advance(11 * time.Minute) // the worker reads for itself
	other := f.Start()
	last := enginetest.Over(enginetest.Invoice("1", "C1"), 70)
	f.ERP.Fail(enginetest.Fault{Method: "Invoice", Nth: 1, After: true, Hook: func() {
		f.ERP.PutInvoices(last)
		if _, err := other.Poll(t.Context(), "us"); err != nil {
			t.Error(err)
		}
	}})
	f.sync(billing.KindInvoice, "1")
	f.drain()
	f.run(5 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if got := f.document().Total; !got.Equal(last.Total) {
		t.Errorf("the portal says %s, the ERP %s", got, last.Total)
	}
}

// TestPagesAtOnce: a poll that slept, and lost its lease, does not store its page over that of another poll that was asked for
// half a minute later: clocks can not tell which was first.
func TestPagesAtOnce(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	other, last := f.Start(), enginetest.Over(enginetest.Invoice("1", "C1"), 70)
	f.ERP.Fail(enginetest.Fault{Method: "Customers", Nth: 1, Hook: func() { f.Clock.Advance(11 * time.Minute) }})
	f.ERP.Fail(enginetest.Fault{Method: "Invoices", Nth: 1, After: true, Hook: func() {
		f.ERP.PutInvoices(last)
		f.Clock.Advance(30 * time.Second)
		if _, err := other.Poll(t.Context(), "us"); err != nil {
			t.Error(err)
		}
	}})
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Log(err) // the cursor is the other's
	}
	f.drain()
	f.run(5 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if got := f.document().Total; !got.Equal(last.Total) {
		t.Errorf("the portal says %s, the ERP %s", got, last.Total)
	}
}

// TestSentAndTakenBack: a document whose creation was not remembered is found again by the journal, although the ERP took the
// invoice back, and a poll saw that, before anybody looked.
func TestSentAndTakenBack(t *testing.T) {
	f := synced(t, "0")
	inv := enginetest.Invoice("1", "C1")
	f.ERP.PutInvoices(inv)
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Class: connector.ClassRetry, Ambiguous: true, After: true})
	f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 2, Class: connector.ClassForbidden})
	f.drain()
	f.run(3 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Waiting, plan.RightMissing)
	inv.Posted = false
	f.ERP.PutInvoices(inv)
	f.run(5 * time.Minute)
	if r := f.Record(billing.KindInvoice, "1"); r.PortalID == "" || r.Status != record.Attention {
		t.Errorf("a document that nobody knows is in the portal: %s %+v", r.Status, r.Reasons)
	}
	f.noOpenEffects()
}

// TestReadBehindThePage: what a worker read after a poll asked for its page is newer than the page.
func TestReadBehindThePage(t *testing.T) {
	f := synced(t, "1")
	f.Clock.Advance(11 * time.Minute) // a worker reads for itself
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	last := enginetest.Over(enginetest.Invoice("1", "C1"), 70)
	other := f.Start()
	f.ERP.Fail(enginetest.Fault{Method: "Invoices", Nth: 1, After: true, Hook: func() {
		f.ERP.PutInvoices(last)
		f.Clock.Advance(2 * time.Minute)
		if err := other.Sync(t.Context(), engine.Task{Company: "us", Kind: billing.KindInvoice, ID: "1"}); err != nil {
			t.Error(err)
		}
	}})
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.drain()
	if got := f.document().Total; !got.Equal(last.Total) {
		t.Errorf("the portal says %s, the ERP %s", got, last.Total)
	}
	if n := f.Portal.Count("UpdateDocument"); n != 1 {
		t.Errorf("%d updates", n)
	}
}

// TestPaidBehindTheLook: a change that the portal refuses, because the document was paid since we looked, is told as what it is.
func TestPaidBehindTheLook(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 20))
	f.Portal.Fail(enginetest.Fault{Method: "UpdateDocument", Nth: 1, Class: connector.ClassInvalid, Hook: func() { f.pays("1", "107") }})
	f.run(5 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Attention, plan.ChangedWhenPaid)
	if n := f.Portal.Count("UpdateDocument"); n != 1 {
		t.Errorf("%d updates", n)
	}
}
