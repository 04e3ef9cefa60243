package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

// answer is what a query of the documents of its collection has to find: the reference the stores are held against.
func answer(q store.Query, docs map[string]doc) []string {
	var ids []string
	value := func(id string) string { v, _ := docs[id][q.OrderBy].(string); return v }
	order := func(a, b string) int {
		c := cmp.Or(cmp.Compare(value(a), value(b)), cmp.Compare(a, b))
		if q.Desc {
			return -c
		}
		return c
	}
	after := func(id string) bool {
		if q.After == (store.Position{}) {
			return true
		}
		c := cmp.Or(cmp.Compare(value(id), q.After.Value), cmp.Compare(id, q.After.ID))
		return (c > 0) != q.Desc && c != 0
	}
	for id, d := range docs {
		v, ok := d[q.OrderBy].(string)
		for _, e := range q.Equal {
			have, isText := d[e.Field].(string)
			ok = ok && isText && have == e.Value
		}
		if ok && v >= q.From && (q.UpTo == "" || v <= q.UpTo) && after(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, order)
	return ids[:min(len(ids), q.Limit)]
}

// sample are documents that a shape's query has to tell apart.
func sample(s store.Shape) map[string]doc {
	docs := make(map[string]doc)
	add := func(id string, change func(d doc)) {
		d := doc{s.OrderBy: "2026-01-05T00:00:00.000000Z", "about": s.OrderBy}
		for _, f := range s.Equal {
			d[f] = "us"
		}
		change(d)
		docs[id] = d
	}
	for i := range 12 {
		// Four values, three documents each; ids run against the values.
		add(fmt.Sprintf("us/invoice/%02d", 20-i), func(d doc) { d[s.OrderBy] = fmt.Sprintf("2026-01-%02dT00:00:00.000000Z", 1+i/3) })
	}
	for i, v := range []string{"", " ", "a", "Z", "é", "発", "\U0010ffff", "2026-01-02", "2026-01-02T00:00:00.000001Z"} {
		add(fmt.Sprint("us/value/", i), func(d doc) { d[s.OrderBy] = v })
	}
	add("us/lacks order", func(d doc) { delete(d, s.OrderBy) })
	add("us/order null", func(d doc) { d[s.OrderBy] = nil })
	for _, f := range s.Equal {
		for i, v := range []any{"uk", "US", "us ", "", nil, 1, true, []any{"us"}, doc{"us": "us"}} {
			add(fmt.Sprint("us/other ", f, i), func(d doc) { d[f] = v })
		}
		add("us/lacks "+f, func(d doc) { delete(d, f) })
	}
	return docs
}

func testShapes(t *testing.T, s store.Store) {
	const second, third = "2026-01-02T00:00:00.000000Z", "2026-01-03T00:00:00.000000Z"
	stored := make(map[store.Collection]map[string]doc)
	for i, shape := range store.Shapes {
		if stored[shape.Collection] == nil {
			stored[shape.Collection] = make(map[string]doc)
		}
		var writes []store.Write
		for id, d := range sample(shape) {
			id = fmt.Sprint(i, "/", id)
			stored[shape.Collection][id] = d
			writes = append(writes, put(shape.Collection, id, d))
		}
		must(t, s, writes...)
	}
	for _, shape := range store.Shapes {
		name := fmt.Sprint(shape.Collection, shape.Equal, shape.OrderBy, shape.Desc)
		base := store.Query{Collection: shape.Collection, OrderBy: shape.OrderBy, Desc: shape.Desc, Limit: 1000}
		for _, f := range slices.Backward(shape.Equal) { // any order of names is the same shape
			base.Equal = append(base.Equal, store.Equal{Field: f, Value: "us"})
		}
		for variant, change := range map[string]func(q *store.Query){
			"all":                func(*store.Query) {},
			"limited":            func(q *store.Query) { q.Limit = 4 },
			"from":               func(q *store.Query) { q.From = second },
			"up to":              func(q *store.Query) { q.UpTo = third },
			"range":              func(q *store.Query) { q.From, q.UpTo = second, third },
			"one value":          func(q *store.Query) { q.From, q.UpTo = second, second },
			"empty range":        func(q *store.Query) { q.From, q.UpTo = third, second },
			"after":              func(q *store.Query) { q.After = store.Position{Value: second, ID: "0/us/invoice/16"} },
			"after in a range":   func(q *store.Query) { q.From, q.UpTo, q.After = second, third, store.Position{Value: second, ID: "z"} },
			"after the range":    func(q *store.Query) { q.UpTo, q.After = second, store.Position{Value: third, ID: "z"} },
			"before the range":   func(q *store.Query) { q.From, q.After = third, store.Position{Value: second, ID: ""} },
			"after the empty":    func(q *store.Query) { q.After = store.Position{Value: "", ID: "0/us/value/0"} },
			"after all":          func(q *store.Query) { q.After = store.Position{Value: "\U0010ffff\U0010ffff", ID: "z"} },
			"limited in a range": func(q *store.Query) { q.From, q.Limit = second, 2 },
		} {
			q := base
			change(&q)
			if got, want := query(t, s, q), answer(q, stored[q.Collection]); !slices.Equal(got, want) {
				t.Errorf("%s %s gives %q\nwant %q", name, variant, got, want)
			}
		}
		for i := range base.Equal {
			q := base
			q.Equal = slices.Clone(base.Equal)
			q.Equal[i].Value = ""
			if got, want := query(t, s, q), answer(q, stored[q.Collection]); !slices.Equal(got, want) {
				t.Errorf("%s with an empty %s gives %q\nwant %q", name, q.Equal[i].Field, got, want)
			}
		}
	}
}

// testPaging walks through many documents, most of them with equal order values, in pages of several sizes.
func testPaging(t *testing.T, s store.Store) {
	docs := make(map[string]doc)
	var writes []store.Write
	for i := range 60 {
		id := store.ID("us", "invoice", fmt.Sprint(i*37%60))
		docs[id] = doc{"company": "us", "n": i, "due_at": fmt.Sprint("2026-01-0", 1+i/25), "updated_at": fmt.Sprint("2026-02-0", 1+i/25)}
		writes = append(writes, put(store.Records, id, docs[id]))
	}
	versions := must(t, s, writes...)
	byID := make(map[string]store.Version)
	for i, w := range writes {
		byID[w.ID] = versions[i]
	}
	for _, q := range []store.Query{
		{Collection: store.Records, OrderBy: "due_at"},
		{Collection: store.Records, OrderBy: "due_at", UpTo: "2026-01-02"},
		{Collection: store.Records, OrderBy: "updated_at", Desc: true, Equal: []store.Equal{{Field: "company", Value: "us"}}},
		{Collection: store.Records, OrderBy: "updated_at", Desc: true, Equal: []store.Equal{{Field: "company", Value: "us"}}, From: "2026-02-02"},
	} {
		all := q
		all.Limit = 1000
		want := answer(all, docs)
		for _, q.Limit = range []int{1, 7, 25, 60} {
			var got []string
			for q.After = (store.Position{}); ; {
				page, err := s.Query(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page {
					if d.Version != byID[d.ID] {
						t.Fatalf("%s has version %q in a query, want %q", d.ID, d.Version, byID[d.ID])
					}
				}
				got = append(got, idsOf(page)...)
				if len(page) < q.Limit {
					break
				}
				last := page[len(page)-1]
				q.After = store.Position{Value: fmt.Sprint(decode(t, last.Data)[q.OrderBy]), ID: last.ID}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v in pages of %d gives %q\nwant %q", q, q.Limit, got, want)
			}
		}
	}
}

// testOtherTypes: only documents whose OrderBy is a text are found.
func testOtherTypes(t *testing.T, s store.Store) {
	must(t, s, put(store.Records, "text", doc{"due_at": "2026"}), put(store.Records, "number", doc{"due_at": 2026}),
		put(store.Records, "yes", doc{"due_at": true}), put(store.Records, "null", doc{"due_at": nil}),
		put(store.Records, "list", doc{"due_at": []any{"2026"}}), put(store.Records, "object", doc{"due_at": doc{"a": "2026"}}),
		put(store.Records, "below", doc{"x": doc{"due_at": "2026"}}), put(store.Records, "dotted", doc{"x.due_at": "2026"}))
	for _, q := range []store.Query{
		{}, {From: "1"}, {UpTo: "\U0010ffff"}, {After: store.Position{ID: "a"}},
	} {
		q.Collection, q.OrderBy, q.Limit = store.Records, "due_at", 10
		if got := query(t, s, q); !slices.Equal(got, []string{"text"}) {
			t.Errorf("%+v gives %q, want the text alone", q, got)
		}
	}
}

func testUndeclaredQuery(t *testing.T, s store.Store) {
	us := store.Equal{Field: "company", Value: "us"}
	for name, c := range map[string]struct {
		q     store.Query
		shape bool // is ErrShape
	}{
		"field":      {store.Query{Collection: store.Records, Equal: []store.Equal{{Field: "color", Value: "red"}}, OrderBy: "due_at", Limit: 1}, true},
		"order":      {store.Query{Collection: store.Records, OrderBy: "color", Limit: 1}, true},
		"direction":  {store.Query{Collection: store.Records, OrderBy: "due_at", Desc: true, Limit: 1}, true},
		"collection": {store.Query{Collection: store.Runs, OrderBy: "due_at", Limit: 1}, true},
		"twice":      {store.Query{Collection: store.Records, Equal: []store.Equal{us, us}, OrderBy: "due_at", Limit: 1}, true},
		"no order":   {store.Query{Collection: store.Records, Equal: []store.Equal{us}, Limit: 1}, true},
		"no limit":   {store.Query{Collection: store.Records, OrderBy: "due_at"}, false},
		"large":      {store.Query{Collection: store.Records, OrderBy: "due_at", Limit: 1001}, false},
	} {
		docs, err := s.Query(t.Context(), c.q)
		if err == nil || errors.Is(err, store.ErrShape) != c.shape || (!c.shape && !strings.Contains(err.Error(), "limit")) {
			t.Errorf("%s: Query = %v, %v; want a refusal, ErrShape %v", name, docs, err, c.shape)
		}
	}
}
