package q360

import (
	"context"
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// rowOf makes a row of lines such as COMPANY=Acme; pad is added around each value, as fixed-width columns do.
func rowOf(text, pad string) client.Row {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		values[strings.ToUpper(name)] = pad + value + pad
	}
	return client.NewRow(values)
}

// checkRefusal holds the refusal of a record to naming the place and the remedy.
func checkRefusal(t *testing.T, err error, table string) {
	t.Helper()
	var r *recordError
	if !errors.As(err, &r) || r.table != table || r.column == "" || r.remedy == "" {
		t.Errorf("a refusal without place and remedy: %v", err)
	}
}

// Whatever a customer's columns hold: it is taken, or refused with the place; padding changes nothing.
func FuzzCustomer(f *testing.F) {
	f.Add("CUSTOMERNO=C1\nCOMPANY=North Peak\nDEFCURRENCY=usd\nCOUNTRY=us\nSTATUS=ACTIVE\nZIP=84401\nMODDATE=2026-05-04 10:00:00.000")
	f.Add("CUSTOMERNO=C2\nDEFCURRENCY=DOLLAR")
	f.Add("COMPANY=nobody")
	f.Add("CUSTOMERNO=\u00a0\nSTATUS=inactive\nMODDATE=0000-00-00")
	c, _ := serve(f, newSite())
	f.Fuzz(func(t *testing.T, text string) {
		got, err := c.customer(rowOf(text, ""))
		padded, errPadded := c.customer(rowOf(text, "  "))
		if (err == nil) != (errPadded == nil) || err == nil && !cmp.Equal(got, padded) {
			t.Fatalf("padding changes %+v (%v) into %+v (%v)", got, err, padded, errPadded)
		}
		if err != nil {
			checkRefusal(t, err, "CUSTOMER")
			return
		}
		if got.Number == "" || got.Number != strings.TrimSpace(got.Number) || got.Currency != "" && !got.Currency.Known() {
			t.Errorf("customer %+v of %q", got, text)
		}
		if country := got.Main.Country; country != "" && len(country) != 2 {
			t.Errorf("country %q of %q", country, text)
		}
	})
}

// Whatever the columns of contacts hold: every row gives one contact, with one good address or none, in one order.
func FuzzContacts(f *testing.F) {
	f.Add("CONTACTNO=K1\nEMAIL=Ann@Acme.example\nTYPE=AP;ar", "CONTACTNO=K2\nEMAIL=ann\nSTATUS=INACTIVE\nTYPE=,,;")
	f.Add("CONTACTNO=K2\nFIRSTNAME=\u00e4\nEMAIL=a@b.example, c@d.example", "CONTACTNO=K1\nEMAIL=<a@b.example>\nMOBILE=1")
	f.Add("EMAIL=@", "EMAIL=a b@c.d")
	c, _ := serve(f, newSite())
	f.Fuzz(func(t *testing.T, first, second string) {
		one, two := rowOf(first, ""), rowOf(second, " ")
		got := c.contacts([]client.Row{one, two})
		if len(got) != 2 || got[0].Number > got[1].Number {
			t.Fatalf("contacts %+v", got)
		}
		if again := c.contacts([]client.Row{two, one}); got[0].Number != got[1].Number && !cmp.Equal(got, again) {
			t.Errorf("the order of the rows changes %+v into %+v", got, again)
		}
		for _, k := range got {
			if k.Email != "" && (strings.Count(k.Email, "@") != 1 && !strings.Contains(k.Email, `"`) || strings.ContainsAny(k.Email, "<>\r\n") && !strings.Contains(k.Email, `"`)) {
				t.Errorf("address %q", k.Email)
			}
			seen := map[billing.Role]bool{}
			for _, r := range k.Roles {
				if seen[r] || r != billing.RoleAR && r != billing.RoleAP && r != billing.RoleCollections {
					t.Errorf("roles %v", k.Roles)
				}
				seen[r] = true
			}
		}
	})
}

