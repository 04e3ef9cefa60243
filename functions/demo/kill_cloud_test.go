package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/localcloud"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// Environment variables that make TestKillsOnFirestore larger; make test-kill sets them.
const (
	cloudKillsVar    = "ARBRIDGE_KILLS_FIRESTORE"
	cloudInvoicesVar = "ARBRIDGE_KILL_FIRESTORE_INVOICES"
)

// again is how long nothing happens before a kill no longer waits for its moment: longer than Pub/Sub waits before it sends a
// message again that the last kill met.
const again = 20 * time.Second

// cloudKills is the demo's business on Google Cloud's own emulators, with services that are killed.
type cloudKills struct {
	*cloudStage
	tap   *pageTap
	rng   *rand.Rand
	kills map[string]int // by service
	idle  int            // kills that met no work
}

// TestKillsOnFirestore kills the services as they run on Google Cloud, each a process of its own on Firestore and Pub/Sub, with
// SIGKILL and at random moments, during a backfill and while customers look and pay; then it lets them finish. Nothing is lost
// and nothing doubled, to the cent, and little is done twice.
func TestKillsOnFirestore(t *testing.T) {
	kills, invoices := number(t, cloudKillsVar, 3), number(t, cloudInvoicesVar, 120)
	s := newCloudKills(t, invoices)
	ctx, stop := context.WithCancel(t.Context())
	vendors := make(chan error, 1)
	go func() { vendors <- s.world.run(ctx) }()
	defer func() {
		stop()
		if err := <-vendors; err != nil {
			t.Error(err)
		}
	}()
	s.cloud.Deploy(s.config)
	began := clock.System{}.Now()
	told := func(what string) {
		t.Logf("%s: %d s, kills %v so far", what, int(clock.System{}.Now().Sub(began).Seconds()), s.kills)
	}
	first := (kills + 1) / 2
	s.backfill(ctx, first)
	told("backfill")
	s.finish(ctx)
	told("the rest of it")
	s.payments(ctx, kills-first)
	told("payments")
	s.finish(ctx)
	told("the rest of them")
	s.cloud.Stop()

	b, err := s.compare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	if !b.print(text) {
		t.Errorf("the two sides differ\n%s", text)
	}
	dead, err := s.cloud.DeadLetters(ctx)
	if err != nil || len(dead) > 0 {
		t.Errorf("dead letters: %v, %v", dead, err)
	}
	n := s.take(t, b, s.tap)
	n.store, n.kills, n.idle = "Firestore", kills, s.idle
	t.Logf("\n%s", n)
	n.judge(t)
	if n.documents < invoices/2 || n.receipts < max(5, kills) {
		t.Errorf("only %d documents and %d receipts: the kills met no work", n.documents, n.receipts)
	}
}

func newCloudKills(t *testing.T, invoices int) *cloudKills {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &cloudKills{cloudStage: newCloudStage(t, localcloud.Start(t)), rng: rand.New(rand.NewPCG(seed, 1)), kills: map[string]int{}}
	if err := s.bill(0, invoices-s.world.posted()); err != nil {
		t.Fatal(err)
	}
	var url string
	s.tap, url = tapPages(t, s.world)
	s.config = strings.ReplaceAll(s.config, s.world.erpURL, url)
	return s
}

// kill waits for the moment, or until nothing happens any more, and a little longer; then it kills the service.
func (s *cloudKills) kill(ctx context.Context, service string, now func() bool) {
	s.t.Helper()
	moment := s.world.await(ctx, s.t, again, now)
	if !moment { // perhaps the last kill came between a page and its messages: the sweep finds what is due
		if _, err := s.later(ctx, 3*time.Minute, false); err != nil {
			s.t.Fatal(err)
		}
		if err := s.cloud.Tick(ctx); err != nil {
			s.t.Fatal(err)
		}
		moment = s.world.await(ctx, s.t, again, now)
	}
	if !moment {
		s.idle++
		pages, _ := s.tap.counts()
		s.t.Logf("nothing happens any more before %s is killed: %d pages read, %d documents written, %d receipts\n%s", service, pages, s.world.written(), s.world.entered(), s.unfinished(ctx))
	}
	if err := (clock.System{}).Sleep(ctx, time.Duration(s.rng.IntN(40_000))*time.Microsecond); err != nil {
		s.t.Fatal(err)
	}
	between := func() error {
		s.tap.kill()
		if service == "poll" {
			return s.endPolls(ctx)
		}
		return nil
	}
	if err := s.cloud.Service(service).Kill(between); err != nil {
		s.t.Fatalf("killing %s: %v", service, err)
	}
	s.kills[service]++
}

