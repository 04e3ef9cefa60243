// Package host serves all functions in one process: the embedded stack of make run, the demo and a small self-hosted
// site. The same handlers run one per service on Cloud Run.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/functions/receipt"
	"github.com/arbridge/arbridge/functions/sync"
	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/server"
)

// Options of a Host. Zero values take the defaults named.
type Options struct {
	Tick      time.Duration  // distance of ticks; schedule.poll; negative: no ticks but those asked for
	Workers   int            // records worked on at a time, 8
	TestClock *clock.Movable // offers POST /_test/clock/advance on loopback; nil: not
	TokenDir  string         // the data folder, where the tokens of those who look and act are left; none: nobody may
}

// tickWorkers is the number of companies that are polled, or whose jobs run, at a time.
const tickWorkers = 4

// Host is all functions in one process.
type Host struct {
	p       *platform.Platform
	poll    *poll.Poll
	opt     Options
	drain   server.Drain
	tokens  server.Tokens
	handler http.Handler
}

// New wires the functions to the platform, which must be an embedded one.
func New(p *platform.Platform, opt Options) (*Host, error) {
	if p.Queue == nil {
		return nil, errors.New("one process for all functions needs the embedded stack; on Google Cloud each service sets FUNCTION_TARGET")
	}
	if opt.Tick == 0 {
		opt.Tick = p.Config.Deployment.Settings.Poll
	}
	if opt.Workers <= 0 {
		opt.Workers = 8
	}
	h := &Host{p: p, poll: p.Poll(), opt: opt}
	if opt.TokenDir != "" { // ours: the platform has opened it, and every start has tokens of its own
		var err error
		if h.tokens, err = server.NewTokens(); err != nil {
			return nil, err
		}
		if err := h.tokens.Save(opt.TokenDir); err != nil {
			return nil, err
		}
	}
	for _, s := range []struct {
		topic, name string
		handler     http.Handler
		workers     int
		deadline    time.Duration
	}{
		{bus.TopicTicks, poll.Name, h.poll.Handler(), tickWorkers, 30 * time.Minute},
		{bus.TopicTasks, sync.Name, sync.Handler(p.Engine, p.Log), opt.Workers, 10 * time.Minute},
		{bus.TopicEvents, receipt.Name, receipt.Handler(p.Engine, p.Log), opt.Workers, 10 * time.Minute},
	} {
		guarded := h.wrap(s.name, s.handler, 10*bus.MaxMessage, s.deadline)
		if err := p.Queue.Subscribe(s.topic, s.name, guarded, queue.SubscribeOptions{Workers: s.workers, AckDeadline: s.deadline}); err != nil {
			return nil, err
		}
	}
	h.handler = h.routes()
	return h, nil
}

func (h *Host) wrap(name string, next http.Handler, maxBody int64, timeout time.Duration) http.Handler {
	return server.Wrap(name, next, server.Options{
		MaxBody: maxBody, Timeout: timeout, Logger: h.p.Log, Clock: h.p.Clock, Drain: &h.drain, Observe: h.p.Telemetry, Meter: h.p.Telemetry.Meter(),
	})
}

// route is something the server answers, and who may ask for it.
type route struct {
	pattern string
	role    server.Role
	handler http.Handler
}

// table lists everything that the server answers.
func (h *Host) table() []route {
	hook := webhook.Handler(h.p.Engine, h.p.Secrets, h.p.WebhookSecret, webhook.Vendor{Verify: invoiced.Verify, Parse: invoiced.ParseEvent}, h.p.Log)
	desk := h.wrap("operator", h.operator(), maxRequest, 10*time.Minute)
	out := []route{
		{"/webhook/", server.Public, h.wrap(webhook.Name, hook, webhook.MaxBody, 25*time.Second)}, // a signature says who calls
		{"GET /healthz", server.Public, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })},
		{"POST /tick", server.Operator, h.wrap("tick", http.HandlerFunc(h.tick), 1<<10, 30*time.Minute)},
		{"POST /operator/{action}", server.Operator, desk},
	}
	for _, action := range looking() {
		out = append(out, route{"POST /operator/" + action, server.Viewer, withAction(action, desk)})
	}
	if h.opt.TestClock != nil {
		out = append(out, route{"POST /_test/clock/advance", server.Operator, h.wrap("clock", http.HandlerFunc(h.advance), 1<<10, time.Minute)})
	}
	return out
}

// routes guards every route for its role.
func (h *Host) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range h.table() {
		mux.Handle(r.pattern, h.tokens.Guard(r.role, r.handler))
	}
	return mux
}

// Handler serves everything in the table.
func (h *Host) Handler() http.Handler { return h.handler }

// tick runs a poll now and answers with what it did; ?company= limits it to one.
func (h *Host) tick(w http.ResponseWriter, r *http.Request) {
	var results []engine.PollResult
	var err error
	if company := r.URL.Query().Get("company"); company != "" {
		var one engine.PollResult
		one, err = h.poll.Beat(r.Context(), company)
		results = append(results, one)
	} else {
		results, err = h.poll.BeatAll(r.Context())
	}
	answer := struct {
		Results []engine.PollResult `json:"results"`
		Error   string              `json:"error,omitempty"`
	}{Results: results}
	status := http.StatusOK
	if err != nil {
		answer.Error, status = err.Error(), http.StatusBadGateway
	}
	if errors.Is(err, engine.ErrUnknownCompany) {
		status = http.StatusNotFound
	}
	server.WriteJSON(w, status, answer)
}

// advance moves the test clock: {"duration":"90m"}.
func (h *Host) advance(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Duration string `json:"duration"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	d, perr := time.ParseDuration(body.Duration)
	if err = errors.Join(err, perr); err != nil || d <= 0 {
		http.Error(w, `expected {"duration":"90m"}, a positive duration`, http.StatusBadRequest)
		return
	}
	h.opt.TestClock.Advance(d)
	server.WriteJSON(w, http.StatusOK, map[string]time.Time{"now": h.opt.TestClock.Now()})
}

// Run serves on the listener, delivers messages and ticks until ctx ends; then it drains. What waits for a vendor then gives
// up; only a call that is not answered in time is cut off, which is an error.
func (h *Host) Run(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	defer h.p.Hurry(false)
	g.Go(func() error {
		<-ctx.Done()
		h.p.Hurry(true)
		return nil
	})
	g.Go(func() error { return h.p.Queue.Run(ctx) })
	g.Go(func() error { return h.p.Engine.Announce(ctx) })
	g.Go(func() error { return server.ServeListener(ctx, l, h.handler) })
	if h.opt.Tick > 0 {
		g.Go(func() error { return h.ticks(ctx) })
	}
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// ticks publishes a tick at once and then at every interval, as the cloud's scheduler does.
func (h *Host) ticks(ctx context.Context) error {
	body, err := json.Marshal(engine.Tick{})
	if err != nil {
		return fmt.Errorf("tick: %w", err)
	}
	for {
		if err := h.p.Bus.Publish(ctx, bus.TopicTicks, bus.Message{Data: body, Key: "tick"}); err != nil && ctx.Err() == nil {
			h.p.Log.ErrorContext(ctx, "tick not published", "error", err)
		}
		if err := h.p.Clock.Sleep(ctx, h.opt.Tick); err != nil {
			return nil
		}
	}
}
