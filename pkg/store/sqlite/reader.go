package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/arbridge/arbridge/pkg/store"
)

// ErrReadOnly is a write to a store that was opened with OpenReader.
var ErrReadOnly = errors.New("store is open for reading only")

// Reader is a store that only reads; it may be open beside the process that writes.
type Reader struct{ Store }

// OpenReader opens an existing file for reading, without its lock: a running server keeps working.
func OpenReader(path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening store: %w; is this the data folder of arbridge?", err)
	}
	read, err := sql.Open("sqlite", dsn(path, Options{CacheKiB: 2048}, true))
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	read.SetMaxOpenConns(2)
	return &Reader{Store{read: read, writer: &writer{}}}, nil
}

// Write refuses with ErrReadOnly.
func (*Reader) Write(context.Context, ...store.Write) ([]store.Version, error) {
	return nil, ErrReadOnly
}

// Exec refuses with ErrReadOnly.
func (*Reader) Exec(context.Context, func(tx *sql.Tx) error) error { return ErrReadOnly }

// Close implements store.Store.
func (r *Reader) Close() error { return r.read.Close() }
