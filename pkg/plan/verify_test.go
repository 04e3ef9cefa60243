package plan_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
)

func applied(before, amount, now string) plan.Applied {
	return plan.Applied{Receipt: "R1", InvoiceNo: "A1", Before: usd(before), Amount: usd(amount), Now: usd(now)}
}

func TestBalances(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		in      plan.BalancesInput
		verdict plan.Verdict
		text    string // part of the reasons
		next    time.Duration
	}{
		{"nothing to compare", plan.BalancesInput{}, plan.None, "", 0},
		{"as expected", plan.BalancesInput{Applied: []plan.Applied{applied("107", "50", "57"), applied("20", "20", "0")}}, plan.None, "", 0},
		{"too high", plan.BalancesInput{Applied: []plan.Applied{applied("107", "50", "107")}}, plan.Conflict, "should be 57.00 USD, but is 107.00 USD", 0},
		{"too low", plan.BalancesInput{Applied: []plan.Applied{applied("107", "50", "56.99")}}, plan.Conflict, "should be 57.00 USD, but is 56.99 USD", 0},
		{"below zero", plan.BalancesInput{Applied: []plan.Applied{applied("50", "50", "-50")}}, plan.Conflict, "is -50.00 USD", 0},
		{"one of two", plan.BalancesInput{Applied: []plan.Applied{applied("9", "9", "0"), applied("107", "50", "7")}}, plan.Conflict, "was 107.00 USD", 0},
		{"later: just posted", plan.BalancesInput{Later: true, Applied: []plan.Applied{applied("107", "50", "107")}}, plan.Hold, "when the ERP posts it", time.Hour},
		{"later: half a day", plan.BalancesInput{Later: true, Waited: 12 * time.Hour, Applied: []plan.Applied{applied("107", "50", "107")}}, plan.Hold, "R1", 12 * time.Hour},
		{"later: shortly before the end", plan.BalancesInput{Later: true, Waited: 5*day - time.Minute, Applied: []plan.Applied{applied("107", "50", "107")}}, plan.Hold, "R1", time.Minute},
		{"later: applied", plan.BalancesInput{Later: true, Waited: day, Applied: []plan.Applied{applied("107", "50", "57")}}, plan.None, "", 0},
		{"later: others paid, too", plan.BalancesInput{Later: true, Waited: day, Applied: []plan.Applied{applied("107", "50", "1")}}, plan.None, "", 0},
		{"later: in part", plan.BalancesInput{Later: true, Waited: day, Applied: []plan.Applied{applied("107", "50", "60")}}, plan.Hold, "R1", day},
		{"later: too late", plan.BalancesInput{Later: true, Waited: 5 * day, Applied: []plan.Applied{applied("107", "50", "107")}}, plan.Conflict,
			"not applied in the ERP after 5 days: the balance of invoice A1 is 107.00 USD and should be 57.00 USD or less", 0},
	} {
		p, next := plan.Balances(c.in)
		if p.Verdict != c.verdict || next != c.next || !strings.Contains(plan.Text(p.Reasons), c.text) || c.text == "" && len(p.Reasons) > 0 {
			t.Errorf("%s: %s, next in %s: %s", c.name, p.Verdict, next, plan.Text(p.Reasons))
		}
	}
}

// TestBalanceLooksAreBounded: the looks at a receipt that the ERP never applies are few, at growing distance, and end.
func TestBalanceLooksAreBounded(t *testing.T) {
	in := plan.BalancesInput{Later: true, Applied: []plan.Applied{applied("107", "50", "107")}}
	last, looks := time.Duration(0), 0
	for {
		p, next := plan.Balances(in)
		if p.Verdict == plan.Conflict {
			break
		}
		if looks++; looks > 10 || next <= 0 || next < last && in.Waited+next != 5*24*time.Hour {
			t.Fatalf("look %d after %s: the next in %s, the last after %s", looks, in.Waited, next, last)
		}
		in.Waited, last = in.Waited+next, next
	}
	if in.Waited != 5*24*time.Hour || looks < 5 {
		t.Errorf("%d looks in %s", looks, in.Waited)
	}
}

