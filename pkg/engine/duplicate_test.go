package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// keyedIn is a receipt that a person keyed in for a payment on invoice 1, under a reference of their own.
func keyedIn(applied bool) billing.Receipt {
	r := billing.Receipt{Reference: "check 12", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-04", Amount: usd("107")}
	if applied {
		r.Lines = []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd("107")}}
	}
	return r
}

func (f *fixture) resolve(id, adopt string) error {
	f.t.Helper()
	_, err := f.e.ResolveDuplicate(f.t.Context(), engine.By{Actor: "dana", Reason: "asked accounting"}, "us", id, adopt)
	if err == nil {
		f.drain()
	}
	return err
}

// TestAdoptedReceipt: a person names the receipt that was keyed in; it is the payment's from then on, and nothing is posted.
func TestAdoptedReceipt(t *testing.T) {
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			number := f.ERP.EnterReceipt(keyedIn(applied))
			ev := f.pays("1", "107")
			f.hook(ev)
			if r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble); len(r.Doubles) != 1 || r.Doubles[0].Number != number {
				t.Fatalf("doubles %+v", r.Doubles)
			}
			if err := f.resolve(ev.ObjectID, "R1"); !errors.Is(err, engine.ErrOperator) {
				t.Errorf("a receipt that was not found is adopted: %v", err)
			}
			if err := f.resolve(ev.ObjectID, number); err != nil {
				t.Fatal(err)
			}
			r := f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			if len(r.Receipts) != 1 || r.Receipts[0].Number != number || !r.Receipts[0].Adopted || !r.Complete || len(r.Doubles) != 0 {
				t.Errorf("record %+v", r)
			}
			if f.ERP.Writes() != 0 || len(f.ERP.Receipts()) != 1 {
				t.Errorf("%d writes, receipts %+v", f.ERP.Writes(), f.ERP.Receipts())
			}
			if err := f.resolve(ev.ObjectID, number); !errors.Is(err, engine.ErrOperator) {
				t.Errorf("resolved twice: %v", err)
			}
			log, err := f.e.AuditLog(t.Context(), "us", 10)
			if err != nil || len(log) != 1 || log[0].Actor != "dana" || !strings.Contains(log[0].Action, number) {
				t.Errorf("audit %+v, %v", log, err)
			}
			f.hook(f.Portal.Void(ev.ObjectID)) // an adopted receipt is watched like a posted one
			f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.ReversedAfter)
		})
	}
}

// TestNotADuplicate: a person says that the similar receipt is another one; the payment is posted, and stopped by no one but
// a new similar receipt.
func TestNotADuplicate(t *testing.T) {
	f := synced(t, "1")
	f.ERP.EnterReceipt(keyedIn(false))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble)
	f.run(24 * time.Hour) // looked at again and again, decided by nobody
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble)
	if err := f.resolve(ev.ObjectID, ""); err != nil {
		t.Fatal(err)
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00", "107.00 application:1:107.00")
}

func TestNotADuplicateButAnotherIs(t *testing.T) {
	f := synced(t, "1")
	f.ERP.EnterReceipt(keyedIn(false))
	ev := f.pays("1", "107")
	f.hook(ev)
	second := keyedIn(false)
	second.Reference = "check 13"
	f.ERP.EnterReceipt(second)
	if err := f.resolve(ev.ObjectID, ""); err != nil {
		t.Fatal(err)
	}
	if r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble); len(r.Doubles) != 1 || r.Doubles[0].Number != "R5002" {
		t.Errorf("doubles %+v", r.Doubles)
	}
	f.receipts("107.00", "107.00")
}

// TestAdoptedReceiptThatWentAway: what was found may be gone when the answer comes.
func TestAdoptedReceiptThatWentAway(t *testing.T) {
	f := synced(t, "1")
	number := f.ERP.EnterReceipt(keyedIn(true))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.ERP.Fail(enginetest.Fault{Method: "SimilarReceipts", Class: connector.ClassRetry})
	if err := f.resolve(ev.ObjectID, number); err == nil {
		t.Error("adopted unseen")
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble)
	if err := f.resolve("999", number); !errors.Is(err, engine.ErrNothing) {
		t.Errorf("a payment that nobody knows: %v", err)
	}
}

// TestHeldReceiptsCarryEverything: what a person has to key in is on the record until it is found.
func TestHeldReceiptsCarryEverything(t *testing.T) {
	f := synced(t, "1", "2")
	f.Settings.Payments.ReceiptMode = "hold"
	f.e = f.Start()
	ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "50"), enginetest.Fee("3.01"))
	f.hook(ev)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Waiting, plan.HeldForEntry)
	wanted, err := r.WantedReceipts()
	if err != nil || len(wanted) != 1 {
		t.Fatalf("wanted %+v, %v", wanted, err)
	}
	w := wanted[0]
	if w.Reference != "IVD-"+ev.ObjectID || w.GLAccount != "1010" || w.PayMethod != "CARD" || w.Date != "2026-05-05" || !w.Amount.Equal(usd("160.01")) || len(w.Lines) != 4 {
		t.Errorf("wanted %+v", w)
	}
	if due := f.due(r); due <= 0 || due > 4*time.Hour {
		t.Errorf("looked for again in %s", due)
	}
	f.ERP.EnterReceipt(w)
	f.run(4 * time.Hour)
	r = f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	if len(r.Wanted) != 0 || !r.Complete || f.ERP.Writes() != 0 {
		t.Errorf("record %+v after %d writes", r, f.ERP.Writes())
	}
}

// TestHeldReceiptUnderAnotherReference: keyed in, but not findable by its reference; a person adopts it.
func TestHeldReceiptUnderAnotherReference(t *testing.T) {
	f := synced(t, "1")
	f.Settings.Payments.ReceiptMode = "hold"
	f.e = f.Start()
	ev := f.pays("1", "107")
	f.hook(ev)
	number := f.ERP.EnterReceipt(keyedIn(true))
	f.run(4 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.PossibleDouble)
	if err := f.resolve(ev.ObjectID, number); err != nil {
		t.Fatal(err)
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

// TestFromHoldToPost: held receipts that nobody keyed in are posted once the mode says so, and those keyed in are not.
func TestFromHoldToPost(t *testing.T) {
	f := synced(t, "1", "2")
	f.Settings.Payments.ReceiptMode = "hold"
	f.e = f.Start()
	first, second := f.pays("1", "107"), f.pays("2", "107")
	f.hook(first, second)
	wanted, err := f.Record(billing.KindPayment, first.ObjectID).WantedReceipts()
	if err != nil || len(wanted) != 1 {
		t.Fatal(wanted, err)
	}
	f.ERP.EnterReceipt(wanted[0])
	f.Settings.Payments.ReceiptMode = "post"
	f.e = f.Start()
	f.run(8 * time.Hour)
	f.want(billing.KindPayment, first.ObjectID, record.Synced, "")
	f.want(billing.KindPayment, second.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00", "107.00 application:2:107.00")
}
