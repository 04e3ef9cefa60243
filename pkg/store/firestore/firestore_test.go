package firestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "cloud.google.com/go/firestore"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/emulator"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/storetest"
)

// mustOpen opens an empty store on the emulator.
func mustOpen(t testing.TB, more ...option.ClientOption) (*Store, string) {
	t.Helper()
	host, project := emulator.Firestore(t), emulator.Project(t)
	s, err := Open(t.Context(), Options{Project: project}, append(emulator.Options(host), more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s, project
}

func TestConformance(t *testing.T) {
	emulator.Firestore(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := mustOpen(t)
		return s
	})
}

func TestOpenNeedsAProject(t *testing.T) {
	if _, err := Open(t.Context(), Options{}, option.WithoutAuthentication()); err == nil || !strings.Contains(err.Error(), "project") {
		t.Errorf("Open without a project = %v; want an error that names it", err)
	}
}

// TestReadableInTheConsole: another client sees native fields and a readable document id.
func TestReadableInTheConsole(t *testing.T) {
	s, project := mustOpen(t)
	defer s.Close()
	if _, err := s.Write(t.Context(), store.Write{
		Collection: store.Records, ID: "us/invoice/INV-1",
		Data: []byte(`{"company":"us","tries":3,"ok":true,"total":"10.50","sides":{"erp":"10.50"},"expire_at":"2026-11-21T10:00:00.000001Z"}`),
	}); err != nil {
		t.Fatal(err)
	}
	c, err := client.NewClient(t.Context(), project, emulator.Options(emulator.Firestore(t))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := c.Collection("records").Documents(t.Context()).GetAll()
	if err != nil || len(all) != 1 {
		t.Fatalf("another client sees %d documents, %v", len(all), err)
	}
	if id := all[0].Ref.ID; !strings.HasSuffix(id, "-us~invoice~INV-1") {
		t.Errorf("document id is %s", id)
	}
	got := all[0].Data()
	delete(got, fieldWrite)
	want := map[string]any{
		"_id": "us/invoice/INV-1", "company": "us", "tries": int64(3), "ok": true, "total": "10.50",
		"sides": map[string]any{"erp": "10.50"}, "expire_at": time.Date(2026, 11, 21, 10, 0, 0, 1000, time.UTC),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}

// commits is an interceptor of commits: send is the real call.
func commits(f func(n int64, send func() error) error) option.ClientOption {
	var n atomic.Int64
	return option.WithGRPCDialOption(grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any,
		cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		send := func() error { return invoke(ctx, method, req, reply, cc, opts...) }
		if !strings.HasSuffix(method, "/Commit") {
			return send()
		}
		return f(n.Add(1), send)
	}))
}

// TestLostAnswer: a commit that took place, but whose answer was lost, is a success when the client repeats it.
func TestLostAnswer(t *testing.T) {
	s, _ := mustOpen(t, commits(func(n int64, send func() error) error {
		err := send()
		if n%2 == 1 && err == nil {
			return status.Error(codes.Unavailable, "connection lost after the commit")
		}
		return err
	}))
	defer s.Close()
	ctx := t.Context()
	w := store.Write{Collection: store.Journal, ID: "effect", Data: []byte(`{"state":"intended"}`), If: store.IfAbsent}
	created, err := s.Write(ctx, w, store.Write{Collection: store.Records, ID: "absent", Delete: true})
	if err != nil {
		t.Fatalf("create whose answer was lost: %v", err)
	}
	if d, err := s.Get(ctx, store.Journal, "effect"); err != nil || len(created) != 2 || d.Version != created[0] || created[1] != "" {
		t.Fatalf("versions are %q, stored is %q, %v", created, d.Version, err)
	}
	w.If, w.Version, w.Data = store.IfVersion, created[0], []byte(`{"state":"started"}`)
	updated, err := s.Write(ctx, w)
	if err != nil {
		t.Fatalf("update whose answer was lost: %v", err)
	}
	if d, err := s.Get(ctx, store.Journal, "effect"); err != nil || d.Version != updated[0] || string(d.Data) != `{"state":"started"}` {
		t.Fatalf("version is %q, stored is %+v, %v", updated, d, err)
	}
	if _, err := s.Write(ctx, w); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another write of the old version = %v; want ErrConflict", err)
	}
}

// TestContention: an aborted commit did not happen and is repeated; one that is always aborted is not a refusal.
func TestContention(t *testing.T) {
	s, _ := mustOpen(t, commits(func(n int64, send func() error) error {
		if n <= 2 || n > 3 {
			return status.Error(codes.Aborted, "too much contention on these documents")
		}
		return send()
	}))
	defer s.Close()
	w := store.Write{Collection: store.Records, ID: "k", Data: []byte(`{}`), If: store.IfAbsent}
	if _, err := s.Write(t.Context(), w); err != nil {
		t.Errorf("write after two aborted commits: %v", err)
	}
	if _, err := s.Write(t.Context(), w); !errors.Is(err, store.ErrExists) {
		t.Errorf("aborted commit of a violated condition = %v; want ErrExists", err)
	}
	w.ID = "other"
	_, err := s.Write(t.Context(), w)
	if status.Code(errors.Unwrap(err)) != codes.Aborted || isContract(err) {
		t.Errorf("write that is aborted for ever = %v; want the service's error", err)
	}
}

// TestUnknownOutcome: other errors are none of the contract's, because the write may have happened.
func TestUnknownOutcome(t *testing.T) {
	for _, code := range []codes.Code{codes.Internal, codes.Unknown, codes.DeadlineExceeded, codes.PermissionDenied, codes.InvalidArgument} {
		t.Run(code.String(), func(t *testing.T) {
			sent := 0
			s, _ := mustOpen(t, commits(func(_ int64, send func() error) error {
				sent++
				if err := send(); err != nil {
					return err
				}
				return status.Error(code, "no idea")
			}))
			defer s.Close()
			_, err := s.Write(t.Context(), store.Write{Collection: store.Records, ID: "k", Delete: true})
			if err == nil || isContract(err) || !strings.Contains(err.Error(), "records/k") || sent != 1 {
				t.Errorf("Write = %v after %d commits; want one commit and an error outside the contract's list", err, sent)
			}
		})
	}
}

func isContract(err error) bool {
	for _, e := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict, store.ErrFraction, store.ErrShape, store.ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// TestDeadline: the caller's deadline is recognised in what comes back.
func TestDeadline(t *testing.T) {
	s, _ := mustOpen(t, commits(func(int64, func() error) error { return status.Error(codes.Unavailable, "away") }))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Write(ctx, store.Write{Collection: store.Records, ID: "k", Data: []byte(`{}`)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v; want context.DeadlineExceeded", err)
	}
}

func BenchmarkWriteSequential(b *testing.B) {
	s, _ := mustOpen(b)
	defer s.Close()
	for i := 0; b.Loop(); i++ {
		w := store.Write{Collection: store.Records, ID: fmt.Sprint("us/invoice/", i), Data: []byte(`{"company":"us","due_at":"2026"}`), If: store.IfAbsent}
		if _, err := s.Write(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s, _ := mustOpen(b)
	defer s.Close()
	if _, err := s.Write(b.Context(), store.Write{Collection: store.Records, ID: "k", Data: []byte(`{"company":"us"}`)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), store.Records, "k"); err != nil {
			b.Fatal(err)
		}
	}
}
