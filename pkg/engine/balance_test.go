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

// shift is somebody else changing the balance of invoice 1 right before the n-th reading of a balance.
func (f *fixture) shift(n int, by string) {
	f.ERP.Fail(enginetest.Fault{Method: "Balance", Nth: n, Hook: func() { f.ERP.Shift("1", usd(by)) }})
}

// TestBalancesAreCompared: after a receipt was posted the balance of its invoice is what it was before less what was
// applied, or a person is told both numbers (q360-api 4.6 rule 5).
func TestBalancesAreCompared(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(f *fixture)
		differs string // expected and found, "" when nothing differs
		reads   int    // before, after, and once more before a difference is told
	}{
		{"as expected", func(*fixture) {}, "", 2},
		{"somebody posted at the same moment", func(f *fixture) { f.shift(2, "-10") }, "57.00 USD 47.00 USD", 3},
		{"the ERP did not lower it", func(f *fixture) { f.shift(2, "50") }, "57.00 USD 107.00 USD", 3},
		{"by a cent", func(f *fixture) { f.shift(2, "0.01") }, "57.00 USD 57.01 USD", 3},
		{"seen too early", func(f *fixture) { f.shift(2, "50"); f.shift(3, "-50") }, "", 3},
		{"it fell before, in time", func(f *fixture) { f.shift(1, "-10") }, "", 2},
		{"it is not known when the ERP lowers it", func(f *fixture) { f.ERP.ApplyWhen("") }, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			c.prepare(f)
			f.e = f.Start()
			ev := f.pays("1", "50")
			f.hook(ev)
			f.receipts("50.00 application:1:50.00")
			r := f.Record(billing.KindPayment, ev.ObjectID)
			if n := f.ERP.Count("Balance"); n != c.reads || f.ERP.Count("Balances") != 0 {
				t.Errorf("%d readings of the balance, want %d", n, c.reads)
			}
			if len(r.Receipts) != 1 || !r.Complete {
				t.Errorf("the receipt is not remembered: %+v", r)
			}
			if c.differs == "" {
				if f.want(billing.KindPayment, ev.ObjectID, record.Synced, ""); len(r.Applied) != 0 || !r.DueAt.IsZero() {
					t.Errorf("something is left to compare: %+v, due %s", r.Applied, r.DueAt.Text())
				}
				return
			}
			f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BalanceDiffers)
			p := r.Reasons[0].Params
			if p["expected"]+" "+p["balance"] != c.differs || p["receipt"] != r.Receipts[0].Number || !strings.Contains(r.Summary, "somebody else may have posted") {
				t.Errorf("%s: %v", r.Summary, p)
			}
			f.hook(f.Portal.Tell("payment.updated", billing.KindPayment, ev.ObjectID)) // news of the payment do not hide it
			f.run(3 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BalanceDiffers)
			f.receipts("50.00 application:1:50.00")
		})
	}
}

// differing is a payment whose balance is 10.00 lower than it should be.
func differing(t *testing.T) (*fixture, string) {
	t.Helper()
	f := synced(t, "1")
	f.shift(2, "-10")
	ev := f.pays("1", "50")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BalanceDiffers)
	return f, ev.ObjectID
}

func TestBalanceIsPutRight(t *testing.T) {
	f, id := differing(t)
	f.ERP.Heal()
	f.ERP.Shift("1", usd("10"))
	f.run(25 * time.Hour)
	if r := f.want(billing.KindPayment, id, record.Synced, ""); len(r.Applied) != 0 {
		t.Errorf("still compared: %+v", r.Applied)
	}
	f.ERP.Shift("1", usd("-57")) // paid by check later: nobody's business
	f.run(26 * time.Hour)
	f.want(billing.KindPayment, id, record.Synced, "")
	f.receipts("50.00 application:1:50.00")
}

func TestBalanceIsAccepted(t *testing.T) {
	f, id := differing(t)
	by := engine.By{Actor: "dana", Reason: "a check came at the same time"}
	if _, err := f.e.AcceptBalance(t.Context(), by, "us", id); err != nil {
		t.Fatal(err)
	}
	f.drain()
	f.want(billing.KindPayment, id, record.Synced, "")
	f.run(26 * time.Hour)
	f.want(billing.KindPayment, id, record.Synced, "")
	if _, err := f.e.AcceptBalance(t.Context(), by, "us", id); !errors.Is(err, engine.ErrOperator) {
		t.Errorf("nothing is left to accept: %v", err)
	}
	log, err := f.e.AuditLog(t.Context(), "us", 10)
	if err != nil || len(log) != 1 || log[0].Action != "accept balance" || log[0].Reason != by.Reason || !strings.Contains(log[0].Before, "57.00") {
		t.Errorf("audit %+v, %v", log, err)
	}
}

