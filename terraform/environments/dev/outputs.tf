output "webhook_urls" {
  description = "By company, the address to enter in Invoiced under Developers > Webhooks."
  value       = module.arbridge.webhook_urls
}

output "console_url" {
  description = "The sync records in the Firestore console."
  value       = module.arbridge.console_url
}

output "service_urls" {
  description = "Address of each function."
  value       = module.arbridge.service_urls
}

output "push_service_account" {
  description = "Account whose tokens pushes carry."
  value       = module.arbridge.push_service_account
}

output "image_repository" {
  description = "Where images are pushed to."
  value       = module.arbridge.image_repository
}

output "secret_commands" {
  description = "How to add a version to each secret. The values are in no state and no file."
  value       = module.arbridge.secret_commands
}

output "dead_letter_subscriptions" {
  description = "Subscriptions that hold dead letters."
  value       = module.arbridge.dead_letter_subscriptions
}

output "config_yaml" {
  description = "The configuration as the functions read it, for `arbridge config validate` and the operator's commands."
  value       = module.arbridge.config_yaml
}
