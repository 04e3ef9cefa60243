package q360

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

var exact = cmp.Options{cmp.Comparer(func(a, b money.Money) bool { return a.Equal(b) }), cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func TestInvoiceHasEveryField(t *testing.T) {
	s := newSite()
	s.add("INVOICE", "INVOICENO=104233", "CUSTOMERNO=C00417  ", "INVOICESITENO=S00912", "COMPANYNO=01", "CURRENCY=usd", "INVOICEDATE=2026-05-01 00:00:00.000",
		"DUEDATE=2026-05-31 00:00:00.000", "POSTDATE=2026-05-02 00:00:00.000", "INVAMOUNT=1250.0000", "TAXAMOUNT=75.0000", "FREIGHT=25.0000", "PAIDAMOUNT=250", "BALANCE=1000",
		"INVOICETYPE=Progress", "PAYMENTTERMS=net30 ", "PAYMETHOD=check", "CONTRACTNO=SC-2207", "PROJECTNO=P1", "DISPATCHNO=D1", "PONUM=PO-7781", "COMMENT= Phase 1 ",
		"PRTID=y", "MODDATE=2026-05-04 09:55:02.003")
	s.add("INVOICEITEM", "INVOICEITEMNO=2", "INVOICENO=104233", "SEQ=20", "MASTERNO=LAB-INST", "DESCRIPTION=Installation labour", "QTY=2.5", "PRICE=100.0000", "EXTENDEDPRICE=250.0000", "ACCOUNTNO=4010")
	s.add("INVOICEITEM", "INVOICEITEMNO=1", "INVOICENO=104233", "SEQ=10", "MASTERNO=DSP-900", "DESCRIPTION=DSP processor", "QTY=3", "PRICE=300.12345", "EXTENDEDPRICE=900.3700")
	s.add("INVOICEITEM", "INVOICEITEMNO=3", "INVOICENO=104233", "SEQ=30", "DESCRIPTION=Thank you")
	c, _ := serve(t, s)
	got, err := c.Invoice(context.Background(), "104233")
	if err != nil {
		t.Fatal(err)
	}
	want := billing.Invoice{
		Number: "104233", CompanyNo: "01", CustomerNo: "C00417", SiteNo: "S00912", Posted: true, Date: "2026-05-01", PostedDate: "2026-05-02", DueDate: "2026-05-31",
		Currency: money.USD, Terms: "NET30", PayMethod: "CHECK", Type: "Progress", Subtotal: usd("1150"), Freight: usd("25"), Tax: usd("75"), Total: usd("1250"),
		Paid: usd("250"), Balance: usd("1000"), ContractNo: "SC-2207", ProjectNo: "P1", DispatchNo: "D1", CustomerPO: "PO-7781", Comment: "Phase 1",
		Modified: time.Date(2026, 5, 4, 13, 55, 2, 3_000_000, time.UTC),
		Lines: []billing.Line{
			{ID: "1", Seq: 10, Item: "DSP-900", Description: "DSP processor", Quantity: dec("3"), UnitPrice: dec("300.12345"), Amount: usd("900.37")},
			{ID: "2", Seq: 20, Item: "LAB-INST", Description: "Installation labour", Quantity: dec("2.5"), UnitPrice: dec("100"), Amount: usd("250"), GLAccount: "4010"},
			{ID: "3", Seq: 30, Description: "Thank you", Quantity: dec("1"), UnitPrice: dec("0"), Amount: usd("0")},
		},
	}
	if diff := cmp.Diff(want, got, exact...); diff != "" {
		t.Errorf("invoice (-want +got):\n%s", diff)
	}
	balance, err := c.Balance(context.Background(), "104233")
	wantBalance := billing.Balance{Number: "104233", CompanyNo: "01", CustomerNo: "C00417", Currency: money.USD, Total: usd("1250"), Balance: usd("1000"), Posted: true}
	if diff := cmp.Diff(wantBalance, balance, exact...); err != nil || diff != "" {
		t.Errorf("balance: %v\n%s", err, diff)
	}
}

func TestInvoiceFallbacks(t *testing.T) {
	strip := func(names ...string) func(*Config) {
		return func(cfg *Config) {
			col := &cfg.Mapping.Entities.Invoice.Columns
			for _, n := range names {
				map[string]func(){"company": func() { col.CompanyNo = "" }, "currency": func() { col.Currency = "" }, "posted": func() { col.PostedDate = "" },
					"method": func() { col.PayMethod = "" }, "paid": func() { col.Paid = "" }, "freight": func() { col.Freight = "" },
					"subtotal": func() { col.Subtotal = "TAXAMOUNT" }, "default": func() { cfg.DefaultCurrency = "" }}[n]()
			}
		}
	}
	cases := []struct {
		name                       string
		edit                       func(*Config)
		invoice, customer, company []string
		check                      func(billing.Invoice) bool
		bad                        string
	}{
		{name: "company of the customer", edit: strip("company"), customer: []string{"COMPANYNO=01"}, check: func(i billing.Invoice) bool { return i.CompanyNo == "01" }},
		{name: "company of the mapping", edit: strip("company"), check: func(i billing.Invoice) bool { return i.CompanyNo == "01" }},
		{name: "another company", edit: strip("company"), customer: []string{"COMPANYNO=02"}, bad: "belongs to company 02"},
		{name: "currency of the customer", edit: strip("currency"), customer: []string{"DEFCURRENCY=CAD"}, check: func(i billing.Invoice) bool { return i.Currency == money.CAD && i.Total.Currency() == money.CAD }},
		{name: "blank currency", invoice: []string{"CURRENCY="}, customer: []string{"DEFCURRENCY=CAD"}, check: func(i billing.Invoice) bool { return i.Currency == money.CAD }},
		{name: "currency of the company", edit: strip("currency"), company: []string{"DEFCURRENCY=GBP"}, check: func(i billing.Invoice) bool { return i.Currency == money.GBP }},
		{name: "configured currency", edit: strip("currency"), check: func(i billing.Invoice) bool { return i.Currency == money.USD }},
		{name: "no currency", edit: strip("currency", "default"), bad: "default currency"},
		{name: "bad currency of the customer", edit: strip("currency"), customer: []string{"DEFCURRENCY=DOLLARS"}, bad: "CUSTOMER.DEFCURRENCY of record C1"},
		{name: "posted on the invoice date", edit: strip("posted"), check: func(i billing.Invoice) bool { return i.PostedDate == "2026-05-01" }},
		{name: "method of the customer", edit: strip("method"), customer: []string{"PAYMETHOD=card"}, check: func(i billing.Invoice) bool { return i.PayMethod == "CARD" }},
		{name: "paid computed", edit: strip("paid"), invoice: []string{"BALANCE=30"}, check: func(i billing.Invoice) bool { return i.Paid.Equal(usd("70")) }},
		{name: "no freight", edit: strip("freight"), check: func(i billing.Invoice) bool { return i.Freight.Equal(usd("0")) && i.Subtotal.Equal(usd("90")) }},
		{name: "own subtotal", edit: strip("subtotal"), check: func(i billing.Invoice) bool { return i.Subtotal.Equal(usd("10")) }},
		{name: "credit", invoice: []string{"INVAMOUNT=-120.5", "TAXAMOUNT=-0.5", "BALANCE=-120.5"}, check: func(i billing.Invoice) bool {
			return i.Kind() == billing.KindCreditNote && i.Subtotal.Equal(usd("-120"))
		}},
		{name: "yen", invoice: []string{"CURRENCY=JPY", "INVAMOUNT=1000.0000"}, check: func(i billing.Invoice) bool { return i.Total.Amount() == "1000" }},
		{name: "half a yen", invoice: []string{"CURRENCY=JPY", "INVAMOUNT=1000.5000"}, bad: "INVOICE.INVAMOUNT of record A1"},
		{name: "third decimal", invoice: []string{"TAXAMOUNT=0.001"}, bad: "INVOICE.TAXAMOUNT of record A1"},
		{name: "no customer", invoice: []string{"CUSTOMERNO="}, bad: "INVOICE.CUSTOMERNO of record A1"},
		{name: "date that is none", invoice: []string{"DUEDATE=soon"}, bad: "INVOICE.DUEDATE of record A1"},
		{name: "unposted", invoice: []string{"PRTID=N"}, check: func(i billing.Invoice) bool { return !i.Posted }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite()
			s.addInvoice("A1", stamp(1), tc.invoice...)
			s.add("CUSTOMER", append([]string{"CUSTOMERNO=C1", "COMPANY=Acme"}, tc.customer...)...)
			s.add("COMPANY", append([]string{"COMPANYNO=01", "COMPANY=Us"}, tc.company...)...)
			edit := tc.edit
			if edit == nil {
				edit = func(*Config) {}
			}
			c, _ := serve(t, s, edit)
			inv, err := c.Invoice(context.Background(), "A1")
			if tc.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tc.bad) {
					t.Errorf("error %v, want %q", err, tc.bad)
				}
				return
			}
			if err != nil || !tc.check(inv) {
				t.Errorf("invoice %+v, error %v", inv, err)
			}
		})
	}
}

