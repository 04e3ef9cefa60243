package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// change does something with the store of a site while nothing runs on it.
func (s *site) change(do func(db *sqlite.Store)) {
	s.t.Helper()
	db, err := sqlite.Open(filepath.Join(s.dir, platform.StateFile), sqlite.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	do(db)
	if err := db.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// bury makes a dead letter of a queue.
func (s *site) bury(seq int, queue, key, body string) {
	s.t.Helper()
	s.change(func(db *sqlite.Store) {
		err := db.Exec(s.t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO queue_dead_letters (seq, id, subscription, key, attempts, published, attributes, data, died, reason)
				VALUES (?1, ?1, ?2, ?3, 10, 1, '', ?4, 1, 'answered 500')`, seq, queue, key, []byte(body))
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	})
}

// now is the status of a document.
func (s *site) now(number string) record.Status {
	s.t.Helper()
	for _, r := range answer[view.Show](s, exitOK, "show", number).Records {
		if r.Kind == billing.KindInvoice {
			return r.Status
		}
	}
	return ""
}

// TestDeadLetters: they are listed, put back into their queue, which then works on them, or removed, each with a trace.
func TestDeadLetters(t *testing.T) {
	s := polled(t)
	number := s.left()[0]
	task := `{"company":"us","kind":"invoice","id":"` + number + `"}`
	s.bury(101, "sync", "us/invoice/"+number, task)
	s.bury(102, "receipt", "us/payment/7", `{"company":"us","event_id":"7"}`)
	s.bury(103, "sync", "us/invoice/"+number, task)
	list := answer[host.Answer](s, exitOK, "dead-letters", "list").DeadLetters
	if len(list) != 3 || list[2].Queue != "receipt" || list[2].ID != "102" || list[2].Reason != "answered 500" || list[2].Attempts != 10 {
		t.Fatalf("dead letters %+v", list)
	}
	if got := answer[host.Answer](s, exitOK, "dead-letters", "discard", "102").DeadLetters; len(got) != 1 || got[0].ID != "102" {
		t.Errorf("discarded %+v", got)
	}
	if got := answer[host.Answer](s, exitOK, "dead-letters", "replay", "101").DeadLetters; len(got) != 1 {
		t.Errorf("replayed %+v", got)
	}
	// The server finds the message in its queue and works on it; the last letter goes when its number is replayed.
	_, stop := s.serve()
	for range 500 {
		if s.now(number) == record.Synced {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if got := s.now(number); got != record.Synced {
		t.Errorf("the replayed message left the record %s", got)
	}
	got := answer[host.Answer](s, exitOK, "replay", number)
	if len(got.DeadLetters) != 1 || got.DeadLetters[0].ID != "103" || len(answer[host.Answer](s, exitOK, "dead-letters", "list").DeadLetters) != 0 {
		t.Errorf("replay of the number: %+v", got)
	}
	log := answer[auditAnswer](s, exitOK, "audit").Entries
	trace := ""
	for _, e := range log {
		trace = e.Action + " " + e.Target + "; " + trace
	}
	if want := "discard dead letter 102; replay dead letter 101; replay us/invoice/" + number + "; "; trace != want {
		t.Errorf("audit %q, want %q", trace, want)
	}
}

// TestRetention: the sweep of a poll removes events whose retention ended, and nothing else.
func TestRetention(t *testing.T) {
	s := newSite(t)
	old := record.Inbox{Company: "us", EventID: "old", State: record.InboxDone, ReceivedAt: store.At(time.Unix(0, 0)), ExpireAt: store.At(time.Unix(1, 0))}
	kept := old
	kept.EventID, kept.ExpireAt = "kept", store.At(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	s.change(func(db *sqlite.Store) {
		inbox := store.Table[record.Inbox]{Store: db, Collection: store.Inbox}
		for _, in := range []record.Inbox{old, kept} {
			if _, err := inbox.Create(t.Context(), store.ID("us", in.EventID), in); err != nil {
				t.Fatal(err)
			}
		}
	})
	_, stop := s.serve()
	for range 1000 {
		if s.pollEnded() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	s.change(func(db *sqlite.Store) {
		if _, err := db.Get(t.Context(), store.Inbox, "us/old"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an event beyond its retention: %v", err)
		}
		if _, err := db.Get(t.Context(), store.Inbox, "us/kept"); err != nil {
			t.Errorf("an event within its retention: %v", err)
		}
	})
}
