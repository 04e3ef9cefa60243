variable "project_id" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}

variable "function" {
  description = "Name of the function (FUNCTION_TARGET)."
  type        = string
}

variable "image" {
  description = "Image by digest."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image: expected an image by digest, NAME@sha256:..., because a tag can be moved to something else."
  }
}

variable "service_account" {
  description = "E-mail address of the function's service account."
  type        = string
}

variable "invokers" {
  description = "Accounts that may call the service: any key to an e-mail address."
  type        = map(string)
  default     = {}
}

variable "public" {
  description = "Whether anybody may call the service; it then has to check its callers itself."
  type        = bool
  default     = false
}

variable "audience" {
  description = "Audience that tokens may be made out to beside the service's own address."
  type        = string
  default     = null
}

variable "env" {
  description = "Environment variables. None of them is a secret."
  type        = map(string)
  default     = {}
  validation {
    condition     = sum(concat([0], [for name, value in var.env : length(name) + length(value)])) <= 30000
    error_message = "env: longer than 30,000 characters together; Cloud Run takes 32 KiB. Fewer companies fit into one installation."
  }
}

variable "timeout" {
  description = "Seconds that a request may take; below the 600 s that Pub/Sub waits for its answer."
  type        = number
  default     = 570
  validation {
    condition     = var.timeout >= 1 && var.timeout < 600
    error_message = "timeout: expected 1 to 599 seconds, below the acknowledgement deadline of 600."
  }
}

variable "concurrency" {
  description = "Requests that one instance handles at a time."
  type        = number
  default     = 8
}

variable "instances" {
  description = "Fewest and most instances. The most, times a process's own rate limit, bounds what a vendor sees."
  type        = object({ min = optional(number, 0), max = optional(number, 2) })
  default     = {}
  validation {
    condition     = var.instances.min >= 0 && var.instances.max >= 1 && var.instances.min <= var.instances.max
    error_message = "instances: expected 0 <= min <= max and max >= 1."
  }
}

variable "cpu" {
  description = "CPUs of an instance."
  type        = string
  default     = "1"
}

variable "memory" {
  description = "Memory of an instance."
  type        = string
  default     = "512Mi"
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of the service and its revisions."
  type        = map(string)
  default     = {}
}
