package bustest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
)

func testEnvelope(t *testing.T, h Harness) {
	r := newReceiver(nil)
	h.Receive(r)
	data := []byte("\x00\xff{\"id\":\"ü\"}\n")
	attributes := map[string]string{"company": "us", "note": "zwölf\n\"quoted\""}
	h.publish(t, bus.Message{Key: "us/invoice/104233", Data: data, Attributes: attributes})
	got := r.wait(t, h, "the message", atLeast(1))[0]

	if !bytes.Equal(got.Data, data) {
		t.Errorf("data = %q, want %q", got.Data, data)
	}
	if got.Key != "us/invoice/104233" && !h.NoKeys {
		t.Errorf("key = %q, want us/invoice/104233", got.Key)
	}
	for k, want := range attributes {
		if got.Attributes[k] != want {
			t.Errorf("attribute %s = %q, want %q", k, got.Attributes[k], want)
		}
	}
	if got.ID == "" || got.Subscription == "" || got.Published.IsZero() {
		t.Errorf("id %q, subscription %q, published %s: all must be set", got.ID, got.Subscription, got.Published)
	}
	if got.Attempt > 1 {
		t.Errorf("attempt = %d at the first delivery, want 1 or 0", got.Attempt)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.methods[0] != http.MethodPost {
		t.Errorf("method = %s, want POST", r.methods[0])
	}
	if ct := r.headers[0].Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("content type = %q, want application/json", ct)
	}
}

// testPlain sends the smallest messages: only data, and only an attribute.
func testPlain(t *testing.T, h Harness) {
	r := newReceiver(nil)
	h.Receive(r)
	h.publish(t, bus.Message{Data: []byte("x")}, bus.Message{Attributes: map[string]string{"tick": "1"}})
	got := r.wait(t, h, "both messages", atLeast(2))
	for _, d := range got {
		if d.Key != "" {
			t.Errorf("key = %q, want none", d.Key)
		}
		if len(d.Data) == 0 && d.Attributes["tick"] != "1" {
			t.Errorf("attributes = %v, want tick=1", d.Attributes)
		}
	}
}

func testMany(t *testing.T, h Harness) {
	const n = 300
	r := newReceiver(nil)
	h.Receive(r)
	messages := make([]bus.Message, n)
	for i := range messages {
		messages[i] = bus.Message{Data: fmt.Appendf(nil, "m%d", i)}
	}
	h.publish(t, messages...)
	got := r.wait(t, h, "all messages", atLeast(n))
	ids := make(map[string]string)
	for _, d := range got {
		if other, ok := ids[d.ID]; ok && other != string(d.Data) {
			t.Fatalf("messages %s and %s have the same id %s", other, d.Data, d.ID)
		}
		ids[d.ID] = string(d.Data)
	}
}

func testConcurrentPublishers(t *testing.T, h Harness) {
	const publishers, each = 8, 25
	r := newReceiver(nil)
	h.Receive(r)
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				m := bus.Message{Key: fmt.Sprintf("k%d", p), Data: fmt.Appendf(nil, "k%d-%d", p, i)}
				if err := h.Publisher.Publish(t.Context(), h.Topic, m); err != nil {
					t.Errorf("publisher %d, message %d: %v", p, i, err)
				}
			}
		})
	}
	wg.Wait()
	checkOrder(t, r.wait(t, h, "all messages", atLeast(publishers*each)))
}

func testOrder(t *testing.T, h Harness) {
	const keys, each = 5, 20
	var active [keys]atomic.Int32
	r := newReceiver(func(d bus.Delivery, _ int) int {
		var k, n int
		if _, err := fmt.Sscanf(string(d.Data), "k%d-%d", &k, &n); err != nil {
			return http.StatusNoContent // the check of the order fails
		}
		if active[k].Add(1) > 1 && !h.Pipelined {
			t.Errorf("message %s is handled at the same time as another of its key", d.Data)
		}
		time.Sleep(time.Millisecond)
		active[k].Add(-1)
		return http.StatusNoContent
	})
	h.Receive(r)
	for i := 0; i < each; i += 4 {
		var messages []bus.Message
		for j := i; j < i+4; j++ {
			for k := range keys {
				messages = append(messages, bus.Message{Key: fmt.Sprintf("k%d", k), Data: fmt.Appendf(nil, "k%d-%d", k, j)})
			}
		}
		h.publish(t, messages...)
	}
	checkOrder(t, r.wait(t, h, "all messages", atLeast(keys*each)))
}

