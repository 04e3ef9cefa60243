# What of a configuration is no setting. The forms are those that arbridge itself checks when it starts (pkg/config).

variable "given" {
  description = "companies and deployment_settings once more, as they were written. Terraform drops attributes that a typed variable does not have; here misspelled names are found. Null looks for none."
  type        = any
  default     = null
}

variable "cloud" {
  description = "Google Cloud resources of the installation; null for an embedded one. database is (default) unless given."
  type = object({
    project              = string
    database             = optional(string)
    bucket               = string
    push_service_account = string
    base_url             = string
  })
  default = null
  validation {
    condition     = var.cloud == null ? true : can(regex("^([a-z][a-z0-9.]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.cloud.project))
    error_message = "cloud.project: expected a project id such as example-prod."
  }
  validation {
    condition     = try(var.cloud.database, null) == null ? true : can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.cloud.database))
    error_message = "cloud.database: expected (default) or a database id such as arbridge."
  }
  validation {
    condition     = var.cloud == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.cloud.bucket))
    error_message = "cloud.bucket: expected a bucket name without gs://."
  }
  validation {
    condition     = var.cloud == null ? true : can(regex("^[a-z0-9-]+@[a-z0-9.-]+\\.gserviceaccount\\.com$", var.cloud.push_service_account))
    error_message = "cloud.push_service_account: expected an address such as push@example-prod.iam.gserviceaccount.com."
  }
  validation {
    condition     = var.cloud == null ? true : can(regex("^https://[^\\s?#@\\\\]+$", var.cloud.base_url))
    error_message = "cloud.base_url: expected an address such as https://arbridge.example.com."
  }
}

variable "mail" {
  description = "Mail server that sends the digests; null sends none. port is 587 and tls is required unless given."
  type = object({
    host            = string
    port            = optional(number)
    from            = string
    username        = optional(string)
    password_secret = optional(string)
    tls             = optional(string)
  })
  default = null
  validation {
    condition     = var.mail == null ? true : can(regex("^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$", var.mail.host))
    error_message = "mail.host: expected the name of a mail server such as smtp.example.com."
  }
  validation {
    condition     = try(var.mail.port, null) == null ? true : var.mail.port >= 1 && var.mail.port <= 65535 && floor(var.mail.port) == var.mail.port
    error_message = "mail.port: expected a port from 1 to 65535, usually 587 or 465."
  }
  validation {
    condition     = var.mail == null ? true : can(regex("^[^@\\s<>,;\"]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", var.mail.from))
    error_message = "mail.from: expected one e-mail address without a display name."
  }
  validation {
    condition     = var.mail == null ? true : (var.mail.username == null) == (var.mail.password_secret == null)
    error_message = "mail.username and mail.password_secret: give both or neither."
  }
  validation {
    condition     = try(var.mail.password_secret, null) == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", var.mail.password_secret))
    error_message = "mail.password_secret: expected the name of a secret such as smtp-password, not the secret itself."
  }
  validation {
    condition     = try(var.mail.tls, null) == null ? true : contains(["required", "opportunistic", "none"], var.mail.tls)
    error_message = "mail.tls: expected one of required, opportunistic, none."
  }
}
