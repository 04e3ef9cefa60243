package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err        *wire.Error
		text, body string
	}{
		{wire.Invalid("name", "Name is %s", "missing"), "400: name: Name is missing", `{"type":"invalid_request","message":"Name is missing","param":"name"}`},
		{wire.Invalid("", "No"), "400: No", `{"type":"invalid_request","message":"No"}`},
		{wire.Missing("invoice", 7), "404: No such invoice: 7", `{"type":"invalid_request","message":"No such invoice: 7"}`},
		{&wire.Error{Status: 429, Message: "Slow"}, "429: Slow", `{"type":"invalid_request","message":"Slow"}`},
		{&wire.Error{Status: 500, Message: "Oops"}, "500: Oops", `{"type":"api","message":"Oops"}`},
	} {
		if c.err.Error() != c.text || string(c.err.Body()) != c.body {
			t.Errorf("%q %s", c.err.Error(), c.err.Body())
		}
	}
}

func TestObject(t *testing.T) {
	o := wire.Object{{"a", 1}, {"b", nil}}
	if v, ok := o.Get("b"); !ok || v != nil {
		t.Errorf("b is %v %v", v, ok)
	}
	if _, ok := o.Get("c"); ok {
		t.Error("c is there")
	}
	text, err := json.Marshal(map[string]any{"o": o})
	if err != nil || string(text) != `{"o":{"a":1,"b":null}}` {
		t.Errorf("%s %v", text, err)
	}
}

// Every decimal comes back as the same number, without exponent.
func TestDecimalsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(t, "digits"), rapid.Int32Range(-12, 8).Draw(t, "exponent"))
		text := string(wire.Encode(d))
		back, err := decimal.NewFromString(text)
		if err != nil || !back.Equal(d) || strings.ContainsAny(text, "eE") ||
			strings.Contains(text, ".") && strings.HasSuffix(text, "0") || !json.Valid([]byte(text)) {
			t.Fatalf("%s became %s: %v", d, text, err)
		}
	})
}

// Every text comes back as it was.
func TestTextsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		var back string
		if err := json.Unmarshal(wire.Encode(s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") {
			t.Fatalf("%q became %q: %v", s, back, err)
		}
	})
}

