package q360

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/secret"
)

// stillClock jumps over pauses, so that tests never wait.
type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) Sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

func (c *stillClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const testPassword = "s3cret-Passw0rd"

type fixedSecrets map[string]string

func (s fixedSecrets) Get(_ context.Context, name string) ([]secret.Value, error) {
	text, ok := s[name]
	if !ok {
		return nil, secret.ErrNotFound
	}
	return []secret.Value{secret.NewValue(text)}, nil
}

// site is a small Q360: tables with rows of texts, lists with filters and order as SQL Server does them, creates.
type site struct {
	mu     sync.Mutex
	tables map[string]*siteTable
	calls  map[string]int // per method and table
	log    []string

	griddata  bool // rows in payload.griddata.record, outvars in the payload
	lower     bool // column names in lower case
	noHasMore bool
	cap       int                                                           // most rows of a list, 0: as asked
	before    func(table string)                                            // runs before each list, to change data under way
	answer    func(w http.ResponseWriter, r *http.Request, tbl string) bool // takes over a call when it returns true
	refuse    func(table string, record map[string]string) (code, message string)
	denied    map[string]bool
}

type siteTable struct {
	key     string
	columns map[string]string // name: type (text, char, money, date)
	lens    map[string]int
	must    []string
	rows    []map[string]string
	next    int
}

// newSite has every table and column of the shipped mapping.
func newSite() *site {
	s := &site{tables: map[string]*siteTable{}, calls: map[string]int{}, denied: map[string]bool{}}
	for _, t := range mapping.Default().Tables() {
		tbl := &siteTable{key: t.Key, columns: map[string]string{t.Key: "char"}, lens: map[string]int{}}
		for _, c := range t.Columns {
			tbl.columns[c.Column] = columnType(c.Path)
		}
		tbl.columns[t.Key] = "char"
		s.tables[t.Table] = tbl
	}
	return s
}

func columnType(path string) string {
	name := path[strings.LastIndex(path, ".")+1:]
	switch {
	case slices.Contains([]string{"total", "tax", "freight", "paid", "balance", "amount", "quantity", "unit_price"}, name):
		return "money"
	case strings.HasSuffix(name, "_date") || slices.Contains([]string{"date", "modified_at", "due_date"}, name):
		return "date"
	}
	return "text"
}

// add puts a row in a table; values come as "COLUMN=value" pairs.
func (s *site) add(table string, pairs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		if s.tables[table].columns[name] == "" {
			panic("no column " + table + "." + name)
		}
		row[name] = value
	}
	s.tables[table].rows = append(s.tables[table].rows, row)
}

// set changes a row. It is for use in the before hook too, which runs without the lock.
func (s *site) set(table, key string, pairs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	for _, row := range t.rows {
		if row[t.key] == key {
			for _, p := range pairs {
				name, value, _ := strings.Cut(p, "=")
				row[name] = value
			}
		}
	}
}

func (s *site) remove(table, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	t.rows = slices.DeleteFunc(t.rows, func(row map[string]string) bool { return row[t.key] == key })
}

// count is the number of calls since the last reset, of all kinds.
func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, k := range s.calls {
		n += k
	}
	return n
}

func (s *site) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.log = map[string]int{}, nil
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, pass, ok := r.BasicAuth(); !ok || user != "APIUSER" || pass != testPassword {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	table := strings.TrimPrefix(r.URL.Path, "/api/Record/")
	if r.Method == http.MethodPut {
		table = r.FormValue("_tablename")
	}
	if r.URL.Path == "/api/DataDict" {
		table = "DataDict " + r.URL.Query().Get("tablename")
	}
	s.mu.Lock()
	s.calls[r.Method+" "+table]++
	s.log = append(s.log, r.Method+" "+table+" "+r.FormValue("jsonRequest"))
	s.mu.Unlock()
	if s.answer != nil && s.answer(w, r, table) {
		return
	}
	if s.before != nil && r.Method == http.MethodPost {
		s.before(table)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.denied[table]:
		s.fail(w, "DataSourceNotPermitted", "Access denied. APIUSER must be granted permission to "+table+".")
	case strings.HasPrefix(table, "DataDict"):
		s.dictionary(w, r.URL.Query().Get("tablename"))
	case s.tables[table] == nil:
		s.fail(w, "", "Access denied. Invalid or unauthorized endpoint.")
	case r.Method == http.MethodPut:
		s.create(w, table, r.FormValue("jsonRequest"), r.FormValue("_preview") == "Y")
	default:
		s.list(w, s.tables[table], r.FormValue("jsonRequest"))
	}
}

