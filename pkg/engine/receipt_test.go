package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

func TestReceiptConflicts(t *testing.T) {
	keyed := billing.Receipt{
		Reference: "check 12", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-04", Amount: usd("107"),
		Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd("107")}},
	}
	for _, c := range []struct {
		name     string
		prepare  func(f *fixture)
		amount   string
		status   record.Status
		reason   plan.Code
		receipts []string // after those of prepare
	}{
		{"the balance fell: hold", func(f *fixture) {
			r := keyed
			r.Amount, r.Lines = usd("60"), []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd("60")}}
			f.ERP.EnterReceipt(r)
		}, "107", record.Attention, plan.Overpayment, []string{"60.00 application:1:60.00"}},
		{"the balance fell: on account", func(f *fixture) {
			f.Settings.Payments.Overpayment = "on_account"
			r := keyed
			r.Amount, r.Lines = usd("60"), []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd("60")}}
			f.ERP.EnterReceipt(r)
		}, "107", record.Synced, plan.OnAccount, []string{"60.00 application:1:60.00", "107.00 application:1:47.00 on_account::60.00"}},
		{"more than the invoice", func(*fixture) {}, "120", record.Attention, plan.Overpayment, nil},
		{"keyed in and applied by hand", func(f *fixture) { f.ERP.EnterReceipt(keyed) }, "107", record.Attention, plan.PossibleDouble, []string{"107.00 application:1:107.00"}},
		{"keyed in by hand under another reference", func(f *fixture) {
			r := keyed
			r.Lines = nil
			f.ERP.EnterReceipt(r)
		}, "107", record.Attention, plan.PossibleDouble, []string{"107.00"}},
		{"another customer's receipt is no double", func(f *fixture) {
			r := keyed
			r.Lines, r.CustomerNo = nil, "C9"
			f.ERP.EnterReceipt(r)
		}, "107", record.Synced, "", []string{"107.00", "107.00 application:1:107.00"}},
		{"closed period: hold", func(f *fixture) { f.ERP.Close("2026-05-31") }, "107", record.Attention, plan.ClosedPeriod, nil},
		{"closed period: next open day", func(f *fixture) {
			f.Settings.Payments.ClosedPeriod = "next_open_day"
			f.ERP.Close("2026-06-30")
		}, "107", record.Synced, "", []string{"107.00 application:1:107.00"}},
		{"all periods closed", func(f *fixture) {
			f.Settings.Payments.ClosedPeriod = "next_open_day"
			f.ERP.Close("2027-12-31")
		}, "107", record.Attention, plan.ClosedPeriod, nil},
		{"the ERP refuses the header", func(f *fixture) {
			f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Class: connector.ClassInvalid})
		}, "107", record.Attention, plan.ReceiptRefused, nil},
		{"the ERP refuses the lines", func(f *fixture) {
			f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Class: connector.ClassInvalid})
		}, "107", record.Attention, plan.ReceiptRefused, []string{"107.00"}},
		{"the method is not mapped", func(f *fixture) { f.Settings.Payments.Methods = nil }, "107", record.Attention, plan.NoMethod, nil},
		{"payments are off", func(f *fixture) { f.Settings.Payments.Mode = "off" }, "107", record.Skipped, plan.PaymentsOff, nil},
		{"the receipt is there twice", func(f *fixture) {
			f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 1, Hook: func() {
				r := f.ERP.Receipts()[0]
				f.ERP.EnterReceipt(r)
			}})
		}, "107", record.Attention, plan.ReceiptMismatch, []string{"107.00 application:1:107.00", "107.00"}},
		{"somebody changes the receipt", func(f *fixture) {
			f.ERP.Fail(enginetest.Fault{Method: "CreateReceiptLines", Nth: 1, Hook: func() {
				number := f.ERP.Receipts()[0].Number
				_ = f.ERP.CreateReceiptLines(t.Context(), number, billing.Receipt{Date: "2026-05-05"}, []billing.ReceiptLine{{Kind: billing.LineOnAccount, Amount: usd("5")}})
			}})
		}, "107", record.Attention, plan.ReceiptMismatch, []string{"107.00 on_account::5.00 application:1:107.00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			c.prepare(f)
			f.e = f.Start()
			ev := f.pays("1", c.amount)
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, c.status, c.reason)
			f.run(3 * time.Hour)
			f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID))
			reason := c.reason
			if c.status == record.Synced {
				reason = plan.Unchanged
			}
			f.want(billing.KindPayment, ev.ObjectID, c.status, reason)
			f.receipts(c.receipts...)
		})
	}
}

// TestHeaderThatIsThereAlready: a header under our reference that the journal does not know is completed, never doubled.
func TestHeaderThatIsThereAlready(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "107")
	f.ERP.EnterReceipt(billing.Receipt{Reference: "IVD-" + ev.ObjectID, CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-05", Amount: usd("107")})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	if n := f.ERP.Count("CreateReceipt"); n != 0 {
		t.Errorf("%d headers created", n)
	}
}

