package settings

import (
	"reflect"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/money"
)

// other has, for every setting of a company, a value that is not its default and what the field must then hold.
func other(c *Company) []struct {
	key          string
	value        any
	field, wants any
} {
	type row = struct {
		key          string
		value        any
		field, wants any
	}
	texts := []string{"A", "B"}
	return []row{
		{"company.enabled", false, &c.Enabled, false},
		{"company.mode", "read_only", &c.Mode, ModeReadOnly},
		{"company.q360_company", "02", &c.Q360Company, "02"},
		{"company.currency", "KWD", &c.Currency, money.Currency("KWD")},
		{"sandbox.email", "safe@example.com", &c.SafeEmail, "safe@example.com"},
		{"customers.create", false, &c.Customers.Create, false},
		{"customers.sync_address", false, &c.Customers.SyncAddress, false},
		{"customers.address_source", "main_site", &c.Customers.AddressSource, "main_site"},
		{"customers.update_address", false, &c.Customers.UpdateAddress, false},
		{"customers.update_fields", []any{"phone"}, &c.Customers.UpdateFields, []string{"phone"}},
		{"customers.match", "number_then_metadata", &c.Customers.Match, "number_then_metadata"},
		{"customers.chase", false, &c.Customers.Chase, false},
		{"contacts.sync", false, &c.Contacts.Sync, false},
		{"contacts.roles", []any{"AP", "COLLECTIONS"}, &c.Contacts.Roles, []string{"AP", "COLLECTIONS"}},
		{"contacts.primary_role", "COLLECTIONS", &c.Contacts.PrimaryRole, "COLLECTIONS"},
		{"contacts.update", false, &c.Contacts.Update, false},
		{"contacts.deactivate", true, &c.Contacts.Deactivate, true},
		{"invoices.draft", true, &c.Invoices.Draft, true},
		{"invoices.send", "email", &c.Invoices.Send, "email"},
		{"invoices.comment", "notes", &c.Invoices.Comment, "notes"},
		{"invoices.lines_with_pdf", "detail", &c.Invoices.LinesWithPDF, "detail"},
		{"invoices.lines_without_pdf", "summary", &c.Invoices.LinesWithoutPDF, "summary"},
		{"invoices.summary_text", "No {{number}}", &c.Invoices.SummaryText, "No {{number}}"},
		{"invoices.terms_map", map[string]any{"N30": "NET 30"}, &c.Invoices.TermsMap, map[string]string{"N30": "NET 30"}},
		{"invoices.item_map", map[string]any{"LAB": "labor"}, &c.Invoices.ItemMap, map[string]string{"LAB": "labor"}},
		{"invoices.variance", "0.125", &c.Invoices.Variance, Amount("0.125")},
		{"invoices.zero_total", "send", &c.Invoices.ZeroTotal, "send"},
		{"invoices.update", "never", &c.Invoices.Update, "never"},
		{"invoices.gone", "void_if_unpaid", &c.Invoices.Gone, "void_if_unpaid"},
		{"credit_notes.sync", false, &c.CreditNotes.Sync, false},
		{"credit_notes.apply", "same_contract", &c.CreditNotes.Apply, "same_contract"},
		{"autopay.rule", "contracts", &c.AutoPay, AutoPayContracts},
		{"autopay.customers", map[string]any{"7": "off"}, &c.AutoPayCustomers, map[string]AutoPayRule{"7": AutoPayOff}},
		{"documents.attach", false, &c.Documents.Attach, false},
		{"documents.required", true, &c.Documents.Required, true},
		{"documents.wait_days", 30, &c.Documents.WaitDays, 30},
		{"documents.types", []any{"A", "B"}, &c.Documents.Types, texts},
		{"qualify.start_date", "2024-02-29", &c.Qualify.StartDate, "2024-02-29"},
		{"qualify.payment_methods", []any{"A", "B"}, &c.Qualify.PayMethods, texts},
		{"qualify.exclude_payment_methods", []any{"C"}, &c.Qualify.ExcludePayMethod, []string{"C"}},
		{"qualify.invoice_types", []any{"A", "B"}, &c.Qualify.InvoiceTypes, texts},
		{"qualify.min_balance", "0.500", &c.Qualify.MinBalance, Amount("0.500")},
		{"qualify.customers", []any{"A", "B"}, &c.Qualify.Customers, texts},
		{"qualify.exclude_customers", []any{"C"}, &c.Qualify.ExcludeCustomers, []string{"C"}},
		{"payments.mode", "all", &c.Payments.Mode, "all"},
		{"payments.methods_map", map[string]any{"check": "CHK"}, &c.Payments.Methods, map[string]string{"check": "CHK"}},
		{"payments.gl_accounts", map[string]any{"CAD": "1020"}, &c.Payments.GLAccounts, map[money.Currency]string{"CAD": "1020"}},
		{"payments.date", "settlement", &c.Payments.Date, "settlement"},
		{"payments.reference_prefix", "PAY_", &c.Payments.ReferencePrefix, "PAY_"},
		{"payments.overpayment", "on_account", &c.Payments.Overpayment, "on_account"},
		{"payments.closed_period", "next_open_day", &c.Payments.ClosedPeriod, "next_open_day"},
		{"payments.receipt_mode", "hold", &c.Payments.ReceiptMode, "hold"},
		{"payments.attempts", 5, &c.Payments.Attempts, 5},
		{"fees.strategy", "gl_line", &c.Fees.Strategy, "gl_line"},
		{"fees.gl_account", "4951", &c.Fees.GLAccount, "4951"},
		{"activity.viewed", false, &c.Activity.Viewed, false},
		{"activity.commented", false, &c.Activity.Commented, false},
		{"activity.paid", false, &c.Activity.Paid, false},
		{"activity.codes", map[string]any{"viewed": "V", "commented": "C", "paid": "P"}, &c.Activity.Codes,
			map[string]string{"viewed": "V", "commented": "C", "paid": "P"}},
		{"activity.viewed_collapse", "first", &c.Activity.ViewedCollapse, "first"},
		{"limits.q360_parallel", 7, &c.Limits.Q360Parallel, 7},
		{"limits.q360_rps", 8, &c.Limits.Q360PerSecond, 8},
		{"limits.invoiced_parallel", 9, &c.Limits.InvoicedParallel, 9},
		{"limits.invoiced_rps", 10, &c.Limits.InvoicedPerSec, 10},
		{"notify.digest", "off", &c.Notify.Digest, "off"},
		{"notify.recipients", []any{"a@example.com"}, &c.Notify.Recipients, []string{"a@example.com"}},
		{"notify.at", "23:59", &c.Notify.At, "23:59"},
	}
}

