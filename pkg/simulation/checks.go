package simulation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// The invariants, as they are named in reports.
const (
	oneDocument     = "one posted invoice is one portal document with its total"
	onePayment      = "a settled payment is one set of receipts, to the cent"
	onlySettled     = "no receipt for money that did not come"
	noWebhookLost   = "an acknowledged webhook is kept and handled"
	newestWins      = "older data never overwrites newer"
	goneStaysGone   = "nothing that was taken back comes again"
	paidStays       = "nothing with payments is taken back"
	notForAll       = "nothing early, unposted or of a disabled company goes out"
	safeOnly        = "in sandbox mode only the safe address"
	rateKept        = "no more calls than allowed, and none before Retry-After"
	somebodyOwns    = "every unfinished record has somebody who goes on"
	comesToRest     = "after the faults all comes to rest"
	journalExplains = "the journal explains every write"
	noSecretLogged  = "no secret in a log"
	allExplained    = "the reconciliation explains every difference"
	onlyOwnSecrets  = "a company uses its own credentials and books only"
)

// facts are what there is of one company at rest, on both sides and in between.
type facts struct {
	company   string
	code      string
	off       bool
	onAccount bool // what is not owed any more stays on the customer's account
	changed   bool // the settings were changed in mid-run
	erp       []erpDocument
	portal    []portalDocument
	payments  []portalPayment
	receipts  []erpReceipt
	records   map[string]record.Record
	inbox     map[string]record.Inbox // by event
	acked     []string                // events
	told      []string                // events that the portal wanted to tell of
	voided    map[string]bool         // numbers of documents that staff took back in the portal
	hasty     map[string]bool         // numbers of documents that were taken back within minutes
	dropped   map[string]bool         // numbers of documents that staff deleted in the portal
	keyed     map[string]bool         // payments that were keyed in by hand
	open      []journal.Entry         // effects that are neither done nor refused
	polled    time.Time               // the last poll
	waiting   int                     // messages and webhooks on their way
	lastWrite time.Time
	now       time.Time
}

type erpDocument struct {
	number, currency string
	posted, old      bool
	hasty            bool // its posting was taken back within minutes
	total, balance   decimal.Decimal
}

type portalDocument struct {
	number, currency, status string
	credit                   bool
	total, balance           decimal.Decimal
}

type portalPayment struct {
	id, currency, status  string
	voided, charged       bool
	amount, fee, refunded decimal.Decimal
	cash                  decimal.Decimal // of its parts
	applied               map[string]decimal.Decimal
}

type erpReceipt struct {
	number, reference, currency string
	amount, fees, loose         decimal.Decimal // loose: on account or not applied
	applied                     map[string]decimal.Decimal
}

// check looks at a company at rest.
func check(f facts) []Violation {
	var out []Violation
	bad := func(invariant, format string, args ...any) {
		out = append(out, Violation{Invariant: invariant, At: day(f.now), Text: f.company + ": " + fmt.Sprintf(format, args...)})
	}
	f.checkDocuments(bad)
	f.checkMoney(bad)
	f.checkRecords(bad)
	f.checkEvents(bad)
	f.checkTold(bad)
	if f.waiting > 0 {
		bad(comesToRest, "%d messages or webhooks are still on their way", f.waiting)
	}
	if quiet := f.now.Sub(f.lastWrite); !f.lastWrite.IsZero() && quiet < restFor {
		bad(comesToRest, "the last write is only %s ago", quiet)
	}
	for _, e := range f.open {
		r, known := f.records[strings.TrimPrefix(e.Record, f.company+"/")]
		if known && r.Status == record.Attention && (!r.DueAt.IsZero() || f.outside(r)) {
			continue // the person's decision leads to it again
		}
		if known && !r.UpdatedAt.Add(skewed).Before(f.polled) {
			continue // the last poll had the record worked on: the next one sees to it
		}
		if maxTime(e.StartedAt.Add(letGoAfter), e.CheckAt.Add(untouchedFor)).Add(skewed).After(f.polled) {
			continue // it is let go by the first poll after both
		}
		bad(comesToRest, "effect %s is neither done nor refused", e.Key)
	}
	return out
}

