package mapping

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
)

func TestDefaultLoads(t *testing.T) {
	m := Default()
	if m.Entities.Invoice.Table != "INVOICE" || m.Entities.Invoice.Columns.Total != "INVAMOUNT" {
		t.Errorf("invoice mapping: %+v", m.Entities.Invoice)
	}
	if m.Entities.Invoice.Columns.Subtotal != "" {
		t.Errorf("a null column must be empty, got %q", m.Entities.Invoice.Columns.Subtotal)
	}
	if m.Changes.Overlap != 15*time.Minute || m.Site.Timeouts.Write != 2*time.Minute || m.Dialect.LinePageSize != 500 {
		t.Errorf("times and sizes: %+v %+v %d", m.Changes, m.Site.Timeouts, m.Dialect.LinePageSize)
	}
	if got := m.Receipts.Application.Kinds[billing.LineOnAccount]; got != "ONACCT" {
		t.Errorf("on-account kind = %q", got)
	}
	if got := m.Site.Location().String(); got != "America/New_York" {
		t.Errorf("zone = %s", got)
	}
	if m.Defaults.GLAccounts["02"]["CAD"] != "1020" {
		t.Errorf("gl accounts: %v", m.Defaults.GLAccounts)
	}
}

func TestLoadFillsWhatIsNoSiteBusiness(t *testing.T) {
	text := edit(t, string(DefaultFile()), "  page_size: 100\n", "", "    kinds: {application: APPLY, fee: FEE, on_account: ONACCT}\n", "",
		"  overlap: 15m\n", "", "  max_parallel: 3\n", "", "  comment_max: 1000\n", "  comment_max: 200\n")
	m, err := Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if m.Dialect.PageSize != 100 || m.Changes.Overlap != 15*time.Minute || m.Site.MaxParallel != 3 {
		t.Errorf("not filled: %d %s %d", m.Dialect.PageSize, m.Changes.Overlap, m.Site.MaxParallel)
	}
	if m.Receipts.Application.Kinds[billing.LineApplication] != "APPLY" || m.History.CommentMax != 200 {
		t.Errorf("kinds %v, comment_max %d", m.Receipts.Application.Kinds, m.History.CommentMax)
	}
}

func TestLoadNeverInventsColumns(t *testing.T) {
	m, err := Load([]byte(edit(t, string(DefaultFile()), "      freight: FREIGHT          # assumed; null: none\n", "")))
	if err != nil {
		t.Fatal(err)
	}
	if m.Entities.Invoice.Columns.Freight != "" {
		t.Error("a column that the file leaves out came from the shipped file")
	}
	if slices.Contains(Names(m.Entities.Invoice.Columns), "FREIGHT") {
		t.Error("Names lists a column that is not mapped")
	}
}

