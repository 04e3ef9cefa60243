package engine

import (
	"context"
	"encoding/json"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// announceBuffer bounds the events that wait for Announce. What does not fit is left to the sweep.
const announceBuffer = 4096

// eventMessage wakes the receipt function for an inbox entry, under its subject, so that the events of one object are
// handled in order.
func eventMessage(in *record.Inbox) bus.Message {
	data, err := json.Marshal(EventTask{in.Company, in.EventID})
	if err != nil {
		panic("engine: " + err.Error()) // two texts always encode
	}
	key := in.Subject
	if key == "" {
		key = store.ID(in.Company, in.EventID)
	}
	return bus.Message{Key: key, Data: data}
}

// announceEvent wakes the receipt function: now, or by Announce where that runs.
func (e *Engine) announceEvent(ctx context.Context, in *record.Inbox) {
	m := eventMessage(in)
	if !e.opt.AnnounceLater {
		e.publishEvents(ctx, m)
		return
	}
	select {
	case e.later <- m:
	default: // the sweep publishes it: the inbox entry is due
	}
}

func (e *Engine) publishEvents(ctx context.Context, messages ...bus.Message) {
	if err := e.publisher.Publish(ctx, bus.TopicEvents, messages...); err != nil {
		e.log.WarnContext(ctx, "events not published; the sweep will", "count", len(messages), "error", err)
	}
}

// Announce publishes, several at a time, what Receive stored, until ctx ends. With Options.AnnounceLater a webhook waits
// for one durable write instead of two; the event is safe either way, because the sweep finds every unhandled inbox entry.
func (e *Engine) Announce(ctx context.Context) error {
	for {
		var batch []bus.Message
		select {
		case <-ctx.Done():
			return nil
		case m := <-e.later:
			batch = append(batch, m)
		}
		for more := true; more && len(batch) < 200; {
			select {
			case m := <-e.later:
				batch = append(batch, m)
			default:
				more = false
			}
		}
		e.publishEvents(ctx, batch...)
	}
}
