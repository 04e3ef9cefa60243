package infra

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// edit is a plan with a mistake planted into it.
type edit struct {
	t *testing.T
	p Plan
}

// at gives the values of the only resource whose address has this end.
func (e *edit) at(suffix string) Values {
	e.t.Helper()
	return e.p.Resources[e.find(suffix)].Values
}

func (e *edit) find(suffix string) int {
	e.t.Helper()
	found := -1
	for i, r := range e.p.Resources {
		if strings.HasSuffix(r.Address, suffix) {
			if found >= 0 {
				e.t.Fatalf("%s is ambiguous", suffix)
			}
			found = i
		}
	}
	if found < 0 {
		e.t.Fatalf("no resource %s", suffix)
	}
	return found
}

func (e *edit) drop(suffix string) {
	e.t.Helper()
	i := e.find(suffix)
	e.p.Resources = slices.Delete(e.p.Resources, i, i+1)
}

func (e *edit) dropType(kind string) {
	e.p.Resources = slices.DeleteFunc(e.p.Resources, func(r Resource) bool { return r.Type == kind })
}

func (e *edit) add(kind, values string) {
	e.t.Helper()
	var v Values
	if err := json.Unmarshal([]byte(values), &v); err != nil {
		e.t.Fatal(err)
	}
	e.p.Resources = append(e.p.Resources, Resource{kind + ".planted", kind, v})
}

// env changes the configuration of every service.
func (e *edit) env(old, new string) {
	for _, s := range e.p.Of(typeService) {
		for _, v := range s.Values.Block("template").Block("containers").Blocks("env") {
			v["value"] = strings.ReplaceAll(v.Text("value"), old, new)
		}
	}
}

const (
	push    = `google_pubsub_subscription.push["tasks"]`
	webhook = `module.service["webhook"].google_cloud_run_v2_service.function`
	syncFn  = `module.service["sync"].google_cloud_run_v2_service.function`
)

type planted struct {
	name  string
	plant func(*edit)
	check string // the check that has to find it
	text  string // part of what it says
}

func plantedBus() []planted {
	return []planted{
		{"topic is gone", func(e *edit) { e.drop(`google_pubsub_topic.work["events"]`) }, "topic", "events: the code publishes to this topic"},
		{"topic without code", func(e *edit) { e.add(typeTopic, `{"name":"payments"}`) }, "topic", "payments: nothing uses"},
		{"subscription is gone", func(e *edit) { e.drop(push) }, "push", "tasks: 0 push subscriptions"},
		{"two subscriptions", func(e *edit) { e.at(`push["ticks"]`)["topic"] = "tasks" }, "push", "tasks: 2 push subscriptions"},
		{"pulled", func(e *edit) { delete(e.at(push), "push_config") }, "push", "is not pushed"},
		{"no token", func(e *edit) { delete(e.at(push).Block("push_config"), "oidc_token") }, "push", "carry no token"},
		{"another account", func(e *edit) {
			e.at(push).Block("push_config").Block("oidc_token")["service_account_email"] = "x@example-prod.iam.gserviceaccount.com"
		}, "push", "is not the one that the functions accept"},
		{"audience is refused", func(e *edit) { delete(e.at(syncFn), "custom_audiences") }, "push", "does not accept its audience for sync"},
		{"no retry", func(e *edit) { delete(e.at(push), "retry_policy") }, "push", "without a pause"},
		{"no dead letters", func(e *edit) { delete(e.at(push), "dead_letter_policy") }, "push", "has no dead letters"},
		{"no order", func(e *edit) { delete(e.at(push), "enable_message_ordering") }, "push", "not in order"},
		{"deadline", func(e *edit) { e.at(push)["ack_deadline_seconds"] = json.Number("10") }, "push", "acknowledgement deadline"},
		{"other name", func(e *edit) { e.at(push)["name"] = "tasks-work" }, "push", "is named tasks-work"},
		{"dead-letter topic is gone", func(e *edit) { e.drop(`google_pubsub_topic.dead["tasks"]`) }, "dead-letter", "is not there"},
		{"nothing keeps dead letters", func(e *edit) { e.drop(`google_pubsub_subscription.dead["tasks"]`) }, "dead-letter", "so they vanish"},
		{"may not publish", func(e *edit) { e.drop(`dead_publisher["tasks"]`) }, "dead-letter", "may not publish"},
		{"may not take off", func(e *edit) { e.at(`dead_subscriber["tasks"]`)["member"] = "serviceAccount:x@example.com" }, "dead-letter", "may not take"},
		{"shared dead letters", func(e *edit) {
			e.at(push).Block("dead_letter_policy")["dead_letter_topic"] = "projects/example-prod/topics/ticks-poll-dead"
		}, "dead-letter", `is "ticks-poll-dead"`},
		{"expires", func(e *edit) { delete(e.at(push), "expiration_policy") }, "expiration", "quiet days"},
		{"expires later", func(e *edit) {
			e.at(`google_pubsub_subscription.dead["ticks"]`).Block("expiration_policy")["ttl"] = "2678400s"
		}, "expiration", "quiet days"},
		{"no ticks", func(e *edit) { e.dropType("google_cloud_scheduler_job") }, "scheduler", "no job publishes"},
		{"deadline of a job", func(e *edit) { e.at("job.tick")["attempt_deadline"] = "60s" }, "scheduler", "differs in every plan"},
	}
}

