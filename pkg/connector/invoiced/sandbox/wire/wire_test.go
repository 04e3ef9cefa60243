package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{nil, "null"}, {true, "true"}, {7, "7"}, {int64(-7), "-7"},
		{decimal.RequireFromString("39.00"), "39"}, {decimal.RequireFromString("51.150"), "51.15"},
		{decimal.RequireFromString("1e-7"), "0.0000001"}, {decimal.RequireFromString("1e9"), "1000000000"},
		{decimal.RequireFromString("-0"), "0"}, {decimal.RequireFromString("0.10"), "0.1"},
		{"a\"b\\c\n\u00e9<", `"a\"b\\c\né\u003c"`},
		{wire.Object{{"b", 1}, {"a", []any{nil, "x"}}}, `{"b":1,"a":[null,"x"]}`},
		{map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{[]string{"x"}, `["x"]`}, {[]int64{1, 2}, `[1,2]`}, {json.RawMessage(`{"r":1}`), `{"r":1}`},
		{json.Number("12.50"), "12.50"}, {[]wire.Object{{}}, "[{}]"}, {struct{ A int }{1}, `{"A":1}`},
	} {
		if got := string(wire.Encode(c.in)); got != c.want && !sameJSON(got, c.want) {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && strings.HasPrefix(b, `"`) && cmp.Equal(x, y)
}

func TestParseForm(t *testing.T) {
	for _, c := range []struct {
		form string
		want map[string]any
	}{
		{"a=1&b=x%20y+z", map[string]any{"a": "1", "b": "x y z"}},
		{"a[b][c]=1&a[b][d]=2", map[string]any{"a": map[string]any{"b": map[string]any{"c": "1", "d": "2"}}}},
		{"a[]=1&a[]=2", map[string]any{"a": map[string]any{"0": "1", "1": "2"}}},
		{"a[][n]=1&a[][v]=2&a[][n]=3", map[string]any{"a": map[string]any{
			"0": map[string]any{"n": "1", "v": "2"}, "1": map[string]any{"n": "3"},
		}}},
		{"&&a=&b", map[string]any{"a": "", "b": ""}},
	} {
		got, err := wire.ParseForm(c.form)
		if diff := cmp.Diff(wire.Values(c.want), got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.form, err, diff)
		}
	}
	for _, bad := range []string{"a[=1", "[a]=1", "a]b=1", "a[b]c=1", "a[[b]]=1", "a=%zz", "%zz=1", "a=1&a[b]=2", "a[b]=1&a=2",
		"a[1][2][3][4][5][6][7][8][9]=1"} {
		if got, err := wire.ParseForm(bad); err == nil {
			t.Errorf("%s was read as %v", bad, got)
		}
	}
}

