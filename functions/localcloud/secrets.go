package localcloud

import (
	"context"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Secrets is a Secret Manager whose secrets have one version each.
type Secrets struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	addr   string
	mu     sync.Mutex
	values map[string]string
}

func (s *Secrets) serve(t testing.TB) {
	server := grpc.NewServer()
	secretmanagerpb.RegisterSecretManagerServiceServer(server, s)
	s.addr = listen(t, server)
}

// Put gives a secret its value.
func (s *Secrets) Put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

func (s *Secrets) value(resource string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, name, _ := strings.Cut(resource, "/secrets/")
	name, _, _ = strings.Cut(name, "/")
	value, ok := s.values[name]
	if !ok {
		return "", status.Errorf(codes.NotFound, "secret %s not found", name)
	}
	return value, nil
}

// ListSecretVersions implements the service.
func (s *Secrets) ListSecretVersions(_ context.Context, req *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	if _, err := s.value(req.GetParent()); err != nil {
		return nil, err
	}
	return &secretmanagerpb.ListSecretVersionsResponse{Versions: []*secretmanagerpb.SecretVersion{
		{Name: req.GetParent() + "/versions/1", State: secretmanagerpb.SecretVersion_ENABLED},
	}}, nil
}

// AccessSecretVersion implements the service.
func (s *Secrets) AccessSecretVersion(_ context.Context, req *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	value, err := s.value(req.GetName())
	if err != nil {
		return nil, err
	}
	return &secretmanagerpb.AccessSecretVersionResponse{Name: req.GetName(), Payload: &secretmanagerpb.SecretPayload{Data: []byte(value)}}, nil
}
