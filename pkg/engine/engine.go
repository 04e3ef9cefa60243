// Package engine brings plan, journal, store and connectors together: load, plan, journal, apply, record. It is the only
// package that knows them all, and it knows connectors and stores by their contracts only.
//
// Work is parked, never lost: a record that can not be finished now keeps a due time in the store, and the sweep wakes it
// up again. A message on the bus only says "look at this record"; any number of them, in any order, change nothing else.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/breaker"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// Company is one company with its settings and its two systems.
type Company struct {
	ID       string
	Name     string
	Settings settings.Company
	ERP      connector.ERP
	Portal   connector.Portal
	// ParseEvent reads a portal event as received; the webhook and the gap fill share it.
	ParseEvent func(raw []byte) (billing.Event, error)
	// Site names the ERP installation and Account the portal account. Companies that share one may be paid together; empty
	// names are shared with nobody.
	Site, Account string

	bulk  index
	check checked

	control                   controlCache
	erpBreaker, portalBreaker *breaker.Breaker
}

// paused reports whether nothing at all is done for the company.
func (c *Company) paused() bool { return !c.Settings.Enabled || c.Settings.Mode == settings.ModePaused }

// Options tune the engine. Zero values take the defaults named.
type Options struct {
	Owner       string        // names this process in leases; must be unique
	Exclusive   bool          // no other process works on this store: leases of others are leftovers
	Lease       time.Duration // how long a worker may be silent: 2 min
	Grace       time.Duration // after which the sweep publishes scheduled work again: 2 min
	SourceFresh time.Duration // how long an ERP record read by the poll is used without reading it again: 10 min
	// AnnounceLater says that Announce runs in this process and publishes events in groups.
	AnnounceLater bool
	// Planned, if set, is told every decision about a record as it is made; a preview shows them.
	Planned func(record string, p plan.Plan)
	// DocumentChecks and ReceiptChecks are the pauses before looking an unknown outcome up; after as many clear "absent"
	// answers the write is attempted again (q360-api 4.6: 1, 5 and 15 minutes).
	DocumentChecks []time.Duration // 10 s, 1 min
	ReceiptChecks  []time.Duration // 1 min, 5 min, 15 min
	GapFill        time.Duration   // distance of reading the events: 15 min
	PageSize       int             // items of a feed page: 100
	MaxPerPoll     int             // items of one poll before it continues in the next tick: 2000 (q360-api 4.5)
	InboxDays      int             // retention of handled events: 400
	// Blobs keeps the ERP's files on their way to the portal; without it none are carried over.
	Blobs   blob.Store
	MaxFile int64 // bytes of a file: 25 MiB
	// Meter counts effects, money and events; it may be left out.
	Meter meter.Meter
}

// Engine does the work of every function. It is safe for concurrent use.
type Engine struct {
	opt       Options
	store     store.Store
	journal   *journal.Journal
	publisher bus.Publisher
	clock     clock.Clock
	log       *slog.Logger
	companies map[string]*Company
	later     chan bus.Message // events for Announce, where it runs

	records store.Table[record.Record]
	sources store.Table[record.Source]
	inbox   store.Table[record.Inbox]
	cursors store.Table[record.Cursor]
	leases  store.Table[record.Lease]
	runs    store.Table[record.Run]

	controls  store.Table[record.Control]
	breakers  store.Table[record.Breaker]
	audits    store.Table[record.Audit]
	backfills store.Table[record.Backfill]
}

// New makes an engine for the companies.
func New(s store.Store, p bus.Publisher, c clock.Clock, log *slog.Logger, companies []*Company, opt Options) *Engine {
	opt.defaults()
	e := &Engine{
		opt: opt, store: s, journal: journal.New(s, c), publisher: p, clock: c, log: log, companies: map[string]*Company{},
		records: store.Table[record.Record]{Store: s, Collection: store.Records},
		sources: store.Table[record.Source]{Store: s, Collection: store.Sources},
		inbox:   store.Table[record.Inbox]{Store: s, Collection: store.Inbox},
		cursors: store.Table[record.Cursor]{Store: s, Collection: store.Cursors},
		leases:  store.Table[record.Lease]{Store: s, Collection: store.Leases},
		runs:    store.Table[record.Run]{Store: s, Collection: store.Runs},

		controls:  store.Table[record.Control]{Store: s, Collection: store.Controls},
		breakers:  store.Table[record.Breaker]{Store: s, Collection: store.Controls},
		audits:    store.Table[record.Audit]{Store: s, Collection: store.Audit},
		backfills: store.Table[record.Backfill]{Store: s, Collection: store.Cursors},
	}
	if opt.AnnounceLater {
		e.later = make(chan bus.Message, announceBuffer)
	}
	for _, co := range companies {
		e.protect(co)
		e.companies[co.ID] = co
	}
	return e
}

