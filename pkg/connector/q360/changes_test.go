package q360

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// poll reads pages until the feed has no more and returns the numbers delivered, in order, and the cursor.
func poll(t *testing.T, c *Connector, cur string, since billing.Date, limit int) ([]billing.Invoice, []string, string) {
	t.Helper()
	var items []billing.Invoice
	var gone []string
	for range 1000 {
		page, err := c.Invoices(context.Background(), cur, since, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Bad) > 0 {
			t.Fatalf("bad records: %+v", page.Bad)
		}
		if len(page.Items) > limit {
			t.Fatalf("%d items on a page of %d", len(page.Items), limit)
		}
		items, gone, cur = append(items, page.Items...), append(gone, page.Gone...), page.Next
		if !page.More {
			return items, gone, cur
		}
	}
	t.Fatal("the feed does not end")
	return nil, nil, ""
}

func numbers(items []billing.Invoice) []string {
	out := make([]string, len(items))
	for i, inv := range items {
		out[i] = inv.Number
	}
	return out
}

func distinct(list []string) int {
	out := slices.Clone(list)
	slices.Sort(out)
	return len(slices.Compact(out))
}

func TestBackfillReadsEverythingCheaply(t *testing.T) {
	for name, shape := range map[string]func(*site){
		"as documented":   func(*site) {},
		"griddata":        func(s *site) { s.griddata = true },
		"lower case":      func(s *site) { s.lower = true },
		"without hasmore": func(s *site) { s.noHasMore = true },
		"low limit":       func(s *site) { s.cap, s.noHasMore = 80, true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			for i := range 600 {
				number := fmt.Sprintf("INV%04d", i)
				s.addInvoice(number, stamp(i*20))
				for k := range 3 {
					s.add("INVOICEITEM", fmt.Sprintf("INVOICEITEMNO=%s-%d", number, k+2), "INVOICENO="+number, fmt.Sprintf("SEQ=%d", 20+k), "EXTENDEDPRICE=0")
				}
			}
			shape(s)
			c, _ := serve(t, s)
			items, _, cur := poll(t, c, "", "", 100)
			calls := s.count()
			if len(items) < 600 || distinct(numbers(items)) != 600 {
				t.Fatalf("%d items, %d distinct, want 600", len(items), distinct(numbers(items)))
			}
			for _, inv := range items {
				if len(inv.Lines) != 4 || inv.Lines[0].Seq != 10 || inv.Lines[3].Seq != 22 {
					t.Fatalf("invoice %s has lines %+v", inv.Number, inv.Lines)
				}
			}
			if s.cap == 0 && calls*10 > len(items) {
				t.Errorf("%d calls for %d invoices", calls, len(items))
			}
			_, _, cur = poll(t, c, cur, "", 100)
			s.reset()
			if items, _, _ := poll(t, c, cur, "", 100); len(items) != 0 || s.count() > 2 && !s.noHasMore || s.count() > 3 {
				t.Errorf("an idle poll gave %d items with %d calls", len(items), s.count())
			}
		})
	}
}

