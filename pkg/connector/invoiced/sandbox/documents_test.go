package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

const dayLength = 24 * time.Hour

// The totals that an official fixture shows, over the API (invoiced-api 4.5, 16.6).
func TestDocumentedTotals(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	r.must(201, "POST", "/tax_rates", `{"id":"four","name":"Four","value":4}`)
	inv := r.must(201, "POST", "/invoices", `{"customer":`+cust+`,"calculate_taxes":false,
		"items":[{"name":"X","quantity":1,"unit_cost":412,"taxes":[{"tax_rate":"four"}]}],
		"taxes":[{"tax_rate":{"id":"seven","value":"7","is_percent":true}}]}`)
	inv.want(t, "subtotal", "412", "total", "457.32", "items.0.taxes.0.amount", "16.48", "taxes.0.amount", "28.84")
	line := inv.str("items.0.id")
	after := r.must(200, "PATCH", "/invoices/"+inv.id(), `{"items":[{"id":`+line+`,
		"discounts":[{"coupon":{"id":"two","value":2,"is_percent":true}}]}],
		"discounts":[{"coupon":{"id":"three","value":3,"is_percent":true}}]}`)
	after.want(t, "total", "435.22", "balance", "435.22", "items.0.discounts.0.amount", "8.24", "items.0.taxes.0.amount", "16.15",
		"discounts.0.amount", "12.11", "taxes.0.amount", "27.42", "items.0.id", line)
}

// S1: every documented key is there; what may only be written is not.
func TestObjectKeys(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"disabled_payment_methods":["check"]`)
	contact := r.must(201, "POST", "/customers/"+cust+"/contacts", `{"email":"A.B@X.Test"}`)
	inv := r.invoice(cust, "5", `,"attachments":[],"sent":true,"disabled_payment_methods":["ach"],"ship_to":{"city":"Austin"}`)
	note := r.creditNote(cust, "5", "")
	pay := r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":5}`)
	for name, c := range map[string]struct {
		have obj
		keys string
	}{
		"customer": {r.get("/customers/" + cust), `id object name number email type autopay autopay_delay_days payment_terms payment_source
			attention_to address1 address2 city state postal_code country language currency phone notes tax_id taxable taxes
			avalara_entity_use_code avalara_exemption_number chase chasing_cadence next_chase_step credit_hold credit_limit owner
			parent_customer bill_to_parent consolidated sign_up_page sign_up_url statement_pdf_url statement_url ach_gateway cc_gateway
			active convenience_fee metadata created_at updated_at`},
		"contact": {contact, `id object name title department email phone primary sms_enabled send_new_invoices address1 address2 city
			state postal_code country customer customer_id created_at updated_at`},
		"invoice": {inv, `id object customer name number currency date due_date payment_terms purchase_order autopay draft closed paid
			status attempt_count next_payment_attempt subscription subscription_id items discounts taxes ship_to notes late_fees
			metadata subtotal total balance payment_plan payment_source url pdf_url payment_url csv_url needs_attention chase
			next_chase_on shipping created_at updated_at`},
		"credit note": {note, `id object customer name number purchase_order currency draft closed paid status date items notes subtotal
			discounts taxes total balance url pdf_url metadata invoice created_at updated_at`},
		"payment": {pay, `id object customer date currency amount balance method reference ach_sender_id source notes charge matched
			voided metadata pdf_url created_at updated_at`},
		"line": {inv["items"].([]any)[0].(map[string]any), `id object catalog_item type name description quantity unit_cost amount
			discountable taxable discounts taxes plan period_start period_end prorated subscription metadata created_at updated_at`},
	} {
		for key := range strings.FieldsSeq(c.keys) {
			if _, ok := c.have[key]; !ok {
				t.Errorf("%s has no key %s", name, key)
			}
		}
		for _, key := range []string{"attachments", "calculate_taxes", "sent", "disabled_payment_methods", "applied_to"} {
			if _, ok := c.have[key]; ok {
				t.Errorf("%s shows %s", name, key)
			}
		}
	}
	contact.want(t, "email", "a.b@x.test", "name", "a.b@x.test") // S14
	inv.want(t, "status", "sent", "ship_to.city", "Austin", "ship_to.name", "", "currency", "usd")
}

