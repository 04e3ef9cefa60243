package client

import "encoding/json"

// Optional is a request field with three states: absent (the zero value: leave it alone), null (clear it), or a value.
// Use it with the omitzero option of encoding/json.
type Optional[T any] struct {
	state byte
	value T
}

const (
	absent byte = iota
	null
	given
)

// Some is a field with a value.
func Some[T any](v T) Optional[T] { return Optional[T]{state: given, value: v} }

// Null is a field to be cleared.
func Null[T any]() Optional[T] { return Optional[T]{state: null} }

// Words is the text, or null for an empty one: the API takes an empty text for null and its SDKs refuse to send one
// (invoiced-api 1.3).
func Words(s string) Optional[string] {
	if s == "" {
		return Null[string]()
	}
	return Some(s)
}

// Filled is the text, or absent for an empty one.
func Filled(s string) Optional[string] {
	if s == "" {
		return Optional[string]{}
	}
	return Some(s)
}

// IsZero reports whether the field is absent.
func (o Optional[T]) IsZero() bool { return o.state == absent }

// IsNull reports whether the field is to be cleared.
func (o Optional[T]) IsNull() bool { return o.state == null }

// Get is the value and whether there is one.
func (o Optional[T]) Get() (T, bool) { return o.value, o.state == given }

// MarshalJSON writes the value or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if o.state != given {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}
