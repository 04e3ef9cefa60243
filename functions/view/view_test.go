package view_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

func at(minute int) store.Time {
	return store.At(time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute))
}

func put[T any](t *testing.T, s store.Store, c store.Collection, id string, v T) {
	t.Helper()
	if _, err := (store.Table[T]{Store: s, Collection: c}).Put(t.Context(), id, v); err != nil {
		t.Fatal(err)
	}
}

// ledger is a store with a few records of two companies.
func ledger(t *testing.T) *enginetest.Store {
	t.Helper()
	s := enginetest.NewStore()
	bad := plan.Because(plan.PortalDiffers, "portal", "110.33 USD", "total", "107.00 USD")
	for _, r := range []record.Record{
		{Company: "us", Kind: billing.KindInvoice, SourceID: "104233", Customer: "C1", Status: record.Synced, Currency: "USD", SourceTotal: "107.00",
			PortalTotal: "107.00", PortalID: "900", PortalKind: billing.KindInvoice, PortalURL: "https://portal.example/900", UpdatedAt: at(3),
			Timeline: []record.Entry{{At: at(0), What: "seen in the ERP"}, {At: at(3), What: "created in the portal", Text: "invoice 104233 as 900"}}},
		{Company: "us", Kind: billing.KindInvoice, SourceID: "104234", Customer: "C1", Status: record.Attention, Currency: "USD", SourceTotal: "107.00",
			PortalTotal: "110.33", PortalID: "901", UpdatedAt: at(5), Reasons: []plan.Reason{bad}, Summary: bad.Text()},
		{Company: "us", Kind: billing.KindInvoice, SourceID: "104235", Customer: "C2", Status: record.Scheduled, UpdatedAt: at(4), DueAt: at(6),
			Summary: "invoiced is not available: <html>\n\t\x1b[31mBad Gateway"},
		{Company: "us", Kind: billing.KindInvoice, SourceID: "99", Customer: "C2", Status: record.Synced, PortalKind: billing.KindCreditNote, PortalID: "902",
			Currency: "USD", SourceTotal: "-20.00", PortalTotal: "20.00", UpdatedAt: at(1)},
		{Company: "us", Kind: billing.KindPayment, SourceID: "9001", Status: record.Synced, Currency: "USD", SourceTotal: "110.00", PortalTotal: "110.00",
			PortalID: "9001", UpdatedAt: at(9), Method: "credit_card", Fee: "3.00", Complete: true,
			Receipts: []record.Receipt{{Reference: "IVD-9001", Number: "R5001", Amount: "110.00", Fees: "3.00"}}},
		{Company: "ca", Kind: billing.KindCustomer, SourceID: "104233", Customer: "104233", Status: record.Waiting, UpdatedAt: at(2), WaitsFor: "ca/customer/7"},
	} {
		put(t, s, store.Records, r.ID(), r)
	}
	put(t, s, store.Journal, "us/invoice/104233", journal.Entry{
		Key: "us/invoice/104233", Record: "us/invoice/104233", Vendor: "invoiced", Op: "create", Kind: "invoice", State: journal.Done, VendorID: "900",
		Attempts: 2, IntendedAt: at(1), StartedAt: at(1), EndedAt: at(2),
	})
	put(t, s, store.Inbox, "us/e7", record.Inbox{
		Company: "us", EventID: "e7", Type: "invoice.viewed", Subject: "us/invoice/900", State: record.InboxDone, ReceivedAt: at(7), Effect: "history entry RP-VIEWED of 104233",
	})
	return s
}

func numbers(l view.List) string {
	out := []string{}
	for _, r := range l.Rows {
		out = append(out, r.Company+":"+r.Number)
	}
	return strings.Join(out, " ")
}

