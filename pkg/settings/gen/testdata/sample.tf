# Written by go run ./pkg/settings/gen/settingsdoc. Change the declarations in pkg/settings, not this file.

variable "deployment_settings" {
  description = <<-EOT
    Settings of the whole installation; see infra/docs/settings.md.

    schedule.poll: How often.
    notify.digest: When.
    notify.mail: Old.
  EOT
  type = object({
    schedule = optional(object({
      poll = optional(string)
    }), {})
    notify = optional(object({
      digest = optional(list(string))
      mail   = optional(bool)
    }), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = var.deployment_settings.schedule.poll == null ? true : can(regex("^([0-9]{1,5}h([0-9]{1,7}m)?([0-9]{1,9}s)?|[0-9]{1,7}m([0-9]{1,9}s)?|[0-9]{1,9}s)$", var.deployment_settings.schedule.poll)) && try(timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.poll), timeadd("2000-01-01T00:00:00Z", "1m")) >= 0 && timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.poll), timeadd("2000-01-01T00:00:00Z", "1h")) <= 0, false)
    error_message = "Setting schedule.poll: expected a duration such as 90s, 5m or 1h30m, from 1m to 1h."
  }
  validation {
    condition     = var.deployment_settings.notify.digest == null ? true : alltrue([for v in var.deployment_settings.notify.digest : contains(["on", "off"], v)])
    error_message = "Setting notify.digest: expected a list of any of on, off."
  }
}

variable "companies" {
  description = <<-EOT
    Companies by their id, with their vendors and settings; see infra/docs/settings.md.

    company.mode: What it does.
    company.code: The code.
    sandbox.email: The address.
    payments.methods_map: The $${methods}.
    notify.digest: When.
  EOT
  type = map(object({
    name = optional(string)
    q360 = object({
      base_url           = string
      credentials_secret = string
      mapping            = optional(string) # the mapping itself, as YAML
    })
    invoiced = object({
      base_url       = optional(string)
      api_key_secret = string
      webhook_secret = string
    })
    settings = object({
      company = object({
        mode = optional(string)
        code = string
      })
      sandbox = optional(object({
        email = optional(string)
      }), {})
      payments = optional(object({
        methods_map = optional(map(string))
      }), {})
      notify = optional(object({
        digest = optional(list(string))
      }), {})
    })
  }))
  nullable  = false
  sensitive = true
  validation {
    condition     = length(var.companies) > 0
    error_message = "At least one company is required."
  }
  validation {
    condition     = alltrue([for id in keys(var.companies) : can(regex("^[a-z][a-z0-9-]{0,30}$", id))])
    error_message = "Company ids: expected lower-case letters, digits and -, a letter first, at most 31."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^(https://[^\\s/?#@\\\\]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)(/[^\\s?#@\\\\]*)?$", c.q360.base_url))])
    error_message = "q360.base_url: expected an address such as https://host.example.com."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.invoiced.base_url == null ? true : can(regex("^(https://[^\\s/?#@\\\\]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)(/[^\\s?#@\\\\]*)?$", c.invoiced.base_url))])
    error_message = "invoiced.base_url: expected an address such as https://api.invoiced.com."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.q360.mapping == null ? true : can(keys(yamldecode(c.q360.mapping)))])
    error_message = "q360.mapping: expected the mapping itself as the text of a YAML map, not the path of a file."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.q360.credentials_secret))])
    error_message = "q360.credentials_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.invoiced.api_key_secret))])
    error_message = "invoiced.api_key_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.invoiced.webhook_secret))])
    error_message = "invoiced.webhook_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.company.mode == null ? true : contains(["on", "off"], c.settings.company.mode)])
    error_message = "Setting company.mode: expected one of on, off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^\\d{2}$", c.settings.company.code))])
    error_message = "Setting company.code: expected a text."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.company.mode, "on") == "on" ? c.settings.sandbox.email != null : true])
    error_message = "Setting sandbox.email: required while company.mode is on."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.methods_map == null ? true : alltrue([for k, v in c.settings.payments.methods_map : can(regex("^[a-z]+$", k)) && contains(["on", "off"], v)])])
    error_message = "Setting payments.methods_map: expected a map of texts."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.company.mode, "on") != "off" ? try(length(c.settings.payments.methods_map), 0) > 0 : true])
    error_message = "Setting payments.methods_map: required while company.mode is not off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.notify.digest == null ? true : alltrue([for v in c.settings.notify.digest : contains(["on", "off"], v)])])
    error_message = "Setting notify.digest: expected a list of any of on, off."
  }
}