func plantedServices() []planted {
	template := func(e *edit) Values { return e.at(syncFn).Block("template") }
	return []planted{
		{"no configuration", func(e *edit) { delete(template(e).Block("containers"), "env") }, "config", "is not in its environment"},
		{"bad configuration", func(e *edit) { e.env("q360_company", "q360_firm") }, "config", "q360_firm"},
		{"configuration cut off", func(e *edit) { template(e).Block("containers").Blocks("env")[0]["value"] = "H4sIAAAA" }, "config", "unpacking"},
		{"two configurations", func(e *edit) { template(e).Block("containers").Blocks("env")[0]["value"] = "companies: []" }, "config", "2 different configurations"},
		{"stripped tokens are refused", func(e *edit) { e.env("\"cloud\":\n", "\"cloud\":\n    \"authenticated\": false\n") }, "config", "every push would be refused"},
		{"another bucket", func(e *edit) { e.env("example-prod-arbridge-files", "example-prod-other") }, "config", "the bucket of the configuration"},
		{"another database", func(e *edit) { e.at("google_firestore_database.main")["name"] = "other" }, "config", "the database of the configuration"},
		{"service is gone", func(e *edit) { e.drop(syncFn) }, "service", "sync: no service"},
		{"service without code", func(e *edit) { e.env("receipt", "refund") }, "service", "refund: there is no such function"},
		{"image by tag", func(e *edit) { template(e).Block("containers")["image"] = "arbridge:latest" }, "service", "by digest"},
		{"time-out above the deadline", func(e *edit) { template(e)["timeout"] = "3600s" }, "service", "not below"},
		{"time-out at the deadline", func(e *edit) { template(e)["timeout"] = "600s" }, "service", "not below"},
		{"first generation", func(e *edit) { delete(template(e), "execution_environment") }, "service", "second generation"},
		{"no probe", func(e *edit) { delete(template(e).Block("containers"), "startup_probe") }, "service", "no startup probe"},
		{"no bound", func(e *edit) { delete(template(e), "scaling") }, "service", "not bounded"},
		{"shared account", func(e *edit) { template(e)["service_account"] = "arbridge-poll@example-prod.iam.gserviceaccount.com" }, "service", "of its own"},
		{"other service name", func(e *edit) { e.at(syncFn)["name"] = "sync" }, "service", "is named sync"},
		{"open to anybody", func(e *edit) { e.at(syncFn)["invoker_iam_disabled"] = true }, "public", "anybody may call it"},
		{"reachable", func(e *edit) { e.at(syncFn)["ingress"] = "INGRESS_TRAFFIC_ALL" }, "public", "from outside"},
		{"webhook is closed", func(e *edit) { delete(e.at(webhook), "invoker_iam_disabled") }, "public", "the portal can not call"},
		{"grant to all", func(e *edit) {
			e.add("google_storage_bucket_iam_member", `{"bucket":"b","role":"roles/storage.objectViewer","member":"allUsers"}`)
		}, "public", "allUsers has roles/storage.objectViewer"},
		{"owner", func(e *edit) { e.at(`["poll-datastore.user"]`)["role"] = "roles/owner" }, "role", "far more"},
		{"admin", func(e *edit) { e.at(`publisher["tasks-poll"]`)["role"] = "roles/pubsub.admin" }, "role", "far more"},
		{"whole project", func(e *edit) { e.at(`["poll-datastore.user"]`)["role"] = "roles/pubsub.publisher" }, "role", "grant it on the resource"},
		{"wide role", func(e *edit) { e.at("custom_role.versions")["permissions"] = []any{"secretmanager.secrets.delete"} }, "role", "secrets.delete"},
	}
}

