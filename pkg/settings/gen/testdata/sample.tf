# Written by go run ./pkg/settings/gen/settingsdoc -terraform. Change the declarations in pkg/settings, not this file.

variable "deployment_settings" {
  description = <<-EOT
    Settings of the whole installation; see infra/docs/settings.md.

    schedule.poll: How often.
    notify.digest: When.
    notify.mail: Old.
  EOT
  type = object({
    schedule = optional(object({
      poll = optional(string, "5m")
    }), {})
    notify = optional(object({
      digest = optional(list(string), ["on"])
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

variable "company_settings" {
  description = <<-EOT
    Settings of each company, by company id; see infra/docs/settings.md.

    company.mode: What it does.
    company.code: The code.
    sandbox.email: The address.
    payments.methods_map: The $${methods}.
    notify.digest: When.
  EOT
  type = map(object({
    company = object({
      mode = optional(string, "on")
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
  }))
  default   = {}
  nullable  = false
  sensitive = true
  validation {
    condition     = alltrue([for s in values(var.company_settings) : s.company.mode == null ? true : contains(["on", "off"], s.company.mode)])
    error_message = "Setting company.mode: expected one of on, off."
  }
  validation {
    condition     = alltrue([for s in values(var.company_settings) : can(regex("^\\d{2}$", s.company.code))])
    error_message = "Setting company.code: expected a text."
  }
  validation {
    condition     = alltrue([for s in values(var.company_settings) : s.company.mode == "on" ? s.sandbox.email != null : true])
    error_message = "Setting sandbox.email: required while company.mode is on."
  }
  validation {
    condition     = alltrue([for s in values(var.company_settings) : s.payments.methods_map == null ? true : alltrue([for k, v in s.payments.methods_map : can(regex("^[a-z]+$", k)) && contains(["on", "off"], v)])])
    error_message = "Setting payments.methods_map: expected a map of texts."
  }
  validation {
    condition     = alltrue([for s in values(var.company_settings) : s.company.mode != "off" ? try(length(s.payments.methods_map), 0) > 0 : true])
    error_message = "Setting payments.methods_map: required while company.mode is not off."
  }
  validation {
    condition     = alltrue([for s in values(var.company_settings) : s.notify.digest == null ? true : alltrue([for v in s.notify.digest : contains(["on", "off"], v)])])
    error_message = "Setting notify.digest: expected a list of any of on, off."
  }
}
