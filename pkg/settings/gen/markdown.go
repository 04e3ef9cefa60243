package gen

import (
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/settings"
)

// Markdown is the reference page: the rules for giving values, a table of all settings, then each with its details.
func Markdown(all []settings.Setting) []byte {
	p := &page{}
	p.line("# Settings")
	p.line("")
	p.line("<!-- Written by `%s`. Change the declarations in pkg/settings, not this page. -->", Command)
	p.line("")
	p.line("%s", preamble)
	p.line("")
	p.line("## The configuration file")
	p.line("")
	p.line("%s", files)
	p.line("")
	p.line("## All settings")
	p.line("")
	p.line("| Key | Given for | Default | What it does |")
	p.line("|---|---|---|---|")
	for _, s := range all {
		p.line("| [`%s`](#%s) | %s | %s | %s |", s.Key, anchor(s.Key), scopes(s), cell(standard(s)), cell(s.Summary()))
	}
	for _, g := range settings.Groups() {
		p.group(g, all)
	}
	return []byte(p.String())
}

const preamble = "Settings stand in the configuration file, those of the deployment under `deployment.settings` and those of a company\n" +
	"under its `settings`. A key may be written whole or in groups; both lines mean the same:\n\n" +
	"```yaml\nsettings:\n  customers.create: true\n  contacts: {roles: [AP, AR]}\n```\n\n" +
	"Unknown keys, keys in the wrong place and values of another form are refused, all at once, with their lines. A key\n" +
	"without a value counts as not given. Quote codes that look like numbers: `\"01\"`. Amounts have no currency of their\n" +
	"own: each counts in the currency of the document it is compared with. Durations have units: `90s`, `5m`, `1h30m`.\n" +
	"A narrower place wins over a wider one."

type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.Builder, format+"\n", args...)
}

func (p *page) group(g settings.Choice, all []settings.Setting) {
	empty := true
	for _, s := range all {
		if s.Group() != g.Value {
			continue
		}
		if empty {
			p.line("")
			p.line("## %s", g.Help)
			empty = false
		}
		p.setting(s)
	}
}

func (p *page) setting(s settings.Setting) {
	p.line("")
	p.line("### %s", s.Key)
	p.line("")
	if s.Deprecated != "" {
		p.line("**Deprecated:** %s.%s", s.Deprecated, successor(s))
		p.line("")
	}
	p.line("**%s.** %s", s.Title, s.Help)
	p.line("")
	p.line("- Form: %s", s.Expected())
	p.line("- Given for: %s", scopes(s))
	p.line("- Default: %s", standard(s))
	if s.Pattern != "" {
		p.line("- Pattern: `%s`", s.Pattern)
	}
	if s.Secret {
		p.line("- Secret: never shown")
	}
	if s.Advanced {
		p.line("- Advanced: rarely needs a change")
	}
	p.line("- Example: `%s: %s`", s.Key, flow(example(s), yamlPair))
	p.choices(s)
}

func (p *page) choices(s settings.Setting) {
	choices, head := s.Choices, "Value"
	if s.Keys != nil {
		choices, head = s.Keys, "Entry"
	}
	if len(choices) == 0 {
		return
	}
	if s.Kind == settings.KindTemplate {
		head = "Placeholder"
	}
	p.line("")
	p.line("| %s | Meaning |", head)
	p.line("|---|---|")
	for _, c := range choices {
		p.line("| `%s` | %s |", c.Value, cell(c.Help))
	}
}

// example is the declared example, else the default, else the first choice.
func example(s settings.Setting) any {
	switch {
	case s.Example != nil:
		return s.Example
	case s.Default != nil:
		return s.Default
	case len(s.Choices) > 0:
		return s.Choices[0].Value
	}
	return ""
}

func successor(s settings.Setting) string {
	if s.Successor == "" {
		return ""
	}
	return " Use `" + s.Successor + "`."
}

func standard(s settings.Setting) string {
	switch {
	case s.Required:
		return "none, required"
	case s.RequiredWhen != nil:
		return "none, required while " + s.RequiredWhen.String()
	case s.Default == nil:
		return "none"
	}
	return "`" + flow(s.Default, yamlPair) + "`"
}

func scopes(s settings.Setting) string {
	names := make([]string, len(s.Scopes))
	for i, scope := range s.Scopes {
		names[i] = string(scope)
	}
	text := strings.Join(names, ", ")
	if s.Has(settings.ScopeCustomer) {
		text += " (`" + s.Group() + ".customers`)"
	}
	return text
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// anchor is how renderers name a heading: lower case, without dots.
func anchor(key string) string { return strings.ReplaceAll(key, ".", "") }
