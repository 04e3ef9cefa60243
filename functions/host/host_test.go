package host_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/config"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// patience bounds how long a test waits for something that happens at once unless it is broken.
const patience = time.Minute

// stillClock stands still until it is advanced, and knows who sleeps.
type stillClock struct {
	mu       sync.Mutex
	now      time.Time
	sleepers []*sleeper
}

type sleeper struct {
	pause time.Duration
	until time.Time
	woken chan struct{}
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep implements clock.Clock.
func (c *stillClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	c.mu.Lock()
	s := &sleeper{pause: d, until: c.now.Add(d), woken: make(chan struct{})}
	c.sleepers = append(c.sleepers, s)
	c.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-s.woken:
	}
	return ctx.Err()
}

// advance moves the clock and wakes those whose time has come.
func (c *stillClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.sleepers = slices.DeleteFunc(c.sleepers, func(s *sleeper) bool {
		due := !s.until.After(c.now)
		if due {
			close(s.woken)
		}
		return due
	})
}

// sleeping reports whether somebody sleeps for exactly that long from now on.
func (c *stillClock) sleeping(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.sleepers, func(s *sleeper) bool { return s.pause == d && s.until.Equal(c.now.Add(d)) })
}

// write makes a folder with a configuration of one company on two empty sandboxes.
func write(t *testing.T, clk *stillClock, deployment string) string {
	t.Helper()
	log, dir := slog.New(slog.DiscardHandler), t.TempDir()
	erp, err := q360sim.New(q360sim.Config{Clock: clk, Logger: log,
		Users: []q360sim.User{{Name: "API", Password: "sandbox-only", Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	portal, err := invoicedsim.New(invoicedsim.Config{Clock: clk, Logger: log, Accounts: []invoicedsim.Account{
		{Name: "us", Location: time.UTC, Currency: "USD", APIKeys: []invoicedsim.Key{{Value: "key-sandbox-only"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	q360, invoiced := httptest.NewServer(erp.Handler()), httptest.NewServer(portal.Handler())
	t.Cleanup(q360.Close)
	t.Cleanup(invoiced.Close)
	text := fmt.Sprintf(`deployment: {settings: {%s}}
secrets: {dir: .}
companies:
  - id: us
    q360: {base_url: %q, credentials_secret: q360}
    invoiced: {base_url: %q, api_key_secret: invoiced, webhook_secret: hook}
    settings:
      company: {mode: live, q360_company: "01", time_zone: UTC, currency: USD}
      qualify.start_date: 2026-01-01
      payments.mode: "off"
      fees.strategy: exclude
      limits: {q360_rps: 100, invoiced_rps: 100}
`, deployment, q360.URL, invoiced.URL)
	for name, content := range map[string]string{"config.yaml": text, "q360": `{"user":"API","password":"sandbox-only"}`, "invoiced": "key-sandbox-only", "hook": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

// start runs all functions until the test ends.
func start(t *testing.T, clk *stillClock, deployment string) *platform.Platform {
	t.Helper()
	cfg, err := config.Load(write(t, clk, deployment))
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Open(t.Context(), cfg, platform.Options{DataDir: t.TempDir(), Clock: clk, Logger: slog.New(slog.DiscardHandler), Announce: true})
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(p, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, p.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// waitFor looks until something that is about to happen has happened.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for start := time.Now(); !happened(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// TestPollsComeAtTheirInterval counts the polls of two hours.
func TestPollsComeAtTheirInterval(t *testing.T) {
	for setting, c := range map[string]struct {
		interval time.Duration
		polls    int
	}{
		"schedule.poll: 1m":  {time.Minute, 121},
		"schedule.poll: 20m": {20 * time.Minute, 7},
		"schedule.poll: 1h":  {time.Hour, 3},
	} {
		t.Run(setting, func(t *testing.T) {
			clk := &stillClock{now: time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC)}
			p := start(t, clk, setting)
			runs := store.Table[record.Run]{Store: p.Store, Collection: store.Runs}
			polls, end := 0, clk.Now().Add(2*time.Hour)
			for !clk.Now().After(end) {
				waitFor(t, "the pause before the next tick", func() bool { return clk.sleeping(c.interval) })
				waitFor(t, fmt.Sprintf("the poll of %s", clk.Now()), func() bool {
					run, _, err := runs.Get(t.Context(), store.ID("us", "poll"))
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						t.Fatal(err)
					}
					if run.Error != "" {
						t.Fatalf("poll: %s", run.Error)
					}
					return run.StartedAt.Equal(clk.Now()) && !run.EndedAt.IsZero()
				})
				polls++
				clk.advance(c.interval)
			}
			if polls != c.polls {
				t.Errorf("%d polls in two hours, want %d", polls, c.polls)
			}
		})
	}
}
