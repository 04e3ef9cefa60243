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

// branch is one company of the demo business: its ERP code and its portal account.
type branch struct {
	id, code, currency, zone string
	banks                    map[string]string // currency to bank GL account
	settings                 string            // what makes this company different, as YAML
}

// branches are the companies of the demo (q360-api 5.5): each with another currency, another time zone and other settings.
var branches = []branch{
	{"us", "01", "USD", "America/New_York", map[string]string{"USD": "1010", "EUR": "1030", "GBP": "1040", "CAD": "1020"},
		"contacts.roles: [AP, AR]\n      invoices.lines_without_pdf: detail"},
	{"ca", "02", "CAD", "America/Toronto", map[string]string{"CAD": "1020", "USD": "1010"},
		"contacts.roles: [ALL]\n      invoices.lines_without_pdf: summary\n      fees.strategy: gl_line"},
	{"eu", "03", "EUR", "Europe/Dublin", map[string]string{"EUR": "1030", "GBP": "1040"},
		"contacts.roles: [AP]\n      invoices.variance: \"0.05\"\n      customers.address_source: main_site"},
}

const (
	erpUser     = "arbridge"
	erpPassword = "sandbox-only"
)

func apiKey(id string) string     { return "key-" + id + "-sandbox-only" }
func hookSecret(id string) string { return "hook-" + id + "-sandbox-only" }

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
}

// openWorld opens the vendors' state in dir and seeds the business the first time. hook is the address that webhooks go to.
func openWorld(dir string, clk clock.Clock, log *slog.Logger, hook string, opt business.Options) (*world, error) {
	w := &world{clock: clk}
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
	accounts, err := accounts(hook)
	if err != nil {
		return nil, err
	}
	w.portal, err = invoicedsim.New(invoicedsim.Config{
		StatePath: filepath.Join(dir, "invoiced.state"), PublicURL: w.portalURL, Clock: clk, Logger: log, Accounts: accounts,
	})
	return w, err
}

func accounts(hook string) ([]invoicedsim.Account, error) {
	var out []invoicedsim.Account
	for _, b := range branches {
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

// writeConfig writes the configuration and the secrets that arbridge runs on, for people to read and for the other
// commands to use.
func (w *world) writeConfig(dir, start string, opt Options) (string, error) {
	secrets := filepath.Join(dir, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	files := map[string]string{"q360-api-user": fmt.Sprintf(`{"user":%q,"password":%q}`, erpUser, erpPassword)}
	text := &strings.Builder{}
	fmt.Fprintf(text, "# Written by the demo at each start. The settings are explained in infra/docs/settings.md.\n")
	fmt.Fprintf(text, "deployment:\n  settings: {schedule.poll: %s, schedule.gap_fill: 1m}\nsecrets: {dir: secrets}\ncompanies:\n", max(opt.Tick, time.Minute))
	for _, b := range branches {
		files["invoiced-"+b.id+"-api-key"], files["invoiced-"+b.id+"-webhook"] = apiKey(b.id), hookSecret(b.id)
		b.write(text, w, start)
		if opt.NoFiles {
			fmt.Fprintln(text, "      documents.attach: false")
		}
		if opt.Faults {
			fmt.Fprintln(text, "      payments.attempts: 10 # so many are lost that two would leave some to a person")
		}
	}
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(value), 0o600); err != nil {
			return "", fmt.Errorf("secrets: %w", err)
		}
	}
	path := filepath.Join(dir, "config.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

func (b branch) write(text *strings.Builder, w *world, start string) {
	fmt.Fprintf(text, `  - id: %s
    q360: {base_url: %q, credentials_secret: q360-api-user}
    invoiced: {base_url: %q, api_key_secret: invoiced-%s-api-key, webhook_secret: invoiced-%s-webhook}
    settings:
      company.mode: live
      company.q360_company: %q
      company.time_zone: %s
      company.currency: %s
      qualify.start_date: %s
      payments.methods_map: {credit_card: CARD, ach: ACH, direct_debit: ACH}
      payments.gl_accounts: {`, b.id, w.erpURL, w.portalURL, b.id, b.id, b.code, b.zone, b.currency, start)
	sep := ""
	for _, cur := range sortedKeys(b.banks) {
		fmt.Fprintf(text, "%s%s: %q", sep, cur, b.banks[cur])
		sep = ", "
	}
	fmt.Fprintf(text, "}\n      fees.gl_account: \"4950\"\n      limits.q360_rps: 100\n      limits.invoiced_rps: 100\n      limits.invoiced_parallel: 8\n      limits.q360_parallel: 8\n      %s\n", b.settings)
}
