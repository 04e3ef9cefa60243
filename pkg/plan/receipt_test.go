package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

func linesOf(r *billing.Receipt) string {
	text := ""
	for _, l := range r.Lines {
		text += fmt.Sprintf("%s %s %s; ", l.Kind, l.InvoiceNo, l.Amount.Amount())
	}
	return text
}

func receiptsOf(p plan.Plan) string {
	text := ""
	for _, s := range p.Steps {
		text += fmt.Sprintf("%s %s/%s %s %s: %s| ", s.Receipt.Reference, s.Receipt.CompanyNo, s.Receipt.CustomerNo, s.Receipt.GLAccount, s.Receipt.Amount.Amount(), linesOf(s.Receipt))
	}
	return text
}

// TestReceiptPerCompany: each company's receipt has its own account, method, fee strategy and date, and the references follow
// (company, customer), not the order of the parts.
func TestReceiptPerCompany(t *testing.T) {
	in := card()
	b := in.Invoices["1"]
	b.CompanyNo, b.CustomerNo = "02", "A0"
	in.Invoices["1"] = b
	if p := plan.Payment(in); p.Verdict != plan.Conflict || !p.Has(plan.OtherCompany) {
		t.Fatalf("company 02 is not configured: %s, %s", p.Verdict, plan.Text(p.Reasons))
	}
	other := company()
	other.Q360Company, other.TimeZone, other.Fees.Strategy = "02", time.UTC, "gl_line"
	other.Payments.GLAccounts = map[money.Currency]string{money.USD: "2010"}
	other.Payments.Methods = map[string]string{"credit_card": "VISA"}
	in.Others = map[string]settings.Company{"02": other}
	p := plan.Payment(in)
	want := "IVD-9001 01/C1 1010 686.00: application A2 333.33; application A3 333.34; fee A2 9.66; fee A3 9.67; | IVD-9001-2 02/A0 2010 343.00: application A1 333.33; fee  9.67; | "
	if got := receiptsOf(p); got != want {
		t.Fatalf("receipts\n%s, want\n%s", got, want)
	}
	if r := p.Steps[1].Receipt; r.PayMethod != "VISA" || r.Date != "2026-05-05" || p.Steps[0].Receipt.Date != "2026-05-04" {
		t.Errorf("the second receipt has %s of %s, the first is of %s", r.PayMethod, r.Date, p.Steps[0].Receipt.Date)
	}
	other.Payments.GLAccounts = nil
	in.Others["02"] = other
	if p := plan.Payment(in); !p.Has(plan.NoGLAccount) || len(p.Steps) > 0 {
		t.Errorf("without an account of company 02: %s, %s", p.Verdict, plan.Text(p.Reasons))
	}
}

// TestFeesOverSeveralReceipts: every strategy, to the cent, over two receipts.
func TestFeesOverSeveralReceipts(t *testing.T) {
	for strategy, want := range map[string]string{
		"proportional": "IVD-9001 01/B7 1010 343.00: application A1 333.33; fee A1 9.67; | IVD-9001-2 01/C1 1010 686.00: application A2 333.33; application A3 333.34; fee A2 9.66; fee A3 9.67; | ",
		"gl_line":      "IVD-9001 01/B7 1010 343.00: application A1 333.33; fee  9.67; | IVD-9001-2 01/C1 1010 686.00: application A2 333.33; application A3 333.34; fee  19.33; | ",
		"unapplied":    "IVD-9001 01/B7 1010 343.00: application A1 333.33; on_account  9.67; | IVD-9001-2 01/C1 1010 686.00: application A2 333.33; application A3 333.34; on_account  19.33; | ",
		"exclude":      "IVD-9001 01/B7 1010 333.33: application A1 333.33; | IVD-9001-2 01/C1 1010 666.67: application A2 333.33; application A3 333.34; | ",
	} {
		in := card()
		in.Settings.Fees.Strategy = strategy
		b := in.Invoices["1"]
		b.CustomerNo = "B7"
		in.Invoices["1"] = b
		if got := receiptsOf(plan.Payment(in)); got != want {
			t.Errorf("%s:\n%s, want\n%s", strategy, got, want)
		}
	}
}

