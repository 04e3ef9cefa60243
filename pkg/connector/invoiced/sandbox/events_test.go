package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// 16.4: which events a change sends, in order.
func TestEventsOfChanges(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  func(*sandbox.Options)
		act  func(r *rig, cust string, inv obj)
		want string
	}{
		{"customer", nil, func(r *rig, cust string, _ obj) { r.must(200, "PATCH", "/customers/"+cust, `{"city":"X"}`) }, "customer.updated"},
		{"contact", nil, func(r *rig, cust string, _ obj) {
			k := r.must(201, "POST", "/customers/"+cust+"/contacts", `{"name":"N"}`)
			r.must(200, "PATCH", "/customers/"+cust+"/contacts/"+k.id(), `{"title":"T"}`)
			r.must(204, "DELETE", "/customers/"+cust+"/contacts/"+k.id(), "")
		}, "contact.created contact.updated contact.deleted"},
		{"invoice", nil, func(r *rig, _ string, inv obj) {
			r.must(200, "PATCH", "/invoices/"+inv.id(), `{"notes":"n"}`)
			r.must(204, "DELETE", "/invoices/"+inv.id(), "")
		}, "invoice.updated invoice.deleted"},
		{"void", nil, func(r *rig, _ string, inv obj) { r.must(200, "POST", "/invoices/"+inv.id()+"/void", "") }, "invoice.updated"},
		{"credit note", nil, func(r *rig, cust string, _ obj) {
			n := r.creditNote(cust, "1", "")
			r.must(200, "POST", "/credit_notes/"+n.id()+"/void", "")
		}, "credit_note.created credit_note.updated"},
		{"view", nil, func(r *rig, _ string, inv obj) {
			r.sim(200, "/portal/invoices/"+inv.id()+"/view", "")
			r.sim(200, "/portal/invoices/"+inv.id()+"/view", "")
		}, "invoice.updated invoice.viewed invoice.viewed"},
		{"view first", func(o *sandbox.Options) { o.ViewedFirst = true }, func(r *rig, _ string, inv obj) {
			r.sim(200, "/portal/invoices/"+inv.id()+"/view", "")
		}, "invoice.viewed invoice.updated"},
		{"comment", nil, func(r *rig, _ string, inv obj) {
			r.sim(200, "/portal/invoices/"+inv.id()+"/comment", `{"text":"hello"}`)
			r.sim(200, "/portal/invoices/"+inv.id()+"/comment", `{"text":"shows nowhere"}`)
			r.sim(200, "/portal/invoices/"+inv.id()+"/acknowledge", "")
		}, "invoice.updated invoice.updated"},
		{"comment, retired event", func(o *sandbox.Options) { o.CommentedEvents = true }, func(r *rig, _ string, inv obj) {
			r.sim(200, "/portal/invoices/"+inv.id()+"/comment", `{"text":"hello","author":"Ann"}`)
		}, "invoice.updated invoice.commented"},
		{"promise", nil, func(r *rig, _ string, inv obj) {
			r.sim(200, "/portal/invoices/"+inv.id()+"/promise", `{"date":1774000000,"method":"check"}`)
		}, "invoice.payment_expected"},
		{"void payment twice over", func(o *sandbox.Options) { o.VoidSendsUpdated = true }, func(r *rig, cust string, inv obj) {
			p := r.must(201, "POST", "/payments", pay(cust, "1", toInvoice(inv, "1")))
			r.must(200, "DELETE", "/payments/"+p.id(), "")
		}, "payment.created invoice.updated payment.updated payment.deleted invoice.updated"},
		{"refused", nil, func(r *rig, cust string, inv obj) {
			r.refused("items", "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":-1}]}`)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(cfg *sandbox.Config) {
				if c.opt != nil {
					c.opt(&cfg.Options)
				}
			})
			cust := r.customer("")
			inv := r.invoice(cust, "10", "")
			c.act(r, cust, inv)
			if got := strings.Join(r.events()[2:], " "); got != c.want {
				t.Errorf("events %q, want %q", got, c.want)
			}
		})
	}
}

// invoiced-api 9.1: what an event holds.
func TestEventContent(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.CommentedEvents = true })
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":12.50}]}`)
	e := r.list("/events?include=user")[0]
	e.want(t, "object", "event", "type", "invoice.updated", "data.object.id", inv.id(), "data.object.total", "12.5",
		"data.object.customer.name", "Acme", "data.previous.total", "10", "data.previous.items.0.amount", "10", "user.id", "-2")
	if e.at("data.previous.number") != nil || e.at("previous") != nil {
		t.Errorf("previous has too much: %v", e.at("data.previous"))
	}
	r.sim(200, "/portal/invoices/"+inv.id()+"/comment", `{"text":"hello","author":"Ann"}`)
	commented, flagged := r.list("/events?include=user")[0], r.list("/events")[1]
	commented.want(t, "type", "invoice.commented", "data.object.text", "hello", "data.object.invoice", inv.id(), "user.id", "-1")
	flagged.want(t, "data.previous.needs_attention", "false", "data.object.needs_attention", "true")
	r.get("/events/"+flagged.id()).want(t, "id", flagged.id(), "type", "invoice.updated")
	p := r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":1}`)
	paid := r.list("/events")[0]
	paid.want(t, "data.object.id", p.id(), "data.object.customer.id", cust)
	if l, ok := paid.at("data.object.applied_to").([]any); !ok || len(l) != 0 {
		t.Errorf("applied_to is %v", paid.at("data.object.applied_to"))
	}
}

