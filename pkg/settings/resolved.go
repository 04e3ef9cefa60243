// Package settings declares every setting of arbridge once: key, type, scope, default, limits and help. Validation, the
// reference page, the JSON schema and the typed values that decisions use all come from that declaration.
//
// Decisions read the fields of Company and Deployment; nothing looks a setting up by its text. The package is pure: it
// reads no file and no environment (package config does).
package settings

import (
	"time"

	"github.com/arbridge/arbridge/pkg/money"
)

// Mode says what a company's sync may do.
type Mode string

// The modes of company.mode.
const (
	ModeLive     Mode = "live"
	ModeSandbox  Mode = "sandbox"   // writes, but every recipient is the safe address
	ModeReadOnly Mode = "read_only" // plans and shows, writes nothing
	ModePaused   Mode = "paused"
)

// Company is the resolved settings of one company. Field comments name the key; infra/docs/settings.md explains each.
type Company struct {
	Enabled     bool           // company.enabled
	Mode        Mode           // company.mode
	Q360Company string         // company.q360_company
	TimeZone    *time.Location // company.time_zone
	Currency    money.Currency // company.currency
	SafeEmail   string         // sandbox.email

	Customers   Customers
	Contacts    Contacts
	Invoices    Invoices
	CreditNotes CreditNotes
	AutoPay     AutoPayRule // autopay.rule
	// AutoPayCustomers overrides autopay.rule for single customers, by ERP customer number.
	AutoPayCustomers map[string]AutoPayRule // autopay.customers
	Documents        Documents
	Qualify          Qualify
	Payments         Payments
	Fees             Fees
	Activity         Activity
	Limits           Limits
	Notify           Notify
}

// CustomerSettings is what one customer may have of its own; everything else is the company's.
type CustomerSettings struct {
	AutoPay AutoPayRule // autopay.rule, or the customer's entry in autopay.customers
}

// For is the settings of one customer, by ERP customer number: the company's value unless the customer has its own.
func (c Company) For(customerNo string) CustomerSettings {
	own, ok := c.AutoPayCustomers[customerNo]
	if !ok {
		own = c.AutoPay
	}
	return CustomerSettings{AutoPay: own}
}

// Customers is the customers.* group.
type Customers struct {
	Create        bool     // customers.create
	SyncAddress   bool     // customers.sync_address
	AddressSource string   // customers.address_source: billing, main_site
	UpdateAddress bool     // customers.update_address
	UpdateFields  []string // customers.update_fields: name, terms, phone
	Match         string   // customers.match: number, number_then_metadata
	Chase         bool     // customers.chase
}

// Updates reports whether the field is kept up to date after creation.
func (c Customers) Updates(field string) bool {
	for _, f := range c.UpdateFields {
		if f == field {
			return true
		}
	}
	return false
}

// Contacts is the contacts.* group. Roles are AR, AP, COLLECTIONS, or ALL.
type Contacts struct {
	Sync        bool     // contacts.sync
	Roles       []string // contacts.roles
	PrimaryRole string   // contacts.primary_role
	Update      bool     // contacts.update
	Deactivate  bool     // contacts.deactivate
}

// Invoices is the invoices.* group.
type Invoices struct {
	Draft           bool              // invoices.draft
	Send            string            // invoices.send: portal_default, mark_sent, email
	Comment         string            // invoices.comment: off, notes
	LinesWithPDF    string            // invoices.lines_with_pdf: summary, detail
	LinesWithoutPDF string            // invoices.lines_without_pdf: summary, detail
	SummaryText     string            // invoices.summary_text
	TermsMap        map[string]string // invoices.terms_map
	ItemMap         map[string]string // invoices.item_map
	Variance        Amount            // invoices.variance
	ZeroTotal       string            // invoices.zero_total: skip, send
	Update          string            // invoices.update: unpaid_only, never
	Gone            string            // invoices.gone: flag, void_if_unpaid
}

// CreditNotes is the credit_notes.* group.
type CreditNotes struct {
	Sync  bool   // credit_notes.sync
	Apply string // credit_notes.apply: none, oldest, same_contract
}

