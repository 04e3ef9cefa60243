output "webhook_urls" {
  description = "By company, the address to enter in Invoiced."
  value       = { for id in keys(var.companies) : id => "${module.service["webhook"].uri}/webhook/${id}" }
}

output "service_urls" {
  description = "Address of each function."
  value       = { for name, s in module.service : name => s.uri }
}

output "console_url" {
  description = "The sync records in the Firestore console."
  value       = module.store.console_url
}

output "push_service_account" {
  description = "Account whose tokens pushes carry."
  value       = module.core.push_service_account
}

output "image_repository" {
  description = "Where images are pushed to."
  value       = module.core.image_repository
}

output "secret_commands" {
  description = "How to add a version to each secret."
  value       = module.secrets.add_commands
}

output "dead_letter_subscriptions" {
  description = "Subscriptions that hold dead letters."
  value       = module.bus.dead_letter_subscriptions
}

output "config_yaml" {
  description = "The configuration as the functions read it; it names secrets and holds none."
  value       = module.config.yaml
}
