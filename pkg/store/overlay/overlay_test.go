package overlay_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/overlay"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
	"github.com/arbridge/arbridge/pkg/store/storetest"
)

func below(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return overlay.New(below(t)) })
}

// guard fails on a write to the store below.
type guard struct {
	store.Store
	t *testing.T
}

func (g guard) Write(context.Context, ...store.Write) ([]store.Version, error) {
	g.t.Error("a write reached the store below")
	return nil, errors.New("no writes")
}

func record(id, status, at string) store.Write {
	return store.Write{Collection: store.Records, ID: id, Data: []byte(`{"company":"us","status":"` + status + `","updated_at":"` + at + `"}`)}
}

// TestAbove: what is written above changes what is read, and nothing below.
func TestAbove(t *testing.T) {
	base := below(t)
	if _, err := base.Write(t.Context(), record("a", "synced", "1"), record("b", "synced", "2"), record("c", "synced", "3")); err != nil {
		t.Fatal(err)
	}
	s := overlay.New(guard{base, t})
	t.Cleanup(func() { _ = s.Close() })
	b, err := s.Get(t.Context(), store.Records, "b")
	if err != nil {
		t.Fatal(err)
	}
	change := record("b", "waiting", "9")
	change.If, change.Version = store.IfVersion, b.Version
	if _, err := s.Write(t.Context(), change, store.Write{Collection: store.Records, ID: "c", Delete: true}, record("d", "synced", "0")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), change); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the version of before is taken: %v", err)
	}
	for _, c := range []struct{ status, want string }{{"synced", "ad"}, {"waiting", "b"}} {
		docs, err := s.Query(t.Context(), store.Query{Collection: store.Records, OrderBy: "updated_at", Desc: true, Limit: 2,
			Equal: []store.Equal{{Field: "company", Value: "us"}, {Field: "status", Value: c.status}}})
		got := ""
		for _, d := range docs {
			got += d.ID
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.status, got, err, c.want)
		}
	}
	all, err := s.GetAll(t.Context(), store.Records, []string{"a", "b", "c", "d"})
	if err != nil || len(all) != 3 {
		t.Errorf("%d documents, %v, want 3", len(all), err)
	}
	if docs, err := base.GetAll(t.Context(), store.Records, []string{"a", "b", "c", "d"}); err != nil || len(docs) != 3 || docs[1].Version != b.Version {
		t.Errorf("below there are %d documents, %v; b %s, was %s", len(docs), err, docs[1].Version, b.Version)
	}
}
