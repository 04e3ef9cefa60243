package simulation

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// idlePoll is the distance of ticks of a company in which there seems to be nothing to find, and sleepingPoll that of one in
// which nobody did anything at all, or nothing more will happen and the daily work is done: longer than a run lasts.
const (
	idlePoll     = 25 * time.Hour
	sleepingPoll = 200 * time.Hour
)

// eagerFor is how long runs that leave out no ticks leave out none.
const eagerFor = 5 * time.Hour

// calmPoll is the distance of ticks when nothing goes wrong any more and something is due, less than what counts as rest, and
// latePoll when only late webhooks are waited for: what a person has to decide is looked at again every six hours until then.
const (
	calmPoll = restFor - time.Hour
	latePoll = 20 * time.Hour
)

// skewed is by how much the clocks of two processes may differ.
const skewed = 40 * time.Second

// tick is the scheduler. It leaves out the ticks in which there is nothing to find: nobody did anything in the company since
// its last complete poll, and nothing is due. A run in 128 leaves out none of the first hours.
func (w *world) tick() {
	now := w.loop.now
	if w.eager && now.Sub(w.scene.start) < eagerFor {
		w.queue.add(bus.TopicTicks, bus.Message{Key: "tick//", Data: []byte(`{}`)})
		w.tickAt(now.Add(w.every))
		return
	}
	next := now.Add(idlePoll)
	for _, co := range w.companies {
		due := w.pollDue(co)
		if !due.After(now) {
			w.tickOf(co)
			due = now.Add(w.every)
		}
		next = minTime(next, due)
	}
	w.tickAt(maxTime(next, now.Add(w.every)))
}

// tickOf has a company polled.
func (w *world) tickOf(co *company) {
	data, err := json.Marshal(engine.Tick{Company: co.id})
	if err != nil {
		panic("simulation: " + err.Error())
	}
	w.queue.add(bus.TopicTicks, bus.Message{Key: "tick/" + co.id + "/", Data: data})
	co.ticked = w.loop.now
}

// pollDue is when a company has to be polled next.
func (w *world) pollDue(co *company) time.Time {
	due, soon := co.ticked.Add(idlePoll), co.ticked.Add(w.every)
	if co.off {
		return due
	}
	if co.touched.IsZero() || w.calm && co.ticked.Sub(w.scene.start) > 24*time.Hour+15*time.Minute {
		due = co.ticked.Add(sleepingPoll)
	}
	if !w.polled(co) {
		due = minTime(due, maxTime(co.touched, soon))
	}
	switch {
	case w.calm && co.ticked.Sub(w.scene.start) > 36*time.Hour:
		soon = co.ticked.Add(latePoll)
	case w.calm:
		soon = co.ticked.Add(calmPoll)
	}
	for id, at := range w.dues {
		if !strings.Contains(id, " "+co.id+"/") {
			continue
		}
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil && t.Add(skewed).Before(due) {
			due = maxTime(t.Add(skewed), soon)
		}
	}
	return due
}

// polled reports whether a poll of the company was complete that began after somebody last did something there.
func (w *world) polled(co *company) bool {
	doc, err := w.disk.Get(outside(), store.Runs, store.ID(co.id, "poll"))
	if err != nil {
		return false
	}
	var run record.Run
	if err := json.Unmarshal(doc.Data, &run); err != nil {
		panic("simulation: " + err.Error())
	}
	return run.Error == "" && run.StartedAt.After(co.touched.Add(time.Minute)) // clocks differ
}

// tickAt makes the next tick be at a time.
func (w *world) tickAt(at time.Time) {
	w.nextTick = at
	w.loop.at(at, "tick", func() {
		if w.nextTick.Equal(at) { // otherwise it was moved
			w.tick()
		}
	})
}

// touch notes that somebody did something in a company, so that it is polled soon.
func (w *world) touch(co *company) {
	co.touched = w.loop.now
	if soon := w.loop.now.Add(w.every); w.nextTick.After(soon) {
		w.tickAt(soon)
	}
}

// due notes when a stored record or event is due, so that a tick comes soon after.
func (w *world) due(c store.Collection, id string, data []byte) {
	key := string(c) + " " + id
	at := field(data, "due_at")
	if at == "" {
		delete(w.dues, key)
		return
	}
	w.dues[key] = at
	t, err := time.Parse(time.RFC3339Nano, at)
	if at := maxTime(t.Add(skewed), w.loop.now.Add(w.every)); err == nil && w.nextTick.After(at) {
		w.tickAt(at)
	}
}
