package invoiced

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

func TestParseEvent(t *testing.T) {
	const customer = `"customer":{"id":15444,"object":"customer","number":"CUST-0001","metadata":[]}`
	for _, c := range []struct {
		name, typ, rest string // rest follows id, type and timestamp
		want            billing.Event
	}{
		{"payment", "payment.created", `"object":"event","data":{"object":{"id":9001,"object":"payment","amount":154.5,` + customer +
			`,"applied_to":[{"id":1,"type":"invoice","invoice":46225,"amount":100}]}},"user":{"id":-2,"email":null,"first_name":null}`,
			billing.Event{Object: billing.KindPayment, ObjectID: "9001", CustomerID: "15444"}},
		{"payment voided", "payment.deleted", `"data":{"object":{"id":"9001","customer":null}}`,
			billing.Event{Object: billing.KindPayment, ObjectID: "9001"}},
		{"invoice", "invoice.viewed", `"data":{"object":{"id":46225,"object":"invoice","number":"104233",` + customer + `}}`,
			billing.Event{Object: billing.KindInvoice, ObjectID: "46225", Number: "104233", CustomerID: "15444"}},
		{"invoice with an integer customer", "invoice.paid", `"data":{"object":{"id":46225,"number":104233,"customer":15444}}`,
			billing.Event{Object: billing.KindInvoice, ObjectID: "46225", Number: "104233", CustomerID: "15444"}},
		{"promise on its invoice", "invoice.payment_expected", `"data":{"object":{"id":3,"object":"expected_payment","date":1,"invoice":{"id":46225,"number":"104233","customer":15444}}}`,
			billing.Event{Object: billing.KindInvoice, ObjectID: "46225", Number: "104233", CustomerID: "15444"}},
		{"credit note", "credit_note.updated", `"data":{"object":{"id":5,"object":"credit_note","number":"CN-1","customer":15444}}`,
			billing.Event{Object: billing.KindCreditNote, ObjectID: "5", Number: "CN-1", CustomerID: "15444"}},
		{"customer", "customer.updated", `"data":{"object":{"id":15444,"object":"customer","number":"10023"},"previous":{"email":"a"}}`,
			billing.Event{Object: billing.KindCustomer, ObjectID: "15444", CustomerID: "15444"}},
		{"customer merged", "customer.merged", `"data":{"object":{"id":15444,"object":"customer"}}`,
			billing.Event{Object: billing.KindCustomer, ObjectID: "15444", CustomerID: "15444"}},
		{"contact", "contact.created", `"data":{"object":{"id":8,"object":"contact","customer_id":15444,"email":"a@b.example"}}`,
			billing.Event{Object: billing.KindContact, ObjectID: "8", CustomerID: "15444"}},
		{"failed charge of a payment", "charge.failed", `"data":{"object":{"id":501,"object":"charge","payment":9001,"customer":15444}}`,
			billing.Event{Object: billing.KindPayment, ObjectID: "9001", CustomerID: "15444"}},
		{"failed charge that is a payment", "charge.failed", `"data":{"object":{"id":9001,"object":"payment","charge":{"id":501},"customer":15444}}`,
			billing.Event{Object: billing.KindPayment, ObjectID: "9001", CustomerID: "15444"}},
		{"failed charge without a payment", "charge.failed", `"data":{"object":{"id":501,"object":"charge","payment":null,"customer":{"id":15444}}}`, billing.Event{CustomerID: "15444"}},
		{"refund", "refund.created", `"data":{"object":{"id":1,"object":"refund","charge":{"id":501,"payment_id":9001}}}`,
			billing.Event{Object: billing.KindPayment, ObjectID: "9001"}},
		{"estimate", "estimate.viewed", `"data":{"object":{"id":1,"number":"E-1","customer":15444}}`, billing.Event{}},
		{"note on an invoice", "note.created", `"data":{"object":{"id":1,"invoice":46225}}`, billing.Event{}},
		{"retired transaction", "transaction.created", `"data":{"object":{"id":1,"invoice":46225}}`, billing.Event{}},
		{"never heard of", "wormhole.opened", `"data":7`, billing.Event{}},
		{"no data", "invoice.paid", `"data":[]`, billing.Event{}},
		{"object is a list", "invoice.paid", `"data":{"object":[]}`, billing.Event{}},
		{"id is odd", "invoice.paid", `"data":{"object":{"id":{"x":1}}}`, billing.Event{}},
		{"type without an action", "invoice", `"data":{"object":{"id":1}}`, billing.Event{Object: billing.KindInvoice, ObjectID: "1"}},
	} {
		text := `{"id":11296200,"type":"` + c.typ + `","timestamp":1606806943,` + c.rest + `}`
		want := c.want
		want.ID, want.Type, want.At, want.Raw = "11296200", c.typ, time.Unix(1606806943, 0).UTC(), []byte(text)
		got, err := ParseEvent([]byte(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func TestParseEventComments(t *testing.T) {
	flip := func(place, was, is string) string {
		return `{"id":1,"type":"invoice.updated","data":{"object":{"id":2,"needs_attention":` + is + `}` +
			map[string]string{"inside": `,"previous":{"needs_attention":` + was + `}}}`, "beside": `},"previous":{"needs_attention":` + was + `}}`}[place]
	}
	for _, c := range []struct {
		name, in              string
		commented             bool
		id, number, say, from string
	}{
		{"on the document", `{"id":1,"type":"invoice.commented","data":{"object":{"id":2,"object":"invoice","number":"N","comment":"late"}},"user":{"first_name":"Jo","last_name":"Ray"}}`,
			true, "2", "N", "late", "Jo Ray"},
		{"as an object of its own", `{"id":1,"type":"invoice.commented","data":{"object":{"id":9,"object":"comment","text":"hi","invoice":{"id":2,"number":"N"},"user":{"name":"Jo"}}},"user":{"id":-2,"email":"jo@x.example"}}`,
			true, "2", "N", "hi", "Jo"},
		{"with only an id", `{"id":1,"type":"credit_note.commented","data":{"object":{"id":9,"object":"comment","message":"m","credit_note_id":2,"author":"Jo"}}}`,
			true, "2", "", "m", "Jo"},
		{"nested comment", `{"id":1,"type":"invoice.commented","data":{"object":{"id":2,"comment":{"text":"deep","user":{"first_name":"Jo"}}}}}`,
			true, "2", "", "deep", "Jo"},
		{"author beside", `{"id":1,"type":"invoice.commented","data":{"object":{"id":9,"object":"comment","text":"t","invoice":2,"author":"jo@x.example","from":"Jo"}}}`,
			true, "2", "", "t", "Jo"},
		{"without a text", `{"id":1,"type":"invoice.commented","data":{"object":{"id":2}}}`, true, "2", "", "", ""},
		{"estimate", `{"id":1,"type":"estimate.commented","data":{"object":{"id":2,"text":"x"}}}`, false, "", "", "", ""},
		{"flag turned on", flip("inside", "false", "true"), true, "2", "", "", ""},
		{"flag turned on, previous beside data", flip("beside", "false", "true"), true, "2", "", "", ""},
		{"flag turned on as numbers", flip("inside", "0", "1"), true, "2", "", "", ""},
		{"flag turned off", flip("inside", "true", "false"), false, "2", "", "", ""},
		{"flag was on", flip("inside", "true", "true"), false, "2", "", "", ""},
		{"flag was unknown", flip("inside", "null", "true"), false, "2", "", "", ""},
		{"flag was odd", flip("inside", `"?"`, "true"), false, "2", "", "", ""},
		{"flag did not change", `{"id":1,"type":"invoice.updated","data":{"object":{"id":2,"needs_attention":true},"previous":[]}}`, false, "2", "", "", ""},
	} {
		e, err := ParseEvent([]byte(c.in))
		got := fmt.Sprint(e.Commented, e.ObjectID, e.Number, e.Comment, e.Author, err)
		if want := fmt.Sprint(c.commented, c.id, c.number, c.say, c.from, error(nil)); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

func TestParseEventRefuses(t *testing.T) {
	for _, in := range []string{``, `null`, `[]`, `7`, `{`, `{"id":1,"type":"a.b"} x`, `{"type":"a.b"}`, `{"id":null,"type":"a.b"}`,
		`{"id":0,"type":"a.b"}`, `{"id":"a/b","type":"a.b"}`, `{"id":1}`, `{"id":1,"type":""}`, `{"id":1,"type":{}}`} {
		if e, err := ParseEvent([]byte(in)); !errors.Is(err, ErrEvent) || e.ID != "" {
			t.Errorf("%s gives %+v, %v", in, e, err)
		}
	}
	// Everything else may be odd without harm.
	e, err := ParseEvent([]byte(`{"id":"evt_1","type":"invoice.paid","timestamp":"yesterday","data":"?","user":[],"previous":3}`))
	if err != nil || e.ID != "evt_1" || !e.At.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
}

func event(id int, at int64) string {
	return fmt.Sprintf(`{"id":%d,"type":"invoice.viewed","timestamp":%d,"data":{"object":{"id":2}}}`, id, at)
}

func TestEvents(t *testing.T) {
	from, to := time.Unix(1000, 0), time.Unix(2000, 999)
	for _, c := range []struct {
		name, page string
		link, more bool
		ids        []string
		bad        int
	}{
		{"both limits honoured", "[" + event(5, 2000) + "," + event(4, 1000) + "]", true, true, []string{"5", "4"}, 0},
		{"last page", "[" + event(5, 1500) + "]", false, false, []string{"5"}, 0},
		{"start ignored", "[" + event(5, 1500) + "," + event(4, 999) + "]", true, false, []string{"5"}, 0},
		{"end ignored", "[" + event(6, 2001) + "," + event(5, 1500) + "]", true, true, []string{"5"}, 0},
		{"oldest first is read to its end", "[" + event(3, 900) + "," + event(4, 1100) + "]", true, true, []string{"4"}, 0},
		{"bad ones", `[{"id":9},7,` + event(5, 1500) + "]", true, true, []string{"5"}, 2},
		{"no timestamp", `[{"id":5,"type":"a.b"}]`, true, true, []string{"5"}, 0},
		{"empty", "[]", false, false, nil, 0},
	} {
		v, cn := start(t, map[string][]string{"GET /events": {c.page}})
		if c.link {
			v.link = `</events?page=2&start_date=1000>; rel="next"`
		}
		got, err := cn.Events(context.Background(), from, to, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var ids []string
		for _, e := range got.Items {
			ids = append(ids, e.ID)
		}
		if diff := cmp.Diff(c.ids, ids); diff != "" || (got.Next != "") != c.more || len(got.Bad) != c.bad {
			t.Errorf("%s: next %q, bad %v (-want +got):\n%s", c.name, got.Next, got.Bad, diff)
		}
		q := v.requests("GET /events")[0].query
		if q["start_date"][0] != "1000" || q["end_date"][0] != "2000" {
			t.Errorf("%s: query %v", c.name, q)
		}
	}
	v, cn := start(t, map[string][]string{"GET /events": {"[]", "403 {}"}})
	if _, err := cn.Events(context.Background(), time.Time{}, time.Time{}, ""); err != nil {
		t.Error(err)
	}
	if q := v.requests("GET /events")[0].query; q["start_date"] != nil || q["end_date"] != nil {
		t.Errorf("open limits are sent: %v", q)
	}
	if _, err := cn.Events(context.Background(), from, to, ""); connector.ClassOf(err) != connector.ClassForbidden {
		t.Errorf("error %v", err)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(event(1, 2)))
	f.Add([]byte(`{"id":1,"type":"invoice.commented","data":{"object":{"comment":{"text":[]},"invoice":{"id":1}},"previous":[]},"user":7}`))
	f.Add([]byte(`{"id":"x","type":"charge.failed","data":{"object":{"charge":{"payment":{"id":5}}}}}`))
	f.Add([]byte(`{"id":1,"type":"invoice.updated","data":{"object":{"id":2,"needs_attention":1},"previous":{"needs_attention":0}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvent(body)
		if err != nil {
			if b := badEvent(body, err); !errors.Is(err, ErrEvent) || b.Message == "" || strings.ContainsAny(b.Number, "/. ") || b.Kind != "" && b.Number == "" {
				t.Errorf("error %v gives %+v", err, b)
			}
			return
		}
		if e.ID == "" || e.Type == "" || strings.ContainsAny(e.ID+e.ObjectID+e.CustomerID, "/. ") || !bytes.Equal(e.Raw, body) {
			t.Errorf("event %+v of %q", e, body)
		}
		if (e.Object == "") != (e.ObjectID == "") || e.Commented && e.Object == "" || !json.Valid(body) {
			t.Errorf("half an event %+v of %q", e, body)
		}
	})
}

// TestBadEventNames: an event that can not be used is named by its payment, whose reading makes up for it, or by its id.
func TestBadEventNames(t *testing.T) {
	_, cn := start(t, map[string][]string{"GET /events": {`[{"id":9,"data":{"object":{"id":77,"object":"payment"}}},{"id":10,"type":""},{"type":"a.b"},7]`}})
	p, err := cn.Events(context.Background(), time.Time{}, time.Time{}, "")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, b := range p.Bad {
		got += string(b.Kind) + ":" + b.Number + " "
		if !strings.Contains(b.Message, "event") {
			t.Errorf("message %q", b.Message)
		}
	}
	if got != "payment:77 :10 : : " {
		t.Errorf("bad events %q", got)
	}
}
