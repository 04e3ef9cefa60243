package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestListSelectsRows(t *testing.T) {
	s := newSite(t, Quirks{})
	for name, c := range map[string]struct {
		table, request, column string
		want                   []string
	}{
		"key":                    {"INVOICE", `{"filters":[{"field":"INVOICENO","op":"=","value":"104001"}]}`, "INVOICENO", []string{"104001"}},
		"names in any case":      {"invoice", `{"columns":["invoiceno"],"filters":[{"field":"invoiceNo","op":"=","value":"104001   "}]}`, "INVOICENO", []string{"104001"}},
		"no such key":            {"INVOICE", `{"filters":[{"field":"INVOICENO","op":"=","value":"999"}]}`, "INVOICENO", nil},
		"two filters":            {"INVOICE", `{"filters":[{"field":"PRTID","op":"=","value":"y"},{"field":"CURRENCY","op":"=","value":"USD"}]}`, "INVOICENO", []string{"104001", "104003", "104006"}},
		"number as JSON number":  {"INVOICE", `{"filters":[{"field":"BALANCE","op":">","value":99.99}]}`, "INVOICENO", []string{"104001", "104004", "104005"}},
		"number below":           {"INVOICE", `{"filters":[{"field":"BALANCE","op":"<","value":"10.0000"}]}`, "INVOICENO", []string{"104003"}},
		"number unequal":         {"INVOICE", `{"filters":[{"field":"BALANCE","op":"!=","value":"100"}],"limit":2}`, "INVOICENO", []string{"104002", "104003"}},
		"key range":              {"INVOICE", `{"filters":[{"field":"INVOICENO","op":">","value":"104003"},{"field":"INVOICENO","op":"<=","value":"104005"}]}`, "INVOICENO", []string{"104004", "104005"}},
		"descending with range":  {"INVOICE", `{"filters":[{"field":"INVOICENO","op":">=","value":"104003"},{"field":"INVOICENO","op":"<","value":"104006"}],"orderBy":[{"field":"INVOICENO","dir":"desc"}]}`, "INVOICENO", []string{"104005", "104004", "104003"}},
		"two sort columns":       {"INVOICE", `{"orderBy":[{"field":"CURRENCY","dir":"DESC"},{"field":"BALANCE","dir":"ASC"}],"limit":3}`, "INVOICENO", []string{"104003", "104006", "104002"}},
		"offset":                 {"INVOICE", `{"orderBy":[{"field":"INVOICENO"}],"offset":"4","limit":"10"}`, "INVOICENO", []string{"104005", "104006"}},
		"lines in order":         {"INVOICEITEM", `{"filters":[{"field":"INVOICENO","op":"=","value":"104001"}],"orderBy":[{"field":"SEQ","dir":"ASC"}]}`, "DESCRIPTION", []string{"first", "second"}},
		"like":                   {"CUSTOMER", `{"filters":[{"field":"COMPANY","op":"like","value":"%peak%"}]}`, "CUSTOMERNO", []string{"C00001"}},
		"like one and class":     {"CUSTOMER", `{"filters":[{"field":"CUSTOMERNO","op":"LIKE","value":"C0000[^12]"}]}`, "CUSTOMERNO", []string{"C00003"}},
		"null never equals":      {"CUSTOMER", `{"filters":[{"field":"PAYMENTTERMS","op":"!=","value":"X"}]}`, "CUSTOMERNO", []string{"C00001"}},
		"compared with null":     {"CUSTOMER", `{"filters":[{"field":"PAYMENTTERMS","op":"=","value":null}]}`, "CUSTOMERNO", nil},
		"isnull":                 {"CUSTOMER", `{"filters":[{"field":"PAYMENTTERMS","op":"isnull"}]}`, "CUSTOMERNO", []string{"C00002", "C00003"}},
		"isnotnull":              {"CUSTOMER", `{"filters":[{"field":"PAYMENTTERMS","op":"isnotnull"}]}`, "CUSTOMERNO", []string{"C00001"}},
		"below skips null":       {"INVOICE", `{"filters":[{"field":"POSTDATE","op":"<","value":"2027-01-01"}],"orderBy":[{"field":"POSTDATE"}]}`, "INVOICENO", nil},
		"stamp and key":          {"INVOICE", `{"filters":[{"field":"MODDATE","op":"=","value":"2026-03-01 10:00:00.000"},{"field":"INVOICENO","op":">","value":"104004"}],"orderBy":[{"field":"INVOICENO","dir":"ASC"}]}`, "INVOICENO", []string{"104005", "104006"}},
		"longer than the column": {"INVOICE", `{"filters":[{"field":"INVOICENO","op":"=","value":"10400100000000000"}]}`, "INVOICENO", nil},
		"view":                   {"GRIDVIEW_INVOICE", `{"filters":[{"field":"CURRENCY","op":"=","value":"CAD"}]}`, "INVOICENO", []string{"104004"}},
		"text beside accents":    {"CUSTOMER", `{"orderBy":[{"field":"COMPANY"}]}`, "CUSTOMERNO", []string{"C00003", "C00001", "C00002"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.list(c.table, c.request)
			if !got.Success || got.Code != 200 {
				t.Fatalf("refused: %s", got.Body)
			}
			if !slices.Equal(got.column(c.column), c.want) {
				t.Errorf("got %v, want %v", got.column(c.column), c.want)
			}
		})
	}
}

