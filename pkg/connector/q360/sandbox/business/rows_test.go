package business

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/shopspring/decimal"
)

// keyColumns are the keys of the tables that the business fills.
func keyColumns() map[string]string {
	return map[string]string{
		"COMPANY": "COMPANYNO", "CURRENCY": "CURRENCY", "GLACCOUNT": "ACCOUNTNO", "CUSTOMER": "CUSTOMERNO", "SITE": "SITENO",
		"CONTACT": "CONTACTNO", "SERVICECONTRACT": "CONTRACTNO", "INVOICE": "INVOICENO", "CASHRECEIPT": "RECEIPTNO",
		"INVOICEITEM": "INVOICEITEMNO", "CASHRECEIPTITEM": "RECEIPTITEMNO", "DOCUMENT": "DOCUMENTNO", "FISCALENDAR": "FISCALENDARNO",
		"FXRATE": "FXRATENO", "ARJOURNAL": "ARJOURNALNO", "AUDITLOG": "AUDITLOGNO", "CODE": "CODENO",
	}
}

func TestKeysAreUnique(t *testing.T) {
	b := Generate(Options{Seed: 7, Invoices: 2000, Customers: 200})
	for table, rows := range b.batch.Tables {
		key, seen := keyColumns()[table], map[string]bool{}
		for _, r := range rows {
			if r[key] == "" || seen[r[key]] {
				t.Fatalf("%s: key %q is blank or comes twice", table, r[key])
			}
			seen[r[key]] = true
		}
	}
	if len(b.batch.Tables) != len(keyColumns()) {
		t.Errorf("%d tables filled, want %d", len(b.batch.Tables), len(keyColumns()))
	}
}

func TestReferencesExist(t *testing.T) {
	b := Generate(Options{Seed: 7})
	keys := map[string]map[string]bool{}
	for table, column := range keyColumns() {
		keys[table] = map[string]bool{}
		for _, r := range b.batch.Tables[table] {
			keys[table][r[column]] = true
		}
	}
	target := map[string]string{
		"COMPANYNO": "COMPANY", "CURRENCY": "CURRENCY", "DEFCURRENCY": "CURRENCY", "ACCOUNTNO": "GLACCOUNT", "CUSTOMERNO": "CUSTOMER",
		"MASTERCUSTOMERNO": "CUSTOMER", "SITENO": "SITE", "INVOICESITENO": "SITE", "CONTACTNO": "CONTACT", "CONTRACTNO": "SERVICECONTRACT",
		"INVOICENO": "INVOICE", "RECEIPTNO": "CASHRECEIPT", "ARACCOUNT": "GLACCOUNT", "BANKACCOUNT": "GLACCOUNT", "FXACCOUNT": "GLACCOUNT",
		"SALESACCOUNT": "GLACCOUNT", "WRITEOFFACCOUNT": "GLACCOUNT",
	}
	for table, rows := range b.batch.Tables {
		for _, r := range rows {
			for column, value := range r {
				if to := target[column]; to != "" && !keys[to][value] {
					t.Errorf("%s: %s %q is not in %s", table, column, value, to)
				}
			}
		}
	}
}

func TestDatesLieInTheBusiness(t *testing.T) {
	o := Options{Seed: 7, Start: time.Date(2025, 11, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 2, 17, 0, 0, 0, 0, time.UTC)}
	b := Generate(o)
	first, last := "9999", ""
	for _, r := range b.batch.Tables["INVOICE"] {
		first, last = min(first, r["INVOICEDATE"]), max(last, r["INVOICEDATE"])
		if r["MODDATE"] < r["INVOICEDATE"] && !slices.Contains(b.Keys(InvoiceSameStamp), r["INVOICENO"]) {
			t.Errorf("invoice %s was changed %s, before its date %s", r["INVOICENO"], r["MODDATE"], r["INVOICEDATE"])
		}
	}
	if first != "2025-11-20 00:00:00.000" || last != "2026-02-17 00:00:00.000" {
		t.Errorf("invoices from %s to %s", first, last)
	}
	for _, r := range b.batch.Tables["FISCALENDAR"] {
		if closed := r["PERIOD"] == "2025-10"; closed != (r["STATUS"] == "CLOSED") {
			t.Errorf("period %s of %s is %s", r["PERIOD"], r["COMPANYNO"], r["STATUS"])
		}
	}
	for _, r := range b.batch.Tables["CASHRECEIPT"] {
		if r["RECEIPTDATE"] < first {
			t.Errorf("receipt %s of %s", r["RECEIPTNO"], r["RECEIPTDATE"])
		}
	}
}

