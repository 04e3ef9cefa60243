# Written by go run ./pkg/settings/gen/settingsdoc. Change the declarations in pkg/settings, not this file.

locals {
  names = {
    deployment = {
      schedule = ["poll"]
      notify   = ["digest", "mail"]
    }
    company = {
      company  = ["mode", "code"]
      sandbox  = ["email"]
      payments = ["methods_map"]
      notify   = ["digest"]
    }
  }
}
