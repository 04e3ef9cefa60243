package engine_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// metered is a world with the invoices of one customer in the portal, and what was counted since.
func metered(t *testing.T, numbers ...string) (*fixture, *meter.Recorder) {
	t.Helper()
	f, counted := synced(t, numbers...), &meter.Recorder{}
	f.Options.Meter = meter.New(counted)
	f.e = f.Start()
	return f, counted
}

func wantCount(t *testing.T, counted *meter.Recorder, want int64, name string, attributes ...string) {
	t.Helper()
	if got, _ := counted.Value(name, attributes...); got != want {
		t.Errorf("%s %v is %d, want %d; all: %v", name, attributes, got, want, counted.All())
	}
}

// TestMoneyIsCountedOnce: a receipt counts when it is written, also when the answer was lost, and not again.
func TestMoneyIsCountedOnce(t *testing.T) {
	for name, fault := range map[string]*enginetest.Fault{"plain": nil, "answer lost": {Method: "CreateReceipt", Nth: 1, Class: "retry", Ambiguous: true, After: true}} {
		t.Run(name, func(t *testing.T) {
			f, counted := metered(t, "1")
			if fault != nil {
				f.ERP.Fail(*fault)
			}
			ev := f.pays("1", "107")
			f.hook(ev)
			f.run(30 * time.Minute)
			f.hook(ev)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			wantCount(t, counted, 10_700, "arbridge.money.posted", "us", "USD")
			verdicts := map[string]int64{meter.VerdictDone: 2, meter.VerdictUnknown: 0, meter.VerdictFound: 0} // header and lines
			if fault != nil {
				verdicts = map[string]int64{meter.VerdictDone: 1, meter.VerdictUnknown: 1, meter.VerdictFound: 1}
			}
			for verdict, n := range verdicts {
				wantCount(t, counted, n, "arbridge.effects", "us", "q360", "receipt", verdict)
			}
		})
	}
}

func TestEventsAreCounted(t *testing.T) {
	f, counted := metered(t, "1")
	paid := f.pays("1", "107")
	f.hook(paid, paid)
	f.hook(billing.Event{ID: "e1", Type: "moon.phase", Raw: []byte(`{}`), At: paid.At})
	f.hook(billing.Event{ID: "e2", Type: "invoice.viewed", Object: billing.KindInvoice, ObjectID: "1", Raw: bytes.Repeat([]byte("x"), store.MaxDocument+1), At: paid.At})
	wantCount(t, counted, 1, "arbridge.events", "us", "webhook", paid.Type, meter.EventNew)
	wantCount(t, counted, 1, "arbridge.events", "us", "webhook", paid.Type, meter.EventDuplicate)
	wantCount(t, counted, 1, "arbridge.events", "us", "webhook", "moon.phase", meter.EventUnknown)
	wantCount(t, counted, 1, "arbridge.events", "us", "webhook", "invoice.viewed", meter.EventTooLarge)
}

// TestOverdueSince: however often the sweep publishes a record again, it tells since when nobody takes it; a worker who does
// ends that.
func TestOverdueSince(t *testing.T) {
	f := synced(t, "1")
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	if _, err := f.e.Poll(f.t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	first := f.Record(billing.KindInvoice, "1").DueAt
	for range 5 {
		f.Bus.Lose()
		f.Clock.Advance(3 * time.Minute)
		if err := f.e.Sweep(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
	}
	if r := f.Record(billing.KindInvoice, "1"); !r.OverdueSince.Equal(first.Time) || !r.DueAt.After(first.Time) {
		t.Errorf("overdue since %s, due %s; first due %s", r.OverdueSince.Text(), r.DueAt.Text(), first.Text())
	}
	if err := f.e.Sync(t.Context(), engine.Task{Company: "us", Kind: billing.KindInvoice, ID: "1"}); err != nil {
		t.Fatal(err)
	}
	if r := f.want(billing.KindInvoice, "1", record.Synced, ""); !r.OverdueSince.IsZero() {
		t.Errorf("still overdue since %s", r.OverdueSince.Text())
	}
}
