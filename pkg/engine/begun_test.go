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

// keyed is a receipt that somebody keyed in on an invoice of customer C1.
func keyed(number, amount string) billing.Receipt {
	return billing.Receipt{Reference: "check 7", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-05", Amount: usd(amount),
		Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: number, Amount: usd(amount)}}}
}

// TestBegunReceiptStays: what a receipt was begun with is what it is finished with, whatever changes between its header and
// its lines; a person is asked only where it does not fit any more.
func TestBegunReceiptStays(t *testing.T) {
	fee := billing.Application{Type: billing.ApplyConvenienceFee, Amount: usd("3")}
	for _, c := range []struct {
		name     string
		before   func(f *fixture) // settings when the header is posted
		change   func(f *fixture) // between the header and the lines
		fee      bool
		status   record.Status
		reason   plan.Code
		receipts []string
	}{
		{"the fee is left out now", nil, func(f *fixture) { f.Settings.Fees.Strategy = "exclude" }, true, record.Synced, "",
			[]string{"110.00 application:1:107.00 fee:1:3.00"}},
		{"the fee is divided now", func(f *fixture) { f.Settings.Fees.Strategy = "exclude" }, func(f *fixture) { f.Settings.Fees.Strategy = "proportional" },
			true, record.Synced, "", []string{"107.00 application:1:107.00"}},
		{"the fee stays unapplied now", nil, func(f *fixture) { f.Settings.Fees.Strategy = "unapplied" }, true, record.Synced, "",
			[]string{"110.00 application:1:107.00 fee:1:3.00"}},
		{"no method any more", nil, func(f *fixture) { f.Settings.Payments.Methods = nil }, false, record.Synced, "", []string{"107.00 application:1:107.00"}},
		{"no account any more", nil, func(f *fixture) { f.Settings.Payments.GLAccounts = nil }, false, record.Synced, "", []string{"107.00 application:1:107.00"}},
		{"the balance fell: a person", nil, func(f *fixture) { f.ERP.EnterReceipt(keyed("1", "60")) }, false, record.Attention, plan.Overpayment,
			[]string{"107.00", "60.00 application:1:60.00"}},
		{"the balance fell: on account", func(f *fixture) { f.Settings.Payments.Overpayment = "on_account" }, func(f *fixture) { f.ERP.EnterReceipt(keyed("1", "60")) },
			false, record.Synced, plan.OnAccount, []string{"107.00 application:1:47.00 on_account::60.00", "60.00 application:1:60.00"}},
		{"keyed in by hand from now on", nil, func(f *fixture) { f.Settings.Payments.ReceiptMode = "hold" }, false, record.Attention, plan.ReceiptMismatch,
			[]string{"107.00"}},
		{"payments are off from now on", nil, func(f *fixture) { f.Settings.Payments.Mode = "off" }, false, record.Waiting, plan.PaymentsOff,
			[]string{"107.00"}},
		{"it pays another invoice now", nil, func(f *fixture) {
			f.Portal.Apply(f.Record(billing.KindInvoice, "1").PortalID, f.Record(billing.KindInvoice, "2").PortalID)
		}, false, record.Synced, "", []string{"107.00 application:2:107.00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1", "2")
			if c.before != nil {
				c.before(f)
				f.e = f.Start()
			}
			f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 1, Class: connector.ClassRetry})
			var more []billing.Application
			if c.fee {
				more = append(more, fee)
			}
			ev := f.pays("1", "107", more...)
			f.hook(ev)
			if r := f.want(billing.KindPayment, ev.ObjectID, record.Scheduled, plan.VendorDown); len(r.Begun) == 0 || len(f.ERP.Receipts()) != 1 {
				t.Fatalf("begun %s, receipts %+v", r.Begun, f.ERP.Receipts())
			}
			c.change(f)
			f.e = f.Start()
			f.run(time.Hour)
			r := f.want(billing.KindPayment, ev.ObjectID, c.status, c.reason)
			f.receipts(c.receipts...)
			if c.status == record.Synced && (r.Begun != nil || !r.Complete) {
				t.Errorf("complete %v, still begun: %s", r.Complete, r.Begun)
			}
			if n := f.ERP.Count("CreateReceipt"); n != 1 {
				t.Errorf("%d headers", n)
			}
		})
	}
}