// checkOrder requires that data of the form key-number first came in rising order for each key.
func checkOrder(t *testing.T, got []bus.Delivery) {
	t.Helper()
	next := make(map[string]int)
	for _, d := range got {
		key, number, _ := strings.Cut(string(d.Data), "-")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("data %q: %v", d.Data, err)
		}
		switch {
		case n == next[key]:
			next[key]++
		case n > next[key]:
			t.Fatalf("key %s: message %d came before %d", key, n, next[key])
		}
	}
}

// testAcknowledging uses that a key only moves on when its message is acknowledged.
func testAcknowledging(t *testing.T, h Harness) {
	n := len(h.Acknowledging)
	r := newReceiver(func(d bus.Delivery, _ int) int { return h.Acknowledging[int(d.Data[0]-'0')%n] })
	h.Receive(r)
	for i := range n + 1 {
		h.publish(t, bus.Message{Key: "k", Data: fmt.Appendf(nil, "%d", i)})
	}
	got := r.wait(t, h, "the last message", atLeast(n+1))
	if len(got) != n+1 {
		t.Errorf("deliveries = %v, want each message once", texts(got))
	}
}

func testRefusing(t *testing.T, h Harness) {
	statuses := []int{400, 401, 404, 409, 410, 422, 429, 500, 502, 503, 206}
	r := newReceiver(func(d bus.Delivery, before int) int {
		if before > 0 {
			return http.StatusOK
		}
		var status int
		_, _ = fmt.Sscan(string(d.Data), &status) // an unreadable one leaves 0 and panics in WriteHeader
		return status
	})
	h.Receive(r)
	for _, status := range statuses {
		h.publish(t, bus.Message{Key: fmt.Sprint("key ", status), Data: fmt.Append(nil, status)})
	}
	got := r.wait(t, h, "a second delivery of each message", func(got []bus.Delivery) bool {
		count := make(map[string]int)
		for _, d := range got {
			count[string(d.Data)]++
		}
		return !slices.ContainsFunc(statuses, func(s int) bool { return count[fmt.Sprint(s)] < 2 })
	})
	first := make(map[string]bus.Delivery)
	for _, d := range got {
		before, again := first[string(d.Data)]
		if again && (before.ID != d.ID || before.Attempt > 0 && d.Attempt <= before.Attempt) {
			t.Errorf("delivered %s as id %s attempt %d, then as id %s attempt %d", d.Data, before.ID, before.Attempt, d.ID, d.Attempt)
		}
		first[string(d.Data)] = d
	}
}

func testPanic(t *testing.T, h Harness) {
	r := newReceiver(func(d bus.Delivery, before int) int {
		if before == 0 && string(d.Data) == "bad" {
			panic("test: this handler panics")
		}
		return http.StatusOK
	})
	h.Receive(r)
	h.publish(t, bus.Message{Key: "a", Data: []byte("bad")}, bus.Message{Key: "b", Data: []byte("good")})
	r.wait(t, h, "the redelivery after the panic", func(got []bus.Delivery) bool { return len(got) >= 3 && has("good")(got) })
}

