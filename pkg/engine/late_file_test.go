package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestLinesFollowALateFile: an invoice that went over without its file gets the lines of one with it when the file comes.
func TestLinesFollowALateFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(w *enginetest.World)
		there   func(f *fixture, id string) // in the portal, before the file comes
		summary bool
		updates int
	}{
		{"detail becomes summary", nil, nil, true, 1},
		{"summary becomes detail", func(w *enginetest.World) {
			w.Settings.Invoices.LinesWithPDF, w.Settings.Invoices.LinesWithoutPDF = "detail", "summary"
		}, nil, false, 1},
		{"the same lines", func(w *enginetest.World) { w.Settings.Invoices.LinesWithPDF = "detail" }, nil, false, 0},
		{"updates are off", func(w *enginetest.World) { w.Settings.Invoices.Update = "never" }, nil, false, 0},
		{"paid in part", nil, func(f *fixture, id string) {
			f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Balance = usd("100") })
		}, false, 0},
		{"a payment is under way", nil, func(f *fixture, id string) {
			f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Status = "pending" })
		}, false, 0},
		{"closed", nil, func(f *fixture, id string) {
			f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Closed = true })
		}, false, 0},
		{"the answer is lost", func(w *enginetest.World) { w.Portal.Fail(lost("UpdateDocument", true)) }, nil, true, 1},
		{"the call is lost", func(w *enginetest.World) { w.Portal.Fail(lost("UpdateDocument", false)) }, nil, true, 2},
		{"the portal is down", func(w *enginetest.World) {
			w.Portal.Fail(enginetest.Fault{Method: "UpdateDocument", Nth: 1, Class: connector.ClassRetry})
		}, nil, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := attaching(t, func(w *enginetest.World) {
				if c.prepare != nil {
					c.prepare(w)
				}
			})
			f.bill()
			f.tick()
			f.want(billing.KindDocument, "1", record.Waiting, plan.FileMissing)
			if c.there != nil {
				c.there(f, f.numbered("1").ID)
			}
			f.ERP.PutFile("1", file("D1", 0), pdf("one"))
			f.run(30 * time.Minute)
			f.run(4 * time.Hour)
			f.want(billing.KindInvoice, "1", record.Synced, "")
			f.want(billing.KindDocument, "1", record.Synced, "")
			f.wantAttached("1", string(pdf("one")))
			if got, n := f.summarised("1"), f.Portal.Count("UpdateDocument"); got != c.summary || n != c.updates {
				t.Errorf("summary %v after %d updates, want %v and %d", got, n, c.summary, c.updates)
			}
			if d := f.numbered("1"); !d.Total.Equal(usd("107")) {
				t.Errorf("total %s", d.Total)
			}
			f.noOpenEffects()
		})
	}
}