// S2, S3.
func TestMetadata(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"metadata":{"a":"1","b":true,"c":null}`)
	r.get("/customers/"+cust).want(t, "metadata.a", "1", "metadata.b", "true", "metadata.c", "")
	r.must(200, "PATCH", "/customers/"+cust, `{"metadata":{"d":"4"}}`).want(t, "metadata.a", "", "metadata.d", "4")
	r.must(200, "PATCH", "/customers/"+cust, `{"city":"X"}`).want(t, "metadata.d", "4")
	if got := len(r.list("/customers?metadata[d]=4")); got != 1 {
		t.Errorf("found %d by metadata", got)
	}
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	for _, m := range []string{
		`{` + strings.Join(many, ",") + `}`, `{"` + strings.Repeat("k", 41) + `":"v"}`,
		`{"k":"` + strings.Repeat("v", 256) + `"}`, `{"k":{"x":1}}`, `[1]`, `7`,
	} {
		r.refused("metadata", "PATCH", "/customers/"+cust, `{"metadata":`+m+`}`)
	}
	arrays := newRig(t, func(c *sandbox.Config) { c.Options.MetadataArray = true })
	a := arrays.call("POST", "/customers", `{"name":"A"}`)
	if !strings.Contains(string(a.body), `"metadata":[]`) {
		t.Errorf("empty metadata: %s", a.body)
	}
}

// S4.
func TestNumbers(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	r.get("/customers/"+cust).want(t, "number", "CUST-00001")
	r.invoice(cust, "1", `,"number":"INV-00001"`)
	r.invoice(cust, "1", "").want(t, "number", "INV-00002") // the sequence passes over a taken number
	r.creditNote(cust, "1", "").want(t, "number", "CN-00001")
	r.creditNote(cust, "1", `,"number":"INV-00001"`) // another kind
	r.refused("number", "POST", "/invoices", `{"customer":`+cust+`,"number":"INV-00001"}`)
	r.refused("number", "POST", "/customers", `{"name":"B","number":"CUST-00001"}`)
	second := r.invoice(cust, "1", "")
	r.refused("number", "PATCH", "/invoices/"+second.id(), `{"number":"INV-00001"}`)
	r.must(200, "PATCH", "/invoices/"+second.id(), `{"number":"X/1, 2"}`)
	if l := r.list("/invoices?filter[number]=" + "X%2F1%2C%202"); len(l) != 1 || l[0].id() != second.id() {
		t.Errorf("found %v", l)
	}
	if l := r.list("/invoices?filter[number]=INV-00003"); len(l) != 0 {
		t.Errorf("the old number still finds %v", l)
	}
	loose := newRig(t, func(c *sandbox.Config) { c.Options.AllowDuplicateNumbers = true })
	cust = loose.customer("")
	loose.invoice(cust, "1", `,"number":"A"`)
	loose.invoice(cust, "1", `,"number":"A"`)
	if l := loose.list("/invoices?filter[number]=A"); len(l) != 2 {
		t.Errorf("found %d of two", len(l))
	}
}

// S7 and invoiced-api 4.3, 4.7: the states an invoice passes through.
func TestStatus(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "10", `,"draft":true,"payment_terms":"NET 14"`)
	path := "/invoices/" + inv.id()
	step := func(want string, act func()) {
		t.Helper()
		act()
		r.get(path).want(t, "status", want)
	}
	step("draft", func() {})
	r.sim(400, "/portal"+path+"/view", "")
	step("not_sent", func() { r.must(200, "PATCH", path, `{"draft":false}`) })
	r.refused("draft", "PATCH", path, `{"draft":true}`)
	step("sent", func() { r.must(200, "PATCH", path, `{"sent":true}`) })
	step("viewed", func() { r.sim(200, "/portal"+path+"/view", "") })
	step("viewed", func() { r.clk.Advance(14 * dayLength) }) // the due day itself
	step("past_due", func() { r.clk.Advance(dayLength) })
	step("bad_debt", func() { r.must(200, "PATCH", path, `{"closed":true}`) })
	r.refused("applied_to", "POST", "/payments", `{"customer":`+cust+`,"amount":1,"applied_to":[{"type":"invoice","invoice":`+inv.id()+`,"amount":1}]}`)
	step("past_due", func() { r.must(200, "PATCH", path, `{"closed":false}`) })
	step("paid", func() {
		r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":10,"applied_to":[{"type":"invoice","invoice":`+inv.id()+`,"amount":10}]}`)
	})
	r.get(path).want(t, "closed", "true", "paid", "true", "balance", "0", "payment_url", "")
	if l := r.list("/invoices?filter[status]=paid&filter[paid]=True&filter[closed]=1&filter[draft]=false"); len(l) != 1 {
		t.Errorf("filters found %d", len(l))
	}
	other := r.invoice(cust, "10", "")
	r.must(200, "POST", "/invoices/"+other.id()+"/void", "").want(t, "status", "voided", "payment_url", "", "balance", "10")
	r.refused("", "POST", "/invoices/"+other.id()+"/void", "")
	r.refused("", "PATCH", "/invoices/"+other.id(), `{"notes":"x"}`)
	r.refused("", "DELETE", "/invoices/"+other.id(), "")
}

