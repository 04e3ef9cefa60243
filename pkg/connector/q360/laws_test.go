package q360

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// world is a table of invoices that changes while it is paged, and what the feed has told of it.
type world struct {
	c       *Connector
	s       *site
	clk     *stillClock
	ops     []op
	rows    []string
	version map[string]int // of each existing row
	told    map[string]int // version last delivered
	cur     string
}

// op is something that happens between two list calls.
type op struct {
	Kind  int // 0 modify, 1 insert, 2 delete, 3 pause, 4 several rows with one stamp
	Row   int
	Late  int // seconds between the stamp and its commit
	Pause int // seconds
}

func drawOps(t *rapid.T) []op {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
		return op{Kind: rapid.IntRange(0, 4).Draw(t, "kind"), Row: rapid.IntRange(0, 999).Draw(t, "row"),
			Late: rapid.SampledFrom([]int{0, 0, 1, 60, 590}).Draw(t, "late"), Pause: rapid.SampledFrom([]int{1, 30, 240, 1200, 4000}).Draw(t, "pause")}
	}), 0, 60).Draw(t, "ops")
}

// newWorld starts a site with some rows at a time of the year, and a connector with small pages.
func newWorld(t *rapid.T, strategy string) (*world, func()) {
	w := &world{s: newSite(), version: map[string]int{}, told: map[string]int{}, ops: drawOps(t)}
	server := httptest.NewServer(w.s)
	m := mapping.Default()
	m.Changes.Strategy = strategy
	m.Dialect.PageSize = rapid.IntRange(2, 6).Draw(t, "page size")
	m.Dialect.LinePageSize = rapid.IntRange(2, 9).Draw(t, "line page size")
	if strategy == strategyModdate {
		m.Changes.Snapshot.FullOpenEvery = 1_000_000 * time.Hour // so that nothing but the stamps finds changes
	}
	w.clk = &stillClock{now: rapid.SampledFrom([]time.Time{
		testStart, time.Date(2026, 11, 1, 5, 20, 0, 0, time.UTC), time.Date(2026, 3, 8, 6, 30, 0, 0, time.UTC)}).Draw(t, "start")}
	c, err := New(Config{Mapping: m, CompanyNo: "01", BaseURL: server.URL, CredentialsSecret: "api", PerSecond: 1_000_000},
		Deps{Secrets: fixedSecrets{"api": `{"user":"APIUSER","password":"` + testPassword + `"}`}, Clock: w.clk})
	if err != nil {
		t.Fatal(err)
	}
	w.c = c
	for range rapid.IntRange(0, 12).Draw(t, "rows") {
		w.insert(rapid.SampledFrom([]int{0, 0, 30, 3600, 86400}).Draw(t, "age"))
	}
	w.s.before = func(table string) {
		if table == "INVOICE" && len(w.ops) > 0 {
			next := w.ops[0]
			w.ops = w.ops[1:]
			w.apply(next)
		}
	}
	return w, server.Close
}

func (w *world) apply(o op) {
	switch o.Kind {
	case 0:
		w.modify(o.Row, o.Late)
	case 1:
		w.insert(o.Late)
	case 2:
		if len(w.rows) > 0 {
			i := o.Row % len(w.rows)
			w.s.remove("INVOICE", w.rows[i])
			delete(w.version, w.rows[i])
			w.rows = append(w.rows[:i:i], w.rows[i+1:]...)
		}
	case 3:
		w.clk.advance(time.Duration(o.Pause) * time.Second)
	case 4:
		for i := range 5 {
			w.modify(o.Row+i, o.Late)
		}
	}
}

func (w *world) literal(age int) string {
	return w.c.api.TimeLiteral(w.clk.Now().Add(-time.Duration(age) * time.Second))
}

func (w *world) modify(i, late int) {
	if len(w.rows) == 0 {
		return
	}
	number := w.rows[i%len(w.rows)]
	w.version[number]++
	w.s.set("INVOICE", number, fmt.Sprintf("COMMENT=%d", w.version[number]), "MODDATE="+w.literal(late))
}

// insert adds a row whose key is anywhere among the others.
func (w *world) insert(age int) {
	n := len(w.version) + len(w.told) + len(w.rows)*7
	number := fmt.Sprintf("%c%d-%d", "mAbZ"[n%4], n*37%11, n)
	if _, exists := w.version[number]; exists {
		return
	}
	w.rows, w.version[number] = append(w.rows, number), 1
	w.s.add("INVOICE", "INVOICENO="+number, "CUSTOMERNO=C1", "COMPANYNO=01", "CURRENCY=USD", "INVOICEDATE="+w.literal(0), "INVAMOUNT=1", "BALANCE=1",
		"PRTID=Y", "COMMENT=1", "MODDATE="+w.literal(age))
}

