// Package gen makes everything that follows from the declarations of package settings: the reference page, the JSON
// schema that the console's form and editors read, and the Terraform variables. All three are pure functions of the
// declarations; the command settingsdoc writes them.
package gen

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/settings"
)

// Command is what brings the generated files up to date, run in the root of the repository.
const Command = "go run ./pkg/settings/gen/settingsdoc"

// Files returns the generated files by their path below the root of the repository.
func Files(all []settings.Setting) (map[string][]byte, error) {
	schema, err := Schema(all)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"infra/docs/settings.md":          Markdown(all),
		"infra/docs/settings.schema.json": schema,
		TerraformFile:                     Terraform(all),
		NamesFile:                         TerraformNames(all),
	}, nil
}

// What stands between the sides of a pair in a map.
const yamlPair, hclPair = ": ", " = "

// flow writes a default or an example in YAML flow style or, with hclPair, in HCL.
func flow(value any, pair string) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = strconv.Quote(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]string:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, strconv.Quote(k)+pair+strconv.Quote(v[k]))
		}
		if len(parts) > 0 && pair == hclPair {
			return "{ " + strings.Join(parts, ", ") + " }"
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(value)
}

// only returns the settings that can be given in the scope.
func only(all []settings.Setting, scope settings.Scope) []settings.Setting {
	var out []settings.Setting
	for _, s := range all {
		if s.Has(scope) {
			out = append(out, s)
		}
	}
	return out
}

func values(choices []settings.Choice) []string {
	out := make([]string, len(choices))
	for i, c := range choices {
		out[i] = c.Value
	}
	return out
}

func indented(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return []byte(b.String()), nil
}