func TestCustomersAndTheirBalances(t *testing.T) {
	b := Generate(Options{Seed: 7})
	open := map[string]decimal.Decimal{}
	for _, r := range b.batch.Tables["INVOICE"] {
		if r["PRTID"] == "Y" {
			open[r["CUSTOMERNO"]] = open[r["CUSTOMERNO"]].Add(num(r["BALANCE"]))
		}
	}
	shows := map[Case]func(sandbox.Record) bool{
		CustomerNormal:   func(r sandbox.Record) bool { return r["TYPE"] == "CUSTOMER" && r["INVOICESITENO"] != "" },
		CustomerVendor:   func(r sandbox.Record) bool { return r["TYPE"] == "CUSTVEND" },
		CustomerProspect: func(r sandbox.Record) bool { return r["TYPE"] == "PROSPECT" && open[r["CUSTOMERNO"]].IsZero() },
		CustomerInactive: func(r sandbox.Record) bool { return r["STATUS"] == "INACTIVE" },
		CustomerChild: func(r sandbox.Record) bool {
			return r["MASTERCUSTOMERNO"] != "" && r["MASTERCUSTOMERNO"] != r["CUSTOMERNO"]
		},
		CustomerNoSite:       func(r sandbox.Record) bool { return r["INVOICESITENO"] == "" },
		CustomerNoContact:    func(r sandbox.Record) bool { return r["CONTACTNO"] == "" },
		CustomerOtherCompany: func(r sandbox.Record) bool { return r["COMPANYNO"] != "" },
	}
	for _, r := range b.batch.Tables["CUSTOMER"] {
		if !num(r["BALANCE"]).Equal(open[r["CUSTOMERNO"]]) {
			t.Errorf("customer %s: balance %s, invoices %s", r["CUSTOMERNO"], r["BALANCE"], open[r["CUSTOMERNO"]])
		}
		for c, check := range shows {
			if slices.Contains(b.Keys(c), r["CUSTOMERNO"]) && !check(r) {
				t.Errorf("%s: %v", c, r)
			}
		}
	}
}

func TestContactsShowTheirCase(t *testing.T) {
	b := Generate(Options{Seed: 7})
	valid := regexp.MustCompile(`^[a-z0-9.]+@[a-z0-9.]+$`)
	names, same := map[string]int{}, b.Keys(ContactSameName)
	shows := map[Case]func(sandbox.Record) bool{
		ContactAR:           func(r sandbox.Record) bool { return strings.EqualFold(r["TYPE"], "AR") || r["TYPE"] == "ACCOUNTING" },
		ContactAP:           func(r sandbox.Record) bool { return r["TYPE"] == "AP" && valid.MatchString(r["EMAIL"]) },
		ContactCollections:  func(r sandbox.Record) bool { return strings.HasPrefix(r["TYPE"], "COLLECT") },
		ContactNoRole:       func(r sandbox.Record) bool { return r["TYPE"] == "" },
		ContactInactive:     func(r sandbox.Record) bool { return r["STATUS"] == "INACTIVE" },
		ContactNoEmail:      func(r sandbox.Record) bool { return r["EMAIL"] == "" },
		ContactInvalidEmail: func(r sandbox.Record) bool { return !valid.MatchString(r["EMAIL"]) && r["EMAIL"] != "" },
	}
	for _, r := range b.batch.Tables["CONTACT"] {
		if slices.Contains(same, r["CONTACTNO"]) {
			names[r["CUSTOMERNO"]+r["FIRSTNAME"]+r["LASTNAME"]]++
		}
		for c, check := range shows {
			if slices.Contains(b.Keys(c), r["CONTACTNO"]) && !check(r) {
				t.Errorf("%s: %v", c, r)
			}
		}
	}
	for name, n := range names {
		if n != 2 {
			t.Errorf("%s occurs %d times", name, n)
		}
	}
}

