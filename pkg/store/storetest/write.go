package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

func testConditions(t *testing.T, s store.Store) {
	const c = store.Journal
	v1 := must(t, s, create(c, "k", doc{"n": 1}))[0]
	refused(t, s, 0, store.ErrExists, create(c, "k", doc{"n": 2}))
	v2 := must(t, s, update(c, "k", doc{"n": 3}, v1))[0]
	if v2 == v1 {
		t.Fatalf("update kept version %q", v1)
	}
	refused(t, s, 0, store.ErrConflict, update(c, "k", doc{"n": 4}, v1))
	refused(t, s, 0, store.ErrConflict, remove(c, "k", v1))
	refused(t, s, 0, store.ErrNotFound, update(c, "none", doc{"n": 4}, v2))
	refused(t, s, 0, store.ErrNotFound, remove(c, "none", v2))
	if got := holds(t, s, c, "k", doc{"n": 3}); got != v2 {
		t.Fatalf("version is %q after refusals, want %q", got, v2)
	}
	must(t, s, remove(c, "none", "")) // deleting what is not there is fine
	must(t, s, remove(c, "k", v2))
	holds(t, s, c, "k", nil)
	refused(t, s, 0, store.ErrNotFound, update(c, "k", doc{"n": 5}, v2))
	v3 := must(t, s, create(c, "k", doc{"n": 6}))[0]
	if v3 == v1 || v3 == v2 {
		t.Fatalf("the new document has version %q of the deleted one", v3)
	}
	refused(t, s, 0, store.ErrConflict, update(c, "k", doc{"n": 7}, v1))
	v4 := must(t, s, put(c, "k", doc{"n": 8}))[0]
	refused(t, s, 0, store.ErrConflict, update(c, "k", doc{"n": 9}, v3))
	must(t, s, update(c, "k", doc{"n": 10}, v4))
	holds(t, s, c, "k", doc{"n": 10})
	must(t, s, put(c, "fresh", doc{"n": 1})) // Always also creates
	holds(t, s, c, "fresh", doc{"n": 1})
	if v, err := s.Write(t.Context()); err != nil || len(v) != 0 {
		t.Errorf("Write of nothing = %v, %v; want nothing", v, err)
	}
}

// testSameContent: a write that changes nothing still is a new version, else two holders of one version would both win.
func testSameContent(t *testing.T, s store.Store) {
	v1 := must(t, s, create(store.Leases, "k", doc{"by": "a"}))[0]
	v2 := must(t, s, update(store.Leases, "k", doc{"by": "a"}, v1))[0]
	if v1 == v2 {
		t.Fatalf("version %q stayed", v1)
	}
	refused(t, s, 0, store.ErrConflict, update(store.Leases, "k", doc{"by": "a"}, v1))
}

// testForeignVersions: a version that the store never gave is a version that is not there.
func testForeignVersions(t *testing.T, s store.Store) {
	must(t, s, create(store.Records, "k", doc{"n": 1}))
	for _, v := range []store.Version{"", "0", "-1", "x", "1 ", "2026-11-21T10:00:00Z", "99999999999999999999999999"} {
		refused(t, s, 0, store.ErrConflict, update(store.Records, "k", doc{"n": 2}, v))
		refused(t, s, 0, store.ErrNotFound, update(store.Records, "none", doc{"n": 2}, v))
	}
	holds(t, s, store.Records, "k", doc{"n": 1})
}

const racers = 16

func testRaceToCreate(t *testing.T, s store.Store) {
	for round := range 3 {
		id := fmt.Sprint("us/event/", round)
		won, lost := race(t.Context(), racers, func(ctx context.Context, i int) error {
			_, err := s.Write(ctx, create(store.Inbox, id, doc{"by": i}))
			return err
		})
		oneWinner(t, won, lost, store.ErrExists)
		holds(t, s, store.Inbox, id, decodeOf(t, s, store.Inbox, id))
	}
}

func testRaceToUpdate(t *testing.T, s store.Store) {
	v := must(t, s, create(store.Leases, "k", doc{"by": "nobody"}))[0]
	for range 3 {
		won, lost := race(t.Context(), racers, func(ctx context.Context, i int) error {
			_, err := s.Write(ctx, update(store.Leases, "k", doc{"by": "somebody"}, v))
			return err
		})
		oneWinner(t, won, lost, store.ErrConflict)
		v = holds(t, s, store.Leases, "k", doc{"by": "somebody"})
	}
}

