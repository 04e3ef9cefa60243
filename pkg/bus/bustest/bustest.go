// Package bustest is the conformance suite of the bus contract: every implementation of bus.Publisher, together with
// whatever delivers its messages, passes Run.
package bustest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
)

// Harness is one bus with one topic that has one subscription. The subscription keeps the order of keys and redelivers
// soon after a failure: within a few hundred milliseconds, or the suite takes long.
type Harness struct {
	// Publisher is what is tested.
	Publisher bus.Publisher
	// Topic is a topic the publisher knows.
	Topic string
	// Receive starts delivering the topic's messages to h, as POST requests, until the test ends. It is called once.
	Receive func(h http.Handler)
	// MaxAttempts is the number of deliveries after which a message is dead-lettered; 0 when the harness has no dead
	// letters.
	MaxAttempts int
	// DeadLetters lists the dead-lettered messages.
	DeadLetters func(ctx context.Context) ([]bus.Delivery, error)
	// NoKeys says that the envelope lacks the ordering key, as that of the official emulator does.
	NoKeys bool
	// Pipelined says that a message is pushed before the one before it of its key was answered, as the official emulator
	// does. Order after a failure is still kept.
	Pipelined bool
	// Acknowledging are the statuses that acknowledge; 200, 201, 202 and 204 when nil.
	Acknowledging []int
	// Patience is how long the suite waits for what must happen before it gives up; 30 seconds when zero.
	Patience time.Duration
}

// Run checks the contract against the bus that open makes, anew for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	tests := []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"envelope", testEnvelope},
		{"plain message", testPlain},
		{"many messages", testMany},
		{"concurrent publishers", testConcurrentPublishers},
		{"order within a key", testOrder},
		{"acknowledging answers", testAcknowledging},
		{"refusing answers", testRefusing},
		{"panic", testPanic},
		{"failing message holds its key", testFailingHoldsKey},
		{"other keys pass a blocked one", testParallelKeys},
		{"dead letter", testDeadLetter},
		{"unknown topic", testUnknownTopic},
		{"refused messages", testRefusedMessages},
		{"ended context", testContext},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := open(t)
			if h.Patience == 0 {
				h.Patience = 30 * time.Second
			}
			if h.Acknowledging == nil {
				h.Acknowledging = []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}
			}
			tt.test(t, h)
		})
	}
}

// publish publishes messages that must be accepted.
func (h Harness) publish(t *testing.T, messages ...bus.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.Patience)
	defer cancel()
	if err := h.Publisher.Publish(ctx, h.Topic, messages...); err != nil {
		t.Fatalf("publishing %d messages: %v", len(messages), err)
	}
}

// receiver is a push handler that remembers what it was given. Its answer is a function of the delivery and of the
// number of times the same data has come before.
type receiver struct {
	answer func(d bus.Delivery, before int) int

	mu      sync.Mutex
	got     []bus.Delivery
	headers []http.Header
	methods []string
	errs    []error
	count   map[string]int
	changed chan struct{}
}

// newReceiver makes a receiver; a nil answer acknowledges everything.
func newReceiver(answer func(d bus.Delivery, before int) int) *receiver {
	if answer == nil {
		answer = func(bus.Delivery, int) int { return http.StatusNoContent }
	}
	return &receiver{answer: answer, count: make(map[string]int), changed: make(chan struct{})}
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	d, err := bus.DecodePush(req)
	r.mu.Lock()
	before := r.count[string(d.Data)]
	r.count[string(d.Data)]++
	r.got = append(r.got, d)
	r.headers = append(r.headers, req.Header.Clone())
	r.methods = append(r.methods, req.Method)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	w.WriteHeader(r.answer(d, before))
}

// wait waits until ok says of the deliveries so far that they are enough, and returns them.
func (r *receiver) wait(t *testing.T, h Harness, what string, ok func(got []bus.Delivery) bool) []bus.Delivery {
	t.Helper()
	limit := time.After(h.Patience)
	for {
		r.mu.Lock()
		got, changed, errs := append([]bus.Delivery(nil), r.got...), r.changed, r.errs
		r.mu.Unlock()
		if len(errs) > 0 {
			t.Fatalf("a request was not a push envelope: %v", errs[0])
		}
		if ok(got) {
			return got
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waiting for %s: gave up after %s; got %s", what, h.Patience, texts(got))
		}
	}
}

// texts is the data of deliveries, for messages; long lists are cut.
func texts(got []bus.Delivery) []string {
	out := make([]string, 0, len(got))
	for i, d := range got {
		if i == 40 {
			return append(out, "...")
		}
		out = append(out, d.Key+":"+string(d.Data))
	}
	return out
}

// distinct counts the different data.
func distinct(got []bus.Delivery) int {
	seen := make(map[string]bool)
	for _, d := range got {
		seen[string(d.Data)] = true
	}
	return len(seen)
}

// atLeast is a condition for wait: so many different messages.
func atLeast(n int) func([]bus.Delivery) bool {
	return func(got []bus.Delivery) bool { return distinct(got) >= n }
}

// has is a condition for wait: a message with that data.
func has(data string) func([]bus.Delivery) bool {
	return func(got []bus.Delivery) bool { return index(got, data) >= 0 }
}

// index is the place of the first delivery with that data, or -1.
func index(got []bus.Delivery, data string) int {
	for i, d := range got {
		if string(d.Data) == data {
			return i
		}
	}
	return -1
}
