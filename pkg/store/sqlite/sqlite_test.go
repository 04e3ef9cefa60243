package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/storetest"
)

func temp(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "arbridge.db")
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func record(id, data string) store.Write {
	return store.Write{Collection: store.Records, ID: id, Data: []byte(data)}
}

func mustWrite(t testing.TB, s *Store, writes ...store.Write) []store.Version {
	t.Helper()
	v, err := s.Write(t.Context(), writes...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return mustOpen(t, temp(t)) })
}

func TestOneProcessPerFolder(t *testing.T) {
	path := temp(t)
	first, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	if err == nil || !strings.Contains(err.Error(), "data folder "+filepath.Dir(path)+" is in use") ||
		!strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("second Open = %v; want an error naming the folder and the process", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

func TestReopenKeepsDocumentsAndNeverReusesVersions(t *testing.T) {
	path := temp(t)
	s := mustOpen(t, path)
	kept := mustWrite(t, s, record("kept", `{"n":1}`), record("gone", `{"n":2}`))
	mustWrite(t, s, store.Write{Collection: store.Records, ID: "gone", Delete: true})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	got, err := s.Get(t.Context(), store.Records, "kept")
	if err != nil || got.Version != kept[0] || string(got.Data) != `{"n":1}` {
		t.Errorf("after reopening: %+v, %v", got, err)
	}
	again := mustWrite(t, s, record("gone", `{"n":3}`))
	if again[0] == kept[1] || again[0] == kept[0] {
		t.Errorf("version %s of a deleted document was given out again", again[0])
	}
}

func TestFileIsPrivateWhateverItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20c?d#e&f=g.db")
	s := mustOpen(t, path)
	mustWrite(t, s, record("k", `{}`))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %q: %v, %v; want it there with mode 0600", suffix, info, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "missing", "arbridge.db"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open in a missing folder = %v", err)
	}
	path := temp(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("this is not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second try shows that the first released the lock
		if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a database") {
			t.Errorf("Open of another kind of file = %v", err)
		}
	}
	path = temp(t)
	s := mustOpen(t, path)
	err := s.Exec(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`PRAGMA user_version = 99`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "format 99") {
		t.Errorf("Open of a newer format = %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, temp(t))
	mustWrite(t, s, record("k", `{}`))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Get":    func() error { _, err := s.Get(ctx, store.Records, "k"); return err },
		"GetAll": func() error { _, err := s.GetAll(ctx, store.Records, []string{"k"}); return err },
		"Write":  func() error { _, err := s.Write(ctx, record("k", `{}`)); return err },
		"Query": func() error {
			_, err := s.Query(ctx, store.Query{Collection: store.Records, OrderBy: "due_at", Limit: 1})
			return err
		},
		"Exec": func() error { return s.Exec(ctx, func(*sql.Tx) error { return nil }) },
		"Read": func() error { return s.Read(ctx, func(*sql.DB) error { return nil }) },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close = %v; want ErrClosed", name, err)
		}
	}
}

// TestPlans: every shape is answered by an index that also gives the order.
func TestPlans(t *testing.T) {
	s := mustOpen(t, temp(t))
	for _, shape := range store.Shapes {
		q := store.Query{Collection: shape.Collection, OrderBy: shape.OrderBy, Desc: shape.Desc, Limit: 10}
		for _, f := range shape.Equal {
			q.Equal = append(q.Equal, store.Equal{Field: f, Value: "x"})
		}
		for name, change := range map[string]func(*store.Query){
			"all": func(*store.Query) {}, "up to": func(q *store.Query) { q.UpTo = "2" },
			"after": func(q *store.Query) { q.After = store.Position{Value: "1", ID: "a"} },
		} {
			variant := q
			change(&variant)
			for _, p := range []part{everything, sameValue, beyondValue} {
				plan := explain(t, s, variant, p)
				terms := len(shape.Equal) + 1
				if !strings.Contains(plan, "SEARCH "+string(q.Collection)+" USING INDEX "+string(q.Collection)+"_by_") ||
					strings.Count(plan, "<expr>") < terms || strings.Contains(plan, "TEMP B-TREE") || p == sameValue && !strings.Contains(plan, "id") {
					t.Errorf("%+v, %s, part %d: plan is %q; want a search by %d terms of an index that gives the order", shape, name, p, plan, terms)
				}
			}
		}
	}
}

func explain(t *testing.T, s *Store, q store.Query, p part) string {
	t.Helper()
	text, args := build(q, p)
	var plan []string
	err := s.Read(t.Context(), func(db *sql.DB) error {
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			plan = append(plan, detail)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

func TestViewsAreReadable(t *testing.T) {
	s := mustOpen(t, temp(t))
	mustWrite(t, s, record("us/invoice/INV-1", `{"company":"us","kind":"invoice","source_id":"INV-1","status":"synced","due_at":"2026-01-01"}`))
	var company, kind, source, status, due string
	var updated sql.NullString
	err := s.Read(t.Context(), func(db *sql.DB) error {
		for _, c := range store.Collections {
			if _, err := db.Exec(`SELECT id, expire_at, version, data FROM ` + string(c) + `_view`); err != nil {
				return err
			}
		}
		return db.QueryRow(`SELECT company, kind, source_id, status, due_at, updated_at FROM records_view WHERE company = 'us'`).
			Scan(&company, &kind, &source, &status, &due, &updated)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join([]string{company, kind, source, status, due}, " "); got != "us invoice INV-1 synced 2026-01-01" || updated.Valid {
		t.Errorf("view shows %q and updated_at %v", got, updated)
	}
}

func TestSchemaFollowsTheShapes(t *testing.T) {
	path := temp(t)
	s := mustOpen(t, path)
	err := s.Exec(t.Context(), func(tx *sql.Tx) error {
		for _, q := range []string{
			`CREATE INDEX records_by_color ON records (json_extract(data, '$.color'))`,       // no longer declared
			`DROP INDEX records_by_due_at`, `CREATE INDEX records_by_due_at ON records (id)`, // declared otherwise
			`DROP VIEW audit_view`,
			`CREATE TABLE queue (id TEXT)`, `CREATE INDEX queue_by_id ON queue (id)`, // somebody else's
			`CREATE VIEW queue_view AS SELECT id FROM queue`,
		} {
			if _, err := tx.Exec(q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	for name, want := range map[string]string{
		"records_by_color": "", "records_by_due_at": indexes()["records_by_due_at"], "audit_view": views()["audit_view"],
		"queue_by_id": "CREATE INDEX queue_by_id ON queue (id)", "queue_view": "CREATE VIEW queue_view AS SELECT id FROM queue",
	} {
		var got string
		err := s.Read(t.Context(), func(db *sql.DB) error {
			return db.QueryRowContext(context.Background(), `SELECT coalesce(max(sql), '') FROM sqlite_schema WHERE name = ?`, name).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
}
