package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// stacked is a world whose first full read is still to come: invoices 10 to 39 of one customer, the even ones with a file.
func stacked(t *testing.T, change ...func(w *enginetest.World)) *fixture {
	t.Helper()
	f := setup(t, append([]func(w *enginetest.World){attach}, change...)...)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	for n := 10; n < 40; n++ {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(n), "C1"))
		if n%2 == 0 {
			f.ERP.PutFile(fmt.Sprint(n), file(fmt.Sprint("D", n), 0), pdf(fmt.Sprint("file of ", n)))
		}
	}
	return f
}

func (f *fixture) wantStacked() {
	f.t.Helper()
	for n := 10; n < 40; n++ {
		number := fmt.Sprint(n)
		f.want(billing.KindInvoice, number, record.Synced, "")
		if n%2 == 0 {
			f.want(billing.KindDocument, number, record.Synced, "")
			f.wantAttached(number, string(pdf("file of "+number)))
		} else {
			f.want(billing.KindDocument, number, record.Waiting, plan.FileMissing)
			f.wantAttached(number)
		}
		if got := f.summarised(number); got != (n%2 == 0) {
			f.t.Errorf("%s: summary %v", number, got)
		}
	}
}

// TestFilesOfABackfill: the files of a page of new invoices are listed together, whatever process works on them; what is not
// covered is listed singly.
func TestFilesOfABackfill(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(f *fixture)
		bulk    int
		single  int
	}{
		{"all covered", func(*fixture) {}, 1, 0},
		{"two are not covered", func(f *fixture) { f.ERP.Overlook("20", "21") }, 1, 2},
		{"the list fails", func(f *fixture) { f.ERP.Fail(enginetest.Fault{Method: "DocumentsOf", Class: connector.ClassRetry}) }, 1, 30},
		{"it is refused", func(f *fixture) { f.ERP.Fail(enginetest.Fault{Method: "DocumentsOf", Class: connector.ClassForbidden}) }, 1, 30},
		{"read again before the work", func(f *fixture) {
			if _, err := f.e.Poll(f.t.Context(), "us"); err != nil {
				f.t.Fatal(err)
			}
			f.Bus.Lose()
			f.Clock.Advance(11 * time.Minute) // what the poll read is too old
		}, 1, 30},
		{"nobody wants them", func(f *fixture) {
			f.Settings.Qualify.Customers = []string{"C9"}
			f.e = f.Start()
		}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := stacked(t)
			c.prepare(f)
			if _, err := f.e.Poll(t.Context(), "us"); err != nil {
				t.Fatal(err)
			}
			f.e = f.Start() // another process does the work
			f.drain()
			if c.bulk > 0 {
				f.wantStacked()
			}
			if bulk, single := f.ERP.Count("DocumentsOf"), f.ERP.Count("Documents"); bulk != c.bulk || single != c.single {
				t.Errorf("%d lists of many and %d of one, want %d and %d", bulk, single, c.bulk, c.single)
			}
			f.noOpenEffects()
		})
	}
}

// TestFilesOfOldInvoices: what is not waited for any more is looked for once.
func TestFilesOfOldInvoices(t *testing.T) {
	f := stacked(t, func(w *enginetest.World) { w.Settings.Documents.WaitDays = 1 })
	f.tick()
	f.want(billing.KindDocument, "11", record.Skipped, plan.FileMissing)
	if bulk, single := f.ERP.Count("DocumentsOf"), f.ERP.Count("Documents"); bulk != 1 || single != 0 {
		t.Errorf("%d lists of many and %d of one", bulk, single)
	}
}

// TestFewNewInvoices: a list of many is for many.
func TestFewNewInvoices(t *testing.T) {
	f := attaching(t)
	for n := range 3 {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(n+1), "C1"))
	}
	f.tick()
	if bulk, single := f.ERP.Count("DocumentsOf"), f.ERP.Count("Documents"); bulk != 0 || single != 3 {
		t.Errorf("%d lists of many and %d of one", bulk, single)
	}
	f.ERP.Reset()
	for n := range 9 { // five of them are new
		f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice(fmt.Sprint(n), "C1"), 60))
	}
	f.tick()
	if bulk, single := f.ERP.Count("DocumentsOf"), f.ERP.Count("Documents"); bulk != 1 || single != 0 { // for the others it is not time to look
		t.Errorf("after a change: %d lists of many and %d of one", bulk, single)
	}
}

// TestOldListDoesNotHoldAnInvoiceBack: that a required file is missing is asked when it matters, every time.
func TestOldListDoesNotHoldAnInvoiceBack(t *testing.T) {
	f := stacked(t, func(w *enginetest.World) { w.Settings.Documents.Required = true })
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.ERP.PutFile("11", file("D11", 0), pdf("file of 11")) // after the list
	f.drain()
	f.want(billing.KindInvoice, "11", record.Synced, "")
	f.wantAttached("11", string(pdf("file of 11")))
	f.want(billing.KindInvoice, "13", record.Waiting, plan.WaitsForFile)
	if n := f.ERP.Count("Documents"); n != 15 {
		t.Errorf("%d single lists for 15 invoices that the list had no file for", n)
	}
	f.ERP.PutFile("13", file("D13", 0), pdf("file of 13"))
	f.sync(billing.KindInvoice, "13") // the list is still fresh, and is not asked
	f.want(billing.KindInvoice, "13", record.Synced, "")
}

// TestListedFileIsGone: a file that was replaced under another number since it was listed.
func TestListedFileIsGone(t *testing.T) {
	f := stacked(t)
	if _, err := f.e.Poll(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	f.ERP.Fail(enginetest.Fault{Method: "Download", Nth: 1, Class: connector.ClassNotFound})
	f.drain()
	f.wantStacked()
	if n := f.ERP.Count("Documents"); n != 1 {
		t.Errorf("%d single lists", n)
	}
}

// TestKeptFileIsRemovedLater: the days of a file that was attached are over. Nobody needs it any more; one that is replaced
// by the first content again is downloaded again.
func TestKeptFileIsRemovedLater(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.tick()
	f.wantAttached("1", string(pdf("one")))
	remove := func() {
		for _, name := range f.Blobs.Names() {
			if err := f.Blobs.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove()
	f.ERP.Reset()
	f.run(25 * time.Hour)
	if f.wantAttached("1", string(pdf("one"))); f.ERP.Count("Download") != 0 {
		t.Errorf("downloaded %d times although nothing changed", f.ERP.Count("Download"))
	}
	for i, text := range []string{"two", "one"} {
		f.ERP.PutFile("1", file("D1", i+1), pdf(text))
		f.sync(billing.KindDocument, "1")
		f.want(billing.KindDocument, "1", record.Synced, "")
		f.wantAttached("1", string(pdf(text)))
		remove()
	}
	f.noOpenEffects()
}
