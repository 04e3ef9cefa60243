variable "project_id" {
  description = "Project id."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket; one namespace for all of Google Cloud."
  type        = string
}

variable "location" {
  description = "Location of the bucket."
  type        = string
}

variable "delete_after_days" {
  description = "Days after which a file is deleted whatever it was for."
  type        = number
  validation {
    condition     = var.delete_after_days >= 1
    error_message = "delete_after_days: expected at least 1."
  }
}

variable "soft_delete_days" {
  description = "Days for which a deleted file can be restored: 0, or 7 to 90."
  type        = number
  default     = 7
  validation {
    condition     = var.soft_delete_days == 0 || var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "soft_delete_days: expected 0, or 7 to 90."
  }
}

variable "force_destroy" {
  description = "Whether the bucket may be deleted with files in it."
  type        = bool
  default     = false
}

variable "grants" {
  description = "Who may do what with the files: any key to an e-mail address and its roles."
  type        = map(object({ account = string, roles = list(string) }))
  default     = {}
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}
