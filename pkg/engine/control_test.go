package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

var dana = engine.By{Actor: "dana", Reason: "year-end closing"}

func (f *fixture) pause(flow string) {
	f.t.Helper()
	if err := f.e.Pause(f.t.Context(), dana, "us", flow); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) resume(flow string) int {
	f.t.Helper()
	n, err := f.e.Resume(f.t.Context(), dana, "us", flow)
	if err != nil {
		f.t.Fatal(err)
	}
	f.drain()
	return n
}

// audit is what operators did to the company, oldest first, as "action target".
func (f *fixture) audit() string {
	f.t.Helper()
	log, err := f.e.AuditLog(f.t.Context(), "us", 100)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, a := range log {
		if a.Actor != dana.Actor || a.At.IsZero() {
			f.t.Errorf("audit entry %+v", a)
		}
		out = append([]string{a.Action + " " + a.Target}, out...)
	}
	return strings.Join(out, ", ")
}

// TestPausedInvoices: the feed is read and its records wait with who paused them and why; the other flows go on; resuming
// sends them at once.
func TestPausedInvoices(t *testing.T) {
	f := synced(t, "1")
	f.pause(record.FlowInvoices)
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	f.run(3 * time.Hour)
	r := f.want(billing.KindInvoice, "2", record.Waiting, plan.FlowPaused)
	if r.Summary != "invoices paused by dana: year-end closing" || len(f.Portal.Invoices()) != 1 {
		t.Errorf("it waits because %q; the portal has %d invoices", r.Summary, len(f.Portal.Invoices()))
	}
	f.hook(f.pays("1", "107"))
	f.receipts("107.00 application:1:107.00")
	if n := f.resume(record.FlowInvoices); n != 1 {
		t.Errorf("%d woken, want 1", n)
	}
	f.want(billing.KindInvoice, "2", record.Synced, "")
	if got := f.audit(); got != "pause invoices, resume invoices" {
		t.Errorf("audit: %s", got)
	}
}

// TestPausedPayments: payments are noted, and posted once when the flow goes on.
func TestPausedPayments(t *testing.T) {
	f := synced(t, "1")
	f.pause(record.FlowPayments)
	ev := f.pays("1", "107")
	f.hook(ev, ev)
	f.run(90 * time.Minute)
	f.receipts()
	f.want(billing.KindPayment, ev.ObjectID, record.Waiting, plan.FlowPaused)
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "2", record.Synced, "")
	f.resume(record.FlowPayments)
	f.receipts("107.00 application:1:107.00")
}

// TestPausedActivity: events stay in the inbox, however long, and are handled on resuming.
func TestPausedActivity(t *testing.T) {
	f := synced(t, "1")
	f.pause(record.FlowActivity)
	ev := f.Portal.View(f.document().ID)
	f.hook(ev)
	f.run(15 * time.Hour)
	if in := f.inbox(ev.ID); in.State != record.InboxNew || in.Attempts > 1 || !strings.Contains(in.Effect, "paused by dana") || len(f.ERP.History()) != 0 {
		t.Errorf("inbox %+v, history %+v", in, f.ERP.History())
	}
	if n := f.resume(record.FlowActivity); n != 1 || len(f.ERP.History()) != 1 {
		t.Errorf("%d woken, history %+v", n, f.ERP.History())
	}
}

