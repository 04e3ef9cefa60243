# The Firestore database with an index for every query that the code makes (pkg/store, Shapes) and retention.

resource "google_firestore_database" "main" {
  project     = var.project_id
  name        = var.database
  location_id = var.location
  type        = "FIRESTORE_NATIVE"

  # The store's conditions on documents need no locks.
  concurrency_mode                  = "OPTIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = var.protected ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.protected ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.protected ? "ABANDON" : "DELETE"
}

resource "google_firestore_index" "shape" {
  for_each = { for s in local.shapes : join("-", concat([s.collection], s.equal, [s.order_by, s.desc ? "desc" : "asc"])) => s }

  project    = var.project_id
  database   = google_firestore_database.main.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.equal
    content {
      field_path = fields.value
      order      = "ASCENDING"
    }
  }
  # Queries order by _id, our own id, after the field; Firestore ends every index with __name__, in the same direction.
  dynamic "fields" {
    for_each = [each.value.order_by, "_id", "__name__"]
    content {
      field_path = fields.value
      order      = each.value.desc ? "DESCENDING" : "ASCENDING"
    }
  }
}

# Documents are removed some time after this field's time; reads do not rely on it. Nothing queries the field, and an index
# on a time that grows would limit writing.
resource "google_firestore_field" "expiry" {
  for_each = toset(local.retained)

  project    = var.project_id
  database   = google_firestore_database.main.name
  collection = each.value
  field      = "expire_at"

  ttl_config {}
  index_config {}
}

# Firestore indexes every field by itself unless told not to. What nothing filters by, not even a person in the console,
# costs a write for each entry; large texts and nested parts would be many.
resource "google_firestore_field" "unindexed" {
  for_each = merge([for collection, fields in local.unindexed : { for f in concat(["_write"], fields) : "${collection}-${f}" => { collection = collection, field = f } }]...)

  project    = var.project_id
  database   = google_firestore_database.main.name
  collection = each.value.collection
  field      = each.value.field

  index_config {}
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.backup_days > 0 ? 1 : 0

  project   = var.project_id
  database  = google_firestore_database.main.name
  retention = "${var.backup_days * 86400}s"

  daily_recurrence {}
}

resource "google_firestore_backup_schedule" "weekly" {
  count = var.backup_days > 0 ? 1 : 0

  project   = var.project_id
  database  = google_firestore_database.main.name
  retention = "8467200s" # 14 weeks, the most there is

  weekly_recurrence {
    day = "SUNDAY"
  }
}
