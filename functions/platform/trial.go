package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/arbridge/arbridge/pkg/blob/files"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/secret/local"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/overlay"
)

// Decision is what was decided about a record.
type Decision struct {
	Record  string        `json:"record"` // company/kind/number
	Verdict plan.Verdict  `json:"verdict"`
	Reasons []plan.Reason `json:"reasons,omitempty"`
	Text    string        `json:"text,omitempty"` // the reasons in words
	Steps   []plan.Step   `json:"steps,omitempty"`
}

// Trial is a platform on which nothing happens, beside a server that may be running: vendors are read and never written
// to, the state is read and what changes in it stays in memory, messages go nowhere. Its engine is the real one with fresh
// connectors, so what is recorded is what would be sent.
type Trial struct {
	*Platform
	// Requests are the writes that were not sent.
	Requests *httpx.Recorder

	mu        sync.Mutex
	decisions []Decision
}

// trialConnections is the number of idle connections that a trial keeps for each vendor.
const trialConnections = 4

// OpenTrial opens a trial of the data in opt.DataDir. A preview works on companies that are paused or read-only as if they
// were not; without it they are shown as they are.
func OpenTrial(ctx context.Context, cfg *config.Config, opt Options, preview bool) (*Trial, error) {
	own := *cfg
	own.Companies = slices.Clone(cfg.Companies)
	t := &Trial{Platform: &Platform{Config: &own, Clock: opt.Clock, Log: opt.Logger, Bus: nowhere{}}}
	if err := t.openParts(ctx, &own, opt); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.Requests = &httpx.Recorder{Next: httpx.NewTransport(reach(&own), trialConnections, 0)}
	opt.HTTP = &http.Client{Transport: split{kept: t.Requests, aside: &httpx.Recorder{Next: t.Requests.Next}}}
	if preview {
		if err := t.letRun(ctx, &own); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	companies := t.companies(opt)
	for _, c := range companies {
		if p, ok := c.Portal.(*invoiced.Connector); ok {
			c.Portal = newPreviewPortal(p)
		}
		if e, ok := c.ERP.(*q360.Connector); ok {
			c.ERP = newPreviewERP(e)
		}
	}
	name, err := owner()
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	opt.Engine.Owner, opt.Engine.Planned = name, t.planned
	opt.Engine.Blobs, opt.Engine.MaxFile = t.Blobs, t.maxFile()
	t.Engine = engine.New(t.Store, t.Bus, t.Clock, t.Log, companies, opt.Engine)
	return t, nil
}

func (t *Trial) openParts(ctx context.Context, cfg *config.Config, opt Options) error {
	below, err := t.openBelow(ctx, cfg, opt)
	if err != nil {
		return err
	}
	t.Store = overlay.New(below)
	dir, err := os.MkdirTemp("", "arbridge-preview-")
	if err != nil {
		return fmt.Errorf("folder for the files of a preview: %w", err)
	}
	t.closers = append(t.closers, func() error { return os.RemoveAll(dir) })
	blobs, err := files.Open(dir, opt.Clock)
	if err != nil {
		return err
	}
	t.Blobs = blobs
	return nil
}

// openBelow opens the state and the secrets.
func (t *Trial) openBelow(ctx context.Context, cfg *config.Config, opt Options) (store.Store, error) {
	if c := cfg.Deployment.Cloud; c.Configured() {
		if err := t.openCloud(ctx, c); err != nil {
			return nil, err
		}
		t.Bus = nowhere{}
		return t.Store, nil
	}
	s, err := OpenReader(ctx, cfg, opt.DataDir)
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, s.Close)
	t.Secrets = local.New(local.Options{Env: os.LookupEnv, Dir: cfg.SecretsDir})
	return s, nil
}

// letRun makes the companies run for a preview.
func (t *Trial) letRun(ctx context.Context, cfg *config.Config) error {
	for i := range cfg.Companies {
		set := &cfg.Companies[i].Settings
		set.Enabled = true
		if set.Mode == settings.ModePaused || set.Mode == settings.ModeReadOnly {
			set.Mode = settings.ModeLive
		}
		w := store.Write{Collection: store.Controls, ID: store.ID(cfg.Companies[i].ID), Delete: true}
		if _, err := t.Store.Write(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trial) planned(record string, p plan.Plan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decisions = append(t.decisions, Decision{Record: record, Verdict: p.Verdict, Reasons: p.Reasons, Text: plan.Text(p.Reasons), Steps: p.Steps})
}

// Decisions are what was decided so far, in the order of deciding.
func (t *Trial) Decisions() []Decision {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.decisions)
}

// nowhere is a bus that takes everything and delivers nothing.
type nowhere struct{}

// Publish implements bus.Publisher.
func (nowhere) Publish(context.Context, string, ...bus.Message) error { return nil }