// TestBalanceLaws: what a receipt takes off is expected to the cent, in every currency, and both numbers are told.
func TestBalanceLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cur := rapid.SampledFrom([]money.Currency{"USD", "JPY", "KWD"}).Draw(t, "currency")
		amount := func(name string) money.Money {
			return money.FromMinor(rapid.Int64Range(-1_000_000_000_000, 1_000_000_000_000).Draw(t, name), cur)
		}
		a := plan.Applied{Receipt: "R1", InvoiceNo: "A1", Before: amount("before"), Amount: amount("amount").Abs()}
		a.Now = a.Before.Sub(a.Amount)
		for _, later := range []bool{true, false} {
			if p, _ := plan.Balances(plan.BalancesInput{Applied: []plan.Applied{a}, Later: later}); p.Verdict != plan.None {
				t.Fatalf("%+v: %s", a, plan.Text(p.Reasons))
			}
		}
		by := money.FromMinor(rapid.Int64Range(1, 1_000_000).Draw(t, "by"), cur)
		off := a
		if off.Now = a.Now.Add(by); rapid.Bool().Draw(t, "lower") {
			off.Now = a.Now.Sub(by)
		}
		p, _ := plan.Balances(plan.BalancesInput{Applied: []plan.Applied{off}})
		text := plan.Text(p.Reasons)
		if p.Verdict != plan.Conflict || !p.Has(plan.BalanceDiffers) || !strings.Contains(text, off.Now.String()) || !strings.Contains(text, a.Expected().String()) {
			t.Fatalf("%+v: %s %s", off, p.Verdict, text)
		}
	})
}

func TestVerify(t *testing.T) {
	sent := billing.Receipt{Reference: "IVD-1", Amount: usd("60"), Lines: []billing.ReceiptLine{
		{Kind: billing.LineApplication, InvoiceNo: "A1", Amount: usd("29")}, {Kind: billing.LineApplication, InvoiceNo: "A2", Amount: usd("29")},
		{Kind: billing.LineFee, InvoiceNo: "A1", Amount: usd("1"), GLAccount: "4950"}, {Kind: billing.LineFee, InvoiceNo: "A1", Amount: usd("1"), GLAccount: "4950"},
	}}
	with := func(change func(r *billing.Receipt)) billing.Receipt {
		r := sent
		r.Number, r.Lines = "R7", append([]billing.ReceiptLine(nil), sent.Lines...)
		change(&r)
		return r
	}
	same := with(func(r *billing.Receipt) { r.Lines[0], r.Lines[2] = r.Lines[2], r.Lines[0] })
	for _, c := range []struct {
		name  string
		found []billing.Receipt
		want  string
	}{
		{"in another order", []billing.Receipt{same}, ""},
		{"none", nil, "0 receipts have reference IVD-1"},
		{"twice", []billing.Receipt{same, same}, "2 receipts have reference IVD-1"},
		{"another amount", []billing.Receipt{with(func(r *billing.Receipt) { r.Amount = usd("60.01") })}, "its amount is 60.01 USD, not 60.00 USD"},
		{"a line less", []billing.Receipt{with(func(r *billing.Receipt) { r.Lines = r.Lines[:3] })}, "its lines"},
		{"a line more", []billing.Receipt{with(func(r *billing.Receipt) { r.Lines = append(r.Lines, r.Lines[3]) })}, "its lines"},
		{"to another invoice", []billing.Receipt{with(func(r *billing.Receipt) { r.Lines[1].InvoiceNo = "A1" })}, "its lines"},
		{"of another kind", []billing.Receipt{with(func(r *billing.Receipt) { r.Lines[3].Kind = billing.LineOnAccount })}, "its lines"},
	} {
		got := plan.Verify(sent, "R7", c.found)
		if (got == nil) != (c.want == "") || got != nil && (got.Code != plan.ReceiptMismatch || !strings.Contains(got.Text(), "receipt R7 ") || !strings.Contains(got.Text(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
	if left := plan.MissingLines(sent.Lines, sent.Lines[2:3]); len(left) != 3 || left[2] != sent.Lines[3] {
		t.Errorf("missing %+v", left)
	}
}
