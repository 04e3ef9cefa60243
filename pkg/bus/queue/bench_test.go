package queue_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/clock"
)

// counter acknowledges and counts down.
type counter struct{ wg sync.WaitGroup }

func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
	c.wg.Done()
}

// BenchmarkPublishDeliver is the way of messages from 32 publishers, one message per call and a key per publisher or per
// message, to the acknowledged delivery.
func BenchmarkPublishDeliver(b *testing.B) {
	for _, tt := range []struct {
		name string
		key  func(publisher, i int) string
	}{
		{"key per message", func(p, i int) string { return fmt.Sprintf("us/invoice/%d-%d", p, i) }},
		{"key per publisher", func(p, _ int) string { return fmt.Sprintf("us/invoice/%d", p) }},
		{"no key", func(_, _ int) string { return "" }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			q := newQueue(b, newStore(b), clock.System{})
			var c counter
			subscribe(b, q, &c, queue.SubscribeOptions{})
			run(b, q)
			c.wg.Add(b.N)
			b.ResetTimer()
			publishAll(b, q, 32, b.N, tt.key)
			c.wg.Wait()
		})
	}
}

// BenchmarkBacklog is the delivery of messages from behind 100,000 others: half of them delayed, half of them held back
// by one key whose message is delayed.
func BenchmarkBacklog(b *testing.B) {
	q := newQueue(b, newStore(b), clock.System{})
	var c counter
	subscribe(b, q, &c, queue.SubscribeOptions{})
	var messages []bus.Message
	for i := range 100_000 {
		m := bus.Message{Data: []byte("x"), Delay: 1000 * time.Hour}
		if i%2 == 0 {
			m.Key = "slow"
		}
		messages = append(messages, m)
	}
	publish(b, q, messages...)
	run(b, q)
	c.wg.Add(b.N)
	b.ResetTimer()
	publishAll(b, q, 32, b.N, func(p, i int) string { return fmt.Sprintf("us/invoice/%d-%d", p, i) })
	c.wg.Wait()
}

// publishAll publishes n messages from a number of goroutines.
func publishAll(b *testing.B, q *queue.Queue, publishers, n int, key func(publisher, i int) string) {
	data := []byte(`{"company":"us","kind":"invoice","id":"104233"}`)
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := p; i < n; i += publishers {
				if err := q.Publish(context.Background(), bus.TopicTasks, bus.Message{Key: key(p, i), Data: data}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
