package simulation

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/shopspring/decimal"
)

// Options of a run. Everything that is not given follows from the seed.
type Options struct {
	Seed    uint64
	Events  int     // that people cause; 0: 24 to 31, in a run in 128 120 to 180
	More    int     // what people do in the end; without Events: as many as make 50 with those of the portal
	Workers int     // processes; 0: 2 to 6
	Faults  []Fault // that may happen; nil: about half of all kinds; empty: none
	Skip    map[int]bool
	Keep    bool // the lines of the trace
	Logs    bool // look at every line of the log, whatever the seed
}

// Result is what a run came to.
type Result struct {
	Seed       uint64      `json:"seed"`
	Hash       string      `json:"hash"`
	Violations []Violation `json:"violations,omitempty"`
	Coverage   Coverage    `json:"coverage"`
	Deeds      []string    `json:"deeds,omitempty"` // what people did, and when
	Trace      []string    `json:"trace,omitempty"`
	Faults     []Fault     `json:"faults,omitempty"` // that could happen
	Events     int         `json:"events"`           // that people caused
	More       int         `json:"more,omitempty"`   // of these, in the end
	Told       int         `json:"told"`             // that the portal had of it
	Workers    int         `json:"workers"`
	Steps      int         `json:"steps"`
	Writes     int         `json:"writes"` // to vendors
	Calls      int         `json:"calls"`
	Documents  int         `json:"documents"`
	Receipts   int         `json:"receipts"`
	Virtual    string      `json:"virtual"`
}

// Violation is something that must never be, and was.
type Violation struct {
	Invariant string `json:"invariant"`
	At        string `json:"at"`
	Text      string `json:"text"`
}

// world is everything of a run.
type world struct {
	opt        Options
	scene      *scene
	loop       *loop
	trace      *trace
	people     *rand.Rand // what people do follows from it alone
	rates      rates
	calm       bool
	coverage   Coverage
	erp        *q360sim.Server
	erpHandler http.Handler
	portal     *invoicedsim.Server
	disk       *enginetest.Store
	shelf      *enginetest.Blobs
	queue      *queue
	secrets    vault
	companies  []*company
	lively     []*company // in which people do something
	processes  []*process
	workers    int
	started    int
	version    int // of the settings that hold now
	logs       *logWatch
	past       *past
	hooks      hooks
	deeds      []string
	nextTick   time.Time
	found      []Violation
	calls      int
	writes     int
	lastWrite  time.Time
	stale      map[string]staleAnswer
	outages    map[string]outage // by vendor
	dues       map[string]string // when records and events are due, by collection and id
	every      time.Duration     // the distance of ticks
	eager      bool              // every tick is made
	checking   bool              // every check of the ERP is made
	boundary   int               // things that left a process, or came back to one
	crashAt    []int             // boundaries at which the process dies
}

func newWorld(s *scene, opt Options) (*world, error) {
	t := newTrace(opt.Keep)
	w := &world{
		opt: opt, scene: s, trace: t, loop: newLoop(opt.Seed, s.start, t), coverage: Coverage{}, disk: enginetest.NewStore(), shelf: enginetest.NewBlobs(),
		people: rand.New(rand.NewPCG(opt.Seed, 77)), stale: map[string]staleAnswer{}, outages: map[string]outage{},
		dues: map[string]string{}, eager: opt.Seed%128 == 5, checking: opt.Seed%128 == 37,
	}
	t.loop = w.loop
	w.queue, w.past = &queue{w: w}, newPast()
	w.hooks.off = map[string]time.Time{}
	choose := rand.New(rand.NewPCG(opt.Seed, 3))
	sandboxed, off := choose.IntN(6), choose.IntN(8) // often none
	w.companies = newCompanies(s, s.start.AddDate(0, 0, -4).Format(time.DateOnly), sandboxed, off)
	w.lively = lively(choose, w.companies)
	if s.begun != nil && opt.Seed%8 != 5 { // in a run in eight nothing is stored at the beginning
		w.disk = s.begun.Copy()
		for _, co := range w.companies {
			co.ticked = s.start.Add(-before)
		}
	}
	if opt.Seed%16 != 4 {
		w.disk.Trust()
	}
	w.secrets = newVault(w.companies)
	// What is given takes nothing from the numbers that choose the rest.
	w.workers = cmp.Or(opt.Workers, []int{2, 2, 2, 2, 3, 3, 4, 6}[choose.IntN(8)])
	events := 24 + choose.IntN(8)
	if opt.Seed%128 == 7 {
		events = 120 + choose.IntN(61)
	}
	if opt.Events == 0 {
		w.opt.Events, w.opt.More = events, -1
	}
	w.every = []time.Duration{10, 30, 90}[choose.IntN(3)] * time.Minute
	w.rates = draw(choose, opt.Faults)
	if opt.Logs || opt.Keep || opt.Seed%8 == 0 {
		w.logs = &logWatch{w: w, needles: w.secrets.needles()}
	}
	if err := w.vendors(); err != nil {
		return nil, err
	}
	return w, nil
}

