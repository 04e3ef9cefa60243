package billing

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/money"
)

// PortalDocument is an invoice or credit note in the payment portal, as wanted or as read (invoiced-api 4.2, 5.2).
// Amounts of credit notes are positive: they are negative by kind.
type PortalDocument struct {
	ID            string            `json:"id,omitempty"` // the portal's
	Kind          Kind              `json:"kind"`         // KindInvoice or KindCreditNote
	CustomerID    string            `json:"customer_id"`  // the portal's
	Number        string            `json:"number"`
	Currency      money.Currency    `json:"currency"`
	Date          Date              `json:"date"`
	DueDate       Date              `json:"due_date,omitempty"`
	Terms         string            `json:"terms,omitempty"`
	PurchaseOrder string            `json:"purchase_order,omitempty"`
	Notes         string            `json:"notes,omitempty"` // seen by the customer
	Draft         bool              `json:"draft,omitempty"`
	MarkSent      bool              `json:"mark_sent,omitempty"` // wanted only: suppresses the portal's new-invoice e-mail
	AutoPay       bool              `json:"autopay,omitempty"`
	Items         []PortalItem      `json:"items"`
	Tax           money.Money       `json:"tax"` // sent as one flat tax; taxes are never computed by the portal
	Metadata      map[string]string `json:"metadata,omitempty"`

	// Read only: what the portal says.
	Total   money.Money `json:"total"`
	Balance money.Money `json:"balance,omitzero"`
	Status  string      `json:"status,omitempty"` // open enumeration (invoiced-api 4.3)
	Closed  bool        `json:"closed,omitempty"`
	Voided  bool        `json:"voided,omitempty"`
	URL     string      `json:"url,omitempty"`
	Updated time.Time   `json:"updated,omitzero"`
}

// Paid is what has been applied to the document: Total − Balance.
func (d PortalDocument) Paid() money.Money { return d.Total.Sub(d.Balance) }

// PortalItem is a line of a portal document. The portal computes amount = round(Quantity × UnitCost).
type PortalItem struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Type        string          `json:"type,omitempty"` // "shipping" for freight
	Quantity    decimal.Decimal `json:"quantity"`
	UnitCost    decimal.Decimal `json:"unit_cost"`
}

// PortalCustomer is a customer in the portal, as wanted or as read (invoiced-api 2.2).
type PortalCustomer struct {
	ID       string            `json:"id,omitempty"`
	Number   string            `json:"number"`
	Name     string            `json:"name"`
	Email    string            `json:"email,omitempty"`
	Phone    string            `json:"phone,omitempty"`
	Terms    string            `json:"terms,omitempty"`
	Currency money.Currency    `json:"currency,omitempty"`
	Address  Address           `json:"address"`
	AutoPay  bool              `json:"autopay,omitempty"`
	Chase    bool              `json:"chase"` // reminders by the portal
	Metadata map[string]string `json:"metadata,omitempty"`
	Updated  time.Time         `json:"updated,omitzero"`
}

// CustomerPatch changes fields of a portal customer; nil fields stay. Email "" clears it.
type CustomerPatch struct {
	Name     *string            `json:"name,omitempty"`
	Email    *string            `json:"email,omitempty"`
	Phone    *string            `json:"phone,omitempty"`
	Terms    *string            `json:"terms,omitempty"`
	Address  *Address           `json:"address,omitempty"`
	AutoPay  *bool              `json:"autopay,omitempty"`
	Chase    *bool              `json:"chase,omitempty"`
	Metadata *map[string]string `json:"metadata,omitempty"` // replaces the whole map (invoiced-api 11.1)
}

// PortalContact is a contact of a portal customer. The portal stores the e-mail in lower case and has no place for an
// id of ours (invoiced-api 3).
type PortalContact struct {
	ID         string `json:"id,omitempty"`
	CustomerID string `json:"customer_id"`
	Name       string `json:"name"`
	Title      string `json:"title,omitempty"`
	Email      string `json:"email"`
	Phone      string `json:"phone,omitempty"`
	Primary    bool   `json:"primary"`
}

// ApplicationType says what a part of a payment pays for (invoiced-api 6.3). Open enumeration.
type ApplicationType string

// The application types we know.
const (
	ApplyInvoice        ApplicationType = "invoice"
	ApplyEstimate       ApplicationType = "estimate"
	ApplyCreditNote     ApplicationType = "credit_note"
	ApplyConvenienceFee ApplicationType = "convenience_fee"
	ApplyCredit         ApplicationType = "credit"
	ApplyAppliedCredit  ApplicationType = "applied_credit"
)

// Application is one part of a portal payment.
type Application struct {
	Type      ApplicationType `json:"type"`
	InvoiceID string          `json:"invoice_id,omitempty"` // the portal's id
	Amount    money.Money     `json:"amount"`
}

// Cash reports whether the part is money received, not a credit used up. Unknown types are not cash, and Known says so.
func (a Application) Cash() bool {
	switch a.Type {
	case ApplyInvoice, ApplyEstimate, ApplyCredit, ApplyConvenienceFee:
		return true
	}
	return false
}

// Known reports whether the type is one of the documented ones.
func (a Application) Known() bool {
	return a.Cash() || a.Type == ApplyCreditNote || a.Type == ApplyAppliedCredit
}

// Payment is a payment in the portal (invoiced-api 6.2).
type Payment struct {
	ID           string         `json:"id"`
	CustomerID   string         `json:"customer_id,omitempty"`
	Date         time.Time      `json:"date"` // an instant; its calendar date is taken in the company's zone
	Currency     money.Currency `json:"currency"`
	Amount       money.Money    `json:"amount"` // money received, convenience fee included
	Unapplied    money.Money    `json:"unapplied"`
	Method       string         `json:"method"` // ach, credit_card, check, …; open enumeration
	Reference    string         `json:"reference,omitempty"`
	Applications []Application  `json:"applications,omitempty"`
	Charge       *Charge        `json:"charge,omitempty"` // set for processed (card, ACH) payments
	Voided       bool           `json:"voided,omitempty"`
	Created      time.Time      `json:"created,omitzero"`
	Updated      time.Time      `json:"updated,omitzero"`
}

// ChargeStatus is the state of a processed payment. Open enumeration.
type ChargeStatus string

// The charge statuses we know (invoiced-api 6.4).
const (
	ChargeSucceeded ChargeStatus = "succeeded"
	ChargePending   ChargeStatus = "pending"
	ChargeFailed    ChargeStatus = "failed"
)

// Charge is the processing of a card or bank payment.
type Charge struct {
	ID       string       `json:"id"`
	Status   ChargeStatus `json:"status"`
	Refunded money.Money  `json:"refunded"`
	Disputed bool         `json:"disputed,omitempty"`
	Updated  time.Time    `json:"updated,omitzero"`
}

// Event is something that happened in the portal, as a webhook or the events list tells it (invoiced-api 9.1). Only
// references are taken from it: what matters is read again.
type Event struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"` // such as payment.created
	At         time.Time `json:"at"`
	Object     Kind      `json:"object,omitempty"`    // kind of the object, empty when we have no use for it
	ObjectID   string    `json:"object_id,omitempty"` // the portal's id
	Number     string    `json:"number,omitempty"`    // document number, when the object has one
	CustomerID string    `json:"customer_id,omitempty"`
	Commented  bool      `json:"commented,omitempty"` // the customer left a comment (invoiced-api 7.1)
	Comment    string    `json:"comment,omitempty"`   // its text, when the event carries it
	Author     string    `json:"author,omitempty"`
	Raw        []byte    `json:"-"` // the event as received
}
