package invoiced

import (
	"context"

	"github.com/arbridge/arbridge/pkg/billing"
)

// Capability names something the connector can do.
type Capability string

// The capabilities of the connector, one for each interface.
const (
	CapabilityPortal   Capability = "portal"   // connector.Portal
	CapabilityFiles    Capability = "files"    // connector.Files
	CapabilityCredits  Capability = "credits"  // connector.Credits
	CapabilityMail     Capability = "mail"     // connector.Mailer
	CapabilityMetadata Capability = "metadata" // connector.Metadata
	CapabilityPDFs     Capability = "pdfs"     // PDFs
)

// Capabilities lists what the connector can do.
func Capabilities() []Capability {
	return []Capability{CapabilityPortal, CapabilityFiles, CapabilityCredits, CapabilityMail, CapabilityMetadata, CapabilityPDFs}
}

// PDFs reads the portal's own renderings (invoiced-api 1.3).
type PDFs interface {
	// PDF returns the rendering of an invoice or credit note, or the receipt of a payment.
	PDF(ctx context.Context, kind billing.Kind, id string) ([]byte, error)
}
