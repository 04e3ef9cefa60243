package platform

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/settings"
)

// patience bounds how long a test waits for something that happens at once unless it is broken.
const patience = 30 * time.Second

// gate stands before a vendor and sees how many calls are there at a time.
type gate struct {
	next http.Handler

	mu        sync.Mutex
	closed    chan struct{} // calls wait until it is closed; nil: they do not
	now, most int
	calls     int
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.calls++
	g.now++
	g.most = max(g.most, g.now)
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
	g.next.ServeHTTP(w, r)
	g.mu.Lock()
	g.now--
	g.mu.Unlock()
}

// shut makes the calls to come wait until open is called.
func (g *gate) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.most, g.calls = make(chan struct{}), 0, 0
	closed := g.closed
	return func() { close(closed) }
}

func (g *gate) seen() (now, most, calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now, g.most, g.calls
}

// vendors are both sandboxes on loopback, and a configuration of one company that uses them.
type vendors struct {
	q360, invoiced gate
	config         *config.Config
	clock          *enginetest.Clock
}

func newVendors(t *testing.T) *vendors {
	t.Helper()
	v := &vendors{clock: enginetest.NewClock(enginetest.Start())}
	log, dir := slog.New(slog.DiscardHandler), t.TempDir()
	erp, err := q360sim.New(q360sim.Config{Clock: v.clock, Logger: log,
		Users: []q360sim.User{{Name: "API", Password: "sandbox-only", Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	portal, err := invoicedsim.New(invoicedsim.Config{Clock: v.clock, Logger: log, Accounts: []invoicedsim.Account{
		{Name: "us", Location: time.UTC, Currency: "USD", APIKeys: []invoicedsim.Key{{Value: "key-sandbox-only"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	v.q360.next, v.invoiced.next = erp.Handler(), portal.Handler()
	text := fmt.Sprintf(`secrets: {dir: .}
companies:
  - id: us
    q360: {base_url: %q, credentials_secret: q360}
    invoiced: {base_url: %q, api_key_secret: invoiced, webhook_secret: hook}
    settings:
      company: {mode: live, q360_company: "01", time_zone: UTC, currency: USD}
      qualify.start_date: 2026-01-01
      payments.mode: "off"
      fees.strategy: exclude
`, serve(t, &v.q360), serve(t, &v.invoiced))
	for name, content := range map[string]string{"config.yaml": text, "q360": `{"user":"API","password":"sandbox-only"}`, "invoiced": "key-sandbox-only", "hook": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v.config, err = config.Load(filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	return v
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// company is the company as the platform makes it from its settings.
func (v *vendors) company(t *testing.T, change func(set *settings.Company)) *engine.Company {
	t.Helper()
	change(&v.config.Companies[0].Settings)
	opt := Options{DataDir: t.TempDir(), Clock: v.clock, Logger: slog.New(slog.DiscardHandler)}
	p, err := Open(t.Context(), v.config, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := p.company(v.config.Companies[0], opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// askQ360 and askInvoiced ask the vendor for something that is not there.
func askQ360(t *testing.T, ctx context.Context, c *engine.Company) {
	if _, err := c.ERP.Balance(ctx, "1"); connector.ClassOf(err) != connector.ClassNotFound {
		t.Errorf("balance of no invoice: %v", err)
	}
}

func askInvoiced(t *testing.T, ctx context.Context, c *engine.Company) {
	if _, err := c.Portal.Customer(ctx, "1"); connector.ClassOf(err) != connector.ClassNotFound {
		t.Errorf("no customer: %v", err)
	}
}

// TestParallelCallsAreLimited holds every call at the vendor until as many are there as the setting allows.
func TestParallelCallsAreLimited(t *testing.T) {
	for _, c := range []struct {
		name string
		gate func(*vendors) *gate
		ask  func(*testing.T, context.Context, *engine.Company)
		set  func(set *settings.Company, n int)
	}{
		{"Q360", func(v *vendors) *gate { return &v.q360 }, askQ360, func(set *settings.Company, n int) {
			set.Limits.Q360Parallel, set.Limits.Q360PerSecond = n, 100
		}},
		{"Invoiced", func(v *vendors) *gate { return &v.invoiced }, askInvoiced, func(set *settings.Company, n int) {
			set.Limits.InvoicedParallel, set.Limits.InvoicedPerSec = n, 100
		}},
	} {
		for _, limit := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s %d", c.name, limit), func(t *testing.T) {
				v := newVendors(t)
				company := v.company(t, func(set *settings.Company) { c.set(set, limit) })
				c.ask(t, t.Context(), company) // what is read once is read
				g := c.gate(v)
				open := g.shut()
				var calls sync.WaitGroup
				for range 12 {
					calls.Go(func() { c.ask(t, t.Context(), company) })
				}
				for start := time.Now(); ; time.Sleep(time.Millisecond) {
					if now, _, _ := g.seen(); now >= limit || time.Since(start) > patience {
						break
					}
				}
				open()
				calls.Wait()
				if _, most, _ := g.seen(); most != limit {
					t.Errorf("%d calls at a time, want %d", most, limit)
				}
			})
		}
	}
}

// TestCallsArePaced counts the time that passes on a clock that only pauses move.
func TestCallsArePaced(t *testing.T) {
	for _, c := range []struct {
		name string
		gate func(*vendors) *gate
		ask  func(*testing.T, context.Context, *engine.Company)
		set  func(set *settings.Company, n int)
	}{
		{"Q360", func(v *vendors) *gate { return &v.q360 }, askQ360, func(set *settings.Company, n int) { set.Limits.Q360PerSecond = n }},
		{"Invoiced", func(v *vendors) *gate { return &v.invoiced }, askInvoiced, func(set *settings.Company, n int) { set.Limits.InvoicedPerSec = n }},
	} {
		for _, rate := range []int{1, 10} {
			t.Run(fmt.Sprintf("%s %d", c.name, rate), func(t *testing.T) {
				v := newVendors(t)
				company := v.company(t, func(set *settings.Company) { c.set(set, rate) })
				for range 10 { // half a second's calls, or one, may go at once after a rest
					c.ask(t, t.Context(), company)
				}
				c.gate(v).shut()()
				start := v.clock.Now()
				for range 20 {
					c.ask(t, t.Context(), company)
				}
				_, _, calls := c.gate(v).seen()
				want := time.Duration(calls) * time.Second / time.Duration(rate)
				if took := v.clock.Now().Sub(start); calls < 20 || took < want-time.Millisecond || took > want+time.Millisecond {
					t.Errorf("%d calls took %s, want %s", calls, took, want)
				}
			})
		}
	}
}
