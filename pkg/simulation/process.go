package simulation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/functions/receipt"
	"github.com/arbridge/arbridge/functions/sync"
	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/server"
	"github.com/arbridge/arbridge/pkg/settings"
)

// process is one instance of arbridge: it handles one thing at a time, and dies at any boundary. What it knows beyond the
// store, the bus and the vendors dies with it.
type process struct {
	w        *world
	id       int
	name     string
	dead     bool
	busy     bool
	skew     time.Duration
	version  int // of the settings
	retiring bool
	effect   string // begun in the journal and not ended
	used     bool   // its call was made
	task     []byte // the message that it works on
	accounts map[string]*account
	engine   *engine.Engine
	handlers map[string]http.Handler // by topic; the webhook's by ""
}

// start starts a process with the settings that hold now.
func (w *world) start() *process {
	w.started++
	p := &process{w: w, id: w.started, name: fmt.Sprintf("p%d", w.started), version: w.version, accounts: map[string]*account{}}
	if w.hit(ClockSkew) {
		p.skew = w.loop.between(-20*time.Second, 20*time.Second)
	}
	clk, log := clockOf{watch{w.loop, p.skew}}, slog.New(slog.DiscardHandler)
	if w.logs != nil {
		log = slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var companies []*engine.Company
	for _, co := range w.companies {
		companies = append(companies, w.company(p, co, clk, log))
	}
	disk, queue := &disk{w.disk, p}, &publisher{p}
	p.engine = engine.New(disk, queue, clk, log, companies, engine.Options{
		Owner: p.name, GapFill: 100 * time.Minute, Blobs: &shelf{w.shelf, p}, MaxFile: 1 << 20,
	})
	beats := &poll.Poll{Engine: p.engine, Jobs: schedule.New(disk, clk), Bus: queue, Log: log}
	hook := webhook.Handler(p.engine, w.secrets, func(company string) string { return "hook-" + company },
		webhook.Vendor{Verify: invoiced.Verify, Parse: invoiced.ParseEvent}, log)
	drain := &server.Drain{}
	wrap := func(name string, h http.Handler, limit int64) http.Handler {
		return server.Wrap(name, h, server.Options{MaxBody: limit, Timeout: time.Hour, Logger: log, Clock: clk, Drain: drain})
	}
	p.handlers = map[string]http.Handler{
		bus.TopicTicks: wrap(poll.Name, beats.Handler(), 10*bus.MaxMessage), bus.TopicTasks: wrap(sync.Name, sync.Handler(p.engine, log), 10*bus.MaxMessage),
		bus.TopicEvents: wrap(receipt.Name, receipt.Handler(p.engine, log), 10*bus.MaxMessage), "": wrap(webhook.Name, hook, webhook.MaxBody),
	}
	w.processes = append(w.processes, p)
	w.trace.add("%s starts", p.name)
	return p
}

// clockOf is a process's clock; its jitter is the seed's.
type clockOf struct{ watch }

// Jitter implements the method that clock.Jitter looks for.
func (c clockOf) Jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(c.l.rng.Int64N(int64(most)))
}

func (w *world) company(p *process, co *company, clk clockOf, log *slog.Logger) *engine.Company {
	set := p.settings(co)
	caller := &http.Client{Transport: &network{p, co}}
	var dictionary *q360.Dictionary // as a start costs a tenth of all calls, most runs have it from the beginning
	if !w.checking {
		dictionary = w.scene.dictionary
	}
	erp, err := q360.New(q360.Config{
		Mapping: w.scene.mapping, CompanyNo: set.Q360Company, DefaultCurrency: set.Currency, BaseURL: erpURL, CredentialsSecret: "q360-" + co.id,
		PerSecond: set.Limits.Q360PerSecond, Parallel: 64, MaxFile: 1 << 20, BankAccounts: set.Payments.GLAccounts,
	}, q360.Deps{Secrets: w.secrets, Clock: clk, Logger: log, HTTP: caller, Dictionary: dictionary})
	if err != nil {
		panic("simulation: " + err.Error()) // the world is ours
	}
	portal, err := invoiced.New(invoiced.Config{
		Name: co.id, BaseURL: portalURL, APIKeySecret: "key-" + co.id, Location: set.TimeZone, Currency: set.Currency,
		PerSecond: set.Limits.InvoicedPerSec, Parallel: 64, MaxFile: 1 << 20,
	}, invoiced.Deps{Secrets: w.secrets, Clock: clk, Logger: log, HTTP: caller})
	if err != nil {
		panic("simulation: " + err.Error())
	}
	return &engine.Company{
		ID: co.id, Settings: set, ERP: &site{erp, w, co}, Portal: portal, ParseEvent: invoiced.ParseEvent, Site: erpURL, Account: portalURL + " " + co.id,
	}
}

