package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/server"
)

// world is the two vendors, each on its own loopback port, with state that outlives the process.
type world struct {
	erp       *q360sim.Server
	portal    *invoicedsim.Server
	erpURL    string
	portalURL string
	erpLis    net.Listener
	portalLis net.Listener
	business  *business.Business
	clock     clock.Clock
	branches  []branch
	story     bool // the business has companies and settings that show every feature
	looser    bool // the pilot's rule was loosened
}

// openWorld opens the vendors' state in dir and seeds the business the first time. hook is the address that webhooks go to.
func openWorld(dir string, clk clock.Clock, log *slog.Logger, hook string, opt business.Options) (*world, error) {
	w := &world{clock: clk, branches: branches, story: opt.Companies > len(branches)}
	if w.story {
		w.branches = append(w.branches[:len(branches):len(branches)], pilots...)
	}
	site, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, fmt.Errorf("time zones: %w", err)
	}
	w.erp, err = q360sim.New(q360sim.Config{
		StatePath: filepath.Join(dir, "q360.state"), Clock: clk, Location: site, Logger: log,
		Users: []q360sim.User{{Name: erpUser, Password: erpPassword, Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}},
	})
	if err != nil {
		return nil, err
	}
	w.business = business.Generate(opt)
	if err := w.business.Load(w.erp); err != nil {
		return nil, err
	}
	if w.erpLis, err = listen(dir, "q360"); err != nil {
		return nil, err
	}
	if w.portalLis, err = listen(dir, "invoiced"); err != nil {
		return nil, err
	}
	w.erpURL, w.portalURL = "http://"+w.erpLis.Addr().String(), "http://"+w.portalLis.Addr().String()
	accounts, err := w.accounts(hook)
	if err != nil {
		return nil, err
	}
	w.portal, err = invoicedsim.New(invoicedsim.Config{
		StatePath: filepath.Join(dir, "invoiced.state"), PublicURL: w.portalURL, Clock: clk, Logger: log, Accounts: accounts,
	})
	return w, err
}

func (w *world) accounts(hook string) ([]invoicedsim.Account, error) {
	var out []invoicedsim.Account
	for _, b := range w.branches {
		zone, err := time.LoadLocation(b.zone)
		if err != nil {
			return nil, fmt.Errorf("time zones: %w", err)
		}
		out = append(out, invoicedsim.Account{
			Name: b.id, Location: zone, Currency: b.currency, APIKeys: []invoicedsim.Key{{Value: apiKey(b.id)}},
			WebhookURL: hook + "/webhook/" + b.id, WebhookSecret: hookSecret(b.id),
		})
	}
	return out, nil
}

// listen takes the loopback port that this folder used before, so that links in records go on working, or a free one.
func listen(dir, name string) (net.Listener, error) {
	file := filepath.Join(dir, name+".addr")
	if old, err := os.ReadFile(file); err == nil {
		if l, err := net.Listen("tcp", strings.TrimSpace(string(old))); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, os.WriteFile(file, []byte(l.Addr().String()), 0o600)
}

// run serves both vendors until ctx ends.
func (w *world) run(ctx context.Context) error {
	done := make(chan error, 3)
	go func() { done <- server.ServeListener(ctx, w.erpLis, w.erp.Handler()) }()
	go func() { done <- server.ServeListener(ctx, w.portalLis, w.portal.Handler()) }()
	go func() { done <- w.portal.Run(ctx) }()
	var errs []error
	for range cap(done) {
		if err := <-done; !errors.Is(err, context.Canceled) { // told to end
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, w.erp.Close(), w.portal.Close())...)
}
