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
  functions      = { poll = "asks", webhook = "takes" }
}

run "accounts" {
  assert {
    condition = output.service_accounts == {
      poll    = "arbridge-poll@example-dev.iam.gserviceaccount.com"
      webhook = "arbridge-webhook@example-dev.iam.gserviceaccount.com"
    }
    error_message = "Every function has its own account."
  }
  assert {
    condition     = output.push_service_account == "arbridge-push@example-dev.iam.gserviceaccount.com"
    error_message = "The push account's address is wrong."
  }
  assert {
    condition     = toset([for g in google_project_iam_member.function : g.role]) == toset(["roles/datastore.user", "roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"])
    error_message = "A function got a role in the project that it does not need."
  }
  assert {
    condition     = alltrue([for api in google_project_service.api : api.disable_on_destroy == false])
    error_message = "Destroying this would switch off APIs that others use."
  }
  assert {
    condition     = output.image_repository == "europe-west1-docker.pkg.dev/example-dev/arbridge"
    error_message = "The repository is not where the build pushes to."
  }
}

run "project_of_a_domain" {
  variables {
    project_id = "example.com:dev-1"
  }
  assert {
    condition     = output.push_service_account == "arbridge-push@dev-1.example.com.iam.gserviceaccount.com"
    error_message = "Addresses of a domain's project have its parts turned round."
  }
}
