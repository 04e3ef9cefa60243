# Written by go run ./pkg/settings/gen/settingsdoc. Change the declarations in pkg/settings, not this file.

variable "deployment_settings" {
  description = <<-EOT
    Settings of the whole installation; see infra/docs/settings.md.

    documents.max_mib: Largest PDF that is carried over, in MiB.
    schedule.poll: How often Q360 is asked for changes.
    schedule.gap_fill: How often the events of Invoiced are read for missed webhooks.
    schedule.reconcile: When both sides are compared, in UTC.
    retention.payloads_days: Days that PDFs and vendors' answers to refused writes are kept.
    retention.inbox_days: Days that received events are kept.
    notify.digest: When the daily e-mail digest is sent.
    notify.recipients: E-mail addresses that receive the digest.
    notify.at: Time of day at which the digest is sent, in company.time_zone.
  EOT
  type = object({
    documents = optional(object({
      max_mib = optional(number)
    }), {})
    schedule = optional(object({
      poll      = optional(string)
      gap_fill  = optional(string)
      reconcile = optional(string)
    }), {})
    retention = optional(object({
      payloads_days = optional(number)
      inbox_days    = optional(number)
    }), {})
    notify = optional(object({
      digest     = optional(string)
      recipients = optional(list(string))
      at         = optional(string)
    }), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = var.deployment_settings.documents.max_mib == null ? true : var.deployment_settings.documents.max_mib >= 1 && var.deployment_settings.documents.max_mib <= 100 && floor(var.deployment_settings.documents.max_mib) == var.deployment_settings.documents.max_mib
    error_message = "Setting documents.max_mib: expected a whole number, from 1 to 100."
  }
  validation {
    condition     = var.deployment_settings.schedule.poll == null ? true : can(regex("^([0-9]{1,5}h([0-9]{1,7}m)?([0-9]{1,9}s)?|[0-9]{1,7}m([0-9]{1,9}s)?|[0-9]{1,9}s)$", var.deployment_settings.schedule.poll)) && try(timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.poll), timeadd("2000-01-01T00:00:00Z", "1m")) >= 0 && timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.poll), timeadd("2000-01-01T00:00:00Z", "24h")) <= 0, false)
    error_message = "Setting schedule.poll: expected a duration such as 90s, 5m or 1h30m, from 1m to 24h."
  }
  validation {
    condition     = var.deployment_settings.schedule.gap_fill == null ? true : can(regex("^([0-9]{1,5}h([0-9]{1,7}m)?([0-9]{1,9}s)?|[0-9]{1,7}m([0-9]{1,9}s)?|[0-9]{1,9}s)$", var.deployment_settings.schedule.gap_fill)) && try(timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.gap_fill), timeadd("2000-01-01T00:00:00Z", "1m")) >= 0 && timecmp(timeadd("2000-01-01T00:00:00Z", var.deployment_settings.schedule.gap_fill), timeadd("2000-01-01T00:00:00Z", "24h")) <= 0, false)
    error_message = "Setting schedule.gap_fill: expected a duration such as 90s, 5m or 1h30m, from 1m to 24h."
  }
  validation {
    condition     = var.deployment_settings.schedule.reconcile == null ? true : can(regex("^\\S+( +\\S+){4}$", var.deployment_settings.schedule.reconcile))
    error_message = "Setting schedule.reconcile: expected five cron fields such as \"0 3 * * *\"."
  }
  validation {
    condition     = var.deployment_settings.retention.payloads_days == null ? true : var.deployment_settings.retention.payloads_days >= 1 && var.deployment_settings.retention.payloads_days <= 3650 && floor(var.deployment_settings.retention.payloads_days) == var.deployment_settings.retention.payloads_days
    error_message = "Setting retention.payloads_days: expected a whole number, from 1 to 3650."
  }
  validation {
    condition     = var.deployment_settings.retention.inbox_days == null ? true : var.deployment_settings.retention.inbox_days >= 1 && var.deployment_settings.retention.inbox_days <= 3650 && floor(var.deployment_settings.retention.inbox_days) == var.deployment_settings.retention.inbox_days
    error_message = "Setting retention.inbox_days: expected a whole number, from 1 to 3650."
  }
  validation {
    condition     = var.deployment_settings.notify.digest == null ? true : contains(["daily", "problems", "off"], var.deployment_settings.notify.digest)
    error_message = "Setting notify.digest: expected one of daily, problems, off."
  }
  validation {
    condition     = var.deployment_settings.notify.recipients == null ? true : alltrue([for v in var.deployment_settings.notify.recipients : can(regex("^[^@\\s<>,;\"]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", v))])
    error_message = "Setting notify.recipients: expected a list of e-mail addresses."
  }
  validation {
    condition     = var.deployment_settings.notify.at == null ? true : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.deployment_settings.notify.at))
    error_message = "Setting notify.at: expected a time of day such as \"07:00\"."
  }
}

