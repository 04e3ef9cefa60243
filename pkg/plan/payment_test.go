package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
)

// card is a settled card payment of 333.33 + 333.33 + 333.34 with a fee of 29.00.
func card() plan.PaymentInput {
	pay := billing.Payment{
		ID: "9001", Date: time.Date(2026, 5, 5, 2, 30, 0, 0, time.UTC), Currency: money.USD, Amount: usd("1029"), Unapplied: usd("0"), Method: "credit_card",
		Charge: &billing.Charge{ID: "1", Status: billing.ChargeSucceeded, Refunded: usd("0")},
		Applications: []billing.Application{
			{Type: billing.ApplyInvoice, InvoiceID: "3", Amount: usd("333.34")},
			{Type: billing.ApplyInvoice, InvoiceID: "1", Amount: usd("333.33")},
			{Type: billing.ApplyInvoice, InvoiceID: "2", Amount: usd("333.33")},
			{Type: billing.ApplyConvenienceFee, Amount: usd("29")},
		},
	}
	in := plan.PaymentInput{Payment: pay, Settings: company(), Invoices: map[string]billing.Balance{}}
	for id, amount := range map[string]string{"1": "333.33", "2": "333.33", "3": "333.34"} {
		in.Invoices[id] = billing.Balance{Number: "A" + id, CompanyNo: "01", CustomerNo: "C1", Currency: money.USD, Total: usd(amount), Balance: usd(amount), Posted: true}
	}
	return in
}

func TestPaymentVerdicts(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*plan.PaymentInput)
		verdict plan.Verdict
		reason  plan.Code
	}{
		{"settled card", func(*plan.PaymentInput) {}, plan.Create, plan.FeeAllocated},
		{"payments off", func(in *plan.PaymentInput) { in.Settings.Payments.Mode = "off" }, plan.Skip, plan.PaymentsOff},
		{"pending", func(in *plan.PaymentInput) { in.Payment.Charge.Status = billing.ChargePending }, plan.Hold, plan.PaymentPending},
		{"a status nobody knows", func(in *plan.PaymentInput) { in.Payment.Charge.Status = "reviewing" }, plan.Hold, plan.PaymentPending},
		{"failed", func(in *plan.PaymentInput) { in.Payment.Charge.Status = billing.ChargeFailed }, plan.Skip, plan.PaymentFailed},
		{"voided", func(in *plan.PaymentInput) { in.Payment.Voided = true }, plan.Skip, plan.PaymentVoided},
		{"check, charged only", func(in *plan.PaymentInput) { in.Payment.Charge, in.Payment.Method = nil, "check" }, plan.Skip, plan.NotCharged},
		{"check, all", func(in *plan.PaymentInput) {
			in.Payment.Charge, in.Payment.Method, in.Settings.Payments.Mode = nil, "check", "all"
		}, plan.Create, ""},
		{"credits only", func(in *plan.PaymentInput) {
			in.Payment.Charge, in.Payment.Amount = nil, usd("0")
			in.Payment.Applications = []billing.Application{{Type: billing.ApplyCreditNote, InvoiceID: "1", Amount: usd("333.33")}}
		}, plan.Skip, plan.CreditsOnly},
		{"parts do not add up", func(in *plan.PaymentInput) { in.Payment.Amount = usd("1029.01") }, plan.Conflict, plan.SumsDiffer},
		{"part of unknown type", func(in *plan.PaymentInput) { in.Payment.Applications[0].Type = "gift_card" }, plan.Conflict, plan.UnknownPart},
		{"invoice of somebody else", func(in *plan.PaymentInput) { delete(in.Invoices, "2") }, plan.Conflict, plan.UnknownInvoice},
		{"method not mapped", func(in *plan.PaymentInput) { in.Payment.Method = "paypal" }, plan.Conflict, plan.NoMethod},
		{"no bank account", func(in *plan.PaymentInput) { in.Settings.Payments.GLAccounts = nil }, plan.Conflict, plan.NoGLAccount},
		{"balance fell, hold", func(in *plan.PaymentInput) { lower(in, "2", "100") }, plan.Conflict, plan.Overpayment},
		{"balance fell, on account", func(in *plan.PaymentInput) {
			lower(in, "2", "100")
			in.Settings.Payments.Overpayment = "on_account"
		}, plan.Create, plan.OnAccount},
		{"advance, hold", func(in *plan.PaymentInput) { in.Payment.Amount, in.Payment.Unapplied = usd("1039"), usd("10") }, plan.Conflict, plan.Overpayment},
		{"advance, on account", func(in *plan.PaymentInput) {
			in.Payment.Amount, in.Payment.Unapplied, in.Settings.Payments.Overpayment = usd("1039"), usd("10"), "on_account"
		}, plan.Create, plan.OnAccount},
		{"to be keyed in", func(in *plan.PaymentInput) { in.Settings.Payments.ReceiptMode = "hold" }, plan.Hold, plan.HeldForEntry},
		{"another company's invoice", func(in *plan.PaymentInput) {
			b := in.Invoices["2"]
			b.CompanyNo = "02"
			in.Invoices["2"] = b
		}, plan.Conflict, plan.OtherCompany},
		{"posted and complete", func(in *plan.PaymentInput) { in.Posted, in.Complete = posted(), true }, plan.None, plan.Unchanged},
		{"posted, not known to be complete", func(in *plan.PaymentInput) { in.Posted = posted() }, plan.None, plan.Unchanged},
		{"voided after posting", func(in *plan.PaymentInput) { in.Posted, in.Complete, in.Payment.Voided = posted(), true, true }, plan.Conflict, plan.ReversedAfter},
		{"returned after posting", func(in *plan.PaymentInput) {
			in.Posted, in.Complete, in.Payment.Charge.Status = posted(), true, billing.ChargeFailed
		}, plan.Conflict, plan.ReversedAfter},
		{"refunded after posting", func(in *plan.PaymentInput) {
			in.Posted, in.Complete, in.Payment.Charge.Refunded = posted(), true, usd("5")
		}, plan.Conflict, plan.Refunded},
		{"disputed", func(in *plan.PaymentInput) { in.Posted, in.Complete, in.Payment.Charge.Disputed = posted(), true, true }, plan.Conflict, plan.Disputed},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := card()
			c.change(&in)
			p := plan.Payment(in)
			if p.Verdict != c.verdict || c.reason != "" && !p.Has(c.reason) {
				t.Fatalf("got %s (%s), want %s because %s", p.Verdict, plan.Text(p.Reasons), c.verdict, c.reason)
			}
			if p.Verdict != plan.Create && p.Verdict != plan.Hold && len(p.Steps) > 0 {
				t.Fatalf("verdict %s would post %d receipts", p.Verdict, len(p.Steps))
			}
		})
	}
}

