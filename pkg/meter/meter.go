// Package meter is what the rest of arbridge counts and measures with: one typed method for each metric, and a table that
// says which metrics there are. It knows no telemetry library; what becomes of the values is up to a Sink.
//
// All values are whole numbers. Attributes name companies, flows and kinds, never people, documents or amounts of one
// payment, so that a metric has few series and tells nothing personal.
package meter

// Sink takes the values. Implementations are safe for concurrent use and never wait for anything.
type Sink interface {
	// Record takes one value: what to add to a counter, or what a gauge is now. attributes are in the order of
	// m.Attributes.
	Record(m *Metric, value int64, attributes ...string)
}

// Meter counts and measures. The zero value does nothing; make one that does with New. It is safe for concurrent use.
type Meter struct{ sink Sink }

// New makes a meter whose values go to the sink.
func New(s Sink) Meter { return Meter{s} }

func (m Meter) record(metric *Metric, value int64, attributes ...string) {
	if m.sink != nil {
		m.sink.Record(metric, value, attributes...)
	}
}

// The verdicts of Effect.
const (
	VerdictDone    = "done"    // the vendor did it
	VerdictRefused = "refused" // the vendor clearly did not
	VerdictUnknown = "unknown" // the answer was lost
	VerdictFound   = "found"   // looked up after a lost answer: it is there
	VerdictAbsent  = "absent"  // looked up after a lost answer: it is not there
)

// Effect counts a write to a vendor, or the looking up of one whose answer was lost. kind is a billing.Kind or what else the
// plan calls the thing written.
func (m Meter) Effect(company, vendor, kind, verdict string) {
	m.record(&effects, 1, company, vendor, kind, verdict)
}

// MoneyPosted counts the money of a cash receipt that was written, in minor units of the currency.
func (m Meter) MoneyPosted(company, currency string, minorUnits int64) {
	m.record(&moneyPosted, minorUnits, company, currency)
}

// The states of Event.
const (
	EventNew       = "new"          // stored, and leads to work
	EventDuplicate = "duplicate"    // was there already
	EventUnknown   = "unknown_type" // stored, and leads to nothing
	EventTooLarge  = "too_large"    // not kept
)

// Event counts a portal event that was received. via is webhook or gap_fill, typ the vendor's name of its type.
func (m Meter) Event(company, via, typ, state string) {
	m.record(&events, 1, company, via, eventType(typ), state)
}

// Request counts a request that was answered, by the class of its status: 2xx, 4xx or 5xx.
func (m Meter) Request(function, class string) { m.record(&requests, 1, function, class) }

// The flows of Freshness.
const (
	FlowPoll      = "poll"
	FlowGapFill   = "gap_fill"
	FlowReconcile = "reconcile"
	FlowDigest    = "digest"
	FlowRetention = "retention"
	FlowWebhook   = "webhook" // since the last one was received
)

// Freshness is how many seconds ago a flow last succeeded.
func (m Meter) Freshness(company, flow string, seconds int64) {
	m.record(&freshness, seconds, company, flow)
}

// Queue is how many records are due, at most QueueLimit, and for how many seconds the oldest has been.
func (m Meter) Queue(company string, length, ageSeconds int64) {
	m.record(&queueLength, length, company)
	m.record(&queueAge, ageSeconds, company)
}

// Unknown is how many writes have an unknown outcome, and for how many seconds the oldest has had it.
func (m Meter) Unknown(company string, count, ageSeconds int64) {
	m.record(&unknownCount, count, company)
	m.record(&unknownAge, ageSeconds, company)
}

// Untold is how many events of the last 24 hours only the gap fill found, while no webhook came at all; 0 when one did.
func (m Meter) Untold(company string, n int64) { m.record(&untold, n, company) }

// Issues is how many open issues of a severity there are.
func (m Meter) Issues(company, severity string, n int64) { m.record(&issues, n, company, severity) }

// Unexplained is how many differences the last reconciliation could not explain.
func (m Meter) Unexplained(company string, n int64) { m.record(&unexplained, n, company) }

// eventType keeps what looks like a type of the vendor, such as invoice.updated. The rest counts as other: it would make a
// series of its own.
func eventType(typ string) string {
	if typ == "" || len(typ) > 48 {
		return "other"
	}
	for _, r := range typ {
		if (r < 'a' || r > 'z') && r != '.' && r != '_' {
			return "other"
		}
	}
	return typ
}
