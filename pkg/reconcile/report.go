package reconcile

import (
	"cmp"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// Schema names the JSON form of a Report.
const Schema = "arbridge.reconciliation/v1"

// Earlier is the period of documents from before the compared time that are still open.
const Earlier = "earlier"

// Class says which sum a difference explains: in each Book, and for each class, the ERP's sum minus the portal's is the
// sum of the differences' amounts.
type Class string

// The classes.
const (
	Documents Class = "documents" // Posted − Portal
	Balances  Class = "balances"  // ERPOpen − PortalOpen, of documents that both sides have
	Money     Class = "money"     // Receipts − (Payments − GoneBack)
)

// Kind is a kind of difference. The values are stored and never change.
type Kind string

// The kinds of difference.
const (
	MissingInPortal   Kind = "missing_in_portal"
	DeletedInPortal   Kind = "deleted_in_portal"
	VoidedInPortal    Kind = "voided_in_portal"
	MissingInERP      Kind = "missing_in_erp"
	UnpostedInERP     Kind = "unposted_in_erp"
	TotalDiffers      Kind = "total_differs"
	CurrencyDiffers   Kind = "currency_differs"
	SeveralInPortal   Kind = "several_in_portal"
	BalanceDiffers    Kind = "balance_differs"
	PaidOutside       Kind = "paid_outside" // in the ERP, by a receipt that is not ours
	CreditUsed        Kind = "credit_used"  // in the portal only
	NotPosted         Kind = "payment_without_receipt"
	Untold            Kind = "payment_untold" // no event told of it
	AmountDiffers     Kind = "receipt_differs"
	WithoutPayment    Kind = "receipt_without_payment"
	PaymentDeleted    Kind = "payment_deleted"
	PaymentNotSettled Kind = "receipt_of_unsettled_payment"
	SeveralReceipts   Kind = "several_receipts"
	ReceiptGone       Kind = "receipt_gone"
	FeeLeftOut        Kind = "fee_left_out"
	MoneyWentBack     Kind = "money_went_back"
	OtherCompany      Kind = "receipt_of_other_company"
)

// Difference is one thing that the two sides do not agree on. Amounts are in minor units of Currency.
type Difference struct {
	Kind      Kind
	Class     Class
	Object    billing.Kind // invoice, credit_note, payment or receipt
	Number    string       // of the document, or the payment's id
	PortalID  string
	Reference string // of the receipt
	Receipt   string // the receipt's number
	Customer  string
	Date      billing.Date
	Currency  money.Currency
	Period    string // such as 2026-05, or Earlier
	// ERP and Portal are what each side has; Amount is the part of ERP − Portal that this line explains.
	ERP, Portal, Amount int64
	// Stake is the money that depends on it, 0 where another line has it.
	Stake     int64
	Explained bool
	Code      string // of the reason; a plan.Code where a plan or record gave it
	Why       string
	Action    string // what would mend it: a command, or words for a person; empty when nothing is to be done
}

// Sum is a number of things and their amount.
type Sum struct {
	Count  int
	Amount money.Money
	minor  int64 // added and not yet in Amount, in minor units
}

// add counts a thing. Its amount goes into Amount with the next settle: adding decimals one by one takes memory for each.
func (s *Sum) add(minor int64, cur money.Currency) {
	s.Count++
	sum := s.minor + minor
	if (sum > s.minor) != (minor > 0) && minor != 0 { // more than fits
		s.settle(cur)
		sum = minor
	}
	s.minor = sum
}

// settle puts what was added into Amount.
func (s *Sum) settle(cur money.Currency) {
	s.Amount, s.minor = s.Amount.Add(money.FromMinor(s.minor, cur)), 0
}

// Book is one company, currency and period on both sides. Credits count negative in Posted, Qualified and Portal, and are
// shown once more by themselves.
type Book struct {
	Company  string
	Currency money.Currency
	Period   string

	Posted, Qualified, Portal Sum // documents: posted in the ERP, those that belong into the portal, ours in the portal
	CreditsERP, CreditsPortal Sum // those of them that are credits
	Foreign                   Sum // documents of the portal that are not ours
	ERPOpen, PortalOpen       Sum // balances of documents that both sides have
	Payments, Pending         Sum // of the portal: settled, and not yet
	GoneBack                  Sum // refunds of settled payments
	Receipts, ByHand          Sum // of the ERP: of our payments, and all others
	FeesPortal, FeesERP       Sum // convenience fees in payments and in receipts
	Unapplied, OnAccount      Sum // unapplied in payments, and on account in receipts
	Explained, Unexplained    Sum // differences: their count and the money at stake
	DocumentsGap, BalancesGap money.Money
	MoneyGap                  money.Money // the ERP's sum minus the portal's, by class
}

// State is the result of a comparison in a word.
type State string

// The states.
const (
	OK          State = "ok" // no differences at all
	Explained   State = "explained"
	Unexplained State = "unexplained"
)

// Report is the result of a comparison.
type Report struct {
	Company     string
	From, To    billing.Date
	Books       []Book       // by currency and period
	Differences []Difference // unexplained ones first, the largest stake first
	Notes       []string     // what limits the comparison, such as records that could not be read
}

// State tells whether everything agrees, is explained, or not.
func (r Report) State() State {
	state := OK
	for i := range r.Differences {
		if !r.Differences[i].Explained {
			return Unexplained
		}
		state = Explained
	}
	return state
}

// Unexplained is the number of unexplained differences.
func (r Report) Unexplained() int {
	n := 0
	for i := range r.Differences {
		if !r.Differences[i].Explained {
			n++
		}
	}
	return n
}

// Stake is the money at stake in unexplained differences, one amount per currency, sorted by currency.
func (r Report) Stake() []money.Money {
	sums := map[money.Currency]money.Money{}
	for i := range r.Differences {
		if d := &r.Differences[i]; !d.Explained {
			sums[d.Currency] = sums[d.Currency].Add(money.FromMinor(d.Stake, d.Currency))
		}
	}
	out := make([]money.Money, 0, len(sums))
	for _, m := range sums {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b money.Money) int { return cmp.Compare(a.Currency(), b.Currency()) })
	return out
}

// amount is an amount of the difference with its currency.
func (d *Difference) amount(minor int64) money.Money { return money.FromMinor(minor, d.Currency) }

// inOrder sorts differences in place: they are large.
type inOrder []Difference

// Len implements sort.Interface.
func (o inOrder) Len() int { return len(o) }

// Swap implements sort.Interface.
func (o inOrder) Swap(i, k int) { o[i], o[k] = o[k], o[i] }

// Less implements sort.Interface: unexplained ones first, then by currency, the largest stake first.
func (o inOrder) Less(i, k int) bool {
	a, b := &o[i], &o[k]
	if a.Explained != b.Explained {
		return b.Explained
	}
	return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(b.Stake, a.Stake), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Period, b.Period),
		cmp.Compare(a.Number, b.Number), cmp.Compare(a.PortalID, b.PortalID), cmp.Compare(a.Reference, b.Reference),
		cmp.Compare(a.Receipt, b.Receipt), cmp.Compare(a.Amount, b.Amount), cmp.Compare(a.Why, b.Why)) < 0
}
