package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/arbridge/arbridge/pkg/settings"
)

// required reads a text that must be there and on one line. What it gets wrong is never repeated.
func (r *reading) required(n, section *yaml.Node, at place, form string) (string, bool) {
	p := Problem{Line: line(n, section), Company: at.company, Key: at.path, Expected: form}
	switch {
	case n == nil || isNull(n):
		p.Message = "required"
	case !r.plain(n, at):
		return "", false
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!bool":
		p.Message = "not a text"
	case strings.TrimSpace(n.Value) == "":
		p.Message = "blank"
	case len(n.Value) > 500 || strings.ContainsFunc(n.Value, unicode.IsControl):
		p.Message = "too long, or has line breaks"
	default:
		return strings.TrimSpace(n.Value), true
	}
	r.add(p)
	return "", false
}

func (r *reading) text(n, section *yaml.Node, at place, form *regexp.Regexp, expected string) string {
	v, ok := r.required(n, section, at, expected)
	if ok && form != nil && !form.MatchString(v) {
		r.add(Problem{Line: n.Line, Company: at.company, Key: at.path, Value: settings.Echo(v), Expected: expected, Message: "not of this form"})
		return ""
	}
	return v
}

// flag reads true or false.
func (r *reading) flag(n *yaml.Node, at place) bool {
	v, ok := r.value(n, at)
	set, good := v.(bool)
	if ok && !good {
		r.add(Problem{Line: n.Line, Company: at.company, Key: at.path, Value: settings.Echo(n.Value), Expected: "true or false", Message: "neither true nor false"})
	}
	return set
}

// secret reads the name of a secret. The value is not repeated, whatever it is: people paste the secret itself here.
func (r *reading) secret(n, section *yaml.Node, at place) string {
	const expected = "the name of a secret such as invoiced-us-api-key"
	v, ok := r.required(n, section, at, expected)
	switch {
	case !ok:
		return ""
	case secretName.MatchString(v) && !settings.LooksSecret(v):
		return v
	}
	r.add(Problem{Line: n.Line, Company: at.company, Key: at.path, Value: settings.Hidden, Expected: expected,
		Message: "not the name of a secret; if it is the secret itself, replace it there, keep it in the secret store and write its name here"})
	return ""
}

// url reads a base address: https, or http to this machine, without credentials, query or fragment.
func (r *reading) url(n, section *yaml.Node, at place) string {
	const expected = "an address such as https://host.example.com"
	v, ok := r.required(n, section, at, expected)
	if !ok {
		return ""
	}
	p := Problem{Line: n.Line, Company: at.company, Key: at.path, Value: settings.Echo(v), Expected: expected}
	if strings.ContainsAny(v, "@?#") {
		p.Value = settings.Hidden
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(v, " \\"):
		p.Message = "not an address"
	case u.User != nil:
		p.Message = "has credentials in it; keep them in the secret store"
	case strings.ContainsAny(v, "?#"):
		p.Message = "has a query or a fragment"
	default:
		p.Message = insecure(u)
	}
	if p.Message != "" {
		r.add(p)
		return ""
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/")
}

// insecure is what is wrong with the scheme, empty for https and for http to this machine.
func insecure(u *url.URL) string {
	switch {
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return ""
	case u.Scheme == "http":
		return "not encrypted; http is for this machine only"
	}
	return "neither https nor http"
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// lineOf has the line of each settings key; the empty key stands for the section.
type lineOf map[string]int

func (l lineOf) of(key string) int {
	if n, ok := l[key]; ok {
		return n
	}
	return l[""]
}

// settings flattens the section to full keys: a group may be a map (customers: {create: true}) or part of the key
// (customers.create: true).
func (r *reading) settings(n *yaml.Node, section place) (map[string]any, lineOf) {
	values, lines := map[string]any{}, lineOf{}
	if n != nil {
		lines[""] = n.Line
	}
	take := func(key string, e entry) {
		here := place{section.company, shown(key)}
		if first, ok := lines[key]; ok {
			r.add(Problem{Line: e.line, Company: section.company, Key: here.path, Message: fmt.Sprintf("given twice, first in line %d", first)})
			return
		}
		lines[key] = e.line
		if v, ok := r.value(e.value, here); ok {
			values[key] = v
		} else {
			lines[key] = -e.line // reported; see report
		}
	}
	for _, e := range r.entries(n, section) {
		dotted := strings.Contains(e.key, ".")
		switch {
		case !dotted && e.value.Kind == yaml.MappingNode:
			for _, inner := range r.entries(e.value, place{section.company, shown(e.key)}) {
				take(e.key+"."+inner.key, inner)
			}
		case !dotted && isNull(e.value) && isGroup(e.key):
		default:
			take(e.key, e)
		}
	}
	return values, lines
}

func isGroup(name string) bool {
	return slices.ContainsFunc(settings.Groups(), func(g settings.Choice) bool { return g.Value == name })
}

// report adds what the settings found. A key whose value could not even be decoded has its problem already.
func (r *reading) report(problems []settings.Problem, at place, lines lineOf) {
	for _, p := range problems {
		n := lines.of(p.Key)
		if n < 0 {
			continue
		}
		r.add(Problem{Line: n, Company: at.company, Key: shown(p.Key), Value: p.Value, Expected: p.Expected, Message: p.Message, Warning: p.Warning})
	}
}

// unique reports companies that can not be told apart. All of them are refused: guessing which one is meant would send
// one company's documents through the other's account.
func (r *reading) unique(companies []located) {
	ids, codes := map[string][]located{}, map[string][]located{}
	for _, c := range companies {
		if c.ID != "" {
			ids[c.ID] = append(ids[c.ID], c)
		}
		if c.Settings.Q360Company != "" && c.Q360.BaseURL != "" {
			key := c.Q360.BaseURL + " " + c.Settings.Q360Company
			codes[key] = append(codes[key], c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		same := ids[id]
		for i, c := range same {
			if len(same) > 1 {
				r.add(Problem{Line: c.idLine, Company: c.label, Key: "id", Value: settings.Echo(c.ID),
					Message: fmt.Sprintf("used in line %d too; ids must differ", same[(i+1)%len(same)].idLine)})
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		same := codes[code]
		for i, c := range same {
			if len(same) > 1 {
				r.add(Problem{Line: c.q360, Company: c.label, Key: "company.q360_company", Value: settings.Echo(c.Settings.Q360Company),
					Message: "company " + same[(i+1)%len(same)].label + " has the same code in the same Q360"})
			}
		}
	}
}
