package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// lost is a write of which nobody hears again.
func lost(method string, after bool) enginetest.Fault {
	return enginetest.Fault{Method: method, Nth: 1, Class: connector.ClassRetry, Ambiguous: true, After: after}
}

func TestLostAnswer(t *testing.T) {
	for _, c := range []struct {
		name     string
		method   string
		after    bool // the write happened
		update   bool
		attempts int
	}{
		{"create, written", "CreateDocument", true, false, 1},
		{"create, not written", "CreateDocument", false, false, 2},
		{"update, written", "UpdateDocument", true, true, 1},
		{"update, not written", "UpdateDocument", false, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := synced(t, "0")
			want, number := usd("107"), "1"
			if c.update {
				number, want = "0", usd("127")
				f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("0", "C1"), 60))
			} else {
				f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			}
			f.Portal.Fail(lost(c.method, c.after))
			f.tick()
			r := f.want(billing.KindInvoice, number, record.Unknown, plan.OutcomeUnknown)
			if d := f.due(r); d < 5*time.Second || d > time.Minute {
				t.Errorf("is looked up in %s", d)
			}
			f.sync(billing.KindInvoice, number) // too early: nothing is sent
			if !c.after && f.Portal.Count(c.method) != 1 {
				t.Fatalf("%d attempts at once", f.Portal.Count(c.method))
			}
			f.run(5 * time.Minute)
			f.want(billing.KindInvoice, number, record.Synced, "")
			if n := f.Portal.Count(c.method); n != c.attempts {
				t.Errorf("%d attempts, want %d", n, c.attempts)
			}
			found := 0
			for _, d := range f.Portal.Invoices() {
				if d.Number == number {
					found++
					if !d.Total.Equal(want) || d.Voided {
						t.Errorf("the portal has %s", d.Total)
					}
				}
			}
			if found != 1 {
				t.Errorf("%d documents with the number", found)
			}
			f.noOpenEffects()
		})
	}
}

// noOpenEffects checks that the journal has nothing left to look up.
func (f *fixture) noOpenEffects() {
	f.t.Helper()
	all, err := enginetest.All[journal.Entry](f.Store, "journal")
	if err != nil {
		f.t.Fatal(err)
	}
	for key, e := range all {
		if e.Open() || e.State == journal.Intended {
			f.t.Errorf("effect %s is %s after %d attempts: %s", key, e.State, e.Attempts, e.Error)
		}
	}
}

func TestUnreadablePortalStaysUnknown(t *testing.T) {
	for _, method := range []string{"FindDocuments", "Document"} {
		t.Run(method, func(t *testing.T) {
			f := synced(t, "0")
			number := "1"
			if method == "Document" {
				number = "0"
				f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("0", "C1"), 60))
				f.Portal.Fail(lost("UpdateDocument", true))
			} else {
				f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
				f.Portal.Fail(lost("CreateDocument", true))
			}
			f.tick()
			f.Portal.Fail(enginetest.Fault{Method: method, Class: connector.ClassRetry})
			f.run(2 * time.Hour)
			f.want(billing.KindInvoice, number, record.Unknown, plan.OutcomeUnknown)
			if n := f.Portal.Count("CreateDocument", "UpdateDocument"); n != 1 {
				t.Fatalf("%d attempts while the portal can not be read", n)
			}
			f.Portal.Heal()
			f.run(2 * time.Hour)
			f.want(billing.KindInvoice, number, record.Synced, "")
			if n := f.Portal.Count("CreateDocument", "UpdateDocument"); n != 1 {
				t.Errorf("%d attempts", n)
			}
			f.noOpenEffects()
		})
	}
}

// TestChangedWhileUnknown: between the lost answer and the look-up the invoice changes. What was written then is brought
// up to date; it is neither taken for the new one nor voided.
func TestChangedWhileUnknown(t *testing.T) {
	for name, backfill := range map[string]bool{"single look-up": false, "look-up in bulk": true} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			if !backfill {
				f.tick()
			}
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			f.Portal.Fail(lost("CreateDocument", true))
			f.tick()
			f.want(billing.KindInvoice, "1", record.Unknown, "")
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
			f.run(10 * time.Minute)
			f.want(billing.KindInvoice, "1", record.Synced, "")
			if d := f.document(); !d.Total.Equal(usd("127")) || d.Voided {
				t.Errorf("the portal has %s, voided %v", d.Total, d.Voided)
			}
			f.noOpenEffects()
		})
	}
}

