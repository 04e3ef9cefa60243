// Package document checks what a store is given, before anything is sent or written, so that every implementation of
// pkg/store refuses the same input with the same error. The limits are Firestore's where it is the narrower one
// (gcp-go-stack 5.3).
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/store"
)

const (
	// MaxID is the largest accepted id in bytes: ids are ordered by, and indexes hold at most 1,500 bytes of a value.
	MaxID = 1024
	// MaxBatchBytes is the largest accepted sum of a batch's documents. Firestore takes 10 MiB per request, in which a
	// document can have twice its size as JSON; the emulator takes 4 MiB.
	MaxBatchBytes = 3 << 20

	maxDepth  = 19        // of nested objects and arrays; Firestore takes 20
	maxKey    = 1400      // bytes of a field name; Firestore takes 1,500
	maxWeight = 1_000_000 // stored bytes of a document as Firestore counts them; it takes 1 MiB with name and id
)

// Object is a decoded document: its values are string, bool, int64, nil, []any and map[string]any.
type Object = map[string]any

// Key checks a collection and an id.
func Key(c store.Collection, id string) error {
	switch {
	case !slices.Contains(store.Collections, c):
		return fmt.Errorf("collection %q is not in store.Collections", c)
	case id == "":
		return fmt.Errorf("id of a document in %s is empty: build it with store.ID", c)
	case len(id) > MaxID:
		return fmt.Errorf("id %.40q... in %s has %d bytes, at most %d are allowed: shorten a part", id, c, len(id), MaxID)
	case !utf8.ValidString(id) || strings.Contains(id, "\x00"):
		return fmt.Errorf("id %q in %s is not UTF-8 text without NUL: build it with store.ID", id, c)
	}
	return nil
}

// Batch checks the writes of one batch and returns their decoded documents, nil for deletions.
func Batch(writes []store.Write) ([]Object, error) {
	if len(writes) > store.MaxBatch {
		return nil, fmt.Errorf("batch of %d writes is larger than %d: split it", len(writes), store.MaxBatch)
	}
	type key struct {
		c  store.Collection
		id string
	}
	seen := make(map[key]bool, len(writes))
	objects := make([]Object, len(writes))
	total := 0
	for i, w := range writes {
		if err := Key(w.Collection, w.ID); err != nil {
			return nil, fmt.Errorf("write %d of a batch: %w", i, err)
		}
		if k := (key{w.Collection, w.ID}); seen[k] {
			return nil, fmt.Errorf("batch writes %s/%s twice: merge the two writes", w.Collection, w.ID)
		} else {
			seen[k] = true
		}
		var err error
		if objects[i], err = one(w); err != nil {
			return nil, fmt.Errorf("writing %s/%s: %w", w.Collection, w.ID, err)
		}
		if total += len(w.Data); total > MaxBatchBytes {
			return nil, fmt.Errorf("batch holds more than %d bytes: split it: %w", MaxBatchBytes, store.ErrTooLarge)
		}
	}
	return objects, nil
}

func one(w store.Write) (Object, error) {
	if w.If < store.Always || w.If > store.IfVersion {
		return nil, fmt.Errorf("condition %d is unknown", w.If)
	}
	if !w.Delete {
		return Parse(w.Data)
	}
	if w.If == store.IfAbsent {
		return nil, errors.New("a deletion can not require the document to be absent")
	}
	if w.Data != nil {
		return nil, errors.New("a deletion carries no data")
	}
	return nil, nil
}

// Parse decodes and checks one document.
func Parse(data []byte) (Object, error) {
	if len(data) > store.MaxDocument {
		return nil, fmt.Errorf("%d bytes of at most %d: %w", len(data), store.MaxDocument, store.ErrTooLarge)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("document is not UTF-8 text")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var o Object
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("document is not a JSON object: %w", err)
	}
	if o == nil {
		return nil, errors.New("document is not a JSON object but null")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("document is followed by more text")
	}
	var c checker
	if err := c.object(o, 1); err != nil {
		return nil, err
	}
	if c.weight > maxWeight {
		return nil, fmt.Errorf("%d stored bytes of at most %d: %w", c.weight, maxWeight, store.ErrTooLarge)
	}
	return o, nil
}

// Encode writes an object as JSON with sorted names, without escaping for HTML.
func Encode(o Object) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(o); err != nil {
		return nil, fmt.Errorf("encoding a document: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// checker walks a decoded document, turns numbers into int64 in place and adds up Firestore's count of bytes.
type checker struct{ weight int }

func (c *checker) object(o Object, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	for name, v := range o {
		if len(name) > maxKey {
			return fmt.Errorf("field name %.40q... has more than %d bytes", name, maxKey)
		}
		c.weight += len(name) + 1
		checked, err := c.value(v, depth)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		o[name] = checked
	}
	return nil
}

// value checks v, which is inside depth levels.
func (c *checker) value(v any, depth int) (any, error) {
	switch v := v.(type) {
	case string:
		c.weight += len(v) + 1
	case json.Number:
		c.weight += 8
		return whole(v)
	case Object:
		return v, c.object(v, depth+1)
	case []any:
		if depth++; depth > maxDepth {
			return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
		for i, item := range v {
			inside := depth
			if _, ok := item.([]any); ok {
				inside++ // Firestore has no arrays in arrays: an object goes in between
			}
			checked, err := c.value(item, inside)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
			v[i] = checked
		}
	default: // bool, nil
		c.weight++
	}
	return v, nil
}

func whole(n json.Number) (int64, error) {
	if strings.ContainsAny(n.String(), ".eE") {
		return 0, fmt.Errorf("number %s, store it as text: %w", n, store.ErrFraction)
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number %s does not fit 64 bits: store it as text", n)
	}
	return i, nil
}
