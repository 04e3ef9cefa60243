package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/pkg/digest"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/gauge"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/retention"
	"github.com/arbridge/arbridge/pkg/schedule"
	"github.com/arbridge/arbridge/pkg/settings"
)

// Poll is the function behind ticks, on this platform.
func (p *Platform) Poll() *poll.Poll {
	out := &poll.Poll{Engine: p.Engine, Jobs: p.Jobs, Watch: p.Issues.Refresh, Bus: p.Bus, Log: p.Log}
	if p.Telemetry.On() {
		out.Measure = p.measure
	}
	return out
}

// measure tells how a company is doing. What can not be told is logged: it is no reason to poll again.
func (p *Platform) measure(ctx context.Context, company string, paused bool) {
	if err := errors.Join(p.gauges.Refresh(ctx, company, paused), p.Telemetry.Flush(ctx)); err != nil {
		p.Log.WarnContext(ctx, "gauges", "company", company, "error", err)
	}
}

// openJobs makes what is done by the calendar. The companies are those of the engine, with their vendors behind its circuit
// breakers.
func (p *Platform) openJobs(companies []*engine.Company) error {
	set := p.Config.Deployment.Settings
	nights, err := settings.ParseCron(set.Reconcile)
	if err != nil {
		return fmt.Errorf("schedule.reconcile: %w", err)
	}
	var sides []reconcile.Company
	var readers []digest.Company
	byID := map[string]settings.Company{}
	for _, c := range companies {
		sides = append(sides, reconcile.Company{ID: c.ID, Settings: c.Settings, ERP: c.ERP, Portal: c.Portal})
		readers = append(readers, digest.Company{ID: c.ID, Name: c.Name, Settings: c.Settings})
		byID[c.ID] = c.Settings
	}
	p.Issues = issue.New(p.Store, p.Clock, p.Log)
	p.Reconciler = reconcile.New(p.Store, p.Clock, p.Log, sides)
	p.Digests = digest.New(p.Store, p.Clock, p.Log, p.mailer(), readers)
	pruner := retention.New(p.Store, p.Blobs, journal.New(p.Store, p.Clock), p.Clock, p.Log, set.PayloadsDays)
	jobs := []schedule.Job{
		{Name: "reconcile", Next: func(_ string, t time.Time) time.Time { return nights.Next(t.UTC()) }, Run: p.reconcile},
		{Name: "digest", Next: func(id string, t time.Time) time.Time { return digest.Next(byID[id], t) }, Run: p.Digests.Run},
		{Name: "retention", Next: daily, Run: pruner.Run},
	}
	p.Jobs = schedule.New(p.Store, p.Clock, jobs...)
	p.gauges = gauge.New(gauge.Options{Store: p.Store, Clock: p.Clock, Meter: p.Telemetry.Meter(), Jobs: jobs})
	return nil
}

// reconcile compares both sides of a company, and shows what it found among the issues at once.
func (p *Platform) reconcile(ctx context.Context, company string) error {
	if err := p.Reconciler.Nightly(ctx, company); err != nil {
		return err
	}
	return p.Issues.Refresh(ctx, company)
}

// daily is the next midnight, UTC.
func daily(_ string, t time.Time) time.Time { return t.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1) }

// mailer is the deployment's mail server; nil when there is none.
func (p *Platform) mailer() digest.Mailer {
	m := p.Config.Deployment.Mail
	if !m.Configured() {
		return nil
	}
	return digest.NewSMTP(digest.Server{
		Host: m.Host, Port: m.Port, From: m.From, Username: m.Username, PasswordSecret: m.PasswordSecret, TLS: m.TLS,
	}, p.Secrets)
}
