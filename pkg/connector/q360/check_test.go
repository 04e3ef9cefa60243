package q360

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// healthy is a site with everything that the check wants.
func healthy() *site {
	s := newSite()
	for _, account := range []string{"1010", "1020", "1030", "1040"} {
		s.add("GLACCOUNT", "ACCOUNTNO="+account, "BANKFLAG=Y")
	}
	s.addInvoice("A1", stamp(1))
	s.addInvoice("A2", stamp(2))
	return s
}

func TestCheckOfAHealthySite(t *testing.T) {
	s := healthy()
	s.refuse = func(string, map[string]string) (string, string) { return "MandatoryField", "CUSTOMERNO is mandatory." }
	c, clk := serve(t, s)
	caps, err := c.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(caps.Problems) > 0 || caps.Changes != strategyModdate {
		t.Errorf("report %+v", caps)
	}
	for _, a := range Abilities() {
		if !caps.Has(a.Feature) {
			t.Errorf("%s is %q", a.Feature, caps.Features[a.Feature])
		}
	}
	if len(s.tables["CASHRECEIPT"].rows)+len(s.tables["CONTACTHISTORY"].rows)+len(s.tables["CASHRECEIPTITEM"].rows) > 0 {
		t.Error("the check left records behind")
	}
	dictionaryCalls := func() int {
		n := 0
		for name, k := range s.calls {
			if strings.Contains(name, "DataDict") {
				n += k
			}
		}
		return n
	}
	if n := dictionaryCalls(); n != 13 { // the table list and twelve tables, each once
		t.Errorf("%d dictionary calls", n)
	}
	s.reset()
	clk.advance(23 * time.Hour)
	if _, err := c.Check(context.Background()); err != nil || dictionaryCalls() != 0 {
		t.Errorf("a check on the same day made %d dictionary calls, error %v", dictionaryCalls(), err)
	}
	clk.advance(2 * time.Hour)
	if _, err := c.Check(context.Background()); err != nil || dictionaryCalls() != 13 {
		t.Errorf("a check on the next day made %d dictionary calls, error %v", dictionaryCalls(), err)
	}
}

func TestCheckFindsProblems(t *testing.T) {
	type expect struct {
		feature connector.Feature
		state   string
		fatal   bool
		words   []string // in one message
	}
	cases := []struct {
		name string
		site func(*site)
		cfg  func(*Config)
		want expect
	}{
		{"table missing", func(s *site) { delete(s.tables, "INVOICEITEM") }, nil, expect{connector.FeatureInvoices, "missing", true, []string{"INVOICEITEM", "entities.invoice_line.table"}}},
		{"column missing", func(s *site) { delete(s.tables["INVOICE"].columns, "FREIGHT") }, nil, expect{connector.FeatureInvoices, "missing", true, []string{"FREIGHT", "entities.invoice.columns.freight", "null"}}},
		{"customer column", func(s *site) { delete(s.tables["CUSTOMER"].columns, "ZIP") }, nil, expect{connector.FeatureCustomers, "missing", true, []string{"ZIP"}}},
		{"stamp missing", func(s *site) { delete(s.tables["INVOICE"].columns, "MODDATE") }, nil, expect{connector.FeatureInvoices, "ok", false, []string{"MODDATE", "snapshots"}}},
		{"stamp insisted on", func(s *site) { delete(s.tables["INVOICE"].columns, "MODDATE") }, func(c *Config) { c.Mapping.Changes.Strategy = "moddate" }, expect{connector.FeatureInvoices, "missing", true, []string{"MODDATE"}}},
		{"role column", func(s *site) { delete(s.tables["CONTACT"].columns, "TYPE") }, nil, expect{connector.FeatureContacts, "missing", false, []string{"CONTACT", "TYPE"}}},
		{"no documents", func(s *site) { delete(s.tables, "DOCUMENT") }, nil, expect{connector.FeatureDocuments, "missing", false, []string{"DOCUMENT"}}},
		{"documents forbidden", func(s *site) { s.denied["DOCUMENT"] = true }, nil, expect{connector.FeatureDocuments, "forbidden", false, []string{"grant", "DOCUMENT"}}},
		{"invoices forbidden", func(s *site) { s.denied["INVOICE"] = true }, nil, expect{connector.FeatureInvoices, "forbidden", true, []string{"grant", "INVOICE"}}},
		{"no key", func(s *site) { s.tables["INVOICE"].key = "CUSTOMERNO" }, nil, expect{connector.FeatureInvoices, "missing", true, []string{"INVOICENO", "not a key"}}},
		{"reference too long", func(s *site) { s.tables["CASHRECEIPT"].lens["REFERENCE"] = 15 }, nil, expect{connector.FeatureReceipts, "missing", false, []string{"15", "20", "reference"}}},
		{"comment too long", func(s *site) { s.tables["CONTACTHISTORY"].lens["COMMENT"] = 255 }, nil, expect{connector.FeatureHistory, "missing", false, []string{"255", "1000"}}},
		{"code too long", func(s *site) { s.tables["CONTACTHISTORY"].lens["TYPE"] = 10 }, nil, expect{connector.FeatureHistory, "missing", false, []string{"RP-COMMENTED", "10"}}},
		{"mandatory column", func(s *site) {
			s.tables["CASHRECEIPT"].columns["BRANCH"] = "text"
			s.tables["CASHRECEIPT"].must = []string{"BRANCH"}
		}, nil, expect{connector.FeatureReceipts, "ok", false, []string{"BRANCH", "constants"}}},
		{"account missing", func(s *site) { s.remove("GLACCOUNT", "1030") }, nil, expect{connector.FeatureReceipts, "missing", false, []string{"1030", "EUR"}}},
		{"account no bank", func(s *site) { s.set("GLACCOUNT", "1010", "BANKFLAG=N") }, func(c *Config) { c.BankAccounts = map[money.Currency]string{"USD": "1010"} }, expect{connector.FeatureReceipts, "missing", false, []string{"1010", "bank"}}},
		{"posted value", func(s *site) { s.set("INVOICE", "A1", "PRTID=N"); s.set("INVOICE", "A2", "PRTID=N") }, nil, expect{connector.FeatureInvoices, "ok", false, []string{"posted_when"}}},
		{"blank company", func(s *site) { s.add("INVOICE", "INVOICENO=A9", "PRTID=Y", "POSTDATE=2026-05-01") }, nil, expect{connector.FeatureInvoices, "ok", false, []string{"COMPANYNO", "A9"}}},
		{"zone", func(s *site) { s.set("INVOICE", "A2", "MODDATE=2026-05-04 13:00:00.000") }, nil, expect{connector.FeatureInvoices, "ok", false, []string{"3h0m0s", "timezone"}}},
		{"receipts unreadable", func(s *site) { s.denied["CASHRECEIPTITEM"] = true }, nil, expect{connector.FeatureReceipts, "forbidden", false, []string{"CASHRECEIPTITEM"}}},
		{"receipts on hold", func(*site) {}, func(c *Config) { c.Mapping.Receipts.Mode = "hold" }, expect{connector.FeatureReceipts, "off", false, nil}},
		{"history off", func(*site) {}, func(c *Config) { c.Mapping.History = nil }, expect{connector.FeatureHistory, "off", false, nil}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := healthy()
			tc.site(s)
			edit := tc.cfg
			if edit == nil {
				edit = func(*Config) {}
			}
			c, _ := serve(t, s, edit)
			caps, err := c.Check(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if caps.Features[tc.want.feature] != tc.want.state {
				t.Errorf("%s is %q, want %q", tc.want.feature, caps.Features[tc.want.feature], tc.want.state)
			}
			if (len(caps.Fatal()) > 0) != tc.want.fatal {
				t.Errorf("fatal problems %+v, want some: %v", caps.Fatal(), tc.want.fatal)
			}
			told := slices.ContainsFunc(caps.Problems, func(p connector.Problem) bool {
				return !slices.ContainsFunc(tc.want.words, func(w string) bool { return !strings.Contains(p.Message, w) })
			})
			if len(tc.want.words) > 0 && !told {
				t.Errorf("no problem speaks of %v: %+v", tc.want.words, caps.Problems)
			}
		})
	}
}

