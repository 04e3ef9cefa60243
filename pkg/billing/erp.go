// Package billing holds the canonical records that arbridge moves: what an ERP has (invoices, customers, contacts,
// cash receipts), what a payment portal has (documents, customers, payments), and nothing of how either writes them.
//
// Amounts are exact, dates are calendar dates, ids are texts. Connectors translate their vendor's form to these records
// and refuse what they can not translate exactly. The package is pure: no I/O, no clock, no randomness.
package billing

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/money"
)

// Kind names a kind of record. The values are part of stored keys and never change.
type Kind string

// The kinds of record.
const (
	KindInvoice    Kind = "invoice"
	KindCreditNote Kind = "credit_note"
	KindCustomer   Kind = "customer"
	KindContact    Kind = "contact"
	KindPayment    Kind = "payment"
	KindReceipt    Kind = "receipt"
	KindActivity   Kind = "activity"
	KindDocument   Kind = "document"
	KindCredit     Kind = "credit" // the use of a credit note for invoices
)

// Invoice is a sales document of the ERP (q360-api 4.4.3). A negative Total makes it a customer credit. All amounts are
// in Currency, signed as the ERP signs them.
type Invoice struct {
	Number     string         `json:"number"`
	CompanyNo  string         `json:"company_no"` // the ERP's company code, such as 01
	CustomerNo string         `json:"customer_no"`
	SiteNo     string         `json:"site_no,omitempty"`
	Posted     bool           `json:"posted"`
	Date       Date           `json:"date"`
	PostedDate Date           `json:"posted_date,omitempty"`
	DueDate    Date           `json:"due_date,omitempty"`
	Currency   money.Currency `json:"currency"`
	Terms      string         `json:"terms,omitempty"`      // the ERP's code, such as NET30
	PayMethod  string         `json:"pay_method,omitempty"` // the ERP's code, such as CHECK
	Type       string         `json:"type,omitempty"`       // the ERP's invoice type, as read
	Subtotal   money.Money    `json:"subtotal"`             // Total − Tax − Freight unless the ERP has its own
	Freight    money.Money    `json:"freight"`
	Tax        money.Money    `json:"tax"`
	Total      money.Money    `json:"total"`
	Paid       money.Money    `json:"paid"`
	Balance    money.Money    `json:"balance"` // outstanding; may differ from Total − Paid (write-offs, retention)
	ContractNo string         `json:"contract_no,omitempty"`
	ProjectNo  string         `json:"project_no,omitempty"`
	DispatchNo string         `json:"dispatch_no,omitempty"`
	CustomerPO string         `json:"customer_po,omitempty"`
	Comment    string         `json:"comment,omitempty"`
	Lines      []Line         `json:"lines,omitempty"`
	// Modified is the ERP's change stamp, zero when it has none; it is no part of the fingerprint.
	Modified time.Time `json:"modified,omitzero"`
}

// Line is one line of an invoice. Quantity and UnitPrice keep the ERP's precision; Amount is the extended price.
type Line struct {
	ID          string          `json:"id"`
	Seq         int             `json:"seq"`
	Item        string          `json:"item,omitempty"`
	Description string          `json:"description,omitempty"`
	Quantity    decimal.Decimal `json:"quantity"`
	UnitPrice   decimal.Decimal `json:"unit_price"`
	Amount      money.Money     `json:"amount"`
	GLAccount   string          `json:"gl_account,omitempty"`
}

// Kind is KindCreditNote for a negative total, else KindInvoice (F07).
func (i Invoice) Kind() Kind {
	if i.Total.Sign() < 0 {
		return KindCreditNote
	}
	return KindInvoice
}

// Fingerprint identifies what we would send of the invoice: equal fingerprints mean that nothing that matters changed.
// Balance and Paid are left out, because payments change them without changing the document.
func (i Invoice) Fingerprint() string {
	i.Modified, i.Paid, i.Balance = time.Time{}, money.Money{}, money.Money{}
	i.Lines = slices.Clone(i.Lines)
	slices.SortStableFunc(i.Lines, compareLines)
	return fingerprint(i)
}

// Balance is an invoice's outstanding amount, re-read right before money is applied to it (q360-api 4.4.4).
type Balance struct {
	Number     string         `json:"number"`
	CompanyNo  string         `json:"company_no"`
	CustomerNo string         `json:"customer_no"`
	Currency   money.Currency `json:"currency"`
	Total      money.Money    `json:"total"`
	Balance    money.Money    `json:"balance"`
	Posted     bool           `json:"posted"`
}

// Address is a postal address. Country is an ISO 3166 alpha-2 code, empty for the company's own country.
type Address struct {
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"`
}

// IsZero reports whether nothing is filled in.
func (a Address) IsZero() bool { return a == Address{} }