func TestLiveInvoices(t *testing.T) {
	b := Generate(Options{Seed: 7})
	inactive := b.Keys(CustomerInactive)
	steps, credits, currencies := map[string]bool{}, 0, map[string]bool{}
	for n := range 200 {
		in := b.NextInvoice(n, time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC))
		steps[in.Step] = true
		currencies[in.Header["CURRENCY"]] = true
		total := num(in.Header["TAXAMOUNT"]).Add(num(in.Header["FREIGHT"]))
		for _, l := range in.Lines {
			total = total.Add(num(l["EXTENDEDPRICE"]))
		}
		if !total.Equal(num(in.Header["INVAMOUNT"])) || total.IsZero() || !in.Post {
			t.Errorf("invoice %d: total %s, lines %s", n, in.Header["INVAMOUNT"], total)
		}
		if total.Sign() < 0 {
			credits++
		}
		if slices.Contains(inactive, in.Header["CUSTOMERNO"]) {
			t.Errorf("invoice %d is for the inactive customer %s", n, in.Header["CUSTOMERNO"])
		}
	}
	if len(steps) != 200 || credits != 10 || len(currencies) != 4 {
		t.Errorf("%d steps, %d credits, currencies %v", len(steps), credits, currencies)
	}
}

// TestReadOverHTTP downloads the documents of an invoice of a loaded business as a client would.
func TestReadOverHTTP(t *testing.T) {
	s := newServer(t, "")
	b := Generate(Options{Seed: 7})
	if err := b.Load(s); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	for _, r := range b.batch.Tables["DOCUMENT"][:20] {
		req, err := http.NewRequest("GET", web.URL+"/api/Document?_a=download&documentno="+r["DOCUMENTNO"], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("ARBRIDGE", "secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(data, b.batch.Contents[r["DOCUMENTNO"]]) {
			t.Errorf("%s: HTTP %d, %d bytes (%v)", r["FILENAME"], resp.StatusCode, len(data), err)
		}
	}
}

func TestRatesAndAccountsFitTheInvoices(t *testing.T) {
	b := Generate(Options{Seed: 7})
	for _, v := range b.batch.Tables["INVOICE"] {
		covered := 0
		for _, r := range b.batch.Tables["FXRATE"] {
			if r["CURRENCY"] == v["CURRENCY"] && r["STARTDATE"] <= v["INVOICEDATE"] && v["INVOICEDATE"] <= r["ENDDATE"] && num(r["RATE"]).Sign() > 0 {
				covered++
			}
		}
		if covered != 1 {
			t.Errorf("%d rates for %s on %s", covered, v["CURRENCY"], v["INVOICEDATE"])
		}
	}
	banks := map[string]string{}
	for _, a := range b.batch.Tables["GLACCOUNT"] {
		if a["BANKFLAG"] == "Y" {
			banks[a["ACCOUNTNO"]] = a["CURRENCY"]
		}
	}
	for _, r := range b.batch.Tables["CASHRECEIPT"] {
		if banks[r["ACCOUNTNO"]] != r["CURRENCY"] {
			t.Errorf("receipt %s in %s is on account %s", r["RECEIPTNO"], r["CURRENCY"], r["ACCOUNTNO"])
		}
	}
}