func TestSingleReadsThatFail(t *testing.T) {
	s := newSite()
	s.addInvoice("A1", stamp(1), "COMPANYNO=02")
	s.addInvoice("A2", stamp(1))
	s.add("INVOICE", "INVOICENO=A2", "CUSTOMERNO=C1")
	c, _ := serve(t, s)
	for number, want := range map[string]connector.Class{"A1": connector.ClassNotFound, "A2": connector.ClassBadResponse, "none": connector.ClassNotFound, "": connector.ClassNotFound} {
		_, err := c.Invoice(context.Background(), number)
		classOf(t, err, want)
		_, err = c.Balance(context.Background(), number)
		classOf(t, err, want)
	}
	s.denied["INVOICEITEM"] = true
	s.addInvoice("A3", stamp(1))
	_, err := c.Invoice(context.Background(), "A3")
	classOf(t, err, connector.ClassForbidden)
}

// The company of a page's customers is read in bulk when the invoices have no company column.
func TestFeedWithoutACompanyColumn(t *testing.T) {
	s := newSite()
	for i := range 60 {
		s.addInvoice(fmt.Sprintf("A%02d", i), stamp(i), fmt.Sprintf("CUSTOMERNO=C%02d", i))
		s.add("CUSTOMER", fmt.Sprintf("CUSTOMERNO=C%02d", i), "COMPANY=Acme", fmt.Sprintf("COMPANYNO=0%d", i%2+1))
	}
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Entities.Invoice.Columns.CompanyNo = "" })
	items, _, _ := poll(t, c, "", "", 100)
	if distinct(numbers(items)) != 30 || slices.Contains(numbers(items), "A01") {
		t.Errorf("%d invoices: %v", distinct(numbers(items)), numbers(items))
	}
	if s.calls["POST CUSTOMER"] != 1 {
		t.Errorf("%d customer reads", s.calls["POST CUSTOMER"])
	}
}