// Customer is a customer of the ERP with its addresses and contacts (q360-api 4.4.5).
type Customer struct {
	Number      string         `json:"number"`
	Name        string         `json:"name"`
	Type        string         `json:"type,omitempty"` // CUSTOMER, CUSTVEND, PROSPECT, VENDOR, as read
	Active      bool           `json:"active"`
	CompanyNo   string         `json:"company_no,omitempty"` // default company; an invoice's own company decides
	Currency    money.Currency `json:"currency,omitempty"`
	Terms       string         `json:"terms,omitempty"`
	PayMethod   string         `json:"pay_method,omitempty"`
	Parent      string         `json:"parent,omitempty"` // number of the parent customer
	Phone       string         `json:"phone,omitempty"`
	Main        Address        `json:"main"`                   // header address: the main site
	Billing     Address        `json:"billing"`                // billing site's address; zero when there is none
	BillingSite string         `json:"billing_site,omitempty"` // number of the billing site
	MainContact string         `json:"main_contact,omitempty"` // number of the main contact
	Contacts    []Contact      `json:"contacts,omitempty"`     // ordered by number
	Modified    time.Time      `json:"modified,omitzero"`
}

// Fingerprint identifies what we would send of the customer and its contacts.
func (c Customer) Fingerprint() string {
	c.Modified = time.Time{}
	c.Contacts = slices.Clone(c.Contacts)
	for i := range c.Contacts {
		c.Contacts[i].Roles = slices.Sorted(slices.Values(c.Contacts[i].Roles))
	}
	slices.SortStableFunc(c.Contacts, func(a, b Contact) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Email, b.Email), cmp.Compare(a.Name, b.Name))
	})
	return fingerprint(c)
}

// Role is what a contact does for its company.
type Role string

// The roles of contacts (settings contacts.roles).
const (
	RoleAR          Role = "AR"
	RoleAP          Role = "AP"
	RoleCollections Role = "COLLECTIONS"
)

// Contact is a person at a customer. Email is empty when the ERP's is missing or malformed.
type Contact struct {
	Number     string `json:"number"`
	CustomerNo string `json:"customer_no"`
	Name       string `json:"name"`
	Title      string `json:"title,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	Roles      []Role `json:"roles,omitempty"`
	Active     bool   `json:"active"`
}

// LineKind says what a line of a cash receipt does. How an ERP codes it is its mapping's business.
type LineKind string

// The kinds of receipt line.
const (
	LineApplication LineKind = "application" // reduces an invoice's balance
	LineFee         LineKind = "fee"         // fee income on a GL account
	LineOnAccount   LineKind = "on_account"  // stays unapplied on the customer's account
)

// ReceiptLine is one line of a cash receipt.
type ReceiptLine struct {
	Kind      LineKind    `json:"kind"`
	InvoiceNo string      `json:"invoice_no,omitempty"` // for applications, and for fees that name their invoice
	Amount    money.Money `json:"amount"`
	GLAccount string      `json:"gl_account,omitempty"` // for fees
	Comment   string      `json:"comment,omitempty"`
}

// Receipt is a cash receipt of the ERP. Reference is its permanent natural key: the prefix and the portal's payment id
// (q360-api 4.6). Amount is the sum of its lines plus what is unapplied.
type Receipt struct {
	Number     string        `json:"number,omitempty"` // the ERP's, once it exists
	Reference  string        `json:"reference"`
	CompanyNo  string        `json:"company_no"`
	CustomerNo string        `json:"customer_no"`
	Date       Date          `json:"date"`
	Amount     money.Money   `json:"amount"`
	GLAccount  string        `json:"gl_account"` // the bank account
	PayMethod  string        `json:"pay_method,omitempty"`
	Comment    string        `json:"comment,omitempty"`
	Lines      []ReceiptLine `json:"lines"`
}

// HistoryEntry is a note in the ERP's history (q360-api 4.4.9). Key makes it findable: it is appended to the comment.
type HistoryEntry struct {
	Key        string    `json:"key"`
	Code       string    `json:"code"` // such as RP-VIEWED
	InvoiceNo  string    `json:"invoice_no"`
	CustomerNo string    `json:"customer_no,omitempty"`
	At         time.Time `json:"at"`
	Comment    string    `json:"comment"`
}

func fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("billing: " + err.Error()) // plain structs of texts and numbers always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// compareLines orders by sequence number; the rest only matters where an ERP numbers lines twice.
func compareLines(a, b Line) int {
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Item, b.Item),
		cmp.Compare(a.Description, b.Description), cmp.Compare(a.GLAccount, b.GLAccount),
		a.Amount.Decimal().Cmp(b.Amount.Decimal()), a.Quantity.Cmp(b.Quantity), a.UnitPrice.Cmp(b.UnitPrice))
}
