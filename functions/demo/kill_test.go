package demo

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/server"
)

// Environment variables that make TestKillsOfTheServer larger; make test-kill sets them.
const (
	killsVar    = "ARBRIDGE_KILLS"
	invoicesVar = "ARBRIDGE_KILL_INVOICES"
)

// killStage is the demo's business with arbridge as a process of its own, which is killed.
type killStage struct {
	*stage
	t      *testing.T
	binary string
	addr   string
	rng    *rand.Rand
	cmd    *exec.Cmd
	kills  int
}

// TestKillsOfTheServer kills the real process, with kill -9 and at random moments, during a backfill and while customers look
// and pay; then it lets it finish. Nothing is lost and nothing doubled, to the cent.
func TestKillsOfTheServer(t *testing.T) {
	kills, invoices := number(t, killsVar, 8), number(t, invoicesVar, 160)
	s := newKillStage(t, invoices)
	ctx, stop := context.WithCancel(t.Context())
	vendors := make(chan error, 1)
	go func() { vendors <- s.world.run(ctx) }()
	defer func() {
		stop()
		if err := <-vendors; err != nil {
			t.Error(err)
		}
	}()
	s.killWhile(ctx, kills*6/10, func(ctx context.Context) error { return s.browse(ctx) })
	s.finish(ctx)
	s.killWhile(ctx, kills-s.kills, s.pay)
	s.finish(ctx)
	s.finish(ctx) // what the last payments led to
	s.end()

	p, err := platform.Open(t.Context(), s.loaded(), platform.Options{DataDir: s.opt.Dir, Clock: clock.System{}, Logger: s.opt.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	s.platform = p
	b, err := s.compare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	agree := b.print(text)
	lost, doubled := s.countLoss(b)
	if !agree || lost+doubled > 0 {
		t.Errorf("%d lost, %d doubled\n%s", lost, doubled, text)
	}
	erp, portal := s.world.erp.Calls().Counts(), s.world.portal.Calls.Counts()
	documents, receipts := 0, 0
	for _, k := range b.at {
		documents, receipts = documents+k.inPortal, receipts+k.count
	}
	if documents < invoices/2 || receipts < 5 {
		t.Errorf("only %d documents and %d receipts: the kills met no work", documents, receipts)
	}
	t.Logf("kill table: %d kills -> %d lost, %d doubled; %d documents by %d creating calls, %d receipts by %d calls that write; %d invoice pages of %d documents were read",
		s.kills, lost, doubled, documents, portal["POST /invoices"]+portal["POST /credit_notes"], receipts, writes(erp), s.pages(), invoices)
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: a whole number above 0 is needed", name, text)
	}
	return n
}

func newKillStage(t *testing.T, invoices int) *killStage {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	first := clock.System{}.Now().Truncate(24*time.Hour).AddDate(0, 0, -89)
	w, err := openWorld(dir, clock.System{}, log, "http://"+addr, business.Options{Seed: 1, Start: first, Customers: 80, Invoices: invoices})
	if err != nil {
		t.Fatal(err)
	}
	file, err := w.writeConfig(dir, first.Format(time.DateOnly), Options{NoFiles: invoices > 1000})
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "arbridge")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/arbridge/arbridge/functions/arbridge").CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &killStage{
		stage: &stage{opt: Options{Dir: dir, Out: t.Output(), Logger: log}, world: w, config: file, progress: newProgress(t.Output())},
		t:     t, binary: binary, addr: addr, rng: rand.New(rand.NewPCG(seed, 1)),
	}
}

