package sandbox_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// T1, T9: authentication and error bodies.
func TestAuthentication(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name, key, method, path string
		headers                 []string
		status                  int
	}{
		{"none", "", "GET", "/customers", nil, 401},
		{"unknown", "nope", "GET", "/customers", nil, 401},
		{"full read", fullKey, "GET", "/customers", nil, 200},
		{"full write", fullKey, "POST", "/customers", nil, 201},
		{"read-only read", readKey, "GET", "/customers", nil, 200},
		{"read-only write", readKey, "POST", "/customers", nil, 403},
		{"read-only delete", readKey, "DELETE", "/customers/1", nil, 403},
		{"bearer", "", "GET", "/customers", []string{"Authorization: Bearer " + fullKey}, 200},
		{"bearer unknown", "", "GET", "/customers", []string{"Authorization: Bearer x"}, 401},
		{"password given", "", "GET", "/customers", []string{"Authorization: Basic a2V5LWZ1bGw6eA=="}, 401}, // key-full:x
	} {
		a := r.as(c.key).call(c.method, c.path, `{"name":"A"}`, c.headers...)
		if a.status != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.name, a.status, c.status, a.body)
		}
		if c.status < 400 {
			continue
		}
		if e := a.object(); e.str("type") != "invalid_request" || e.str("message") == "" {
			t.Errorf("%s: error body %s", c.name, a.body)
		}
	}
	a := r.call("GET", "/nothing", "")
	if a.status != 404 || a.object().str("message") == "" {
		t.Errorf("unknown path: %d %s", a.status, a.body)
	}
}

// T2: bodies as the vendor's SDKs send them.
func TestBodies(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	for _, body := range []string{"", "null", "{}", "[]"} {
		inv := r.invoice(cust, "10", "")
		r.must(200, "POST", "/invoices/"+inv.id()+"/void", body)
	}
	form := "customer=" + cust + "&draft=1&items[0][name]=Paper&items[0][quantity]=2&items[0][unit_cost]=1.25" +
		"&items%5B1%5D%5Bname%5D=Ink%20%26%20more&items[1][unit_cost]=10&metadata[q360_id]=77"
	a := r.call("POST", "/invoices", form, "Content-Type: application/x-www-form-urlencoded")
	if a.status != 201 {
		t.Fatalf("form: %d %s", a.status, a.body)
	}
	a.object().want(t, "draft", "true", "total", "12.5", "items.1.name", "Ink & more", "metadata.q360_id", "77")
	for _, body := range []string{"{", `"text"`, "[1]", "{} {}", `{"a":1}]`, "\x00"} {
		if a := r.call("POST", "/customers", body); a.status != 400 {
			t.Errorf("body %q: %d", body, a.status)
		}
	}
	if a := r.call("POST", "/customers", "a[b=1", "Content-Type: application/x-www-form-urlencoded"); a.status != 400 {
		t.Errorf("unbalanced form: %d", a.status)
	}
	if a := r.call("GET", "/customers/"+cust, "", "Content-Type: text/strange"); a.status != 200 {
		t.Errorf("GET with a strange content type: %d", a.status)
	}
	r.must(201, "POST", "/customers", `{"name":"B","no_such_key":{"x":1}}`) // T14
	r.list("/customers?no_such_parameter=1")
}

func TestUnknownKeysRefusedOnRequest(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.RejectUnknownKeys = true })
	r.refused("nmae", "POST", "/customers", `{"name":"A","nmae":"B"}`)
	r.must(201, "POST", "/customers", `{"name":"A"}`)
}

