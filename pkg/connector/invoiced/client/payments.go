package client

import (
	"context"
	"net/url"
)

// Payment is a payment as read (invoiced-api 6.2).
type Payment struct {
	ID        ID                `json:"id"`
	Customer  Ref               `json:"customer"`
	Date      Unix              `json:"date"`
	Currency  Text              `json:"currency"`
	Amount    Number            `json:"amount"`
	Balance   Number            `json:"balance"`
	Method    Text              `json:"method"`
	Reference Text              `json:"reference"`
	AppliedTo Rows[Application] `json:"applied_to"`
	Charge    Maybe[Charge]     `json:"charge"`
	Voided    Flag              `json:"voided"`
	CreatedAt Unix              `json:"created_at"`
	UpdatedAt Unix              `json:"updated_at"`
}

// Application is one part of a payment (invoiced-api 6.3).
type Application struct {
	Type    Text   `json:"type"`
	Invoice Ref    `json:"invoice"`
	Amount  Number `json:"amount"`
}

// Charge is the processing of a payment (invoiced-api 6.4). The payment source is not decoded: its kinds are open.
type Charge struct {
	ID             ID           `json:"id"`
	Status         Text         `json:"status"`
	AmountRefunded Number       `json:"amount_refunded"`
	Refunded       Flag         `json:"refunded"`
	Refunds        Rows[Refund] `json:"refunds"`
	Disputed       Flag         `json:"disputed"`
	UpdatedAt      Unix         `json:"updated_at"`
}

// Refund is a refund of a charge.
type Refund struct {
	ID     ID     `json:"id"`
	Amount Number `json:"amount"`
	Status Text   `json:"status"`
}

// PaymentFields is a payment to record.
type PaymentFields struct {
	Customer  Optional[ID]        `json:"customer,omitzero"`
	Currency  Optional[string]    `json:"currency,omitzero"`
	Amount    Optional[Number]    `json:"amount,omitzero"`
	AppliedTo []ApplicationFields `json:"applied_to"`
}

// ApplicationFields is one part of a payment to record.
type ApplicationFields struct {
	Type         string       `json:"type"`
	CreditNote   Optional[ID] `json:"credit_note,omitzero"`
	DocumentType string       `json:"document_type,omitempty"`
	Invoice      Optional[ID] `json:"invoice,omitzero"`
	Amount       Number       `json:"amount"`
}

// applied asks for the applications, which are left out otherwise (invoiced-api 1.6).
func applied() url.Values { return url.Values{"include": {"applied_to"}} }

// Payment reads one payment with its applications.
func (c *Client) Payment(ctx context.Context, id string) (Payment, error) {
	return get[Payment](ctx, c, "reading payment "+id, applied(), "payments", id)
}

// ListPayments reads a page of the payments changed after since (unix seconds, 0 for all), with their applications, in
// the order of their changes.
func (c *Client) ListPayments(ctx context.Context, since int64, token string) (List[Payment], error) {
	return changes(ctx, c, "listing payments", since, applied(), token, func(v Payment) Unix { return v.UpdatedAt }, "payments")
}

// CreatePayment records a payment and returns its id; read it for the rest, because the answer lacks the applications.
func (c *Client) CreatePayment(ctx context.Context, op string, f PaymentFields, key string) (ID, error) {
	r, err := create[Ref](ctx, c, op, f, key, "payments")
	return r.ID, err
}
