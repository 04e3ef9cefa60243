package business

import (
	"bytes"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/shopspring/decimal"
)

func newServer(t *testing.T, path string) *sandbox.Server {
	t.Helper()
	s, err := sandbox.New(sandbox.Config{
		StatePath: path, Clock: clock.NewMovable(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)), Logger: slog.New(slog.DiscardHandler),
		Users:     []sandbox.User{{Name: "ARBRIDGE", Password: "secret", Type: sandbox.TypeAPI, Grants: sandbox.ConnectorGrants()}},
		Scenarios: map[string]func() (sandbox.Batch, error){"business": Scenario(Options{Seed: 7})},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSameSeedSameBusiness(t *testing.T) {
	a, b := Generate(Options{Seed: 7}), Generate(Options{Seed: 7})
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gave two businesses")
	}
	if reflect.DeepEqual(a.batch.Tables["INVOICE"], Generate(Options{Seed: 8}).batch.Tables["INVOICE"]) {
		t.Error("two seeds gave the same invoices")
	}
	now := time.Date(2026, 5, 4, 22, 30, 0, 0, time.FixedZone("EDT", -4*3600))
	if !reflect.DeepEqual(a.NextInvoice(3, now), b.NextInvoice(3, now)) || reflect.DeepEqual(a.NextInvoice(3, now).Header, a.NextInvoice(4, now).Header) {
		t.Error("live invoices do not follow from their number")
	}
	if got := a.NextInvoice(3, now).Header["INVOICEDATE"]; got != "2026-05-04 00:00:00.000" {
		t.Errorf("live invoice dated %s", got)
	}
}

func TestSizes(t *testing.T) {
	b := Generate(Options{Seed: 7})
	for table, want := range map[string]int{"COMPANY": 3, "CUSTOMER": 80, "SITE": 160, "INVOICE": 600, "CURRENCY": 4, "GLACCOUNT": 11} {
		if got := len(b.batch.Tables[table]); got != want {
			t.Errorf("%s: %d rows, want %d", table, got, want)
		}
	}
	for c, want := range map[Case]int{
		InvoiceUnposted: 30, InvoiceCredit: 30, InvoiceZero: 15, InvoiceFreight: 30, InvoiceFreightInLines: 15, InvoiceRetention: 15,
		InvoiceLinesOff: 15, InvoiceRounded: 15, InvoiceZeroLines: 15, InvoiceContract: 30, InvoicePartPaid: 30, InvoicePaid: 15,
		InvoiceWrittenOff: 15, InvoiceLong: 15, InvoiceForeign: 15, InvoiceComment: 15, InvoiceManyLines: 15, InvoiceDiscount: 15,
		InvoiceDueNow: 15, InvoiceNoDueDate: 15, InvoiceSameStamp: 250, CustomerVendor: 4, CustomerProspect: 4, CustomerInactive: 4,
		CustomerChild: 4, CustomerOtherCompany: 4, CustomerNoSite: 8, CustomerNoContact: 10, ContactNoEmail: 10, ContactInvalidEmail: 10,
		ContactSameName: 20, ContactInactive: 10, ContactAP: 20, ContactAR: 40, ContactCollections: 20, ContactNoRole: 10,
		ContractActive: 10, ContractExpired: 10, DocumentNone: 60, DocumentBroken: 60, DocumentTwo: 60, DocumentWord: 60, DocumentPDF: 330,
	} {
		if got := len(b.Keys(c)); got != want {
			t.Errorf("%s: %d, want %d", c, got, want)
		}
	}
	if n := len(b.Keys(InvoiceGBP)); n < 15 {
		t.Errorf("%d invoices in GBP", n)
	}
	more := Generate(Options{Seed: 7, Companies: 5})
	if got := len(more.batch.Tables["COMPANY"]); got != 5 {
		t.Errorf("%d companies, want 5", got)
	}
	if !reflect.DeepEqual(b.batch.Tables["INVOICE"], more.batch.Tables["INVOICE"]) || !reflect.DeepEqual(b.batch.Tables["CUSTOMER"], more.batch.Tables["CUSTOMER"]) {
		t.Error("companies without customers change those that have some")
	}
	for _, o := range []Options{{Companies: 1, Customers: 1, Invoices: 1}, {Companies: 2}, {Invoices: 5000, SameStamp: 4000}} {
		small := Generate(o)
		for _, c := range b.Cases() {
			missing := len(small.Keys(c)) == 0
			if missing && !(o.Companies != 0 && (c == InvoiceGBP || c == CustomerOtherCompany)) {
				t.Errorf("%+v: %s does not occur", o, c)
			}
		}
	}
}

// rowsOf finds the invoices of a case.
func rowsOf(b *Business, c Case) []sandbox.Record {
	var out []sandbox.Record
	keys := b.Keys(c)
	for _, r := range b.batch.Tables["INVOICE"] {
		if slices.Contains(keys, r["INVOICENO"]) {
			out = append(out, r)
		}
	}
	return out
}

func linesOf(b *Business, no string) []sandbox.Record {
	var out []sandbox.Record
	for _, r := range b.batch.Tables["INVOICEITEM"] {
		if r["INVOICENO"] == no {
			out = append(out, r)
		}
	}
	return out
}

func num(s string) decimal.Decimal {
	if s == "" {
		return decimal.Decimal{}
	}
	return decimal.RequireFromString(s)
}

func TestAmountsAddUp(t *testing.T) {
	b := Generate(Options{Seed: 7})
	kinds := map[string]Case{}
	for _, c := range []Case{InvoiceLinesOff, InvoiceFreightInLines} {
		for _, no := range b.Keys(c) {
			kinds[no] = c
		}
	}
	for _, r := range b.batch.Tables["INVOICE"] {
		no, want := r["INVOICENO"], num(r["TAXAMOUNT"])
		for _, l := range linesOf(b, no) {
			want = want.Add(num(l["EXTENDEDPRICE"]))
		}
		switch kinds[no] {
		case InvoiceLinesOff:
			want = want.Add(decimal.New(1234, -2))
		case InvoiceFreightInLines:
		default:
			want = want.Add(num(r["FREIGHT"]))
		}
		if got := num(r["INVAMOUNT"]); !got.Equal(want) || !got.Equal(got.Round(2)) {
			t.Errorf("invoice %s: total %s, want %s", no, got, want)
		}
		open := num(r["INVAMOUNT"]).Sub(num(r["RETENTION"])).Sub(num(r["PAIDAMOUNT"])).Sub(num(r["WRITEOFFAMOUNT"]))
		if !num(r["BALANCE"]).Equal(open) {
			t.Errorf("invoice %s: balance %s, want %s", no, r["BALANCE"], open)
		}
	}
}

// TestCasesShow checks on every invoice of a case that it is what the case says.
func TestCasesShow(t *testing.T) {
	b := Generate(Options{Seed: 7})
	stamps := map[string]bool{}
	for c, shows := range map[Case]func(sandbox.Record) bool{
		InvoiceUnposted: func(r sandbox.Record) bool { return r["PRTID"] == "N" && r["POSTDATE"] == "" },
		InvoicePlain:    func(r sandbox.Record) bool { return r["PRTID"] == "Y" && num(r["BALANCE"]).Equal(num(r["INVAMOUNT"])) },
		InvoiceCredit:   func(r sandbox.Record) bool { return num(r["INVAMOUNT"]).Sign() < 0 },
		InvoiceZero: func(r sandbox.Record) bool {
			return num(r["INVAMOUNT"]).IsZero() && len(linesOf(b, r["INVOICENO"])) == 2
		},
		InvoiceFreight: func(r sandbox.Record) bool { return num(r["FREIGHT"]).Sign() > 0 },
		InvoiceRetention: func(r sandbox.Record) bool {
			return num(r["BALANCE"]).LessThan(num(r["INVAMOUNT"])) && num(r["PAIDAMOUNT"]).IsZero()
		},
		InvoiceContract: func(r sandbox.Record) bool { return r["CONTRACTNO"] != "" },
		InvoicePartPaid: func(r sandbox.Record) bool { return num(r["PAIDAMOUNT"]).Sign() > 0 && num(r["BALANCE"]).Sign() > 0 },
		InvoicePaid:     func(r sandbox.Record) bool { return num(r["BALANCE"]).IsZero() && r["PAIDDATE"] != "" },
		InvoiceWrittenOff: func(r sandbox.Record) bool {
			return num(r["WRITEOFFAMOUNT"]).Sign() > 0 && num(r["PAIDAMOUNT"]).IsZero()
		},
		InvoiceDiscount: func(r sandbox.Record) bool { return r["PAYMENTTERMS"] == "2% 10 NET 30" },
		InvoiceDueNow: func(r sandbox.Record) bool {
			return r["PAYMENTTERMS"] == "DUE ON RECEIPT" && r["DUEDATE"] == r["INVOICEDATE"]
		},
		InvoiceNoDueDate: func(r sandbox.Record) bool { return r["DUEDATE"] == "" },
		InvoiceComment:   func(r sandbox.Record) bool { return strings.Contains(r["COMMENT"], "\r\n") },
		InvoiceGBP:       func(r sandbox.Record) bool { return r["CURRENCY"] == "GBP" && r["COMPANYNO"] == "03" },
		InvoiceManyLines: func(r sandbox.Record) bool { return len(linesOf(b, r["INVOICENO"])) == 60 },
		InvoiceLong:      func(r sandbox.Record) bool { return len(linesOf(b, r["INVOICENO"])[0]["DESCRIPTION"]) == 3900 },
		InvoiceForeign: func(r sandbox.Record) bool {
			return strings.Contains(linesOf(b, r["INVOICENO"])[0]["DESCRIPTION"], "講堂")
		},
		InvoiceZeroLines: func(r sandbox.Record) bool { return num(linesOf(b, r["INVOICENO"])[0]["EXTENDEDPRICE"]).IsZero() },
		InvoiceRounded: func(r sandbox.Record) bool {
			return slices.ContainsFunc(linesOf(b, r["INVOICENO"]), func(l sandbox.Record) bool {
				return !num(l["QTY"]).Mul(num(l["PRICE"])).Round(2).Equal(num(l["EXTENDEDPRICE"]))
			})
		},
		InvoiceSameStamp: func(r sandbox.Record) bool { stamps[r["MODDATE"]] = true; return len(stamps) == 1 },
	} {
		for _, r := range rowsOf(b, c) {
			if !shows(r) {
				t.Errorf("%s: %v", c, r)
			}
		}
	}
}

func TestCustomersAreInvoicedByTheirCompany(t *testing.T) {
	b := Generate(Options{Seed: 7})
	defaults, other := map[string]string{}, b.Keys(CustomerOtherCompany)
	for _, r := range b.batch.Tables["CUSTOMER"] {
		defaults[r["CUSTOMERNO"]] = r["COMPANYNO"]
	}
	currencies := map[string]bool{}
	seen := 0
	for _, r := range b.batch.Tables["INVOICE"] {
		currencies[r["CURRENCY"]] = true
		if slices.Contains(b.Keys(CustomerProspect), r["CUSTOMERNO"]) {
			t.Errorf("prospect %s has invoice %s", r["CUSTOMERNO"], r["INVOICENO"])
		}
		differs := defaults[r["CUSTOMERNO"]] != r["COMPANYNO"]
		if differs != slices.Contains(other, r["CUSTOMERNO"]) {
			t.Errorf("invoice %s of company %s, customer %s of %s", r["INVOICENO"], r["COMPANYNO"], r["CUSTOMERNO"], defaults[r["CUSTOMERNO"]])
		}
		if differs {
			seen++
		}
	}
	if len(currencies) != 4 || seen == 0 {
		t.Errorf("currencies %v, %d invoices of another company", currencies, seen)
	}
}

func TestDocuments(t *testing.T) {
	b := Generate(Options{Seed: 7})
	files := map[string][][]byte{}
	for _, r := range b.batch.Tables["DOCUMENT"] {
		files[r["LINKNO"]] = append(files[r["LINKNO"]], b.batch.Contents[r["DOCUMENTNO"]])
		if r["FILESIZE"] != strconv.Itoa(len(b.batch.Contents[r["DOCUMENTNO"]])) {
			t.Errorf("document %s: size %s", r["DOCUMENTNO"], r["FILESIZE"])
		}
	}
	whole := func(data []byte) bool {
		return bytes.HasPrefix(data, []byte("%PDF-")) && bytes.HasSuffix(data, []byte("%%EOF\n"))
	}
	for c, want := range map[Case][2]int{DocumentPDF: {1, 1}, DocumentTwo: {2, 2}, DocumentWord: {1, 0}, DocumentBroken: {1, 0}, DocumentNone: {0, 0}} {
		for _, no := range b.Keys(c) {
			good := 0
			for _, data := range files[no] {
				if whole(data) {
					good++
				}
			}
			if len(files[no]) != want[0] || good != want[1] {
				t.Errorf("%s %s: %d files, %d whole PDFs", c, no, len(files[no]), good)
			}
		}
	}
}

func TestLoadOnce(t *testing.T) {
	path := t.TempDir() + "/state"
	b := Generate(Options{Seed: 7})
	s := newServer(t, path)
	if err := b.Load(s); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	for n := range 40 {
		if _, err := s.CreateInvoice(b.NextInvoice(n, now)); err != nil {
			t.Fatalf("live invoice %d: %v", n, err)
		}
	}
	again := newServer(t, path)
	if err := b.Load(again); err != nil {
		t.Fatal(err)
	}
	if _, err := again.CreateInvoice(b.NextInvoice(39, now)); err != nil {
		t.Fatal(err)
	}
	rows, err := again.Rows("INVOICE")
	if err != nil || len(rows) != 640 {
		t.Errorf("%d invoices (%v)", len(rows), err)
	}
	posted := 0
	for _, book := range again.Ledger().Books {
		wantExact(t, book)
		for _, i := range book.Invoices {
			if i.Posted {
				posted++
			}
		}
	}
	if posted != 610 {
		t.Errorf("%d posted invoices", posted)
	}
}

// wantExact checks that a book balances and its totals are those of its rows.
func wantExact(t *testing.T, book sandbox.Book) {
	t.Helper()
	name := book.CompanyNo + " " + book.Currency
	if book.JournalSum.Sign() != 0 || len(book.Invoices) == 0 {
		t.Errorf("%s: journal sums to %s, %d invoices", name, book.JournalSum, len(book.Invoices))
	}
	totals := book.Totals
	want := totals.Invoiced.Sub(totals.Retained.Decimal).Sub(totals.Paid.Decimal).Sub(totals.WrittenOff.Decimal)
	if !totals.Balance.Equal(want) || !totals.Paid.Equal(totals.Applied.Decimal) || !totals.Received.Equal(totals.Applied.Decimal) {
		t.Errorf("%s: totals %+v", name, totals)
	}
}

func TestScenario(t *testing.T) {
	s := newServer(t, "")
	n, err := s.Seed(sandbox.SeedRequest{Scenario: "business"})
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	b := Generate(Options{Seed: 7})
	for _, rows := range b.Batch().Tables {
		want += len(rows)
	}
	if n.Rows != want || n.Contents != len(b.Batch().Contents) {
		t.Errorf("loaded %+v, want %d rows and %d documents", n, want, len(b.Batch().Contents))
	}
	if got := len(s.Ledger().Books); got != 4 {
		t.Errorf("%d books", got)
	}
	// A closed month lies before the first day; every company has it.
	closed := 0
	periods, err := s.Rows("FISCALENDAR")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range periods {
		if p["STATUS"] == "CLOSED" {
			closed++
		}
	}
	if closed != 3 {
		t.Errorf("%d closed periods", closed)
	}
	paid := b.Keys(InvoicePlain)[0]
	if _, err := s.NativePayment(sandbox.NativePayment{InvoiceNo: paid, Date: "2026-01-15"}); err == nil || !strings.Contains(err.Error(), "ClosedPeriod") {
		t.Errorf("receipt in the closed month: %v", err)
	}
	if _, err := s.NativePayment(sandbox.NativePayment{InvoiceNo: paid}); err != nil {
		t.Error(err)
	}
}
