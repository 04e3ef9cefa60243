package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/settings"
)

// Terraform is the text of two variable declarations: deployment_settings, an object, and company_settings, a map of
// objects by company id. Attributes are grouped as in the configuration file, so that yamlencode of a value is a
// settings section as it stands. The text is formatted as terraform fmt would.
func Terraform(all []settings.Setting) []byte {
	var b strings.Builder
	b.WriteString("# Written by " + Command + " -terraform. Change the declarations in pkg/settings, not this file.\n\n")
	variable(&b, only(all, settings.ScopeDeployment), settings.ScopeDeployment)
	b.WriteString("\n")
	variable(&b, only(all, settings.ScopeCompany), settings.ScopeCompany)
	return []byte(b.String())
}

func variable(b *strings.Builder, list []settings.Setting, scope settings.Scope) {
	name, open, closing := "deployment_settings", "object({", "})"
	about := "Settings of the whole installation; see infra/docs/settings.md."
	if scope == settings.ScopeCompany {
		name, open, closing = "company_settings", "map(object({", "}))"
		about = "Settings of each company, by company id; see infra/docs/settings.md."
	}
	fmt.Fprintf(b, "variable %q {\n  description = <<-EOT\n    %s\n\n", name, about)
	for _, s := range list {
		fmt.Fprintf(b, "    %s: %s\n", s.Key, literal(s.Summary()))
	}
	fmt.Fprintf(b, "  EOT\n  type = %s\n", open)
	groups(b, list, scope)
	fmt.Fprintf(b, "  %s\n", closing)
	if slices.ContainsFunc(list, func(s settings.Setting) bool { return s.Secret }) {
		b.WriteString("  default   = {}\n  nullable  = false\n  sensitive = true\n")
	} else {
		b.WriteString("  default  = {}\n  nullable = false\n")
	}
	for _, s := range list {
		validations(b, s, scope)
	}
	b.WriteString("}\n")
}

func groups(b *strings.Builder, list []settings.Setting, scope settings.Scope) {
	for len(list) > 0 {
		n, width, required := 0, 0, false
		for n < len(list) && list[n].Group() == list[0].Group() {
			width = max(width, len(list[n].Name()))
			required = required || list[n].Required
			n++
		}
		open, closing := "optional(object({", "}), {})"
		if required {
			open, closing = "object({", "})"
		}
		fmt.Fprintf(b, "    %s = %s\n", list[0].Group(), open)
		for _, s := range list[:n] {
			fmt.Fprintf(b, "      %-*s = %s\n", width, s.Name(), attribute(s, scope))
		}
		fmt.Fprintf(b, "    %s\n", closing)
		list = list[n:]
	}
}

// attribute is the type of a setting. Two defaults are left to arbridge: one that a company inherits from the deployment,
// and that of a deprecated setting, which must not look as if it had been given.
func attribute(s settings.Setting, scope settings.Scope) string {
	kind := terraformType(s.Kind)
	inherits := scope == settings.ScopeCompany && s.Has(settings.ScopeDeployment)
	switch {
	case s.Required:
		return kind
	case s.Default == nil || inherits || s.Deprecated != "":
		return "optional(" + kind + ")"
	}
	return "optional(" + kind + ", " + literal(flow(s.Default, hclPair)) + ")"
}

func terraformType(kind settings.Kind) string {
	switch kind {
	case settings.KindBool:
		return "bool"
	case settings.KindInt:
		return "number"
	case settings.KindList, settings.KindSet:
		return "list(string)"
	case settings.KindMap:
		return "map(string)"
	}
	return "string"
}

// literal keeps HCL from reading ${ and %{ in a text as templates.
func literal(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

func quoted(text string) string { return literal(flow(text, hclPair)) }

func validations(b *strings.Builder, s settings.Setting, scope settings.Scope) {
	at := func(key string) string {
		if scope == settings.ScopeCompany {
			return "s." + key
		}
		return "var.deployment_settings." + key
	}
	emit := func(test, message string) {
		if scope == settings.ScopeCompany {
			test = "alltrue([for s in values(var.company_settings) : " + test + "])"
		}
		fmt.Fprintf(b, "  validation {\n    condition     = %s\n    error_message = %s\n  }\n", test, quoted(message))
	}
	x := at(s.Key)
	if test := check(s, x); test != "" {
		if !s.Required {
			test = x + " == null ? true : " + test
		}
		emit(test, fmt.Sprintf("Setting %s: expected %s.", s.Key, s.Expected()))
	}
	if w := s.RequiredWhen; w != nil {
		compare, there := " == ", x+" != null"
		if w.Not {
			compare = " != "
		}
		if s.Multiple() {
			there = "try(length(" + x + "), 0) > 0"
		}
		emit(at(w.Key)+compare+quoted(w.Value)+" ? "+there+" : true", fmt.Sprintf("Setting %s: required while %s.", s.Key, w))
	}
}

// check is an expression that is true for good values x, empty when every value of the type is good.
func check(s settings.Setting, x string) string {
	switch s.Kind {
	case settings.KindBool, settings.KindTemplate, settings.KindZone:
		return ""
	case settings.KindInt:
		return fmt.Sprintf("%s >= %s && %s <= %s && floor(%s) == %s", x, s.Min, x, s.Max, x, x)
	case settings.KindList, settings.KindSet:
		return each("v", one(s, "v"), x)
	case settings.KindMap:
		var parts []string
		if s.Keys != nil {
			parts = append(parts, member(values(s.Keys), "k"))
		} else if s.KeyPattern != "" {
			parts = append(parts, fits(s.KeyPattern, "k"))
		}
		if test := one(s, "v"); test != "" {
			parts = append(parts, test)
		}
		return each("k, v", strings.Join(parts, " && "), x)
	case settings.KindDate:
		return fmt.Sprintf(`can(timeadd("${%s}T00:00:00Z", "0s"))`, x)
	}
	if s.Kind == settings.KindEnum {
		return one(s, x)
	}
	if pattern := textPattern(s); pattern != "" {
		return fits(pattern, x) + between(s, x)
	}
	return ""
}

// between holds a duration to its limits, by comparing what it adds to a moment.
func between(s settings.Setting, x string) string {
	if s.Kind != settings.KindDuration {
		return ""
	}
	after := func(d string) string { return `timeadd("2000-01-01T00:00:00Z", ` + d + `)` }
	return fmt.Sprintf(" && try(timecmp(%s, %s) >= 0 && timecmp(%s, %s) <= 0, false)",
		after(x), after(quoted(s.Min)), after(x), after(quoted(s.Max)))
}

func one(s settings.Setting, x string) string {
	switch {
	case s.Choices != nil:
		return member(values(s.Choices), x)
	case s.Pattern != "":
		return fits(s.Pattern, x)
	}
	return ""
}

func each(names, test, x string) string {
	if test == "" {
		return ""
	}
	return "alltrue([for " + names + " in " + x + " : " + test + "])"
}

func member(allowed []string, x string) string {
	return "contains(" + literal(flow(allowed, hclPair)) + ", " + x + ")"
}

func fits(pattern, x string) string { return "can(regex(" + quoted(pattern) + ", " + x + "))" }