// AutoPayRule says which invoices the portal may collect by itself.
type AutoPayRule string

// The values of autopay.rule.
const (
	AutoPayOff       AutoPayRule = "off"
	AutoPayContracts AutoPayRule = "contracts"
	AutoPayAll       AutoPayRule = "all"
)

// Documents is the documents.* group of a company.
type Documents struct {
	Attach   bool     // documents.attach
	Required bool     // documents.required
	WaitDays int      // documents.wait_days
	Types    []string // documents.types
}

// Qualify is the qualify.* group: which invoices go over at all.
type Qualify struct {
	StartDate        string   // qualify.start_date, such as 2026-01-01
	PayMethods       []string // qualify.payment_methods
	ExcludePayMethod []string // qualify.exclude_payment_methods
	InvoiceTypes     []string // qualify.invoice_types
	MinBalance       Amount   // qualify.min_balance; zero is none
	Customers        []string // qualify.customers
	ExcludeCustomers []string // qualify.exclude_customers
}

// Payments is the payments.* group.
type Payments struct {
	Mode            string                    // payments.mode: charged, all, off
	Methods         map[string]string         // payments.methods_map: portal method to ERP payment method
	GLAccounts      map[money.Currency]string // payments.gl_accounts: bank account per currency
	Date            string                    // payments.date: payment, settlement
	ReferencePrefix string                    // payments.reference_prefix
	Overpayment     string                    // payments.overpayment: hold, on_account
	ClosedPeriod    string                    // payments.closed_period: hold, next_open_day
	ReceiptMode     string                    // payments.receipt_mode: post, hold
	Attempts        int                       // payments.attempts: tries of a receipt before a person decides
}

// Fees is the fees.* group.
type Fees struct {
	Strategy  string // fees.strategy: proportional, gl_line, unapplied, exclude
	GLAccount string // fees.gl_account
}

// Activity is the activity.* group.
type Activity struct {
	Viewed         bool              // activity.viewed
	Commented      bool              // activity.commented
	Paid           bool              // activity.paid
	Codes          map[string]string // activity.codes: viewed, commented, paid to the ERP's code
	ViewedCollapse string            // activity.viewed_collapse: each, daily, first
}

// Limits is the limits.* group: calls per second and in flight per vendor.
type Limits struct {
	Q360Parallel     int // limits.q360_parallel
	Q360PerSecond    int // limits.q360_rps
	InvoicedParallel int // limits.invoiced_parallel
	InvoicedPerSec   int // limits.invoiced_rps
}

// Notify is the notify.* group of a company: its own digest. Inherit gives a company the deployment's values where it
// has none.
type Notify struct {
	Digest     string   // notify.digest: daily, problems, off
	Recipients []string // notify.recipients
	At         string   // notify.at, a time of day in company.time_zone such as 07:00
}

// Wanted reports whether the company gets a digest: one is chosen and there is somebody to receive it.
func (n Notify) Wanted() bool { return n.Digest != "off" && len(n.Recipients) > 0 }

// Deployment is the resolved settings of the whole installation.
type Deployment struct {
	DocumentsMaxMiB  int           // documents.max_mib
	Poll             time.Duration // schedule.poll
	GapFill          time.Duration // schedule.gap_fill
	Reconcile        string        // schedule.reconcile, a cron expression
	PayloadsDays     int           // retention.payloads_days
	InboxDays        int           // retention.inbox_days
	Digest           string        // notify.digest: daily, problems, off
	DigestRecipients []string      // notify.recipients
	DigestAt         string        // notify.at, a time of day such as 07:00
}

// Amount is a number in each document's own currency, such as a variance: "0.05".
type Amount string

// In is the amount in a currency; zero in it for the empty Amount or one the currency can not hold.
func (a Amount) In(cur money.Currency) money.Money {
	if a == "" {
		return money.Zero(cur)
	}
	m, err := money.Parse(string(a), cur)
	if err != nil {
		return money.Zero(cur)
	}
	return m
}