// backfill kills services between the first document and the last.
func (s *cloudKills) backfill(ctx context.Context, kills int) {
	s.t.Helper()
	all := s.world.posted() * 9 / 10 // some wait for what the others bring, or have a reason to stay
	for k := range kills {
		if err := s.cloud.Tick(ctx); err != nil {
			s.t.Fatal(err)
		}
		pages, _ := s.tap.counts()
		pages += 1 + s.rng.IntN(3)
		documents := (k*1000 + s.rng.IntN(1000)) * all / kills / 1000
		service := []string{"poll", "sync"}[k%2]
		s.kill(ctx, service, func() bool {
			read, _ := s.tap.counts()
			return service == "poll" && read >= pages || s.world.written() >= documents
		})
	}
}

// payments kills services while customers pay and their webhooks come.
func (s *cloudKills) payments(ctx context.Context, kills int) {
	s.t.Helper()
	portions, err := s.world.portions(max(1, kills))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, groups := range portions[:kills] {
		done := make(chan error, 1)
		began := s.world.calls().all
		until := s.world.entered() + 1 + s.rng.IntN(2*len(groups))
		go func() { done <- s.world.payPortion(groups, k) }()
		service := []string{"receipt", "webhook", "receipt", "sync", "poll"}[k%5]
		if service == "poll" {
			if err := s.cloud.Tick(ctx); err != nil {
				s.t.Fatal(err)
			}
		}
		s.kill(ctx, service, func() bool {
			if service != "receipt" {
				return s.world.calls().all > began
			}
			return s.world.entered() >= until
		})
		if err := <-done; err != nil {
			s.t.Fatal(err)
		}
	}
}

// finish lets the services do what is left. What they would wait for is moved nearer instead: they have no clock to move.
func (s *cloudKills) finish(ctx context.Context) {
	s.t.Helper()
	began := clock.System{}.Now()
	rounds := ""
	for quiet := 0; quiet < 2; quiet++ {
		if (clock.System{}).Now().Sub(began) > 10*time.Minute {
			s.t.Fatalf("no end\n%s\n%s\nthe services' logs end with\n%s", rounds, s.unfinished(ctx), s.logs())
		}
		before := s.world.calls().writes
		if err := s.cloud.Tick(ctx); err != nil {
			s.t.Fatal(err)
		}
		s.still(ctx)
		agree := s.agrees(ctx)
		left, err := s.later(ctx, 3*time.Minute, !agree)
		if err != nil {
			s.t.Fatal(err)
		}
		wrote := s.world.calls().writes - before
		rounds += fmt.Sprintf("after %d s: %d left, %d written, the money agrees: %t\n", int(clock.System{}.Now().Sub(began).Seconds()), left, wrote, agree)
		if left > 0 || wrote > 0 || !agree {
			quiet = -1
		}
	}
}

// still returns when the services are asked nothing for a while.
func (s *cloudKills) still(ctx context.Context) {
	s.t.Helper()
	for idle := 0; idle < 5; idle++ {
		was := s.cloud.Count.Snapshot().Requests
		if err := (clock.System{}).Sleep(ctx, 300*time.Millisecond); err != nil {
			s.t.Fatal(err)
		}
		if s.cloud.Serving() > 0 || s.cloud.Count.Snapshot().Requests != was {
			idle = -1
		}
	}
}

