package settings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func keysOf(problems []Problem) string {
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	return strings.Join(keys, " ")
}

func TestRequired(t *testing.T) {
	cases := map[string]struct {
		values map[string]any
		want   string
	}{
		"nothing given": {nil, "company.q360_company company.time_zone company.currency sandbox.email qualify.start_date " +
			"payments.methods_map payments.gl_accounts fees.gl_account"},
		"live needs no safe address":    {map[string]any{"company.mode": "live"}, "company.q360_company company.time_zone company.currency qualify.start_date payments.methods_map payments.gl_accounts fees.gl_account"},
		"payments off need no accounts": {map[string]any{"payments.mode": "off"}, "company.q360_company company.time_zone company.currency sandbox.email qualify.start_date fees.gl_account"},
		"excluded fees need no account": {map[string]any{"fees.strategy": "exclude"}, "company.q360_company company.time_zone company.currency sandbox.email qualify.start_date payments.methods_map payments.gl_accounts"},
		"a refused condition demands nothing": {map[string]any{"company.mode": "liv", "payments.mode": "of", "fees.strategy": "x"},
			"company.mode company.q360_company company.time_zone company.currency qualify.start_date payments.mode fees.strategy"},
		"a refused value is not missing too": {with(map[string]any{"company.currency": "usd"}), "company.currency"},
		"null is not given":                  {with(map[string]any{"company.currency": nil}), "company.currency"},
	}
	for name, tc := range cases {
		if _, problems := ResolveCompany(tc.values, time.LoadLocation); keysOf(problems) != tc.want {
			t.Errorf("%s: %s\nwant %s", name, keysOf(problems), tc.want)
		}
	}
	_, problems := ResolveCompany(with(map[string]any{"sandbox.email": nil}), time.LoadLocation)
	if len(problems) != 1 || problems[0].String() != "sandbox.email: required while company.mode is sandbox (expected one e-mail address)" {
		t.Error(problems)
	}
}

