package simulation

import (
	"strconv"
	"time"

	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// bill is an invoice of the ERP as the clerks know it.
type bill struct {
	no, customer, currency string
	co                     *company
	version                int // in its order number
	lines                  []q360sim.Record
	made                   time.Time
	old                    bool      // posted before the start date
	wasPosted              bool      // at some time
	unposted               time.Time // when that was taken back
	settled                bool      // nothing was owed on it then
	deleted                time.Time
	unheard                time.Time     // until then a message about it gets lost more easily
	file                   int           // bytes of its file
	seen                   time.Duration // after so long the feed can rely on having seen it
}

// hasty reports whether the posting was taken back within minutes, before the feed could rely on having seen it, or when nothing
// was owed any more: the feed follows what is owed. Only the reconciliation tells of it then.
func (b *bill) hasty() bool {
	return !b.unposted.IsZero() && (b.settled || b.unposted.Sub(b.made) < b.seen)
}

// paid is what became of a payment of the portal.
type paid struct {
	settled, gone time.Time // gone: voided, returned, failed, or refunded in full
}

// past is what really happened, as the world knows it and arbridge may not.
type past struct {
	bills        map[string]*bill
	order        []string // of bills
	staffVoided  map[string]bool
	staffDeleted map[string]bool
	knownDeleted map[string]bool // those of which arbridge knew that they had been there
	outside      map[string]bool // invoices on which money was booked that did not come through the portal
	payments     map[string]*paid
	acked        map[string]bool      // events, by company and id
	told         map[string]bool      // every event that the portal wanted to tell of
	looked       map[string]time.Time // when a process last read a payment
	versions     map[string]int       // of a document, as last written to the portal
	showedPaid   map[string]bool      // what a process last saw of a document
	receipts     map[string]time.Time // since when the lists of the ERP have them, by number
	keyed        map[string]bool      // payments that a clerk keyed in
}

func newPast() *past {
	return &past{
		bills: map[string]*bill{}, staffVoided: map[string]bool{}, staffDeleted: map[string]bool{}, knownDeleted: map[string]bool{}, outside: map[string]bool{}, payments: map[string]*paid{}, acked: map[string]bool{}, told: map[string]bool{},
		looked: map[string]time.Time{}, versions: map[string]int{}, showedPaid: map[string]bool{}, receipts: map[string]time.Time{}, keyed: map[string]bool{},
	}
}

// note remembers what became of the payments of a company.
func (p *past) note(w *world, co string) {
	l, err := w.portal.Ledger(co)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	for _, pay := range l.Payments {
		key := co + " " + strconv.FormatInt(pay.ID, 10)
		if p.payments[key] == nil {
			p.payments[key] = &paid{}
		}
		have := p.payments[key]
		if pay.Status == "succeeded" && !pay.Voided && have.settled.IsZero() {
			have.settled = w.loop.now
		}
		if (pay.Voided || pay.Status == "failed" || pay.Refunded == pay.Amount && pay.Refunded != "") && have.gone.IsZero() {
			have.gone = w.loop.now
		}
	}
}
