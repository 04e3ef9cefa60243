package infra

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/config"
)

// Anybody is the principal of what needs no credentials.
const Anybody = "anybody"

// Binding says that a principal has a role on something, in the words of infra/docs/iam.md: accounts without their project,
// secrets by what they are for.
type Binding struct{ Principal, Role, On string }

// String is "principal has role on thing".
func (b Binding) String() string { return fmt.Sprintf("%s has %s on %s", b.Principal, b.Role, b.On) }

// secretClasses says what each secret of a configuration is for.
func secretClasses(c *config.Config) map[string]string {
	out := map[string]string{}
	for _, company := range c.Companies {
		out[company.Q360.CredentialsSecret] = "Q360 credentials"
		out[company.Invoiced.APIKeySecret] = "Invoiced API keys"
		out[company.Invoiced.WebhookSecret] = "webhook signing secrets"
	}
	if name := c.Deployment.Mail.PasswordSecret; name != "" {
		out[name] = "mail password"
	}
	return out
}

var agentNumber = regexp.MustCompile(`^service-[0-9]+@`)

// principal shortens a member.
func principal(member string) string {
	if member == "allUsers" || member == "allAuthenticatedUsers" {
		return Anybody
	}
	_, name, _ := strings.Cut(member, ":")
	name = agentNumber.ReplaceAllString(name, "")
	if account, domain, ok := strings.Cut(name, "@"); ok && strings.HasPrefix(account, "arbridge-") && strings.HasSuffix(domain, ".iam.gserviceaccount.com") {
		return account
	}
	return strings.TrimSuffix(name, ".iam.gserviceaccount.com")
}

// grantOn describes what the IAM resources of each type are about: the word for it and the attribute with its name.
func grantOn() map[string][2]string {
	return map[string][2]string{
		"google_project_iam_member":                      {"project", ""},
		"google_pubsub_topic_iam_member":                 {"topic", "topic"},
		"google_pubsub_subscription_iam_member":          {"subscription", "subscription"},
		"google_storage_bucket_iam_member":               {"bucket of files", ""},
		"google_secret_manager_secret_iam_member":        {"", "secret_id"},
		"google_service_account_iam_member":              {"account", "service_account_id"},
		"google_cloud_run_v2_service_iam_member":         {"service", "name"},
		"google_artifact_registry_repository_iam_member": {"repository", "repository"},
	}
}

// Bindings are the roles that a plan gives, without repetitions, in order. A service that asks for no invoker counts as one
// that anybody may invoke. A kind of grant that is not known here is an error: it would be left out.
func Bindings(p Plan) ([]Binding, error) {
	in := &inspection{plan: p}
	checkConfig(in)
	classes := map[string]string{}
	if in.config != nil {
		classes = secretClasses(in.config)
	}
	var out []Binding
	for _, r := range p.Resources {
		if r.Type == typeService && r.Values.Flag("invoker_iam_disabled") {
			out = append(out, Binding{Anybody, "roles/run.invoker", "service " + r.Values.Text("name")})
		}
		if !strings.Contains(r.Type, "_iam_") || r.Type == "google_project_iam_custom_role" {
			continue
		}
		kind, ok := grantOn()[r.Type]
		if !ok || r.Values.Text("member") == "" {
			return nil, fmt.Errorf("%s: a grant that is not understood: it has to be an iam_member with a member known before applying", r.Address)
		}
		on := kind[0]
		if name := last(undomained(r.Values.Text(cmp.Or(kind[1], "role")))); r.Type == "google_secret_manager_secret_iam_member" {
			on = cmp.Or(classes[name], "secret "+name)
		} else if kind[1] != "" {
			on += " " + name
		}
		out = append(out, Binding{principal(r.Values.Text("member")), roleName(r.Values.Text("role")), on})
	}
	slices.SortFunc(out, compare)
	return slices.Compact(out), nil
}

// undomained takes the domain off the address of an account.
func undomained(name string) string {
	before, _, _ := strings.Cut(name, "@")
	return before
}

// roleName is the name of a role without the project of a custom one.
func roleName(role string) string {
	if strings.HasPrefix(role, "projects/") {
		return last(role)
	}
	return role
}

func compare(a, b Binding) int {
	return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.On, b.On), cmp.Compare(a.Role, b.Role))
}

// Table reads the bindings from the tables of a page, whose rows begin with principal, role and on, each with code marks or
// without. Several roles or things in one cell are separated by commas. A row whose reason is empty is an error.
func Table(page string) ([]Binding, error) {
	var out []Binding
	plain := strings.NewReplacer("`", "").Replace
	for n, line := range strings.Split(page, "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 4 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| Principal") {
			continue
		}
		if strings.TrimSpace(cells[3]) == "" {
			return nil, fmt.Errorf("line %d: no reason is given", n+1)
		}
		for role := range strings.SplitSeq(plain(cells[1]), ",") {
			for on := range strings.SplitSeq(plain(cells[2]), ",") {
				out = append(out, Binding{strings.TrimSpace(plain(cells[0])), strings.TrimSpace(role), strings.TrimSpace(on)})
			}
		}
	}
	slices.SortFunc(out, compare)
	return out, nil
}

// checkPublic: anybody may call the functions that are public, and nothing else is open to anybody.
func checkPublic(in *inspection) {
	for _, s := range in.plan.Of(typeService) {
		function := s.env()["FUNCTION_TARGET"]
		switch public := in.facts.Functions[function]; {
		case s.Values.Flag("invoker_iam_disabled") && !public:
			in.say(s.Address, "anybody may call it")
		case !s.Values.Flag("invoker_iam_disabled") && public:
			in.say(s.Address, "the portal can not call it")
		case !public && s.Values.Text("ingress") != "INGRESS_TRAFFIC_INTERNAL_ONLY":
			in.say(s.Address, "can be reached from outside the project")
		}
	}
	for _, r := range in.plan.Resources {
		if member := r.Values.Text("member"); member == "allUsers" || member == "allAuthenticatedUsers" {
			in.say(r.Address, "%s has %s", member, r.Values.Text("role"))
		}
	}
}

// checkRoles: no role that is wider than what a function does, and the whole project only for what has no smaller scope.
func checkRoles(in *inspection) {
	primitive := []string{"roles/owner", "roles/editor", "roles/viewer"}
	project := []string{"roles/datastore.user", "roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"}
	for _, r := range in.plan.Resources {
		role := r.Values.Text("role")
		switch {
		case slices.Contains(primitive, role) || strings.HasSuffix(strings.ToLower(role), "admin"):
			in.say(r.Address, "%s is far more than any function needs", role)
		case r.Type == "google_project_iam_member" && !slices.Contains(project, role):
			in.say(r.Address, "%s on the whole project: grant it on the resource", role)
		}
	}
	for _, r := range in.plan.Of("google_project_iam_custom_role") {
		if got := r.Values.Texts("permissions"); !slices.Equal(got, []string{"secretmanager.versions.list"}) {
			in.say(r.Address, "the role may %s", strings.Join(got, ", "))
		}
	}
}
