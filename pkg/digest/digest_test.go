package digest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/digest"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// outbox is a mailer that keeps what it is given, or answers with the next error.
type outbox struct {
	mu      sync.Mutex
	sent    []digest.Message
	calls   int
	answers []error
	during  func() // while a message is being sent
}

func (o *outbox) Send(_ context.Context, m digest.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.during != nil {
		o.during()
	}
	if len(o.answers) > 0 {
		err := o.answers[0]
		if o.answers = o.answers[1:]; err != nil {
			return err
		}
	}
	o.sent = append(o.sent, m)
	return nil
}

type office struct {
	t     *testing.T
	store *enginetest.Store
	clock *enginetest.Clock
	box   *outbox
	log   *strings.Builder
	set   settings.Company
}

// newOffice is a company in New York on a morning, with a digest every day.
func newOffice(t *testing.T) *office {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, store: enginetest.NewStore(), box: &outbox{}, log: &strings.Builder{}, clock: enginetest.NewClock(time.Date(2026, 5, 5, 7, 0, 0, 0, zone))}
	o.set = settings.Company{Enabled: true, TimeZone: zone,
		Notify: settings.Notify{Digest: "daily", Recipients: []string{"ar@example.com", "cfo@example.com"}, At: "07:00"}}
	return o
}

func (o *office) sender() *digest.Sender {
	return digest.New(o.store, o.clock, slog.New(slog.NewTextHandler(o.log, nil)), o.box, []digest.Company{{ID: "us", Name: "Example US", Settings: o.set}})
}

func (o *office) run() error { return o.sender().Run(o.t.Context(), "us") }

// sent runs the digest and wants so many messages sent, and calls made, until now.
func (o *office) sent(messages, calls int) {
	o.t.Helper()
	if err := o.run(); err != nil {
		o.t.Error(err)
	}
	if len(o.box.sent) != messages || o.box.calls != calls {
		o.t.Errorf("%d messages in %d calls, want %d in %d", len(o.box.sent), o.box.calls, messages, calls)
	}
}

func (o *office) put(c store.Collection, id string, v any) {
	o.t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		_, err = o.store.Write(o.t.Context(), store.Write{Collection: c, ID: id, Data: data})
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) delivery() digest.Delivery {
	o.t.Helper()
	d, _, err := store.Table[digest.Delivery]{Store: o.store, Collection: store.Runs}.Get(o.t.Context(), digest.DeliveryID("us", "2026-05-04"))
	if err != nil {
		o.t.Fatal(err)
	}
	return d
}

// issue opens an issue, or resolves it.
func (o *office) issue(state issue.State) {
	o.put(store.Issues, "us/no_gl_account", issue.Issue{
		Company: "us", Cause: "no_gl_account", Title: "No bank GL account for a currency", Fix: "Add the currency to payments.gl_accounts.",
		Detail: "no bank GL account for CAD; dana@example.org asked", Severity: issue.High, State: state, Count: 14,
		Money: map[string]string{"USD": "12400.00", "CAD": "0.50"}, FirstSeen: store.At(o.clock.Now().AddDate(0, 0, -2)), UpdatedAt: store.At(o.clock.Now()),
	})
}

// TestOnceADay: however often and by whomever the digest is run, it goes out once for a day, and again for the next.
func TestOnceADay(t *testing.T) {
	o := newOffice(t)
	o.sent(1, 1)
	o.sent(1, 1)
	o.clock.Advance(16 * time.Hour)
	o.sent(1, 1)
	m := o.box.sent[0]
	if m.ID != "digest.us.2026-05-04" || strings.Join(m.To, " ") != "ar@example.com cfo@example.com" || m.Subject != "arbridge: all in step (Example US)" {
		t.Errorf("%+v", m)
	}
	if d := o.delivery(); d.State != digest.Sent || d.Recipients != 2 || d.Attempts != 1 || d.EndedAt.IsZero() {
		t.Errorf("%+v", d)
	}
	o.clock.Advance(time.Hour + time.Minute) // midnight in New York has passed
	o.sent(2, 2)
	if o.box.sent[1].ID != "digest.us.2026-05-05" {
		t.Errorf("%s", o.box.sent[1].ID)
	}
}