func (s *site) fail(w http.ResponseWriter, code, message string) {
	json.NewEncoder(w).Encode(map[string]any{"code": 400, "success": false, "message": message,
		"payload": map[string]any{"_error": []any{map[string]any{"errorno": "50000", "errormessage": message, "referencecode": code}}}})
}

func (s *site) reply(w http.ResponseWriter, rows []map[string]any, outvars map[string]any) {
	payload := map[string]any{"result": rows}
	out := map[string]any{"code": 200, "success": true, "message": "", "payload": payload, "outvars": outvars}
	if s.griddata {
		delete(out, "outvars")
		out["payload"] = map[string]any{"griddata": map[string]any{"record": rows}, "outvars": outvars}
	}
	json.NewEncoder(w).Encode(out)
}

func (s *site) dictionary(w http.ResponseWriter, table string) {
	rows := []map[string]any{}
	if table == "" {
		for name := range s.tables {
			rows = append(rows, map[string]any{"table_dbf": name, "table_type": "TABLE"})
		}
	} else if t := s.tables[table]; t != nil {
		for name, kind := range t.columns {
			length := t.lens[name]
			if length == 0 {
				length = 2000
			}
			rows = append(rows, map[string]any{"table_dbf": table, "field_name": name, "sqltype": map[string]string{"text": "VARCHAR", "char": "CHAR", "money": "MONEY", "date": "DATETIME"}[kind], "field_len": fmt.Sprint(length),
				"mandatoryflag": flag(slices.Contains(t.must, name), "Y", "N"), "p_key": flag(name == t.key, "T", "F")})
		}
	}
	s.reply(w, rows, map[string]any{})
}

func flag(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func (s *site) create(w http.ResponseWriter, table, request string, preview bool) {
	var in struct {
		Griddata struct{ Record []map[string]string }
	}
	json.Unmarshal([]byte(request), &in)
	t := s.tables[table]
	for _, rec := range in.Griddata.Record {
		for name := range rec {
			if t.columns[name] == "" {
				s.fail(w, "InvalidColumn", "Column "+name+" does not exist.")
				return
			}
		}
		if s.refuse != nil {
			if code, message := s.refuse(table, rec); message != "" {
				s.fail(w, code, message)
				return
			}
		}
	}
	var keys []string
	for _, rec := range in.Griddata.Record {
		if !preview {
			t.next++
			rec[t.key] = fmt.Sprintf("%s%04d", table[:1], t.next)
			keys = append(keys, rec[t.key])
			t.rows = append(t.rows, rec)
		}
	}
	s.reply(w, nil, map[string]any{"primarykey": strings.Join(keys, ",")})
}

type siteQuery struct {
	Columns []string
	Filters []struct{ Field, Op, Value string }
	OrderBy []struct{ Field, Dir string }
	Offset  int
	Limit   int
}

func (s *site) list(w http.ResponseWriter, t *siteTable, request string) {
	var q siteQuery
	if err := json.Unmarshal([]byte(request), &q); err != nil {
		s.fail(w, "RequestMissing", "jsonRequest missing")
		return
	}
	for _, name := range append(slices.Clone(q.Columns), fields(q)...) {
		if t.columns[name] == "" {
			s.fail(w, "InvalidColumn", "Column "+name+" does not exist.")
			return
		}
	}
	var found []map[string]string
	for _, row := range t.rows {
		if t.matches(row, q) {
			found = append(found, row)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]string) int {
		for _, o := range q.OrderBy {
			if n := compare(t.columns[o.Field], a[o.Field], b[o.Field]); n != 0 {
				return n * map[bool]int{true: -1, false: 1}[o.Dir == "DESC"]
			}
		}
		return 0
	})
	limit := q.Limit
	if s.cap > 0 {
		limit = min(limit, s.cap)
	}
	more := len(found) > limit
	rows := []map[string]any{}
	for _, row := range found[:min(limit, len(found))] {
		rows = append(rows, s.render(t, row, q.Columns))
	}
	outvars := map[string]any{"hasmore": flag(more, "Y", "N")}
	if s.noHasMore {
		outvars = map[string]any{}
	}
	s.reply(w, rows, outvars)
}