func (o *Options) defaults() {
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.Lease, 2 * time.Minute}, {&o.Grace, 2 * time.Minute}, {&o.SourceFresh, 10 * time.Minute}, {&o.GapFill, 15 * time.Minute}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if o.MaxFile == 0 {
		o.MaxFile = 25 << 20
	}
	if len(o.DocumentChecks) == 0 {
		o.DocumentChecks = []time.Duration{10 * time.Second, time.Minute}
	}
	if len(o.ReceiptChecks) == 0 {
		o.ReceiptChecks = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
	}
	for _, n := range []struct {
		v *int
		n int
	}{{&o.PageSize, 100}, {&o.MaxPerPoll, 2000}, {&o.InboxDays, 400}} {
		if *n.v == 0 {
			*n.v = n.n
		}
	}
}

// ErrUnknownCompany is a reference to a company that is not configured here.
var ErrUnknownCompany = errors.New("no such company is configured")

// Company returns a configured company.
func (e *Engine) Company(id string) (*Company, error) {
	c, ok := e.companies[id]
	if !ok {
		return nil, fmt.Errorf("company %q: %w", id, ErrUnknownCompany)
	}
	return c, nil
}

// Task is the body of a message on the tasks topic.
type Task struct {
	Company string       `json:"company"`
	Kind    billing.Kind `json:"kind"`
	ID      string       `json:"id"`
}

// EventTask is the body of a message on the events topic.
type EventTask struct {
	Company string `json:"company"`
	EventID string `json:"event_id"`
}

// Tick is the body of a message on the ticks topic; an empty company means all. With a job it asks for that job of the
// company instead of a poll.
type Tick struct {
	Company string `json:"company,omitempty"`
	Job     string `json:"job,omitempty"`
}

// announce publishes tasks for records. A failure is only logged: the sweep finds them by their due time.
func (e *Engine) announce(ctx context.Context, recs ...*record.Record) {
	if len(recs) == 0 {
		return
	}
	messages := make([]bus.Message, len(recs))
	for i, r := range recs {
		data, err := json.Marshal(Task{r.Company, r.Kind, r.SourceID})
		if err != nil {
			panic("engine: " + err.Error()) // three texts always encode
		}
		messages[i] = bus.Message{Key: r.ID(), Data: data}
	}
	if err := e.publisher.Publish(ctx, bus.TopicTasks, messages...); err != nil {
		e.log.WarnContext(ctx, "tasks not published; the sweep will", "count", len(recs), "error", err)
	}
}

// Sync works on one record. An error means that our own store or bus is in trouble and the message should come again;
// a vendor's trouble is parked in the record instead.
func (e *Engine) Sync(ctx context.Context, t Task) error {
	c, err := e.Company(t.Company)
	if err != nil {
		e.log.ErrorContext(ctx, "task for an unknown company dropped", "company", t.Company, "source_id", t.ID)
		return nil
	}
	if c.paused() {
		return nil // the record stays due, and the sweep finds it when the company goes on
	}
	if held, err := e.holdPaused(ctx, c, t); held || err != nil {
		return err
	}
	switch t.Kind {
	case billing.KindInvoice:
		return e.syncInvoice(ctx, c, t.ID)
	case billing.KindCustomer:
		return e.syncCustomer(ctx, c, t.ID)
	case billing.KindPayment:
		return e.syncPayment(ctx, c, t.ID)
	case billing.KindDocument:
		return e.syncFile(ctx, c, t.ID, false)
	case billing.KindCredit:
		return e.syncCredit(ctx, c, t.ID)
	}
	e.log.ErrorContext(ctx, "task of an unknown kind dropped", "company", t.Company, "kind", t.Kind)
	return nil
}

// checked caches the start-up check of a company; see checkAge.
type checked struct {
	mu   sync.Mutex
	at   time.Time
	caps connector.Capabilities
}

// checkAge is how long a start-up check counts: a minute when the company can not run, an hour when a right is missing that an
// administrator of the ERP may grant, some hours when a table or an account is, and a day otherwise.
func checkAge(caps connector.Capabilities) time.Duration {
	switch {
	case len(caps.Fatal()) > 0:
		return time.Minute
	case caps.Any("forbidden"):
		return time.Hour
	case caps.Any("missing"):
		return 6 * time.Hour
	}
	return 24 * time.Hour
}

// Check runs the company's start-up check unless the last one still counts.
func (e *Engine) Check(ctx context.Context, c *Company) (connector.Capabilities, error) {
	c.check.mu.Lock()
	defer c.check.mu.Unlock()
	now := e.clock.Now()
	if !c.check.at.IsZero() && now.Sub(c.check.at) < checkAge(c.check.caps) {
		return c.check.caps, nil
	}
	caps, err := c.ERP.Check(ctx)
	if err != nil {
		return caps, err
	}
	c.check.at, c.check.caps = now, caps
	for _, p := range caps.Problems {
		e.log.WarnContext(ctx, "start-up check", "company", c.ID, "feature", p.Feature, "fatal", p.Fatal, "problem", p.Message)
	}
	return caps, nil
}
