package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/store"
)

// model is what the store must hold: a map, the versions in force, and those that are not any more. Versions are only
// used for the document they were given to: what else they might match is not part of the contract.
type model struct {
	t       *testing.T
	s       store.Store
	company string // keeps the runs of one store apart
	docs    map[string]doc
	version map[string]store.Version
	old     map[string][]store.Version
}

// testModel runs random operations against the store and a map, and compares every answer.
func testModel(t *testing.T, s store.Store) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{
			t: t, s: s, company: fmt.Sprint("run-", run), docs: make(map[string]doc), version: make(map[string]store.Version),
			old: make(map[string][]store.Version),
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": m.write,
			"get":   m.get,
			"all":   m.getAll,
			"query": m.query,
		})
	})
}

func (m *model) id(rt *rapid.T) string {
	return store.ID(m.company, rapid.SampledFrom([]string{"a", "b", "c", "d/e", "d%2Fe", "発"}).Draw(rt, "id"))
}

// content is a document of a few values, so that equal ones and equal order values are frequent.
func (m *model) content(rt *rapid.T) doc {
	d := doc{"company": m.company}
	word := rapid.SampledFrom([]string{"", "1", "2", "10", "é", "synced"})
	for _, name := range []string{"status", "due_at", "updated_at", "other"} {
		switch rapid.IntRange(0, 9).Draw(rt, name) {
		case 0: // left out
		case 1:
			d[name] = nil
		case 2:
			d[name] = rapid.Int64().Draw(rt, name+" number")
		case 3:
			d[name] = []any{word.Draw(rt, name+" item"), doc{name: rapid.Bool().Draw(rt, name+" flag")}}
		default:
			d[name] = word.Draw(rt, name+" text")
		}
	}
	if rapid.Bool().Draw(rt, "free") {
		d["free"] = rapid.String().Draw(rt, "free text")
	}
	return d
}

func (m *model) write(rt *rapid.T) {
	ids := rapid.SliceOfNDistinct(rapid.Custom(m.id), 1, 4, rapid.ID[string]).Draw(rt, "ids")
	writes := make([]store.Write, len(ids))
	contents := make([]doc, len(ids))
	for i, id := range ids {
		contents[i] = m.content(rt)
		w := put(store.Records, id, contents[i])
		w.If = store.Condition(rapid.IntRange(int(store.Always), int(store.IfVersion)).Draw(rt, "condition"))
		if w.If == store.IfVersion {
			w.Version = m.version[id]
			if w.Version == "" || rapid.IntRange(0, 3).Draw(rt, "stale") == 0 {
				w.Version = rapid.SampledFrom(append([]store.Version{"1", "unknown"}, m.old[id]...)).Draw(rt, "old version")
			}
		}
		if w.If != store.IfAbsent && rapid.IntRange(0, 2).Draw(rt, "delete") == 0 {
			w.Delete, w.Data, contents[i] = true, nil, nil
		}
		writes[i] = w
	}
	versions, err := m.s.Write(m.t.Context(), writes...)
	if at, want := m.refusal(writes); want != nil {
		var we *store.WriteError
		if !errors.As(err, &we) || !errors.Is(err, want) || we.Index != at || we.ID != ids[at] {
			rt.Fatalf("Write = %v, %v; want write %d refused with %q", versions, err, at, want)
		}
		return
	}
	if err != nil || len(versions) != len(writes) {
		rt.Fatalf("Write = %v, %v; want success", versions, err)
	}
	m.apply(rt, writes, contents, versions)
}

// refusal predicts the first write that does not meet its condition.
func (m *model) refusal(writes []store.Write) (int, error) {
	for i, w := range writes {
		_, there := m.docs[w.ID]
		switch {
		case w.If == store.IfAbsent && there:
			return i, store.ErrExists
		case w.If == store.IfVersion && !there:
			return i, store.ErrNotFound
		case w.If == store.IfVersion && m.version[w.ID] != w.Version:
			return i, store.ErrConflict
		}
	}
	return 0, nil
}

func (m *model) apply(rt *rapid.T, writes []store.Write, contents []doc, versions []store.Version) {
	for i, w := range writes {
		if (versions[i] == "") != w.Delete || versions[i] != "" && versions[i] == m.version[w.ID] {
			rt.Fatalf("write %d of %s (delete %v) got version %q after %q", i, w.ID, w.Delete, versions[i], m.version[w.ID])
		}
		if was := m.version[w.ID]; was != "" {
			m.old[w.ID] = append(m.old[w.ID], was)
		}
		delete(m.docs, w.ID)
		delete(m.version, w.ID)
		if !w.Delete {
			m.docs[w.ID], m.version[w.ID] = contents[i], versions[i]
		}
	}
}

func (m *model) get(rt *rapid.T) {
	id := m.id(rt)
	got, err := m.s.Get(m.t.Context(), store.Records, id)
	if m.docs[id] == nil {
		if !errors.Is(err, store.ErrNotFound) {
			rt.Fatalf("Get %s = %v; want ErrNotFound", id, err)
		}
		return
	}
	if err != nil {
		rt.Fatalf("Get %s: %v", id, err)
	}
	m.same(rt, got)
}

func (m *model) getAll(rt *rapid.T) {
	ids := rapid.SliceOfNDistinct(rapid.Custom(m.id), 0, 6, rapid.ID[string]).Draw(rt, "ids")
	got, err := m.s.GetAll(m.t.Context(), store.Records, ids)
	if err != nil {
		rt.Fatalf("GetAll: %v", err)
	}
	want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return m.docs[id] == nil })
	if !slices.Equal(idsOf(got), want) {
		rt.Fatalf("GetAll(%q) gives %q, want %q", ids, idsOf(got), want)
	}
	for _, d := range got {
		m.same(rt, d)
	}
}

func (m *model) query(rt *rapid.T) {
	company := store.Equal{Field: "company", Value: m.company}
	q := rapid.SampledFrom([]store.Query{
		{OrderBy: "due_at", Equal: []store.Equal{company}},
		{OrderBy: "updated_at", Desc: true, Equal: []store.Equal{company}},
		{OrderBy: "updated_at", Desc: true, Equal: []store.Equal{{Field: "status", Value: "synced"}, company}},
	}).Draw(rt, "query")
	bound := rapid.SampledFrom([]string{"", "", "1", "10", "2", "3", "é"})
	q.Collection, q.From, q.UpTo = store.Records, bound.Draw(rt, "from"), bound.Draw(rt, "up to")
	q.Limit = rapid.IntRange(1, 5).Draw(rt, "limit")
	if rapid.Bool().Draw(rt, "continued") {
		q.After = store.Position{Value: bound.Draw(rt, "after"), ID: m.id(rt)}
	}
	got, err := m.s.Query(m.t.Context(), q)
	if err != nil {
		rt.Fatalf("Query %+v: %v", q, err)
	}
	if want := answer(q, m.docs); !slices.Equal(idsOf(got), want) {
		rt.Fatalf("Query %+v gives %q, want %q", q, idsOf(got), want)
	}
	for _, d := range got {
		m.same(rt, d)
	}
}

// same compares a stored document with the model's.
func (m *model) same(rt *rapid.T, got store.Doc) {
	if got.Version != m.version[got.ID] {
		rt.Fatalf("%s has version %q, want %q", got.ID, got.Version, m.version[got.ID])
	}
	want := decode(m.t, encode(m.docs[got.ID]))
	if d := cmp.Diff(want, decode(m.t, got.Data)); d != "" {
		rt.Fatalf("%s (-want +got):\n%s", strings.TrimPrefix(got.ID, m.company), d)
	}
}
