package infra

import (
	"regexp"
	"slices"
	"strings"
)

// promQL is a query somewhere in the plan.
type promQL struct{ address, text string }

// checkAlerts: every alert tells somebody, says what to do and links to a runbook that exists; every runbook has its alert.
func checkAlerts(in *inspection) {
	var have []string
	for _, a := range in.plan.Of("google_monitoring_alert_policy") {
		doc := a.Values.Block("documentation")
		name := strings.TrimSuffix(last(doc.Text("links", "url")), ".md")
		have = append(have, name)
		if a.Values.Text("display_name") != "arbridge: "+name {
			in.say(a.Address, "is named %q, but its runbook is %s", a.Values.Text("display_name"), name)
		}
		if !strings.HasPrefix(doc.Text("links", "url"), "https://") {
			in.say(a.Address, "does not link to a runbook")
		}
		if len(doc.Text("content")) < 80 {
			in.say(a.Address, "does not say what to look at first")
		}
		if len(a.Values.Blocks("conditions")) == 0 {
			in.say(a.Address, "has no condition")
		}
	}
	in.same(in.facts.Runbooks, have, "no alert links to this runbook", "there is no such runbook in infra/docs/runbooks")
	if len(in.plan.Of("google_monitoring_notification_channel")) == 0 {
		in.say("google_monitoring_notification_channel", "nobody is told about alerts")
	}
}

func (in *inspection) queries() []promQL {
	var out []promQL
	for _, a := range in.plan.Of("google_monitoring_alert_policy") {
		for _, c := range a.Values.Blocks("conditions") {
			out = append(out, promQL{a.Address, c.Text("condition_prometheus_query_language", "query")})
		}
	}
	for _, d := range in.plan.Of("google_monitoring_dashboard") {
		for _, m := range dashboardQuery.FindAllStringSubmatch(d.Values.Text("dashboard_json"), -1) {
			out = append(out, promQL{d.Address, strings.ReplaceAll(m[1], `\"`, `"`)})
		}
	}
	return out
}

var (
	dashboardQuery = regexp.MustCompile(`"prometheusQuery":"((?:[^"\\]|\\.)*)"`)
	series         = regexp.MustCompile(`\b(arbridge_[a-z_]+|[a-z]+_googleapis_com:[a-z_/]+)(\{[^}]*\})?`)
	matcher        = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping       = regexp.MustCompile(`\bby \(([a-z_, ]*)\)`)
)

// checkMetrics: queries name series that exist, and labels that these have.
func checkMetrics(in *inspection) {
	for _, q := range in.queries() {
		found := series.FindAllStringSubmatch(q.text, -1)
		if len(found) == 0 {
			in.say(q.address, "the query %q names no metric", q.text)
		}
		var labels []string
		for _, m := range found {
			known, ok := in.facts.Metrics[m[1]]
			if !ok {
				in.say(q.address, "nothing reports the metric %s", m[1])
				continue
			}
			labels = append(labels, known...)
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(known, l[1]) {
					in.say(q.address, "the metric %s has no label %s", m[1], l[1])
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(q.text, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				if !slices.Contains(labels, strings.TrimSpace(l)) {
					in.say(q.address, "no metric of %q has the label %s", q.text, strings.TrimSpace(l))
				}
			}
		}
	}
}
