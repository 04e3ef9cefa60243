// Package demo runs arbridge against the two vendors' sandboxes with a made-up business, all in one process: to an end
// (make demo) or for ever (make run). The vendors' state, arbridge's data folder and the demo's clock outlive the
// process, so that it can be killed at any moment and continued.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
)

// The ends of a demo that did not come out as it must.
var (
	ErrDifferences = errors.New("the two sides differ")
	ErrNotShown    = errors.New("the demo does not show every feature")
)

// Options of a demo. Zero values take the defaults named.
type Options struct {
	Dir       string
	Out       io.Writer
	Logger    *slog.Logger
	Seed      uint64 // 1
	Customers int    // 80
	Invoices  int    // 600
	NoFiles   bool   // documents.attach off
	Faults    bool   // both vendors misbehave while the documents and the money go over
	Live      bool   // run for ever on the machine's clock instead of to an end on the demo's
	Tick      time.Duration
}

const doneFile = "done"

// Run runs the demo. It returns nil when both sides agree and every feature was seen, else ErrDifferences or ErrNotShown.
func Run(ctx context.Context, opt Options) error {
	if err := prepare(opt); err != nil {
		return err
	}
	for {
		if err := run(ctx, opt); !errors.Is(err, errAgain) {
			return err
		}
	}
}

func run(ctx context.Context, opt Options) error {
	clk, err := openClock(opt)
	if err != nil {
		return err
	}
	s, err := start(ctx, opt, clk)
	if err != nil {
		return err
	}
	if opt.Live {
		return s.during(ctx, s.live)
	}
	return s.during(ctx, s.toTheEnd, s.clock.keep)
}

// during runs both vendors, arbridge and what goes beside them while act does; then everything ends.
func (s *stage) during(ctx context.Context, act func(context.Context) error, beside ...func(context.Context) error) error {
	g, running := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(running)
	defer stop()
	serve := func(ctx context.Context) error { return s.host.Run(ctx, s.listener) }
	var ended atomic.Bool
	for _, part := range append(beside, s.world.run, serve) {
		g.Go(func() error {
			if err := part(running); !ended.Load() {
				return err
			}
			return nil // how fast the last requests went away is no part of the result
		})
	}
	g.Go(func() error {
		defer stop()
		defer ended.Store(true)
		return act(running)
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil // told to end
	}
	return errors.Join(err, s.platform.Close())
}

// prepare makes the folder; a demo that ended starts afresh, one that was interrupted goes on.
func prepare(opt Options) error {
	if _, err := os.Stat(filepath.Join(opt.Dir, doneFile)); err == nil && !opt.Live {
		if err := os.RemoveAll(opt.Dir); err != nil {
			return fmt.Errorf("clearing the last demo: %w", err)
		}
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// stage is everything that runs.
type stage struct {
	opt      Options
	world    *world
	platform *platform.Platform
	host     *host.Host
	listener net.Listener
	clock    *keptClock // nil when live
	config   string
	progress *progress
	polls    int // of all companies
}

// firstDay is the first day of the demo's 90 days of business; it ends on businessEnd and the demo's clock starts after.
var firstDay = time.Date(2026, time.February, 2, 0, 0, 0, 0, time.UTC)

func start(ctx context.Context, opt Options, clk clock.Clock) (*stage, error) {
	s := &stage{opt: opt, progress: newProgress(opt.Out)}
	s.clock, _ = clk.(*keptClock)
	l, err := listen(opt.Dir, "arbridge")
	if err != nil {
		return nil, err
	}
	s.listener = l
	first, err := seededDay(opt, clk)
	if err != nil {
		return nil, err
	}
	companies := len(branches)
	if !opt.NoFiles { // some of the story is about files
		companies += len(pilots)
	}
	s.world, err = openWorld(opt.Dir, clk, opt.Logger, "http://"+l.Addr().String(), business.Options{
		Seed: opt.Seed, Start: first, Customers: opt.Customers, Invoices: opt.Invoices, Companies: companies,
	})
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(opt.Dir, looserFile))
	s.world.looser = err == nil
	if s.config, err = s.world.writeConfig(opt.Dir, first.Format(time.DateOnly), opt); err != nil {
		return nil, err
	}
	cfg, err := config.Load(s.config)
	if err != nil {
		return nil, err
	}
	po := platform.Options{DataDir: opt.Dir, Clock: clk, Logger: opt.Logger, Announce: true}
	if s.platform, err = platform.Open(ctx, cfg, po); err != nil {
		return nil, err
	}
	ho := host.Options{Tick: opt.Tick, Workers: 8, TokenDir: opt.Dir}
	if !opt.Live {
		ho.Tick = -1 // the demo ticks itself, to know when all is quiet
	}
	s.host, err = host.New(s.platform, ho)
	return s, err
}

// seededDay is the first day of the business: fixed in a demo, 89 days before the first start when live.
func seededDay(opt Options, clk clock.Clock) (time.Time, error) {
	if !opt.Live {
		return firstDay, nil
	}
	file := filepath.Join(opt.Dir, "first-day")
	if old, err := os.ReadFile(file); err == nil {
		return time.Parse(time.DateOnly, strings.TrimSpace(string(old)))
	}
	now := clk.Now()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC).AddDate(0, 0, -89)
	return day, os.WriteFile(file, []byte(day.Format(time.DateOnly)), 0o600)
}
