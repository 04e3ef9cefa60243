package plan

import (
	"maps"
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
	BalanceDiffers   Code = "balance_not_as_expected"
	AppliedLater     Code = "applied_later"
	NotApplied       Code = "receipt_not_applied"
	BadPayment       Code = "bad_payment"
	BadEvent         Code = "bad_event"
	ReceiptAttempts  Code = "receipt_attempts_used_up"
	ReadOnly         Code = "read_only"
	FlowPaused       Code = "flow_paused"
	LeftAlone        Code = "left_alone"
	OutcomeUnknown   Code = "outcome_unknown"
	VendorRefused    Code = "vendor_refused"
	VendorDown       Code = "vendor_unavailable"
	Credentials      Code = "credentials_refused"
	RightMissing     Code = "right_missing"
	NotOurs          Code = "not_our_business"
	ActivityOff      Code = "activity_off"
	WaitsForCustomer Code = "waits_for_customer"
	InternalError    Code = "internal_error"

	WaitsForFile    Code = "waits_for_pdf"
	FileMissing     Code = "pdf_missing"
	FileEmpty       Code = "pdf_empty"
	FileTooLarge    Code = "pdf_too_large"
	FileNoPDF       Code = "pdf_broken"
	FileUnreadable  Code = "pdf_unreadable"
	FileOverdue     Code = "pdf_overdue"
	FilesOff        Code = "pdfs_off"
	WaitsForInvoice Code = "waits_for_invoice"
	MailWaits       Code = "email_waits"
	MailUnknown     Code = "email_unknown"
	MailRefused     Code = "email_refused"
	MailNobody      Code = "email_nobody"

	NoLongerPosted  Code = "no_longer_posted"
	MovedCompany    Code = "moved_to_other_company"
	GoneInERP       Code = "gone_in_erp"
	GoneBefore      Code = "gone_before_sync"
	GoneWhenPaid    Code = "gone_after_payment"
	GoneChecking    Code = "gone_is_checked"
	GoneVoided      Code = "gone_and_voided"
	GoneOnBoth      Code = "gone_on_both_sides"
	GoneDraft       Code = "gone_as_draft"
	CustomerDiffers Code = "customer_differs"
	PaymentInFlight Code = "payment_in_flight"
	ClosedInPortal  Code = "closed_in_portal"
	LateFees        Code = "late_fees"
	SeveralTagged   Code = "several_with_metadata"
	FoundByMetadata Code = "found_by_metadata"

	RefundedWhole     Code = "refunded_in_full"
	RefundedBefore    Code = "refunded_before_posting"
	ChangedWhenPosted Code = "changed_after_posting"
	ClosedPeriod      Code = "period_closed"
	CurrencyDiffers   Code = "currency_differs"
	InvoiceUnposted   Code = "invoice_not_posted"
	UnknownPayer      Code = "unknown_payer"
	OtherOwner        Code = "handled_by_other_company"
	FeeOneLine        Code = "fee_in_one_line"
	FeeUnapplied      Code = "fee_unapplied"
	CreditApplied     Code = "credit_applied"
	CreditLeft        Code = "credit_left"
	CreditWaits       Code = "credit_waits"
	CreditsMissing    Code = "credits_not_supported"
)

