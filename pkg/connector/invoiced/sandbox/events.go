package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// event is something that happened, as it was then (invoiced-api 9.1). Its Created is the timestamp.
type event struct {
	objects.Head
	Type     string          `json:"type"`
	Object   json.RawMessage `json:"object"`
	Previous json.RawMessage `json:"previous,omitempty"`
	Actor    actor           `json:"actor"`
	About    []objectRef     `json:"about"`
}

// MarshalText writes "kind,id", as related_to does.
func (r objectRef) MarshalText() ([]byte, error) {
	return []byte(r.kind + "," + strconv.FormatInt(r.id, 10)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (r *objectRef) UnmarshalText(b []byte) error {
	kind, id, _ := strings.Cut(string(b), ",")
	n, err := strconv.ParseInt(strings.TrimSpace(id), 10, 64)
	r.kind, r.id = strings.TrimSpace(kind), n
	return err
}

// Kind implements objects.Object.
func (*event) Kind() string { return "event" }

// Clone implements objects.Object.
func (e *event) Clone() objects.Object { next := *e; return &next }

func eventSchema() *schema {
	return newSchema("event", nil,
		field{name: "id", get: func(_ *view, o objects.Object) any { return o.Meta().ID }},
		fixed("object", "event"),
		show("type", func(_ *view, e *event) any { return e.Type }),
		show("timestamp", func(_ *view, e *event) any { return e.Created }),
		show("data", func(_ *view, e *event) any {
			data := wire.Object{{Key: "object", Value: e.Object}}
			if e.Previous != nil {
				data = append(data, wire.Pair{Key: "previous", Value: e.Previous})
			}
			return data
		}),
		show("user", func(v *view, e *event) any {
			if !v.include["user"] {
				return omitted
			}
			return e.Actor.render()
		}),
		field{name: "user_id", hidden: true, get: func(_ *view, o objects.Object) any { return int64(o.(*event).Actor) }},
	)
}

// payload is the event as a webhook carries it, with its user.
func (s *Server) payload(acct *account, e *event) []byte {
	v := &view{s: s, acct: acct, include: map[string]bool{"user": true}}
	return wire.Encode(v.render(e))
}

// emit records an event about an object as it is now, with its customer expanded and, for payments, its applications.
func (t *tx) emit(kind string, o objects.Object, previous wire.Object) {
	v := *t.view
	switch o.(type) {
	case *document, *payment:
		v.expand = map[string]bool{"customer": true}
	}
	t.emitObject(kind, v.render(o), previous, about(o))
}

// emitObject records an event and the deliveries it needs. previous is nil for events without data.previous.
func (t *tx) emitObject(kind string, object, previous wire.Object, refs []objectRef) {
	e := &event{Head: t.newHead(), Type: kind, Object: wire.Encode(object), Actor: t.actor, About: refs}
	if previous != nil {
		e.Previous = wire.Encode(previous)
	}
	t.Put(e)
	t.notify(e)
}

// about lists what related_to finds an event by.
func about(o objects.Object) []objectRef {
	refs := []objectRef{refOf(o)}
	add := func(kind string, id int64) {
		if id != 0 {
			refs = append(refs, objectRef{kind, id})
		}
	}
	switch o := o.(type) {
	case *contact:
		add("customer", o.Customer)
	case *document:
		add("customer", o.Customer)
		add("invoice", o.Invoice)
	case *payment:
		add("customer", o.Customer)
		for _, a := range o.Applied {
			add("invoice", a.Invoice)
			add("credit_note", a.CreditNote)
		}
	case *note:
		add("customer", o.Customer)
		add("invoice", o.Invoice)
	case *task:
		add("customer", o.Attr.whole("customer_id"))
	}
	return refs
}

func eventEndpoints() []endpoint {
	return []endpoint{
		{pattern: "GET /events", do: listEvents},
		{pattern: "GET /events/{id}", do: showOne[*event]("event")},
	}
}

// listEvents lists newest first (invoiced-api 9.3).
func listEvents(c *call) (*answer, error) {
	kind := c.query.Raw.Get("type")
	var related *objectRef
	if text := c.query.Raw.Get("related_to"); text != "" {
		related = &objectRef{}
		if err := related.UnmarshalText([]byte(text)); err != nil {
			return nil, wire.Invalid("related_to", "related_to must be an object and an id, such as invoice,5")
		}
	}
	return c.list(listing{
		kind: "event", ids: c.s.store.IDs("event", c.acct.Name), date: "timestamp", newer: true,
		keep: func(o objects.Object) bool {
			e := o.(*event)
			if kind != "" && e.Type != kind {
				return false
			}
			return related == nil || e.touches(*related)
		},
	})
}

func (e *event) touches(r objectRef) bool {
	for _, a := range e.About {
		if a == r {
			return true
		}
	}
	return false
}

// email is a message the vendor queued.
type email struct {
	objects.Head
	Hex      string `json:"hex"`
	To       string `json:"to"`
	Template string `json:"template"`
	Subject  string `json:"subject"`
	About    string `json:"about"`
	AboutID  int64  `json:"about_id"`
}

// Kind implements objects.Object.
func (*email) Kind() string { return "email" }

// Clone implements objects.Object.
func (e *email) Clone() objects.Object { next := *e; return &next }

func emailSchema() *schema {
	return newSchema("email", nil, append([]field{
		show("id", func(_ *view, e *email) any { return e.Hex }),
		fixed("object", "email"), fixed("state", "sent"), fixed("reject_reason", nil),
		show("email", func(_ *view, e *email) any { return e.To }),
		show("template", func(_ *view, e *email) any { return e.Template }),
		show("subject", func(_ *view, e *email) any { return e.Subject }),
		fixed("message", nil), fixed("opens", 0), fixed("opens_detail", []any{}),
	}, tail()...)...)
}

// recipients reads to[] of an e-mail request, or takes the customer's address.
func (c *call) recipients(customerID int64) ([]string, error) {
	given, err := c.body.Objects("to")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, g := range given {
		address, err := g.Text("email")
		if err != nil || address == nil || !strings.Contains(*address, "@") {
			return nil, wire.Invalid("to", "Each recipient needs an e-mail address")
		}
		out = append(out, *address)
	}
	if len(out) == 0 {
		if cust, ok := c.s.store.Get("customer", c.acct.Name, customerID).(*customer); ok && cust.Attr.text("email") != "" {
			out = append(out, cust.Attr.text("email"))
		}
	}
	if len(out) == 0 {
		return nil, wire.Invalid("to", "There is nobody to send this to")
	}
	return out, nil
}

// emailAbout queues e-mails about an object; without recipients it takes the customer's own address.
func (c *call) emailAbout(o objects.Object, customerID int64, template string) (*answer, error) {
	to, err := c.recipients(customerID)
	if err != nil {
		return nil, err
	}
	rows := make([]any, 0, len(to))
	for _, address := range to {
		e := &email{
			Head: c.t.newHead(), Hex: c.t.newHex(16), To: address, Template: template,
			Subject: template + " " + nameOf(o), About: o.Kind(), AboutID: o.Meta().ID,
		}
		if s, err := c.body.Text("subject"); err == nil && s != nil {
			e.Subject = *s
		}
		c.t.Put(e)
		rows = append(rows, c.view.render(e))
	}
	return jsonAnswer(http.StatusCreated, rows), nil
}

func nameOf(o objects.Object) string {
	if n, ok := o.(objects.Named); ok {
		return n.UniqueName()
	}
	return strconv.FormatInt(o.Meta().ID, 10)
}

// webhook is one endpoint that events are sent to (invoiced-api 10).
type webhook struct {
	objects.Head
	URL        string `json:"url"`
	Secret     string `json:"secret,omitempty"` // empty: the account's
	Configured bool   `json:"configured,omitempty"`
	Attr       attrs  `json:"attr"`
}

// Kind implements objects.Object.
func (*webhook) Kind() string { return "webhook" }

func (w *webhook) attributes() attrs { return w.Attr }

func (w *webhook) enabled() bool { return w.Attr.flag("enabled", true) }

// wants reports whether the endpoint takes an event type; a list with * or an empty one takes all.
func (w *webhook) wants(kind string) bool {
	list, _ := w.Attr["events"].([]any)
	return len(list) == 0 || slices.Contains(list, any("*")) || slices.Contains(list, any(kind))
}

// Clone implements objects.Object.
func (w *webhook) Clone() objects.Object {
	next := *w
	next.Attr = maps.Clone(w.Attr)
	return &next
}

func webhookSchema() *schema {
	return newSchema("webhook", []string{"secret"}, append(append(head("webhook"),
		show("url", func(_ *view, w *webhook) any { return w.URL }),
		field{name: "enabled", kind: flag, def: true},
		field{name: "events", kind: textList, def: []any{"*"}},
	), tail()...)...)
}

// delivery is the sending of one event to one endpoint with all its tries.
type delivery struct {
	objects.Head
	Webhook   int64  `json:"webhook"`
	Event     int64  `json:"event"`
	State     string `json:"state"`
	Tries     []try  `json:"tries,omitempty"`
	NextAt    int64  `json:"next_at"`               // unix milliseconds
	Copies    int    `json:"copies,omitempty"`      // further deliveries of the same event after a success
	BadSigned bool   `json:"bad_signed,omitempty"`  // the next try carries a wrong signature
	Retries   int    `json:"failures_in,omitempty"` // failed tries since the start or the last manual retry
}

type try struct {
	Status int   `json:"status"` // 0: no answer
	At     int64 `json:"at"`
}

// The states of a delivery.
const (
	deliveryPending   = "pending"
	deliveryDone      = "delivered"
	deliveryDropped   = "dropped"   // by the chaos settings
	deliveryExhausted = "exhausted" // given up
)

// Kind implements objects.Object.
func (*delivery) Kind() string { return "webhook_attempt" }

// Owners lists the delivery under its endpoint.
func (d *delivery) Owners() []int64 { return []int64{d.Webhook} }

// Clone implements objects.Object.
func (d *delivery) Clone() objects.Object {
	next := *d
	next.Tries = slices.Clone(d.Tries)
	return &next
}

func deliverySchema() *schema {
	return newSchema("webhook_attempt", nil, append(append(head("webhook_attempt"),
		show("event_id", func(_ *view, d *delivery) any { return d.Event }),
		show("webhook_id", func(_ *view, d *delivery) any { return d.Webhook }),
		show("state", func(_ *view, d *delivery) any { return d.State }),
		show("payload", func(v *view, d *delivery) any {
			if e, ok := v.s.store.Get("event", v.acct.Name, d.Event).(*event); ok {
				return string(v.s.payload(v.acct, e))
			}
			return nil
		}),
		show("attempts", func(_ *view, d *delivery) any {
			out := make([]any, len(d.Tries))
			for i, t := range d.Tries {
				out[i] = wire.Object{{Key: "status_code", Value: t.Status}, {Key: "timestamp", Value: t.At}}
			}
			return out
		}),
	), tail()...)...)
}

func webhookEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /webhooks", do: saveWebhook},
		{pattern: "GET /webhooks", do: func(c *call) (*answer, error) {
			return c.list(listing{kind: "webhook", ids: c.s.store.IDs("webhook", c.acct.Name)})
		}},
		{pattern: "GET /webhooks/{id}", do: showOne[*webhook]("webhook")},
		{pattern: "PATCH /webhooks/{id}", do: saveWebhook},
		{pattern: "DELETE /webhooks/{id}", do: func(c *call) (*answer, error) {
			w, err := find[*webhook](c, "webhook")
			if err != nil {
				return nil, err
			}
			c.t.giveUp(w.ID)
			c.t.Remove("webhook", w.ID)
			return noContent(), nil
		}},
		{pattern: "GET /webhook_attempts", do: func(c *call) (*answer, error) {
			return c.list(listing{kind: "webhook_attempt", ids: c.s.store.IDs("webhook_attempt", c.acct.Name), newer: true})
		}},
		{pattern: "POST /webhook_attempts/{id}/retries", do: retryDelivery},
	}
}