// T3, T4, T6: every list has both headers and the page links.
func TestListHeaders(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "10", "")
	for _, path := range []string{
		"/customers", "/customers/" + cust + "/contacts", "/customers/" + cust + "/notes", "/customers/" + cust + "/invoices",
		"/customers/" + cust + "/payment_sources", "/invoices", "/invoices/" + inv.id() + "/attachments",
		"/invoices/" + inv.id() + "/notes", "/credit_notes", "/payments", "/events", "/notes", "/tasks", "/webhooks",
		"/webhook_attempts", "/estimates", "/plans", "/subscriptions", "/inboxes", "/items", "/tax_rates", "/coupons",
		"/credit_balance_adjustments",
	} {
		a := r.call("GET", path, "")
		if a.status != 200 || !strings.HasPrefix(string(a.body), "[") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		link := a.header.Get("Link")
		if a.header.Get("X-Total-Count") == "" || !strings.Contains(link, `; rel="self"`) ||
			!strings.Contains(link, `; rel="first"`) || !strings.Contains(link, `; rel="last"`) {
			t.Errorf("%s: count %q, link %q", path, a.header.Get("X-Total-Count"), link)
		}
		if strings.Contains(link, `rel="next"`) || !strings.HasPrefix(link, "<"+r.srv.URL+path+"?") {
			t.Errorf("%s: link %q", path, link)
		}
	}
}

func TestPages(t *testing.T) {
	r := newRig(t)
	for range 7 {
		r.customer("")
	}
	next := "/customers?per_page=3&filter%5Bname%5D=Acme&sort=name%2Cid"
	var seen []string
	for pages := 0; next != ""; pages++ {
		if pages > 3 {
			t.Fatal("the last page still links to a next one")
		}
		a := r.call("GET", next, "")
		for _, o := range a.list() {
			seen = append(seen, o.id())
		}
		links := parseLinks(t, a.header.Get("Link"))
		if (links["previous"] != "") != (pages > 0) || a.header.Get("X-Total-Count") != "7" {
			t.Errorf("page %d: %v", pages, a.header)
		}
		next = strings.TrimPrefix(links["next"], r.srv.URL)
	}
	if len(seen) != 7 {
		t.Errorf("saw %v", seen)
	}
	if l := r.list("/customers?page=9"); len(l) != 0 {
		t.Errorf("beyond the end: %v", l)
	}
	if l := r.list("/customers?per_page=500"); len(l) != 7 {
		t.Errorf("a large per_page gave %d", len(l))
	}
	for _, q := range []string{"per_page=0", "page=0", "page=x", "sort=name+sideways", "start_date=today"} {
		if a := r.call("GET", "/customers?"+q, ""); a.status != 400 {
			t.Errorf("%s: %d", q, a.status)
		}
	}
}

// parseLinks splits naively, as the vendor's SDKs do.
func parseLinks(t *testing.T, header string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for part := range strings.SplitSeq(header, ",") {
		url, rel, ok := strings.Cut(part, ";")
		if !ok || strings.Contains(rel, ";") {
			t.Fatalf("link %q splits badly", header)
		}
		out[strings.Trim(strings.TrimSpace(rel), `rel="`)] = strings.Trim(strings.TrimSpace(url), "<>")
	}
	return out
}

// T5: exact header spelling on the wire.
func TestHeaderSpelling(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	req, _ := http.NewRequest("GET", r.srv.URL+"/customers", nil)
	req.SetBasicAuth(fullKey, "")
	req.Close = true
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	var raw strings.Builder
	for scan := bufio.NewScanner(conn); scan.Scan(); {
		raw.WriteString(scan.Text() + "\n")
	}
	for _, want := range []string{"HTTP/1.1 200", "\nLink: <", "\nX-Total-Count: 0"} {
		if !strings.Contains(raw.String(), want) {
			t.Errorf("%q is missing in\n%s", want, raw.String())
		}
	}
}