func TestListRefuses(t *testing.T) {
	s := newSite(t, Quirks{})
	for request, want := range map[string]string{
		`{"columns":["NOPE"]}`:                                                          "InvalidColumn",
		`{"filters":[{"field":"NOPE","op":"=","value":"1"}]}`:                           "InvalidColumn",
		`{"orderBy":[{"field":"NOPE"}]}`:                                                "InvalidColumn",
		`{"orderBy":[{"field":"INVOICENO","dir":"up"}]}`:                                "RequestInvalid",
		`{"filters":[{"field":"INVOICENO","op":"in","value":"1"}]}`:                     "InvalidOperator",
		`{"filters":[{"field":"MODDATE","op":">","value":"03/01/2026"}]}`:               "InvalidValue",
		`{"filters":[{"field":"MODDATE","op":">","value":"2026-03-01T00:00:00Z"}]}`:     "InvalidValue",
		`{"filters":[{"field":"MODDATE","op":">","value":"2026-03-01 00:00:00.0001"}]}`: "InvalidValue",
		`{"filters":[{"field":"BALANCE","op":">","value":"abc"}]}`:                      "InvalidValue",
		`{"filters":[{"field":"INVOICENO","op":"=","value":["1"]}]}`:                    "InvalidValue",
		`{"limit":501}`:     "LimitExceeded",
		`{"limit":0}`:       "RequestInvalid",
		`{"limit":-1}`:      "RequestInvalid",
		`{"offset":"x"}`:    "RequestInvalid",
		`{"columns":"all"}`: "RequestInvalid",
		`nonsense`:          "RequestInvalid",
	} {
		got := s.list("INVOICE", request)
		if got.reference() != want || got.Success || got.Status != http.StatusOK || got.Code != 400 {
			t.Errorf("%s: HTTP %d, reference %q, want %q: %s", request, got.Status, got.reference(), want, got.Body)
		}
	}
}

