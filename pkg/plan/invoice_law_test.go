package plan_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// drawInvoice makes up an invoice whose lines may or may not add up, in a currency with 0, 2 or 3 decimals.
func drawInvoice(r *rapid.T) (billing.Invoice, settings.Company) {
	set := company()
	cur := rapid.SampledFrom([]money.Currency{"USD", "JPY", "KWD"}).Draw(r, "currency")
	set.Payments.GLAccounts[cur] = "1010"
	amount := func(name string, low, high int64) money.Money {
		return money.FromMinor(rapid.Int64Range(low, high).Draw(r, name), cur)
	}
	inv := invoice()
	inv.Currency, inv.Lines = cur, nil
	inv.Freight, inv.Tax = amount("freight", 0, 500), amount("tax", 0, 5000)
	total := inv.Freight.Add(inv.Tax)
	for i := range rapid.IntRange(0, 8).Draw(r, "lines") {
		l := billing.Line{ID: fmt.Sprint(i), Seq: rapid.IntRange(1, 5).Draw(r, "seq"), Item: "I", Amount: amount("line", -2000, 9000)}
		l.Quantity, l.UnitPrice = dec(rapid.SampledFrom([]string{"1", "2.5", "0", "3"}).Draw(r, "quantity")), l.Amount.Decimal()
		inv.Lines = append(inv.Lines, l)
		total = total.Add(l.Amount)
	}
	inv.Total = total.Add(amount("off", -3, 3)).Add(money.FromMinor(1_000_000, cur))
	inv.Lines = append(inv.Lines, billing.Line{ID: "z", Seq: 9, Item: "BIG", Quantity: dec("1"), UnitPrice: money.FromMinor(1_000_000, cur).Decimal(), Amount: money.FromMinor(1_000_000, cur)})
	if rapid.Bool().Draw(r, "credit") {
		inv.Total, inv.Tax, inv.Freight = inv.Total.Neg(), inv.Tax.Neg(), inv.Freight.Neg()
		for i := range inv.Lines {
			inv.Lines[i].Amount, inv.Lines[i].Quantity = inv.Lines[i].Amount.Neg(), inv.Lines[i].Quantity.Neg()
		}
	}
	inv.Balance = inv.Total
	set.Invoices.LinesWithoutPDF = rapid.SampledFrom([]string{"summary", "detail"}).Draw(r, "lines")
	return inv, set
}

// TestInvoiceLaws: what goes over has the ERP's total to the minor unit; the order of the lines never matters; once it is
// there, there is nothing left to do; and a guard only ever takes steps away.
func TestInvoiceLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		inv, set := drawInvoice(r)
		in := plan.InvoiceInput{Source: inv, Settings: set, CustomerID: "77", Looked: true}
		p := plan.Invoice(in)
		if p.Verdict != plan.Create {
			r.Fatalf("verdict %s: %s", p.Verdict, plan.Text(p.Reasons))
		}
		d := *p.Steps[0].Document
		total := d.Tax
		for _, it := range d.Items {
			total = total.Add(money.Round(it.Quantity.Mul(it.UnitCost), d.Currency))
		}
		if !total.Equal(inv.Total.Abs()) || !d.Total.Equal(inv.Total.Abs()) {
			r.Fatalf("the portal would compute %s, the ERP has %s", total, inv.Total)
		}
		shuffled := in
		shuffled.Source.Lines = rapid.Permutation(inv.Lines).Draw(r, "order")
		if got := plan.Invoice(shuffled); got.Steps[0].Digest() != p.Steps[0].Digest() {
			r.Fatal("the order of the lines changed the plan")
		}
		in.Found = []billing.PortalDocument{found(d)}
		if again := plan.Invoice(in); again.Verdict != plan.Adopt || len(again.Steps) > 0 {
			r.Fatalf("planned again over the result: %s", again.Verdict)
		}
		in.Known = plan.Known{PortalID: "900", Kind: d.Kind, Fingerprint: inv.Fingerprint()}
		if again := plan.Invoice(in); again.Verdict != plan.None {
			r.Fatalf("planned again when known: %s", again.Verdict)
		}
		guarded := plan.InvoiceInput{Source: inv, Settings: set, CustomerID: "77", Looked: true}
		guarded.Settings.Qualify.MinBalance = "1"
		if len(plan.Invoice(guarded).Steps) > 1 {
			r.Fatal("a guard added a step")
		}
	})
}

// TestPaidIsNeverTouched: whatever changes in the ERP, a document with money on it gets no step (F16).
func TestPaidIsNeverTouched(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		inv, set := drawInvoice(r)
		paid := money.FromMinor(rapid.Int64Range(1, 100).Draw(r, "paid"), inv.Currency)
		dest := billing.PortalDocument{ID: "900", Kind: inv.Kind(), Total: inv.Total.Abs().Add(paid), Balance: inv.Total.Abs()}
		p := plan.Invoice(plan.InvoiceInput{
			Source: inv, Settings: set, CustomerID: "77", Looked: true, Dest: &dest,
			Known: plan.Known{PortalID: "900", Kind: inv.Kind(), Fingerprint: "older"},
		})
		if len(p.Steps) > 0 {
			r.Fatalf("a paid document would be changed: %+v", p.Steps)
		}
	})
}
