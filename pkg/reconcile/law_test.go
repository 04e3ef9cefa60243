package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/reconcile"
)

// business is a made-up business in which both sides agree.
func business(t *rapid.T) reconcile.Input {
	in := inStep()
	in.Open = rapid.Bool().Draw(t, "with older open documents")
	for i := range rapid.IntRange(0, 30).Draw(t, "documents") {
		number := strconv.Itoa(1000 + i)
		total := rapid.Int64Range(-5_000, 90_000).Draw(t, "total")
		day := billing.Date("2026-02-01").AddDays(rapid.IntRange(0, 120).Draw(t, "day"))
		bill(&in, number, total, day)
		if total <= 100 {
			continue
		}
		part := rapid.Int64Range(1, total).Draw(t, "paid")
		switch rapid.SampledFrom([]string{"open", "paid", "skipped", "euro"}).Draw(t, "what") {
		case "paid":
			pay(&in, strconv.Itoa(7000+i), number, part, rapid.Int64Range(0, 900).Draw(t, "fee"), day.AddDays(3))
		case "euro":
			erp(&in, number).Currency, portal(&in, number).Currency = money.EUR, money.EUR
		case "skipped": // on neither side of the sync
			dropPortal(&in, number)
			dropERP(&in, number)
			dropRecord(&in, number)
		}
	}
	return in
}

// plants are disturbances of the n-th kind: each takes a fresh document and payment and returns the differences it makes.
func plants() map[string]func(in *reconcile.Input, number, id string, cents int64) []string {
	line := func(kind, number string, amount int64) string { return fmt.Sprintf("%s %s %d", kind, number, amount) }
	return map[string]func(in *reconcile.Input, number, id string, cents int64) []string{
		"deleted": func(in *reconcile.Input, number, _ string, _ int64) []string {
			total := portal(in, number).Total
			dropPortal(in, number)
			return []string{line("deleted_in_portal", number, total)}
		},
		"vanished": func(in *reconcile.Input, number, _ string, _ int64) []string {
			total := portal(in, number).Total
			dropERP(in, number)
			return []string{line("missing_in_erp", number, -total)}
		},
		"total": func(in *reconcile.Input, number, _ string, cents int64) []string {
			portal(in, number).Total += cents
			portal(in, number).Balance += cents
			return []string{line("total_differs", number, -cents), line("balance_differs", number, -cents)}
		},
		"paid outside": func(in *reconcile.Input, number, _ string, cents int64) []string {
			erp(in, number).Balance -= cents
			return []string{line("paid_outside", number, -cents)}
		},
		"receipt gone": func(in *reconcile.Input, number, id string, _ int64) []string {
			r := in.ERP.Receipts[slices.IndexFunc(in.ERP.Receipts, func(r reconcile.Receipt) bool { return r.Number == "R"+id })]
			dropReceipt(in, r.Number)
			erp(in, number).Balance += r.Lines[0].Amount
			return []string{line("receipt_gone", id, -r.Amount), line("balance_differs", number, r.Lines[0].Amount)}
		},
		"receipt amount": func(in *reconcile.Input, _, id string, cents int64) []string {
			in.ERP.Receipts[slices.IndexFunc(in.ERP.Receipts, func(r reconcile.Receipt) bool { return r.Number == "R"+id })].Amount += cents
			return []string{line("receipt_differs", id, cents)}
		},
		"orphan": func(in *reconcile.Input, _, id string, _ int64) []string {
			orphan(in, "X"+id, "IVD-9"+id)
			return []string{line("receipt_without_payment", "9"+id, 700)}
		},
		"twice": func(in *reconcile.Input, _, id string, _ int64) []string {
			orphan(in, "X"+id, "IVD-"+id)
			return []string{line("several_receipts", id, 700)}
		},
	}
}

// TestLawEveryCentIsExplained: a business in step gives no difference; disturbances give exactly theirs; and in every book
// the differences add up to what the sums differ by.
func TestLawEveryCentIsExplained(t *testing.T) {
	all := plants()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		in := business(t)
		calm := reconcile.Compare(in)
		if len(calm.Differences) != 0 {
			t.Fatalf("differences in a business in step: %+v", calm.Differences)
		}
		var want []string
		for i, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 8).Draw(t, "disturbances") {
			number, id := strconv.Itoa(500_000+i), strconv.Itoa(8_000+i)
			day := billing.Date("2026-04-01").AddDays(rapid.IntRange(0, 45).Draw(t, "day"))
			bill(&in, number, rapid.Int64Range(50_000, 90_000).Draw(t, "total"), day)
			pay(&in, id, number, rapid.Int64Range(1, 20_000).Draw(t, "paid"), 120, day.AddDays(1))
			want = append(want, all[name](&in, number, id, rapid.Int64Range(1, 9_000).Draw(t, "cents"))...)
		}
		shuffled := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1))
		shuffled.Shuffle(len(in.ERP.Documents), func(i, k int) { in.ERP.Documents[i], in.ERP.Documents[k] = in.ERP.Documents[k], in.ERP.Documents[i] })
		r := reconcile.Compare(in)
		var got []string
		for _, d := range r.Differences {
			got = append(got, fmt.Sprintf("%s %s %d", d.Kind, d.Number, d.Amount))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		shuffled.Shuffle(len(in.Portal.Documents), func(i, k int) {
			in.Portal.Documents[i], in.Portal.Documents[k] = in.Portal.Documents[k], in.Portal.Documents[i]
		})
		shuffled.Shuffle(len(in.ERP.Receipts), func(i, k int) { in.ERP.Receipts[i], in.ERP.Receipts[k] = in.ERP.Receipts[k], in.ERP.Receipts[i] })
		if again := reconcile.Compare(in); !reflect.DeepEqual(texts(again), texts(r)) {
			t.Fatalf("another order of rows gives another report:\n%q\n%q", texts(again), texts(r))
		}
		if len(r.Differences) > 0 {
			exactly(t, r)
		}
	})
}

// exactly is exact for a generated test.
func exactly(t *rapid.T, r reconcile.Report) {
	sums := map[string]int64{}
	for _, d := range r.Differences {
		sums[string(d.Currency)+d.Period+string(d.Class)] += d.Amount
	}
	for _, b := range r.Books {
		key := string(b.Currency) + b.Period
		got := []int64{sums[key+"documents"], sums[key+"balances"], sums[key+"money"]}
		want := []int64{b.DocumentsGap.Minor(), b.BalancesGap.Minor(), b.MoneyGap.Minor()}
		if !slices.Equal(got, want) {
			t.Fatalf("%s %s: the differences add up to %v, the sums differ by %v", b.Currency, b.Period, got, want)
		}
	}
}
