package engine_test

import (
	"bytes"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// TestEventTooLargeToKeep: the portal would repeat a refused event for two days and then switch the webhook off. It is
// acknowledged; what it says about a payment is read again.
func TestEventTooLargeToKeep(t *testing.T) {
	f := synced(t, "1")
	paid := f.pays("1", "107")
	paid.Raw = bytes.Repeat([]byte("x"), store.MaxDocument+1)
	view := billing.Event{ID: "900", Type: "invoice.viewed", Object: billing.KindInvoice, ObjectID: "1", Raw: paid.Raw, At: paid.At}
	f.hook(paid, view, paid)
	f.want(billing.KindPayment, paid.ObjectID, record.Synced, "")
	if n := len(f.ERP.Receipts()); n != 1 {
		t.Errorf("%d receipts", n)
	}
	if in := f.inbox(paid.ID); in.State != record.InboxDone || in.Raw != "" || in.Effect == "" {
		t.Errorf("the payment's event: %+v", in)
	}
	if in := f.inbox(view.ID); in.State != record.InboxFailed || in.Effect == "" {
		t.Errorf("the other event: %+v", in)
	}
}
