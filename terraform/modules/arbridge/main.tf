# The whole installation in one project. The environments differ in what they pass in, not in what there is.

locals {
  functions = {
    poll    = "asks the ERP what changed, on every tick"
    sync    = "works on one record"
    receipt = "handles the portal's events"
    webhook = "takes the portal's events"
  }

  # What the tokens of pushes are made out to. It is a name, not an address: nothing resolves or answers it.
  audience = "https://arbridge.${join(".", reverse(split(":", var.project_id)))}.internal"

  bucket = "${replace(replace(var.project_id, ":", "-"), ".", "-")}-arbridge-files"
  labels = { app = "arbridge", environment = var.environment }

  accounts = module.core.service_accounts

  # Who reads which credential. The webhook function knows nothing but what verifies its callers; the mail server is for
  # the digest, which the poll function sends.
  vendor_secrets = distinct(compact(flatten([
    for c in values(var.companies) : [try(c.q360.credentials_secret, null), try(c.invoiced.api_key_secret, null)]
  ])))
  webhook_secrets = distinct(compact([for c in values(var.companies) : try(c.invoiced.webhook_secret, null)]))
  mail_secrets    = compact([try(var.mail.password_secret, null)])

  readers = {
    for name in distinct(concat(local.vendor_secrets, local.webhook_secrets, local.mail_secrets)) : name => {
      for function in distinct(concat(
        contains(local.vendor_secrets, name) ? ["poll", "sync", "receipt"] : [],
        contains(local.webhook_secrets, name) ? ["webhook"] : [],
        contains(local.mail_secrets, name) ? ["poll"] : [],
      )) : function => local.accounts[function]
    }
  }

  # A mapping is a text or an object. modules/config takes the text: one type has to fit the mappings of all companies.
  companies = {
    for id, c in var.companies : id => try(merge(c, { q360 = merge(c.q360, {
      for mapping in [c.q360.mapping] : "mapping" => try(tostring(mapping), yamlencode(mapping))
    }) }), c)
  }

  # An environment variable is short. Up to this length the text can be read in the console; the functions read both.
  config_text = length(module.config.yaml) <= 16000 ? module.config.yaml : base64gzip(module.config.yaml)

  poll_interval = coalesce(try(var.deployment_settings.schedule.poll, null), "5m")
  payloads_days = coalesce(try(tonumber(var.deployment_settings.retention.payloads_days), null), 90)
}

module "core" {
  source         = "../core"
  project_id     = var.project_id
  project_number = var.project_number
  region         = var.region
  functions      = local.functions
  labels         = local.labels
}

module "config" {
  source              = "../config"
  companies           = local.companies
  deployment_settings = var.deployment_settings
  mail                = var.mail
  given               = { companies = var.companies, deployment_settings = var.deployment_settings }
  cloud = {
    project              = var.project_id
    database             = var.database
    bucket               = local.bucket
    push_service_account = module.core.push_service_account
    base_url             = local.audience
  }
}

module "store" {
  source      = "../store"
  project_id  = var.project_id
  location    = coalesce(var.firestore_location, var.region)
  database    = var.database
  protected   = var.protected
  backup_days = var.backup_days

  depends_on = [module.core]
}

module "storage" {
  source     = "../storage"
  project_id = var.project_id
  bucket     = local.bucket
  location   = var.region
  labels     = local.labels

  # The nightly retention keeps a file as long as its document waits for it; this is the end of that.
  delete_after_days = local.payloads_days + 90
  soft_delete_days  = var.protected ? 7 : 0
  force_destroy     = !var.protected

  # sync writes files and reads them, and never changes one; retention, in poll, lists and deletes them.
  grants = {
    sync = { account = local.accounts["sync"], roles = ["roles/storage.objectCreator", "roles/storage.objectViewer"] }
    poll = { account = local.accounts["poll"], roles = ["roles/storage.objectUser"] }
  }

  depends_on = [module.core]
}

module "secrets" {
  source              = "../secrets"
  project_id          = var.project_id
  project_number      = var.project_number
  secrets             = local.readers
  rotation_days       = var.rotation_days
  deletion_protection = var.protected
  labels              = local.labels

  depends_on = [module.core]
}

module "service" {
  source   = "../service"
  for_each = local.services

  project_id          = var.project_id
  region              = var.region
  function            = each.key
  image               = var.image
  service_account     = local.accounts[each.key]
  public              = each.value.public
  audience            = each.value.public ? null : local.audience
  invokers            = each.value.public ? {} : { push = module.core.push_service_account }
  env                 = { ARBRIDGE_CONFIG = local.config_text }
  timeout             = each.value.timeout
  concurrency         = each.value.concurrency
  instances           = each.value.instances
  memory              = each.value.memory
  deletion_protection = var.protected
  labels              = local.labels

  # A function that starts before it may read its secrets would turn requests down.
  depends_on = [module.secrets, module.store, module.storage]
}

module "bus" {
  source               = "../bus"
  project_id           = var.project_id
  project_number       = var.project_number
  region               = var.region
  push_service_account = module.core.push_service_account
  audience             = local.audience
  labels               = local.labels

  # Who publishes is what the code does: poll fans ticks out and its sweep wakes everything; sync and receipt wake records
  # that waited; webhook wakes the receipt function, or a payment whose event was too large to keep. Cloud Scheduler's own
  # account may publish anyway.
  topics = {
    ticks = {
      function   = "poll"
      endpoint   = module.service["poll"].uri
      publishers = { for f in ["poll"] : f => local.accounts[f] }
    }
    tasks = {
      function   = "sync"
      endpoint   = module.service["sync"].uri
      publishers = { for f in ["poll", "sync", "receipt", "webhook"] : f => local.accounts[f] }
    }
    events = {
      function   = "receipt"
      endpoint   = module.service["receipt"].uri
      publishers = { for f in ["poll", "webhook"] : f => local.accounts[f] }
    }
  }
}

module "scheduler" {
  source     = "../scheduler"
  project_id = var.project_id
  region     = coalesce(var.scheduler_region, var.region)
  topic      = module.bus.topics["ticks"]
  interval   = local.poll_interval
}

module "monitoring" {
  source           = "../monitoring"
  project_id       = var.project_id
  environment      = var.environment
  emails           = [var.alert_email]
  runbook_base_url = var.runbook_base_url
  tick_minutes     = module.scheduler.minutes

  depends_on = [module.core]
}