func TestListShape(t *testing.T) {
	request := `{"columns":["INVOICENO","BALANCE","DUEDATE","MODDATE"],"filters":[{"field":"CURRENCY","op":"=","value":"USD"}],"limit":2}`
	for name, c := range map[string]struct {
		quirks Quirks
		want   string
	}{
		"default":   {Quirks{}, `{"code":200,"success":true,"message":"","payload":{"result":[{"INVOICENO":"104001    ","BALANCE":"100.0000","DUEDATE":null,"MODDATE":"2026-03-01 10:00:00.000"},{"INVOICENO":"104002    ","BALANCE":"50.2500","DUEDATE":null,"MODDATE":"2026-03-01 10:00:00.000"}],"total":2},"outvars":{"hasmore":"Y"}}`},
		"trim_char": {Quirks{TrimChar: true, NumbersAsJSON: true, Case: "lower"}, `{"code":200,"success":true,"message":"","payload":{"result":[{"invoiceno":"104001","balance":100.0000,"duedate":null,"moddate":"2026-03-01 10:00:00.000"},{"invoiceno":"104002","balance":50.2500,"duedate":null,"moddate":"2026-03-01 10:00:00.000"}],"total":2},"outvars":{"hasmore":"Y"}}`},
		"griddata":  {Quirks{Rows: "griddata", Outvars: "payload"}, `{"code":200,"success":true,"message":"","payload":{"griddata":{"record":[{"INVOICENO":"104001    ","BALANCE":"100.0000","DUEDATE":null,"MODDATE":"2026-03-01 10:00:00.000"},{"INVOICENO":"104002    ","BALANCE":"50.2500","DUEDATE":null,"MODDATE":"2026-03-01 10:00:00.000"}]},"outvars":{"hasmore":"Y"},"total":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.quirks)
			if got := strings.TrimSpace(string(s.list("INVOICE", request).Body)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestListQuirks(t *testing.T) {
	s := newSite(t, Quirks{IgnoreUnknownColumns: true, MaxLimit: 2, ClampLimit: true, Errors: "http400"})
	got := s.list("INVOICE", `{"columns":["INVOICENO","NOPE"],"filters":[{"field":"NOPE","op":"=","value":"1"}],"limit":500}`)
	if !got.Success || len(got.Payload.Result) != 2 || len(got.Payload.Result[0]) != 1 || got.Outvars["hasmore"] != "Y" {
		t.Errorf("ignored columns and clamped limit: %s", got.Body)
	}
	if got := s.list("INVOICE", `{"limit":-1}`); got.Status != http.StatusBadRequest || got.Code != 400 {
		t.Errorf("errors=http400: HTTP %d: %s", got.Status, got.Body)
	}
	if _, err := s.ChangeQuirks(QuirkChange{Set: json.RawMessage(`{"max_limit":-1,"errors":""}`)}); err != nil {
		t.Fatal(err)
	}
	if got := s.list("INVOICE", `{"limit":100000}`); !got.Success || len(got.Payload.Result) != 6 {
		t.Errorf("no maximum: %s", got.Body)
	}
}

func TestListBody(t *testing.T) {
	raw := func(s *site) answered {
		req, err := http.NewRequest("POST", s.url+"/api/Record?_a=list&_tablename=Invoice", strings.NewReader(`{"limit":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		got, err := s.send(req)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	s := newSite(t, Quirks{})
	if got := raw(s); got.reference() != "RequestMissing" {
		t.Errorf("raw JSON: %s", got.Body)
	}
	if got := s.do("POST", "/api/Record?_a=list&_tablename=Invoice", map[string]string{"jsonRequest": `{"limit":1}`}); len(got.Payload.Result) != 1 {
		t.Errorf("_tablename form: %s", got.Body)
	}
	if err := s.SetQuirks(Quirks{AcceptRawJSON: true}); err != nil {
		t.Fatal(err)
	}
	if got := raw(s); len(got.Payload.Result) != 1 {
		t.Errorf("accept_raw_json: %s", got.Body)
	}
}

// TestOrdersFollowWrites pages through sort orders while rows change under them.
func TestOrdersFollowWrites(t *testing.T) {
	s := newSite(t, Quirks{})
	page := `{"columns":["INVOICENO"],"filters":[{"field":"PRTID","op":"=","value":"Y"},{"field":"MODDATE","op":">=","value":"2026-03-01 10:00:00.000"}],"orderBy":[{"field":"MODDATE"},{"field":"INVOICENO"}]}`
	want := []string{"104001", "104003", "104004", "104005", "104006"}
	if got := s.list("INVOICE", page).column("INVOICENO"); !slices.Equal(got, want) {
		t.Fatalf("before: %v", got)
	}
	if _, err := s.ChangeInvoice(Change{No: "104003", Set: Record{"COMMENT": "changed"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PostInvoice(InvoiceStep{InvoiceNo: "104002"}); err != nil {
		t.Fatal(err)
	}
	want = []string{"104001", "104004", "104005", "104006", "104002", "104003"}
	if got := s.list("INVOICE", page).column("INVOICENO"); !slices.Equal(got, want) {
		t.Errorf("after: %v, want %v", got, want)
	}
}

// TestFindMatchesScan compares the planned search with a plain scan over many queries.
func TestFindMatchesScan(t *testing.T) {
	s := newSite(t, Quirks{})
	tab := s.tables["INVOICE"]
	ops := []string{"=", "!=", "<", "<=", ">", ">="}
	values := map[string][]string{"INVOICENO": {"104000", "104003", "104004"}, "BALANCE": {"-40", "0", "100"}, "MODDATE": {"2026-03-01 10:00:00.000"}, "POSTDATE": {"2026-03-01"}, "CURRENCY": {"EUR", "usd"}}
	for column, wants := range values {
		for _, want := range wants {
			for _, op := range ops {
				for _, desc := range []bool{false, true} {
					for _, second := range []string{"", "PRTID"} {
						compareSearch(t, tab, column, op, want, second, desc)
					}
				}
			}
		}
	}
}

func compareSearch(t *testing.T, tab *table, column, op, want, second string, desc bool) {
	t.Helper()
	c, err := filter{Field: column, Op: op, Value: want}.compile(tab.def, false)
	if err != nil {
		t.Fatal(err)
	}
	q := query{conditions: []condition{c}, order: []term{{col: c.col, desc: desc}}}
	if second != "" {
		q.conditions = append(q.conditions, condition{col: tab.def.at(second), op: "=", want: "Y"})
	}
	var plain []string
	for _, r := range tab.rows {
		if q.accepts(r) {
			plain = append(plain, r.id())
		}
	}
	slices.Sort(plain)
	found, _ := tab.find(q)
	var got []string
	for i, r := range found {
		got = append(got, r.id())
		if i > 0 && (compareCells(found[i-1].cells[c.col], r.cells[c.col]) > 0) != desc && compareCells(found[i-1].cells[c.col], r.cells[c.col]) != 0 {
			t.Errorf("%s %s %s desc=%v: not in order", column, op, want, desc)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, plain) {
		t.Errorf("%s %s %s and %q desc=%v: got %v, want %v", column, op, want, second, desc, got, plain)
	}
}

// FuzzList sends arbitrary list requests: the answer is always an envelope, and never holds more rows than asked for.
func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"columns":[],"filters":[],"orderBy":[],"offset":0,"limit":2}`,
		`{"filters":[{"field":"COMPANY","op":"like","value":"%[a-"}]}`,
		`{"filters":[{"field":"MODDATE","op":">=","value":"2026-03-01 10:00:00.000"}],"orderBy":[{"field":"MODDATE","dir":"DESC"}]}`,
		`{"filters":[{"field":"BALANCE","op":"=","value":1e5}],"limit":"3"}`, `[]`, `{"limit":99999999999999999999}`,
	} {
		f.Add(seed)
	}
	server, err := New(testConfig(&stillClock{}, ""))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := server.LoadRows(basicRows()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, request string) {
		for _, table := range []string{"INVOICE", "CUSTOMER"} {
			listOnce(t, server, table, request)
		}
	})
}

func listOnce(t *testing.T, server *Server, table, request string) {
	var parsed listRequest
	if err := decodeJSON([]byte(request), &parsed); err != nil {
		return
	}
	columns, q, err := parsed.compile(server.tables[table].def, Quirks{})
	if err != nil {
		var refused *refusal
		if refused, _ = err.(*refusal); refused == nil || refused.reference == "" {
			t.Fatalf("%s: %v", request, err)
		}
		return
	}
	rows, more := server.tables[table].find(q)
	if len(rows) > q.limit || (more && len(rows) != q.limit) {
		t.Fatalf("%s: %d rows, limit %d, more %v", request, len(rows), q.limit, more)
	}
	var decoded []map[string]*string
	d := json.NewDecoder(bytes.NewReader(encodeRows(server.tables[table].def, columns, rows, Quirks{})))
	if err := d.Decode(&decoded); err != nil || len(decoded) != len(rows) {
		t.Fatalf("%s: %v", request, err)
	}
}

// BenchmarkPage reads pages the way a change feed does, from 20,000 invoices that keep changing.
func BenchmarkPage(b *testing.B) {
	server, err := New(testConfig(&stillClock{}, ""))
	if err != nil {
		b.Fatal(err)
	}
	rows := basicRows()
	for i := range 20_000 {
		rows.Tables["INVOICE"] = append(rows.Tables["INVOICE"], Record{"INVOICENO": fmt.Sprint(200000 + i), "CUSTOMERNO": "C00001",
			"COMPANYNO": "01", "CURRENCY": "USD", "INVAMOUNT": "10", "BALANCE": "10", "PRTID": "Y", "MODDATE": "2026-03-01 10:00:00.000"})
	}
	if _, err := server.LoadRows(rows); err != nil {
		b.Fatal(err)
	}
	tab := server.tables["INVOICE"]
	request := listRequest{Filters: []filter{{"PRTID", "=", "Y"}, {"MODDATE", "=", "2026-03-01 10:00:00.000"}, {"INVOICENO", ">", "210000"}}}
	columns, q, err := request.compile(tab.def, Quirks{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		if _, err := server.ChangeInvoice(Change{No: fmt.Sprint(200000 + i%20_000), Set: Record{"COMMENT": "x"}}); err != nil {
			b.Fatal(err)
		}
		found, _ := tab.find(q)
		encodeRows(tab.def, columns, found, Quirks{})
	}
}
