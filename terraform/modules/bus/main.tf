# The topics, one push subscription each, and behind each of those a dead-letter topic with a subscription of its own,
# without which dead letters would vanish. Messages are references: losing all of them delays work and loses none.

locals {
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # By topic: the name of its subscription, which is also the start of the names of its dead letters.
  subscriptions = { for topic, s in var.topics : topic => "${topic}-${s.function}" }

  publishers = merge([
    for topic, s in var.topics : { for name, account in s.publishers : "${topic}-${name}" => { topic = topic, account = account } }
  ]...)
}

resource "google_pubsub_topic" "work" {
  for_each = var.topics

  project = var.project_id
  name    = each.key
  labels  = var.labels

  # Order per key holds within one region.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "push" {
  for_each = var.topics

  project = var.project_id
  name    = local.subscriptions[each.key]
  topic   = google_pubsub_topic.work[each.key].name
  labels  = var.labels

  ack_deadline_seconds       = 600
  enable_message_ordering    = true # can not be changed later
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = each.value.endpoint
    oidc_token {
      service_account_email = var.push_service_account
      audience              = var.audience
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = "projects/${var.project_id}/topics/${google_pubsub_topic.dead[each.key].name}"
    max_delivery_attempts = 10
  }

  # Without it a subscription is deleted after 31 quiet days.
  expiration_policy {
    ttl = ""
  }

  # A subscription that can not pass on its dead letters keeps them, so the rights come first.
  depends_on = [google_pubsub_topic_iam_member.dead_publisher]
}

resource "google_pubsub_topic" "dead" {
  for_each = var.topics

  project = var.project_id
  name    = "${local.subscriptions[each.key]}-dead"
  labels  = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "dead" {
  for_each = var.topics

  project = var.project_id
  name    = "${local.subscriptions[each.key]}-dead"
  topic   = google_pubsub_topic.dead[each.key].name
  labels  = var.labels

  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, the most there is

  expiration_policy {
    ttl = ""
  }
}

# Both grants are needed: Pub/Sub publishes the dead letter and acknowledges the original.
resource "google_pubsub_topic_iam_member" "dead_publisher" {
  for_each = var.topics

  project = var.project_id
  topic   = google_pubsub_topic.dead[each.key].name
  role    = "roles/pubsub.publisher"
  member  = local.agent
}

resource "google_pubsub_subscription_iam_member" "dead_subscriber" {
  for_each = var.topics

  project      = var.project_id
  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  project = var.project_id
  topic   = google_pubsub_topic.work[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${each.value.account}"
}
