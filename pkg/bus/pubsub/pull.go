package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/internal/wire"
	"github.com/arbridge/arbridge/pkg/clock"
)

// rpcTimeout bounds one call to the service.
const rpcTimeout = 10 * time.Second

// DispatcherOptions of a Dispatcher; each zero field means its default.
type DispatcherOptions struct {
	// Workers is how many messages are handled at a time; 16 when zero.
	Workers int
	// Lease is the acknowledgement deadline of the subscription, prolonged while a message is handled or held back; 10
	// seconds when zero.
	Lease time.Duration
	// Deadline is the time a handler has, on the machine's clock; 1 minute when zero.
	Deadline time.Duration
	// MinBackoff is the pause after the first failure, doubled after each further one; 1 second when zero.
	MinBackoff time.Duration
	// MaxBackoff bounds the pause; 10 minutes when zero.
	MaxBackoff time.Duration
	// PollInterval is the pause between pulls that found nothing; 20 milliseconds when zero.
	PollInterval time.Duration
}

// Dispatcher stands in for push where the service does not push: with the in-process server of tests and in local runs.
// It pulls a subscription with unary calls, which that server answers a thousand times faster than a stream (gcp-go-stack
// 1.2), and hands each message to a handler in the push envelope. A refused message is kept back for an exponential
// pause and then given back to the service, which that server would otherwise redeliver at once (gcp-go-stack 6).
type Dispatcher struct {
	client       *pubsub.Client
	subscription string
	handler      http.Handler
	clk          clock.Clock
	log          *slog.Logger
	opts         DispatcherOptions

	mu       sync.Mutex
	failures map[string]int // by message id, where the service does not count
}

// NewDispatcher delivers the messages of a subscription, given by its full name, to handler once Run is called.
func NewDispatcher(client *pubsub.Client, subscription string, handler http.Handler, clk clock.Clock, log *slog.Logger, opts DispatcherOptions) *Dispatcher {
	if opts.Workers <= 0 {
		opts.Workers = 16
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&opts.Lease, 10 * time.Second}, {&opts.Deadline, time.Minute}, {&opts.MinBackoff, time.Second},
		{&opts.MaxBackoff, 10 * time.Minute}, {&opts.PollInterval, 20 * time.Millisecond},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return &Dispatcher{
		client: client, subscription: subscription, handler: handler, clk: clk, log: log, opts: opts,
		failures: make(map[string]int),
	}
}

// Run delivers until ctx ends; handlers then have their contexts ended, and what they did not acknowledge is given back.
func (d *Dispatcher) Run(ctx context.Context) error {
	free := make(chan struct{}, 16*d.opts.Workers) // messages held, those in a pause included
	working := make(chan struct{}, d.opts.Workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	for ctx.Err() == nil {
		messages, err := d.pull(ctx, cap(free)-len(free))
		if err != nil && ctx.Err() == nil {
			d.log.Error("pulling messages", "subscription", d.subscription, "error", err)
			_ = d.clk.Sleep(ctx, time.Second) // the loop looks at ctx
		}
		for _, m := range messages {
			free <- struct{}{}
			wg.Go(func() {
				defer func() { <-free }()
				d.hold(ctx, m, working)
			})
		}
		if len(messages) == 0 {
			_ = d.clk.Sleep(ctx, d.opts.PollInterval) // the loop looks at ctx
		}
	}
	return nil
}

// pull asks for up to limit messages and does not wait for them.
func (d *Dispatcher) pull(ctx context.Context, limit int) ([]*pubsubpb.ReceivedMessage, error) {
	if limit <= 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	resp, err := d.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{
		Subscription: d.subscription, MaxMessages: int32(limit),
		//lint:ignore SA1019 deprecated for the service, but the in-process server sleeps 500 ms without it
		ReturnImmediately: true, //nolint:staticcheck // the same
	})
	if err != nil {
		return nil, err
	}
	return resp.ReceivedMessages, nil
}

