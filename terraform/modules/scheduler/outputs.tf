output "minutes" {
  description = "Minutes between two ticks."
  value       = local.n * (local.parts[1] == "m" ? 1 : 60)
}

output "cron" {
  description = "When ticks are sent."
  value       = google_cloud_scheduler_job.tick.schedule
}
