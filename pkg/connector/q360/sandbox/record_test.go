package sandbox

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const header = `{"COMPANYNO":"01","CUSTOMERNO":"C00001","RECEIPTDATE":"2026-03-09 00:00:00.000","AMOUNT":"100.00","CURRENCY":"USD","REFERENCE":"IVD-1","ACCOUNTNO":"1010"}`

func TestCreate(t *testing.T) {
	s := newSite(t, Quirks{})
	got := s.write("PUT", "CONTACTHISTORY", `{"type":"RP-COMMENTED","LINKTYPE":"INVOICE","LINKNO":104001,"CUSTOMERNO":"C00001","COMMENT":"Ünïcode \"quoted\""}`, "_outputdata=Y")
	if got.Outvars["primarykey"] != "H90001    " || len(got.Payload.Result) != 1 || got.Outvars["_editguid"] == "" || got.Outvars["reverttoken"] == "" {
		t.Fatalf("created: %s", got.Body)
	}
	row := got.Payload.Result[0]
	if row["DATE"] != "2026-03-10 09:30:00.127" || row["USERID"] != "APIUSER             " || row["COMMENT"] != `Ünïcode "quoted"` || row["LINKNO"] != "104001" {
		t.Errorf("row: %v", row)
	}
	many := s.write("PUT", "CONTACTHISTORY", `{"TYPE":"A"},{"TYPE":"B"}`)
	if many.Outvars["primarykey"] != "H90002    ,H90003    " || len(many.Payload.Result) != 0 {
		t.Errorf("several: %s", many.Body)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newSite(t, Quirks{})
	before := s.count("CONTACTHISTORY")
	for records, want := range map[string]string{
		`{"TYPE":"A"},{"TYPE":"RP-COMMENTED-X"}`:                "InvalidValue",
		`{"TYPE":"A"},{"COMMENT":"no type"}`:                    "MandatoryField",
		`{"TYPE":"   "}`:                                        "MandatoryField",
		`{"TYPE":"A","NOPE":"1"}`:                               "InvalidColumn",
		`{"TYPE":"A","CUSTOMERNO":"C09999"}`:                    "InvalidReference",
		`{"TYPE":"A","DATE":"yesterday"}`:                       "InvalidValue",
		`{"TYPE":"A","COMMENT":{}}`:                             "InvalidValue",
		`{"HISTID":"H1","TYPE":"A"},{"HISTID":"h1","TYPE":"A"}`: "DuplicateKey",
	} {
		got := s.write("PUT", "CONTACTHISTORY", records)
		if got.reference() != want || got.Outvars["primarykey"] != "" {
			t.Errorf("%s: %s", records, got.Body)
		}
		if strings.Count(records, "{") == 2 && want != "InvalidValue" && !strings.HasPrefix(got.Message, "Record 2: ") && strings.Contains(records, "},{") {
			t.Errorf("%s: the record is not named: %s", records, got.Message)
		}
	}
	for name, got := range map[string]answered{
		"view":      s.write("PUT", "GRIDVIEW_INVOICE", `{"INVOICENO":"1"}`),
		"no record": s.write("PUT", "CONTACTHISTORY", ``),
		"no form":   s.do("PUT", "/api/Record", nil),
		"no table":  s.do("PUT", "/api/Record", map[string]string{"jsonRequest": `{"griddata":{"record":[{}]}}`}),
		"journal":   s.write("PUT", "ARJOURNAL", `{"AMOUNT":"1"}`),
		"audit":     s.write("PUT", "AUDITLOG", `{"ACTION":"X"}`),
	} {
		want := map[string]string{"view": "NotATable", "no record": "RequestInvalid", "no form": "RequestMissing", "no table": "DataSourceNotPermitted", "journal": "JournalReadOnly", "audit": "JournalReadOnly"}[name]
		if got.reference() != want {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
	if after := s.count("CONTACTHISTORY"); after != before {
		t.Errorf("refused calls left %d rows", after-before)
	}
	if got := s.write("PUT", "CONTACTHISTORY", `{"COMMENT":"x"}`); got.Payload.Error[0]["procname"] != "CONTACTHISTORY_Record_Create" {
		t.Errorf("procedure: %s", got.Body)
	}
}

func TestPartialCreate(t *testing.T) {
	s := newSite(t, Quirks{PartialCreate: true})
	got := s.write("PUT", "CONTACTHISTORY", `{"TYPE":"A"},{"TYPE":"B"},{"TYPE":""},{"TYPE":"D"}`)
	if got.Success || got.Outvars["primarykey"] != "H90001    ,H90002    " || s.count("CONTACTHISTORY") != 2 {
		t.Errorf("partial: %s, %d rows", got.Body, s.count("CONTACTHISTORY"))
	}
}

func TestPreview(t *testing.T) {
	s := newSite(t, Quirks{})
	audited := s.count("AUDITLOG")
	got := s.write("PUT", "CASHRECEIPT", header, "_preview=Y", "_outputdata=Y")
	if !got.Success || got.Outvars["primarykey"] != "" || len(got.Payload.Result) != 1 || got.Payload.Result[0]["RECEIPTNO"] != nil || got.Payload.Result[0]["UNAPPLIED"] != "100.0000" {
		t.Errorf("preview: %s", got.Body)
	}
	if got := s.write("PUT", "CASHRECEIPT", strings.Replace(header, "1010", "1200", 1), "_preview=Y"); got.reference() != "NotABankAccount" {
		t.Errorf("preview validates: %s", got.Body)
	}
	if s.count("CASHRECEIPT") != 0 || s.count("ARJOURNAL") != 0 || s.count("AUDITLOG") != audited {
		t.Error("a preview left rows")
	}
	if got := s.write("PUT", "CASHRECEIPT", header); got.Outvars["primarykey"] != "R20001    " {
		t.Errorf("after previews: %s", got.Body)
	}
}

func TestUpdate(t *testing.T) {
	s := newSite(t, Quirks{})
	got := s.write("PATCH", "customer", `{"customerno":"c00001","Phone":"555","PAYMENTTERMS":null}`, "_outputdata=Y")
	if !got.Success || got.Outvars["primarykey"] != "C00001    " || got.Payload.Result[0]["PHONE"] != "555" || got.Payload.Result[0]["PAYMENTTERMS"] != nil {
		t.Fatalf("update: %s", got.Body)
	}
	if s.value("CUSTOMER", "C00001", "COMPANY") != "North Peak University" || s.value("CUSTOMER", "C00001", "MODDATE") != "2026-03-10 09:30:00.127" {
		t.Error("other columns changed, or the stamp did not")
	}
	for records, want := range map[string]string{
		`{"CUSTOMERNO":"C09999","PHONE":"1"}`:                                            "RecordNotFound",
		`{"CUSTOMERNO":"C00001","COMPANY":""}`:                                           "MandatoryField",
		`{"CUSTOMERNO":"C00001","NOPE":"1"}`:                                             "InvalidColumn",
		`{"CUSTOMERNO":"C00001","CREDITHOLD":"2"}`:                                       "InvalidValue",
		`{"CUSTOMERNO":"C00001","CREDITLIMIT":"922337203685477"}`:                        "",
		`{"CUSTOMERNO":"C00001","CREDITLIMIT":"922337203685478"}`:                        "InvalidValue",
		`{"CUSTOMERNO":"C00001","PHONE":"2"},{"CUSTOMERNO":"C00002","DEFCURRENCY":"XX"}`: "InvalidReference",
	} {
		if got := s.write("PATCH", "CUSTOMER", records); got.reference() != want {
			t.Errorf("%s: %s", records, got.Body)
		}
	}
	if s.value("CUSTOMER", "C00001", "PHONE") != "555" {
		t.Error("a refused batch left a change")
	}
}

func TestPatchWithoutKey(t *testing.T) {
	for _, records := range []string{`{"COMPANY":"Oops"}`, `{"CUSTOMERNO":"","COMPANY":"Oops"}`, `{"CUSTOMERNO":null,"COMPANY":"Oops"}`} {
		s := newSite(t, Quirks{})
		if got := s.write("PATCH", "CUSTOMER", records); got.Outvars["primarykey"] != "C00004    " || s.count("CUSTOMER") != 4 {
			t.Errorf("%s should create a row: %s", records, got.Body)
		}
		s = newSite(t, Quirks{RefuseKeylessPatch: true})
		if got := s.write("PATCH", "CUSTOMER", records); got.reference() != "KeyMissing" || s.count("CUSTOMER") != 3 {
			t.Errorf("%s with refuse_keyless_patch: %s", records, got.Body)
		}
	}
}

func TestDelete(t *testing.T) {
	s := newSite(t, Quirks{})
	for _, c := range []struct {
		table, records, extra, want string
		left                        int
	}{
		{"CONTACT", `{"CONTACTNO":"K00001"}`, "ValidateOnly=Y", "", 1},
		{"CONTACT", `{"CONTACTNO":"K00001"},{"CONTACTNO":"K9"}`, "", "RecordNotFound", 1},
		{"CONTACT", `{"STATUS":"ACTIVE"}`, "", "KeyMissing", 1},
		{"CUSTOMER", `{"CUSTOMERNO":"C00001"}`, "", "RecordInUse", 3},
		{"CUSTOMER", `{"CUSTOMERNO":"C00001"}`, "ValidateOnly=Y", "RecordInUse", 3},
		{"CONTACT", `{"CONTACTNO":"k00001"}`, "", "", 0},
		{"CUSTOMER", `{"CUSTOMERNO":"C00002"}`, "", "", 2},
		{"INVOICE", `{"INVOICENO":"104001"}`, "", "InvoicePosted", 6},
		{"INVOICE", `{"INVOICENO":"104002"}`, "", "", 5},
	} {
		got := s.write("DELETE", c.table, c.records, c.extra)
		if got.reference() != c.want || s.count(c.table) != c.left {
			t.Errorf("%s %s %s: %d rows left: %s", c.table, c.records, c.extra, s.count(c.table), got.Body)
		}
	}
	if s.value("INVOICEITEM", "3", "DESCRIPTION") != "no such row" {
		t.Error("the lines of the deleted invoice are still there")
	}
}

func TestKeysStayGrowing(t *testing.T) {
	s := newSite(t, Quirks{})
	first := s.write("PUT", "CUSTOMER", `{"COMPANY":"A"}`).Outvars["primarykey"]
	if got := s.write("DELETE", "CUSTOMER", `{"CUSTOMERNO":"`+first+`"}`); !got.Success {
		t.Fatal(string(got.Body))
	}
	if next := s.write("PUT", "CUSTOMER", `{"COMPANY":"B"}`).Outvars["primarykey"]; next <= first {
		t.Errorf("key %q came after the deleted %q", next, first)
	}
	s.write("PUT", "CUSTOMER", `{"CUSTOMERNO":"C00050","COMPANY":"C"}`)
	if next := s.write("PUT", "CUSTOMER", `{"COMPANY":"D"}`).Outvars["primarykey"]; next != "C00051    " {
		t.Errorf("key after a given one: %q", next)
	}
}

func TestDatetimeRounding(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-01 00:00:00.001": "2026-03-01 00:00:00.000", "2026-03-01 00:00:00.002": "2026-03-01 00:00:00.003",
		"2026-03-01 00:00:00.005": "2026-03-01 00:00:00.007", "2026-03-01 00:00:00.008": "2026-03-01 00:00:00.007",
		"2026-03-01 00:00:00.009": "2026-03-01 00:00:00.010", "2026-12-31 23:59:59.999": "2027-01-01 00:00:00.000",
		"2026-03-01": "2026-03-01 00:00:00.000", "2026-03-01T12:00:01": "2026-03-01 12:00:01.000",
	} {
		c := moment("X")
		got, err := c.parse(in, false)
		if err != nil || c.format(got, false) != want {
			t.Errorf("%s: %s (%v), want %s", in, c.format(got, false), err, want)
		}
	}
	s := newSite(t, Quirks{ExactTimes: true})
	s.write("PUT", "CONTACTHISTORY", `{"TYPE":"A"}`)
	if got := s.value("CONTACTHISTORY", "H90001", "DATE"); got != "2026-03-10 09:30:00.125" {
		t.Errorf("exact_times: %s", got)
	}
}

func TestCollation(t *testing.T) {
	inOrder := []string{"", "-a", "_a", "0", "10", "9", "a", "B", "c", "E", "É", "ez", "F", "z", "Ω"}
	for i := 1; i < len(inOrder); i++ {
		if compareText(inOrder[i-1], inOrder[i]) >= 0 || compareText(inOrder[i], inOrder[i-1]) <= 0 {
			t.Errorf("%q should come before %q", inOrder[i-1], inOrder[i])
		}
	}
	for a, b := range map[string]string{"abc": "ABC  ", "é": "É", "": "   "} {
		if compareText(a, b) != 0 || fold(a) != fold(b) {
			t.Errorf("%q and %q should be equal", a, b)
		}
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"abc", "ABC", true}, {"abc", "abcd", false}, {"a%", "A", true}, {"%c", "abc", true}, {"%b%", "abc", true}, {"", "", true},
		{"%", "", true}, {"_", "", false}, {"a_c", "abc", true}, {"a_c", "ac", false}, {"[abc]x", "Bx", true}, {"[a-c]x", "dx", false},
		{"[^a-c]x", "dx", true}, {"[^a-c]x", "bx", false}, {"50[%]", "50%", true}, {"50[%]", "500", false}, {"[_]", "_", true},
		{"a[b", "a[b", false}, {"[]", "a", false}, {"%a%a%a%b", strings.Repeat("a", 60), false}, {"[[]x]", "[x]", true},
	} {
		if got := compileLike(c.pattern).match(c.text); got != c.want {
			t.Errorf("%q like %q: %v", c.text, c.pattern, got)
		}
	}
}

// FuzzLike checks laws of LIKE on arbitrary text: a text matches itself when its wildcards are in brackets, in any case
// and between percent signs.
func FuzzLike(f *testing.F) {
	for _, seed := range []string{"", "abc", "50%", "a_b", "[x]", "%[", "ÄöÜ", "]", "^"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 2000 {
			return
		}
		compileLike(s).match(s) // must come back
		quoted := strings.NewReplacer("%", "[%]", "_", "[_]", "[", "[[]").Replace(s)
		for _, p := range []string{quoted, "%" + quoted, quoted + "%", "%" + quoted + "%"} {
			if !compileLike(p).match(s) {
				t.Errorf("%q is not like %q", s, p)
			}
		}
		if compileLike(quoted).match(s + "x") {
			t.Errorf("%q is like %q", s+"x", quoted)
		}
	})
}
