package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// invoiced-api 1.4: what each operation answers with.
func TestStatusCodes(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"autopay":true,"payment_source":{"invoiced_token":"4242424242424242"}`)
	plain := r.customer("")
	inv := func() string { return r.invoice(plain, "10", "").id() }
	auto := r.invoice(cust, "10", "").id()
	note := func() string { return r.creditNote(plain, "10", "").id() }
	payment := func() string { return r.must(201, "POST", "/payments", `{"customer":`+plain+`,"amount":1}`).id() }
	contact := r.must(201, "POST", "/customers/"+plain+"/contacts", `{"name":"N"}`).id()
	file := r.must(201, "POST", "/files", `{"url":"https://x.test/a","name":"a"}`).id()
	for _, c := range []struct {
		method, path, body string
		status             int
		kind               string // of the object answered with; [] is a list, empty no body
	}{
		{"POST", "/customers", `{"name":"A"}`, 201, "customer"},
		{"GET", "/customers/" + plain, "", 200, "customer"},
		{"PATCH", "/customers/" + plain, `{"city":"X"}`, 200, "customer"},
		{"POST", "/customers/" + plain + "/emails", `{}`, 201, "[]"},
		{"POST", "/customers/" + plain + "/contacts", `{"name":"N"}`, 201, "contact"},
		{"GET", "/customers/" + plain + "/contacts/" + contact, "", 200, "contact"},
		{"PATCH", "/customers/" + plain + "/contacts/" + contact, `{"title":"T"}`, 200, "contact"},
		{"DELETE", "/customers/" + plain + "/contacts/" + contact, "", 204, ""},
		{"POST", "/invoices", `{"customer":` + plain + `}`, 201, "invoice"},
		{"PATCH", "/invoices/" + inv(), `{"notes":"n"}`, 200, "invoice"},
		{"POST", "/invoices/" + inv() + "/void", "", 200, "invoice"},
		{"POST", "/invoices/" + auto + "/pay", "", 200, "invoice"},
		{"POST", "/invoices/" + inv() + "/emails", "", 201, "[]"},
		{"DELETE", "/invoices/" + inv(), "", 204, ""},
		{"PUT", "/invoices/" + inv() + "/payment_plan", `{"installments":[{"date":1,"amount":10}]}`, 201, "payment_plan"},
		{"POST", "/invoices/" + inv() + "/payment_plan", `{"installments":[{"date":1,"amount":10}]}`, 201, "payment_plan"},
		{"POST", "/credit_notes", `{"customer":` + plain + `}`, 201, "credit_note"},
		{"PATCH", "/credit_notes/" + note(), `{"notes":"n"}`, 200, "credit_note"},
		{"POST", "/credit_notes/" + note() + "/void", "", 200, "credit_note"},
		{"POST", "/credit_notes/" + note() + "/emails", "", 201, "[]"},
		{"DELETE", "/credit_notes/" + note(), "", 204, ""},
		{"POST", "/payments", `{"customer":` + plain + `,"amount":1}`, 201, "payment"},
		{"PATCH", "/payments/" + payment(), `{"notes":"n"}`, 200, "payment"},
		{"POST", "/payments/" + payment() + "/emails", "", 201, "[]"},
		{"DELETE", "/payments/" + payment(), "", 200, "payment"},
		{"POST", "/charges", `{"customer":` + cust + `,"amount":1}`, 201, "payment"},
		{"POST", "/notes", `{"notes":"n","customer_id":` + plain + `}`, 201, "note"},
		{"POST", "/tasks", `{"name":"n","action":"phone"}`, 201, "task"},
		{"GET", "/files/" + file, "", 200, "file"},
		{"DELETE", "/files/" + file, "", 204, ""},
		{"POST", "/webhooks", `{"url":"http://127.0.0.1:1/"}`, 201, "webhook"},
	} {
		a := r.call(c.method, c.path, c.body)
		if a.status != c.status {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, a.status, c.status, a.body)
			continue
		}
		switch c.kind {
		case "":
			if len(a.body) != 0 {
				t.Errorf("%s %s: body %s", c.method, c.path, a.body)
			}
		case "[]":
			if len(a.list()) == 0 {
				t.Errorf("%s %s: an empty list", c.method, c.path)
			}
		default:
			if got := a.object().str("object"); got != c.kind {
				t.Errorf("%s %s: object %q, want %q", c.method, c.path, got, c.kind)
			}
		}
	}
}

// What is not there, or is in another place, answers 404 with a body.
func TestMissing(t *testing.T) {
	r := newRig(t)
	cust, other := r.customer(""), r.customer("")
	contact := r.must(201, "POST", "/customers/"+cust+"/contacts", `{"name":"N"}`).id()
	inv := r.invoice(cust, "1", "").id()
	for _, c := range []string{
		"GET /customers/1", "PATCH /customers/1", "DELETE /customers/1", "GET /customers/x", "GET /customers/" + inv,
		"GET /customers/1/contacts", "GET /customers/" + other + "/contacts/" + contact, "PATCH /customers/" + other + "/contacts/" + contact,
		"GET /customers/1/balance", "GET /invoices/1", "GET /invoices/" + cust, "POST /invoices/1/void", "POST /invoices/1/pay",
		"POST /invoices/1/emails", "GET /invoices/1/attachments", "GET /invoices/" + inv + "/payment_plan", "GET /credit_notes/" + inv,
		"GET /payments/1", "DELETE /payments/1", "GET /files/1", "GET /events/1", "PATCH /notes/1", "GET /tasks/1", "GET /webhooks/1",
		"POST /webhook_attempts/1/retries", "GET /items/none", "GET /transactions", "PUT /invoices/" + inv, "GET /invoices/" + inv + "/nothing",
		"GET /invoices/99999999999999999999",
	} {
		method, path, _ := strings.Cut(c, " ")
		a := r.call(method, path, "")
		if a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", c, a.status, a.body)
			continue
		}
		a.object().want(t, "type", "invalid_request")
	}
}

// T12: every kind of fault, and whether the work behind it was done.
func TestFaultKinds(t *testing.T) {
	for _, c := range []struct {
		rule   kit.Rule
		status int // 0: no answer
		done   bool
	}{
		{kit.Rule{Kind: kit.FaultDelay, DelayMS: 1}, 201, true},
		{kit.Rule{Kind: kit.FaultDropBefore}, 0, false},
		{kit.Rule{Kind: kit.FaultDropAfter}, 0, true},
		{kit.Rule{Kind: kit.FaultStatus, Status: 429}, 429, false},
		{kit.Rule{Kind: kit.FaultStatus, Status: 500}, 500, false},
		{kit.Rule{Kind: kit.FaultStatusDone, Status: 503}, 503, true},
		{kit.Rule{Kind: kit.FaultHTML}, 502, false},
		{kit.Rule{Kind: kit.FaultTruncate}, 0, true},
	} {
		t.Run(fmt.Sprintf("%s %d", c.rule.Kind, c.rule.Status), func(t *testing.T) {
			r := newRig(t)
			c.rule.Method = "POST"
			if err := r.s.Faults.Set(1, c.rule); err != nil {
				t.Fatal(err)
			}
			if got := attempt(t, r); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if got := len(r.list("/customers")) == 1; got != c.done {
				t.Errorf("done %v, want %v", got, c.done)
			}
			if n := len(r.list("/events")); (n == 1) != c.done {
				t.Errorf("%d events", n)
			}
		})
	}
}

// attempt creates a customer and returns the status of a complete answer, 0 when there is none.
func attempt(t *testing.T, r *rig) int {
	t.Helper()
	req, err := http.NewRequest("POST", r.srv.URL+"/customers", strings.NewReader(`{"name":"A"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(fullKey, "")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	body := make([]byte, 1<<16)
	n := 0
	for {
		m, err := res.Body.Read(body[n:])
		n += m
		if err != nil {
			if err.Error() != "EOF" {
				return 0
			}
			return res.StatusCode
		}
	}
}

// invoiced-api 11.2: money is written as plain numbers in major units, whatever way it came in.
func TestNumbersOnTheWire(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	for _, c := range []struct{ quantity, cost, wantCost, wantTotal string }{
		{"1", "39", "39", "39"},
		{"1", "39.00", "39", "39"},
		{"1", `"51.150"`, "51.15", "51.15"},
		{"3", "0.3333", "0.3333", "1"},
		{"1e2", "1E-2", "0.01", "1"},
		{"0.5", "100000000.01", "100000000.01", "50000000.01"},
		{"1", "0.1", "0.1", "0.1"},
		{"10", "1234567890.12", "1234567890.12", "12345678901.2"},
	} {
		a := r.call("POST", "/invoices", fmt.Sprintf(`{"customer":%s,"items":[{"quantity":%s,"unit_cost":%s}]}`, cust, c.quantity, c.cost))
		for _, want := range []string{`"unit_cost":` + c.wantCost + `,`, `"total":` + c.wantTotal + `,`} {
			if !strings.Contains(string(a.body), want) {
				t.Errorf("%s × %s: %s is not in %s", c.quantity, c.cost, want, a.body)
			}
		}
	}
	yen := r.invoice(cust, "10.5", `,"currency":"JPY"`)
	yen.want(t, "total", "11", "currency", "jpy")
	r.invoice(cust, "1.2345", `,"currency":"kwd"`).want(t, "total", "1.235")
	for _, bad := range []string{"1e31", "NaN", `"abc"`, `"1,50"`, "true", `{"a":1}`, strings.Repeat("9", 70)} {
		if a := r.call("POST", "/invoices", `{"customer":`+cust+`,"items":[{"unit_cost":`+bad+`}]}`); a.status != 400 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

// invoiced-api 1.6: booleans in every client's spelling, in bodies and in queries.
func TestBooleanSpellings(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		body string
		want string
	}{
		{`true`, "true"}, {`false`, "false"}, {`1`, "true"}, {`0`, "false"}, {`"1"`, "true"}, {`"0"`, "false"},
		{`"true"`, "true"}, {`"False"`, "false"}, {`null`, "false"}, {`""`, "false"},
	} {
		r.must(201, "POST", "/customers", `{"name":"A","credit_hold":`+c.body+`}`).want(t, "credit_hold", c.want)
	}
	held := 0
	for _, spelling := range []string{"1", "true", "True"} {
		held += len(r.list("/customers?filter[credit_hold]=" + spelling))
	}
	free := 0
	for _, spelling := range []string{"0", "false", "False"} {
		free += len(r.list("/customers?filter[credit_hold]=" + spelling))
	}
	if held != 12 || free != 18 {
		t.Errorf("%d held and %d free, want 12 and 18", held, free)
	}
}

// The same invoice as JSON, as a form and as a form without indexes.
func TestFormEqualsJSON(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	const form = "application/x-www-form-urlencoded"
	bodies := []struct{ body, kind string }{
		{`{"customer":` + cust + `,"due_date":1774000000,"items":[{"name":"A","quantity":2,"unit_cost":1.5,"taxes":[{"amount":0.3}]},{"name":"B","unit_cost":4}],"metadata":{"k":"v"}}`, "application/json"},
		{"customer=" + cust + "&due_date=1774000000&items[0][name]=A&items[0][quantity]=2&items[0][unit_cost]=1.5&items[0][taxes][0][amount]=0.3" +
			"&items[1][name]=B&items[1][unit_cost]=4&metadata[k]=v", form},
		{"customer=" + cust + "&due_date=1774000000&items[][name]=A&items[][quantity]=2&items[][unit_cost]=1.5&items[0][taxes][][amount]=0.3" +
			"&items[][name]=B&items[][unit_cost]=4&metadata[k]=v", form},
	}
	for _, b := range bodies {
		a := r.call("POST", "/invoices", b.body, "Content-Type: "+b.kind)
		if a.status != 201 {
			t.Fatalf("%s: %d %s", b.body, a.status, a.body)
		}
		a.object().want(t, "total", "7.3", "items.0.amount", "3", "items.0.taxes.0.amount", "0.3", "items.1.name", "B",
			"due_date", "1774000000", "metadata.k", "v", "items.2", "")
	}
}