// invoiced-api 9.3.
func TestEventFilters(t *testing.T) {
	r := newRig(t)
	first := r.customer("")
	r.clk.Advance(time.Hour)
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	r.must(201, "POST", "/payments", pay(cust, "1", toInvoice(inv, "1")))
	r.sim(200, "/portal/invoices/"+inv.id()+"/view", "")
	cut := start.Add(30 * time.Minute).Unix()
	for query, want := range map[string]int{
		"": 7, "type=invoice.updated": 2, "filter[type]=invoice.updated": 2, "filter[user_id]=-1": 2,
		fmt.Sprintf("start_date=%d", cut): 6, fmt.Sprintf("end_date=%d", cut): 1,
		"related_to=customer%2C" + first: 1, "related_to=customer%2C" + cust: 6, "related_to=invoice%2C" + inv.id(): 5,
	} {
		if got := len(r.list("/events?" + query)); got != want {
			t.Errorf("%s: %d events, want %d", query, got, want)
		}
	}
	r.refused("related_to", "GET", "/events?related_to=invoice", "")
	newest := r.list("/events")
	for i := 1; i < len(newest); i++ {
		if newest[i-1].id() <= newest[i].id() {
			t.Errorf("event %s comes before %s", newest[i-1].id(), newest[i].id())
		}
	}
	oldest := r.list("/events?sort=timestamp%20asc")
	if oldest[0].str("data.object.id") != first {
		t.Errorf("the oldest is %v", oldest[0])
	}
}

// T8: filters, sorting, times, expansion.
func TestListQueries(t *testing.T) {
	r := newRig(t)
	a := r.customer(`,"number":"B2","metadata":{"k":"v"}`)
	b := r.must(201, "POST", "/customers", `{"name":"zeta","number":"A1"}`).id()
	one := r.invoice(a, "10", `,"date":1000`)
	r.clk.Advance(time.Minute)
	mark := r.s.Now().Unix()
	r.clk.Advance(time.Minute)
	r.invoice(b, "9.5", `,"date":2000,"metadata":{"q360_id":"7"}`)
	for query, want := range map[string]string{
		"/customers?sort=number":                                      "A1 B2",
		"/customers?sort=name%20DESC":                                 "A1 B2",
		"/customers?sort=updated_at%20ASC":                            "B2 A1",
		"/customers?filter[number]=A1":                                "A1",
		"/customers?filter[name]=Acme":                                "B2",
		"/customers?metadata[k]=v":                                    "B2",
		"/customers?metadata[k]=w":                                    "",
		"/customers?metadata[none]=":                                  "",
		"/customers?payment_source=0":                                 "B2 A1",
		"/customers?payment_source=1":                                 "",
		"/invoices?filter[customer]=" + a:                             "INV-00001",
		"/invoices?filter[total]=10.00":                               "INV-00001",
		"/invoices?sort=total":                                        "INV-00002 INV-00001",
		"/invoices?sort=total%20desc":                                 "INV-00001 INV-00002",
		"/invoices?start_date=1001":                                   "INV-00002",
		"/invoices?start_date=1000&end_date=1000":                     "INV-00001",
		"/invoices?metadata[q360_id]=7":                               "INV-00002",
		fmt.Sprintf("/invoices?updated_after=%d", mark):               "INV-00002",
		fmt.Sprintf("/invoices?updated_before=%d", mark):              "INV-00001",
		"/invoices?updated_after=" + one.str("updated_at"):            "INV-00002", // strictly after
		"/invoices?filter[paid]=False&filter[status]=not_sent":        "INV-00001 INV-00002",
		"/invoices?include=updated_at&page=1&per_page=1&sort=id":      "INV-00001",
		"/customers/" + b + "/invoices":                               "INV-00002",
		"/invoices?filter[number]=INV-00001&filter[currency]=usd":     "INV-00001",
		"/invoices?filter[number]=INV-00001&filter[currency]=eur":     "",
		"/invoices?filter[due_date]=":                                 "INV-00001 INV-00002",
		"/invoices?filter[draft]=perhaps":                             "",
		"/invoices?sort=currency,total%20ASC&filter[closed]=0":        "INV-00002 INV-00001",
		"/customers/" + a + "/invoices?filter[number]=INV-00002":      "",
		"/invoices?updated_after=0&updated_before=99999999999&page=2": "",
		"/customers?sort=city,number":                                 "A1 B2",
		"/customers?filter[active]=1&sort=id":                         "B2 A1",
	} {
		var got []string
		for _, o := range r.list(query) {
			got = append(got, o.str("number"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", query, got, want)
		}
	}
	r.refused("filter", "GET", "/invoices?filter[nmuber]=1", "")
	r.refused("sort", "GET", "/invoices?sort=nmuber", "")
	r.get("/invoices/"+one.id()+"?expand=customer").want(t, "customer.number", "B2")
	r.list("/invoices?expand=customer")[0].want(t, "customer.id", a)
	loose := newRig(t, func(c *sandbox.Config) { c.Options.IgnoreBadFilters, c.Options.UpdatedAfterEquals = true, true })
	inv := loose.invoice(loose.customer(""), "1", "")
	if l := loose.list("/invoices?filter[nmuber]=1&sort=nmuber&updated_after=" + inv.str("updated_at")); len(l) != 1 {
		t.Errorf("loose: %d", len(l))
	}
}
