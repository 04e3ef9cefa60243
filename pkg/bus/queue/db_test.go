package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite" // database driver
)

// testDB is a SQLite file with one writer that commits the waiting writes together, as the store does.
type testDB struct {
	db     *sql.DB
	writes chan write
	mu     sync.Mutex
	broken error // answer of Exec and Read while set
	execs  int
	reads  int
}

type write struct {
	fn   func(tx *sql.Tx) error
	done chan error
}

var errBroken = errors.New("disk I/O error")

// openDB opens a file; it is closed when the test ends or by close.
func openDB(t testing.TB, path string) *testDB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	d := &testDB{db: db, writes: make(chan write, 256)}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for w := range d.writes {
			d.commit(w)
		}
	}()
	t.Cleanup(func() {
		close(d.writes)
		<-stopped
		if err := db.Close(); err != nil {
			t.Errorf("closing database: %v", err)
		}
	})
	return d
}

// newDB opens a new file.
func newDB(t testing.TB) *testDB {
	return openDB(t, filepath.Join(t.TempDir(), "arbridge.db"))
}

// commit runs first and whatever else waits in one transaction, each in a savepoint of its own.
func (d *testDB) commit(first write) {
	tx, err := d.db.Begin()
	if err != nil {
		first.done <- err
		return
	}
	batch, errs := []write{first}, []error{inSavepoint(tx, first.fn)}
	for more := true; more && len(batch) < 256; {
		select {
		case w, ok := <-d.writes:
			if more = ok; ok {
				batch, errs = append(batch, w), append(errs, inSavepoint(tx, w.fn))
			}
		default:
			more = false
		}
	}
	err = tx.Commit()
	for i, w := range batch {
		w.done <- errors.Join(errs[i], err)
	}
}

func inSavepoint(tx *sql.Tx, fn func(tx *sql.Tx) error) error {
	if _, err := tx.Exec("SAVEPOINT s"); err != nil {
		return err
	}
	err := fn(tx)
	if err != nil {
		_, undo := tx.Exec("ROLLBACK TO s")
		err = errors.Join(err, undo)
	}
	_, release := tx.Exec("RELEASE s")
	return errors.Join(err, release)
}

// Exec implements queue.DB.
func (d *testDB) Exec(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := d.count(&d.execs); err != nil {
		return err
	}
	w := write{fn, make(chan error, 1)}
	select {
	case d.writes <- w:
		return <-w.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read implements queue.DB.
func (d *testDB) Read(_ context.Context, fn func(db *sql.DB) error) error {
	if err := d.count(&d.reads); err != nil {
		return err
	}
	return fn(d.db)
}

// count counts a call and gives the error it shall have.
func (d *testDB) count(n *int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
	return d.broken
}

// calls is how often Exec and Read were called.
func (d *testDB) calls() (execs, reads int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.execs, d.reads
}

// setBroken makes every call fail, or work again.
func (d *testDB) setBroken(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}
