// Package secret is the contract for credentials. A secret is read by name when it is used and cached for a short time,
// so that a rotation takes effect without a restart; two versions can be valid at a time.
//
// Implementations: secretmanager (Google Cloud), env and files (embedded).
package secret

import (
	"context"
	"errors"
	"log/slog"
	"slices"
)

// ErrNotFound is a secret that does not exist or has no enabled version. The message around it names the secret and
// where it was looked for.
var ErrNotFound = errors.New("secret not found")

// Value is the content of a secret. It prints as "[redacted]" everywhere; only Reveal gives the text.
type Value struct{ text string }

// NewValue wraps a text.
func NewValue(text string) Value { return Value{text} }

// Reveal is the secret text. Use it only where it is sent or compared.
func (v Value) Reveal() string { return v.text }

// String implements fmt.Stringer.
func (Value) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Value) GoString() string { return "[redacted]" }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON implements json.Marshaler, so that no dump of a configuration holds the text.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Source reads secrets. Implementations are safe for concurrent use.
type Source interface {
	// Get returns the enabled versions of the secret, newest first, at least one. ErrNotFound if there is none.
	Get(ctx context.Context, name string) ([]Value, error)
}

// Forgetter is a Source that keeps for a while what it read.
type Forgetter interface {
	// Forget drops what is kept of the secret, so that the next Get reads it anew. What was read only a moment ago stays, so
	// that refusals in a row do not become as many readings.
	Forget(name string)
}

// Reread reads a secret anew after a vendor refused the values that Get had given. changed says that they are others now, so
// that another try makes sense.
func Reread(ctx context.Context, s Source, name string, refused []Value) (values []Value, changed bool, err error) {
	if f, ok := s.(Forgetter); ok {
		f.Forget(name)
	}
	values, err = s.Get(ctx, name)
	return values, err == nil && !slices.Equal(values, refused), err
}
