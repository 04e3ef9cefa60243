package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// timeLayout has a fixed width so that texts sort as times do; microseconds are what Firestore keeps (gcp-go-stack 2.5).
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Time is an instant in a stored document: UTC, microseconds, a text that sorts chronologically. The zero Time is
// written as "" and, with omitzero, left out.
type Time struct{ time.Time }

// At makes a stored time of t.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Microsecond)} }

// Text is the stored form, also used as a bound in queries.
func (t Time) Text() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, len(timeLayout)+2), '"')
	if !t.IsZero() {
		out = t.UTC().AppendFormat(out, timeLayout) // plain characters only
	}
	return append(out, '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if len(b) == len(timeLayout)+2 && b[0] == '"' && b[20] == '.' && b[len(b)-2] == 'Z' { // as we write it; JSON has more
		if at, err := time.Parse(time.RFC3339Nano, string(b[1:len(b)-1])); err == nil { // the one layout with a short way
			*t = Time{at}
			return nil
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("stored time: %w", err)
	}
	if s == "" {
		*t = Time{}
		return nil
	}
	at, err := time.Parse(timeLayout, s)
	if err != nil {
		return fmt.Errorf("stored time: %w", err)
	}
	if (Time{at}).Text() != s { // it would not sort as times do
		return fmt.Errorf("stored time: %q is not in the form %s", s, timeLayout)
	}
	*t = Time{at}
	return nil
}

// ID joins the parts of a key with "/" after escaping what a key may not hold, so that different parts give different
// ids. Ids are case sensitive.
func ID(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = idEscaper.Replace(p)
	}
	return strings.Join(escaped, "/")
}

var idEscaper = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00")

// Table gives typed access to one collection. T is a struct with json tags.
type Table[T any] struct {
	Store      Store
	Collection Collection
}

// Get reads the document with the id; ErrNotFound if there is none.
func (t Table[T]) Get(ctx context.Context, id string) (T, Version, error) {
	var v T
	d, err := t.Store.Get(ctx, t.Collection, id)
	if err != nil {
		return v, "", fmt.Errorf("reading %s/%s: %w", t.Collection, id, err)
	}
	if err := json.Unmarshal(d.Data, &v); err != nil {
		return v, "", fmt.Errorf("reading %s/%s: %w", t.Collection, id, err)
	}
	return v, d.Version, nil
}

// Create stores v under a new id; ErrExists if the id is taken.
func (t Table[T]) Create(ctx context.Context, id string, v T) (Version, error) {
	return t.one(ctx, id, v, Write{If: IfAbsent})
}

// Update replaces the given version; ErrConflict or ErrNotFound if it is no longer there.
func (t Table[T]) Update(ctx context.Context, id string, v T, was Version) (Version, error) {
	return t.one(ctx, id, v, Write{If: IfVersion, Version: was})
}

// Put stores v whatever is there.
func (t Table[T]) Put(ctx context.Context, id string, v T) (Version, error) {
	return t.one(ctx, id, v, Write{If: Always})
}

func (t Table[T]) one(ctx context.Context, id string, v T, w Write) (Version, error) {
	w, err := t.Write(id, v, w.If, w.Version)
	if err != nil {
		return "", err
	}
	versions, err := t.Store.Write(ctx, w)
	if err != nil {
		return "", err
	}
	return versions[0], nil
}

// Write makes a batch write of v, for Store.Write.
func (t Table[T]) Write(id string, v T, cond Condition, was Version) (Write, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Write{}, fmt.Errorf("encoding %s/%s: %w", t.Collection, id, err)
	}
	return Write{Collection: t.Collection, ID: id, Data: data, If: cond, Version: was}, nil
}

// Query returns the documents of a query with their ids and versions.
func (t Table[T]) Query(ctx context.Context, q Query) ([]Row[T], error) {
	q.Collection = t.Collection
	docs, err := t.Store.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return t.rows(docs)
}

// GetAll returns the documents that exist, with their ids and versions, in the order of ids.
func (t Table[T]) GetAll(ctx context.Context, ids []string) ([]Row[T], error) {
	docs, err := t.Store.GetAll(ctx, t.Collection, ids)
	if err != nil {
		return nil, err
	}
	return t.rows(docs)
}

func (t Table[T]) rows(docs []Doc) ([]Row[T], error) {
	rows := make([]Row[T], len(docs))
	for i, d := range docs {
		rows[i] = Row[T]{ID: d.ID, Version: d.Version}
		if err := json.Unmarshal(d.Data, &rows[i].Value); err != nil {
			return nil, fmt.Errorf("reading %s/%s: %w", t.Collection, d.ID, err)
		}
	}
	return rows, nil
}

// Row is a document that was read.
type Row[T any] struct {
	ID      string
	Version Version
	Value   T
}
