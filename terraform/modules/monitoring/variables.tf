variable "project_id" {
  description = "Project id."
  type        = string
}

variable "environment" {
  description = "Name of the environment, for people."
  type        = string
}

variable "emails" {
  description = "E-mail addresses that are told about alerts."
  type        = list(string)
  validation {
    condition     = length(var.emails) > 0 && alltrue([for e in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", e))])
    error_message = "emails: expected at least one e-mail address; an alert that nobody receives is none."
  }
}

variable "runbook_base_url" {
  description = "Where the runbooks are, without a slash at the end; an alert links to NAME.md below it."
  type        = string
  validation {
    condition     = can(regex("^https://.*[^/]$", var.runbook_base_url))
    error_message = "runbook_base_url: expected an https address without a slash at the end."
  }
}

variable "tick_minutes" {
  description = "Minutes between two ticks."
  type        = number
  validation {
    condition     = var.tick_minutes >= 1
    error_message = "tick_minutes: expected at least 1."
  }
}
