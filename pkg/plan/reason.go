package plan

import (
	"slices"
	"strings"
)

// Code names why a plan is what it is. Codes are stored and never change.
type Code string

// The reason codes. Their words are in the table below, with {parameters}.
const (
	OtherCompany      Code = "other_company"
	NotPosted         Code = "not_posted"
	BeforeStart       Code = "before_start"
	ZeroTotal         Code = "zero_total"
	MethodExcluded    Code = "payment_method_excluded"
	TypeExcluded      Code = "invoice_type_excluded"
	CustomerExcluded  Code = "customer_excluded"
	BalanceBelow      Code = "balance_below_minimum"
	SettledInERP      Code = "settled_in_erp"
	PartlyPaidInERP   Code = "partly_paid_in_erp"
	CreditsOff        Code = "credit_notes_off"
	NoGLAccount       Code = "no_gl_account"
	CustomerMissing   Code = "customer_missing"
	CustomerNotMade   Code = "customer_creation_off"
	LinesDoNotAddUp   Code = "lines_do_not_add_up"
	RoundingLine      Code = "rounding_line"
	DiscountTerms     Code = "terms_would_discount"
	MixedSigns        Code = "lines_of_mixed_sign"
	Unchanged         Code = "unchanged"
	AlreadyThere      Code = "already_there"
	NumberTaken       Code = "number_taken"
	SeveralWithNumber Code = "several_with_number"
	PortalDiffers     Code = "portal_total_differs"
	ChangedWhenPaid   Code = "changed_after_payment"
	UpdatesOff        Code = "updates_off"
	VoidedInPortal    Code = "voided_in_portal"
	GoneInPortal      Code = "gone_in_portal"
	KindChanged       Code = "kind_changed"
	BadSource         Code = "bad_source"

	PaymentsOff      Code = "payments_off"
	PaymentVoided    Code = "payment_voided"
	PaymentPending   Code = "payment_pending"
	PaymentFailed    Code = "payment_failed"
	NotCharged       Code = "not_charged"
	CreditsOnly      Code = "credits_only"
	SumsDiffer       Code = "sums_differ"
	UnknownPart      Code = "unknown_application"
	UnknownInvoice   Code = "unknown_invoice"
	NoMethod         Code = "no_payment_method"
	Overpayment      Code = "overpayment"
	OnAccount        Code = "on_account"
	Refunded         Code = "refunded"
	Disputed         Code = "disputed"
	ReversedAfter    Code = "reversed_after_posting"
	FeeAllocated     Code = "fee_allocated"
	FeeExcluded      Code = "fee_excluded"
	HeldForEntry     Code = "held_for_entry"
	PossibleDouble   Code = "possible_duplicate"
	ReceiptRefused   Code = "receipt_refused"
	ReceiptMismatch  Code = "receipt_mismatch"
	ReceiptAttempts  Code = "receipt_attempts_used_up"
	ReadOnly         Code = "read_only"
	Paused           Code = "paused"
	OutcomeUnknown   Code = "outcome_unknown"
	VendorRefused    Code = "vendor_refused"
	VendorDown       Code = "vendor_unavailable"
	Credentials      Code = "credentials_refused"
	RightMissing     Code = "right_missing"
	NotOurs          Code = "not_our_business"
	ActivityOff      Code = "activity_off"
	WaitsForCustomer Code = "waits_for_customer"
	InternalError    Code = "internal_error"
)

