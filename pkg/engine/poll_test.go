package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

func (f *fixture) poll() engine.PollResult {
	f.t.Helper()
	r, err := f.e.Poll(f.t.Context(), "us")
	if err != nil {
		f.t.Fatalf("poll: %v", err)
	}
	return r
}

func (f *fixture) cursor(feed string) record.Cursor {
	f.t.Helper()
	all, err := enginetest.All[record.Cursor](f.Store, store.Cursors)
	if err != nil {
		f.t.Fatal(err)
	}
	return all[store.ID("us", feed)]
}

func TestPollStoresAndPublishes(t *testing.T) {
	f := setup(t)
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
	r := f.poll()
	if r.Read != 2 || r.Changed != 2 || r.Bad != 0 || r.More || r.Skipped != "" {
		t.Errorf("result %+v", r)
	}
	tasks := f.Bus.Lose()
	if len(tasks) != 2 || tasks[0].Topic != "tasks" || tasks[0].Key != "us/invoice/1" || string(tasks[0].Data) != `{"company":"us","kind":"invoice","id":"1"}` {
		t.Errorf("tasks %+v", tasks)
	}
	rec := f.want(billing.KindInvoice, "1", record.Scheduled, "")
	if !rec.Backfill || rec.Customer != "C1" || rec.Seen != enginetest.Invoice("1", "C1").Fingerprint() || f.due(rec) != 2*time.Minute {
		t.Errorf("record %+v", rec)
	}
	if c := f.cursor("invoices"); c.Value == "" || c.Items != 2 {
		t.Errorf("cursor %+v", c)
	}
	f.ERP.PutInvoices(enginetest.Invoice("3", "C1"))
	f.poll()
	if rec := f.want(billing.KindInvoice, "3", record.Scheduled, ""); rec.Backfill {
		t.Error("a change after the first full read is looked up in bulk")
	}
	runs, err := enginetest.All[record.Run](f.Store, store.Runs)
	if run := runs["us/poll"]; err != nil || run.Read != 1 || run.Changed != 1 || run.EndedAt.IsZero() {
		t.Errorf("run %+v, %v", runs, err)
	}
}

func TestPollInPieces(t *testing.T) {
	f := setup(t, func(w *enginetest.World) { w.Options.PageSize, w.Options.MaxPerPoll = 10, 25 })
	for i := range 60 {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(100+i), "C1"))
	}
	for i, want := range []struct {
		read int
		more bool
	}{{30, true}, {30, false}, {0, false}} {
		if r := f.poll(); r.Read != want.read || r.More != want.more {
			t.Errorf("poll %d: %+v, want %+v", i+1, r, want)
		}
	}
}

// TestPollContinuesWhereItBroke: the cursor moves only after its page is durable, and nothing is published twice.
func TestPollContinuesWhereItBroke(t *testing.T) {
	f := setup(t, func(w *enginetest.World) { w.Options.PageSize = 10 })
	for i := range 30 {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(100+i), "C1"))
	}
	f.ERP.Fail(enginetest.Fault{Method: "Invoices", Nth: 3, Class: connector.ClassRetry})
	r, err := f.e.Poll(t.Context(), "us")
	if connector.ClassOf(err) != connector.ClassRetry || r.Read != 20 {
		t.Fatalf("poll: %+v, %v", r, err)
	}
	if runs, _ := enginetest.All[record.Run](f.Store, store.Runs); runs["us/poll"].Error == "" {
		t.Error("the run does not tell the error")
	}
	if r := f.poll(); r.Read != 10 || r.Changed != 10 {
		t.Errorf("second poll: %+v", r)
	}
	if n := f.Bus.Published(); n != 30 {
		t.Errorf("%d tasks for 30 invoices", n)
	}
}

func TestOnePollAtATime(t *testing.T) {
	f := setup(t)
	other := f.Start()
	f.ERP.Fail(enginetest.Fault{Method: "Invoices", Nth: 1, Hook: func() {
		r, err := other.Poll(t.Context(), "us")
		if err != nil || r.Skipped == "" {
			t.Errorf("the second poll: %+v, %v", r, err)
		}
	}})
	f.poll()
	if r, err := other.Poll(t.Context(), "us"); err != nil || r.Skipped != "" {
		t.Errorf("the next poll: %+v, %v", r, err)
	}
	if _, err := f.e.Poll(t.Context(), "nobody"); !errors.Is(err, engine.ErrUnknownCompany) {
		t.Errorf("an unknown company: %v", err)
	}
}

