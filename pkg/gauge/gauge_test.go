package gauge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/gauge"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

var noon = time.Date(2026, time.May, 5, 12, 0, 0, 0, time.UTC)

// counting is a store that counts its reads and may break.
type counting struct {
	store.Store
	reads  int
	broken error
}

func (c *counting) GetAll(ctx context.Context, in store.Collection, ids []string) ([]store.Doc, error) {
	if c.reads++; c.broken != nil {
		return nil, c.broken
	}
	return c.Store.GetAll(ctx, in, ids)
}

func (c *counting) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if c.reads++; c.broken != nil && q.Collection == store.Records {
		return nil, c.broken
	}
	return c.Store.Query(ctx, q)
}

// rig is a store with a company's gauges.
type rig struct {
	t      *testing.T
	db     *counting
	clk    *clock.Movable
	values meter.Recorder
	gauges *gauge.Gauges
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, db: &counting{Store: db}, clk: clock.NewMovable(noon)}
	daily := func(_ string, at time.Time) time.Time { return at.Add(24 * time.Hour) }
	never := func(string, time.Time) time.Time { return time.Time{} }
	r.gauges = gauge.New(gauge.Options{Store: r.db, Clock: r.clk, Meter: meter.New(&r.values),
		Jobs: []schedule.Job{{Name: meter.FlowReconcile, Next: daily}, {Name: meter.FlowDigest, Next: never}, {Name: meter.FlowRetention, Next: daily}}})
	return r
}

