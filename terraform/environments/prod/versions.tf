terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }

  # terraform init -backend-config=bucket=PROJECT-terraform
  backend "gcs" {
    prefix = "arbridge"
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}
