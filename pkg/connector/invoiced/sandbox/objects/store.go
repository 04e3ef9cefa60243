// Package objects holds the objects of a vendor sandbox in memory, indexed for the way they are looked up, and writes
// them through a sandbox.Log: a Tx applies changes at once, undoes all of them on Rollback, and Commit makes them durable
// as one line of the log before anybody else sees them.
//
// The store does no locking: its owner lets one Tx run at a time and no reader beside it.
package objects

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/sandbox"
)

// Head is what every object has. Times are unix seconds.
type Head struct {
	ID      int64  `json:"id"`
	Account string `json:"account"`
	Created int64  `json:"created"`
	Updated int64  `json:"updated"`
}

// Meta returns the head of the object it is embedded in.
func (h *Head) Meta() *Head { return h }

// Object is one stored object. Objects in the store are never changed: a change puts a clone.
type Object interface {
	// Meta returns the head that every object has.
	Meta() *Head
	// Kind names the kind, such as invoice.
	Kind() string
	// Clone returns a copy that may be changed.
	Clone() Object
}

// Owned is an Object that can be listed under others, such as the contact of a customer.
type Owned interface{ Owners() []int64 }

// Named is an Object with a name that is unique within its kind and account. An empty name is not indexed.
type Named interface{ UniqueName() string }

// Linked is an Object that can be reached by an unguessable token.
type Linked interface{ LinkToken() string }

type table struct {
	byID   map[int64]Object
	order  map[string][]int64 // account → ids, ascending
	owned  map[int64][]int64  // owner → ids, ascending
	byName map[string]int64   // account NUL name → id
}

// Store holds all objects. Use Open.
type Store struct {
	log      *sandbox.Log
	tables   map[string]*table
	tokens   map[string]Object
	counters map[string]int64
}

const counterKind = "counter"

// Open reads the log at path; an empty path keeps nothing. blank returns a new, empty object of a kind, or nil for a kind
// it does not know.
func Open(path string, blank func(kind string) Object) (*Store, error) {
	s := &Store{tables: map[string]*table{}, tokens: map[string]Object{}, counters: map[string]int64{}}
	log, err := sandbox.Open(path, func(kind, id string, data json.RawMessage) error {
		if kind == counterKind {
			n, err := strconv.ParseInt(string(data), 10, 64)
			s.counters[id] = n
			return err
		}
		o := blank(kind)
		if o == nil {
			return fmt.Errorf("kind %q is unknown", kind)
		}
		if err := json.Unmarshal(data, o); err != nil {
			return err
		}
		s.set(o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening objects: %w", err)
	}
	s.log = log
	return s, nil
}

// Close closes the log.
func (s *Store) Close() error { return s.log.Close() }

func (s *Store) table(kind string) *table {
	t := s.tables[kind]
	if t == nil {
		t = &table{byID: map[int64]Object{}, order: map[string][]int64{}, owned: map[int64][]int64{}, byName: map[string]int64{}}
		s.tables[kind] = t
	}
	return t
}

// Get returns an object of an account, or nil.
func (s *Store) Get(kind, account string, id int64) Object {
	if t := s.tables[kind]; t != nil {
		if o := t.byID[id]; o != nil && o.Meta().Account == account {
			return o
		}
	}
	return nil
}

// Find returns the object of an account with a unique name, or nil.
func (s *Store) Find(kind, account, name string) Object {
	if t := s.tables[kind]; t != nil && name != "" {
		if id, ok := t.byName[nameKey(account, name)]; ok {
			return t.byID[id]
		}
	}
	return nil
}

// ByToken returns the object with a link token, or nil.
func (s *Store) ByToken(token string) Object { return s.tokens[token] }

// IDs returns the ids of an account's objects in ascending order. The caller must not change the slice.
func (s *Store) IDs(kind, account string) []int64 {
	if t := s.tables[kind]; t != nil {
		return t.order[account]
	}
	return nil
}

// Owned returns the ids of the objects listed under owner in ascending order. The caller must not change the slice.
func (s *Store) Owned(kind string, owner int64) []int64 {
	if t := s.tables[kind]; t != nil {
		return t.owned[owner]
	}
	return nil
}

// Kinds returns the kinds that have ever had objects, sorted.
func (s *Store) Kinds() []string {
	kinds := make([]string, 0, len(s.tables))
	for k := range s.tables {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

// Counter returns the value of a counter.
func (s *Store) Counter(name string) int64 { return s.counters[name] }

func nameKey(account, name string) string { return account + "\x00" + name }

// set puts o in place of the object with its kind and id.
func (s *Store) set(o Object) {
	head, t := o.Meta(), s.table(o.Kind())
	if old := t.byID[head.ID]; old != nil {
		s.unlink(t, old)
	} else {
		t.order[head.Account] = insert(t.order[head.Account], head.ID)
	}
	t.byID[head.ID] = o
	if own, ok := o.(Owned); ok {
		for _, id := range own.Owners() {
			t.owned[id] = insert(t.owned[id], head.ID)
		}
	}
	if n, ok := o.(Named); ok && n.UniqueName() != "" {
		t.byName[nameKey(head.Account, n.UniqueName())] = head.ID
	}
	if l, ok := o.(Linked); ok && l.LinkToken() != "" {
		s.tokens[l.LinkToken()] = o
	}
}

func (s *Store) drop(kind string, id int64) {
	t := s.table(kind)
	old := t.byID[id]
	if old == nil {
		return
	}
	s.unlink(t, old)
	account := old.Meta().Account
	t.order[account] = remove(t.order[account], id)
	delete(t.byID, id)
}

func (s *Store) unlink(t *table, old Object) {
	head := old.Meta()
	if own, ok := old.(Owned); ok {
		for _, id := range own.Owners() {
			if t.owned[id] = remove(t.owned[id], head.ID); len(t.owned[id]) == 0 {
				delete(t.owned, id)
			}
		}
	}
	if n, ok := old.(Named); ok {
		if key := nameKey(head.Account, n.UniqueName()); t.byName[key] == head.ID {
			delete(t.byName, key)
		}
	}
	if l, ok := old.(Linked); ok {
		delete(s.tokens, l.LinkToken())
	}
}

// insert and remove return a changed copy when they must move elements, so that a slice handed out stays as it was.
func insert(ids []int64, id int64) []int64 {
	if len(ids) == 0 || ids[len(ids)-1] < id {
		return append(ids, id)
	}
	at, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(slices.Clone(ids), at, id)
}

func remove(ids []int64, id int64) []int64 {
	at, found := slices.BinarySearch(ids, id)
	if !found {
		return ids
	}
	return slices.Delete(slices.Clone(ids), at, at+1)
}
