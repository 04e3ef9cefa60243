package q360

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

func someReceipt() billing.Receipt {
	return billing.Receipt{Reference: "IVD-8812034", CompanyNo: "01", CustomerNo: "C00417", Date: "2026-05-04", Amount: usd("1287.50"), GLAccount: "1010", PayMethod: "CARD",
		Comment: "Invoiced payment 8812034", Lines: []billing.ReceiptLine{
			{Kind: billing.LineApplication, InvoiceNo: "104233", Amount: usd("1250")},
			{Kind: billing.LineFee, InvoiceNo: "104233", Amount: usd("37.50"), GLAccount: "4950", Comment: "Convenience fee"},
		}}
}

func TestReceiptThereAndBack(t *testing.T) {
	for _, oneCall := range []bool{true, false} {
		s := newSite()
		c, _ := serve(t, s, func(cfg *Config) {
			cfg.Mapping.Receipts.Application.OneCall = oneCall
			cfg.Mapping.Receipts.Header.Constants = map[string]string{"PAYMETHOD": "DEFAULT"}
		})
		ctx, r := context.Background(), someReceipt()
		if found, err := c.FindReceipts(ctx, r.Reference); err != nil || len(found) != 0 {
			t.Fatalf("before: %v, %v", found, err)
		}
		if err := c.PreviewReceipt(ctx, r); err != nil || len(s.tables["CASHRECEIPT"].rows) != 0 {
			t.Fatalf("preview: %v, %d rows", err, len(s.tables["CASHRECEIPT"].rows))
		}
		number, err := c.CreateReceipt(ctx, r)
		if err != nil || number != "C0001" {
			t.Fatalf("create: %q, %v", number, err)
		}
		if diff := cmp.Diff(map[string]string{"RECEIPTNO": "C0001", "COMPANYNO": "01", "CUSTOMERNO": "C00417", "RECEIPTDATE": "2026-05-04 00:00:00.000", "AMOUNT": "1287.50", "CURRENCY": "USD",
			"REFERENCE": "IVD-8812034", "ACCOUNTNO": "1010", "PAYMETHOD": "CARD", "COMMENT": "Invoiced payment 8812034"}, s.tables["CASHRECEIPT"].rows[0]); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
		s.reset()
		if err := c.CreateReceiptLines(ctx, number, r, r.Lines); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1, false: 2}[oneCall]; s.calls["PUT CASHRECEIPTITEM"] != want {
			t.Errorf("%d calls for the lines, want %d", s.calls["PUT CASHRECEIPTITEM"], want)
		}
		found, err := c.FindReceipts(ctx, r.Reference)
		if err != nil || len(found) != 1 {
			t.Fatalf("after: %v, %v", found, err)
		}
		r.Number = number
		if diff := cmp.Diff(r, found[0], exact...); diff != "" {
			t.Errorf("receipt (-want +got):\n%s", diff)
		}
	}
}

