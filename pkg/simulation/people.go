package simulation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/engine"
)

// deed is something that somebody does. Whom it concerns is chosen when it is done, by its own numbers, so that leaving a
// deed out leaves the others as they are.
type deed struct {
	at   time.Duration // since the start, or since the others when it is one more
	kind string
	seed uint64
}

// doer is somebody doing a deed.
type doer struct {
	w   *world
	rng *rand.Rand
	co  *company
}

// act is a kind of deed: how often it is chosen, and what it is. It tells what was done; "" when there was nothing to do.
type act struct {
	name   string
	weight int
	clerk  bool // done in the ERP
	do     func(*doer) (string, error)
}

func acts() []act {
	return []act{
		{"bill", 26, true, (*doer).bill}, {"bill of a new kind", 4, true, (*doer).oddBill}, {"credit", 4, true, (*doer).credit}, {"draft", 4, true, (*doer).draft},
		{"post", 5, true, (*doer).post}, {"change", 7, true, (*doer).change}, {"note", 4, true, (*doer).note}, {"unpost", 2, true, (*doer).unpost},
		{"delete", 2, true, (*doer).remove}, {"merge", 2, true, (*doer).merge}, {"write off", 2, true, (*doer).writeOff},
		{"take a check", 3, true, (*doer).check}, {"key in", 1, true, (*doer).keyIn}, {"customer", 3, true, (*doer).customer},
		{"contact", 2, true, (*doer).contact}, {"close period", 1, true, (*doer).closePeriod}, {"file", 5, true, (*doer).file},
		{"move", 1, true, (*doer).move}, {"leave", 1, true, (*doer).leave},
		{"promise", 1, false, (*doer).promise}, {"record", 1, false, (*doer).record}, {"join", 1, false, (*doer).join},
		{"view", 8, false, (*doer).view}, {"comment", 3, false, (*doer).comment}, {"pay by card", 18, false, (*doer).card}, {"pay by debit", 6, false, (*doer).debit},
		{"settle", 8, false, (*doer).settle}, {"void payment", 2, false, (*doer).voidPayment}, {"return", 1, false, (*doer).giveBack},
		{"dispute", 1, false, (*doer).dispute}, {"refund", 2, false, (*doer).refund}, {"profile", 2, false, (*doer).profile},
		{"void document", 1, false, (*doer).voidDocument}, {"delete document", 1, false, (*doer).deleteDocument},
	}
}

// script is what people are going to do, by time: in bursts, over a day's work.
func (w *world) script() []deed {
	out := make([]deed, w.opt.Events)
	bursts := []time.Duration{2 * time.Minute, 2 * time.Hour, time.Hour, 9 * time.Hour}[:min(4, 2+len(out)/50)]
	long := 3 * time.Minute << w.people.IntN(3)
	for i := range out {
		burst := bursts[i*len(bursts)/len(out)]
		kind := anyKind(w.people)
		if i < 4 {
			kind = acts()[0].name // there has to be something
		}
		out[i] = deed{burst + time.Duration(w.people.Int64N(int64(long))), kind, w.people.Uint64()}
	}
	slices.SortStableFunc(out, func(a, b deed) int { return cmp.Compare(a.at, b.at) })
	return out
}

// anyKind chooses a kind of deed, by weight.
func anyKind(rng *rand.Rand) string {
	all := acts()
	total := 0
	for _, a := range all {
		total += a.weight
	}
	n, k := rng.IntN(total), 0
	for n >= all[k].weight {
		n -= all[k].weight
		k++
	}
	return all[k].name
}

// fewest is how many events a run has at least, of people and of the portal together.
const fewest = 50

// goOn has people do more in the end: what is given, or enough for a run.
func (w *world) goOn() {
	if w.opt.More < 0 {
		w.opt.More = max(0, fewest-w.opt.Events-len(w.past.told))
	}
	rng := rand.New(rand.NewPCG(w.opt.Seed, 78))
	for i := range w.opt.More {
		d := deed{time.Duration(rng.Int64N(int64(20 * time.Minute))), anyKind(rng), rng.Uint64()}
		if !w.opt.Skip[w.opt.Events+i] {
			w.loop.at(w.loop.now.Add(d.at), "deed", func() { w.do(d) })
		}
	}
}

func (w *world) do(d deed) {
	all := acts()
	a := all[slices.IndexFunc(all, func(a act) bool { return a.name == d.kind })]
	w.act(a, rand.New(rand.NewPCG(d.seed, 5)), "")
}

// act does a deed, and notes it.
func (w *world) act(a act, rng *rand.Rand, how string) {
	x := &doer{w: w, rng: rng}
	x.co = w.lively[rng.IntN(len(w.lively))]
	text, err := a.do(x)
	switch {
	case err != nil:
		text = fmt.Sprintf("%s: %s, refused: %v", x.co.id, a.name, err)
	case text == "":
		text = fmt.Sprintf("%s: %s, nothing to do", x.co.id, a.name)
	default:
		text = x.co.id + ": " + text
	}
	w.touch(x.co)
	w.trace.add("%s%s", how, text)
	w.deeds = append(w.deeds, day(w.loop.now)+" "+how+text)
}

// overtake has a clerk change the invoice that a process works on, while that sleeps, and an operator poll the company soon. It
// reports whether there is one.
func (w *world) overtake(p *process, soon time.Duration) bool {
	var t engine.Task
	if json.Unmarshal(p.task, &t) != nil || t.Kind != billing.KindInvoice {
		return false
	}
	b := w.past.bills[t.ID]
	if b == nil || w.calm {
		return false
	}
	if whole := (&doer{w: w, co: b.co}).mine(posted); !slices.ContainsFunc(whole, func(i q360sim.LedgerInvoice) bool { return i.InvoiceNo == b.no }) {
		return false
	}
	w.act(act{name: "change", clerk: true, do: func(x *doer) (string, error) {
		x.co = b.co
		return x.changeBill(b)
	}}, rand.New(rand.NewPCG(w.loop.rng.Uint64(), 5)), "meanwhile ")
	b.unheard = w.loop.now.Add(10 * time.Minute)
	w.loop.after(w.loop.between(time.Second, soon), "poll by hand", func() { w.tickOf(b.co) })
	return true
}

// atOnce has a clerk, or a customer, do something while a call of the company is under way.
func (w *world) atOnce(clerk bool) {
	var some []act
	for _, a := range acts() {
		if a.clerk == clerk && a.name != "bill" {
			some = append(some, a)
		}
	}
	w.act(some[w.loop.rng.IntN(len(some))], rand.New(rand.NewPCG(w.loop.rng.Uint64(), 5)), "meanwhile ")
}

func pick[T any](rng *rand.Rand, from []T) (T, bool) {
	if len(from) == 0 {
		var none T
		return none, false
	}
	return from[rng.IntN(len(from))], true
}
