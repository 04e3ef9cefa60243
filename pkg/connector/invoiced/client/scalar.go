package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/money"
)

// Number is an exact decimal that is a JSON number in major units on the wire (invoiced-api 11.2). It is written without
// exponent and without trailing zeros, and read from a number or from a text that holds one.
type Number struct {
	Decimal decimal.Decimal
	Given   bool // false when the field was missing or null
}

// NewNumber is a given number.
func NewNumber(d decimal.Decimal) Number { return Number{Decimal: d, Given: true} }

// MarshalJSON writes the plain decimal, null when there is none.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Given {
		return []byte("null"), nil
	}
	return []byte(n.Decimal.String()), nil
}

// UnmarshalJSON reads the number digit by digit, never through a float.
func (n *Number) UnmarshalJSON(b []byte) error {
	s, err := literal(b)
	if err != nil || s == "" {
		*n = Number{}
		return err
	}
	d, err := money.ParseDecimal(s)
	if err != nil {
		return fmt.Errorf("number %.40q: %w", s, err)
	}
	*n = NewNumber(d)
	return nil
}

// ID is an object's id. Most are numbers on the wire (invoiced-api 11.2); all are texts here.
type ID string

// MarshalJSON writes digits as a number and everything else as a text.
func (id ID) MarshalJSON() ([]byte, error) {
	if s := string(id); s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0') {
		return []byte(s), nil
	}
	return json.Marshal(string(id))
}

// UnmarshalJSON reads a number or a text. 0, null and false are no id.
func (id *ID) UnmarshalJSON(b []byte) error {
	s, err := literal(b)
	if err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if s == "0" || kindOf(b) == 'f' {
		s = ""
	}
	number := kindOf(b) != '"'
	if s != "" && (!validID(s) || number && strings.Trim(s, "0123456789") != "") {
		return fmt.Errorf("id %.40q: expected digits or letters", s)
	}
	*id = ID(s)
	return nil
}

// validID reports whether s can be part of a path and of a stored key.
func validID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}

// Ref is a relation: an id, or the whole object when it is expanded, as customers are in events (invoiced-api 9.1).
type Ref struct{ ID ID }

// UnmarshalJSON reads the id or the object's id.
func (r *Ref) UnmarshalJSON(b []byte) error {
	switch kindOf(b) {
	case '{':
		var o struct {
			ID ID `json:"id"`
		}
		err := json.Unmarshal(b, &o)
		r.ID = o.ID
		return err
	case '[':
		return emptyList(b, "relation")
	}
	return r.ID.UnmarshalJSON(b)
}

// Text is a text that may arrive as a number or a boolean.
type Text string

// UnmarshalJSON reads any scalar; null is the empty text.
func (t *Text) UnmarshalJSON(b []byte) error {
	s, err := literal(b)
	*t = Text(s)
	return err
}

// Flag is a boolean that may arrive as null, as 0 or 1, or as a text (invoiced-api 1.6).
type Flag bool

// UnmarshalJSON reads the flag; null is false.
func (f *Flag) UnmarshalJSON(b []byte) error {
	s, err := literal(b)
	if err != nil {
		return err
	}
	switch strings.ToLower(s) {
	case "", "0", "false":
		*f = false
	case "1", "true":
		*f = true
	default:
		return fmt.Errorf("flag %.40q: expected true or false", s)
	}
	return nil
}

// Unix is an instant in unix seconds (invoiced-api 11.4); 0 is none.
type Unix int64

// UnmarshalJSON reads a whole number of seconds; null is 0. A fraction is cut off.
func (u *Unix) UnmarshalJSON(b []byte) error {
	s, err := literal(b)
	if err != nil || s == "" || s == "false" {
		*u = 0
		return err
	}
	d, err := money.ParseDecimal(s)
	if err != nil || d.Abs().Cmp(decimal.New(1, 12)) >= 0 {
		return fmt.Errorf("instant %.40q: expected unix seconds", s)
	}
	*u = Unix(d.IntPart())
	return nil
}

// literal is the text of a JSON scalar: a string's content, a number's digits, true or false, "" for null.
func literal(b []byte) (string, error) {
	switch kindOf(b) {
	case '"':
		if b := bytes.TrimSpace(b); len(b) > 1 && b[len(b)-1] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
			return string(b[1 : len(b)-1]), nil // nearly all are plain
		}
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case '{', '[':
		return "", errors.New("expected a single value, found a list or an object")
	}
	if s := string(bytes.TrimSpace(b)); s != "null" {
		return s, nil
	}
	return "", nil
}

// kindOf is the first character of a JSON value, 0 for nothing.
func kindOf(b []byte) byte {
	if b = bytes.TrimSpace(b); len(b) > 0 {
		return b[0]
	}
	return 0
}

func emptyList(b []byte, what string) error {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) > 0 {
		return fmt.Errorf("%s: expected one value, found a list", what)
	}
	return nil
}
