# What everything else stands on: the APIs, one service account per function and one for pushes, and the image repository.

locals {
  # The e-mail addresses are built here, because a plan has to know them: the configuration of the functions names one.
  # A project of an organisation's domain (example.com:project) has its parts turned round in addresses.
  domain = "${join(".", reverse(split(":", var.project_id)))}.iam.gserviceaccount.com"

  # Every function reads and writes the store and reports about itself. Firestore has no permissions per collection: an
  # account that may use the database may use all of it.
  project_roles = ["roles/datastore.user", "roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"]

  grants = {
    for pair in setproduct(keys(var.functions), local.project_roles) :
    "${pair[0]}-${trimprefix(pair[1], "roles/")}" => { function = pair[0], role = pair[1] }
  }
}

resource "google_project_service" "api" {
  for_each = toset(var.apis)

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false # other things in the project may use it
}

resource "google_service_account" "function" {
  for_each = var.functions

  project      = var.project_id
  account_id   = "arbridge-${each.key}"
  display_name = "arbridge ${each.key}: ${each.value}"

  depends_on = [google_project_service.api]
}

resource "google_service_account" "push" {
  project      = var.project_id
  account_id   = "arbridge-push"
  display_name = "arbridge push: whose tokens Pub/Sub sends with its pushes"

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "function" {
  for_each = local.grants

  project = var.project_id
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.function[each.value.function].account_id}@${local.domain}"
}

# Pub/Sub signs the tokens of its pushes as this account. Projects made since April 2021 allow it that anyway; the grant on
# this one account makes older ones work too.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = "projects/${var.project_id}/serviceAccounts/${google_service_account.push.account_id}@${local.domain}"
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = "arbridge"
  format        = "DOCKER"
  labels        = var.labels

  # Cloud Run keeps its own copy of what it serves, so this only limits what can be rolled back to.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 30
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "7776000s" # 90 days
    }
  }

  depends_on = [google_project_service.api]
}