// put stores a document.
func (r *rig) put(c store.Collection, id string, doc any) {
	r.t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.db.Write(r.t.Context(), store.Write{Collection: c, ID: id, Data: data}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) refresh(paused bool) {
	r.t.Helper()
	if err := r.gauges.Refresh(r.t.Context(), "us", paused); err != nil {
		r.t.Fatal(err)
	}
}

// want compares some values; -1 stands for one that was never told.
func (r *rig) want(want map[string]int64) {
	r.t.Helper()
	all := r.values.All()
	got := map[string]int64{}
	for k := range want {
		v, ok := all[k]
		if !ok {
			v = -1
		}
		got[k] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("told (-want +got):\n%s", diff)
	}
}

func ago(d time.Duration) store.Time { return store.At(noon.Add(-d)) }

func TestNewCompany(t *testing.T) {
	r := newRig(t)
	r.clk.Advance(90 * time.Second)
	r.refresh(false)
	r.want(map[string]int64{
		"arbridge.freshness us poll": 90, "arbridge.freshness us gap_fill": 90, "arbridge.freshness us webhook": 90, "arbridge.freshness us digest": -1,
		"arbridge.queue.length us": 0, "arbridge.queue.age us": 0, "arbridge.unknown.count us": 0, "arbridge.unknown.age us": 0, "arbridge.events.untold us": 0,
		"arbridge.issues us high": 0, "arbridge.issues us normal": 0, "arbridge.issues us low": 0, "arbridge.reconciliation.unexplained us": -1,
	})
	if r.db.reads > 10 {
		t.Errorf("%d reads for one company", r.db.reads)
	}
}

func TestFreshness(t *testing.T) {
	r := newRig(t)
	r.put(store.Cursors, "us/invoices", record.Cursor{Company: "us", Feed: "invoices", UpdatedAt: ago(10 * time.Minute)})
	r.put(store.Cursors, "us/events", record.Cursor{Company: "us", Feed: "events", UpdatedAt: ago(12 * time.Minute)})
	// The poll ended well a minute ago, but made no call: its cursor tells the truth.
	r.put(store.Runs, "us/poll", record.Run{Company: "us", Flow: "poll", StartedAt: ago(time.Minute), EndedAt: ago(time.Minute)})
	r.put(store.Runs, "us/reconcile", record.Run{Company: "us", Flow: "reconcile", StartedAt: ago(time.Hour), EndedAt: ago(time.Hour), Error: "no",
		SucceededAt: ago(30 * time.Hour)})
	r.put(store.Runs, "us/retention", record.Run{Company: "us", Flow: "retention", StartedAt: ago(3 * time.Hour), EndedAt: ago(2 * time.Hour)})
	r.put(store.Runs, "us/digest", record.Run{Company: "us", Flow: "digest", SucceededAt: ago(1000 * time.Hour)})
	r.put(store.Inbox, "us/1", record.Inbox{Company: "us", EventID: "1", Via: "webhook", State: record.InboxDone, ReceivedAt: ago(40 * time.Minute)})
	r.put(store.Inbox, "us/2", record.Inbox{Company: "us", EventID: "2", Via: "webhook", State: record.InboxDone, ReceivedAt: ago(50 * time.Minute)})
	r.put(store.Inbox, "ca/3", record.Inbox{Company: "ca", EventID: "3", Via: "webhook", State: record.InboxDone, ReceivedAt: ago(time.Minute)})
	r.refresh(false)
	r.want(map[string]int64{
		"arbridge.freshness us poll": 600, "arbridge.freshness us gap_fill": 720, "arbridge.freshness us webhook": 2400,
		"arbridge.freshness us reconcile": 30 * 3600, "arbridge.freshness us retention": 2 * 3600, "arbridge.freshness us digest": -1,
	})
}

func TestPausedCompanyIsExpectedToDoNothing(t *testing.T) {
	r := newRig(t)
	r.clk.Advance(time.Hour)
	r.refresh(true)
	r.want(map[string]int64{"arbridge.freshness us poll": -1, "arbridge.freshness us gap_fill": -1, "arbridge.freshness us webhook": -1,
		"arbridge.queue.length us": 0, "arbridge.issues us high": 0})
}

func TestQueue(t *testing.T) {
	r := newRig(t)
	put := func(id string, due, since store.Time) {
		r.put(store.Records, "us/invoice/"+id, record.Record{Company: "us", Kind: billing.KindInvoice, SourceID: id, DueAt: due, OverdueSince: since})
	}
	put("due", ago(30*time.Second), store.Time{})
	put("swept", store.At(noon.Add(2*time.Minute)), ago(3*time.Hour))
	put("scheduled", store.At(noon.Add(time.Minute)), store.Time{})
	put("later", store.At(noon.Add(3*time.Hour)), ago(5*time.Hour)) // parked again: nobody waits for it
	put("idle", store.Time{}, store.Time{})
	r.put(store.Records, "ca/invoice/1", record.Record{Company: "ca", Kind: billing.KindInvoice, SourceID: "1", DueAt: ago(24 * time.Hour)})
	r.refresh(false)
	r.want(map[string]int64{"arbridge.queue.length us": 2, "arbridge.queue.age us": 3 * 3600})
}

func TestQueueIsCapped(t *testing.T) {
	r := newRig(t)
	var writes []store.Write
	for i := range 1200 {
		data, err := json.Marshal(record.Record{Company: "us", Kind: billing.KindInvoice, SourceID: fmt.Sprint(i), DueAt: ago(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, store.Write{Collection: store.Records, ID: fmt.Sprintf("us/invoice/%d", i), Data: data})
		if len(writes) == store.MaxBatch {
			if _, err := r.db.Write(t.Context(), writes...); err != nil {
				t.Fatal(err)
			}
			writes = nil
		}
	}
	r.refresh(false)
	r.want(map[string]int64{"arbridge.queue.length us": meter.QueueLimit})
}

func TestUnknownOutcomes(t *testing.T) {
	r := newRig(t)
	put := func(key string, e journal.Entry) {
		e.Key = key
		r.put(store.Journal, key, e)
	}
	put("us/receipt/1", journal.Entry{Company: "us", State: journal.Unknown, StartedAt: ago(20 * time.Minute), CheckAt: store.At(noon.Add(time.Minute))})
	put("us/receipt/2", journal.Entry{Company: "us", State: journal.Started, StartedAt: ago(40 * time.Minute), CheckAt: ago(35 * time.Minute)}) // its process died
	put("us/receipt/3", journal.Entry{Company: "us", State: journal.Started, StartedAt: ago(time.Second), CheckAt: store.At(noon.Add(5 * time.Minute))})
	put("us/receipt/4", journal.Entry{Company: "us", State: journal.Done, StartedAt: ago(time.Hour)})
	put("ca/receipt/5", journal.Entry{Company: "ca", State: journal.Unknown, StartedAt: ago(9 * time.Hour), CheckAt: ago(time.Hour)})
	r.refresh(false)
	r.want(map[string]int64{"arbridge.unknown.count us": 2, "arbridge.unknown.age us": 2400})
}

func TestUntoldEvents(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		id := fmt.Sprint("gap", i)
		r.put(store.Inbox, "us/"+id, record.Inbox{Company: "us", EventID: id, Via: "gap_fill", State: record.InboxDone, ReceivedAt: ago(time.Duration(i) * 7 * time.Hour)})
	}
	r.refresh(false)
	r.want(map[string]int64{"arbridge.events.untold us": 4}) // the fifth is 28 hours old
	r.put(store.Inbox, "us/hook", record.Inbox{Company: "us", EventID: "hook", Via: "webhook", State: record.InboxDone, ReceivedAt: ago(23 * time.Hour)})
	r.refresh(false)
	r.want(map[string]int64{"arbridge.events.untold us": 0, "arbridge.freshness us webhook": 23 * 3600})
	r.clk.Advance(2 * time.Hour)
	r.refresh(false)
	r.want(map[string]int64{"arbridge.events.untold us": 4})
}

func TestIssuesAndDifferences(t *testing.T) {
	r := newRig(t)
	for i, x := range []issue.Issue{
		{Company: "us", Severity: issue.High, State: issue.Open}, {Company: "us", Severity: issue.High, State: issue.Open},
		{Company: "us", Severity: issue.Low, State: issue.Open}, {Company: "us", Severity: issue.High, State: issue.Resolved},
		{Company: "ca", Severity: issue.High, State: issue.Open},
	} {
		x.Cause, x.UpdatedAt = fmt.Sprint("cause", i), ago(time.Duration(i)*time.Minute)
		r.put(store.Issues, x.ID(), x)
	}
	type compared struct {
		Company     string     `json:"company"`
		At          store.Time `json:"at"`
		Unexplained int        `json:"unexplained"`
	}
	r.put(store.Reconciliations, "us/1", compared{"us", ago(25 * time.Hour), 9})
	r.put(store.Reconciliations, "us/2", compared{"us", ago(time.Hour), 4})
	r.refresh(false)
	r.want(map[string]int64{"arbridge.issues us high": 2, "arbridge.issues us normal": 0, "arbridge.issues us low": 1, "arbridge.reconciliation.unexplained us": 4})
	r.put(store.Issues, "us/cause2", issue.Issue{Company: "us", Cause: "cause2", Severity: issue.Low, State: issue.Resolved, UpdatedAt: ago(0)})
	r.refresh(false)
	r.want(map[string]int64{"arbridge.issues us low": 0})
}

// TestTroubleIsLeftOut: what can not be read is reported, and everything else is told.
func TestTroubleIsLeftOut(t *testing.T) {
	r := newRig(t)
	r.db.broken = errors.New("disk full")
	if err := r.gauges.Refresh(t.Context(), "us", false); !errors.Is(err, r.db.broken) {
		t.Errorf("error %v", err)
	}
	r.want(map[string]int64{"arbridge.freshness us poll": -1, "arbridge.queue.length us": -1, "arbridge.issues us high": 0, "arbridge.unknown.count us": 0})
}