// words says each reason in plain words.
var words = map[Code]string{
	OtherCompany:      "belongs to company {company} of the ERP",
	NotPosted:         "is not posted in the ERP yet",
	BeforeStart:       "was posted on {posted}, before the start date {start}",
	ZeroTotal:         "has a total of zero",
	MethodExcluded:    "payment method {method} is not synced ({setting})",
	TypeExcluded:      "invoice type {type} is not synced (qualify.invoice_types)",
	CustomerExcluded:  "customer {customer} is not part of the sync ({setting})",
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
	AlreadyThere:      "was in the portal already",
	NumberTaken:       "number {number} is taken in the portal by that of {owner}",
	SeveralWithNumber: "the portal has {count} with number {number}",
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
	Refunded:         "{amount} of payment {payment} was refunded after receipt {receipt} was posted: book the refund in the ERP",
	Disputed:         "payment {payment} over {amount} is disputed by the payer: receipt {receipt} stays until that is decided; reverse it in the ERP if the payer wins",
	ReversedAfter:    "payment {payment} was voided or returned after receipt {receipt} over {amount} was posted: reverse the receipt in the ERP",
	FeeAllocated:     "convenience fee {fee} is spread over its invoices",
	FeeExcluded:      "convenience fee {fee} is left out of the receipt (fees.strategy)",
	HeldForEntry:     "receipt {reference} waits to be keyed in by hand (payments.receipt_mode)",
	PossibleDouble:   "the ERP has receipt {receipt} with this customer, amount and date, but another reference: was it keyed in by hand?",
	ReceiptRefused:   "the ERP refuses the receipt: {problem}",
	ReceiptMismatch:  "receipt {receipt} in the ERP is not what was sent: {problem}",
	BalanceDiffers:   "receipt {receipt} takes {amount} off invoice {invoice}, whose balance in the ERP was {before} and should be {expected}, but is {balance}: somebody else may have posted to it at the same moment; compare the invoice with its receipts in the ERP. The receipt stays",
	AppliedLater:     "receipt {receipt} lowers the balance of invoice {invoice} when the ERP posts it",
	NotApplied:       "receipt {receipt} is not applied in the ERP after {days} days: the balance of invoice {invoice} is {balance} and should be {expected} or less; post the receipt there, or correct receipts.applied_when in the mapping",
	BadPayment:       "can not be read exactly in the portal: {problem}; correct it there",
	BadEvent:         "an event can not be read exactly in the portal's list: {problem}; look there at what it tells",
	ReceiptAttempts:  "{attempts} attempts to post the receipt did not succeed: a person decides",
	ReadOnly:         "the company is read-only: nothing is written",
	FlowPaused:       "{flow} paused by {actor}: {reason}",
	LeftAlone:        "left alone by {actor}: {reason}",
	OutcomeUnknown:   "the answer to a write was lost; it is looked up before anything else is done",
	VendorRefused:    "{vendor} refuses it: {problem}",
	VendorDown:       "{vendor} is not available: {problem}",
	Credentials:      "{vendor} refuses the credentials",
	RightMissing:     "a right is missing at {vendor}: {problem}",
	NotOurs:          "event {type} needs nothing done",
	ActivityOff:      "this activity is not logged (activity.*)",
	WaitsForCustomer: "waits for customer {customer}",
	InternalError:    "an error inside arbridge: {problem}",

	RefundedWhole:     "payment {payment} was refunded in full ({amount}) after receipt {receipt} was posted: reverse the receipt or book the refund in the ERP",
	RefundedBefore:    "payment {payment} was refunded in full ({amount}) before it was posted: nothing is posted; void it in the portal if its invoices are to be open again",
	ChangedWhenPosted: "payment {payment} pays other parts than when receipt {receipt} over {posted} was posted, its amount is {amount} now: move the money in the ERP as the portal has it",
	ClosedPeriod:      "the period of {date} is closed in the ERP: open it, key the receipt in under its reference, or set payments.closed_period",
	CurrencyDiffers:   "pays invoice {invoice} in {paid}, which is in {currency} in the ERP",
	InvoiceUnposted:   "pays invoice {invoice}, which is not, or no longer, posted in the ERP",
	UnknownPayer:      "pays {amount} on account of a customer that arbridge does not know",
	OtherOwner:        "is handled with company {company}, which shares this portal account",
	FeeOneLine:        "convenience fee {fee} is a line of its own (fees.strategy)",
	FeeUnapplied:      "convenience fee {fee} is left on the customer's account (fees.strategy)",
	CreditApplied:     "{amount} of it was applied to invoice {invoice} in the portal: apply it in the ERP, too",
	CreditLeft:        "{amount} of it is left: no other open invoice of the customer qualifies (credit_notes.apply)",
	CreditWaits:       "waits until credit note {note} is in the portal",
	CreditsMissing:    "this portal can not apply credit notes",

	WaitsForFile:    "waits for its PDF (documents.required)",
	FileMissing:     "the ERP has no PDF for it",
	FileEmpty:       "the ERP's file {file} is empty: replace it there",
	FileTooLarge:    "the ERP's file {file} has more than {limit} MiB (documents.max_mib)",
	FileNoPDF:       "the ERP's file {file} is no PDF but {what}: replace it there",
	FileUnreadable:  "the ERP's file can not be read: {problem}",
	FileOverdue:     "no PDF that can be used came within {days} days (documents.wait_days)",
	FilesOff:        "PDFs are not attached (documents.attach)",
	WaitsForInvoice: "waits for its invoice to be in the portal",
	MailWaits:       "its e-mail goes out later: {problem}",
	MailUnknown:     "whether its e-mail went out is not known; it is not sent a second time",
	MailRefused:     "its e-mail did not go out: {problem}",
	MailNobody:      "its e-mail did not go out: the customer has no contact with an address in a wanted role",

	NoLongerPosted:  "is no longer posted in the ERP; the portal still has it",
	MovedCompany:    "belongs to company {company} of the ERP by now; the portal of this company still has it",
	GoneInERP:       "can no longer be read in the ERP ({problem}); the portal still has it (invoices.gone)",
	GoneBefore:      "can no longer be read in the ERP and never reached the portal",
	GoneWhenPaid:    "can no longer be read in the ERP ({problem}), but {paid} of {portal} was paid in the portal: it is never voided",
	GoneChecking:    "can no longer be read in the ERP ({problem}); it is looked for once more before it is voided (invoices.gone)",
	GoneVoided:      "vanished from the ERP and was voided in the portal (invoices.gone)",
	GoneOnBoth:      "is gone in the ERP, and deleted or voided in the portal",
	GoneDraft:       "can no longer be read in the ERP ({problem}); the portal has a draft of it, for a person to delete",
	CustomerDiffers: "is for customer {customer} in the ERP, but the portal has it under another customer, which can not be changed",
	PaymentInFlight: "a payment of it is under way in the portal; it is looked at again when that has settled",
	ClosedInPortal:  "changed in the ERP to {total}, but was closed in the portal",
	LateFees:        "the portal added late fees of {fees} to it; an update would remove them",
	SeveralTagged:   "the portal has {count} customers whose metadata name {number}",
	FoundByMetadata: "was found by its metadata; the portal has it under number {number} (customers.match)",
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
	if len(r.Params) == 0 {
		return text
	}
	pairs := make([]string, 0, 2*len(r.Params))
	for _, k := range slices.Sorted(maps.Keys(r.Params)) {
		pairs = append(pairs, "{"+k+"}", r.Params[k])
	}
	return strings.NewReplacer(pairs...).Replace(text) // in one pass: a value that looks like a parameter stays as it is
}

// notes are the reasons that stay worth knowing about a document that is in step.
var notes = map[Code]bool{PartlyPaidInERP: true, LinesDoNotAddUp: true, RoundingLine: true, DiscountTerms: true, MixedSigns: true,
	MailUnknown: true, MailRefused: true, MailNobody: true}

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

// Without is the reasons but those with a code.
func Without(reasons []Reason, code Code) []Reason {
	return slices.DeleteFunc(slices.Clone(reasons), func(r Reason) bool { return r.Code == code })
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
