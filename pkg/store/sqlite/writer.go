package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/arbridge/arbridge/pkg/store"
)

// maxGroup bounds the work that one transaction carries, and so the wait of its first caller.
const maxGroup = 256

// task is one caller's change.
type task struct {
	run   func(tx *transaction) error
	taken atomic.Bool // by the writer, or by the caller who gives up
	done  chan error
}

// writer owns the only connection that writes. It runs waiting tasks in one transaction and tells their callers after
// the commit.
type writer struct {
	db       *sql.DB
	stmts    map[store.Collection]statements
	mark     *sql.Stmt // stores the last version
	last     int64     // the last version committed; used by the writer's goroutine alone
	tasks    chan *task
	finished chan struct{}

	mu     sync.RWMutex // held for reading while sending to tasks
	closed bool
}

// statements are the prepared statements of a collection.
type statements struct{ version, put, remove *sql.Stmt }

func newWriter(db *sql.DB) (*writer, error) {
	if err := migrate(db); err != nil {
		return nil, err
	}
	w := &writer{
		db: db, stmts: make(map[store.Collection]statements, len(store.Collections)),
		tasks: make(chan *task, maxGroup), finished: make(chan struct{}),
	}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	go w.loop()
	return w, nil
}

func (w *writer) prepare() error {
	var errs []error
	prepare := func(query string) *sql.Stmt {
		s, err := w.db.Prepare(query)
		errs = append(errs, err)
		return s
	}
	for _, c := range store.Collections {
		w.stmts[c] = statements{
			version: prepare(`SELECT version FROM ` + string(c) + ` WHERE id = ?`),
			put: prepare(`INSERT INTO ` + string(c) + ` (id, version, data) VALUES (?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET version = excluded.version, data = excluded.data`),
			remove: prepare(`DELETE FROM ` + string(c) + ` WHERE id = ?`),
		}
	}
	w.mark = prepare(`UPDATE arbridge_version SET last = ?`)
	errs = append(errs, w.db.QueryRow(`SELECT last FROM arbridge_version`).Scan(&w.last))
	return errors.Join(errs...)
}

// do hands a change to the writer and waits until it is committed or refused.
func (w *writer) do(ctx context.Context, run func(tx *transaction) error) error {
	t := &task{run: run, done: make(chan error, 1)}
	if err := w.send(ctx, t); err != nil {
		return err
	}
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		if t.taken.CompareAndSwap(false, true) {
			return fmt.Errorf("waiting to write: %w", ctx.Err())
		}
		return <-t.done // it is being written: the outcome is known in a moment
	}
}

func (w *writer) send(ctx context.Context, t *task) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting to write: %w", err)
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.tasks <- t:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting to write: %w", ctx.Err())
	}
}

// check gives ErrClosed after stop.
func (w *writer) check() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	return nil
}

// stop takes no more tasks and lets those that wait finish; ErrClosed if that was done before.
func (w *writer) stop() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.closed = true
	close(w.tasks)
	w.mu.Unlock()
	<-w.finished
	return nil
}

// close folds the write-ahead log into the file and closes the connection, after stop.
func (w *writer) close() error {
	_, err := w.db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, w.db.Close())
}

func (w *writer) loop() {
	defer close(w.finished)
	for first := range w.tasks {
		if group := w.collect(first); len(group) > 0 {
			w.commit(group)
		}
	}
}

// collect takes what is waiting, without those who gave up.
func (w *writer) collect(first *task) []*task {
	var group []*task
	next := first
	for {
		if next.taken.CompareAndSwap(false, true) {
			group = append(group, next)
		}
		if len(group) == maxGroup {
			return group
		}
		select {
		case t, open := <-w.tasks:
			if !open {
				return group
			}
			next = t
		default:
			return group
		}
	}
}

// commit runs a group in one transaction. When a task destroys the transaction for the others, each task gets one of
// its own.
func (w *writer) commit(group []*task) {
	results, err := w.attempt(group)
	var lost *lostError
	if errors.As(err, &lost) && len(group) > 1 {
		for _, t := range group {
			w.commit([]*task{t})
		}
		return
	}
	for i, t := range group {
		if err != nil {
			t.done <- fmt.Errorf("committing: %w", err)
			continue
		}
		t.done <- results[i]
	}
}