func TestReceiptRefusals(t *testing.T) {
	edit := func(f func(*billing.Receipt)) billing.Receipt { r := someReceipt(); f(&r); return r }
	cases := []struct {
		name, field string
		r           billing.Receipt
	}{
		{"long reference", "reference", edit(func(r *billing.Receipt) { r.Reference = "IVD-12345678901234567" })},
		{"no reference", "reference", edit(func(r *billing.Receipt) { r.Reference = "" })},
		{"company", "company_no", edit(func(r *billing.Receipt) { r.CompanyNo = "02" })},
		{"date", "date", edit(func(r *billing.Receipt) { r.Date = "" })},
		{"account", "gl_account", edit(func(r *billing.Receipt) { r.GLAccount = "" })},
		{"customer", "customer_no", edit(func(r *billing.Receipt) { r.CustomerNo = "" })},
	}
	s := newSite()
	c, _ := serve(t, s)
	ctx := context.Background()
	for _, tc := range cases {
		for name, call := range map[string]func() error{"preview": func() error { return c.PreviewReceipt(ctx, tc.r) }, "create": func() error { _, err := c.CreateReceipt(ctx, tc.r); return err }} {
			err := call()
			classOf(t, err, connector.ClassInvalid)
			if e := err.(*connector.Error); e.Field != tc.field || e.Ambiguous {
				t.Errorf("%s, %s: %v, field %q", tc.name, name, err, e.Field)
			}
		}
	}
	r := someReceipt()
	for name, line := range map[string]billing.ReceiptLine{
		"kind":     {Kind: "tip", Amount: usd("1")},
		"currency": {Kind: billing.LineApplication, InvoiceNo: "1", Amount: money.MustParse("1", money.CAD)},
		"invoice":  {Kind: billing.LineApplication, Amount: usd("1")},
	} {
		if err := c.CreateReceiptLines(ctx, "R1", r, []billing.ReceiptLine{r.Lines[0], line}); connector.ClassOf(err) != connector.ClassInvalid {
			t.Errorf("line with a wrong %s: %v", name, err)
		}
	}
	if err := c.CreateReceiptLines(ctx, " ", r, r.Lines); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("no number: %v", err)
	}
	if s.count() > 0 {
		t.Errorf("%d calls were made for records that can not be written: %v", s.count(), s.log)
	}
}

func TestClosedPeriodAndOtherRefusals(t *testing.T) {
	s := newSite()
	s.refuse = func(table string, rec map[string]string) (string, string) {
		switch rec["RECEIPTDATE"] {
		case "2026-04-30 00:00:00.000":
			return "E17", "The fiscal period 2026-04 is closed."
		case "2026-05-03 00:00:00.000":
			return "OverApplied", "Too much."
		}
		return "", ""
	}
	c, _ := serve(t, s)
	for date, code := range map[billing.Date]string{"2026-04-30": CodeClosedPeriod, "2026-05-03": "OverApplied"} {
		r := someReceipt()
		r.Date = date
		for _, call := range []func() error{func() error { return c.PreviewReceipt(context.Background(), r) }, func() error { _, err := c.CreateReceipt(context.Background(), r); return err }} {
			err := call()
			classOf(t, err, connector.ClassInvalid)
			if e := err.(*connector.Error); e.Code != code || e.Ambiguous {
				t.Errorf("%s: %v, code %q, want %q", date, err, e.Code, code)
			}
		}
	}
}

func TestUnknownOutcomes(t *testing.T) {
	s := newSite()
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Receipts.Application.OneCall = false })
	puts := 0
	s.answer = func(w http.ResponseWriter, r *http.Request, table string) bool {
		if r.Method != http.MethodPut {
			return false
		}
		if puts++; table == "CASHRECEIPTITEM" && puts == 2 {
			return false
		}
		fmt.Fprint(w, "<html>timeout</html>")
		return true
	}
	r := someReceipt()
	_, err := c.CreateReceipt(context.Background(), r)
	if !connector.Ambiguous(err) || puts != 1 {
		t.Errorf("header: %v after %d calls", err, puts)
	}
	if err := c.CreateReceiptLines(context.Background(), "R1", r, r.Lines); !connector.Ambiguous(err) {
		t.Errorf("lines: %v", err)
	}
	s.answer, s.refuse = nil, func(_ string, rec map[string]string) (string, string) {
		if rec["TYPE"] == "FEE" {
			return "X", "no fees here"
		}
		return "", ""
	}
	if err := c.CreateReceiptLines(context.Background(), "R1", r, r.Lines); !connector.Ambiguous(err) {
		t.Errorf("a refusal after the first line was written: %v", err)
	}
}