func TestErrorClasses(t *testing.T) {
	for _, c := range []struct {
		class  connector.Class
		wish   time.Duration
		status record.Status
		reason plan.Code
		from   time.Duration
		to     time.Duration
	}{
		{connector.ClassRetry, 0, record.Scheduled, plan.VendorDown, 30 * time.Second, time.Minute},
		{connector.ClassRetry, 20 * time.Minute, record.Scheduled, plan.VendorDown, 20 * time.Minute, 20 * time.Minute},
		{connector.ClassBadResponse, 0, record.Scheduled, plan.VendorDown, 30 * time.Second, time.Minute},
		{connector.ClassAuth, 0, record.Waiting, plan.Credentials, 15 * time.Minute, 15 * time.Minute},
		{connector.ClassForbidden, 0, record.Waiting, plan.RightMissing, time.Hour, time.Hour},
		{connector.ClassUnsupported, 0, record.Waiting, plan.RightMissing, time.Hour, time.Hour},
		{connector.ClassInvalid, 0, record.Attention, plan.VendorRefused, 0, 0},
	} {
		for _, at := range []struct {
			method  string
			isWrite bool
		}{{"CreateDocument", true}, {"FindDocuments", false}} {
			t.Run(string(c.class)+" "+at.method, func(t *testing.T) {
				f := synced(t, "0")
				f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
				f.Portal.Fail(enginetest.Fault{Method: at.method, Class: c.class, RetryAfter: c.wish})
				f.tick() // a vendor's trouble is parked, never an error for the bus
				r := f.want(billing.KindInvoice, "1", c.status, c.reason)
				if d := f.due(r); d < c.from || d > c.to {
					t.Errorf("due in %s, want %s to %s", d, c.from, c.to)
				}
				if at.isWrite {
					if e := f.entry("invoice/1"); e.State != journal.Refused || e.Attempts != 1 {
						t.Errorf("journal %+v", e)
					}
				}
				f.Portal.Heal()
				f.ERP.Touch("1")
				f.run(2 * time.Hour)
				if c.status != record.Attention {
					f.want(billing.KindInvoice, "1", record.Synced, "")
					return
				}
				f.want(billing.KindInvoice, "1", record.Attention, c.reason)
				f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60)) // mended in the ERP
				f.tick()
				f.want(billing.KindInvoice, "1", record.Synced, "")
			})
		}
	}
}

func TestBackoffGrows(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Class: connector.ClassRetry})
	f.tick()
	var last time.Duration
	for attempt := 1; attempt <= 9; attempt++ {
		r := f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorDown)
		d, full := f.due(r), min(30*time.Second<<attempt, time.Hour)
		if r.Attempts != attempt || d < full/2 || d > full {
			t.Fatalf("after %d attempts: %d, due in %s; want %s to %s", attempt, r.Attempts, d, full/2, full)
		}
		last = d
		f.Clock.Advance(d)
		f.sync(billing.KindInvoice, "1")
	}
	if last < 30*time.Minute {
		t.Errorf("the last pause was %s", last)
	}
}

func TestERPTroubleWhileReading(t *testing.T) {
	f := synced(t, "0")
	f.Options.SourceFresh = time.Nanosecond // nothing read by the poll is used
	f.e = f.Start()
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(time.Second)
	f.ERP.Fail(enginetest.Fault{Method: "Invoice", Nth: 1, Class: connector.ClassRetry})
	f.drain()
	f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorDown)
	f.run(3 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if f.ERP.Count("Invoice") != 2 {
		t.Errorf("%d reads of the invoice", f.ERP.Count("Invoice"))
	}
}

