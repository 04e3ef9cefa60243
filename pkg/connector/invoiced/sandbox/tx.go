package sandbox

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// tx is one commit of one account: object changes, the events they cause and the deliveries of those events.
type tx struct {
	*objects.Tx
	s     *Server
	acct  *account
	view  *view
	now   int64 // unix seconds
	actor actor
	base  map[objectRef]objects.Object // each object as its last event, or the last commit, left it
	since map[objectRef]int64          // updated_at before this commit
	after []func()                     // runs once the commit is durable, still under the lock
}

type objectRef struct {
	kind string
	id   int64
}

func refOf(o objects.Object) objectRef { return objectRef{o.Kind(), o.Meta().ID} }

// actor is who caused an event; ids of non-human actors are negative (invoiced-api 9.1, Q17).
type actor int64

const (
	actorCustomer actor = -1
	actorAPI      actor = -2
	actorSystem   actor = -3
	actorStaff    actor = 1001
)

func (a actor) render() wire.Object {
	return wire.Object{
		{Key: "id", Value: int64(a)}, {Key: "email", Value: nil}, {Key: "first_name", Value: nil}, {Key: "last_name", Value: nil},
		{Key: "registered", Value: true}, {Key: "two_factor_enabled", Value: false},
		{Key: "created_at", Value: nil}, {Key: "updated_at", Value: nil},
	}
}

// write runs do as one commit. An error of do undoes everything. When write returns nil the commit survives a kill.
func (s *Server) write(acct *account, base string, who actor, do func(*tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeLocked(acct, base, who, do)
}

func (s *Server) writeLocked(acct *account, base string, who actor, do func(*tx) error) error {
	now := s.Now().Unix()
	t := &tx{
		Tx: s.store.Begin(), s: s, acct: acct, now: now, actor: who, base: map[objectRef]objects.Object{}, since: map[objectRef]int64{},
		view: &view{s: s, acct: acct, base: base, now: now, include: map[string]bool{"applied_to": true}}, // S12
	}
	if err := do(t); err != nil {
		t.Rollback()
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("invoiced sandbox: %w", err)
	}
	t.Changed(func(_ string, id int64, o objects.Object) {
		switch o := o.(type) {
		case nil:
			delete(s.schedule, id)
			delete(s.pending, id)
		case *document, *payment:
			s.reschedule(o)
		case *delivery:
			s.enqueue(o)
		}
	})
	for _, f := range t.after {
		f()
	}
	return nil
}

// newHead is the head of a new object; ids are unique over the whole server and ascend.
func (t *tx) newHead() objects.Head {
	return objects.Head{ID: t.nextID(), Account: t.acct.Name, Created: t.now, Updated: max(1, t.now)}
}

func (t *tx) nextID() int64 { return t.Next("id", t.s.opt.FirstID-1) }

// nextNumber continues an account's sequence, passing over numbers already taken (S4).
func (t *tx) nextNumber(kind, prefix string) string {
	for {
		number := fmt.Sprintf("%s-%05d", prefix, t.Next(kind+"/"+t.acct.Name, 0))
		if t.s.store.Find(kind, t.acct.Name, number) == nil {
			return number
		}
	}
}

// get returns an object of the account, or a 404.
func get[T objects.Object](t *tx, kind string, id int64) (T, error) {
	return lookup[T](t.s, t.acct, kind, id)
}

func lookup[T objects.Object](s *Server, acct *account, kind string, id int64) (T, error) {
	o, ok := s.store.Get(kind, acct.Name, id).(T)
	if !ok {
		return o, wire.Missing(kind, id)
	}
	return o, nil
}

// revise returns a copy of o to change and then to Put. Within one commit updated_at rises once, and always by at least a
// second over its last value (T13).
func revise[T objects.Object](t *tx, o T) T {
	next, r := o.Clone().(T), refOf(o)
	if t.Fresh(r.kind, r.id) {
		return next
	}
	if _, known := t.since[r]; !known {
		t.since[r] = o.Meta().Updated
	}
	if t.base[r] == nil {
		t.base[r] = o
	}
	next.Meta().Updated = max(t.now, t.since[r]+1)
	return next
}

// created stores a new object and emits its event.
func (t *tx) created(o objects.Object) {
	t.Put(o)
	t.emit(o.Kind()+".created", o, nil)
	t.base[refOf(o)] = o
}

// updated stores a revised object and emits its event; it returns data.previous.
func (t *tx) updated(o objects.Object) wire.Object {
	t.Put(o)
	previous := wire.Object{}
	if old := t.base[refOf(o)]; old != nil {
		previous = t.view.diff(old, o)
	}
	t.emit(o.Kind()+".updated", o, previous)
	t.base[refOf(o)] = o
	return previous
}

// deleted removes an object and emits its event.
func (t *tx) deleted(o objects.Object) {
	t.emit(o.Kind()+".deleted", o, nil)
	t.Remove(o.Kind(), o.Meta().ID)
}

// newToken is a random text of 24 characters for portal links (S17).
func (t *tx) newToken() string { return t.s.newToken() }

// newHex is a random lower-case hex text of 2n characters, as gateways and e-mail ids have.
func (t *tx) newHex(n int) string { return hex.EncodeToString(t.s.random(n)) }

// newToken is that of a tx, for what is made before one.
func (s *Server) newToken() string { return base32.StdEncoding.EncodeToString(s.random(15)) }

// random is n random bytes: those that follow from Options.Seed, where there is one.
func (s *Server) random(n int) []byte {
	raw := make([]byte, n)
	if s.seeded == nil {
		_, _ = rand.Read(raw) // never fails
		return raw
	}
	s.seedLock.Lock()
	defer s.seedLock.Unlock()
	_, _ = s.seeded.Read(raw) // never fails
	return raw
}
