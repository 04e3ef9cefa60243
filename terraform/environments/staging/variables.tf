variable "project_id" {
  description = "Project id. One project holds one environment."
  type        = string
}

variable "project_number" {
  description = "Project number: gcloud projects describe PROJECT --format='value(projectNumber)'."
  type        = string
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
}

variable "firestore_location" {
  description = "Location of the database where it is not region: nam5 or eur3 for several regions. It can not be changed later."
  type        = string
  default     = null
}

variable "image" {
  description = "Image of all functions, by digest, as make image prints it."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image: expected an image by digest, NAME@sha256:..., because a tag can be moved to something else."
  }
}

# Both take what ../../modules/config/variables.tf declares, which checks types and values; companies may differ in what
# they give, which no one type in between allows.
variable "companies" {
  description = "The companies by id: name, q360, invoiced, settings (infra/docs/settings.md)."
  type        = any
}

variable "deployment_settings" {
  description = "Settings of the whole installation (infra/docs/settings.md)."
  type        = any
  default     = {}
}

variable "mail" {
  description = "Mail server of the digests: host, port, from, username, password_secret, tls. null sends none."
  type        = any
  default     = null
}

variable "alert_email" {
  description = "E-mail address that is told about alerts."
  type        = string
  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alert_email))
    error_message = "alert_email: expected an e-mail address; an alert that nobody receives is none."
  }
}

variable "runbook_base_url" {
  description = "Where the runbooks (infra/docs/runbooks) can be read."
  type        = string
  default     = "https://github.com/arbridge/arbridge/blob/main/infra/docs/runbooks"
}
