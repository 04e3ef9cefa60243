package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestSignChangesWhileUnclear: an invoice becomes a credit note, or the reverse, while nobody knows what came of its creation.
// What was created is found, and a person told; what never arrived keeps nothing from being created as what it is now.
func TestSignChangesWhileUnclear(t *testing.T) {
	invoice := enginetest.Invoice("1", "C1")
	credit := enginetest.Over(invoice, -60)
	for name, c := range map[string]struct{ before, now billing.Invoice }{
		"to a credit note": {invoice, credit}, "to an invoice": {credit, invoice},
	} {
		for _, written := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, written %t", name, written), func(t *testing.T) {
				f := synced(t, "0")
				f.ERP.PutInvoices(c.before)
				f.Portal.Fail(lost("CreateDocument", written))
				f.tick()
				f.want(billing.KindInvoice, "1", record.Unknown, plan.OutcomeUnknown)
				f.ERP.PutInvoices(c.now)
				f.run(time.Hour)
				want, kind := record.Synced, c.now.Kind()
				if written {
					want, kind = record.Attention, c.before.Kind()
				}
				r := f.Record(billing.KindInvoice, "1")
				if r.Status != want || written && !has(r, plan.KindChanged) || r.PortalKind != kind {
					t.Errorf("%s as %s: %s", r.Status, r.PortalKind, r.Summary)
				}
				numbered := 0
				for _, d := range f.Portal.Invoices() {
					if d.Number == "1" {
						numbered++
					}
				}
				if numbered != 1 {
					t.Errorf("%d documents with the number", numbered)
				}
				f.noOpenEffects()
			})
		}
	}
}
