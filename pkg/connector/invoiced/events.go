package invoiced

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// Events implements connector.Portal. The vendor documents no date limits for events, though its own tools use them, so
// every page is checked: events outside of the limits are left out, and when the last of a page is older than from the
// limit is being ignored and the list ends there, because it is newest first (invoiced-api 14.4).
func (c *Connector) Events(ctx context.Context, from, to time.Time, page string) (connector.Page[billing.Event], error) {
	l, err := c.api.Events(ctx, bound(from), bound(to), page)
	if err != nil {
		return connector.Page[billing.Event]{}, err
	}
	out := connector.Page[billing.Event]{Bad: badRecords("", l.Bad), Next: l.Next}
	for i, raw := range l.Items {
		e, err := ParseEvent(raw)
		if err != nil {
			out.Bad = append(out.Bad, badEvent(raw, err))
			continue
		}
		old := !e.At.IsZero() && !from.IsZero() && e.At.Unix() < from.Unix()
		if old && i == len(l.Items)-1 {
			out.Next = ""
		}
		if old || (!to.IsZero() && e.At.Unix() > to.Unix()) {
			continue
		}
		out.Items = append(out.Items, e)
	}
	return out, nil
}

// badEvent names an event that can not be used: by the payment it is about, or by its own id as far as it has one.
func badEvent(raw []byte, err error) connector.BadRecord {
	e, _ := readEvent(raw)
	object := e.Data.Object.fields()
	b := connector.BadRecord{Number: fields{"id": e.ID}.ref("id"), Message: fmt.Sprintf("an event of the portal can not be used: %v; look at the portal's list of events", err)}
	if id := object.ref("id"); id != "" && object.text("object") == string(billing.KindPayment) {
		b.Kind, b.Number = billing.KindPayment, id
	}
	return b
}

func bound(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, t.Unix())
}

// rawEvent is an event with the parts that matter taken apart in one pass: gap fills read very many.
type rawEvent struct {
	ID        json.RawMessage `json:"id"`
	Type      json.RawMessage `json:"type"`
	Timestamp json.RawMessage `json:"timestamp"`
	Previous  fields          `json:"previous"`
	User      fields          `json:"user"`
	Data      struct {
		Object   eventObject `json:"object"`
		Previous fields      `json:"previous"`
	} `json:"data"`
}

// eventObject are the fields of an event's object that say what the event is about. The others, which are most of it, are
// skipped.
type eventObject struct {
	Object         json.RawMessage `json:"object"`
	ID             json.RawMessage `json:"id"`
	Number         json.RawMessage `json:"number"`
	Customer       json.RawMessage `json:"customer"`
	CustomerID     json.RawMessage `json:"customer_id"`
	Contact        json.RawMessage `json:"contact"`
	ContactID      json.RawMessage `json:"contact_id"`
	Invoice        json.RawMessage `json:"invoice"`
	InvoiceID      json.RawMessage `json:"invoice_id"`
	CreditNote     json.RawMessage `json:"credit_note"`
	CreditNoteID   json.RawMessage `json:"credit_note_id"`
	Payment        json.RawMessage `json:"payment"`
	PaymentID      json.RawMessage `json:"payment_id"`
	Charge         json.RawMessage `json:"charge"`
	Comment        json.RawMessage `json:"comment"`
	Text           json.RawMessage `json:"text"`
	Message        json.RawMessage `json:"message"`
	Author         json.RawMessage `json:"author"`
	From           json.RawMessage `json:"from"`
	User           json.RawMessage `json:"user"`
	NeedsAttention json.RawMessage `json:"needs_attention"`
}

func (o *eventObject) fields() fields {
	out := fields{}
	for _, f := range []struct {
		name string
		raw  json.RawMessage
	}{
		{"object", o.Object}, {"id", o.ID}, {"number", o.Number}, {"customer", o.Customer}, {"customer_id", o.CustomerID},
		{"contact", o.Contact}, {"contact_id", o.ContactID}, {"invoice", o.Invoice}, {"invoice_id", o.InvoiceID},
		{"credit_note", o.CreditNote}, {"credit_note_id", o.CreditNoteID}, {"payment", o.Payment}, {"payment_id", o.PaymentID},
		{"charge", o.Charge}, {"comment", o.Comment}, {"text", o.Text}, {"message", o.Message}, {"author", o.Author},
		{"from", o.From}, {"user", o.User}, {"needs_attention", o.NeedsAttention},
	} {
		if f.raw != nil {
			out[f.name] = f.raw
		}
	}
	return out
}

// readEvent reports whether the body is an event, or at least an object. Parts of it that are of another type than expected stay empty.
func readEvent(body []byte) (rawEvent, bool) {
	var e rawEvent
	err := json.Unmarshal(body, &e)
	var other *json.UnmarshalTypeError
	return e, err == nil || errors.As(err, &other) && other.Field != ""
}

// ParseEvent reads an event as webhooks and the events list send it (invoiced-api 9.1). What it does not know gives an
// event without an object; only a body that is not JSON or has no id or no type is an error, which wraps ErrEvent.
func ParseEvent(body []byte) (billing.Event, error) {
	raw, ok := readEvent(body)
	if !ok {
		return billing.Event{}, fmt.Errorf("%w: the body is not a JSON object", ErrEvent)
	}
	top := fields{"id": raw.ID, "type": raw.Type, "timestamp": raw.Timestamp}
	e := billing.Event{ID: top.ref("id"), Type: top.text("type"), At: top.instant("timestamp")}
	switch {
	case e.ID == "":
		return billing.Event{}, fmt.Errorf("%w: it has no id", ErrEvent)
	case e.Type == "":
		return billing.Event{}, fmt.Errorf("%w: event %s has no type", ErrEvent, e.ID)
	}
	e.Raw = append([]byte(nil), body...)
	previous := raw.Data.Previous
	if previous == nil {
		previous = raw.Previous
	}
	object := raw.Data.Object.fields()
	subject(&e, object)
	comment(&e, object, previous, raw.User)
	return e, nil
}
