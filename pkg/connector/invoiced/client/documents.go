package client

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/arbridge/arbridge/pkg/connector"
)

// Resource is a kind of object as paths name it.
type Resource string

// The kinds of object that have a PDF; the first two are documents.
const (
	Invoices    Resource = "invoices"
	CreditNotes Resource = "credit_notes"
	Payments    Resource = "payments"
)

// Noun is the resource in the singular, for messages.
func (r Resource) Noun() string {
	switch r {
	case Invoices:
		return "invoice"
	case CreditNotes:
		return "credit note"
	case Payments:
		return "payment"
	}
	return string(r)
}

// documents reports whether the resource is one of the two kinds of document.
func (r Resource) documents(op string) error {
	if r != Invoices && r != CreditNotes {
		return connector.NewError(connector.ClassBug, op, "%q is no kind of document of the portal", string(r))
	}
	return nil
}

// Document is an invoice or credit note as read (invoiced-api 4.2, 5.2).
type Document struct {
	ID            ID         `json:"id"`
	Customer      Ref        `json:"customer"`
	Number        Text       `json:"number"`
	Currency      Text       `json:"currency"`
	Date          Unix       `json:"date"`
	DueDate       Unix       `json:"due_date"`
	PaymentTerms  Text       `json:"payment_terms"`
	PurchaseOrder Text       `json:"purchase_order"`
	Notes         Text       `json:"notes"`
	Draft         Flag       `json:"draft"`
	AutoPay       Flag       `json:"autopay"`
	Closed        Flag       `json:"closed"`
	Voided        Flag       `json:"voided"` // not documented; the status says so too
	Status        Text       `json:"status"`
	Items         Rows[Item] `json:"items"`
	Taxes         Rows[Tax]  `json:"taxes"`
	Total         Number     `json:"total"`
	Balance       Number     `json:"balance"`
	Metadata      Metadata   `json:"metadata"`
	URL           Text       `json:"url"`
	UpdatedAt     Unix       `json:"updated_at"`
}

// Item is a line of a document as read (invoiced-api 4.5).
type Item struct {
	Name        Text      `json:"name"`
	Description Text      `json:"description"`
	Type        Text      `json:"type"`
	Quantity    Number    `json:"quantity"`
	UnitCost    Number    `json:"unit_cost"`
	Taxes       Rows[Tax] `json:"taxes"`
}

// Tax is a tax amount of a document or a line.
type Tax struct {
	Amount Number `json:"amount"`
}

// DocumentFields are the fields of a document to write; absent ones stay as they are. Items, taxes and discounts replace
// what is there (invoiced-api 4.6).
type DocumentFields struct {
	Customer       Optional[ID]                `json:"customer,omitzero"`
	Number         Optional[string]            `json:"number,omitzero"`
	Currency       Optional[string]            `json:"currency,omitzero"`
	Date           Optional[int64]             `json:"date,omitzero"`
	DueDate        Optional[int64]             `json:"due_date,omitzero"`
	PaymentTerms   Optional[string]            `json:"payment_terms,omitzero"`
	PurchaseOrder  Optional[string]            `json:"purchase_order,omitzero"`
	Notes          Optional[string]            `json:"notes,omitzero"`
	Draft          Optional[bool]              `json:"draft,omitzero"`
	Sent           Optional[bool]              `json:"sent,omitzero"`
	AutoPay        Optional[bool]              `json:"autopay,omitzero"`
	Items          Optional[[]ItemFields]      `json:"items,omitzero"`
	Discounts      Optional[[]TaxFields]       `json:"discounts,omitzero"`
	Taxes          Optional[[]TaxFields]       `json:"taxes,omitzero"`
	CalculateTaxes Optional[bool]              `json:"calculate_taxes,omitzero"`
	Attachments    Optional[[]ID]              `json:"attachments,omitzero"` // the whole set (invoiced-api 8)
	Metadata       Optional[map[string]string] `json:"metadata,omitzero"`    // the whole map (invoiced-api 11.1)
}

// ItemFields is a line to write. The portal computes the amount.
type ItemFields struct {
	Name        Optional[string] `json:"name,omitzero"`
	Description Optional[string] `json:"description,omitzero"`
	Type        Optional[string] `json:"type,omitzero"`
	Quantity    Number           `json:"quantity"`
	UnitCost    Number           `json:"unit_cost"`
}

// TaxFields is a flat tax or discount to write.
type TaxFields struct {
	Amount Number `json:"amount"`
}

// FindDocuments returns the documents that the filter for the number gives. Compare the numbers: the filter's treatment
// of case and blanks is not documented.
func (c *Client) FindDocuments(ctx context.Context, r Resource, number string) ([]Document, error) {
	op := "finding " + r.Noun() + " " + number
	if err := r.documents(op); err != nil {
		return nil, err
	}
	return all[Document](ctx, c, op, url.Values{"filter[number]": {number}}, string(r))
}

// OpenInvoices returns the invoices that the filters for a customer and for unpaid give (invoiced-api 1.6).
func (c *Client) OpenInvoices(ctx context.Context, customerID string) ([]Document, error) {
	return all[Document](ctx, c, "listing the open invoices of customer "+customerID,
		url.Values{"filter[customer]": {customerID}, "filter[paid]": {"0"}}, string(Invoices))
}

// ListDocuments reads a page of all documents of a kind in the order of their changes.
func (c *Client) ListDocuments(ctx context.Context, r Resource, token string) (List[Document], error) {
	op := "listing the portal's " + r.Noun() + "s"
	if err := r.documents(op); err != nil {
		return List[Document]{}, err
	}
	return changes(ctx, c, op, 0, nil, token, func(v Document) Unix { return v.UpdatedAt }, string(r))
}

// Document reads one document.
func (c *Client) Document(ctx context.Context, r Resource, id string) (Document, error) {
	return get[Document](ctx, c, "reading "+r.Noun()+" "+id, nil, string(r), id)
}

// CreateDocument creates a document.
func (c *Client) CreateDocument(ctx context.Context, r Resource, f DocumentFields, key string) (Document, error) {
	number, _ := f.Number.Get()
	return create[Document](ctx, c, "creating "+r.Noun()+" "+number, f, key, string(r))
}

// UpdateDocument changes a document.
func (c *Client) UpdateDocument(ctx context.Context, r Resource, id string, f DocumentFields) (Document, error) {
	return update[Document](ctx, c, "updating "+r.Noun()+" "+id, f, string(r), id)
}

// VoidDocument voids a document. No idempotency key is sent: a refusal that was remembered under it would outlive its
// reason.
func (c *Client) VoidDocument(ctx context.Context, r Resource, id string) (Document, error) {
	return create[Document](ctx, c, "voiding "+r.Noun()+" "+id, struct{}{}, "", string(r), id, "void")
}

// recipient is one address of an e-mail.
type recipient struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// SendDocument asks the vendor to mail a document to one address. The vendor queues it; its answer is not read, because
// its form changed over time (invoiced-api 4.1).
func (c *Client) SendDocument(ctx context.Context, r Resource, id, name, email string) error {
	body := struct {
		To []recipient `json:"to"`
	}{[]recipient{{name, email}}}
	_, err := create[json.RawMessage](ctx, c, "mailing "+r.Noun()+" "+id, body, "", string(r), id, "emails")
	return err
}
