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
  environment           = "dev"
  protected             = false
  backup_days           = 0
  webhook_min_instances = 0
  project_id            = "example-dev"
  project_number        = "123456789012"
  region                = "europe-west1"
  image                 = "europe-west1-docker.pkg.dev/example-dev/arbridge/arbridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  alert_email           = "ar-operations@example.com"
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

run "outputs" {
  assert {
    condition     = output.webhook_urls == { us = "${module.service["webhook"].uri}/webhook/us" }
    error_message = "The address for Invoiced is not the webhook function's."
  }
  assert {
    condition     = sort(keys(output.service_urls)) == tolist(["poll", "receipt", "sync", "webhook"])
    error_message = "A function is missing."
  }
  assert {
    condition = yamldecode(output.config_yaml).deployment.cloud == {
      project              = "example-dev"
      database             = "(default)"
      bucket               = "example-dev-arbridge-files"
      push_service_account = output.push_service_account
      base_url             = local.audience
    }
    error_message = "The functions are told about other resources than these."
  }
}

run "readers_of_secrets" {
  command = plan
  assert {
    condition = { for name, r in local.readers : name => join(" ", sort(keys(r))) } == {
      q360-api-user       = "poll receipt sync"
      invoiced-us-api-key = "poll receipt sync"
      invoiced-us-webhook = "webhook"
      smtp-mailer         = "poll"
    }
    error_message = "A function may read a credential that it does not need."
  }
  assert {
    condition     = toset(keys(local.readers)) == module.config.secrets
    error_message = "The configuration names other secrets than there are."
  }
}

run "mappings_as_text_and_as_object" {
  command = plan
  variables {
    companies = {
      us = {
        q360 = {
          base_url           = "https://q360.example.com"
          credentials_secret = "q360-api-user"
          mapping            = "contract: q360-gateway/v1\ndefaults: {companyno: \"01\"}\n"
        }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
      ca = {
        q360 = {
          base_url           = "https://ca.example.com"
          credentials_secret = "q360-ca-user"
          mapping            = { contract = "q360-gateway/v1", site = { max_parallel = 2 }, history = null, classify = [{ code = "x" }] }
        }
        invoiced = { api_key_secret = "invoiced-ca-api-key", webhook_secret = "invoiced-ca-webhook" }
        settings = {
          company  = { q360_company = "02", time_zone = "America/Toronto", currency = "CAD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
      mx = {
        q360     = { base_url = "https://mx.example.com", credentials_secret = "q360-mx-user" }
        invoiced = { api_key_secret = "invoiced-mx-api-key", webhook_secret = "invoiced-mx-webhook" }
        settings = {
          company  = { q360_company = "03", time_zone = "America/Monterrey", currency = "MXN" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  assert {
    condition = jsonencode({ for c in yamldecode(module.config.yaml).companies : c.id => try(c.q360.mapping, "none") }) == jsonencode({
      us = { contract = "q360-gateway/v1", defaults = { companyno = "01" } }
      ca = { contract = "q360-gateway/v1", site = { max_parallel = 2 }, history = null, classify = [{ code = "x" }] }
      mx = "none"
    })
    error_message = "A mapping is not in the configuration as it was given."
  }
}

run "a_short_configuration_can_be_read" {
  command = plan
  assert {
    condition     = local.config_text == module.config.yaml
    error_message = "The configuration is compressed without need."
  }
}

run "a_long_configuration_is_compressed" {
  command = plan
  variables {
    companies = {
      for i in range(40) : "c${i}" => {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-${i}-user" }
        invoiced = { api_key_secret = "invoiced-${i}-api-key", webhook_secret = "invoiced-${i}-webhook" }
        settings = {
          company  = { q360_company = "${i}", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  assert {
    condition     = length(module.config.yaml) > 16000 && length(local.config_text) < 5000 && startswith(local.config_text, "H4sI")
    error_message = "40 companies do not fit into the environment."
  }
}

run "only_the_webhook_is_public" {
  command = plan
  assert {
    condition     = [for name, s in local.services : name if s.public] == ["webhook"]
    error_message = "Another function is public."
  }
}

run "project_number_is_an_id" {
  command = plan
  variables {
    project_number = "example-dev"
  }
  expect_failures = [var.project_number]
}

run "region_is_a_zone" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}
