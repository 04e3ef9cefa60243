package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/store"
)

func testGet(t *testing.T, s store.Store) {
	holds(t, s, store.Records, "us/invoice/1", nil)
	v := must(t, s, put(store.Records, "us/invoice/1", doc{"a": "x"}))
	if got := holds(t, s, store.Records, "us/invoice/1", doc{"a": "x"}); got != v[0] {
		t.Errorf("Get gives version %q, Write gave %q", got, v[0])
	}
	holds(t, s, store.Sources, "us/invoice/1", nil) // collections are apart
	holds(t, s, store.Records, "US/invoice/1", nil) // ids are case sensitive
	for _, c := range store.Collections {
		must(t, s, put(c, "one", doc{"collection": string(c)}))
	}
	for _, c := range store.Collections {
		holds(t, s, c, "one", doc{"collection": string(c)})
	}
	for name, get := range map[string]func() error{
		"empty id":           func() error { _, err := s.Get(t.Context(), store.Records, ""); return err },
		"unknown collection": func() error { _, err := s.Get(t.Context(), "recods", "one"); return err },
		"unknown in GetAll":  func() error { _, err := s.GetAll(t.Context(), "recods", []string{"one"}); return err },
	} {
		if err := get(); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v; want an error that is not ErrNotFound", name, err)
		}
	}
}

func testGetAll(t *testing.T, s store.Store) {
	var writes []store.Write
	for i := range 20 {
		writes = append(writes, put(store.Sources, fmt.Sprint("id/", i), doc{"n": i}))
	}
	versions := must(t, s, writes...)
	ids := []string{"id/7", "missing", "id/3", "id/19", "ID/3", "id/0"}
	docs, err := s.GetAll(t.Context(), store.Sources, ids)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"id/7", "id/3", "id/19", "id/0"}; !slices.Equal(idsOf(docs), want) {
		t.Fatalf("GetAll gives %v, want %v", idsOf(docs), want)
	}
	for i, n := range []int{7, 3, 19, 0} {
		if docs[i].Version != versions[n] {
			t.Errorf("%s has version %q, want %q", docs[i].ID, docs[i].Version, versions[n])
		}
		if d := cmp.Diff(decode(t, encode(doc{"n": n})), decode(t, docs[i].Data)); d != "" {
			t.Errorf("%s (-want +got):\n%s", docs[i].ID, d)
		}
	}
	for _, none := range [][]string{nil, {}, {"missing", "also missing"}} {
		if docs, err := s.GetAll(t.Context(), store.Sources, none); err != nil || len(docs) != 0 {
			t.Errorf("GetAll(%v) = %v, %v; want nothing", none, docs, err)
		}
	}
	all := make([]string, 0, 1020)
	for i := range 1000 {
		all = append(all, fmt.Sprint("missing/", i))
		if i%50 == 0 {
			all = append(all, fmt.Sprint("id/", i/50))
		}
	}
	if docs, err := s.GetAll(t.Context(), store.Sources, all); err != nil || len(docs) != 20 || docs[19].ID != "id/19" {
		t.Errorf("GetAll of 1020 ids = %v, %v; want the 20 that exist", idsOf(docs), err)
	}
}

// hardIDs are ids that naive encodings mix up, cut or refuse.
func hardIDs() []string {
	return []string{
		"a", "A", "a/b", "a%2Fb", "a%252Fb", "a~b", "a%7Eb", "a|b", "a\\b", "/", "//", "a/", "/a", ".", "..", "__name__", "__a__",
		" ", " a", "a ", "a\nb", "a\tb", "'", `"`, "`", "a;DROP TABLE records", "%", "%%", "%25", "_", "-", "$", "[0]", "*",
		"é", "e\u0301", "Ünïcödé/発票/счёт", "🧾", "\u200b", "\ufffd", "\U0010ffff", "\x01\x7f",
		store.ID("us", "a/b", "c%d", "e\x00f"), store.ID("us", ""),
		strings.Repeat("x", 600), strings.Repeat("x", 599) + "y", strings.Repeat("/", 600), strings.Repeat("発", 200),
		strings.Repeat("%", 599) + "/", strings.Repeat("%", 600), strings.Repeat("~", 600),
	}
}

func testIDs(t *testing.T, s store.Store) {
	ids := hardIDs()
	for i, id := range ids {
		// With IfAbsent, an id that is taken for another one is refused here.
		must(t, s, create(store.Records, id, doc{"n": i, "company": "us", "due_at": "2026-01-01"}))
	}
	for i, id := range ids {
		holds(t, s, store.Records, id, doc{"n": i, "company": "us", "due_at": "2026-01-01"})
	}
	docs, err := s.GetAll(t.Context(), store.Records, ids)
	if err != nil || !slices.Equal(idsOf(docs), ids) {
		t.Errorf("GetAll gives %q, %v; want %q", idsOf(docs), err, ids)
	}
	sorted := slices.Sorted(slices.Values(ids))
	got := query(t, s, store.Query{
		Collection: store.Records, Equal: []store.Equal{{Field: "company", Value: "us"}}, OrderBy: "due_at", Limit: 1000,
	})
	if !slices.Equal(got, sorted) {
		t.Errorf("query gives %q\nwant, in the order of bytes, %q", got, sorted)
	}
	for _, id := range ids {
		must(t, s, remove(store.Records, id, ""))
		holds(t, s, store.Records, id, nil)
	}
}

