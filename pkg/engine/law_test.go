package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// TestOptionsTakeEffect flips what the installation's settings give to the engine: the distance of readings of the events
// (schedule.gap_fill) and how long events are kept (retention.inbox_days).
func TestOptionsTakeEffect(t *testing.T) {
	for _, c := range []struct {
		gap       time.Duration
		days      int
		low, high int // readings of the events in four hours
	}{{15 * time.Minute, 400, 14, 18}, {time.Hour, 30, 3, 6}} {
		w := enginetest.NewWorld()
		w.Options.GapFill, w.Options.InboxDays = c.gap, c.days
		e := w.Start()
		if err := w.Run(t.Context(), e, 4*time.Hour); err != nil {
			t.Fatal(err)
		}
		if n := w.Portal.Count("Events"); n < c.low || n > c.high {
			t.Errorf("gap fill every %s: %d readings in four hours", c.gap, n)
		}
		ev := w.Portal.Tell("invoice.viewed", billing.KindInvoice, "900")
		if err := w.Hook(t.Context(), e, ev); err != nil {
			t.Fatal(err)
		}
		in, err := enginetest.All[record.Inbox](w.Store, store.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		if at := in["us/"+ev.ID].ExpireAt.Time; !at.Equal(w.Clock.Now().AddDate(0, 0, c.days)) {
			t.Errorf("kept %d days: until %s, now is %s", c.days, at, w.Clock.Now())
		}
	}
}

// TestReasonsOnTheWay: what waits for something of its own says so while it waits.
func TestReasonsOnTheWay(t *testing.T) {
	t.Run("an e-mail", func(t *testing.T) {
		f := steady(t, func(w *enginetest.World) { w.Settings.Invoices.Send = "email" })
		f.Portal.Fail(enginetest.Fault{Method: "SendDocument", Class: connector.ClassRetry})
		f.ERP.PutCustomers(enginetest.Customer("C1"))
		f.bill()
		f.tick()
		f.want(billing.KindInvoice, "1", record.Synced, plan.MailWaits)
		f.Portal.Heal()
		f.run(time.Hour)
		if r := f.want(billing.KindInvoice, "1", record.Synced, ""); (plan.Plan{Reasons: r.Reasons}).Has(plan.MailWaits) {
			t.Errorf("still waits: %+v", r.Reasons)
		}
	})
	t.Run("a file", func(t *testing.T) {
		f := attaching(t)
		f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Class: connector.ClassInvalid})
		f.bill()
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.tick()
		f.want(billing.KindInvoice, "1", record.Attention, plan.VendorRefused)
		f.want(billing.KindDocument, "1", record.Waiting, plan.WaitsForInvoice)
		f.Settings.Documents.Attach = false
		f.e = f.Start()
		f.run(48 * time.Hour)
		f.want(billing.KindDocument, "1", record.Skipped, plan.FilesOff)
	})
}
