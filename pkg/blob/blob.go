// Package blob is the contract for large bytes: PDFs on their way from the ERP to the portal.
//
// Two implementations exist: gcs (Google Cloud Storage) and files (the embedded default: write, fsync, rename). Both
// pass the conformance suite in blobtest.
package blob

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors of every implementation; test with errors.Is.
var (
	// ErrNotFound is a read of an object that does not exist.
	ErrNotFound = errors.New("object not found")
	// ErrExists is a create of an object that exists.
	ErrExists = errors.New("object exists already")
	// ErrTooLarge is a body above the given limit; nothing is stored.
	ErrTooLarge = errors.New("object too large")
	// ErrName is a name that is empty, absolute, or has an empty, "." or ".." part or a control character.
	ErrName = errors.New("object name not allowed")
)

// Info describes a stored object.
type Info struct {
	Name        string
	Size        int64
	ContentType string
	SHA256      string // lower-case hex of the content
}

// MaxList is the largest number of objects that one List gives.
const MaxList = 1000

// Listed is a stored object as lists show it: without what only the object itself says.
type Listed struct {
	Name    string
	Size    int64     // bytes of content
	Created time.Time // when it was stored, in UTC
}

// Store holds objects under slash-separated names such as "us/invoice/104233/D55102.pdf". Objects are whole or absent,
// never half-written. Implementations are safe for concurrent use.
type Store interface {
	// Create stores body, at most limit bytes, under a new name. ErrExists leaves the old object; ErrTooLarge and a
	// failing reader leave nothing.
	Create(ctx context.Context, name, contentType string, body io.Reader, limit int64) (Info, error)
	// Stat describes an object.
	Stat(ctx context.Context, name string) (Info, error)
	// Open reads an object; the caller closes it.
	Open(ctx context.Context, name string) (io.ReadCloser, Info, error)
	// Delete removes an object; removing an absent one is no error.
	Delete(ctx context.Context, name string) error
	// List gives the objects below a folder such as "us" or "us/invoice", those whose names begin with it and a slash, in
	// the order of the bytes of their names: at most limit (1 to MaxList) of those behind the name after, which need not
	// exist and is empty for the start. Fewer than limit means that there are no more. An object that can not be read is
	// listed too.
	List(ctx context.Context, folder, after string, limit int) ([]Listed, error)
}
