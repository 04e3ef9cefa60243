package secretmanager_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
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

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/secret/secretmanager"
	"github.com/arbridge/arbridge/pkg/secret/secrettest"
)

const (
	enabled   = secretmanagerpb.SecretVersion_ENABLED
	disabled  = secretmanagerpb.SecretVersion_DISABLED
	destroyed = secretmanagerpb.SecretVersion_DESTROYED
)

// version is one version of a secret.
type version struct {
	state secretmanagerpb.SecretVersion_State
	text  string
}

// fake is the Secret Manager service of one project. It ignores filters, so that the client's own check is needed.
type fake struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	mu       sync.Mutex
	secrets  map[string][]version // by resource name, oldest first
	fail     codes.Code           // answer of every call, unless OK
	badSum   bool
	lists    int
	accesses int
	gate     chan struct{} // lists wait for it, unless nil
}

func (f *fake) ListSecretVersions(ctx context.Context, req *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	f.mu.Lock()
	gate := f.gate
	f.lists++
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != codes.OK {
		return nil, status.Error(f.fail, "told to fail")
	}
	versions, ok := f.secrets[req.Parent]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Secret [%s] not found.", req.Parent)
	}
	resp := &secretmanagerpb.ListSecretVersionsResponse{}
	for i := len(versions) - 1; i >= 0; i-- {
		resp.Versions = append(resp.Versions, &secretmanagerpb.SecretVersion{
			Name: fmt.Sprintf("%s/versions/%d", req.Parent, i+1), State: versions[i].state})
	}
	return resp, nil
}

func (f *fake) AccessSecretVersion(_ context.Context, req *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accesses++
	parent, number, _ := strings.Cut(req.Name, "/versions/")
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil || n < 1 || n > len(f.secrets[parent]) {
		return nil, status.Error(codes.NotFound, "no such version")
	}
	v := f.secrets[parent][n-1]
	if v.state != enabled || v.text == "disabled meanwhile" {
		return nil, status.Error(codes.FailedPrecondition, "version is not enabled")
	}
	sum := int64(crc32.Checksum([]byte(v.text), crc32.MakeTable(crc32.Castagnoli)))
	if f.badSum {
		sum++
	}
	return &secretmanagerpb.AccessSecretVersionResponse{
		Name: req.Name, Payload: &secretmanagerpb.SecretPayload{Data: []byte(v.text), DataCrc32C: &sum}}, nil
}

// set replaces the versions of a secret; none removes it.
func (f *fake) set(name string, versions ...version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent := "projects/test/secrets/" + name
	if f.secrets[parent] = versions; versions == nil {
		delete(f.secrets, parent)
	}
}

func (f *fake) calls() (lists, accesses int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists, f.accesses
}

// serve starts a fake and a source on it that caches for a minute.
func serve(t *testing.T) (*fake, *secretmanager.Source, *clock.Movable) {
	t.Helper()
	f := &fake{secrets: make(map[string][]version)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	secretmanagerpb.RegisterSecretManagerServiceServer(srv, f)
	go func() { _ = srv.Serve(listener) }() // ends with Stop
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := vendor.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing client: %v", err)
		}
	})
	clk := clock.NewMovable(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	return f, secretmanager.New(client, "test", clk, time.Minute), clk
}

func TestConformance(t *testing.T) {
	secrettest.Run(t, func(t *testing.T) secrettest.Harness {
		f, s, clk := serve(t)
		return secrettest.Harness{
			Source: s, MaxVersions: 2,
			Set: func(_ *testing.T, name string, values ...string) {
				var versions []version
				for i := len(values) - 1; i >= 0; i-- {
					versions = append(versions, version{enabled, values[i]})
				}
				f.set(name, versions...)
				clk.Advance(time.Minute)
			},
		}
	})
}

// get reveals the values, separated by |.
func get(t *testing.T, s secret.Source, name string) (string, error) {
	t.Helper()
	values, err := s.Get(t.Context(), name)
	var texts []string
	for _, v := range values {
		texts = append(texts, v.Reveal())
	}
	return strings.Join(texts, "|"), err
}

