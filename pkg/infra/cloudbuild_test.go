package infra_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/cloudbuild/v1"
	"gopkg.in/yaml.v3"
)

const buildFile = "../../cloudbuild.yaml"

// builtin are the substitutions that Cloud Build gives by itself and that the file uses.
var builtin = []string{"PROJECT_ID", "COMMIT_SHA"}

// decodeBuild reads a Cloud Build file as strictly as the service does: an unknown key is an error.
func decodeBuild(text []byte) (cloudbuild.Build, error) {
	var build cloudbuild.Build
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return build, err
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return build, err
	}
	d := json.NewDecoder(bytes.NewReader(asJSON))
	d.DisallowUnknownFields()
	return build, d.Decode(&build)
}

// faults lists what is wrong with a build that decodes: substitutions, order, images that are not fixed.
func faults(build cloudbuild.Build) []string {
	var out, ids []string
	used := map[string]bool{}
	use := func(text string) {
		// "$$" is a dollar for the shell, everything else with a dollar is a substitution.
		for _, m := range regexp.MustCompile(`\$\{?(_?[A-Z][A-Z0-9_]*)\}?`).FindAllStringSubmatch(strings.ReplaceAll(text, "$$", ""), -1) {
			used[m[1]] = true
		}
	}
	for _, s := range build.Steps {
		for _, before := range s.WaitFor {
			if before != "-" && !slices.Contains(ids, before) {
				out = append(out, s.Id+" waits for "+before+", which is no earlier step")
			}
		}
		if s.Id == "" || slices.Contains(ids, s.Id) {
			out = append(out, "a step has no name of its own: "+s.Id)
		}
		if ids = append(ids, s.Id); !strings.Contains(s.Name, ":") {
			out = append(out, s.Id+" runs whatever version of "+s.Name+" is newest")
		}
		for _, text := range append(slices.Clone(s.Args), s.Dir) {
			use(text)
		}
		if !slices.ContainsFunc(s.Args, func(a string) bool { return strings.Contains(a, `"${_ACTION}" =`) }) {
			out = append(out, s.Id+" does not ask which half of the build this is")
		}
	}
	for _, text := range build.Substitutions {
		use(text)
	}
	for name := range used {
		if _, declared := build.Substitutions[name]; !declared && !slices.Contains(builtin, name) {
			out = append(out, name+" is used and not declared")
		}
	}
	for name := range build.Substitutions {
		if !used[name] {
			out = append(out, name+" is declared and not used")
		}
	}
	slices.Sort(out)
	return out
}

func TestCloudBuild(t *testing.T) {
	text, err := os.ReadFile(buildFile)
	if err != nil {
		t.Fatal(err)
	}
	build, err := decodeBuild(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults(build) {
		t.Error(fault)
	}
	// Nothing is released that was not tested and searched for secrets, and nothing is applied but what a person saw.
	var order []string
	for _, s := range build.Steps {
		order = append(order, s.Id)
	}
	if want := []string{"test", "secrets", "build", "plan", "keep", "fetch", "apply"}; !slices.Equal(order, want) {
		t.Errorf("steps %q, want %q", order, want)
	}
	for i, needs := range map[int][]string{2: {"test", "secrets"}, 3: {"build"}, 4: {"plan"}, 6: {"fetch"}} {
		if !slices.Equal(build.Steps[i].WaitFor, needs) {
			t.Errorf("%s waits for %q, not for %q", build.Steps[i].Id, build.Steps[i].WaitFor, needs)
		}
	}
	for _, s := range build.Steps {
		half := "plan"
		if s.Id == "fetch" || s.Id == "apply" {
			half = "apply"
		}
		if !strings.Contains(strings.Join(s.Args, "\n"), `[ "${_ACTION}" = `+half+` ] || exit 0`) {
			t.Errorf("%s is not of the half %s", s.Id, half)
		}
	}
}

// TestFaultsAreFound: each mistake in a copy of the file is found.
func TestFaultsAreFound(t *testing.T) {
	text, err := os.ReadFile(buildFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"entrypoint:", "entrypont:", "unknown field"},
		{"timeout: 3600s", "timeOut: 3600s\nlimit: 1", "unknown field"},
		{"_REGION: europe-west1", "_REGION: europe-west1\n  _SPARE: x", "_SPARE is declared and not used"},
		{"bucket=${_STATE_BUCKET}", "bucket=${_STATEBUCKET}", "_STATEBUCKET is used and not declared"},
		{"waitFor: [fetch]", "waitFor: [fetched]", "apply waits for fetched"},
		{"- id: keep", "- id: plan", "a step has no name of its own: plan"},
		{"hashicorp/terraform:1.11", "hashicorp/terraform", "runs whatever version"},
		{`[ "${_ACTION}" = apply ] || exit 0`, "true", "does not ask which half"},
	} {
		planted := strings.Replace(string(text), c.old, c.new, 1)
		if planted == string(text) {
			t.Errorf("%q is not in the file", c.old)
			continue
		}
		build, err := decodeBuild([]byte(planted))
		found := faults(build)
		if err != nil {
			found = append(found, err.Error())
		}
		if !strings.Contains(strings.Join(found, "\n"), c.want) {
			t.Errorf("%s -> %s: found %q", c.old, c.new, found)
		}
	}
}
