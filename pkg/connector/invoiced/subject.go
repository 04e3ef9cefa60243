package invoiced

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
)

// fields is a JSON object whose values are read one by one, so that one odd value does not spoil the others.
type fields map[string]json.RawMessage

// fieldsOf reads an object; anything else gives nil.
func fieldsOf(raw json.RawMessage) fields {
	var f fields
	if json.Unmarshal(raw, &f) != nil {
		return nil
	}
	return f
}

func (f fields) text(names ...string) string {
	for _, n := range names {
		var t client.Text
		if raw, ok := f[n]; ok && t.UnmarshalJSON(raw) == nil && t != "" {
			return string(t)
		}
	}
	return ""
}

// ref is a relation: an id, or an object with one.
func (f fields) ref(names ...string) string {
	for _, n := range names {
		var r client.Ref
		if raw, ok := f[n]; ok && r.UnmarshalJSON(raw) == nil && r.ID != "" {
			return string(r.ID)
		}
	}
	return ""
}

// instant is a time in unix seconds, the zero time for anything else.
func (f fields) instant(name string) time.Time {
	var u client.Unix
	if u.UnmarshalJSON(f[name]) != nil {
		return time.Time{}
	}
	return instant(u)
}

// flag is a boolean and whether it is one.
func (f fields) flag(name string) (value, ok bool) {
	raw, there := f[name]
	if !there || string(raw) == "null" {
		return false, false
	}
	var b client.Flag
	err := b.UnmarshalJSON(raw)
	return bool(b), err == nil
}

// kindOfName is the kind that an object or an event's type names; empty for those we have no use for.
func kindOfName(name string) billing.Kind {
	switch k := billing.Kind(name); k {
	case billing.KindInvoice, billing.KindCreditNote, billing.KindCustomer, billing.KindContact, billing.KindPayment:
		return k
	}
	return ""
}

// subject finds what the event is about. The object's own name counts more than the type: an invoice event may carry a
// promise or a comment that refers to the invoice, and a charge event may carry the payment.
func subject(e *billing.Event, object fields) {
	topic, _, _ := strings.Cut(e.Type, ".")
	kind, named := kindOfName(topic), object.text("object")
	id := ""
	switch {
	case topic == "charge" || topic == "refund":
		kind, id = billing.KindPayment, paymentOf(object, named)
		e.CustomerID = object.ref("customer", "customer_id") // told even when the payment is not
	case kind == "":
		return
	case named == "" || named == topic:
		id = object.ref("id")
	default:
		id = object.ref(topic, topic+"_id")
	}
	if id == "" {
		return
	}
	e.Object, e.ObjectID = kind, id
	if kind == billing.KindCustomer {
		e.CustomerID = id
		return
	}
	e.CustomerID = object.ref("customer", "customer_id")
	if kind == billing.KindInvoice || kind == billing.KindCreditNote {
		document := object
		if nested := fieldsOf(object[topic]); named != "" && named != topic && nested != nil {
			document = nested
			e.CustomerID = firstOf(e.CustomerID, nested.ref("customer", "customer_id"))
		}
		e.Number = document.text("number")
	}
}

// paymentOf is the payment of a charge or refund, empty when the event does not say.
func paymentOf(object fields, named string) string {
	if named == string(billing.KindPayment) {
		return object.ref("id")
	}
	if id := object.ref("payment", "payment_id"); id != "" {
		return id
	}
	return fieldsOf(object["charge"]).ref("payment", "payment_id")
}

// comment finds out whether the customer left a comment: the retired types that end in .commented, which carry the text
// in one of several places, or the flag needs_attention turning on, which carries none (invoiced-api 7.1).
func comment(e *billing.Event, object, previous, user fields) {
	if e.Object != billing.KindInvoice && e.Object != billing.KindCreditNote {
		return
	}
	_, action, _ := strings.Cut(e.Type, ".")
	if action == "commented" {
		e.Commented = true
		inner := fieldsOf(object["comment"])
		e.Comment = firstOf(object.text("text", "comment", "message"), inner.text("text", "comment", "message"))
		e.Author = firstOf(personOf(user), object.person("author", "from", "user"), inner.person("author", "from", "user"))
		return
	}
	was, known := previous.flag("needs_attention")
	is, _ := object.flag("needs_attention")
	e.Commented = known && !was && is
}

// person is a person's name, given as a text or as an object.
func (f fields) person(names ...string) string {
	for _, n := range names {
		name := firstOf(f.text(n), personOf(fieldsOf(f[n])))
		if name != "" && !strings.Contains(name, "@") {
			return name
		}
	}
	return ""
}

// personOf is a person's name. Their e-mail address is left out: an author is shown and logged.
func personOf(user fields) string {
	return firstOf(strings.TrimSpace(user.text("first_name")+" "+user.text("last_name")), user.text("name"))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