// agrees tells whether both sides have the same money: a webhook that got lost is missing until the events are read.
func (s *cloudKills) agrees(ctx context.Context) bool {
	s.t.Helper()
	b, err := s.compare(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(b.lostDocuments())+len(b.lostMoney()) == 0 && !slices.ContainsFunc(sortedKeys(b.at), func(k string) bool {
		return !b.at[k].documents().IsZero() || !b.at[k].cash().IsZero()
	})
}

// unfinished names the records and effects that something is to be done about within a day.
func (s *cloudKills) unfinished(ctx context.Context) string {
	text := ""
	day := store.At(clock.System{}.Now().AddDate(0, 0, 1)).Text()
	records, err := store.Table[record.Record]{Store: s.platform.Store, Collection: store.Records}.Query(ctx, store.Query{OrderBy: "due_at", UpTo: day, Limit: 100})
	for _, r := range records {
		text += fmt.Sprintf("%s: %s, waits for %q, due %s, leased until %s\n", r.ID, r.Value.Status, r.Value.WaitsFor, r.Value.DueAt.Text(), r.Value.LeaseUntil.Text())
	}
	errs := []error{err}
	for _, state := range []journal.State{journal.Started, journal.Unknown} {
		effects, err := store.Table[journal.Entry]{Store: s.platform.Store, Collection: store.Journal}.Query(ctx, store.Query{
			Equal: []store.Equal{{Field: "state", Value: string(state)}}, OrderBy: "check_at", UpTo: day, Limit: 100,
		})
		for _, e := range effects {
			text += fmt.Sprintf("%s: %s, to be checked %s\n", e.ID, e.Value.State, e.Value.CheckAt.Text())
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		text += err.Error()
	}
	return text
}

// endPolls does what ten minutes do: it ends the leases of the polls that were killed.
func (s *cloudKills) endPolls(ctx context.Context) error {
	ids := make([]string, len(s.world.branches))
	for i, c := range s.world.branches {
		ids[i] = store.ID(c.id, "poll")
	}
	return s.end(ctx, time.Hour, ids...)
}

// end moves the ends of leases.
func (s *cloudKills) end(ctx context.Context, d time.Duration, ids ...string) error {
	table := store.Table[record.Lease]{Store: s.platform.Store, Collection: store.Leases}
	rows, err := table.GetAll(ctx, ids)
	if err != nil {
		return err
	}
	_, err = change(ctx, table, rows, func(l *record.Lease) bool {
		nearer(d, &l.Until)
		return false
	})
	return err
}

func nearer(d time.Duration, times ...*store.Time) {
	for _, at := range times {
		if !at.IsZero() {
			*at = store.At(at.Add(-d))
		}
	}
}

// later does what the passing of time does while nobody works: what is waited for comes nearer. It returns how much that is.
// With events the next tick reads those again that the portal has.
func (s *cloudKills) later(ctx context.Context, d time.Duration, events bool) (int, error) {
	var leases, cursors []string
	for _, c := range s.world.branches {
		if events {
			cursors = append(cursors, store.ID(c.id, "events"))
		}
		l, err := s.world.portal.Ledger(c.id)
		if err != nil {
			return 0, err
		}
		for _, x := range l.Customers {
			leases = append(leases, store.ID(c.id, "receipts", x.Number))
		}
	}
	errs := []error{s.endPolls(ctx), s.end(ctx, d, leases...)}
	table := store.Table[record.Cursor]{Store: s.platform.Store, Collection: store.Cursors}
	rows, err := table.GetAll(ctx, cursors)
	_, failed := change(ctx, table, rows, func(c *record.Cursor) bool {
		nearer(d, &c.UpdatedAt)
		return false
	})
	left, undone := s.sooner(ctx, d)
	return left, errors.Join(append(errs, err, failed, undone)...)
}

// sooner is later for records, effects and events.
func (s *cloudKills) sooner(ctx context.Context, d time.Duration) (int, error) {
	horizon := store.At(clock.System{}.Now().Add(30 * time.Minute)).Text()
	soon := func(equal ...store.Equal) store.Query {
		return store.Query{Equal: equal, OrderBy: "due_at", UpTo: horizon, Limit: 1000}
	}
	left := 0
	var errs []error
	also := func(n int, err error) { left, errs = left+n, append(errs, err) }
	db := s.platform.Store
	records := store.Table[record.Record]{Store: db, Collection: store.Records}
	due, err := records.Query(ctx, soon())
	due = slices.DeleteFunc(due, func(r store.Row[record.Record]) bool { return rests(r.Value) })
	also(change(ctx, records, due, func(r *record.Record) bool {
		nearer(d, &r.DueAt, &r.LeaseUntil)
		return true
	}))
	inbox := store.Table[record.Inbox]{Store: db, Collection: store.Inbox}
	events, failed := inbox.Query(ctx, soon(store.Equal{Field: "state", Value: record.InboxNew}))
	also(change(ctx, inbox, events, func(in *record.Inbox) bool {
		nearer(d, &in.DueAt)
		return true
	}))
	effects := store.Table[journal.Entry]{Store: db, Collection: store.Journal}
	for _, state := range []journal.State{journal.Started, journal.Unknown} {
		open, err := effects.Query(ctx, store.Query{Equal: []store.Equal{{Field: "state", Value: string(state)}}, OrderBy: "check_at", Limit: 1000})
		also(change(ctx, effects, open, func(e *journal.Entry) bool {
			nearer(d, &e.StartedAt, &e.CheckAt)
			return true
		}))
		errs = append(errs, err)
	}
	return left, errors.Join(append(errs, err, failed)...)
}

// rests tells that nothing is to be done before somebody outside acts or a fixed time comes: a file is looked at again one day
// after the noon of its invoice's posting, whatever time it is then, and moving that nearer moves nothing.
func rests(r record.Record) bool {
	switch {
	case r.Status == record.Waiting:
		return r.WaitsFor == "" || r.Kind == billing.KindDocument
	case r.Status == record.Synced && r.Kind == billing.KindDocument:
		return r.DueAt.Sub(clock.System{}.Now()) > time.Minute
	}
	return false
}

// change changes rows, unless somebody else just did, and counts where do says so.
func change[T any](ctx context.Context, table store.Table[T], rows []store.Row[T], do func(*T) bool) (int, error) {
	n := 0
	for i := range rows {
		if do(&rows[i].Value) {
			n++
		}
		if _, err := table.Update(ctx, rows[i].ID, rows[i].Value, rows[i].Version); err != nil && !errors.Is(err, store.ErrConflict) {
			return n, err
		}
	}
	return n, nil
}
