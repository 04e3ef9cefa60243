# The configuration that arbridge reads, as YAML text: exactly what was given, so that defaults stay with arbridge. yamlencode
# quotes every text, which keeps codes such as "01" and words such as "off" what they are.

locals {
  deployment_settings = {
    for group, values in var.deployment_settings : group => { for name, value in values : name => value if value != null }
    if anytrue([for value in values : value != null])
  }
  cloud = var.cloud == null ? null : { for name, value in var.cloud : name => value if value != null }
  mail  = var.mail == null ? null : { for name, value in var.mail : name => value if value != null }

  deployment = {
    for name, section in { settings = local.deployment_settings, cloud = local.cloud, mail = local.mail } : name => section
    if section != null && try(length(section), 0) > 0
  }
  companies = [
    for id, company in var.companies : merge(
      { id = id },
      company.name == null ? {} : { name = company.name },
      {
        # A mapping stands in the configuration itself: the image has no files. Read and written anew it is plain YAML.
        q360 = merge(
          { for name, value in company.q360 : name => value if value != null && name != "mapping" },
          { for text in [company.q360.mapping] : "mapping" => yamldecode(text) if text != null },
        )
        invoiced = { for name, value in company.invoiced : name => value if value != null }
        settings = {
          for group, values in company.settings : group => { for name, value in values : name => value if value != null }
          if anytrue([for value in values : value != null])
        }
      },
    )
  ]

  # Names that nothing reads, by their path.
  unknown = concat(
    [for name in try(keys(var.given), []) : name if !contains(["companies", "deployment_settings"], name)],
    flatten([
      for group, values in try(var.given.deployment_settings, {}) : !contains(keys(local.names.deployment), group) ? ["deployment_settings.${group}"] : [
        for name in try(keys(values), []) : "deployment_settings.${group}.${name}" if !contains(local.names.deployment[group], name)
      ]
    ]),
    flatten([for id, company in try(var.given.companies, {}) : concat(
      [for name in keys(company) : "companies.${id}.${name}" if !contains(["name", "q360", "invoiced", "settings"], name)],
      [for name in try(keys(company.q360), []) : "companies.${id}.q360.${name}" if !contains(["base_url", "credentials_secret", "mapping"], name)],
      [for name in try(keys(company.invoiced), []) : "companies.${id}.invoiced.${name}" if !contains(["base_url", "api_key_secret", "webhook_secret"], name)],
      flatten([
        for group, values in try(company.settings, {}) : !contains(keys(local.names.company), group) ? ["companies.${id}.settings.${group}"] : [
          for name in try(keys(values), []) : "companies.${id}.settings.${group}.${name}" if !contains(local.names.company[group], name)
        ]
      ]),
    )]),
  )
}
