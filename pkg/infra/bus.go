package infra

import (
	"slices"
	"strings"
)

// checkTopics: the topics of the code, their dead letters, and those that secrets tell about themselves on; no others.
func checkTopics(in *inspection) {
	var have []string
	known := in.deadTopics()
	for _, s := range in.plan.Of("google_secret_manager_secret") {
		for _, t := range s.Values.Blocks("topics") {
			known = append(known, last(t.Text("name")))
		}
	}
	for _, name := range in.names(typeTopic, "name") {
		if !slices.Contains(known, name) {
			have = append(have, name)
		}
	}
	in.same(in.facts.Topics, have, "the code publishes to this topic and it is not there", "nothing uses this topic")
}

// deadTopics are the topics that subscriptions give their dead letters to.
func (in *inspection) deadTopics() []string {
	var out []string
	for _, s := range in.plan.Of(typeSubscription) {
		if t := s.Values.Text("dead_letter_policy", "dead_letter_topic"); t != "" {
			out = append(out, last(t))
		}
	}
	return out
}

// checkPush: every topic of the code is pushed to one function, signed, patient, in order and never for ever.
func checkPush(in *inspection) {
	pushed := map[string]int{}
	for _, s := range in.plan.Of(typeSubscription) {
		topic := last(s.Values.Text("topic"))
		if s.Values.Block("push_config") == nil {
			if slices.Contains(in.facts.Topics, topic) {
				in.say(s.Address, "is not pushed, and nothing pulls")
			}
			continue
		}
		pushed[topic]++
		in.pushed(s, topic)
	}
	for _, t := range in.facts.Topics {
		if pushed[t] != 1 {
			in.say(t, "%d push subscriptions, not one", pushed[t])
		}
	}
}

func (in *inspection) pushed(s Resource, topic string) {
	v := s.Values
	function, ok := strings.CutPrefix(v.Text("name"), topic+"-")
	if _, known := in.facts.Functions[function]; !ok || !known {
		in.say(s.Address, "is named %s, not %s and a function", v.Text("name"), topic+"-")
	}
	in.signed(s, function)
	if v.Text("retry_policy", "minimum_backoff") == "" || v.Text("retry_policy", "maximum_backoff") == "" {
		in.say(s.Address, "it is delivered again without a pause: no retry_policy")
	}
	if v.Text("dead_letter_policy", "dead_letter_topic") == "" || v.Text("dead_letter_policy", "max_delivery_attempts") == "" {
		in.say(s.Address, "it has no dead letters")
	}
	if !v.Flag("enable_message_ordering") {
		in.say(s.Address, "messages of one key are not in order")
	}
	if v.Text("ack_deadline_seconds") != ackDeadline {
		in.say(s.Address, "its acknowledgement deadline is %q, not %s s", v.Text("ack_deadline_seconds"), ackDeadline)
	}
}

// signed: pushes carry a token that Cloud Run and the function accept.
func (in *inspection) signed(s Resource, function string) {
	token := s.Values.Block("push_config").Block("oidc_token")
	audience, account := token.Text("audience"), token.Text("service_account_email")
	if audience == "" || account == "" {
		in.say(s.Address, "its pushes carry no token made out to an audience")
	}
	if in.config != nil {
		if cloud := in.config.Deployment.Cloud; audience != cloud.BaseURL || account != cloud.PushServiceAccount {
			in.say(s.Address, "its token (%s, %s) is not the one that the functions accept (%s, %s)", audience, account, cloud.BaseURL, cloud.PushServiceAccount)
		}
	}
	for _, service := range in.plan.Of(typeService) {
		if service.env()["FUNCTION_TARGET"] == function && !slices.Contains(service.Values.Texts("custom_audiences"), audience) {
			in.say(s.Address, "Cloud Run does not accept its audience for %s", function)
		}
	}
}

// checkDeadLetters: each goes to a topic that is there and keeps it, and Pub/Sub may pass it on.
func checkDeadLetters(in *inspection) {
	topics := in.names(typeTopic, "name")
	for _, s := range in.plan.Of(typeSubscription) {
		policy := s.Values.Block("dead_letter_policy")
		if policy == nil {
			continue
		}
		topic := last(policy.Text("dead_letter_topic"))
		if !slices.Contains(topics, topic) {
			in.say(s.Address, "its dead-letter topic %q is not there", topic)
		}
		if want := s.Values.Text("name") + deadSuffix; topic != want {
			in.say(s.Address, "its dead-letter topic is %q, not %q", topic, want)
		}
		kept := slices.ContainsFunc(in.plan.Of(typeSubscription), func(d Resource) bool {
			return last(d.Values.Text("topic")) == topic && d.Values.Block("push_config") == nil
		})
		if !kept {
			in.say(s.Address, "nothing subscribes to its dead-letter topic, so they vanish")
		}
		if !in.agentMay("google_pubsub_topic_iam_member", "topic", topic, "roles/pubsub.publisher") {
			in.say(s.Address, "Pub/Sub may not publish to its dead-letter topic")
		}
		if !in.agentMay("google_pubsub_subscription_iam_member", "subscription", s.Values.Text("name"), "roles/pubsub.subscriber") {
			in.say(s.Address, "Pub/Sub may not take dead letters off it")
		}
	}
}

// agentMay reports whether Pub/Sub's own account has a role on a resource.
func (in *inspection) agentMay(kind, attribute, name, role string) bool {
	return slices.ContainsFunc(in.plan.Of(kind), func(r Resource) bool {
		return last(r.Values.Text(attribute)) == name && r.Values.Text("role") == role &&
			strings.HasPrefix(r.Values.Text("member"), "serviceAccount:service-") &&
			strings.HasSuffix(r.Values.Text("member"), "@gcp-sa-pubsub.iam.gserviceaccount.com")
	})
}

// checkExpiration: a subscription without the block is deleted after 31 quiet days.
func checkExpiration(in *inspection) {
	for _, s := range in.plan.Of(typeSubscription) {
		if p := s.Values.Blocks("expiration_policy"); len(p) != 1 || p[0].Text("ttl") != "" {
			in.say(s.Address, "is deleted after some quiet days: expiration_policy { ttl = \"\" } is missing")
		}
	}
}
