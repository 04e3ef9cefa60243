package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/arbridge/arbridge/pkg/settings"
)

// reading collects the problems of one Parse.
type reading struct {
	dir      string
	env      Env
	problems Problems
}

func (r *reading) add(p Problem) { r.problems = append(r.problems, p) }

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document reads the only document of the text. Messages of the parser lose what they quote: it may be a secret.
func document(data []byte) (*yaml.Node, *Problem) {
	if len(data) > maxSize {
		return nil, &Problem{Message: fmt.Sprintf("larger than %d bytes", maxSize)}
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].Tag == "!!null") {
		return nil, &Problem{Message: "empty"}
	}
	if err == nil {
		if more := dec.Decode(new(yaml.Node)); !errors.Is(more, io.EOF) {
			return nil, &Problem{Line: 1, Message: "more than one YAML document; keep one"}
		}
		return doc.Content[0], nil
	}
	p := &Problem{Message: "not YAML"}
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		why, _, _ := strings.Cut(m[2], " '")
		why, _, _ = strings.Cut(why, "`")
		p.Message += ": " + strings.TrimSpace(why)
	}
	return nil, p
}

// place says where a node is, for problems.
type place struct {
	company, path string
}

func (p place) at(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	return place{p.company, name}
}

// fields reads a map whose keys are known. A missing node is an empty map.
func (r *reading) fields(n *yaml.Node, at place, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for _, e := range r.entries(n, at) {
		if !slices.Contains(known, e.key) {
			message := "unknown key"
			if near := settings.Nearest(e.key, known); near != "" {
				message += "; did you mean " + near + "?"
			}
			r.add(Problem{Line: e.line, Company: at.company, Key: at.at(shown(e.key)).path, Message: message,
				Expected: "one of " + strings.Join(known, ", ")})
			continue
		}
		out[e.key] = e.value
	}
	return out
}

// shown is a key for a message, hidden when a secret was written in its place.
func shown(key string) string {
	if settings.Echo(key) == settings.Hidden {
		return settings.Hidden
	}
	quoted := strconv.Quote(strings.ToValidUTF8(key, "\uFFFD"))
	if text := quoted[1 : len(quoted)-1]; len(text) <= 80 {
		return text
	}
	return key[:40] + "…"
}

type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// entries reads a map in the order of the text. Repeated keys, aliases and merges are problems.
func (r *reading) entries(n *yaml.Node, at place) []entry {
	if n == nil || isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode || n.Style&yaml.TaggedStyle != 0 {
		if r.plain(n, at) {
			r.add(Problem{Line: n.Line, Company: at.company, Key: at.path, Message: "not a map", Expected: "indented lines of name: value"})
		}
		return nil
	}
	var out []entry
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !r.plain(key, at) {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			r.add(Problem{Line: key.Line, Company: at.company, Key: at.path, Message: "a key is not a text"})
			continue
		}
		if line, ok := first[key.Value]; ok {
			r.add(Problem{Line: key.Line, Company: at.company, Key: at.at(shown(key.Value)).path,
				Message: fmt.Sprintf("given twice, first in line %d", line)})
			continue
		}
		first[key.Value] = key.Line
		out = append(out, entry{key.Value, key.Line, value})
	}
	return out
}

// plain refuses what makes a file hard to read for people and unsafe to expand: aliases, merges and explicit types.
func (r *reading) plain(n *yaml.Node, at place) bool {
	message := ""
	switch {
	case n.Kind == yaml.AliasNode || n.ShortTag() == "!!merge":
		message = "anchors, aliases and merges are not read; write the value out, or quote a text that begins with * or <<"
	case n.Style&yaml.TaggedStyle != 0:
		message = "explicit types such as !!str are not read; quote a text that begins with !"
	default:
		return true
	}
	r.add(Problem{Line: n.Line, Company: at.company, Key: at.path, Message: message})
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// value is a node as settings take it. Numbers keep their text, so that nothing is rounded and the code 01 stays 01.
func (r *reading) value(n *yaml.Node, at place) (value any, ok bool) {
	if !r.plain(n, at) {
		return nil, false
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list, good := []any{}, true
		for _, c := range n.Content {
			v, ok := r.value(c, at)
			list, good = append(list, v), good && ok
		}
		return list, good
	case yaml.MappingNode:
		before := len(r.problems)
		m := map[string]any{}
		for _, e := range r.entries(n, at) {
			m[e.key], _ = r.value(e.value, at)
		}
		return m, len(r.problems) == before
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int", "!!float":
		return json.Number(n.Value), true
	}
	return n.Value, true
}
