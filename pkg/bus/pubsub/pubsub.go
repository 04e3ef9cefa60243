// Package pubsub is the bus on Google Cloud Pub/Sub. Publishing goes through the v2 client; delivery is the service's own
// push to the HTTP handlers, or, where nothing pushes, a Dispatcher.
package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/internal/wire"
)

const (
	// delayThreshold is how long the client waits for more messages to send with one; its default of 10 ms is the
	// larger part of the time a single publish takes (gcp-go-stack 1.1).
	delayThreshold = time.Millisecond
	// defaultTimeout bounds the retries of one publish, and with them the flush at the end (gcp-go-stack 1.1).
	defaultTimeout = 5 * time.Second
)

// Options of a Publisher; the zero value is ready to use.
type Options struct {
	// Topics are the known topics; bus.Topics when nil.
	Topics []string
	// Prefix stands before each topic's name in the project, such as "arbridge-staging-".
	Prefix string
	// Timeout bounds the publishing of a message, retries included; 5 seconds when zero.
	Timeout time.Duration
}

// Publisher is a bus.Publisher. Make one with New; it is safe for concurrent use.
type Publisher struct {
	topics  []string
	handles map[string]*pubsub.Publisher
}

var _ bus.Publisher = (*Publisher)(nil)

// New makes the publisher of all topics. The client stays the caller's to close, after Close.
func New(client *pubsub.Client, opts Options) *Publisher {
	if opts.Topics == nil {
		opts.Topics = bus.Topics
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	p := &Publisher{topics: opts.Topics, handles: make(map[string]*pubsub.Publisher, len(opts.Topics))}
	for _, topic := range opts.Topics {
		h := client.Publisher(opts.Prefix + topic)
		h.EnableMessageOrdering = true
		h.PublishSettings.DelayThreshold = delayThreshold
		h.PublishSettings.Timeout = opts.Timeout
		p.handles[topic] = h
	}
	return p
}

// Publish sends the messages and waits until the service has them all. Message.Delay is ignored. It refuses all of them
// when the topic is unknown or one is not acceptable; any other error means that some may not have been published. An
// error wraps context.Canceled or context.DeadlineExceeded when that was the cause, also when Options.Timeout was.
func (p *Publisher) Publish(ctx context.Context, topic string, messages ...bus.Message) error {
	if err := wire.Check(p.topics, topic, messages); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	h := p.handles[topic]
	errs := send(ctx, h, messages)
	// A key on which an earlier call failed, perhaps after that caller had stopped waiting, is paused and refuses at
	// once. It has been resumed now, so what it refused is sent again.
	if again := paused(messages, errs); len(again) > 0 {
		repeat := make([]bus.Message, len(again))
		for i, at := range again {
			repeat[i] = messages[at]
		}
		for i, err := range send(ctx, h, repeat) {
			errs[again[i]] = err
		}
	}
	var first error
	count := 0
	for _, err := range errs {
		if err != nil {
			count++
			if first == nil {
				first = err
			}
		}
	}
	if first != nil {
		return fmt.Errorf("publishing to %s: %d of %d messages: %w", topic, count, len(messages), contextual(first))
	}
	return nil
}

// send publishes messages in order and returns an error for each. The keys of those that were not published are resumed.
func send(ctx context.Context, h *pubsub.Publisher, messages []bus.Message) []error {
	results := make([]*pubsub.PublishResult, len(messages))
	for i, m := range messages {
		results[i] = h.Publish(ctx, &pubsub.Message{Data: m.Data, Attributes: m.Attributes, OrderingKey: m.Key})
	}
	errs := make([]error, len(messages))
	for i, r := range results {
		_, errs[i] = r.Get(ctx)
	}
	for i, err := range errs {
		if err != nil && messages[i].Key != "" {
			h.ResumePublish(messages[i].Key)
		}
	}
	return errs
}

// paused lists the messages of keys that were paused before any of these messages failed for another reason.
func paused(messages []bus.Message, errs []error) []int {
	failed := make(map[string]bool)
	var out []int
	for i, err := range errs {
		if err == nil {
			continue
		}
		_, is := errors.AsType[pubsub.ErrPublishingPaused](err)
		if is && !failed[messages[i].Key] {
			out = append(out, i)
		} else {
			failed[messages[i].Key] = true
		}
	}
	return out
}

// contextual adds the context error that a status stands for; the client's own timeout comes in both forms
// (gcp-go-stack 1.1).
func contextual(err error) error {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case status.Code(err) == codes.Canceled:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case status.Code(err) == codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// Close sends what is still waiting and stops all publishers. When ctx ends first it returns the error of ctx, and the
// rest is given up after Options.Timeout. Later publishes are refused.
func (p *Publisher) Close(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, h := range p.handles {
		wg.Go(h.Stop)
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing publishers: %w", ctx.Err())
	}
}
