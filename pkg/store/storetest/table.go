package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/store"
)

// record is a typed document.
type record struct {
	Company string            `json:"company"`
	Status  string            `json:"status,omitempty"`
	Due     store.Time        `json:"due_at,omitzero"`
	Updated store.Time        `json:"updated_at"`
	Expire  store.Time        `json:"expire_at,omitzero"`
	Tries   int               `json:"tries"`
	Reasons []string          `json:"reasons"`
	Sides   map[string]string `json:"sides,omitempty"`
	Nested  *record           `json:"nested,omitempty"`
}

func testTable(t *testing.T, s store.Store) {
	ctx := t.Context()
	table := store.Table[record]{Store: s, Collection: store.Records}
	at := func(day int) store.Time { return store.At(time.Date(2026, 1, day, 10, 0, 0, 123456789, time.UTC)) }
	want := record{
		Company: "us", Status: "waiting", Due: at(1), Updated: at(2), Expire: at(3), Tries: 3, Reasons: []string{"a", "b"},
		Sides: map[string]string{"erp": "10.50", "portal": "10.00"}, Nested: &record{Company: "uk", Expire: at(4)},
	}
	id := store.ID("us", "invoice", "INV/1")
	v1, err := table.Create(ctx, id, want)
	if err != nil {
		t.Fatal(err)
	}
	got, version, err := table.Get(ctx, id)
	if err != nil || version != v1 {
		t.Fatalf("Get = version %q, %v; want %q", version, err, v1)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Get (-want +got):\n%s", d)
	}
	if _, err := table.Create(ctx, id, want); !errors.Is(err, store.ErrExists) {
		t.Errorf("second Create = %v; want ErrExists", err)
	}
	want.Tries, want.Due, want.Sides = 4, store.Time{}, nil
	v2, err := table.Update(ctx, id, want, v1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Update(ctx, id, want, v1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Update of an old version = %v; want ErrConflict", err)
	}
	if _, err := table.Update(ctx, "none", want, v2); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Update of nothing = %v; want ErrNotFound", err)
	}
	if _, _, err := table.Get(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of nothing = %v; want ErrNotFound", err)
	}
	if got, _, err = table.Get(ctx, id); err != nil || !got.Due.IsZero() || got.Sides != nil || got.Tries != 4 {
		t.Errorf("Get after Update = %+v, %v; want the new record without what it left out", got, err)
	}
	if _, err := table.Put(ctx, id, want); err != nil {
		t.Error(err)
	}
	queryTable(t, table, at)
}

// queryTable checks that stored times sort as times do and can be bounds, and that the zero time is not found.
func queryTable(t *testing.T, table store.Table[record], at func(day int) store.Time) {
	t.Helper()
	for i, due := range []store.Time{at(9), at(10), {}, at(2), store.At(at(2).Add(time.Microsecond))} {
		if _, err := table.Put(t.Context(), store.ID("us", "due", string(rune('a'+i))), record{Company: "us", Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := table.Query(t.Context(), store.Query{OrderBy: "due_at", UpTo: at(9).Text(), Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		if r.Version == "" || r.Value.Company != "us" {
			t.Errorf("row %s has version %q and company %q", r.ID, r.Version, r.Value.Company)
		}
	}
	if want := []string{"us/due/d", "us/due/e", "us/due/a"}; !slices.Equal(ids, want) {
		t.Errorf("due records are %v, want %v", ids, want)
	}
}

// testTime checks the text form itself, on which the order of every store rests.
func testTime(t *testing.T, _ store.Store) {
	base := time.Date(2026, 11, 21, 9, 59, 59, 999999999, time.FixedZone("CET", 3600))
	var texts []string
	for _, d := range []time.Duration{-time.Hour, -time.Microsecond, 0, time.Microsecond, 500 * time.Millisecond, time.Second, 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		at := store.At(base.Add(d))
		texts = append(texts, at.Text())
		b, err := json.Marshal(at)
		if err != nil {
			t.Fatal(err)
		}
		var back store.Time
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(at.Time) || back.Location() != time.UTC {
			t.Errorf("%s reads back as %v, %v", b, back, err)
		}
	}
	if !slices.IsSorted(texts) || len(slices.Compact(slices.Clone(texts))) != len(texts) {
		t.Errorf("texts do not sort as their times do: %v", texts)
	}
	if texts[2] != "2026-11-21T08:59:59.999999Z" {
		t.Errorf("text is %s, want UTC in microseconds", texts[2])
	}
	var back store.Time
	if err := json.Unmarshal([]byte(`"21.11.2026"`), &back); err == nil || !strings.Contains(err.Error(), "stored time") {
		t.Errorf("a broken time gives %v; want an error that names it", err)
	}
}
