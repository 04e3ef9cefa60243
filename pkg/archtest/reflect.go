package archtest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// NoDecimals reports an error that names the first field of a stored type, at any depth, that holds a decimal, an amount
// of money, a big number or a floating-point number. Fields that are not encoded do not count, nor does what is inside a
// type that encodes itself.
func NoDecimals(t reflect.Type) error { return noDecimals(t, t.String(), map[reflect.Type]bool{}) }

func noDecimals(t reflect.Type, at string, seen map[reflect.Type]bool) error {
	if inexactType(t) {
		return fmt.Errorf("%s is a %s: store amounts as text", at, t)
	}
	if seen[t] || marshalsItself(t) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer:
		return noDecimals(t.Elem(), at, seen)
	case reflect.Slice, reflect.Array:
		return noDecimals(t.Elem(), at+"[]", seen)
	case reflect.Map:
		if err := noDecimals(t.Key(), at+"[key]", seen); err != nil {
			return err
		}
		return noDecimals(t.Elem(), at+"[]", seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := noDecimals(f.Type, at+"."+f.Name, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func inexactType(t reflect.Type) bool {
	if kind := t.Kind().String(); strings.HasPrefix(kind, "float") || strings.HasPrefix(kind, "complex") {
		return true
	}
	p := t.PkgPath()
	return p == decimals || p == "math/big" || strings.HasSuffix(p, "/pkg/money") && t.Name() == "Money"
}

func marshalsItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}
