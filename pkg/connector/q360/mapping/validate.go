package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/money"
)

const identifierForm = "a table or column name: letters, digits and _, not beginning with a digit"

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$#]*$`)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (m *Mapping) validate(f *faults) {
	f.check(m.Contract == Contract, "contract", m.Contract, Contract)
	m.validateSite(f)
	m.Dialect.validate(f)
	m.validateRequired(f)
	for _, t := range m.Tables() {
		t.validate(f)
	}
	m.validateEntities(f)
	m.validateReceipts(f)
	m.validateHistory(f)
	m.validateChanges(f)
	for i := range m.Classify {
		m.Classify[i].validate(f, fmt.Sprintf("classify[%d]", i))
	}
	m.Defaults.validate(f)
}

func (m *Mapping) validateSite(f *faults) {
	s := m.Site
	_, err := time.LoadLocation(s.Timezone)
	f.check(err == nil && s.Timezone != "" && s.Timezone != "Local", "site.timezone", s.Timezone, "an IANA time zone such as America/New_York")
	if s.BaseURL != "" { // without one the settings must give it
		u, err := url.Parse(s.BaseURL)
		ok := err == nil && u.Host != "" && u.User == nil && u.RawQuery == ""
		f.check(ok && (u.Scheme == "https" || u.Scheme == "http"), "site.base_url", s.BaseURL, "a URL such as https://q360.example.com, without user or query")
	}
	for i, text := range s.Networks {
		p, err := netip.ParsePrefix(text)
		f.check(err == nil && httpx.Private(p.Addr()), fmt.Sprintf("site.networks[%d]", i), text, "a private network such as 10.20.0.0/16")
	}
	f.check(s.MaxParallel >= 1 && s.MaxParallel <= 64, "site.max_parallel", s.MaxParallel, "1 to 64")
	for name, d := range map[string]time.Duration{"connect": s.Timeouts.Connect, "list": s.Timeouts.List, "write": s.Timeouts.Write, "download": s.Timeouts.Download} {
		f.check(d > 0 && d <= time.Hour, "site.timeouts."+name, d, "a duration above 0 and up to 1h")
	}
}

func (d Dialect) validate(f *faults) {
	d.List.validate(f, "dialect.list", "{table}", "part")
	d.Create.validate(f, "dialect.create", "", "part", "table_part")
	d.Update.validate(f, "dialect.update", "", "part", "table_part")
	d.Tables.validate(f, "dialect.tables", "")
	d.Columns.validate(f, "dialect.columns", "{table}")
	d.Download.validate(f, "dialect.download", "{documentno}")
	f.check(len(d.RowsAt) > 0, "dialect.rows_at", d.RowsAt, "places such as [payload.result]")
	f.check(len(d.OutvarsAt) > 0, "dialect.outvars_at", d.OutvarsAt, "places such as [outvars]")
	f.check(roundTrips(d.DatetimeLiteral), "dialect.datetime_literal", d.DatetimeLiteral,
		"a Go layout with year, month, day, hour, minute and second, such as 2006-01-02 15:04:05.000")
	f.check(d.PageSize >= 2 && d.PageSize <= 10_000, "dialect.page_size", d.PageSize, "2 to 10000")
	f.check(d.LinePageSize >= 2 && d.LinePageSize <= 10_000, "dialect.line_page_size", d.LinePageSize, "2 to 10000")
}

func roundTrips(layout string) bool {
	want := time.Date(2031, 11, 23, 21, 43, 57, 0, time.UTC)
	got, err := time.Parse(layout, want.Format(layout))
	return err == nil && got.Equal(want)
}

// validate checks one call form; variable must appear in the path or the query, parts must be named.
func (c Call) validate(f *faults, path, variable string, parts ...string) {
	f.oneOf(path+".method", c.Method, "GET", "POST", "PUT", "PATCH")
	f.check(strings.HasPrefix(c.Path, "/"), path+".path", c.Path, "a path beginning with /")
	all := c.Path
	for _, v := range c.Query {
		all += " " + v
	}
	found := variable == "" || strings.Contains(all, variable) || (variable == "{table}" && strings.Contains(all, "{tablename}"))
	f.check(found, path+".query", all, "the variable "+variable+" in the path or the query")
	if len(parts) > 0 {
		f.check(c.Body == "form" || (c.Body == "json" && path == "dialect.list"), path+".body", c.Body, "form (json only for dialect.list)")
	}
	for _, part := range parts {
		value := c.Part
		if part == "table_part" {
			value = c.TablePart
		}
		f.need(path+"."+part, value, "the name of a form part")
	}
}