// words says each reason in plain words.
var words = map[Code]string{
	OtherCompany:      "belongs to company {company} of the ERP",
	NotPosted:         "is not posted in the ERP yet",
	BeforeStart:       "was posted on {posted}, before the start date {start}",
	ZeroTotal:         "has a total of zero",
	MethodExcluded:    "payment method {method} is not synced (qualify.payment_methods)",
	TypeExcluded:      "invoice type {type} is not synced (qualify.invoice_types)",
	CustomerExcluded:  "customer {customer} is not part of the sync (qualify.customers)",
	BalanceBelow:      "balance {balance} is below the minimum (qualify.min_balance)",
	SettledInERP:      "was settled in the ERP before it reached the portal: nothing is left to pay",
	PartlyPaidInERP:   "{paid} of {total} was settled in the ERP before the sync",
	CreditsOff:        "credit notes are not synced (credit_notes.sync)",
	NoGLAccount:       "no bank GL account for {currency} (payments.gl_accounts): its payments could not be posted",
	CustomerMissing:   "customer {customer} can not be read in the ERP",
	CustomerNotMade:   "customer {customer} is not in the portal and creating customers is off (customers.create)",
	LinesDoNotAddUp:   "lines add up to {lines}, the ERP's total is {total}: sent as one line with the ERP's total",
	RoundingLine:      "lines differ by {difference} from the ERP's total: sent with a rounding line",
	DiscountTerms:     "terms {terms} would make the portal grant a discount: sent without them",
	MixedSigns:        "the tax or freight has the other sign than the total: sent as one line",
	Unchanged:         "nothing changed",
	AlreadyThere:      "was in the portal already with the same total",
	NumberTaken:       "number {number} is taken in the portal by a document of {owner}",
	SeveralWithNumber: "the portal has {count} documents with number {number}",
	PortalDiffers:     "the portal's total is {portal}, the ERP's is {total}",
	ChangedWhenPaid:   "changed in the ERP to {total} after {paid} of {portal} was paid in the portal",
	UpdatesOff:        "changed in the ERP, but updates are off (invoices.update)",
	VoidedInPortal:    "was voided in the portal and is left alone",
	GoneInPortal:      "was deleted in the portal and is left alone",
	KindChanged:       "changed its sign after it was sent",
	BadSource:         "can not be used as the ERP has it: {problem}",

	PaymentsOff:      "payments are not synced (payments.mode)",
	PaymentVoided:    "was voided before it was posted",
	PaymentPending:   "is pending; it is posted when it settles",
	PaymentFailed:    "failed: no money came",
	NotCharged:       "was not charged by card or bank debit, and only those are synced (payments.mode)",
	CreditsOnly:      "uses credits only: no cash came",
	SumsDiffer:       "its parts add up to {parts}, but its amount is {amount}",
	UnknownPart:      "has a part of unknown type {type}",
	UnknownInvoice:   "pays invoice {invoice} of the portal, which arbridge did not sync",
	NoMethod:         "no ERP payment method for {method} (payments.methods_map)",
	Overpayment:      "pays {amount} on invoice {invoice}, whose balance in the ERP is {balance}",
	OnAccount:        "{amount} stays on the customer's account",
	Refunded:         "{amount} was refunded after receipt {receipt} was posted: correct it in the ERP",
	Disputed:         "is disputed by the payer; receipt {receipt} stays until that is decided",
	ReversedAfter:    "was voided or returned after receipt {receipt} over {amount} was posted: reverse it in the ERP",
	FeeAllocated:     "convenience fee {fee} is spread over its invoices",
	FeeExcluded:      "convenience fee {fee} is left out of the receipt (fees.strategy)",
	HeldForEntry:     "receipt {reference} waits to be keyed in by hand (payments.receipt_mode)",
	PossibleDouble:   "the ERP has receipt {receipt} with this customer, amount and date, but another reference: was it keyed in by hand?",
	ReceiptRefused:   "the ERP refuses the receipt: {problem}",
	ReceiptMismatch:  "receipt {receipt} in the ERP is not what was sent: {problem}",
	ReceiptAttempts:  "{attempts} attempts to post the receipt did not succeed: a person decides",
	ReadOnly:         "the company is read-only: nothing is written",
	Paused:           "the company is paused",
	OutcomeUnknown:   "the answer to a write was lost; it is looked up before anything else is done",
	VendorRefused:    "{vendor} refuses it: {problem}",
	VendorDown:       "{vendor} is not available: {problem}",
	Credentials:      "{vendor} refuses the credentials",
	RightMissing:     "a right is missing at {vendor}: {problem}",
	NotOurs:          "event {type} needs nothing done",
	ActivityOff:      "this activity is not logged (activity.*)",
	WaitsForCustomer: "waits for customer {customer}",
	InternalError:    "an error inside arbridge: {problem}",
}

// Reason is a code with its parameters.
type Reason struct {
	Code   Code              `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// Because makes a reason; pairs are parameter names and values.
func Because(code Code, pairs ...string) Reason {
	r := Reason{Code: code}
	for i := 0; i+1 < len(pairs); i += 2 {
		if r.Params == nil {
			r.Params = map[string]string{}
		}
		r.Params[pairs[i]] = pairs[i+1]
	}
	return r
}

// Text is the reason in plain words.
func (r Reason) Text() string {
	text, ok := words[r.Code]
	if !ok {
		text = string(r.Code)
	}
	for k, v := range r.Params {
		text = strings.ReplaceAll(text, "{"+k+"}", v)
	}
	return text
}

// notes are the reasons that stay worth knowing about a document that is in step.
var notes = map[Code]bool{PartlyPaidInERP: true, LinesDoNotAddUp: true, RoundingLine: true, DiscountTerms: true, MixedSigns: true}

// Notes are those of the reasons that describe how a document went over, rather than what became of it.
func Notes(reasons []Reason) []Reason {
	var out []Reason
	for _, r := range reasons {
		if notes[r.Code] {
			out = append(out, r)
		}
	}
	return out
}

// Text joins the words of reasons with "; ".
func Text(reasons []Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.Text()
	}
	return strings.Join(texts, "; ")
}

// Codes lists every reason code, sorted.
func Codes() []Code {
	out := make([]Code, 0, len(words))
	for c := range words {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}