// hold keeps the lease of a message while it is handled and, if refused, held back; then it acknowledges it or gives it
// back.
func (d *Dispatcher) hold(ctx context.Context, m *pubsubpb.ReceivedMessage, working chan struct{}) {
	leased, release := context.WithCancel(ctx)
	defer release()
	var wg sync.WaitGroup
	wg.Go(func() { d.prolong(leased, m.AckId) })
	defer wg.Wait()
	defer release()

	id := m.Message.GetMessageId()
	err := d.push(ctx, m, working)
	if err == nil {
		d.forget(id)
		d.tell(ctx, "acknowledging", m, func(ctx context.Context) error {
			return d.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{
				Subscription: d.subscription, AckIds: []string{m.AckId}})
		})
		return
	}
	if ctx.Err() == nil {
		d.log.Warn("message refused", "subscription", d.subscription, "message", id, "error", err)
		_ = d.clk.Sleep(ctx, d.backoff(id, int(m.DeliveryAttempt))) // cut short when ctx ends
	}
	release()
	wg.Wait() // no prolongation may come after the message was given back
	d.tell(ctx, "giving back", m, func(ctx context.Context) error { return d.extend(ctx, m.AckId, 0) })
}

// push hands the message to the handler once there is a free worker.
func (d *Dispatcher) push(ctx context.Context, m *pubsubpb.ReceivedMessage, working chan struct{}) error {
	select {
	case working <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-working }()
	ctx, cancel := context.WithTimeout(ctx, d.opts.Deadline)
	defer cancel()
	err := wire.Push(ctx, d.handler, bus.Delivery{
		Subscription: d.subscription, ID: m.Message.GetMessageId(), Key: m.Message.GetOrderingKey(), Data: m.Message.GetData(),
		Attributes: m.Message.GetAttributes(), Attempt: int(m.DeliveryAttempt), Published: m.Message.GetPublishTime().AsTime(),
	})
	if p, ok := errors.AsType[*wire.PanicError](err); ok {
		d.log.Error("handler panicked", "subscription", d.subscription, "message", m.Message.GetMessageId(),
			"panic", fmt.Sprint(p.Value), "stack", p.Stack)
	}
	return err
}

// prolong renews the lease at half its time until ctx ends.
func (d *Dispatcher) prolong(ctx context.Context, ackID string) {
	for d.clk.Sleep(ctx, d.opts.Lease/2) == nil {
		if err := d.extend(ctx, ackID, d.opts.Lease); err != nil && ctx.Err() == nil {
			d.log.Warn("prolonging lease", "subscription", d.subscription, "error", err)
		}
	}
}

// extend sets the lease to end after a time; 0 gives the message back.
func (d *Dispatcher) extend(ctx context.Context, ackID string, lease time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	return d.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: d.subscription, AckIds: []string{ackID}, AckDeadlineSeconds: int32(lease / time.Second)})
}

// tell makes a call about a message, also while stopping. When it does not arrive the lease runs out and the message
// comes again.
func (d *Dispatcher) tell(ctx context.Context, doing string, m *pubsubpb.ReceivedMessage, call func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rpcTimeout)
	defer cancel()
	if err := call(ctx); err != nil {
		d.log.Warn(doing, "subscription", d.subscription, "message", m.Message.GetMessageId(), "error", err)
	}
}

// backoff is the pause after a failed attempt. Without a dead-letter policy the service does not number the attempts, and
// the failures are counted here.
func (d *Dispatcher) backoff(id string, attempt int) time.Duration {
	if attempt == 0 {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.failures[id]++
		attempt = d.failures[id]
	}
	pause := d.opts.MinBackoff
	for range attempt - 1 {
		pause = min(2*pause, d.opts.MaxBackoff)
	}
	return pause
}

// forget drops the count of failures.
func (d *Dispatcher) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.failures, id)
}
