# Run in terraform/modules/config: terraform init && terraform test. Nothing here needs a provider or a network.

variables {
  companies = {
    us = {
      name = "Example US"
      q360 = {
        base_url           = "https://q360.example.com"
        credentials_secret = "q360-api-user"
        mapping            = <<-EOT
          # The site's own.
          contract: q360-gateway/v1
          site: {max_parallel: 2, timeouts: {list: 90s}}
          entities:
            invoice:
              columns: {invoiceno: INVOICENO, subtotal: null}
              posted_when: {column: PRTID, op: "=", value: "Y"}
          classify:
            - {code: closed_period, message: '(?i)\bperiod\b'}
          defaults:
            companyno: "01"
        EOT
      }
      invoiced = { base_url = "https://api.sandbox.invoiced.com", api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
      settings = {
        company   = { mode = "live", q360_company = "01", time_zone = "America/New_York", currency = "USD" }
        customers = { create = false, update_fields = ["name", "phone"] }
        invoices  = { variance = "0.05", comment = "off", terms_map = { NET30 = "NET 30" } }
        autopay   = { rule = "off", customers = { "10045" = "all" } }
        qualify   = { start_date = "2026-01-01" }
        payments  = { methods_map = { credit_card = "CARD" }, gl_accounts = { USD = "1010" }, attempts = 3 }
        fees      = { gl_account = "4950" }
        notify    = { digest = "daily", recipients = ["ar@example.com"] }
      }
    }
    ca = {
      q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
      invoiced = { api_key_secret = "invoiced-ca-api-key", webhook_secret = "invoiced-ca-webhook" }
      settings = {
        company  = { q360_company = "02", time_zone = "America/Toronto", currency = "CAD" }
        sandbox  = { email = "test@example.com" }
        qualify  = { start_date = "2026-01-01" }
        payments = { mode = "off" }
        fees     = { strategy = "exclude" }
      }
    }
  }
  deployment_settings = { schedule = { poll = "10m" }, retention = { payloads_days = 30 } }
  cloud = {
    project              = "example-prod"
    bucket               = "example-prod-arbridge"
    push_service_account = "push@example-prod.iam.gserviceaccount.com"
    base_url             = "https://arbridge.example.com"
  }
  mail = { host = "smtp.example.com", from = "arbridge@example.com", username = "mailer", password_secret = "smtp-mailer" }
}

run "good_settings_are_rendered" {
  command = plan
  assert {
    condition     = output.yaml == file("tests/good.yaml")
    error_message = "The text is not that of tests/good.yaml, which arbridge's own tests read."
  }
  assert {
    condition = output.secrets == toset([
      "invoiced-ca-api-key", "invoiced-ca-webhook", "invoiced-us-api-key", "invoiced-us-webhook", "q360-api-user", "smtp-mailer",
    ])
    error_message = "The secrets are not those that are named."
  }
}

run "nothing_but_companies_is_needed" {
  command = plan
  variables {
    deployment_settings = {}
    cloud               = null
    mail                = null
  }
  assert {
    condition     = keys(yamldecode(output.yaml)) == ["companies"]
    error_message = "What was not given is rendered."
  }
}

run "mapping_by_path" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user", mapping = "q360-mapping.yaml" }
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
  }
  expect_failures = [var.companies]
}

run "no_company" {
  command = plan
  variables {
    companies = {}
  }
  expect_failures = [var.companies]
}

run "the_company_of_the_cases_below_is_good" {
  command = plan
  variables {
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
  }
}

