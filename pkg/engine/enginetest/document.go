package enginetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/store"
)

const (
	maxID    = 1024 // bytes of an id
	maxDepth = 19   // of nested objects and arrays
)

func decode[T any](b []byte) (T, error) {
	var v T
	err := json.Unmarshal(b, &v)
	return v, err
}

func checkKey(c store.Collection, id string) error {
	switch {
	case !slices.Contains(store.Collections, c):
		return fmt.Errorf("collection %q is not in store.Collections", c)
	case id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.Contains(id, "\x00"):
		return fmt.Errorf("id %q in %s is empty, too long or no plain text: build it with store.ID", id, c)
	}
	return nil
}

// checkBatch refuses what the real stores refuse, and returns the text fields of each document, unless they are trusted.
func checkBatch(writes []store.Write, trusted bool) ([]texts, error) {
	if len(writes) > store.MaxBatch {
		return nil, fmt.Errorf("batch of %d writes is larger than %d", len(writes), store.MaxBatch)
	}
	seen := map[string]bool{}
	found := make([]texts, len(writes))
	for i, w := range writes {
		if err := checkKey(w.Collection, w.ID); err != nil {
			return nil, err
		}
		key := string(w.Collection) + "\x00" + w.ID
		if seen[key] {
			return nil, fmt.Errorf("batch writes %s/%s twice", w.Collection, w.ID)
		}
		seen[key] = true
		if w.Delete {
			if w.If == store.IfAbsent || w.Data != nil {
				return nil, fmt.Errorf("deletion of %s/%s with data or for an absent document", w.Collection, w.ID)
			}
			continue
		}
		if trusted && len(w.Data) <= store.MaxDocument {
			continue
		}
		var err error
		if found[i], err = checkDocument(w.Data); err != nil {
			return nil, fmt.Errorf("writing %s/%s: %w", w.Collection, w.ID, err)
		}
	}
	return found, nil
}

// text is a top-level field of a document that holds a text, as it is written there.
type text struct{ name, literal string }

// texts are the fields of a document that hold texts.
type texts []text

// get reads a field, and reports whether there is a text in it.
func (t texts) get(name string) (string, bool) {
	for _, f := range t {
		if f.name == name {
			v, err := unquoted(f.literal)
			return v, err == nil
		}
	}
	return "", false
}

// checkDocument refuses a document that a real store would refuse, and returns its top-level texts.
func checkDocument(b []byte) (texts, error) {
	switch {
	case len(b) > store.MaxDocument:
		return nil, store.ErrTooLarge
	case !utf8.Valid(b):
		return nil, errors.New("document is not UTF-8 text")
	case !json.Valid(b) || bytes.TrimLeft(b, " \t\r\n")[0] != '{':
		return nil, errors.New("document is not a JSON object")
	}
	return textsOf(b)
}

// textsOf returns the top-level texts of a valid document.
func textsOf(b []byte) (texts, error) {
	s := scan{rest: string(b)}
	for len(s.rest) > 0 {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// scan walks through a valid JSON document. It is a walk over bytes, because simulations write very many documents.
type scan struct {
	rest  string
	depth int
	name  string // the last text on the top level that stood before a colon
	text  string // the last one on it
	value bool   // a colon came after name
	found texts
}

func (s *scan) next() error {
	switch c := s.rest[0]; {
	case c == '{' || c == '[':
		if s.depth++; s.depth > maxDepth+1 {
			return fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
	case c == '}' || c == ']':
		s.depth--
	case c == ':' && s.depth == 1:
		s.name, s.value = s.text, true
	case c == ',' && s.depth == 1:
		s.value = false
	case c == '"':
		return s.quoted()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	s.rest = s.rest[1:]
	return nil
}

func (s *scan) quoted() error {
	n := 1 + strings.IndexByte(s.rest[1:], '"')
	for escaped(s.rest[:n]) {
		n += 1 + strings.IndexByte(s.rest[n+1:], '"')
	}
	literal := s.rest[:n+1]
	s.rest = s.rest[n+1:]
	if s.depth != 1 {
		return nil
	}
	if s.value {
		s.found = append(s.found, text{s.name, literal})
		return nil
	}
	var err error
	s.text, err = unquoted(literal)
	return err
}

// unquoted is the text of a literal; "" is none.
func unquoted(literal string) (string, error) {
	switch {
	case literal == "":
		return "", nil
	case strings.IndexByte(literal, '\\') < 0:
		return literal[1 : len(literal)-1], nil
	}
	return decode[string]([]byte(literal))
}

// escaped reports whether what follows is escaped: an odd number of backslashes stands before it.
func escaped(before string) bool {
	return (len(before)-len(strings.TrimRight(before, `\`)))%2 == 1
}

func (s *scan) number() error {
	n := len(s.rest) - len(strings.TrimLeft(s.rest, "+-.0123456789eE"))
	literal := s.rest[:n]
	s.rest = s.rest[n:]
	if strings.ContainsAny(literal, ".eE") {
		return store.ErrFraction
	}
	if _, err := strconv.ParseInt(literal, 10, 64); err != nil {
		return errors.New("number does not fit 64 bits")
	}
	return nil
}
