package firestore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

// Our own fields and forms. Names of a document that collide with them, or that Firestore does not take, are stored
// with escapePrefix in front.
const (
	fieldID      = "_id"    // the id
	fieldWrite   = "_write" // a random text, new with every write
	listKey      = "_list"  // the only field of the object that stands for an array in an array
	escapePrefix = "_k_"
)

// escape gives the stored name of a field. Firestore takes neither empty names nor those like __x__.
func escape(name string) string {
	switch {
	case name == "", name == fieldID, name == fieldWrite, name == listKey, strings.HasPrefix(name, escapePrefix),
		strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__"):
		return escapePrefix + name
	}
	return name
}

func unescape(name string) string { return strings.TrimPrefix(name, escapePrefix) }

// encode makes the stored fields of a checked document.
func encode(id, write string, o document.Object) map[string]*firestorepb.Value {
	fields := fieldsOf(o)
	if text, ok := o[store.TTLField].(string); ok {
		if at, ok := instant(text); ok {
			fields[store.TTLField] = &firestorepb.Value{ValueType: &firestorepb.Value_TimestampValue{TimestampValue: timestamppb.New(at)}}
		}
	}
	fields[fieldID], fields[fieldWrite] = text(id), text(write)
	return fields
}

// instant reads a retention time, which Firestore has to hold as a timestamp to act on it. Only the exact form of
// store.Time is one, because only that comes back as the same text.
func instant(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.IsZero() || (store.Time{Time: at}).Text() != text {
		return time.Time{}, false
	}
	return at, true
}

func fieldsOf(o document.Object) map[string]*firestorepb.Value {
	fields := make(map[string]*firestorepb.Value, len(o)+2)
	for name, v := range o {
		fields[escape(name)] = value(v)
	}
	return fields
}

func text(s string) *firestorepb.Value {
	return &firestorepb.Value{ValueType: &firestorepb.Value_StringValue{StringValue: s}}
}

// value converts what document.Parse gives; there is no case for a floating-point number.
func value(v any) *firestorepb.Value {
	switch v := v.(type) {
	case string:
		return text(v)
	case int64:
		return &firestorepb.Value{ValueType: &firestorepb.Value_IntegerValue{IntegerValue: v}}
	case bool:
		return &firestorepb.Value{ValueType: &firestorepb.Value_BooleanValue{BooleanValue: v}}
	case document.Object:
		return object(fieldsOf(v))
	case []any:
		return array(v)
	default: // nil
		return &firestorepb.Value{ValueType: &firestorepb.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE}}
	}
}

func object(fields map[string]*firestorepb.Value) *firestorepb.Value {
	return &firestorepb.Value{ValueType: &firestorepb.Value_MapValue{MapValue: &firestorepb.MapValue{Fields: fields}}}
}

// array converts an array; an array directly in it becomes an object, because Firestore refuses it.
func array(items []any) *firestorepb.Value {
	values := make([]*firestorepb.Value, len(items))
	for i, item := range items {
		values[i] = value(item)
		if _, ok := item.([]any); ok {
			values[i] = object(map[string]*firestorepb.Value{listKey: values[i]})
		}
	}
	return &firestorepb.Value{ValueType: &firestorepb.Value_ArrayValue{ArrayValue: &firestorepb.ArrayValue{Values: values}}}
}

// decode makes a document of what is stored.
func decode(d *firestorepb.Document) (store.Doc, error) {
	fields := d.GetFields()
	o := make(document.Object, len(fields))
	for name, v := range fields {
		if name == fieldID || name == fieldWrite {
			continue
		}
		if at, ok := v.GetValueType().(*firestorepb.Value_TimestampValue); ok && name == store.TTLField {
			o[name] = store.Time{Time: at.TimestampValue.AsTime()}.Text()
			continue
		}
		plain, err := plainOf(v)
		if err != nil {
			return store.Doc{}, fmt.Errorf("field %q: %w", name, err)
		}
		o[unescape(name)] = plain
	}
	data, err := document.Encode(o)
	if err != nil {
		return store.Doc{}, err
	}
	return store.Doc{ID: fields[fieldID].GetStringValue(), Version: versionOf(d.GetUpdateTime()), Data: data}, nil
}

// plainOf reads a stored value. Kinds that the store never writes can only come from an edit by hand and are refused.
func plainOf(v *firestorepb.Value) (any, error) {
	switch v := v.GetValueType().(type) {
	case *firestorepb.Value_StringValue:
		return v.StringValue, nil
	case *firestorepb.Value_IntegerValue:
		return v.IntegerValue, nil
	case *firestorepb.Value_BooleanValue:
		return v.BooleanValue, nil
	case *firestorepb.Value_NullValue:
		return nil, nil
	case *firestorepb.Value_MapValue:
		return plainObject(v.MapValue.GetFields())
	case *firestorepb.Value_ArrayValue:
		return plainArray(v.ArrayValue.GetValues())
	case *firestorepb.Value_DoubleValue:
		return nil, fmt.Errorf("changed by hand to a floating-point number: %w", store.ErrFraction)
	default:
		return nil, fmt.Errorf("changed by hand to a %T: only texts, whole numbers, booleans, null, arrays and maps are used", v)
	}
}

func plainObject(fields map[string]*firestorepb.Value) (any, error) {
	o := make(document.Object, len(fields))
	for name, v := range fields {
		plain, err := plainOf(v)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
		o[unescape(name)] = plain
	}
	return o, nil
}

func plainArray(values []*firestorepb.Value) (any, error) {
	items := make([]any, len(values))
	for i, v := range values {
		if list, ok := v.GetMapValue().GetFields()[listKey]; ok {
			v = list
		}
		var err error
		if items[i], err = plainOf(v); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return items, nil
}

// versionOf is the update time in nanoseconds since 1970.
func versionOf(at *timestamppb.Timestamp) store.Version {
	return store.Version(strconv.FormatInt(at.AsTime().UnixNano(), 10))
}

// updateTime reads a version. What is not one becomes a time at which no document was ever updated, so that Firestore
// itself refuses it; it demands whole microseconds.
func updateTime(v store.Version) *timestamppb.Timestamp {
	ns, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || ns <= 0 || ns%int64(time.Microsecond) != 0 {
		return &timestamppb.Timestamp{Seconds: 1}
	}
	return timestamppb.New(time.Unix(0, ns))
}
