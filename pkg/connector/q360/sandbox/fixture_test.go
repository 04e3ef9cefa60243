package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"context"
)

// stillClock stands still until it is advanced.
type stillClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stillClock) Sleep(context.Context, time.Duration) error { return nil }

func (c *stillClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// site is a sandbox with a few rows, reached over HTTP as user APIUSER.
type site struct {
	*Server
	t     *testing.T
	url   string
	clock *stillClock
	user  string
	pass  string
}

func testConfig(clock *stillClock, path string) Config {
	zone := time.FixedZone("EST", -5*3600)
	edit := []Grant{{Source: "*", Edit: true}}
	return Config{
		StatePath: path, Clock: clock, Location: zone, Logger: slog.New(slog.DiscardHandler),
		Users: []User{
			{Name: "APIUSER", Password: "secret", Type: TypeAPI, Grants: edit},
			{Name: "CHANGER", Password: "secret", Type: TypeAPI, Grants: edit, Rights: []string{RightInvoiceChange}},
			{Name: "READER", Password: "secret", Type: TypeAPI, Grants: []Grant{{Source: "INVOICE"}, {Source: "CUSTOMER", Edit: true, EditCondition: "COMPANYNO = '01' AND STATUS != 'INACTIVE'"}}},
			{Name: "NOBODY", Password: "secret", Type: TypeAPI},
			{Name: "WEBUSER", Password: "secret", Type: TypeWeb, Grants: edit},
		},
		Scenarios: map[string]func() (Batch, error){"basic": func() (Batch, error) { return basicRows(), nil }},
	}
}

// newSite starts a sandbox whose clock stands at 2026-03-10 14:30:00.125 UTC, 09:30 at the site.
func newSite(t *testing.T, quirks Quirks) *site {
	t.Helper()
	s := openSite(t, t.TempDir()+"/state", quirks)
	if _, err := s.Seed(SeedRequest{Scenario: "basic"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func openSite(t *testing.T, path string, quirks Quirks) *site {
	t.Helper()
	clock := &stillClock{at: time.Date(2026, 3, 10, 14, 30, 0, 125_000_000, time.UTC)}
	config := testConfig(clock, path)
	config.Quirks = quirks
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{Server: server, t: t, url: web.URL, clock: clock, user: "APIUSER", pass: "secret"}
}

func (s *site) as(user string) *site {
	other := *s
	other.user = user
	return &other
}

func basicRows() Batch {
	invoice := func(no, customer, company, currency, total, posted string) Record {
		return Record{"INVOICENO": no, "CUSTOMERNO": customer, "COMPANYNO": company, "CURRENCY": currency, "INVAMOUNT": total,
			"TAXAMOUNT": "0", "FREIGHT": "0", "RETENTION": "0", "WRITEOFFAMOUNT": "0", "PAIDAMOUNT": "0", "BALANCE": total,
			"INVOICEDATE": "2026-03-01", "PRTID": posted, "MODDATE": "2026-03-01 10:00:00.000"}
	}
	return Batch{Tables: map[string][]Record{
		"CURRENCY": {{"CURRENCY": "USD"}, {"CURRENCY": "CAD"}, {"CURRENCY": "EUR"}},
		"FXRATE": {
			{"FXRATENO": "1", "CURRENCY": "EUR", "STARTDATE": "2026-01-01", "ENDDATE": "2026-03-05", "RATE": "1.1"},
			{"FXRATENO": "2", "CURRENCY": "EUR", "STARTDATE": "2026-03-06", "RATE": "1.2"},
		},
		"COMPANY": {
			{"COMPANYNO": "01", "COMPANY": "One", "DEFCURRENCY": "USD", "ARACCOUNT": "1200", "SALESACCOUNT": "4000", "WRITEOFFACCOUNT": "6900", "FXACCOUNT": "7000"},
			{"COMPANYNO": "02", "COMPANY": "Two", "DEFCURRENCY": "CAD", "ARACCOUNT": "1200", "SALESACCOUNT": "4000", "WRITEOFFACCOUNT": "6900", "FXACCOUNT": "7000"},
		},
		"FISCALENDAR": {
			{"FISCALENDARNO": "1", "COMPANYNO": "01", "PERIOD": "2026-02", "STARTDATE": "2026-02-01", "ENDDATE": "2026-02-28", "STATUS": "CLOSED"},
			{"FISCALENDARNO": "2", "COMPANYNO": "01", "PERIOD": "2026-03", "STARTDATE": "2026-03-01", "ENDDATE": "2026-03-31", "STATUS": "OPEN"},
			{"FISCALENDARNO": "3", "COMPANYNO": "02", "PERIOD": "2026-03", "STARTDATE": "2026-03-01", "ENDDATE": "2026-03-31", "STATUS": "OPEN"},
		},
		"GLACCOUNT": {
			{"ACCOUNTNO": "1010", "BANKFLAG": "Y", "CURRENCY": "USD"}, {"ACCOUNTNO": "1020", "BANKFLAG": "Y", "CURRENCY": "CAD"},
			{"ACCOUNTNO": "1030", "BANKFLAG": "Y", "CURRENCY": "EUR"}, {"ACCOUNTNO": "1200", "BANKFLAG": "N", "CURRENCY": "USD"},
			{"ACCOUNTNO": "4950", "BANKFLAG": "N"},
		},
		"CUSTOMER": {
			{"CUSTOMERNO": "C00001", "COMPANY": "North Peak University", "TYPE": "CUSTOMER", "STATUS": "ACTIVE", "COMPANYNO": "01", "DEFCURRENCY": "USD", "PAYMENTTERMS": "NET30", "CREDITHOLD": "0"},
			{"CUSTOMERNO": "C00002", "COMPANY": "Prospect Inc", "TYPE": "PROSPECT", "STATUS": "ACTIVE", "COMPANYNO": "01", "DEFCURRENCY": "USD"},
			{"CUSTOMERNO": "C00003", "COMPANY": "Éclair & Söhne", "TYPE": "CUSTVEND", "STATUS": "INACTIVE", "COMPANYNO": "02", "DEFCURRENCY": "CAD"},
		},
		"CONTACT": {{"CONTACTNO": "K00001", "CUSTOMERNO": "C00001", "EMAIL": "ap@northpeak.example", "TYPE": "AP"}},
		"INVOICE": {
			invoice("104001", "C00001", "01", "USD", "100.00", "Y"), invoice("104002", "C00001", "01", "USD", "50.25", "N"),
			invoice("104003", "C00001", "01", "USD", "-40.00", "Y"), invoice("104004", "C00003", "02", "CAD", "200.00", "Y"),
			invoice("104005", "C00001", "01", "EUR", "300.00", "Y"), invoice("104006", "C00003", "01", "USD", "10.00", "Y"),
		},
		"INVOICEITEM": {
			{"INVOICEITEMNO": "1", "INVOICENO": "104001", "SEQ": "20", "DESCRIPTION": "second", "QTY": "1", "PRICE": "40", "EXTENDEDPRICE": "40"},
			{"INVOICEITEMNO": "2", "INVOICENO": "104001", "SEQ": "10", "DESCRIPTION": "first", "QTY": "2.5", "PRICE": "24", "EXTENDEDPRICE": "60"},
			{"INVOICEITEMNO": "3", "INVOICENO": "104002", "SEQ": "10", "DESCRIPTION": "open", "QTY": "1", "PRICE": "50.25", "EXTENDEDPRICE": "50.25"},
		},
		"DOCUMENT": {
			{"DOCUMENTNO": "D50001", "LINKTYPE": "INVOICE", "LINKNO": "104001", "FILENAME": "Invoice 104001.pdf"},
			{"DOCUMENTNO": "D50002", "LINKTYPE": "INVOICE", "LINKNO": "104001", "FILENAME": "lost.pdf"},
		},
	}, Contents: map[string][]byte{"D50001": []byte("%PDF-1.4 test")}}
}

// answered is a decoded answer.
type answered struct {
	Status  int
	Header  http.Header
	Body    []byte
	Code    int
	Success bool
	Message string
	Payload struct {
		Result   []map[string]any
		Griddata struct{ Record []map[string]any }
		Outvars  map[string]string
		Error    []map[string]any `json:"_error"`
	}
	Outvars map[string]string
}

// reference is the reference code of a refusal, empty for a success.
func (a answered) reference() string {
	if len(a.Payload.Error) == 0 {
		return ""
	}
	code, _ := a.Payload.Error[0]["referencecode"].(string)
	return code
}

func (a answered) column(name string) []string {
	var out []string
	for _, r := range a.Payload.Result {
		text, _ := r[name].(string)
		out = append(out, strings.TrimSpace(text))
	}
	return out
}

func (s *site) send(req *http.Request) (answered, error) {
	if s.user != "" {
		req.SetBasicAuth(s.user, s.pass)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	out := answered{Status: resp.StatusCode, Header: resp.Header}
	if out.Body, err = io.ReadAll(resp.Body); err != nil {
		return out, err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		d := json.NewDecoder(bytes.NewReader(out.Body))
		d.UseNumber()
		err = d.Decode(&out)
	}
	return out, err
}

// do sends a call; parts nil means no body.
func (s *site) do(method, path string, parts map[string]string) answered {
	s.t.Helper()
	out, err := s.try(method, path, parts)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

func (s *site) try(method, path string, parts map[string]string) (answered, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if err := form.WriteField(name, parts[name]); err != nil {
			return answered{}, err
		}
	}
	if err := form.Close(); err != nil {
		return answered{}, err
	}
	req, err := http.NewRequest(method, s.url+path, &body)
	if err != nil {
		return answered{}, err
	}
	if parts != nil {
		req.Header.Set("Content-Type", form.FormDataContentType())
	}
	return s.send(req)
}

func (s *site) list(table, request string) answered {
	s.t.Helper()
	return s.do("POST", "/api/Record/"+table+"?_a=list", map[string]string{"jsonRequest": request})
}

// write sends one or more records, given as JSON objects, with extra parts as name=value.
func (s *site) write(method, table, records string, extra ...string) answered {
	s.t.Helper()
	parts := map[string]string{"_tablename": table, "jsonRequest": `{"griddata":{"record":[` + records + `]}}`}
	for _, e := range extra {
		name, value, _ := strings.Cut(e, "=")
		parts[name] = value
	}
	return s.do(method, "/api/Record", parts)
}

func (s *site) control(name, body string) (int, map[string]any) {
	s.t.Helper()
	resp, err := http.Post(s.url+controlPrefix+name, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, out
}

// value reads one column of one row, unpadded.
func (s *site) value(table, key, column string) string {
	s.t.Helper()
	rows, err := s.Rows(table)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		if r[s.tables[table].def.keyName()] == key {
			return r[column]
		}
	}
	return "no such row"
}

func (s *site) count(table string) int {
	s.t.Helper()
	rows, err := s.Rows(table)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(rows)
}

// wantBalanced checks that every book's journal sums to zero and that every balance explains itself.
func (s *site) wantBalanced() {
	s.t.Helper()
	for _, b := range s.Ledger().Books {
		if b.JournalSum.Sign() != 0 {
			s.t.Errorf("journal of %s %s sums to %s", b.CompanyNo, b.Currency, b.JournalSum)
		}
		applied := map[string]Amount{}
		for _, r := range b.Receipts {
			rest := r.Amount.Sub(r.OnAccount.Decimal).Sub(r.Unapplied.Decimal)
			for _, a := range append(r.Applications, r.Fees...) {
				rest = rest.Sub(a.Amount.Decimal)
			}
			if rest.Sign() != 0 {
				s.t.Errorf("receipt %s is off by %s", r.ReceiptNo, rest)
			}
			for _, a := range r.Applications {
				sum := applied[a.InvoiceNo]
				sum.add(a.Amount)
				applied[a.InvoiceNo] = sum
			}
		}
		for _, i := range b.Invoices {
			if !i.Paid.Equal(applied[i.InvoiceNo].Decimal) {
				s.t.Errorf("invoice %s: paid %s, applications %s", i.InvoiceNo, i.Paid, applied[i.InvoiceNo])
			}
			if want := i.Total.Sub(i.Retention.Decimal).Sub(i.Paid.Decimal).Sub(i.WrittenOff.Decimal); !i.Balance.Equal(want) {
				s.t.Errorf("invoice %s: balance %s, want %s", i.InvoiceNo, i.Balance, want)
			}
		}
	}
}
