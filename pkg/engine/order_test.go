package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// orders is how many random orders TestAnyOrderEndsTheSame plays.
const orders = 1000

// TestAnyOrderEndsTheSame: one set of webhooks (payments, settlements, a return, voids, a refund, views, comments, paid
// invoices) in 1,000 random orders, with duplicates, delays and losses, always ends in the same state on both sides.
func TestAnyOrderEndsTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	want := play(t, nil)
	if len(want.Receipts) != 5 || len(want.History) != 9 {
		t.Fatalf("the set is not what it should be: %d receipts, history %v", len(want.Receipts), want.History)
	}
	for n := range orders {
		if d := cmp.Diff(want, play(t, rand.New(rand.NewPCG(seed, uint64(n))))); d != "" {
			t.Fatalf("seed %d, order %d (-in order, once +this):\n%s", seed, n, d)
		}
	}
}

// ending is what both sides and the records are like, without numbers and times that depend on what came first.
type ending struct {
	Receipts, History, Balances []string
	Records                     map[string]string
}

// play lets two days of portal life happen and delivers what is told of it: in order and once without rng.
func play(t *testing.T, rng *rand.Rand) ending {
	t.Helper()
	w := enginetest.NewWorld()
	e := w.Start()
	tick(t, w, e)
	w.ERP.PutCustomers(enginetest.Customer("C1"), enginetest.Customer("C2"))
	for i, n := range []string{"1", "2", "3", "4", "5", "6"} {
		w.ERP.PutInvoices(enginetest.Invoice(n, []string{"C1", "C2"}[i%2]))
	}
	tick(t, w, e)
	id := func(number string) string { return w.Record(billing.KindInvoice, number).PortalID }
	first, card, debits := dayOne(w.Portal, id)
	deliver(t, w, e, rng, first)
	second := []billing.Event{w.Portal.Settle(debits[0]), w.Portal.Bounce(debits[1]), w.Portal.Void(card[0]), w.Portal.Refund(card[1], usd("9")),
		w.Portal.Void(debits[2]), w.Portal.View(id("1")), w.Portal.View(id("6")), w.Portal.Flag(id("6")), w.Portal.Paid(id("1"))}
	deliver(t, w, e, rng, append(second, first...))
	return endingOf(t, w)
}

func dayOne(p *enginetest.Portal, id func(string) string) (all []billing.Event, cards, debits []string) {
	tell := func(ev billing.Event) string {
		all = append(all, ev)
		return ev.ObjectID
	}
	const ok, waits = billing.ChargeSucceeded, billing.ChargePending
	cards = append(cards, tell(p.Pay("credit_card", ok, enginetest.On(id("1"), "107"))))
	cards = append(cards, tell(p.Pay("credit_card", ok, enginetest.On(id("2"), "107"), enginetest.On(id("3"), "33.33"), enginetest.Fee("3.01"))))
	for _, n := range []string{"4", "5", "6"} {
		debits = append(debits, tell(p.Pay("ach", waits, enginetest.On(id(n), "107"))))
	}
	tell(p.Pay("credit_card", ok, enginetest.On(id("3"), "50")))
	tell(p.Pay("credit_card", ok, enginetest.On(id("3"), "200"))) // more than it ever was
	tell(p.Pay("check", "", enginetest.On(id("6"), "7")))
	tell(p.Pay("credit_card", billing.ChargeFailed, enginetest.On(id("6"), "7")))
	for range 3 {
		tell(p.View(id("1")))
		tell(p.View(id("2")))
	}
	tell(p.Comment(id("1"), "is this right?"))
	tell(p.Flag(id("2"))) // the next two tell of one comment
	tell(p.Comment(id("2"), "and this?"))
	tell(p.Flag(id("3")))
	tell(p.Paid(id("1")))
	tell(p.Paid(id("2")))
	return all, cards, debits
}

// deliver gives events to the webhook and messages to the engine, shuffled, some twice, some late, some never; then it lets
// an hour pass.
func deliver(t *testing.T, w *enginetest.World, e *engine.Engine, rng *rand.Rand, events []billing.Event) {
	t.Helper()
	if rng != nil {
		events = slices.Clone(events)
		for _, ev := range events {
			if rng.IntN(3) == 0 {
				events = append(events, ev)
			}
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for _, ev := range events {
		if rng != nil && rng.IntN(10) == 0 {
			continue // lost: the gap fill finds it
		}
		if err := w.Hook(t.Context(), e, ev); err != nil {
			t.Fatal(err)
		}
		if rng == nil || rng.IntN(3) > 0 {
			messages(t, w, e, rng)
		}
		if rng != nil && rng.IntN(4) == 0 {
			w.Clock.Advance(time.Duration(rng.IntN(90)) * time.Second)
		}
		if rng != nil && rng.IntN(15) == 0 {
			if _, err := e.PollAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 4 {
		messages(t, w, e, rng)
		w.Clock.Advance(16 * time.Minute)
		tick(t, w, e)
	}
}

// messages delivers what is published, and what that causes, in any order and some of it twice.
func messages(t *testing.T, w *enginetest.World, e *engine.Engine, rng *rand.Rand) {
	t.Helper()
	for {
		sent := w.Bus.Lose()
		if len(sent) == 0 {
			return
		}
		if rng != nil {
			rng.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			if rng.IntN(3) == 0 {
				sent = append(sent, sent[0])
			}
		}
		for _, m := range sent {
			if err := enginetest.Deliver(t.Context(), e, m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func endingOf(t *testing.T, w *enginetest.World) ending {
	t.Helper()
	out := ending{Records: map[string]string{}}
	for _, r := range w.ERP.Receipts() {
		out.Receipts = append(out.Receipts, fmt.Sprint(r.Reference, " ", r.CustomerNo, " ", r.Date, " ", r.Amount, " ", r.Lines))
	}
	for _, h := range w.ERP.History() {
		out.History = append(out.History, h.InvoiceNo+" "+h.Code)
	}
	for _, d := range w.Portal.Invoices() {
		b, err := w.ERP.Balance(t.Context(), d.Number)
		if err != nil {
			t.Fatal(err)
		}
		out.Balances = append(out.Balances, fmt.Sprint(d.Number, " ", d.Balance, " ", b.Balance))
	}
	for _, list := range [][]string{out.Receipts, out.History, out.Balances} {
		slices.Sort(list)
	}
	records, err := enginetest.All[record.Record](w.Store, store.Records)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range records {
		codes := []string{string(r.Status)}
		for _, reason := range r.Reasons {
			codes = append(codes, string(reason.Code))
		}
		if r.Status == record.Synced {
			codes = codes[:1] // how it was posted, or that nothing changed since
		}
		out.Records[id] = strings.Join(codes, " ")
		for _, x := range r.Receipts {
			out.Records[id] += " " + x.Reference + "=" + x.Amount
		}
	}
	return out
}
