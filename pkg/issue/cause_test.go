package issue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// TestCausesOfRecords: what makes a record an issue, and when.
func TestCausesOfRecords(t *testing.T) {
	because := plan.Because
	for name, c := range map[string]struct {
		status   record.Status
		reasons  []plan.Reason
		attempts int
		after    time.Duration // the record has been looked at every hour until then
		want     []string
	}{
		"in step":                 {record.Synced, nil, 0, 1000 * time.Hour, nil},
		"left alone":              {record.Ignored, []plan.Reason{because(plan.LeftAlone)}, 0, 1000 * time.Hour, nil},
		"the reason that counts":  {record.Attention, []plan.Reason{because(plan.FeeAllocated), because(plan.ReceiptRefused)}, 0, 0, []string{"receipt_refused 1 5.00 USD"}},
		"the first that counts":   {record.Attention, []plan.Reason{because(plan.FileEmpty), because(plan.FileOverdue)}, 0, 0, []string{"pdf_empty 1 5.00 USD"}},
		"an unknown reason":       {record.Attention, []plan.Reason{{Code: "new"}}, 0, 0, []string{"new 1 5.00 USD"}},
		"no reason":               {record.Attention, nil, 0, 0, []string{"unnamed 1 5.00 USD"}},
		"money went back":         {record.Reversed, []plan.Reason{because(plan.RefundedWhole)}, 0, 0, []string{"refunded_in_full 1 5.00 USD"}},
		"an answer was lost":      {record.Unknown, []plan.Reason{because(plan.OutcomeUnknown)}, 0, 59 * time.Minute, nil},
		"it is still lost":        {record.Unknown, []plan.Reason{because(plan.OutcomeUnknown)}, 0, time.Hour, []string{"outcome_unknown 1 5.00 USD"}},
		"lost without a word":     {record.Unknown, nil, 0, 200 * time.Hour, []string{"outcome_unknown 1 5.00 USD"}},
		"settling":                {record.Waiting, []plan.Reason{because(plan.PaymentPending)}, 0, 239 * time.Hour, nil},
		"settling for long":       {record.Waiting, []plan.Reason{because(plan.PaymentPending)}, 0, 240 * time.Hour, []string{"payment_pending 1 5.00 USD"}},
		"waits for a setting":     {record.Waiting, []plan.Reason{because(plan.NoGLAccount, "currency", "EUR")}, 0, 0, []string{"no_gl_account 1 5.00 USD"}},
		"waits for a person":      {record.Waiting, []plan.Reason{because(plan.OnAccount), because(plan.HeldForEntry)}, 0, 0, []string{"held_for_entry 1 5.00 USD"}},
		"waits for who knows":     {record.Waiting, []plan.Reason{because(plan.OnAccount)}, 0, 167 * time.Hour, nil},
		"long for who knows":      {record.Waiting, []plan.Reason{because(plan.OnAccount)}, 0, 168 * time.Hour, []string{"on_account 1 5.00 USD"}},
		"tried again":             {record.Scheduled, []plan.Reason{because(plan.InternalError)}, 4, 1000 * time.Hour, nil},
		"tried again and again":   {record.Scheduled, []plan.Reason{because(plan.InternalError)}, 5, 0, []string{"internal_error 1 5.00 USD"}},
		"vendor down":             {record.Scheduled, []plan.Reason{because(plan.VendorDown)}, 9, 1000 * time.Hour, nil},
		"vendor down for long":    {record.Scheduled, []plan.Reason{because(plan.VendorDown)}, 10, 0, []string{"vendor_unavailable 1 5.00 USD"}},
		"scheduled for something": {record.Scheduled, []plan.Reason{because(plan.NumberTaken)}, 99, 1000 * time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			r := d.record(billing.KindPayment, "1", c.status, "5.00", c.reasons...)
			r.Attempts = c.attempts
			r.Timeline = []record.Entry{{At: store.At(start), What: "seen in the ERP"}, {At: store.At(start), What: string(c.status)}}
			for left := c.after; left > 0; left -= time.Hour {
				d.clock.Advance(min(left, time.Hour))
				d.touch(r)
			}
			put(d, store.Records, r.ID(), r)
			d.want(c.want...)
		})
	}
}

