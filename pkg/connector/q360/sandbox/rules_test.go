package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// with changes one value of the receipt header.
func with(pairs ...string) string {
	out := header
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		i := strings.Index(out, `"`+name+`":"`) + len(name) + 4
		end := strings.Index(out[i:], `"`) + i
		out = out[:i] + value + out[end:]
	}
	return out
}

func TestReceiptHeader(t *testing.T) {
	s := newSite(t, Quirks{})
	for record, want := range map[string]string{
		header:                                               "",
		with("COMPANYNO="):                                   "MandatoryField",
		with("COMPANYNO=09"):                                 "InvalidReference",
		with("CUSTOMERNO=C09999"):                            "InvalidReference",
		with("CUSTOMERNO=C00002"):                            "InvalidCustomer",
		with("RECEIPTDATE=2026-02-10"):                       "ClosedPeriod",
		with("RECEIPTDATE=2026-04-01"):                       "ClosedPeriod",
		with("RECEIPTDATE=2026-03-31 23:59:59.000"):          "",
		with("AMOUNT=0"):                                     "InvalidAmount",
		with("AMOUNT=-5"):                                    "InvalidAmount",
		with("AMOUNT=1,000.00"):                              "InvalidValue",
		with("ACCOUNTNO=1200"):                               "NotABankAccount",
		with("ACCOUNTNO=9999"):                               "InvalidReference",
		with("ACCOUNTNO=1030"):                               "CurrencyMismatch",
		with("ACCOUNTNO=1030", "CURRENCY=EUR"):               "",
		with("REFERENCE=" + strings.Repeat("x", 21)):         "InvalidValue",
		strings.Replace(header, "{", `{"UNAPPLIED":"1",`, 1): "ReadOnlyColumn",
	} {
		if got := s.write("PUT", "CASHRECEIPT", record); got.reference() != want {
			t.Errorf("%s: %s", record, got.Body)
		}
	}
	s.wantBalanced()
}

func TestDuplicateReferencesAreAccepted(t *testing.T) {
	s := newSite(t, Quirks{})
	for range 2 {
		if got := s.write("PUT", "CASHRECEIPT", header); !got.Success {
			t.Fatal(string(got.Body))
		}
	}
	found := s.list("CASHRECEIPT", `{"filters":[{"field":"REFERENCE","op":"=","value":"IVD-1"}]}`)
	if !slices.Equal(found.column("RECEIPTNO"), []string{"R20001", "R20002"}) {
		t.Errorf("receipts: %v", found.column("RECEIPTNO"))
	}
}

func item(invoice, amount string, extra ...string) string {
	return fmt.Sprintf(`{"RECEIPTNO":"R20001","INVOICENO":"%s","AMOUNT":"%s","TYPE":"APPLY"%s}`, invoice, amount, strings.Join(extra, ""))
}

