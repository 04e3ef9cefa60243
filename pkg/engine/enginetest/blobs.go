package enginetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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
	at   time.Time
	// hidden says that nothing can be opened.
	hidden bool
}

type object struct {
	info    blob.Info
	content []byte
	created time.Time
}

// NewBlobs makes an empty store. Its objects are of 2026-05-01 unless SetTime says otherwise.
func NewBlobs() *Blobs {
	return &Blobs{objects: &objects{all: map[string]object{}, at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}}
}

// SetTime is the time of the objects that are created from now on.
func (b *Blobs) SetTime(at time.Time) {
	b.objects.mu.Lock()
	defer b.objects.mu.Unlock()
	b.objects.at = at
}

func (b *Blobs) through(l *Line) *Blobs { return &Blobs{objects: b.objects, line: l} }

// Break makes every call an error until it is given nil.
func (b *Blobs) Break(err error) {
	b.objects.mu.Lock()
	defer b.objects.mu.Unlock()
	b.objects.down = err
}

// Hide makes every object one that can not be opened, although it is there, until it is called with false.
func (b *Blobs) Hide(hidden bool) {
	b.objects.mu.Lock()
	defer b.objects.mu.Unlock()
	b.objects.hidden = hidden
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
		o.all[name] = object{info, content, o.at}
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
	found, err := held(b, func(o *objects) (object, error) {
		if o.hidden {
			return object{}, blob.ErrNotFound
		}
		return o.find(name)
	})
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

// List implements blob.Store.
func (b *Blobs) List(_ context.Context, folder, after string, limit int) ([]blob.Listed, error) {
	return held(b, func(o *objects) ([]blob.Listed, error) {
		var out []blob.Listed
		for _, name := range slices.Sorted(maps.Keys(o.all)) {
			if found := o.all[name]; len(out) < limit && strings.HasPrefix(name, folder+"/") && name > after {
				out = append(out, blob.Listed{Name: name, Size: found.info.Size, Created: found.created})
			}
		}
		return out, nil
	})
}