// Past due begins with the next day in the account's zone, not in UTC.
func TestPastDueZone(t *testing.T) {
	r := newRig(t)
	due := time.Date(2026, 3, 11, 17, 0, 0, 0, time.UTC).Unix() // noon in Chicago
	inv := r.invoice(r.customer(""), "1", fmt.Sprintf(`,"due_date":%d`, due))
	move := func(at time.Time) {
		t.Helper()
		r.sim(200, "/clock", fmt.Sprintf(`{"now":"%s"}`, at.Format(time.RFC3339)))
	}
	move(time.Date(2026, 3, 12, 4, 59, 0, 0, time.UTC)) // 23:59 in Chicago
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent")
	move(time.Date(2026, 3, 12, 5, 0, 1, 0, time.UTC))
	r.get("/invoices/"+inv.id()).want(t, "status", "past_due")
	r.sim(400, "/clock", `{"now":1}`)
}

// S6 and invoiced-api 4.4.
func TestTerms(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"payment_terms":"NET 30"`)
	const date = 1_773_000_000
	for _, c := range []struct{ extra, due, terms string }{
		{"", fmt.Sprint(date + 30*86400), "NET 30"},
		{`,"payment_terms":"net 14"`, fmt.Sprint(date + 14*86400), "net 14"},
		{`,"payment_terms":"NET 14","due_date":1774000000`, "1774000000", "NET 14"},
		{`,"payment_terms":"Due on Receipt"`, "", "Due on Receipt"},
		{`,"payment_terms":null`, "", ""},
		{`,"autopay":true,"payment_terms":"NET 14","due_date":1774000000`, "", "AutoPay"},
	} {
		inv := r.invoice(cust, "1", fmt.Sprintf(`,"date":%d`, date)+c.extra)
		inv.want(t, "due_date", c.due, "payment_terms", c.terms)
		if auto := c.terms == "AutoPay"; (inv.str("payment_url") == "") != auto || (inv.str("next_payment_attempt") != "") != auto {
			t.Errorf("%s: payment_url %q, next attempt %q", c.terms, inv.str("payment_url"), inv.str("next_payment_attempt"))
		}
	}
}

// The vendor adds an early-payment discount by itself and takes it off again.
func TestEarlyDiscount(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "200", `,"payment_terms":"2% 10 NET 30"`)
	inv.want(t, "total", "196", "subtotal", "200", "discounts.0.amount", "4", "due_date", fmt.Sprint(start.Unix()+30*86400))
	r.clk.Advance(10*dayLength + time.Minute)
	r.get("/invoices/"+inv.id()).want(t, "total", "200", "balance", "200", "discounts.0.amount", "")
	if e := r.events(); e[len(e)-1] != "invoice.updated" {
		t.Errorf("events %v", e)
	}
	plain := newRig(t, func(c *sandbox.Config) { c.Options.NoEarlyDiscounts = true })
	plain.invoice(plain.customer(""), "200", `,"payment_terms":"2% 10 NET 30"`).want(t, "total", "200")
}

// The account's own tax comes on top unless calculate_taxes is off.
func TestAccountTax(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Accounts[0].AutoTaxPercent = decimal.NewFromInt(8) })
	cust, exempt := r.customer(""), r.customer(`,"taxable":false`)
	body := func(c, more string) string {
		return `{"customer":` + c + `,"items":[{"unit_cost":100}]` + more + `}`
	}
	inv := r.must(201, "POST", "/invoices", body(cust, ""))
	inv.want(t, "total", "108", "taxes.0.amount", "8")
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"items":[{"unit_cost":50}]}`).want(t, "total", "54")
	quiet := r.must(201, "POST", "/invoices", body(cust, `,"calculate_taxes":false,"taxes":[{"amount":1.5}]`))
	quiet.want(t, "total", "101.5")
	r.must(200, "PATCH", "/invoices/"+quiet.id(), `{"notes":"n"}`).want(t, "total", "101.5")
	r.must(201, "POST", "/invoices", body(exempt, "")).want(t, "total", "100")
}