// TestLateFileAndAChange: an ordinary update after the file came has the lines of an invoice with one, and is the only one.
func TestLateFileAndAChange(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.tick()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.Clock.Advance(11 * time.Minute)
	f.sync(billing.KindInvoice, "1") // which looks for the file as well
	f.run(30 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
	if !f.summarised("1") || f.Portal.Count("UpdateDocument") != 1 {
		t.Errorf("summary %v after %d updates", f.summarised("1"), f.Portal.Count("UpdateDocument"))
	}
}

// TestFileComesWhileTheOutcomeIsUnknown: the document was created without its file, nobody knew, and the file came meanwhile.
func TestFileComesWhileTheOutcomeIsUnknown(t *testing.T) {
	for _, backfill := range []bool{false, true} { // there the portal's index does not have the document yet
		f := setup(t, attach, func(w *enginetest.World) { w.Settings.Documents.WaitDays = 1 })
		f.ERP.PutCustomers(enginetest.Customer("C1"))
		if !backfill {
			f.tick()
		}
		f.bill()
		f.Portal.Fail(lost("CreateDocument", true))
		f.tick()
		f.want(billing.KindInvoice, "1", record.Unknown, plan.OutcomeUnknown)
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.Clock.Advance(map[bool]time.Duration{false: 11 * time.Minute, true: time.Minute}[backfill])
		f.sync(billing.KindInvoice, "1") // which finds both
		f.run(30 * time.Minute)
		f.want(billing.KindInvoice, "1", record.Synced, "")
		f.wantAttached("1", string(pdf("one")))
		if n := f.Portal.Count("UpdateDocument"); !f.summarised("1") || n != 1 || f.Portal.Count("CreateDocument") != 1 {
			t.Errorf("backfill %v: summary %v after %d updates", backfill, f.summarised("1"), n)
		}
		f.noOpenEffects()
	}
}

// TestLateFileOfABusyInvoice: the file is attached while somebody updates the invoice from before it was there.
func TestLateFileOfABusyInvoice(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.tick()
	other := f.Start()
	f.Portal.Fail(enginetest.Fault{Method: "UpdateDocument", Nth: 1, Hook: func() {
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		if err := other.Sync(t.Context(), engine.Task{Company: "us", Kind: billing.KindDocument, ID: "1"}); err != nil {
			t.Error(err)
		}
		r := f.want(billing.KindDocument, "1", record.Synced, "")
		if d := f.due(r); d != time.Minute {
			t.Errorf("looks at the invoice again in %s", d)
		}
	}})
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.tick()
	f.run(time.Hour)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Count("UpdateDocument"); !f.summarised("1") || n != 2 {
		t.Errorf("summary %v after %d updates", f.summarised("1"), n)
	}
}

// TestLateFileCrashEverywhere: wherever the process is killed while the file comes, the lines change once in the end.
func TestLateFileCrashEverywhere(t *testing.T) {
	prepare := func(t *testing.T, n int, after bool) (*enginetest.World, *enginetest.Line) {
		w := enginetest.NewWorld()
		w.Options.Exclusive = true
		attach(w)
		w.ERP.PutFile("0", file("D0", 0), pdf("zero"))
		e := w.Start()
		customerKnown(t, w, e)
		w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		tick(t, w, e)
		w.ERP.PutFile("1", file("D1", 0), pdf("one"))
		w.Clock.Advance(11 * time.Minute)
		line := enginetest.NewLine(n, after)
		e = w.StartOn(line)
		enginetest.Dies(func() { tick(t, w, e) })
		w.Bus.Lose()
		if err := w.Run(t.Context(), w.Start(), 40*time.Minute); err != nil {
			t.Fatalf("killed at call %d: %v", n, err)
		}
		return w, line
	}
	state := func(w *enginetest.World) (out []string) {
		for _, d := range w.Portal.Invoices() {
			out = append(out, fmt.Sprint(d.Number, len(d.Items), d.Items[0].Name, d.Total, w.Portal.Attached(d.ID)))
		}
		for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindDocument} {
			r := w.Record(kind, "1")
			out = append(out, fmt.Sprint(kind, r.Status, r.Summary, r.Bare, r.LeaseOwner, r.Attempts, r.Written == r.Seen))
		}
		for key, e := range outcomeOf(t, w).Effects {
			if e[:4] != "done" {
				out = append(out, key+" "+e)
			}
		}
		return out
	}
	w, line := prepare(t, 0, false)
	want := state(w)
	if n := w.Portal.Count("UpdateDocument"); n != 1 {
		t.Fatalf("%d updates without any crash: %v", n, want)
	}
	for n := 1; n <= line.Crossed(); n++ {
		for _, after := range []bool{false, true} {
			got, _ := prepare(t, n, after)
			if d := cmp.Diff(want, state(got)); d != "" || got.Portal.Count("UpdateDocument") > 2 {
				t.Fatalf("killed at call %d of %d, after %v: %d updates (-want +got):\n%s", n, line.Crossed(), after, got.Portal.Count("UpdateDocument"), d)
			}
		}
	}
}
