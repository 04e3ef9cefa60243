package gen

import (
	"strconv"

	"github.com/arbridge/arbridge/pkg/settings"
)

type object = map[string]any

// Schema is a JSON schema (draft 2020-12) with two definitions, company and deployment, each an object of full keys. What
// a form needs beyond the standard is in x- members: x-group, x-order, x-kind, x-scopes, x-choices, x-required-when,
// x-minimum and x-maximum of durations, x-advanced, x-secret and x-private.
func Schema(all []settings.Setting) ([]byte, error) {
	groups := []any{}
	for _, g := range settings.Groups() {
		groups = append(groups, object{"name": g.Value, "title": g.Help})
	}
	return indented(object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$comment":             "Written by " + Command + "; change the declarations in pkg/settings instead.",
		"title":                "arbridge settings",
		"type":                 "object",
		"additionalProperties": false,
		"properties": object{
			"company":    object{"$ref": "#/$defs/company"},
			"deployment": object{"$ref": "#/$defs/deployment"},
		},
		"$defs": object{
			"company":    scopeSchema(all, settings.ScopeCompany),
			"deployment": scopeSchema(all, settings.ScopeDeployment),
		},
		"x-groups": groups,
	})
}

func scopeSchema(all []settings.Setting, scope settings.Scope) object {
	properties, required, rules := object{}, []string{}, []any{}
	defaults := map[string]any{}
	for _, s := range all {
		defaults[s.Key] = s.Default
	}
	for i, s := range only(all, scope) {
		properties[s.Key] = property(s, i)
		if s.Required {
			required = append(required, s.Key)
		}
		if s.RequiredWhen != nil {
			rules = append(rules, demand(s, defaults))
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(rules) > 0 {
		out["allOf"] = rules
	}
	return out
}

// demand is the if-then form of required-when. An absent condition key counts with its default.
func demand(s settings.Setting, defaults map[string]any) object {
	w := s.RequiredWhen
	test := object{"properties": object{w.Key: object{"const": w.Value}}}
	if defaults[w.Key] != w.Value {
		test["required"] = []string{w.Key}
	}
	if w.Not {
		test = object{"not": test}
	}
	then := object{"required": []string{s.Key}}
	if s.Multiple() {
		then["properties"] = object{s.Key: object{"minProperties": 1}}
	}
	return object{"if": test, "then": then}
}

func property(s settings.Setting, order int) object {
	p := object{
		"title": s.Title, "description": s.Help, "examples": []any{example(s)},
		"x-group": s.Group(), "x-order": order, "x-kind": s.Kind, "x-scopes": s.Scopes, "x-expected": s.Expected(),
	}
	if s.Default != nil {
		p["default"] = s.Default
	}
	flags(p, s)
	if len(s.Choices) > 0 {
		p["x-choices"] = labelled(s.Choices)
	}
	if len(s.Keys) > 0 {
		p["x-keys"] = labelled(s.Keys)
	}
	switch s.Kind {
	case settings.KindBool:
		p["type"] = "boolean"
	case settings.KindInt:
		p["type"] = "integer"
		limit(p, "minimum", s.Min)
		limit(p, "maximum", s.Max)
	case settings.KindList, settings.KindSet:
		p["type"], p["items"] = "array", entry(s)
		if s.Kind == settings.KindSet {
			p["uniqueItems"] = true
		}
	case settings.KindMap:
		mapProperty(p, s)
	default:
		textProperty(p, s)
	}
	return p
}

func flags(p object, s settings.Setting) {
	for name, on := range map[string]bool{"x-advanced": s.Advanced, "x-secret": s.Secret, "x-private": s.Private,
		"writeOnly": s.Secret, "deprecated": s.Deprecated != ""} {
		if on {
			p[name] = true
		}
	}
	if s.Successor != "" {
		p["x-successor"] = s.Successor
	}
	if w := s.RequiredWhen; w != nil {
		p["x-required-when"] = object{"key": w.Key, "value": w.Value, "not": w.Not, "text": w.String()}
	}
}

func mapProperty(p object, s settings.Setting) {
	p["type"], p["additionalProperties"] = "object", entry(s)
	if s.Keys != nil {
		properties := object{}
		for _, k := range s.Keys {
			properties[k.Value] = entry(s)
		}
		p["properties"], p["additionalProperties"] = properties, false
	} else if s.KeyPattern != "" {
		p["propertyNames"] = object{"pattern": s.KeyPattern}
	}
}

// entry is the schema of one entry of a list, set or map.
func entry(s settings.Setting) object {
	e := object{"type": "string", "minLength": 1}
	if s.Choices != nil {
		e["enum"] = values(s.Choices)
	}
	if s.Pattern != "" {
		e["pattern"] = s.Pattern
	}
	return e
}

func textProperty(p object, s settings.Setting) {
	p["type"], p["minLength"] = "string", 1
	if pattern := textPattern(s); pattern != "" {
		p["pattern"] = pattern
	}
	switch s.Kind {
	case settings.KindEnum:
		p["enum"] = values(s.Choices)
	case settings.KindDate:
		p["format"] = "date"
	case settings.KindEmail:
		p["format"] = "email"
	case settings.KindDuration:
		p["x-minimum"], p["x-maximum"] = s.Min, s.Max
	}
}

// textPattern is the pattern of a scalar that is written as a text.
func textPattern(s settings.Setting) string {
	switch {
	case s.Pattern != "":
		return s.Pattern
	case s.Kind == settings.KindDuration:
		return settings.DurationPattern
	case s.Kind == settings.KindAmount:
		return settings.AmountPattern
	case s.Kind == settings.KindDate:
		return "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
	case s.Kind == settings.KindCurrency:
		return "^[A-Z]{3}$"
	case s.Kind == settings.KindCron:
		return `^\S+( +\S+){4}$`
	}
	return ""
}

func limit(p object, name, text string) {
	if n, err := strconv.Atoi(text); err == nil {
		p[name] = n
	}
}

func labelled(choices []settings.Choice) []any {
	out := make([]any, len(choices))
	for i, c := range choices {
		out[i] = object{"value": c.Value, "help": c.Help}
	}
	return out
}
