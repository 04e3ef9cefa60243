// Package secretmanager is the source of secrets on Google Cloud Secret Manager.
//
// The identity needs the permissions secretmanager.versions.list and secretmanager.versions.access on each secret.
package secretmanager

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"golang.org/x/sync/singleflight"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/secret/internal/ident"
)

const (
	// maxVersions is how many versions count: the current one and, during a rotation, the one before.
	maxVersions = 2
	// readTimeout bounds one reading of a secret, which may serve several callers.
	readTimeout = 10 * time.Second
	// settled is how long what was read stays whatever Forget says.
	settled = 10 * time.Second
)

// Source is a secret.Source. Make one with New; it is safe for concurrent use.
type Source struct {
	client  *secretmanager.Client
	project string
	clk     clock.Clock
	ttl     time.Duration
	flights singleflight.Group

	mu     sync.Mutex
	cached map[string]entry
}

var (
	_ secret.Source    = (*Source)(nil)
	_ secret.Forgetter = (*Source)(nil)
)

// entry is a secret as read last.
type entry struct {
	values []secret.Value
	until  time.Time
}

// New reads the secrets of a project and keeps each for ttl. Failures are not kept. The client stays the caller's to
// close.
func New(client *secretmanager.Client, project string, clk clock.Clock, ttl time.Duration) *Source {
	return &Source{client: client, project: project, clk: clk, ttl: ttl, cached: make(map[string]entry)}
}

// Get implements secret.Source: at most the two newest enabled versions. One newline at the end of a version is not
// part of it. Callers that ask at the same time share one reading.
func (s *Source) Get(ctx context.Context, name string) ([]secret.Value, error) {
	if err := ident.Check(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading secret %s: %w", name, err)
	}
	if values, ok := s.lookup(name); ok {
		return values, nil
	}
	flight := s.flights.DoChan(name, func() (any, error) {
		if values, ok := s.lookup(name); ok { // another flight has just ended
			return values, nil
		}
		// The flight outlives the caller that happened to start it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return s.read(ctx, name)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("reading secret %s: %w", name, ctx.Err())
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		values, _ := r.Val.([]secret.Value) // the flight gives nothing else
		return append([]secret.Value(nil), values...), nil
	}
}

// lookup gives what is cached and still good.
func (s *Source) lookup(name string) ([]secret.Value, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.cached[name]
	if !ok || !s.clk.Now().Before(e.until) {
		return nil, false
	}
	return append([]secret.Value(nil), e.values...), true
}

// Forget implements secret.Forgetter. What was read less than 10 seconds ago stays.
func (s *Source) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.cached[name]; ok && s.clk.Now().Sub(e.until.Add(-s.ttl)) >= settled {
		delete(s.cached, name)
	}
}

// read reads the newest enabled versions and caches them. A version that was disabled since it was listed is left out.
func (s *Source) read(ctx context.Context, name string) ([]secret.Value, error) {
	parent := "projects/" + s.project + "/secrets/" + name
	versions, err := s.list(ctx, parent)
	if err != nil {
		return nil, s.explain(name, err)
	}
	var values []secret.Value
	for _, version := range versions {
		text, err := s.access(ctx, version)
		if code := status.Code(err); code == codes.NotFound || code == codes.FailedPrecondition {
			continue
		}
		if err != nil {
			return nil, s.explain(name, err)
		}
		values = append(values, secret.NewValue(text))
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("secret %s in project %s has no enabled version: %w", name, s.project, secret.ErrNotFound)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached[name] = entry{values, s.clk.Now().Add(s.ttl)}
	return values, nil
}

// list names the newest enabled versions of a secret; the service lists newest first.
func (s *Source) list(ctx context.Context, parent string) ([]string, error) {
	it := s.client.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: parent, Filter: "state:ENABLED"})
	var out []string
	for len(out) < maxVersions {
		v, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		if v.State == secretmanagerpb.SecretVersion_ENABLED {
			out = append(out, v.Name)
		}
	}
	return out, nil
}

// access reads one version and checks that it arrived as it was stored.
func (s *Source) access(ctx context.Context, version string) (string, error) {
	resp, err := s.client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: version})
	if err != nil {
		return "", err
	}
	data := resp.GetPayload().GetData()
	if sum := resp.GetPayload().DataCrc32C; sum != nil && *sum != int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))) {
		return "", fmt.Errorf("%s arrived damaged: its checksum differs", version)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// explain says which secret a failure is about, and adds the error of the contract or of a context it stands for.
func (s *Source) explain(name string, err error) error {
	switch status.Code(err) {
	case codes.NotFound:
		return fmt.Errorf("secret %s is not in project %s: %w", name, s.project, secret.ErrNotFound)
	case codes.PermissionDenied:
		return fmt.Errorf("reading secret %s of project %s: the identity needs secretmanager.versions.list and "+
			"secretmanager.versions.access on it: %w", name, s.project, err)
	case codes.DeadlineExceeded:
		return fmt.Errorf("reading secret %s of project %s: %w: %w", name, s.project, context.DeadlineExceeded, err)
	}
	return fmt.Errorf("reading secret %s of project %s: %w", name, s.project, err)
}
