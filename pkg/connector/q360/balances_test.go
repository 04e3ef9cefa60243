package q360

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// TestBalances: the invoices of a customer cost one call; what its page does not hold is read singly, and nothing is
// taken for another.
func TestBalances(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name    string
		numbers []string
		who     string
		edit    func(m *mapping.Mapping)
		calls   int
		class   connector.Class
	}{
		{"one", []string{"A3"}, "C1", nil, 1, ""},
		{"several", []string{"A4", "A1", "A3"}, "C1", nil, 1, ""},
		{"one twice", []string{"A4", "a4 "}, "C1", nil, 1, ""},
		{"more than a page", []string{"A1", "A5"}, "C1", func(m *mapping.Mapping) { m.Dialect.PageSize = 2 }, 2, ""},
		{"the customer moved", []string{"A1", "A2"}, "C9", nil, 3, ""},
		{"without a customer", []string{"A1", "A2"}, "", nil, 2, ""},
		{"one is missing", []string{"A1", "A99"}, "C1", nil, 2, connector.ClassNotFound},
		{"one is another company's", []string{"A1", "B1"}, "C1", nil, 1, connector.ClassNotFound},
		{"one is there twice", []string{"A1", "D1"}, "C1", nil, 2, connector.ClassBadResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite()
			for i := 1; i <= 5; i++ {
				s.addInvoice(fmt.Sprintf("A%d", i), stamp(i))
				s.set("INVOICE", fmt.Sprintf("A%d", i), fmt.Sprintf("BALANCE=%d.01", i), "PAIDAMOUNT=0", "INVAMOUNT=100")
			}
			s.addInvoice("B1", stamp(9))
			s.set("INVOICE", "B1", "COMPANYNO=02")
			s.addInvoice("D1", stamp(9))
			s.addInvoice("D1", stamp(9))
			m := mapping.Default()
			if c.edit != nil {
				c.edit(m)
			}
			con, _ := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
			got, err := con.Balances(ctx, c.who, c.numbers)
			if s.count() != c.calls {
				t.Errorf("%d calls, want %d: %v", s.count(), c.calls, s.log)
			}
			if c.class != "" {
				classOf(t, err, c.class)
				return
			}
			if err != nil || len(got) != len(c.numbers) {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, b := range got {
				one, err := con.Balance(ctx, strings.TrimSpace(c.numbers[i]))
				if diff := cmp.Diff(one, b, exact...); err != nil || diff != "" || b.Balance.Amount() != strings.ToUpper(c.numbers[i])[1:2]+".01" {
					t.Errorf("%s: %v\n%s", c.numbers[i], err, diff)
				}
			}
		})
	}
}

// TestAppliedWhen flips receipts.applied_when: the check tells when the site lowers balances, or nothing where arbridge
// writes no receipts.
func TestAppliedWhen(t *testing.T) {
	for _, when := range []string{connector.AppliedOnCreate, connector.AppliedOnPost, connector.AppliedNightly, ""} {
		m := mapping.Default()
		if m.Receipts.AppliedWhen = when; when == "" {
			m.Receipts.AppliedWhen, m.Receipts.Mode = connector.AppliedNightly, "hold"
		}
		c, _ := serve(t, newSite(), func(cfg *Config) { cfg.Mapping = m })
		caps, err := c.Check(context.Background())
		if err != nil || caps.Applied != when {
			t.Errorf("%q: %q, %v", when, caps.Applied, err)
		}
	}
}