func testRaceToDelete(t *testing.T, s store.Store) {
	v := must(t, s, create(store.Leases, "k", doc{"by": "nobody"}))[0]
	won, lost := race(t.Context(), racers, func(ctx context.Context, _ int) error {
		_, err := s.Write(ctx, remove(store.Leases, "k", v))
		return err
	})
	oneWinner(t, won, lost, store.ErrNotFound)
	holds(t, s, store.Leases, "k", nil)
}

// testRaceOfBatches: batches that overlap in one document exclude each other as a whole.
func testRaceOfBatches(t *testing.T, s store.Store) {
	won, lost := race(t.Context(), racers, func(ctx context.Context, i int) error {
		_, err := s.Write(ctx, create(store.Records, fmt.Sprint("own/", i), doc{"by": i}), create(store.Journal, "shared", doc{"by": i}))
		return err
	})
	oneWinner(t, won, lost, store.ErrExists)
	by := decodeOf(t, s, store.Journal, "shared")["by"]
	for i := range racers {
		var want doc
		if fmt.Sprint(i) == fmt.Sprint(by) {
			want = doc{"by": i}
		}
		holds(t, s, store.Records, fmt.Sprint("own/", i), want)
	}
}

func oneWinner(t *testing.T, won int, lost []error, want error) {
	t.Helper()
	if won != 1 {
		t.Fatalf("%d of %d won; want 1", won, racers)
	}
	for _, err := range lost {
		var we *store.WriteError
		if !errors.Is(err, want) || !errors.As(err, &we) {
			t.Fatalf("a loser got %v; want a *store.WriteError that is %q", err, want)
		}
	}
}

func decodeOf(t *testing.T, s store.Store, c store.Collection, id string) doc {
	t.Helper()
	d, err := s.Get(t.Context(), c, id)
	if err != nil {
		t.Fatalf("Get %s/%s: %v", c, id, err)
	}
	return decode(t, d.Data)
}

func testBatch(t *testing.T, s store.Store) {
	v := must(t, s, create(store.Records, "r", doc{"n": 1}), create(store.Records, "gone", doc{"n": 1}), put(store.Cursors, "c", doc{"at": "1"}))
	after := must(t, s,
		update(store.Records, "r", doc{"n": 2}, v[0]),
		remove(store.Records, "gone", v[1]),
		put(store.Cursors, "c", doc{"at": "2"}),
		create(store.Journal, "r", doc{"state": "intended"}),
		remove(store.Issues, "never there", ""),
	)
	if got := holds(t, s, store.Records, "r", doc{"n": 2}); got != after[0] {
		t.Errorf("record has version %q, the batch returned %q", got, after[0])
	}
	holds(t, s, store.Records, "gone", nil)
	holds(t, s, store.Cursors, "c", doc{"at": "2"})
	if got := holds(t, s, store.Journal, "r", doc{"state": "intended"}); got != after[3] {
		t.Errorf("journal entry has version %q, the batch returned %q", got, after[3])
	}
	must(t, s, update(store.Records, "r", doc{"n": 3}, after[0]), update(store.Journal, "r", doc{"state": "started"}, after[3]))
}

func testRefusedBatch(t *testing.T, s store.Store) {
	v := must(t, s, create(store.Records, "there", doc{"n": 1}), create(store.Records, "other", doc{"n": 1}))
	stale := v[0]
	v[0] = must(t, s, update(store.Records, "there", doc{"n": 2}, v[0]))[0]
	for name, c := range map[string]struct {
		bad  store.Write
		want error
	}{
		"create what exists":     {create(store.Records, "there", doc{"n": 9}), store.ErrExists},
		"update a stale version": {update(store.Records, "there", doc{"n": 9}, stale), store.ErrConflict},
		"update what is missing": {update(store.Records, "missing", doc{"n": 9}, stale), store.ErrNotFound},
		"delete a stale version": {remove(store.Records, "there", stale), store.ErrConflict},
		"delete what is missing": {remove(store.Records, "missing", stale), store.ErrNotFound},
	} {
		for at := range 3 {
			writes := slices.Insert([]store.Write{
				put(store.Records, "other", doc{"n": 9}), create(store.Journal, "new", doc{"n": 9}),
			}, at, c.bad)
			refused(t, s, at, c.want, writes...)
			holds(t, s, store.Records, "there", doc{"n": 2})
			if got := holds(t, s, store.Records, "other", doc{"n": 1}); got != v[1] {
				t.Fatalf("%s at %d: a refused batch changed a version", name, at)
			}
			holds(t, s, store.Journal, "new", nil)
		}
	}
	// Of several refusals the first is reported.
	refused(t, s, 1, store.ErrConflict, put(store.Records, "other", doc{"n": 9}),
		update(store.Records, "there", doc{"n": 9}, stale), create(store.Records, "there too", doc{}), remove(store.Records, "missing", stale))
}

