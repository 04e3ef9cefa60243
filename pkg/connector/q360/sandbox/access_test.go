package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAuthentication(t *testing.T) {
	s := newSite(t, Quirks{})
	inactive, login := false, false
	if _, err := s.SetAccess(Access{User: "changer", Active: &inactive}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetAccess(Access{User: "READER", Login: &login}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user, pass string
		want       int
	}{
		"right":         {"apiuser", "secret", 200},
		"wrong":         {"APIUSER", "Secret", 401},
		"nobody":        {"STRANGER", "", 401},
		"none":          {"", "", 401},
		"web user":      {"WEBUSER", "secret", 401},
		"not active":    {"CHANGER", "secret", 401},
		"may not login": {"READER", "secret", 401},
	} {
		other := s.as(c.user)
		other.pass = c.pass
		got := other.do("GET", "/api/DataDict?_a=tableList", nil)
		if got.Status != c.want || got.Code != c.want || len(got.Payload.Error) != 0 {
			t.Errorf("%s: HTTP %d: %s", name, got.Status, got.Body)
		}
		if (got.Header.Get("WWW-Authenticate") != "") != (c.want == 401) {
			t.Errorf("%s: challenge %q", name, got.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestBrowserLogin(t *testing.T) {
	s := newSite(t, Quirks{})
	for pass, want := range map[string]int{"secret": 200, "wrong": 401} {
		resp, err := http.PostForm(s.url+"/api/authenticate", url.Values{"userid": {"WEBUSER"}, "password": {pass}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || (len(resp.Cookies()) == 2) != (want == 200) {
			t.Errorf("password %q: HTTP %d, cookies %v", pass, resp.StatusCode, resp.Cookies())
		}
	}
	for _, call := range s.Calls().Recent() {
		if strings.Contains(call.Body, "secret") {
			t.Error("the journal holds a password")
		}
	}
}

func TestEndpoints(t *testing.T) {
	s := newSite(t, Quirks{})
	for call, want := range map[string]int{
		"GET /api/Toolbar": 403, "GET /api/Record": 403, "GET /api/DataDict?_a=columnList": 403, "POST /api/Record/INVOICE": 403,
		"GET /api/UserID?_a=datasourceAccessList&userid=APIUSER": 403, "GET /api/Project?_a=list": 200, "GET /api/Task?_a=list": 200,
		"GET /APIDocumentation/": 200, "GET /elsewhere": 404,
	} {
		method, path, _ := strings.Cut(call, " ")
		got := s.do(method, path, nil)
		if got.Status != want {
			t.Errorf("%s: HTTP %d, want %d", call, got.Status, want)
		}
		if want == 403 && (got.Message != "Access denied. Invalid or unauthorized endpoint." || len(got.Payload.Error) != 0) {
			t.Errorf("%s: %s", call, got.Body)
		}
	}
}

func TestDictionary(t *testing.T) {
	s := newSite(t, Quirks{}).as("NOBODY") // schemas are readable without grants
	tables := map[string]string{}
	for _, r := range s.do("GET", "/api/DataDict?_a=tableList", nil).Payload.Result {
		tables[r["table_dbf"].(string)] = r["table_type"].(string)
	}
	if tables["CASHRECEIPT"] != "TABLE" || tables["GRIDVIEW_INVOICE"] != "VIEW" || len(tables) < 20 {
		t.Errorf("tables: %v", tables)
	}
	want := map[string][5]string{
		"INVOICE.INVOICENO": {"C", "CHAR", "10", "Y", "T"}, "INVOICE.INVAMOUNT": {"N", "MONEY", "19", "N", "F"},
		"INVOICE.MODDATE": {"T", "DATETIME", "8", "N", "F"}, "INVOICE.DUEDATE": {"D", "DATETIME", "8", "N", "F"},
		"CONTACTHISTORY.TYPE": {"C", "CHAR", "12", "Y", "F"}, "CASHRECEIPT.REFERENCE": {"C", "VARCHAR", "20", "N", "F"},
		"CUSTOMER.CREDITHOLD": {"L", "BIT", "1", "N", "F"}, "CASHRECEIPTITEM.RECEIPTITEMNO": {"N", "INT", "10", "Y", "T"},
	}
	for name, w := range want {
		table, column, _ := strings.Cut(name, ".")
		found := false
		for _, r := range s.do("GET", "/api/DataDict?_a=list&tablename="+strings.ToLower(table), nil).Payload.Result {
			if r["field_name"] != column {
				continue
			}
			found = true
			if got := [5]string{r["field_type"].(string), r["sqltype"].(string), r["field_len"].(string), r["mandatoryflag"].(string), r["p_key"].(string)}; got != w {
				t.Errorf("%s: %v, want %v", name, got, w)
			}
		}
		if !found {
			t.Errorf("%s is not in the dictionary", name)
		}
	}
	if got := s.do("GET", "/api/DataDict?_a=list&tablename=PROJECT", nil); !got.Success || len(got.Payload.Result) != 0 {
		t.Errorf("unknown table: %s", got.Body)
	}
}

func TestGrants(t *testing.T) {
	s := newSite(t, Quirks{})
	reader := s.as("READER")
	edit := `{"CUSTOMERNO":"C00001","PHONE":"1"}`
	refused := reader.list("SITE", `{}`)
	if refused.Status != 403 || refused.reference() != "DataSourceNotPermitted" || refused.Message != "Access denied. READER must be granted permission to SITE." {
		t.Errorf("ungranted read: %s", refused.Body)
	}
	for name, c := range map[string]struct {
		got       answered
		reference string
	}{
		"granted read":         {reader.list("INVOICE", `{}`), ""},
		"table unknown":        {reader.list("NOPE", `{}`), "DataSourceNotPermitted"},
		"document":             {reader.do("GET", "/api/Document?_a=download&documentno=D50001", nil), "DataSourceNotPermitted"},
		"read only":            {reader.write("PATCH", "INVOICE", `{"INVOICENO":"104002","COMMENT":"x"}`), "DataSourceNotPermitted"},
		"edit within":          {reader.write("PATCH", "CUSTOMER", edit), ""},
		"edit of other rows":   {reader.write("PATCH", "CUSTOMER", `{"CUSTOMERNO":"C00003","PHONE":"1"}`), "EditConditionNotMet"},
		"edit that leaves":     {reader.write("PATCH", "CUSTOMER", `{"CUSTOMERNO":"C00001","COMPANYNO":"02"}`), "EditConditionNotMet"},
		"create outside":       {reader.write("PUT", "CUSTOMER", `{"COMPANY":"New","COMPANYNO":"02","STATUS":"ACTIVE"}`), "EditConditionNotMet"},
		"create within":        {reader.write("PUT", "CUSTOMER", `{"COMPANY":"New","COMPANYNO":"01","STATUS":"ACTIVE"}`), ""},
		"delete of other rows": {reader.write("DELETE", "CUSTOMER", `{"CUSTOMERNO":"C00003"}`), "EditConditionNotMet"},
		"no grants at all":     {s.as("NOBODY").list("INVOICE", `{}`), "DataSourceNotPermitted"},
	} {
		if c.got.reference() != c.reference || c.got.Success != (c.reference == "") || (c.reference != "") != (c.got.Status == 403) {
			t.Errorf("%s: HTTP %d: %s", name, c.got.Status, c.got.Body)
		}
	}
	if code, out := s.control("grants", `{"user":"NOBODY","grants":[{"source":"invoice"}]}`); code != 200 {
		t.Fatalf("grants: %v", out)
	}
	if got := s.as("NOBODY").list("INVOICE", `{}`); !got.Success {
		t.Errorf("after the grant: %s", got.Body)
	}
	if _, err := s.ChangeQuirks(QuirkChange{Set: json.RawMessage(`{"access_list":true}`)}); err != nil {
		t.Fatal(err)
	}
	list := s.do("GET", "/api/UserID?_a=datasourceAccessList&userid=READER", nil).Payload.Result
	if len(list) != 2 || list[1]["datasource"] != "CUSTOMER" || list[1]["pkname"] != "CUSTOMERNO" || list[1]["tabledef_editcondition"] != "COMPANYNO = '01' AND STATUS != 'INACTIVE'" {
		t.Errorf("access list: %v", list)
	}
}

func TestDownload(t *testing.T) {
	s := newSite(t, Quirks{})
	got := s.do("GET", "/api/Document?_a=download&documentno=d50001", nil)
	if string(got.Body) != "%PDF-1.4 test" || got.Header.Get("Content-Type") != "application/pdf" || got.Header.Get("Content-Disposition") != `attachment; filename="Invoice 104001.pdf"` {
		t.Errorf("download: %v %q", got.Header, got.Body)
	}
	for _, no := range []string{"D50002", "D9"} { // bytes kept elsewhere, no such row
		if got := s.do("GET", "/api/Document?_a=download&documentno="+no, nil); got.reference() != "DocumentNotFound" {
			t.Errorf("%s: %s", no, got.Body)
		}
	}
}
