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
  project_id        = "example-dev"
  bucket            = "example-dev-arbridge-files"
  location          = "europe-west1"
  delete_after_days = 180
  grants = {
    sync = { account = "sync@example-dev.iam.gserviceaccount.com", roles = ["roles/storage.objectCreator", "roles/storage.objectViewer"] }
  }
}

run "closed" {
  assert {
    condition     = google_storage_bucket.files.uniform_bucket_level_access && google_storage_bucket.files.public_access_prevention == "enforced"
    error_message = "The bucket could be made public."
  }
  assert {
    condition     = contains(flatten([for r in google_storage_bucket.files.lifecycle_rule : [for c in r.condition : c.age]]), 180) && google_storage_bucket.files.versioning[0].enabled == false
    error_message = "Files stay for ever."
  }
  assert {
    condition     = google_storage_bucket.files.soft_delete_policy[0].retention_duration_seconds == 604800 && google_storage_bucket.files.force_destroy == false
    error_message = "Files can not be restored."
  }
  assert {
    condition     = toset([for g in google_storage_bucket_iam_member.grant : g.role]) == toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])
    error_message = "The grants are not those given."
  }
}

run "deleted_at_once" {
  command = plan
  variables {
    delete_after_days = 0
  }
  expect_failures = [var.delete_after_days]
}

run "soft_delete_of_three_days" {
  command = plan
  variables {
    soft_delete_days = 3
  }
  expect_failures = [var.soft_delete_days]
}
