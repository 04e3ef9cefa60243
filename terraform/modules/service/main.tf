# One function as a Cloud Run service: the one image, told by FUNCTION_TARGET which function it is.

resource "google_cloud_run_v2_service" "function" {
  project  = var.project_id
  location = var.region
  name     = "arbridge-${var.function}"
  labels   = var.labels

  ingress             = var.public ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = var.deletion_protection

  # A public service is opened by not asking for an invoker, not by a grant to allUsers: organisations forbid the latter by
  # default (domain restricted sharing), and here one attribute of one service says that it is public.
  invoker_iam_disabled = var.public

  # What the tokens of pushes are made out to. A service's own address can not be in its environment (a cycle), so all of
  # them accept this one text, which the configuration holds too.
  custom_audiences = var.audience == null ? null : [var.audience]

  template {
    service_account                  = var.service_account
    timeout                          = "${var.timeout}s"
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    max_instance_request_concurrency = var.concurrency
    labels                           = var.labels

    scaling {
      min_instance_count = var.instances.min
      max_instance_count = var.instances.max
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      env {
        name  = "FUNCTION_TARGET"
        value = var.function
      }
      dynamic "env" {
        for_each = var.env
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        limits            = { cpu = var.cpu, memory = var.memory }
        cpu_idle          = true # nothing runs between requests
        startup_cpu_boost = true
      }

      # The functions answer nothing but their requests, so an open port is the sign of life.
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        tcp_socket {
          port = 8080
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version] # gcloud leaves its name there
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.function.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${each.value}"
}
