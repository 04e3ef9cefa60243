// Package blob is the contract for large bytes: PDFs on their way from the ERP to the portal.
//
// Two implementations exist: gcs (Google Cloud Storage) and files (the embedded default: write, fsync, rename). Both
// pass the conformance suite in blobtest.
package blob

import (
	"context"
	"errors"
	"io"
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
}
