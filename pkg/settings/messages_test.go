package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wrong is a value that the setting refuses, as a person could write it by mistake.
func wrong(s Setting) any {
	switch s.Kind {
	case KindBool:
		return "yes"
	case KindInt:
		return "many"
	case KindList, KindSet:
		return []any{"?!"}
	case KindMap:
		return map[string]any{"?!": ""}
	case KindTemplate:
		return "{{?!"
	}
	return "?!"
}

// TestMessagesNameKeyValueAndRemedy: one wrong value each. Messages are read by people, so each stands here as a whole line.
func TestMessagesNameKeyValueAndRemedy(t *testing.T) {
	for _, want := range []struct {
		key   string
		value any
		text  string
	}{
		{"company.enabled", "yes", `company.enabled = "yes": neither true nor false (expected true or false)`},
		{"company.mode", "Live", `company.mode = "Live": no such choice; did you mean live? (expected one of live, sandbox, read_only, paused)`},
		{"company.mode", "test", `company.mode = "test": no such choice (expected one of live, sandbox, read_only, paused)`},
		{"company.q360_company", "01;02", `company.q360_company = "01;02": not of this form (expected a Q360 company code such as "01")`},
		{"company.time_zone", "New York", `company.time_zone = "New York": no such time zone (expected an IANA time zone such as America/New_York)`},
		{"company.currency", "usd", `company.currency = "usd": no ISO 4217 currency; write it in upper case, USD (expected an ISO 4217 currency such as USD)`},
		{"sandbox.email", "nobody", `sandbox.email = [not shown]: not of this form (expected one e-mail address)`},
		{"customers.match", "name", `customers.match = "name": no such choice (expected one of number, number_then_metadata)`},
		{"contacts.roles", "AP", `contacts.roles = "AP": not a list; write it as [a, b] (expected a list of any of AR, AP, COLLECTIONS, ALL)`},
		{"invoices.variance", -1, `invoices.variance = -1: negative (expected a number without currency such as 0.05, at least 0)`},
		{"invoices.summary_text", "{{no}}", `invoices.summary_text = "{{no}}": no such placeholder; did you mean {{po}}? (expected a text, in which {{number}} and {{po}} are filled in)`},
		{"invoices.item_map", "LAB", `invoices.item_map = "LAB": not a map; write it as {name: value} (expected a map from Q360 item to Invoiced item)`},
		{"autopay.rule", true, `autopay.rule = true: true or false is not a text (expected one of off, contracts, all)`},
		{"documents.wait_days", 366, `documents.wait_days = 366: too large (expected a whole number, from 0 to 365)`},
		{"qualify.start_date", "01/02/2026", `qualify.start_date = "01/02/2026": not a date of the calendar (expected a calendar date such as 2026-01-31)`},
		{"payments.attempts", 0, `payments.attempts = 0: too small (expected a whole number, from 1 to 10)`},
		{"payments.methods_map", nil, `payments.methods_map: required while payments.mode is not off (expected a map from Invoiced method to Q360 payment method, such as {credit_card: CARD})`},
		{"fees.gl_account", nil, `fees.gl_account: required while fees.strategy is not exclude (expected a general-ledger account such as "1010")`},
		{"fees.gl_account", "no account", `fees.gl_account = "no account": not of this form (expected a general-ledger account such as "1010")`},
		{"limits.invoiced_parallel", json.Number("4.5"), `limits.invoiced_parallel = 4.5: not a plain whole number (expected a whole number, from 1 to 32)`},
		{"notify.recipients", []any{"a@example.com", "b"}, `notify.recipients = [not shown]: entry 2: not of this form (expected a list of e-mail addresses)`},
		{"company.time_zone", nil, `company.time_zone: required (expected an IANA time zone such as America/New_York)`},
	} {
		_, problems := ResolveCompany(with(map[string]any{want.key: want.value}), time.LoadLocation)
		if len(problems) != 1 || problems[0].String() != want.text {
			t.Errorf("%s = %v:\n got %v\nwant [%s]", want.key, want.value, problems, want.text)
		}
	}
}

