// Package platform builds the parts that the functions run on, from a configuration: on Google Cloud (Firestore, Pub/Sub,
// GCS, Secret Manager) or embedded in one process with one data folder. Nothing above it knows which.
package platform

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/digest"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/gauge"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/telemetry"
)

// Options of Open beside the configuration.
type Options struct {
	// DataDir is the folder of the embedded stack; not used on Google Cloud.
	DataDir string
	Clock   clock.Clock
	Logger  *slog.Logger
	// HTTP is the client for vendor calls; nil for one per account.
	HTTP *http.Client
	// Announce says that Engine.Announce runs in this process (embedded only).
	Announce bool
	// Telemetry is told of requests, vendor calls, effects and how companies are doing; nil for nobody.
	Telemetry *telemetry.Telemetry
	// Engine tunes the engine; zero values take its defaults.
	Engine engine.Options
}

// Platform is a running set of parts.
type Platform struct {
	Config  *config.Config
	Store   store.Store
	Bus     bus.Publisher
	Queue   *queue.Queue // nil on Google Cloud, where Pub/Sub pushes
	Blobs   blob.Store
	Secrets secret.Source
	Engine  *engine.Engine
	Jobs    *schedule.Runner
	Issues  *issue.Tracker
	Digests *digest.Sender
	// Reconciler compares both sides of a company.
	Reconciler *reconcile.Reconciler
	Clock      clock.Clock
	Log        *slog.Logger
	// Telemetry does nothing where none was given.
	Telemetry *telemetry.Telemetry

	gauges       *gauge.Gauges
	dictionaries map[string]*q360.Dictionary
	closers      []func() error
}

