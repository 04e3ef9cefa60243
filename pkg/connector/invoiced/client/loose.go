package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Metadata is the map of an object's own keys. Values are texts; custom fields may make them booleans or numbers. An
// empty map may arrive as [] (invoiced-api 9.1, 11.1).
type Metadata map[string]string

// UnmarshalJSON reads the map; values that are null are left out, nested values keep their JSON text.
func (m *Metadata) UnmarshalJSON(b []byte) error {
	*m = nil
	raw := map[string]json.RawMessage{}
	if kindOf(b) == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		for i, v := range list {
			raw[strconv.Itoa(i)] = v
		}
	} else if err := json.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	for k, v := range raw {
		if bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
			continue
		}
		s, err := literal(v)
		if err != nil {
			s = string(v)
		}
		if *m == nil {
			*m = Metadata{}
		}
		(*m)[k] = s
	}
	return nil
}

// Rows is a list that may arrive as null or, where its writer dropped some elements, as an object with numbers for keys.
// Given is false when the field was missing or null.
type Rows[T any] struct {
	List  []T
	Given bool
}

// UnmarshalJSON reads the list in its order, an object in the order of its keys as numbers.
func (r *Rows[T]) UnmarshalJSON(b []byte) error {
	*r = Rows[T]{}
	switch kindOf(b) {
	case 'n':
		return json.Unmarshal(b, &r.List)
	case '{':
		m := map[string]T{}
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		keys := make([]int, 0, len(m))
		for k := range m {
			n, err := strconv.Atoi(k)
			if err != nil || strconv.Itoa(n) != k {
				return fmt.Errorf("list: expected a list, found an object with the key %.40q", k)
			}
			keys = append(keys, n)
		}
		slices.Sort(keys)
		for _, k := range keys {
			r.List = append(r.List, m[strconv.Itoa(k)])
		}
	default:
		if err := json.Unmarshal(b, &r.List); err != nil {
			return err
		}
	}
	r.Given = true
	return nil
}

// Maybe is an object that may be missing, null, an empty list, or only its id.
type Maybe[T any] struct {
	Value T
	ID    ID // the id when only that was sent
	Given bool
}

// UnmarshalJSON reads whichever form arrived.
func (m *Maybe[T]) UnmarshalJSON(b []byte) error {
	*m = Maybe[T]{}
	switch kindOf(b) {
	case 'n':
		return nil
	case '[':
		return emptyList(b, "object")
	case '{':
		m.Given = true
		return json.Unmarshal(b, &m.Value)
	}
	err := m.ID.UnmarshalJSON(b)
	m.Given = err == nil && m.ID != ""
	return err
}