func TestEveryCompanySettingReachesItsField(t *testing.T) {
	var c Company
	values := map[string]any{"company.time_zone": "Asia/Kathmandu"}
	for _, o := range other(&c) {
		values[o.key] = o.value
	}
	if n := len((&Company{}).declare()); len(values) != n {
		t.Errorf("%d of %d settings are tried", len(values), n)
	}
	defaults, _ := ResolveCompany(nil, time.LoadLocation)
	before := other(&defaults)
	got, problems := ResolveCompany(values, time.LoadLocation)
	if problems != nil {
		t.Fatal(problems)
	}
	for i, o := range other(&got) {
		if v := reflect.ValueOf(o.field).Elem().Interface(); !reflect.DeepEqual(v, o.wants) {
			t.Errorf("%s = %v: the field holds %v", o.key, o.value, v)
		}
		if v := reflect.ValueOf(before[i].field).Elem().Interface(); reflect.DeepEqual(v, o.wants) {
			t.Errorf("%s: %v is what the field holds anyway", o.key, o.value)
		}
	}
	if got.TimeZone.String() != "Asia/Kathmandu" {
		t.Errorf("zone %s", got.TimeZone)
	}
}

func TestEveryDeploymentSettingReachesItsField(t *testing.T) {
	got, problems := ResolveDeployment(map[string]any{
		"documents.max_mib": 10, "schedule.poll": "90s", "schedule.gap_fill": "1h30m", "schedule.reconcile": " 15  4 * * * ",
		"retention.payloads_days": 30, "retention.inbox_days": 31, "notify.digest": "daily", "notify.recipients": []string{"a@example.com"}, "notify.at": "00:00",
	}, time.LoadLocation)
	want := Deployment{DocumentsMaxMiB: 10, Poll: 90 * time.Second, GapFill: 90 * time.Minute, Reconcile: "15 4 * * *",
		PayloadsDays: 30, InboxDays: 31, Digest: "daily", DigestRecipients: []string{"a@example.com"}, DigestAt: "00:00"}
	if problems != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, problems %v", got, problems)
	}
}

