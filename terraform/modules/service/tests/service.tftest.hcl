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
  project_id      = "example-dev"
  region          = "europe-west1"
  function        = "poll"
  image           = "europe-west1-docker.pkg.dev/example-dev/arbridge/arbridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  service_account = "arbridge-poll@example-dev.iam.gserviceaccount.com"
  audience        = "https://arbridge.example-dev.internal"
  invokers        = { push = "arbridge-push@example-dev.iam.gserviceaccount.com" }
  env             = { ARBRIDGE_CONFIG = "companies: []" }
}

run "private" {
  assert {
    condition     = google_cloud_run_v2_service.function.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && google_cloud_run_v2_service.function.invoker_iam_disabled == false
    error_message = "A service that is not public is open."
  }
  assert {
    condition     = google_cloud_run_v2_service.function.custom_audiences == tolist(["https://arbridge.example-dev.internal"])
    error_message = "Tokens of pushes are made out to an audience that the service does not take."
  }
  assert {
    condition     = { for e in google_cloud_run_v2_service.function.template[0].containers[0].env : e.name => e.value } == { FUNCTION_TARGET = "poll", ARBRIDGE_CONFIG = "companies: []" }
    error_message = "The environment is not as given."
  }
  assert {
    condition     = [for m in google_cloud_run_v2_service_iam_member.invoker : m.member] == ["serviceAccount:arbridge-push@example-dev.iam.gserviceaccount.com"]
    error_message = "Only the push account may call it."
  }
  assert {
    condition     = google_cloud_run_v2_service.function.template[0].timeout == "570s" && google_cloud_run_v2_service.function.deletion_protection
    error_message = "The defaults are not the careful ones."
  }
}

run "public" {
  variables {
    function = "webhook"
    public   = true
    audience = null
    invokers = {}
  }
  assert {
    condition     = google_cloud_run_v2_service.function.ingress == "INGRESS_TRAFFIC_ALL" && google_cloud_run_v2_service.function.invoker_iam_disabled
    error_message = "The public service is closed."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invoker) == 0
    error_message = "A public service needs no invoker."
  }
}

run "image_by_tag" {
  command = plan
  variables {
    image = "europe-west1-docker.pkg.dev/example-dev/arbridge/arbridge:latest"
  }
  expect_failures = [var.image]
}

run "timeout_not_below_the_deadline" {
  command = plan
  variables {
    timeout = 600
  }
  expect_failures = [var.timeout]
}

run "more_instances_at_least_than_at_most" {
  command = plan
  variables {
    instances = { min = 3, max = 2 }
  }
  expect_failures = [var.instances]
}

run "configuration_too_long" {
  command = plan
  variables {
    env = { ARBRIDGE_CONFIG = format("%030000d", 0) }
  }
  expect_failures = [var.env]
}