// TestAllProblemsAtOnce gives every setting a wrong value: each is named once, with the form it should have, in the order of
// the reference page, and nothing else is complained about.
func TestAllProblemsAtOnce(t *testing.T) {
	var c Company
	var d Deployment
	for name, tc := range map[string]struct {
		settings []Setting
		resolve  func(map[string]any) []Problem
	}{
		"company":    {c.declare(), func(v map[string]any) []Problem { _, p := ResolveCompany(v, time.LoadLocation); return p }},
		"deployment": {d.declare(), func(v map[string]any) []Problem { _, p := ResolveDeployment(v, time.LoadLocation); return p }},
	} {
		values := map[string]any{}
		var want []string
		for _, s := range tc.settings {
			values[s.Key] = wrong(s)
			want = append(want, s.Key)
		}
		problems := tc.resolve(values)
		var got []string
		for _, p := range problems {
			if len(got) == 0 || got[len(got)-1] != p.Key {
				got = append(got, p.Key)
			}
			s, err := Lookup(p.Key)
			if err != nil || p.Warning || p.Message == "" || p.Expected != s.Expected() || strings.ContainsAny(p.String(), "\n\x00") {
				t.Errorf("%s: %q, %v", p.Key, p, err)
			}
			if s.Private && strings.Contains(p.String(), "?!") {
				t.Errorf("%s is private and repeated: %s", p.Key, p)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOneBadValueChangesNothingElse: every other field is what it is without the bad value.
func TestOneBadValueChangesNothingElse(t *testing.T) {
	same := cmp.Comparer(func(a, b *time.Location) bool { return a == b || a != nil && b != nil && a.String() == b.String() })
	for _, s := range new(Company).declare() {
		without := least()
		delete(without, s.Key)
		want, _ := ResolveCompany(without, time.LoadLocation)
		got, problems := ResolveCompany(with(map[string]any{s.Key: wrong(s)}), time.LoadLocation)
		if !Blocking(problems) || keysOf(problems[:1]) != s.Key {
			t.Errorf("%s: %v", s.Key, problems)
		}
		// the field itself is not to be used; it holds nothing, where without a value it holds the default
		var own any
		for _, o := range got.declare() {
			if o.Key == s.Key {
				own = o.target
			}
		}
		for _, o := range want.declare() {
			if o.Key == s.Key {
				if held := reflect.ValueOf(own).Elem(); !held.IsZero() {
					t.Errorf("%s: a refused value is used: %v", s.Key, held)
				}
				reflect.ValueOf(o.target).Elem().SetZero()
			}
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s changes something else (-want +got):\n%s", s.Key, diff)
		}
	}
}

// TestScopes: a key is taken where it belongs, and elsewhere the message says where that is.
func TestScopes(t *testing.T) {
	for _, s := range Declarations() {
		value := s.Example
		if value == nil {
			value = s.Default
		}
		_, company := ResolveCompany(with(map[string]any{s.Key: value}), time.LoadLocation)
		_, deployment := ResolveDeployment(map[string]any{s.Key: value}, time.LoadLocation)
		for scope, problems := range map[Scope][]Problem{ScopeCompany: company, ScopeDeployment: deployment} {
			other := ScopeCompany
			if scope == ScopeCompany {
				other = ScopeDeployment
			}
			want := ""
			if !s.Has(scope) {
				want = fmt.Sprintf("%s: belongs to the settings of the %s, not of the %s", s.Key, other, scope)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s in the settings of a %s: %q, want %q", s.Key, scope, got, want)
			}
		}
		if s.Has(ScopeCustomer) && !slices.ContainsFunc(Declarations(), func(o Setting) bool { return o.Key == s.Group()+".customers" && o.Kind == KindMap }) {
			t.Errorf("%s may be a customer's own, but there is no %s.customers to give it", s.Key, s.Group())
		}
	}
}

// TestCustomersOwnValueWins over the company's, in both directions, for that customer only.
func TestCustomersOwnValueWins(t *testing.T) {
	for _, company := range []AutoPayRule{AutoPayOff, AutoPayContracts, AutoPayAll} {
		c, problems := ResolveCompany(with(map[string]any{"autopay.rule": string(company),
			"autopay.customers": map[string]any{"1": "all", "2": "off", "03": "contracts"}}), time.LoadLocation)
		if problems != nil {
			t.Fatal(problems)
		}
		for number, want := range map[string]AutoPayRule{"1": AutoPayAll, "2": AutoPayOff, "03": AutoPayContracts, "3": company, "": company} {
			if got := c.For(number).AutoPay; got != want {
				t.Errorf("company %s, customer %q: %s, want %s", company, number, got, want)
			}
		}
	}
}

// TestNoMessageRepeatsASecret gives all settings a credential or an address, as texts, in lists and in maps.
func TestNoMessageRepeatsASecret(t *testing.T) {
	for _, secret := range []string{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "password=hunter22", "dana.scully@example.com"} {
		for _, value := range []any{secret, []any{secret}, map[string]any{secret: secret}, map[string]any{"USD": secret}} {
			values := map[string]any{}
			for _, s := range Declarations() {
				values[s.Key] = value
			}
			_, company := ResolveCompany(values, time.LoadLocation)
			_, deployment := ResolveDeployment(values, time.LoadLocation)
			problems := slices.Concat(company, deployment)
			for _, p := range problems {
				if strings.Contains(p.String(), secret) {
					t.Errorf("%s repeats it: %s", p.Key, p)
				}
			}
			if len(problems) < len(values) {
				t.Errorf("%v: only %d problems of %d settings", value, len(problems), len(values))
			}
		}
	}
	given := with(map[string]any{"sandbox.email": "dana@example"})
	kept := maps.Clone(given)
	if _, problems := ResolveCompany(given, time.LoadLocation); len(problems) != 1 || !reflect.DeepEqual(given, kept) {
		t.Errorf("%v; the given values are now %v", problems, given)
	}
}
