package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzResolve holds the resolution to its promises for any JSON: no panic, the same problems again, a problem for every
// key that is not declared, and no value beside an unknown key.
func FuzzResolve(f *testing.F) {
	f.Add(`{"company.mode": "live", "payments.gl_accounts": {"USD": 1010}, "contacts.roles": ["AP", null]}`)
	f.Add(`{"schedule.poll": 5e-1, "x": [[[]]], "invoices.summary_text": "{{{{number}}"}`)
	f.Add(`{"schedule.reconcile": "*/7 1-5/2 * JAN,3 SUN", "": {}, "company.time_zone": "../etc"}`)
	f.Fuzz(func(t *testing.T, text string) {
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		dec.UseNumber()
		var values map[string]any
		if dec.Decode(&values) != nil {
			return
		}
		_, problems := ResolveCompany(values, time.LoadLocation)
		_, again := ResolveCompany(values, time.LoadLocation)
		if fmt.Sprint(problems) != fmt.Sprint(again) {
			t.Errorf("%v, then %v", problems, again)
		}
		stray := 0
		for key := range values {
			if s, err := Lookup(key); err != nil || !s.Has(ScopeCompany) {
				stray++
			}
		}
		for _, p := range problems {
			if p.Expected == "" && !p.Warning {
				stray--
				if p.Value != "" {
					t.Errorf("repeats the value of an unknown key: %s", p)
				}
			}
		}
		if stray != 0 {
			t.Errorf("%d stray keys too many or too few: %v", stray, problems)
		}
	})
}

// Next is compared with trying every minute.
func TestCronNextIsTheFirstMinuteThatMatches(t *testing.T) {
	field := func(t *rapid.T, f cronField) string {
		low := rapid.IntRange(f.least, f.most).Draw(t, f.name)
		high := rapid.IntRange(low, f.most).Draw(t, f.name+" to")
		step := rapid.IntRange(1, f.most).Draw(t, f.name+" step")
		return rapid.SampledFrom([]string{"*", fmt.Sprint(low), fmt.Sprintf("%d-%d", low, high), fmt.Sprintf("*/%d", step),
			fmt.Sprintf("%d,%d", low, high)}).Draw(t, f.name+" form")
	}
	rapid.Check(t, func(t *rapid.T) {
		fields := cronFields()
		expr := field(t, fields[0]) + " " + field(t, fields[1]) + " * * " + field(t, fields[4])
		c, err := ParseCron(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		from := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "from"), 0).UTC()
		want := from.Truncate(time.Minute).Add(time.Minute)
		for c.minute>>want.Minute()&1 == 0 || c.hour>>want.Hour()&1 == 0 || c.weekday>>int(want.Weekday())&1 == 0 {
			want = want.Add(time.Minute)
		}
		if got := c.Next(from); !got.Equal(want) {
			t.Fatalf("%s after %s: %s, want %s", expr, from, got, want)
		}
	})
}

func TestOneSlipIsStillRecognised(t *testing.T) {
	var keys []string
	for _, s := range Declarations() {
		keys = append(keys, s.Key)
	}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		at := rapid.IntRange(0, len(key)-2).Draw(t, "at")
		slip := rapid.SampledFrom([]string{
			key[:at] + key[at+1:],
			key[:at] + string(key[at+1]) + string(key[at]) + key[at+2:],
			key[:at] + "q" + key[at:],
			strings.ToUpper(key),
		}).Draw(t, "slip")
		meant := Nearest(slip, keys)
		if meant == "" || edits(strings.ToLower(slip), meant) > 1 {
			t.Fatalf("%s for %s: suggested %q", slip, key, meant)
		}
	})
}

func TestEditsIsADistance(t *testing.T) {
	word := rapid.StringMatching(`[ab.]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := edits(a, b)
		if d != edits(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
			t.Fatalf("edits(%q, %q) = %d", a, b, d)
		}
	})
}

// Whatever stands in a secret-looking value, no message has it.
func TestNoMessageRepeatsACredential(t *testing.T) {
	for _, secret := range []string{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "d4f0a2c19b8e47d3a6f5c0b1"} {
		for _, s := range Declarations() {
			for _, value := range []any{secret, []any{secret}, map[string]any{"a": secret}, map[string]any{secret: "?"}} {
				_, company := ResolveCompany(map[string]any{s.Key: value}, time.LoadLocation)
				_, deployment := ResolveDeployment(map[string]any{s.Key: value, secret: 1}, time.LoadLocation)
				for _, p := range append(company, deployment...) {
					if strings.Contains(p.String(), secret) {
						t.Fatalf("%s", p)
					}
				}
			}
		}
	}
}
