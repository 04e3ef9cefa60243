package demo

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
)

// TestMappingThatDoesNotFitStopsItsCompanyOnly gives one company a mapping with a column that the site does not have.
func TestMappingThatDoesNotFitStopsItsCompanyOnly(t *testing.T) {
	dir := t.TempDir()
	log, clk := slog.New(slog.DiscardHandler), clock.NewMovable(firstDay.AddDate(0, 0, 90))
	w, err := openWorld(dir, clk, log, "http://127.0.0.1:9", business.Options{Seed: 1, Start: firstDay, Customers: 40, Invoices: 80})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	path, err := w.writeConfig(dir, firstDay.Format(time.DateOnly), Options{Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(mapping.DefaultFile()), "freight: FREIGHT", "freight: CARRIAGE", 1)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), "credentials_secret: q360-api-user}", "credentials_secret: q360-api-user, mapping: bad.yaml}", 1)
	for name, content := range map[string]string{"bad.yaml": bad, "config.yaml": edited} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Open(ctx, cfg, platform.Options{DataDir: dir, Clock: clk, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	results, err := p.Engine.PollAll(ctx)
	if err == nil || !strings.Contains(err.Error(), "CARRIAGE") || !strings.Contains(err.Error(), "INVOICE") {
		t.Errorf("the refusal names neither table nor column: %v", err)
	}
	for _, r := range results {
		if refused := r.Company == branches[0].id; refused != (r.Skipped != "") || refused != (r.Read == 0) {
			t.Errorf("company %s: read %d, skipped %q", r.Company, r.Read, r.Skipped)
		}
	}
}
