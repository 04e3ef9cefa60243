package client

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Row is a record as the site gave it: texts by column name. Names are compared without regard to case.
type Row struct{ values map[string]string }

func newRow(v any) (Row, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return Row{}, errors.New("a row of the answer is not an object")
	}
	r := Row{values: make(map[string]string, len(object))}
	for name, value := range object {
		switch value.(type) {
		case nil:
			continue
		case string, json.Number, bool:
		default:
			return Row{}, fmt.Errorf("column %s of the answer is not a single value", name)
		}
		up := strings.ToUpper(strings.TrimSpace(name))
		if other, twice := r.values[up]; twice && other != text(value) {
			return Row{}, fmt.Errorf("column %s is in a row of the answer twice, with different values", up)
		}
		r.values[up] = text(value)
	}
	return r, nil
}

// NewRow makes a row from texts by column name.
func NewRow(values map[string]string) Row {
	r := Row{values: make(map[string]string, len(values))}
	for name, value := range values {
		r.values[strings.ToUpper(name)] = value
	}
	return r
}

// Raw is the value exactly as received, padding included, to be sent back in filters; "" for null.
func (r Row) Raw(column string) string {
	if column == "" {
		return ""
	}
	return r.values[strings.ToUpper(column)]
}

// Text is the value without padding; "" for null, for blanks only and for the column name "".
func (r Row) Text(column string) string { return strings.TrimSpace(r.Raw(column)) }

// Has reports whether the row has a value other than null in the column, be it blank.
func (r Row) Has(column string) bool {
	_, ok := r.values[strings.ToUpper(column)]
	return ok
}

// Digest identifies the row's content: equal digests mean equal texts in all columns, padding aside. It has eight bytes.
func (r Row) Digest() string {
	names := make([]string, 0, len(r.values))
	for name := range r.values {
		names = append(names, name)
	}
	slices.Sort(names)
	plain := make([]byte, 0, 1024)
	for _, name := range names {
		if value := strings.TrimSpace(r.values[name]); value != "" {
			plain = append(append(plain, name...), '=')
			plain = append(strconv.AppendQuote(plain, value), ';')
		}
	}
	sum := sha256.Sum256(plain)
	return string(sum[:8])
}

// SameKey compares two key values as the site's database does: without trailing blanks and regard to case. It tells
// whether two values are the same, never which one comes first: the order is the server's (q360-api 4.5).
func SameKey(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// KeyOf is a key in the form in which the same keys are equal texts.
func KeyOf(key string) string { return strings.ToUpper(strings.TrimSpace(key)) }
