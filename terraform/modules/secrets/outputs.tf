output "add_commands" {
  description = "How to add a version to each secret: the value is read from the terminal and is in no history."
  value       = { for name, s in google_secret_manager_secret.credential : name => "read -rs V && printf %s \"$V\" | gcloud secrets versions add ${s.secret_id} --project=${var.project_id} --data-file=-; unset V" }
}

output "rotation_subscription" {
  description = "Name of the subscription that holds reminders to replace a secret."
  value       = google_pubsub_subscription.rotation.name
}
