package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// pays makes a settled card payment on the invoice of the ERP with a number.
func (f *fixture) pays(number, amount string, more ...billing.Application) billing.Event {
	f.t.Helper()
	parts := append([]billing.Application{enginetest.On(f.Record(billing.KindInvoice, number).PortalID, amount)}, more...)
	return f.Portal.Pay("credit_card", billing.ChargeSucceeded, parts...)
}

// receipts checks the receipts in the ERP, each as "amount line line".
func (f *fixture) receipts(want ...string) {
	f.t.Helper()
	var got []string
	for _, r := range f.ERP.Receipts() {
		text := r.Amount.Amount()
		for _, l := range r.Lines {
			text += " " + string(l.Kind) + ":" + l.InvoiceNo + ":" + l.Amount.Amount()
		}
		got = append(got, text)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		f.t.Fatalf("receipts are %q, want %q", got, want)
	}
}

func (f *fixture) balance(number string) string {
	f.t.Helper()
	b, err := f.ERP.Balance(f.t.Context(), number)
	if err != nil {
		f.t.Fatal(err)
	}
	return b.Balance.Amount()
}

func TestPaymentBecomesReceipt(t *testing.T) {
	f := synced(t, "1", "2")
	ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "50"), enginetest.Fee("3.01"))
	f.hook(ev)
	f.receipts("160.01 application:1:107.00 application:2:50.00 fee:1:2.05 fee:2:0.96")
	r := f.want(billing.KindPayment, ev.ObjectID, record.Synced, plan.FeeAllocated)
	if len(r.Receipts) != 1 || !r.Complete || r.Fee != "3.01" || r.Method != "credit_card" || r.PortalTotal != "160.01" || r.SourceTotal != "160.01" {
		t.Errorf("record %+v", r)
	}
	if got := f.ERP.Receipts()[0]; got.Reference != "IVD-"+ev.ObjectID || got.PayMethod != "CARD" || got.GLAccount != "1010" || got.Date != "2026-05-05" || r.Receipts[0].Number != got.Number {
		t.Errorf("receipt %+v", got)
	}
	if f.balance("1") != "0.00" || f.balance("2") != "57.00" {
		t.Errorf("balances %s and %s", f.balance("1"), f.balance("2"))
	}
	if in := f.inbox(ev.ID); in.State != record.InboxDone || in.Via != "webhook" {
		t.Errorf("inbox %+v", in)
	}
	f.noOpenEffects()
}

// TestEventsInAnyOrder: events only say that a payment should be looked at, so their number and order change nothing.
func TestEventsInAnyOrder(t *testing.T) {
	f := synced(t, "1")
	created := f.pays("1", "107")
	updated := f.Portal.Tell("payment.updated", billing.KindPayment, created.ObjectID)
	f.hook(updated)
	f.hook(created, created)
	again := f.Bus.Published()
	f.hook(created) // stored before: not even a message
	if f.Bus.Published() != again {
		t.Error("a known event was published again")
	}
	for range 3 {
		f.sync(billing.KindPayment, created.ObjectID)
	}
	f.run(time.Hour)
	f.receipts("107.00 application:1:107.00")
	f.want(billing.KindPayment, created.ObjectID, record.Synced, "")
	if n := f.ERP.Count("CreateReceipt", "CreateReceiptLines"); n != 2 {
		t.Errorf("%d writes, want header and lines", n)
	}
}

func TestLifeOfPayments(t *testing.T) {
	type step struct {
		act    func(f *fixture, id string) billing.Event
		status record.Status
		reason plan.Code
	}
	settle := func(f *fixture, id string) billing.Event { return f.Portal.Settle(id) }
	bounce := func(f *fixture, id string) billing.Event { return f.Portal.Bounce(id) }
	void := func(f *fixture, id string) billing.Event { return f.Portal.Void(id) }
	remove := func(f *fixture, id string) billing.Event { return f.Portal.Delete(id) }
	refund := func(f *fixture, id string) billing.Event { return f.Portal.Refund(id, usd("7")) }
	again := func(f *fixture, id string) billing.Event {
		return f.Portal.Tell("payment.updated", billing.KindPayment, id)
	}
	const none, one = "", "107.00 application:1:107.00"
	for _, c := range []struct {
		name     string
		charge   billing.ChargeStatus
		first    record.Status
		reason   plan.Code
		steps    []step
		receipts string
	}{
		{"pending, then settled", billing.ChargePending, record.Waiting, plan.PaymentPending, []step{{again, record.Waiting, plan.PaymentPending}, {settle, record.Synced, ""}}, one},
		{"pending, then failed", billing.ChargePending, record.Waiting, plan.PaymentPending, []step{{bounce, record.Skipped, plan.PaymentFailed}}, none},
		{"pending, then voided", billing.ChargePending, record.Waiting, plan.PaymentPending, []step{{void, record.Skipped, plan.PaymentVoided}}, none},
		{"pending, then deleted", billing.ChargePending, record.Waiting, plan.PaymentPending, []step{{remove, record.Skipped, plan.PaymentVoided}}, none},
		{"failed", billing.ChargeFailed, record.Skipped, plan.PaymentFailed, nil, none},
		{"recorded, not charged", "", record.Skipped, plan.NotCharged, nil, none},
		{"posted, then voided", billing.ChargeSucceeded, record.Synced, "", []step{{void, record.Reversed, plan.ReversedAfter}, {again, record.Reversed, plan.ReversedAfter}}, one},
		{"posted, then returned by the bank", billing.ChargeSucceeded, record.Synced, "", []step{{bounce, record.Reversed, plan.ReversedAfter}}, one},
		{"posted, then deleted", billing.ChargeSucceeded, record.Synced, "", []step{{remove, record.Reversed, plan.ReversedAfter}}, one},
		{"posted, then refunded in part", billing.ChargeSucceeded, record.Synced, "", []step{{refund, record.Attention, plan.Refunded}}, one},
		{"posted, then nothing", billing.ChargeSucceeded, record.Synced, "", []step{{again, record.Synced, plan.Unchanged}}, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			ev := f.Portal.Pay("credit_card", c.charge, enginetest.On(f.document().ID, "107"))
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, c.first, c.reason)
			for _, s := range c.steps {
				f.Clock.Advance(time.Hour)
				f.hook(s.act(f, ev.ObjectID))
				f.want(billing.KindPayment, ev.ObjectID, s.status, s.reason)
			}
			f.run(12 * time.Hour)
			if c.receipts == none {
				f.receipts()
			} else {
				f.receipts(c.receipts)
			}
		})
	}
}

