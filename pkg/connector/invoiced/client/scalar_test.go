package client

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func TestNumberIsWrittenPlainly(t *testing.T) {
	for in, want := range map[string]string{
		"154.50": "154.5", "100.00": "100", "0.0000001": "0.0000001", "1e3": "1000", "-7.10": "-7.1", "0": "0",
		"12345678901234.56": "12345678901234.56", "1E-7": "0.0000001",
	} {
		b, err := json.Marshal(NewNumber(decimal.RequireFromString(in)))
		if err != nil || string(b) != want {
			t.Errorf("Marshal(%s) = %s, %v; want %s", in, b, err, want)
		}
	}
	if b, _ := json.Marshal(Number{}); string(b) != "null" {
		t.Errorf("no number is written as %s, want null", b)
	}
}

func TestNumberIsReadExactly(t *testing.T) {
	for _, c := range []struct {
		in, want string
		given    bool
		fails    bool
	}{
		{in: `154.50`, want: "154.5", given: true},
		{in: `"51.15"`, want: "51.15", given: true},
		{in: `1.545e2`, want: "154.5", given: true},
		{in: `0.1`, want: "0.1", given: true},
		{in: `99999999999999999.99`, want: "99999999999999999.99", given: true},
		{in: `null`, want: "0"},
		{in: `""`, want: "0"},
		{in: `true`, fails: true},
		{in: `"abc"`, fails: true},
		{in: `1e400`, fails: true},
		{in: `[]`, fails: true},
		{in: `{"amount":1}`, fails: true},
	} {
		var n Number
		err := json.Unmarshal([]byte(c.in), &n)
		if (err != nil) != c.fails {
			t.Errorf("Unmarshal(%s): error %v, want one: %v", c.in, err, c.fails)
			continue
		}
		if err == nil && (n.Decimal.String() != c.want || n.Given != c.given) {
			t.Errorf("Unmarshal(%s) = %s given %v, want %s given %v", c.in, n.Decimal, n.Given, c.want, c.given)
		}
	}
}

// TestLooseScalars reads every odd form of every scalar at once: want is what is read, or "error".
func TestLooseScalars(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		read           func(b []byte) (string, error)
	}{
		{"id number", `15444`, `15444`, readAs[ID]},
		{"id text", `"15444"`, `15444`, readAs[ID]},
		{"id word", `"plan-a_1"`, `"plan-a_1"`, readAs[ID]},
		{"id zero", `0`, `""`, readAs[ID]},
		{"id null", `null`, `""`, readAs[ID]},
		{"id false", `false`, `""`, readAs[ID]},
		{"id fraction", `1.5`, `error`, readAs[ID]},
		{"id exponent", `1e3`, `error`, readAs[ID]},
		{"id negative", `-2`, `error`, readAs[ID]},
		{"id path", `"../customers"`, `error`, readAs[ID]},
		{"id leading zero stays a text", `"007"`, `"007"`, readAs[ID]},
		{"ref id", `15444`, `{"ID":15444}`, readAs[Ref]},
		{"ref object", `{"id":15444,"metadata":[]}`, `{"ID":15444}`, readAs[Ref]},
		{"ref null", `null`, `{"ID":""}`, readAs[Ref]},
		{"ref empty list", `[]`, `{"ID":""}`, readAs[Ref]},
		{"ref list", `[1]`, `error`, readAs[Ref]},
		{"text", `"a"`, `"a"`, readAs[Text]},
		{"text number", `1001`, `"1001"`, readAs[Text]},
		{"text null", `null`, `""`, readAs[Text]},
		{"text object", `{}`, `error`, readAs[Text]},
		{"flag", `true`, `true`, readAs[Flag]},
		{"flag one", `1`, `true`, readAs[Flag]},
		{"flag python", `"False"`, `false`, readAs[Flag]},
		{"flag null", `null`, `false`, readAs[Flag]},
		{"flag word", `"maybe"`, `error`, readAs[Flag]},
		{"unix", `1606806943`, `1606806943`, readAs[Unix]},
		{"unix text", `"1606806943"`, `1606806943`, readAs[Unix]},
		{"unix fraction", `1606806943.7`, `1606806943`, readAs[Unix]},
		{"unix null", `null`, `0`, readAs[Unix]},
		{"unix date", `"2020-12-01"`, `error`, readAs[Unix]},
		{"unix absurd", `1e20`, `error`, readAs[Unix]},
		{"metadata", `{"a":"b"}`, `{"a":"b"}`, readAs[Metadata]},
		{"metadata empty list", `[]`, `null`, readAs[Metadata]},
		{"metadata list", `["x"]`, `{"0":"x"}`, readAs[Metadata]},
		{"metadata null", `null`, `null`, readAs[Metadata]},
		{"metadata values", `{"a":true,"b":7,"c":null,"d":{"e":1}}`, `{"a":"true","b":"7","d":"{\"e\":1}"}`, readAs[Metadata]},
		{"metadata text", `"a"`, `error`, readAs[Metadata]},
		{"rows", `[1,2]`, `{"List":[1,2],"Given":true}`, readAs[Rows[ID]]},
		{"rows null", `null`, `{"List":null,"Given":false}`, readAs[Rows[ID]]},
		{"rows object in the order of its keys", `{"10":3,"2":2,"0":1}`, `{"List":[1,2,3],"Given":true}`, readAs[Rows[ID]]},
		{"rows object with names", `{"a":1}`, `error`, readAs[Rows[ID]]},
		{"rows object with signs", `{"+1":1}`, `error`, readAs[Rows[ID]]},
		{"rows scalar", `7`, `error`, readAs[Rows[ID]]},
		{"maybe null", `null`, `{"Value":{"ID":""},"ID":"","Given":false}`, readAs[Maybe[Ref]]},
		{"maybe empty list", `[]`, `{"Value":{"ID":""},"ID":"","Given":false}`, readAs[Maybe[Ref]]},
		{"maybe id", `5`, `{"Value":{"ID":""},"ID":5,"Given":true}`, readAs[Maybe[Ref]]},
		{"maybe object", `{"id":5}`, `{"Value":{"ID":5},"ID":"","Given":true}`, readAs[Maybe[Ref]]},
		{"maybe false", `false`, `{"Value":{"ID":""},"ID":"","Given":false}`, readAs[Maybe[Ref]]},
	} {
		got, err := c.read([]byte(c.in))
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%s: read %s as %s (%v), want %s", c.name, c.in, got, err, c.want)
		}
	}
}

// readAs decodes a T and writes it again.
func readAs[T any](b []byte) (string, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return "", err
	}
	out, err := json.Marshal(v)
	return string(out), err
}

func TestOptionalHasThreeStates(t *testing.T) {
	f := CustomerFields{Name: Some("Acme"), Email: Null[string](), Phone: Words(""), City: Filled(""), State: Words("TX"),
		Chase: Some(false), Metadata: Some(map[string]string{})}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Acme","email":null,"phone":null,"chase":false,"state":"TX","metadata":{}}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("request differs (-want +got):\n%s", diff)
	}
	if v, ok := f.Name.Get(); v != "Acme" || !ok {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if _, ok := f.Email.Get(); ok || !f.Email.IsNull() || f.Email.IsZero() {
		t.Error("a null has a value or is absent")
	}
}
