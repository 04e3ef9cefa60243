output "service_accounts" {
  description = "E-mail address of each function's service account."
  value       = { for name, account in google_service_account.function : name => "${account.account_id}@${local.domain}" }
}

output "push_service_account" {
  description = "E-mail address of the account whose tokens pushes carry."
  value       = "${google_service_account.push.account_id}@${local.domain}"
}

output "apis" {
  description = "The enabled APIs; depend on it to wait for them."
  value       = [for api in google_project_service.api : api.service]
}

output "image_repository" {
  description = "Where images are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}
