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
  region         = "europe-west1"
  image          = "europe-west1-docker.pkg.dev/example-dev/arbridge/arbridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  alert_email    = "ar-operations@example.com"
  companies = {
    us = {
      q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
      invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
      settings = {
        company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
        sandbox  = { email = "test@example.com" }
        qualify  = { start_date = "2026-01-01" }
        payments = { mode = "off" }
        fees     = { strategy = "exclude" }
      }
    }
  }
  mail = { host = "smtp.example.com", from = "arbridge@example.com", username = "mailer", password_secret = "smtp-mailer" }
}

run "good" {
  assert {
    condition     = keys(output.webhook_urls) == ["us"] && endswith(output.webhook_urls["us"], "/webhook/us")
    error_message = "Every company has an address to enter in Invoiced."
  }
  assert {
    condition     = output.push_service_account == "arbridge-push@example-dev.iam.gserviceaccount.com"
    error_message = "The push account is another one."
  }
  assert {
    condition     = startswith(output.console_url, "https://console.cloud.google.com/firestore/") && length(output.dead_letter_subscriptions) == 3
    error_message = "What people look at is missing."
  }
  assert {
    condition     = toset(keys(output.secret_commands)) == toset(["q360-api-user", "invoiced-us-api-key", "invoiced-us-webhook", "smtp-mailer"])
    error_message = "There is not one secret for each credential."
  }
}

run "image_by_tag" {
  command = plan
  variables {
    image = "europe-west1-docker.pkg.dev/example-dev/arbridge/arbridge:latest"
  }
  expect_failures = [var.image]
}

run "nobody_to_tell" {
  command = plan
  variables {
    alert_email = ""
  }
  expect_failures = [var.alert_email]
}
