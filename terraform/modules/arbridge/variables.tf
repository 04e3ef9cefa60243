variable "environment" {
  description = "Name of the environment: dev, staging or prod."
  type        = string
}

variable "project_id" {
  description = "Project id."
  type        = string
  validation {
    condition     = can(regex("^([a-z][a-z0-9.]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id: expected a project id such as example-prod."
  }
}

variable "project_number" {
  description = "Project number (gcloud projects describe PROJECT --format='value(projectNumber)'). It is not looked up, so that a plan needs no network."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{6,}$", var.project_number))
    error_message = "project_number: expected digits, not the project id."
  }
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region: expected a region such as europe-west1."
  }
}

variable "scheduler_region" {
  description = "Region of the scheduler job where Cloud Scheduler is not offered in region."
  type        = string
  default     = null
}

variable "firestore_location" {
  description = "Location of the database where it is not region: nam5 or eur3 for several regions."
  type        = string
  default     = null
}

variable "database" {
  description = "Firestore database id."
  type        = string
  default     = "(default)"
}

variable "image" {
  description = "Image of all functions, by digest."
  type        = string
}

variable "companies" {
  description = "The companies by id, as modules/config types them: name, q360, invoiced, settings."
  type        = any
}

variable "deployment_settings" {
  description = "Settings of the whole installation, as modules/config types them."
  type        = any
  default     = {}
}

variable "mail" {
  description = "Mail server of the digests, as modules/config types it; null sends none."
  type        = any
  default     = null
}

variable "alert_email" {
  description = "E-mail address that is told about alerts."
  type        = string
}

variable "runbook_base_url" {
  description = "Where infra/docs/runbooks can be read."
  type        = string
  default     = "https://github.com/arbridge/arbridge/blob/main/infra/docs/runbooks"
}

variable "protected" {
  description = "Whether what holds data can not be deleted: services, secrets, database, files."
  type        = bool
}

variable "backup_days" {
  description = "Days that daily backups of the database are kept; 0 for none."
  type        = number
}

variable "webhook_min_instances" {
  description = "Instances of the webhook function that are always there."
  type        = number
}

variable "sync_instances" {
  description = "Most instances of the sync function."
  type        = number
  default     = 2
}

variable "rotation_days" {
  description = "Days after which a reminder to replace a credential is due."
  type        = number
  default     = 180
}
