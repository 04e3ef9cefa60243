package infra

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/meter"
	"github.com/arbridge/arbridge/pkg/store"
)

const guide = "infra/docs/deployment.md"

// names are what a guide may name.
type names struct {
	outputs, variables map[string]bool // of every environment
	modules            map[string]bool // paths such as module.arbridge.module.core
	attributes         map[string]bool // variables and outputs of any module
	targets, commands  map[string]bool // of make; of arbridge, each word
	substitutions      map[string]bool
	settings           map[string]bool
	resources          map[string]bool // names of what the recorded plan makes
}

var (
	tfOutput     = regexp.MustCompile(`(?m)^output "([a-z_]+)"`)
	tfVariable   = regexp.MustCompile(`(?m)^variable "([a-z_]+)"`)
	tfModule     = regexp.MustCompile(`(?m)^module "([a-z]+)"`)
	makeTarget   = regexp.MustCompile(`(?m)^([a-z-]+):.*## `)
	commandUse   = regexp.MustCompile(`Use:\s+"([a-z-]+)`)
	settingTitle = regexp.MustCompile(`(?m)^### ([a-z_]+\.[a-z_0-9]+)$`)
	buildName    = regexp.MustCompile(`(?m)^  (_[A-Z_]+):`)
)

func source(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// all collects what the expression finds in the files that match.
func all(t *testing.T, form *regexp.Regexp, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	out := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range form.FindAllStringSubmatch(string(text), -1) {
			out[m[1]] = true
		}
	}
	return out
}

func known(t *testing.T) names {
	t.Helper()
	n := names{
		outputs: all(t, tfOutput, "terraform/environments/prod/*.tf"), variables: all(t, tfVariable, "terraform/environments/prod/*.tf"),
		attributes: all(t, tfVariable, "terraform/modules/*/*.tf"), modules: map[string]bool{"module.arbridge": true},
		targets: all(t, makeTarget, "Makefile"), commands: all(t, commandUse, "functions/arbridge/*.go"),
		substitutions: all(t, buildName, "cloudbuild.yaml"), settings: all(t, settingTitle, "infra/docs/settings.md"), resources: map[string]bool{},
	}
	for _, environment := range []string{"dev", "staging"} { // a guide is for all of them
		for have, form := range map[*map[string]bool]*regexp.Regexp{&n.outputs: tfOutput, &n.variables: tfVariable} {
			there := all(t, form, "terraform/environments/"+environment+"/*.tf")
			for name := range *have {
				if !there[name] {
					delete(*have, name)
				}
			}
		}
	}
	n.settings["terraform.tfvars"] = true // a file that looks like a setting
	for name := range all(t, tfModule, "terraform/modules/arbridge/*.tf") {
		n.modules["module.arbridge.module."+name] = true
	}
	for name := range all(t, tfOutput, "terraform/modules/*/*.tf") {
		n.attributes[name] = true
	}
	for _, r := range recorded(t).Resources {
		for _, attribute := range []string{"name", "secret_id", "account_id", "role_id"} {
			n.resources[r.Values.Text(attribute)] = true
		}
	}
	return n
}

// rule is one kind of name: where commands and spans have it, and what it has to be in.
type rule struct {
	what string
	form *regexp.Regexp
	in   func(names) map[string]bool
}

func rules() []rule {
	return []rule{
		{"output", regexp.MustCompile(`terraform output(?: -[a-z]+)* ([a-z][a-z_]*)`), func(n names) map[string]bool { return n.outputs }},
		{"variable", regexp.MustCompile(`-var ([A-Za-z_]+)=`), func(n names) map[string]bool { return n.variables }},
		{"variable", regexp.MustCompile(`(?m)^([a-z_]+) += `), func(n names) map[string]bool { return n.variables }},
		{"module", regexp.MustCompile(`-target=([a-z.]+)`), func(n names) map[string]bool { return n.modules }},
		{"make target", regexp.MustCompile(`\bmake (?:--silent )?(?:-C \S+ )?([a-z-]+)`), func(n names) map[string]bool { return n.targets }},
		{"arbridge command", regexp.MustCompile(`(?:^|[\s/])arbridge ([a-z][a-z-]*)`), func(n names) map[string]bool { return n.commands }},
		{"arbridge command", regexp.MustCompile(`(?:^|[\s/])arbridge [a-z-]+ ([a-z]{4,})(?:$|\s)`), func(n names) map[string]bool { return n.commands }},
		{"substitution", regexp.MustCompile(`[=,](_[A-Z]+)=`), func(n names) map[string]bool { return n.substitutions }},
		{"setting", regexp.MustCompile(`^([a-z_]+\.[a-z_0-9]+)(?: = .*)?$`), func(n names) map[string]bool { return n.settings }},
		{"variable or output", regexp.MustCompile(`^([a-z]+(?:_[a-z]+)+)$`), func(n names) map[string]bool { return n.attributes }},
		{"scheduler job", regexp.MustCompile(`gcloud scheduler jobs \w+ (\S+)`), func(n names) map[string]bool { return n.resources }},
		{"service", regexp.MustCompile(`gcloud run services [\w-]+ (\S+)`), func(n names) map[string]bool { return n.resources }},
		{"service", regexp.MustCompile(`service_name="([^"]+)"`), func(n names) map[string]bool { return n.resources }},
		{"secret", regexp.MustCompile(`gcloud secrets versions (?:add |disable \d+ --secret=)(\S+)`), func(n names) map[string]bool { return n.resources }},
		{"role", regexp.MustCompile(`^(arbridge[A-Z]\w+)$`), func(n names) map[string]bool { return n.resources }},
	}
}

