package sandbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// property is a writable property: two values it takes, as JSON, and what null leaves.
type property struct{ name, first, second, cleared string }

func textsOf(names string) []property {
	var out []property
	for name := range strings.FieldsSeq(names) {
		out = append(out, property{name, `"one"`, `"two"`, "null"})
	}
	return out
}

func numbersOf(names string) []property {
	var out []property
	for name := range strings.FieldsSeq(names) {
		out = append(out, property{name, "1", "2", "null"})
	}
	return out
}

func customerProperties(parent, other string) []property {
	return append(append(
		textsOf("attention_to address1 address2 city state postal_code phone notes tax_id payment_terms avalara_entity_use_code avalara_exemption_number"),
		numbersOf("chasing_cadence next_chase_step owner sign_up_page ach_gateway cc_gateway")...),
		property{"type", `"person"`, `"company"`, `"company"`},
		property{"number", `"N1"`, `"N2"`, `"N2"`}, // cannot be cleared
		property{"email", `"a@x.test"`, `"b@x.test"`, "null"},
		property{"autopay", "true", "false", "false"},
		property{"autopay_delay_days", "3", "0", "-1"},
		property{"country", `"DE"`, `"CA"`, "null"},
		property{"language", `"de"`, `"en"`, "null"},
		property{"currency", `"eur"`, `"cad"`, "null"},
		property{"taxable", "false", "true", "true"},
		property{"taxes", `["a"]`, `["b","c"]`, "[]"},
		property{"chase", "false", "true", "true"},
		property{"credit_hold", "true", "false", "false"},
		property{"credit_limit", "100.5", "7", "null"},
		property{"parent_customer", parent, other, "null"},
		property{"bill_to_parent", "true", "false", "false"},
		property{"consolidated", "true", "false", "false"},
		property{"active", "false", "true", "true"},
		property{"convenience_fee", "false", "true", "true"},
		property{"metadata", `{"a":"1"}`, `{"b":"2"}`, "{}"},
	)
}

// Every property that the reference lists as writable is stored, returned, changed and cleared; the other properties stay
// as they were (invoiced-api 2.2, 3, 4.2, 5.2, 6.2, 7).
func TestWritableProperties(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	parent := r.customer("")
	for _, c := range []struct {
		kind, path, needs string
		properties        []property
	}{
		{"customer", "/customers", `"name":"A"`, customerProperties(parent, cust)},
		{"contact", "/customers/" + cust + "/contacts", `"name":"N"`, append(
			textsOf("title department phone address1 address2 city state postal_code"),
			property{"name", `"one"`, `"two"`, ""},
			property{"email", `"a@x.test"`, `"b@x.test"`, "null"},
			property{"primary", "true", "false", "false"},
			property{"sms_enabled", "true", "false", "null"},
			property{"send_new_invoices", "true", "false", "false"},
			property{"country", `"DE"`, `"CA"`, "null"},
		)},
		{"invoice", "/invoices", `"items":[{"unit_cost":1}],"customer":` + cust, append(
			textsOf("name purchase_order notes payment_terms"),
			property{"number", `"N1"`, `"N2"`, `"N2"`},
			property{"date", "1770000000", "1771000000", "1771000000"},
			property{"due_date", "1780000000", "1781000000", "null"},
			property{"currency", `"eur"`, `"cad"`, `"cad"`},
			property{"late_fees", "false", "true", "true"},
			property{"chase", "false", "true", "true"},
			property{"closed", "true", "false", "false"},
			property{"metadata", `{"a":"1"}`, `{"b":"2"}`, "{}"},
		)},
		{"credit note", "/credit_notes", `"customer":` + cust, append(
			textsOf("name purchase_order notes"),
			property{"number", `"N1"`, `"N2"`, `"N2"`},
			property{"date", "1770000000", "1771000000", "1771000000"},
			property{"currency", `"eur"`, `"cad"`, `"cad"`},
			property{"metadata", `{"a":"1"}`, `{"b":"2"}`, "{}"},
		)},
		{"payment", "/payments", `"customer":` + cust + `,"amount":5`, append(
			textsOf("reference ach_sender_id notes"),
			property{"amount", "6.5", "7", "7"},
			property{"date", "1770000000", "1771000000", "1771000000"},
			property{"currency", `"eur"`, `"cad"`, `"cad"`},
			property{"method", `"check"`, `"wire_transfer"`, `"other"`},
			property{"source", `"api"`, `"bank_feed"`, `"keyed"`},
			property{"customer", parent, cust, "null"},
			property{"metadata", `{"a":"1"}`, `{"b":"2"}`, "{}"},
		)},
		{"task", "/tasks", `"name":"N","action":"email"`, append(
			numbersOf("user_id due_date completed_date completed_by_user_id chase_step_id"),
			property{"name", `"one"`, `"two"`, ""},
			property{"action", `"phone"`, `"review"`, ""},
			property{"customer_id", parent, cust, "null"},
			property{"complete", "true", "false", "false"},
		)},
	} {
		t.Run(c.kind, func(t *testing.T) {
			for _, p := range c.properties {
				r.checkProperty(c.path, c.needs, p)
			}
		})
	}
}

