// Package store is the contract for arbridge's durable state: small JSON documents in named collections, with
// create-if-absent, compare-and-set on a version, small atomic batches and a fixed list of query shapes.
//
// Two implementations exist: firestore (Google Cloud) and sqlite (the embedded default). Both pass the conformance suite
// in storetest. The store is the truth: queues only wake workers up. No remote call is ever made inside a write, because
// there is no callback to make one from.
//
// Documents are JSON objects whose values are strings, booleans, whole numbers, null, arrays and objects of these.
// Fractional numbers are refused (ErrFraction): money is stored as text.
package store

import (
	"context"
	"errors"
)

// Errors of every implementation; test with errors.Is. Any other error means that the outcome of a write is unknown.
var (
	// ErrNotFound is a Get of, or a versioned write to, a document that does not exist.
	ErrNotFound = errors.New("document not found")
	// ErrExists is a write that required the document to be absent.
	ErrExists = errors.New("document exists already")
	// ErrConflict is a write whose expected version is not the stored one.
	ErrConflict = errors.New("document changed meanwhile")
	// ErrFraction is a document that holds a number with a fraction or an exponent.
	ErrFraction = errors.New("document holds a fractional number")
	// ErrShape is a query that is not in Shapes, and so would lack its index in production.
	ErrShape = errors.New("query shape is not declared")
	// ErrTooLarge is a document above MaxDocument bytes.
	ErrTooLarge = errors.New("document too large")
)

// MaxDocument is the largest accepted document in bytes of JSON, well below Firestore's limit of 1 MiB
// (gcp-go-stack 5.3).
const MaxDocument = 512 << 10

// MaxBatch is the largest number of writes in one atomic Write.
const MaxBatch = 200

// Version identifies one state of a document. It is opaque; the empty version is "no version".
type Version string

// Doc is a stored document.
type Doc struct {
	ID      string
	Version Version
	Data    []byte // a JSON object
}

// Condition says what must hold for a write to happen.
type Condition int

// The conditions of a write.
const (
	// Always writes whatever is there (upsert, or delete if present).
	Always Condition = iota
	// IfAbsent creates; an existing document is ErrExists.
	IfAbsent
	// IfVersion replaces or deletes exactly Write.Version; another version is ErrConflict, no document ErrNotFound.
	IfVersion
)

// Write is one change of a batch.
type Write struct {
	Collection Collection
	ID         string
	Data       []byte // a JSON object; nil when Delete
	Delete     bool
	If         Condition
	Version    Version // for IfVersion
}

// Query asks for documents of one collection whose fields equal given texts, ordered by one field and then by id.
// Documents that lack OrderBy are not found, as in Firestore. The combination of names must be in Shapes.
type Query struct {
	Collection Collection
	Equal      []Equal
	OrderBy    string // a top-level field holding a string
	Desc       bool
	UpTo       string // with OrderBy: only values <= UpTo; empty for no bound
	From       string // with OrderBy: only values >= From; empty for no bound
	After      Position
	Limit      int // 1 to 1000
}

// Equal requires a top-level string field to have a value.
type Equal struct{ Field, Value string }

// Position is the place after which a query continues: the OrderBy value and the id of the last document received.
type Position struct{ Value, ID string }

// Store holds documents. Implementations are safe for concurrent use, and a successful Write is durable when it returns.
type Store interface {
	// Get reads one document; ErrNotFound if there is none.
	Get(ctx context.Context, c Collection, id string) (Doc, error)
	// GetAll reads several documents of one collection; missing ones are left out, the order is that of ids.
	GetAll(ctx context.Context, c Collection, ids []string) ([]Doc, error)
	// Write applies all writes or none and returns the new versions (empty for deletions). A condition that does not
	// hold is reported as a *WriteError that says which write and wraps ErrExists, ErrConflict or ErrNotFound.
	Write(ctx context.Context, writes ...Write) ([]Version, error)
	// Query returns up to q.Limit documents.
	Query(ctx context.Context, q Query) ([]Doc, error)
	// Close releases everything. Writes that returned stay.
	Close() error
}

// WriteError says which write of a batch was refused.
type WriteError struct {
	Index      int
	Collection Collection
	ID         string
	Err        error
}

// Error implements error.
func (e *WriteError) Error() string {
	return "writing " + string(e.Collection) + "/" + e.ID + ": " + e.Err.Error()
}

// Unwrap gives ErrExists, ErrConflict or ErrNotFound.
func (e *WriteError) Unwrap() error { return e.Err }
