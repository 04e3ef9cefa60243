package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

const odd = "amount: 1.005 has more decimals than USD"

// TestUnreadablePaymentIsShown: an entry of the payments list that can not be read is a record of its own, stops nothing
// beside it, and closes by itself (F26).
func TestUnreadablePaymentIsShown(t *testing.T) {
	f := synced(t, "1", "2")
	bad := f.pays("1", "107")
	f.Portal.Forget()
	f.Portal.Spoil(bad.ObjectID, odd)
	good := f.pays("2", "107")
	f.Portal.Forget()
	f.run(30 * time.Minute)
	f.want(billing.KindPayment, good.ObjectID, record.Synced, "")
	r := f.want(billing.KindPayment, bad.ObjectID, record.Attention, plan.BadPayment)
	if !strings.Contains(r.Summary, odd) || r.DueAt.IsZero() {
		t.Errorf("%q, due %s", r.Summary, r.DueAt.Text())
	}
	f.Portal.Reset()
	f.run(48 * time.Hour)
	f.want(billing.KindPayment, bad.ObjectID, record.Attention, plan.BadPayment)
	if n := f.Portal.Count("Payment"); n > 110 {
		t.Errorf("%d readings in two days", n)
	}
	f.receipts("107.00 application:2:107.00")
	f.Portal.Spoil(bad.ObjectID, "")
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, bad.ObjectID, record.Synced, "")
	f.receipts("107.00 application:2:107.00", "107.00 application:1:107.00")
}

// TestUnreadableEntries: what the list spoils may be whole by itself; what names no payment is shown until the list has
// none; what is told of twice is one record.
func TestUnreadableEntries(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.Portal.Forget()
	f.Portal.SpoilEntry(ev.ObjectID)
	f.Portal.Spoil("", "it is no object")
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	f.want(billing.KindPayment, "entry-without-id", record.Attention, plan.BadPayment)
	reads := f.Portal.Count("Payment")
	f.run(25 * time.Hour)
	r := f.want(billing.KindPayment, "entry-without-id", record.Attention, plan.BadPayment)
	if n := f.Portal.Count("Payment") - reads; n != 0 || len(r.Timeline) != 1 {
		t.Errorf("%d more readings of what was told; timeline %+v", n, r.Timeline)
	}
	f.sync(billing.KindPayment, "entry-without-id") // a person asks for it: there is nothing to read
	f.want(billing.KindPayment, "entry-without-id", record.Attention, plan.BadPayment)
	f.Portal.Spoil("", "")
	f.run(25 * time.Hour)
	f.want(billing.KindPayment, "entry-without-id", record.Skipped, "")
}

// TestPaymentSpoiltAfterPosting: the receipt stays, a person sees it, and it closes by itself; payments of which arbridge
// has no record are left alone by the daily list.
func TestPaymentSpoiltAfterPosting(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.Portal.Spoil(ev.ObjectID, odd)
	f.run(time.Hour)
	if r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BadPayment); len(r.Receipts) != 1 {
		t.Errorf("record %+v", r)
	}
	f.Portal.Spoil(ev.ObjectID, "")
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

// TestGarbledReading: an answer that can not be read once or twice, from a proxy perhaps, is no matter for a person.
func TestGarbledReading(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.Portal.Fail(enginetest.Fault{Method: "Payment", Class: connector.ClassBadResponse})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Scheduled, plan.VendorDown)
	f.run(30 * time.Minute)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BadPayment)
	f.Portal.Heal()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

// TestUnreadableEvents: an entry of the events list that can not be read has its payment read, or is shown by itself.
func TestUnreadableEvents(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.Portal.Forget()
	f.Portal.Odd(connector.BadRecord{Kind: billing.KindPayment, Number: ev.ObjectID, Message: "it has no type"})
	f.Portal.Odd(connector.BadRecord{Number: "778", Message: "it has no type"})
	f.Portal.Odd(connector.BadRecord{Message: "it is no object"})
	f.run(20 * time.Minute)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	r := f.want(billing.KindPayment, "event-778", record.Attention, plan.BadEvent)
	all, err := enginetest.All[record.Record](f.Store, store.Records)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, x := range all {
		if has(&x, plan.BadEvent) {
			shown++
		}
	}
	if shown != 2 || !strings.Contains(r.Summary, "it has no type") {
		t.Errorf("%d records of events, %q", shown, r.Summary)
	}
	f.run(time.Hour)
	f.receipts("107.00 application:1:107.00")
}

// TestUnreadableIsNeverLost: while the record of an unreadable entry can not be stored the lists are read again.
func TestUnreadableIsNeverLost(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.Portal.Forget()
	f.Portal.Spoil(ev.ObjectID, odd)
	f.Portal.Odd(connector.BadRecord{Number: "778", Message: "it has no type"})
	f.Clock.Advance(20 * time.Minute)
	f.Store.Break(errors.New("disk full"))
	if _, err := f.e.PollAll(t.Context()); err == nil {
		t.Error("the store is broken and nobody noticed")
	}
	f.Store.Break(nil)
	f.run(30 * time.Minute)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BadPayment)
	f.want(billing.KindPayment, "event-778", record.Attention, plan.BadEvent)
}

// TestDeletedWhileNobodyLooked: a posted payment that is deleted in the portal, of which no event tells, is missed by the
// daily list and a person told the receipt's number (F24). Nothing is read singly but what is missed.
func TestDeletedWhileNobodyLooked(t *testing.T) {
	f := synced(t, "1", "2")
	gone, kept := f.pays("1", "107"), f.pays("2", "107")
	f.hook(gone, kept)
	f.run(25 * time.Hour)
	f.Portal.Delete(gone.ObjectID)
	f.Portal.Forget()
	f.Portal.Reset()
	f.run(25 * time.Hour)
	r := f.want(billing.KindPayment, gone.ObjectID, record.Reversed, plan.ReversedAfter)
	if !strings.Contains(r.Summary, "receipt R5001 over 107.00") {
		t.Errorf("summary %q", r.Summary)
	}
	f.want(billing.KindPayment, kept.ObjectID, record.Synced, "")
	if n := f.Portal.Count("Payment"); n != 1 {
		t.Errorf("%d payments read singly, want the missing one", n)
	}
	f.Portal.Reset()
	f.run(73 * time.Hour)
	if n := f.Portal.Count("Payment"); n != 0 {
		t.Errorf("%d more readings of what was told", n)
	}
	f.receipts("107.00 application:1:107.00", "107.00 application:2:107.00")
}

// TestMissingFromABrokenList: a list that failed, or that wrongly lacks a payment, reverses nothing.
func TestMissingFromABrokenList(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.hook(ev)
	f.run(time.Hour)
	f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) { p.Updated = f.Clock.Now().AddDate(-1, 0, 0) }) // not listed, but there
	f.run(50 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.Portal.Delete(ev.ObjectID)
	f.Portal.Forget()
	f.Portal.Fail(enginetest.Fault{Method: "ListPayments", Class: connector.ClassInvalid})
	f.Clock.Advance(26 * time.Hour)
	if _, err := f.e.PollAll(t.Context()); err == nil {
		t.Error("the list failed and nobody noticed")
	}
	f.drain()
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.Portal.Heal()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.ReversedAfter)
}
