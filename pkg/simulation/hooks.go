package simulation

import (
	"bytes"
	"net/http"
	"time"

	"github.com/arbridge/arbridge/functions/webhook"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/store"
)

// hooks are the portal's webhooks on their way.
type hooks struct {
	next time.Time            // of the vendor's own work; zero for none
	last time.Time            // when the last late one comes
	off  map[string]time.Time // until when a company's endpoint is disabled
}

// deliverHooks takes what the portal wants to deliver now, and does to it what happens to webhooks.
func (w *world) deliverHooks() {
	for {
		d, wait, err := w.portal.TakeDelivery()
		if err != nil {
			panic("simulation: " + err.Error())
		}
		if d == nil {
			if w.hooks.next = (time.Time{}); wait >= 0 {
				w.hooks.next = w.loop.now.Add(wait)
			}
			return
		}
		w.past.told[d.Account+" "+eventID(d.Body)] = true
		w.send(d)
	}
}

func (w *world) send(d *invoicedsim.Delivery) {
	l := w.loop
	switch {
	case l.now.Before(w.hooks.off[d.Account]):
		w.delivered(d, http.StatusOK) // nobody is asked
		return
	case w.hit(HookOff):
		w.hooks.off[d.Account] = l.now.Add(l.between(time.Hour, 5*time.Hour))
		w.delivered(d, http.StatusOK)
		return
	case w.hit(HookLost):
		w.delivered(d, http.StatusOK)
		return
	case w.hit(HookLate):
		w.hooks.last = l.now.Add(72 * time.Hour)
		l.after(72*time.Hour, "late webhook", func() { w.post(d, d.Signature, true) })
		return
	case w.hit(HookReordered):
		l.after(l.between(time.Minute, 10*time.Minute), "webhook", func() { w.post(d, d.Signature, true) })
		return
	case w.hit(HookTwice):
		l.after(l.between(time.Millisecond, 5*time.Minute), "webhook again", func() { w.post(d, d.Signature, false) })
	}
	if w.hit(HookBadSign) {
		w.post(d, invoicedsim.Sign("somebody else", d.Body), false)
	}
	w.post(d, d.Signature, true)
}

// post brings a webhook to a process. last says that the portal gets its answer.
func (w *world) post(d *invoicedsim.Delivery, signature string, last bool) {
	idle := w.idle()
	if len(idle) == 0 {
		w.loop.after(w.loop.between(100*time.Millisecond, time.Second), "webhook waits", func() { w.post(d, signature, last) })
		return
	}
	p := idle[w.loop.rng.IntN(len(idle))]
	id := eventID(d.Body)
	p.serve("hook "+id, "", func() *http.Request {
		return post("/webhook/"+d.Account, d.Body, map[string]string{webhook.SignatureHeader: signature, "Content-Type": "application/json"})
	}, func(status int) {
		w.trace.add("hook %s %s answered %d", d.Account, id, status)
		if status >= 200 && status < 300 {
			w.past.acked[d.Account+" "+id] = true
			if _, err := w.disk.Get(outside(), store.Inbox, store.ID(d.Account, id)); err != nil {
				w.bad(noWebhookLost, "event %s of %s was acknowledged before it was stored", id, d.Account)
			}
			if signature != d.Signature {
				w.bad(onlyOwnSecrets, "event %s of %s with a wrong signature was taken", id, d.Account)
			}
		}
		if last {
			w.delivered(d, status)
		}
	})
}

func (w *world) delivered(d *invoicedsim.Delivery, status int) {
	if err := w.portal.Delivered(d, status); err != nil {
		panic("simulation: " + err.Error())
	}
}

// eventID is the id of an event as received: the first field of that name.
func eventID(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"id":`))
	n := len(rest) - len(bytes.TrimLeft(rest, "0123456789"))
	return string(rest[:n])
}