// TestTimeAloneMakesAnIssue, although no record changes.
func TestTimeAloneMakesAnIssue(t *testing.T) {
	d := newDesk(t)
	d.record(billing.KindPayment, "1", record.Waiting, "5.00", plan.Because(plan.PaymentPending))
	d.want()
	d.clock.Advance(240 * time.Hour)
	d.want("payment_pending 1 5.00 USD")
	if since := d.find("payment_pending").FirstSeen; !since.Equal(start) {
		t.Errorf("since %s", since)
	}
}

func TestMoneyOfRecords(t *testing.T) {
	for name, c := range map[string]struct {
		r    record.Record
		want string
	}{
		"the ERP's total":    {record.Record{Kind: billing.KindInvoice, Currency: "USD", SourceTotal: "10.00", PortalTotal: "9.00"}, "10.00 USD"},
		"the portal's":       {record.Record{Kind: billing.KindPayment, Currency: "JPY", PortalTotal: "900"}, "900 JPY"},
		"a credit":           {record.Record{Kind: billing.KindInvoice, Currency: "USD", SourceTotal: "-10.00"}, "10.00 USD"},
		"a file":             {record.Record{Kind: billing.KindDocument, Currency: "USD", SourceTotal: "10.00"}, ""},
		"a customer":         {record.Record{Kind: billing.KindCustomer, Currency: "USD", SourceTotal: "10.00"}, ""},
		"nothing is known":   {record.Record{Kind: billing.KindInvoice}, ""},
		"no such currency":   {record.Record{Kind: billing.KindInvoice, SourceTotal: "10.00"}, ""},
		"more than it holds": {record.Record{Kind: billing.KindInvoice, Currency: "USD", SourceTotal: "10.001"}, ""},
	} {
		got := ""
		if m, ok := issue.Amount(c.r); ok {
			got = m.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestPolls: a refusal is an issue at once, other errors of polls when they last.
func TestPolls(t *testing.T) {
	d := newDesk(t)
	run := func(problem string) {
		put(d, store.Runs, "us/poll", record.Run{Company: "us", Flow: "poll", StartedAt: store.At(d.clock.Now()), Error: problem})
	}
	read := func() {
		put(d, store.Cursors, "us/invoices", record.Cursor{Company: "us", Feed: "invoices", UpdatedAt: store.At(d.clock.Now())})
	}
	run("no route to host")
	d.want("poll_stopped 0")
	read()
	run("")
	d.want()
	d.clock.Advance(59 * time.Minute)
	run("no route\n\x1b to\thost")
	d.want()
	d.clock.Advance(time.Minute)
	d.want("poll_stopped 0")
	if i := d.find("poll_stopped"); i.Detail != "no route to host" || !i.FirstSeen.Equal(start) || i.Severity != issue.High {
		t.Errorf("%+v", i)
	}
	read()
	run("")
	d.want()
	run("the start-up check refuses the company: no view of invoices")
	d.want("poll_stopped 0")
}

// TestBreakers: a vendor that is not called is an issue while it is so.
func TestBreakers(t *testing.T) {
	d := newDesk(t)
	show := func(vendor, state string) {
		b := record.Breaker{Company: "us", Vendor: vendor, State: state, Problem: "timeout", ChangedAt: store.At(d.clock.Now())}
		if state == record.BreakerOpen {
			b.Until = store.At(d.clock.Now().Add(time.Minute))
		}
		put(d, store.Controls, store.ID("us", "breaker", vendor), b)
	}
	show("q360", record.BreakerClosed)
	show("invoiced", record.BreakerOpen)
	d.want("portal_not_called 0")
	show("q360", record.BreakerOpen)
	d.want("erp_not_called 0", "portal_not_called 0")
	show("invoiced", record.BreakerClosed)
	d.want("erp_not_called 0")
	d.clock.Advance(2 * time.Hour) // the process is gone: nobody tries any more
	d.want()
}

func (d *desk) event(id, via, state string) {
	put(d, store.Inbox, store.ID("us", id), record.Inbox{
		Company: "us", EventID: id, Via: via, State: state, Effect: "history entry refused", ReceivedAt: store.At(d.clock.Now()),
	})
}

// TestFailedEvents are an issue for thirty days, or until they are replayed.
func TestFailedEvents(t *testing.T) {
	d := newDesk(t)
	d.event("1", "webhook", record.InboxFailed)
	d.event("2", "webhook", record.InboxDone)
	d.clock.Advance(24 * time.Hour)
	d.event("3", "webhook", record.InboxFailed)
	d.want("events_failed 2")
	if i := d.find("events_failed"); len(i.Records) != 2 || i.Records[0] != "us/1" || i.Detail != "history entry refused" || !i.FirstSeen.Equal(start) {
		t.Errorf("%+v", i)
	}
	d.event("3", "webhook", record.InboxDone)
	d.want("events_failed 1")
	d.clock.Advance(30 * 24 * time.Hour)
	d.want()
}

// TestNoWebhooks: events that only the gap fill finds, again and again, are an issue until a webhook comes.
func TestNoWebhooks(t *testing.T) {
	d := newDesk(t)
	for n := range 20 {
		d.event(fmt.Sprint("first", n), "gap_fill", record.InboxDone)
	}
	d.want() // the first reading of a new company
	d.clock.Advance(time.Hour)
	d.event("later", "gap_fill", record.InboxDone)
	d.want("webhooks_missing 0")
	d.event("sent", "webhook", record.InboxDone)
	d.want()
	d.clock.Advance(13 * time.Hour)
	d.event("a", "gap_fill", record.InboxDone)
	d.clock.Advance(2 * time.Hour)
	d.event("b", "gap_fill", record.InboxDone)
	d.want() // two may have slipped through
	d.event("c", "gap_fill", record.InboxNew)
	d.want("webhooks_missing 0")
	d.clock.Advance(13 * time.Hour)
	d.want() // nothing happens at all
}

// TestNoWebhooksWhereMuchHappens: however many events the gap fill brings in an hour, a portal that sends none itself is an
// issue.
func TestNoWebhooksWhereMuchHappens(t *testing.T) {
	d := newDesk(t)
	for n := range 150 {
		d.event(fmt.Sprint("early", n), "gap_fill", record.InboxDone)
	}
	d.clock.Advance(2 * time.Hour)
	for n := range 250 {
		d.event(fmt.Sprint("late", n), "gap_fill", record.InboxDone)
	}
	d.want("webhooks_missing 0")
	if i := d.find("webhooks_missing"); !i.FirstSeen.Equal(start) {
		t.Errorf("since %s, want %s", i.FirstSeen, start)
	}
}

// TestReconciliations: differences without an explanation are an issue, with their money, until the next reconciliation has
// none.
func TestReconciliations(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		state                    reconcile.State
		differences, unexplained int
		stake, want, detail      string
	}{
		{reconcile.Unexplained, 5, 3, "12.50 USD, 3000.00 EUR", "reconciliation_differs 0 3,000.00 EUR, 12.50 USD", "3 differences"},
		{reconcile.OK, 0, 0, "", "", ""},
		{reconcile.Unexplained, 1, 1, "", "reconciliation_differs 0", "1 difference"},
		{reconcile.Explained, 7, 0, "", "", ""},
	} {
		d.clock.Advance(time.Hour)
		s := reconcile.Summary{Company: "us", At: store.At(d.clock.Now()), State: c.state, Differences: c.differences, Unexplained: c.unexplained, Stake: c.stake}
		put(d, store.Reconciliations, store.ID("us", s.At.Text()), s)
		if c.want == "" {
			d.want()
		} else {
			d.want(c.want)
			if i := d.find("reconciliation_differs"); i.Detail != c.detail || !i.FirstSeen.Equal(d.clock.Now()) {
				t.Errorf("%+v", i)
			}
		}
	}
	last, ok, err := issue.LastReconciliation(t.Context(), d.store, "us")
	if !ok || err != nil || last.Explained != 7 || !last.At.Equal(d.clock.Now()) {
		t.Errorf("%+v %v %v", last, ok, err)
	}
	if _, ok, err := issue.LastReconciliation(t.Context(), d.store, "ca"); ok || err != nil {
		t.Errorf("of a company without one: %v %v", ok, err)
	}
}
