package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/settings"
)

// TerraformFile is where the variables are kept: the module that renders the configuration.
const TerraformFile = "terraform/modules/config/variables.tf"

// Terraform is the text of two variable declarations: deployment_settings, an object, and companies, a map of objects by
// company id. Attributes are grouped as in the configuration file. No default stands here: what is not given is null and
// left to arbridge. The text is formatted as terraform fmt would.
func Terraform(all []settings.Setting) []byte {
	var b strings.Builder
	b.WriteString("# Written by " + Command + ". Change the declarations in pkg/settings, not this file.\n\n")
	variable(&b, only(all, settings.ScopeDeployment), settings.ScopeDeployment)
	b.WriteString("\n")
	variable(&b, only(all, settings.ScopeCompany), settings.ScopeCompany)
	return []byte(b.String())
}

// NamesFile is where the names of all settings are kept for the same module.
const NamesFile = "terraform/modules/config/names.tf"

// TerraformNames is the text of a local value with the names of the settings by scope and group. Terraform drops attributes
// that a typed variable does not have; with the names the module finds those that were misspelled.
func TerraformNames(all []settings.Setting) []byte {
	var b strings.Builder
	b.WriteString("# Written by " + Command + ". Change the declarations in pkg/settings, not this file.\n\nlocals {\n  names = {\n")
	for _, scope := range []settings.Scope{settings.ScopeDeployment, settings.ScopeCompany} {
		fmt.Fprintf(&b, "    %s = {\n", scope)
		list, width := only(all, scope), 0
		for _, s := range list {
			width = max(width, len(s.Group()))
		}
		for len(list) > 0 {
			group, names := list[0].Group(), []string{}
			for len(list) > 0 && list[0].Group() == group {
				names, list = append(names, list[0].Name()), list[1:]
			}
			fmt.Fprintf(&b, "      %-*s = %s\n", width, group, literal(flow(names, hclPair)))
		}
		b.WriteString("    }\n")
	}
	b.WriteString("  }\n}\n")
	return []byte(b.String())
}

func variable(b *strings.Builder, list []settings.Setting, scope settings.Scope) {
	name, about := "deployment_settings", "Settings of the whole installation; see infra/docs/settings.md."
	if scope == settings.ScopeCompany {
		name, about = "companies", "Companies by their id, with their vendors and settings; see infra/docs/settings.md."
	}
	fmt.Fprintf(b, "variable %q {\n  description = <<-EOT\n    %s\n\n", name, about)
	for _, s := range list {
		fmt.Fprintf(b, "    %s: %s\n", s.Key, literal(s.Summary()))
	}
	b.WriteString("  EOT\n")
	if scope == settings.ScopeCompany {
		fmt.Fprintf(b, "  type = map(object({\n%s", connections)
		groups(b, list, "    ")
		b.WriteString("    })\n  }))\n")
	} else {
		b.WriteString("  type = object({\n")
		groups(b, list, "  ")
		b.WriteString("  })\n")
	}
	traits(b, list, scope)
	if scope == settings.ScopeCompany {
		companies(b)
	}
	for _, s := range list {
		validations(b, list, s, scope)
	}
	b.WriteString("}\n")
}

// traits are the arguments of a variable besides its type. Companies have to be given.
func traits(b *strings.Builder, list []settings.Setting, scope settings.Scope) {
	var args [][2]string
	if scope == settings.ScopeDeployment {
		args = append(args, [2]string{"default", "{}"})
	}
	args = append(args, [2]string{"nullable", "false"})
	if slices.ContainsFunc(list, func(s settings.Setting) bool { return s.Secret }) {
		args = append(args, [2]string{"sensitive", "true"})
	}
	width := 0
	for _, a := range args {
		width = max(width, len(a[0]))
	}
	for _, a := range args {
		fmt.Fprintf(b, "  %-*s = %s\n", width, a[0], a[1])
	}
}

func groups(b *strings.Builder, list []settings.Setting, indent string) {
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
		fmt.Fprintf(b, "%s  %s = %s\n", indent, list[0].Group(), open)
		for _, s := range list[:n] {
			kind := terraformType(s.Kind)
			if !s.Required {
				kind = "optional(" + kind + ")"
			}
			fmt.Fprintf(b, "%s    %-*s = %s\n", indent, width, s.Name(), kind)
		}
		fmt.Fprintf(b, "%s  %s\n", indent, closing)
		list = list[n:]
	}
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

func validation(b *strings.Builder, test, message string) {
	fmt.Fprintf(b, "  validation {\n    condition     = %s\n    error_message = %s\n  }\n", test, quoted(message))
}

func validations(b *strings.Builder, list []settings.Setting, s settings.Setting, scope settings.Scope) {
	at := func(key string) string {
		if scope == settings.ScopeCompany {
			return "c.settings." + key
		}
		return "var.deployment_settings." + key
	}
	emit := func(test, message string) {
		if scope == settings.ScopeCompany {
			test = "alltrue([for c in values(var.companies) : " + test + "])"
		}
		validation(b, test, message)
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
		emit(given(list, w.Key, at(w.Key))+compare+quoted(w.Value)+" ? "+there+" : true", fmt.Sprintf("Setting %s: required while %s.", s.Key, w))
	}
}

// given is the value of an enumeration, its default where nothing is given.
func given(list []settings.Setting, key, x string) string {
	i := slices.IndexFunc(list, func(s settings.Setting) bool { return s.Key == key })
	if i < 0 || list[i].Default == nil {
		return x
	}
	return "coalesce(" + x + ", " + literal(flow(list[i].Default, hclPair)) + ")"
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