func TestFindReceiptsTrustsNothing(t *testing.T) {
	s := newSite()
	c, _ := serve(t, s)
	ctx := context.Background()
	s.add("CASHRECEIPT", "RECEIPTNO=R1", "REFERENCE=ivd-1 ", "COMPANYNO=02", "RECEIPTDATE=2026-05-04", "AMOUNT=1", "CURRENCY=CAD", "ACCOUNTNO=1020")
	s.add("CASHRECEIPT", "RECEIPTNO=R2", "REFERENCE=IVD-1", "COMPANYNO=01", "RECEIPTDATE=2026-05-04", "AMOUNT=2", "ACCOUNTNO=1030")
	s.add("CASHRECEIPTITEM", "RECEIPTITEMNO=1", "RECEIPTNO=R2", "INVOICENO=A1", "AMOUNT=2", "TYPE=odd")
	found, err := c.FindReceipts(ctx, "IVD-1")
	if err != nil || len(found) != 2 || found[0].CompanyNo != "02" || found[1].Amount.Currency() != money.EUR || found[1].Lines[0].Kind != "odd" {
		t.Errorf("found %+v, %v", found, err)
	}
	s.add("CASHRECEIPT", "RECEIPTNO=R3", "REFERENCE=IVD-3", "AMOUNT=1.001", "CURRENCY=USD")
	_, err = c.FindReceipts(ctx, "IVD-3")
	classOf(t, err, connector.ClassBadResponse)
	_, err = c.FindReceipts(ctx, " ")
	classOf(t, err, connector.ClassBug)
	s.answer = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		fmt.Fprint(w, `{"code":200,"success":true,"payload":{"result":[{"RECEIPTNO":"R9","REFERENCE":"OTHER"}]},"outvars":{"hasmore":"N"}}`)
		return true
	}
	_, err = c.FindReceipts(ctx, "IVD-1")
	classOf(t, err, connector.ClassBadResponse)
	s.answer = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		fmt.Fprint(w, `{"code":200,"success":true,"payload":[]}`)
		return true
	}
	_, err = c.FindReceipts(ctx, "IVD-1") // an answer of an unknown form is no "absent"
	classOf(t, err, connector.ClassBadResponse)
}

func TestSimilarReceipts(t *testing.T) {
	s := newSite()
	for i, pairs := range []string{
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-05-01 00:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-05-07 16:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-05-08 00:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-04-30 00:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C2|AMOUNT=10|RECEIPTDATE=2026-05-04 00:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=11|RECEIPTDATE=2026-05-04 00:00:00.000|COMPANYNO=01|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-05-04 00:00:00.000|COMPANYNO=02|CURRENCY=USD",
		"CUSTOMERNO=C1|AMOUNT=10|RECEIPTDATE=2026-05-04 00:00:00.000|COMPANYNO=01|CURRENCY=CAD",
	} {
		s.add("CASHRECEIPT", append(strings.Split(pairs, "|"), fmt.Sprintf("RECEIPTNO=R%d", i))...)
	}
	c, _ := serve(t, s)
	found, err := c.SimilarReceipts(context.Background(), "C1", usd("10"), "2026-05-04")
	if err != nil || len(found) != 2 || found[0].Number != "R0" || found[1].Number != "R1" {
		t.Errorf("found %+v, %v", found, err)
	}
	_, err = c.SimilarReceipts(context.Background(), "C1", usd("10"), "")
	classOf(t, err, connector.ClassBug)
}

func TestReceiptsSwitchedOff(t *testing.T) {
	s := newSite()
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Receipts.Mode, cfg.Mapping.History.Enabled = "hold", false })
	ctx, r := context.Background(), someReceipt()
	_, find := c.FindReceipts(ctx, "IVD-1")
	_, similar := c.SimilarReceipts(ctx, "C1", usd("1"), "2026-05-04")
	_, create := c.CreateReceipt(ctx, r)
	_, history := c.FindHistory(ctx, billing.HistoryEntry{})
	for _, err := range []error{find, similar, create, history, c.PreviewReceipt(ctx, r), c.CreateReceiptLines(ctx, "1", r, r.Lines), c.CreateHistory(ctx, billing.HistoryEntry{})} {
		classOf(t, err, connector.ClassUnsupported)
	}
	if s.count() > 0 {
		t.Errorf("%d calls", s.count())
	}
}

