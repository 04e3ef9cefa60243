# The bucket of the PDFs on their way from the ERP to the portal.

resource "google_storage_bucket" "files" {
  project       = var.project_id
  name          = var.bucket
  location      = var.location
  storage_class = "STANDARD"
  labels        = var.labels
  force_destroy = var.force_destroy

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # Objects are written once and never changed.
  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  # The nightly retention removes what was handed over; this catches what it never will, such as files of a company that is
  # no longer configured.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.delete_after_days
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }
}

resource "google_storage_bucket_iam_member" "grant" {
  for_each = merge([for name, g in var.grants : { for role in g.roles : "${name}-${trimprefix(role, "roles/")}" => { account = g.account, role = role } }]...)

  bucket = google_storage_bucket.files.name
  role   = each.value.role
  member = "serviceAccount:${each.value.account}"
}