// letGoAfter is how long after it was sent an effect is let go that nobody looked up for a while.
const (
	letGoAfter   = 24 * time.Hour
	untouchedFor = 6 * time.Hour
)

// restFor is how long nothing may be written before all counts as quiet.
const restFor = 6 * time.Hour

type reporter func(invariant, format string, args ...any)

func (f facts) record(kind, id string) record.Record { return f.records[kind+"/"+id] }

func has(r record.Record, codes ...plan.Code) bool {
	return slices.ContainsFunc(r.Reasons, func(x plan.Reason) bool { return slices.Contains(codes, x.Code) })
}

// checkDocuments compares each posted document of the ERP with those of the portal that have its number.
func (f facts) checkDocuments(bad reporter) {
	live := map[string][]portalDocument{}
	for _, d := range f.portal {
		if d.status != "voided" {
			live[d.number] = append(live[d.number], d)
		}
	}
	known := map[string]bool{}
	difference := map[string]decimal.Decimal{}
	for _, e := range f.erp {
		known[e.number] = true
		if off, differs := f.checkDocument(e, live[e.number], bad); differs {
			difference[e.currency] = difference[e.currency].Add(off)
		}
	}
	for _, number := range sortedKeys(live) {
		rec := f.record("invoice", number)
		if !known[number] && !f.hasty[number] && !has(rec, plan.GoneInERP, plan.GoneWhenPaid, plan.NoLongerPosted, plan.PaymentInFlight) {
			bad(oneDocument, "%s is in the portal and not in the ERP: %s, %s", number, rec.Status, rec.Summary)
		}
	}
	for _, cur := range sortedKeys(difference) {
		bad(oneDocument, "the documents in %s differ by %s", cur, difference[cur].StringFixed(2))
	}
}

// checkDocument compares a document of the ERP with those of the portal, and returns by how much their totals differ.
func (f facts) checkDocument(e erpDocument, docs []portalDocument, bad reporter) (off decimal.Decimal, differs bool) {
	rec := f.record("invoice", e.number)
	switch {
	case len(docs) > 1:
		bad(oneDocument, "%s is %d times in the portal", e.number, len(docs))
	case f.off || e.old || !e.posted && rec.PortalID == "":
		if len(docs) > 0 {
			bad(notForAll, "%s is in the portal", e.number)
		}
	case len(docs) == 0:
		f.missing(e, rec, bad)
	case e.posted:
		total := docs[0].total
		if docs[0].credit {
			total = total.Neg()
		}
		if !total.Equal(e.total) && !f.paidAlready(docs[0], rec) && !f.closedOrChanged(rec) && !f.customerLeft(rec) {
			bad(oneDocument, "%s is over %s in the ERP and over %s in the portal: %s, %s", e.number, e.total, total, rec.Status, rec.Summary)
			return total.Sub(e.total), true
		}
	default:
		f.unpostedThere(e, rec, bad)
	}
	return off, false
}

// unpostedThere checks that somebody is told of a document that is no longer posted, and still in the portal.
func (f facts) unpostedThere(e erpDocument, rec record.Record, bad reporter) {
	switch {
	case e.hasty && rec.Settled(): // the feed's page may have been lost and read again without it (features F18)
	case e.balance.IsZero() && rec.Settled(): // the feed compares what is open in the ERP (features F18)
	case f.paymentTells(e.number):
	case !has(rec, plan.NoLongerPosted, plan.GoneInERP, plan.GoneWhenPaid, plan.GoneVoided):
		bad(oneDocument, "%s is no longer posted, in the portal, and nobody is told: %s, %s", e.number, rec.Status, rec.Summary)
	}
}

