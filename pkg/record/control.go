package record

import (
	"slices"

	"github.com/arbridge/arbridge/pkg/store"
)

// FlowAll is the pause of everything a company does.
const FlowAll = "all"

// The flows of a company that can be paused by themselves.
const (
	FlowInvoices = "invoices" // documents and customers towards the portal
	FlowPayments = "payments" // cash receipts
	FlowActivity = "activity" // history entries
)

// Flows lists what can be paused, FlowAll last.
func Flows() []string { return []string{FlowInvoices, FlowPayments, FlowActivity, FlowAll} }

// Control is what operators have stopped in a company, beside its settings. The zero value stops nothing.
type Control struct {
	Company string `json:"company"`
	// Paused maps the paused flows to who paused them and why.
	Paused map[string]Hold `json:"paused,omitempty"`
	// ReadOnly keeps the company from writing anything to a vendor; plans are still made.
	ReadOnly  *Hold      `json:"read_only,omitempty"`
	UpdatedAt store.Time `json:"updated_at"`
}

// Hold says who stopped something, and why.
type Hold struct {
	Actor  string     `json:"actor"`
	Reason string     `json:"reason"`
	At     store.Time `json:"at"`
}

// Stops returns the hold on a flow: its own, or that of everything.
func (c Control) Stops(flow string) (Hold, bool) {
	if h, ok := c.Paused[FlowAll]; ok {
		return h, true
	}
	h, ok := c.Paused[flow]
	return h, ok
}

// Flows lists the paused flows in the order of Flows.
func (c Control) Flows() []string {
	out := []string{}
	for _, f := range Flows() {
		if _, ok := c.Paused[f]; ok {
			out = append(out, f)
		}
	}
	return slices.Clip(out)
}

// The states of a Breaker.
const (
	BreakerClosed = "closed" // calls are made
	BreakerOpen   = "open"   // no calls until Until, then one
)

// Breaker tells, for people, whether a process calls a vendor for a company. The breaker itself lives in the process.
type Breaker struct {
	Company   string     `json:"company"`
	Vendor    string     `json:"vendor"`
	State     string     `json:"state"`
	Failures  int        `json:"failures"`            // in a row
	Problem   string     `json:"problem,omitempty"`   // the last failure
	Until     store.Time `json:"until,omitzero"`      // when the next call is tried
	Process   string     `json:"process,omitempty"`   // the process that wrote this
	ChangedAt store.Time `json:"changed_at,omitzero"` // when the state became this
}

// Audit is one thing an operator did. Entries are only ever added.
type Audit struct {
	Company string     `json:"company"`
	At      store.Time `json:"at"`
	Actor   string     `json:"actor"`
	Action  string     `json:"action"`
	Target  string     `json:"target"`
	Reason  string     `json:"reason,omitempty"`
	Before  string     `json:"before,omitempty"`
	After   string     `json:"after,omitempty"`
}

// Backfill is the progress of scheduling again what a changed rule lets through. Its cursor is After.
type Backfill struct {
	Company string `json:"company"`
	State   string `json:"state"` // running, done
	Since   string `json:"since,omitempty"`
	// After is the source id up to which everything is scheduled.
	After     string     `json:"after,omitempty"`
	Looked    int64      `json:"looked"`
	Scheduled int64      `json:"scheduled"`
	Actor     string     `json:"actor"`
	Reason    string     `json:"reason,omitempty"`
	StartedAt store.Time `json:"started_at"`
	UpdatedAt store.Time `json:"updated_at"`
	// Restarted says that the invoice feed was set back to Since.
	Restarted bool `json:"restarted,omitempty"`
}

// The states of a Backfill.
const (
	BackfillRunning = "running"
	BackfillDone    = "done"
)