// Invoices of a page in stamp order are scattered over the keys; those that a bounded range does not cover are read alone.
func TestLinesOfScatteredInvoices(t *testing.T) {
	s := newSite()
	for i := range 400 {
		number := fmt.Sprintf("A%03d", i)
		s.addInvoice(number, stamp(1))
		for k := range 4 {
			s.add("INVOICEITEM", fmt.Sprintf("INVOICEITEMNO=%s-%d", number, k+2), "INVOICENO="+number, "EXTENDEDPRICE=0")
		}
	}
	s.addInvoice("EMPTY", stamp(1))
	s.remove("INVOICEITEM", "EMPTY-1")
	m := mapping.Default()
	m.Dialect.LinePageSize = 50
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	_, _, cur := poll(t, c, "", "", 100)
	_, _, cur = poll(t, c, cur, "", 100)
	for _, i := range []int{3, 150, 151, 220, 399} {
		s.set("INVOICE", fmt.Sprintf("A%03d", i), "MODDATE="+stamp(36000+i))
	}
	s.set("INVOICE", "EMPTY", "MODDATE="+stamp(36001))
	s.reset()
	items, _, _ := poll(t, c, cur, "", 100)
	if len(items) != 6 || s.count() > 20 {
		t.Errorf("%v with %d calls", numbers(items), s.count())
	}
	for _, inv := range items {
		if want := map[bool]int{true: 0, false: 5}[inv.Number == "EMPTY"]; len(inv.Lines) != want {
			t.Errorf("invoice %s has %d lines", inv.Number, len(inv.Lines))
		}
	}
}

// One invoice with more lines than a page, among small ones, with line numbers that are unique within an invoice only.
func TestManyLines(t *testing.T) {
	s := newSite()
	m := mapping.Default()
	m.Dialect.LinePageSize = 10
	for _, number := range []string{"A1", "A2", "A3", "A4", "A5"} {
		s.addInvoice(number, stamp(1))
		s.remove("INVOICEITEM", number+"-1")
		n := 3
		if number == "A3" {
			n = 47
		}
		for k := range n {
			s.add("INVOICEITEM", fmt.Sprintf("INVOICEITEMNO=%03d", k), "INVOICENO="+number, fmt.Sprintf("SEQ=%d", k), "EXTENDEDPRICE=1")
		}
	}
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	page, err := c.Invoices(context.Background(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, inv := range page.Items {
		if want := map[bool]int{true: 47, false: 3}[inv.Number == "A3"]; len(inv.Lines) != want {
			t.Errorf("invoice %s has %d lines, want %d", inv.Number, len(inv.Lines), want)
		}
	}
	if len(page.Items) != 5 {
		t.Errorf("%d invoices", len(page.Items))
	}
}

// Whatever a money column holds: it is taken exactly, or refused with the place and the remedy.
func FuzzMoneyColumn(f *testing.F) {
	for _, s := range []string{"1250.0000", "-120.5000", "0.001", "  7 ", "", "1e3", "1,5", "NaN", "999999999999999999.99", ".5000", "+1.10"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	c := &Connector{}
	f.Fuzz(func(t *testing.T, text string, required bool) {
		r := c.reader("INVOICE", "INVOICENO", client.NewRow(map[string]string{"INVOICENO": "A1", "INVAMOUNT": text}))
		got := r.money("INVAMOUNT", money.USD, required)
		if r.err != nil {
			if m := r.err.Error(); !strings.Contains(m, "INVOICE.INVAMOUNT of record A1: ") || !strings.Contains(m, "; ") {
				t.Errorf("%q: %s", text, m)
			}
			return
		}
		if strings.TrimSpace(text) == "" {
			if required || !got.IsZero() {
				t.Errorf("%q was taken as %s", text, got)
			}
			return
		}
		want, err := money.ParseDecimal(text)
		if err != nil || !got.Decimal().Equal(want) || got.Currency() != money.USD {
			t.Errorf("%q was taken as %s", text, got)
		}
	})
}