func TestBadSourceRecord(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.ERP.Spoil("2", `field tax is "7,0": enter a number`)
	f.ERP.PutInvoices(enginetest.Invoice("3", "C1"))
	if r := f.poll(); r.Read != 2 || r.Bad != 1 {
		t.Errorf("poll %+v", r)
	}
	f.drain()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindInvoice, "3", record.Synced, "")
	bad := f.want(billing.KindInvoice, "2", record.Attention, plan.BadSource)
	if !strings.Contains(bad.Summary, "7,0") || !bad.DueAt.IsZero() {
		t.Errorf("record %+v", bad)
	}
	f.ERP.Spoil("1", "now this one too")
	f.tick()
	f.want(billing.KindInvoice, "1", record.Attention, plan.BadSource)
	f.sync(billing.KindInvoice, "1") // a late message does not hide it
	f.want(billing.KindInvoice, "1", record.Attention, plan.BadSource)
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"), enginetest.Invoice("2", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindInvoice, "2", record.Synced, "")
}

func TestFatalCheckStopsItsCompanyOnly(t *testing.T) {
	var ca *enginetest.Site
	f := setup(t, func(w *enginetest.World) {
		ca = w.AddSite("ca")
		for _, s := range []*enginetest.Site{w.Site, ca} {
			s.ERP.PutCustomers(enginetest.Customer("C1"))
			s.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		}
		w.ERP.Misfit(connector.Problem{Feature: connector.FeatureInvoices, Fatal: true, Message: "column invoiceno is missing"})
	})
	results, err := f.e.PollAll(t.Context())
	if err == nil || !strings.Contains(err.Error(), "polling us") || strings.Contains(err.Error(), "polling ca") {
		t.Errorf("PollAll: %v", err)
	}
	if len(results) != 2 || results[0].Company != "ca" || results[0].Changed != 1 || results[1].Changed != 0 || !strings.Contains(results[1].Skipped, "invoiceno") {
		t.Errorf("results %+v", results)
	}
	f.drain()
	all, _ := enginetest.All[record.Record](f.Store, store.Records)
	if all["ca/invoice/1"].Status != record.Synced || f.Record(billing.KindInvoice, "1") != nil {
		t.Errorf("records %+v", all)
	}
	// Asked again soon while it is bad, once a day when it is good.
	for range 5 {
		f.Clock.Advance(time.Minute)
		_, _ = f.e.PollAll(t.Context())
	}
	if n := f.ERP.Count("Check"); n != 6 {
		t.Errorf("%d checks of the bad site", n)
	}
	if n := ca.ERP.Count("Check"); n != 1 {
		t.Errorf("%d checks of the good site", n)
	}
}

// TestCheckAfterARepair: a right that the ERP's administrator grants is noticed within an hour, what else was missing within
// some, and the payments that waited go on; a site that has everything is asked once a day.
func TestCheckAfterARepair(t *testing.T) {
	for name, c := range map[string]struct {
		take   func(*enginetest.ERP)
		within time.Duration
	}{
		"forbidden": {func(e *enginetest.ERP) { e.Forbid(connector.FeatureReceipts) }, 4 * time.Hour},
		"missing":   {func(e *enginetest.ERP) { e.Lack(connector.FeatureReceipts) }, 9 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			c.take(f.ERP)
			f.e = f.Start()
			ev := f.pays("1", "107")
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, record.Waiting, plan.HeldForEntry)
			f.ERP.Grant(connector.FeatureReceipts)
			f.run(c.within)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			f.receipts("107.00 application:1:107.00")
			f.run(23*time.Hour - c.within)
			if n := f.ERP.Count("Check"); n != 2 {
				t.Errorf("%d checks, want the first and the one that found it repaired", n)
			}
		})
	}
}

