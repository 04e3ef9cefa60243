package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// attrs are the properties of an object that the sandbox only stores and returns. Values are nil, bool, string,
// json.Number, []any or map[string]any.
type attrs map[string]any

// UnmarshalJSON keeps numbers exact.
func (a *attrs) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return err
	}
	*a = m
	return nil
}

func (a attrs) text(name string) string {
	s, _ := a[name].(string)
	return s
}

func (a attrs) flag(name string, unset bool) bool {
	if b, ok := a[name].(bool); ok {
		return b
	}
	return unset
}

func (a attrs) whole(name string) int64 {
	n, _ := a[name].(json.Number)
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return i
}

// carrier is an object with stored properties.
type carrier interface {
	objects.Object
	attributes() attrs
}

type fieldKind int

const (
	computed fieldKind = iota // filled by the resource's own code
	shortText
	longText
	flag
	whole
	amount
	wholeList
	textList
	anything
)

// field is one property of an API object (S1: every key is always there).
type field struct {
	name   string
	kind   fieldKind
	def    any      // when nothing is stored
	oneOf  []string // allowed texts
	hidden bool     // write-only: accepted and stored, never returned
	ref    string   // kind of the object an id points to, for expand
	get    func(v *view, o objects.Object) any
}

// schema is how a resource looks on the wire.
type schema struct {
	kind   string
	fields []field
	also   []string // body keys read by the resource's own code that are no fields
	byName map[string]*field
}

func newSchema(kind string, also []string, fields ...field) *schema {
	s := &schema{kind: kind, fields: fields, also: also, byName: map[string]*field{}}
	for i := range s.fields {
		s.byName[s.fields[i].name] = &s.fields[i]
	}
	return s
}

// show is a computed field.
func show[T objects.Object](name string, get func(v *view, o T) any) field {
	return field{name: name, get: func(v *view, o objects.Object) any { return get(v, o.(T)) }}
}

// link is a computed field that holds the id of another object.
func link[T objects.Object](name, kind string, get func(v *view, o T) any) field {
	f := show(name, get)
	f.ref = kind
	return f
}

// fixed is a field that always has one value.
func fixed(name string, value any) field {
	return field{name: name, get: func(*view, objects.Object) any { return value }}
}

// head returns the fields every object begins with, tail those it ends with.
func head(object string) []field {
	return []field{
		{name: "id", get: func(_ *view, o objects.Object) any { return o.Meta().ID }},
		fixed("object", object),
	}
}

func tail() []field {
	return []field{
		{name: "created_at", get: func(_ *view, o objects.Object) any { return o.Meta().Created }},
		{name: "updated_at", get: func(_ *view, o objects.Object) any { return o.Meta().Updated }},
	}
}

func texts(names ...string) []field { return kindOf(shortText, names) }

func kindOf(kind fieldKind, names []string) []field {
	out := make([]field, len(names))
	for i, n := range names {
		out[i] = field{name: n, kind: kind}
	}
	return out
}

// apply reads the stored properties of a request into a.
func (s *schema) apply(a attrs, in wire.Values, opt Options) error {
	for i := range s.fields {
		f := &s.fields[i]
		if f.kind == computed || !in.Has(f.name) {
			continue
		}
		value, err := f.read(in, opt)
		if err != nil {
			return err
		}
		if value == nil {
			delete(a, f.name)
		} else {
			a[f.name] = value
		}
	}
	if opt.RejectUnknownKeys {
		for _, key := range slices.Sorted(maps.Keys(in)) {
			if s.byName[key] == nil && !slices.Contains(s.also, key) {
				return wire.Invalid(key, "%s is not a property of %s", key, s.kind)
			}
		}
	}
	return nil
}

// read returns the stored form of a value; nil is null.
func (f *field) read(in wire.Values, opt Options) (any, error) {
	switch f.kind {
	case shortText, longText:
		return f.readText(in, opt)
	case flag:
		b, err := in.Flag(f.name)
		if err != nil || b == nil {
			return nil, err
		}
		return *b, nil
	case whole:
		n, err := in.Integer(f.name)
		if err != nil || n == nil {
			return nil, err
		}
		return json.Number(decimal.NewFromInt(*n).String()), nil
	case amount:
		d, err := in.Decimal(f.name)
		if err != nil || d == nil {
			return nil, err
		}
		return json.Number(d.String()), nil
	case wholeList, textList:
		list, err := in.List(f.name)
		if err != nil || list == nil {
			return nil, err
		}
		return list, nil
	}
	return in[f.name], nil
}

