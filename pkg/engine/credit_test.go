package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// creditNote is an invoice over -150 with a contract.
func creditNote(number, contract string) billing.Invoice {
	inv := enginetest.Invoice(number, "C1")
	for _, m := range []*money.Money{&inv.Subtotal, &inv.Tax, &inv.Total, &inv.Balance} {
		*m = m.Neg()
	}
	line := inv.Lines[0]
	line.UnitPrice, line.Amount = line.UnitPrice.Neg(), line.Amount.Neg()
	inv.Lines, inv.ContractNo = []billing.Line{line}, contract
	return inv
}

// credited is a world with the open invoices 1 (contract K1) and 2, in which credit note 9 over 107 (contract K2) comes.
func credited(t *testing.T, apply string, prepare ...func(f *fixture)) *fixture {
	t.Helper()
	f := steady(t, func(w *enginetest.World) { w.Settings.CreditNotes.Apply = apply })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	first, second := enginetest.Invoice("2", "C1"), enginetest.Over(enginetest.Invoice("1", "C1"), 20)
	first.Date, second.Date, second.ContractNo, first.ContractNo = "2026-04-01", "2026-05-01", "K1", "K2"
	f.ERP.PutInvoices(second, first)
	f.tick()
	for _, p := range prepare {
		p(f)
	}
	f.ERP.PutInvoices(creditNote("9", "K1"))
	f.tick()
	f.want(billing.KindInvoice, "9", record.Synced, "")
	return f
}

// owed is what is left of the portal documents 1, 2 and 9.
func (f *fixture) owed() string {
	text := ""
	for _, n := range []string{"1", "2", "9"} {
		for _, d := range f.Portal.Invoices() {
			if d.Number == n {
				text += d.Balance.Amount() + " "
			}
		}
	}
	return text
}

// TestCreditsAreApplied flips credit_notes.apply. The payments that stand for the uses come back as events and are no cash.
func TestCreditsAreApplied(t *testing.T) {
	for _, c := range []struct{ apply, owed string }{
		{"none", "47.00 107.00 107.00 "},
		{"oldest", "47.00 0.00 0.00 "},
		{"same_contract", "0.00 107.00 60.00 "},
	} {
		t.Run(c.apply, func(t *testing.T) {
			f := credited(t, c.apply)
			f.run(time.Hour)
			if got := f.owed(); got != c.owed {
				t.Errorf("left of 1, 2 and the note: %s, want %s", got, c.owed)
			}
			f.receipts()
			for _, id := range f.Portal.PaymentIDs() {
				f.want(billing.KindPayment, id, record.Skipped, plan.CreditsOnly)
			}
			if c.apply == "none" {
				if f.Record(billing.KindCredit, "9") != nil || len(f.Portal.PaymentIDs()) != 0 {
					t.Error("something was applied")
				}
				return
			}
			r := f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
			if len(r.Uses) != 1 || r.Uses[0].PaymentID != f.Portal.PaymentIDs()[0] {
				t.Errorf("uses %+v", r.Uses)
			}
			if f.entry("credit/9/"+r.Uses[0].Invoice).State != "done" {
				t.Error("the journal does not have it")
			}
			f.noOpenEffects()
			f.sync(billing.KindCredit, "9")
			if n := f.Portal.Count("ApplyCreditNote"); n != 1 {
				t.Errorf("applied %d times", n)
			}
		})
	}
}

func TestCreditOverSeveralInvoices(t *testing.T) {
	f := credited(t, "oldest", func(f *fixture) {
		f.pays("2", "60") // 47 are left of it
	})
	f.run(time.Hour)
	if got := f.owed(); got != "0.00 0.00 13.00 " {
		t.Errorf("left %s", got)
	}
	r := f.want(billing.KindCredit, "9", record.Synced, plan.CreditLeft)
	if len(r.Uses) != 2 || r.Uses[0].Invoice != "2" || r.Uses[0].Amount != "47.00" || r.Uses[1].Amount != "47.00" {
		t.Errorf("uses %+v", r.Uses)
	}
}

// TestLostCreditUse: an answer that was lost is looked up, never repeated blindly.
func TestLostCreditUse(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault enginetest.Fault
		calls int
	}{
		{"written", lost("ApplyCreditNote", true), 1},
		{"not written", lost("ApplyCreditNote", false), 2},
		{"throttled", enginetest.Fault{Method: "ApplyCreditNote", Nth: 1, Class: connector.ClassRetry}, 2},
		{"the list is down", enginetest.Fault{Method: "OpenInvoices", Nth: 1, Class: connector.ClassRetry}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := credited(t, "oldest", func(f *fixture) { f.Portal.Fail(c.fault) })
			f.run(time.Hour)
			if got := f.owed(); got != "47.00 0.00 0.00 " {
				t.Errorf("left %s", got)
			}
			r := f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
			if n := f.Portal.Count("ApplyCreditNote"); n != c.calls || len(r.Uses) != 1 || r.Uses[0].PaymentID == "" {
				t.Errorf("%d calls, uses %+v", n, r.Uses)
			}
			f.noOpenEffects()
			f.receipts()
		})
	}
}