// TestSeveralProcesses: while one sends, others leave it alone.
func TestSeveralProcesses(t *testing.T) {
	o := newOffice(t)
	o.box.during = func() {
		other := &outbox{}
		s := digest.New(o.store, o.clock, slog.New(slog.DiscardHandler), other, []digest.Company{{ID: "us", Settings: o.set}})
		if err := s.Run(t.Context(), "us"); err != nil || other.calls != 0 {
			t.Errorf("another process: %d calls, %v", other.calls, err)
		}
	}
	o.sent(1, 1)
}

// TestCrashWhileSending: a process that ends before it knows the answer leaves a claim; nobody sends a second time.
func TestCrashWhileSending(t *testing.T) {
	o := newOffice(t)
	down := errors.New("killed")
	o.box.during = func() { o.store.Break(down) }
	if err := o.run(); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	o.store.Break(nil)
	o.box.during = nil
	o.sent(1, 1)
	if d := o.delivery(); d.State != digest.Sending {
		t.Errorf("%+v", d)
	}
	o.clock.Advance(20 * time.Minute)
	o.sent(1, 1)
	if d := o.delivery(); d.State != digest.Unclear || d.Problem == "" || !strings.Contains(o.log.String(), "perhaps not sent") {
		t.Errorf("%+v\n%s", d, o.log)
	}
	o.sent(1, 1)
}

// TestUnclearAnswer: when it is not clear whether the message was taken, that is noted, and it is not sent again that day.
func TestUnclearAnswer(t *testing.T) {
	o := newOffice(t)
	o.box.answers = []error{errors.New("connection reset while sending to ar@example.com")}
	o.sent(0, 1)
	o.sent(0, 1)
	if d := o.delivery(); d.State != digest.Unclear || d.Problem != "connection reset while sending to [address]" {
		t.Errorf("%+v", d)
	}
	o.clock.Advance(24 * time.Hour)
	o.sent(1, 2)
}

// TestRefusals: what is clearly refused is tried again a few times, and then left for that day.
func TestRefusals(t *testing.T) {
	o := newOffice(t)
	no := fmt.Errorf("%w: 550 <ar@example.com> unknown", digest.ErrRefused)
	o.box.answers = []error{no, no}
	for n := 1; n <= 2; n++ {
		err := o.run()
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("attempt %d of 5", n)) || strings.Contains(err.Error(), "@") {
			t.Errorf("attempt %d: %v", n, err)
		}
	}
	o.sent(1, 3)
	if d := o.delivery(); d.State != digest.Sent || d.Attempts != 3 || d.Problem != "" {
		t.Errorf("%+v", d)
	}
	o = newOffice(t)
	o.box.answers = []error{no, no, no, no, no}
	for range 5 {
		if err := o.run(); err == nil {
			t.Error("a refusal is no error")
		}
	}
	o.sent(0, 5)
	if d := o.delivery(); d.State != digest.Refused || d.Attempts != 5 || strings.Contains(o.log.String(), "@") {
		t.Errorf("%+v\n%s", d, o.log)
	}
}

