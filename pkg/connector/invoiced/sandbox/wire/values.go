package wire

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/money"
)

// Values is the object of a request. Its readers accept what the vendor's SDKs send: numbers and booleans also as text,
// and an empty text as null (invoiced-api 1.3, 1.6). Each returns whether the member was given at all.
type Values map[string]any

// Has reports whether a member was given, null included.
func (v Values) Has(key string) bool {
	_, ok := v[key]
	return ok
}

// Null reports whether a member is absent, null or an empty text.
func (v Values) Null(key string) bool { return v[key] == nil || v[key] == "" }

// Text reads a text; nil is null.
func (v Values) Text(key string) (*string, error) {
	if v.Null(key) {
		return nil, nil
	}
	switch x := v[key].(type) {
	case string:
		return &x, nil
	case json.Number:
		s := x.String()
		return &s, nil
	}
	return nil, Invalid(key, "%s must be a string", key)
}

// Flag reads a boolean; nil is null.
func (v Values) Flag(key string) (*bool, error) {
	if v.Null(key) {
		return nil, nil
	}
	switch x := v[key].(type) {
	case bool:
		return &x, nil
	case string:
		if b, ok := ParseFlag(x); ok {
			return &b, nil
		}
	case json.Number:
		if b, ok := ParseFlag(x.String()); ok {
			return &b, nil
		}
	}
	return nil, Invalid(key, "%s must be a boolean", key)
}

// ParseFlag reads the booleans of all known clients: 0, 1, true, false, True, False (invoiced-api 1.6).
func ParseFlag(s string) (value, ok bool) {
	switch s {
	case "1", "true", "True":
		return true, true
	case "0", "false", "False":
		return false, true
	}
	return false, false
}

// Decimal reads an exact number; nil is null.
func (v Values) Decimal(key string) (*decimal.Decimal, error) {
	if v.Null(key) {
		return nil, nil
	}
	var text string
	switch x := v[key].(type) {
	case json.Number:
		text = x.String()
	case string:
		text = x
	default:
		return nil, Invalid(key, "%s must be a number", key)
	}
	d, err := money.ParseDecimal(text)
	if err != nil {
		return nil, Invalid(key, "%s must be a number", key)
	}
	return &d, nil
}

// Integer reads a whole number, such as an id or a time in unix seconds; nil is null.
func (v Values) Integer(key string) (*int64, error) {
	d, err := v.Decimal(key)
	if err != nil || d == nil {
		return nil, err
	}
	if !d.IsInteger() || d.Abs().Cmp(decimal.New(1, 15)) >= 0 {
		return nil, Invalid(key, "%s must be an integer", key)
	}
	n := d.IntPart()
	return &n, nil
}

// List reads a list; null is an empty one. A form's map with decimal keys is a list in the order of those keys.
func (v Values) List(key string) ([]any, error) {
	if v.Null(key) {
		return nil, nil
	}
	switch x := v[key].(type) {
	case []any:
		return x, nil
	case map[string]any:
		if list, ok := indexed(x); ok {
			return list, nil
		}
	}
	return nil, Invalid(key, "%s must be a list", key)
}

// Objects reads a list of objects.
func (v Values) Objects(key string) ([]Values, error) {
	list, err := v.List(key)
	if err != nil {
		return nil, err
	}
	out := make([]Values, len(list))
	for i, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return nil, Invalid(key, "%s[%d] must be an object", key, i)
		}
		out[i] = o
	}
	return out, nil
}

// Object reads an object; null is nil. An empty list counts as an empty object, which is how PHP encodes one.
func (v Values) Object(key string) (Values, error) {
	if v.Null(key) {
		return nil, nil
	}
	switch x := v[key].(type) {
	case map[string]any:
		return x, nil
	case []any:
		if len(x) == 0 {
			return Values{}, nil
		}
	}
	return nil, Invalid(key, "%s must be an object", key)
}

// Integers reads a list of ids.
func (v Values) Integers(key string) ([]int64, error) {
	list, err := v.List(key)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(list))
	for i, e := range list {
		n, err := Values{key: e}.Integer(key)
		if err != nil {
			return nil, err
		}
		if n == nil {
			return nil, Invalid(key, "%s[%d] must be an integer", key, i)
		}
		out[i] = *n
	}
	return out, nil
}

// indexed turns {"0":a,"1":b} into [a,b].
func indexed(m map[string]any) ([]any, bool) {
	type entry struct {
		index int
		value any
	}
	entries := make([]entry, 0, len(m))
	for k, e := range m {
		n, err := strconv.Atoi(k)
		if err != nil || n < 0 || strings.HasPrefix(k, "+") {
			return nil, false
		}
		entries = append(entries, entry{n, e})
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.index - b.index })
	out := make([]any, len(entries))
	for i, e := range entries {
		out[i] = e.value
	}
	return out, true
}