// The right to create is tried with previews; finding receipts does not depend on it.
func TestCheckOfWriteRights(t *testing.T) {
	s := healthy()
	s.answer = func(w http.ResponseWriter, r *http.Request, table string) bool {
		if r.Method != http.MethodPut || table == "CONTACTHISTORY" {
			return false
		}
		if r.FormValue("_preview") != "Y" {
			t.Error("the check creates a record")
		}
		s.fail(w, "DataSourceNotPermitted", "Access denied. APIUSER must be granted permission to "+table+".")
		return true
	}
	c, _ := serve(t, s)
	caps, err := c.Check(context.Background())
	if err != nil || caps.Features[connector.FeatureReceipts] != "forbidden" || !caps.Has(connector.FeatureFind) || !caps.Has(connector.FeatureHistory) {
		t.Errorf("report %+v, %v", caps, err)
	}
}

func TestCheckOfASiteThatCanNotBeAsked(t *testing.T) {
	s := healthy()
	s.answer = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	c, _ := serve(t, s)
	_, err := c.Check(context.Background())
	classOf(t, err, connector.ClassRetry)
	s.answer = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	_, err = c.Check(context.Background())
	classOf(t, err, connector.ClassAuth)
	s.answer = nil
	s.denied["DataDict "] = true
	caps, err := c.Check(context.Background())
	if err != nil || len(caps.Fatal()) == 0 || !strings.Contains(caps.Fatal()[0].Message, "DataDict") {
		t.Errorf("report %+v, %v", caps, err)
	}
}

// A server that ignores filters would make paging endless or silent: the check refuses it.
func TestCheckOfAServerThatIgnoresFilters(t *testing.T) {
	s := healthy()
	s.answer = func(w http.ResponseWriter, r *http.Request, table string) bool {
		if table != "INVOICE" || r.Method != http.MethodPost {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list(w, s.tables[table], `{"columns":["INVOICENO","PRTID","MODDATE"],"orderBy":[{"field":"INVOICENO","dir":"ASC"}],"limit":2}`)
		return true
	}
	c, _ := serve(t, s)
	caps, err := c.Check(context.Background())
	if err != nil || len(caps.Fatal()) != 1 || !strings.Contains(caps.Fatal()[0].Message, "does not apply the filter") {
		t.Errorf("report %+v, %v", caps, err)
	}
}