// Open builds the platform. Companies whose connectors can not be made are reported as problems and left out; the others
// run.
func Open(ctx context.Context, cfg *config.Config, opt Options) (*Platform, error) {
	if opt.Telemetry == nil {
		opt.Telemetry = new(telemetry.Telemetry)
	}
	p := &Platform{Config: cfg, Clock: newHurried(opt.Clock), Log: opt.Logger, Telemetry: opt.Telemetry}
	var err error
	if cfg.Deployment.Cloud.Configured() {
		err = p.openCloud(ctx, cfg.Deployment.Cloud)
	} else {
		err = p.openEmbedded(ctx, cfg, opt.DataDir)
		opt.Engine.Exclusive, opt.Engine.AnnounceLater = true, opt.Announce
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	companies := p.companies(opt)
	if opt.Engine.Owner, err = owner(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	opt.Engine.GapFill = cfg.Deployment.Settings.GapFill
	opt.Engine.InboxDays = cfg.Deployment.Settings.InboxDays
	opt.Engine.Blobs, opt.Engine.MaxFile, opt.Engine.Meter = p.Blobs, p.maxFile(), p.Telemetry.Meter()
	p.Engine = engine.New(p.Store, p.Bus, p.Clock, p.Log, companies, opt.Engine)
	if err := p.openJobs(companies); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close releases everything, in the reverse order of opening.
func (p *Platform) Close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	p.closers = nil
	return errors.Join(errs...)
}

// WebhookSecret is the name of a company's webhook secret.
func (p *Platform) WebhookSecret(company string) string {
	c, _ := p.Config.Company(company)
	return c.Invoiced.WebhookSecret
}

func (p *Platform) companies(opt Options) []*engine.Company {
	var out []*engine.Company
	for _, cfg := range p.Config.Companies {
		c, err := p.company(cfg, opt)
		if err != nil {
			p.Log.Error("company does not run", "company", cfg.ID, "error", err)
			p.Config.Problems = append(p.Config.Problems, config.Problem{Company: cfg.ID, Message: err.Error()})
			continue
		}
		out = append(out, c)
	}
	return out
}

// maxFile is the largest PDF in bytes.
func (p *Platform) maxFile() int64 { return int64(p.Config.Deployment.Settings.DocumentsMaxMiB) << 20 }

// reach is where the vendors' servers may be, for a transport that several companies share.
func reach(cfg *config.Config) httpx.Reach {
	var out httpx.Reach
	for _, c := range cfg.Companies {
		out.BaseURLs = append(out.BaseURLs, c.Q360.BaseURL, c.Invoiced.BaseURL)
		if m, err := mappingOf(c); err == nil { // a company with a broken mapping does not run, and says so
			out.BaseURLs, out.Networks = append(out.BaseURLs, m.Site.BaseURL), append(out.Networks, m.Site.Prefixes()...)
		}
	}
	return out
}

// mappingOf is a company's own mapping, or the one that ships with arbridge.
func mappingOf(cfg config.Company) (*mapping.Mapping, error) {
	if cfg.Q360.MappingYAML == nil {
		return mapping.Default(), nil
	}
	m, err := mapping.Load(cfg.Q360.MappingYAML)
	if err != nil {
		return nil, fmt.Errorf("mapping of company %s: %w", cfg.ID, err)
	}
	return m, nil
}

func (p *Platform) company(cfg config.Company, opt Options) (*engine.Company, error) {
	set := cfg.Settings
	m, err := mappingOf(cfg)
	if err != nil {
		return nil, err
	}
	erp, err := q360.New(q360.Config{
		Mapping: m, CompanyNo: set.Q360Company, DefaultCurrency: set.Currency, BaseURL: cfg.Q360.BaseURL,
		CredentialsSecret: cfg.Q360.CredentialsSecret, PerSecond: set.Limits.Q360PerSecond, Parallel: set.Limits.Q360Parallel,
		BankAccounts: set.Payments.GLAccounts, MaxFile: p.maxFile(),
	}, q360.Deps{Secrets: p.Secrets, Clock: p.Clock, Logger: p.Log, HTTP: opt.HTTP, Trace: p.Telemetry.Transport, Dictionary: p.dictionary(cfg.Q360)})
	if err != nil {
		return nil, fmt.Errorf("q360 of company %s: %w", cfg.ID, err)
	}
	portal, err := invoiced.New(invoiced.Config{
		Name: cfg.ID, BaseURL: cfg.Invoiced.BaseURL, APIKeySecret: cfg.Invoiced.APIKeySecret, Location: set.TimeZone, Currency: set.Currency,
		PerSecond: set.Limits.InvoicedPerSec, Parallel: set.Limits.InvoicedParallel,
		MaxFile: p.maxFile(),
	}, invoiced.Deps{Secrets: p.Secrets, Clock: p.Clock, Logger: p.Log, HTTP: opt.HTTP, Trace: p.Telemetry.Transport})
	if err != nil {
		return nil, fmt.Errorf("invoiced of company %s: %w", cfg.ID, err)
	}
	return &engine.Company{
		ID: cfg.ID, Name: cfg.Name, Settings: set, ERP: erp, Portal: portal, ParseEvent: invoiced.ParseEvent,
		Site: cfg.Q360.BaseURL, Account: cfg.Invoiced.BaseURL + " " + cfg.Invoiced.APIKeySecret,
	}, nil
}

// dictionary is that of a company's site. Companies that ask it as the same user share one, so that a start costs as many
// calls for ten of them as for one.
func (p *Platform) dictionary(site config.Q360) *q360.Dictionary {
	key := site.BaseURL + " " + site.CredentialsSecret + " " + string(site.MappingYAML)
	if p.dictionaries == nil {
		p.dictionaries = map[string]*q360.Dictionary{}
	}
	if p.dictionaries[key] == nil {
		p.dictionaries[key] = &q360.Dictionary{}
	}
	return p.dictionaries[key]
}

// owner names this process in leases; a random part keeps two processes of one host apart.
func owner() (string, error) {
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("naming this process: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + hex.EncodeToString(b), nil
}

// shutdown bounds every orderly end; Cloud Run kills after ten seconds (gcp-go-stack 3.2).
const shutdown = 5 * time.Second