func (m *Mapping) validateRequired(f *faults) {
	e := m.Entities
	f.check(e.Invoice != nil, "entities.invoice", "", "the invoice table: nothing works without it")
	f.check(e.InvoiceLine != nil, "entities.invoice_line", "", "the invoice line table: nothing works without it")
	f.check(e.Customer != nil, "entities.customer", "", "the customer table: nothing works without it")
}

func (t TableRef) validate(f *faults) {
	f.check(identifier.MatchString(t.Table), t.Path+".table", t.Table, identifierForm)
	f.check(identifier.MatchString(t.Key), t.Path+".key", t.Key, identifierForm)
	for _, c := range t.Columns {
		f.check(identifier.MatchString(c.Column), c.Path, c.Column, identifierForm+"; null when the site has none")
	}
	for _, name := range sortedKeys(t.Constants) {
		f.check(identifier.MatchString(name), t.Path+".constants."+name, name, identifierForm)
	}
}

// mapped checks that columns that no operation can do without are there.
func mapped(f *faults, path string, columns any, key string, names ...string) {
	have := map[string]string{}
	for _, r := range refs(path, columns) {
		have[strings.TrimPrefix(r.Path, path+".columns.")] = r.Column
	}
	for i, name := range names {
		column := have[name]
		if i == 0 && key != "" && column != "" {
			f.check(strings.EqualFold(column, key), path+".columns."+name, column, "the same column as "+path+".key: "+key)
		}
		f.need(path+".columns."+name, column, "a column name: this one can not be null")
	}
}

func (m *Mapping) validateEntities(f *faults) {
	e := m.Entities
	if t := e.Invoice; t != nil {
		mapped(f, "entities.invoice", t.Columns, t.Key, "invoiceno", "customerno", "invoice_date", "total", "balance")
		t.PostedWhen.validate(f, "entities.invoice.posted_when")
	}
	if t := e.InvoiceLine; t != nil {
		mapped(f, "entities.invoice_line", t.Columns, "", "amount")
		f.need("entities.invoice_line.parent", t.Parent, "the column with the invoice number")
	}
	if t := e.Customer; t != nil {
		mapped(f, "entities.customer", t.Columns, t.Key, "customerno", "name")
		t.ActiveWhen.validate(f, "entities.customer.active_when")
	}
	if t := e.Site; t != nil {
		mapped(f, "entities.site", t.Columns, t.Key, "siteno", "customerno")
	}
	if t := e.Agreement; t != nil {
		mapped(f, "entities.contract", t.Columns, t.Key, "contractno")
	}
	if t := e.Document; t != nil {
		mapped(f, "entities.document", t.Columns, t.Key, "documentno", "link_no", "filename")
		f.check(t.Columns.LinkType == "" || t.LinkTypeValues["invoice"] != "", "entities.document.link_type_values.invoice", "", "the value that marks the file of an invoice")
	}
	if t := e.GLAccount; t != nil {
		mapped(f, "entities.glaccount", t.Columns, t.Key, "accountno")
	}
	if t := e.Company; t != nil {
		mapped(f, "entities.company", t.Columns, t.Key, "companyno")
	}
	m.validateContact(f)
}

func (m *Mapping) validateContact(f *faults) {
	t := m.Entities.Contact
	if t == nil {
		return
	}
	mapped(f, "entities.contact", t.Columns, t.Key, "contactno", "customerno")
	t.ActiveWhen.validate(f, "entities.contact.active_when")
	f.oneOf("entities.contact.role_source", t.RoleSource, "column", "flags")
	known := []string{string(billing.RoleAR), string(billing.RoleAP), string(billing.RoleCollections)}
	for _, role := range sortedKeys(t.Roles) {
		f.oneOf("entities.contact.roles."+role, role, known...)
	}
}

// validate checks a condition; only tests that we can decide as the server does are possible.
func (c *Condition) validate(f *faults, path string) {
	if c == nil {
		return
	}
	f.need(path+".column", c.Column, "a column name")
	f.oneOf(path+".op", c.Op, "=", "!=", "isnull", "isnotnull")
	if c.Op == "=" || c.Op == "!=" {
		f.need(path+".value", c.Value, "the value to compare with")
	}
}

