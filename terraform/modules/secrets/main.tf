# One secret per credential, readable only by the functions that need it. The values never pass through Terraform, so they
# are in no state: a person adds the versions (output add_commands).

locals {
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-secretmanager.iam.gserviceaccount.com"

  readers = merge([
    for secret, readers in var.secrets : { for name, account in readers : "${secret}-${name}" => { secret = secret, account = account } }
  ]...)
}

# Secret Manager says here what happened to a secret, among it that a new version is due.
resource "google_pubsub_topic" "rotation" {
  project = var.project_id
  name    = "secret-rotation"
  labels  = var.labels
}

resource "google_pubsub_topic_iam_member" "rotation" {
  project = var.project_id
  topic   = google_pubsub_topic.rotation.name
  role    = "roles/pubsub.publisher"
  member  = local.agent
}

# Only reminders stay here, until a person takes them off (infra/docs/runbooks/secret-expiring.md): an alert looks at how
# many there are.
resource "google_pubsub_subscription" "rotation" {
  project = var.project_id
  name    = "secret-rotation-due"
  topic   = google_pubsub_topic.rotation.name
  labels  = var.labels
  filter  = "attributes.eventType = \"SECRET_ROTATE\""

  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, the most there is

  expiration_policy {
    ttl = ""
  }
}

resource "google_secret_manager_secret" "credential" {
  for_each = var.secrets

  project             = var.project_id
  secret_id           = each.key
  labels              = var.labels
  deletion_protection = var.deletion_protection

  replication {
    auto {}
  }

  topics {
    name = "projects/${var.project_id}/topics/${google_pubsub_topic.rotation.name}"
  }
  rotation {
    rotation_period    = "${var.rotation_days * 86400}s"
    next_rotation_time = timeadd(plantimestamp(), "${var.rotation_days * 24}h")
  }

  lifecycle {
    ignore_changes = [rotation[0].next_rotation_time] # Secret Manager moves it on
  }

  depends_on = [google_pubsub_topic_iam_member.rotation]
}

# Readers take the two newest enabled versions, so that a rotation needs no pause; secretAccessor can not list them, and the
# role that can may do more.
resource "google_project_iam_custom_role" "versions" {
  project     = var.project_id
  role_id     = "arbridgeSecretVersions"
  title       = "arbridge: list the versions of a secret"
  permissions = ["secretmanager.versions.list"]
}

resource "google_secret_manager_secret_iam_member" "accessor" {
  for_each = local.readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.credential[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${each.value.account}"
}

resource "google_secret_manager_secret_iam_member" "lister" {
  for_each = local.readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.credential[each.value.secret].secret_id
  role      = "projects/${var.project_id}/roles/${google_project_iam_custom_role.versions.role_id}"
  member    = "serviceAccount:${each.value.account}"
}