func TestLoadReportsEachFault(t *testing.T) {
	cases := []struct {
		name, old, new string
		path, value    string
	}{
		{"contract", "q360-gateway/v1", "q360-gateway/v2", "contract", "q360-gateway/v2"},
		{"time zone", "America/New_York", "Mars/Base", "site.timezone", "Mars/Base"},
		{"base URL", "https://q360.example.com", "ftp://q360", "site.base_url", "ftp://q360"},
		{"public network", "  max_parallel: 3", "  max_parallel: 3\n  networks: [10.20.0.0/16, 0.0.0.0/0]", "site.networks[1]", "0.0.0.0/0"},
		{"loopback network", "  max_parallel: 3", "  max_parallel: 3\n  networks: [127.0.0.0/8]", "site.networks[0]", "127.0.0.0/8"},
		{"no network", "  max_parallel: 3", "  max_parallel: 3\n  networks: [10.20.0.0]", "site.networks[0]", "10.20.0.0"},
		{"unknown key", "  max_parallel: 3", "  max_paralel: 3", "site.max_paralel", "unknown key"},
		{"wrong kind", "page_size: 100\n", "page_size: many\n", "dialect.page_size", "many"},
		{"duration", "overlap: 15m", "overlap: soon", "changes.overlap", "soon"},
		{"boolean", "one_call: true", "one_call: perhaps", "receipts.application.one_call", "perhaps"},
		{"list expected", "outvars_at: [outvars, payload.outvars]", "outvars_at: outvars", "dialect.outvars_at", "outvars"},
		{"layout", `"2006-01-02 15:04:05.000"`, `"yyyy-mm-dd"`, "dialect.datetime_literal", "yyyy-mm-dd"},
		{"method", "method: PATCH", "method: DELETE", "dialect.update.method", "DELETE"},
		{"variable", `documentno: "{documentno}"`, `documentno: "1"`, "dialect.download.query", ""},
		{"identifier", "total: INVAMOUNT", `total: "INV AMOUNT"`, "entities.invoice.columns.total", "INV AMOUNT"},
		{"required column", "total: INVAMOUNT", "total: null", "entities.invoice.columns.total", ""},
		{"key differs", "invoiceno: INVOICENO", "invoiceno: INVNO", "entities.invoice.columns.invoiceno", "INVNO"},
		{"posted op", `op: "=", value: "Y"`, `op: "like", value: "Y"`, "entities.invoice.posted_when.op", "like"},
		{"role source", "role_source: column", "role_source: relation", "entities.contact.role_source", "relation"},
		{"role", "roles: {AR:", "roles: {BOSS: [B], AR:", "entities.contact.roles.BOSS", "BOSS"},
		{"mode", "mode: record", "mode: http", "receipts.mode", "http"},
		{"reference", "max_len: 20", "max_len: 3", "receipts.reference.max_len", "3"},
		{"fee mode", "mode: gl_line", "mode: somehow", "receipts.fee.mode", "somehow"},
		{"same kinds", "fee: FEE, on_account", "fee: APPLY, on_account", "receipts.application.kinds.fee", "APPLY"},
		{"strategy", "strategy: auto", "strategy: audit", "changes.strategy", "audit"},
		{"rule", `code: closed_period, message: '`, `code: closed_period, message: '(`, "classify[0].message", ""},
		{"currency", `{CAD: "1020"}`, `{XXD: "1020"}`, "defaults.gl_accounts.02.XXD", "XXD"},
		{"duplicate", "  strategy: auto", "  strategy: auto\n  strategy: auto", "changes.strategy", "given twice"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load([]byte(edit(t, string(DefaultFile()), c.old, c.new)))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Load gave %v", err)
			}
			i := slices.IndexFunc(problems, func(p Problem) bool { return p.Path == c.path })
			if i < 0 {
				t.Fatalf("no problem at %s in:\n%v", c.path, err)
			}
			if c.value != "" && problems[i].Value != c.value {
				t.Errorf("value = %q, want %q", problems[i].Value, c.value)
			}
			if problems[i].Want == "" {
				t.Error("the expected form is missing")
			}
		})
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	text := edit(t, string(DefaultFile()), "America/New_York", "Nowhere", "strategy: auto", "strategy: guess", "total: INVAMOUNT", "total: null",
		"  max_parallel: 3", "  max_parallel: 0x", "comment_max: 1000", "comment_max: 5")
	_, err := Load([]byte(text))
	for _, path := range []string{"site.timezone", "changes.strategy", "entities.invoice.columns.total", "site.max_parallel", "history.comment_max"} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s is not reported in: %v", path, err)
		}
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "list": "- a", "broken": "a: [", "two": string(DefaultFile()) + "\n---\na: b\n", "missing": "contract: q360-gateway/v1"} {
		if m, err := Load([]byte(text)); err == nil {
			t.Errorf("%s: loaded as %+v", name, m)
		}
	}
}

