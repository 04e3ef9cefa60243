# Sizes of the services. A process limits its own calls to a vendor, so the most instances times that limit is what a
# vendor sees; settings limits.* are per process.

locals {
  services = {
    # One instance: a second one would find every company taken. Several companies at a time, so that a slow one keeps
    # nobody waiting.
    poll = {
      public      = false
      timeout     = 570
      concurrency = 32
      memory      = "512Mi"
      instances   = { min = 0, max = 1 }
    }
    # A PDF is held in memory while it is taken over. Too few at a time would turn pushes away, and after ten of those a
    # message is a dead letter.
    sync = {
      public      = false
      timeout     = 570
      concurrency = 8
      memory      = "1Gi"
      instances   = { min = 0, max = var.sync_instances }
    }
    receipt = {
      public      = false
      timeout     = 570
      concurrency = 8
      memory      = "512Mi"
      instances   = { min = 0, max = 2 }
    }
    # The portal waits for the answer: the function itself gives up after 25 s.
    webhook = {
      public      = true
      timeout     = 30
      concurrency = 80
      memory      = "512Mi"
      instances   = { min = var.webhook_min_instances, max = 10 }
    }
  }
}
