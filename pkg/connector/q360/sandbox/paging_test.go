package sandbox

import (
	"fmt"
	"testing"
	"time"
)

// TestPagingOverAMovingSet reads the posted invoices of one change stamp page by page, in the two ways of q360-api 4.5,
// while a clerk changes rows that were read already. Key-set paging sees every other row; paging by offset skips some.
func TestPagingOverAMovingSet(t *testing.T) {
	const stamp = "2026-03-02 00:00:00.003"
	for name, c := range map[string]struct {
		request func(last string, seen int) string
		skips   bool
	}{
		"key set": {func(last string, _ int) string {
			return fmt.Sprintf(`{"columns":["INVOICENO"],"filters":[{"field":"MODDATE","op":"=","value":"%s"},{"field":"INVOICENO","op":">","value":"%s"}],"orderBy":[{"field":"INVOICENO","dir":"ASC"}],"limit":7}`, stamp, last)
		}, false},
		"offset": {func(_ string, seen int) string {
			return fmt.Sprintf(`{"columns":["INVOICENO"],"filters":[{"field":"MODDATE","op":"=","value":"%s"}],"orderBy":[{"field":"MODDATE"},{"field":"INVOICENO"}],"offset":%d,"limit":7}`, stamp, seen)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Quirks{TrimChar: true})
			rows := make([]Record, 40) // 100000 sorts before 99999
			for i := range rows {
				rows[i] = Record{"INVOICENO": fmt.Sprint(99980 + i), "CUSTOMERNO": "C00001", "COMPANYNO": "01", "CURRENCY": "USD", "INVAMOUNT": "1", "BALANCE": "1", "PRTID": "Y", "MODDATE": stamp}
			}
			if _, err := s.LoadRows(Batch{Tables: map[string][]Record{"INVOICE": rows}}); err != nil {
				t.Fatal(err)
			}
			seen, last := map[string]bool{}, ""
			for more := true; more; {
				got := s.list("INVOICE", c.request(last, len(seen)))
				for _, no := range got.column("INVOICENO") {
					if seen[no] {
						t.Errorf("%s came twice", no)
					}
					seen[no], last = true, no
				}
				more = got.Outvars["hasmore"] == "Y"
				s.clock.Advance(time.Minute)
				if _, err := s.ChangeInvoice(Change{No: last, Set: Record{"COMMENT": "changed while it was read"}}); err != nil {
					t.Fatal(err)
				}
			}
			if missed := len(rows) - len(seen); (missed > 0) != c.skips {
				t.Errorf("%d of %d rows were missed", missed, len(rows))
			}
		})
	}
}

