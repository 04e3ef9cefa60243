package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

func TestManyViewsOfADay(t *testing.T) {
	f := synced(t, "1")
	f.e = f.Start() // so that the start-up check counts, too
	doc := f.document().ID
	for range 500 {
		f.hook(f.Portal.View(doc))
		f.Clock.Advance(time.Minute)
	}
	if n := f.ERP.Count(); n > 2 {
		t.Errorf("%d calls to the ERP for the views of a day", n)
	}
	h := f.ERP.History()
	if len(h) != 1 || h[0].InvoiceNo != "1" || h[0].CustomerNo != "C1" || h[0].Code != "RP-VIEWED" {
		t.Fatalf("history %+v", h)
	}
	f.Clock.Advance(24 * time.Hour)
	f.hook(f.Portal.View(doc))
	if len(f.ERP.History()) != 2 {
		t.Errorf("the next day: %d entries", len(f.ERP.History()))
	}
}

func TestActivities(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(f *fixture)
		event   func(f *fixture, doc string) billing.Event
		entries string // codes
		effect  string // in the inbox
	}{
		{"comment", func(*fixture) {}, func(f *fixture, doc string) billing.Event { return f.Portal.Comment(doc, "is this right?") }, "RP-COMMENTED", "RP-COMMENTED of 1"},
		{"paid", func(*fixture) {}, func(f *fixture, doc string) billing.Event { return f.Portal.Paid(doc) }, "RP-PAID", "RP-PAID of 1"},
		{"views are off", func(f *fixture) { f.Settings.Activity.Viewed = false }, func(f *fixture, doc string) billing.Event { return f.Portal.View(doc) }, "", "not logged"},
		{"invoice of nobody", func(*fixture) {}, func(f *fixture, _ string) billing.Event { return f.Portal.View("999") }, "", "needs nothing"},
		{"echo of our own write", func(*fixture) {}, func(f *fixture, doc string) billing.Event {
			return f.Portal.Tell("invoice.created", billing.KindInvoice, doc)
		}, "", "needs nothing"},
		{"an event of the future", func(*fixture) {}, func(f *fixture, _ string) billing.Event { return f.Portal.Tell("warehouse.moved", "", "") }, "", "needs nothing"},
		{"the ERP takes none", func(f *fixture) { f.ERP.Lack(connector.FeatureHistory) }, func(f *fixture, doc string) billing.Event { return f.Portal.View(doc) }, "", "takes no history"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			c.change(f)
			f.e = f.Start()
			ev := c.event(f, f.document().ID)
			f.hook(ev, ev)
			f.run(10 * time.Minute)
			var codes []string
			for _, h := range f.ERP.History() {
				codes = append(codes, h.Code)
			}
			if strings.Join(codes, " ") != c.entries {
				t.Errorf("history %v, want %q", codes, c.entries)
			}
			if in := f.inbox(ev.ID); in.State != record.InboxDone || !strings.Contains(in.Effect, c.effect) || !in.DueAt.IsZero() || in.ExpireAt.IsZero() {
				t.Errorf("inbox %+v, want effect %q", in, c.effect)
			}
		})
	}
}

func TestActivityTrouble(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   enginetest.Fault
		state   string
		entries int
		calls   int // of CreateHistory, at most
	}{
		{"lost, written", lost("CreateHistory", true), record.InboxDone, 1, 1},
		{"lost, not written", lost("CreateHistory", false), record.InboxDone, 1, 2},
		{"always lost", enginetest.Fault{Method: "CreateHistory", Class: connector.ClassRetry, Ambiguous: true}, record.InboxFailed, 0, 3},
		{"down for a while", enginetest.Fault{Method: "CreateHistory", Nth: 1, Class: connector.ClassRetry}, record.InboxDone, 1, 2},
		{"down for good", enginetest.Fault{Method: "CreateHistory", Class: connector.ClassRetry}, record.InboxFailed, 0, 10},
		{"refused", enginetest.Fault{Method: "CreateHistory", Class: connector.ClassInvalid}, record.InboxFailed, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "1")
			f.ERP.Fail(c.fault)
			ev := f.Portal.View(f.document().ID)
			f.hook(ev)
			f.run(8 * time.Hour)
			if in := f.inbox(ev.ID); in.State != c.state {
				t.Errorf("inbox %+v, want %s", in, c.state)
			}
			if len(f.ERP.History()) != c.entries || f.ERP.Count("CreateHistory") > c.calls {
				t.Errorf("%d entries after %d calls, want %d after at most %d", len(f.ERP.History()), f.ERP.Count("CreateHistory"), c.entries, c.calls)
			}
		})
	}
}