// TestPausedAll: no vendor is called at all, in every process, and everything is caught up afterwards.
func TestPausedAll(t *testing.T) {
	f := synced(t, "1")
	other := f.Start()
	f.pause(record.FlowAll)
	f.ERP.Reset()
	f.Portal.Reset()
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	ev := f.pays("1", "107")
	if err := f.Hook(t.Context(), other, ev); err != nil {
		t.Fatal(err)
	}
	if err := f.Bus.Drain(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*engine.Engine{other, f.e} {
		if res, err := e.Poll(t.Context(), "us"); err != nil || !strings.Contains(res.Skipped, "paused by dana: year-end closing") {
			t.Errorf("poll: %+v, %v", res, err)
		}
	}
	if f.ERP.Count() != 0 || f.Portal.Count() != 0 {
		t.Errorf("%d and %d calls of a paused company", f.ERP.Count(), f.Portal.Count())
	}
	f.resume(record.FlowAll)
	f.tick()
	f.want(billing.KindInvoice, "2", record.Synced, "")
	f.receipts("107.00 application:1:107.00")
}

// TestOtherProcessesObey: what one process is told holds in another after a few seconds.
func TestOtherProcessesObey(t *testing.T) {
	f := synced(t, "1")
	other := f.Start()
	if _, err := other.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.pause(record.FlowAll)
	f.Clock.Advance(5 * time.Second)
	if res, err := other.Poll(t.Context(), "us"); err != nil || res.Skipped == "" {
		t.Errorf("poll: %+v, %v", res, err)
	}
}

// TestReadOnly: plans are made and shown, nothing is written; what was planned goes over afterwards.
func TestReadOnly(t *testing.T) {
	f := synced(t, "1")
	if err := f.e.MakeReadOnly(t.Context(), dana, "us"); err != nil {
		t.Fatal(err)
	}
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	pay, view := f.pays("1", "107"), f.Portal.View(f.document().ID)
	f.hook(pay, view)
	f.run(2 * time.Hour)
	f.want(billing.KindInvoice, "2", record.Waiting, plan.ReadOnly)
	f.want(billing.KindPayment, pay.ObjectID, record.Waiting, plan.ReadOnly)
	if f.Portal.Writes() != 0 || f.ERP.Writes() != 0 {
		t.Errorf("%d and %d writes of a read-only company", f.Portal.Writes(), f.ERP.Writes())
	}
	f.resume(record.FlowAll)
	f.want(billing.KindInvoice, "2", record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	if len(f.ERP.History()) != 1 {
		t.Errorf("history %+v", f.ERP.History())
	}
}

// TestPauseRefusals: a request that makes no sense is refused in words and leaves no trace.
func TestPauseRefusals(t *testing.T) {
	f := synced(t, "1")
	f.pause(record.FlowPayments)
	for name, err := range map[string]error{
		"twice":          f.e.Pause(t.Context(), dana, "us", record.FlowPayments),
		"another flow":   f.e.Pause(t.Context(), dana, "us", "orders"),
		"not paused":     second(f.e.Resume(t.Context(), dana, "us", record.FlowInvoices)),
		"unknown flow":   second(f.e.Resume(t.Context(), dana, "us", "orders")),
		"ignore nothing": second(f.e.Ignore(t.Context(), engine.By{Actor: "dana"}, engine.Target{Number: "1"})),
	} {
		if !errors.Is(err, engine.ErrOperator) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.e.Pause(t.Context(), dana, "mars", record.FlowAll); !errors.Is(err, engine.ErrUnknownCompany) {
		t.Errorf("unknown company: %v", err)
	}
	if got := f.audit(); got != "pause payments" {
		t.Errorf("audit: %s", got)
	}
	f.pause(record.FlowAll)
	if _, err := f.e.Resume(t.Context(), dana, "us", record.FlowPayments); !errors.Is(err, engine.ErrOperator) {
		t.Errorf("resuming one of all: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestStatus: what is stopped, how many records are where, and what is not known.
func TestStatus(t *testing.T) {
	f := synced(t, "1", "2")
	f.Portal.Fail(lost("CreateDocument", false))
	f.ERP.PutInvoices(enginetest.Invoice("3", "C1"))
	f.tick()
	f.pause(record.FlowPayments)
	s, err := f.e.Status(t.Context(), "us")
	if err != nil {
		t.Fatal(err)
	}
	if s.Mode != "live" || !s.Enabled || s.Paused[record.FlowPayments].Actor != "dana" || s.ReadOnly != nil || s.LastPoll == nil || s.LastPoll.Changed != 1 {
		t.Errorf("status %+v", s)
	}
	if s.Counts[record.Synced] != 3 || s.Counts[record.Unknown] != 1 || len(s.Unknowns) != 1 || s.Unknowns[0] != "us/invoice/3" || len(s.Breakers) != 2 {
		t.Errorf("counts %v, unknown %v, breakers %v", s.Counts, s.Unknowns, s.Breakers)
	}
}
