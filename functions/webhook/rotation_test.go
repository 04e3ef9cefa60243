package webhook_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	vendor "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/secret/secretmanager"
)

// manager is the Secret Manager service with one secret.
type manager struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	mu       sync.Mutex
	versions []string // oldest first; empty is a disabled one
}

func (m *manager) set(versions ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions = versions
}

func (m *manager) ListSecretVersions(_ context.Context, req *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	res := &secretmanagerpb.ListSecretVersionsResponse{}
	for i := len(m.versions) - 1; i >= 0; i-- {
		v := &secretmanagerpb.SecretVersion{Name: fmt.Sprintf("%s/versions/%d", req.Parent, i), State: secretmanagerpb.SecretVersion_ENABLED}
		if m.versions[i] == "" {
			v.State = secretmanagerpb.SecretVersion_DISABLED
		}
		res.Versions = append(res.Versions, v)
	}
	return res, nil
}

func (m *manager) AccessSecretVersion(_ context.Context, req *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var i int
	_, number, _ := strings.Cut(req.Name, "/versions/")
	if _, err := fmt.Sscan(number, &i); err != nil || i >= len(m.versions) || m.versions[i] == "" {
		return nil, status.Error(codes.FailedPrecondition, "not enabled")
	}
	return &secretmanagerpb.AccessSecretVersionResponse{Payload: &secretmanagerpb.SecretPayload{Data: []byte(m.versions[i])}}, nil
}

// serveSecrets starts the service and a source that keeps secrets for five minutes, as on Google Cloud.
func serveSecrets(t *testing.T, m *manager, c clock.Clock) *secretmanager.Source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	secretmanagerpb.RegisterSecretManagerServiceServer(s, m)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := vendor.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return secretmanager.New(client, "example-prod", c, 5*time.Minute)
}

// TestRotationWithoutRestart: a new version of the webhook secret counts within the time that a secret is kept, beside the
// old one, and the old one stops counting as soon after it is disabled. The process is the same all the time.
func TestRotationWithoutRestart(t *testing.T) {
	w, clk, m := enginetest.NewWorld(), clock.NewMovable(time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)), &manager{}
	m.set("old key")
	h := webhook.Handler(w.Start(), serveSecrets(t, m, clk), func(string) string { return "invoiced-us-webhook" },
		webhook.Vendor{Verify: invoiced.Verify, Parse: enginetest.ParseEvent}, slog.New(slog.DiscardHandler))
	f := &fixture{World: w, handler: h}
	number := 0
	expect := func(when, key string, want int) {
		t.Helper()
		number++
		body := strings.Replace(event, `"e1"`, fmt.Sprintf(`"e%d"`, number), 1)
		if got := f.post(http.MethodPost, "/webhook/us", body, sign(body, key)); got.Code != want {
			t.Errorf("%s, signed with the %s: %d, want %d", when, key, got.Code, want)
		}
	}
	expect("at first", "old key", 204)
	expect("at first", "new key", 401)
	m.set("old key", "new key")
	clk.Advance(5 * time.Minute)
	expect("with both versions", "new key", 204)
	expect("with both versions", "old key", 204)
	m.set("", "new key")
	clk.Advance(5*time.Minute - time.Second)
	expect("a moment before it is read again", "old key", 204)
	clk.Advance(time.Second)
	expect("with the old version disabled", "old key", 401)
	expect("with the old version disabled", "new key", 204)
	m.set("", "")
	clk.Advance(5 * time.Minute)
	expect("without any version", "new key", 503) // the portal sends it again
	m.set("", "", "newest key")
	expect("a failure is not kept", "newest key", 204)
	if got := len(f.inbox(t)); got != 6 {
		t.Errorf("%d events stored, want the 6 that were accepted", got)
	}
}