// T7: strict paging.
func TestStrictPaging(t *testing.T) {
	r := newRig(t, func(c *sandbox.Config) { c.Options.StrictPaging = true })
	for range 5 {
		r.customer("")
	}
	r.refused("page", "GET", "/customers?per_page=2&page=2", "")
	r.list("/customers?per_page=2&page=1")
	r.refused("page", "GET", "/customers?per_page=2&page=3", "")
	r.list("/customers?per_page=2&page=2")
	r.list("/customers?per_page=2&page=2") // a retry of the same page
	r.list("/customers?per_page=2&page=3")
	r.refused("page", "GET", "/customers?per_page=1&page=2", "") // another query
	r.list("/customers?per_page=2&page=1")
	r.clk.Advance(time.Hour)
	r.refused("page", "GET", "/customers?per_page=2&page=2", "")
}

// T10: what deletions answer.
func TestDeletionAnswers(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	pay := r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":5}`)
	r.must(200, "DELETE", "/payments/"+pay.id(), "").want(t, "voided", "true", "balance", "5")
	inv := r.invoice(cust, "1", "")
	for _, path := range []string{"/invoices/" + inv.id()} {
		if a := r.call("DELETE", path, ""); a.status != 204 || len(a.body) != 0 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := r.call("GET", path, ""); a.status != 404 {
			t.Errorf("%s is still there: %d", path, a.status)
		}
	}
}

// T11: idempotency keys count for nothing unless switched on.
func TestIdempotencyKey(t *testing.T) {
	const body = `{"name":"A"}`
	off := newRig(t)
	first := off.call("POST", "/customers", body, "Idempotency-Key: k").object()
	if second := off.call("POST", "/customers", body, "Idempotency-Key: k").object(); first.id() == second.id() {
		t.Error("the key was honoured although the feature is off")
	}
	on := newRig(t, func(c *sandbox.Config) { c.Options.Idempotency = true })
	a := on.call("POST", "/customers", body, "Idempotency-Key: k")
	b := on.call("POST", "/customers", body, "Idempotency-Key: k")
	if a.status != 201 || b.status != 201 || string(a.body) != string(b.body) {
		t.Errorf("replay: %d %s, then %d %s", a.status, a.body, b.status, b.body)
	}
	if c := on.call("POST", "/customers", `{"name":"B"}`, "Idempotency-Key: k"); c.status != 400 {
		t.Errorf("another body: %d", c.status)
	}
	on.clk.Advance(25 * time.Hour)
	if d := on.call("POST", "/customers", `{"name":"B"}`, "Idempotency-Key: k"); d.status != 201 {
		t.Errorf("after a day: %d %s", d.status, d.body)
	}
}

// T12: faults, journal, and the control interface out of both.
func TestFaults(t *testing.T) {
	r := newRig(t)
	if err := r.s.Faults.Set(1,
		kit.Rule{Method: "POST", Path: "/customers", Kind: kit.FaultStatus, Status: 429, RetryAfter: "7", Times: 1},
		kit.Rule{Method: "POST", Path: "/customers", Kind: kit.FaultStatusDone, Status: 500, Times: 1},
		kit.Rule{Path: "/invoices", Kind: kit.FaultHTML},
		kit.Rule{Path: "/_sim", Kind: kit.FaultHTML},
	); err != nil {
		t.Fatal(err)
	}
	if a := r.call("POST", "/customers", `{"name":"A","number":"N"}`); a.status != 429 || a.header.Get("Retry-After") != "7" {
		t.Errorf("first: %d %v", a.status, a.header)
	}
	if a := r.call("POST", "/customers", `{"name":"A","number":"N"}`); a.status != 500 {
		t.Errorf("second: %d", a.status)
	}
	if got := len(r.list("/customers?filter[number]=N")); got != 1 {
		t.Errorf("%d customers; the second call was done and lost its answer", got)
	}
	if a := r.call("GET", "/invoices", ""); a.status != 502 || !strings.Contains(string(a.body), "<html>") {
		t.Errorf("html: %d %s", a.status, a.body)
	}
	if a := r.as("").call("GET", "/_sim/pending", ""); a.status != 200 {
		t.Errorf("the control interface is subject to faults: %d", a.status)
	}
	counts := r.s.Calls.Counts()
	if counts["POST /customers"] != 2 || counts["GET /invoices"] != 1 {
		t.Errorf("counts %v", counts)
	}
	for label := range counts {
		if strings.Contains(label, "_sim") {
			t.Errorf("the control interface was counted: %s", label)
		}
	}
}

