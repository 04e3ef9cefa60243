// Package storetest is the conformance suite of pkg/store: what it checks is what every implementation promises. It is
// for tests only.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/store"
)

// Run checks the stores that open makes, one per test, each empty. The suite closes them.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"Get", testGet},
		{"GetAll", testGetAll},
		{"Ids", testIDs},
		{"RoundTrip", testRoundTrip},
		{"Retention", testRetention},
		{"Conditions", testConditions},
		{"SameContentIsAnotherVersion", testSameContent},
		{"ForeignVersions", testForeignVersions},
		{"RaceToCreate", testRaceToCreate},
		{"RaceToUpdate", testRaceToUpdate},
		{"RaceOfBatches", testRaceOfBatches},
		{"RaceToDelete", testRaceToDelete},
		{"Batch", testBatch},
		{"RefusedBatch", testRefusedBatch},
		{"LargestBatch", testLargestBatch},
		{"BadInput", testBadInput},
		{"Size", testSize},
		{"Cancel", testCancel},
		{"Shapes", testShapes},
		{"Paging", testPaging},
		{"OtherTypesAreNotFound", testOtherTypes},
		{"UndeclaredQuery", testUndeclaredQuery},
		{"Table", testTable},
		{"Time", testTime},
		{"Model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.test(t, s)
		})
	}
}

// doc is a decoded document.
type doc = map[string]any

// put makes an unconditional write.
func put(c store.Collection, id string, d doc) store.Write {
	return store.Write{Collection: c, ID: id, Data: encode(d)}
}

// create makes a write that needs the id to be free.
func create(c store.Collection, id string, d doc) store.Write {
	return store.Write{Collection: c, ID: id, Data: encode(d), If: store.IfAbsent}
}

// update makes a write that needs a version.
func update(c store.Collection, id string, d doc, was store.Version) store.Write {
	return store.Write{Collection: c, ID: id, Data: encode(d), If: store.IfVersion, Version: was}
}

// remove makes a deletion, of a version unless that is empty.
func remove(c store.Collection, id string, was store.Version) store.Write {
	w := store.Write{Collection: c, ID: id, Delete: true}
	if was != "" {
		w.If, w.Version = store.IfVersion, was
	}
	return w
}

func encode(d doc) []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // the suite's own documents are maps of plain values
	}
	return b
}

// decode reads a document with its numbers as text.
func decode(t testing.TB, data []byte) doc {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var d doc
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("stored document %q: %v", data, err)
	}
	return d
}

// must writes and fails the test on an error.
func must(t testing.TB, s store.Store, writes ...store.Write) []store.Version {
	t.Helper()
	versions, err := s.Write(t.Context(), writes...)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	if len(versions) != len(writes) {
		t.Fatalf("Write of %d returned %d versions", len(writes), len(versions))
	}
	for i, w := range writes {
		if (versions[i] == "") != w.Delete {
			t.Fatalf("write %d (delete %v) returned version %q", i, w.Delete, versions[i])
		}
	}
	return versions
}

// refused writes and checks that write index is refused with want and wrapped in a *store.WriteError.
func refused(t testing.TB, s store.Store, index int, want error, writes ...store.Write) {
	t.Helper()
	versions, err := s.Write(t.Context(), writes...)
	var we *store.WriteError
	if !errors.As(err, &we) || !errors.Is(err, want) {
		t.Fatalf("Write = %v, %v; want a *store.WriteError that is %q", versions, err, want)
	}
	if w := writes[index]; we.Index != index || we.Collection != w.Collection || we.ID != w.ID {
		t.Fatalf("refused write = %d %s/%s; want %d %s/%s", we.Index, we.Collection, we.ID, index, w.Collection, w.ID)
	}
}

// holds checks what is stored under an id; a nil document means none.
func holds(t testing.TB, s store.Store, c store.Collection, id string, want doc) store.Version {
	t.Helper()
	got, err := s.Get(t.Context(), c, id)
	if want == nil {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("Get %s/%s = %s, %v; want ErrNotFound", c, id, got.Data, err)
		}
		return ""
	}
	if err != nil {
		t.Fatalf("Get %s/%s: %v", c, id, err)
	}
	if got.ID != id || got.Version == "" {
		t.Fatalf("Get %s/%s has id %q and version %q", c, id, got.ID, got.Version)
	}
	if d := cmp.Diff(decode(t, encode(want)), decode(t, got.Data)); d != "" {
		t.Fatalf("Get %s/%s (-want +got):\n%s", c, id, d)
	}
	return got.Version
}

// query runs a query and returns the ids.
func query(t testing.TB, s store.Store, q store.Query) []string {
	t.Helper()
	docs, err := s.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("Query %+v: %v", q, err)
	}
	return idsOf(docs)
}

func idsOf(docs []store.Doc) []string {
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return ids
}

// race runs n functions at once and returns how many gave no error and the errors of the others.
func race(ctx context.Context, n int, run func(ctx context.Context, i int) error) (won int, lost []error) {
	results := make(chan error, n)
	start := make(chan struct{})
	for i := range n {
		go func() {
			<-start
			results <- run(ctx, i)
		}()
	}
	close(start)
	for range n {
		if err := <-results; err != nil {
			lost = append(lost, err)
		} else {
			won++
		}
	}
	return won, lost
}