// site is the ERP of a company. What its start-up check finds follows from the site, which is the same in every run: most
// runs take what the check of a calm one found, because it is a third of all calls.
type site struct {
	*q360.Connector
	w  *world
	co *company
}

// Check implements connector.ERP.
func (s *site) Check(ctx context.Context) (connector.Capabilities, error) {
	if known, ok := s.w.scene.checks[s.co.id]; ok && !s.w.checking {
		return known, nil
	}
	return s.Connector.Check(ctx)
}

// settings are those that the process started with.
func (p *process) settings(co *company) settings.Company { return co.settings(p.version) }

func (p *process) account(co *company, vendor string) *account {
	key := co.id + vendor
	if p.accounts[key] == nil {
		p.accounts[key] = &account{}
	}
	return p.accounts[key]
}

// cross is a boundary: here others go on, and here the process may die or oversleep. after says whether the effect has
// happened already.
func (p *process) cross(what ...string) error {
	if p.dead {
		panic(killed{})
	}
	w := p.w
	if w.trace.keep {
		w.trace.detail("  %s at %s", p.name, strings.Join(what, " "))
	}
	switch {
	case w.planned() || w.hit(Crash):
		w.trace.add("%s dies before %s", p.name, strings.Join(what, " "))
		p.die()
	case p.effect == "" && w.hit(LeaseLost): // what was sent already can not be held back
		w.trace.add("%s oversleeps at %s", p.name, strings.Join(what, " "))
		w.overtake(p, 5*time.Minute)
		w.loop.pause(w.loop.between(2*time.Minute, 40*time.Minute))
	}
	w.loop.pause(w.loop.between(time.Millisecond, 40*time.Millisecond))
	return nil
}

// after is the boundary behind an effect, before its answer is seen.
func (p *process) after(what string) {
	if p.dead {
		panic(killed{})
	}
	if p.w.planned() || p.w.hit(CrashAfter) {
		p.w.trace.add("%s dies after %s", p.name, what)
		p.die()
	}
	p.w.loop.pause(p.w.loop.between(time.Millisecond, 20*time.Millisecond))
}

// planned counts a boundary, and reports whether a crash is planned for it.
func (w *world) planned() bool {
	w.boundary++
	return slices.Contains(w.crashAt, w.boundary)
}

// die ends the process where it is: everything it does goes with it. Another one is started soon.
func (p *process) die() {
	p.w.gone(p)
	p.w.loop.kill(p)
	panic(killed{})
}

// gone takes a process out of the world.
func (w *world) gone(p *process) {
	p.dead = true
	for i, other := range w.processes {
		if other == p {
			w.processes = append(w.processes[:i], w.processes[i+1:]...)
			break
		}
	}
	w.loop.after(w.loop.between(time.Second, 90*time.Second), "restart", func() { w.start() })
}

// deployments start processes with other settings now and then. Some of those with the old ones go on beside them.
func (w *world) deployments(end time.Time) {
	at := w.loop.now.Add(w.loop.between(2*time.Hour, 6*time.Hour))
	if at.After(end) {
		return
	}
	w.loop.at(at, "deployment", func() {
		if w.hit(SettingsChanged) {
			w.version = w.loop.rng.IntN(1 + len(variants()))
			stay := 0
			if len(w.processes) > 1 && w.hit(OldAndNew) {
				stay = 1
			}
			for _, p := range slices.Clone(w.processes)[stay:] {
				if p.retiring = true; !p.busy {
					w.retire(p)
				}
			}
		}
		w.deployments(end)
	})
}

// retire ends a process that has nothing under way, and starts another one.
func (w *world) retire(p *process) {
	p.dead = true
	w.processes = slices.DeleteFunc(w.processes, func(o *process) bool { return o == p })
	w.trace.add("%s ends", p.name)
	w.start()
}

// serve hands a request to a function of the process, and tells what was answered; 0 is no answer.
func (p *process) serve(name, topic string, r func() *http.Request, answered func(status int)) {
	p.busy = true
	status := 0
	p.w.loop.spawn(p.name+" "+name, p, func() {
		out := &reply{header: http.Header{}}
		p.handlers[topic].ServeHTTP(out, r())
		status = out.code()
	}, func(dead bool) {
		p.busy, p.effect = false, ""
		if p.retiring && !p.dead {
			p.w.retire(p)
		}
		if dead || p.dead {
			status = 0
		}
		answered(status)
	})
}

// post is a request to a handler.
func post(path string, body []byte, header map[string]string) *http.Request {
	r, err := http.NewRequestWithContext(outside(), http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		panic("simulation: " + err.Error()) // the paths are ours
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return r
}
