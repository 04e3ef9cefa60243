# The developers' environment: it can be destroyed and made again, and costs nothing while nothing happens.
module "arbridge" {
  source = "../../modules/arbridge"

  environment         = "dev"
  project_id          = var.project_id
  project_number      = var.project_number
  region              = var.region
  firestore_location  = var.firestore_location
  image               = var.image
  companies           = var.companies
  deployment_settings = var.deployment_settings
  mail                = var.mail
  alert_email         = var.alert_email
  runbook_base_url    = var.runbook_base_url

  protected             = false
  backup_days           = 0
  webhook_min_instances = 0
  sync_instances        = 1
}
