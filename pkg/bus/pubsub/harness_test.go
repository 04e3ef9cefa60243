package pubsub_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vendor "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/bustest"
	"github.com/arbridge/arbridge/pkg/bus/pubsub"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/emulator"
)

const prefix = "test-"

// project is a client of one project, with the topic tasks and a topic for its dead letters.
type project struct {
	client *vendor.Client
	id     string
	stop   func() error // ends the in-process server early
}

// newProject connects and creates the topics.
func newProject(t *testing.T, id string, opts ...option.ClientOption) *project {
	t.Helper()
	client, err := vendor.NewClient(t.Context(), id, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // the connection may be closed already
	p := &project{client: client, id: id}
	for _, topic := range []string{"tasks", "tasks-dead"} {
		if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: p.topic(topic)}); err != nil {
			t.Fatal(err)
		}
	}
	p.create(t, &pubsubpb.Subscription{Name: p.sub("tasks-dead"), Topic: p.topic("tasks-dead")})
	return p
}

func (p *project) topic(name string) string { return "projects/" + p.id + "/topics/" + prefix + name }
func (p *project) sub(name string) string {
	return "projects/" + p.id + "/subscriptions/" + prefix + name
}

// create creates a subscription.
func (p *project) create(t *testing.T, s *pubsubpb.Subscription) {
	t.Helper()
	if _, err := p.client.SubscriptionAdminClient.CreateSubscription(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// tasks is the subscription of the topic tasks, with order and a quick repetition, and without dead letters.
func (p *project) tasks() *pubsubpb.Subscription {
	return &pubsubpb.Subscription{
		Name: p.sub("tasks"), Topic: p.topic("tasks"), EnableMessageOrdering: true, AckDeadlineSeconds: 10,
		RetryPolicy: &pubsubpb.RetryPolicy{
			MinimumBackoff: durationpb.New(50 * time.Millisecond), MaximumBackoff: durationpb.New(100 * time.Millisecond)},
	}
}

// publisher is a publisher of the project, closed when the test ends.
func (p *project) publisher(t *testing.T, opts pubsub.Options) *pubsub.Publisher {
	t.Helper()
	opts.Prefix = prefix
	pub := pubsub.New(p.client, opts)
	t.Cleanup(func() {
		if err := pub.Close(context.Background()); err != nil {
			t.Errorf("closing publisher: %v", err)
		}
	})
	return pub
}

// deadLetter waits for a message in the dead-letter topic.
func (p *project) deadLetter(t *testing.T) *pubsubpb.PubsubMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		resp, err := p.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: p.sub("tasks-dead"), MaxMessages: 1})
		if err != nil {
			t.Fatalf("waiting for the dead letter: %v", err)
		}
		if len(resp.ReceivedMessages) > 0 {
			return resp.ReceivedMessages[0].Message
		}
	}
}

// inProcess starts the in-process server and a project on it.
func inProcess(t *testing.T, opts ...pstest.ServerReactorOption) (*pstest.Server, *project) {
	t.Helper()
	srv := pstest.NewServer(opts...)
	conn, err := grpc.NewClient(srv.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(srv.Close) // the server panics when it is closed twice
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stopping server: %v", err)
		}
	})
	p := newProject(t, "test", option.WithGRPCConn(conn))
	p.stop = stop
	return srv, p
}

// dispatch runs a dispatcher of the subscription of tasks until the test ends.
func (p *project) dispatch(t *testing.T, h http.Handler, clk clock.Clock, opts pubsub.DispatcherOptions) {
	t.Helper()
	d := pubsub.NewDispatcher(p.client, p.sub("tasks"), h, clk, slog.New(slog.DiscardHandler), opts)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("dispatcher: %v", err)
		}
	})
}

// TestConformanceInProcess has no dead letters: since its v2.6.1 the in-process server publishes a message to the
// dead-letter topic again and again, because it does not find it to acknowledge it, and holds its key for ever.
func TestConformanceInProcess(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T) bustest.Harness {
		_, p := inProcess(t)
		p.create(t, p.tasks())
		return bustest.Harness{
			Publisher: p.publisher(t, pubsub.Options{}), Topic: bus.TopicTasks,
			Receive: func(h http.Handler) {
				p.dispatch(t, h, clock.System{}, pubsub.DispatcherOptions{MinBackoff: 5 * time.Millisecond, PollInterval: 2 * time.Millisecond})
			},
		}
	})
}

// TestConformanceEmulator delivers by the official emulator's own push to a server on loopback. The emulator's push
// stops for good when a message with order is to be dead-lettered, so dead letters have a test without order.
func TestConformanceEmulator(t *testing.T) {
	t.Parallel()
	host := emulator.PubSub(t)
	bustest.Run(t, func(t *testing.T) bustest.Harness {
		p := newProject(t, emulator.Project(t), emulator.Options(host)...)
		return bustest.Harness{
			Publisher: p.publisher(t, pubsub.Options{}), Topic: bus.TopicTasks,
			NoKeys: true, Pipelined: true, Acknowledging: []int{http.StatusOK, http.StatusCreated, http.StatusNoContent},
			Receive: func(h http.Handler) { p.push(t, p.tasks(), h) },
		}
	})
}

// TestEmulatorDeadLetter refuses a message until it is in the dead-letter topic with the attributes that say where it
// came from.
func TestEmulatorDeadLetter(t *testing.T) {
	t.Parallel()
	p := newProject(t, emulator.Project(t), emulator.Options(emulator.PubSub(t))...)
	s := p.tasks()
	s.EnableMessageOrdering, s.RetryPolicy = false, nil
	s.DeadLetterPolicy = &pubsubpb.DeadLetterPolicy{DeadLetterTopic: p.topic("tasks-dead"), MaxDeliveryAttempts: 5}
	var deliveries atomic.Int32
	p.push(t, s, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		deliveries.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	m := bus.Message{Key: "k", Data: []byte("poison"), Attributes: map[string]string{"company": "us"}}
	if err := p.publisher(t, pubsub.Options{}).Publish(t.Context(), bus.TopicTasks, m); err != nil {
		t.Fatal(err)
	}
	letter := p.deadLetter(t)
	if n := deliveries.Load(); n < 5 {
		t.Errorf("dead-lettered after %d deliveries, want 5", n)
	}
	want := map[string]string{
		"company": "us", "CloudPubSubDeadLetterSourceDeliveryCount": "5",
		"CloudPubSubDeadLetterSourceSubscription": prefix + "tasks", "CloudPubSubDeadLetterSourceSubscriptionProject": p.id,
	}
	for k, v := range want {
		if letter.Attributes[k] != v {
			t.Errorf("attribute %s = %q, want %q", k, letter.Attributes[k], v)
		}
	}
	if string(letter.Data) != "poison" {
		t.Errorf("data = %q, want poison", letter.Data)
	}
}

// push creates a subscription that pushes to h.
func (p *project) push(t *testing.T, s *pubsubpb.Subscription, h http.Handler) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // panics of the handler are wanted
	srv.Start()
	t.Cleanup(srv.Close)
	s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: srv.URL + "/push"}
	p.create(t, s)
	t.Cleanup(func() {
		err := p.client.SubscriptionAdminClient.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: s.Name})
		if err != nil {
			t.Errorf("deleting subscription: %v", err)
		}
	})
}
