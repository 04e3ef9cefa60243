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
  project_id     = "example-dev"
  project_number = "123456789012"
  secrets = {
    q360-api-user       = { poll = "poll@example-dev.iam.gserviceaccount.com", sync = "sync@example-dev.iam.gserviceaccount.com" }
    invoiced-us-webhook = { webhook = "webhook@example-dev.iam.gserviceaccount.com" }
  }
}

run "readers" {
  assert {
    condition = { for k, m in google_secret_manager_secret_iam_member.accessor : k => m.secret_id } == {
      q360-api-user-poll          = "q360-api-user"
      q360-api-user-sync          = "q360-api-user"
      invoiced-us-webhook-webhook = "invoiced-us-webhook"
    }
    error_message = "Somebody else may read a secret."
  }
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.accessor) == keys(google_secret_manager_secret_iam_member.lister)
    error_message = "Who reads a secret has to list its versions."
  }
  assert {
    condition     = google_project_iam_custom_role.versions.permissions == toset(["secretmanager.versions.list"])
    error_message = "The role may do more than list versions."
  }
}

run "rotation" {
  assert {
    condition     = alltrue([for s in google_secret_manager_secret.credential : s.rotation[0].rotation_period == "15552000s" && s.topics[0].name == "projects/example-dev/topics/secret-rotation" && s.deletion_protection])
    error_message = "Nobody would be reminded."
  }
  assert {
    condition     = google_pubsub_subscription.rotation.filter == "attributes.eventType = \"SECRET_ROTATE\"" && google_pubsub_subscription.rotation.expiration_policy[0].ttl == ""
    error_message = "The subscription holds other things than reminders, or goes away."
  }
  assert {
    condition     = strcontains(output.add_commands["q360-api-user"], "--data-file=-")
    error_message = "The command to add a version takes the value from where it leaves a trace."
  }
}

run "not_a_name" {
  command = plan
  variables {
    secrets = { "not a name" = {} }
  }
  expect_failures = [var.secrets]
}

run "rotation_of_no_days" {
  command = plan
  variables {
    rotation_days = 0
  }
  expect_failures = [var.rotation_days]
}