func TestVersions(t *testing.T) {
	tests := []struct {
		name     string
		versions []version // oldest first
		want     string    // empty for ErrNotFound
	}{
		{"two newest", []version{{enabled, "1"}, {enabled, "2"}, {enabled, "3"}}, "3|2"},
		{"only enabled", []version{{enabled, "1"}, {destroyed, "2"}, {enabled, "3"}, {disabled, "4"}}, "3|1"},
		{"disabled meanwhile", []version{{enabled, "1"}, {enabled, "disabled meanwhile"}}, "1"},
		{"newline", []version{{enabled, "1\r\n"}, {enabled, "2\n"}}, "2|1"},
		{"none enabled", []version{{disabled, "1"}, {destroyed, "2"}}, ""},
		{"all disabled meanwhile", []version{{enabled, "disabled meanwhile"}}, ""},
		{"no versions", []version{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, s, _ := serve(t)
			f.set("key", tt.versions...)
			got, err := get(t, s, "key")
			if got != tt.want || tt.want == "" && !errors.Is(err, secret.ErrNotFound) || tt.want != "" && err != nil {
				t.Errorf("values = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestCache(t *testing.T) {
	f, s, clk := serve(t)
	f.set("key", version{enabled, "old"})
	expect := func(want string, lists int) {
		t.Helper()
		got, err := get(t, s, "key")
		if n, _ := f.calls(); got != want || err != nil || n != lists {
			t.Errorf("key = %q, %v after %d lists, want %q after %d", got, err, n, want, lists)
		}
	}
	expect("old", 1)
	f.set("key", version{enabled, "old"}, version{enabled, "new"})
	clk.Advance(59 * time.Second)
	expect("old", 1)
	clk.Advance(time.Second)
	expect("new|old", 2)

	if _, err := get(t, s, "other"); !errors.Is(err, secret.ErrNotFound) {
		t.Fatalf("other: %v, want ErrNotFound", err)
	}
	f.set("other", version{enabled, "made now"})
	if got, err := get(t, s, "other"); got != "made now" || err != nil {
		t.Errorf("other = %q, %v, want a failure not to be cached", got, err)
	}
}

// TestForget: a value that a vendor refused is read again before its time, but not once for each refusal.
func TestForget(t *testing.T) {
	f, s, clk := serve(t)
	f.set("key", version{enabled, "old"})
	refused, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	f.set("key", version{disabled, "old"}, version{enabled, "new"})
	for range 3 {
		if got, changed, err := secret.Reread(t.Context(), s, "key", refused); changed || err != nil || got[0].Reveal() != "old" {
			t.Errorf("changed %v, %v although it was read a moment ago", changed, err)
		}
	}
	clk.Advance(10 * time.Second)
	got, changed, err := secret.Reread(t.Context(), s, "key", refused)
	if err != nil || !changed || len(got) != 1 || got[0].Reveal() != "new" {
		t.Errorf("%d values, changed %v, %v", len(got), changed, err)
	}
	if _, changed, err := secret.Reread(t.Context(), s, "key", got); changed || err != nil {
		t.Errorf("changed %v, %v although nothing did", changed, err)
	}
	if lists, _ := f.calls(); lists != 2 {
		t.Errorf("%d readings, want 2", lists)
	}
	s.Forget("never read")
	f.set("key")
	clk.Advance(time.Minute)
	if _, changed, err := secret.Reread(t.Context(), s, "key", got); changed || !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("changed %v, %v for a secret that is gone", changed, err)
	}
}

func TestSingleFlight(t *testing.T) {
	f, s, _ := serve(t)
	f.set("key", version{enabled, "value"})
	f.gate = make(chan struct{})
	first, giveUp := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.Get(first, "key")
		left <- err
	}()
	for lists := 0; lists == 0; lists, _ = f.calls() {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := s.Get(t.Context(), "key"); err != nil || got[0].Reveal() != "value" {
				t.Errorf("getting key: %v, want its value", err)
			}
		})
	}
	giveUp() // the one that started the call leaves; the others must not suffer
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that left: %v, want context.Canceled", err)
	}
	close(f.gate)
	wg.Wait()
	if lists, accesses := f.calls(); lists != 1 || accesses != 1 {
		t.Errorf("%d lists and %d accesses, want one each", lists, accesses)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		code codes.Code
		is   error  // what the error must be, or nil
		says string // part of the error
	}{
		{codes.NotFound, secret.ErrNotFound, "secret key is not in project test"},
		{codes.PermissionDenied, nil, "needs secretmanager.versions.list and secretmanager.versions.access"},
		{codes.Internal, nil, "reading secret key of project test"},
		{codes.DeadlineExceeded, context.DeadlineExceeded, "reading secret key"},
	}
	for _, tt := range tests {
		f, s, _ := serve(t)
		f.set("key", version{enabled, "value"})
		f.fail = tt.code
		_, err := get(t, s, "key")
		if err == nil || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error = %v, want %v with %q", tt.code, err, tt.is, tt.says)
		}
		if tt.is == nil && errors.Is(err, secret.ErrNotFound) {
			t.Errorf("%s: error = %v counts as not found", tt.code, err)
		}
	}
	f, s, _ := serve(t)
	f.set("key", version{enabled, "hidden-text"})
	f.badSum = true
	if got, err := get(t, s, "key"); err == nil || strings.Contains(err.Error(), "hidden-text") {
		t.Errorf("a damaged answer: %q, %v, want an error without the text", got, err)
	}
}