// TestLeases: one worker at a time, and one that lost its lease writes nothing more.
func TestLeases(t *testing.T) {
	setup := func(t *testing.T) (*fixture, *engine.Engine) {
		f := synced(t, "0")
		f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		if _, err := f.e.Poll(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
		f.Bus.Lose()
		return f, f.Start()
	}
	task := engine.Task{Company: "us", Kind: billing.KindInvoice, ID: "1"}
	syncOn := func(t *testing.T, e *engine.Engine) {
		if err := e.Sync(t.Context(), task); err != nil {
			t.Error(err)
		}
	}
	t.Run("the second worker leaves it alone", func(t *testing.T) {
		f, other := setup(t)
		f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() {
			before := f.Portal.Count()
			syncOn(t, other)
			if f.Portal.Count() != before {
				t.Error("the second worker called the portal")
			}
		}})
		f.sync(billing.KindInvoice, "1")
		f.want(billing.KindInvoice, "1", record.Synced, "")
	})
	t.Run("a lost lease never writes", func(t *testing.T) {
		f, other := setup(t)
		f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 1, Hook: func() {
			f.Clock.Advance(10 * time.Minute) // the first worker hangs here
			syncOn(t, other)
		}})
		f.sync(billing.KindInvoice, "1")
		f.want(billing.KindInvoice, "1", record.Synced, "")
		if n := f.Portal.Count("CreateDocument"); n != 1 {
			t.Errorf("%d creations", n)
		}
	})
	t.Run("a lost lease never writes, even if the other worker did not get far", func(t *testing.T) {
		f, other := setup(t)
		f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 1, Hook: func() {
			f.Clock.Advance(10 * time.Minute)
			syncOn(t, other)
		}})
		f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 2, Class: connector.ClassRetry})
		f.sync(billing.KindInvoice, "1")
		f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorDown)
		if n := f.Portal.Count("CreateDocument"); n != 0 {
			t.Errorf("%d creations without a lease", n)
		}
	})
	t.Run("a lease of a dead process counts only where others may run", func(t *testing.T) {
		for _, exclusive := range []bool{true, false} {
			f, _ := setup(t)
			f.Options.Exclusive = exclusive
			dead := f.StartOn(enginetest.NewLine(4, false))
			if !enginetest.Dies(func() { syncOn(t, dead) }) {
				t.Fatal("the process lives")
			}
			f.e = f.Start()
			f.sync(billing.KindInvoice, "1")
			if got := f.Record(billing.KindInvoice, "1").Status; (got == record.Synced) != exclusive {
				t.Errorf("exclusive %v: %s", exclusive, got)
			}
		}
	})
	t.Run("a worker that hangs in the call itself", func(t *testing.T) {
		f, other := setup(t)
		f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() {
			f.Clock.Advance(10 * time.Minute)
			syncOn(t, other) // finds the effect started: looks, does not write
		}})
		f.sync(billing.KindInvoice, "1")
		f.run(30 * time.Minute)
		f.want(billing.KindInvoice, "1", record.Synced, "")
		if f.Portal.Count("CreateDocument") != 1 || len(f.Portal.Invoices()) != 2 {
			t.Errorf("%d creations", f.Portal.Count("CreateDocument"))
		}
		f.noOpenEffects()
	})
	t.Run("a change during the work is not lost", func(t *testing.T) {
		f, other := setup(t)
		f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() {
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
			if _, err := other.Poll(t.Context(), "us"); err != nil {
				t.Error(err)
			}
			f.Bus.Lose()
		}})
		f.sync(billing.KindInvoice, "1")
		f.drain()
		if r := f.want(billing.KindInvoice, "1", record.Synced, ""); r.PortalTotal != "127.00" {
			t.Errorf("the portal has %s", r.PortalTotal)
		}
	})
}

