output "database" {
  description = "Database id."
  value       = google_firestore_database.main.name
}

output "console_url" {
  description = "The sync records in the Firestore console."
  value       = "https://console.cloud.google.com/firestore/databases/${var.database == "(default)" ? "-default-" : var.database}/data/panel/records?project=${var.project_id}"
}