// TestFeedAfterAChange follows the change feed: rows changed after the cursor come, in the order of their stamps, and a
// receipt on its own moves nothing.
func TestFeedAfterAChange(t *testing.T) {
	s := newSite(t, Quirks{TrimChar: true})
	feed := func(after string) []string {
		return s.list("INVOICE", fmt.Sprintf(`{"columns":["INVOICENO"],"filters":[{"field":"PRTID","op":"=","value":"Y"},{"field":"MODDATE","op":">","value":"%s"}],"orderBy":[{"field":"MODDATE","dir":"ASC"},{"field":"INVOICENO","dir":"ASC"}]}`, after)).column("INVOICENO")
	}
	if got := feed("2026-03-01 10:00:00.000"); len(got) != 0 {
		t.Fatalf("at first: %v", got)
	}
	if _, err := s.NativePayment(NativePayment{InvoiceNo: "104001"}); err != nil {
		t.Fatal(err)
	}
	if got := feed("2026-03-01 10:00:00.000"); len(got) != 0 {
		t.Errorf("after a receipt: %v", got)
	}
	for _, no := range []string{"104005", "104003"} {
		s.clock.Advance(4 * time.Millisecond)
		if _, err := s.ChangeInvoice(Change{No: no, Set: Record{"DUEDATE": "2026-06-01"}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(feed("2026-03-01 10:00:00.000")); got != "[104005 104003]" {
		t.Errorf("after two changes: %s", got)
	}
	if got := fmt.Sprint(feed(s.value("INVOICE", "104005", "MODDATE"))); got != "[104003]" {
		t.Errorf("after the first of them: %s", got)
	}
}

// TestWallClock stores the same wall clock time twice in the hour that summer time ends, as a database without time zones
// does.
func TestWallClock(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	still := &stillClock{at: time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)}
	config := testConfig(still, "")
	config.Location = zone
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadRows(basicRows()); err != nil {
		t.Fatal(err)
	}
	var stamps []string
	for range 3 {
		key, err := s.ChangeRow("CUSTOMER", Change{Set: Record{"COMPANY": "New", "TYPE": "CUSTOMER"}})
		if err != nil {
			t.Fatal(err)
		}
		stamps = append(stamps, s.tables["CUSTOMER"].rows[fold(key.Key)].record()["MODDATE"])
		still.Advance(time.Hour)
	}
	if got := fmt.Sprint(stamps); got != "[2026-11-01 01:30:00.000 2026-11-01 01:30:00.000 2026-11-01 02:30:00.000]" {
		t.Errorf("stamps %s", got)
	}
	still.Advance(-still.Now().Sub(time.Date(2026, 12, 1, 4, 59, 0, 0, time.UTC))) // one minute to midnight at the site
	answer, err := s.CreateInvoice(NewInvoice{Header: Record{"CUSTOMERNO": "C00001", "INVAMOUNT": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.tables["INVOICE"].rows[answer.InvoiceNo].record()["INVOICEDATE"]; got != "2026-11-30 00:00:00.000" {
		t.Errorf("dated %s", got)
	}
}

// fixedClock cannot be moved.
type fixedClock struct{ *stillClock }

func (fixedClock) Advance() {}

func TestClockThatCannotMove(t *testing.T) {
	config := testConfig(nil, "")
	config.Clock = fixedClock{&stillClock{at: time.Date(2026, 3, 10, 14, 30, 0, 0, time.UTC)}}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveClock(ClockMove{Advance: "1h"}); err == nil {
		t.Error("a fixed clock was moved")
	}
	if got, err := s.MoveClock(ClockMove{}); err != nil || got.Local != "2026-03-10 09:30:00.000" {
		t.Errorf("reading it: %+v %v", got, err)
	}
}

// TestManyOrders uses more sort orders than are kept.
func TestManyOrders(t *testing.T) {
	s := newSite(t, Quirks{})
	tab := s.tables["INVOICE"]
	for i := range tab.def.columns {
		for _, desc := range []bool{false, true} {
			found, _ := tab.find(query{order: []term{{col: i, desc: desc}}})
			if len(found) != 6 {
				t.Errorf("by %s: %d rows", tab.def.columns[i].name, len(found))
			}
		}
	}
	if len(tab.orders) > maxOrders {
		t.Errorf("%d orders are kept", len(tab.orders))
	}
}

// TestLoadRows loads rows that replace others, have no key, or have no stamp.
func TestLoadRows(t *testing.T) {
	s := newSite(t, Quirks{})
	in := Batch{Tables: map[string][]Record{"CUSTOMER": {
		{"CUSTOMERNO": "C00001", "COMPANY": "Replaced"}, {"COMPANY": "Numbered"}, {"customerno": "C00070", "company": "Stamped", "MODDATE": "2020-01-01 00:00:00.002"},
	}}}
	if n, err := s.LoadRows(in); err != nil || n.Rows != 3 {
		t.Fatalf("%+v %v", n, err)
	}
	for key, want := range map[string][2]string{
		"C00001": {"Replaced", "2026-03-10 09:30:00.127"}, "C00004": {"Numbered", "2026-03-10 09:30:00.127"}, "C00070": {"Stamped", "2020-01-01 00:00:00.003"},
	} {
		if got := [2]string{s.value("CUSTOMER", key, "COMPANY"), s.value("CUSTOMER", key, "MODDATE")}; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if s.value("CUSTOMER", "C00001", "TYPE") != "" {
		t.Error("a replaced row kept columns of the old one")
	}
	audited := s.count("AUDITLOG")
	for name, bad := range map[string]Batch{
		"table":  {Tables: map[string][]Record{"NOPE": {{}}}},
		"column": {Tables: map[string][]Record{"CUSTOMER": {{"COMPANY": "Half"}, {"NOPE": "1"}}}},
		"value":  {Tables: map[string][]Record{"CUSTOMER": {{"COMPANY": "Half"}, {"BALANCE": "much"}}}},
	} {
		if _, err := s.LoadRows(bad); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if s.count("CUSTOMER") != 5 || s.count("AUDITLOG") != audited {
		t.Errorf("%d customers, %d audit rows", s.count("CUSTOMER"), s.count("AUDITLOG"))
	}
}
