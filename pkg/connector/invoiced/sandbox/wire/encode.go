// Package wire is the HTTP dialect of the Invoiced API as a server sees it: bodies in JSON or in forms with brackets,
// query parameters with filters, exact JSON numbers, error bodies and Link headers (invoiced-api 1).
//
// Numbers never pass through a binary fraction: they are decoded as json.Number and written from decimals.
package wire

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// Pair is one member of an Object.
type Pair struct {
	Key   string
	Value any
}

// Object is a JSON object whose members keep their order.
type Object []Pair

// Get returns the value of a member and whether there is one.
func (o Object) Get(key string) (any, bool) {
	for _, p := range o {
		if p.Key == key {
			return p.Value, true
		}
	}
	return nil, false
}

// MarshalJSON writes the members in their order.
func (o Object) MarshalJSON() ([]byte, error) { return Append(nil, o), nil }

// Encode returns v as JSON, under the rules of Append.
func Encode(v any) []byte { return Append(make([]byte, 0, 1024), v) }

// Append adds v as JSON to b. Decimals become numbers without exponent and without trailing zeros (invoiced-api 16.3
// S5). Values of other types than the ones listed here go through encoding/json; one that cannot be encoded becomes
// null, which no caller relies on.
func Append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendText(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case decimal.Decimal:
		return append(b, v.String()...)
	case json.Number:
		return append(b, v...)
	case json.RawMessage:
		return append(b, v...)
	default:
		return appendComposite(b, v)
	}
}

func appendComposite(b []byte, v any) []byte {
	switch v := v.(type) {
	case Object:
		return appendObject(b, v)
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		sorted := make(Object, len(keys))
		for i, k := range keys {
			sorted[i] = Pair{k, v[k]}
		}
		return appendObject(b, sorted)
	case []any:
		return appendList(b, v)
	case []Object:
		return appendList(b, v)
	case []string:
		return appendList(b, v)
	case []int64:
		return appendList(b, v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

func appendObject(b []byte, o Object) []byte {
	b = append(b, '{')
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, p.Key), ':')
		b = Append(b, p.Value)
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = Append(b, v)
	}
	return append(b, ']')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string always encodes
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
