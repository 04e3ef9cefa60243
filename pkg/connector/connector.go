// Package connector holds the contracts between the engine and the systems it keeps in step: an ERP on one side, a
// payment portal on the other, their error classes and capabilities.
//
// A connector is stateless between calls: cursors are given and returned, and no connector ever repeats a write by
// itself. Every method may return a *Error; an error that is not one counts as ClassBug.
package connector

import (
	"context"
	"io"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// Feature is an ability of a site that may be missing there (q360-api 4.4.1).
type Feature string

// The features of an ERP site.
const (
	FeatureInvoices  Feature = "invoice_read"
	FeatureCustomers Feature = "customer_read"
	FeatureContacts  Feature = "contact_roles"
	FeatureDocuments Feature = "documents"
	FeatureReceipts  Feature = "receipt_create"
	FeatureFind      Feature = "receipt_find"
	FeatureHistory   Feature = "history_create"
)

// Problem is something the start-up check found, in words for the person who can mend it.
type Problem struct {
	Feature Feature `json:"feature"`
	Table   string  `json:"table,omitempty"`
	Column  string  `json:"column,omitempty"`
	Fatal   bool    `json:"fatal"` // the company can not run; otherwise the feature is off, or it is a warning
	Message string  `json:"message"`
}

// When an ERP lowers the balances of the invoices that a receipt pays (q360-api 4.3, receipts.applied_when).
const (
	AppliedOnCreate = "on_create" // with the receipt's lines
	AppliedOnPost   = "on_post"   // when a person posts the receipt or its batch
	AppliedNightly  = "nightly"   // by a job
)

// Capabilities is the result of the start-up check.
type Capabilities struct {
	Features map[Feature]string `json:"features"` // "ok", "missing", "forbidden", "off"
	Changes  string             `json:"changes"`  // strategy in use: moddate or snapshot
	// Applied says when balances fall: AppliedOnCreate, AppliedOnPost, AppliedNightly, or "" when it is not known.
	Applied  string    `json:"applied,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// Has reports whether the feature works.
func (c Capabilities) Has(f Feature) bool { return c.Features[f] == "ok" }

// Any reports whether a feature is in a state, such as "forbidden".
func (c Capabilities) Any(state string) bool {
	for _, s := range c.Features {
		if s == state {
			return true
		}
	}
	return false
}

// Fatal returns the problems that keep the company from running.
func (c Capabilities) Fatal() []Problem {
	var out []Problem
	for _, p := range c.Problems {
		if p.Fatal {
			out = append(out, p)
		}
	}
	return out
}

// InvoicePage is a page of the invoice feed. Every item is complete, lines included: the feed reads lines for a page at
// a time, so that a backfill costs a few calls per hundred invoices.
type InvoicePage struct {
	Items []billing.Invoice
	// Gone lists numbers that the caller named as known and that can no longer be read.
	Gone []string
	// Bad lists records that could not be read exactly; they never stop the page.
	Bad []BadRecord
	// Next is the cursor to continue from, to be saved after the page is durable.
	Next string
	// More reports that another page is ready now.
	More bool
	// Backfill reports that the page is part of a first full read.
	Backfill bool
}

// CustomerPage is a page of the customer feed; items include addresses and contacts.
type CustomerPage struct {
	Items []billing.Customer
	Bad   []BadRecord
	Next  string
	More  bool
}

// BadRecord is a source record that can not be used, with the field and the remedy in its message.
type BadRecord struct {
	Kind    billing.Kind
	Number  string
	Message string
}

// ERP reads an ERP's receivables and writes cash receipts and history entries into it. One ERP value serves one company.
type ERP interface {
	// Check verifies the mapping, the rights and the accounts of the site.
	Check(ctx context.Context) (Capabilities, error)

	// Invoices returns what changed since the cursor; "" starts with everything posted on or after since (the empty
	// Date: everything). Delivery is at least once. limit bounds the items.
	Invoices(ctx context.Context, cursor string, since billing.Date, limit int) (InvoicePage, error)
	// Customers returns customers changed since the cursor; "" starts with all.
	Customers(ctx context.Context, cursor string, limit int) (CustomerPage, error)
	// Invoice reads one invoice with its lines. ClassNotFound when it does not exist.
	Invoice(ctx context.Context, number string) (billing.Invoice, error)
	// Balance reads the outstanding amount of one invoice.
	Balance(ctx context.Context, number string) (billing.Balance, error)
	// Balances reads the outstanding amounts of invoices, in the order of numbers and with as few calls as it can: one for
	// invoices of the customer whose numbers are near each other. The customer only narrows the search. ClassNotFound when
	// one of the invoices does not exist.
	Balances(ctx context.Context, customerNo string, numbers []string) ([]billing.Balance, error)
	// Customer reads one customer with addresses and contacts.
	Customer(ctx context.Context, number string) (billing.Customer, error)

	// FindReceipts returns the receipts with exactly this reference. Only a success with no receipt means absent.
	FindReceipts(ctx context.Context, reference string) ([]billing.Receipt, error)
	// SimilarReceipts returns receipts of the customer with this amount dated within three days, whatever their
	// reference: somebody may have keyed the payment in (q360-api 4.4.7).
	SimilarReceipts(ctx context.Context, customerNo string, amount money.Money, date billing.Date) ([]billing.Receipt, error)
	// PreviewReceipt asks the ERP whether it would take the header; ClassInvalid is its refusal.
	PreviewReceipt(ctx context.Context, r billing.Receipt) error
	// CreateReceipt writes the header and returns its number. The lines are a second call: the two are not atomic
	// (q360-api 4.6 rule 4).
	CreateReceipt(ctx context.Context, r billing.Receipt) (number string, err error)
	// CreateReceiptLines writes lines of an existing receipt.
	CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error

	// FindHistory reports whether the entry with this key exists.
	FindHistory(ctx context.Context, e billing.HistoryEntry) (bool, error)
	// CreateHistory writes the entry.
	CreateHistory(ctx context.Context, e billing.HistoryEntry) error

	// Documents lists the files of an invoice, the preferred one first.
	Documents(ctx context.Context, invoiceNo string) ([]Document, error)
	// DocumentsOf lists the files of many invoices with few calls, each invoice's as Documents does. One that is not in the
	// answer was not covered and is to be asked for singly; one with an empty list has no files.
	DocumentsOf(ctx context.Context, invoiceNos []string) (map[string][]Document, error)
	// Download opens a file; the caller closes it. ClassBadResponse for anything that is not the promised file.
	Download(ctx context.Context, documentNo string) (io.ReadCloser, error)
}

// Document is a file attached to an ERP record.
type Document struct {
	Number   string
	Filename string
	Type     string // the ERP's document type
	Size     int64  // bytes, 0 when unknown
	Modified time.Time
}

// Page is a page of a portal list, in the portal's order. Next is empty on the last page.
type Page[T any] struct {
	Items []T
	Bad   []BadRecord
	Next  string
}

// Portal reads and writes a payment portal. One Portal value serves one company's account. key is an idempotency key
// that the portal may or may not honour; nothing relies on it (invoiced-api 1.7).
type Portal interface {
	// Check verifies the credentials with one cheap read.
	Check(ctx context.Context) error

	// FindCustomers returns the customers with exactly this number.
	FindCustomers(ctx context.Context, number string) ([]billing.PortalCustomer, error)
	// ListCustomers pages through all customers; "" starts.
	ListCustomers(ctx context.Context, page string) (Page[billing.PortalCustomer], error)
	// Customer reads one customer.
	Customer(ctx context.Context, id string) (billing.PortalCustomer, error)
	// CreateCustomer creates a customer and returns it as the portal has it.
	CreateCustomer(ctx context.Context, c billing.PortalCustomer, key string) (billing.PortalCustomer, error)
	// UpdateCustomer changes a customer.
	UpdateCustomer(ctx context.Context, id string, p billing.CustomerPatch) (billing.PortalCustomer, error)

	// Contacts returns all contacts of a customer.
	Contacts(ctx context.Context, customerID string) ([]billing.PortalContact, error)
	// CreateContact creates a contact.
	CreateContact(ctx context.Context, c billing.PortalContact, key string) (billing.PortalContact, error)
	// UpdateContact replaces name, title, e-mail, phone and primary of a contact.
	UpdateContact(ctx context.Context, c billing.PortalContact) (billing.PortalContact, error)
	// DeleteContact removes a contact.
	DeleteContact(ctx context.Context, customerID, id string) error

	// FindDocuments returns the invoices or credit notes with exactly this number.
	FindDocuments(ctx context.Context, kind billing.Kind, number string) ([]billing.PortalDocument, error)
	// ListDocuments pages through all invoices or credit notes; "" starts.
	ListDocuments(ctx context.Context, kind billing.Kind, page string) (Page[billing.PortalDocument], error)
	// Document reads one invoice or credit note.
	Document(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error)
	// CreateDocument creates an invoice or credit note and returns it as the portal has it, totals included.
	CreateDocument(ctx context.Context, d billing.PortalDocument, key string) (billing.PortalDocument, error)
	// UpdateDocument replaces everything writable of the document but its customer and number.
	UpdateDocument(ctx context.Context, id string, d billing.PortalDocument) (billing.PortalDocument, error)
	// VoidDocument voids a document.
	VoidDocument(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error)

	// Payment reads one payment with its applications.
	Payment(ctx context.Context, id string) (billing.Payment, error)
	// ListPayments pages through payments updated after since, with their applications; "" starts.
	ListPayments(ctx context.Context, since time.Time, page string) (Page[billing.Payment], error)
	// Events pages through events with from <= time <= to, newest first; "" starts.
	Events(ctx context.Context, from, to time.Time, page string) (Page[billing.Event], error)
}