func saveWebhook(c *call) (*answer, error) {
	status, next := http.StatusCreated, &webhook{Head: c.t.newHead(), Attr: attrs{}}
	if c.r.PathValue("id") != "" {
		old, err := find[*webhook](c, "webhook")
		if err != nil {
			return nil, err
		}
		status, next = http.StatusOK, revise(c.t, old)
	}
	if err := c.t.fillWebhook(next, c.body); err != nil {
		return nil, err
	}
	c.t.Put(next)
	return c.object(status, next), nil
}

func (t *tx) fillWebhook(w *webhook, in wire.Values) error {
	if err := t.s.schemas["webhook"].apply(w.Attr, in, t.s.opt); err != nil {
		return err
	}
	for name, at := range map[string]*string{"url": &w.URL, "secret": &w.Secret} {
		s, err := in.Text(name)
		if err != nil {
			return err
		}
		if s != nil {
			*at = *s
		}
	}
	if u, err := url.Parse(w.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return wire.Invalid("url", "url must be an absolute http or https address")
	}
	return nil
}

// seedWebhook makes the endpoint of the configuration exist, and follows it when it moved between two runs.
func (s *Server) seedWebhook(acct *account) error {
	var old *webhook
	for _, id := range s.store.IDs("webhook", acct.Name) {
		if w, ok := s.store.Get("webhook", acct.Name, id).(*webhook); ok && w.Configured {
			old = w
		}
	}
	if acct.WebhookURL == "" || old != nil && old.URL == acct.WebhookURL {
		return nil
	}
	return s.write(acct, "", actorSystem, func(t *tx) error {
		next := &webhook{Head: t.newHead(), Configured: true, Attr: attrs{}}
		if old != nil {
			next = revise(t, old)
			next.Attr["enabled"] = true
		}
		if err := t.fillWebhook(next, wire.Values{"url": acct.WebhookURL}); err != nil {
			return err
		}
		t.Put(next)
		return nil
	})
}