func TestFeeReasons(t *testing.T) {
	for strategy, code := range map[string]plan.Code{
		"proportional": plan.FeeAllocated, "gl_line": plan.FeeOneLine, "unapplied": plan.FeeUnapplied, "exclude": plan.FeeExcluded,
	} {
		in := card()
		in.Settings.Fees.Strategy = strategy
		if p := plan.Payment(in); !p.Has(code) {
			t.Errorf("%s: %s", strategy, plan.Text(p.Reasons))
		}
	}
}

func TestReceiptDate(t *testing.T) {
	for _, c := range []struct{ setting, want string }{{"payment", "2026-05-04"}, {"settlement", "2026-05-08"}} {
		in := card()
		in.Payment.Charge.Updated = time.Date(2026, 5, 9, 1, 0, 0, 0, time.UTC) // the evening of the 8th in the company's zone
		in.Settings.Payments.Date = c.setting
		if got := plan.Payment(in).Steps[0].Receipt.Date; string(got) != c.want {
			t.Errorf("payments.date %s: %s, want %s", c.setting, got, c.want)
		}
	}
	in := card()
	in.Settings.Payments.Date, in.Payment.Charge = "settlement", nil
	in.Settings.Payments.Mode = "all"
	if got := plan.Payment(in).Steps[0].Receipt.Date; got != "2026-05-04" {
		t.Errorf("without a charge the day of the payment is all there is; got %s", got)
	}
}

// TestTwoPartsOfOneInvoice: together they may not be more than is owed, and make one line.
func TestTwoPartsOfOneInvoice(t *testing.T) {
	in := card()
	in.Payment.Applications = []billing.Application{
		{Type: billing.ApplyInvoice, InvoiceID: "1", Amount: usd("200")}, {Type: billing.ApplyInvoice, InvoiceID: "1", Amount: usd("100")},
	}
	in.Payment.Amount = usd("300")
	if got := receiptsOf(plan.Payment(in)); got != "IVD-9001 01/C1 1010 300.00: application A1 300.00; | " {
		t.Errorf("receipts %s", got)
	}
	in.Payment.Applications[1].Amount, in.Payment.Amount = usd("200"), usd("400")
	if p := plan.Payment(in); !p.Has(plan.Overpayment) {
		t.Errorf("400 on 333.33: %s, %s", p.Verdict, plan.Text(p.Reasons))
	}
}

func TestAdvance(t *testing.T) {
	in := card()
	in.Payment.Applications, in.Payment.Unapplied = []billing.Application{{Type: billing.ApplyCredit, Amount: usd("529")}}, usd("500")
	if p := plan.Payment(in); p.Verdict != plan.Conflict || !p.Has(plan.Overpayment) {
		t.Errorf("hold: %s, %s", p.Verdict, plan.Text(p.Reasons))
	}
	in.Settings.Payments.Overpayment = "on_account"
	if p := plan.Payment(in); !p.Has(plan.UnknownPayer) || len(p.Steps) > 0 {
		t.Errorf("nobody's: %s, %s", p.Verdict, plan.Text(p.Reasons))
	}
	in.PayerNo = "C9"
	if got := receiptsOf(plan.Payment(in)); got != "IVD-9001 01/C9 1010 1029.00: on_account  1029.00; | " {
		t.Errorf("receipts %s", got)
	}
}

