package record

import (
	"encoding/json"
	"fmt"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/store"
)

// Double is a receipt in the ERP that may be one of a payment's, keyed in by hand under another reference.
type Double struct {
	Number    string `json:"number"`    // the receipt's
	Reference string `json:"reference"` // that the payment's own receipt would have
	Customer  string `json:"customer"`
	Company   string `json:"company"` // of the ERP
	Date      string `json:"date"`    // of the payment's own receipt
	Amount    string `json:"amount"`
}

// Applied is what a receipt of ours has to take off the balance of an invoice in the ERP, kept until that was seen.
type Applied struct {
	Reference string     `json:"reference"` // of the receipt
	Invoice   string     `json:"invoice"`   // the ERP's number
	Customer  string     `json:"customer"`
	Company   string     `json:"company"` // of the ERP
	Before    string     `json:"before"`  // the balance right before the receipt was posted
	Amount    string     `json:"amount"`
	At        store.Time `json:"at"` // when that was read
}

// Amounts are the balance before the receipt and what the receipt takes off it.
func (a Applied) Amounts(cur money.Currency) (before, amount money.Money, err error) {
	if before, err = money.Parse(a.Before, cur); err == nil {
		amount, err = money.Parse(a.Amount, cur)
	}
	return before, amount, err
}

// Use is the use of a credit note for an invoice in the portal.
type Use struct {
	Invoice   string `json:"invoice"`    // the ERP's number
	InvoiceID string `json:"invoice_id"` // the portal's
	Amount    string `json:"amount"`
	Before    string `json:"before"`               // what was left of the credit note
	PaymentID string `json:"payment_id,omitempty"` // the portal's payment that stands for it, once it is there
}

// Want keeps the receipts that a person is to key in, with everything that belongs into them; none, to forget them.
func (r *Record) Want(receipts []billing.Receipt) (err error) {
	r.Wanted, err = r.packed(receipts)
	return err
}

// WantedReceipts are the receipts kept by Want.
func (r *Record) WantedReceipts() ([]billing.Receipt, error) { return r.unpacked(r.Wanted) }

// Begin keeps all receipts of a payment as they are about to be posted, and the parts of the payment that they are for
// (plan.Parts); no receipts, to forget them.
func (r *Record) Begin(receipts []billing.Receipt, parts string) (err error) {
	r.Begun, err = r.packed(receipts)
	r.PostedAs = parts
	return err
}

// BegunReceipts are the receipts kept by Begin.
func (r *Record) BegunReceipts() ([]billing.Receipt, error) { return r.unpacked(r.Begun) }

func (r *Record) packed(receipts []billing.Receipt) (json.RawMessage, error) {
	if len(receipts) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(receipts)
	if err != nil {
		return nil, fmt.Errorf("keeping the receipts of payment %s: %w", r.SourceID, err)
	}
	return text, nil
}

func (r *Record) unpacked(text json.RawMessage) ([]billing.Receipt, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var out []billing.Receipt
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading the receipts of payment %s: %w", r.SourceID, err)
	}
	return out, nil
}
