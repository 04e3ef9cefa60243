package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/arbridge/arbridge/pkg/store"
)

// Store is a store.Store in memory. Handles of it can belong to processes that die.
type Store struct {
	data *data
	line *Line
}

type data struct {
	mu      sync.Mutex
	trusted bool // documents are as they have to be
	version int64
	docs    map[store.Collection]map[string]*stored
	down    error
}

type stored struct {
	doc   store.Doc
	texts texts
	known bool // texts are; a store that trusts its writers reads them when a query asks
}

// NewStore makes an empty store.
func NewStore() *Store { return &Store{data: &data{docs: map[store.Collection]map[string]*stored{}}} }

// Trust makes the store believe that documents are as they have to be, and read them only when a query asks: simulations write
// very many.
func (s *Store) Trust() { s.data.trusted = true }

// Copy makes another store that holds the same.
func (s *Store) Copy() *Store {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	out := &data{version: s.data.version, docs: map[store.Collection]map[string]*stored{}}
	for c, docs := range s.data.docs {
		out.docs[c] = map[string]*stored{}
		for id, doc := range docs {
			one := *doc
			out.docs[c][id] = &one
		}
	}
	return &Store{data: out}
}

// through is the same store for a process whose calls leave it over l.
func (s *Store) through(l *Line) *Store { return &Store{data: s.data, line: l} }

// Break makes every call an error until it is given nil.
func (s *Store) Break(err error) {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	s.data.down = err
}

// locked runs a call on the data, if the context still lasts and the store works.
func locked[T any](ctx context.Context, s *Store, body func(d *data) (T, error)) (T, error) {
	return cross(s.line, func() (T, error) {
		s.data.mu.Lock()
		defer s.data.mu.Unlock()
		if err := errors.Join(ctx.Err(), s.data.down); err != nil {
			var none T
			return none, err
		}
		return body(s.data)
	})
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, c store.Collection, id string) (store.Doc, error) {
	if err := checkKey(c, id); err != nil {
		return store.Doc{}, err
	}
	return locked(ctx, s, func(d *data) (store.Doc, error) {
		found, ok := d.docs[c][id]
		if !ok {
			return store.Doc{}, store.ErrNotFound
		}
		return found.doc, nil
	})
}

// GetAll implements store.Store.
func (s *Store) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	for _, id := range ids {
		if err := checkKey(c, id); err != nil {
			return nil, err
		}
	}
	return locked(ctx, s, func(d *data) ([]store.Doc, error) {
		var out []store.Doc
		for _, id := range ids {
			if found, ok := d.docs[c][id]; ok {
				out = append(out, found.doc)
			}
		}
		return out, nil
	})
}

// Write implements store.Store.
func (s *Store) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	texts, err := checkBatch(writes, s.data.trusted)
	if err != nil {
		return nil, err
	}
	return locked(ctx, s, func(d *data) ([]store.Version, error) {
		for i, w := range writes {
			if err := d.holds(w); err != nil {
				return nil, &store.WriteError{Index: i, Collection: w.Collection, ID: w.ID, Err: err}
			}
		}
		out := make([]store.Version, len(writes))
		for i, w := range writes {
			if w.Delete {
				delete(d.docs[w.Collection], w.ID)
				continue
			}
			d.version++
			out[i] = store.Version(strconv.FormatInt(d.version, 10))
			if d.docs[w.Collection] == nil {
				d.docs[w.Collection] = map[string]*stored{}
			}
			d.docs[w.Collection][w.ID] = &stored{store.Doc{ID: w.ID, Version: out[i], Data: slices.Clone(w.Data)}, texts[i], !d.trusted}
		}
		return out, nil
	})
}

// holds checks the condition of a write.
func (d *data) holds(w store.Write) error {
	have, there := d.docs[w.Collection][w.ID]
	switch {
	case w.If == store.IfAbsent && there:
		return store.ErrExists
	case w.If == store.IfVersion && !there:
		return store.ErrNotFound
	case w.If == store.IfVersion && have.doc.Version != w.Version:
		return store.ErrConflict
	}
	return nil
}

// Query implements store.Store.
func (s *Store) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return locked(ctx, s, func(d *data) ([]store.Doc, error) {
		var found []*stored
		for _, doc := range d.docs[q.Collection] {
			if err := doc.scan(); err != nil {
				return nil, err
			}
			if matches(q, doc) {
				found = append(found, doc)
			}
		}
		slices.SortFunc(found, func(a, b *stored) int { return order(q, a, b.at(q), b.doc.ID) })
		out := make([]store.Doc, 0, min(len(found), q.Limit))
		for _, doc := range found[:min(len(found), q.Limit)] {
			out = append(out, doc.doc)
		}
		return out, nil
	})
}

// scan makes the texts known.
func (s *stored) scan() (err error) {
	if !s.known {
		s.texts, err = textsOf(s.doc.Data)
		s.known = err == nil
	}
	return err
}

func matches(q store.Query, doc *stored) bool {
	for _, e := range q.Equal {
		if v, ok := doc.texts.get(e.Field); !ok || v != e.Value {
			return false
		}
	}
	v, ok := doc.texts.get(q.OrderBy)
	if !ok || v < q.From || q.UpTo != "" && v > q.UpTo {
		return false
	}
	return q.After == (store.Position{}) || order(q, doc, q.After.Value, q.After.ID) > 0
}

// at is what a query sorts the document by.
func (s *stored) at(q store.Query) string {
	v, _ := s.texts.get(q.OrderBy)
	return v
}

// order compares a document with a position, in the query's direction.
func order(q store.Query, doc *stored, value, id string) int {
	c := cmp.Or(cmp.Compare(doc.at(q), value), cmp.Compare(doc.doc.ID, id))
	if q.Desc {
		return -c
	}
	return c
}

// Close implements store.Store.
func (s *Store) Close() error { return nil }

// All reads every document of a collection, by id, whatever is broken. It is for looking at what a test did.
func All[T any](s *Store, c store.Collection) (map[string]T, error) {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	out := map[string]T{}
	for id, doc := range s.data.docs[c] {
		v, err := decode[T](doc.doc.Data)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", c, id, err)
		}
		out[id] = v
	}
	return out, nil
}
