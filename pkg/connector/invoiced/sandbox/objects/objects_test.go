package objects_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
)

type thing struct {
	objects.Head
	Type  string  `json:"type"`
	Name  string  `json:"name"`
	Token string  `json:"token"`
	Under []int64 `json:"under"`
}

func (t *thing) Kind() string          { return t.Type }
func (t *thing) UniqueName() string    { return t.Name }
func (t *thing) LinkToken() string     { return t.Token }
func (t *thing) Owners() []int64       { return t.Under }
func (t *thing) Clone() objects.Object { c := *t; return &c }

func blank(kind string) objects.Object {
	if kind == "strange" {
		return nil
	}
	return &thing{Type: kind}
}

func open(t *testing.T, path string) *objects.Store {
	t.Helper()
	s, err := objects.Open(path, blank)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(tx *objects.Tx, id int64, name string, under ...int64) *thing {
	o := &thing{Head: objects.Head{ID: id, Account: "a"}, Type: "x", Name: name, Token: "t" + name, Under: under}
	tx.Put(o)
	return o
}

// check verifies every index against the names expected, in the order of ids.
func check(t *testing.T, s *objects.Store, names ...string) {
	t.Helper()
	var got []string
	for _, id := range s.IDs("x", "a") {
		o := s.Get("x", "a", id).(*thing)
		got = append(got, o.Name)
		if s.Find("x", "a", o.Name) != objects.Object(o) || s.ByToken(o.Token) != objects.Object(o) {
			t.Errorf("%s is not in the indexes", o.Name)
		}
		for _, owner := range o.Under {
			if !slices.Contains(s.Owned("x", owner), id) {
				t.Errorf("%s is not listed under %d", o.Name, owner)
			}
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("objects %v, want %v", got, names)
	}
}

func TestCommitAndReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	tx := s.Begin()
	put(tx, 2, "b", 9)
	put(tx, 1, "a", 8, 9)
	if n := tx.Next("seq", 10); n != 11 {
		t.Errorf("counter %d, want 11", n)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	tx = s.Begin()
	put(tx, 2, "c", 8) // renamed and moved
	tx.Remove("x", 77)
	if tx.Fresh("x", 2) {
		t.Error("an existing object counts as fresh")
	}
	put(tx, 3, "gone")
	if !tx.Fresh("x", 3) {
		t.Error("a new object does not count as fresh")
	}
	tx.Remove("x", 3)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, store := range []*objects.Store{s, open(t, path)} { // as after a kill: the first is still open
		check(t, store, "a", "c")
		if store.Find("x", "a", "b") != nil || store.ByToken("tb") != nil {
			t.Error("the old name is still indexed")
		}
		if got := store.Owned("x", 9); !slices.Equal(got, []int64{1}) {
			t.Errorf("under 9: %v", got)
		}
		if store.Counter("seq") != 11 {
			t.Errorf("counter %d", store.Counter("seq"))
		}
	}
	if s.Get("x", "b", 1) != nil {
		t.Error("another account sees the object")
	}
}

func TestRollback(t *testing.T) {
	s := open(t, "")
	tx := s.Begin()
	put(tx, 1, "a", 8)
	put(tx, 2, "b", 8)
	tx.Next("seq", 0)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	tx = s.Begin()
	put(tx, 1, "z", 9)
	put(tx, 1, "y", 7)
	tx.Remove("x", 2)
	put(tx, 3, "b", 8) // takes the name of the removed one
	tx.Next("seq", 0)
	tx.Next("new", 0)
	tx.Rollback()
	check(t, s, "a", "b")
	if got := s.Owned("x", 8); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("under 8: %v", got)
	}
	if len(s.Owned("x", 9)) != 0 || len(s.Owned("x", 7)) != 0 {
		t.Error("undone owners are still listed")
	}
	if s.Counter("seq") != 1 || s.Counter("new") != 0 {
		t.Errorf("counters %d and %d", s.Counter("seq"), s.Counter("new"))
	}
}

func TestCommitRefusedByLog(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tx := s.Begin()
	put(tx, 1, "a")
	if err := tx.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
	check(t, s)
}

func TestOpenRefusesUnknownKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, []byte(`[{"k":"strange","i":"1","d":{}}]`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.Open(path, blank); err == nil {
		t.Error("an unknown kind was accepted")
	}
}