func fields(q siteQuery) []string {
	var out []string
	for _, f := range q.Filters {
		out = append(out, f.Field)
	}
	for _, o := range q.OrderBy {
		out = append(out, o.Field)
	}
	return out
}

func (t *siteTable) matches(row map[string]string, q siteQuery) bool {
	for _, f := range q.Filters {
		value, set := row[f.Field]
		if f.Op == "isnull" || f.Op == "isnotnull" {
			if set == (f.Op == "isnull") {
				return false
			}
			continue
		}
		n := compare(t.columns[f.Field], value, f.Value)
		ok := map[string]bool{"=": n == 0, "!=": n != 0, "<": n < 0, ">": n > 0, "<=": n <= 0, ">=": n >= 0}[f.Op]
		if !set || !ok {
			return false
		}
	}
	return true
}

// compare is the database's order: numbers by value, texts without regard to case and trailing blanks.
func compare(kind, a, b string) int {
	if kind == "money" {
		x, _ := decimal.NewFromString(strings.TrimSpace(a))
		y, _ := decimal.NewFromString(strings.TrimSpace(b))
		return x.Cmp(y)
	}
	return strings.Compare(strings.ToUpper(strings.TrimRight(a, " ")), strings.ToUpper(strings.TrimRight(b, " ")))
}

func (s *site) render(t *siteTable, row map[string]string, columns []string) map[string]any {
	out := map[string]any{}
	for _, name := range columns {
		value, set := row[name]
		var v any
		if set {
			switch t.columns[name] {
			case "char":
				value = fmt.Sprintf("%-12s", value)
			case "money":
				if d, err := decimal.NewFromString(value); err == nil && -d.Exponent() <= 4 {
					value = d.StringFixed(4)
				}
			}
			v = value
		}
		if s.lower {
			name = strings.ToLower(name)
		}
		out[name] = v
	}
	return out
}

var testStart = time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC) // 10:00 in New York

// serve starts a connector against the site. edit may change the configuration.
func serve(t testing.TB, s *site, edit ...func(*Config)) (*Connector, *stillClock) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	clk := &stillClock{now: testStart}
	cfg := Config{Mapping: mapping.Default(), CompanyNo: "01", DefaultCurrency: money.USD, BaseURL: server.URL, CredentialsSecret: "api", PerSecond: 1_000_000, Parallel: 4}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := New(cfg, Deps{Secrets: fixedSecrets{"api": `{"user":"APIUSER","password":"` + testPassword + `"}`}, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	return c, clk
}

// stamp is a site-local date-time, seconds after midnight of 2026-05-04.
func stamp(seconds int) string {
	return time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second).Format("2006-01-02 15:04:05.000")
}

// addInvoice puts a posted invoice of 100.00 with one line of 90.00, tax 10.00, in company 01.
func (s *site) addInvoice(number string, modified string, pairs ...string) {
	s.add("INVOICE", append([]string{"INVOICENO=" + number, "CUSTOMERNO=C1", "COMPANYNO=01", "CURRENCY=USD", "INVOICEDATE=2026-05-01 00:00:00.000",
		"POSTDATE=2026-05-01 00:00:00.000", "DUEDATE=2026-05-31 00:00:00.000", "INVAMOUNT=100", "TAXAMOUNT=10", "PAIDAMOUNT=0", "BALANCE=100", "PRTID=Y",
		"MODDATE=" + modified}, pairs...)...)
	s.add("INVOICEITEM", "INVOICEITEMNO="+number+"-1", "INVOICENO="+number, "SEQ=10", "DESCRIPTION=Work", "QTY=2", "PRICE=45", "EXTENDEDPRICE=90")
}

func classOf(t *testing.T, err error, want connector.Class) {
	t.Helper()
	if err == nil || connector.ClassOf(err) != want {
		t.Fatalf("error %v, want class %s", err, want)
	}
}

func usd(s string) money.Money { return money.MustParse(s, money.USD) }