func (m *Mapping) validateReceipts(f *faults) {
	r := m.Receipts
	if r == nil {
		return
	}
	f.check(r.Mode == "record" || r.Mode == "hold", "receipts.mode", r.Mode, "record, or hold (action and http need a service at the site that this version can not call)")
	f.check(r.Post == nil, "receipts.post", "set", "null: no call that posts a receipt is known")
	f.check(r.Action == nil, "receipts.action", "set", "null: receipts are created as records")
	if r.Mode == "record" {
		mapped(f, "receipts.header", r.Header.Columns, r.Header.Key, "receiptno", "date", "amount", "reference", "gl_account")
		mapped(f, "receipts.application", r.Application.Columns, "", "receiptno", "invoiceno", "amount")
		r.Application.validateKinds(f)
	}
	f.oneOf("receipts.applied_when", r.AppliedWhen, "on_create", "on_post", "nightly")
	f.check(r.Reference.MaxLen > len(r.Reference.Prefix) && r.Reference.MaxLen <= 255, "receipts.reference.max_len", r.Reference.MaxLen, "more than the prefix's length and at most 255")
	if r.Fee.Mode != "" {
		f.oneOf("receipts.fee.mode", r.Fee.Mode, "exclude", "gl_line", "unapplied")
		f.check(r.Fee.Mode != "gl_line" || r.Fee.GLAccount != "", "receipts.fee.gl_account", r.Fee.GLAccount, "the account of the fee income")
	}
	if r.ClosedPeriod.Policy != "" {
		f.oneOf("receipts.closed_period.policy", r.ClosedPeriod.Policy, "next_open_day", "fail")
	}
}

func (a ReceiptLine) validateKinds(f *faults) {
	known := []string{string(billing.LineApplication), string(billing.LineFee), string(billing.LineOnAccount)}
	values := map[string]billing.LineKind{}
	for _, kind := range sortedKeys(a.Kinds) {
		path := "receipts.application.kinds." + string(kind)
		f.oneOf(path, string(kind), known...)
		if v := strings.ToUpper(a.Kinds[kind]); v != "" {
			f.check(values[v] == "", path, a.Kinds[kind], "a value of its own: "+string(values[v])+" has the same")
			values[v] = kind
		}
	}
	if a.Columns.Kind != "" {
		f.need("receipts.application.kinds.application", a.Kinds[billing.LineApplication], "the value of the kind column of an application")
	}
}

func (m *Mapping) validateHistory(f *faults) {
	h := m.History
	if h == nil || !h.Enabled {
		return
	}
	mapped(f, "history", h.Columns, h.Key, "history_id", "code", "link_no", "comment")
	f.check(h.Columns.LinkType == "" || h.LinkTypeValues["invoice"] != "", "history.link_type_values.invoice", "", "the value that links an entry to an invoice")
	for _, name := range sortedKeys(h.Codes) {
		f.oneOf("history.codes."+name, name, "viewed", "commented", "paid")
		f.need("history.codes."+name, h.Codes[name], "a code such as RP-VIEWED")
	}
	f.check(h.CommentMax >= 64, "history.comment_max", h.CommentMax, "at least 64 characters: the key needs room")
}

func (m *Mapping) validateChanges(f *faults) {
	c := m.Changes
	f.oneOf("changes.strategy", c.Strategy, "auto", "moddate", "snapshot")
	if c.Strategy == "moddate" && m.Entities.Invoice != nil {
		f.need("entities.invoice.columns.modified_at", m.Entities.Invoice.Columns.Modified, "the change stamp, or changes.strategy snapshot")
	}
	f.check(c.Overlap >= time.Second && c.Overlap <= 24*time.Hour, "changes.overlap", c.Overlap, "1s to 24h")
	f.check(c.Snapshot.RecentDays >= 1 && c.Snapshot.RecentDays <= 3660, "changes.snapshot.recent_days", c.Snapshot.RecentDays, "1 to 3660")
	f.check(c.Snapshot.FullOpenEvery >= time.Minute, "changes.snapshot.full_open_every", c.Snapshot.FullOpenEvery, "at least 1m")
}

func (r *Rule) validate(f *faults, path string) {
	f.need(path+".code", r.Code, "a code such as closed_period")
	f.check(r.ReferenceCode != "" || r.Message != "", path, "no pattern", "referencecode, message or both")
	if r.Message == "" {
		return
	}
	re, err := regexp.Compile(r.Message)
	f.check(err == nil, path+".message", r.Message, "a regular expression (Go syntax)")
	r.message = re
}

func (d Defaults) validate(f *faults) {
	f.need("defaults.companyno", d.CompanyNo, "a company code such as 01, in quotes")
	for _, company := range sortedKeys(d.GLAccounts) {
		for _, cur := range sortedKeys(d.GLAccounts[company]) {
			path := "defaults.gl_accounts." + company + "." + cur
			f.check(money.Currency(cur).Known(), path, cur, "an ISO 4217 currency code such as USD")
			f.need(path, d.GLAccounts[company][cur], "the number of a bank account")
		}
	}
}