// paymentTells reports whether a person is told of a document by a payment of it that can not be posted.
func (f facts) paymentTells(number string) bool {
	for _, r := range f.records {
		for _, why := range r.Reasons {
			if r.Status == record.Attention && why.Code == plan.InvoiceUnposted && why.Params["invoice"] == number {
				return true
			}
		}
	}
	return false
}

// paidAlready is a document that was changed in the ERP when it was paid in the portal: a person is told.
func (f facts) paidAlready(d portalDocument, rec record.Record) bool {
	return rec.Status == record.Attention && has(rec, plan.ChangedWhenPaid) || has(rec, plan.PaymentInFlight) && d.status == "pending"
}

func (f facts) closedOrChanged(rec record.Record) bool {
	return rec.Status == record.Attention && has(rec, plan.ClosedInPortal, plan.KindChanged, plan.CustomerDiffers)
}

// customerLeft is a document of a customer that staff deleted, or merged into another one: a person is told of the customer.
func (f facts) customerLeft(rec record.Record) bool {
	c := f.record("customer", rec.Customer)
	return has(rec, plan.WaitsForCustomer) && c.Status == record.Attention && has(c, plan.GoneInPortal)
}

// missing checks the reason why a posted document is not in the portal.
func (f facts) missing(e erpDocument, rec record.Record, bad reporter) {
	switch {
	case e.total.IsZero() && rec.Status == record.Skipped && has(rec, plan.ZeroTotal):
	case e.balance.IsZero() && rec.Status == record.Skipped && has(rec, plan.SettledInERP):
	case f.voided[e.number] || f.dropped[e.number]: // it is left alone, and told as soon as it changes
	case rec.Status == record.Attention && has(rec, plan.VoidedInPortal) && f.wasVoided(e.number):
	case f.customerLeft(rec):
	default:
		bad(oneDocument, "%s over %s is not in the portal: %s, %s", e.number, e.total, cmp.Or(string(rec.Status), "no record"), rec.Summary)
	}
}

// wasVoided reports whether the portal has a voided document with a number: one that had left the ERP for a while.
func (f facts) wasVoided(number string) bool {
	return slices.ContainsFunc(f.portal, func(d portalDocument) bool { return d.number == number && d.status == "voided" })
}

// checkMoney compares the payments of the portal with the receipts of the ERP.
func (f facts) checkMoney(bad reporter) {
	of := map[string][]erpReceipt{}
	seen := map[string]bool{}
	for _, r := range f.receipts {
		id, ours := paymentOf(r.reference)
		if !ours {
			continue
		}
		if seen[r.reference] {
			bad(onePayment, "receipt %s is there twice", r.reference)
		}
		seen[r.reference] = true
		of[id] = append(of[id], r)
		sum := r.fees.Add(r.loose)
		for _, a := range r.applied {
			sum = sum.Add(a)
		}
		if !sum.Equal(r.amount) {
			bad(onePayment, "receipt %s is over %s, and its parts come to %s", r.reference, r.amount, sum)
		}
	}
	for _, p := range f.payments {
		f.checkPayment(p, of[p.id], bad)
		delete(of, p.id)
	}
	for _, id := range sortedKeys(of) {
		bad(onlySettled, "there are receipts of payment %s, which the portal does not have", id)
	}
}

func (f facts) checkPayment(p portalPayment, receipts []erpReceipt, bad reporter) {
	rec := f.record("payment", p.id)
	gone := p.voided || p.status == "failed"
	switch {
	case f.off && len(receipts) > 0:
		bad(notForAll, "payment %s has receipts", p.id)
	case f.off || p.cash.IsZero():
	case len(receipts) == 0:
		f.unposted(p, rec, gone, bad)
	case p.status == "pending":
		bad(onlySettled, "payment %s is pending and has receipts", p.id)
	default:
		f.checkPosted(p, receipts, rec, gone, bad)
	}
}

