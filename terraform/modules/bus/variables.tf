variable "project_id" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number; the address of Pub/Sub's own account holds it."
  type        = string
}

variable "region" {
  description = "Region that keeps the messages."
  type        = string
}

variable "topics" {
  description = "The topics: the function that is pushed to, its address, and who publishes (any key to an e-mail address)."
  type = map(object({
    function   = string
    endpoint   = string
    publishers = map(string)
  }))
}

variable "push_service_account" {
  description = "E-mail address of the account whose tokens pushes carry."
  type        = string
}

variable "audience" {
  description = "What the tokens are made out to."
  type        = string
  validation {
    condition     = startswith(var.audience, "https://")
    error_message = "audience: expected an https address."
  }
}

variable "labels" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