func TestFilters(t *testing.T) {
	s := ledger(t)
	for _, c := range []struct {
		name   string
		filter view.Filter
		want   string
		more   bool
	}{
		{"everything, newest first in each company", view.Filter{}, "ca:104233 us:9001 us:104234 us:104235 us:104233 us:99", false},
		{"company", view.Filter{Company: "ca"}, "ca:104233", false},
		{"company that is none of ours", view.Filter{Company: "xx"}, "", false},
		{"status", view.Filter{Status: record.Synced}, "us:9001 us:104233 us:99", false},
		{"kind", view.Filter{Kind: billing.KindInvoice}, "us:104234 us:104235 us:104233", false},
		{"credits", view.Filter{Kind: billing.KindCreditNote}, "us:99", false},
		{"kind and status", view.Filter{Kind: billing.KindInvoice, Status: record.Synced}, "us:104233", false},
		{"limit", view.Filter{Limit: 2}, "ca:104233 us:9001", true},
		{"limit that is just enough", view.Filter{Limit: 6}, "ca:104233 us:9001 us:104234 us:104235 us:104233 us:99", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := view.Records(t.Context(), s, []string{"ca", "us"}, c.filter)
			if err != nil || numbers(l) != c.want || l.More != c.more || l.Schema != "arbridge/list/v1" {
				t.Errorf("%s (more %v, schema %s), %v; want %s", numbers(l), l.More, l.Schema, err, c.want)
			}
		})
	}
	s.Break(errors.New("disk full"))
	if _, err := view.Records(t.Context(), s, []string{"us"}, view.Filter{}); err == nil || !strings.Contains(err.Error(), "listing us") {
		t.Errorf("without a store: %v", err)
	}
}

// TestPaging: more records than one query reads, half of them of another kind.
func TestPaging(t *testing.T) {
	s := enginetest.NewStore()
	for i := range 1200 {
		kind := billing.KindInvoice
		if i%2 == 0 {
			kind = billing.KindPayment
		}
		r := record.Record{Company: "us", Kind: kind, SourceID: fmt.Sprintf("%04d", i), Status: record.Synced, UpdatedAt: at(i / 7)}
		put(t, s, store.Records, r.ID(), r)
	}
	l, err := view.Records(t.Context(), s, []string{"us"}, view.Filter{Kind: billing.KindInvoice, Limit: 5000})
	if err != nil || len(l.Rows) != 600 || l.More {
		t.Fatalf("%d rows, more %v, %v", len(l.Rows), l.More, err)
	}
	seen := map[string]bool{}
	for i, r := range l.Rows {
		seen[r.Number] = true
		if i > 0 && r.UpdatedAt.After(l.Rows[i-1].UpdatedAt.Time) {
			t.Fatalf("row %d is newer than the one before it", i)
		}
	}
	if len(seen) != 600 {
		t.Errorf("%d different records", len(seen))
	}
}

const wantTable = `COMPANY  KIND         NUMBER  CUSTOMER  STATUS           ERP     PORTAL  CUR  UPDATED              WHY
us       payment      9001              synced           110.00  110.00  USD  2026-05-05 14:09:00  
us       invoice      104234  C1        needs attention  107.00  110.33  USD  2026-05-05 14:05:00  the portal's total is 110.33 USD, the ERP's is 107.00 USD
us       invoice      104235  C2        scheduled        -       -            2026-05-05 14:04:00  invoiced is not available: <html> [31mBad Gateway
us       invoice      104233  C1        synced           107.00  107.00  USD  2026-05-05 14:03:00  
us       credit_note  99      C2        synced           -20.00  20.00   USD  2026-05-05 14:01:00  
`

func TestTable(t *testing.T) {
	l, err := view.Records(t.Context(), ledger(t), []string{"us"}, view.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantTable, out.String()); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
	l.More = true
	out.Reset()
	if err := l.Print(&out); err != nil || !strings.HasSuffix(out.String(), "… more; this is the limit of 5 (--limit)\n") {
		t.Errorf("a list that was cut: %q, %v", out.String(), err)
	}
	out.Reset()
	if err := (view.List{}).Print(&out); err != nil || out.String() != "No records match.\n" {
		t.Errorf("an empty list: %q, %v", out.String(), err)
	}
}

const wantShow = `Customer 104233 of ca: WAITING
  customer   104233
  waits for  ca/customer/7
  timeline (UTC)

Invoice 104233 of us: SYNCED
  customer             C1
  total in the ERP     107.00 USD
  total in the portal  107.00 USD
  portal id            900
  portal               https://portal.example/900
  timeline (UTC)
    2026-05-05 14:00:00  seen in the ERP             
    2026-05-05 14:02:00  create invoice at invoiced  us/invoice/104233: done as 900 after 2 attempts
    2026-05-05 14:03:00  created in the portal       invoice 104233 as 900
    2026-05-05 14:07:00  event invoice.viewed        history entry RP-VIEWED of 104233
`

