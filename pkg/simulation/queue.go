package simulation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/bus"
)

// message waits for a process, or is with one.
type message struct {
	topic    string
	m        bus.Message
	key      string // with the topic; "" without order
	id       int
	at       time.Time // not before
	attempts int
	with     *process
	given    time.Time // to it
}

// ackDeadline is how long a process may take with a message before another one gets it, too.
const ackDeadline = 10 * time.Minute

// held is until when nobody else gets the message; the zero time when nobody has it.
func (m *message) held() time.Time {
	if m.with == nil {
		return time.Time{}
	}
	return m.given.Add(ackDeadline)
}

// queue is the bus: at least once, in order per key.
type queue struct {
	w        *world
	messages []*message
	scratch  []*message // for ready
	number   int
	dead     int
}

// publisher is the bus as a process has it.
type publisher struct{ p *process }

var errPublish = errors.New("bus: deadline exceeded")

// Publish implements bus.Publisher.
func (b *publisher) Publish(_ context.Context, topic string, messages ...bus.Message) error {
	if err := b.p.cross("publish"); err != nil {
		return err
	}
	for _, m := range messages {
		b.p.w.queue.add(topic, m)
	}
	b.p.after("publish")
	if b.p.w.hit(PublishUnclear) {
		return errPublish
	}
	return nil
}

func (q *queue) add(topic string, m bus.Message) {
	w := q.w
	if w.hit(MessageLost) || q.unheard(m) {
		w.trace.add("lost: %s %s", topic, m.Data)
		return
	}
	copies := 1
	if w.hit(MessageTwice) {
		copies = 2
	}
	for range copies {
		q.number++
		at := w.loop.now.Add(m.Delay)
		if w.hit(MessageLate) {
			at = at.Add(w.loop.between(time.Second, 10*time.Minute))
		}
		key := ""
		if m.Key != "" {
			key = topic + " " + m.Key
		}
		q.messages = append(q.messages, &message{topic: topic, m: m, key: key, id: q.number, at: at})
		if copies == 2 {
			m.Key = "" // a second delivery while the first is being handled
		}
	}
}

// unheard reports whether a message is lost that tells of an invoice that changed while a process works on it. Without it that
// process is the only one that can notice.
func (q *queue) unheard(m bus.Message) bool {
	w := q.w
	_, no, _ := strings.Cut(m.Key, "/"+string(billing.KindInvoice)+"/")
	b := w.past.bills[no]
	if b == nil || w.calm || w.rates[MessageLost] == 0 || !w.loop.now.Before(b.unheard) || !w.loop.chance(5000) {
		return false
	}
	w.happened(MessageLost)
	return true
}

// ready lists the messages that may be delivered: the first of each key, when none of the key is with a process.
func (q *queue) ready() []*message {
	out := q.scratch[:0]
	for i, m := range q.messages {
		if maxTime(m.at, m.held()).After(q.w.loop.now) {
			continue
		}
		if m.key == "" || !slices.ContainsFunc(q.messages[:i], func(o *message) bool { return o.key == m.key }) {
			out = append(out, m)
		}
	}
	q.scratch = out
	return out
}

// next is when the next message that waits may be delivered; the zero time when none waits.
func (q *queue) next() time.Time {
	var at time.Time
	for _, m := range q.messages {
		if due := maxTime(m.at, m.held()); at.IsZero() || due.Before(at) {
			at = due
		}
	}
	return at
}

// overdue counts the messages that could have been delivered for a while.
func (q *queue) overdue() int {
	n := 0
	for _, m := range q.messages {
		if m.at.Before(q.w.loop.now.Add(-15 * time.Minute)) {
			n++
		}
	}
	return n
}

// deliver gives ready messages to idle processes.
func (q *queue) deliver() {
	for {
		idle := q.w.idle()
		if len(idle) == 0 {
			return
		}
		ready := q.ready()
		if len(ready) == 0 {
			return
		}
		q.give(ready[q.w.loop.rng.IntN(len(ready))], idle[q.w.loop.rng.IntN(len(idle))])
	}
}

func (q *queue) give(m *message, p *process) {
	m.with, m.given = p, q.w.loop.now
	p.task = m.m.Data
	m.attempts++
	q.w.trace.detail("  %s is given %s %s", p.name, m.topic, m.m.Data)
	p.serve(fmt.Sprintf("%s %s", m.topic, m.m.Data), m.topic, func() *http.Request {
		body, err := bus.EncodePush(bus.Delivery{
			Subscription: m.topic, ID: fmt.Sprint(m.id), Key: m.m.Key, Data: m.m.Data, Attributes: m.m.Attributes, Attempt: m.attempts, Published: m.at,
		})
		if err != nil {
			panic("simulation: " + err.Error())
		}
		return post("/", body, nil)
	}, func(status int) {
		if m.with != p && (status < 200 || status >= 300) {
			return // somebody else has it by now
		}
		m.with = nil
		switch {
		case status >= 200 && status < 300:
			q.remove(m)
		case m.attempts >= 10:
			q.dead++
			q.w.trace.add("dead letter: %s %s", m.topic, m.m.Data)
			q.remove(m)
		default:
			m.at = q.w.loop.now.Add(min(10*time.Second<<min(m.attempts, 6), 10*time.Minute))
		}
	})
}

func (q *queue) remove(m *message) {
	for i, other := range q.messages {
		if other == m {
			q.messages = append(q.messages[:i], q.messages[i+1:]...)
			return
		}
	}
}