// poll reads the feed to its end.
func (w *world) poll(t *rapid.T) {
	limit := rapid.IntRange(1, 9).Draw(t, "limit")
	for range 3000 {
		page, err := w.c.Invoices(context.Background(), w.cur, "", limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > limit || len(page.Bad) > 0 {
			t.Fatalf("%d items on a page of %d, bad: %v", len(page.Items), limit, page.Bad)
		}
		for _, inv := range page.Items {
			v := 0
			fmt.Sscan(inv.Comment, &v)
			w.told[inv.Number] = v
		}
		w.cur = page.Next
		if !page.More {
			return
		}
	}
	t.Fatal("the feed does not end")
}

func (w *world) check(t *rapid.T) {
	for _, number := range w.rows {
		if w.told[number] != w.version[number] {
			t.Fatalf("invoice %q has version %d, the feed told version %d", number, w.version[number], w.told[number])
		}
	}
}

// Whatever changes between two calls, late commits, equal stamps, pauses and changes of the clocks included: once the
// changes end, the feed has delivered the last version of every row.
func TestLawNothingIsSkippedByStamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, stop := newWorld(t, strategyModdate)
		defer stop()
		for range 200 {
			w.poll(t)
			if len(w.ops) == 0 {
				break
			}
			w.clk.advance(time.Duration(rapid.SampledFrom([]int{0, 60, 300, 2400}).Draw(t, "between")) * time.Second)
		}
		w.poll(t)
		w.check(t)
	})
}

// The same without stamps, where a poll compares what it sees with what the cursor remembers.
func TestLawNothingIsSkippedBySnapshots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, stop := newWorld(t, strategySnapshot)
		defer stop()
		for range 200 {
			w.poll(t)
			if len(w.ops) == 0 {
				break
			}
		}
		w.clk.advance(2 * time.Hour)
		w.poll(t)
		w.check(t)
	})
}

// An overlap start is before the stamp it belongs to by the overlap, and by more when the clocks are changed.
func TestOverlapWhenClocksChange(t *testing.T) {
	s := newSite()
	c, clk := serve(t, s)
	cases := []struct {
		now  time.Time
		base string
		want string
	}{
		{time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC), "2026-05-04 09:58:40.000", "2026-05-04 09:43:40.000"},
		{time.Date(2026, 11, 1, 6, 10, 0, 0, time.UTC), "2026-11-01 01:59:59.997", "2026-11-01 00:44:59.997"},
		{time.Date(2026, 11, 2, 6, 10, 0, 0, time.UTC), "2026-11-01 01:30:00.000", "2026-11-01 00:15:00.000"},
		{time.Date(2026, 3, 8, 7, 10, 0, 0, time.UTC), "2026-03-08 03:05:00.000", "2026-03-08 01:50:00.000"},
		{time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC), "0x00000000000F", "0x00000000000F"},
	}
	for _, tc := range cases {
		clk.mu.Lock()
		clk.now = tc.now
		clk.mu.Unlock()
		tr := track{Base: tc.base}
		tr.begin(c)
		if tr.Stamp != tc.want || tr.Mode != modeFrom {
			t.Errorf("from %s at %s: %s %s, want %s", tc.base, tc.now, tr.Mode, tr.Stamp, tc.want)
		}
	}
}

// A poll that takes hours while rows are stamped in the past: the next one goes back to where the present began.
func TestLongPollsGoBackFurther(t *testing.T) {
	s := newSite()
	s.addInvoice("A1", stamp(0))
	m := mapping.Default()
	m.Dialect.PageSize = 2
	c, clk := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	_, _, cur := poll(t, c, "", "", 10)
	for i := range 6 {
		s.addInvoice(fmt.Sprintf("B%d", i), c.api.TimeLiteral(clk.Now().Add(-time.Duration(60-i)*time.Second)))
	}
	page, err := c.Invoices(context.Background(), cur, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	late := c.api.TimeLiteral(clk.Now().Add(-59500 * time.Millisecond))
	clk.advance(9 * time.Minute)
	s.addInvoice("LATE", late)
	clk.advance(3 * time.Hour)
	s.addInvoice("C1", c.api.TimeLiteral(clk.Now()))
	_, _, cur = poll(t, c, page.Next, "", 2)
	items, _, _ := poll(t, c, cur, "", 10)
	found := false
	for _, inv := range items {
		found = found || inv.Number == "LATE"
	}
	if !found {
		t.Errorf("the poll after a long one gave %v, want LATE among them", numbers(items))
	}
}

// Every page of the feed can be read again from its cursor: a crash between two pages loses nothing.
func TestPagesCanBeReadAgain(t *testing.T) {
	s := newSite()
	for i := range 9 {
		s.addInvoice(fmt.Sprintf("A%d", i), stamp(i/3))
	}
	c, _ := serve(t, s)
	cur := ""
	for range 20 {
		first, err := c.Invoices(context.Background(), cur, "", 2)
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Invoices(context.Background(), cur, "", 2)
		if err != nil || fmt.Sprint(numbers(first.Items)) != fmt.Sprint(numbers(second.Items)) || len(first.Next) == 0 {
			t.Fatalf("again: %v, then %v, %v", numbers(first.Items), numbers(second.Items), err)
		}
		if pos, err := decodeCursor(first.Next, billing.KindInvoice); err != nil || pos.V != cursorVersion {
			t.Fatalf("cursor: %+v, %v", pos, err)
		}
		if cur = first.Next; !first.More {
			return
		}
	}
	t.Error("the feed does not end")
}

func TestForwardComparesAsTheDatabaseDoes(t *testing.T) {
	src := source{op: "listing", table: "T", key: "K"}
	p := client.Page{Rows: []client.Row{client.NewRow(map[string]string{"k": "b1   "})}}
	if forward(src, p, "K", "B1") == nil || forward(src, p, "K", "B0") != nil || forward(src, p, "K", "") != nil {
		t.Error("forward misjudges keys")
	}
}