func TestShow(t *testing.T) {
	s := ledger(t)
	found, err := view.Find(t.Context(), s, []string{"ca", "us"}, "104233")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := found.Print(&out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantShow, out.String()); d != "" {
		t.Errorf("show (-want +got):\n%s", d)
	}
	pay, err := view.Find(t.Context(), s, []string{"us"}, "9001")
	out.Reset()
	if err != nil || pay.Print(&out) != nil || !strings.Contains(out.String(), "cash receipt         R5001 (IVD-9001) over 110.00 USD, fees 3.00 USD\n") {
		t.Errorf("payment: %v\n%s", err, out.String())
	}
	none, err := view.Find(t.Context(), s, []string{"us"}, "nothing")
	out.Reset()
	if err != nil || len(none.Records) != 0 || none.Print(&out) != nil || !strings.Contains(out.String(), "Nothing is known about nothing") {
		t.Errorf("unknown number: %v\n%s", err, out.String())
	}
	s.Break(errors.New("disk full"))
	if _, err := view.Find(t.Context(), s, []string{"us"}, "104233"); err == nil {
		t.Error("no error without a store")
	}
}

// TestEffectsInWords: every state of an effect says when and what.
func TestEffectsInWords(t *testing.T) {
	for _, c := range []struct {
		entry journal.Entry
		at    store.Time
		text  string
	}{
		{journal.Entry{State: journal.Intended, IntendedAt: at(11)}, at(11), "us/k: intended"},
		{journal.Entry{State: journal.Started, IntendedAt: at(11), StartedAt: at(12), Attempts: 1}, at(12), "us/k: started"},
		{journal.Entry{State: journal.Unknown, IntendedAt: at(11), StartedAt: at(12), Attempts: 2, Error: "time-out"}, at(12), "us/k: unknown after 2 attempts (time-out)"},
		{journal.Entry{State: journal.Refused, IntendedAt: at(11), StartedAt: at(12), EndedAt: at(13), Attempts: 1, Error: "closed"}, at(13), "us/k: refused (closed)"},
	} {
		s := ledger(t)
		c.entry.Key, c.entry.Record, c.entry.Vendor, c.entry.Op, c.entry.Kind = "us/k", "us/payment/9001", "q360", "create", "receipt"
		put(t, s, store.Journal, "us/k", c.entry)
		found, err := view.Find(t.Context(), s, []string{"us"}, "9001")
		if err != nil {
			t.Fatal(err)
		}
		last := found.Records[0].Timeline[len(found.Records[0].Timeline)-1]
		if last.What != "create receipt at q360" || last.Text != c.text || !last.At.Equal(c.at.Time) {
			t.Errorf("%+v, want %q at %s", last, c.text, c.at.Text())
		}
	}
}

// TestJSONForms: the names of the JSON forms are what scripts rely on; changing one needs a new schema version.
func TestJSONForms(t *testing.T) {
	s := ledger(t)
	list, err := view.Records(t.Context(), s, []string{"us"}, view.Filter{Status: record.Attention})
	if err != nil {
		t.Fatal(err)
	}
	show, err := view.Find(t.Context(), s, []string{"us"}, "9001")
	if err != nil {
		t.Fatal(err)
	}
	empty, err := view.Records(t.Context(), s, nil, view.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{list, `{"schema":"arbridge/list/v1","rows":[{"company":"us","kind":"invoice","number":"104234","customer":"C1","status":"needs_attention",` +
			`"currency":"USD","source_total":"107.00","portal_total":"110.33","portal_id":"901","reasons":[{"code":"portal_total_differs","params":` +
			`{"portal":"110.33 USD","total":"107.00 USD"}}],"text":"the portal's total is 110.33 USD, the ERP's is 107.00 USD",` +
			`"updated_at":"2026-05-05T14:05:00.000000Z"}],"more":false}`},
		{show, `{"schema":"arbridge/show/v1","number":"9001","records":[{"company":"us","kind":"payment","number":"9001","status":"synced","currency":"USD",` +
			`"source_total":"110.00","portal_total":"110.00","portal_id":"9001","updated_at":"2026-05-05T14:09:00.000000Z","receipts":[{"reference":"IVD-9001",` +
			`"number":"R5001","amount":"110.00","fees":"3.00"}],"fee":"3.00","method":"credit_card","timeline":[]}]}`},
		{empty, `{"schema":"arbridge/list/v1","rows":[],"more":false}`},
	} {
		var out strings.Builder
		if err := view.JSON(&out, c.value); err != nil {
			t.Fatal(err)
		}
		var compact strings.Builder
		b, err := json.Marshal(json.RawMessage(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		compact.Write(b)
		if d := cmp.Diff(c.want, compact.String()); d != "" {
			t.Errorf("JSON (-want +got):\n%s", d)
		}
		if !strings.HasSuffix(out.String(), "}\n") || strings.Contains(out.String(), `\u003c`) {
			t.Errorf("written form: %s", out.String())
		}
	}
}
