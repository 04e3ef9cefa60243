package objects_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
)

// world is what a store should hold.
type world struct {
	things   map[int64]thing
	counters map[string]int64
}

func (w world) clone() world { return world{maps.Clone(w.things), maps.Clone(w.counters)} }

// compare checks every index of the store against the world.
func (w world) compare(t *rapid.T, s *objects.Store) {
	t.Helper()
	ids := slices.Sorted(maps.Keys(w.things))
	if got := s.IDs("x", "a"); !slices.Equal(got, ids) {
		t.Fatalf("ids %v, want %v", got, ids)
	}
	owned, byName := map[int64][]int64{}, map[string]int64{}
	for _, id := range ids {
		want := w.things[id]
		got, ok := s.Get("x", "a", id).(*thing)
		if !ok || got.Name != want.Name || !slices.Equal(got.Under, want.Under) {
			t.Fatalf("%d is %+v, want %+v", id, got, want)
		}
		for _, owner := range want.Under {
			owned[owner] = append(owned[owner], id)
		}
		byName[want.Name] = id
	}
	for owner := int64(100); owner < 104; owner++ {
		if got := s.Owned("x", owner); !slices.Equal(got, owned[owner]) {
			t.Fatalf("under %d: %v, want %v", owner, got, owned[owner])
		}
	}
	for n := range 8 {
		name := fmt.Sprint("n", n)
		found, token := s.Find("x", "a", name), s.ByToken("t"+name)
		if id, there := byName[name]; there != (found != nil) || there && found.Meta().ID != id || there != (token != nil) {
			t.Fatalf("name %s finds %v and %v, want %d", name, found, token, id)
		}
	}
	for name, n := range w.counters {
		if s.Counter(name) != n {
			t.Fatalf("counter %s is %d, want %d", name, s.Counter(name), n)
		}
	}
}

// Random commits and rollbacks leave the store as a simple map would be, in memory and on disk.
func TestStoreModel(t *testing.T) {
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		path := filepath.Join(dir, fmt.Sprint(round))
		s, err := objects.Open(path, blank)
		if err != nil {
			t.Fatal(err)
		}
		w := world{map[int64]thing{}, map[string]int64{}}
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			next := w.clone()
			tx := s.Begin()
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				change(t, tx, next)
			}
			if rapid.Bool().Draw(t, "commit") {
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
				w = next
			} else {
				tx.Rollback()
			}
			w.compare(t, s)
		}
		again, err := objects.Open(path, blank)
		if err != nil {
			t.Fatal(err)
		}
		w.compare(t, again)
		_, _ = s.Close(), again.Close()
	})
}

// change draws one change; names stay unique, as the owner of a store takes care of.
func change(t *rapid.T, tx *objects.Tx, w world) {
	id := rapid.Int64Range(1, 8).Draw(t, "id")
	switch rapid.SampledFrom([]string{"put", "put", "remove", "count", "next"}).Draw(t, "change") {
	case "remove":
		tx.Remove("x", id)
		delete(w.things, id)
	case "count":
		n := rapid.Int64Range(0, 50).Draw(t, "count")
		tx.Count("c", n)
		w.counters["c"] = n
	case "next":
		w.counters["c"] = tx.Next("c", 3)
	case "put":
		name := fmt.Sprint("n", rapid.IntRange(0, 7).Draw(t, "name"))
		for other, o := range w.things {
			if o.Name == name && other != id {
				return
			}
		}
		under := rapid.SliceOfNDistinct(rapid.Int64Range(100, 103), 0, 3, rapid.ID[int64]).Draw(t, "under")
		put(tx, id, name, under...)
		w.things[id] = thing{Name: name, Under: under}
	}
}