func TestParseChoosesTheFormat(t *testing.T) {
	for _, c := range []struct {
		contentType, body, want string // want is the value of a
	}{
		{"application/json", `{"a":"1"}`, "1"},
		{"application/json; charset=utf-8", ` {"a":"1"} `, "1"},
		{"", `{"a":"1"}`, "1"},
		{"", "a=1", "1"},
		{"application/x-www-form-urlencoded", "a=1", "1"},
		{"application/x-www-form-urlencoded; charset=utf-8", "a=1", "1"},
		{"application/x-www-form-urlencoded", `{"a":"1"}`, "1"}, // clients that forget the header
		{"text/plain", `{"a":"1"}`, "1"},
		{"application/json", "", ""},
		{"application/json", "null", ""},
		{"application/json", " [] ", ""},
		{"", "null", ""},
		{"application/x-www-form-urlencoded", "", ""},
	} {
		v, err := wire.Parse(c.contentType, []byte(c.body))
		if err != nil {
			t.Errorf("%s %q: %v", c.contentType, c.body, err)
			continue
		}
		text, err := v.Text("a")
		if got := deref(text); err != nil || got != c.want {
			t.Errorf("%s %q: %q %v", c.contentType, c.body, got, err)
		}
	}
	for _, bad := range []struct{ contentType, body string }{
		{"application/json", "a=1"}, {"application/json", "{"}, {"application/json", `{"a":1}{"b":2}`}, {"application/json", `"a"`},
		{"application/json", "7"}, {"application/json", "[1]"}, {"application/json", `{"a":01}`}, {"", "{a=1"},
		{"application/x-www-form-urlencoded", "a[b=1"}, {"application/x-www-form-urlencoded", strings.Repeat("a=1&", 20_001)},
	} {
		var e *wire.Error
		if v, err := wire.Parse(bad.contentType, []byte(bad.body)); !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("%s %.20q was read as %v: %v", bad.contentType, bad.body, v, err)
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestSplitKey(t *testing.T) {
	for _, c := range []struct {
		key  string
		want []string // nil: refused
	}{
		{"a", []string{"a"}}, {"a[b]", []string{"a", "b"}}, {"a[]", []string{"a", ""}}, {"a[b][c]", []string{"a", "b", "c"}},
		{"a[b c]", []string{"a", "b c"}}, {"a[b]c", nil}, {"a[", nil}, {"a]", nil}, {"[a]", nil}, {"", nil}, {"a[[b]]", nil},
		{"a[b", nil}, {"a[b]]", nil}, {"a[b][", nil},
	} {
		got, ok := wire.SplitKey(c.key)
		if ok != (c.want != nil) || ok && strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q: %q %v", c.key, got, ok)
		}
	}
}

func TestParseFlag(t *testing.T) {
	for text, want := range map[string]string{
		"1": "true", "0": "false", "true": "true", "false": "false", "True": "true", "False": "false",
		"": "", "yes": "", "TRUE": "", "2": "", " 1": "",
	} {
		got := ""
		if v, ok := wire.ParseFlag(text); ok {
			got = fmt.Sprint(v)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// T4: which relations a page links to, and where they lead.
func TestLinkRelations(t *testing.T) {
	for _, c := range []struct {
		query string
		total int
		want  string // relation and page, in order
	}{
		{"", 0, "self 1 first 1 last 1"},
		{"per_page=10", 10, "self 1 first 1 last 1"},
		{"per_page=10", 11, "self 1 first 1 next 2 last 2"},
		{"per_page=10&page=2", 25, "self 2 first 1 previous 1 next 3 last 3"},
		{"per_page=10&page=3", 25, "self 3 first 1 previous 2 last 3"},
		{"per_page=10&page=9", 25, "self 9 first 1 previous 3 last 3"}, // beyond the end
		{"per_page=10&page=2", 0, "self 2 first 1 previous 1 last 1"},
	} {
		q := mustQuery(t, c.query)
		var got []string
		for part := range strings.SplitSeq(q.Link("http://h:1/x", c.total), ", ") {
			address, rel, _ := strings.Cut(part, ">; rel=")
			back := mustQuery(t, strings.TrimPrefix(address, "<http://h:1/x?"))
			got = append(got, strings.Trim(rel, `"`), fmt.Sprint(back.Page))
			if back.PerPage != q.PerPage {
				t.Errorf("%s: per_page %d in %s", c.query, back.PerPage, part)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q of %d: %v, want %s", c.query, c.total, got, c.want)
		}
	}
}

func TestQueryRefusals(t *testing.T) {
	for raw, param := range map[string]string{
		"page=0": "page", "page=-1": "page", "page=x": "page", "page=1.5": "page", "per_page=0": "per_page", "per_page=x": "per_page",
		"start_date=x": "start_date", "end_date=2026-01-01": "end_date", "updated_after=x": "updated_after", "updated_before=x": "updated_before",
		"sort=a+up": "sort", "sort=a+asc+b": "sort", "%zz": "",
	} {
		_, err := wire.ParseQuery(raw, wire.Paging{Default: 100, Max: 100})
		var e *wire.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Param != param {
			t.Errorf("%s: %v", raw, err)
		}
	}
	q := mustQuery(t, "open_balance=1&other=2&filter=x&filter[a=1&sort=,&expand=,,")
	if b, err := q.Flag("open_balance"); err != nil || b == nil || !*b {
		t.Errorf("flag %v %v", b, err)
	}
	if b, err := q.Flag("none"); err != nil || b != nil {
		t.Errorf("absent flag %v %v", b, err)
	}
	if _, err := q.Flag("other"); err == nil {
		t.Error("2 is a boolean")
	}
	if len(q.Filter)+len(q.Sort)+len(q.Expand) != 0 {
		t.Errorf("%+v", q)
	}
}