// TestAfterPosting: what was posted stays, and every later change of the money is told with payment, receipts and amount.
func TestAfterPosting(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*plan.PaymentInput)
		code   plan.Code
		says   []string
	}{
		{"refunded in part", func(in *plan.PaymentInput) { in.Payment.Charge.Refunded = usd("5") }, plan.Refunded, []string{"9001", "R1, R2", "5.00 USD"}},
		{"refunded in full", func(in *plan.PaymentInput) { in.Payment.Charge.Refunded = usd("1029") }, plan.RefundedWhole, []string{"9001", "R1, R2", "1029.00 USD"}},
		{"disputed", func(in *plan.PaymentInput) { in.Payment.Charge.Disputed = true }, plan.Disputed, []string{"9001", "R1, R2", "1029.00 USD"}},
		{"voided", func(in *plan.PaymentInput) { in.Payment.Voided = true }, plan.ReversedAfter, []string{"9001", "R1, R2", "1029.00 USD"}},
		{"returned", func(in *plan.PaymentInput) { in.Payment.Charge.Status = billing.ChargeFailed }, plan.ReversedAfter, []string{"9001", "R1, R2"}},
		{"other amount", func(in *plan.PaymentInput) { in.Payment.Amount = usd("1000") }, plan.ChangedWhenPosted, []string{"9001", "R1, R2", "1029.00 USD", "1000.00 USD"}},
		{"other invoices", func(in *plan.PaymentInput) { in.Payment.Applications[0].InvoiceID = "1" }, plan.ChangedWhenPosted, []string{"9001", "R1, R2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := card()
			in.Complete, in.PostedAs = true, plan.Parts(in.Payment)
			in.Posted = map[string]billing.Receipt{"IVD-9001": {Number: "R1", Amount: usd("343")}, "IVD-9001-2": {Number: "R2", Amount: usd("686")}}
			if p := plan.Payment(in); p.Verdict != plan.None {
				t.Fatalf("before: %s, %s", p.Verdict, plan.Text(p.Reasons))
			}
			c.change(&in)
			p := plan.Payment(in)
			if p.Verdict != plan.Conflict || !p.Has(c.code) || len(p.Steps) > 0 {
				t.Fatalf("%s, %s", p.Verdict, plan.Text(p.Reasons))
			}
			for _, s := range c.says {
				if !strings.Contains(plan.Text(p.Reasons), s) {
					t.Errorf("%q does not name %s", plan.Text(p.Reasons), s)
				}
			}
		})
	}
}

func TestBeforePosting(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*plan.PaymentInput)
		verdict plan.Verdict
		code    plan.Code
	}{
		{"refunded in full", func(in *plan.PaymentInput) { in.Payment.Charge.Refunded = usd("1029") }, plan.Conflict, plan.RefundedBefore},
		{"refunded in part", func(in *plan.PaymentInput) { in.Payment.Charge.Refunded = usd("5") }, plan.Create, plan.FeeAllocated},
		{"another currency", func(in *plan.PaymentInput) {
			b := in.Invoices["2"]
			b.Currency, b.Balance = "CAD", money.MustParse("333.33", "CAD")
			in.Invoices["2"] = b
		}, plan.Conflict, plan.CurrencyDiffers},
		{"not posted any more", func(in *plan.PaymentInput) {
			b := in.Invoices["2"]
			b.Posted = false
			in.Invoices["2"] = b
		}, plan.Conflict, plan.InvoiceUnposted},
		{"a negative part", func(in *plan.PaymentInput) { in.Payment.Applications[0].Amount = usd("-1") }, plan.Conflict, plan.UnknownPart},
		{"half posted, then off", func(in *plan.PaymentInput) {
			in.Posted, in.Settings.Payments.Mode = map[string]billing.Receipt{"IVD-9001": {Number: "R1", Amount: usd("1029")}}, "off"
		}, plan.Hold, plan.PaymentsOff},
		{"half posted, then changed", func(in *plan.PaymentInput) {
			in.Posted = map[string]billing.Receipt{"IVD-9001": {Number: "R1", Amount: usd("1000")}}
		}, plan.Conflict, plan.ReceiptMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := card()
			c.change(&in)
			if p := plan.Payment(in); p.Verdict != c.verdict || !p.Has(c.code) {
				t.Errorf("%s, %s", p.Verdict, plan.Text(p.Reasons))
			}
		})
	}
}

// TestPartsIgnoreOrder: the text tells parts apart, whatever order they come in; credits used up are none.
func TestPartsIgnoreOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pay := card().Payment
		pay.Applications = append(pay.Applications, billing.Application{Type: billing.ApplyCreditNote, InvoiceID: "1", Amount: usd("9")})
		shuffled := pay
		shuffled.Applications = rapid.Permutation(pay.Applications).Draw(r, "order")
		if plan.Parts(shuffled) != plan.Parts(card().Payment) {
			r.Fatalf("%s", plan.Parts(shuffled))
		}
	})
}