// TestRefusedCreditUse: somebody else was quicker, so that the portal does not take the use; what is left is planned anew. A
// portal that goes on refusing is for a person, and asked again now and then.
func TestRefusedCreditUse(t *testing.T) {
	refusal := func(nth int) enginetest.Fault {
		return enginetest.Fault{Method: "ApplyCreditNote", Nth: nth, Class: connector.ClassInvalid}
	}
	f := credited(t, "oldest", func(f *fixture) { f.Portal.Fail(refusal(1)) })
	f.run(2 * time.Minute)
	f.want(billing.KindCredit, "9", record.Scheduled, plan.VendorRefused)
	id := func(number string) string { return f.Record(billing.KindInvoice, number).PortalID }
	f.Portal.AutoApply(id("9"), id("2"), usd("100"))
	f.run(time.Hour)
	if got := f.owed(); got != "47.00 0.00 0.00 " && got != "40.00 7.00 0.00 " {
		t.Errorf("left %s", got)
	}
	f.want(billing.KindCredit, "9", record.Synced, "")
	f.noOpenEffects()

	f = credited(t, "oldest", func(f *fixture) {
		for nth := range 4 {
			f.Portal.Fail(refusal(nth + 1))
		}
	})
	f.run(4 * time.Hour)
	f.want(billing.KindCredit, "9", record.Attention, plan.VendorRefused)
	if n := f.Portal.Count("ApplyCreditNote"); n != 4 {
		t.Errorf("tried %d times", n)
	}
	f.run(3 * time.Hour) // it is planned anew now and then, and the portal takes it at last
	f.want(billing.KindCredit, "9", record.Synced, "")
}

// TestLostCreditUseAmongUnreadable: while a payment of the list can not be read, the use may be that one: nothing is repeated.
func TestLostCreditUseAmongUnreadable(t *testing.T) {
	f := credited(t, "same_contract", func(f *fixture) { f.Portal.Fail(lost("ApplyCreditNote", true)) })
	f.run(2 * time.Minute)
	used := f.Portal.PaymentIDs()[0]
	f.Portal.Spoil(used, "amount is no number")
	f.run(2 * time.Hour)
	if n := f.Portal.Count("ApplyCreditNote"); n != 1 {
		t.Errorf("applied %d times", n)
	}
	f.Portal.Spoil(used, "")
	f.run(2 * time.Hour)
	f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
	if n := f.Portal.Count("ApplyCreditNote"); n != 1 {
		t.Errorf("applied %d times in the end", n)
	}
}

// TestLostCreditUseAndSomebodyElse: while the outcome is unknown a person uses the note for another invoice by as much.
func TestLostCreditUseAndSomebodyElse(t *testing.T) {
	f := credited(t, "same_contract", func(f *fixture) { f.Portal.Fail(lost("ApplyCreditNote", false)) })
	f.run(3 * time.Minute)
	f.want(billing.KindCredit, "9", record.Unknown, plan.OutcomeUnknown)
	id := func(number string) string { return f.Record(billing.KindInvoice, number).PortalID }
	f.Portal.AutoApply(id("9"), id("2"), usd("47"))
	f.run(time.Hour)
	if got := f.owed(); got != "0.00 60.00 13.00 " {
		t.Errorf("left %s", got)
	}
	f.want(billing.KindCredit, "9", record.Synced, plan.CreditLeft)
}

// TestPortalUsesTheCreditItself: the portal's own setting was faster; there is nothing left, and nothing becomes cash.
func TestPortalUsesTheCreditItself(t *testing.T) {
	f := credited(t, "oldest")
	id := func(number string) string { return f.Record(billing.KindInvoice, number).PortalID }
	f.hook(f.Portal.AutoApply(id("9"), id("2"), usd("107")))
	f.run(time.Hour)
	f.want(billing.KindCredit, "9", record.Synced, "")
	if n := f.Portal.Count("ApplyCreditNote"); n != 0 {
		t.Errorf("applied %d times", n)
	}
	f.receipts()
}

// TestCreditPartOfAPayment: the cash part of a payment is posted, the credit it uses is not (F25).
func TestCreditPartOfAPayment(t *testing.T) {
	f := synced(t, "1")
	ev := f.pays("1", "60", billing.Application{Type: billing.ApplyCreditNote, InvoiceID: f.document().ID, Amount: usd("40")},
		billing.Application{Type: billing.ApplyAppliedCredit, InvoiceID: f.document().ID, Amount: usd("7")})
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("60.00 application:1:60.00")
}

func TestCreditInReadOnlyMode(t *testing.T) {
	f := credited(t, "oldest")
	f.Settings.Mode = "read_only"
	f.e = f.Start()
	f.run(30 * time.Minute)
	f.want(billing.KindCredit, "9", record.Waiting, plan.ReadOnly)
	f.Settings.Mode = "live"
	f.e = f.Start()
	f.run(2 * time.Hour)
	f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
}

// TestCreditCrashEverywhere kills the process at every call that leaves it while a credit note is applied.
func TestCreditCrashEverywhere(t *testing.T) {
	for n := 1; ; n++ {
		died := false
		for _, after := range []bool{false, true} {
			f := credited(t, "oldest", func(f *fixture) { f.pays("2", "60") })
			f.Clock.Advance(3 * time.Minute)
			e := f.StartOn(enginetest.NewLine(n, after))
			died = enginetest.Dies(func() { tick(t, f.World, e) })
			f.Bus.Lose()
			f.e = f.Start()
			f.run(30 * time.Minute)
			if got := f.owed(); got != "0.00 0.00 13.00 " {
				t.Fatalf("killed at call %d, after %v: left %s", n, after, got)
			}
			if r := f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied); len(r.Uses) != 2 || r.Uses[1].PaymentID == "" {
				t.Fatalf("killed at call %d, after %v: uses %+v", n, after, r.Uses)
			}
			f.noOpenEffects()
		}
		if !died {
			if n < 15 {
				t.Fatalf("the workflow has %d calls; it is cut short", n)
			}
			return
		}
	}
}
