package objects

import (
	"fmt"
	"strconv"

	"github.com/arbridge/arbridge/pkg/sandbox"
)

type ref struct {
	kind string
	id   int64
}

type undo struct {
	ref
	old Object // nil: there was none
}

// Tx is one commit in the making. Exactly one of Commit and Rollback ends it.
type Tx struct {
	store    *Store
	undo     []undo
	touched  map[ref]bool
	order    []ref
	counters map[string]int64 // values before
}

// Begin starts a commit.
func (s *Store) Begin() *Tx {
	return &Tx{store: s, touched: map[ref]bool{}, counters: map[string]int64{}}
}

// Put adds or replaces an object.
func (t *Tx) Put(o Object) {
	t.remember(ref{o.Kind(), o.Meta().ID})
	t.store.set(o)
}

// Remove deletes an object; one that is not there is no error.
func (t *Tx) Remove(kind string, id int64) {
	t.remember(ref{kind, id})
	t.store.drop(kind, id)
}

// Fresh reports whether the object was not there before this commit.
func (t *Tx) Fresh(kind string, id int64) bool {
	for _, u := range t.undo {
		if u.ref == (ref{kind, id}) {
			return u.old == nil
		}
	}
	return false
}

// Changed calls visit for every object put or removed, in the order of the first change; o is nil when it is gone.
func (t *Tx) Changed(visit func(kind string, id int64, o Object)) {
	for _, r := range t.order {
		visit(r.kind, r.id, t.store.table(r.kind).byID[r.id])
	}
}

// Next increments a counter and returns it. A counter below floor continues from floor.
func (t *Tx) Next(name string, floor int64) int64 {
	n := max(t.store.counters[name], floor) + 1
	t.Count(name, n)
	return n
}

// Count sets a counter.
func (t *Tx) Count(name string, n int64) {
	if _, known := t.counters[name]; !known {
		t.counters[name] = t.store.counters[name]
	}
	t.store.counters[name] = n
}

func (t *Tx) remember(r ref) {
	t.undo = append(t.undo, undo{r, t.store.table(r.kind).byID[r.id]})
	if !t.touched[r] {
		t.touched[r] = true
		t.order = append(t.order, r)
	}
}

// Commit writes all changes as one line of the log. When the log refuses, everything is undone.
func (t *Tx) Commit() error {
	changes := make([]sandbox.Change, 0, len(t.order)+len(t.counters))
	for _, r := range t.order {
		c := sandbox.Change{Kind: r.kind, ID: strconv.FormatInt(r.id, 10)}
		if o := t.store.table(r.kind).byID[r.id]; o != nil {
			c.Data = o
		}
		changes = append(changes, c)
	}
	for name := range t.counters {
		changes = append(changes, sandbox.Change{Kind: counterKind, ID: name, Data: t.store.counters[name]})
	}
	if err := t.store.log.Commit(changes...); err != nil {
		t.Rollback()
		return fmt.Errorf("committing %d objects: %w", len(t.order), err)
	}
	return nil
}

// Rollback undoes everything.
func (t *Tx) Rollback() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		u := t.undo[i]
		if u.old == nil {
			t.store.drop(u.kind, u.id)
		} else {
			t.store.set(u.old)
		}
	}
	for name, n := range t.counters {
		t.store.counters[name] = n
	}
	t.undo, t.counters = nil, nil
}