func TestOptionalTables(t *testing.T) {
	m := Default()
	m.Entities.Document, m.Entities.Contact, m.History, m.Receipts = nil, nil, nil, nil
	var f faults
	m.validate(&f)
	if len(f.list) > 0 {
		t.Errorf("optional tables are required: %v", f.list)
	}
	for _, ref := range m.Tables() {
		if slices.Contains([]string{"entities.document", "entities.contact", "history", "receipts.header"}, ref.Path) {
			t.Errorf("%s is listed but not mapped", ref.Path)
		}
	}
}

func TestTablesNameEveryColumn(t *testing.T) {
	m := Default()
	m.Entities.Contact.RoleSource = "flags"
	m.Entities.Contact.Roles = map[string][]string{"AR": {"ARFLAG"}, "AP": {"APFLAG"}}
	found := map[string]string{}
	writes := 0
	for _, ref := range m.Tables() {
		for _, c := range ref.Columns {
			found[c.Path] = ref.Table + "." + c.Column
		}
		if ref.Writes {
			writes++
		}
	}
	want := map[string]string{
		"entities.invoice.posted_when.column":      "INVOICE.PRTID",
		"entities.invoice_line.parent":             "INVOICEITEM.INVOICENO",
		"entities.contact.roles.AR":                "CONTACT.ARFLAG",
		"entities.contact.active_when.column":      "CONTACT.STATUS",
		"receipts.application.columns.kind":        "CASHRECEIPTITEM.TYPE",
		"history.columns.comment":                  "CONTACTHISTORY.COMMENT",
		"entities.company.columns.currency":        "COMPANY.DEFCURRENCY",
		"entities.customer.columns.invoice_siteno": "CUSTOMER.INVOICESITENO",
	}
	for path, column := range want {
		if found[path] != column {
			t.Errorf("%s = %q, want %q", path, found[path], column)
		}
	}
	if writes != 3 {
		t.Errorf("%d tables are written to, want receipt header, receipt lines, history", writes)
	}
}

func TestClassifyRefusal(t *testing.T) {
	m := Default()
	m.Classify = []Rule{
		{Code: "closed_period", ReferenceCode: "PeriodClosed"},
		{Code: "locked", Table: "CASHRECEIPT", Message: "locked by"},
	}
	var f faults
	for i := range m.Classify {
		m.Classify[i].validate(&f, "classify")
	}
	cases := []struct{ table, code, message, want string }{
		{"CASHRECEIPT", "periodclosed", "", "closed_period"},
		{"CASHRECEIPT", "", "row locked by BOB", "locked"},
		{"INVOICE", "", "row locked by BOB", ""},
		{"CASHRECEIPT", "Other", "something", ""},
	}
	for _, c := range cases {
		if got := m.ClassifyRefusal(c.table, c.code, c.message); got != c.want {
			t.Errorf("ClassifyRefusal(%q, %q, %q) = %q, want %q", c.table, c.code, c.message, got, c.want)
		}
	}
	if got := Default().ClassifyRefusal("CASHRECEIPT", "", "The fiscal period 2026-04 is closed."); got != "closed_period" {
		t.Errorf("shipped rule gave %q", got)
	}
}

func TestEveryMappedKeyHasATag(t *testing.T) {
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || !strings.Contains(typ.PkgPath(), "mapping") {
			return
		}
		for i := range typ.NumField() {
			if field := typ.Field(i); field.IsExported() {
				if field.Tag.Get("yaml") == "" {
					t.Errorf("%s.%s has no key in the file", typ.Name(), field.Name)
				}
				visit(field.Type)
			}
		}
	}
	visit(reflect.TypeFor[Mapping]())
}

func FuzzLoad(f *testing.F) {
	f.Add(defaultFile)
	f.Add([]byte("contract: [\n"))
	f.Add([]byte("site: {timeouts: &a {list: 1s}, name: *a}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Load(file)
		if (m == nil) == (err == nil) {
			t.Errorf("Load gave %v and %v", m, err)
		}
	})
}

// edit replaces each first text by the one after it, and insists that it is there.
func edit(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in the shipped file", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}