// checkPosted checks a payment that has receipts: what became of the money since is told.
func (f facts) checkPosted(p portalPayment, receipts []erpReceipt, rec record.Record, gone bool, bad reporter) {
	if gone {
		if !has(rec, plan.ReversedAfter) {
			bad(onlySettled, "payment %s went back, has receipts, and nobody is told: %s, %s", p.id, rec.Status, rec.Summary)
		}
		return
	}
	told := rec.Status == record.Attention && !rec.Complete
	switch {
	case told && !names(rec, receipts):
		bad(onePayment, "payment %s has receipt %s, which is not named to the person who decides: %s", p.id, receipts[0].number, rec.Summary)
	case !told && p.refunded.IsPositive() && !has(rec, plan.Refunded, plan.RefundedWhole):
		bad(onlySettled, "%s of payment %s was refunded, and nobody is told: %s, %s", p.refunded, p.id, rec.Status, rec.Summary)
	}
	f.checkParts(p, receipts, rec, bad)
}

// names reports whether a person is told of a receipt that is there, or it is remembered as one of the payment.
func names(r record.Record, receipts []erpReceipt) bool {
	for _, x := range receipts {
		known := slices.ContainsFunc(r.Receipts, func(k record.Receipt) bool { return k.Number == x.number })
		if !known && !strings.Contains(r.Summary, x.number) && !strings.Contains(r.Summary, x.reference) {
			return false
		}
	}
	return true
}

// unfinished reports whether a person decides about the rest of a payment of which some receipts are there.
func unfinished(p portalPayment, posted decimal.Decimal, rec record.Record) bool {
	return !rec.Complete && posted.LessThan(p.amount) && (rec.Status == record.Attention || has(rec, plan.RefundedWhole))
}

// checkParts compares what a payment pays with what its receipts say.
func (f facts) checkParts(p portalPayment, receipts []erpReceipt, rec record.Record, bad reporter) {
	sum, applied := decimal.Decimal{}, map[string]decimal.Decimal{}
	for _, r := range receipts {
		sum = sum.Add(r.amount)
		for no, a := range r.applied {
			applied[no] = applied[no].Add(a)
		}
		if r.currency != p.currency {
			bad(onePayment, "payment %s in %s has receipt %s in %s", p.id, p.currency, r.reference, r.currency)
		}
	}
	if !sum.Equal(p.amount) && !has(rec, plan.ChangedWhenPosted) && !unfinished(p, sum, rec) {
		bad(onePayment, "payment %s is over %s, its receipts over %s: %s, %s", p.id, p.amount, sum, rec.Status, rec.Summary)
	}
	if has(rec, plan.OnAccount, plan.FeeAllocated, plan.ChangedWhenPosted) {
		return
	}
	for _, no := range sortedKeys(applied) {
		if want := p.applied[no]; applied[no].GreaterThan(want) {
			bad(onePayment, "payment %s pays %s of %s, its receipts %s", p.id, want, no, applied[no])
		}
	}
	for _, no := range sortedKeys(p.applied) {
		if want := p.applied[no]; rec.Complete && !f.onAccount && applied[no].LessThan(want) && !slices.ContainsFunc(rec.Receipts, func(r record.Receipt) bool { return r.Adopted }) {
			bad(onePayment, "payment %s pays %s of %s, its receipts only %s: %s, %s", p.id, want, no, applied[no], rec.Status, rec.Summary)
		}
	}
}

// unposted checks the reason why a payment has no receipt.
func (f facts) unposted(p portalPayment, rec record.Record, gone bool, bad reporter) {
	told := rec.Status == record.Attention || rec.Status == record.Waiting
	switch {
	case gone, p.status == "pending", !p.charged:
	case !p.refunded.LessThan(p.amount) && has(rec, plan.RefundedBefore):
	case told && has(rec, plan.Overpayment, plan.PossibleDouble, plan.InvoiceUnposted, plan.UnknownInvoice, plan.ClosedPeriod, plan.CurrencyDiffers):
	case rec.Status == record.Synced && f.keyed[p.id]:
	case told && has(rec, plan.VendorRefused) && f.paysMissing(p.id):
	default:
		bad(onePayment, "payment %s over %s %s has no receipt: %s, %s", p.id, p.amount, p.currency, cmp.Or(string(rec.Status), "no record"), rec.Summary)
	}
}

