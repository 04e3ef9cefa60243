output "alerts" {
  description = "Names of the alerts, each with a runbook of that name."
  value       = sort(keys(local.alerts))
}
