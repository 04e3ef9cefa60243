package sandbox_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// Whatever is asked, the pages together show every match once, in the order asked for.
func TestPagesCoverEverything(t *testing.T) {
	r := newRig(t)
	var customers []string
	for i := range 4 {
		customers = append(customers, r.customer(fmt.Sprintf(`,"number":"C%d"`, i)))
	}
	for i := range 60 {
		r.invoice(customers[i%4], fmt.Sprint(i%7+1), fmt.Sprintf(`,"date":%d,"draft":%v,"purchase_order":"P%d"`, 1_770_000_000+i%5, i%3 == 0, i%2))
	}
	all := map[string]obj{}
	for _, o := range r.list("/invoices") {
		all[o.id()] = o
	}
	if len(all) != 60 {
		t.Fatalf("%d invoices", len(all))
	}
	rapid.Check(t, func(t *rapid.T) {
		filters := map[string]string{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"customer", "total", "draft", "purchase_order", "status"}), 0, 2, rapid.ID[string]).Draw(t, "filters") {
			o := all[rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "like")]
			filters[name] = o.str(name)
		}
		by := rapid.SampledFrom([]string{"", "id", "total", "date", "purchase_order", "status", "number"}).Draw(t, "sort")
		desc := rapid.Bool().Draw(t, "desc")
		query := fmt.Sprintf("/invoices?per_page=%d", rapid.IntRange(1, 40).Draw(t, "per_page"))
		for name, value := range filters {
			query += "&filter[" + name + "]=" + value
		}
		if by != "" {
			query += "&sort=" + by
			if desc {
				query += "%20DESC"
			}
		}
		want := matching(all, filters)
		var last obj
		for page := 1; ; page++ {
			a := r.call("GET", fmt.Sprintf("%s&page=%d", query, page), "")
			if a.header.Get("X-Total-Count") != fmt.Sprint(len(want)) {
				t.Fatalf("%s: count %s, want %d", query, a.header.Get("X-Total-Count"), len(want))
			}
			for _, o := range a.list() {
				if !want[o.id()] {
					t.Fatalf("%s: %s is shown twice or does not match", query, o.id())
				}
				want[o.id()] = false // ticked off; the entry stays for the count
				if last != nil && by != "" && !ordered(last, o, by, desc) {
					t.Fatalf("%s: %v comes before %v", query, last[by], o[by])
				}
				last = o
			}
			if !strings.Contains(a.header.Get("Link"), `rel="next"`) {
				break
			}
		}
		for id, missing := range want {
			if missing {
				t.Fatalf("%s: %s is missing", query, id)
			}
		}
	})
}

// matching returns the ids of the objects that have all values.
func matching(all map[string]obj, filters map[string]string) map[string]bool {
	want := map[string]bool{}
	for id, o := range all {
		fits := true
		for name, value := range filters {
			fits = fits && o.str(name) == value
		}
		if fits {
			want[id] = true
		}
	}
	return want
}

func ordered(a, b obj, by string, desc bool) bool {
	x, y := a.str(by), b.str(by)
	order := strings.Compare(x, y)
	if len(x) != len(y) && by != "status" { // whole numbers of different length
		order = len(x) - len(y)
	}
	if order == 0 {
		return a.id() < b.id()
	}
	return (order < 0) != desc
}

