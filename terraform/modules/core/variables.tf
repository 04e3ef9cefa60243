variable "project_id" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number; the addresses of Google's own accounts hold it."
  type        = string
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
}

variable "functions" {
  description = "The functions: name to what it does, in words."
  type        = map(string)
}

variable "apis" {
  description = "The APIs that have to be enabled."
  type        = list(string)
  default = [
    "artifactregistry.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "telemetry.googleapis.com",
  ]
}

variable "labels" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}
