package infra

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/store"
)

// root is the module's root from this package's folder.
const root = "../.."

// googleMetrics are Google's own series that queries use, with their labels.
func googleMetrics() map[string][]string {
	return map[string][]string{
		"pubsub_googleapis_com:topic_send_request_count":              {"monitored_resource", "topic_id", "response_class", "response_code"},
		"pubsub_googleapis_com:subscription_num_undelivered_messages": {"monitored_resource", "subscription_id"},
		"run_googleapis_com:request_count":                            {"monitored_resource", "service_name", "revision_name", "location", "response_code", "response_code_class"},
	}
}

// facts are what this code base says.
func facts(t *testing.T) Facts {
	t.Helper()
	f := Facts{
		Topics: bus.Topics, Shapes: store.Shapes, Stored: store.Collections, Retained: store.Retained, Metrics: googleMetrics(),
		Functions: map[string]bool{"poll": false, "sync": false, "receipt": false, "webhook": true},
	}
	for _, m := range meter.Names() {
		f.Metrics[m.Series()] = m.Attributes
	}
	for name := range f.Functions {
		if _, err := os.Stat(filepath.Join(root, "functions", name, name+".go")); err != nil {
			t.Fatalf("function %s: %v", name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "infra/docs/runbooks/*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	for _, file := range files {
		f.Runbooks = append(f.Runbooks, strings.TrimSuffix(filepath.Base(file), ".md"))
	}
	return f
}

// recorded is the plan of production as it was when it was last recorded.
func recorded(t *testing.T) Plan {
	t.Helper()
	data, err := os.ReadFile(recordFile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Recorded(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func texts(problems []Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return out
}
