package reconcile

import (
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

// Input is everything a comparison depends on. Amounts of rows are in minor units of their currency, so that a hundred
// thousand rows are cheap; they are exact.
type Input struct {
	Company  string
	Settings settings.Company
	// At is when the reading began. Polled is when the ERP's changes were last read, the zero time for never.
	At, Polled time.Time
	// From and To bound the comparison, both included. Rows outside serve to explain what is inside. With Open, documents
	// from before on which something is outstanding on either side belong to it as well, in the period Earlier.
	From, To billing.Date
	Open     bool
	// Since is the date from which payments and receipts were read.
	Since billing.Date

	ERP     Side // documents and receipts
	Portal  Side // documents and payments
	Records []Record
	// Elsewhere maps references of receipts to the other company whose payment they belong to.
	Elsewhere map[string]string
	// NoReceipts says why the site's receipts can not be listed; empty when they were.
	NoReceipts string
	// Later says that the ERP lowers balances after a receipt was keyed in, not with it.
	Later bool
	// Unread are records that could not be read exactly, for the notes of the report.
	Unread []string
}

// Side is what one system has.
type Side struct {
	Documents []Document
	Payments  []Payment
	Receipts  []Receipt
}

// Traits are what many documents of a side have in common; they are kept once.
type Traits struct {
	Kind     billing.Kind
	Date     billing.Date
	Currency money.Currency
	Company  string // of an ERP document: the ERP's company code
	Method   string // of an ERP document: its payment method
	Type     string // of an ERP document
	// Owner says whose a portal document is by its metadata: company/number of the ERP, without a number where that is the
	// document's own; empty when they do not say.
	Owner string
}

// Document is an invoice or a credit of one side. Credits are negative on both sides. Its Traits have to be there.
type Document struct {
	*Traits
	Number   string
	ID       string // the portal's id
	Customer string // of an ERP document: the ERP's number
	Total    int64
	Balance  int64
	Modified int64 // Unix seconds, 0 when not known
	Posted   bool  // in the ERP
	Voided   bool  // in the portal
}

// Part is what a payment pays for.
type Part struct {
	Type      billing.ApplicationType
	InvoiceID string
	Amount    int64
}

// Payment is a payment of the portal.
type Payment struct {
	ID       string
	Customer string // the portal's id
	Date     billing.Date
	Currency money.Currency
	Method   string
	Status   billing.ChargeStatus // of its charge
	Charged  bool                 // it has a charge
	Voided   bool
	Disputed bool
	Amount   int64
	Unapply  int64 // unapplied
	Refunded int64
	Updated  int64 // Unix seconds
	Parts    []Part
}

// Receipt is a cash receipt of the ERP.
type Receipt struct {
	Number    string
	Reference string
	Company   string // the ERP's code
	Customer  string
	Date      billing.Date
	Currency  money.Currency
	Amount    int64
	Fees      int64
	OnAccount int64
	Lines     []Applied
}

// Applied is what a receipt pays of an invoice.
type Applied struct {
	Invoice string
	Amount  int64
}

// Standing is how a record stands. Records that stand alike share it.
type Standing struct {
	Kind     billing.Kind // invoice (credits too) or payment
	Status   record.Status
	Reasons  []plan.Reason
	Receipts []record.Receipt
}

// Record is what arbridge knows of a document or payment. Its Standing has to be there.
type Record struct {
	*Standing
	Number   string // the ERP's number, or the portal's payment id
	PortalID string
	Customer string // the ERP's number
	Due      int64  // Unix seconds, 0 for none
}

// settled reports whether the payment's money came and stayed, apart from refunds.
func (p *Payment) settled() bool {
	return !p.Voided && (!p.Charged || p.Status == billing.ChargeSucceeded)
}

// net is the money that came and stayed.
func (p *Payment) net() int64 {
	if !p.settled() {
		return 0
	}
	return p.Amount - p.Refunded
}

func (p *Payment) fee() int64 {
	var sum int64
	for _, a := range p.Parts {
		if a.Type == billing.ApplyConvenienceFee {
			sum += a.Amount
		}
	}
	return sum
}

// full is the payment as the plan takes it.
func (p *Payment) full(zone *time.Location) billing.Payment {
	m := func(n int64) money.Money { return money.FromMinor(n, p.Currency) }
	out := billing.Payment{
		ID: p.ID, CustomerID: p.Customer, Date: p.Date.Noon(zone), Currency: p.Currency, Amount: m(p.Amount), Unapplied: m(p.Unapply),
		Method: p.Method, Voided: p.Voided,
	}
	for _, a := range p.Parts {
		out.Applications = append(out.Applications, billing.Application{Type: a.Type, InvoiceID: a.InvoiceID, Amount: m(a.Amount)})
	}
	if p.Charged {
		out.Charge = &billing.Charge{Status: p.Status, Refunded: m(p.Refunded), Disputed: p.Disputed}
	}
	return out
}

// header is the ERP document as the plan takes it, without its lines.
func (d *Document) header() billing.Invoice {
	return billing.Invoice{
		Number: d.Number, CompanyNo: d.Company, CustomerNo: d.Customer, Posted: d.Posted, Date: d.Date, PostedDate: d.Date,
		Currency: d.Currency, PayMethod: d.Method, Type: d.Type,
		Total: money.FromMinor(d.Total, d.Currency), Balance: money.FromMinor(d.Balance, d.Currency),
	}
}

// live reports whether the document counts: posted in the ERP, not voided in the portal.
func (d *Document) live() bool { return d != nil && (d.Posted || d.ID != "" && !d.Voided) }

// done reports whether the record says that both sides agree.
func (r *Record) done() bool { return r.Status == record.Synced || r.Status == record.Variance }
