package q360

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// read follows a list to its end and returns the numbers and how many pages there were.
func read[T any](t *testing.T, list func(page string) (connector.Page[T], error), number func(T) string) (numbers []string, items []T, bad []connector.BadRecord) {
	t.Helper()
	for page := ""; ; {
		p, err := list(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range p.Items {
			numbers = append(numbers, number(x))
		}
		items, bad = append(items, p.Items...), append(bad, p.Bad...)
		if p.Next == "" {
			return numbers, items, bad
		}
		page = p.Next
	}
}

func TestLedgerListsDocuments(t *testing.T) {
	s := newSite()
	for i := range 9 {
		number := fmt.Sprintf("INV%d", i)
		s.addInvoice(number, stamp(i))
		s.set("INVOICE", number, fmt.Sprintf("INVOICEDATE=2026-05-0%d 00:00:00.000", i+1), fmt.Sprintf("POSTDATE=2026-05-0%d 00:00:00.000", i+1))
	}
	s.set("INVOICE", "INV0", "BALANCE=0")
	s.set("INVOICE", "INV3", "COMPANYNO=02")
	s.set("INVOICE", "INV4", "INVAMOUNT=1.005")
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Dialect.LinePageSize = 2 })
	ctx, number := context.Background(), func(inv billing.Invoice) string { return inv.Number }
	var ledger connector.Ledger = c
	got, items, bad := read(t, func(page string) (connector.Page[billing.Invoice], error) {
		return ledger.Posted(ctx, "2026-05-02", "2026-05-08", page)
	}, number)
	if want := []string{"INV1", "INV2", "INV5", "INV6", "INV7"}; !slices.Equal(got, want) {
		t.Errorf("posted %v, want %v", got, want)
	}
	if len(bad) != 1 || bad[0].Number != "INV4" {
		t.Errorf("bad records %+v", bad)
	}
	if len(items) > 0 && (items[0].Currency == "" || items[0].Total.IsZero() || !items[0].Posted || s.calls["LIST INVOICEITEM"] != 0) {
		t.Errorf("%+v, lines were read %d times", items[0], s.calls["LIST INVOICEITEM"])
	}
	got, _, _ = read(t, func(page string) (connector.Page[billing.Invoice], error) {
		return ledger.Open(ctx, "2026-05-03", page)
	}, number)
	if want := []string{"INV1"}; !slices.Equal(got, want) {
		t.Errorf("open %v, want %v", got, want)
	}
}

func TestLedgerListsReceipts(t *testing.T) {
	s := newSite()
	for i, pairs := range []string{
		"REFERENCE=check 4|RECEIPTDATE=2026-05-01 00:00:00.000|COMPANYNO=01", "REFERENCE=IVD-1|RECEIPTDATE=2026-05-02 16:00:00.000|COMPANYNO=01",
		"REFERENCE=IVD-2|RECEIPTDATE=2026-05-03 00:00:00.000|COMPANYNO=01", "REFERENCE=IVD-3|RECEIPTDATE=2026-05-02 00:00:00.000|COMPANYNO=02",
		"REFERENCE=|RECEIPTDATE=2026-05-02 00:00:00.000|COMPANYNO=01", "REFERENCE=x|RECEIPTDATE=2026-05-01 00:00:00.000|COMPANYNO=01|AMOUNT=1.005",
	} {
		if !strings.Contains(pairs, "AMOUNT") {
			pairs += "|AMOUNT=10"
		}
		s.add("CASHRECEIPT", append(strings.Split(pairs, "|"), fmt.Sprintf("RECEIPTNO=R%d", i), "CUSTOMERNO=C1", "CURRENCY=USD")...)
		for k := range i {
			s.add("CASHRECEIPTITEM", fmt.Sprintf("RECEIPTITEMNO=L%d-%d", i, k), fmt.Sprintf("RECEIPTNO=R%d", i), "INVOICENO=104233", "AMOUNT=5")
		}
	}
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Dialect.PageSize, cfg.Mapping.Dialect.LinePageSize = 2, 3 })
	got, items, bad := read(t, func(page string) (connector.Page[billing.Receipt], error) {
		return c.Receipts(context.Background(), "2026-05-01", "2026-05-02", page)
	}, func(r billing.Receipt) string { return r.Number })
	if want := []string{"R0", "R1", "R4"}; !slices.Equal(got, want) || len(bad) != 1 || bad[0].Number != "R5" {
		t.Fatalf("receipts %v and bad %+v, want %v and R5", got, bad, want)
	}
	if len(items[0].Lines) != 0 || len(items[1].Lines) != 1 || len(items[2].Lines) != 4 || items[1].Reference != "IVD-1" {
		t.Errorf("%+v", items)
	}
	if c.AppliesLater() {
		t.Error("balances fall with the receipt at this site")
	}
	off, _ := serve(t, newSite(), func(cfg *Config) { cfg.Mapping.Receipts.Mode = "hold" })
	_, err := off.Receipts(context.Background(), "2026-05-01", "2026-05-02", "")
	classOf(t, err, connector.ClassUnsupported)
	later, _ := serve(t, newSite(), func(cfg *Config) { cfg.Mapping.Receipts.AppliedWhen = "nightly" })
	if !later.AppliesLater() {
		t.Error("balances fall later at this site")
	}
}