func TestWaitingForTheModeIsNoAttempt(t *testing.T) {
	f := synced(t, "1")
	f.Settings.Mode = settings.ModeReadOnly
	f.e = f.Start()
	f.hook(f.Portal.View(f.document().ID))
	f.run(20 * time.Hour)
	f.Settings.Mode = settings.ModeLive
	f.e = f.Start()
	f.ERP.Fail(enginetest.Fault{Method: "CreateHistory", Nth: 1, Class: connector.ClassRetry})
	f.run(4 * time.Hour)
	if n := len(f.ERP.History()); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestEventsThatCanNotBeUsed(t *testing.T) {
	f := synced(t, "1")
	ev := billing.Event{ID: "broken", Type: "payment.created", Object: billing.KindPayment, ObjectID: "7", Raw: []byte(`{"id":`)}
	f.hook(ev)
	if in := f.inbox("broken"); in.State != record.InboxFailed || in.Effect == "" {
		t.Errorf("inbox %+v", in)
	}
	for _, task := range []engine.EventTask{{Company: "nobody", EventID: "1"}, {Company: "us", EventID: "never seen"}} {
		if err := f.e.HandleEvent(t.Context(), task); err != nil {
			t.Errorf("%+v is dropped, not repeated: %v", task, err)
		}
	}
}

// TestViewBeforeTheRecord: the portal tells of an invoice before our own write of it is stored.
func TestViewBeforeTheRecord(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(lost("CreateDocument", true))
	f.tick()
	f.hook(f.Portal.View(f.Portal.Invoices()[1].ID))
	if len(f.ERP.History()) != 0 {
		t.Fatal("logged before it is known what it is about")
	}
	f.run(10 * time.Minute)
	if h := f.ERP.History(); len(h) != 1 || h[0].InvoiceNo != "1" {
		t.Errorf("history %+v", h)
	}
}

// TestCommentsToldTwice: the flag and the retired event of one comment make one entry, whichever comes first and however
// late the other; a second comment makes its own.
func TestCommentsToldTwice(t *testing.T) {
	for name, order := range map[string][]int{"flag first": {0, 1}, "text first": {1, 0}, "twice each": {1, 0, 1, 0}} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			doc := f.document().ID
			events := []billing.Event{f.Portal.Flag(doc), f.Portal.Comment(doc, "where is the PO?")}
			for _, i := range order {
				f.hook(events[i])
				f.Clock.Advance(20 * time.Minute)
			}
			f.run(time.Hour)
			if h := f.ERP.History(); len(h) != 1 || h[0].Code != "RP-COMMENTED" {
				t.Fatalf("history %+v", h)
			}
			f.hook(f.Portal.Comment(doc, "and the date?"))
			if h := f.ERP.History(); len(h) != 2 || !strings.Contains(h[1].Comment, "and the date?") {
				t.Errorf("history %+v", h)
			}
		})
	}
}

// TestLostCommentThatIsToldTwice: the first entry's answer was lost when the other event comes.
func TestLostCommentThatIsToldTwice(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			doc := f.document().ID
			f.ERP.Fail(lost("CreateHistory", written))
			f.hook(f.Portal.Flag(doc), f.Portal.Comment(doc, "where is the PO?"))
			f.run(time.Hour)
			if h := f.ERP.History(); len(h) != 1 {
				t.Errorf("history %+v", h)
			}
		})
	}
}

// TestViewsCollapse flips activity.viewed_collapse: 500 views of three days, and what they cost the ERP.
func TestViewsCollapse(t *testing.T) {
	for _, c := range []struct {
		collapse       string
		entries, calls int
	}{{"daily", 3, 4}, {"first", 1, 2}, {"each", 500, 501}} {
		f := synced(t, "1")
		f.Settings.Activity.ViewedCollapse = c.collapse
		f.e = f.Start()
		doc := f.document().ID
		for n := range 500 {
			if n == 200 || n == 400 {
				f.Clock.Advance(24 * time.Hour)
			}
			f.hook(f.Portal.View(doc))
		}
		if n := len(f.ERP.History()); n != c.entries {
			t.Errorf("%s: %d entries", c.collapse, n)
		}
		if n := f.ERP.Count(); n > c.calls+3 || c.collapse == "first" && n > 2+2 { // and a check of the site a day
			t.Errorf("%s: %d calls to the ERP", c.collapse, n)
		}
	}
}

// TestActivitySwitches flips activity.viewed, .commented, .paid and .codes.
func TestActivitySwitches(t *testing.T) {
	f := synced(t, "1")
	doc := f.document().ID
	all := func() []billing.Event {
		return []billing.Event{f.Portal.View(doc), f.Portal.Comment(doc, "x"), f.Portal.Flag(doc), f.Portal.Paid(doc)}
	}
	f.Settings.Activity.Viewed, f.Settings.Activity.Commented, f.Settings.Activity.Paid = false, false, false
	f.e = f.Start()
	f.hook(all()...)
	if h := f.ERP.History(); len(h) != 0 || f.ERP.Count() != 0 {
		t.Fatalf("history %+v after %d calls", h, f.ERP.Count())
	}
	f.Settings.Activity.Viewed, f.Settings.Activity.Commented, f.Settings.Activity.Paid = true, true, true
	f.Settings.Activity.Codes = map[string]string{"viewed": "WEB-V", "commented": "WEB-C", "paid": "WEB-P"}
	f.e = f.Start()
	f.Clock.Advance(time.Hour)
	f.hook(all()...)
	codes := ""
	for _, h := range f.ERP.History() {
		codes += h.Code + " "
	}
	if codes != "WEB-V WEB-C WEB-P " {
		t.Errorf("codes %s", codes)
	}
}
