package meter

import (
	"maps"
	"strings"
	"sync"
)

// Recorder is a Sink that keeps everything, for tests. The zero value is ready.
type Recorder struct {
	mu     sync.Mutex
	values map[string]int64
}

// Record implements Sink.
func (r *Recorder) Record(m *Metric, value int64, attributes ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[string]int64{}
	}
	key := seriesKey(m.Name, attributes)
	if m.Kind == Counter {
		value += r.values[key]
	}
	r.values[key] = value
}

// Value is the value of a metric with these attributes, in the order of the table, and whether it was ever recorded.
func (r *Recorder) Value(name string, attributes ...string) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.values[seriesKey(name, attributes)]
	return v, ok
}

// All is every value, under keys such as "arbridge.queue.age us".
func (r *Recorder) All() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.values)
}

func seriesKey(name string, attributes []string) string {
	return strings.Join(append([]string{name}, attributes...), " ")
}
