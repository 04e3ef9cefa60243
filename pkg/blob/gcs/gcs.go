// Package gcs is the blob store on Google Cloud Storage.
package gcs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/internal/intake"
)

// sumKey is the metadata entry with the SHA-256 of an object, which Cloud Storage itself does not keep.
const sumKey = "sha256"

// maxChunk bounds the buffer of an upload. An object that fits goes in one request, which the client can repeat.
const maxChunk = 8 << 20

// Store is a blob.Store in one bucket. Make one with New; it is safe for concurrent use.
type Store struct {
	bucket *storage.BucketHandle
}

var _ blob.Store = (*Store)(nil)

// New gives the store in a bucket, which must exist. The client stays the caller's to close.
func New(client *storage.Client, bucket string) *Store {
	return &Store{bucket: client.Bucket(bucket)}
}

// Create implements blob.Store. The body is read completely before anything is sent, because its sum is part of the
// object. When the answer to an upload was lost and the client's own repetition meets the object, this is ErrExists too.
func (s *Store) Create(ctx context.Context, name, contentType string, body io.Reader, limit int64) (blob.Info, error) {
	if err := intake.Name(name); err != nil {
		return blob.Info{}, err
	}
	content, err := readAll(intake.Body(ctx, body, limit))
	if err != nil {
		return blob.Info{}, fmt.Errorf("creating object %q: %w", name, err)
	}
	err = s.upload(ctx, name, contentType, content)
	if err := errors.Join(err, content.close()); err != nil {
		return blob.Info{}, fmt.Errorf("creating object %q: %w", name, err)
	}
	return blob.Info{Name: name, Size: content.size, ContentType: contentType, SHA256: hex.EncodeToString(content.sum)}, nil
}

// upload sends a new object. The end of its context is what makes Cloud Storage forget an upload that failed half way;
// closing the writer would finish it.
func (s *Store) upload(ctx context.Context, name, contentType string, content *spool) error {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	w := s.bucket.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType = contentType
	w.Metadata = map[string]string{sumKey: hex.EncodeToString(content.sum)}
	w.CRC32C, w.SendCRC32C = content.crc, true // the service refuses what arrives differently
	w.ChunkSize = int(min(content.size+1, maxChunk))
	r, err := content.reader()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		abort()
		return errors.Join(classify(err), ended(w.Close()))
	}
	return classify(w.Close())
}

// ended hides the error that a writer always has once its context has ended.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := intake.Name(name); err != nil {
		return blob.Info{}, err
	}
	attrs, err := s.bucket.Object(name).Attrs(ctx)
	if err != nil {
		return blob.Info{}, fmt.Errorf("describing object %q: %w", name, classify(err))
	}
	return describe(attrs), nil
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, blob.Info, error) {
	if err := intake.Name(name); err != nil {
		return nil, blob.Info{}, err
	}
	object := s.bucket.Object(name)
	attrs, err := object.Attrs(ctx)
	if err != nil {
		return nil, blob.Info{}, fmt.Errorf("opening object %q: %w", name, classify(err))
	}
	r, err := object.Generation(attrs.Generation).NewReader(ctx)
	if err != nil {
		return nil, blob.Info{}, fmt.Errorf("opening object %q: %w", name, classify(err))
	}
	return r, describe(attrs), nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := intake.Name(name); err != nil {
		return err
	}
	if err := classify(s.bucket.Object(name).Delete(ctx)); err != nil && !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("deleting object %q: %w", name, err)
	}
	return nil
}

// List implements blob.Store. An ordinary list is one request.
func (s *Store) List(ctx context.Context, folder, after string, limit int) ([]blob.Listed, error) {
	if err := intake.List(folder, limit); err != nil {
		return nil, err
	}
	query := &storage.Query{Prefix: folder + "/", Projection: storage.ProjectionNoACL}
	if after >= query.Prefix {
		query.StartOffset = after // with it, where it still exists
	}
	if err := query.SetAttrSelection([]string{"Name", "Size", "Created"}); err != nil {
		return nil, fmt.Errorf("listing objects below %q: %w", folder, err)
	}
	objects := s.bucket.Objects(ctx, query)
	objects.PageInfo().MaxSize = limit + 1
	var out []blob.Listed
	for len(out) < limit {
		a, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("listing objects below %q: %w", folder, classify(err))
		}
		if a.Name > after {
			out = append(out, blob.Listed{Name: a.Name, Size: a.Size, Created: a.Created.UTC()})
		}
	}
	return out, nil
}

// describe is the Info of an object. One that something else put into the bucket has no sum.
func describe(a *storage.ObjectAttrs) blob.Info {
	return blob.Info{Name: a.Name, Size: a.Size, ContentType: a.ContentType, SHA256: a.Metadata[sumKey]}
}

// classify adds the error of the contract that an error of the client stands for.
func classify(err error) error {
	if errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	}
	answer, ok := errors.AsType[*googleapi.Error](err)
	if ok && answer.Code == http.StatusPreconditionFailed || status.Code(err) == codes.FailedPrecondition {
		return fmt.Errorf("%w: %w", blob.ErrExists, err)
	}
	return err
}
