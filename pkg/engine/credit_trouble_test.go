package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// TestCreditBeforeItsNote: a process dies between noting the use of a credit note and remembering the note. The use waits
// for it and is made once.
func TestCreditBeforeItsNote(t *testing.T) {
	for n := 1; ; n++ {
		f := steady(t, func(w *enginetest.World) { w.Settings.CreditNotes.Apply = "oldest" })
		f.ERP.PutCustomers(enginetest.Customer("C1"))
		f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		f.tick()
		f.ERP.PutInvoices(creditNote("9", ""))
		e := f.StartOn(enginetest.NewLine(n, true))
		if !enginetest.Dies(func() { tick(t, f.World, e) }) {
			t.Fatal("no call leaves a use without its note")
		}
		if f.Record(billing.KindCredit, "9") == nil || f.Record(billing.KindInvoice, "9").PortalKind != "" {
			continue
		}
		f.Bus.Lose()
		f.e = f.Start()
		f.sync(billing.KindCredit, "9")
		if r := f.want(billing.KindCredit, "9", record.Waiting, plan.CreditWaits); f.due(r) != 10*time.Minute {
			t.Errorf("due in %s", f.due(r))
		}
		f.run(time.Hour)
		f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
		if n := f.Portal.Count("ApplyCreditNote"); n != 1 {
			t.Errorf("applied %d times", n)
		}
		return
	}
}

// TestPortalWithoutCredits: a portal that can not apply credit notes keeps them; the invoices go on.
func TestPortalWithoutCredits(t *testing.T) {
	f := credited(t, "oldest", func(f *fixture) {
		f.Plain = true
		f.e = f.Start()
	})
	f.run(10 * time.Minute)
	f.want(billing.KindCredit, "9", record.Skipped, plan.CreditsMissing)
	if got := f.owed(); got != "47.00 107.00 107.00 " {
		t.Errorf("left %s", got)
	}
}

// TestStoredDocumentThatCanNotBeRead: trouble of our own names itself, is tried again with growing distance, and touches no
// vendor.
func TestStoredDocumentThatCanNotBeRead(t *testing.T) {
	f := credited(t, "same_contract")
	sources := store.Table[record.Source]{Store: f.Store, Collection: store.Sources}
	id := record.ID("us", billing.KindInvoice, "1")
	good, _, err := sources.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := good
	spoilt.Document = json.RawMessage(`"half a docum"`)
	if _, err := sources.Put(t.Context(), id, spoilt); err != nil {
		t.Fatal(err)
	}
	f.run(20 * time.Minute)
	r := f.want(billing.KindCredit, "9", record.Scheduled, plan.InternalError)
	if r.Attempts < 2 || !strings.Contains(r.Summary, "reading the stored invoice 1") || f.due(r) <= 0 {
		t.Errorf("%d attempts, due in %s: %s", r.Attempts, f.due(r), r.Summary)
	}
	if n := f.Portal.Count("ApplyCreditNote"); n != 0 {
		t.Errorf("applied %d times", n)
	}
	if _, err := sources.Put(t.Context(), id, good); err != nil {
		t.Fatal(err)
	}
	f.run(2 * time.Hour)
	f.want(billing.KindCredit, "9", record.Synced, plan.CreditApplied)
}