// Whatever the columns of an invoice and its line hold: it is taken, with amounts that add up and a balance like the one
// that is read alone, or refused with the place and the remedy; padding changes nothing.
func FuzzInvoice(f *testing.F) {
	f.Add("INVOICENO=1\nCUSTOMERNO=C1\nCOMPANYNO=01\nCURRENCY=usd\nINVOICEDATE=2026-05-01 00:00:00.000\nINVAMOUNT=19.99\nTAXAMOUNT=1\nBALANCE=19.99\nPRTID=Y", "QTY=3\nPRICE=6.33\nEXTENDEDPRICE=18.99")
	f.Add("INVOICENO=2\nCUSTOMERNO=C1\nINVAMOUNT=-5\nBALANCE=1e2\nINVOICEDATE=0000-00-00", "EXTENDEDPRICE=0.001")
	f.Add("INVOICENO= \nCURRENCY=JPY\nINVAMOUNT=1.5\nMODDATE=yesterday", "QTY=\nPRICE=NaN")
	c, _ := serve(f, newSite())
	f.Fuzz(func(t *testing.T, head, line string) {
		got, err := c.header(rowOf(head, ""), customerTerms{}, "USD")
		padded, errPadded := c.header(rowOf(head, " "), customerTerms{}, "USD")
		if (err == nil) != (errPadded == nil) || err == nil && !cmp.Equal(got, padded, exact...) {
			t.Fatalf("padding changes %+v (%v) into %+v (%v)", got, err, padded, errPadded)
		}
		if err != nil {
			checkRefusal(t, err, "INVOICE")
			return
		}
		b := balanceOf(got)
		if got.Number == "" || got.CustomerNo == "" || got.Date == "" || !got.Currency.Known() || got.Total.Currency() != got.Currency ||
			b.Number != got.Number || !b.Balance.Equal(got.Balance) || !b.Total.Equal(got.Total) || b.Posted != got.Posted {
			t.Errorf("invoice %+v of %q", got, head)
		}
		lines, err := c.lines([]client.Row{rowOf(line, ""), rowOf(line, "  ")}, got.Currency)
		if err != nil {
			checkRefusal(t, err, "INVOICEITEM")
			return
		}
		if len(lines) != 2 || !lines[0].Amount.Equal(lines[1].Amount) || !lines[0].Quantity.Equal(lines[1].Quantity) || lines[0].Amount.Currency() != got.Currency {
			t.Errorf("lines %+v of %q", lines, line)
		}
	})
}

// A history entry that can be written is found again by its key, and by no other; any other is refused with its field.
func FuzzHistory(f *testing.F) {
	f.Add("evt-5f21", "RP-VIEWED", "104233", "C1", "Invoice 104233 viewed", int64(1_777_903_800))
	f.Add("a]b", "", " ", "", "[evt-5f21]", int64(0))
	f.Add(strings.Repeat("k", 2000), "X", "1", "C", strings.Repeat("é ", 3000), int64(-1))
	f.Add("k", " x ", "A 1", "", "\n[k", int64(1<<40))
	s := newSite()
	c, _ := serve(f, s)
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, key, code, invoice, customer, comment string, at int64) {
		s.clear("CONTACTHISTORY")
		e := billing.HistoryEntry{Key: key, Code: code, InvoiceNo: invoice, CustomerNo: customer, Comment: comment, At: time.Unix(at%(1<<35), 0)}
		if err := c.CreateHistory(ctx, e); err != nil {
			if connector.ClassOf(err) != connector.ClassInvalid || connector.Ambiguous(err) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if !slices.Equal([]string{key, code, invoice}, []string{plain(key), plain(code), plain(invoice)}) {
			return // a site keeps neither blanks around nor what is no text
		}
		if found, err := c.FindHistory(ctx, e); err != nil || !found {
			t.Errorf("%+v is not found: %v, %v", e, found, err)
		}
		other := e
		if other.Key = key + "x"; strings.Contains(comment, suffix(other.Key)) {
			return
		}
		if found, err := c.FindHistory(ctx, other); err != nil || found {
			t.Errorf("%+v is found as %q: %v", e, other.Key, err)
		}
	})
}

// plain is a text as a form and a database leave it.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '\u00a0' || r == '\ufffd' {
			return -1
		}
		return r
	}, s))
}

// clear empties a table.
func (s *site) clear(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table].rows, s.log = nil, nil
}
