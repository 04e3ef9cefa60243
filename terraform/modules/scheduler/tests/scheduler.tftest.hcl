# Run in this folder: terraform init && terraform test. Nothing is created.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "mock@example-dev.iam.gserviceaccount.com"
      member = "serviceAccount:mock@example-dev.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  topic      = "projects/example-dev/topics/ticks"
}

run "five_minutes" {
  assert {
    condition     = output.cron == "*/5 * * * *" && output.minutes == 5
    error_message = "A tick comes every five minutes."
  }
  assert {
    condition     = base64decode(google_cloud_scheduler_job.tick.pubsub_target[0].data) == "{}" && google_cloud_scheduler_job.tick.pubsub_target[0].topic_name == var.topic
    error_message = "A tick is an empty object on the topic of ticks."
  }
}

run "an_hour" {
  command = plan
  variables {
    interval = "60m"
  }
  assert {
    condition     = output.cron == "0 * * * *" && output.minutes == 60
    error_message = "Sixty minutes are an hour."
  }
}

run "six_hours" {
  command = plan
  variables {
    interval = "6h"
  }
  assert {
    condition     = output.cron == "0 */6 * * *" && output.minutes == 360
    error_message = "Six hours divide a day."
  }
}

run "a_day" {
  command = plan
  variables {
    interval = "24h"
  }
  assert {
    condition     = output.cron == "0 0 * * *" && output.minutes == 1440
    error_message = "Twenty-four hours are a day."
  }
}

run "seven_minutes_do_not_divide_an_hour" {
  command = plan
  variables {
    interval = "7m"
  }
  expect_failures = [google_cloud_scheduler_job.tick]
}

run "seconds" {
  command = plan
  variables {
    interval = "90s"
  }
  expect_failures = [google_cloud_scheduler_job.tick]
}

run "no_time" {
  command = plan
  variables {
    interval = "0m"
  }
  expect_failures = [google_cloud_scheduler_job.tick]
}