// lively chooses the companies in which people do something: in half of the runs one, so that much happens there, else more.
func lively(rng *rand.Rand, all []*company) []*company {
	n := []int{1, 1, 2, 3}[rng.IntN(4)]
	some := slices.Clone(all)
	rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	if some[0].off {
		some[0], some[1] = some[1], some[0]
	}
	return some[:n]
}

// vendors starts both sandboxes.
func (w *world) vendors() error {
	site, err := time.LoadLocation("America/New_York")
	if err != nil {
		return fmt.Errorf("time zones: %w", err)
	}
	quiet, now := slog.New(slog.DiscardHandler), watch{w.loop, 0}
	cfg := q360sim.Config{Clock: now, Location: site, Logger: quiet}
	var accounts []invoicedsim.Account
	for _, co := range w.companies {
		cfg.Users = append(cfg.Users, q360sim.User{Name: erpUser(co.id), Password: "password-of-" + co.id, Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()})
		zone, err := time.LoadLocation(co.zone)
		if err != nil {
			return fmt.Errorf("time zones: %w", err)
		}
		accounts = append(accounts, invoicedsim.Account{
			Name: co.id, Location: zone, Currency: co.currencies[0], APIKeys: []invoicedsim.Key{{Value: w.secrets["key-"+co.id]}},
			WebhookURL: "https://arbridge.invalid/webhook/" + co.id, WebhookSecret: w.secrets["hook-"+co.id], AutoSend: true,
		})
	}
	if w.erp, err = q360sim.New(cfg); err != nil {
		return err
	}
	w.erpHandler = w.erp.Handler()
	if _, err := w.erp.LoadRows(q360sim.Batch{Tables: w.scene.rows}); err != nil {
		return err
	}
	w.portal, err = invoicedsim.New(invoicedsim.Config{
		PublicURL: portalURL, Clock: now, Logger: quiet, Accounts: accounts, Options: invoicedsim.Options{Seed: w.opt.Seed + 1},
	})
	return err
}

// hit reports whether a fault happens now.
func (w *world) hit(f Fault) bool {
	if w.calm || !w.loop.chance(w.rates[f]) {
		return false
	}
	w.happened(f)
	return true
}

// disturbs reports whether a fault happens to a call now. Writes are disturbed more often than reads, which there are many more
// of, and which are made again, and vendors break down most often with a new receipt, which nobody can look up then.
func (w *world) disturbs(c *call, f Fault) bool {
	rate := w.rates[f] / 2
	if c.write() {
		rate = w.rates[f] * 2
	}
	if f == Outage && len(c.made) > 0 {
		rate *= 6
	}
	if w.calm || !w.loop.chance(rate) {
		return false
	}
	w.happened(f)
	w.unlisted(c)
	return true
}

func (w *world) happened(f Fault) {
	w.coverage[f]++
	w.trace.add("* %s", f)
}

// bad notes that something was which must never be.
func (w *world) bad(invariant, format string, args ...any) {
	v := Violation{Invariant: invariant, At: day(w.loop.now), Text: fmt.Sprintf(format, args...)}
	w.trace.add("! %s: %s", v.Invariant, v.Text)
	for _, old := range w.found {
		if old.Invariant == v.Invariant && old.Text == v.Text {
			return
		}
	}
	w.found = append(w.found, v)
}

// busy reports whether a process has something under way.
func (w *world) busy() bool { return len(w.idle()) < len(w.processes) }

func (w *world) idle() []*process {
	var out []*process
	for _, p := range w.processes {
		if !p.busy && !p.dead {
			out = append(out, p)
		}
	}
	return out
}

// logWatch looks for what must not be logged.
type logWatch struct {
	w       *world
	needles []string
}

