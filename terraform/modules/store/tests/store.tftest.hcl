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
  project_id = "example-dev"
  location   = "europe-west1"
}

run "protected" {
  assert {
    condition = (google_firestore_database.main.delete_protection_state == "DELETE_PROTECTION_ENABLED" &&
      google_firestore_database.main.deletion_policy == "ABANDON" &&
    google_firestore_database.main.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED")
    error_message = "The database is not protected by default."
  }
  assert {
    condition     = google_firestore_backup_schedule.daily[0].retention == "1209600s" && length(google_firestore_backup_schedule.weekly) == 1
    error_message = "There are no backups by default."
  }
  assert {
    condition     = output.console_url == "https://console.cloud.google.com/firestore/databases/-default-/data/panel/records?project=example-dev"
    error_message = "The console calls the default database -default-."
  }
}

run "indexes" {
  assert {
    condition     = length(google_firestore_index.shape) == length(local.shapes)
    error_message = "A shape has no index."
  }
  assert {
    condition     = [for f in google_firestore_index.shape["records-company-status-updated_at-desc"].fields : "${f.field_path} ${f.order}"] == ["company ASCENDING", "status ASCENDING", "updated_at DESCENDING", "_id DESCENDING", "__name__ DESCENDING"]
    error_message = "An index has the equal fields, the order, _id and __name__."
  }
  assert {
    condition     = toset([for f in google_firestore_field.expiry : f.collection]) == toset(local.retained) && alltrue([for f in google_firestore_field.expiry : length(f.ttl_config) == 1])
    error_message = "A collection with retention has no TTL."
  }
  assert {
    condition     = alltrue([for c in keys(local.unindexed) : contains(keys(google_firestore_field.unindexed), "${c}-_write")])
    error_message = "The mark of the last write is indexed."
  }
}

run "may_be_destroyed" {
  variables {
    database    = "arbridge"
    protected   = false
    backup_days = 0
  }
  assert {
    condition     = google_firestore_database.main.deletion_policy == "DELETE" && google_firestore_database.main.delete_protection_state == "DELETE_PROTECTION_DISABLED"
    error_message = "The database could not be destroyed."
  }
  assert {
    condition     = length(google_firestore_backup_schedule.daily) + length(google_firestore_backup_schedule.weekly) == 0
    error_message = "There are backups that nobody asked for."
  }
}

run "backups_for_too_long" {
  command = plan
  variables {
    backup_days = 99
  }
  expect_failures = [var.backup_days]
}
