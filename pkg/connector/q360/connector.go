package q360

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/secret"
)

var _ connector.ERP = (*Connector)(nil)

// Config of a Connector.
type Config struct {
	Mapping           *mapping.Mapping          // the site's mapping file
	CompanyNo         string                    // the company served, such as 01
	DefaultCurrency   money.Currency            // of documents without one anywhere else; optional
	BaseURL           string                    // instead of the mapping's site.base_url
	CredentialsSecret string                    // instead of the mapping's; JSON {"user": …, "password": …}
	PerSecond         int                       // calls per second, 5
	Parallel          int                       // calls in flight, the mapping's max_parallel
	MaxFile           int64                     // bytes of a downloaded file: 25 MiB, at most 100 MiB
	BankAccounts      map[money.Currency]string // accounts that receipts use, for the check; nil: the mapping's defaults
}

// Deps are what a Connector works with. Secrets is needed; Clock, Logger and HTTP have defaults.
type Deps struct {
	Secrets secret.Source
	Clock   clock.Clock
	Logger  *slog.Logger
	HTTP    *http.Client
	// Trace sees every call as it is sent; none when nil.
	Trace func(http.RoundTripper) http.RoundTripper
	// Dictionary is shared with other companies of the site; nil: its own.
	Dictionary *Dictionary
}

// Connector reads and writes one company of a Q360 site. It is safe for concurrent use; make one with New. Besides
// cursors, which are the caller's, it keeps only caches: what it returns never depends on what it was asked before.
type Connector struct {
	cfg   Config
	m     *mapping.Mapping
	api   *client.Client
	clock clock.Clock
	log   *slog.Logger

	dictionary *Dictionary

	mu     sync.Mutex
	terms  termsCache
	denied map[string]time.Time // optional tables that the site refuses, and until when they are left alone
}

// New makes a connector. The error names every field of cfg that is missing or wrong.
func New(cfg Config, deps Deps) (*Connector, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.CompanyNo = strings.TrimSpace(cfg.CompanyNo)
	c := &Connector{cfg: cfg, m: cfg.Mapping, clock: deps.Clock, log: deps.Logger, denied: map[string]time.Time{}, dictionary: deps.Dictionary}
	if c.dictionary == nil {
		c.dictionary = &Dictionary{}
	}
	if c.clock == nil {
		c.clock = clock.System{}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	c.api, err = client.New(client.Options{
		Mapping: cfg.Mapping, BaseURL: cfg.BaseURL, SecretName: cfg.CredentialsSecret, Secrets: deps.Secrets, Clock: c.clock,
		Logger: c.log, HTTP: deps.HTTP, Trace: deps.Trace, PerSecond: cfg.PerSecond, Parallel: cfg.Parallel, MaxFile: cfg.MaxFile,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (cfg Config) validate() error {
	var errs []error
	if cfg.Mapping == nil {
		errs = append(errs, errors.New("config Mapping: a mapping file is needed (mapping.Load or mapping.Default)"))
	}
	if strings.TrimSpace(cfg.CompanyNo) == "" {
		errs = append(errs, errors.New("config CompanyNo: the Q360 company code is needed, such as 01"))
	}
	if cfg.DefaultCurrency != "" && !cfg.DefaultCurrency.Known() {
		errs = append(errs, fmt.Errorf("DefaultCurrency %q: expected an ISO 4217 code such as USD", cfg.DefaultCurrency))
	}
	if cfg.PerSecond < 0 || cfg.Parallel < 0 {
		errs = append(errs, errors.New("PerSecond and Parallel: expected 0 for the default, or more"))
	}
	if cfg.MaxFile < 0 || cfg.MaxFile > client.CapDocument {
		errs = append(errs, fmt.Errorf("MaxFile %d: expected 0 for the default, or 1 to %d bytes", cfg.MaxFile, client.CapDocument))
	}
	for cur, account := range cfg.BankAccounts {
		if !cur.Known() || strings.TrimSpace(account) == "" {
			errs = append(errs, fmt.Errorf("BankAccounts %q: %q: expected an ISO 4217 code and an account number", cur, account))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return fmt.Errorf("making the Q360 connector: %w", errors.Join(errs...))
}

// bankAccounts are the accounts that receipts of this company use, by currency.
func (c *Connector) bankAccounts() map[money.Currency]string {
	if c.cfg.BankAccounts != nil {
		return c.cfg.BankAccounts
	}
	out := map[money.Currency]string{}
	for cur, account := range c.m.Defaults.GLAccounts[c.cfg.CompanyNo] {
		out[money.Currency(cur)] = account
	}
	return out
}

// ours reports whether a company code is the one served.
func (c *Connector) ours(companyNo string) bool { return client.SameKey(companyNo, c.cfg.CompanyNo) }

// one reads the record with a key: ClassNotFound without one, ClassBadResponse for two or for a stranger, which a server
// that ignores filters would send.
func (c *Connector) one(ctx context.Context, op string, table, key, value string, columns []string) (client.Row, error) {
	if strings.TrimSpace(value) == "" {
		return client.Row{}, connector.NewError(connector.ClassNotFound, op, "an empty number names nothing")
	}
	page, err := c.api.List(ctx, client.Query{Op: op, Table: table, Columns: columns, Limit: 2,
		Filters: []client.Filter{{Column: key, Op: "=", Value: value}}})
	if err != nil {
		return client.Row{}, err
	}
	for _, r := range page.Rows {
		if !client.SameKey(r.Raw(key), value) {
			return client.Row{}, strangerError(op, table, key, value)
		}
	}
	switch len(page.Rows) {
	case 0:
		return client.Row{}, connector.NewError(connector.ClassNotFound, op, "%s has no record with %s %s", table, key, value)
	case 1:
		return page.Rows[0], nil
	}
	return client.Row{}, connector.NewError(connector.ClassBadResponse, op,
		"%s has two records with %s %s; check that %s is the key of the table (mapping) and mend the data in Q360", table, key, value, key)
}