// TestLostReceiptThatIsTakenBack: the receipt was posted, nobody heard of it, and then the payment was voided. Somebody
// has to be told.
func TestLostReceiptThatIsTakenBack(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			ev := f.pays("1", "107")
			f.ERP.Fail(lost("CreateReceipt", written))
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, record.Unknown, "")
			f.hook(f.Portal.Void(ev.ObjectID))
			f.run(2 * time.Hour)
			if written {
				f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.ReversedAfter)
				f.receipts("107.00")
			} else {
				f.want(billing.KindPayment, ev.ObjectID, record.Skipped, plan.PaymentVoided)
				f.receipts()
			}
		})
	}
}

func TestLostReceipts(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   enginetest.Fault
		cut     int
		headers int
		lines   int
	}{
		{"header written", lost("CreateReceipt", true), -1, 1, 1},
		{"header not written", lost("CreateReceipt", false), -1, 2, 1},
		{"lines written", lost("CreateReceiptLines", true), -1, 1, 1},
		{"lines not written", lost("CreateReceiptLines", false), -1, 1, 2},
		{"one line of three written", enginetest.Fault{}, 1, 1, 2},
		{"no line of three written", enginetest.Fault{}, 0, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1", "2")
			ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "50"), enginetest.Fee("1"))
			f.ERP.Fail(c.fault)
			f.ERP.CutLines(c.cut)
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
			f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID)) // a hasty look changes nothing
			f.run(time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			sum := usd("0")
			all := f.ERP.Receipts()
			for _, l := range all[0].Lines {
				sum = sum.Add(l.Amount)
			}
			if len(all) != 1 || len(all[0].Lines) != 4 || !sum.Equal(usd("158")) {
				t.Errorf("receipts %+v", all)
			}
			if f.balance("1") != "0.00" || f.balance("2") != "57.00" {
				t.Errorf("balances %s and %s", f.balance("1"), f.balance("2"))
			}
			if h, l := f.ERP.Count("CreateReceipt"), f.ERP.Count("CreateReceiptLines"); h != c.headers || l != c.lines {
				t.Errorf("%d headers and %d times lines, want %d and %d", h, l, c.headers, c.lines)
			}
			f.noOpenEffects()
		})
	}
}

func TestReceiptLookUpsTakeTheirTime(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Class: connector.ClassRetry, Ambiguous: true})
	f.hook(ev)
	for _, c := range []struct {
		after    time.Duration // since the first attempt
		attempts int
	}{{20 * time.Minute, 1}, {25 * time.Minute, 2}, {44 * time.Minute, 2}, {3 * time.Hour, 2}} {
		f.run(c.after - f.Clock.Now().Sub(enginetest.Start()))
		if n := f.ERP.Count("CreateReceipt"); n != c.attempts {
			t.Fatalf("%d attempts after %s, want %d", n, c.after, c.attempts)
		}
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptAttempts)
	f.receipts()
	f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID)) // no third attempt by an event
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptAttempts)
	// The write turns up after all: then it is found, not repeated.
	f.ERP.Heal()
	f.ERP.EnterReceipt(billing.Receipt{Reference: "IVD-" + ev.ObjectID, CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-05", Amount: usd("107")})
	f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID))
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

// TestThrottledReceipt: a call that the ERP clearly did not take is no lost one, however often that happens.
func TestThrottledReceipt(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Class: connector.ClassRetry})
	f.hook(ev)
	f.run(time.Hour)
	if n := f.ERP.Count("CreateReceipt"); n < 3 {
		t.Errorf("%d attempts in an hour", n)
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Scheduled, plan.VendorDown)
	f.ERP.Heal()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

func TestUnreadableERPPostsNothingTwice(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.ERP.Fail(lost("CreateReceipt", true))
	f.hook(ev)
	f.ERP.Fail(enginetest.Fault{Method: "FindReceipts", Class: connector.ClassRetry})
	f.run(6 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	if n := f.ERP.Count("CreateReceipt"); n != 1 {
		t.Fatalf("%d attempts without a look-up that worked", n)
	}
	f.ERP.Heal()
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}