// TestWhoGetsADigest: notify.digest and notify.recipients decide, and a missing mail server is told.
func TestWhoGetsADigest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *office)
		sent   int
	}{
		"every day, all well":        {func(*office) {}, 1},
		"every day, a problem":       {func(o *office) { o.issue(issue.Open) }, 1},
		"problems only, all well":    {func(o *office) { o.set.Notify.Digest = "problems" }, 0},
		"problems only, one is over": {func(o *office) { o.set.Notify.Digest = "problems"; o.issue(issue.Resolved) }, 0},
		"problems only, a problem":   {func(o *office) { o.set.Notify.Digest = "problems"; o.issue(issue.Open) }, 1},
		"off, a problem":             {func(o *office) { o.set.Notify.Digest = "off"; o.issue(issue.Open) }, 0},
		"no recipients, a problem":   {func(o *office) { o.set.Notify.Recipients = nil; o.issue(issue.Open) }, 0},
		"not enabled":                {func(o *office) { o.set.Enabled = false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			c.change(o)
			o.sent(c.sent, c.sent)
			due := digest.Next(o.set, o.clock.Now())
			if wanted := c.sent > 0 || strings.HasPrefix(name, "problems only"); due.IsZero() == wanted {
				t.Errorf("due %s", due)
			}
		})
	}
	o := newOffice(t)
	o.set.Notify.Recipients = []string{"one@example.com"}
	o.sent(1, 1)
	if to := o.box.sent[0].To; len(to) != 1 || to[0] != "one@example.com" {
		t.Errorf("sent to %v", to)
	}
	s := digest.New(o.store, o.clock, slog.New(slog.NewTextHandler(o.log, nil)), nil, []digest.Company{{ID: "us", Settings: o.set}})
	o.clock.Advance(24 * time.Hour)
	if err := s.Run(t.Context(), "us"); err != nil || !strings.Contains(o.log.String(), "there is no mail server") {
		t.Errorf("%v\n%s", err, o.log)
	}
	if err := s.Run(t.Context(), "mars"); err == nil {
		t.Error("a company that is not there")
	}
	if _, err := s.Preview(t.Context(), "us", "yesterday"); err == nil {
		t.Error("a day that is none")
	}
}

// TestWhenItIsDue: notify.at is a time of day where the company is, also when the clocks change there.
func TestWhenItIsDue(t *testing.T) {
	zone := newOffice(t).set.TimeZone
	for _, c := range []struct{ at, after, want string }{
		{"07:00", "2026-05-05T06:59:59-04:00", "2026-05-05T07:00:00-04:00"},
		{"07:00", "2026-05-05T07:00:00-04:00", "2026-05-06T07:00:00-04:00"},
		{"23:59", "2026-05-05T07:00:00-04:00", "2026-05-05T23:59:00-04:00"},
		{"00:00", "2026-05-05T07:00:00-04:00", "2026-05-06T00:00:00-04:00"},
		{"07:00", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00-04:00"}, // the clocks go forward
		{"07:00", "2026-10-31T12:00:00Z", "2026-11-01T07:00:00-05:00"}, // and back
		{"02:30", "2026-03-08T05:00:00Z", "2026-03-08T01:30:00-05:00"}, // a time that is not there
		{"02:30", "2026-03-08T06:30:00Z", "2026-03-09T02:30:00-04:00"},
		{"01:30", "2026-11-01T05:30:00Z", "2026-11-02T01:30:00-05:00"}, // once, although it is there twice
		{"", "2026-05-05T07:00:00-04:00", ""},
	} {
		set := newOffice(t).set
		set.Notify.At = c.at
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if due := digest.Next(set, after); !due.IsZero() {
			got = due.In(zone).Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.at, c.after, got, c.want)
		}
	}
}

