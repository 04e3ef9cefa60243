package mapping

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

//go:embed default.yaml
var defaultFile []byte

// DefaultFile is the text of the mapping file that ships with arbridge, to start a site's own from.
func DefaultFile() []byte { return bytes.Clone(defaultFile) }

// Default is the mapping of DefaultFile. Every call gives a fresh value.
func Default() *Mapping {
	m, err := Load(defaultFile)
	if err != nil {
		panic("mapping: the shipped mapping file is broken: " + err.Error()) // a test loads it
	}
	return m
}

// Load reads and checks a mapping file. Numbers, times and forms that the file leaves out take the values of DefaultFile;
// tables and columns never do, because a column that is not named is one the site does not have. The error is Problems
// with everything that is wrong, each with its key path, value and expected form.
func Load(file []byte) (*Mapping, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err != nil {
		return nil, Problems{{Path: "file", Value: "not YAML", Want: "a YAML mapping file: " + err.Error()}}
	}
	if doc.Kind == 0 {
		return nil, Problems{{Path: "file", Value: "empty", Want: "a YAML mapping file with the key contract"}}
	}
	var f faults
	walk(&doc, reflect.TypeFor[Mapping](), "", &f)
	m := new(Mapping)
	dec := yaml.NewDecoder(bytes.NewReader(file))
	dec.KnownFields(true)
	if err := dec.Decode(m); err != nil && len(f.list) == 0 {
		f.add("file", "not a mapping", err.Error())
	}
	if dec.Decode(new(yaml.Node)) != io.EOF {
		f.add("file", "more than one document", "exactly one YAML document")
	}
	if err := m.fill(); err != nil {
		return nil, err
	}
	m.validate(&f)
	if len(f.list) > 0 {
		return nil, f.list
	}
	return m, nil
}

// fill completes what is not the site's business to know.
func (m *Mapping) fill() error {
	var d Mapping
	if err := yaml.Unmarshal(defaultFile, &d); err != nil {
		return fmt.Errorf("reading the shipped mapping file: %w", err)
	}
	fillZero(reflect.ValueOf(&m.Dialect).Elem(), reflect.ValueOf(d.Dialect))
	fillZero(reflect.ValueOf(&m.Site.Timeouts).Elem(), reflect.ValueOf(d.Site.Timeouts))
	fillZero(reflect.ValueOf(&m.Site.MaxParallel).Elem(), reflect.ValueOf(d.Site.MaxParallel))
	fillZero(reflect.ValueOf(&m.Changes).Elem(), reflect.ValueOf(d.Changes))
	if r := m.Receipts; r != nil {
		fillZero(reflect.ValueOf(&r.Application.Kinds).Elem(), reflect.ValueOf(d.Receipts.Application.Kinds))
	}
	if h := m.History; h != nil {
		fillZero(reflect.ValueOf(&h.LinkTypeValues).Elem(), reflect.ValueOf(d.History.LinkTypeValues))
	}
	if m.Classify == nil {
		m.Classify = d.Classify
	}
	return nil
}

// fillZero copies what dst lacks from src, into structs but not into maps and lists: those are given whole.
func fillZero(dst, src reflect.Value) {
	if dst.Kind() == reflect.Struct {
		for i := range dst.NumField() {
			fillZero(dst.Field(i), src.Field(i))
		}
		return
	}
	if dst.IsZero() {
		dst.Set(src)
	}
}

// walk compares a YAML tree with the type it is for, so that unknown keys and wrong kinds are reported by path.
func walk(n *yaml.Node, t reflect.Type, path string, f *faults) {
	switch n.Kind {
	case yaml.DocumentNode:
		walk(n.Content[0], t, path, f)
		return
	case yaml.AliasNode:
		f.add(orRoot(path), "*"+n.Value, "the value itself: a mapping file has no aliases")
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Tag == "!!null" && path != "" {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		walkKeys(n, path, f, func(key string) (reflect.Type, string) { return fieldType(t, key) })
	case reflect.Map:
		walkKeys(n, path, f, func(string) (reflect.Type, string) { return t.Elem(), "" })
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			f.add(path, textOf(n), "a list such as [a, b]")
			return
		}
		for i, item := range n.Content {
			walk(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		if err := scalar(n, t); err != nil {
			f.add(path, textOf(n), err.Error())
		}
	}
}

func walkKeys(n *yaml.Node, path string, f *faults, typeOf func(string) (reflect.Type, string)) {
	if n.Kind != yaml.MappingNode {
		f.add(orRoot(path), textOf(n), "a mapping such as {key: value}")
		return
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		at := strings.TrimPrefix(path+"."+key, ".")
		t, known := typeOf(key)
		switch {
		case slices.Contains(seen, key):
			f.add(at, "given twice", "each key once")
		case t == nil:
			f.add(at, "unknown key", "one of "+known)
		default:
			walk(n.Content[i+1], t, at, f)
		}
		seen = append(seen, key)
	}
}

func fieldType(t reflect.Type, key string) (reflect.Type, string) {
	var known []string
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("yaml")
		if tag == "" {
			continue
		}
		if tag == key {
			return t.Field(i).Type, ""
		}
		known = append(known, tag)
	}
	return nil, strings.Join(known, ", ")
}

func scalar(n *yaml.Node, t reflect.Type) error {
	if n.Kind != yaml.ScalarNode {
		return errors.New("a single value")
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(n.Value); err != nil {
			return errors.New("a duration such as 15m or 60s")
		}
	case t.Kind() == reflect.Int:
		if n.Tag != "!!int" {
			return errors.New("a whole number")
		}
	case t.Kind() == reflect.Bool:
		if n.Tag != "!!bool" {
			return errors.New("true or false")
		}
	}
	return nil
}

func textOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Value != "" {
			return n.Value
		}
	}
	return "nothing"
}

func orRoot(path string) string {
	if path == "" {
		return "file"
	}
	return path
}
