package enginetest

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

// checkBatch refuses what the real stores refuse, and returns the text fields of each document.
func checkBatch(writes []store.Write) ([]map[string]string, error) {
	if len(writes) > store.MaxBatch {
		return nil, fmt.Errorf("batch of %d writes is larger than %d", len(writes), store.MaxBatch)
	}
	seen := map[string]bool{}
	texts := make([]map[string]string, len(writes))
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
		var err error
		if texts[i], err = checkDocument(w.Data); err != nil {
			return nil, fmt.Errorf("writing %s/%s: %w", w.Collection, w.ID, err)
		}
	}
	return texts, nil
}

func checkDocument(b []byte) (map[string]string, error) {
	if len(b) > store.MaxDocument {
		return nil, store.ErrTooLarge
	}
	if !utf8.Valid(b) {
		return nil, errors.New("document is not UTF-8 text")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var o map[string]any
	if err := dec.Decode(&o); err != nil || o == nil {
		return nil, fmt.Errorf("document is not a JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("document is followed by more text")
	}
	if err := checkValue(o, 0); err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for k, v := range o {
		if s, ok := v.(string); ok {
			texts[k] = s
		}
	}
	return texts, nil
}

func checkValue(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return store.ErrFraction
		}
		if _, err := strconv.ParseInt(v.String(), 10, 64); err != nil {
			return errors.New("number does not fit 64 bits")
		}
	case map[string]any:
		for _, item := range v {
			if err := checkValue(item, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := checkValue(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
