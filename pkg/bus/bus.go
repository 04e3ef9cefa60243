// Package bus is the contract for waking workers up: messages published to topics are pushed to HTTP handlers in the
// Pub/Sub push envelope, at least once, in order per key.
//
// Two implementations exist: pubsub (Google Cloud) and queue (embedded, in the SQLite file, delivering the same envelope
// to the same handlers in process). Losing every message is harmless, because the poll's sweep publishes again whatever
// the store says is due.
package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The topics. Terraform creates one push subscription and one dead-letter topic for each (infra/docs/architecture.md).
const (
	TopicTicks  = "ticks"  // scheduler -> poll
	TopicTasks  = "tasks"  // poll -> sync
	TopicEvents = "events" // webhook -> receipt
)

// Topics lists every topic.
var Topics = []string{TopicTicks, TopicTasks, TopicEvents}

// Subscription is a push subscription as it has to be: Terraform makes it so, and a test compares the two.
type Subscription struct {
	Topic, Function        string
	AckDeadline            time.Duration // also the longest a handler may take
	MinBackoff, MaxBackoff time.Duration // before a message that was not acknowledged comes again
	MaxAttempts            int           // before it becomes a dead letter
}

// Name is the subscription's name; its dead letters go to a topic and a subscription of that name and "-dead".
func (s Subscription) Name() string { return s.Topic + "-" + s.Function }

// Subscriptions lists every push subscription. All are ordered. An acknowledgement is never long in coming for want of a
// vendor: work that has to wait is parked in the store (gcp-go-stack 5.1).
var Subscriptions = []Subscription{
	{TopicTicks, "poll", 600 * time.Second, 10 * time.Second, 600 * time.Second, 10},
	{TopicTasks, "sync", 600 * time.Second, 10 * time.Second, 600 * time.Second, 10},
	{TopicEvents, "receipt", 600 * time.Second, 10 * time.Second, 600 * time.Second, 10},
}

// MaxMessage is the largest message in bytes; messages are references, never documents.
const MaxMessage = 64 << 10

// Message is what is published.
type Message struct {
	// Key orders messages: those of one key are delivered one at a time, in the order published. Empty means unordered.
	Key string
	// Data is the body.
	Data []byte
	// Attributes are small texts beside the body.
	Attributes map[string]string
	// Delay asks for a delivery not before that time from now. The embedded bus honours it; Pub/Sub can not, and
	// delivers at once: a delay is an optimisation, never a guard.
	Delay time.Duration
}

// Publisher publishes. It returns when the messages are accepted durably, or an error when some may not be.
type Publisher interface {
	Publish(ctx context.Context, topic string, messages ...Message) error
}

// Delivery is one message as a handler receives it.
type Delivery struct {
	Subscription string            // full or short name of the subscription
	ID           string            // message id
	Key          string            // ordering key
	Data         []byte            // body
	Attributes   map[string]string // attributes
	Attempt      int               // delivery attempt from 1, 0 when the service does not say
	Published    time.Time         // when it was published
}

// envelope is the wrapped push form (gcp-go-stack 3.3).
type envelope struct {
	Subscription    string `json:"subscription"`
	DeliveryAttempt int    `json:"deliveryAttempt,omitempty"`
	Message         struct {
		Data        []byte            `json:"data"`
		Attributes  map[string]string `json:"attributes,omitempty"`
		MessageID   string            `json:"messageId"`
		PublishTime time.Time         `json:"publishTime"`
		OrderingKey string            `json:"orderingKey,omitempty"`
	} `json:"message"`
}

// DecodePush reads the push envelope from a request body of at most 10 times MaxMessage.
func DecodePush(r *http.Request) (Delivery, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 10*MaxMessage+1))
	if err != nil {
		return Delivery{}, fmt.Errorf("reading push request: %w", err)
	}
	if len(body) > 10*MaxMessage {
		return Delivery{}, fmt.Errorf("push request is larger than %d bytes", 10*MaxMessage)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return Delivery{}, fmt.Errorf("push request is not a Pub/Sub envelope: %w", err)
	}
	if e.Message.MessageID == "" {
		return Delivery{}, fmt.Errorf("push request is not a Pub/Sub envelope: message.messageId is missing")
	}
	return Delivery{
		Subscription: e.Subscription, ID: e.Message.MessageID, Key: e.Message.OrderingKey, Data: e.Message.Data,
		Attributes: e.Message.Attributes, Attempt: e.DeliveryAttempt, Published: e.Message.PublishTime,
	}, nil
}

// EncodePush writes the push envelope of a delivery, as Pub/Sub would POST it.
func EncodePush(d Delivery) ([]byte, error) {
	var e envelope
	e.Subscription, e.DeliveryAttempt = d.Subscription, d.Attempt
	e.Message.Data, e.Message.Attributes, e.Message.MessageID = d.Data, d.Attributes, d.ID
	e.Message.PublishTime, e.Message.OrderingKey = d.Published, d.Key
	return json.Marshal(e)
}

// Acknowledged reports whether an HTTP status acknowledges a push (gcp-go-stack 3.3).
func Acknowledged(status int) bool {
	switch status {
	case http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return true
	}
	return false
}