func posted() map[string]billing.Receipt {
	return map[string]billing.Receipt{"IVD-9001": {Number: "R1", Reference: "IVD-9001", Amount: usd("1029")}}
}

func lower(in *plan.PaymentInput, id, balance string) {
	b := in.Invoices[id]
	b.Balance = usd(balance)
	in.Invoices[id] = b
}

func TestReceiptToTheCent(t *testing.T) {
	for _, c := range []struct{ strategy, amount, lines string }{
		{"proportional", "1029.00", "application A1 333.33 application A2 333.33 application A3 333.34 fee A1 9.67 fee A2 9.66 fee A3 9.67 "},
		{"gl_line", "1029.00", "application A1 333.33 application A2 333.33 application A3 333.34 fee  29.00 "},
		{"unapplied", "1029.00", "application A1 333.33 application A2 333.33 application A3 333.34 on_account  29.00 "},
		{"exclude", "1000.00", "application A1 333.33 application A2 333.33 application A3 333.34 "},
	} {
		t.Run(c.strategy, func(t *testing.T) {
			in := card()
			in.Settings.Fees.Strategy = c.strategy
			p := plan.Payment(in)
			if len(p.Steps) != 1 {
				t.Fatalf("%d receipts: %s", len(p.Steps), plan.Text(p.Reasons))
			}
			r := p.Steps[0].Receipt
			lines := ""
			for _, l := range r.Lines {
				lines += fmt.Sprintf("%s %s %s ", l.Kind, l.InvoiceNo, l.Amount.Amount())
			}
			if lines != c.lines || r.Amount.Amount() != c.amount {
				t.Errorf("receipt over %s with %s", r.Amount, lines)
			}
			if r.Reference != "IVD-9001" || r.GLAccount != "1010" || r.PayMethod != "CARD" {
				t.Errorf("header %+v", r)
			}
			if r.Date != "2026-05-04" {
				t.Errorf("02:30 UTC is the evening before in the company's zone; got %s", r.Date)
			}
		})
	}
}