// start starts the server and returns when it answers.
func (s *killStage) start(ctx context.Context) {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "serve", "--config", s.config, "--data", s.opt.Dir, "--addr", s.addr, "--test-clock", "--log", "json")
	out, err := os.OpenFile(filepath.Join(s.opt.Dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stderr = out
	if err := errors.Join(s.cmd.Start(), out.Close()); err != nil {
		s.t.Fatal(err)
	}
	for range 3000 {
		res, err := http.Get("http://" + s.addr + "/healthz")
		if err == nil {
			_ = res.Body.Close()
			return
		}
		if err := (clock.System{}).Sleep(ctx, 10*time.Millisecond); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Fatalf("the server does not answer: %s", s.log())
}

func (s *killStage) log() string {
	text, err := os.ReadFile(filepath.Join(s.opt.Dir, "serve.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4<<10):])
}

// killWhile kills the server so many times while others act; it is running at the end.
func (s *killStage) killWhile(ctx context.Context, kills int, act func(context.Context) error) {
	s.t.Helper()
	acting, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- act(acting) }()
	for range kills {
		if s.cmd == nil {
			s.start(ctx)
		}
		if err := (clock.System{}).Sleep(ctx, time.Duration(30+s.rng.IntN(1200))*time.Millisecond); err != nil {
			s.t.Fatal(err)
		}
		if err := s.cmd.Process.Kill(); err != nil {
			s.t.Fatalf("the server ended by itself: %v\n%s", err, s.log())
		}
		_ = s.cmd.Wait() // killed
		s.cmd, s.kills = nil, s.kills+1
	}
	if s.cmd == nil {
		s.start(ctx)
	}
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
	if err := act(ctx); err != nil { // what was cut short; done steps are not done again
		s.t.Fatal(err)
	}
}

// browse lets customers look at what is in the portal, so that webhooks come while documents go over.
func (s *killStage) browse(ctx context.Context) error {
	for n := range 40 {
		groups, err := s.world.debts()
		if err != nil {
			return err
		}
		if len(groups) > 0 {
			if err := s.world.look(groups[n%len(groups)][0], n); err != nil {
				return err
			}
		}
		if err := (clock.System{}).Sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// finish lets the server do what is left, and moves its clock over the pauses that lost answers lead to.
func (s *killStage) finish(ctx context.Context) {
	s.t.Helper()
	for quiet := 0; quiet < 8; {
		before := s.calls()
		s.tell("/_test/clock/advance", `{"duration":"3m"}`)
		s.tell("/tick", "")
		for idle := 0; idle < 4; {
			was := s.calls()
			if err := (clock.System{}).Sleep(ctx, 150*time.Millisecond); err != nil {
				s.t.Fatal(err)
			}
			if idle++; s.calls() != was {
				idle = 0
			}
		}
		if quiet++; s.calls().writes != before.writes {
			quiet = 0
		}
	}
}

// made are the calls that the vendors took.
type made struct{ all, writes int }

func (s *killStage) calls() made {
	erp, portal := s.world.erp.Calls().Counts(), s.world.portal.Calls.Counts()
	n := made{all: total(erp) + total(portal), writes: writes(erp)}
	for label, c := range portal {
		if !strings.HasPrefix(label, "GET") {
			n.writes += c
		}
	}
	return n
}

func (s *killStage) tell(path, body string) {
	s.t.Helper()
	token, err := server.LoadToken(s.opt.Dir, server.Operator)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, s.log())
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: status %d", path, res.StatusCode)
	}
}

// end ends the server in order.
func (s *killStage) end() {
	s.t.Helper()
	p := &process{s.cmd}
	if err := p.end(); err != nil {
		s.t.Errorf("ending the server: %v\n%s", err, s.log())
	}
}

func (s *killStage) loaded() *config.Config {
	s.t.Helper()
	cfg, err := config.Load(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// countLoss counts documents and receipts that are missing or there twice, by the vendors' own books.
func (s *killStage) countLoss(b *books) (lost, doubled int) {
	seen := map[string]int{}
	for id, l := range b.portals {
		for _, d := range l.Invoices {
			if d.Status != "voided" {
				seen["invoice "+id+" "+d.Number]++
			}
		}
		for _, d := range l.CreditNotes {
			if d.Status != "voided" {
				seen["credit note "+id+" "+d.Number]++
			}
		}
	}
	for _, l := range b.erp.Books {
		for _, r := range l.Receipts {
			if strings.HasPrefix(r.Reference, "IVD-") {
				seen["receipt "+l.CompanyNo+" "+r.Reference]++
			}
		}
	}
	for what, n := range seen {
		if n > 1 {
			doubled++
			s.t.Errorf("%s is there %d times", what, n)
		}
	}
	for _, r := range b.records {
		if !r.Settled() && !r.DueAt.IsZero() && r.DueAt.Before(clock.System{}.Now()) {
			lost++
			s.t.Errorf("%s is still %s: %s", r.ID(), r.Status, r.Summary)
		}
	}
	return lost, doubled
}

// pages counts the lists of invoices that Q360 was asked for; every poll reads at least one for each company.
func (s *killStage) pages() int { return s.world.erp.Calls().Counts()["POST /api/Record/INVOICE list"] }
