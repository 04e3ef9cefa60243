package settings

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// everyKey is the product's list; a key never changes its name.
const everyKey = `company.enabled company.mode company.q360_company company.time_zone company.currency sandbox.email
customers.create customers.sync_address customers.address_source customers.update_address customers.update_fields
customers.match customers.chase contacts.sync contacts.roles contacts.primary_role contacts.update contacts.deactivate
invoices.draft invoices.send invoices.comment invoices.lines_with_pdf invoices.lines_without_pdf invoices.summary_text
invoices.terms_map invoices.item_map invoices.variance invoices.zero_total invoices.update invoices.gone
credit_notes.sync credit_notes.apply autopay.rule autopay.customers documents.attach documents.required
documents.wait_days documents.types documents.max_mib qualify.start_date qualify.payment_methods
qualify.exclude_payment_methods qualify.invoice_types qualify.min_balance qualify.customers qualify.exclude_customers
payments.mode payments.methods_map payments.gl_accounts payments.date payments.reference_prefix payments.overpayment
payments.closed_period payments.receipt_mode payments.attempts fees.strategy fees.gl_account activity.viewed
activity.commented activity.paid activity.codes activity.viewed_collapse schedule.poll schedule.gap_fill
schedule.reconcile limits.q360_parallel limits.q360_rps limits.invoiced_parallel limits.invoiced_rps
retention.payloads_days retention.inbox_days notify.digest notify.recipients notify.at`

func TestEveryKeyIsDeclaredOnce(t *testing.T) {
	want := strings.Fields(everyKey)
	var got []string
	for _, s := range Declarations() {
		got = append(got, s.Key)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("declared %d keys, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
}

// fields collects the address of every leaf field of a struct.
func fields(v reflect.Value, path string, out map[any]string) {
	for i := range v.NumField() {
		f, name := v.Field(i), path+"."+v.Type().Field(i).Name
		if f.Kind() == reflect.Struct {
			fields(f, name, out)
		} else {
			out[f.Addr().Interface()] = name
		}
	}
}

func TestEveryKeyHasItsFieldAndEveryFieldItsKey(t *testing.T) {
	var c Company
	var d Deployment
	cases := map[string]struct {
		target   any
		settings []Setting
	}{"company": {&c, c.declare()}, "deployment": {&d, d.declare()}}
	for name, tc := range cases {
		free := map[any]string{}
		fields(reflect.ValueOf(tc.target).Elem(), name, free)
		for _, s := range tc.settings {
			if _, ok := free[s.target]; !ok {
				t.Errorf("%s: bound to no field of %s, or to one that another key has", s.Key, name)
			}
			delete(free, s.target)
		}
		for _, field := range free {
			t.Errorf("%s is bound to no key", field)
		}
	}
}

func TestDeclarationsAreComplete(t *testing.T) {
	key := regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)
	for _, s := range Declarations() {
		if !key.MatchString(s.Key) || s.Title == "" || s.Kind == "" || len(s.Scopes) == 0 {
			t.Errorf("%s: key, title, kind or scope is missing", s.Key)
		}
		if !slices.Contains(groupOrder(), s.Group()) {
			t.Errorf("%s: its group is not listed", s.Key)
		}
		if n := len(s.Summary()); n > 80 || n < 3 || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: first sentence has %d characters, or the help does not end in a full stop", s.Key, n)
		}
		if s.Default != nil && (s.Required || s.RequiredWhen != nil) {
			t.Errorf("%s: required and with a default", s.Key)
		}
		if s.Default == nil && !s.Required && s.RequiredWhen == nil && s.Key != "qualify.min_balance" {
			t.Errorf("%s: neither required nor with a default", s.Key)
		}
		if s.Kind == KindEnum && len(s.Choices) < 2 {
			t.Errorf("%s: an enumeration needs choices", s.Key)
		}
	}
}

