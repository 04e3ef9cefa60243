# The alerts by name, which is also the name of the runbook. Names of metrics: infra/docs/deployment.md. In PromQL a metric of
# Google's has its resource type beside it.

locals {
  # A beat may be late by two ticks and five minutes before anybody is woken.
  late = 3 * var.tick_minutes + 5

  # A gauge is told once a beat, and PromQL forgets a value after five minutes: every gauge is looked for in this window.
  gauge = "last_over_time(%s[${local.late}m])"

  ticks   = "pubsub_googleapis_com:topic_send_request_count{monitored_resource=\"pubsub_topic\",topic_id=\"ticks\"}"
  waiting = "pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=%s}"
  answers = "run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=~\"arbridge-.*\"%s}"

  broken = format(local.answers, ",response_code_class=\"5xx\"")
  all    = format(local.answers, "")

  alerts = {
    no-tick = {
      severity = "CRITICAL"
      minutes  = 0
      subject  = "nothing asks for work"
      first    = "No tick was published, or the poll function reports nothing. Look at the scheduler job arbridge-tick first (paused? errors?), then at the log of the service arbridge-poll. Nothing is lost: the next poll reads on from its cursor."
      conditions = {
        "no tick was published"              = "(sum(increase(${local.ticks}[${local.late}m])) or vector(0)) < 1"
        "the poll function has not reported" = "absent_over_time(arbridge_freshness{flow=\"poll\"}[${local.late}m])"
      }
    }
    poll-stale = {
      severity = "ERROR"
      minutes  = 5
      subject  = "a company is not being read"
      first    = "Ticks come, but a company's reads do not succeed. Run `arbridge status --company COMPANY`: it shows the last poll with its error, pauses, and vendors that are not called. Most often it is the ERP's credentials or its network."
      conditions = {
        "the ERP was not read"              = "max by (company) (${format(local.gauge, "arbridge_freshness{flow=\"poll\"}")}) > ${local.late * 60}"
        "the portal's events were not read" = "max by (company) (${format(local.gauge, "arbridge_freshness{flow=\"gap_fill\"}")}) > 7200"
        "nightly work did not end"          = "max by (company, flow) (${format(local.gauge, "arbridge_freshness{flow=~\"reconcile|retention\"}")}) > 270000"
      }
    }
    no-webhooks = {
      severity = "WARNING"
      minutes  = 15
      subject  = "the portal's webhooks do not arrive"
      first    = "Events are found by the gap fill that no webhook brought, so payments arrive late. Look at Developers > Webhooks in Invoiced: switched off after failures, or another address than the output webhook_urls? Then at the answers of the service arbridge-webhook (401 = the signing secret differs)."
      conditions = {
        "events came only by the gap fill" = "max by (company) (${format(local.gauge, "arbridge_events_untold")}) > 0"
      }
    }
    dead-letters = {
      severity = "ERROR"
      minutes  = 0
      subject  = "messages were given up"
      first    = "A message failed ten times. Pull it from its -dead subscription without acknowledging it, and find the error of its record in the log. The work is not lost, the store knows what is due; the cause has to be mended."
      conditions = {
        "a dead letter waits" = "max by (subscription_id) (${format(local.waiting, "~\".*-dead\"")}) > 0"
      }
    }
    unknown-outcomes = {
      severity = "CRITICAL"
      minutes  = 5
      subject  = "nobody knows whether a write happened"
      first    = "A write to a vendor was not answered and looking it up has not cleared it for an hour. Nothing is written again meanwhile. Run `arbridge list --status unknown_outcome`, then `arbridge show NUMBER`, and look up the key in Q360 or Invoiced. Never write it by hand before that."
      conditions = {
        "an outcome is unknown for an hour" = "max by (company) (${format(local.gauge, "arbridge_unknown_age")}) > 3600"
      }
    }
    reconciliation-difference = {
      severity = "ERROR"
      minutes  = 0
      subject  = "both sides differ and nothing explains it"
      first    = "The last reconciliation found a difference that no record explains. Run `arbridge reconcile --company COMPANY`: it names every unexplained difference and what would mend it. Start with the largest."
      conditions = {
        "an unexplained difference" = "max by (company) (${format(local.gauge, "arbridge_reconciliation_unexplained")}) > 0"
      }
    }
    error-budget = {
      severity = "ERROR"
      minutes  = 5
      subject  = "a function answers with errors"
      first    = "More than five in a hundred requests of a service fail, in the last hour and now. Read the service's log for severity ERROR; compare the time with the last deployment and go back to the revision before if they agree."
      conditions = {
        "more than 5 % of the answers are 5xx" = "sum by (service_name) (increase(${local.broken}[1h])) > 5 and sum by (service_name) (increase(${local.broken}[1h])) > 0.05 * sum by (service_name) (increase(${local.all}[1h])) and sum by (service_name) (increase(${local.broken}[10m])) > 0.05 * sum by (service_name) (increase(${local.all}[10m]))"
      }
    }
    secret-expiring = {
      severity = "WARNING"
      minutes  = 0
      subject  = "a credential is due to be replaced"
      first    = "Secret Manager says that a secret has reached its age. `gcloud secrets versions list NAME` shows it; make a new credential at the vendor, add it as a version, and take the reminder off the subscription secret-rotation-due."
      conditions = {
        "a reminder waits" = "max(${format(local.waiting, "\"secret-rotation-due\"")}) > 0"
      }
    }
    queue-stalled = {
      severity = "ERROR"
      minutes  = 5
      subject  = "due work is not done"
      first    = "The oldest due record of a company is overdue by half an hour. Run `arbridge status --company COMPANY`: a pause, an open circuit breaker, or a long queue? Then look at the service arbridge-sync: answers, instances at their limit, throttling by the vendor (429)."
      conditions = {
        "work is overdue by half an hour" = "max by (company) (${format(local.gauge, "arbridge_queue_age")}) > 1800"
      }
    }
  }

  charts = [
    { title = "Seconds since the last success", queries = ["max by (company, flow) (${format(local.gauge, "arbridge_freshness")})"] },
    { title = "Money posted per hour, minor units", queries = ["sum by (company, currency) (increase(arbridge_money_posted_total[1h]))"] },
    { title = "Effects per hour", queries = ["sum by (company, vendor, kind, verdict) (increase(arbridge_effects_total[1h]))"] },
    { title = "Due records, and seconds the oldest is overdue", queries = ["max by (company) (${format(local.gauge, "arbridge_queue_length")})", "max by (company) (${format(local.gauge, "arbridge_queue_age")})"] },
    { title = "Unknown outcomes, and seconds of the oldest", queries = ["max by (company) (${format(local.gauge, "arbridge_unknown_count")})", "max by (company) (${format(local.gauge, "arbridge_unknown_age")})"] },
    { title = "Open issues", queries = ["max by (company, severity) (${format(local.gauge, "arbridge_issues")})"] },
    { title = "Events per hour", queries = ["sum by (company, via, state) (increase(arbridge_events_total[1h]))"] },
    { title = "Unexplained differences", queries = ["max by (company) (${format(local.gauge, "arbridge_reconciliation_unexplained")})"] },
    { title = "Messages waiting", queries = ["max by (subscription_id) (${format(local.waiting, "~\".+\"")})"] },
    { title = "Answers per minute", queries = ["sum by (service_name, response_code_class) (rate(${local.all}[5m])) * 60"] },
  ]
}