// S9 and invoiced-api 4.6: lists replace, ids of other documents are refused.
func TestReplaceItems(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	first := r.invoice(cust, "10", "")
	second := r.must(201, "POST", "/invoices", `{"customer":`+cust+`,"items":[{"name":"a","unit_cost":1},{"name":"b","unit_cost":2}]}`)
	path, keep := "/invoices/"+second.id(), second.str("items.1.id")
	after := r.must(200, "PATCH", path, `{"items":[{"id":`+keep+`,"quantity":3},{"name":"c","unit_cost":5}]}`)
	after.want(t, "items.0.id", keep, "items.0.name", "b", "items.0.amount", "6", "items.1.name", "c", "items.2", "", "total", "11")
	r.refused("items", "PATCH", path, `{"items":[{"id":`+first.str("items.0.id")+`}]}`)
	r.refused("items", "POST", "/credit_notes", `{"customer":`+cust+`,"items":[{"id":`+keep+`,"unit_cost":1}]}`)
	r.refused("items", "PATCH", path, `{"items":[{"unit_cost":-1}]}`)
	r.refused("items", "PATCH", path, `{"items":[{"unit_cost":"ten"}]}`)
	r.refused("items", "PATCH", path, `{"items":["x"]}`)
	r.refused("customer", "PATCH", path, `{"customer":`+r.customer("")+`}`)
	r.get(path).want(t, "total", "11")
	r.must(200, "PATCH", path, `{"items":[{"unit_cost":5},{"unit_cost":-2}]}`).want(t, "total", "3")
}

func TestCreateRefusals(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"credit_limit":100`)
	hold := r.customer(`,"credit_hold":true`)
	r.refused("name", "POST", "/customers", `{}`)
	r.refused("name", "POST", "/customers", `{"name":""}`)
	r.refused("name", "POST", "/customers", `{"name":"`+strings.Repeat("n", 256)+`"}`)
	r.refused("type", "POST", "/customers", `{"name":"A","type":"firm"}`)
	r.refused("email", "POST", "/customers", `{"name":"A","email":"nobody"}`)
	r.refused("country", "POST", "/customers", `{"name":"A","country":"USA"}`)
	r.refused("currency", "POST", "/customers", `{"name":"A","currency":"dollars"}`)
	r.refused("autopay", "POST", "/customers", `{"name":"A","autopay":"maybe"}`)
	r.refused("customer", "POST", "/invoices", `{}`)
	r.refused("customer", "POST", "/invoices", `{"customer":1}`)
	r.refused("date", "POST", "/invoices", `{"customer":`+cust+`,"date":"2026-01-01"}`)
	r.refused("taxes", "POST", "/invoices", `{"customer":`+cust+`,"taxes":[{}]}`)
	r.refused("tax_rate", "POST", "/invoices", `{"customer":`+cust+`,"taxes":[{"tax_rate":"none"}]}`)
	r.refused("attachments", "POST", "/invoices", `{"customer":`+cust+`,"attachments":[1]}`)
	r.refused("", "POST", "/invoices", `{"customer":`+hold+`,"items":[{"unit_cost":1}]}`)
	r.invoice(cust, "60", "")
	r.refused("", "POST", "/invoices", `{"customer":`+cust+`,"items":[{"unit_cost":41}]}`)
	draft := r.invoice(cust, "41", `,"draft":true`)
	r.refused("", "PATCH", "/invoices/"+draft.id(), `{"draft":false}`)
	r.invoice(cust, "40", "")
	if n := len(r.list("/invoices")); n != 3 {
		t.Errorf("%d invoices; a refused one was kept", n)
	}
}

// A zero total is paid from the start.
func TestZeroTotal(t *testing.T) {
	r := newRig(t)
	r.invoice(r.customer(""), "0", "").want(t, "status", "paid", "balance", "0")
	if e := strings.Join(r.events(), " "); e != "customer.created invoice.created invoice.paid" {
		t.Errorf("events %s", e)
	}
}

func TestClearWithNull(t *testing.T) {
	r := newRig(t)
	inv := r.invoice(r.customer(""), "1", `,"notes":"n","purchase_order":"p","due_date":1774000000`)
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"notes":null,"purchase_order":"","due_date":null}`).
		want(t, "notes", "", "purchase_order", "", "due_date", "")
}