// T13: updated_at rises with every write, by at least one.
func TestUpdatedAtRises(t *testing.T) {
	r := newRig(t)
	id := r.customer("")
	last := r.get("/customers/" + id).str("updated_at")
	for i := range 5 {
		now := r.must(200, "PATCH", "/customers/"+id, `{"city":"C`+string(rune('0'+i))+`"}`).str("updated_at")
		if len(now) < len(last) || now <= last {
			t.Fatalf("updated_at went from %s to %s", last, now)
		}
		last = now
	}
}

// T15 and the links of documents.
func TestPDFAndLinks(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "10.50", `,"number":"INV-7"`)
	note := r.creditNote(cust, "3", "")
	pay := r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":5}`)
	for _, path := range []string{"/invoices/" + inv.id(), "/credit_notes/" + note.id(), "/payments/" + pay.id()} {
		a := r.call("GET", path, "", "Accept: application/pdf")
		checkPDF(t, a)
	}
	open := r.as("")
	for _, url := range []string{inv.str("pdf_url"), note.str("pdf_url"), pay.str("pdf_url"), r.get("/customers/" + cust).str("statement_pdf_url")} {
		checkPDF(t, open.call("GET", strings.TrimPrefix(url, r.srv.URL), ""))
	}
	for _, key := range []string{"url", "payment_url", "csv_url"} {
		a := open.call("GET", strings.TrimPrefix(inv.str(key), r.srv.URL), "")
		if a.status != 200 || key != "csv_url" && (!strings.Contains(string(a.body), "INV-7") || !strings.Contains(string(a.body), "10.50 usd")) {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
	if token := inv.str("url")[strings.LastIndex(inv.str("url"), "/")+1:]; len(token) != 24 {
		t.Errorf("token %q", token)
	}
	r.get("/invoices/"+inv.id()).want(t, "status", "not_sent")
	open.call("GET", strings.TrimPrefix(inv.str("url"), r.srv.URL)+"?view=1", "")
	r.get("/invoices/"+inv.id()).want(t, "status", "viewed")
	if a := open.call("GET", "/portal/invoices/none", ""); a.status != 404 {
		t.Errorf("unknown token: %d", a.status)
	}
}

func checkPDF(t *testing.T, a reply) {
	t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/pdf" ||
		!strings.HasPrefix(string(a.body), "%PDF-1.4\n") || !strings.HasSuffix(string(a.body), "%%EOF\n") {
		t.Errorf("no PDF: %d %s %.40q", a.status, a.header.Get("Content-Type"), a.body)
	}
}

// Accounts live side by side: neither objects nor numbers nor events cross.
func TestAccountsIsolated(t *testing.T) {
	r := newRig(t)
	other := r.as(otherKey)
	mine := r.customer(`,"number":"C1"`)
	theirs := other.must(201, "POST", "/customers", `{"name":"B","number":"C1"}`)
	if mine == theirs.id() {
		t.Error("ids are not unique over the server")
	}
	if a := other.call("GET", "/customers/"+mine, ""); a.status != 404 {
		t.Errorf("another account's customer: %d", a.status)
	}
	other.refused("customer", "POST", "/invoices", `{"customer":`+mine+`}`)
	inv := other.must(201, "POST", "/invoices", `{"customer":`+theirs.id()+`,"items":[{"unit_cost":1}]}`)
	inv.want(t, "currency", "eur", "number", "INV-00001")
	r.invoice(mine, "1", "").want(t, "number", "INV-00001", "currency", "usd")
	if n := len(other.list("/events")); n != 2 {
		t.Errorf("the other account sees %d events", n)
	}
	if n := len(r.list("/invoices")); n != 1 {
		t.Errorf("the account sees %d invoices", n)
	}
}
