variable "project_id" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the job."
  type        = string
}

variable "topic" {
  description = "Full name of the topic of ticks."
  type        = string
}

variable "interval" {
  description = "Time between two ticks: the setting schedule.poll, such as 5m."
  type        = string
  default     = "5m"
}
