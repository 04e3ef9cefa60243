# The one clock: a tick at every poll interval. What is due less often is found by the poll itself.

locals {
  # 5m or 2h; the interval has to fit the hour or the day, or cron would stumble at its end.
  parts = try(regex("^(\\d{1,2})(m|h)$", var.interval), ["0", "m"])
  n     = tonumber(local.parts[0])
  whole = local.n > 0 && (local.parts[1] == "m" ? 60 : 24) % max(local.n, 1) == 0
  cron = (
    local.parts[1] == "m" ? (local.n == 60 ? "0 * * * *" : "*/${local.n} * * * *") :
    local.n == 24 ? "0 0 * * *" : "0 */${local.n} * * *"
  )
}

resource "google_cloud_scheduler_job" "tick" {
  project   = var.project_id
  region    = var.region
  name      = "arbridge-tick"
  schedule  = local.cron
  time_zone = "Etc/UTC"
  # No attempt_deadline: it means nothing for a Pub/Sub target and would differ in every plan.

  retry_config {
    retry_count          = 3
    min_backoff_duration = "5s"
    max_backoff_duration = "30s"
  }

  pubsub_target {
    topic_name = var.topic
    data       = base64encode("{}") # a tick of all companies
  }

  lifecycle {
    precondition {
      condition     = local.whole
      error_message = "schedule.poll is ${var.interval}: expected minutes that divide an hour (1m, 5m, 15m) or hours that divide a day (1h, 6h)."
    }
  }
}
