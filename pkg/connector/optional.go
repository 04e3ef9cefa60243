package connector

import (
	"context"
	"io"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// A portal may have abilities beyond Portal, an ERP beyond ERP. Each is an interface of its own; implementing it is the
// opt-in. Whoever wants to use one asks with As, never with a type assertion, which would not see through a Wrapper.

// Wrapper stands before an ERP or a portal and hides it, as a circuit breaker does. It has none of the optional abilities
// itself; it offers those of what it hides, each wrapped in the same way.
type Wrapper interface {
	// Abilities lists one value for each optional ability.
	Abilities() []any
}

// As is an optional ability of an ERP or a portal, and whether that has it. T is the ability's interface.
func As[T any](system any) (T, bool) {
	if ability, ok := system.(T); ok {
		return ability, true
	}
	if w, ok := system.(Wrapper); ok {
		for _, a := range w.Abilities() {
			if ability, ok := a.(T); ok {
				return ability, true
			}
		}
	}
	var none T
	return none, false
}

// Attachment is a file of a portal document.
type Attachment struct {
	FileID string
	Name   string
	Type   string // MIME type
	Size   int64  // bytes, 0 when unknown
}

// Files puts files on invoices and credit notes (invoiced-api 8).
type Files interface {
	// UploadFile stores a file of size bytes and returns its id. Until it is attached nobody sees it.
	UploadFile(ctx context.Context, name, contentType string, body io.Reader, size int64) (fileID string, err error)
	// Attach makes the files the document's attachments, in place of those it has.
	Attach(ctx context.Context, kind billing.Kind, id string, fileIDs []string) error
	// Attachments lists the files of a document.
	Attachments(ctx context.Context, kind billing.Kind, id string) ([]Attachment, error)
	// DeleteFile removes a stored file, such as one whose document could not take it.
	DeleteFile(ctx context.Context, fileID string) error
}

// Credits applies credit notes to invoices (invoiced-api 5.3).
type Credits interface {
	// ApplyCreditNote applies amount of a credit note to an invoice of the same customer and returns the id of the
	// payment that stands for it. Voiding that payment takes it back.
	ApplyCreditNote(ctx context.Context, a CreditApplication, key string) (paymentID string, err error)
	// OpenInvoices lists the invoices of a customer on which something is left to pay.
	OpenInvoices(ctx context.Context, customerID string) ([]billing.PortalDocument, error)
}

// CreditApplication is the use of a credit note for an invoice. All ids are the portal's.
type CreditApplication struct {
	CustomerID   string
	CreditNoteID string
	InvoiceID    string
	Amount       money.Money // positive
}

// Mailer sends documents to customers (invoiced-api 4.1).
type Mailer interface {
	// SendDocument mails a document to one address. The portal queues it; a repetition is a second mail.
	SendDocument(ctx context.Context, kind billing.Kind, id, name, email string) error
}

// Metadata finds objects by what was stored with them (invoiced-api 1.6).
type Metadata interface {
	// FindCustomersByMetadata returns the customers whose metadata have exactly this value under the name.
	FindCustomersByMetadata(ctx context.Context, name, value string) ([]billing.PortalCustomer, error)
}
