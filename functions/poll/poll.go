// Package poll is the function behind the scheduler's ticks: it asks each company's ERP what changed, stores it, publishes
// a task for each changed record, sweeps what is due, fills gaps in the portal's events, and sees to the jobs that are due
// by the calendar.
package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/schedule"
)

// Name is the function's name, as FUNCTION_TARGET gives it.
const Name = "poll"

// Poll is the function.
type Poll struct {
	Engine *engine.Engine
	// Jobs are those due by the calendar.
	Jobs *schedule.Runner
	// Watch is told after every poll of a company; it looks after what people are shown.
	Watch func(ctx context.Context, company string) error
	// Measure is told after that; it measures how the company is doing, of which nothing is expected while it is paused.
	Measure func(ctx context.Context, company string, paused bool)
	Bus     bus.Publisher
	Log     *slog.Logger
}

// Handler answers ticks. One without a company becomes one per company, so that a slow company keeps nobody waiting; one
// with a job runs that job. What can not be done is reported and tried again at the next tick: the tick itself is always
// acknowledged, because repeating it would only repeat the trouble.
func (p *Poll) Handler() http.Handler {
	return push.Handler(p.Log, func(ctx context.Context, t engine.Tick) error {
		var err error
		switch {
		case t.Company == "":
			return p.fanOut(ctx)
		case t.Job != "":
			err = p.Jobs.Run(ctx, t.Company, t.Job)
		default:
			_, err = p.Beat(ctx, t.Company)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			p.Log.ErrorContext(ctx, "tick", "company", t.Company, "job", t.Job, "error", err)
		}
		return ctx.Err()
	})
}

// fanOut makes a tick of every company of one for all.
func (p *Poll) fanOut(ctx context.Context) error {
	ids := p.Engine.CompanyIDs()
	ticks := make([]engine.Tick, len(ids))
	for i, id := range ids {
		ticks[i] = engine.Tick{Company: id}
	}
	return p.publish(ctx, ticks...)
}

// BeatAll is Beat of every company, one after the other; one company's trouble never stops another.
func (p *Poll) BeatAll(ctx context.Context) ([]engine.PollResult, error) {
	var out []engine.PollResult
	var errs []error
	for _, id := range p.Engine.CompanyIDs() {
		r, err := p.Beat(ctx, id)
		out, errs = append(out, r), append(errs, err)
	}
	return out, errors.Join(errs...)
}

// Beat polls a company, tells Watch, and asks for the jobs that are due. Trouble of one of these stops none of the others.
func (p *Poll) Beat(ctx context.Context, company string) (engine.PollResult, error) {
	res, err := p.Engine.Poll(ctx, company)
	if errors.Is(err, engine.ErrUnknownCompany) {
		return res, err
	}
	if err != nil {
		err = fmt.Errorf("polling %s: %w", company, err)
	}
	if p.Watch != nil {
		err = errors.Join(err, p.Watch(ctx, company))
	}
	if p.Measure != nil {
		p.Measure(ctx, company, strings.HasPrefix(res.Skipped, "paused"))
	}
	names, dueErr := p.Jobs.Due(ctx, company)
	ticks := make([]engine.Tick, len(names))
	for i, name := range names {
		ticks[i] = engine.Tick{Company: company, Job: name}
	}
	return res, errors.Join(err, dueErr, p.publish(ctx, ticks...))
}

// publish publishes ticks, in order per company and job.
func (p *Poll) publish(ctx context.Context, ticks ...engine.Tick) error {
	if len(ticks) == 0 {
		return nil
	}
	messages := make([]bus.Message, len(ticks))
	for i, t := range ticks {
		data, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("tick: %w", err)
		}
		messages[i] = bus.Message{Key: "tick/" + t.Company + "/" + t.Job, Data: data}
	}
	if err := p.Bus.Publish(ctx, bus.TopicTicks, messages...); err != nil {
		return fmt.Errorf("publishing ticks: %w", err)
	}
	return nil
}
