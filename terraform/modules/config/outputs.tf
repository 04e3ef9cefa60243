output "yaml" {
  description = "Text of the configuration, for the environment variable ARBRIDGE_CONFIG. It names secrets and holds none."
  value       = yamlencode(merge(length(local.deployment) == 0 ? {} : { deployment = local.deployment }, { companies = local.companies }))
  precondition {
    condition     = length(local.unknown) == 0
    error_message = "No such setting: ${join(", ", local.unknown)}. See infra/docs/settings.md for all names."
  }
}

output "secrets" {
  description = "Names of the secrets that the configuration uses, which have to exist."
  value = toset(concat(
    [for company in var.companies : company.q360.credentials_secret],
    flatten([for company in var.companies : [company.invoiced.api_key_secret, company.invoiced.webhook_secret]]),
    try(var.mail.password_secret, null) == null ? [] : [var.mail.password_secret],
  ))
}
