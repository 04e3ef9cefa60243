package client

import (
	"encoding/json"
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
		var rows Rows[Item]
		var some Maybe[Charge]
		var meta Metadata
		var text Text
		var flag Flag
		for _, v := range []any{&rows, &some, &meta, &text, &flag} {
			_ = json.Unmarshal(body, v) // taken or refused
		}
	})
}
