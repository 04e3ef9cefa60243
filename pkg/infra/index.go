package infra

import (
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/store"
)

// Fields that every index ends with: the store's own id, by which queries order after OrderBy, and the one that Firestore
// ends every index with.
const (
	fieldID   = "_id"
	fieldName = "__name__"
)

// checkIndexes: an index for every query shape and a shape for every index.
func checkIndexes(in *inspection) {
	var want, have []string
	for _, s := range in.facts.Shapes {
		want = append(want, indexOf(s))
	}
	for _, i := range in.plan.Of("google_firestore_index") {
		var fields []string
		for _, f := range i.Values.Blocks("fields") {
			fields = append(fields, f.Text("field_path")+" "+f.Text("order"))
		}
		have = append(have, i.Values.Text("collection")+": "+strings.Join(fields, ", "))
	}
	in.same(want, have, "a query needs this index and it is not there", "no query needs this index")
}

// indexOf describes the index that a shape needs.
func indexOf(s store.Shape) string {
	var fields []string
	for _, f := range s.Equal {
		fields = append(fields, f+" ASCENDING")
	}
	direction := " ASCENDING"
	if s.Desc {
		direction = " DESCENDING"
	}
	for _, f := range []string{s.OrderBy, fieldID, fieldName} {
		fields = append(fields, f+direction)
	}
	return string(s.Collection) + ": " + strings.Join(fields, ", ")
}

// checkRetention: what may expire does, and nothing else.
func checkRetention(in *inspection) {
	var want, have []string
	for _, c := range in.facts.Retained {
		want = append(want, string(c)+"."+store.TTLField)
	}
	for _, f := range in.plan.Of("google_firestore_field") {
		if len(f.Values.Blocks("ttl_config")) > 0 {
			have = append(have, f.Values.Text("collection")+"."+f.Values.Text("field"))
		}
	}
	in.same(want, have, "documents expire by this field and no TTL is set on it", "a TTL removes documents that are kept for ever")
}

// checkFields: the mark that every write carries is not indexed anywhere, collections exist, and no field that a query names
// loses its index by accident.
func checkFields(in *inspection) {
	var marked []string
	queried := map[string]bool{}
	for _, s := range in.facts.Shapes {
		for _, f := range append(slices.Clone(s.Equal), s.OrderBy) {
			queried[string(s.Collection)+"."+f] = true
		}
	}
	for _, f := range in.plan.Of("google_firestore_field") {
		collection, field := f.Values.Text("collection"), f.Values.Text("field")
		if !slices.Contains(in.facts.Stored, store.Collection(collection)) {
			in.say(f.Address, "there is no collection %s", collection)
		}
		exempt := f.Values.Blocks("index_config")
		if len(exempt) == 1 && len(exempt[0].Blocks("indexes")) == 0 {
			if field == "_write" {
				marked = append(marked, collection)
			}
			if queried[collection+"."+field] {
				in.say(f.Address, "people filter by %s, but its own index is switched off", field)
			}
		}
	}
	for _, c := range in.facts.Stored {
		if !slices.Contains(marked, string(c)) {
			in.say(string(c)+"._write", "every write would write an index entry for its mark")
		}
	}
}