func TestOneReceiptPerCustomer(t *testing.T) {
	in := card()
	b := in.Invoices["1"]
	b.CustomerNo = "B7"
	in.Invoices["1"] = b
	p := plan.Payment(in)
	if len(p.Steps) != 2 {
		t.Fatalf("%d receipts, want 2", len(p.Steps))
	}
	first, second := p.Steps[0].Receipt, p.Steps[1].Receipt
	if first.Reference != "IVD-9001" || first.CustomerNo != "B7" || second.Reference != "IVD-9001-2" || second.CustomerNo != "C1" {
		t.Errorf("references do not follow the customers: %+v %+v", first, second)
	}
	if total := first.Amount.Add(second.Amount); !total.Equal(usd("1029")) {
		t.Errorf("receipts add up to %s", total)
	}
	in.Posted = map[string]billing.Receipt{"IVD-9001": *first}
	again := plan.Payment(in)
	if len(again.Steps) != 1 || again.Steps[0].Receipt.Reference != "IVD-9001-2" {
		t.Errorf("after the first was posted: %+v", again.Steps)
	}
}

// TestReceiptLaws: whatever is paid, the receipts add up to the cash of the payment, no line is negative or above its
// balance, and the order of the parts never matters.
func TestReceiptLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := card()
		in.Settings.Fees.Strategy = rapid.SampledFrom([]string{"proportional", "gl_line", "unapplied", "exclude"}).Draw(r, "fees")
		in.Settings.Payments.Overpayment = rapid.SampledFrom([]string{"hold", "on_account"}).Draw(r, "over")
		in.Payment.Applications, in.Invoices = nil, map[string]billing.Balance{}
		cash := usd("0")
		for i := range rapid.IntRange(1, 6).Draw(r, "n") {
			id := fmt.Sprint(i)
			amount := money.FromMinor(rapid.Int64Range(1, 1_000_000).Draw(r, "amount"), money.USD)
			balance := money.FromMinor(rapid.Int64Range(0, 1_000_000).Draw(r, "balance"), money.USD)
			in.Invoices[id] = billing.Balance{
				Number: "A" + id, CompanyNo: "01", CustomerNo: rapid.SampledFrom([]string{"C1", "C2"}).Draw(r, "customer"),
				Currency: money.USD, Total: balance, Balance: balance, Posted: true,
			}
			in.Payment.Applications = append(in.Payment.Applications, billing.Application{Type: billing.ApplyInvoice, InvoiceID: id, Amount: amount})
			cash = cash.Add(amount)
		}
		fee := money.FromMinor(rapid.Int64Range(0, 5000).Draw(r, "fee"), money.USD)
		in.Payment.Applications = append(in.Payment.Applications, billing.Application{Type: billing.ApplyConvenienceFee, Amount: fee})
		in.Payment.Amount = cash.Add(fee)
		p := plan.Payment(in)
		shuffled := in
		shuffled.Payment.Applications = rapid.Permutation(in.Payment.Applications).Draw(r, "order")
		if fmt.Sprint(plan.Payment(shuffled).Verdict, digests(plan.Payment(shuffled))) != fmt.Sprint(p.Verdict, digests(p)) {
			r.Fatalf("the order of the parts changed the plan")
		}
		if p.Verdict != plan.Create {
			return
		}
		want := in.Payment.Amount
		if in.Settings.Fees.Strategy == "exclude" {
			want = cash
		}
		checkReceipts(r, p, in, want)
	})
}

func digests(p plan.Plan) (out []string) {
	for _, s := range p.Steps {
		out = append(out, s.Digest())
	}
	return out
}

func checkReceipts(r *rapid.T, p plan.Plan, in plan.PaymentInput, want money.Money) {
	total := usd("0")
	balances := map[string]money.Money{}
	for _, b := range in.Invoices {
		balances[b.Number] = b.Balance
	}
	for _, s := range p.Steps {
		lines := usd("0")
		for _, l := range s.Receipt.Lines {
			lines = lines.Add(l.Amount)
			if l.Amount.Sign() <= 0 {
				r.Fatalf("line %+v is not positive", l)
			}
			if l.Kind == billing.LineApplication && l.Amount.Cmp(balances[l.InvoiceNo]) > 0 {
				r.Fatalf("line %+v is above the balance %s", l, balances[l.InvoiceNo])
			}
		}
		if !lines.Equal(s.Receipt.Amount) {
			r.Fatalf("lines %s, receipt %s", lines, s.Receipt.Amount)
		}
		total = total.Add(s.Receipt.Amount)
	}
	if !total.Equal(want) {
		r.Fatalf("receipts %s, cash %s", total, want)
	}
}