func TestClosedPeriodDates(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault enginetest.Fault
	}{
		{"straight", enginetest.Fault{}},
		{"header lost, written", lost("CreateReceipt", true)},
		{"header lost, not written", lost("CreateReceipt", false)},
		{"lines lost", lost("CreateReceiptLines", false)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.Settings.Payments.ClosedPeriod = "next_open_day"
			f.e = f.Start()
			f.ERP.Close("2026-06-30")
			f.ERP.Fail(c.fault)
			ev := f.pays("1", "107")
			f.hook(ev)
			f.run(2 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			r := f.ERP.Receipts()[0]
			if len(f.ERP.Receipts()) != 1 || r.Date != "2026-07-01" || r.Comment != "Invoiced payment "+ev.ObjectID+" of 2026-05-05; period closed" || len(r.Lines) != 1 {
				t.Errorf("receipts %+v", f.ERP.Receipts())
			}
		})
	}
}

func TestTwoPaymentsRaceOnOneInvoice(t *testing.T) {
	f := synced(t, "1")
	first, second := f.pays("1", "107"), f.pays("1", "107")
	other := f.Start()
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 1, Hook: func() {
		if err := f.Hook(t.Context(), other, second); err != nil {
			t.Error(err)
		}
		if err := f.Bus.Drain(t.Context(), other); err != nil {
			t.Error(err)
		}
		f.want(billing.KindPayment, second.ObjectID, record.Scheduled, "")
	}})
	f.hook(first)
	f.run(10 * time.Minute)
	f.want(billing.KindPayment, first.ObjectID, record.Synced, "")
	f.want(billing.KindPayment, second.ObjectID, record.Attention, plan.Overpayment)
	f.receipts("107.00 application:1:107.00")
}

func TestPaymentOfTwoCustomers(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutCustomers(enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("2", "C2"))
	f.tick()
	ev := f.pays("1", "107", enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "107"))
	f.ERP.Fail(enginetest.Fault{Method: "CreateReceipt", Nth: 2, Class: connector.ClassRetry}) // the first is posted, the second later
	f.hook(ev)
	if r := f.want(billing.KindPayment, ev.ObjectID, record.Scheduled, plan.VendorDown); len(r.Receipts) != 1 || r.Complete {
		t.Errorf("record %+v", r)
	}
	f.run(10 * time.Minute)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00", "107.00 application:2:107.00")
	if len(r.Receipts) != 2 || r.Receipts[0].Reference != "IVD-"+ev.ObjectID || r.Receipts[1].Reference != "IVD-"+ev.ObjectID+"-2" {
		t.Errorf("receipts of the record: %+v", r.Receipts)
	}
}

func TestPaymentOnAnInvoiceKnownLater(t *testing.T) {
	f := synced(t, "0")
	inv := enginetest.Invoice("1", "C1")
	d := f.Portal.EnterDocument(billing.PortalDocument{Kind: billing.KindInvoice, Number: "1", Currency: "USD", Tax: usd("107")})
	ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(d.ID, "107"))
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.UnknownInvoice)
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.UnknownInvoice)
	f.ERP.PutInvoices(inv)
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

func TestReceiptsKeyedInByHand(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(f *fixture)
		amount  string
		status  record.Status
		reason  plan.Code
	}{
		{"as wanted", func(f *fixture) { f.Settings.Payments.ReceiptMode = "hold" }, "107", record.Synced, ""},
		{"with another amount", func(f *fixture) { f.Settings.Payments.ReceiptMode = "hold" }, "100", record.Attention, plan.ReceiptMismatch},
		{"the site takes no receipts", func(f *fixture) { f.ERP.Lack(connector.FeatureReceipts) }, "107", record.Synced, ""},
		{"the site can not find receipts", func(f *fixture) {
			f.ERP.Lack(connector.FeatureFind)
			f.ERP.Fail(enginetest.Fault{Method: "FindReceipts", Class: connector.ClassUnsupported})
		}, "0", record.Waiting, plan.HeldForEntry},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			c.prepare(f)
			f.e = f.Start()
			ev := f.pays("1", "107")
			f.hook(ev)
			f.run(8 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Waiting, plan.HeldForEntry)
			if c.amount != "0" {
				f.ERP.EnterReceipt(billing.Receipt{
					Reference: "IVD-" + ev.ObjectID, CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-06", Amount: usd(c.amount),
					Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd(c.amount)}},
				})
			}
			f.run(8 * time.Hour)
			r := f.want(billing.KindPayment, ev.ObjectID, c.status, c.reason)
			if c.status == record.Synced && (len(r.Receipts) != 1 || !r.Complete || r.Receipts[0].Number != f.ERP.Receipts()[0].Number) {
				t.Errorf("record %+v", r)
			}
			if n := f.ERP.Writes(); n != 0 {
				t.Errorf("%d writes to the ERP", n)
			}
		})
	}
}