func TestSweep(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	ev := f.pays("0", "107")
	if err := f.Hook(t.Context(), f.e, ev); err != nil {
		t.Fatal(err)
	}
	f.poll()
	if lost := f.Bus.Lose(); len(lost) != 2 {
		t.Fatalf("%d messages to lose", len(lost))
	}
	f.run(time.Minute) // too early: the messages may still arrive
	f.want(billing.KindInvoice, "1", record.Scheduled, "")
	f.run(2 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	if in := f.inbox(ev.ID); in.State != record.InboxDone {
		t.Errorf("inbox %+v", in)
	}
	published := f.Bus.Published()
	f.run(10 * time.Minute)
	if n := f.Bus.Published() - published; n != 0 {
		t.Errorf("%d messages although nothing is due", n)
	}
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	for range 9 { // a worker that is slow to come is not called every minute
		f.poll()
		f.Clock.Advance(time.Minute)
	}
	if n := len(f.Bus.Lose()); n < 3 || n > 5 {
		t.Errorf("%d messages in nine minutes, want one every two", n)
	}
}

func TestBrokenBusDelaysOnly(t *testing.T) {
	f := synced(t, "0")
	f.Bus.Break(errors.New("unreachable"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	ev := f.pays("0", "107")
	f.hook(ev)
	f.run(time.Hour)
	f.want(billing.KindInvoice, "1", record.Scheduled, "")
	f.Bus.Break(nil)
	f.run(3 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
}

// TestPausedCompanyHidesNobodysEvents: more due events of a paused company than one sweep reads.
func TestPausedCompanyHidesNobodysEvents(t *testing.T) {
	f := setup(t, func(w *enginetest.World) { w.AddSite("aa").Settings.Enabled = false })
	aa, err := f.e.Company("aa")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1100 {
		ev := billing.Event{ID: fmt.Sprintf("old%04d", i), Type: "invoice.viewed", Object: billing.KindInvoice, ObjectID: "1", Raw: []byte(`{}`)}
		if _, err := f.e.Receive(t.Context(), aa, ev, "webhook", 0); err != nil {
			t.Fatal(err)
		}
	}
	f.Clock.Advance(time.Second)
	ev := f.Portal.View("1")
	if err := f.Hook(t.Context(), f.e, ev); err != nil {
		t.Fatal(err)
	}
	f.Bus.Lose()
	f.run(20 * time.Minute)
	if in := f.inbox(ev.ID); in.State != record.InboxDone {
		t.Errorf("inbox %+v", in)
	}
}

func TestGapFill(t *testing.T) {
	f := synced(t, "1")
	missed := f.pays("1", "50")
	f.run(20 * time.Minute)
	f.receipts("50.00 application:1:50.00")
	if in := f.inbox(missed.ID); in.Via != "gap_fill" || in.State != record.InboxDone {
		t.Errorf("inbox %+v", in)
	}
	f.hook(missed) // the webhook comes late
	heard := f.pays("1", "57")
	f.hook(heard)
	published := f.Bus.Published()
	f.run(2 * time.Hour)
	f.receipts("50.00 application:1:50.00", "57.00 application:1:57.00")
	if f.inbox(heard.ID).Via != "webhook" || f.Bus.Published() != published {
		t.Errorf("%d messages for events that are known", f.Bus.Published()-published)
	}
	if n := f.Portal.Count("Events"); n < 8 || n > 12 {
		t.Errorf("%d readings of the events in 140 minutes", n)
	}
}

func TestGapFillAfterAnOutage(t *testing.T) {
	f := synced(t, "1")
	f.run(20 * time.Minute)
	f.Portal.Fail(enginetest.Fault{Method: "Events", Class: connector.ClassRetry})
	missed := f.pays("1", "107")
	for range 6 { // a poll that can not read the events says so and does the rest
		f.Clock.Advance(30 * time.Minute)
		if err := f.Tick(t.Context(), f.e); connector.ClassOf(err) != connector.ClassRetry {
			t.Fatalf("tick: %v", err)
		}
	}
	f.Portal.Heal()
	f.run(20 * time.Minute)
	f.want(billing.KindPayment, missed.ObjectID, record.Synced, "")
}

func TestFeedMayRepeatARecordInOnePage(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.ERP.Repeat("1", enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.tick()
	if r := f.want(billing.KindInvoice, "1", record.Synced, ""); r.PortalTotal != "127.00" {
		t.Errorf("the portal has %s, want the later one", r.PortalTotal)
	}
}