func TestChoicesConditionsAndPatternsAreSound(t *testing.T) {
	for _, s := range Declarations() {
		for _, c := range append(slices.Clone(s.Choices), s.Keys...) {
			if c.Value == "" || !strings.HasSuffix(c.Help, ".") {
				t.Errorf("%s: choice %q has no help", s.Key, c.Value)
			}
		}
		if w := s.RequiredWhen; w != nil {
			other, err := Lookup(w.Key)
			if err != nil || other.Kind != KindEnum || notAmong(other.Choices, w.Value) != "" || other.Scopes[0] != s.Scopes[0] {
				t.Errorf("%s: required while %s, which is no choice of an enumeration of its scope", s.Key, w)
			}
		}
		for _, p := range []string{s.Pattern, s.KeyPattern} {
			if _, err := regexp.Compile(p); err != nil {
				t.Errorf("%s: %v", s.Key, err)
			}
		}
	}
}

func TestLimitsDefaultsAndExamplesAreAccepted(t *testing.T) {
	for _, s := range Declarations() {
		for name, value := range map[string]any{"default": s.Default, "example": s.Example} {
			if value == nil {
				continue
			}
			if _, bad := s.accept(s, value, time.LoadLocation); bad != nil {
				t.Errorf("%s: %s %v: %v", s.Key, name, value, bad)
			}
		}
		if s.Min == "" && s.Max == "" {
			continue
		}
		for _, limit := range []string{s.Min, s.Max} {
			if _, bad := s.accept(s, limit, time.LoadLocation); limit != "" && bad != nil {
				t.Errorf("%s: its own limit %s is refused: %v", s.Key, limit, bad)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	s, err := Lookup("schedule.poll")
	if err != nil || s.Group() != "schedule" || s.Name() != "poll" || s.Expected() != "a duration such as 90s, 5m or 1h30m, from 1m to 24h" {
		t.Errorf("Lookup: %+v, %v", s, err)
	}
	for key, want := range map[string]string{
		"schedule.pol":     `setting "schedule.pol": no such setting; did you mean schedule.poll?`,
		"create":           `setting "create": no such setting; did you mean customers.create?`,
		"payment.gapp":     `setting "payment.gapp": no such setting`,
		"contacts.chase":   `setting "contacts.chase": no such setting; did you mean customers.chase?`,
		"Company.MODE":     `setting "Company.MODE": no such setting; did you mean company.mode?`,
		"paymetns.gl_acct": `setting "paymetns.gl_acct": no such setting`,
	} {
		if _, err := Lookup(key); err == nil || err.Error() != want {
			t.Errorf("Lookup(%q) = %v, want %s", key, err, want)
		}
	}
}

func TestExpectedInWords(t *testing.T) {
	for key, want := range map[string]string{
		"company.enabled":      "true or false",
		"company.mode":         "one of live, sandbox, read_only, paused",
		"contacts.roles":       "a list of any of AR, AP, COLLECTIONS, ALL",
		"company.time_zone":    "an IANA time zone such as America/New_York",
		"company.currency":     "an ISO 4217 currency such as USD",
		"sandbox.email":        "one e-mail address",
		"invoices.variance":    "a number without currency such as 0.05, at least 0",
		"qualify.start_date":   "a calendar date such as 2026-01-31",
		"schedule.reconcile":   `five cron fields such as "0 3 * * *"`,
		"fees.gl_account":      `a general-ledger account such as "1010"`,
		"payments.gl_accounts": `a map from ISO 4217 currency to account, such as {USD: "1010"}`,
	} {
		if s, _ := Lookup(key); s.Expected() != want {
			t.Errorf("%s: %q, want %q", key, s.Expected(), want)
		}
	}
	for _, s := range []Setting{{Kind: KindString}, {Kind: KindList}, {Kind: KindMap}} {
		if s.Expected() == "" || (Setting{Kind: s.Kind, Max: "9"}).Expected() != s.Expected()+", at most 9" {
			t.Errorf("%s: %q", s.Kind, s.Expected())
		}
	}
}