run "unknown_mode" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD", mode = "test" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "sandbox_without_safe_address" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = null }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "code_of_a_company_with_other_letters" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "0;1", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "currency_in_lower_case" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "usd" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "no_day_of_the_calendar" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-02-30" }
          payments = { mode = "off" }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "payments_without_accounts" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "charged", methods_map = { ach = "ACH" } }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "payments_without_methods" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { gl_accounts = { USD = "1010" } }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "fees_without_account" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off" }
          fees     = { strategy = "gl_line" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "too_many_attempts" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off", attempts = 11 }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "half_an_attempt" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "q360-api-user" }
        invoiced = { api_key_secret = "invoiced-us-api-key", webhook_secret = "invoiced-us-webhook" }
        settings = {
          company  = { q360_company = "01", time_zone = "America/New_York", currency = "USD" }
          sandbox  = { email = "test@example.com" }
          qualify  = { start_date = "2026-01-01" }
          payments = { mode = "off", attempts = 1.5 }
          fees     = { strategy = "exclude" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "too_many_calls_at_a_time" {
  command = plan
  variables {
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
          limits   = { q360_parallel = 33 }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "unknown_role" {
  command = plan
  variables {
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
          contacts = { roles = ["AP", "CEO"] }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "negative_variance" {
  command = plan
  variables {
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
          invoices = { variance = "-1" }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "unknown_rule_of_a_customer" {
  command = plan
  variables {
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
          autopay  = { customers = { "10045" = "sometimes" } }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "digest_to_no_address" {
  command = plan
  variables {
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
          notify   = { recipients = ["Jane <jane@example.com>"] }
        }
      }
    }
  }
  expect_failures = [var.companies]
}

run "company_id_in_upper_case" {
  command = plan
  variables {
    companies = {
      US = {
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
  }
  expect_failures = [var.companies]
}

run "address_without_encryption" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "http://q360.example.com", credentials_secret = "q360-api-user" }
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
  }
  expect_failures = [var.companies]
}

run "a_secret_where_its_name_belongs" {
  command = plan
  variables {
    companies = {
      us = {
        q360     = { base_url = "https://q360.example.com", credentials_secret = "user: x" }
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
  }
  expect_failures = [var.companies]
}

run "poll_too_often" {
  command = plan
  variables {
    deployment_settings = { schedule = { poll = "30s" } }
  }
  expect_failures = [var.deployment_settings]
}

run "poll_without_unit" {
  command = plan
  variables {
    deployment_settings = { schedule = { poll = "5" } }
  }
  expect_failures = [var.deployment_settings]
}

run "reconcile_at_no_time" {
  command = plan
  variables {
    deployment_settings = { schedule = { reconcile = "daily" } }
  }
  expect_failures = [var.deployment_settings]
}

run "payloads_for_no_day" {
  command = plan
  variables {
    deployment_settings = { retention = { payloads_days = 0 } }
  }
  expect_failures = [var.deployment_settings]
}

run "files_too_large" {
  command = plan
  variables {
    deployment_settings = { documents = { max_mib = 101 } }
  }
  expect_failures = [var.deployment_settings]
}

run "unknown_digest" {
  command = plan
  variables {
    deployment_settings = { notify = { digest = "hourly" } }
  }
  expect_failures = [var.deployment_settings]
}

run "bucket_with_scheme" {
  command = plan
  variables {
    cloud = { project = "example-prod", bucket = "gs://x", push_service_account = "push@example-prod.iam.gserviceaccount.com", base_url = "https://arbridge.example.com" }
  }
  expect_failures = [var.cloud]
}

run "user_without_password" {
  command = plan
  variables {
    mail = { host = "smtp.example.com", from = "arbridge@example.com", username = "mailer" }
  }
  expect_failures = [var.mail]
}

run "unknown_encryption" {
  command = plan
  variables {
    mail = { host = "smtp.example.com", from = "arbridge@example.com", tls = "maybe" }
  }
  expect_failures = [var.mail]
}

run "known_names" {
  command = plan
  variables {
    given = { companies = { us = { name = "x", q360 = { base_url = "x" }, settings = { customers = { create = true }, sandbox = null } } }, deployment_settings = { schedule = { poll = "5m" } } }
  }
}

run "misspelled_setting" {
  command = plan
  variables {
    given = { companies = { us = { settings = { customers = { creat = true } } } } }
  }
  expect_failures = [output.yaml]
}

run "misspelled_group" {
  command = plan
  variables {
    given = { companies = { us = { settings = { customer = { create = true } } } } }
  }
  expect_failures = [output.yaml]
}

run "setting_of_the_installation_in_a_company" {
  command = plan
  variables {
    given = { companies = { us = { settings = { schedule = { poll = "5m" } } } } }
  }
  expect_failures = [output.yaml]
}

run "misspelled_part_of_a_company" {
  command = plan
  variables {
    given = { companies = { us = { q360 = { base_ulr = "https://q360.example.com" } } } }
  }
  expect_failures = [output.yaml]
}

run "misspelled_setting_of_the_installation" {
  command = plan
  variables {
    given = { deployment_settings = { schedule = { pol = "5m" } } }
  }
  expect_failures = [output.yaml]
}
