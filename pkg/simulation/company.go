package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/settings"
)

// company is one of the companies.
type company struct {
	id, code, zone string
	currencies     []string // the first is its own
	customers      []string
	site           map[string]string                  // billing site by customer
	settings       func(version int) settings.Company // as they were changed
	sandbox        bool                               // every recipient is the safe address
	off            bool                               // takes no part
	start          string
	touched        time.Time // when somebody last did something in it
	ticked         time.Time
}

// safeAddress is the only recipient of a company in sandbox mode.
const safeAddress = "ar-test@brightline.example"

// template is what every company of that place in the list has in common.
type template struct {
	id, code, zone string
	currencies     []string
	customers      []int // of the generated business
	own            map[string]any
}

func templates() []template {
	return []template{
		{"us", "01", "America/New_York", []string{"USD"}, []int{0, 3, 6}, map[string]any{"contacts.roles": []any{"AP", "AR"}, "invoices.lines_without_pdf": "detail",
			"invoices.gone": "void_if_unpaid", "credit_notes.apply": "oldest"}},
		{"ca", "02", "America/Toronto", []string{"CAD"}, []int{1, 4, 10}, map[string]any{"contacts.roles": []any{"ALL"}, "fees.strategy": "gl_line",
			"invoices.send": "email", "payments.overpayment": "on_account", "payments.closed_period": "next_open_day", "documents.attach": false}},
		{"eu", "03", "Europe/Berlin", []string{"EUR", "GBP"}, []int{2, 8, 14}, map[string]any{"contacts.roles": []any{"AP"}, "fees.strategy": "unapplied",
			"invoices.variance": "0.05", "invoices.gone": "flag", "documents.attach": false}},
	}
}

// texts are the settings of a company as somebody writes them.
func (t template) texts(start string) map[string]any {
	banks := map[string]any{}
	for _, c := range t.currencies {
		banks[c] = map[string]string{"USD": "1010", "CAD": "1020", "EUR": "1030", "GBP": "1040"}[c]
	}
	out := map[string]any{
		"company.mode": "live", "company.q360_company": t.code, "company.time_zone": t.zone, "company.currency": t.currencies[0],
		"qualify.start_date": start, "payments.methods_map": map[string]any{"credit_card": "CARD", "ach": "ACH", "direct_debit": "ACH"},
		"payments.gl_accounts": banks, "fees.gl_account": "4950", "limits.q360_rps": 20, "limits.invoiced_rps": 10, "documents.wait_days": 1,
		"payments.attempts": 10,
	}
	maps.Copy(out, t.own)
	return out
}

// variants are changes of settings that leave everything that is checked as it is.
func variants() []map[string]any {
	return []map[string]any{
		{"fees.strategy": "proportional"}, {"fees.strategy": "gl_line"}, {"fees.strategy": "unapplied"}, {"invoices.summary_text": "Invoice {{number}} {{po}}"},
		{"invoices.lines_without_pdf": "summary"}, {"invoices.lines_without_pdf": "detail"}, {"activity.viewed": false}, {"contacts.update": false},
		{"limits.invoiced_rps": 5}, {"activity.viewed_collapse": "each"},
	}
}

func resolve(texts map[string]any) settings.Company {
	set, problems := settings.ResolveCompany(texts, time.LoadLocation)
	if len(problems) > 0 {
		panic(fmt.Sprintf("simulation: settings: %v", problems)) // they are written above
	}
	return set
}

// scene is what all runs that begin on a day share: they never change it.
type scene struct {
	settings   sync.Map         // by place, mode and version
	dictionary *q360.Dictionary // what the ERP says of its tables
	start      time.Time
	business   *business.Business
	rows       map[string][]q360sim.Record
	sites      map[string]string
	mapping    *mapping.Mapping
	checks     map[string]connector.Capabilities // what the start-up check finds, by company
	begun      *enginetest.Store                 // what is stored once every company was polled for the first time
	plant      func(*world)                      // called after every step, for tests; else nil
}

// begins are the days on which runs begin: before the changes of clocks in America in spring and autumn, and between.
func begins() []time.Time {
	return []time.Time{
		time.Date(2026, 5, 5, 13, 0, 0, 0, time.UTC), time.Date(2026, 3, 7, 15, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 14, 0, 0, 0, time.UTC),
	}
}

func newScene(start time.Time) *scene {
	first := time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -1, 0)
	b := business.Generate(business.Options{Seed: 7, Start: first, Customers: 40, Invoices: 80})
	s := &scene{start: start, business: b, rows: map[string][]q360sim.Record{}, sites: map[string]string{}, mapping: mapping.Default()}
	all := b.Batch().Tables
	for _, name := range []string{"COMPANY", "CURRENCY", "GLACCOUNT", "CODE"} {
		s.rows[name] = all[name]
	}
	for _, name := range []string{"FISCALENDAR", "FXRATE"} {
		for _, r := range all[name] {
			if day, err := time.Parse(time.DateOnly, r["STARTDATE"][:10]); err == nil && day.Before(start.AddDate(0, 2, 0)) {
				s.rows[name] = append(s.rows[name], r)
			}
		}
	}
	var numbers []string
	for _, t := range templates() {
		for _, i := range t.customers {
			numbers = append(numbers, customerNo(i))
		}
	}
	for _, name := range []string{"CUSTOMER", "SITE", "CONTACT"} {
		for _, r := range all[name] {
			if !slices.Contains(numbers, r["CUSTOMERNO"]) {
				continue
			}
			if name == "CUSTOMER" {
				r = maps.Clone(r)
				r["BALANCE"] = "0"
				r["MODDATE"] = start.AddDate(0, 0, -len(s.rows[name])-1).Format("2006-01-02 15:04:05.000") // as of somebody who keeps them
				s.sites[r["CUSTOMERNO"]] = r["INVOICESITENO"]
			}
			s.rows[name] = append(s.rows[name], r)
		}
	}
	s.dictionary = &q360.Dictionary{}
	s.checks = checks(s)
	s.dictionary = s.dictionary.As(start.AddDate(1, 0, 0)) // never old
	s.begun = begun(s)
	return s
}

