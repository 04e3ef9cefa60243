package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/engine"
)

// Sent is a published message.
type Sent struct {
	Topic string
	bus.Message
}

// Bus records what is published and delivers it when it is drained. It implements bus.Publisher.
type Bus struct {
	mu      sync.Mutex
	pending []Sent
	total   int
	down    error
	line    *Line
}

// Publish implements bus.Publisher.
func (b *Bus) Publish(ctx context.Context, topic string, messages ...bus.Message) error {
	b.mu.Lock()
	line := b.line
	b.mu.Unlock()
	_, err := cross(line, func() (struct{}, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := errors.Join(ctx.Err(), b.down); err != nil {
			return struct{}{}, err
		}
		for _, m := range messages {
			b.pending = append(b.pending, Sent{topic, m})
		}
		b.total += len(messages)
		return struct{}{}, nil
	})
	return err
}

func (b *Bus) connect(l *Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = l
}

// Break makes publishing an error until it is given nil.
func (b *Bus) Break(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = err
}

// Published is the number of messages ever published.
func (b *Bus) Published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// Lose forgets what was published and not yet delivered, and returns it.
func (b *Bus) Lose() []Sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	lost := b.pending
	b.pending = nil
	return lost
}

// maxDeliveries ends a drain in which messages keep causing messages.
const maxDeliveries = 10_000

// Drain delivers messages, and those they cause, until there are none. An error of the engine ends it; the message is lost,
// as if its deliveries were used up.
func (b *Bus) Drain(ctx context.Context, e *engine.Engine) error {
	for range maxDeliveries {
		b.mu.Lock()
		if len(b.pending) == 0 {
			b.mu.Unlock()
			return nil
		}
		m := b.pending[0]
		b.pending = b.pending[1:]
		b.mu.Unlock()
		if err := Deliver(ctx, e, m); err != nil {
			return err
		}
	}
	return fmt.Errorf("draining: %d deliveries did not come to an end", maxDeliveries)
}

// Deliver gives one message to the engine, as the push handlers do.
func Deliver(ctx context.Context, e *engine.Engine, m Sent) error {
	switch m.Topic {
	case bus.TopicTasks:
		return deliver(ctx, m, e.Sync)
	case bus.TopicEvents:
		return deliver(ctx, m, e.HandleEvent)
	case bus.TopicTicks:
		return deliver(ctx, m, func(ctx context.Context, t engine.Tick) error {
			_, err := e.Poll(ctx, t.Company)
			return err
		})
	}
	return fmt.Errorf("delivering to %q: no such topic", m.Topic)
}

func deliver[T any](ctx context.Context, m Sent, handle func(context.Context, T) error) error {
	var body T
	if err := json.Unmarshal(m.Data, &body); err != nil {
		return fmt.Errorf("delivering to %s: %w", m.Topic, err)
	}
	return handle(ctx, body)
}
