# The query shapes of pkg/store/collections.go, in its order. A test compares both (pkg/infra): a query without its index
# works everywhere but here.

locals {
  shapes = [
    { collection = "records", equal = [], order_by = "due_at", desc = false },
    { collection = "records", equal = ["company"], order_by = "due_at", desc = false },
    { collection = "records", equal = ["company"], order_by = "updated_at", desc = true },
    { collection = "records", equal = ["company", "status"], order_by = "updated_at", desc = true },
    { collection = "records", equal = ["company", "kind", "portal_id"], order_by = "updated_at", desc = true },
    { collection = "records", equal = ["company", "kind"], order_by = "updated_at", desc = true },
    { collection = "records", equal = ["company", "waits_for"], order_by = "updated_at", desc = true },
    { collection = "sources", equal = ["company", "kind"], order_by = "source_id", desc = false },
    { collection = "journal", equal = ["record"], order_by = "intended_at", desc = false },
    { collection = "journal", equal = ["state"], order_by = "check_at", desc = false },
    { collection = "inbox", equal = ["state"], order_by = "due_at", desc = false },
    { collection = "inbox", equal = ["subject"], order_by = "received_at", desc = false },
    { collection = "inbox", equal = ["company", "state"], order_by = "received_at", desc = true },
    { collection = "inbox", equal = ["company", "via"], order_by = "received_at", desc = true },
    { collection = "issues", equal = ["company", "state"], order_by = "updated_at", desc = true },
    { collection = "audit", equal = ["company"], order_by = "at", desc = true },
    { collection = "reconciliations", equal = ["company"], order_by = "at", desc = true },
  ]

  # pkg/store, Retained.
  retained = ["inbox", "reconciliations"]

  # By collection, the fields beside _write that are large or nested and that no query names.
  unindexed = {
    records         = ["applied", "contacts", "doubles", "events", "memory", "receipts", "summary", "timeline", "uses", "wanted"]
    sources         = ["document"]
    journal         = ["digest", "error"]
    inbox           = ["effect", "raw"]
    cursors         = ["value"]
    leases          = []
    issues          = ["detail", "fix", "money", "records"]
    runs            = ["error"]
    audit           = ["after", "before", "reason"]
    controls        = ["problem"]
    reconciliations = ["books", "first", "notes"]
  }
}