func testFailingHoldsKey(t *testing.T, h Harness) {
	r := newReceiver(func(d bus.Delivery, before int) int {
		if string(d.Data) == "first" && before < 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	h.Receive(r)
	h.publish(t, bus.Message{Key: "k", Data: []byte("first")}, bus.Message{Key: "k", Data: []byte("second")})
	h.publish(t, bus.Message{Key: "k", Data: []byte("third")})
	got := r.wait(t, h, "the third message", has("third"))
	var want []string
	for _, d := range got { // a repetition of what was delivered already is allowed, a gap is not
		if !slices.Contains(want, string(d.Data)) {
			want = append(want, string(d.Data))
		}
	}
	if !slices.Equal(want, []string{"first", "second", "third"}) {
		t.Errorf("order = %v, want first, second, third", want)
	}
	if i := index(got, "second"); i < 3 {
		t.Errorf("second came after %d deliveries, want it after 3 of first", i)
	}
}

func testParallelKeys(t *testing.T, h Harness) {
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	defer free() // before the bus is stopped
	r := newReceiver(func(d bus.Delivery, _ int) int {
		if data := string(d.Data); data == "stuck" || data == "behind" {
			<-release
		}
		return http.StatusOK
	})
	h.Receive(r)
	h.publish(t, bus.Message{Key: "blocked", Data: []byte("stuck")}, bus.Message{Key: "blocked", Data: []byte("behind")})
	r.wait(t, h, "the message that gets stuck", has("stuck"))
	const n = 20
	for i := range n {
		h.publish(t, bus.Message{Key: fmt.Sprintf("free%d", i%3), Data: fmt.Appendf(nil, "m%d", i)})
	}
	got := r.wait(t, h, "the messages of other keys", atLeast(n+1))
	if i := index(got, "behind"); i >= 0 && !h.Pipelined {
		t.Errorf("a message passed the one being handled for its key: %v", texts(got))
	}
	free()
	r.wait(t, h, "the message behind the stuck one", has("behind"))
}

func testDeadLetter(t *testing.T, h Harness) {
	r := newReceiver(func(d bus.Delivery, _ int) int {
		if string(d.Data) == "poison" {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	h.Receive(r)
	if h.MaxAttempts == 0 {
		h.publish(t, bus.Message{Key: "k", Data: []byte("poison")})
		r.wait(t, h, "three deliveries", func(got []bus.Delivery) bool { return len(got) >= 3 })
		return
	}
	poison := bus.Message{Key: "k", Data: []byte("poison"), Attributes: map[string]string{"company": "us"}}
	h.publish(t, poison, bus.Message{Key: "k", Data: []byte("next")})
	got := r.wait(t, h, "the message behind the dead letter", has("next"))
	attempts := 0
	for _, d := range got {
		if string(d.Data) == "poison" {
			attempts++
		}
	}
	if attempts != h.MaxAttempts {
		t.Errorf("delivered %d times, want %d", attempts, h.MaxAttempts)
	}
	letters := h.waitDeadLetter(t)
	if len(letters) != 1 || string(letters[0].Data) != "poison" || letters[0].Attributes["company"] != "us" {
		t.Errorf("dead letters = %+v, want the one poison message with its attribute", letters)
	}
}

// waitDeadLetter waits for the first dead letter.
func (h Harness) waitDeadLetter(t *testing.T) []bus.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.Patience)
	defer cancel()
	for {
		letters, err := h.DeadLetters(ctx)
		if err != nil {
			t.Fatalf("listing dead letters: %v", err)
		}
		if len(letters) > 0 {
			return letters
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func testUnknownTopic(t *testing.T, h Harness) {
	err := h.Publisher.Publish(t.Context(), "no-such-topic", bus.Message{Data: []byte("x")})
	if err == nil || !strings.Contains(err.Error(), "no-such-topic") {
		t.Errorf("error = %v, want one that names the topic", err)
	}
}

func testRefusedMessages(t *testing.T, h Harness) {
	r := newReceiver(nil)
	h.Receive(r)
	fits := bus.Message{Data: bytes.Repeat([]byte("x"), bus.MaxMessage)}
	tests := []struct {
		name    string
		message bus.Message
	}{
		{"data too large", bus.Message{Data: append([]byte("y"), fits.Data...)}},
		{"attributes too large", bus.Message{Data: fits.Data, Attributes: map[string]string{"a": "b"}}},
		{"empty", bus.Message{Key: "k"}},
		{"key too long", bus.Message{Key: strings.Repeat("k", 1025), Data: []byte("x")}},
		{"key not text", bus.Message{Key: "\xff", Data: []byte("x")}},
		{"attribute not text", bus.Message{Attributes: map[string]string{"a": "\xff"}}},
	}
	for _, tt := range tests {
		good := bus.Message{Data: []byte("must not be delivered")}
		if err := h.Publisher.Publish(t.Context(), h.Topic, good, tt.message); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
	h.publish(t, fits)
	got := r.wait(t, h, "the largest message", atLeast(1))
	if index(got, "must not be delivered") >= 0 {
		t.Error("a message was delivered although another one of its call was refused")
	}
}

func testContext(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := h.Publisher.Publish(ctx, h.Topic, bus.Message{Data: []byte("x")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("publishing with an ended context: %v, want context.Canceled", err)
	}
}