func TestValues(t *testing.T) {
	v, err := wire.ParseJSON([]byte(`{"n":12.50,"s":"12.5","t":"x","e":"","z":null,"b":"False","i":5,"l":[1,"2"],"o":{},"p":[],"big":1e400,"f":1.5}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"n", "s"} {
		if d, err := v.Decimal(key); err != nil || !d.Equal(decimal.RequireFromString("12.5")) {
			t.Errorf("%s: %v %v", key, d, err)
		}
	}
	for _, key := range []string{"e", "z", "absent"} {
		text, err := v.Text(key)
		number, err2 := v.Integer(key)
		if text != nil || number != nil || err != nil || err2 != nil || !v.Null(key) {
			t.Errorf("%s is not null: %v %v %v %v", key, text, number, err, err2)
		}
	}
	if v.Has("absent") || !v.Has("z") {
		t.Error("Has does not tell null from absent")
	}
	if b, err := v.Flag("b"); err != nil || *b {
		t.Errorf("False: %v %v", b, err)
	}
	if ids, err := v.Integers("l"); err != nil || !cmp.Equal(ids, []int64{1, 2}) {
		t.Errorf("ids %v %v", ids, err)
	}
	if o, err := v.Object("p"); err != nil || o == nil {
		t.Errorf("an empty list is no empty object: %v %v", o, err)
	}
	form, _ := wire.ParseForm("l[10][a]=k&l[9][a]=j")
	if l, err := form.Objects("l"); err != nil || len(l) != 2 || l[0]["a"] != "j" {
		t.Errorf("form list %v %v", l, err)
	}
	bad := map[string]func() error{
		"big": func() error { _, err := v.Decimal("big"); return err },
		"t":   func() error { _, err := v.Decimal("t"); return err },
		"f":   func() error { _, err := v.Integer("f"); return err },
		"o":   func() error { _, err := v.Text("o"); return err },
		"n":   func() error { _, err := v.Flag("n"); return err },
		"i":   func() error { _, err := v.List("i"); return err },
		"l":   func() error { _, err := v.Objects("l"); return err },
		"s":   func() error { _, err := v.Object("s"); return err },
	}
	for key, read := range bad {
		var e *wire.Error
		if err := read(); !errors.As(err, &e) || e.Param != key || e.Status != 400 {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestQuery(t *testing.T) {
	paging := wire.Paging{Default: 100, Max: 100}
	q, err := wire.ParseQuery("filter[number]=A%2C1&metadata[q]=x&sort=name+ASC,id%20desc&page=2&per_page=500&start_date=5&expand=customer,invoice&include=a", paging)
	if err != nil {
		t.Fatal(err)
	}
	if q.Filter["number"] != "A,1" || q.Metadata["q"] != "x" || q.Page != 2 || q.PerPage != 100 || *q.Start != 5 ||
		!q.Expand["invoice"] || !q.Include["a"] || !cmp.Equal(q.Sort, []wire.Sort{{Column: "name"}, {Column: "id", Desc: true}}) {
		t.Errorf("%+v", q)
	}
	link := q.Link("http://h/x,y", 250)
	if strings.Contains(strings.ReplaceAll(link, ", <", ""), ",") || strings.Count(link, ";") != 5 {
		t.Errorf("raw separators in %s", link)
	}
	if _, err := wire.ParseQuery("per_page=500", wire.Paging{Default: 100, Max: 100, RejectAbove: true}); err == nil {
		t.Error("a large page was not refused")
	}
	if q.Key() != mustQuery(t, "page=9&"+q.Raw.Encode()).Key() {
		t.Error("the key depends on the page")
	}
}

func mustQuery(t *testing.T, raw string) *wire.Query {
	t.Helper()
	q, err := wire.ParseQuery(raw, wire.Paging{Default: 100, Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"items":[{"a":1.50}]}`, "items[0][a]=1&items[1][a]=2", "a[][b]=1", "null", "[]", `{"a":{"0":1}}`, "%", "a[1000000]=1"} {
		f.Add("application/json", []byte(s))
		f.Add("application/x-www-form-urlencoded", []byte(s))
		f.Add("", []byte(s))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		v, err := wire.Parse(contentType, body)
		if err != nil {
			var e *wire.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("error %v", err)
			}
			return
		}
		for key := range v { // readers refuse or return, whatever is there
			_, _ = v.Text(key)
			_, _ = v.Flag(key)
			_, _ = v.Integer(key)
			_, _ = v.Objects(key)
			_, _ = v.Object(key)
			_, _ = v.Integers(key)
			if d, err := v.Decimal(key); err == nil && d != nil && strings.ContainsAny(d.String(), "eE") {
				t.Fatalf("%s came out with an exponent", d)
			}
		}
		if !json.Valid(wire.Encode(map[string]any(v))) {
			t.Fatalf("%q encodes badly", body)
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	f.Add("filter[a]=1&sort=a desc&page=2&per_page=3")
	f.Add("related_to=invoice%2C5&expand=,&sort=,,")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := wire.ParseQuery(raw, wire.Paging{Default: 100, Max: 100})
		if err != nil {
			return
		}
		link := q.Link("http://h/invoices", 1000)
		for part := range strings.SplitSeq(link, ", ") {
			if strings.Count(part, ",") != 0 || strings.Count(part, ";") != 1 {
				t.Fatalf("link %s", link)
			}
		}
	})
}