// retryDelivery sends an event again, whatever became of it before.
func retryDelivery(c *call) (*answer, error) {
	d, err := find[*delivery](c, "webhook_attempt")
	if err != nil {
		return nil, err
	}
	if d.State == deliveryPending {
		return c.object(http.StatusCreated, d), nil
	}
	next := revise(c.t, d)
	next.State, next.NextAt, next.Retries, next.Copies = deliveryPending, c.s.Now().UnixMilli(), 0, 0
	c.t.Put(next)
	return c.object(http.StatusCreated, next), nil
}

// notify adds the deliveries of an event; they are part of the commit that made it.
func (t *tx) notify(e *event) {
	for _, id := range t.s.store.IDs("webhook", t.acct.Name) {
		w, ok := t.s.store.Get("webhook", t.acct.Name, id).(*webhook)
		if !ok || !w.enabled() || !w.wants(e.Type) {
			continue
		}
		d := &delivery{
			Head: t.newHead(), Webhook: w.ID, Event: e.ID, State: deliveryPending, NextAt: t.s.Now().UnixMilli(),
		}
		t.s.chaos[t.acct.Name].disturb(d)
		t.Put(d)
	}
}

// giveUp ends all pending deliveries of an endpoint.
func (t *tx) giveUp(webhookID int64) {
	for _, id := range slices.Clone(t.s.store.Owned("webhook_attempt", webhookID)) {
		if d, ok := t.s.store.Get("webhook_attempt", t.acct.Name, id).(*delivery); ok && d.State == deliveryPending {
			next := revise(t, d)
			next.State = deliveryExhausted
			t.Put(next)
		}
	}
}