func TestEveryChoiceIsAccepted(t *testing.T) {
	for _, s := range Declarations() {
		for _, c := range s.Choices {
			var value any = c.Value
			switch s.Kind {
			case KindSet:
				value = []any{c.Value}
			case KindMap:
				value = map[string]any{"10045": c.Value}
			}
			if _, bad := s.accept(s, value, time.LoadLocation); bad != nil {
				t.Errorf("%s: choice %s: %v", s.Key, c.Value, bad)
			}
		}
	}
}

// Shapes that no setting of the kind takes; every setting is tried with all of them.
func TestEverySettingRefusesOtherShapes(t *testing.T) {
	scalarOnly := []any{[]any{}, []string{"x"}, map[string]any{}, map[string]string{"a": "b"}, struct{}{}, "", "  ", "\x00", "a\nb"}
	for _, s := range Declarations() {
		shapes := scalarOnly
		switch s.Kind {
		case KindList, KindSet:
			shapes = []any{"x", 1, true, map[string]any{}, struct{}{}, []any{nil}, []any{true}, []any{[]any{}}, []any{""}, []any{"\x00"}}
		case KindMap:
			shapes = []any{"x", 1, true, []any{}, struct{}{}, map[string]any{"": "a"}, map[string]any{"\x00": "a"}, map[string]any{"USD": nil}}
		case KindBool:
			shapes = append(shapes, 0, 1, "on", "True")
		case KindInt:
			shapes = append(shapes, true, "1.0", "1e1", "٣", "0x1")
		case KindDate, KindAmount, KindDuration, KindZone, KindCurrency, KindCron, KindEmail, KindEnum:
			shapes = append(shapes, true, "?", "1 2")
		}
		for _, shape := range shapes {
			if value, bad := s.accept(s, shape, time.LoadLocation); bad == nil {
				t.Errorf("%s takes %#v as %v", s.Key, shape, value)
			}
		}
	}
}

func TestBoundsOfListsMapsAndTexts(t *testing.T) {
	var long []any
	big := map[string]any{}
	for i := range maxEntries + 1 {
		code := string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676))
		long, big[code] = append(long, code), "x"
	}
	for key, value := range map[string]any{"qualify.customers": long, "invoices.terms_map": big} {
		_, problems := ResolveCompany(with(map[string]any{key: value}), time.LoadLocation)
		if len(problems) != 1 || problems[0].Message != "has 2001 entries, more than 2000" || problems[0].Value != "" {
			t.Errorf("%s: %v", key, problems)
		}
	}
	if c, problems := ResolveCompany(with(map[string]any{"qualify.customers": long[1:]}), time.LoadLocation); problems != nil || len(c.Qualify.Customers) != maxEntries {
		t.Errorf("%d entries: %v", len(c.Qualify.Customers), problems)
	}
}

func TestValuesOnEitherSideOfALimit(t *testing.T) {
	for _, s := range Declarations() {
		var outside []any
		switch s.Kind {
		case KindInt:
			outside = []any{mustInt(s.Min) - 1, mustInt(s.Max) + 1}
		case KindDuration:
			least, _ := time.ParseDuration(s.Min)
			most, _ := time.ParseDuration(s.Max)
			outside = []any{(least - time.Second).String(), (most + time.Second).String()}
		}
		for _, value := range outside {
			if got, bad := s.accept(s, value, time.LoadLocation); bad == nil {
				t.Errorf("%s takes %v as %v, beyond %s to %s", s.Key, value, got, s.Min, s.Max)
			}
		}
	}
}