func (r *rig) checkProperty(root, needs string, p property) {
	r.t.Helper()
	body := "{" + needs + "}"
	if strings.Contains(needs, `"`+p.name+`":`) { // needed anyway: the value takes its place
		var o map[string]json.RawMessage
		_ = json.Unmarshal([]byte(body), &o)
		o[p.name] = json.RawMessage(p.first)
		text, _ := json.Marshal(o)
		body = string(text)
	} else {
		body = fmt.Sprintf(`{%s,%q:%s}`, needs, p.name, p.first)
	}
	created := r.must(201, "POST", root, body)
	path := root + "/" + created.id()
	expect := func(when, want string) {
		r.t.Helper()
		if got, _ := json.Marshal(r.get(path)[p.name]); string(got) != want {
			r.t.Errorf("%s.%s %s is %s, want %s", created.str("object"), p.name, when, got, want)
		}
	}
	expect("created", p.first)
	before := r.get(path)
	after := r.must(200, "PATCH", path, fmt.Sprintf(`{%q:%s}`, p.name, p.second))
	expect("changed", p.second)
	follows := map[string]string{
		"currency": "", "updated_at": "", "status": "", "closed": "", "customer_id": "customer", "payment_url": "autopay",
	}
	for key := range before {
		_, may := follows[key]
		if key != p.name && !may && fmt.Sprint(before[key]) != fmt.Sprint(after[key]) && !related(p.name, key) {
			r.t.Errorf("changing %s changed %s from %v to %v", p.name, key, before[key], after[key])
		}
	}
	if p.cleared == "" {
		if a := r.call("PATCH", path, fmt.Sprintf(`{%q:null}`, p.name)); a.status == 200 && a.object()[p.name] == nil {
			r.t.Errorf("%s was cleared", p.name)
		}
		return
	}
	r.must(200, "PATCH", path, fmt.Sprintf(`{%q:null}`, p.name))
	expect("cleared", p.cleared)
}

// related lists what a property rightly changes along with itself.
func related(changed, other string) bool {
	return changed == "amount" && other == "balance" || changed == "payment_terms" && other == "due_date"
}

// data.previous holds what changed and nothing else (invoiced-api 9.1).
func TestPreviousIsExact(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	contact := r.must(201, "POST", "/customers/"+cust+"/contacts", `{"name":"N"}`).id()
	inv := r.invoice(cust, "10", "").id()
	note := r.creditNote(cust, "10", "").id()
	payment := r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":5}`).id()
	for _, c := range []struct{ path, body, want string }{
		{"/customers/" + cust, `{"city":"X"}`, "city updated_at"},
		{"/customers/" + cust, `{"city":"X"}`, "updated_at"},
		{"/customers/" + cust, `{"city":"Y","metadata":{"a":"b"}}`, "city metadata updated_at"},
		{"/customers/" + cust, `{"disabled_payment_methods":["check"]}`, "updated_at"}, // write-only
		{"/customers/" + cust + "/contacts/" + contact, `{"email":"N@x.test","primary":true}`, "email primary updated_at"},
		{"/invoices/" + inv, `{"sent":true}`, "status updated_at"},
		{"/invoices/" + inv, `{"notes":"n","number":"Z"}`, "notes number updated_at"},
		{"/invoices/" + inv, `{"items":[{"name":"other","unit_cost":10}]}`, "items updated_at"},
		{"/invoices/" + inv, `{"taxes":[{"amount":1}]}`, "balance taxes total updated_at"},
		{"/invoices/" + inv, `{"autopay":true}`, "autopay next_payment_attempt payment_terms payment_url updated_at"},
		{"/invoices/" + inv, `{"autopay":false}`, "autopay next_payment_attempt payment_terms payment_url updated_at"},
		{"/invoices/" + inv, `{"closed":true}`, "closed status updated_at"},
		{"/credit_notes/" + note, `{"items":[{"unit_cost":11}]}`, "balance items subtotal total updated_at"},
		{"/payments/" + payment, `{"amount":6}`, "amount balance updated_at"},
		{"/payments/" + payment, `{"applied_to":[{"type":"credit","amount":2}]}`, "applied_to balance updated_at"},
	} {
		r.must(200, "PATCH", c.path, c.body)
		e := r.list("/events?per_page=1")[0]
		var keys []string
		for key := range e.at("data.previous").(map[string]any) {
			keys = append(keys, key)
		}
		if got := sorted(keys); got != c.want {
			t.Errorf("%s %s: previous has %s, want %s", c.path, c.body, got, c.want)
		}
	}
}
