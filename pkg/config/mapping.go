package config

import (
	"errors"
	"fmt"
	"io/fs"

	"gopkg.in/yaml.v3"

	"github.com/arbridge/arbridge/pkg/settings"
)

// mapping reads what maps this site's ERP: a file that is named, or the mapping itself as a map, for places without files.
// The connector reads its content; here it only has to be plain YAML.
func (r *reading) mapping(n *yaml.Node, at place) []byte {
	if n.Kind == yaml.MappingNode {
		return r.inline(n, at)
	}
	const expected = "the path of a YAML file, from the folder of the configuration, or the mapping itself as a map"
	name := r.text(n, n, at, nil, expected)
	if name == "" {
		return nil
	}
	p := Problem{Line: n.Line, Company: at.company, Key: at.path, Value: settings.Echo(name), Expected: expected}
	data, err := r.env.ReadFile(r.resolved(name))
	if err != nil {
		p.Message = "can not be read"
		if errors.Is(err, fs.ErrNotExist) {
			p.Message = "no such file"
		}
		r.add(p)
		return nil
	}
	root, bad := document(data)
	switch {
	case bad != nil:
		p.Message = bad.Message
		if bad.Line > 0 {
			p.Message = fmt.Sprintf("its line %d: %s", bad.Line, bad.Message)
		}
	case root.Kind != yaml.MappingNode:
		p.Message = "holds no map"
	default:
		return data
	}
	r.add(p)
	return nil
}

// inline gives the map that stands in the configuration the text of a file of its own.
func (r *reading) inline(n *yaml.Node, at place) []byte {
	before := len(r.problems)
	if _, ok := r.value(n, at); !ok || len(r.problems) > before {
		return nil
	}
	p := Problem{Line: n.Line, Company: at.company, Key: at.path, Expected: "the mapping itself as a map"}
	if len(n.Content) == 0 {
		p.Message = "empty"
		r.add(p)
		return nil
	}
	data, err := yaml.Marshal(bare(n))
	if err != nil {
		p.Message = "can not be written as YAML"
		r.add(p)
		return nil
	}
	return data
}

// bare copies a tree of values for writing: without comments and anchors, texts quoted so that "01" stays a text, everything
// else as it was written.
func bare(n *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: n.Kind, Tag: n.ShortTag(), Value: n.Value}
	if n.Kind == yaml.ScalarNode && out.Tag == "!!str" {
		out.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		out.Content = append(out.Content, bare(c))
	}
	return out
}
