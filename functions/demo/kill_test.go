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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/server"
)

// Environment variables that make TestKillsOfTheServer larger; make test-kill sets them.
const (
	killsVar    = "ARBRIDGE_KILLS"
	invoicesVar = "ARBRIDGE_KILL_INVOICES"
)

// stall is how long nothing happens before a kill of the server no longer waits for its moment.
const stall = 3 * time.Second

// killStage is the demo's business with arbridge as a process of its own, which is killed.
type killStage struct {
	*stage
	t      *testing.T
	tap    *pageTap
	binary string
	addr   string
	rng    *rand.Rand
	cmd    *exec.Cmd
	kills  int
	idle   int // kills that met no work
	starts []time.Duration
}

// TestKillsOfTheServer kills the real process, with kill -9 and at random moments, during a backfill and while customers look
// and pay; then it lets it finish. Nothing is lost and nothing doubled, to the cent, and little is done twice.
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
	s.phase("backfill", func() { s.backfill(ctx, kills*6/10) })
	s.phase("the rest of it", func() { s.finish(ctx) })
	s.phase("payments", func() { s.payments(ctx, kills-s.kills) })
	s.phase("the rest of them", func() {
		s.finish(ctx)
		s.finish(ctx) // what the last payments led to
	})
	s.end()
	slices.Sort(s.starts)
	t.Logf("start to first answer: %d ms in the middle, %d ms at most", s.starts[len(s.starts)/2].Milliseconds(), s.starts[len(s.starts)-1].Milliseconds())

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
	if !b.print(text) {
		t.Errorf("the two sides differ\n%s", text)
	}
	n := s.take(t, b, s.tap)
	n.store, n.kills, n.idle = "embedded", s.kills, s.idle
	t.Logf("\n%s", n)
	n.judge(t)
	if n.documents < invoices/2 || n.receipts < max(5, kills) {
		t.Errorf("only %d documents and %d receipts: the kills met no work", n.documents, n.receipts)
	}
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
	tap, url := tapPages(t, w)
	w.erpURL = url
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
	s := &killStage{
		stage: &stage{opt: Options{Dir: dir, Out: t.Output(), Logger: log}, world: w, config: file, progress: newProgress(t.Output())},
		t:     t, tap: tap, binary: binary, addr: addr, rng: rand.New(rand.NewPCG(seed, 1)),
	}
	t.Cleanup(func() {
		if s.cmd != nil { // the test was given up
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

// phase tells how long a part took.
func (s *killStage) phase(name string, do func()) {
	s.t.Helper()
	began := clock.System{}.Now()
	do()
	s.t.Logf("%s: %d s, %d kills so far", name, int((clock.System{}).Now().Sub(began).Seconds()), s.kills)
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
	began := clock.System{}.Now()
	if err := errors.Join(s.cmd.Start(), out.Close()); err != nil {
		s.t.Fatal(err)
	}
	for range 6000 {
		res, err := http.Get("http://" + s.addr + "/healthz")
		if err == nil {
			_ = res.Body.Close()
			s.starts = append(s.starts, clock.System{}.Now().Sub(began))
			return
		}
		if err := (clock.System{}).Sleep(ctx, 5*time.Millisecond); err != nil {
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

// kill waits for its moment, or until nothing happens any more, and a little longer; then it ends the server without a warning.
func (s *killStage) kill(ctx context.Context, now func() bool) {
	s.t.Helper()
	if !s.world.await(ctx, s.t, stall, now) {
		s.idle++
	}
	if err := (clock.System{}).Sleep(ctx, time.Duration(s.rng.IntN(20_000))*time.Microsecond); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("the server ended by itself: %v\n%s", err, s.log())
	}
	_ = s.cmd.Wait() // killed
	s.cmd, s.kills = nil, s.kills+1
	s.tap.kill()
}

// await returns when the moment has come, or with false when the vendors were not called for as long as quiet.
func (w *world) await(ctx context.Context, t *testing.T, quiet time.Duration, now func() bool) bool {
	t.Helper()
	last, since := made{}, clock.System{}.Now()
	for !now() {
		n, at := w.calls(), clock.System{}.Now()
		if n != last {
			last, since = n, at
		}
		if at.Sub(since) > quiet {
			return false
		}
		if err := (clock.System{}).Sleep(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	return true
}

// backfill kills the server at random moments between the first document and the last, while customers look at what is there.
// Every other time it is when pages were asked for, as long as there are any.
func (s *killStage) backfill(ctx context.Context, kills int) {
	s.t.Helper()
	all := s.world.posted() * 9 / 10 // some wait for what the others bring, or have a reason to stay
	var shown []debt
	for k := range kills {
		s.start(ctx)
		if k%10 == 5 {
			groups, err := s.world.debts()
			if err != nil {
				s.t.Fatal(err)
			}
			shown = slices.Concat(groups...)
		}
		looked := s.beside(func() error { return s.world.browse(shown, k) })
		documents := (k*1000 + s.rng.IntN(1000)) * all / kills / 1000
		pages, _ := s.tap.counts()
		pages += 1 + s.rng.IntN(3)
		s.kill(ctx, func() bool {
			read, _ := s.tap.counts()
			return k%2 == 0 && read >= pages || s.world.written() >= documents
		})
		looked()
	}
	s.start(ctx)
}

// payments kills the server while customers pay and their webhooks come.
func (s *killStage) payments(ctx context.Context, kills int) {
	s.t.Helper()
	if _, err := s.world.portal.SetChaos(invoicedsim.Chaos{Account: "ca", Step: "twice", DuplicatePercent: 100}); err != nil {
		s.t.Fatal(err)
	}
	portions, err := s.world.portions(kills)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, groups := range portions {
		if k > 0 {
			s.start(ctx)
		}
		until := s.world.entered() + 1 + s.rng.IntN(2*len(groups))
		paid := s.beside(func() error { return s.world.payPortion(groups, k) })
		s.kill(ctx, func() bool { return s.world.entered() >= until })
		paid()
	}
	s.start(ctx)
}

// beside does something while the server runs and is killed; what it returns waits for its end.
func (s *killStage) beside(do func() error) func() {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return func() {
		s.t.Helper()
		if err := <-done; err != nil {
			s.t.Fatal(err)
		}
	}
}

// finish lets the server do what is left, and moves its clock over the pauses that lost answers lead to.
func (s *killStage) finish(ctx context.Context) {
	s.t.Helper()
	for quiet := 0; quiet < 8; {
		before := s.world.calls()
		s.tell("/_test/clock/advance", `{"duration":"3m"}`)
		s.tell("/tick", "")
		for idle := 0; idle < 4; {
			was := s.world.calls()
			if err := (clock.System{}).Sleep(ctx, 150*time.Millisecond); err != nil {
				s.t.Fatal(err)
			}
			if idle++; s.world.calls() != was {
				idle = 0
			}
		}
		if quiet++; s.world.calls().writes != before.writes {
			quiet = 0
		}
	}
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
	s.cmd = nil
}

func (s *killStage) loaded() *config.Config {
	s.t.Helper()
	cfg, err := config.Load(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}