// TestBalancesOfSeveralInvoices: the invoices of a customer are read together, and each is compared.
func TestBalancesOfSeveralInvoices(t *testing.T) {
	f := synced(t, "1", "2", "3")
	var parts []billing.Application
	for _, n := range []string{"2", "3"} {
		parts = append(parts, enginetest.On(f.Record(billing.KindInvoice, n).PortalID, "20"))
	}
	f.hook(f.pays("1", "107", parts...))
	if one, several := f.ERP.Count("Balance"), f.ERP.Count("Balances"); one != 0 || several != 2 {
		t.Errorf("%d single and %d readings together, want 0 and 2", one, several)
	}
	f.ERP.Fail(enginetest.Fault{Method: "Balances", Nth: 2, Hook: func() { f.ERP.Shift("3", usd("-1")) }})
	ev := f.Portal.Pay("credit_card", billing.ChargeSucceeded, parts...)
	f.hook(ev)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.BalanceDiffers)
	if len(r.Reasons) != 1 || r.Reasons[0].Params["invoice"] != "3" || r.Reasons[0].Params["balance"] != "66.00 USD" {
		t.Errorf("reasons %+v", r.Reasons)
	}
}

// TestBalancesOverAnInterruption: what was read before the lines were written counts, not what an interrupted run left.
// What happened before any line was written is no difference.
func TestBalancesOverAnInterruption(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  enginetest.Fault
		status record.Status
	}{
		{"header lost, not written", lost("CreateReceipt", false), record.Synced},
		{"header lost, written", lost("CreateReceipt", true), record.Synced},
		{"lines lost, not written", lost("CreateReceiptLines", false), record.Synced},
		{"lines lost, written", lost("CreateReceiptLines", true), record.Attention},
		{"balance not readable", enginetest.Fault{Method: "Balance", Nth: 2, Class: connector.ClassRetry}, record.Attention},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.ERP.Fail(c.fault)
			ev := f.pays("1", "50")
			f.hook(ev)
			f.ERP.Shift("1", usd("-10"))
			f.e = f.Start() // another process goes on
			f.run(2 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, c.status, "")
			f.receipts("50.00 application:1:50.00")
			if f.balance("1") != "47.00" {
				t.Errorf("balance %s", f.balance("1"))
			}
		})
	}
}

// TestReceiptKeyedInUnderOurReference: lines that somebody else wrote lowered the balance before it was read.
func TestReceiptKeyedInUnderOurReference(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "50")
	f.ERP.EnterReceipt(billing.Receipt{Reference: "IVD-" + ev.ObjectID, CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-05", Amount: usd("50"),
		Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: usd("50")}}})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("50.00 application:1:50.00")
}

// TestAppliedLater: where the ERP lowers balances later they are looked at with growing distance, and after five days a
// person is told. It closes by itself.
func TestAppliedLater(t *testing.T) {
	for _, when := range []string{connector.AppliedOnPost, connector.AppliedNightly} {
		t.Run(when, func(t *testing.T) {
			f := synced(t, "1")
			f.ERP.ApplyWhen(when)
			f.e = f.Start()
			first := f.pays("1", "50")
			f.hook(first)
			r := f.want(billing.KindPayment, first.ObjectID, record.Synced, plan.AppliedLater)
			if len(r.Applied) != 1 || f.due(r) != time.Hour || f.ERP.Count("Balance") != 2 {
				t.Errorf("due in %s, %d readings, %+v", f.due(r), f.ERP.Count("Balance"), r.Applied)
			}
			f.ERP.ApplyReceipts()
			f.ERP.Shift("1", usd("-7")) // and a check of the same night
			f.run(2 * time.Hour)
			if r = f.want(billing.KindPayment, first.ObjectID, record.Synced, ""); len(r.Applied) != 0 || !r.DueAt.IsZero() || has(r, plan.AppliedLater) {
				t.Errorf("still looked at: %+v", r)
			}
			second := f.pays("1", "30")
			f.hook(second)
			f.ERP.Reset()
			f.run(5*24*time.Hour - time.Hour)
			f.want(billing.KindPayment, second.ObjectID, record.Synced, plan.AppliedLater)
			if n := f.ERP.Count("Balance"); n < 4 || n > 9 {
				t.Errorf("%d looks in five days", n)
			}
			f.run(2 * time.Hour)
			r = f.want(billing.KindPayment, second.ObjectID, record.Attention, plan.NotApplied)
			if p := r.Reasons[0].Params; p["days"] != "5" || p["expected"] != "20.00 USD" || p["balance"] != "50.00 USD" {
				t.Errorf("%s: %v", r.Summary, p)
			}
			f.ERP.ApplyReceipts()
			f.run(25 * time.Hour)
			f.want(billing.KindPayment, second.ObjectID, record.Synced, "")
			f.receipts("50.00 application:1:50.00", "30.00 application:1:30.00")
		})
	}
}
