variable "project_id" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number; the address of Secret Manager's own account holds it."
  type        = string
}

variable "secrets" {
  description = "Name of each secret, and who reads it: function to the e-mail address of its account."
  type        = map(map(string))
  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", name))])
    error_message = "secrets: expected names of letters, digits, - and _, at most 100."
  }
}

variable "rotation_days" {
  description = "Days after which a reminder to replace a secret is due."
  type        = number
  default     = 180
  validation {
    condition     = var.rotation_days >= 1 && floor(var.rotation_days) == var.rotation_days
    error_message = "rotation_days: expected a whole number from 1."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the secrets."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