variable "companies" {
  description = <<-EOT
    Companies by their id, with their vendors and settings; see infra/docs/settings.md.

    company.enabled: The company takes part in the sync at all.
    company.mode: What the sync may do for the company.
    company.q360_company: Q360 company code.
    company.time_zone: Time zone of the calendar dates on both sides, such as the date of a receipt.
    company.currency: Currency of documents that name none.
    sandbox.email: The only recipient ever stored in Invoiced while the company is in sandbox mode.
    customers.create: Create customers that are missing in Invoiced.
    customers.sync_address: Send a customer's postal address at all.
    customers.address_source: Which address of Q360 is sent.
    customers.update_address: Carry address changes in Q360 to customers that exist in Invoiced.
    customers.update_fields: Other customer fields kept up to date after creation.
    customers.match: How a customer is found in Invoiced; never by its name.
    customers.chase: Let Invoiced send reminders to the customers that are created.
    contacts.sync: Send the contacts of customers.
    contacts.roles: Which contacts are sent, by their role in Q360.
    contacts.primary_role: Role of the contact that becomes primary in Invoiced.
    contacts.update: Carry contact changes in Q360 to contacts that exist in Invoiced.
    contacts.deactivate: Remove contacts that arbridge created once they are inactive in Q360.
    invoices.draft: Create invoices as drafts, for a person to issue in Invoiced.
    invoices.send: What Invoiced does with a new invoice.
    invoices.comment: Where the Q360 invoice comment goes.
    invoices.lines_with_pdf: Lines of an invoice whose PDF is attached.
    invoices.lines_without_pdf: Lines of an invoice without a PDF.
    invoices.summary_text: Text of the single line of a summary.
    invoices.terms_map: Portal text for payment terms of Q360.
    invoices.item_map: Invoiced item for items of Q360.
    invoices.variance: Difference between lines and ERP total that becomes a rounding line.
    invoices.zero_total: What happens to an invoice whose total is zero.
    invoices.update: What happens when a posted invoice changes in Q360.
    invoices.gone: What happens when a posted invoice can no longer be read.
    credit_notes.sync: Send negative invoices of Q360 as credit notes.
    credit_notes.apply: Whether a new credit note is applied to invoices in Invoiced.
    autopay.rule: Which invoices Invoiced may collect by itself.
    autopay.customers: Own AutoPay rule of single customers, by Q360 customer number.
    documents.attach: Attach the invoice document of Q360 to the invoice.
    documents.required: An invoice waits until its PDF exists.
    documents.wait_days: Days after which a PDF still missing is reported.
    documents.types: Q360 document types that count as the invoice document.
    qualify.start_date: Invoices posted on this date or later are sent; earlier ones never.
    qualify.payment_methods: Only invoices with these Q360 payment methods.
    qualify.exclude_payment_methods: No invoices with these Q360 payment methods.
    qualify.invoice_types: Only invoices of these Q360 types.
    qualify.min_balance: Only invoices with at least this balance.
    qualify.customers: Only invoices of these customer numbers.
    qualify.exclude_customers: No invoices of these customer numbers.
    payments.mode: Which payments are posted to Q360 as cash receipts.
    payments.methods_map: Q360 payment method for each payment method of Invoiced.
    payments.gl_accounts: Bank account of receipts for each currency.
    payments.date: Date of a receipt, in the company's time zone.
    payments.reference_prefix: A receipt's reference is this prefix and the payment's id.
    payments.overpayment: What happens to money beyond an invoice's balance in Q360.
    payments.closed_period: What happens to a receipt dated in a closed period.
    payments.receipt_mode: Whether receipts are posted or left to a person.
    payments.attempts: Attempts to post a receipt before a person decides.
    fees.strategy: How a convenience fee is posted.
    fees.gl_account: General-ledger account of convenience fees.
    activity.viewed: Write a history entry in Q360 when a customer views an invoice.
    activity.commented: Write a history entry in Q360 when a customer comments.
    activity.paid: Write a history entry in Q360 when an invoice is paid.
    activity.codes: Q360 history code of each kind of entry.
    activity.viewed_collapse: How many entries the views of one invoice make.
    limits.q360_parallel: Calls to Q360 at the same time.
    limits.q360_rps: Calls to Q360 per second.
    limits.invoiced_parallel: Calls to Invoiced at the same time.
    limits.invoiced_rps: Calls to Invoiced per second.
    notify.digest: When the daily e-mail digest is sent.
    notify.recipients: E-mail addresses that receive the digest.
    notify.at: Time of day at which the digest is sent, in company.time_zone.
  EOT
  type = map(object({
    name = optional(string)
    q360 = object({
      base_url           = string
      credentials_secret = string
      mapping            = optional(string) # the mapping itself, as YAML
    })
    invoiced = object({
      base_url       = optional(string)
      api_key_secret = string
      webhook_secret = string
    })
    settings = object({
      company = object({
        enabled      = optional(bool)
        mode         = optional(string)
        q360_company = string
        time_zone    = string
        currency     = string
      })
      sandbox = optional(object({
        email = optional(string)
      }), {})
      customers = optional(object({
        create         = optional(bool)
        sync_address   = optional(bool)
        address_source = optional(string)
        update_address = optional(bool)
        update_fields  = optional(list(string))
        match          = optional(string)
        chase          = optional(bool)
      }), {})
      contacts = optional(object({
        sync         = optional(bool)
        roles        = optional(list(string))
        primary_role = optional(string)
        update       = optional(bool)
        deactivate   = optional(bool)
      }), {})
      invoices = optional(object({
        draft             = optional(bool)
        send              = optional(string)
        comment           = optional(string)
        lines_with_pdf    = optional(string)
        lines_without_pdf = optional(string)
        summary_text      = optional(string)
        terms_map         = optional(map(string))
        item_map          = optional(map(string))
        variance          = optional(string)
        zero_total        = optional(string)
        update            = optional(string)
        gone              = optional(string)
      }), {})
      credit_notes = optional(object({
        sync  = optional(bool)
        apply = optional(string)
      }), {})
      autopay = optional(object({
        rule      = optional(string)
        customers = optional(map(string))
      }), {})
      documents = optional(object({
        attach    = optional(bool)
        required  = optional(bool)
        wait_days = optional(number)
        types     = optional(list(string))
      }), {})
      qualify = object({
        start_date              = string
        payment_methods         = optional(list(string))
        exclude_payment_methods = optional(list(string))
        invoice_types           = optional(list(string))
        min_balance             = optional(string)
        customers               = optional(list(string))
        exclude_customers       = optional(list(string))
      })
      payments = optional(object({
        mode             = optional(string)
        methods_map      = optional(map(string))
        gl_accounts      = optional(map(string))
        date             = optional(string)
        reference_prefix = optional(string)
        overpayment      = optional(string)
        closed_period    = optional(string)
        receipt_mode     = optional(string)
        attempts         = optional(number)
      }), {})
      fees = optional(object({
        strategy   = optional(string)
        gl_account = optional(string)
      }), {})
      activity = optional(object({
        viewed          = optional(bool)
        commented       = optional(bool)
        paid            = optional(bool)
        codes           = optional(map(string))
        viewed_collapse = optional(string)
      }), {})
      limits = optional(object({
        q360_parallel     = optional(number)
        q360_rps          = optional(number)
        invoiced_parallel = optional(number)
        invoiced_rps      = optional(number)
      }), {})
      notify = optional(object({
        digest     = optional(string)
        recipients = optional(list(string))
        at         = optional(string)
      }), {})
    })
  }))
  nullable = false
  validation {
    condition     = length(var.companies) > 0
    error_message = "At least one company is required."
  }
  validation {
    condition     = alltrue([for id in keys(var.companies) : can(regex("^[a-z][a-z0-9-]{0,30}$", id))])
    error_message = "Company ids: expected lower-case letters, digits and -, a letter first, at most 31."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^(https://[^\\s/?#@\\\\]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)(/[^\\s?#@\\\\]*)?$", c.q360.base_url))])
    error_message = "q360.base_url: expected an address such as https://host.example.com."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.invoiced.base_url == null ? true : can(regex("^(https://[^\\s/?#@\\\\]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)(/[^\\s?#@\\\\]*)?$", c.invoiced.base_url))])
    error_message = "invoiced.base_url: expected an address such as https://api.invoiced.com."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.q360.mapping == null ? true : can(keys(yamldecode(c.q360.mapping)))])
    error_message = "q360.mapping: expected the mapping itself as the text of a YAML map, not the path of a file."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.q360.credentials_secret))])
    error_message = "q360.credentials_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.invoiced.api_key_secret))])
    error_message = "invoiced.api_key_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", c.invoiced.webhook_secret))])
    error_message = "invoiced.webhook_secret: expected the name of a secret such as invoiced-us-api-key, not the secret itself."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.company.mode == null ? true : contains(["live", "sandbox", "read_only", "paused"], c.settings.company.mode)])
    error_message = "Setting company.mode: expected one of live, sandbox, read_only, paused."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", c.settings.company.q360_company))])
    error_message = "Setting company.q360_company: expected a Q360 company code such as \"01\"."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(regex("^[A-Z]{3}$", c.settings.company.currency))])
    error_message = "Setting company.currency: expected an ISO 4217 currency such as USD."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.sandbox.email == null ? true : can(regex("^[^@\\s<>,;\"]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", c.settings.sandbox.email))])
    error_message = "Setting sandbox.email: expected one e-mail address."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.company.mode, "sandbox") == "sandbox" ? c.settings.sandbox.email != null : true])
    error_message = "Setting sandbox.email: required while company.mode is sandbox."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.customers.address_source == null ? true : contains(["billing", "main_site"], c.settings.customers.address_source)])
    error_message = "Setting customers.address_source: expected one of billing, main_site."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.customers.update_fields == null ? true : alltrue([for v in c.settings.customers.update_fields : contains(["name", "terms", "phone"], v)])])
    error_message = "Setting customers.update_fields: expected a list of any of name, terms, phone."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.customers.match == null ? true : contains(["number", "number_then_metadata"], c.settings.customers.match)])
    error_message = "Setting customers.match: expected one of number, number_then_metadata."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.contacts.roles == null ? true : alltrue([for v in c.settings.contacts.roles : contains(["AR", "AP", "COLLECTIONS", "ALL"], v)])])
    error_message = "Setting contacts.roles: expected a list of any of AR, AP, COLLECTIONS, ALL."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.contacts.primary_role == null ? true : contains(["AR", "AP", "COLLECTIONS"], c.settings.contacts.primary_role)])
    error_message = "Setting contacts.primary_role: expected one of AR, AP, COLLECTIONS."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.send == null ? true : contains(["portal_default", "mark_sent", "email"], c.settings.invoices.send)])
    error_message = "Setting invoices.send: expected one of portal_default, mark_sent, email."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.comment == null ? true : contains(["off", "notes"], c.settings.invoices.comment)])
    error_message = "Setting invoices.comment: expected one of off, notes."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.lines_with_pdf == null ? true : contains(["summary", "detail"], c.settings.invoices.lines_with_pdf)])
    error_message = "Setting invoices.lines_with_pdf: expected one of summary, detail."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.lines_without_pdf == null ? true : contains(["summary", "detail"], c.settings.invoices.lines_without_pdf)])
    error_message = "Setting invoices.lines_without_pdf: expected one of summary, detail."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.terms_map == null ? true : alltrue([for k, v in c.settings.invoices.terms_map : can(regex("\\S", k)) && can(regex("\\S", v))])])
    error_message = "Setting invoices.terms_map: expected a map from Q360 terms to portal text."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.item_map == null ? true : alltrue([for k, v in c.settings.invoices.item_map : can(regex("\\S", k)) && can(regex("\\S", v))])])
    error_message = "Setting invoices.item_map: expected a map from Q360 item to Invoiced item."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.variance == null ? true : can(regex("^[0-9]{1,15}(\\.[0-9]{1,4})?$", c.settings.invoices.variance))])
    error_message = "Setting invoices.variance: expected a number without currency such as 0.05, at least 0."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.zero_total == null ? true : contains(["skip", "send"], c.settings.invoices.zero_total)])
    error_message = "Setting invoices.zero_total: expected one of skip, send."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.update == null ? true : contains(["unpaid_only", "never"], c.settings.invoices.update)])
    error_message = "Setting invoices.update: expected one of unpaid_only, never."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.invoices.gone == null ? true : contains(["flag", "void_if_unpaid"], c.settings.invoices.gone)])
    error_message = "Setting invoices.gone: expected one of flag, void_if_unpaid."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.credit_notes.apply == null ? true : contains(["none", "oldest", "same_contract"], c.settings.credit_notes.apply)])
    error_message = "Setting credit_notes.apply: expected one of none, oldest, same_contract."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.autopay.rule == null ? true : contains(["off", "contracts", "all"], c.settings.autopay.rule)])
    error_message = "Setting autopay.rule: expected one of off, contracts, all."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.autopay.customers == null ? true : alltrue([for k, v in c.settings.autopay.customers : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", k)) && contains(["off", "contracts", "all"], v)])])
    error_message = "Setting autopay.customers: expected a map from customer number to off, contracts or all."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.documents.wait_days == null ? true : c.settings.documents.wait_days >= 0 && c.settings.documents.wait_days <= 365 && floor(c.settings.documents.wait_days) == c.settings.documents.wait_days])
    error_message = "Setting documents.wait_days: expected a whole number, from 0 to 365."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.documents.types == null ? true : alltrue([for v in c.settings.documents.types : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting documents.types: expected a list of document types."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : can(timeadd("${c.settings.qualify.start_date}T00:00:00Z", "0s"))])
    error_message = "Setting qualify.start_date: expected a calendar date such as 2026-01-31."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.payment_methods == null ? true : alltrue([for v in c.settings.qualify.payment_methods : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting qualify.payment_methods: expected a list of payment methods."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.exclude_payment_methods == null ? true : alltrue([for v in c.settings.qualify.exclude_payment_methods : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting qualify.exclude_payment_methods: expected a list of payment methods."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.invoice_types == null ? true : alltrue([for v in c.settings.qualify.invoice_types : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting qualify.invoice_types: expected a list of invoice types."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.min_balance == null ? true : can(regex("^[0-9]{1,15}(\\.[0-9]{1,4})?$", c.settings.qualify.min_balance))])
    error_message = "Setting qualify.min_balance: expected a number without currency such as 0.05, at least 0."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.customers == null ? true : alltrue([for v in c.settings.qualify.customers : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting qualify.customers: expected a list of customer numbers."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.qualify.exclude_customers == null ? true : alltrue([for v in c.settings.qualify.exclude_customers : can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting qualify.exclude_customers: expected a list of customer numbers."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.mode == null ? true : contains(["charged", "all", "off"], c.settings.payments.mode)])
    error_message = "Setting payments.mode: expected one of charged, all, off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.methods_map == null ? true : alltrue([for k, v in c.settings.payments.methods_map : can(regex("^[a-z][a-z0-9_]*$", k)) && can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting payments.methods_map: expected a map from Invoiced method to Q360 payment method, such as {credit_card: CARD}."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.payments.mode, "charged") != "off" ? try(length(c.settings.payments.methods_map), 0) > 0 : true])
    error_message = "Setting payments.methods_map: required while payments.mode is not off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.gl_accounts == null ? true : alltrue([for k, v in c.settings.payments.gl_accounts : can(regex("^[A-Z]{3}$", k)) && can(regex("^[A-Za-z0-9][A-Za-z0-9.-]{0,19}$", v))])])
    error_message = "Setting payments.gl_accounts: expected a map from ISO 4217 currency to account, such as {USD: \"1010\"}."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.payments.mode, "charged") != "off" ? try(length(c.settings.payments.gl_accounts), 0) > 0 : true])
    error_message = "Setting payments.gl_accounts: required while payments.mode is not off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.date == null ? true : contains(["payment", "settlement"], c.settings.payments.date)])
    error_message = "Setting payments.date: expected one of payment, settlement."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.reference_prefix == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,7}$", c.settings.payments.reference_prefix))])
    error_message = "Setting payments.reference_prefix: expected 1 to 8 letters, digits, - or _."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.overpayment == null ? true : contains(["hold", "on_account"], c.settings.payments.overpayment)])
    error_message = "Setting payments.overpayment: expected one of hold, on_account."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.closed_period == null ? true : contains(["hold", "next_open_day"], c.settings.payments.closed_period)])
    error_message = "Setting payments.closed_period: expected one of hold, next_open_day."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.receipt_mode == null ? true : contains(["post", "hold"], c.settings.payments.receipt_mode)])
    error_message = "Setting payments.receipt_mode: expected one of post, hold."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.payments.attempts == null ? true : c.settings.payments.attempts >= 1 && c.settings.payments.attempts <= 10 && floor(c.settings.payments.attempts) == c.settings.payments.attempts])
    error_message = "Setting payments.attempts: expected a whole number, from 1 to 10."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.fees.strategy == null ? true : contains(["proportional", "gl_line", "unapplied", "exclude"], c.settings.fees.strategy)])
    error_message = "Setting fees.strategy: expected one of proportional, gl_line, unapplied, exclude."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.fees.gl_account == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9.-]{0,19}$", c.settings.fees.gl_account))])
    error_message = "Setting fees.gl_account: expected a general-ledger account such as \"1010\"."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : coalesce(c.settings.fees.strategy, "proportional") != "exclude" ? c.settings.fees.gl_account != null : true])
    error_message = "Setting fees.gl_account: required while fees.strategy is not exclude."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.activity.codes == null ? true : alltrue([for k, v in c.settings.activity.codes : contains(["viewed", "commented", "paid"], k) && can(regex("^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$", v))])])
    error_message = "Setting activity.codes: expected a map from viewed, commented, paid to history code."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.activity.viewed_collapse == null ? true : contains(["each", "daily", "first"], c.settings.activity.viewed_collapse)])
    error_message = "Setting activity.viewed_collapse: expected one of each, daily, first."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.limits.q360_parallel == null ? true : c.settings.limits.q360_parallel >= 1 && c.settings.limits.q360_parallel <= 32 && floor(c.settings.limits.q360_parallel) == c.settings.limits.q360_parallel])
    error_message = "Setting limits.q360_parallel: expected a whole number, from 1 to 32."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.limits.q360_rps == null ? true : c.settings.limits.q360_rps >= 1 && c.settings.limits.q360_rps <= 100 && floor(c.settings.limits.q360_rps) == c.settings.limits.q360_rps])
    error_message = "Setting limits.q360_rps: expected a whole number, from 1 to 100."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.limits.invoiced_parallel == null ? true : c.settings.limits.invoiced_parallel >= 1 && c.settings.limits.invoiced_parallel <= 32 && floor(c.settings.limits.invoiced_parallel) == c.settings.limits.invoiced_parallel])
    error_message = "Setting limits.invoiced_parallel: expected a whole number, from 1 to 32."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.limits.invoiced_rps == null ? true : c.settings.limits.invoiced_rps >= 1 && c.settings.limits.invoiced_rps <= 100 && floor(c.settings.limits.invoiced_rps) == c.settings.limits.invoiced_rps])
    error_message = "Setting limits.invoiced_rps: expected a whole number, from 1 to 100."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.notify.digest == null ? true : contains(["daily", "problems", "off"], c.settings.notify.digest)])
    error_message = "Setting notify.digest: expected one of daily, problems, off."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.notify.recipients == null ? true : alltrue([for v in c.settings.notify.recipients : can(regex("^[^@\\s<>,;\"]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", v))])])
    error_message = "Setting notify.recipients: expected a list of e-mail addresses."
  }
  validation {
    condition     = alltrue([for c in values(var.companies) : c.settings.notify.at == null ? true : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", c.settings.notify.at))])
    error_message = "Setting notify.at: expected a time of day such as \"07:00\"."
  }
}
