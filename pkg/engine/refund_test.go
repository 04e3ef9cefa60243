package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestMoneyThatGoesBackQuietly: refunds and disputes have no event. They are found by listing the payments, told once, and
// the receipt stays (F24).
func TestMoneyThatGoesBackQuietly(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed bool // the change counts as one of the payment
		after  time.Duration
		change func(*billing.Payment)
		status record.Status
		reason plan.Code
	}{
		{"refunded in part, listed", true, time.Hour, func(p *billing.Payment) { p.Charge.Refunded = usd("7") }, record.Attention, plan.Refunded},
		{"refunded in full, listed", true, time.Hour, func(p *billing.Payment) { p.Charge.Refunded = usd("107") }, record.Reversed, plan.RefundedWhole},
		{"refunded in part, not listed", false, 26 * time.Hour, func(p *billing.Payment) { p.Charge.Refunded = usd("7") }, record.Attention, plan.Refunded},
		{"disputed, not listed", false, 26 * time.Hour, func(p *billing.Payment) { p.Charge.Disputed = true }, record.Attention, plan.Disputed},
		{"voided, and the event was lost", true, time.Hour, func(p *billing.Payment) { p.Voided = true }, record.Reversed, plan.ReversedAfter},
		{"moved to nothing", true, time.Hour, func(p *billing.Payment) {
			p.Applications, p.Unapplied = nil, usd("107")
		}, record.Attention, plan.ChangedWhenPosted},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			ev := f.pays("1", "107")
			f.hook(ev)
			f.run(time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			f.Clock.Advance(10 * 24 * time.Hour)
			f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) {
				c.change(p)
				if c.listed {
					p.Updated = f.Clock.Now()
				}
			})
			f.run(c.after)
			r := f.want(billing.KindPayment, ev.ObjectID, c.status, c.reason)
			told := len(r.Timeline)
			f.receipts("107.00 application:1:107.00")
			f.Portal.Reset()
			f.run(50 * time.Hour)
			if r = f.want(billing.KindPayment, ev.ObjectID, c.status, c.reason); len(r.Timeline) != told {
				t.Errorf("told again: %+v", r.Timeline)
			}
			if n := f.Portal.Count("Payment"); n != 0 {
				t.Errorf("%d more readings of a payment that did not change", n)
			}
			f.receipts("107.00 application:1:107.00")
		})
	}
}

// TestPartRefundedBeforePosting: the receipt is posted in full and the refund told at the same moment, so that the books do
// not depend on which of the two was heard of first.
func TestPartRefundedBeforePosting(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) { p.Charge.Refunded = usd("7") })
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.Refunded)
	f.receipts("107.00 application:1:107.00")
	whole := f.pays("1", "107")
	f.Portal.Quiet(whole.ObjectID, func(p *billing.Payment) { p.Charge.Refunded = usd("107") })
	f.hook(whole)
	f.want(billing.KindPayment, whole.ObjectID, record.Attention, plan.RefundedBefore)
	f.receipts("107.00 application:1:107.00")
}

