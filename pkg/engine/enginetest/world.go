package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// Site is one company with its two systems.
type Site struct {
	ID       string
	Settings settings.Company // as the next process reads them
	ERP      *ERP
	Portal   *Portal
	// Installation and Account name what the company shares with others: its ERP site and its portal account.
	Installation, Account string
	// Plain hides the portal's optional abilities from the next process.
	Plain bool
}

// World is everything outside the process: it outlives the processes started in it. Its embedded Site is the company "us".
type World struct {
	*Site
	Clock *Clock
	Store *Store
	Bus   *Bus
	Blobs *Blobs
	// Options are those of the next process; the owner is set by Start.
	Options engine.Options

	sites     []*Site
	processes int
}

// NewWorld makes a world with the company "us" and nothing in it.
func NewWorld() *World {
	w := &World{Clock: NewClock(Start()), Store: NewStore(), Bus: &Bus{}, Blobs: NewBlobs()}
	w.Site = w.AddSite("us")
	return w
}

// AddSite adds a company.
func (w *World) AddSite(id string) *Site {
	s := &Site{ID: id, Settings: Settings(), ERP: NewERP(), Portal: NewPortal(w.Clock)}
	w.sites = append(w.sites, s)
	return s
}

// Start starts a process. It knows nothing of earlier ones but what is stored.
func (w *World) Start() *engine.Engine { return w.StartOn(nil) }

// StartOn starts a process whose calls leave it over a line, which may kill it.
func (w *World) StartOn(l *Line) *engine.Engine {
	w.processes++
	w.Bus.connect(l)
	companies := make([]*engine.Company, len(w.sites))
	for i, s := range w.sites {
		s.ERP.connect(l)
		s.Portal.connect(l)
		companies[i] = &engine.Company{ID: s.ID, Name: s.ID, Settings: s.Settings, ERP: s.ERP, Portal: s.Portal, ParseEvent: ParseEvent,
			Site: s.Installation, Account: s.Account}
		if s.Plain {
			companies[i].Portal = struct{ connector.Portal }{s.Portal}
		}
	}
	opt := w.Options
	opt.Blobs = w.Blobs.through(l)
	opt.Owner = fmt.Sprintf("process-%d", w.processes)
	return engine.New(w.Store.through(l), w.Bus, w.Clock, slog.New(slog.DiscardHandler), companies, opt)
}

// Tick polls every company and handles everything that is published.
func (w *World) Tick(ctx context.Context, e *engine.Engine) error {
	_, err := e.PollAll(ctx)
	return errors.Join(err, w.Bus.Drain(ctx, e))
}

// Run ticks once a minute for a time.
func (w *World) Run(ctx context.Context, e *engine.Engine, d time.Duration) error {
	var errs []error
	for end := w.Clock.Now().Add(d); w.Clock.Now().Before(end); {
		w.Clock.Advance(time.Minute)
		errs = append(errs, w.Tick(ctx, e))
	}
	return errors.Join(errs...)
}

// Hook is the portal delivering an event to the webhook of the company "us".
func (w *World) Hook(ctx context.Context, e *engine.Engine, events ...billing.Event) error {
	c, err := e.Company(w.Site.ID)
	if err != nil {
		return err
	}
	for _, ev := range events {
		if _, err := e.Receive(ctx, c, ev, "webhook", 0); err != nil {
			return err
		}
	}
	return nil
}

// Record is the record of a thing of the company "us"; nil when there is none.
func (w *World) Record(kind billing.Kind, id string) *record.Record {
	all, err := All[record.Record](w.Store, store.Records)
	if err != nil {
		panic(err) // what the engine stored can be read
	}
	if r, ok := all[record.ID(w.Site.ID, kind, id)]; ok {
		return &r
	}
	return nil
}

// Settled reports whether every record is done with, and names those that are not.
func (w *World) Settled() (bool, string) {
	all, err := All[record.Record](w.Store, store.Records)
	if err != nil {
		return false, err.Error()
	}
	open := ""
	for id, r := range all {
		if !r.Settled() {
			open += fmt.Sprintf("%s %s (%s) ", id, r.Status, r.Summary)
		}
	}
	return open == "", open
}