// S16 and invoiced-api 8.
func TestFiles(t *testing.T) {
	r := newRig(t)
	multi := "--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF-x\r\n--B--\r\n"
	a := r.call("POST", "/files", multi, "Content-Type: multipart/form-data; boundary=B")
	if a.status != 201 {
		t.Fatalf("upload: %d %s", a.status, a.body)
	}
	up := a.object()
	up.want(t, "object", "file", "name", "a.pdf", "size", "6", "type", "application/pdf")
	if got := r.as("").call("GET", strings.TrimPrefix(up.str("url"), r.srv.URL), ""); string(got.body) != "%PDF-x" {
		t.Errorf("download: %d %s", got.status, got.body)
	}
	linked := r.must(201, "POST", "/files", `{"url":"https://files.test/x.pdf","name":"x.pdf","size":9,"type":"application/pdf"}`)
	linked.want(t, "url", "https://files.test/x.pdf")
	r.refused("url", "POST", "/files", `{"name":"x"}`)
	bad := r.call("POST", "/files", "--B\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--B--\r\n", "Content-Type: multipart/form-data; boundary=B")
	if bad.status != 400 || bad.object().str("param") != "file" {
		t.Errorf("missing part: %d %s", bad.status, bad.body)
	}
	inv := r.invoice(r.customer(""), "1", `,"attachments":[`+up.id()+`]`)
	list := "/invoices/" + inv.id() + "/attachments"
	before := r.list(list)
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"notes":"keeps the files"}`)
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"attachments":[`+up.id()+`,`+linked.id()+`]}`)
	after := r.list(list)
	if len(before) != 1 || len(after) != 2 || before[0].id() != after[0].id() {
		t.Fatalf("attachments %v, then %v", before, after)
	}
	after[0].want(t, "object", "attachment", "file.name", "a.pdf")
	r.must(200, "PATCH", "/invoices/"+inv.id(), `{"attachments":[]}`)
	if l := r.list(list); len(l) != 0 {
		t.Errorf("still attached: %v", l)
	}
	if a := r.call("DELETE", "/files/"+up.id(), ""); a.status != 204 {
		t.Errorf("delete: %d", a.status)
	}
	if got := r.as("").call("GET", strings.TrimPrefix(up.str("url"), r.srv.URL), ""); got.status != 404 {
		t.Errorf("a deleted file is still served: %d", got.status)
	}
}

func TestEmails(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "1", "")
	a := r.call("POST", "/invoices/"+inv.id()+"/emails", `{"to":[{"name":"N","email":"n@x.test"}],"subject":"Hello"}`)
	if l := a.list(); a.status != 201 || len(l) != 1 || len(l[0].id()) != 32 || l[0].str("email") != "n@x.test" {
		t.Errorf("emails: %d %s", a.status, a.body)
	}
	r.get("/invoices/"+inv.id()).want(t, "status", "sent")
	r.call("POST", "/customers/"+cust+"/emails", "{}")
	r.refused("type", "POST", "/customers/"+cust+"/emails", `{"type":"novel"}`)
	sent, err := r.s.Emails("main")
	if err != nil || len(sent) != 2 || sent[0].Subject != "Hello" || sent[1].To != "ap@acme.test" {
		t.Errorf("sent %+v, %v", sent, err)
	}
	draft := r.invoice(cust, "1", `,"draft":true`)
	r.refused("", "POST", "/invoices/"+draft.id()+"/emails", "")
}

func TestNotesAndTasks(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "1", "")
	note := r.must(201, "POST", "/notes", `{"customer_id":`+cust+`,"notes":"called"}`)
	note.want(t, "object", "note", "customer", cust, "invoice", "")
	r.must(201, "POST", "/invoices/"+inv.id()+"/notes", `{"notes":"on the invoice"}`).want(t, "invoice", inv.id())
	r.refused("", "POST", "/notes", `{"notes":"x"}`)
	r.refused("", "POST", "/notes", `{"notes":"x","customer_id":`+cust+`,"invoice_id":`+inv.id()+`}`)
	r.refused("notes", "POST", "/notes", `{"customer_id":`+cust+`}`)
	r.must(200, "PATCH", "/notes/"+note.id(), `{"notes":"again"}`).want(t, "notes", "again")
	if a, b := len(r.list("/customers/"+cust+"/notes")), len(r.list("/invoices/"+inv.id()+"/notes")); a != 1 || b != 1 {
		t.Errorf("%d and %d notes", a, b)
	}
	task := r.must(201, "POST", "/tasks", `{"name":"Call","action":"phone","customer_id":`+cust+`}`)
	r.must(200, "PATCH", "/tasks/"+task.id(), `{"complete":true}`)
	r.refused("action", "POST", "/tasks", `{"name":"Call","action":"pray"}`)
	e := r.events()
	if got := strings.Join(e[len(e)-3:], " "); got != "task.created task.updated task.completed" {
		t.Errorf("events %s", got)
	}
}
