// Package localcloud runs arbridge's services as Google Cloud runs them, on one machine and without an account: one process
// per function, the official Firestore and Pub/Sub emulators with real push, an in-process Cloud Storage and Secret
// Manager, and in front of each service what Cloud Run puts there. It is for tests; every operation is counted, so that
// the bill can be estimated.
package localcloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/emulator"
)

// Cloud is a project with everything that Terraform makes in it.
type Cloud struct {
	Project string
	Bucket  string
	Secrets *Secrets
	// Count is what was done so far.
	Count *Operations

	t        testing.TB
	binary   string
	pubsub   *pubsub.Client
	direct   string // host:port of Firestore
	firebase string // host:port of the counting proxy before it
	queue    string // and of the one before Pub/Sub
	storage  string // URL of Cloud Storage
	services map[string]*Service
}

// Audience is the audience of push tokens, and pusher the account they are for: deployment.cloud.base_url and
// push_service_account of the configuration.
const (
	Audience = "https://arbridge.invalid"
	Pusher   = "arbridge-push@local.iam.gserviceaccount.com"
)

// Functions are the services, in the order in which they are started.
func Functions() []string { return []string{"webhook", "receipt", "sync", "poll"} }

// Start makes a project. Everything in it ends with the test. Missing emulators skip the test, or fail it where they are
// required.
func Start(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{
		Project: emulator.Project(t), Bucket: "pdf", t: t, Secrets: &Secrets{values: map[string]string{}}, Count: &Operations{},
		services: map[string]*Service{},
	}
	firestore, queue := emulator.Firestore(t), emulator.PubSub(t)
	c.direct, c.firebase = firestore, c.proxy(firestore, c.Count.firestore)
	c.queue = c.proxy(queue, c.Count.pubsub)
	c.Secrets.serve(t)
	host, port := freePort(t)
	files, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		Scheme: "http", Host: host, Port: port, PublicHost: fmt.Sprintf("%s:%d", host, port), ExternalURL: fmt.Sprintf("http://%s:%d", host, port),
	})
	if err != nil {
		t.Fatalf("cloud storage: %v", err)
	}
	t.Cleanup(files.Stop)
	files.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: c.Bucket})
	c.storage = files.URL()
	if c.pubsub, err = pubsub.NewClient(t.Context(), c.Project, emulator.Options(queue)...); err != nil {
		t.Fatalf("pub/sub: %v", err)
	}
	t.Cleanup(func() { _ = c.pubsub.Close() })
	c.binary = filepath.Join(t.TempDir(), "arbridge")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", c.binary, "github.com/arbridge/arbridge/functions/arbridge").CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	for _, name := range Functions() {
		c.services[name] = newService(c, name)
	}
	c.subscribe()
	return c
}

// subscribe makes the topics and subscriptions that Terraform makes.
func (c *Cloud) subscribe() {
	c.t.Helper()
	for _, topic := range bus.Topics {
		c.topic(topic)
	}
	for _, s := range bus.Subscriptions {
		dead := c.topic(s.Name() + "-dead")
		for _, made := range []*pubsubpb.Subscription{
			{
				Name: c.name("subscriptions", s.Name()), Topic: c.name("topics", s.Topic), EnableMessageOrdering: true,
				AckDeadlineSeconds: int32(s.AckDeadline / time.Second),
				PushConfig:         &pubsubpb.PushConfig{PushEndpoint: c.services[s.Function].URL + "/"},
				RetryPolicy:        &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(s.MinBackoff), MaximumBackoff: durationpb.New(s.MaxBackoff)},
				DeadLetterPolicy:   &pubsubpb.DeadLetterPolicy{DeadLetterTopic: dead, MaxDeliveryAttempts: int32(s.MaxAttempts)},
				ExpirationPolicy:   &pubsubpb.ExpirationPolicy{},
			},
			{Name: c.name("subscriptions", s.Name()+"-dead"), Topic: dead, ExpirationPolicy: &pubsubpb.ExpirationPolicy{}},
		} {
			if _, err := c.pubsub.SubscriptionAdminClient.CreateSubscription(c.t.Context(), made); err != nil {
				c.t.Fatalf("subscription %s: %v", made.Name, err)
			}
		}
	}
}

func (c *Cloud) topic(name string) string {
	c.t.Helper()
	full := c.name("topics", name)
	if _, err := c.pubsub.TopicAdminClient.CreateTopic(c.t.Context(), &pubsubpb.Topic{Name: full}); err != nil {
		c.t.Fatalf("topic %s: %v", name, err)
	}
	return full
}

func (c *Cloud) name(kind, name string) string {
	return fmt.Sprintf("projects/%s/%s/%s", c.Project, kind, name)
}

// Deploy starts one process per function with the configuration.
func (c *Cloud) Deploy(config string) {
	c.t.Helper()
	for _, name := range Functions() {
		c.services[name].deploy(config)
	}
}

// Service returns a function's service.
func (c *Cloud) Service(function string) *Service { return c.services[function] }

// Serving counts the requests that the services have not answered yet.
func (c *Cloud) Serving() int {
	n := int64(0)
	for _, s := range c.services {
		n += s.serving.Load()
	}
	return int(n)
}

// Tick publishes a tick for everything, as the scheduler's job does.
func (c *Cloud) Tick(ctx context.Context) error {
	p := c.pubsub.Publisher(bus.TopicTicks)
	defer p.Stop()
	_, err := p.Publish(ctx, &pubsub.Message{Data: []byte("{}")}).Get(ctx)
	c.Count.add(func(n *Counts) { n.Ticks++ })
	return err
}

// DeadLetters counts the messages that were given up, by subscription.
func (c *Cloud) DeadLetters(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, s := range bus.Subscriptions {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		res, err := c.pubsub.SubscriptionAdminClient.Pull(wait, &pubsubpb.PullRequest{Subscription: c.name("subscriptions", s.Name()+"-dead"), MaxMessages: 100})
		cancel()
		if err != nil && !errors.Is(wait.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("dead letters of %s: %w", s.Name(), err)
		}
		if n := len(res.GetReceivedMessages()); n > 0 {
			out[s.Name()] = n
		}
	}
	return out, nil
}

// Environ is what a process of the project needs to find the project's parts.
func (c *Cloud) Environ() []string {
	return append(os.Environ(),
		"FIRESTORE_EMULATOR_HOST="+c.firebase, "PUBSUB_EMULATOR_HOST="+c.queue, "STORAGE_EMULATOR_HOST="+c.storage,
		"SECRET_MANAGER_EMULATOR_HOST="+c.Secrets.addr, "OTEL_SDK_DISABLED=true")
}

// Watch is what a process that only looks on needs beside Environ: what it reads is not counted.
func (c *Cloud) Watch() map[string]string {
	return map[string]string{
		"FIRESTORE_EMULATOR_HOST": c.direct, "PUBSUB_EMULATOR_HOST": c.queue, "STORAGE_EMULATOR_HOST": c.storage,
		"SECRET_MANAGER_EMULATOR_HOST": c.Secrets.addr,
	}
}

// Stop ends all processes in the way Cloud Run does, and adds up the time they used.
func (c *Cloud) Stop() {
	c.t.Helper()
	for _, name := range Functions() {
		c.services[name].stop()
	}
}

// listen serves a gRPC server on loopback until the test ends.
func listen(t testing.TB, server *grpc.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

// freePort is a port of loopback that nobody uses.
func freePort(t testing.TB) (string, uint16) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := netip.MustParseAddrPort(l.Addr().String())
	return addr.Addr().String(), addr.Port()
}

// front serves a handler on loopback until the test ends.
func front(t testing.TB, s *Service) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}
