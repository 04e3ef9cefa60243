# Run in this folder: terraform init && terraform test. Nothing is created.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "mock@example-dev.iam.gserviceaccount.com"
      member = "serviceAccount:mock@example-dev.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id           = "example-dev"
  project_number       = "123456789012"
  region               = "europe-west1"
  push_service_account = "arbridge-push@example-dev.iam.gserviceaccount.com"
  audience             = "https://arbridge.example-dev.internal"
  topics = {
    ticks = { function = "poll", endpoint = "https://poll.run.app", publishers = {} }
    tasks = {
      function   = "sync"
      endpoint   = "https://sync.run.app"
      publishers = { poll = "poll@example-dev.iam.gserviceaccount.com", sync = "sync@example-dev.iam.gserviceaccount.com" }
    }
  }
}

run "names" {
  assert {
    condition     = { for t, s in google_pubsub_subscription.push : t => s.name } == { ticks = "ticks-poll", tasks = "tasks-sync" }
    error_message = "Subscriptions are named topic-function."
  }
  assert {
    condition     = output.dead_letter_subscriptions == tolist(["tasks-sync-dead", "ticks-poll-dead"])
    error_message = "Every subscription has dead letters."
  }
  assert {
    condition     = output.topics["tasks"] == "projects/example-dev/topics/tasks"
    error_message = "Topics are given by their full name."
  }
}

run "push" {
  assert {
    condition = alltrue([for t, s in google_pubsub_subscription.push :
      s.push_config[0].push_endpoint == var.topics[t].endpoint && s.push_config[0].oidc_token[0].audience == var.audience &&
    s.push_config[0].oidc_token[0].service_account_email == var.push_service_account])
    error_message = "A push carries no token, or the wrong one."
  }
  assert {
    condition     = alltrue([for s in google_pubsub_subscription.push : s.enable_message_ordering && s.ack_deadline_seconds == 600 && s.expiration_policy[0].ttl == ""])
    error_message = "Order, deadline or life of a subscription is wrong."
  }
  assert {
    condition = alltrue([for t, s in google_pubsub_subscription.push :
    s.dead_letter_policy[0].dead_letter_topic == "projects/example-dev/topics/${google_pubsub_topic.dead[t].name}" && s.dead_letter_policy[0].max_delivery_attempts == 10])
    error_message = "Dead letters go nowhere."
  }
}

run "grants" {
  assert {
    condition     = alltrue([for m in concat(values(google_pubsub_topic_iam_member.dead_publisher), values(google_pubsub_subscription_iam_member.dead_subscriber)) : m.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"])
    error_message = "Pub/Sub itself passes dead letters on."
  }
  assert {
    condition     = { for k, m in google_pubsub_topic_iam_member.publisher : k => m.topic } == { tasks-poll = "tasks", tasks-sync = "tasks" }
    error_message = "The publishers are not those given."
  }
}

run "audience_is_no_address" {
  command = plan
  variables {
    audience = "arbridge"
  }
  expect_failures = [var.audience]
}
