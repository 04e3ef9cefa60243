variable "project_id" {
  description = "Project id."
  type        = string
}

variable "location" {
  description = "Location of the database: a region, or nam5 or eur3 for several. It can not be changed later."
  type        = string
}

variable "database" {
  description = "Database id. Only one database of a project has a free quota."
  type        = string
  default     = "(default)"
}

variable "protected" {
  description = "Whether the database can not be deleted and can be read as it was at any minute of the last seven days."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "Days that daily backups are kept, 0 for no backups. With it, weekly backups are kept 14 weeks."
  type        = number
  default     = 14
  validation {
    condition     = var.backup_days >= 0 && var.backup_days <= 98 && floor(var.backup_days) == var.backup_days
    error_message = "backup_days: expected a whole number from 0 to 98."
  }
}
