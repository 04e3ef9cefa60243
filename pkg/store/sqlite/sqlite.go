// Package sqlite is the embedded store: one SQLite file, pure Go, that a person can open and query.
//
// Each collection is a table (id, version, data as JSON text) with one expression index per query shape, and a view
// <collection>_view that shows the fields as columns. All changes go through one writer that commits whatever is waiting
// as one transaction, so that concurrent writers share the cost of making it durable; reads have connections of their
// own and never wait for it (write-ahead log).
//
// One process at a time may use a file; a second one is refused when it opens it.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

// ErrClosed is a use of a store after Close.
var ErrClosed = errors.New("store is closed")

// ErrInUse is a file that another process has open for writing.
var ErrInUse = errors.New("is in use by another arbridge")

// Options are the settings of a store; the zero value is right for production.
type Options struct {
	// Readers is the number of connections for reading, 3 when 0.
	Readers int
	// CacheKiB is the page cache of each connection in KiB, 2048 when 0.
	CacheKiB int
}

// Store implements store.Store in one SQLite file. Make one with Open.
type Store struct {
	read   *sql.DB
	writer *writer
	lock   *fileLock
}

// Open opens or creates the file at path, whose folder must exist, and brings its tables, indexes and views up to date.
// While the store is open, <path>.lock is locked; a file that another process has open is an error naming the folder.
func Open(path string, opts Options) (*Store, error) {
	if opts.Readers <= 0 {
		opts.Readers = 3
	}
	if opts.CacheKiB <= 0 {
		opts.CacheKiB = 2048
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	lock, err := acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	s, err := open(path, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", path, err), lock.release())
	}
	s.lock = lock
	return s, nil
}

func open(path string, opts Options) (*Store, error) {
	// SQLite would create the file readable by all; its log files take the mode of this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, opts, false))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetMaxIdleConns(1)
	w, err := newWriter(write)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := sql.Open("sqlite", dsn(path, opts, true))
	if err != nil {
		return nil, errors.Join(err, w.stop(), w.close())
	}
	read.SetMaxOpenConns(opts.Readers)
	read.SetMaxIdleConns(opts.Readers)
	return &Store{read: read, writer: w}, nil
}

// dsn is the data source name. FULL makes every commit durable against loss of power, not only of the process.
func dsn(path string, opts Options, readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"fullfsync(1)",
		"checkpoint_fullfsync(1)",
		"cache_size(-" + strconv.Itoa(opts.CacheKiB) + ")",
		"journal_size_limit(16777216)",
	}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, c store.Collection, id string) (store.Doc, error) {
	if err := document.Key(c, id); err != nil {
		return store.Doc{}, fmt.Errorf("reading: %w", err)
	}
	if err := s.writer.check(); err != nil {
		return store.Doc{}, err
	}
	d := store.Doc{ID: id}
	err := s.read.QueryRowContext(ctx, `SELECT version, data FROM `+string(c)+` WHERE id = ?`, id).Scan((*string)(&d.Version), &d.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Doc{}, store.ErrNotFound
	}
	if err != nil {
		return store.Doc{}, fmt.Errorf("reading %s/%s: %w", c, id, err)
	}
	return d, nil
}

// GetAll implements store.Store. An id given twice is answered twice.
func (s *Store) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	for _, id := range ids {
		if err := document.Key(c, id); err != nil {
			return nil, fmt.Errorf("reading: %w", err)
		}
	}
	if len(ids) == 0 {
		return nil, ctx.Err()
	}
	if err := s.writer.check(); err != nil {
		return nil, err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c, err)
	}
	docs, err := rows(ctx, s.read, `SELECT d.id, d.version, d.data FROM json_each(?) AS wanted CROSS JOIN `+string(c)+
		` AS d ON d.id = wanted.value ORDER BY wanted.key`, string(list))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c, err)
	}
	return docs, nil
}

// Write implements store.Store. It returns after the commit; a context that ends before the write has begun withdraws
// it, and one that ends later has no effect, so the outcome is always known.
func (s *Store) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	objects, err := document.Batch(writes)
	if err != nil {
		return nil, err
	}
	if len(writes) == 0 {
		return nil, ctx.Err()
	}
	data := make([]string, len(writes))
	for i, o := range objects {
		if o == nil {
			continue
		}
		text, err := document.Encode(o)
		if err != nil {
			return nil, err
		}
		data[i] = string(text)
	}
	b := &batch{writes: writes, data: data}
	if err := s.writer.do(ctx, b.apply); err != nil {
		return nil, err
	}
	return b.versions, nil
}

// Exec runs change in a transaction of the writer, shared with other writes, and returns after the commit. Tables of
// its own let another package keep its state in the same file; it must not touch the collections, and must neither
// commit nor roll back. An error of change undoes what change did and is returned. When the shared transaction is lost,
// change runs again in a transaction of its own, so it must have no effect outside tx.
func (s *Store) Exec(ctx context.Context, change func(tx *sql.Tx) error) error {
	return s.writer.do(ctx, func(tx *transaction) error { return tx.guarded(change) })
}

// Read runs a function with the connections for reading. Everything written by calls that returned is visible.
func (s *Store) Read(ctx context.Context, read func(db *sql.DB) error) error {
	if err := errors.Join(ctx.Err(), s.writer.check()); err != nil {
		return err
	}
	return read(s.read)
}

// Close implements store.Store: it finishes the writes that wait, folds the write-ahead log into the file and lets
// another process open it. A second Close does nothing.
func (s *Store) Close() error {
	if s.writer.stop() != nil {
		return nil
	}
	return errors.Join(s.read.Close(), s.writer.close(), s.lock.release())
}
