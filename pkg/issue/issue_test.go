package issue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// desk is a store with a tracker of its company us.
type desk struct {
	t     *testing.T
	store *counting
	clock *enginetest.Clock
	track *issue.Tracker
}

// counting counts the writes that reach a store.
type counting struct {
	*enginetest.Store
	writes, queries int
}

func (c *counting) Write(ctx context.Context, w ...store.Write) ([]store.Version, error) {
	c.writes++
	return c.Store.Write(ctx, w...)
}

func (c *counting) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	c.queries++
	return c.Store.Query(ctx, q)
}

var start = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, store: &counting{Store: enginetest.NewStore()}, clock: enginetest.NewClock(start)}
	d.track = issue.New(d.store, d.clock, slog.New(slog.DiscardHandler))
	return d
}

func put[T any](d *desk, c store.Collection, id string, v T) {
	d.t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		_, err = d.store.Store.Write(d.t.Context(), store.Write{Collection: c, ID: id, Data: data})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// record stores a record as it became at the time of the clock.
func (d *desk) record(kind billing.Kind, number string, status record.Status, amount string, reasons ...plan.Reason) record.Record {
	d.t.Helper()
	now := store.At(d.clock.Now())
	r := record.Record{Company: "us", Kind: kind, SourceID: number, CreatedAt: now, UpdatedAt: now, Currency: "USD", SourceTotal: amount}
	r.Set(status, reasons)
	r.Note(now.Time, string(status), r.Summary)
	put(d, store.Records, r.ID(), r)
	return r
}

// touch stores a record again, as a look that changed nothing does.
func (d *desk) touch(r record.Record) {
	r.UpdatedAt = store.At(d.clock.Now())
	r.Note(d.clock.Now(), string(r.Status), r.Summary)
	put(d, store.Records, r.ID(), r)
}

func (d *desk) refresh() {
	d.t.Helper()
	if err := d.track.Refresh(d.t.Context(), "us"); err != nil {
		d.t.Fatal(err)
	}
}

// open are the open issues as "cause count money".
func (d *desk) open() []string {
	d.t.Helper()
	list, err := issue.List(d.t.Context(), d.store, "us", false)
	if err != nil {
		d.t.Fatal(err)
	}
	out := []string{}
	for _, i := range list {
		out = append(out, strings.TrimSpace(fmt.Sprint(i.Cause, " ", i.Count, " ", issue.Stake(i))))
	}
	return out
}

func (d *desk) want(want ...string) {
	d.t.Helper()
	d.refresh()
	if got := d.open(); !slices.Equal(got, want) {
		d.t.Errorf("open issues\n  %q, want\n  %q", got, want)
	}
}

func (d *desk) find(cause string) issue.Issue {
	d.t.Helper()
	i, err := issue.Find(d.t.Context(), d.store, "us", cause)
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

// TestIssuesComeAndGo: one issue per cause grows, shrinks and resolves with its records, and comes back as a new one.
func TestIssuesComeAndGo(t *testing.T) {
	d := newDesk(t)
	d.want()
	taken := func(n string) plan.Reason { return plan.Because(plan.NumberTaken, "number", n, "owner", "C9") }
	d.record(billing.KindInvoice, "1", record.Attention, "1000.00", taken("1"))
	d.record(billing.KindInvoice, "2", record.Synced, "5.00")
	d.want("number_taken 1 1,000.00 USD")
	first := d.find("number_taken")
	if first.Title == "" || first.Fix == "" || first.State != issue.Open || first.Detail != taken("1").Text() || !first.FirstSeen.Equal(start) {
		t.Errorf("%+v", first)
	}
	d.clock.Advance(time.Hour)
	d.record(billing.KindInvoice, "3", record.Attention, "-0.50", taken("3"))
	d.record(billing.KindInvoice, "4", record.Attention, "7.00", plan.Because(plan.PortalDiffers, "portal", "6.00 USD", "total", "7.00 USD"))
	d.want("portal_total_differs 1 7.00 USD", "number_taken 2 1,000.50 USD")
	grown := d.find("number_taken")
	if !grown.FirstSeen.Equal(start) || !grown.LastSeen.Equal(start.Add(time.Hour)) || grown.Detail != "" ||
		!slices.Equal(grown.Records, []string{"us/invoice/1", "us/invoice/3"}) {
		t.Errorf("%+v", grown)
	}
	d.clock.Advance(time.Hour)
	d.record(billing.KindInvoice, "1", record.Synced, "1000.00")
	d.want("portal_total_differs 1 7.00 USD", "number_taken 1 0.50 USD")
	d.clock.Advance(time.Hour)
	d.record(billing.KindInvoice, "3", record.Ignored, "-0.50", taken("3"))
	d.want("portal_total_differs 1 7.00 USD")
	gone := d.find("number_taken")
	if gone.State != issue.Resolved || !gone.ResolvedAt.Equal(start.Add(3*time.Hour)) || gone.Count != 1 {
		t.Errorf("%+v", gone)
	}
	if all, err := issue.List(t.Context(), d.store, "us", true); err != nil || len(all) != 2 || all[1].Cause != "number_taken" {
		t.Errorf("all: %+v, %v", all, err)
	}
	d.clock.Advance(time.Hour)
	d.record(billing.KindInvoice, "3", record.Attention, "-0.50", taken("3"))
	d.want("portal_total_differs 1 7.00 USD", "number_taken 1 0.50 USD")
	if again := d.find("number_taken"); !again.FirstSeen.Equal(start.Add(4*time.Hour)) || !again.ResolvedAt.IsZero() {
		t.Errorf("%+v", again)
	}
}

// TestUnchangedIssuesAreNotWritten, neither by the same process nor by another, nor when a record was only looked at again;
// and the records are not read again while none changed.
func TestUnchangedIssuesAreNotWritten(t *testing.T) {
	d := newDesk(t)
	var r record.Record
	for n := range 60 {
		r = d.record(billing.KindPayment, fmt.Sprintf("p%02d", n), record.Attention, "1.00", plan.Because(plan.NoMethod, "method", "wire"))
	}
	d.want("no_payment_method 60 60.00 USD")
	if got := d.find("no_payment_method").Records; len(got) != issue.MaxRecords || got[0] != "us/payment/p00" || got[49] != "us/payment/p49" {
		t.Errorf("%d records: %v", len(got), got)
	}
	d.store.writes, d.store.queries = 0, 0
	d.refresh()
	quiet := d.store.queries
	d.clock.Advance(6 * time.Hour)
	d.touch(r)
	d.refresh()
	d.track = issue.New(d.store, d.clock, slog.New(slog.DiscardHandler))
	d.refresh()
	if d.store.writes != 0 {
		t.Errorf("%d writes of what did not change", d.store.writes)
	}
	if quiet > 6 {
		t.Errorf("%d queries although no record changed", quiet)
	}
}

// TestOneCompanyAtATime: neither issues nor records of another company are touched.
func TestOneCompanyAtATime(t *testing.T) {
	d := newDesk(t)
	d.record(billing.KindInvoice, "1", record.Attention, "1.00", plan.Because(plan.KindChanged))
	if err := d.track.Refresh(t.Context(), "ca"); err != nil {
		t.Fatal(err)
	}
	if got := d.open(); len(got) != 0 {
		t.Errorf("issues of us after a refresh of ca: %v", got)
	}
	d.want("kind_changed 1 1.00 USD")
	if err := d.track.Refresh(t.Context(), "ca"); err != nil {
		t.Fatal(err)
	}
	if got := d.open(); len(got) != 1 {
		t.Errorf("resolved by a refresh of ca: %v", got)
	}
	if _, err := issue.Find(t.Context(), d.store, "ca", "kind_changed"); !errors.Is(err, issue.ErrNone) {
		t.Errorf("ca has it too: %v", err)
	}
}

// TestRefreshAfterTrouble: an error of the store is told, and nothing is taken as looked at.
func TestRefreshAfterTrouble(t *testing.T) {
	d := newDesk(t)
	d.record(billing.KindInvoice, "1", record.Attention, "1.00", plan.Because(plan.KindChanged))
	broken := errors.New("no connection")
	d.store.Break(broken)
	if err := d.track.Refresh(t.Context(), "us"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	d.store.Break(nil)
	d.want("kind_changed 1 1.00 USD")
}

// TestStake: amounts of one currency are added exactly, those of several stand side by side.
func TestStake(t *testing.T) {
	for want, issues := range map[string][]issue.Issue{
		"":                             {{}},
		"12,400.00 USD":                {{Money: map[string]string{"USD": "12399.90"}}, {Money: map[string]string{"USD": "0.10"}}},
		"1.000 KWD, 999.00 USD":        {{Money: map[string]string{"USD": "999.00", "KWD": "1.000"}}},
		"1,234,567 JPY, 10,000.05 USD": {{Money: map[string]string{"USD": "10000.05", "JPY": "1234567", "EUR": "0.00"}}},
	} {
		if got := issue.Stake(issues...); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
