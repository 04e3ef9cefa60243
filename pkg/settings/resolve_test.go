package settings

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/money"
)

// least is the smallest set of values that a company can have.
func least() map[string]any {
	return map[string]any{
		"company.q360_company": json.Number("01"), "company.time_zone": "America/New_York", "company.currency": "USD",
		"sandbox.email": "test@example.com", "qualify.start_date": "2026-01-01",
		"payments.methods_map": map[string]any{"credit_card": "CARD"},
		"payments.gl_accounts": map[string]any{"USD": json.Number("1010")}, "fees.gl_account": 4950,
	}
}

func with(changes map[string]any) map[string]any {
	values := least()
	maps.Copy(values, changes)
	return values
}

func TestDefaultsOfACompany(t *testing.T) {
	got, problems := ResolveCompany(least(), time.LoadLocation)
	if problems != nil {
		t.Fatal(problems)
	}
	zone, _ := time.LoadLocation("America/New_York")
	want := Company{
		Enabled: true, Mode: ModeSandbox, Q360Company: "01", TimeZone: zone, Currency: "USD", SafeEmail: "test@example.com",
		Customers: Customers{Create: true, SyncAddress: true, AddressSource: "billing", UpdateAddress: true,
			UpdateFields: []string{"name", "terms"}, Match: "number", Chase: true},
		Contacts: Contacts{Sync: true, Roles: []string{"AP"}, PrimaryRole: "AP", Update: true},
		Invoices: Invoices{Send: "portal_default", Comment: "off", LinesWithPDF: "summary", LinesWithoutPDF: "detail",
			SummaryText: "Invoice {{number}}", TermsMap: map[string]string{}, ItemMap: map[string]string{}, Variance: "0.00",
			ZeroTotal: "skip", Update: "unpaid_only", Gone: "flag"},
		CreditNotes: CreditNotes{Sync: true, Apply: "none"},
		AutoPay:     AutoPayOff, AutoPayCustomers: map[string]AutoPayRule{},
		Documents: Documents{Attach: true, WaitDays: 14, Types: []string{}},
		Qualify: Qualify{StartDate: "2026-01-01", PayMethods: []string{}, ExcludePayMethod: []string{},
			InvoiceTypes: []string{}, Customers: []string{}, ExcludeCustomers: []string{}},
		Payments: Payments{Mode: "charged", Methods: map[string]string{"credit_card": "CARD"},
			GLAccounts: map[money.Currency]string{"USD": "1010"}, Date: "payment", ReferencePrefix: "IVD-",
			Overpayment: "hold", ClosedPeriod: "hold", ReceiptMode: "post", Attempts: 2},
		Fees: Fees{Strategy: "proportional", GLAccount: "4950"},
		Activity: Activity{Viewed: true, Commented: true, Paid: true, ViewedCollapse: "daily",
			Codes: map[string]string{"viewed": "RP-VIEWED", "commented": "RP-COMMENTED", "paid": "RP-PAID"}},
		Limits: Limits{Q360Parallel: 3, Q360PerSecond: 5, InvoicedParallel: 4, InvoicedPerSec: 5},
		Notify: Notify{Digest: "problems", Recipients: []string{}, At: "07:00"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsOfTheDeployment(t *testing.T) {
	got, problems := ResolveDeployment(nil, time.LoadLocation)
	want := Deployment{DocumentsMaxMiB: 25, Poll: 5 * time.Minute, GapFill: 15 * time.Minute, Reconcile: "0 3 * * *",
		PayloadsDays: 90, InboxDays: 400, Digest: "problems", DigestRecipients: []string{}, DigestAt: "07:00"}
	if diff := cmp.Diff(want, got); diff != "" || problems != nil {
		t.Error(diff, problems)
	}
}

func TestGivenValues(t *testing.T) {
	cases := map[string]struct {
		value any
		field func(Company) any
		want  any
	}{
		"company.enabled":         {false, func(c Company) any { return c.Enabled }, false},
		"invoices.draft":          {"true", func(c Company) any { return c.Invoices.Draft }, true},
		"customers.chase":         {"false", func(c Company) any { return c.Customers.Chase }, false},
		"company.mode":            {"live", func(c Company) any { return c.Mode }, ModeLive},
		"company.q360_company":    {" 007 ", func(c Company) any { return c.Q360Company }, "007"},
		"contacts.roles":          {[]any{"ALL"}, func(c Company) any { return c.Contacts.Roles }, []string{"ALL"}},
		"customers.update_fields": {[]string{}, func(c Company) any { return c.Customers.UpdateFields }, []string{}},
		"invoices.variance":       {json.Number("0.05"), func(c Company) any { return c.Invoices.Variance }, Amount("0.05")},
		"qualify.min_balance":     {5, func(c Company) any { return c.Qualify.MinBalance }, Amount("5")},
		"qualify.customers": {[]any{json.Number("10045"), "A1", "A1"}, func(c Company) any { return c.Qualify.Customers },
			[]string{"10045", "A1"}},
		"documents.wait_days": {json.Number("0"), func(c Company) any { return c.Documents.WaitDays }, 0},
		"payments.attempts":   {int64(3), func(c Company) any { return c.Payments.Attempts }, 3},
		"payments.gl_accounts": {map[string]any{"JPY": "1-2.3", "EUR": json.Number("1030.10")},
			func(c Company) any { return c.Payments.GLAccounts }, map[money.Currency]string{"JPY": "1-2.3", "EUR": "1030.10"}},
		"activity.codes": {map[string]any{"paid": "WEB-PAID"}, func(c Company) any { return c.Activity.Codes },
			map[string]string{"viewed": "RP-VIEWED", "commented": "RP-COMMENTED", "paid": "WEB-PAID"}},
		"autopay.customers": {map[string]string{"10045": "all"}, func(c Company) any { return c.AutoPayCustomers },
			map[string]AutoPayRule{"10045": AutoPayAll}},
		"invoices.terms_map": {map[string]any{"N 30": "NET 30"}, func(c Company) any { return c.Invoices.TermsMap },
			map[string]string{"N 30": "NET 30"}},
		"invoices.summary_text": {"{{number}} / {{po}}", func(c Company) any { return c.Invoices.SummaryText }, "{{number}} / {{po}}"},
		"credit_notes.apply":    {nil, func(c Company) any { return c.CreditNotes.Apply }, "none"},
	}
	for key, tc := range cases {
		c, problems := ResolveCompany(with(map[string]any{key: tc.value}), time.LoadLocation)
		if got := tc.field(c); !reflect.DeepEqual(got, tc.want) || problems != nil {
			t.Errorf("%s = %v: got %#v, want %#v, problems %v", key, tc.value, got, tc.want, problems)
		}
	}
}

type badValue struct {
	key   string
	value any
	want  string // value and message
}

func TestBadScalars(t *testing.T) {
	refused(t, []badValue{
		{"company.enabled", "yes", `"yes": neither true nor false`},
		{"company.enabled", 1, `1: neither true nor false`},
		{"company.mode", "Live", `"Live": no such choice; did you mean live?`},
		{"company.mode", false, `false: true or false is not a text`},
		{"company.mode", []any{"live"}, `["live"]: a list is not a text`},
		{"company.q360_company", "", `"": blank; leave the key out to have the default`},
		{"company.q360_company", "a\nb", `"a\nb": has line breaks or other control characters`},
		{"company.q360_company", "-1", `"-1": not of this form`},
		{"company.q360_company", strings.Repeat("9 ", 300), `"` + strings.Repeat("9 ", 29) + `9…: longer than 500 characters`},
		{"company.time_zone", "New York", `"New York": no such time zone`},
		{"company.time_zone", "Local", `"Local": depends on the machine`},
		{"company.currency", "usd", `"usd": no ISO 4217 currency; write it in upper case, USD`},
		{"company.currency", "XXX", `"XXX": no ISO 4217 currency`},
		{"sandbox.email", "Dana <dana@example.com>", `[not shown]: not of this form`},
		{"sandbox.email", "dana@localhost", `[not shown]: not of this form`},
		{"invoices.summary_text", "{{nummber}}", `"{{nummber}}": no such placeholder; did you mean {{number}}?`},
		{"invoices.summary_text", "{{number", `"{{number": a placeholder is not closed`},
		{"invoices.variance", "-0.01", `"-0.01": negative`},
		{"invoices.variance", json.Number("1e2"), `1e2: not a plain number`},
		{"invoices.variance", "1,000.00", `"1,000.00": not a plain number`},
		{"invoices.variance", "0.005", `: has more decimals than USD, the company's currency`},
		{"documents.wait_days", "14d", `"14d": not a plain whole number`},
		{"documents.wait_days", json.Number("014"), `014: not a plain whole number`},
		{"documents.wait_days", json.Number("0x1f"), `0x1f: not a plain whole number`},
		{"documents.wait_days", -1, `-1: too small`},
		{"documents.wait_days", json.Number("99999999999999999999"), `99999999999999999999: not a plain whole number`},
		{"limits.q360_rps", 1000, `1000: too large`},
		{"qualify.start_date", "2026-02-30", `"2026-02-30": not a date of the calendar`},
		{"qualify.start_date", json.Number("20260101"), `20260101: not a date of the calendar`},
		{"qualify.start_date", true, `true: not a date`},
		{"payments.reference_prefix", "INVOICED-", `"INVOICED-": not of this form`},
	})
}

func TestBadListsAndMaps(t *testing.T) {
	refused(t, []badValue{
		{"contacts.roles", "AP", `"AP": not a list; write it as [a, b]`},
		{"contacts.roles", []any{"AP", "CFO"}, `"CFO": no such choice`},
		{"contacts.roles", []any{"AP", "AP"}, `"AP": named twice`},
		{"contacts.roles", []any{"AP", nil}, `: nothing is not a text`},
		{"invoices.terms_map", []any{}, `[]: not a map; write it as {name: value}`},
		{"invoices.item_map", map[string]any{"A": true}, `true: value of "A": true or false is not a text`},
		{"invoices.item_map", map[string]any{" ": "x"}, `" ": key: blank; leave the key out to have the default`},
		{"autopay.customers", map[string]any{"10045": "some"}, `"some": value of "10045": no such choice`},
		{"documents.types", []any{"A", "?"}, `"?": entry 2: not of this form`},
		{"payments.methods_map", map[string]any{"Credit Card": "CARD"},
			`"Credit Card": the key is not an Invoiced payment method such as credit_card`},
		{"payments.gl_accounts", map[string]any{"usd": "1010"}, `"usd": the key is not an ISO 4217 currency such as USD`},
		{"payments.gl_accounts", map[string]any{"USB": "1010"}, `"USB": no ISO 4217 currency`},
		{"payments.gl_accounts", map[string]any{}, `: required while payments.mode is not off`},
		{"payments.gl_accounts", map[string]any{"USD": ""}, `"": value of "USD": blank; leave the key out to have the default`},
		{"activity.codes", map[string]any{"seen": "X"}, `"seen": no such key`},
		{"notify.recipients", []any{"nobody"}, `[not shown]: entry 1: not of this form`},
		{"contacts.primary_role", "AR", `: AR is none of contacts.roles, so no contact could be the primary one`},
		{"contacts.roles", []any{}, `: empty; set contacts.sync to false to send no contacts`},
	})
}

// refused expects exactly one problem of each value.
func refused(t *testing.T, cases []badValue) {
	t.Helper()
	for _, tc := range cases {
		_, problems := ResolveCompany(with(map[string]any{tc.key: tc.value}), time.LoadLocation)
		if len(problems) != 1 {
			t.Errorf("%s = %v: %d problems, want 1: %v", tc.key, tc.value, len(problems), problems)
			continue
		}
		p := problems[0]
		if got := p.Value + ": " + p.Message; p.Key != tc.key || got != tc.want || p.Expected == "" {
			t.Errorf("%s: %s\nwant %s", p.Key, got, tc.want)
		}
		if !Blocking(problems) || !strings.Contains(p.String(), p.Key) || !strings.Contains(p.String(), p.Expected) {
			t.Errorf("%s", p)
		}
	}
}

func TestBadDeploymentValues(t *testing.T) {
	_, problems := ResolveDeployment(map[string]any{
		"schedule.poll": "59s", "schedule.gap_fill": json.Number("15"), "schedule.reconcile": "0 3 30 2 *",
		"documents.max_mib": 0, "retention.inbox_days": "x", "notify.digest": "never", "company.mode": "live", "schedule.pole": 1,
	}, time.LoadLocation)
	want := []string{
		`documents.max_mib = 0: too small (expected a whole number, from 1 to 100)`,
		`schedule.poll = "59s": too short (expected a duration such as 90s, 5m or 1h30m, from 1m to 24h)`,
		`schedule.gap_fill = 15: not a duration with its unit (expected a duration such as 90s, 5m or 1h30m, from 1m to 24h)`,
		`schedule.reconcile = "0 3 30 2 *": no such day: it would never run (expected five cron fields such as "0 3 * * *")`,
		`retention.inbox_days = "x": not a plain whole number (expected a whole number, from 1 to 3650)`,
		`notify.digest = "never": no such choice (expected one of daily, problems, off)`,
		`company.mode: belongs to the settings of the company, not of the deployment`,
		`schedule.pole: no such setting; did you mean schedule.poll?`,
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, problems := ResolveDeployment(map[string]any{"schedule.poll": "25h"}, time.LoadLocation); len(problems) != 1 || problems[0].Message != "too long" {
		t.Error(problems)
	}
}
