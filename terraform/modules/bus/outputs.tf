output "topics" {
  description = "Full name of each topic."
  value       = { for name, topic in google_pubsub_topic.work : name => "projects/${var.project_id}/topics/${topic.name}" }
}

output "dead_letter_subscriptions" {
  description = "Names of the subscriptions that hold dead letters."
  value       = sort([for s in google_pubsub_subscription.dead : s.name])
}
