package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// PaymentInput is everything the decision on a portal payment depends on.
type PaymentInput struct {
	Payment  billing.Payment
	Settings settings.Company
	// Others are the settings of the other companies of the same ERP site, by the ERP's company code: a payment may cover
	// their invoices, too (q360-api 3.4).
	Others map[string]settings.Company
	// Invoices are the ERP's balances of the invoices the payment applies to, by the portal's invoice id, read now. An id
	// that is missing belongs to an invoice arbridge did not sync.
	Invoices map[string]billing.Balance
	// PayerNo is the ERP's number of the customer who paid, for payments that name no invoice; empty when it is not known.
	PayerNo string
	// Posted are the receipts of this payment that exist already, by reference.
	Posted map[string]billing.Receipt
	// Complete says that Posted are all receipts of the payment as it was when they were posted, and PostedAs what its
	// parts were then: only a reversal or a change is left to see.
	Complete bool
	PostedAs string
}

// Payment decides which cash receipts a payment becomes (F21–F25): one per company, currency and customer, with one
// application line per invoice. The references are the prefix and the payment's id, with -2, -3 … in sorted order of
// (company, currency, customer), so that every run builds the same ones.
func Payment(in PaymentInput) Plan {
	if p, no := settled(in); no {
		return p
	}
	if p, no := noCash(in.Payment); no {
		return p
	}
	groups, bad := groupByCustomer(in)
	if bad != nil {
		return stop(Conflict, *bad)
	}
	b := &receipts{in: in}
	return b.build(groups)
}

// noCash handles payments whose parts are no cash, or make no sense.
func noCash(pay billing.Payment) (Plan, bool) {
	parts := pay.Unapplied
	for _, a := range pay.Applications {
		switch {
		case !a.Known():
			return stop(Conflict, Because(UnknownPart, "type", string(a.Type))), true
		case a.Cash() && a.Amount.Sign() < 0:
			return stop(Conflict, Because(UnknownPart, "type", string(a.Type)+" of "+a.Amount.String())), true
		case a.Cash():
			parts = parts.Add(a.Amount)
		}
	}
	if parts.IsZero() && pay.Amount.IsZero() {
		return stop(Skip, Because(CreditsOnly)), true
	}
	if !parts.Equal(pay.Amount) {
		return stop(Conflict, Because(SumsDiffer, "parts", parts.String(), "amount", pay.Amount.String())), true
	}
	return Plan{}, false
}

// settled handles the payments that are no cash, or not yet, and those that were posted.
func settled(in PaymentInput) (Plan, bool) {
	pay := in.Payment
	if len(in.Posted) > 0 {
		return wasPosted(in)
	}
	switch {
	case in.Settings.Payments.Mode == "off":
		return stop(Skip, Because(PaymentsOff)), true
	case pay.Charge != nil && pay.Charge.Status == billing.ChargeFailed:
		return stop(Skip, Because(PaymentFailed)), true
	case pay.Voided:
		return stop(Skip, Because(PaymentVoided)), true
	case pay.Charge == nil && in.Settings.Payments.Mode == "charged":
		if onlyCredits(pay) {
			return stop(Skip, Because(CreditsOnly)), true
		}
		return stop(Skip, Because(NotCharged)), true
	case pay.Charge == nil:
		return Plan{}, false
	case pay.Charge.Status != billing.ChargeSucceeded: // pending, or a status we do not know: money is not here yet
		return stop(Hold, Because(PaymentPending)), true
	case refundedWhole(pay):
		return stop(Conflict, Because(RefundedBefore, "payment", pay.ID, "amount", pay.Charge.Refunded.String())), true
	}
	return Plan{}, false
}

// wasPosted handles payments that have receipts: what became of the money since, and of the parts it pays. Where receipts are
// still to come they come first, unless all of the money went back.
func wasPosted(in PaymentInput) (Plan, bool) {
	p := stop(Conflict, reversal(in)...)
	if len(p.Reasons) > 0 && (in.Complete || p.Has(ReversedAfter) || p.Has(RefundedWhole)) {
		return p, true
	}
	if !in.Complete {
		if in.Settings.Payments.Mode == "off" { // half of it is there: somebody switched payments off meanwhile
			return stop(Hold, Because(PaymentsOff)), true
		}
		return Plan{}, false
	}
	if in.PostedAs != "" && in.PostedAs != Parts(in.Payment) {
		numbers, sum := receiptNumbers(in.Posted)
		return stop(Conflict, Because(ChangedWhenPosted, "payment", in.Payment.ID, "receipt", numbers, "posted", sum,
			"amount", in.Payment.Amount.String())), true
	}
	return stop(None, Because(Unchanged)), true
}

// Parts identifies the cash parts of a payment: equal texts mean that its receipts would be the same ones.
func Parts(pay billing.Payment) string {
	var parts []string
	for _, a := range pay.Applications {
		if a.Cash() && !a.Amount.IsZero() {
			parts = append(parts, key(string(a.Type), a.InvoiceID, a.Amount.String()))
		}
	}
	slices.Sort(parts)
	return strings.Join(append(parts, pay.Amount.String()), " ")
}

func onlyCredits(pay billing.Payment) bool {
	for _, a := range pay.Applications {
		if a.Cash() || !a.Known() {
			return false
		}
	}
	return len(pay.Applications) > 0 && pay.Unapplied.IsZero()
}

func refundedWhole(pay billing.Payment) bool {
	return pay.Charge != nil && pay.Charge.Refunded.Sign() > 0 && pay.Charge.Refunded.Decimal().Cmp(pay.Amount.Decimal()) >= 0
}

// reversal is what happened to a payment after its receipts were posted: they stay, a person is told (design 9).
func reversal(in PaymentInput) []Reason {
	pay := in.Payment
	numbers, sum := receiptNumbers(in.Posted)
	say := func(code Code, amount string) Reason {
		return Because(code, "payment", pay.ID, "amount", amount, "receipt", numbers)
	}
	if pay.Voided || pay.Charge != nil && pay.Charge.Status == billing.ChargeFailed {
		return []Reason{say(ReversedAfter, sum)}
	}
	if pay.Charge == nil {
		return nil
	}
	var out []Reason
	switch {
	case refundedWhole(pay):
		out = append(out, say(RefundedWhole, pay.Charge.Refunded.String()))
	case pay.Charge.Refunded.Sign() > 0:
		out = append(out, say(Refunded, pay.Charge.Refunded.String()))
	}
	if pay.Charge.Disputed {
		out = append(out, say(Disputed, pay.Amount.String()))
	}
	return out
}

// receiptNumbers are the numbers of receipts in the order of their references, and their sum.
func receiptNumbers(posted map[string]billing.Receipt) (numbers, sum string) {
	var all []string
	var total money.Money
	for i, reference := range slices.Sorted(maps.Keys(posted)) {
		r := posted[reference]
		if all = append(all, r.Number); i == 0 {
			total = r.Amount
		} else {
			total = total.Add(r.Amount)
		}
	}
	return strings.Join(all, ", "), total.String()
}