// TestPaymentsWithoutAnyEvent: webhooks and the events list fail, the payments list finds them (F26). Payments from before
// the company began are left alone.
func TestPaymentsWithoutAnyEvent(t *testing.T) {
	f := synced(t, "1")
	id := f.pays("1", "107").ObjectID
	f.Portal.Forget()
	old := f.pays("1", "50").ObjectID
	f.Portal.Forget()
	f.Portal.Quiet(old, func(p *billing.Payment) { p.Created, p.Updated = f.Clock.Now().AddDate(0, -1, 0), f.Clock.Now() })
	f.run(time.Hour)
	f.want(billing.KindPayment, id, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	if r := f.Record(billing.KindPayment, old); r != nil {
		t.Errorf("a payment from before: %+v", r)
	}
}

// TestRereadingIsCheap: with nothing new, a day costs one list a quarter of an hour and one more, and no reading of a payment.
func TestRereadingIsCheap(t *testing.T) {
	f := synced(t, "1", "2")
	f.hook(f.pays("1", "107"), f.pays("2", "107"))
	f.run(time.Hour)
	f.Portal.Reset()
	f.ERP.Reset()
	f.run(24 * time.Hour)
	if lists, reads := f.Portal.Count("ListPayments"), f.Portal.Count("Payment"); lists > 97 || reads != 0 {
		t.Errorf("%d lists and %d readings a day", lists, reads)
	}
	if n := f.ERP.Count("Balance", "FindReceipts", "SimilarReceipts"); n != 0 {
		t.Errorf("%d calls to the ERP for payments that are done", n)
	}
}

// TestModeChanges: what a rule leaves out stays out when the rule changes, until something new happens; what is half there
// is not finished behind the back of who switched payments off.
func TestModeChanges(t *testing.T) {
	f := synced(t, "1", "2")
	check := f.Portal.Pay("check", "", enginetest.On(f.Record(billing.KindInvoice, "1").PortalID, "107"))
	f.hook(check)
	f.want(billing.KindPayment, check.ObjectID, record.Skipped, plan.NotCharged)
	f.Settings.Payments.Mode = "all"
	f.e = f.Start()
	f.run(50 * time.Hour)
	f.want(billing.KindPayment, check.ObjectID, record.Skipped, plan.NotCharged)
	f.sync(billing.KindPayment, check.ObjectID) // a person asks for it
	f.want(billing.KindPayment, check.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	if got := f.ERP.Receipts()[0].PayMethod; got != "CHECK" {
		t.Errorf("method %s", got)
	}
	f.Settings.Payments.Mode = "off"
	f.e = f.Start()
	card := f.pays("2", "107")
	f.hook(card, f.Portal.Void(check.ObjectID))
	f.want(billing.KindPayment, card.ObjectID, record.Skipped, plan.PaymentsOff)
	f.want(billing.KindPayment, check.ObjectID, record.Reversed, plan.ReversedAfter) // posted ones are watched all the same
	f.receipts("107.00 application:1:107.00")
}

func TestSwitchedOffHalfway(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutCustomers(enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("2", "C2"))
	f.tick()
	ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "107"))
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 2, Class: "retry"})
	f.hook(ev)
	f.Settings.Payments.Mode = "off"
	f.e = f.Start()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Waiting, plan.PaymentsOff)
	f.receipts("107.00 application:1:107.00")
	f.Settings.Payments.Mode = "charged"
	f.e = f.Start()
	f.run(7 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00", "107.00 application:2:107.00")
}

// TestAttempts flips payments.attempts.
func TestAttempts(t *testing.T) {
	for _, n := range []int{1, 3} {
		f := synced(t, "1")
		f.Settings.Payments.Attempts = n
		f.e = f.Start()
		f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Class: "retry", Ambiguous: true})
		ev := f.pays("1", "107")
		f.hook(ev)
		f.run(6 * time.Hour)
		f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptAttempts)
		if got := f.ERP.Count("CreateReceipt"); got != n {
			t.Errorf("%d attempts, want %d", got, n)
		}
	}
}

// TestRefundBehindTheList: the list shows a refund that the payment itself does not show yet. It is read once more, and told.
func TestRefundBehindTheList(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.hook(ev)
	f.run(time.Hour)
	refunded := func(amount string) func() {
		return func() {
			f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) { p.Charge.Refunded, p.Updated = usd(amount), f.Clock.Now() })
		}
	}
	refunded("107")()
	f.Portal.Fail(enginetest.Fault{Method: "Payment", Nth: 1, Hook: refunded("0")})
	f.Portal.Fail(enginetest.Fault{Method: "Payment", Nth: 1, Hook: refunded("107"), After: true})
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.RefundedWhole)
	f.Portal.Reset()
	f.run(50 * time.Hour)
	if n := f.Portal.Count("Payment"); n != 0 {
		t.Errorf("%d more readings of a payment that did not change", n)
	}
	f.receipts("107.00 application:1:107.00")
}

// TestListBehindAPayment: a list that never shows what the payment itself does costs two readings, not one whenever it is read.
func TestListBehindAPayment(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.hook(ev)
	f.run(time.Hour)
	method := func(text string) func() {
		return func() { f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) { p.Method = text }) }
	}
	f.Portal.Fail(enginetest.Fault{Method: "ListPayments", Hook: method("wire_transfer")})
	f.Portal.Fail(enginetest.Fault{Method: "ListPayments", Hook: method("credit_card"), After: true})
	f.Portal.Quiet(ev.ObjectID, func(p *billing.Payment) { p.Updated = f.Clock.Now() })
	f.Portal.Reset()
	f.run(50 * time.Hour)
	if n := f.Portal.Count("Payment"); n != 2 {
		t.Errorf("%d readings of a payment that the list shows otherwise", n)
	}
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}