// attempt runs the tasks and commits. results are the refusals of single tasks; an error means nothing was committed,
// or that this is unknown when the commit itself failed.
func (w *writer) attempt(group []*task) (results []error, err error) {
	sqlTx, err := w.db.Begin()
	if err != nil {
		return nil, err
	}
	tx := &transaction{tx: sqlTx, stmts: w.stmts, version: w.last}
	results = make([]error, len(group))
	for i, t := range group {
		results[i] = t.run(tx)
		if tx.lost != nil {
			return nil, errors.Join(&lostError{tx.lost}, ignoreDone(sqlTx.Rollback()))
		}
	}
	if tx.version != w.last {
		if _, err := sqlTx.Stmt(w.mark).Exec(tx.version); err != nil {
			return nil, errors.Join(&lostError{err}, ignoreDone(sqlTx.Rollback()))
		}
	}
	if err := sqlTx.Commit(); err != nil {
		return nil, errors.Join(err, ignoreDone(sqlTx.Rollback()))
	}
	w.last = tx.version
	return results, nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// lostError is a transaction that ended before its commit.
type lostError struct{ err error }

// Error implements error.
func (e *lostError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *lostError) Unwrap() error { return e.err }

// transaction is what a group of tasks shares.
type transaction struct {
	tx      *sql.Tx
	stmts   map[store.Collection]statements
	version int64 // the last version given out
	lost    error // set when the transaction can not go on
}

// fail marks the transaction as lost.
func (tx *transaction) fail(err error) error {
	tx.lost = err
	return err
}

// guarded runs change so that its error undoes only its own statements.
func (tx *transaction) guarded(change func(tx *sql.Tx) error) error {
	if _, err := tx.tx.Exec(`SAVEPOINT task`); err != nil {
		return tx.fail(err)
	}
	refused := change(tx.tx)
	if refused != nil {
		// An interrupted statement may have taken the whole transaction with it; then there is no savepoint either.
		if _, err := tx.tx.Exec(`ROLLBACK TO task`); err != nil {
			return tx.fail(errors.Join(refused, err))
		}
	}
	if _, err := tx.tx.Exec(`RELEASE task`); err != nil {
		return tx.fail(errors.Join(refused, err))
	}
	return refused
}

// batch is one call of Store.Write.
type batch struct {
	writes   []store.Write
	data     []string
	versions []store.Version
}

// apply checks all conditions first, so that a refused batch leaves nothing to undo.
func (b *batch) apply(tx *transaction) error {
	for i, w := range b.writes {
		refused, err := tx.refusal(w)
		if err != nil {
			return tx.fail(err)
		}
		if refused != nil {
			return &store.WriteError{Index: i, Collection: w.Collection, ID: w.ID, Err: refused}
		}
	}
	b.versions = make([]store.Version, len(b.writes)) // anew: the batch may be applied again
	for i, w := range b.writes {
		if w.Delete {
			if _, err := tx.tx.Stmt(tx.stmts[w.Collection].remove).Exec(w.ID); err != nil {
				return tx.fail(err)
			}
			continue
		}
		tx.version++
		if _, err := tx.tx.Stmt(tx.stmts[w.Collection].put).Exec(w.ID, tx.version, b.data[i]); err != nil {
			return tx.fail(err)
		}
		b.versions[i] = versionOf(tx.version)
	}
	return nil
}

// refusal says which of the contract's errors a write meets, nil when it may go ahead.
func (tx *transaction) refusal(w store.Write) (refused, err error) {
	if w.If == store.Always {
		return nil, nil
	}
	var version int64
	err = tx.tx.Stmt(tx.stmts[w.Collection].version).QueryRow(w.ID).Scan(&version)
	absent := errors.Is(err, sql.ErrNoRows)
	switch {
	case err != nil && !absent:
		return nil, err
	case w.If == store.IfAbsent && !absent:
		return store.ErrExists, nil
	case w.If == store.IfVersion && absent:
		return store.ErrNotFound, nil
	case w.If == store.IfVersion && versionOf(version) != w.Version:
		return store.ErrConflict, nil
	}
	return nil, nil
}

func versionOf(n int64) store.Version { return store.Version(strconv.FormatInt(n, 10)) }