func TestApplications(t *testing.T) {
	for name, c := range map[string]struct {
		records, want string
	}{
		"in full":              {item("104001", "100.00"), ""},
		"in part":              {item("104001", "0.01"), ""},
		"above the balance":    {item("104001", "100.01"), "OverApplied"},
		"twice above":          {item("104001", "60") + "," + item("104001", "41"), "OverApplied"},
		"not posted":           {item("104002", "10"), "NotPosted"},
		"other company":        {item("104004", "10"), "CompanyMismatch"},
		"other currency":       {item("104005", "10"), "CurrencyMismatch"},
		"other customer":       {item("104006", "10"), ""},
		"zero":                 {item("104001", "0"), "InvalidAmount"},
		"negative on invoice":  {item("104001", "-1"), "OverApplied"},
		"positive on credit":   {item("104003", "1"), "OverApplied"},
		"credit":               {item("104003", "-40"), ""},
		"above the credit":     {item("104003", "-40.01"), "OverApplied"},
		"no invoice":           {item("", "10"), "MandatoryField"},
		"unknown invoice":      {item("999999", "10"), "InvalidReference"},
		"unknown receipt":      {`{"RECEIPTNO":"R1","INVOICENO":"104001","AMOUNT":"1"}`, "InvalidReference"},
		"type left out":        {`{"RECEIPTNO":"R20001","INVOICENO":"104001","AMOUNT":"1"}`, ""},
		"unknown type":         {strings.Replace(item("104001", "1"), "APPLY", "DISCOUNT", 1), "InvalidItemType"},
		"fee":                  {`{"RECEIPTNO":"R20001","AMOUNT":"3.50","TYPE":"FEE","ACCOUNTNO":"4950"}`, ""},
		"fee of an invoice":    {`{"RECEIPTNO":"R20001","INVOICENO":"104001","AMOUNT":"3.50","TYPE":"FEE","ACCOUNTNO":"4950"}`, ""},
		"fee without account":  {`{"RECEIPTNO":"R20001","AMOUNT":"3.50","TYPE":"FEE"}`, "MandatoryField"},
		"fee, unknown account": {`{"RECEIPTNO":"R20001","AMOUNT":"3.50","TYPE":"FEE","ACCOUNTNO":"4951"}`, "InvalidReference"},
		"negative fee":         {`{"RECEIPTNO":"R20001","AMOUNT":"-1","TYPE":"FEE","ACCOUNTNO":"4950"}`, "InvalidAmount"},
		"on account":           {`{"RECEIPTNO":"R20001","AMOUNT":"10","TYPE":"ONACCT"}`, ""},
		"on account, invoice":  {`{"RECEIPTNO":"R20001","INVOICENO":"104001","AMOUNT":"10","TYPE":"ONACCT"}`, "InvalidItemType"},
		"more than the header": {item("104001", "97") + `,{"RECEIPTNO":"R20001","AMOUNT":"3.01","TYPE":"FEE","ACCOUNTNO":"4950"}`, "ReceiptExceeded"},
		"credit makes room":    {`{"RECEIPTNO":"R20001","AMOUNT":"40","TYPE":"ONACCT"},` + item("104001", "100") + "," + item("104003", "-40"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Quirks{})
			s.write("PUT", "CASHRECEIPT", header)
			got := s.write("PUT", "CASHRECEIPTITEM", c.records)
			if got.reference() != c.want {
				t.Errorf("%s", got.Body)
			}
			if c.want != "" && (s.value("INVOICE", "104001", "BALANCE") != "100.0000" || s.count("CASHRECEIPTITEM") != 0) {
				t.Error("a refused call left something behind")
			}
			s.wantBalanced()
		})
	}
}

func TestReceiptLowersBalance(t *testing.T) {
	s := newSite(t, Quirks{})
	s.write("PUT", "CASHRECEIPT", with("AMOUNT=64.00"))
	s.write("PUT", "CASHRECEIPTITEM", item("104001", "60.00")+`,{"RECEIPTNO":"R20001","AMOUNT":"2.10","TYPE":"FEE","ACCOUNTNO":"4950"}`)
	for column, want := range map[string]string{"BALANCE": "40.0000", "PAIDAMOUNT": "60.0000", "PAIDDATE": "", "MODDATE": "2026-03-01 10:00:00.000"} {
		if got := s.value("INVOICE", "104001", column); got != want {
			t.Errorf("%s is %q, want %q", column, got, want)
		}
	}
	if got := s.value("CASHRECEIPT", "R20001", "UNAPPLIED"); got != "1.9000" {
		t.Errorf("unapplied: %s", got)
	}
	s.write("PUT", "CASHRECEIPT", with("AMOUNT=40.00"))
	s.write("PUT", "CASHRECEIPTITEM", strings.Replace(item("104001", "40.00"), "R20001", "R20002", 1))
	if s.value("INVOICE", "104001", "BALANCE") != "0.0000" || s.value("INVOICE", "104001", "PAIDDATE") != "2026-03-09 00:00:00.000" {
		t.Error("paid in full is not shown")
	}
	audit := s.list("AUDITLOG", `{"filters":[{"field":"TABLENAME","op":"=","value":"INVOICE"},{"field":"LINKNO","op":"=","value":"104001"}]}`)
	if !slices.Equal(audit.column("ACTION"), []string{"MODIFIED", "MODIFIED"}) || !slices.Equal(audit.column("USERID"), []string{"APIUSER", "APIUSER"}) {
		t.Errorf("audit: %s", audit.Body)
	}
	s.wantBalanced()
	touching := newSite(t, Quirks{ReceiptTouchesStamp: true})
	touching.write("PUT", "CASHRECEIPT", header)
	touching.write("PUT", "CASHRECEIPTITEM", item("104001", "60.00"))
	if got := touching.value("INVOICE", "104001", "MODDATE"); got != "2026-03-10 09:30:00.127" {
		t.Errorf("receipt_touches_invoice: %s", got)
	}
}

