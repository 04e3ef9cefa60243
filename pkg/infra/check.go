package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/store"
)

// Facts are what the code says about the infrastructure it needs.
type Facts struct {
	Topics   []string            // topics that the code publishes to
	Shapes   []store.Shape       // query shapes
	Stored   []store.Collection  // every collection
	Retained []store.Collection  // collections with retention
	Metrics  map[string][]string // series in PromQL, with their labels
	Runbooks []string            // names of the runbooks, without .md
	// Functions are the functions, and whether anybody may call each.
	Functions map[string]bool
	// Protected says that what holds data must not be deletable.
	Protected bool
}

// Problem is one thing that is wrong with a plan.
type Problem struct {
	Check   string // name of the check
	Address string // resource, or what is missing
	Text    string // what is wrong
}

// String is "check: address: text".
func (p Problem) String() string { return p.Check + ": " + p.Address + ": " + p.Text }

// inspection is one look at a plan.
type inspection struct {
	plan     Plan
	facts    Facts
	config   *config.Config // as the functions read it; nil when they can not
	check    string
	problems []Problem
}

// Check looks at a plan and reports everything that is wrong with it.
func Check(p Plan, f Facts) []Problem {
	in := &inspection{plan: p, facts: f}
	for _, c := range []struct {
		name string
		run  func(*inspection)
	}{
		{"config", checkConfig}, // first: others need the configuration
		{"topic", checkTopics},
		{"push", checkPush},
		{"dead-letter", checkDeadLetters},
		{"expiration", checkExpiration},
		{"service", checkServices},
		{"public", checkPublic},
		{"role", checkRoles},
		{"bucket", checkBuckets},
		{"secret", checkSecrets},
		{"index", checkIndexes},
		{"ttl", checkRetention},
		{"field", checkFields},
		{"scheduler", checkScheduler},
		{"alert", checkAlerts},
		{"metric", checkMetrics},
		{"protection", checkProtection},
	} {
		in.check = c.name
		c.run(in)
	}
	return in.problems
}

func (in *inspection) say(address, format string, args ...any) {
	in.problems = append(in.problems, Problem{in.check, address, fmt.Sprintf(format, args...)})
}

// same reports what only one of two lists has.
func (in *inspection) same(want, have []string, missing, surplus string) {
	for _, w := range want {
		if !slices.Contains(have, w) {
			in.say(w, "%s", missing)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			in.say(h, "%s", surplus)
		}
	}
}

const (
	typeService      = "google_cloud_run_v2_service"
	typeTopic        = "google_pubsub_topic"
	typeSubscription = "google_pubsub_subscription"
	deadSuffix       = "-dead"
	ackDeadline      = "600"
)

// checkConfig reads the configuration that the services are given as they will read it themselves.
func checkConfig(in *inspection) {
	texts := map[string]string{}
	for _, s := range in.plan.Of(typeService) {
		text := s.env()[config.EnvVar]
		if text == "" {
			in.say(s.Address, "%s is not in its environment", config.EnvVar)
			continue
		}
		texts[text] = s.Address
	}
	if len(texts) > 1 {
		in.say(typeService, "the services have %d different configurations", len(texts))
	}
	for text, address := range texts {
		data, err := config.Unpack(text)
		if err != nil {
			in.say(address, "%s: %v", config.EnvVar, err)
			continue
		}
		cfg, problems := config.Parse(data, ".", config.Env{})
		for _, p := range problems {
			in.say(address, "%s: %v", config.EnvVar, p)
		}
		if cfg != nil {
			in.config = cfg
		}
	}
	if in.config == nil {
		return
	}
	cloud := in.config.Deployment.Cloud
	if !cloud.Authenticated {
		in.say("deployment.cloud.authenticated", "is off: Cloud Run takes the signature off the tokens it has checked, so every push would be refused")
	}
	if names := in.names("google_storage_bucket", "name"); !slices.Contains(names, cloud.Bucket) {
		in.say(cloud.Bucket, "the bucket of the configuration is not there")
	}
	if names := in.names("google_firestore_database", "name"); !slices.Contains(names, cloud.Database) {
		in.say(cloud.Database, "the database of the configuration is not there")
	}
}

// names are the values of one attribute.
func (in *inspection) names(kind, attribute string) []string {
	var out []string
	for _, r := range in.plan.Of(kind) {
		out = append(out, r.Values.Text(attribute))
	}
	return out
}

