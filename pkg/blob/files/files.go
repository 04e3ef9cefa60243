// Package files is the embedded blob store: one file per object below a folder. A file is written aside, synced to disk
// and then linked to its name, so that a crash leaves the whole object or none, with its description always inside it.
//
// A file starts with a header of two lines, a mark and a JSON object with the description, padded to 4096 bytes;
// `tail -c +4097` gives the content. The object "us/invoice/1/a.pdf" is objects/us/invoice/1/a.pdf.blob. One process may
// use a folder at a time.
package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/internal/intake"
	"github.com/arbridge/arbridge/pkg/clock"
)

const (
	objectsDir = "objects"
	tempDir    = "tmp" // on the same file system, for files being written
	extension  = ".blob"
	fileMode   = 0o600 // documents of customers are nobody else's business
	dirMode    = 0o700
)

// Store is a blob.Store. Make one with Open; it is safe for concurrent use.
type Store struct {
	root  *os.Root // keeps every path inside the folder, also through symbolic links
	clock clock.Clock
	// folders keeps the removal of an empty folder apart from the creation of an object in it.
	folders sync.RWMutex
}

var _ blob.Store = (*Store)(nil)

// Open opens the store in dir, which is created if it is missing, and removes what an earlier process was writing when
// it ended. The time of an object, c's when it was stored, is the modification time of its file.
func Open(dir string, c clock.Clock) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("opening blob folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening blob folder: %w", err)
	}
	s := &Store{root: root, clock: c}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening blob folder %s: %w", dir, err), root.Close())
	}
	return s, nil
}

// prepare empties the folder of unfinished files and makes both folders.
func (s *Store) prepare() error {
	if err := s.root.RemoveAll(tempDir); err != nil {
		return err
	}
	for _, dir := range []string{tempDir, objectsDir} {
		if err := s.root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	return s.sync(".")
}

// Close releases the folder. Objects that are open can still be read.
func (s *Store) Close() error { return s.root.Close() }

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, name, contentType string, body io.Reader, limit int64) (blob.Info, error) {
	if err := intake.Name(name); err != nil {
		return blob.Info{}, err
	}
	info, err := s.create(ctx, blob.Info{Name: name, ContentType: contentType}, body, limit)
	if err != nil {
		return blob.Info{}, fmt.Errorf("creating object %q: %w", name, err)
	}
	return info, nil
}

func (s *Store) create(ctx context.Context, info blob.Info, body io.Reader, limit int64) (_ blob.Info, err error) {
	at := location(info.Name)
	if _, err := s.root.Lstat(at); err == nil { // spares reading the body; the link below decides
		return blob.Info{}, blob.ErrExists
	}
	temp := path.Join(tempDir, rand.Text())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return blob.Info{}, err
	}
	defer func() {
		if undo := s.root.Remove(temp); undo != nil && err == nil {
			err = undo
		}
	}()
	info, err = write(ctx, f, info, body, limit)
	if err := errors.Join(err, f.Close()); err != nil {
		return blob.Info{}, err
	}
	now := s.clock.Now()
	if err := s.root.Chtimes(temp, now, now); err != nil {
		return blob.Info{}, err
	}
	return info, s.publish(temp, at)
}

// publish gives a finished file its name, unless there is one, and makes that durable.
func (s *Store) publish(temp, at string) error {
	s.folders.RLock()
	defer s.folders.RUnlock()
	dir := path.Dir(at)
	if err := s.makeDirs(dir); err != nil {
		return err
	}
	switch err := s.root.Link(temp, at); {
	case errors.Is(err, fs.ErrExist):
		return blob.ErrExists
	case err != nil:
		return err
	}
	return s.sync(dir)
}

// makeDirs makes a folder and those above it, each durable in the one above.
func (s *Store) makeDirs(dir string) error {
	err := s.root.Mkdir(dir, dirMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := s.makeDirs(path.Dir(dir)); err != nil {
			return err
		}
		if err := s.root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case err != nil:
		return err
	}
	return s.sync(path.Dir(dir))
}

// sync makes the entries of a folder durable.
func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	r, info, err := s.Open(ctx, name)
	if err != nil {
		return blob.Info{}, err
	}
	return info, r.Close()
}

// Open implements blob.Store. A file whose size is not the one in its header is an error.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, blob.Info, error) {
	if err := intake.Name(name); err != nil {
		return nil, blob.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, blob.Info{}, fmt.Errorf("opening object %q: %w", name, err)
	}
	f, err := s.root.Open(location(name))
	if missing(err) {
		return nil, blob.Info{}, fmt.Errorf("object %q: %w", name, blob.ErrNotFound)
	}
	if err != nil {
		return nil, blob.Info{}, fmt.Errorf("opening object %q: %w", name, err)
	}
	info, err := readHeader(f)
	if err != nil {
		return nil, blob.Info{}, errors.Join(fmt.Errorf("opening object %q: %w", name, err), f.Close())
	}
	info.Name = name
	return f, info, nil
}

// Delete implements blob.Store. Folders that became empty go as well.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := intake.Name(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deleting object %q: %w", name, err)
	}
	s.folders.Lock()
	defer s.folders.Unlock()
	at := location(name)
	err := s.root.Remove(at)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting object %q: %w", name, err)
	}
	dir := path.Dir(at)
	for dir != objectsDir && s.root.Remove(dir) == nil {
		dir = path.Dir(dir)
	}
	if err := s.sync(dir); err != nil {
		return fmt.Errorf("deleting object %q: %w", name, err)
	}
	return nil
}

// missing reports whether err says that there is no such file. A file in place of a folder on the way is one, too: names
// are mapped so that this can only be a file that was put there by hand.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist)
}

// location is the path of an object. Only objects end in the extension: a folder whose name would end in it gets a
// tilde more, so that the objects "a" and "a.blob/b" do not meet.
func location(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		if strings.HasSuffix(strings.TrimRight(part, "~"), extension) {
			parts[i] = part + "~"
		}
	}
	return objectsDir + "/" + strings.Join(parts, "/") + extension
}
