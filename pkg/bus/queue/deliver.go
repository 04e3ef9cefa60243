package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/internal/wire"
)

// result is what became of a delivery.
type result int

const (
	acknowledged result = iota // the message is done
	refused                    // the delivery counts as an attempt and is repeated
	interrupted                // the process stops; the delivery does not count
)

// outcome is a delivered message and what became of it.
type outcome struct {
	message
	result result
	reason string // for refused, in words
}

// deliver hands a message to the handler and judges the answer.
func (d *dispatcher) deliver(handling context.Context, m message) outcome {
	ctx, cancel := context.WithTimeout(handling, d.s.opts.AckDeadline)
	defer cancel()
	err := wire.Push(ctx, d.s.handler, bus.Delivery{
		Subscription: d.s.name, ID: strconv.FormatInt(m.id, 10), Key: m.key, Data: m.data,
		Attributes: m.attributes, Attempt: m.attempts + 1, Published: m.published,
	})
	if p, ok := errors.AsType[*wire.PanicError](err); ok {
		d.q.log.Error("handler panicked", "subscription", d.s.name, "message", m.id, "key", m.key,
			"panic", fmt.Sprint(p.Value), "stack", p.Stack)
	}
	switch {
	case err == nil:
		return outcome{m, acknowledged, ""}
	case handling.Err() != nil:
		return outcome{m, interrupted, ""}
	}
	return outcome{m, refused, err.Error()}
}
