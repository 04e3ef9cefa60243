// Package infra holds Terraform to the code: it reads what `terraform show -json` says about a plan and finds what the code
// needs and the plan does not have, what the plan has and nothing needs, and what must never be there at all.
//
// Nothing of it runs in production. The tests of this package check a recorded plan, and with ARBRIDGE_PLANS the plans of
// every environment (make tf-check).
package infra

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Plan is what Terraform would have in place after applying.
type Plan struct{ Resources []Resource }

// Resource is one planned resource.
type Resource struct {
	Address string `json:"address"` // in the configuration, such as module.x.google_pubsub_topic.work["ticks"]
	Type    string `json:"type"`    // such as google_pubsub_topic
	Values  Values `json:"values"`  // what is known before applying
}

// Values are the attributes of a resource or of a block in it. What is known only after applying is absent.
type Values map[string]any

type module struct {
	Resources []Resource `json:"resources"`
	Children  []module   `json:"child_modules"`
}

// Read reads the JSON of a plan. A plan without resources is an error: it would pass every check.
func Read(data []byte) (Plan, error) {
	var doc struct {
		Planned struct {
			Root module `json:"root_module"`
		} `json:"planned_values"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return Plan{}, fmt.Errorf("reading a plan: %w", err)
	}
	p := Plan{Resources: doc.Planned.Root.all()}
	if len(p.Resources) == 0 {
		return Plan{}, errors.New("reading a plan: no resources in planned_values; give the output of terraform show -json of a plan")
	}
	slices.SortFunc(p.Resources, func(a, b Resource) int { return cmp.Compare(a.Address, b.Address) })
	return p, nil
}

func (m module) all() []Resource {
	out := slices.Clone(m.Resources)
	for _, c := range m.Children {
		out = append(out, c.all()...)
	}
	return out
}

// Of returns the resources of a type, by address.
func (p Plan) Of(kind string) []Resource {
	var out []Resource
	for _, r := range p.Resources {
		if r.Type == kind {
			out = append(out, r)
		}
	}
	return out
}

// Text is a text or number, empty where there is none. Several names lead through blocks that occur once.
func (v Values) Text(path ...string) string {
	at := v
	for _, name := range path[:len(path)-1] {
		at = at.Block(name)
	}
	switch x := at[path[len(path)-1]].(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	}
	return ""
}

// Flag is a truth value, false where there is none.
func (v Values) Flag(name string) bool {
	x, _ := v[name].(bool)
	return x
}

// Block is the first block of a name, nil where there is none.
func (v Values) Block(name string) Values {
	if all := v.Blocks(name); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Blocks are the blocks of a name. An empty block counts.
func (v Values) Blocks(name string) []Values {
	list, _ := v[name].([]any)
	var out []Values
	for _, item := range list {
		m, _ := item.(map[string]any)
		out = append(out, m)
	}
	return out
}

// Texts is a list of texts.
func (v Values) Texts(name string) []string {
	list, _ := v[name].([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// env is the environment of a Cloud Run service.
func (r Resource) env() map[string]string {
	out := map[string]string{}
	for _, e := range r.Values.Block("template").Block("containers").Blocks("env") {
		out[e.Text("name")] = e.Text("value")
	}
	return out
}

// last is the part of a full resource name behind its last slash.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
