# Alerts on forward progress: whether money and documents move, not whether machines are busy. Each says what to look at
# first and links to its runbook.

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  project      = var.project_id
  display_name = "arbridge: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "arbridge: ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for c in google_monitoring_notification_channel.email : c.name]
  user_labels           = { app = "arbridge", runbook = each.key }

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.key
      condition_prometheus_query_language {
        query               = conditions.value
        duration            = "${each.value.minutes * 60}s"
        evaluation_interval = "60s"
        # The functions' own metrics exist from their first beat on, which comes after this.
        disable_metric_validation = true
      }
    }
  }

  documentation {
    subject   = "arbridge ${var.environment}: ${each.value.subject}"
    mime_type = "text/markdown"
    content   = "${each.value.first}\n\nRunbook: ${var.runbook_base_url}/${each.key}.md"
    links {
      display_name = "Runbook"
      url          = "${var.runbook_base_url}/${each.key}.md"
    }
  }

  alert_strategy {
    auto_close = "604800s" # it closes when its condition ends; this is for metrics that never come back
  }
}

resource "google_monitoring_dashboard" "overview" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "arbridge ${var.environment}"
    mosaicLayout = {
      columns = 12
      tiles = [
        for i, chart in local.charts : {
          xPos   = i % 2 * 6
          yPos   = floor(i / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [for q in chart.queries : { plotType = "LINE", timeSeriesQuery = { prometheusQuery = q } }]
            }
          }
        }
      ]
    }
  })
}
