package settings

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzOneValue gives any one setting any value: it is taken, or every problem about it names its key, says what is expected
// and shows no secret; and the same value is judged the same whether a company or the deployment has it.
func FuzzOneValue(f *testing.F) {
	for i, text := range []string{`true`, `"live"`, `"2026-01-01"`, `"12.50 USD"`, `0.1`, `1e400`, `"5m"`, `["a","a"]`, `{"USD":"1010","usd":1}`, `"America/Toronto"`,
		`"0 3 * * *"`, `"{{number}} {{"`, `null`, `""`, `"\u0000"`, `"-----BEGIN PRIVATE KEY-----"`, `[[{}]]`, `99999999999999999999`} {
		f.Add(uint(i*7), text)
	}
	all := Declarations()
	f.Fuzz(func(t *testing.T, at uint, text string) {
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		dec.UseNumber()
		var value any
		if dec.Decode(&value) != nil {
			return
		}
		s := all[at%uint(len(all))]
		values := map[string]any{s.Key: value}
		var found [][]Problem
		if s.Has(ScopeCompany) {
			_, problems := ResolveCompany(values, time.LoadLocation)
			found = append(found, problems)
		}
		if s.Has(ScopeDeployment) {
			_, problems := ResolveDeployment(values, time.LoadLocation)
			found = append(found, problems)
		}
		var said []string
		for _, problems := range found {
			about := ""
			for _, p := range problems {
				if p.Key == "" || p.Message == "" {
					t.Errorf("a problem without key or message: %+v", p)
				}
				if p.Key == s.Key {
					about += p.String() + "\n"
				}
				if raw, ok := value.(string); ok && LooksSecret(raw) && len(raw) > 20 && strings.Contains(p.String(), raw) {
					t.Errorf("repeats a secret: %s", p)
				}
			}
			said = append(said, about)
		}
		if len(said) == 2 && said[0] != said[1] {
			t.Errorf("%s: a company is told %q, the deployment %q", s.Key, said[0], said[1])
		}
	})
}