func TestZeroReceipt(t *testing.T) {
	s := newSite(t, Quirks{ZeroReceipts: true})
	if got := s.write("PUT", "CASHRECEIPT", with("AMOUNT=0")); !got.Success {
		t.Fatal(string(got.Body))
	}
	if got := s.write("PUT", "CASHRECEIPTITEM", item("104001", "40")); got.reference() != "ReceiptExceeded" {
		t.Errorf("one side only: %s", got.Body)
	}
	if got := s.write("PUT", "CASHRECEIPTITEM", item("104001", "40")+","+item("104003", "-40")); !got.Success {
		t.Errorf("netting: %s", got.Body)
	}
	s.wantBalanced()
}

func TestReceiptsAreFinal(t *testing.T) {
	s := newSite(t, Quirks{})
	s.write("PUT", "CASHRECEIPT", header)
	s.write("PUT", "CASHRECEIPTITEM", item("104001", "60.00"))
	for name, c := range map[string]struct {
		got  answered
		want string
	}{
		"comment":      {s.write("PATCH", "CASHRECEIPT", `{"RECEIPTNO":"R20001","COMMENT":"x"}`), ""},
		"amount":       {s.write("PATCH", "CASHRECEIPT", `{"RECEIPTNO":"R20001","AMOUNT":"1"}`), "ReceiptPosted"},
		"item":         {s.write("PATCH", "CASHRECEIPTITEM", `{"RECEIPTITEMNO":"70001","AMOUNT":"1"}`), "ReceiptPosted"},
		"delete":       {s.write("DELETE", "CASHRECEIPT", `{"RECEIPTNO":"R20001"}`), "ReceiptPosted"},
		"delete item":  {s.write("DELETE", "CASHRECEIPTITEM", `{"RECEIPTITEMNO":"70001"}`), "ReceiptPosted"},
		"paid invoice": {s.as("CHANGER").write("DELETE", "INVOICE", `{"INVOICENO":"104001"}`), "InvoiceHasReceipts"},
		"its currency": {s.as("CHANGER").write("PATCH", "INVOICE", `{"INVOICENO":"104001","CURRENCY":"CAD"}`), "InvoiceHasReceipts"},
	} {
		if c.got.reference() != c.want {
			t.Errorf("%s: %s", name, c.got.Body)
		}
	}
	s.wantBalanced()
}

func TestForeignExchange(t *testing.T) {
	entries := func(s *site) []string {
		return s.list("ARJOURNAL", `{"columns":["AMOUNT","CURRENCY"],"filters":[{"field":"TYPE","op":"=","value":"FE"}]}`).column("AMOUNT")
	}
	pay := func(s *site) {
		t.Helper()
		s.write("PUT", "CASHRECEIPT", with("ACCOUNTNO=1030", "CURRENCY=EUR"))
		if got := s.write("PUT", "CASHRECEIPTITEM", item("104005", "100")); !got.Success {
			t.Fatal(string(got.Body))
		}
		s.wantBalanced()
	}
	both := newSite(t, Quirks{ForeignExchange: true, FXReceipts: true})
	pay(both)
	if got := entries(both); !slices.Equal(got, []string{"10.0000", "-10.0000"}) { // 100 EUR from 1.1 to 1.2
		t.Errorf("FE rows: %v", got)
	}
	half := newSite(t, Quirks{ForeignExchange: true})
	pay(half)
	if got := entries(half); len(got) != 0 {
		t.Errorf("without fxartrans: %v", got)
	}
	answer, err := half.CreateInvoice(NewInvoice{Header: Record{"CUSTOMERNO": "C00001", "CURRENCY": "EUR", "INVAMOUNT": "50"}, Post: true})
	if err != nil || !answer.Posted || len(entries(half)) != 2 {
		t.Errorf("posting: %+v %v %v", answer, err, entries(half))
	}
}