// Records that appear while a client pages through a list by id come at its end.
func TestPagesWhileWriting(t *testing.T) {
	r := newRig(t)
	for range 6 {
		r.customer("")
	}
	seen := map[string]bool{}
	for page := 1; ; page++ {
		a := r.call("GET", fmt.Sprintf("/customers?per_page=2&page=%d", page), "")
		for _, o := range a.list() {
			if seen[o.id()] {
				t.Errorf("%s is shown twice", o.id())
			}
			seen[o.id()] = true
		}
		if page < 4 {
			r.customer("")
		}
		if !strings.Contains(a.header.Get("Link"), `rel="next"`) {
			break
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d of 9", len(seen))
	}
}

// expand replaces ids by objects where there are any (invoiced-api 1.6).
func TestExpand(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"number":"C-1"`)
	inv := r.invoice(cust, "10", `,"number":"A-1"`)
	note := r.creditNote(cust, "5", `,"invoice":`+inv.id())
	p := r.must(201, "POST", "/payments", pay(cust, "1", toInvoice(inv, "1")))
	bank := r.must(201, "POST", "/payments", `{"amount":1}`)
	memo := r.must(201, "POST", "/notes", `{"notes":"n","invoice_id":`+inv.id()+`}`)
	for path, want := range map[string][]string{
		"/invoices/" + inv.id() + "?expand=customer":              {"customer.number", "C-1", "customer.object", "customer"},
		"/credit_notes/" + note.id() + "?expand=customer,invoice": {"customer.number", "C-1", "invoice.number", "A-1", "invoice.customer", cust},
		"/payments/" + p.id() + "?expand=customer":                {"customer.number", "C-1"},
		"/payments/" + bank.id() + "?expand=customer":             {"customer", ""},
		"/notes/" + memo.id() + "?expand=invoice":                 {"invoice.number", "A-1", "invoice_id", ""},
		"/invoices/" + inv.id() + "?expand=nothing,total":         {"customer", cust, "total", "10"},
		"/invoices/" + inv.id():                                   {"customer", cust},
	} {
		r.get(path).want(t, want...)
	}
	r.must(200, "PATCH", "/invoices/"+inv.id()+"?expand=customer", `{"notes":"n"}`).want(t, "customer.number", "C-1")
}

// Metadata finds documents of every kind that has any.
func TestMetadataFilters(t *testing.T) {
	r := newRig(t)
	cust := r.customer(`,"metadata":{"q360_id":"1","paid_early":true}`)
	meta := `,"metadata":{"q360_id":"1"}`
	r.invoice(cust, "1", meta)
	r.creditNote(cust, "1", meta)
	r.must(201, "POST", "/payments", `{"customer":`+cust+`,"amount":1`+meta+`}`)
	for _, list := range []string{"/customers", "/invoices", "/credit_notes", "/payments"} {
		for query, want := range map[string]int{
			"metadata[q360_id]=1": 1, "metadata[q360_id]=01": 0, "metadata[Q360_ID]=1": 0, "metadata[other]=1": 0,
			"metadata%5Bq360_id%5D=1": 1, "metadata[q360_id]=1&metadata[other]=2": 0, "metadata[q360_id]=": 0,
		} {
			if got := len(r.list(list + "?" + query)); got != want {
				t.Errorf("%s?%s finds %d, want %d", list, query, got, want)
			}
		}
	}
	if got := len(r.list("/customers?metadata[paid_early]=True")); got != 1 {
		t.Errorf("a boolean finds %d", got)
	}
}

// T1 on every endpoint that writes: a read-only key changes nothing.
func TestReadOnlyKey(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "1", "")
	before := len(r.list("/events"))
	reader := r.as(readKey)
	for _, c := range []string{
		"POST /customers", "PATCH /customers/" + cust, "DELETE /customers/" + cust, "POST /customers/" + cust + "/contacts",
		"POST /invoices", "PATCH /invoices/" + inv.id(), "DELETE /invoices/" + inv.id(), "POST /invoices/" + inv.id() + "/void",
		"POST /invoices/" + inv.id() + "/emails", "POST /payments", "POST /charges", "POST /files", "POST /webhooks", "POST /nothing",
	} {
		method, path, _ := strings.Cut(c, " ")
		if a := reader.call(method, path, `{"name":"A"}`); a.status != 403 {
			t.Errorf("%s: %d %s", c, a.status, a.body)
		}
	}
	if n := len(r.list("/events")); n != before || len(reader.list("/invoices")) != 1 {
		t.Errorf("%d events, %d before", n, before)
	}
}

// Two servers in one process share nothing.
func TestServersApart(t *testing.T) {
	a, b := newRig(t), newRig(t, func(c *sandbox.Config) { c.Options.MetadataArray = true })
	a.customer("")
	if n := len(b.list("/customers")); n != 0 {
		t.Errorf("the second server has %d customers", n)
	}
	b.customer("")
	if got := a.call("GET", "/customers", ""); strings.Contains(string(got.body), `"metadata":[]`) {
		t.Error("the options of the second server count in the first")
	}
}