func TestOwnTroubleIsAnError(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk full")
	f.Store.Break(broken)
	task := engine.Task{Company: "us", Kind: billing.KindInvoice, ID: "1"}
	if err := f.e.Sync(t.Context(), task); !errors.Is(err, broken) {
		t.Errorf("Sync without a store: %v", err)
	}
	if _, err := f.e.Poll(t.Context(), "us"); !errors.Is(err, broken) {
		t.Errorf("Poll without a store: %v", err)
	}
	f.Store.Break(nil)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.e.Sync(gone, task); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync of a caller that went away: %v", err)
	}
	for _, task := range []engine.Task{{Company: "nobody", Kind: billing.KindInvoice, ID: "1"}, {Company: "us", Kind: "unheard of", ID: "1"}, {Company: "us", Kind: billing.KindInvoice, ID: "no such"}} {
		if err := f.e.Sync(t.Context(), task); err != nil {
			t.Errorf("%+v is dropped, not repeated: %v", task, err)
		}
	}
	f.sync(billing.KindInvoice, "1")
	f.want(billing.KindInvoice, "1", record.Synced, "")
}

// TestCallerGoesAway: the request's deadline passes in the middle of a write; what happened is recorded all the same.
func TestCallerGoesAway(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.Bus.Lose()
	ctx, cancel := context.WithCancel(t.Context())
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: cancel})
	_ = f.e.Sync(ctx, engine.Task{Company: "us", Kind: billing.KindInvoice, ID: "1"})
	if e := f.entry("invoice/1"); e.State != journal.Done {
		t.Errorf("journal %+v", e)
	}
	f.run(5 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Count("CreateDocument"); n != 1 {
		t.Errorf("%d creations", n)
	}
}

// TestBegunReceiptIsNamed: the balance falls after a receipt's header was posted and before its lines are. The person who
// decides has to know of the header.
func TestBegunReceiptIsNamed(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(lost("CreateReceiptLines", false))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 10))
	f.run(time.Hour)
	r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.Overpayment)
	if number := f.ERP.Receipts()[0].Number; !strings.Contains(r.Summary, number) {
		t.Errorf("%q does not name receipt %s", r.Summary, number)
	}
	f.receipts("107.00")
}

// TestWholeReceiptIsKept: the balance falls after a receipt was posted with its lines and before their answer came. The
// payment is posted: it is no overpayment.
func TestWholeReceiptIsKept(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(lost("CreateReceiptLines", true))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	over := enginetest.Over(enginetest.Invoice("1", "C1"), 10)
	over.Balance = usd("-80")
	f.ERP.PutInvoices(over)
	f.run(time.Hour)
	if r := f.Record(billing.KindPayment, ev.ObjectID); len(r.Receipts) != 1 || !r.Complete {
		t.Errorf("%s: %s, receipts %v", r.Status, r.Summary, r.Receipts)
	}
	f.noOpenEffects()
}

// TestVoidedWhileHeaderIsUnknown: a payment is voided while it is not known whether the header of its receipt arrived. It did
// not: nothing stays open.
func TestVoidedWhileHeaderIsUnknown(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(lost("CreateReceipt", false))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	f.Portal.Void(ev.ObjectID)
	f.run(2 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Skipped, plan.PaymentVoided)
	f.noOpenEffects()
}

// TestReversedWhileUnknown: a payment goes back before it is known whether the lines of its receipt arrived.
func TestReversedWhileUnknown(t *testing.T) {
	for name, after := range map[string]bool{"lines there": true, "no lines": false} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			f.t = t
			f.ERP.Fail(lost("CreateReceiptLines", after))
			ev := f.pays("1", "107")
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
			f.Portal.Void(ev.ObjectID)
			f.run(2 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Reversed, plan.ReversedAfter)
			f.noOpenEffects()
		})
	}
}

// TestBegunReceiptIsNotKeyedIn: the site loses the right to create receipts between a receipt's header and its lines. The
// header alone is not what a person was to key in.
func TestBegunReceiptIsNotKeyedIn(t *testing.T) {
	f := synced(t, "1")
	f.ERP.Fail(lost("CreateReceiptLines", false))
	ev := f.pays("1", "107")
	f.hook(ev)
	f.want(billing.KindPayment, ev.ObjectID, record.Unknown, plan.OutcomeUnknown)
	f.Settings.Payments.ReceiptMode = "hold"
	f.e = f.Start()
	f.run(time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.ReceiptMismatch)
	f.Settings.Payments.ReceiptMode = "post"
	f.e = f.Start()
	f.run(7 * time.Hour)
	f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
	f.receipts("107.00 application:1:107.00")
	f.noOpenEffects()
}
