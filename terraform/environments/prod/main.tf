# Production: nothing that holds data can be deleted by mistake, and a webhook never waits for a start.
module "arbridge" {
  source = "../../modules/arbridge"

  environment         = "prod"
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

  protected             = true
  backup_days           = 14
  webhook_min_instances = 1
  sync_instances        = 2
}