func TestKindsWithoutAKindColumn(t *testing.T) {
	s := newSite()
	c, _ := serve(t, s, func(cfg *Config) {
		cfg.Mapping.Receipts.Application.Columns.Kind = ""
	})
	r := someReceipt()
	lines := append(r.Lines, billing.ReceiptLine{Kind: billing.LineOnAccount, Amount: usd("5")})
	s.add("CASHRECEIPT", "RECEIPTNO=R1", "REFERENCE=IVD-1", "AMOUNT=1", "CURRENCY=USD")
	if err := c.CreateReceiptLines(context.Background(), "R1", r, lines); err != nil {
		t.Fatal(err)
	}
	found, err := c.FindReceipts(context.Background(), "IVD-1")
	if err != nil || len(found[0].Lines) != 3 {
		t.Fatalf("found %+v, %v", found, err)
	}
	for i, line := range found[0].Lines {
		if line.Kind != lines[i].Kind {
			t.Errorf("line %d is %s, want %s", i, line.Kind, lines[i].Kind)
		}
	}
	m := mapping.Default()
	m.Receipts.Application.Kinds[billing.LineOnAccount] = ""
	c, _ = serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	s.reset()
	if err := c.CreateReceiptLines(context.Background(), "R1", r, lines[2:]); err != nil || s.count() != 0 {
		t.Errorf("an implicit on-account line: %v, %d calls", err, s.count())
	}
}

func TestHistory(t *testing.T) {
	s := newSite()
	m := mapping.Default()
	m.History.CommentMax = 64
	m.Dialect.PageSize = 2
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	ctx := context.Background()
	e := billing.HistoryEntry{Key: "evt-5f21", Code: "RP-VIEWED", InvoiceNo: "104233", CustomerNo: "C1", At: time.Date(2026, 5, 4, 14, 10, 0, 0, time.UTC),
		Comment: "Invoice 104233 viewed in the payment portal by Dana Ruiz and somebody else"}
	if found, err := c.FindHistory(ctx, e); err != nil || found {
		t.Fatalf("before: %v, %v", found, err)
	}
	if err := c.CreateHistory(ctx, e); err != nil {
		t.Fatal(err)
	}
	row := s.tables["CONTACTHISTORY"].rows[0]
	if len(row["COMMENT"]) > 64 || !strings.HasSuffix(row["COMMENT"], " [evt-5f21]") || !strings.HasPrefix(row["COMMENT"], "Invoice 104233 viewed") ||
		row["DATE"] != "2026-05-04 10:10:00.000" || row["TYPE"] != "RP-VIEWED" || row["LINKTYPE"] != "INVOICE" || row["LINKNO"] != "104233" || row["CUSTOMERNO"] != "C1" {
		t.Errorf("entry %v", row)
	}
	for i := range 7 { // later entries push it to a later page
		other := e
		other.Key = fmt.Sprintf("evt-%d", i)
		if err := c.CreateHistory(ctx, other); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := c.FindHistory(ctx, e); err != nil || !found {
		t.Errorf("after: %v, %v", found, err)
	}
	e.Code = "RP-PAID"
	if found, err := c.FindHistory(ctx, e); err != nil || found {
		t.Errorf("another code: %v, %v", found, err)
	}
	for field, bad := range map[string]billing.HistoryEntry{"key": {Key: "a]b", Code: "X", InvoiceNo: "1"}, "invoice_no": {Key: "k", Code: "X"}, "code": {Key: "k", InvoiceNo: "1"},
		"key ": {Key: strings.Repeat("k", 70), Code: "X", InvoiceNo: "1"}} {
		err := c.CreateHistory(ctx, bad)
		classOf(t, err, connector.ClassInvalid)
		if e := err.(*connector.Error); e.Field != strings.TrimSpace(field) {
			t.Errorf("%q: %v", field, err)
		}
	}
}
