package sandbox

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestWriteShapes(t *testing.T) {
	record := `{"TYPE":"A","LINKNO":"1"}`
	for name, c := range map[string]struct {
		quirks Quirks
		check  func(answered) bool
	}{
		"default": {Quirks{}, func(a answered) bool {
			return a.Outvars["primarykey"] == "H90001    " && a.Payload.Result[0]["TYPE"] == "A           " && a.Payload.Result[0]["LINKNO"] == "1"
		}},
		"trim_char": {Quirks{TrimChar: true}, func(a answered) bool {
			return a.Outvars["primarykey"] == "H90001" && a.Payload.Result[0]["TYPE"] == "A"
		}},
		"rows": {Quirks{Rows: "griddata"}, func(a answered) bool {
			return a.Payload.Result == nil && a.Payload.Griddata.Record[0]["LINKNO"] == "1"
		}},
		"outvars": {Quirks{Outvars: "payload"}, func(a answered) bool {
			return a.Outvars == nil && a.Payload.Outvars["primarykey"] == "H90001    "
		}},
		"case": {Quirks{Case: "lower"}, func(a answered) bool { return a.Payload.Result[0]["linkno"] == "1" }},
	} {
		s := newSite(t, c.quirks)
		if got := s.write("PUT", "CONTACTHISTORY", record, "_outputdata=Y"); !got.Success || !c.check(got) {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
}

func TestErrorShapes(t *testing.T) {
	for name, c := range map[string]struct {
		quirks           Quirks
		business, access int // HTTP status
	}{
		"default": {Quirks{}, 200, 403},
		"http400": {Quirks{Errors: "http400"}, 400, 403},
	} {
		s := newSite(t, c.quirks)
		business, access := s.write("PUT", "CONTACTHISTORY", `{}`), s.as("NOBODY").list("INVOICE", `{}`)
		if business.Status != c.business || business.Code != 400 || access.Status != c.access || access.Code != 403 {
			t.Errorf("%s: HTTP %d and %d: %s %s", name, business.Status, access.Status, business.Body, access.Body)
		}
		want := []string{"componentid", "errormessage", "errorno", "linkno", "linktype", "procname", "referencecode", "seq"}
		var keys []string
		for k := range business.Payload.Error[0] {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) || business.Payload.Error[0]["errormessage"] != business.Message || business.Payload.Error[0]["seq"] != "1" {
			t.Errorf("%s: error %v", name, business.Payload.Error[0])
		}
	}
}

// TestFormParts sends forms that a careless client makes; a part sent as a file is not a part.
func TestFormParts(t *testing.T) {
	s := newSite(t, Quirks{})
	post := func(contentType string, body []byte) answered {
		t.Helper()
		req, err := http.NewRequest("POST", s.url+"/api/Record/INVOICE?_a=list", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		got, err := s.send(req)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	var file bytes.Buffer
	form := multipart.NewWriter(&file)
	part, err := form.CreateFormFile("jsonRequest", "request.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]answered{
		"file":       post(form.FormDataContentType(), file.Bytes()),
		"urlencoded": post("application/x-www-form-urlencoded", []byte("jsonRequest=%7B%7D")),
		"cut off":    post(form.FormDataContentType(), file.Bytes()[:file.Len()/2]),
		"no type":    post("", []byte(`{}`)),
		"boundary":   post("multipart/form-data", file.Bytes()),
		"empty":      s.do("POST", "/api/Record/INVOICE?_a=list", map[string]string{"other": "x"}),
	} {
		if got.reference() != "RequestMissing" {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
}

func TestEditConditions(t *testing.T) {
	s := newSite(t, Quirks{})
	for condition, want := range map[string]string{
		"":                 "",
		"COMPANYNO='01'":   "",
		"companyno = '02'": "EditConditionNotMet",
		"COMPANY like 'North%' AND STATUS != 'INACTIVE'": "",
		"COMPANY like 'South%'":                          "EditConditionNotMet",
		"CREDITHOLD < '1'":                               "",
		"PHONE = ''":                                     "EditConditionNotMet", // NULL
		"COMPANYNO IN ('01')":                            "RequestInvalid",
		"NOPE = '1'":                                     "InvalidColumn",
		"CREDITHOLD = 'much'":                            "InvalidValue",
	} {
		grants := []Grant{{Source: "customer", Edit: true, EditCondition: condition}}
		if _, err := s.SetAccess(Access{User: "NOBODY", Grants: &grants}); err != nil {
			t.Fatal(err)
		}
		if got := s.as("NOBODY").write("PATCH", "CUSTOMER", `{"CUSTOMERNO":"C00001","CITY":"X"}`); got.reference() != want {
			t.Errorf("%q: %s", condition, got.Body)
		}
	}
}

func TestConnectorGrants(t *testing.T) {
	s := newSite(t, Quirks{})
	grants := ConnectorGrants()
	if _, err := s.SetAccess(Access{User: "NOBODY", Grants: &grants}); err != nil {
		t.Fatal(err)
	}
	user := s.as("NOBODY")
	for table := range s.tables {
		if got := user.list(table, `{"limit":1}`); !got.Success {
			t.Errorf("reading %s: %s", table, got.Body)
		}
	}
	if got := user.write("PUT", "CASHRECEIPT", header); !got.Success {
		t.Errorf("receipt: %s", got.Body)
	}
	if got := user.write("PUT", "CUSTOMER", `{"COMPANY":"X"}`); got.reference() != "DataSourceNotPermitted" {
		t.Errorf("customer: %s", got.Body)
	}
}

// TestMergedInvoice follows lines, amounts and the number that disappears.
func TestMergedInvoice(t *testing.T) {
	s := newSite(t, Quirks{})
	if _, err := s.CreateInvoice(NewInvoice{Header: Record{"INVOICENO": "104100", "CUSTOMERNO": "C00001", "TAXAMOUNT": "2"}, Lines: []Record{{"DESCRIPTION": "a", "QTY": "1", "PRICE": "8"}, {"DESCRIPTION": "b", "QTY": "2", "PRICE": "5"}}}); err != nil {
		t.Fatal(err)
	}
	answer, err := s.MergeInvoices(Merge{From: []string{"104100"}, Into: "104002"})
	if err != nil || answer.Total.String() != "70.25" {
		t.Fatalf("%+v %v", answer, err)
	}
	lines := s.list("INVOICEITEM", `{"filters":[{"field":"INVOICENO","op":"=","value":"104002"}],"orderBy":[{"field":"SEQ"}]}`)
	if got := lines.column("DESCRIPTION"); !slices.Equal(got, []string{"open", "a", "b"}) {
		t.Errorf("lines %v", got)
	}
	if got := lines.column("SEQ"); !slices.Equal(got, []string{"10", "20", "30"}) {
		t.Errorf("numbered %v", got)
	}
	if s.value("INVOICE", "104002", "TAXAMOUNT") != "2.0000" || s.value("INVOICE", "104100", "BALANCE") != "no such row" {
		t.Error("the tax was lost, or the merged invoice is still there")
	}
	for name, m := range map[string]Merge{
		"itself": {From: []string{"104002"}, Into: "104002"}, "missing": {From: []string{"104100"}, Into: "104002"}, "nothing": {Into: "1"},
	} {
		if _, err := s.MergeInvoices(m); err == nil {
			t.Errorf("%s: merged", name)
		}
	}
}

// TestChangedLines replaces the lines of a posted invoice and leaves its number and receipts alone.
func TestChangedLines(t *testing.T) {
	s := newSite(t, Quirks{})
	lines := []Record{{"DESCRIPTION": "only", "QTY": "3", "PRICE": "33.3333"}}
	answer, err := s.ChangeInvoice(Change{No: "104001", Set: Record{"INVAMOUNT": "110"}, Lines: &lines})
	if err != nil || answer.Total.String() != "110" || answer.Balance.String() != "110" {
		t.Fatalf("%+v %v", answer, err)
	}
	got := s.list("INVOICEITEM", `{"filters":[{"field":"INVOICENO","op":"=","value":"104001"}]}`)
	if !slices.Equal(got.column("DESCRIPTION"), []string{"only"}) || !slices.Equal(got.column("EXTENDEDPRICE"), []string{"100.0000"}) {
		t.Errorf("lines %s", got.Body)
	}
	if journal := s.list("ARJOURNAL", `{"filters":[{"field":"TYPE","op":"=","value":"AD"}]}`).column("AMOUNT"); !slices.Equal(journal, []string{"10.0000", "-10.0000"}) {
		t.Errorf("journal %v", journal)
	}
	none := []Record{}
	if _, err := s.ChangeInvoice(Change{No: "104001", Lines: &none}); err != nil || s.count("INVOICEITEM") != 1 {
		t.Errorf("%d lines left (%v)", s.count("INVOICEITEM"), err)
	}
}

func TestControlRequestsAreStrict(t *testing.T) {
	s := newSite(t, Quirks{})
	for _, name := range []string{"reset", "seed", "quirks", "grants", "clock", "faults", "period", "create-invoice", "post-invoice", "change-invoice",
		"delete-invoice", "merge-invoices", "write-off", "native-payment", "change-customer", "change-contact", "change-site"} {
		for _, body := range []string{`{"unknown_name":1}`, `[`, `{} {}`} {
			if status, out := s.control(name, body); status != http.StatusBadRequest || !strings.Contains(out["error"].(string), name) {
				t.Errorf("%s %s: HTTP %d %v", name, body, status, out)
			}
		}
	}
	if s.count("INVOICE") != 6 {
		t.Error("a bad request did something")
	}
	resp, err := http.Get(s.url + controlPrefix + "rows/NOPE")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("rows of an unknown table: HTTP %d", resp.StatusCode)
	}
	resp, err = http.Get(s.url + controlPrefix + "rows/COMPANY")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var dump struct{ Rows []Record }
	if err := json.NewDecoder(resp.Body).Decode(&dump); err != nil || len(dump.Rows) != 2 || dump.Rows[1]["DEFCURRENCY"] != "CAD" {
		t.Errorf("rows: %+v %v", dump, err)
	}
}