// Write implements io.Writer.
func (l *logWatch) Write(line []byte) (int, error) {
	for _, n := range l.needles {
		if strings.Contains(string(line), n) {
			l.w.bad(noSecretLogged, "%q in a line of the log: %s", n, line)
		}
	}
	return len(line), nil
}

// Run makes one run.
func (s *scene) run(opt Options) (Result, error) {
	w, err := newWorld(s, opt)
	if err != nil {
		return Result{Seed: opt.Seed}, err
	}
	w.play()
	w.loop.close()
	r := Result{
		Seed: opt.Seed, Hash: w.trace.hash(), Violations: w.found, Coverage: w.coverage, Deeds: w.deeds, Trace: w.trace.lines, Faults: w.rates.names(),
		Events: w.opt.Events + w.opt.More, More: w.opt.More, Workers: w.workers, Steps: w.loop.steps, Writes: w.writes, Calls: w.calls, Virtual: w.loop.now.Sub(s.start).String(),
		Told: len(w.past.told),
	}
	for _, book := range w.erp.Ledger().Books {
		r.Documents, r.Receipts = r.Documents+len(book.Invoices), r.Receipts+len(book.Receipts)
	}
	return r, nil
}

// play runs the world: people do what they do while things go wrong, then nothing goes wrong any more, and all has to come
// to rest.
func (w *world) play() {
	for range w.workers {
		w.start()
	}
	deeds := w.script()
	busy := w.scene.start
	for i, d := range deeds {
		if w.opt.Skip[i] {
			continue
		}
		at := w.scene.start.Add(d.at)
		busy = maxTime(busy, at)
		w.loop.at(at, "deed", func() { w.do(d) })
	}
	end := busy.Add(100 * time.Minute)
	w.tick()
	w.deployments(end)
	w.loop.at(end.Add(-25*time.Minute), "more", w.goOn)
	w.loop.at(end, "calm", w.quieten)
	w.until(end)
	rest := maxTime(end.Add(afterwards), w.hooks.last.Add(restFor+2*time.Hour))
	for latest := rest.Add(atMost); rest.Before(latest) && w.until(rest).Before(w.lastWrite.Add(restFor)); {
		rest = minTime(w.lastWrite.Add(restFor), latest)
	}
	for n := 0; n < 10 && w.busy(); n++ { // something that is looked at now and then may be looked at just now
		w.until(w.loop.now.Add(time.Minute))
	}
	if w.scene.start.Month() != time.May && w.rates[DaylightChange] > 0 {
		w.happened(DaylightChange)
	}
	w.atRest()
}

// afterwards is how long nothing goes wrong before all has to be at rest, and longer where a webhook comes 72 hours late:
// long enough for what is looked at daily, with a tick that comes late.
const afterwards = 32 * time.Hour

// atMost is how much longer it may take until nothing is written any more.
const atMost = 30 * time.Hour

// until lets things happen until a time, and returns it.
func (w *world) until(end time.Time) time.Time {
	for {
		w.queue.deliver()
		w.deliverHooks()
		if w.scene.plant != nil {
			w.scene.plant(w)
		}
		if !w.step(end) {
			return end
		}
	}
}

// step lets one thing happen. Messages that wait for their time are things to come, too.
func (w *world) step(end time.Time) bool {
	next := end
	if at := w.queue.next(); !at.IsZero() && at.After(w.loop.now) && at.Before(next) {
		next = at
	}
	if at := w.hooks.next; !at.IsZero() && at.Before(next) {
		next = maxTime(at, w.loop.now.Add(time.Millisecond))
	}
	return w.loop.step(next) || next.Before(end)
}

// quieten ends all faults, and has people clear up what they left.
func (w *world) quieten() {
	w.calm = true
	w.trace.add("nothing goes wrong any more")
	for len(w.processes) > 2 && !w.processes[2].busy {
		w.processes[2].dead = true
		w.processes = slices.Delete(w.processes, 2, 3)
	}
	for _, co := range w.companies {
		w.setPeriods(co, "OPEN")
		w.settleAll(co)
	}
}

// settleAll has the banks tell what became of the payments that are under way. In a run in eight they never do.
func (w *world) settleAll(co *company) {
	x := &doer{w, w.people, co}
	for w.opt.Seed%8 != 1 {
		text, err := x.settle()
		if err != nil {
			panic("simulation: " + err.Error())
		}
		if text == "" {
			return
		}
		w.trace.add("%s: %s", co.id, text)
		w.touch(co)
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func percent(text string) *decimal.Decimal {
	d := decimal.RequireFromString(text)
	return &d
}