// paysMissing reports whether a payment pays an invoice that the ERP does not have any more.
func (f facts) paysMissing(id string) bool {
	for _, p := range f.payments {
		for no := range p.applied {
			if p.id == id && !slices.ContainsFunc(f.erp, func(e erpDocument) bool { return e.number == no }) {
				return true
			}
		}
	}
	return false
}

// outside reports whether what a vendor refused was made impossible by people.
func (f facts) outside(r record.Record) bool {
	if has(r, plan.ReceiptMismatch) && (f.changed || f.onAccount || has(r, plan.Overpayment, plan.InvoiceUnposted, plan.UnknownInvoice, plan.PossibleDouble)) {
		return true // half of the receipt was sent when the settings, the balance or the books were others
	}
	return has(r, plan.VendorRefused) && (r.Kind == billing.KindPayment && f.paysMissing(r.SourceID) ||
		r.Kind != billing.KindPayment && (f.voided[r.SourceID] || f.dropped[r.SourceID] || f.wasVoided(r.SourceID)))
}

// checkRecords checks that everything that is not finished has somebody who goes on with it.
func (f facts) checkRecords(bad reporter) {
	for _, id := range sortedKeys(f.records) {
		r := f.records[id]
		if why := ownerless(r); why != "" {
			bad(somebodyOwns, "%s %s", id, why)
		}
		if r.Status == record.Working || r.Status == record.Unknown || r.Status == record.Scheduled {
			bad(comesToRest, "%s is %s: %s", id, r.Status, r.Summary)
		}
		if r.Status == record.Attention && !f.outside(r) && has(r, plan.InternalError, plan.OutcomeUnknown, plan.VendorRefused, plan.ReceiptMismatch, plan.ReceiptAttempts, plan.PortalDiffers, plan.NumberTaken, plan.SeveralWithNumber) {
			bad(comesToRest, "%s needs a person for no reason outside: %s", id, r.Summary)
		}
	}
}

// ownerless says what is missing of a record that is not finished: a next attempt, or a person who is told.
func ownerless(r record.Record) string {
	switch {
	case r.Settled() || r.Status == record.Attention && len(r.Reasons) > 0:
		return ""
	case r.Status == "":
		return "has no status"
	case r.DueAt.IsZero():
		return "is " + string(r.Status) + " and has no next attempt"
	}
	return ""
}

// checkEvents checks that every acknowledged event was kept and handled.
func (f facts) checkEvents(bad reporter) {
	for _, id := range f.acked {
		switch in, kept := f.inbox[id]; {
		case !kept:
			bad(noWebhookLost, "event %s was acknowledged and is not kept", id)
		case in.State == record.InboxNew && !f.off:
			bad(noWebhookLost, "event %s (%s) was not handled: %s", id, in.Type, in.Effect)
		}
	}
}

// checkTold checks that the gap fill found every event that no webhook brought.
func (f facts) checkTold(bad reporter) {
	for _, id := range f.told {
		if _, kept := f.inbox[id]; !kept && !f.off {
			bad(noWebhookLost, "event %s was told by the portal and is not kept", id)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// owned checks a record as it is stored.
func (w *world) owned(id string, data []byte) {
	if field(data, "due_at") != "" {
		return // somebody goes on with it
	}
	var r record.Record
	if err := json.Unmarshal(data, &r); err != nil {
		w.bad(somebodyOwns, "%s can not be read: %v", id, err)
		return
	}
	if why := ownerless(r); why != "" {
		w.bad(somebodyOwns, "%s %s", id, why)
	}
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
