package meter

import (
	"slices"
	"strings"
)

// Kind says how the values of a metric belong together.
type Kind string

// The kinds.
const (
	Counter Kind = "counter" // values are added up
	Gauge   Kind = "gauge"   // the last value counts
)

// Metric describes one metric. Dashboards, alerts and the code agree by this table.
type Metric struct {
	Name       string // such as arbridge.queue.age
	Kind       Kind
	Attributes []string
	Help       string // what a value is, with its unit
}

// Series is the metric's name in a time series database and in PromQL, such as arbridge_effects_total. It is also the name
// under which the metric is exported, so that it is the same whether or not what is in between rewrites names.
func (m *Metric) Series() string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	if m.Kind == Counter {
		name += "_total"
	}
	return name
}

// QueueLimit is the largest length of a queue that is told.
const QueueLimit = 1000

var (
	freshness = Metric{"arbridge.freshness", Gauge, []string{"company", "flow"},
		"Seconds since a flow last succeeded; for webhooks, since the last one was received."}
	queueAge     = Metric{"arbridge.queue.age", Gauge, []string{"company"}, "Seconds for which the oldest due record has been due."}
	queueLength  = Metric{"arbridge.queue.length", Gauge, []string{"company"}, "Records that are due, at most 1000."}
	effects      = Metric{"arbridge.effects", Counter, []string{"company", "vendor", "kind", "verdict"}, "Writes to vendors, and look-ups of lost ones."}
	unknownCount = Metric{"arbridge.unknown.count", Gauge, []string{"company"}, "Writes whose outcome is unknown."}
	unknownAge   = Metric{"arbridge.unknown.age", Gauge, []string{"company"}, "Seconds for which the oldest unknown outcome has been unknown."}
	moneyPosted  = Metric{"arbridge.money.posted", Counter, []string{"company", "currency"}, "Money of cash receipts written, in minor units."}
	events       = Metric{"arbridge.events", Counter, []string{"company", "via", "type", "state"}, "Portal events received."}
	untold       = Metric{"arbridge.events.untold", Gauge, []string{"company"},
		"Events of the last 24 hours that only the gap fill found while no webhook came."}
	issues      = Metric{"arbridge.issues", Gauge, []string{"company", "severity"}, "Open issues."}
	unexplained = Metric{"arbridge.reconciliation.unexplained", Gauge, []string{"company"}, "Unexplained differences of the last reconciliation."}
	requests    = Metric{"arbridge.requests", Counter, []string{"function", "class"}, "Requests answered, by class of status."}
)

// Names lists every metric, by name.
func Names() []Metric {
	all := []Metric{freshness, queueAge, queueLength, effects, unknownCount, unknownAge, moneyPosted, events, untold, issues, unexplained, requests}
	for i := range all {
		all[i].Attributes = slices.Clone(all[i].Attributes)
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}
