package simulation

import (
	"math/rand/v2"
	"slices"
)

// Fault is one kind of thing that goes wrong.
type Fault string

// The kinds of faults. The comments say of what chances they are a part, where that is not calls to vendors.
const (
	TimeoutBefore   Fault = "timeout before commit"    // the vendor never saw the call
	TimeoutAfter    Fault = "timeout after commit"     // the vendor did it, the answer never came
	ResetBody       Fault = "reset in mid-body"        // the connection broke inside the answer
	TruncatedJSON   Fault = "truncated JSON"           // a complete answer that is half a document
	HTML502         Fault = "HTML 502"                 // a proxy's page, before the vendor
	Answer500       Fault = "500 after commit"         // the vendor did it and then failed
	Answer503       Fault = "503"                      // before
	TooMany         Fault = "429 without Retry-After"  // before
	TooManyWait     Fault = "429 with Retry-After"     // before
	BadCredentials  Fault = "credentials refused"      // 401
	Forbidden       Fault = "403"                      // a right is missing for a while
	StaleRead       Fault = "read that lags a write"   // a list from before the last writes
	SlowAnswer      Fault = "slow answer"              // longer than a lease may last
	Refused         Fault = "connection refused"       // nothing listens
	Outage          Fault = "vendor down for a while"  // of writes: done, the answer lost, and then no answers, or lists forbidden, for up to 90 minutes
	HookTwice       Fault = "webhook delivered twice"  // of webhooks
	HookReordered   Fault = "webhook out of order"     // of webhooks: held back for minutes
	HookLost        Fault = "webhook lost"             // of webhooks: the vendor takes it for delivered
	HookLate        Fault = "webhook 72 h late"        // of webhooks
	HookBadSign     Fault = "webhook signed wrongly"   // of webhooks, besides the right one
	HookOff         Fault = "endpoint disabled"        // for a while, all webhooks are dropped
	MessageTwice    Fault = "message delivered twice"  // of messages, also while it is being handled
	MessageLost     Fault = "message lost"             // of messages
	MessageLate     Fault = "message late"             // of messages: behind younger ones of other keys
	PublishUnclear  Fault = "publish failed halfway"   // of publications: accepted, and an error returned
	Crash           Fault = "crash"                    // of boundaries, before the effect
	CrashAfter      Fault = "crash after the effect"   // of boundaries
	LeaseLost       Fault = "lease lost while working" // of boundaries: the process sleeps longer than its lease
	StoreConflict   Fault = "store conflict"           // of store writes: refused as if another had won
	StoreBefore     Fault = "store deadline before commit"
	StoreAfter      Fault = "store deadline after commit"
	ClockSkew       Fault = "clock skew"             // of starts of a process
	ClerkEdits      Fault = "clerk edits at once"    // of events: right while the record is being worked on
	CustomerActs    Fault = "customer acts at once"  // of events
	PDFEmpty        Fault = "PDF empty"              // of downloads
	PDFChanged      Fault = "PDF changed"            // of files
	SettingsChanged Fault = "settings changed"       // of restarts
	OldAndNew       Fault = "old and new at a time"  // processes with different settings run together
	DaylightChange  Fault = "daylight saving change" // the run's days have one
)

// Faults lists every kind.
func Faults() []Fault {
	return []Fault{TimeoutBefore, TimeoutAfter, ResetBody, TruncatedJSON, HTML502, Answer500, Answer503, TooMany, TooManyWait, BadCredentials,
		Forbidden, StaleRead, SlowAnswer, Refused, Outage, HookTwice, HookReordered, HookLost, HookLate, HookBadSign, HookOff, MessageTwice, MessageLost,
		MessageLate, PublishUnclear, Crash, CrashAfter, LeaseLost, StoreConflict, StoreBefore, StoreAfter, ClockSkew, ClerkEdits, CustomerActs,
		PDFEmpty, PDFChanged, SettingsChanged, OldAndNew, DaylightChange}
}

// Coverage counts how often each fault happened.
type Coverage map[Fault]int

// Add adds another run's counts.
func (c Coverage) Add(other Coverage) {
	for f, n := range other {
		c[f] += n
	}
}

// Missing lists the kinds that never happened.
func (c Coverage) Missing() []Fault {
	return slices.DeleteFunc(Faults(), func(f Fault) bool { return c[f] > 0 })
}

// rates are the chances of faults in a run, in ten thousandths.
type rates map[Fault]int

// draw chooses the faults of a run: of those that may happen, or of about half of all kinds. Each is rare, common or in
// between, so that runs differ in what is wrong with their world.
func draw(rng *rand.Rand, only []Fault) rates {
	r := rates{}
	for _, f := range Faults() {
		chosen, level := rng.IntN(2) == 0, rng.IntN(3)
		if only != nil {
			chosen = slices.Contains(only, f)
		}
		if chosen {
			r[f] = perBoundary(f)[level]
		}
	}
	return r
}

// perBoundary are the rates of a kind: rare, in between, and common.
func perBoundary(f Fault) [3]int {
	switch f {
	case Crash, CrashAfter, LeaseLost:
		return [3]int{4, 12, 30}
	case StoreConflict, StoreBefore, StoreAfter:
		return [3]int{10, 30, 80}
	case SlowAnswer, ClerkEdits, CustomerActs:
		return [3]int{20, 60, 120}
	case HookTwice, HookReordered, HookLost, HookLate, HookBadSign, MessageTwice, MessageLate, MessageLost, PublishUnclear, PDFEmpty, PDFChanged:
		return [3]int{200, 800, 2500}
	case Outage:
		return [3]int{30, 80, 250}
	case HookOff:
		return [3]int{50, 150, 300}
	case ClockSkew, SettingsChanged, OldAndNew:
		return [3]int{2000, 4000, 8000}
	case StaleRead:
		return [3]int{500, 2000, 5000}
	}
	return [3]int{30, 90, 300}
}

// names lists the kinds that can happen, in the order of Faults.
func (r rates) names() []Fault {
	return slices.DeleteFunc(Faults(), func(f Fault) bool { return r[f] == 0 })
}