func testLargestBatch(t *testing.T, s store.Store) {
	writes := make([]store.Write, store.MaxBatch)
	for i := range writes {
		writes[i] = create(store.Sources, fmt.Sprint("us/invoice/", i), doc{"n": i})
	}
	must(t, s, writes...)
	refused(t, s, store.MaxBatch-1, store.ErrExists, append(deletions(writes[1:]), writes[0])...)
	holds(t, s, store.Sources, "us/invoice/77", doc{"n": 77})
	must(t, s, deletions(writes)...)
	holds(t, s, store.Sources, "us/invoice/77", nil)
	if _, err := s.Write(t.Context(), append(writes, create(store.Sources, "one more", doc{}))...); err == nil {
		t.Errorf("a batch of %d was accepted", store.MaxBatch+1)
	}
	holds(t, s, store.Sources, "us/invoice/0", nil)
}

func deletions(writes []store.Write) []store.Write {
	gone := make([]store.Write, len(writes))
	for i, w := range writes {
		gone[i] = remove(w.Collection, w.ID, "")
	}
	return gone
}

func testBadInput(t *testing.T, s store.Store) {
	raw := func(data string) store.Write {
		return store.Write{Collection: store.Records, ID: "bad", Data: []byte(data)}
	}
	good := put(store.Records, "good", doc{})
	for name, c := range map[string]struct {
		write store.Write
		want  error // nil for any error outside the contract's list
	}{
		"fraction":           {raw(`{"total":12.5}`), store.ErrFraction},
		"fraction of zero":   {raw(`{"total":12.0}`), store.ErrFraction},
		"exponent":           {raw(`{"total":1e3}`), store.ErrFraction},
		"fraction deep down": {raw(`{"lines":[{"x":{"y":[1,2,0.1]}}]}`), store.ErrFraction},
		"beyond 64 bits":     {raw(`{"total":9223372036854775808}`), nil},
		"array":              {raw(`[]`), nil},
		"text":               {raw(`"x"`), nil},
		"null":               {raw(`null`), nil},
		"nothing":            {raw(``), nil},
		"two documents":      {raw(`{}{}`), nil},
		"broken":             {raw(`{"a":`), nil},
		"not UTF-8":          {raw("{\"a\":\"\xff\"}"), nil},
		"too deep":           {raw(strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30)), nil},
		"empty id":           {put(store.Records, "", doc{}), nil},
		"unknown collection": {put("recods", "x", doc{}), nil},
		"same id twice":      {put(store.Records, "good", doc{"n": 2}), nil},
	} {
		_, err := s.Write(t.Context(), good, c.write)
		var we *store.WriteError
		if err == nil || errors.As(err, &we) || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: Write = %v; want a refusal that is %v", name, err, c.want)
		}
		holds(t, s, store.Records, "good", nil)
	}
}

func testSize(t *testing.T, s store.Store) {
	sized := func(bytes int) doc { return doc{"a": strings.Repeat("x", bytes-len(`{"a":""}`))} }
	must(t, s, create(store.Sources, "largest", sized(store.MaxDocument)))
	holds(t, s, store.Sources, "largest", sized(store.MaxDocument))
	_, err := s.Write(t.Context(), create(store.Sources, "too large", sized(store.MaxDocument+1)))
	if !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("document of %d bytes: %v; want ErrTooLarge", store.MaxDocument+1, err)
	}
	holds(t, s, store.Sources, "too large", nil)
	deepest := doc{"n": 1}
	for range 18 {
		deepest = doc{"d": deepest}
	}
	must(t, s, create(store.Sources, "deepest", deepest))
	holds(t, s, store.Sources, "deepest", deepest)
	var many []store.Write // more together than one document may have
	for i := range 6 {
		many = append(many, put(store.Sources, fmt.Sprint("many/", i), sized(store.MaxDocument)))
	}
	must(t, s, many...)
	holds(t, s, store.Sources, "many/5", sized(store.MaxDocument))
}