// codeOf are the lines of a page's fenced code and its code spans.
func codeOf(page string) []string {
	var out []string
	fenced := false
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			out = append(out, line)
			continue
		}
		for i, part := range strings.Split(line, "`") {
			if i%2 == 1 {
				out = append(out, part)
			}
		}
	}
	return out
}

// guideFaults lists the names on a page that do not exist, and how many names of each kind were looked up.
func guideFaults(page string, n names) (faults []string, seen map[string]int) {
	seen = map[string]int{}
	metrics := map[string]bool{}
	for _, m := range meter.Names() {
		metrics[m.Name] = true
	}
	for _, code := range codeOf(page) {
		for _, r := range rules() {
			for _, m := range r.form.FindAllStringSubmatch(code, -1) {
				if seen[r.what]++; !r.in(n)[m[1]] && !metrics[m[1]] {
					faults = append(faults, r.what+" "+m[1]+" in: "+code)
				}
			}
		}
	}
	for name := range metrics {
		if !strings.Contains(page, "`"+name+"`") {
			faults = append(faults, "metric "+name+" is not on the page")
		}
	}
	slices.Sort(faults)
	return faults, seen
}

// TestGuideNamesExist: what the commands of the deployment guide name is there, in every environment.
func TestGuideNamesExist(t *testing.T) {
	n := known(t)
	faults, seen := guideFaults(source(t, guide), n)
	for _, fault := range faults {
		t.Error(fault)
	}
	for _, r := range rules() {
		if seen[r.what] == 0 {
			t.Errorf("no %s is on the page: nothing was checked", r.what)
		}
	}
	if faults, _ := guideFaults(source(t, "terraform/README.md"), n); len(faults) != len(meter.Names()) { // it has no metrics
		t.Errorf("terraform/README.md: %q", faults)
	}
}

// TestGuideFaultsAreFound: each kind of name is missed when it does not exist.
func TestGuideFaultsAreFound(t *testing.T) {
	n, page := known(t), source(t, guide)
	for _, line := range []string{
		"terraform output -raw webhook_url", "terraform apply -var images=x", "image_name = 1", "terraform apply -target=module.arbridge.module.base",
		"make -C ../../.. images IMAGE=x", "arbridge stati", "../../../.build/arbridge config validated", "gcloud x --substitutions=_ENV=dev,_ACT=plan",
		"company.modus", "schedule.poll_every = \"5m\"", "rotation_month", "gcloud scheduler jobs run arbridge-tock --location=x",
		"gcloud run services update-traffic arbridge-send --to-latest", "gcloud secrets versions add invoiced-us-key --data-file=-", "arbridgeSecrets",
	} {
		faults, _ := guideFaults(page+"\n```sh\n"+line+"\n```\n", n)
		if len(faults) != 1 {
			t.Errorf("%s: found %q", line, faults)
		}
	}
	if faults, _ := guideFaults(strings.Replace(page, "`arbridge.queue.age`", "", 1), n); len(faults) != 1 {
		t.Errorf("metric that is left out: %q", faults)
	}
}

// TestGrowthFigures: the counts that the page about growth reckons with.
func TestGrowthFigures(t *testing.T) {
	page := strings.Join(strings.Fields(source(t, "infra/docs/growth.md")), " ")
	p := recorded(t)
	subscriptions := len(p.Of(typeSubscription))
	if len(store.Shapes) != 17 || !strings.Contains(page, "of which 17 are used") {
		t.Errorf("%d query shapes", len(store.Shapes))
	}
	if subscriptions != 7 || !strings.Contains(page, "10,000 subscriptions per project | 7,") {
		t.Errorf("%d subscriptions", subscriptions)
	}
	for file, text := range map[string]string{"service/variables.tf": "<= 30000", "arbridge/main.tf": "<= 16000", "arbridge/services.tf": "instances   = { min = 0, max = 2 }"} {
		if !strings.Contains(source(t, "terraform/modules/"+file), text) {
			t.Errorf("terraform/modules/%s: %s is no longer there", file, text)
		}
	}
}