// before is how long ago a company that is known already was polled for the first time.
const before = time.Hour

// begun polls every company for the first time, before a run begins and with nothing in the books, in a world in which nothing
// goes wrong. nil: that can not be done.
func begun(s *scene) *enginetest.Store {
	earlier := &scene{start: s.start.Add(-before), rows: s.rows, sites: s.sites, mapping: s.mapping, dictionary: s.dictionary, checks: s.checks}
	w, err := newWorld(earlier, Options{Faults: []Fault{}})
	if err != nil {
		panic("simulation: " + err.Error()) // the world is ours
	}
	p := w.start()
	for _, co := range w.companies {
		if done, err := p.engine.Poll(outside(), co.id); err != nil || done.Skipped != "" {
			return nil // the runs, which begin with nothing then, tell why
		}
	}
	return w.disk
}

// checks asks each company's site what it can do, in a world in which nothing goes wrong.
func checks(s *scene) map[string]connector.Capabilities {
	w, err := newWorld(s, Options{Faults: []Fault{}})
	if err != nil {
		panic("simulation: " + err.Error()) // the world is ours
	}
	p, out := w.start(), map[string]connector.Capabilities{}
	for _, co := range w.companies {
		co.off = false
		if _, err := (&doer{w, w.people, co}).bill(); err != nil {
			panic("simulation: " + err.Error())
		}
		caps, err := w.company(p, co, clockOf{watch{w.loop, 0}}, slog.New(slog.DiscardHandler)).ERP.Check(outside())
		if err != nil || len(caps.Problems) > 0 {
			panic(fmt.Sprintf("simulation: the check of %s: %v %v", co.id, caps.Problems, err))
		}
		out[co.id] = caps
	}
	return out
}

func customerNo(i int) string { return fmt.Sprintf("C%05d", i+1) }

// mode is what settings differ in from run to run.
type mode struct {
	sandbox, off bool
	start        string
}

// resolved are the settings of the company at a place: those it begins with, which are version 0, or a variant. Runs share them,
// because resolving them takes as long as a tenth of a run.
func (s *scene) resolved(place int, m mode, version int) settings.Company {
	type key struct {
		place int
		mode
		version int
	}
	if known, ok := s.settings.Load(key{place, m, version}); ok {
		return known.(settings.Company)
	}
	texts := templates()[place].texts(m.start)
	if m.sandbox {
		texts["company.mode"], texts["sandbox.email"] = "sandbox", safeAddress
	}
	if m.off {
		texts["company.enabled"] = false
	}
	if version > 0 {
		maps.Copy(texts, variants()[version-1])
	}
	out := resolve(texts)
	s.settings.Store(key{place, m, version}, out)
	return out
}

// newCompanies makes the companies of a run. startDate is theirs.
func newCompanies(s *scene, startDate string, sandboxed, off int) []*company {
	var out []*company
	for i, t := range templates() {
		co := &company{id: t.id, code: t.code, zone: t.zone, currencies: t.currencies, site: s.sites, start: startDate, sandbox: i == sandboxed, off: i == off}
		for _, n := range t.customers {
			co.customers = append(co.customers, customerNo(n))
		}
		co.settings = func(version int) settings.Company {
			return s.resolved(i, mode{i == sandboxed, i == off, startDate}, version)
		}
		out = append(out, co)
	}
	return out
}

// vault is the secrets of all companies.
type vault map[string]string

func newVault(companies []*company) vault {
	v := vault{}
	for _, co := range companies {
		v["key-"+co.id] = "live-key-of-" + co.id
		v["hook-"+co.id] = "hook-secret-of-" + co.id
		v["q360-"+co.id] = fmt.Sprintf(`{"user":%q,"password":%q}`, erpUser(co.id), "password-of-"+co.id)
	}
	return v
}

func erpUser(id string) string { return "ARBRIDGE-" + id }

// Get implements secret.Source.
func (v vault) Get(_ context.Context, name string) ([]secret.Value, error) {
	text, ok := v[name]
	if !ok {
		return nil, secret.ErrNotFound
	}
	return []secret.Value{secret.NewValue(text)}, nil
}

// needles are what must never be logged.
func (v vault) needles() []string {
	out := []string{"@customer", "Basic "}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if name[0] != 'q' {
			out = append(out, v[name])
		}
	}
	return append(out, "password-of-")
}
