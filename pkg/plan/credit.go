package plan

import (
	"cmp"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// CreditUse is the use of part of a portal credit note for an invoice. Ids are the portal's, Amount is positive.
type CreditUse struct {
	CustomerID   string      `json:"customer_id"`
	CreditNoteID string      `json:"credit_note_id"`
	InvoiceID    string      `json:"invoice_id"`
	InvoiceNo    string      `json:"invoice_no"` // the ERP's
	Amount       money.Money `json:"amount"`
}

// CreditInput is everything the decision on applying a credit note depends on.
type CreditInput struct {
	Settings   settings.Company
	Number     string                 // the ERP's number of the credit note
	ContractNo string                 // its contract in the ERP; empty without one
	Note       billing.PortalDocument // as the portal has it now
	// Open are the open invoices of the customer in the portal that arbridge synced.
	Open []OpenInvoice
	// Used are the ERP's numbers of the invoices that the note was applied to before: each once.
	Used []string
}

// OpenInvoice is an open portal invoice with what the ERP says of it.
type OpenInvoice struct {
	Document   billing.PortalDocument
	Number     string // the ERP's
	ContractNo string
}

// Credit decides which open invoices a credit note is applied to (credit_notes.apply): those of its customer and currency,
// the oldest first by date and then number, as long as something is left of it. It is no cash, and never becomes any (F25).
func Credit(in CreditInput) Plan {
	rule := in.Settings.CreditNotes.Apply
	left := in.Note.Balance
	if rule == "none" || rule == "" || in.Note.Voided || in.Note.Draft || in.Note.Closed || left.Sign() <= 0 {
		return stop(None, Because(Unchanged))
	}
	open := slices.Clone(in.Open)
	slices.SortFunc(open, func(a, b OpenInvoice) int {
		return cmp.Or(cmp.Compare(a.Document.Date, b.Document.Date), cmp.Compare(a.Number, b.Number))
	})
	p := Plan{Verdict: Create}
	for _, inv := range open {
		if !in.takes(inv) || left.IsZero() {
			continue
		}
		amount := left
		if inv.Document.Balance.Cmp(left) < 0 {
			amount = inv.Document.Balance
		}
		left = left.Sub(amount)
		p.Steps = append(p.Steps, CreditStep(in.Number, CreditUse{
			CustomerID: in.Note.CustomerID, CreditNoteID: in.Note.ID, InvoiceID: inv.Document.ID, InvoiceNo: inv.Number, Amount: amount,
		}))
	}
	if !left.IsZero() {
		p.Reasons = append(p.Reasons, Because(CreditLeft, "amount", left.String()))
	}
	if len(p.Steps) == 0 {
		p.Verdict = None
	}
	return p
}

// CreditStep is the step that uses a credit note, by its ERP number, for an invoice: once for the two of them.
func CreditStep(number string, use CreditUse) Step {
	return Step{Op: OpCreate, Kind: billing.KindCredit, Key: key("credit", number, use.InvoiceNo), Credit: &use}
}

// takes reports whether the note may be used for an invoice.
func (in CreditInput) takes(inv OpenInvoice) bool {
	d := inv.Document
	switch {
	case d.Kind != billing.KindInvoice, d.CustomerID != in.Note.CustomerID, d.Currency != in.Note.Currency:
		return false
	case d.Draft, d.Voided, d.Closed, d.Status == "pending", d.Balance.Sign() <= 0: // pending: a payment is on its way
		return false
	case slices.Contains(in.Used, inv.Number):
		return false
	}
	return in.Settings.CreditNotes.Apply != "same_contract" || in.ContractNo != "" && inv.ContractNo == in.ContractNo
}
