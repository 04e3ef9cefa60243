package meter_test

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/meter"
)

// everything calls each method of the meter once.
func everything(m meter.Meter) {
	m.Effect("us", "q360", "receipt", meter.VerdictDone)
	m.MoneyPosted("us", "USD", 12_345)
	m.Event("us", "webhook", "payment.created", meter.EventNew)
	m.Request("poll", "2xx")
	m.Freshness("us", meter.FlowPoll, 30)
	m.Queue("us", 7, 90)
	m.Unknown("us", 1, 60)
	m.Untold("us", 3)
	m.Issues("us", "high", 2)
	m.Unexplained("us", 4)
}

func TestValues(t *testing.T) {
	var r meter.Recorder
	m := meter.New(&r)
	everything(m)
	m.MoneyPosted("us", "USD", 5)
	m.Freshness("us", meter.FlowPoll, 2)
	want := map[string]int64{
		"arbridge.effects us q360 receipt done": 1, "arbridge.money.posted us USD": 12_350,
		"arbridge.events us webhook payment.created new": 1, "arbridge.requests poll 2xx": 1, "arbridge.freshness us poll": 2,
		"arbridge.queue.length us": 7, "arbridge.queue.age us": 90, "arbridge.unknown.count us": 1, "arbridge.unknown.age us": 60,
		"arbridge.events.untold us": 3, "arbridge.issues us high": 2, "arbridge.reconciliation.unexplained us": 4,
	}
	if diff := cmp.Diff(want, r.All()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if _, ok := r.Value("arbridge.queue.age", "ca"); ok {
		t.Error("a series that nobody recorded has a value")
	}
	if v, ok := r.Value("arbridge.queue.age", "us"); v != 90 || !ok {
		t.Errorf("age %d, %v", v, ok)
	}
}

func TestZeroMeterDoesNothing(t *testing.T) {
	everything(meter.Meter{})
}

// table checks that what the methods send is what the table says.
type table struct {
	t    *testing.T
	seen map[string]bool
}

func (s *table) Record(m *meter.Metric, _ int64, attributes ...string) {
	s.seen[m.Name] = true
	if len(attributes) != len(m.Attributes) {
		s.t.Errorf("%s has attributes %v and was given %v", m.Name, m.Attributes, attributes)
	}
}

func TestNamesAreComplete(t *testing.T) {
	s := &table{t, map[string]bool{}}
	everything(meter.New(s))
	name := regexp.MustCompile(`^arbridge(\.[a-z]+)+$`)
	for _, m := range meter.Names() {
		if !s.seen[m.Name] {
			t.Errorf("%s is in the table and no method records it", m.Name)
		}
		delete(s.seen, m.Name)
		if !name.MatchString(m.Name) || m.Help == "" || len(m.Attributes) == 0 || m.Kind != meter.Counter && m.Kind != meter.Gauge {
			t.Errorf("%+v is not described", m)
		}
		if series := m.Series(); strings.Contains(series, ".") || strings.HasSuffix(series, "_total") != (m.Kind == meter.Counter) {
			t.Errorf("series %s", series)
		}
	}
	for missing := range s.seen {
		t.Errorf("%s is recorded and not in the table", missing)
	}
	names := meter.Names()
	names[0].Attributes[0] = "changed"
	if slices.Contains(meter.Names()[0].Attributes, "changed") {
		t.Error("a caller can change the table")
	}
}

func TestEventTypesAreFew(t *testing.T) {
	for typ, want := range map[string]string{
		"payment.created": "payment.created", "": "other", "x1": "other", "jane@example.com": "other", strings.Repeat("a", 49): "other", "Invoice.Paid": "other",
	} {
		var r meter.Recorder
		meter.New(&r).Event("us", "webhook", typ, meter.EventUnknown)
		if _, ok := r.Value("arbridge.events", "us", "webhook", want, "unknown_type"); !ok {
			t.Errorf("type %q is counted as %v, want %s", typ, r.All(), want)
		}
	}
}

func TestRecorderIsSafe(t *testing.T) {
	var r meter.Recorder
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				meter.New(&r).Request("sync", "2xx")
			}
		})
	}
	wg.Wait()
	if v, _ := r.Value("arbridge.requests", "sync", "2xx"); v != 800 {
		t.Errorf("%d requests, want 800", v)
	}
}
