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
  project_id       = "example-dev"
  environment      = "dev"
  emails           = ["ar-operations@example.com"]
  runbook_base_url = "https://example.com/runbooks"
  tick_minutes     = 5
}

run "alerts" {
  assert {
    condition     = output.alerts == tolist(["dead-letters", "error-budget", "no-tick", "no-webhooks", "poll-stale", "queue-stalled", "reconciliation-difference", "secret-expiring", "unknown-outcomes"])
    error_message = "An alert is missing or has no runbook."
  }
  assert {
    condition     = alltrue([for name, a in google_monitoring_alert_policy.alert : a.documentation[0].links[0].url == "https://example.com/runbooks/${name}.md"])
    error_message = "An alert does not link to its runbook."
  }
  assert {
    condition     = alltrue([for a in google_monitoring_alert_policy.alert : length(a.notification_channels) == 1])
    error_message = "Nobody is told."
  }
  assert {
    condition     = alltrue([for c in google_monitoring_alert_policy.alert["no-tick"].conditions : strcontains(c.condition_prometheus_query_language[0].query, "[20m]")])
    error_message = "With a tick every five minutes, none for twenty is late."
  }
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.overview.dashboard_json).mosaicLayout.tiles) == length(local.charts)
    error_message = "A chart is missing."
  }
}

run "an_interval_of_an_hour_is_waited_for" {
  command = plan
  variables {
    tick_minutes = 60
  }
  assert {
    condition     = local.alerts["poll-stale"].conditions["the ERP was not read"] == "max by (company) (last_over_time(arbridge_freshness{flow=\"poll\"}[185m])) > 11100"
    error_message = "The alert comes before the poll can."
  }
}

run "nobody_to_tell" {
  command = plan
  variables {
    emails = []
  }
  expect_failures = [var.emails]
}

run "runbooks_with_a_slash_at_the_end" {
  command = plan
  variables {
    runbook_base_url = "https://example.com/runbooks/"
  }
  expect_failures = [var.runbook_base_url]
}
