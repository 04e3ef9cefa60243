package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Problem is one thing wrong with the given settings, in words for the person who can mend it.
type Problem struct {
	Key      string // the setting's key, or the unknown key as given
	Value    string // what was given, shortened; empty when nothing was, Hidden when it must not be shown
	Expected string // the form of a good value; empty for an unknown key
	Message  string // what is wrong, without key and value
	// Warning is set when the value is used all the same, such as that of a deprecated key.
	Warning bool
}

// String is the problem as one line.
func (p Problem) String() string {
	text := p.Key
	if p.Value != "" {
		text += " = " + p.Value
	}
	text += ": " + p.Message
	if p.Expected != "" {
		text += " (expected " + p.Expected + ")"
	}
	return text
}

// Blocking reports whether any of the problems is more than a warning.
func Blocking(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// ResolveCompany reads the settings of a company from values decoded from YAML or JSON: texts, bools, ints, json.Number,
// lists and maps. Floating-point numbers are refused. A nil value counts as not given. The result is complete only when
// no problem blocks; the problems come in the order of the reference page, unknown keys last. zone must not be nil.
func ResolveCompany(values map[string]any, zone ZoneFunc) (Company, []Problem) {
	var c Company
	r := resolution{scope: ScopeCompany, settings: c.declare(), zone: zone}
	r.read(values)
	r.problems = append(r.problems, c.conflicts(r.sound)...)
	return c, r.sorted()
}

// ResolveDeployment reads the settings of the whole installation, under the rules of ResolveCompany.
func ResolveDeployment(values map[string]any, zone ZoneFunc) (Deployment, []Problem) {
	var d Deployment
	r := resolution{scope: ScopeDeployment, settings: d.declare(), zone: zone}
	r.read(values)
	return d, r.sorted()
}

// Inherit adds to a company's values those that the deployment has given for settings of both scopes and the company
// has not. The arguments stay as they are.
func Inherit(company, deployment map[string]any) map[string]any {
	out := maps.Clone(company)
	if out == nil {
		out = map[string]any{}
	}
	for _, s := range Declarations() {
		value := deployment[s.Key]
		if s.Has(ScopeDeployment) && s.Has(ScopeCompany) && value != nil && out[s.Key] == nil {
			out[s.Key] = value
		}
	}
	return out
}

// resolution is one reading of values into the fields that settings are bound to.
type resolution struct {
	scope    Scope
	settings []Setting
	zone     ZoneFunc
	chosen   map[string]string // value of each enumeration that was read or defaulted
	broken   map[string]bool   // keys whose value was refused
	problems []Problem
}

// sound reports whether none of the keys was refused: rules between settings look at good values only.
func (r *resolution) sound(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return r.broken[k] })
}

func (r *resolution) read(values map[string]any) {
	r.chosen, r.broken = map[string]string{}, map[string]bool{}
	given := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !r.known(key) {
			r.stray(key)
			continue
		}
		if values[key] != nil {
			given[key] = values[key]
		}
	}
	r.succeed(given)
	for _, s := range r.settings {
		r.one(s, given[s.Key])
	}
	for _, s := range r.settings {
		r.demand(s, given[s.Key])
	}
}

func (r *resolution) known(key string) bool {
	return slices.ContainsFunc(r.settings, func(s Setting) bool { return s.Key == key })
}

// stray reports a key that does not belong here. Its value is not repeated: nothing is known of it.
func (r *resolution) stray(key string) {
	p := Problem{Key: strings.ToValidUTF8(key, "\uFFFD"), Message: unknown(key, r.settings)}
	if LooksSecret(key) {
		p.Key = Hidden
	}
	if s, err := Lookup(key); err == nil && !s.Has(r.scope) {
		p.Message = fmt.Sprintf("belongs to the settings of the %s, not of the %s", s.Scopes[0], r.scope)
	}
	r.problems = append(r.problems, p)
}

// succeed moves the values of deprecated keys to their successors.
func (r *resolution) succeed(given map[string]any) {
	for _, s := range r.settings {
		value, ok := given[s.Key]
		if s.Deprecated == "" || !ok {
			continue
		}
		p := Problem{Key: s.Key, Warning: true, Message: "deprecated: " + s.Deprecated}
		if s.Successor != "" {
			p.Message += "; use " + s.Successor
			if _, both := given[s.Successor]; both {
				p.Warning, p.Message = false, "given together with its successor "+s.Successor+"; keep only that one"
			} else {
				given[s.Successor] = value
			}
			delete(given, s.Key)
		}
		r.problems = append(r.problems, p)
	}
}

func (r *resolution) one(s Setting, raw any) {
	if raw == nil {
		raw = s.Default
	}
	if raw == nil || s.Successor != "" {
		return
	}
	value, bad := s.accept(s, raw, r.zone)
	for _, b := range bad {
		r.problems = append(r.problems, Problem{Key: s.Key, Value: s.echo(b.value), Expected: s.Expected(), Message: b.text})
	}
	if bad != nil {
		r.broken[s.Key] = true
		return
	}
	s.bind(value)
	if s.Kind == KindEnum {
		r.chosen[s.Key], _ = scalar(raw)
	}
}

func (s Setting) echo(raw any) string {
	if s.Secret || s.Private {
		return Hidden
	}
	return Echo(raw)
}

// demand reports a required setting that is missing. While the condition's own value is refused nothing is demanded:
// mending that value decides.
func (r *resolution) demand(s Setting, raw any) {
	if given(raw) || r.broken[s.Key] {
		return
	}
	p := Problem{Key: s.Key, Expected: s.Expected(), Message: "required"}
	switch w := s.RequiredWhen; {
	case s.Required:
	case w == nil || r.broken[w.Key] || !w.holds(r.chosen[w.Key]):
		return
	default:
		p.Message = "required while " + w.String()
	}
	r.broken[s.Key] = true
	r.problems = append(r.problems, p)
}

// given reports whether there is a value; an empty list or map is none where one is required.
func given(raw any) bool {
	switch v := raw.(type) {
	case nil:
		return false
	case []any:
		return len(v) > 0
	case []string:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	case map[string]string:
		return len(v) > 0
	}
	return true
}

// sorted puts the problems in the order of the declarations, unknown keys last by name.
func (r *resolution) sorted() []Problem {
	place := map[string]int{}
	for i, s := range r.settings {
		place[s.Key] = i + 1
	}
	rank := func(p Problem) int {
		if n := place[p.Key]; n > 0 {
			return n
		}
		return len(r.settings) + 1
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return rank(a) - rank(b) })
	return r.problems
}
