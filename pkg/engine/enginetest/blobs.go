package enginetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/arbridge/arbridge/pkg/blob"
)

// Blobs is a blob.Store in memory. Handles of it can belong to processes that die.
type Blobs struct {
	objects *objects
	line    *Line
}

type objects struct {
	mu   sync.Mutex
	all  map[string]object
	down error
}

type object struct {
	info    blob.Info
	content []byte
}

// NewBlobs makes an empty store.
func NewBlobs() *Blobs { return &Blobs{objects: &objects{all: map[string]object{}}} }

func (b *Blobs) through(l *Line) *Blobs { return &Blobs{objects: b.objects, line: l} }

// Break makes every call an error until it is given nil.
func (b *Blobs) Break(err error) {
	b.objects.mu.Lock()
	defer b.objects.mu.Unlock()
	b.objects.down = err
}

// Names lists the objects, sorted.
func (b *Blobs) Names() []string {
	b.objects.mu.Lock()
	defer b.objects.mu.Unlock()
	var out []string
	for name := range b.objects.all {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func held[T any](b *Blobs, body func(o *objects) (T, error)) (T, error) {
	return cross(b.line, func() (T, error) {
		b.objects.mu.Lock()
		defer b.objects.mu.Unlock()
		if b.objects.down != nil {
			var none T
			return none, b.objects.down
		}
		return body(b.objects)
	})
}

// Create implements blob.Store.
func (b *Blobs) Create(_ context.Context, name, contentType string, body io.Reader, limit int64) (blob.Info, error) {
	return held(b, func(o *objects) (blob.Info, error) {
		content, err := io.ReadAll(io.LimitReader(body, limit+1))
		switch _, exists := o.all[name]; {
		case err != nil:
			return blob.Info{}, err
		case int64(len(content)) > limit:
			return blob.Info{}, blob.ErrTooLarge
		case exists:
			return blob.Info{}, blob.ErrExists
		}
		sum := sha256.Sum256(content)
		info := blob.Info{Name: name, Size: int64(len(content)), ContentType: contentType, SHA256: hex.EncodeToString(sum[:])}
		o.all[name] = object{info, content}
		return info, nil
	})
}

func (o *objects) find(name string) (object, error) {
	found, ok := o.all[name]
	if !ok {
		return found, fmt.Errorf("object %s: %w", name, blob.ErrNotFound)
	}
	return found, nil
}

// Stat implements blob.Store.
func (b *Blobs) Stat(_ context.Context, name string) (blob.Info, error) {
	return held(b, func(o *objects) (blob.Info, error) {
		found, err := o.find(name)
		return found.info, err
	})
}

// Open implements blob.Store.
func (b *Blobs) Open(_ context.Context, name string) (io.ReadCloser, blob.Info, error) {
	found, err := held(b, func(o *objects) (object, error) { return o.find(name) })
	if err != nil {
		return nil, blob.Info{}, err
	}
	return io.NopCloser(bytes.NewReader(found.content)), found.info, nil
}

// Delete implements blob.Store.
func (b *Blobs) Delete(_ context.Context, name string) error {
	_, err := held(b, func(o *objects) (struct{}, error) {
		delete(o.all, name)
		return struct{}{}, nil
	})
	return err
}