// busy fills the store with a day.
func busy(o *office) {
	begin := time.Date(2026, 5, 4, 0, 0, 0, 0, o.set.TimeZone)
	add := func(r record.Record, at time.Time, what, text string) {
		r.Company, r.Currency = "us", "USD"
		r.CreatedAt, r.UpdatedAt = store.At(at), store.At(at)
		r.Note(at, what, text)
		o.put(store.Records, r.ID(), r)
	}
	doc := func(n, total string) record.Record {
		return record.Record{Kind: billing.KindInvoice, SourceID: n, SourceTotal: total, PortalKind: billing.KindInvoice, Status: record.Synced}
	}
	created := "created in the portal"
	add(doc("1", "1000.00"), begin, created, "")
	add(doc("2", "234.50"), begin.Add(24*time.Hour-time.Microsecond), created, "")
	add(doc("before", "9.00"), begin.Add(-time.Microsecond), created, "")
	add(doc("after", "9.00"), begin.AddDate(0, 0, 1), created, "")
	note := doc("3", "-50.00")
	note.PortalKind = billing.KindCreditNote
	add(note, begin.Add(time.Hour), created, "")
	add(doc("4", "5.00"), begin.Add(time.Hour), "updated in the portal", "")
	add(record.Record{Kind: billing.KindDocument, SourceID: "1", Status: record.Synced}, begin.Add(time.Hour), "attached", "")
	pay := record.Record{Kind: billing.KindPayment, SourceID: "p1", PortalTotal: "1010.00", Status: record.Synced,
		Receipts: []record.Receipt{{Reference: "IVD-p1", Amount: "1010.00"}}}
	add(pay, begin.Add(time.Hour), "posted", "cash receipt 7 (IVD-p1) over 1010.00 USD")
	wait := record.Record{Kind: billing.KindPayment, SourceID: "p2", PortalTotal: "20.00"}
	wait.Set(record.Waiting, []plan.Reason{plan.Because(plan.PaymentPending)})
	add(wait, begin.Add(time.Hour), "waiting", "")
	for n, customer := range []string{"C1", "C2"} {
		w := doc(fmt.Sprint("w", n), "1.00")
		w.Set(record.Waiting, []plan.Reason{plan.Because(plan.WaitsForCustomer, "customer", customer)})
		add(w, begin.Add(20*time.Hour), "waiting", "")
	}
	skipped := record.Record{Kind: billing.KindPayment, SourceID: "p3", PortalTotal: "20.00", Status: record.Skipped}
	add(skipped, begin.Add(time.Hour), "skipped", "")
	o.put(store.Reconciliations, "us/1", map[string]any{"company": "us", "at": store.At(begin.Add(3 * time.Hour)), "state": "unexplained", "differences": 3, "unexplained": 2})
}

// TestWhatItSays: the day in the company's zone, counts and exact sums, issues with money and fix, what waits; no address of
// a customer in any form.
func TestWhatItSays(t *testing.T) {
	o := newOffice(t)
	busy(o)
	o.issue(issue.Open)
	o.sent(1, 1)
	m := o.box.sent[0]
	if m.Subject != "arbridge: 1 problem, 0.50 CAD, 12,400.00 USD at stake (Example US)" {
		t.Error(m.Subject)
	}
	want := `Example US
Monday, 4 May 2026

1 problem for a person, 0.50 CAD, 12,400.00 USD at stake
--------------------------------------------------------
1. No bank GL account for a currency
   14 records, 0.50 CAD, 12,400.00 USD, since 3 May 2026
   no bank GL account for CAD; [address] asked
   What to do: Add the currency to payments.gl_accounts.
   arbridge issues show us no_gl_account

What went over on Monday, 4 May 2026
------------------------------------
2  invoices to the portal          1,234.50 USD
1  credit notes to the portal      50.00 USD
1  changed documents to the portal 5.00 USD
1  PDFs attached in the portal
2  payments seen in the portal     1,030.00 USD
1  cash receipts in the ERP        1,010.00 USD

What waits and goes on by itself
--------------------------------
2  waits for customer …                      2.00 USD
1  is pending; it is posted when it settles  20.00 USD

Last reconciliation
-------------------
4 May 2026 03:00: 2 unexplained differences
`
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if squeeze(m.Text) != squeeze(want) {
		t.Errorf("text:\n%s", m.Text)
	}
	for _, part := range []string{"<b>No bank GL account for a currency</b>", "1,234.50 USD", "[address] asked", "2 unexplained differences", "waits for customer …"} {
		if !strings.Contains(m.HTML, part) {
			t.Errorf("no %q in\n%s", part, m.HTML)
		}
	}
	if strings.Contains(m.Text+m.HTML+m.Subject, "@") {
		t.Error("an address is in it")
	}
	p, err := o.sender().Preview(t.Context(), "us", "2026-05-04")
	if err != nil || p.Text != m.Text || p.HTML != m.HTML || p.Subject != m.Subject {
		t.Errorf("the preview differs: %v", err)
	}
	if p, err := o.sender().Preview(t.Context(), "us", "2026-05-03"); err != nil || !strings.Contains(p.Text, "1  invoices to the portal  9.00 USD") {
		t.Errorf("the day before: %v\n%s", err, p.Text)
	}
}
