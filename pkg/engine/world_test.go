package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

var usd = enginetest.USD

// fixture is a world with one running process.
type fixture struct {
	*enginetest.World
	t *testing.T
	e *engine.Engine
}

// setup starts a process in a world that change has prepared.
func setup(t *testing.T, change ...func(w *enginetest.World)) *fixture {
	t.Helper()
	w := enginetest.NewWorld()
	for _, c := range change {
		c(w)
	}
	return &fixture{World: w, t: t, e: w.Start()}
}

// steady is a world whose first full read is over, so that what comes now is a change.
func steady(t *testing.T, change ...func(w *enginetest.World)) *fixture {
	t.Helper()
	f := setup(t, change...)
	f.tick()
	return f
}

// synced is a steady world in which the invoices of one customer are in the portal.
func synced(t *testing.T, numbers ...string) *fixture {
	t.Helper()
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	for _, n := range numbers {
		f.ERP.PutInvoices(enginetest.Invoice(n, "C1"))
	}
	f.tick()
	for _, n := range numbers {
		f.want(billing.KindInvoice, n, record.Synced, "")
	}
	f.ERP.Reset()
	f.Portal.Reset()
	return f
}

// tick polls and handles what is published.
func (f *fixture) tick() {
	f.t.Helper()
	if err := f.Tick(f.t.Context(), f.e); err != nil {
		f.t.Fatalf("tick: %v", err)
	}
}

// run ticks once a minute for a time.
func (f *fixture) run(d time.Duration) {
	f.t.Helper()
	if err := f.Run(f.t.Context(), f.e, d); err != nil {
		f.t.Fatalf("run: %v", err)
	}
}

// hook delivers events and handles them.
func (f *fixture) hook(events ...billing.Event) {
	f.t.Helper()
	if err := f.Hook(f.t.Context(), f.e, events...); err != nil {
		f.t.Fatalf("webhook: %v", err)
	}
	f.drain()
}

func (f *fixture) drain() {
	f.t.Helper()
	if err := f.Bus.Drain(f.t.Context(), f.e); err != nil {
		f.t.Fatalf("drain: %v", err)
	}
}

// sync works on one record, as a message would.
func (f *fixture) sync(kind billing.Kind, id string) {
	f.t.Helper()
	if err := f.e.Sync(f.t.Context(), engine.Task{Company: "us", Kind: kind, ID: id}); err != nil {
		f.t.Fatalf("sync %s %s: %v", kind, id, err)
	}
}

// want checks a record's status and, unless it is empty, that it has the reason.
func (f *fixture) want(kind billing.Kind, id string, status record.Status, reason plan.Code) *record.Record {
	f.t.Helper()
	r := f.Record(kind, id)
	if r == nil {
		f.t.Fatalf("%s %s has no record; want %s", kind, id, status)
	}
	if r.Status != status || reason != "" && !has(r, reason) {
		f.t.Fatalf("%s %s is %s (%s), due %s; want %s because %s", kind, id, r.Status, r.Summary, r.DueAt.Text(), status, reason)
	}
	if r.LeaseOwner != "" {
		f.t.Fatalf("%s %s is still leased by %s", kind, id, r.LeaseOwner)
	}
	return r
}

func has(r *record.Record, reason plan.Code) bool { return plan.Plan{Reasons: r.Reasons}.Has(reason) }

// due is how far away a record's next attempt is, 0 without one.
func (f *fixture) due(r *record.Record) time.Duration {
	if r.DueAt.IsZero() {
		return 0
	}
	return r.DueAt.Sub(f.Clock.Now())
}

// portalCounts checks how many writes and reads the portal saw since the counts were reset.
func (f *fixture) portalCounts(writes, reads int) {
	f.t.Helper()
	w, r := f.Portal.Writes(), f.Portal.Count()-f.Portal.Writes()-f.Portal.Count("Events", "ListPayments")
	if w != writes || r != reads {
		f.t.Fatalf("the portal saw %d writes and %d reads, want %d and %d", w, r, writes, reads)
	}
}

// document is the only document in the portal.
func (f *fixture) document() billing.PortalDocument {
	f.t.Helper()
	all := f.Portal.Invoices()
	if len(all) != 1 {
		f.t.Fatalf("the portal has %d documents, want 1: %+v", len(all), all)
	}
	return all[0]
}

func (f *fixture) entry(key string) journal.Entry {
	f.t.Helper()
	all, err := enginetest.All[journal.Entry](f.Store, store.Journal)
	if err != nil {
		f.t.Fatal(err)
	}
	e, ok := all["us/"+key]
	if !ok {
		f.t.Fatalf("no journal entry %s among %v", key, all)
	}
	return e
}

func (f *fixture) inbox(id string) record.Inbox {
	f.t.Helper()
	all, err := enginetest.All[record.Inbox](f.Store, store.Inbox)
	if err != nil {
		f.t.Fatal(err)
	}
	in, ok := all[store.ID("us", id)]
	if !ok {
		f.t.Fatalf("event %s is not in the inbox", id)
	}
	return in
}
