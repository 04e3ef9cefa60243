package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// TestPurge: what expired goes, oldest first and a few at a time; what has no end of retention stays, also where another
// collection has such a field.
func TestPurge(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)
	for i := range 10 {
		expire := store.At(now.Add(time.Duration(i-5) * time.Hour)).Text()
		doc := []byte(`{"state":"done","expire_at":"` + expire + `"}`)
		_, err := s.Write(t.Context(), store.Write{Collection: store.Inbox, ID: fmt.Sprintf("us/e%d", i), Data: doc},
			store.Write{Collection: store.Journal, ID: fmt.Sprintf("us/j%d", i), Data: doc},
			store.Write{Collection: store.Inbox, ID: fmt.Sprintf("us/kept%d", i), Data: []byte(`{"state":"done"}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{4, 2, 0} {
		if n, err := s.Purge(t.Context(), now, 4); err != nil || n != want {
			t.Fatalf("removed %d, %v, want %d", n, err, want)
		}
		if _, err := s.Get(t.Context(), store.Inbox, "us/e0"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the oldest event is still there: %v", err)
		}
	}
	for id, c := range map[string]store.Collection{"us/e6": store.Inbox, "us/kept0": store.Inbox, "us/j0": store.Journal} {
		if _, err := s.Get(t.Context(), c, id); err != nil {
			t.Errorf("%s is gone: %v", id, err)
		}
	}
}