func (f *field) readText(in wire.Values, opt Options) (any, error) {
	s, err := in.Text(f.name)
	if err != nil || s == nil {
		return nil, err
	}
	limit := opt.MaxText
	if f.kind == longText {
		limit = opt.MaxLongText
	}
	if n := utf8.RuneCountInString(*s); n > limit {
		return nil, wire.Invalid(f.name, "%s is %d characters long; at most %d are allowed", f.name, n, limit)
	}
	if len(f.oneOf) > 0 && !slices.Contains(f.oneOf, *s) {
		return nil, wire.Invalid(f.name, "%s must be one of %v", f.name, f.oneOf)
	}
	return *s, nil
}

// view is how one caller sees objects: the host in links, the time for statuses, what to expand and to include.
type view struct {
	s       *Server
	acct    *account
	base    string // scheme and host of links
	now     int64
	expand  map[string]bool
	include map[string]bool
}

// value returns one property without expanding it.
func (v *view) value(f *field, o objects.Object) any {
	if f.get != nil {
		return f.get(v, o)
	}
	if c, ok := o.(carrier); ok {
		if x, has := c.attributes()[f.name]; has {
			return x
		}
	}
	return f.def
}

// render returns the object as the API shows it.
func (v *view) render(o objects.Object) wire.Object {
	s := v.s.schemas[o.Kind()]
	out := make(wire.Object, 0, len(s.fields)+1)
	for i := range s.fields {
		f := &s.fields[i]
		if f.hidden {
			continue
		}
		value := v.value(f, o)
		if value == omitted {
			continue
		}
		if f.ref != "" && v.expand[f.name] {
			value = v.expanded(f.ref, value)
		}
		out = append(out, wire.Pair{Key: f.name, Value: value})
	}
	return out
}

type omit struct{}

// omitted is the value of a field that is left out altogether, such as applied_to without include.
var omitted any = omit{}

func (v *view) expanded(kind string, value any) any {
	id, ok := value.(int64)
	if !ok {
		return value
	}
	o := v.s.store.Get(kind, v.acct.Name, id)
	if o == nil {
		return value
	}
	inner := *v
	inner.expand = nil
	return inner.render(o)
}

// diff returns the properties of old that differ in next, with their old values (invoiced-api 9.1 data.previous).
func (v *view) diff(old, next objects.Object) wire.Object {
	out := wire.Object{}
	s := v.s.schemas[next.Kind()]
	for i := range s.fields {
		f := &s.fields[i]
		if f.hidden {
			continue
		}
		before, after := v.value(f, old), v.value(f, next)
		if before == omitted || after == omitted || bytes.Equal(wire.Append(nil, before), wire.Append(nil, after)) {
			continue
		}
		out = append(out, wire.Pair{Key: f.name, Value: before})
	}
	return out
}

// nullable turns zero values into null.
func nullable[T comparable](x T) any {
	var zero T
	if x == zero {
		return nil
	}
	return x
}

const (
	maxMetadataKeys  = 10
	maxMetadataKey   = 40
	maxMetadataValue = 255
)

// readMetadata reads metadata: it replaces the whole map (invoiced-api 11.1, S3). Values are strings or booleans; a null
// leaves its key out.
func readMetadata(in wire.Values) (attrs, error) {
	object, err := in.Object("metadata")
	if err != nil {
		return nil, err
	}
	out := attrs{}
	for key := range object {
		if utf8.RuneCountInString(key) > maxMetadataKey {
			return nil, wire.Invalid("metadata", "Metadata key %.40q is longer than %d characters", key, maxMetadataKey)
		}
		if b, ok := object[key].(bool); ok {
			out[key] = b
			continue
		}
		text, err := object.Text(key)
		if err != nil {
			return nil, wire.Invalid("metadata", "Metadata value of %q must be a string", key)
		}
		if text == nil {
			continue
		}
		if utf8.RuneCountInString(*text) > maxMetadataValue {
			return nil, wire.Invalid("metadata", "Metadata value of %q is longer than %d characters", key, maxMetadataValue)
		}
		out[key] = *text
	}
	if len(out) > maxMetadataKeys {
		return nil, wire.Invalid("metadata", "Metadata has %d keys; at most %d are allowed", len(out), maxMetadataKeys)
	}
	return out, nil
}

// metadata shows a metadata map.
func (v *view) metadata(m attrs) any {
	if len(m) == 0 && v.s.opt.MetadataArray {
		return []any{}
	}
	return map[string]any(m)
}