// TestRefusedLinesArePlannedAnew: lines that the ERP refuses are a person's; what the person mends in the settings counts.
func TestRefusedLinesArePlannedAnew(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 1, Class: connector.ClassInvalid})
	ev := f.pays("1", "107", billing.Application{Type: billing.ApplyConvenienceFee, Amount: usd("3")})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptRefused)
	f.Settings.Fees.Strategy = "unapplied"
	f.e = f.Start()
	f.sync(billing.KindPayment, ev.ObjectID)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("110.00 application:1:107.00 on_account::3.00")
}

// TestRefusedLinesAreTriedAgain: what the ERP refuses may be mended there without anybody telling us.
func TestRefusedLinesAreTriedAgain(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 1, Class: connector.ClassInvalid})
	ev := f.pays("1", "107")
	f.hook(ev)
	f.run(5 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptRefused)
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	f.noOpenEffects()
}

// TestBegunReceiptsStayTogether: the receipts of two customers are halves of one payment: the second is as it was planned with
// the first, although the settings changed in between.
func TestBegunReceiptsStayTogether(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutCustomers(enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("2", "C2"))
	f.tick()
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 2, Class: connector.ClassRetry})
	ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "107"),
		billing.Application{Type: billing.ApplyConvenienceFee, Amount: usd("3")})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Scheduled, plan.VendorDown)
	f.Settings.Fees.Strategy = "exclude"
	f.e = f.Start()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("108.50 application:1:107.00 fee:1:1.50", "108.50 application:2:107.00 fee:2:1.50")
}

// halves is a payment of two customers' invoices, which has two receipts.
func halves(t *testing.T) (*fixture, func() billing.Event) {
	t.Helper()
	f := synced(t, "1")
	f.ERP.PutCustomers(enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("2", "C2"))
	f.tick()
	return f, func() billing.Event {
		return f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "107"))
	}
}

const firstHalf, secondHalf = "107.00 application:1:107.00", "107.00 application:2:107.00"

// TestHalfPostedAndOwedNoMore: a process dies between the two receipts, and the first invoice is lowered: of the receipt that is there
// nothing is sent any more, and the other one is posted.
func TestHalfPostedAndOwedNoMore(t *testing.T) {
	met := 0
	for n := 1; ; n++ {
		f, pay := halves(t)
		ev := pay()
		f.e = f.StartOn(enginetest.NewLine(n, true))
		if !enginetest.Dies(func() { f.hook(ev) }) {
			break
		}
		f.e = f.Start()
		if len(f.ERP.Receipts()) == 1 && len(f.ERP.Receipts()[0].Lines) == 1 {
			met++
			lower := enginetest.Over(enginetest.Invoice("1", "C1"), 10)
			lower.Paid, lower.Balance = usd("107"), usd("-80")
			f.ERP.PutInvoices(lower)
		}
		f.run(3 * time.Hour)
		f.receipts(firstHalf, secondHalf)
		f.noOpenEffects()
	}
	if met < 3 {
		t.Errorf("only %d deaths between the receipts", met)
	}
}

// TestHalfPostedAndDisputed: what is missing of a payment is posted before a person is told what became of the money.
func TestHalfPostedAndDisputed(t *testing.T) {
	for reason, change := range map[plan.Code]func(p *billing.Payment){
		plan.Disputed: func(p *billing.Payment) { p.Charge.Disputed = true },
		plan.Refunded: func(p *billing.Payment) { p.Charge.Refunded = usd("1") },
	} {
		f, pay := halves(t)
		f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 2, Class: connector.ClassRetry})
		ev := pay()
		f.hook(ev)
		f.receipts(firstHalf)
		f.Portal.Quiet(ev.ObjectID, change)
		f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID))
		f.run(time.Hour)
		f.receipts(firstHalf, secondHalf)
		f.want(billing.KindPayment, ev.ObjectID, record.Attention, reason)
	}
}

// TestHalfPostedAndRefunded: no more is posted of money that went back, and every receipt that is there is named, also one whose
// answer was lost.
func TestHalfPostedAndRefunded(t *testing.T) {
	f, pay := halves(t)
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 2, Class: connector.ClassRetry, Ambiguous: true, After: true})
	ev := pay()
	f.hook(ev)
	f.hook(f.Portal.Refund(ev.ObjectID, usd("214")))
	f.run(time.Hour)
	f.receipts(firstHalf, secondHalf)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.RefundedWhole)
	for _, x := range f.ERP.Receipts() {
		if !strings.Contains(r.Summary, x.Number) {
			t.Errorf("receipt %s is not named: %s", x.Number, r.Summary)
		}
	}
	f.noOpenEffects()
}