func TestContradictions(t *testing.T) {
	_, problems := ResolveCompany(with(map[string]any{
		"qualify.payment_methods": []any{"CARD", "ACH"}, "qualify.exclude_payment_methods": []any{"ACH", "CARD"},
		"qualify.customers": []any{"1", "2"}, "qualify.exclude_customers": []any{"2"},
		"qualify.min_balance": "1.234", "contacts.roles": []any{"AR", "ALL"}, "contacts.primary_role": "COLLECTIONS",
	}), time.LoadLocation)
	want := []string{"[CARD, ACH] is in qualify.payment_methods too", "has more decimals than USD, the company's currency", "[2] is in qualify.customers too"}
	var got []string
	for _, p := range problems {
		got = append(got, p.Message)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	// a rule is silent while one of its settings is refused
	_, problems = ResolveCompany(with(map[string]any{"company.currency": "ZZZ", "invoices.variance": "0.001"}), time.LoadLocation)
	if keysOf(problems) != "company.currency" {
		t.Error(problems)
	}
	if _, problems = ResolveCompany(with(map[string]any{"company.currency": "KWD", "invoices.variance": "0.001"}), time.LoadLocation); problems != nil {
		t.Error("KWD has three decimals:", problems)
	}
}

func TestStrayKeys(t *testing.T) {
	_, problems := ResolveCompany(with(map[string]any{
		"zzz": "hunter2", "schedule.poll": "5m", "customers.creat": true, "customers": 5, "sk_live_abcdefghijkl": 1, "a\xffb.c": 1,
	}), time.LoadLocation)
	got := fmt.Sprint(problems)
	want := "[a\uFFFDb.c: no such setting customers: no such setting customers.creat: no such setting; did you mean customers.create? " +
		"schedule.poll: belongs to the settings of the deployment, not of the company [not shown]: no such setting zzz: no such setting]"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSameProblemsInTheSameOrder(t *testing.T) {
	values := map[string]any{"x": 1, "y": 2, "z": 3, "invoices.item_map": map[string]any{"a": uint8(1), "b": true, "c": nil, "d": ""}}
	_, first := ResolveCompany(values, time.LoadLocation)
	for range 20 {
		if _, again := ResolveCompany(values, time.LoadLocation); !slices.Equal(first, again) {
			t.Fatalf("%v\n%v", first, again)
		}
	}
	if !strings.Contains(fmt.Sprint(first), `value of "a": this kind of value is not a text`) {
		t.Error("other types must be refused:", first)
	}
}

func TestInherit(t *testing.T) {
	deployment := map[string]any{"notify.digest": "daily", "notify.recipients": []any{"a@example.com"}, "schedule.poll": "1h"}
	company := map[string]any{"notify.recipients": []any{"b@example.com"}, "company.mode": "live"}
	got := Inherit(company, deployment)
	if got["notify.digest"] != "daily" || fmt.Sprint(got["notify.recipients"]) != "[b@example.com]" || len(got) != 3 {
		t.Errorf("got %v", got)
	}
	if len(company) != 2 || len(Inherit(nil, deployment)) != 2 || len(Inherit(nil, nil)) != 0 {
		t.Error("arguments were changed, or nothing was inherited")
	}
}

func TestCustomersMayOverrideAutoPay(t *testing.T) {
	c, problems := ResolveCompany(with(map[string]any{"autopay.rule": "contracts", "autopay.customers": map[string]any{"1": "all", "2": "off"}}), time.LoadLocation)
	for customer, want := range map[string]AutoPayRule{"1": AutoPayAll, "2": AutoPayOff, "3": AutoPayContracts, "": AutoPayContracts} {
		if got := c.For(customer).AutoPay; got != want || problems != nil {
			t.Errorf("customer %q: %s, want %s, %v", customer, got, want, problems)
		}
	}
}

// Nothing is deprecated yet; the mechanism is held ready with declarations of its own.
func TestDeprecatedKeysStillCountAndWarn(t *testing.T) {
	var old, renamed string
	var kept int
	was := text(&old, "company.code", "Code", "Old name.")
	was.Deprecated, was.Successor = "renamed", "company.name"
	alone := number(&kept, "company.rank", "Rank", "Unused.", "1", "9").by(2)
	alone.Deprecated = "has no effect"
	read := func(values map[string]any) []Problem {
		renamed = ""
		r := resolution{scope: ScopeCompany, zone: time.LoadLocation,
			settings: []Setting{was, text(&renamed, "company.name", "Name", "New name.").must(), alone}}
		r.read(values)
		return r.sorted()
	}
	problems := read(map[string]any{"company.code": "x", "company.rank": 3})
	if renamed != "x" || old != "" || kept != 3 || Blocking(problems) || len(problems) != 2 ||
		problems[0].Message != "deprecated: renamed; use company.name" || problems[1].Message != "deprecated: has no effect" {
		t.Errorf("%q %q %d %v", renamed, old, kept, problems)
	}
	problems = read(map[string]any{"company.code": "x", "company.name": "y"})
	if renamed != "y" || !Blocking(problems) || len(problems) != 1 {
		t.Errorf("both given: %q %v", renamed, problems)
	}
	if problems := read(nil); keysOf(problems) != "company.name" {
		t.Error(problems)
	}
}

func TestSecretValuesAreNotShown(t *testing.T) {
	var field string
	s := text(&field, "company.code", "Code", "Code.").matching("^[a-z]+$", "letters")
	s.Secret = true
	r := resolution{scope: ScopeCompany, zone: time.LoadLocation, settings: []Setting{s}}
	r.read(map[string]any{"company.code": "UPPER"})
	if len(r.problems) != 1 || r.problems[0].Value != Hidden || strings.Contains(r.problems[0].String(), "UPPER") {
		t.Error(r.problems)
	}
}