func testRoundTrip(t *testing.T, s store.Store) {
	for name, d := range map[string]doc{
		"empty":    {},
		"plain":    {"text": "x", "yes": true, "no": false, "none": nil, "number": 1},
		"numbers":  {"max": int64(9223372036854775807), "min": int64(-9223372036854775808), "zero": 0, "above 2^53": int64(9007199254740993)},
		"texts":    {"empty": "", "number": "12.50", "unicode": "Ünïcödé 発票 🧾 \U0010ffff", "control": "\x00\x01\n\t\"\\/<>&\u2028"},
		"likeTime": {"at": "2026-11-21T10:00:00.000000Z", "date": "2026-11-21", "zone": "2026-11-21T10:00:00+01:00"},
		"empties":  {"list": []any{}, "object": doc{}, "lists": []any{[]any{}, doc{}, nil, ""}},
		"nested":   {"a": doc{"b": []any{doc{"c": nil, "d": []any{1, "2", true}}, "x"}, "e": doc{"f": doc{"g": -1}}}},
		"matrix":   {"rows": []any{[]any{1, 2}, []any{[]any{3}, []any{}}, doc{"in": []any{[]any{"4"}}}}},
		"names": {
			"": 1, " ": 2, "a.b": 3, "a/b": 4, "`": 5, "__name__": 6, "__x__": 7, "_id": 8, "id": 9, "_list": 10, "$ne": 11, "é発": 12,
			"_write": 13, "_k_": 14, "_k__id": 15, "version": 16, "data": 17, "rowid": 18, "__type__": "x", "a'b": 19, `a"b`: 20,
		},
		"namesBelow": {"a": doc{"": 1, "_list": []any{1}, "__oid__": "x", "_k_": doc{"_k_": 1}, "_id": "y", "expire_at": "2026-11-21T10:00:00.000000Z"}, "l": []any{doc{"_list": []any{}}}},
		"looksLike":  {"timestamp": doc{"seconds": 1, "nanos": 2}, "bson": doc{"__decimal128__": "1"}, "regex": doc{"__regex__": doc{"pattern": "a", "options": ""}}},
	} {
		id := "us/roundtrip/" + name
		must(t, s, create(store.Sources, id, d))
		holds(t, s, store.Sources, id, d)
		must(t, s, put(store.Sources, id, doc{"other": "content"}))
		holds(t, s, store.Sources, id, doc{"other": "content"}) // a write replaces, it does not merge
		must(t, s, put(store.Sources, id, d))
		holds(t, s, store.Sources, id, d)
	}
}

// testRetention checks that the field that a store may keep as a native time comes back as the same text.
func testRetention(t *testing.T, s store.Store) {
	for i, text := range []string{
		"2026-11-21T10:00:00.000000Z", "2026-11-21T10:00:00.123456Z", "2027-01-01T00:00:00.000001Z", "1999-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z",
		"", "2026-11-21", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00.1234567Z", "2026-11-21T11:00:00.000000+01:00", "never",
	} {
		id := fmt.Sprint("evt_", i)
		want := doc{store.TTLField: text, "below": doc{store.TTLField: text}}
		must(t, s, create(store.Inbox, id, want))
		holds(t, s, store.Inbox, id, want)
	}
	must(t, s, create(store.Inbox, "null", doc{store.TTLField: nil}), create(store.Inbox, "number", doc{store.TTLField: 5}))
	holds(t, s, store.Inbox, "null", doc{store.TTLField: nil})
	holds(t, s, store.Inbox, "number", doc{store.TTLField: 5})
}

func testCancel(t *testing.T, s store.Store) {
	must(t, s, put(store.Records, "there", doc{"a": 1}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Get":    func() error { _, err := s.Get(ctx, store.Records, "there"); return err },
		"GetAll": func() error { _, err := s.GetAll(ctx, store.Records, []string{"there"}); return err },
		"Write":  func() error { _, err := s.Write(ctx, put(store.Records, "new", doc{})); return err },
		"Query": func() error {
			_, err := s.Query(ctx, store.Query{Collection: store.Records, OrderBy: "due_at", Limit: 1})
			return err
		},
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that ended = %v; want context.Canceled", name, err)
		}
	}
	holds(t, s, store.Records, "new", nil)
	holds(t, s, store.Records, "there", doc{"a": 1})
}
