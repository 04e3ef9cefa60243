package invoiced

import (
	"context"
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// Connector is one Invoiced account. It keeps no state between calls and is safe for concurrent use; make one with New.
type Connector struct {
	api *client.Client
	cfg Config
}

var (
	_ connector.Portal  = (*Connector)(nil)
	_ connector.Files   = (*Connector)(nil)
	_ connector.Credits = (*Connector)(nil)
	_ connector.Mailer  = (*Connector)(nil)
	_ PDFs              = (*Connector)(nil)
)

// New checks the configuration and makes a connector. It makes no call.
func New(cfg Config, deps Deps) (*Connector, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("invoiced connector of %s: %w", cfg.Name, err)
	}
	caller, err := httpx.New(httpx.Options{BaseURL: cfg.BaseURL, HTTP: deps.HTTP, Clock: deps.Clock, Logger: deps.Logger,
		PerSecond: cfg.PerSecond, Parallel: cfg.Parallel, ReadAttempts: cfg.ReadAttempts, MinBackoff: cfg.MinBackoff,
		MaxBackoff: cfg.MaxBackoff, MaxBody: max(32<<20, cfg.MaxFile), Trace: deps.Trace})
	if err != nil {
		return nil, fmt.Errorf("invoiced connector of %s: %w", cfg.Name, err)
	}
	api, err := client.New(caller, strings.TrimSuffix(cfg.BaseURL, "/"), deps.Secrets, cfg.APIKeySecret)
	if err != nil {
		return nil, fmt.Errorf("invoiced connector of %s: %w", cfg.Name, err)
	}
	return &Connector{api: api, cfg: cfg}, nil
}

// Check implements connector.Portal with one small list (invoiced-api 1.2).
func (c *Connector) Check(ctx context.Context) error { return c.api.Ping(ctx) }
