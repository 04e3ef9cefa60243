package plan_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
)

func openInvoice(number, date, balance, contract string) plan.OpenInvoice {
	return plan.OpenInvoice{Number: number, ContractNo: contract, Document: billing.PortalDocument{
		ID: "d" + number, Kind: billing.KindInvoice, CustomerID: "77", Currency: money.USD, Date: billing.Date(date), Total: usd("1000"), Balance: usd(balance),
	}}
}

func creditInput(rule, left string, open ...plan.OpenInvoice) plan.CreditInput {
	in := plan.CreditInput{Settings: company(), Number: "CN1", ContractNo: "K1", Open: open, Note: billing.PortalDocument{
		ID: "n1", Kind: billing.KindCreditNote, CustomerID: "77", Currency: money.USD, Total: usd("500"), Balance: usd(left),
	}}
	in.Settings.CreditNotes.Apply = rule
	return in
}

func TestCredit(t *testing.T) {
	old, young, other := openInvoice("20", "2026-01-01", "100", "K1"), openInvoice("10", "2026-03-01", "80", ""), openInvoice("30", "2026-02-01", "60", "K2")
	same := openInvoice("05", "2026-03-01", "10", "K1")
	change := func(inv plan.OpenInvoice, f func(*billing.PortalDocument)) plan.OpenInvoice {
		f(&inv.Document)
		return inv
	}
	for _, c := range []struct {
		name string
		in   plan.CreditInput
		want string
	}{
		{"none", creditInput("none", "500", old), ""},
		{"oldest first, then by number", creditInput("oldest", "175", young, same, other, old), "20:100.00 30:60.00 05:10.00 10:5.00 "},
		{"more than is owed", creditInput("oldest", "500", old, young), "20:100.00 10:80.00 left"},
		{"same contract", creditInput("same_contract", "175", young, same, other, old), "20:100.00 05:10.00 left"},
		{"nothing left of it", creditInput("oldest", "0", old), ""},
		{"nobody owes", creditInput("oldest", "5"), "left"},
		{"another currency", creditInput("oldest", "5", change(old, func(d *billing.PortalDocument) { d.Currency = "CAD" })), "left"},
		{"another customer", creditInput("oldest", "5", change(old, func(d *billing.PortalDocument) { d.CustomerID = "78" })), "left"},
		{"a payment is on its way", creditInput("oldest", "5", change(old, func(d *billing.PortalDocument) { d.Status = "pending" })), "left"},
		{"a draft", creditInput("oldest", "5", change(old, func(d *billing.PortalDocument) { d.Draft = true })), "left"},
		{"voided", creditInput("oldest", "5", change(old, func(d *billing.PortalDocument) { d.Voided = true })), "left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plan.Credit(c.in)
			got := ""
			for _, s := range p.Steps {
				got += s.Credit.InvoiceNo + ":" + s.Credit.Amount.Amount() + " "
				if s.Key != "credit/CN1/"+s.Credit.InvoiceNo || s.Credit.CreditNoteID != "n1" || s.Credit.InvoiceID != "d"+s.Credit.InvoiceNo {
					t.Errorf("step %+v", s)
				}
			}
			if p.Has(plan.CreditLeft) {
				got += "left"
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	without := creditInput("same_contract", "500", young)
	without.ContractNo = ""
	if p := plan.Credit(without); len(p.Steps) > 0 {
		t.Error("a note without a contract has no contract in common with an invoice without one")
	}
	used := creditInput("oldest", "500", old, young)
	used.Used = []string{"20"}
	if p := plan.Credit(used); len(p.Steps) != 1 || p.Steps[0].Credit.InvoiceNo != "10" {
		t.Errorf("used twice for one invoice: %+v", p.Steps)
	}
}

// TestCreditLaws: never more than is left of the note or owed on an invoice, and the order of the list does not matter.
func TestCreditLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var open []plan.OpenInvoice
		balances := map[string]money.Money{}
		for i := range rapid.IntRange(0, 8).Draw(r, "n") {
			balance := money.FromMinor(rapid.Int64Range(0, 20_000).Draw(r, "balance"), money.USD)
			date := fmt.Sprintf("2026-0%d-01", rapid.IntRange(1, 9).Draw(r, "month"))
			inv := openInvoice(fmt.Sprint(i), date, balance.Amount(), "")
			open, balances[inv.Number] = append(open, inv), balance
		}
		left := money.FromMinor(rapid.Int64Range(0, 50_000).Draw(r, "left"), money.USD)
		p := plan.Credit(creditInput("oldest", left.Amount(), open...))
		used := usd("0")
		for _, s := range p.Steps {
			used = used.Add(s.Credit.Amount)
			if s.Credit.Amount.Sign() <= 0 || s.Credit.Amount.Cmp(balances[s.Credit.InvoiceNo]) > 0 {
				r.Fatalf("%s on %s, which owes %s", s.Credit.Amount, s.Credit.InvoiceNo, balances[s.Credit.InvoiceNo])
			}
		}
		if used.Cmp(left) > 0 {
			r.Fatalf("%s of %s was used", used, left)
		}
		again := plan.Credit(creditInput("oldest", left.Amount(), rapid.Permutation(open).Draw(r, "order")...))
		if fmt.Sprint(digests(again)) != fmt.Sprint(digests(p)) {
			r.Fatal("the order of the list changed the plan")
		}
	})
}