// checkServices: one for each function, from an image that can not change, and as the configuration says.
func checkServices(in *inspection) {
	var have []string
	accounts := map[string]string{}
	for _, s := range in.plan.Of(typeService) {
		v, template := s.Values, s.Values.Block("template")
		function := s.env()["FUNCTION_TARGET"]
		have = append(have, function)
		if want := "arbridge-" + function; v.Text("name") != want {
			in.say(s.Address, "is named %s, not %s", v.Text("name"), want)
		}
		if !strings.Contains(template.Text("containers", "image"), "@sha256:") {
			in.say(s.Address, "its image is not given by digest")
		}
		if template.Text("execution_environment") != "EXECUTION_ENVIRONMENT_GEN2" {
			in.say(s.Address, "does not run in the second generation")
		}
		if template.Block("containers").Block("startup_probe") == nil {
			in.say(s.Address, "has no startup probe")
		}
		if n := template.Text("scaling", "max_instance_count"); n == "" || n == "0" {
			in.say(s.Address, "the number of instances is not bounded")
		}
		if t := strings.TrimSuffix(template.Text("timeout"), "s"); len(t) > 3 || len(t) == 3 && t >= ackDeadline || t == "" {
			in.say(s.Address, "its timeout %s is not below the acknowledgement deadline of %s s", t, ackDeadline)
		}
		account := template.Text("service_account")
		if other, ok := accounts[account]; ok || account == "" {
			in.say(s.Address, "has no service account of its own: %s has %q too", other, account)
		}
		accounts[account] = s.Address
	}
	var want []string
	for name := range in.facts.Functions {
		want = append(want, name)
	}
	slices.Sort(want)
	in.same(want, have, "no service for this function", "there is no such function")
}

// checkBuckets: nobody can make an object public.
func checkBuckets(in *inspection) {
	for _, b := range in.plan.Of("google_storage_bucket") {
		if !b.Values.Flag("uniform_bucket_level_access") {
			in.say(b.Address, "uniform_bucket_level_access is off")
		}
		if b.Values.Text("public_access_prevention") != "enforced" {
			in.say(b.Address, "public_access_prevention is not enforced")
		}
		if len(b.Values.Blocks("lifecycle_rule")) == 0 {
			in.say(b.Address, "nothing ever deletes what is in it")
		}
	}
}

// checkSecrets: one for each credential that the configuration names, with a reminder, and no value in the state.
func checkSecrets(in *inspection) {
	for _, v := range in.plan.Of("google_secret_manager_secret_version") {
		in.say(v.Address, "a secret's value would be in the state: add versions by hand")
	}
	for _, s := range in.plan.Of("google_secret_manager_secret") {
		if s.Values.Text("rotation", "rotation_period") == "" || s.Values.Block("topics") == nil {
			in.say(s.Address, "nobody is reminded to replace it")
		}
	}
	if in.config != nil {
		in.same(secretNames(in.config), in.names("google_secret_manager_secret", "secret_id"),
			"the configuration names this secret and it is not there", "no configuration names this secret")
	}
}

// secretNames are the secrets of a configuration, sorted.
func secretNames(c *config.Config) []string {
	var out []string
	for name := range secretClasses(c) {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// checkScheduler: ticks come.
func checkScheduler(in *inspection) {
	jobs := in.plan.Of("google_cloud_scheduler_job")
	ticked := false
	for _, j := range jobs {
		ticked = ticked || last(j.Values.Text("pubsub_target", "topic_name")) == "ticks"
		if j.Values.Block("pubsub_target") != nil && j.Values.Text("attempt_deadline") != "" {
			in.say(j.Address, "attempt_deadline means nothing for a Pub/Sub target and differs in every plan")
		}
	}
	if !ticked {
		in.say("google_cloud_scheduler_job", "no job publishes ticks")
	}
}

// checkProtection: where it matters, nothing that holds data can be deleted by mistake.
func checkProtection(in *inspection) {
	if !in.facts.Protected {
		return
	}
	for _, r := range in.plan.Resources {
		v := r.Values
		switch r.Type {
		case typeService, "google_secret_manager_secret":
			if !v.Flag("deletion_protection") {
				in.say(r.Address, "deletion_protection is off")
			}
		case "google_firestore_database":
			if v.Text("delete_protection_state") != "DELETE_PROTECTION_ENABLED" || v.Text("deletion_policy") != "ABANDON" {
				in.say(r.Address, "the database can be deleted")
			}
			if v.Text("point_in_time_recovery_enablement") != "POINT_IN_TIME_RECOVERY_ENABLED" {
				in.say(r.Address, "the database can not be read as it was before a mistake")
			}
		case "google_storage_bucket":
			if v.Flag("force_destroy") || v.Text("soft_delete_policy", "retention_duration_seconds") == "0" {
				in.say(r.Address, "files can be deleted for good at once")
			}
		}
	}
	if len(in.plan.Of("google_firestore_backup_schedule")) == 0 {
		in.say("google_firestore_backup_schedule", "there are no backups")
	}
}
