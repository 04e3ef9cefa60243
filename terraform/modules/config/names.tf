# Written by go run ./pkg/settings/gen/settingsdoc. Change the declarations in pkg/settings, not this file.

locals {
  names = {
    deployment = {
      documents = ["max_mib"]
      schedule  = ["poll", "gap_fill", "reconcile"]
      retention = ["payloads_days", "inbox_days"]
      notify    = ["digest", "recipients", "at"]
    }
    company = {
      company      = ["enabled", "mode", "q360_company", "time_zone", "currency"]
      sandbox      = ["email"]
      customers    = ["create", "sync_address", "address_source", "update_address", "update_fields", "match", "chase"]
      contacts     = ["sync", "roles", "primary_role", "update", "deactivate"]
      invoices     = ["draft", "send", "comment", "lines_with_pdf", "lines_without_pdf", "summary_text", "terms_map", "item_map", "variance", "zero_total", "update", "gone"]
      credit_notes = ["sync", "apply"]
      autopay      = ["rule", "customers"]
      documents    = ["attach", "required", "wait_days", "types"]
      qualify      = ["start_date", "payment_methods", "exclude_payment_methods", "invoice_types", "min_balance", "customers", "exclude_customers"]
      payments     = ["mode", "methods_map", "gl_accounts", "date", "reference_prefix", "overpayment", "closed_period", "receipt_mode", "attempts"]
      fees         = ["strategy", "gl_account"]
      activity     = ["viewed", "commented", "paid", "codes", "viewed_collapse"]
      limits       = ["q360_parallel", "q360_rps", "invoiced_parallel", "invoiced_rps"]
      notify       = ["digest", "recipients", "at"]
    }
  }
}