func TestBackfillIsMarkedAndFiltered(t *testing.T) {
	s := newSite()
	s.addInvoice("A1", stamp(1))
	s.addInvoice("A2", stamp(2), "PRTID=N")
	s.addInvoice("A3", stamp(3), "COMPANYNO=02")
	s.addInvoice("A4", stamp(4), "POSTDATE=2026-03-31 00:00:00.000")
	s.addInvoice("A5", stamp(5), "POSTDATE=2026-04-01 00:00:00.000")
	c, _ := serve(t, s)
	page, err := c.Invoices(context.Background(), "", "2026-04-01", 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := numbers(page.Items); !slices.Equal(got, []string{"A1", "A5"}) || !page.Backfill || !page.More {
		t.Errorf("page: %v, backfill %v, more %v", got, page.Backfill, page.More)
	}
	page, err = c.Invoices(context.Background(), page.Next, "2026-04-01", 100)
	if err != nil || page.Backfill {
		t.Errorf("the page after the backfill: %+v, %v", page, err)
	}
	items, _, cur := poll(t, c, page.Next, "2026-03-01", 100)
	if got := numbers(items); !slices.Contains(got, "A4") {
		t.Errorf("an earlier start date gave %v, want A4 among them", got)
	}
	_, _, cur = poll(t, c, cur, "2026-04-01", 100) // meanwhile A4 is nobody's business
	s.set("INVOICE", "A4", "COMMENT=changed", "MODDATE="+stamp(30000))
	_, _, cur = poll(t, c, cur, "2026-04-01", 100)
	items, _, _ = poll(t, c, cur, "2026-03-01", 100)
	if i := slices.Index(numbers(items), "A4"); i < 0 || items[i].Comment != "changed" {
		t.Errorf("back to the earlier start date gave %v, want the changed A4 among them", numbers(items))
	}
}

func TestChangesAreFoundOnce(t *testing.T) {
	s := newSite()
	for i := range 20 {
		s.addInvoice(fmt.Sprintf("A%02d", i), stamp(i*60))
	}
	c, clk := serve(t, s)
	_, _, cur := poll(t, c, "", "", 100)
	_, _, cur = poll(t, c, cur, "", 100)
	s.set("INVOICE", "A03", "COMMENT=changed", "MODDATE="+stamp(36100))
	s.addInvoice("B01", stamp(36200))
	items, _, cur := poll(t, c, cur, "", 100)
	if got := numbers(items); !slices.Equal(got, []string{"A03", "B01"}) || items[0].Comment != "changed" {
		t.Errorf("changes: %v", got)
	}
	for range 5 { // inside the overlap nothing comes twice
		clk.advance(time.Minute)
		s.reset()
		if items, _, cur = poll(t, c, cur, "", 100); len(items) > 0 || s.count() > 2 {
			t.Errorf("an idle poll gave %v with %d calls", numbers(items), s.count())
		}
	}
	s.addInvoice("B00", stamp(35400)) // committed late, with an older stamp
	if items, _, cur = poll(t, c, cur, "", 100); !slices.Equal(numbers(items), []string{"B00"}) {
		t.Errorf("late commit: %v", numbers(items))
	}
	clk.advance(16 * time.Minute)
	_, _, cur = poll(t, c, cur, "", 100)
	s.reset()
	if _, _, cur = poll(t, c, cur, "", 100); s.count() != 1 || !strings.Contains(s.log[0], `"\u003e"`) {
		t.Errorf("a settled poll took %d calls", s.count())
	}
	s.set("INVOICE", "A07", "MODDATE="+stamp(39000))
	if items, _, _ = poll(t, c, cur, "", 100); !slices.Contains(numbers(items), "A07") {
		t.Errorf("after settling: %v", numbers(items))
	}
}

func TestOneStampForManyRows(t *testing.T) {
	s := newSite()
	for i := range 250 {
		s.addInvoice(fmt.Sprintf("A%03d", i), stamp(100))
	}
	c, _ := serve(t, s)
	_, _, cur := poll(t, c, "", "", 100)
	_, _, cur = poll(t, c, cur, "", 100)
	for i := range 250 {
		s.set("INVOICE", fmt.Sprintf("A%03d", i), "MODDATE="+stamp(36100))
	}
	for _, limit := range []int{100, 7} {
		items, _, next := poll(t, c, cur, "", limit)
		if got := numbers(items); len(got) != 250 || distinct(got) != 250 {
			t.Errorf("limit %d: %d items, %d distinct, want 250", limit, len(got), distinct(got))
		}
		s.reset()
		if items, _, _ = poll(t, c, next, "", limit); len(items) != 0 || s.count() > 2 {
			t.Errorf("limit %d: the poll after gave %d items with %d calls", limit, len(items), s.count())
		}
	}
}

func TestOpenBalancesAreSwept(t *testing.T) {
	s := newSite()
	for i := range 12 {
		s.addInvoice(fmt.Sprintf("A%02d", i), stamp(i))
	}
	s.addInvoice("P1", stamp(50), "BALANCE=0", "PAIDAMOUNT=100")
	c, clk := serve(t, s)
	_, _, cur := poll(t, c, "", "", 100)
	clk.advance(70 * time.Minute)
	s.reset()
	items, gone, cur := poll(t, c, cur, "", 100)
	if len(gone) > 0 || slices.Contains(numbers(items), "P1") == false && len(items) > 13 {
		t.Errorf("sweep: %v, gone %v", numbers(items), gone)
	}
	// A receipt lowers balances and leaves the stamps alone; a clerk deletes one.
	s.set("INVOICE", "A01", "BALANCE=40", "PAIDAMOUNT=60")
	s.set("INVOICE", "A02", "BALANCE=0", "PAIDAMOUNT=100")
	s.remove("INVOICE", "A03")
	if items, _, cur = poll(t, c, cur, "", 100); len(items) > 0 {
		t.Errorf("before the interval: %v", numbers(items))
	}
	clk.advance(61 * time.Minute)
	items, gone, cur = poll(t, c, cur, "", 100)
	if got := numbers(items); !slices.Equal(got, []string{"A01", "A02"}) || !slices.Equal(gone, []string{"A03"}) {
		t.Errorf("sweep: items %v, gone %v", got, gone)
	}
	if len(items) == 2 && (!items[0].Balance.Equal(usd("40")) || !items[1].Balance.IsZero()) {
		t.Errorf("balances %s, %s", items[0].Balance, items[1].Balance)
	}
	clk.advance(61 * time.Minute)
	s.reset()
	if items, gone, _ = poll(t, c, cur, "", 100); len(items)+len(gone) > 0 || s.count() > 3 {
		t.Errorf("an idle sweep gave %v, %v with %d calls", numbers(items), gone, s.count())
	}
}

func TestSnapshotStrategy(t *testing.T) {
	s := newSite()
	delete(s.tables["INVOICE"].columns, "MODDATE")
	add := func(number string, pairs ...string) {
		s.add("INVOICE", append([]string{"INVOICENO=" + number, "CUSTOMERNO=C1", "COMPANYNO=01", "CURRENCY=USD", "INVOICEDATE=2026-05-01 00:00:00.000",
			"INVAMOUNT=90", "BALANCE=90", "PRTID=Y"}, pairs...)...)
		s.add("INVOICEITEM", "INVOICEITEMNO="+number, "INVOICENO="+number, "EXTENDEDPRICE=90")
	}
	add("A1")
	add("A2", "BALANCE=0")
	add("OLD1", "INVOICEDATE=2025-01-01 00:00:00.000")
	add("OLD2", "INVOICEDATE=2025-01-01 00:00:00.000", "BALANCE=0")
	c, clk := serve(t, s)
	items, _, cur := poll(t, c, "", "", 100)
	if distinct(numbers(items)) != 4 {
		t.Fatalf("backfill: %v", numbers(items))
	}
	s.reset()
	if items, _, cur = poll(t, c, cur, "", 100); len(items) > 0 || s.count() != 1 {
		t.Errorf("idle: %v with %d calls", numbers(items), s.count())
	}
	s.set("INVOICE", "A2", "COMMENT=changed")
	s.set("INVOICE", "OLD1", "BALANCE=0")
	add("A3")
	if items, _, cur = poll(t, c, cur, "", 1); !slices.Equal(numbers(items), []string{"A2", "A3"}) {
		t.Errorf("recent changes: %v", numbers(items))
	}
	clk.advance(61 * time.Minute)
	if items, _, cur = poll(t, c, cur, "", 100); !slices.Equal(numbers(items), []string{"OLD1"}) {
		t.Errorf("sweep: %v", numbers(items))
	}
	clk.advance(24 * time.Hour)
	if items, _, _ = poll(t, c, cur, "", 100); distinct(numbers(items)) != 3 {
		t.Errorf("the first poll of a day gave %v, want all recent ones", numbers(items))
	}
}

func TestFeedRefusesAServerThatIgnoresFilters(t *testing.T) {
	s := newSite()
	for i := range 5 {
		s.addInvoice(fmt.Sprintf("A%d", i), stamp(i))
	}
	c, _ := serve(t, s)
	page, err := c.Invoices(context.Background(), "", "", 2)
	if err != nil {
		t.Fatal(err)
	}
	cur, err := decodeCursor(page.Next, billing.KindInvoice)
	if err != nil {
		t.Fatal(err)
	}
	delete(s.tables, "INVOICE")
	s.tables["INVOICE"] = newSite().tables["INVOICE"]
	s.addInvoice("A1", stamp(1))
	cur.Key = "A0"
	s.before = func(string) { cur.Key = "A1" }
	src, _, err := c.invoiceSource(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.page(context.Background(), src, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	classOf(t, forward(src, p, src.key, "a1 "), connector.ClassBadResponse)
	tr := track{Stamp: stamp(1)}
	classOf(t, tr.beyond(src, p), connector.ClassBadResponse)
}

func TestBadRecordsNeverStopAPage(t *testing.T) {
	s := newSite()
	s.addInvoice("A1", stamp(1))
	s.addInvoice("A2", stamp(2), "INVAMOUNT=100.1234")
	s.addInvoice("A3", stamp(3), "CURRENCY=XXQ")
	s.addInvoice("A4", stamp(4), "BALANCE=")
	s.addInvoice("A5", stamp(5))
	s.addInvoice("A6", stamp(6))
	s.set("INVOICEITEM", "A5-1", "EXTENDEDPRICE=1.005")
	s.add("INVOICE", "INVOICENO=A6", "CUSTOMERNO=C1", "COMPANYNO=01", "CURRENCY=USD", "INVAMOUNT=1", "BALANCE=1", "PRTID=Y", "MODDATE="+stamp(7))
	c, _ := serve(t, s)
	page, err := c.Invoices(context.Background(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := numbers(page.Items); !slices.Equal(got, []string{"A1"}) {
		t.Errorf("items: %v", got)
	}
	want := map[string]string{"A2": "INVOICE.INVAMOUNT", "A3": "INVOICE.CURRENCY", "A4": "INVOICE.BALANCE", "A5": "INVOICEITEM.EXTENDEDPRICE", "A6": "INVOICE.INVOICENO"}
	for _, b := range page.Bad {
		if b.Kind != billing.KindInvoice || !strings.Contains(b.Message, want[b.Number]) || !strings.Contains(b.Message, b.Number) || !strings.Contains(b.Message, "; ") {
			t.Errorf("bad record %+v, want table and column %s and a remedy", b, want[b.Number])
		}
		delete(want, b.Number)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v", want)
	}
}

func TestDamagedCursors(t *testing.T) {
	c, _ := serve(t, newSite())
	customers, err := c.Customers(context.Background(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, cur := range map[string]string{"text": "not a cursor!", "base64": "bm90IGpzb24", "version": cursor{V: 99, Feed: billing.KindInvoice}.encode(), "feed": customers.Next} {
		if _, err := c.Invoices(context.Background(), cur, "", 10); connector.ClassOf(err) != connector.ClassInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDigestsSurviveTheCursor(t *testing.T) {
	var d digests
	for i := range 3000 {
		d.set(fmt.Sprintf("INV-%05d", i), fmt.Sprintf("%08d", i*7), byte(i))
	}
	text := cursor{V: cursorVersion, Feed: billing.KindInvoice, Open: d}.encode()
	got, err := decodeCursor(text, billing.KindInvoice)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Open.entries) != 3000 || !got.Open.same("INV-00100", "00000700") || got.Open.same("INV-00100", "00001700") {
		t.Errorf("%d entries", len(got.Open.entries))
	}
	if len(text) > 100_000 {
		t.Errorf("the cursor has %d characters", len(text))
	}
	if got := got.Open.stale(5, 3); len(got) != 3 {
		t.Errorf("stale: %v", got)
	}
}