// Whatever the row of a document holds: it is listed when its name is that of a wanted file, and left out otherwise.
func FuzzDocuments(f *testing.F) {
	f.Add("invoice.pdf", "INVOICE", "1024", "2026-05-04 10:00:00.000")
	f.Add("Invoice 1.PDF ", "", "-1", "yesterday")
	f.Add("setup.pdf.exe", "INVOICE", "1e9", "")
	f.Add("", "\x00", "99999999999999999999", "2026-13-01")
	s := newSite()
	s.add("DOCUMENT", "DOCUMENTNO=D1", "LINKTYPE=INVOICE", "LINKNO=A1")
	c, _ := serve(f, s)
	f.Fuzz(func(t *testing.T, name, kind, size, modified string) {
		s.set("DOCUMENT", "D1", "FILENAME="+name, "DOCTYPE="+kind, "FILESIZE="+size, "MODDATE="+modified)
		got, err := c.Documents(context.Background(), "A1")
		if err != nil {
			t.Fatal(err)
		}
		wanted := strings.EqualFold(path.Ext(strings.TrimSpace(strings.ToValidUTF8(name, "\ufffd"))), ".pdf")
		if wanted != (len(got) == 1) || len(got) > 1 {
			t.Fatalf("file %q gives %+v", name, got)
		}
		if wanted && (got[0].Number != "D1" || got[0].Filename != strings.TrimSpace(got[0].Filename)) {
			t.Errorf("document %+v", got[0])
		}
	})
}

// A receipt that can be written is read again as the same one, to the cent; any other is refused with its field.
func FuzzReceipt(f *testing.F) {
	f.Add("IVD-9001", "C1", int64(102900), uint8(0), 20210, "1010", "CARD", "Invoiced payment 9001", "104233", "4950")
	f.Add("IVD-1", "C 2", int64(-1), uint8(1), 0, "0", "", strings.Repeat("long ", 100), "", "")
	f.Add("", " ", int64(0), uint8(2), -700000, "", "card", "\u00e9\n=", "A1", "4950")
	f.Add("IVD-12345678901234567", "C1", int64(1), uint8(0), 1, "1010", "ACH", "x", "A1", "1")
	c, _ := serve(f, newSite())
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, reference, customer string, minor int64, cur uint8, day int, account, method, comment, invoice, gl string) {
		currency := []money.Currency{"USD", "JPY", "KWD", "EUR"}[cur%4]
		r := billing.Receipt{
			Reference: reference, CompanyNo: "01", CustomerNo: customer, GLAccount: account, PayMethod: method, Comment: comment,
			Date: billing.DateOf(time.Unix(0, 0).AddDate(0, 0, day%80_000), time.UTC), Amount: money.FromMinor(minor, currency),
		}
		native, err := c.receiptRecord(ctx, "op", r)
		if err != nil {
			var e *connector.Error
			if !errors.As(err, &e) || e.Class != connector.ClassInvalid || e.Field == "" {
				t.Errorf("refused with %v", err)
			}
			return
		}
		native["RECEIPTNO"] = "R1"
		got, err := c.receipt(ctx, client.NewRow(native))
		if err != nil {
			t.Fatalf("what was written can not be read: %v", err)
		}
		if got.Reference != strings.TrimSpace(reference) || got.Date != r.Date || !got.Amount.Equal(r.Amount) || got.Amount.Currency() != currency ||
			got.CustomerNo != strings.TrimSpace(customer) || got.GLAccount != strings.TrimSpace(account) || !strings.EqualFold(got.PayMethod, strings.TrimSpace(method)) {
			t.Errorf("%+v was read as %+v", r, got)
		}
		for _, kind := range []billing.LineKind{billing.LineApplication, billing.LineFee, billing.LineOnAccount} {
			checkReceiptLine(t, c, r, billing.ReceiptLine{Kind: kind, InvoiceNo: invoice, Amount: r.Amount, GLAccount: gl, Comment: comment})
		}
	})
}

func checkReceiptLine(t *testing.T, c *Connector, r billing.Receipt, line billing.ReceiptLine) {
	t.Helper()
	native, err := c.lineRecord(context.Background(), "op", "R1", r, line)
	if err != nil {
		if line.Kind != billing.LineApplication || line.InvoiceNo != "" {
			t.Errorf("%+v is refused: %v", line, err)
		}
		return
	}
	got, err := c.receiptLine(client.NewRow(native), r.Amount.Currency())
	if err != nil || got.Kind != line.Kind || !got.Amount.Equal(line.Amount) || got.InvoiceNo != strings.TrimSpace(line.InvoiceNo) ||
		got.GLAccount != strings.TrimSpace(line.GLAccount) {
		t.Errorf("%+v was read as %+v, %v", line, got, err)
	}
}
