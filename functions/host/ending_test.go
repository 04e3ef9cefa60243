package host_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/server"
)

// busy writes the configuration of a company whose vendors ask for patience whatever they are asked.
func busy(t *testing.T) string {
	t.Helper()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(vendor.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yaml": fmt.Sprintf(`secrets: {dir: .}
companies:
  - id: us
    q360: {base_url: %q, credentials_secret: q360}
    invoiced: {base_url: %q, api_key_secret: key, webhook_secret: hook}
    settings:
      company: {mode: live, q360_company: "01", time_zone: UTC, currency: USD}
      qualify.start_date: 2026-01-01
      payments.mode: "off"
      fees.strategy: exclude
`, vendor.URL, vendor.URL), "q360": `{"user":"API","password":"sandbox-only"}`, "key": "key-sandbox-only", "hook": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

// patient reports whether somebody waits for a vendor: longer than for a turn at our own pace, and not for the next tick.
func (c *stillClock) patient() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sleepers {
		if s.pause >= 20*time.Second && s.pause <= 30*time.Second {
			return true
		}
	}
	return false
}

// TestEndingWhileAVendorIsWaitedFor: told to end while a poll waits for a vendor, the process ends in order, whether the poll
// came from the clock or from an operator.
func TestEndingWhileAVendorIsWaitedFor(t *testing.T) {
	for name, opt := range map[string]host.Options{"a tick of the clock": {}, "an operator's tick": {Tick: -1}} {
		t.Run(name, func(t *testing.T) {
			clk := &stillClock{now: time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC)}
			cfg, err := config.Load(busy(t))
			if err != nil {
				t.Fatal(err)
			}
			opt.TokenDir = t.TempDir()
			p, err := platform.Open(t.Context(), cfg, platform.Options{DataDir: opt.TokenDir, Clock: clk, Logger: slog.New(slog.DiscardHandler), Announce: true})
			if err != nil {
				t.Fatal(err)
			}
			h, err := host.New(p, opt)
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
			answered := make(chan int, 1)
			if opt.Tick < 0 {
				go func() { answered <- tick(t, l.Addr().String(), opt.TokenDir) }()
			}
			waitFor(t, "a pause before the next call", clk.patient)
			stop()
			if err := <-done; err != nil {
				t.Errorf("the end: %v", err)
			}
			if opt.Tick < 0 {
				if status := <-answered; status != http.StatusBadGateway {
					t.Errorf("the operator is answered %d", status)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// tick asks a running server for a poll and returns the status, 0 for no answer.
func tick(t *testing.T, addr, dir string) int {
	token, err := server.LoadToken(dir, server.Operator)
	if err != nil {
		t.Error(err)
		return 0
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/tick", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