func TestPostedInvoices(t *testing.T) {
	s := newSite(t, Quirks{})
	changer := s.as("CHANGER")
	for name, c := range map[string]struct {
		got  answered
		want string
	}{
		"posted header":      {s.write("PATCH", "INVOICE", `{"INVOICENO":"104001","COMMENT":"x"}`), "InvoicePosted"},
		"posted line":        {s.write("PATCH", "INVOICEITEM", `{"INVOICEITEMNO":"1","QTY":"2"}`), "InvoicePosted"},
		"new posted line":    {s.write("PUT", "INVOICEITEM", `{"INVOICENO":"104001","DESCRIPTION":"x"}`), "InvoicePosted"},
		"line to posted":     {s.write("PATCH", "INVOICEITEM", `{"INVOICEITEMNO":"3","INVOICENO":"104001"}`), "InvoicePosted"},
		"delete posted line": {s.write("DELETE", "INVOICEITEM", `{"INVOICEITEMNO":"1"}`), "InvoicePosted"},
		"open header":        {s.write("PATCH", "INVOICE", `{"INVOICENO":"104002","COMMENT":"x"}`), ""},
		"open line":          {s.write("PATCH", "INVOICEITEM", `{"INVOICEITEMNO":"3","QTY":"2"}`), ""},
		"own flag":           {s.write("PATCH", "INVOICE", `{"INVOICENO":"104002","PRTID":"Y"}`), "ReadOnlyColumn"},
		"own balance":        {s.write("PUT", "INVOICE", `{"CUSTOMERNO":"C00001","INVAMOUNT":"5","BALANCE":"4"}`), "ReadOnlyColumn"},
		"prospect":           {s.write("PUT", "INVOICE", `{"CUSTOMERNO":"C00002","INVAMOUNT":"5"}`), "InvalidCustomer"},
		"with permission":    {changer.write("PATCH", "INVOICE", `{"INVOICENO":"104001","INVAMOUNT":"130"}`), ""},
		"line, permission":   {changer.write("PATCH", "INVOICEITEM", `{"INVOICEITEMNO":"1","QTY":"2"}`), ""},
		"delete, permission": {changer.write("DELETE", "INVOICE", `{"INVOICENO":"104004"}`), ""},
	} {
		if c.got.reference() != c.want {
			t.Errorf("%s: %s", name, c.got.Body)
		}
	}
	if s.value("INVOICE", "104001", "BALANCE") != "130.0000" || s.value("INVOICE", "104001", "MODDATE") != "2026-03-10 09:30:00.127" {
		t.Error("the balance or the stamp did not follow the total")
	}
	s.wantBalanced()
}

func TestInvoiceDefaults(t *testing.T) {
	s := newSite(t, Quirks{TrimChar: true})
	got := s.write("PUT", "INVOICE", `{"CUSTOMERNO":"C00001","INVAMOUNT":"80","RETENTION":"8"}`, "_outputdata=Y")
	if !got.Success {
		t.Fatal(string(got.Body))
	}
	want := map[string]any{"INVOICENO": "104007", "COMPANYNO": "01", "CURRENCY": "USD", "PAYMENTTERMS": "NET30", "PRTID": "N",
		"INVOICEDATE": "2026-03-10 00:00:00.000", "DUEDATE": "2026-04-09 00:00:00.000", "BALANCE": "72.0000", "POSTDATE": nil}
	for column, w := range want {
		if g := got.Payload.Result[0][column]; g != w {
			t.Errorf("%s is %v, want %v", column, g, w)
		}
	}
}
