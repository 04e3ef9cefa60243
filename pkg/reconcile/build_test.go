package reconcile_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
)

// now is when the made-up comparisons are made.
func now() time.Time { return time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC) }

// inStep is a business in which both sides agree: two invoices, one of them paid by a settled payment with its receipt, and
// a credit.
func inStep() reconcile.Input {
	in := reconcile.Input{
		Company: "us", Settings: enginetest.Settings(), At: now(), Polled: now().Add(-time.Minute), From: "2026-04-01", To: "2026-05-20", Since: "2026-03-01",
	}
	bill(&in, "104233", 10_000, "2026-04-10")
	bill(&in, "104234", 5_000, "2026-05-02")
	bill(&in, "104235", -2_000, "2026-05-03")
	pay(&in, "5001", "104233", 10_000, 300, "2026-05-05")
	return in
}

// bill adds a document to both sides, with its record.
func bill(in *reconcile.Input, number string, total int64, date billing.Date) {
	kind := billing.KindInvoice
	if total < 0 {
		kind = billing.KindCreditNote
	}
	in.ERP.Documents = append(in.ERP.Documents, reconcile.Document{
		Traits: &reconcile.Traits{Kind: kind, Date: date, Company: "01", Currency: money.USD, Method: "CHECK"}, Number: number, Customer: "C1", Total: total, Balance: total, Posted: true, Modified: now().Add(-100 * time.Hour).Unix()})
	in.Portal.Documents = append(in.Portal.Documents, reconcile.Document{
		Traits: &reconcile.Traits{Kind: kind, Date: date, Currency: money.USD, Owner: "01/"}, Number: number, ID: "p" + number, Total: total, Balance: total})
	in.Records = append(in.Records, reconcile.Record{Standing: synced(billing.KindInvoice), Number: number, PortalID: "p" + number})
}

// pay adds a settled payment of a document with a fee, its receipt and its record.
func pay(in *reconcile.Input, id, number string, amount, fee int64, date billing.Date) {
	in.Portal.Payments = append(in.Portal.Payments, reconcile.Payment{ID: id, Customer: "77", Date: date, Currency: money.USD, Method: "credit_card",
		Charged: true, Status: billing.ChargeSucceeded, Amount: amount + fee, Updated: now().Add(-50 * time.Hour).Unix(),
		Parts: []reconcile.Part{{Type: billing.ApplyInvoice, InvoiceID: "p" + number, Amount: amount}, {Type: billing.ApplyConvenienceFee, Amount: fee}}})
	in.ERP.Receipts = append(in.ERP.Receipts, reconcile.Receipt{Number: "R" + id, Reference: "IVD-" + id, Company: "01", Customer: "C1", Date: date,
		Currency: money.USD, Amount: amount + fee, Fees: fee, Lines: []reconcile.Applied{{Invoice: number, Amount: amount}}})
	in.Records = append(in.Records, reconcile.Record{Number: id, Standing: synced(billing.KindPayment, record.Receipt{Reference: "IVD-" + id, Number: "R" + id})})
	erp(in, number).Balance -= amount
	portal(in, number).Balance -= amount
}

func erp(in *reconcile.Input, number string) *reconcile.Document {
	return find(in.ERP.Documents, number)
}

func portal(in *reconcile.Input, number string) *reconcile.Document {
	return find(in.Portal.Documents, number)
}

func find(rows []reconcile.Document, number string) *reconcile.Document {
	for i := range rows {
		if rows[i].Number == number {
			return &rows[i]
		}
	}
	return nil
}

func rec(in *reconcile.Input, number string) *reconcile.Record {
	for i := range in.Records {
		if in.Records[i].Number == number {
			return &in.Records[i]
		}
	}
	return nil
}

// without removes the row that a test names.
func without[T any](rows []T, is func(T) bool) []T {
	var out []T
	for _, r := range rows {
		if !is(r) {
			out = append(out, r)
		}
	}
	return out
}

func dropERP(in *reconcile.Input, number string) {
	in.ERP.Documents = without(in.ERP.Documents, func(d reconcile.Document) bool { return d.Number == number })
}

func dropPortal(in *reconcile.Input, number string) {
	in.Portal.Documents = without(in.Portal.Documents, func(d reconcile.Document) bool { return d.Number == number })
}

func dropRecord(in *reconcile.Input, number string) {
	in.Records = without(in.Records, func(r reconcile.Record) bool { return r.Number == number })
}

func dropReceipt(in *reconcile.Input, number string) {
	in.ERP.Receipts = without(in.ERP.Receipts, func(r reconcile.Receipt) bool { return r.Number == number })
}

// status gives a record a status with a reason.
func status(in *reconcile.Input, number string, s record.Status, reasons ...plan.Reason) {
	r := rec(in, number)
	r.Status, r.Reasons = s, reasons
}

// synced is how a record stands on which both sides agree.
func synced(kind billing.Kind, receipts ...record.Receipt) *reconcile.Standing {
	return &reconcile.Standing{Kind: kind, Status: record.Synced, Receipts: receipts}
}

// exact checks the law of the comparison: in each book and class, the ERP's sum minus the portal's is what the differences
// explain, to the cent.
func exact(t testing.TB, r reconcile.Report) {
	t.Helper()
	type key struct {
		currency money.Currency
		period   string
		class    reconcile.Class
	}
	sums := map[key]money.Money{}
	for _, d := range r.Differences {
		k := key{d.Currency, d.Period, d.Class}
		sums[k] = sums[k].Add(money.FromMinor(d.Amount, d.Currency))
	}
	for _, b := range r.Books {
		for class, gap := range map[reconcile.Class]money.Money{
			reconcile.Documents: b.DocumentsGap, reconcile.Balances: b.BalancesGap, reconcile.Money: b.MoneyGap,
		} {
			if got := sums[key{b.Currency, b.Period, class}]; got.Minor() != gap.Minor() {
				t.Fatalf("%s of %s in %s differ by %s, and the differences explain %s:\n%+v", class, b.Currency, b.Period, gap, got, r.Differences)
			}
		}
	}
}
