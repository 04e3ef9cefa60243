package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// moving are attributes that are another value in every plan.
func moving() []string { return []string{"next_rotation_time"} }

// Record is the plan in a short form that Recorded reads again: what is not set and what changes with the time is left out.
func (p Plan) Record() ([]byte, error) {
	var out []byte
	for _, r := range p.Resources {
		r.Values = Values(trimmed(r.Values))
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return nil, fmt.Errorf("recording %s: %w", r.Address, err)
		}
		out = append(out, b.Bytes()...)
	}
	return out, nil
}

// Recorded reads what Record wrote.
func Recorded(data []byte) (Plan, error) {
	var p Plan
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for d.More() {
		var r Resource
		if err := d.Decode(&r); err != nil {
			return Plan{}, fmt.Errorf("reading a recorded plan: %w", err)
		}
		p.Resources = append(p.Resources, r)
	}
	return p, nil
}

func trimmed(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if v = trim(v); v != nil {
			out[name] = v
		}
	}
	for _, name := range moving() {
		delete(out, name)
	}
	return out
}

// trim drops what is null, and lists of nothing.
func trim(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return trimmed(v)
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = trim(item)
		}
		return out
	}
	return v
}

// Stale reports what of a recorded plan another one has otherwise. A provider may fill in more than was recorded: that is
// no difference.
func Stale(recorded, now Plan) []string {
	var out []string
	have := map[string]Resource{}
	for _, r := range now.Resources {
		have[r.Address] = r
	}
	for _, r := range recorded.Resources {
		n, ok := have[r.Address]
		switch {
		case !ok:
			out = append(out, r.Address+" is no longer planned")
		case !within(map[string]any(r.Values), trimmed(n.Values)):
			out = append(out, r.Address+" has changed")
		}
		delete(have, r.Address)
	}
	for address := range have {
		out = append(out, address+" is new")
	}
	return out
}

// within reports whether everything in a is in b.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		for name, v := range a {
			if !within(v, m[name]) {
				return false
			}
		}
		return ok
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !within(a[i], l[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}
