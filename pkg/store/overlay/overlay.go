// Package overlay keeps what is written in memory, above a store that is only read: what a preview does to the state goes
// no further than the preview.
package overlay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

// Store implements store.Store on top of another, which never sees a write. Make one with New.
type Store struct {
	below store.Store

	mu      sync.Mutex
	version int64
	docs    map[store.Collection]map[string]entry
}

// entry is a document written here; a removed one hides the document below.
type entry struct {
	doc     store.Doc
	texts   map[string]string // top-level fields that hold a text
	removed bool
}

// New makes a store above another. Closing it closes the other.
func New(below store.Store) *Store {
	return &Store{below: below, docs: map[store.Collection]map[string]entry{}}
}

// Close implements store.Store: what was written is forgotten.
func (s *Store) Close() error { return s.below.Close() }

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, c store.Collection, id string) (store.Doc, error) {
	s.mu.Lock()
	e, ok := s.docs[c][id]
	s.mu.Unlock()
	switch {
	case ok && e.removed:
		return store.Doc{}, store.ErrNotFound
	case ok:
		return e.doc, ctx.Err()
	}
	return s.below.Get(ctx, c, id)
}

// GetAll implements store.Store.
func (s *Store) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	below, err := s.below.GetAll(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	there := make(map[string]store.Doc, len(below))
	for _, d := range below {
		there[d.ID] = d
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.Doc
	for _, id := range ids {
		d, ok := there[id]
		if e, mine := s.docs[c][id]; mine {
			d, ok = e.doc, !e.removed
		}
		if ok {
			out = append(out, d)
		}
	}
	return out, nil
}

// Write implements store.Store.
func (s *Store) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	if _, err := document.Batch(writes); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range writes {
		refusal, err := s.refusal(ctx, w)
		if err != nil {
			return nil, err
		}
		if refusal != nil {
			return nil, &store.WriteError{Index: i, Collection: w.Collection, ID: w.ID, Err: refusal}
		}
	}
	out := make([]store.Version, len(writes))
	for i, w := range writes {
		e := entry{removed: w.Delete, doc: store.Doc{ID: w.ID, Data: slices.Clone(w.Data)}}
		if !w.Delete {
			s.version++
			out[i] = store.Version("preview-" + strconv.FormatInt(s.version, 10))
			e.doc.Version, e.texts = out[i], texts(w.Data)
		}
		if s.docs[w.Collection] == nil {
			s.docs[w.Collection] = map[string]entry{}
		}
		s.docs[w.Collection][w.ID] = e
	}
	return out, nil
}

// refusal says which condition of a write does not hold.
func (s *Store) refusal(ctx context.Context, w store.Write) (refused, err error) {
	if w.If == store.Always {
		return nil, nil
	}
	e, mine := s.docs[w.Collection][w.ID]
	d, there := e.doc, mine && !e.removed
	if !mine {
		found, err := s.below.GetAll(ctx, w.Collection, []string{w.ID})
		if err != nil {
			return nil, fmt.Errorf("writing %s/%s: %w", w.Collection, w.ID, err)
		}
		if there = len(found) == 1; there {
			d = found[0]
		}
	}
	switch {
	case w.If == store.IfAbsent && there:
		return store.ErrExists, nil
	case w.If == store.IfVersion && !there:
		return store.ErrNotFound, nil
	case w.If == store.IfVersion && d.Version != w.Version:
		return store.ErrConflict, nil
	}
	return nil, nil
}

// Query implements store.Store.
func (s *Store) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	out, err := s.unchanged(ctx, q)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	for id, e := range s.docs[q.Collection] {
		if !e.removed && matches(q, id, e.texts) {
			out = append(out, entry{doc: e.doc, texts: e.texts})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b entry) int { return order(q, a.texts[q.OrderBy], a.doc.ID, b.texts[q.OrderBy], b.doc.ID) })
	docs := make([]store.Doc, 0, min(len(out), q.Limit))
	for _, e := range out[:min(len(out), q.Limit)] {
		docs = append(docs, e.doc)
	}
	return docs, nil
}

// unchanged reads below until there are q.Limit documents that were not written here, or no more.
func (s *Store) unchanged(ctx context.Context, q store.Query) ([]entry, error) {
	var out []entry
	for {
		page, err := s.below.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		for _, d := range page {
			if _, mine := s.docs[q.Collection][d.ID]; !mine {
				out = append(out, entry{doc: d, texts: texts(d.Data)})
			}
		}
		s.mu.Unlock()
		if len(page) < q.Limit || len(out) >= q.Limit {
			return out, nil
		}
		last := page[len(page)-1]
		q.After = store.Position{Value: texts(last.Data)[q.OrderBy], ID: last.ID}
	}
}

func matches(q store.Query, id string, fields map[string]string) bool {
	for _, e := range q.Equal {
		if v, ok := fields[e.Field]; !ok || v != e.Value {
			return false
		}
	}
	v, ok := fields[q.OrderBy]
	if !ok || v < q.From || q.UpTo != "" && v > q.UpTo {
		return false
	}
	return q.After == (store.Position{}) || order(q, v, id, q.After.Value, q.After.ID) > 0
}

// order compares two places in the query's direction.
func order(q store.Query, value, id, otherValue, otherID string) int {
	c := cmp.Or(cmp.Compare(value, otherValue), cmp.Compare(id, otherID))
	if q.Desc {
		return -c
	}
	return c
}

// texts are the top-level fields that hold a text: what queries compare.
func texts(data []byte) map[string]string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return nil // checked when it was written
	}
	out := make(map[string]string, len(fields))
	for name, v := range fields {
		if text, ok := v.(string); ok {
			out[name] = text
		}
	}
	return out
}