func plantedData() []planted {
	bucket, index := "google_storage_bucket.files", `shape["records-company-status-updated_at-desc"]`
	return []planted{
		{"access per object", func(e *edit) { delete(e.at(bucket), "uniform_bucket_level_access") }, "bucket", "uniform"},
		{"public objects", func(e *edit) { e.at(bucket)["public_access_prevention"] = "inherited" }, "bucket", "not enforced"},
		{"files for ever", func(e *edit) { delete(e.at(bucket), "lifecycle_rule") }, "bucket", "ever deletes"},
		{"value in the state", func(e *edit) { e.add("google_secret_manager_secret_version", `{"secret":"s"}`) }, "secret", "in the state"},
		{"secret is gone", func(e *edit) { e.drop(`credential["q360-api-user"]`) }, "secret", "q360-api-user: the configuration names"},
		{"secret without use", func(e *edit) {
			e.add("google_secret_manager_secret", `{"secret_id":"old","rotation":[{"rotation_period":"1s"}],"topics":[{"name":"secret-rotation"}]}`)
		}, "secret", "old: no configuration names"},
		{"no reminder", func(e *edit) { delete(e.at(`credential["q360-api-user"]`), "rotation") }, "secret", "nobody is reminded"},
		{"index is gone", func(e *edit) { e.drop(index) }, "index", "records: company ASCENDING, status ASCENDING, updated_at DESCENDING, _id DESCENDING, __name__ DESCENDING: a query needs"},
		{"index without shape", func(e *edit) { e.at(index).Blocks("fields")[1]["field_path"] = "seen" }, "index", "seen ASCENDING, updated_at DESCENDING, _id DESCENDING, __name__ DESCENDING: no query needs"},
		{"other direction", func(e *edit) { e.at(index).Blocks("fields")[3]["order"] = "ASCENDING" }, "index", "a query needs"},
		{"no expiry", func(e *edit) { e.drop(`expiry["inbox"]`) }, "ttl", "inbox.expire_at: documents expire"},
		{"journal expires", func(e *edit) { e.at(`expiry["inbox"]`)["collection"] = "journal" }, "ttl", "journal.expire_at: a TTL removes"},
		{"mark is indexed", func(e *edit) { e.drop(`unindexed["journal-_write"]`) }, "field", "journal._write"},
		{"no such collection", func(e *edit) { e.at(`unindexed["journal-_write"]`)["collection"] = "ledger" }, "field", "no collection ledger"},
		{"filter without index", func(e *edit) { e.at(`unindexed["records-summary"]`)["field"] = "status" }, "field", "filter by status"},
		{"service can be deleted", func(e *edit) { delete(e.at(syncFn), "deletion_protection") }, "protection", "deletion_protection"},
		{"database can be deleted", func(e *edit) { e.at("database.main")["delete_protection_state"] = "DELETE_PROTECTION_DISABLED" }, "protection", "can be deleted"},
		{"no look back", func(e *edit) { delete(e.at("database.main"), "point_in_time_recovery_enablement") }, "protection", "as it was"},
		{"bucket can be emptied", func(e *edit) { e.at(bucket)["force_destroy"] = true }, "protection", "for good"},
		{"no backups", func(e *edit) { e.dropType("google_firestore_backup_schedule") }, "protection", "no backups"},
	}
}

func plantedAlerts() []planted {
	alert := `alert["queue-stalled"]`
	query := func(e *edit, q string) {
		e.at(alert).Block("conditions").Block("condition_prometheus_query_language")["query"] = q
	}
	return []planted{
		{"alert is gone", func(e *edit) { e.drop(alert) }, "alert", "queue-stalled: no alert links"},
		{"no such runbook", func(e *edit) {
			e.at(alert).Block("documentation").Block("links")["url"] = "https://example.com/other.md"
		}, "alert", "other: there is no such runbook"},
		{"not linked", func(e *edit) { e.at(alert).Block("documentation").Block("links")["url"] = "queue-stalled.md" }, "alert", "does not link"},
		{"says nothing", func(e *edit) { e.at(alert).Block("documentation")["content"] = "Look." }, "alert", "what to look at first"},
		{"no condition", func(e *edit) { delete(e.at(alert), "conditions") }, "alert", "has no condition"},
		{"nobody is told", func(e *edit) { e.dropType("google_monitoring_notification_channel") }, "alert", "nobody is told"},
		{"no such metric", func(e *edit) { query(e, "max(arbridge_queue_size) > 1") }, "metric", "arbridge_queue_size"},
		{"no metric", func(e *edit) { query(e, "vector(1)") }, "metric", "names no metric"},
		{"no such label", func(e *edit) { query(e, `arbridge_queue_age{tenant="us"} > 1`) }, "metric", "no label tenant"},
		{"no such group", func(e *edit) { query(e, "max by (company, tenant) (arbridge_queue_age) > 1") }, "metric", "has the label tenant"},
		{"dashboard", func(e *edit) {
			d := e.at("google_monitoring_dashboard.overview")
			d["dashboard_json"] = strings.ReplaceAll(d.Text("dashboard_json"), "arbridge_issues", "arbridge_problems")
		}, "metric", "arbridge_problems"},
	}
}

// TestPlantedMistakes plants one mistake after the other into a good plan: each has to be found, by the check it is for.
func TestPlantedMistakes(t *testing.T) {
	f := facts(t)
	f.Protected = true
	seen := map[string]bool{}
	for _, c := range slices.Concat(plantedBus(), plantedServices(), plantedData(), plantedAlerts()) {
		seen[c.check] = true
		t.Run(c.name, func(t *testing.T) {
			e := &edit{t, recorded(t)}
			before := texts(Check(e.p, f))
			c.plant(e)
			var news []string
			for _, p := range Check(e.p, f) {
				if p.Check == c.check && strings.Contains(p.String(), c.text) && !slices.Contains(before, p.String()) {
					return
				}
				news = append(news, p.String())
			}
			t.Errorf("not found by %s (%q); found is %q", c.check, c.text, news)
		})
	}
	names := []string{"alert", "bucket", "config", "dead-letter", "expiration", "field", "index", "metric", "protection", "public", "push",
		"role", "scheduler", "secret", "service", "topic", "ttl"}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, names) {
		t.Errorf("mistakes are planted for %q; want one at least for each of %q", got, names)
	}
}
