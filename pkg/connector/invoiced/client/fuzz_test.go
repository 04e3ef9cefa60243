package client

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzScalars reads any JSON as each kind of value that the vendor may write in several ways: it is taken or refused, never
// both, and what was taken is written as the same value.
func FuzzScalars(f *testing.F) {
	for _, s := range []string{`19.99`, `"19.9900"`, `1e2`, `-0.001`, `null`, `""`, `"abc-7"`, `7`, `0`, `false`, `{"id":"9","x":[1]}`, `[]`, `{}`, `[{"id":1}]`,
		`{"0":{"id":2}}`, `1777903800.5`, `99999999999999999999999999999`, `"\u0000"`, `"a/b"`, `true`, `{"k":{"a":[1]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		var n Number
		if json.Unmarshal(body, &n) == nil {
			var again Number
			text, err := json.Marshal(n)
			if err != nil || strings.ContainsAny(string(text), "eE") || json.Unmarshal(text, &again) != nil || again.Given != n.Given || !again.Decimal.Equal(n.Decimal) {
				t.Errorf("number %s is written as %s, %v", body, text, err)
			}
		}
		var id ID
		if json.Unmarshal(body, &id) == nil {
			var again ID
			text, err := json.Marshal(id)
			if err != nil || json.Unmarshal(text, &again) != nil || again != id || id != "" && !validID(string(id)) {
				t.Errorf("id %s is written as %s, %v", body, text, err)
			}
		}
		var r Ref
		if json.Unmarshal(body, &r) == nil && r.ID != "" && !validID(string(r.ID)) {
			t.Errorf("relation %s is read as %q", body, r.ID)
		}
		var u Unix
		if json.Unmarshal(body, &u) == nil && (u > 1_000_000_000_000 || u < -1_000_000_000_000) {
			t.Errorf("instant %s is read as %d", body, u)
		}
		var text Text
		var flag Flag
		for _, v := range []any{&text, &flag} {
			_ = json.Unmarshal(body, v) // taken or refused
		}
	})
}

// FuzzContainers reads any JSON as each kind of value that holds others: it is taken with all of them, or refused.
func FuzzContainers(f *testing.F) {
	for _, s := range []string{`null`, `[]`, `{}`, `[null]`, `[1,"a",{"b":null}]`, `{"1":1,"0":{"id":2}}`, `{"01":1}`, `{"a":"x","b":null,"c":[1]}`, `{"id":7}`, `7`, `"7"`, `""`,
		`{"a":1,"a":null}`, `{"9223372036854775808":1}`, ` [ ] `, `{"-1":1,"-0":2}`, `[[]]`, `true`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var list []json.RawMessage
		var object map[string]json.RawMessage
		isList, isObject := json.Unmarshal(body, &list) == nil && list != nil, json.Unmarshal(body, &object) == nil && object != nil
		var rows Rows[json.RawMessage]
		if json.Unmarshal(body, &rows) == nil && (len(rows.List) != len(list)+len(object) || rows.Given != (isList || isObject)) {
			t.Errorf("list %s is read with %d values, given: %v", body, len(rows.List), rows.Given)
		}
		var meta Metadata
		if json.Unmarshal(body, &meta) == nil {
			values := 0
			for _, v := range append(slices.Collect(maps.Values(object)), list...) {
				if string(v) != "null" {
					values++
				}
			}
			if len(meta) != values {
				t.Errorf("metadata %s is read as %q", body, meta)
			}
		}
		var some Maybe[map[string]json.RawMessage]
		if json.Unmarshal(body, &some) == nil && (len(some.Value) != len(object) || some.ID != "" && isObject || some.Given != (isObject || some.ID != "")) {
			t.Errorf("%s is read as %+v", body, some)
		}
	})
}
