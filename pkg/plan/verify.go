package plan

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// MissingLines are the wanted lines that are not among the present ones, compared by kind, invoice and amount.
func MissingLines(want, have []billing.ReceiptLine) []billing.ReceiptLine {
	left := slices.Clone(have)
	var out []billing.ReceiptLine
	for _, l := range want {
		i := slices.IndexFunc(left, func(h billing.ReceiptLine) bool {
			return h.Kind == l.Kind && h.InvoiceNo == l.InvoiceNo && h.Amount.Equal(l.Amount)
		})
		if i < 0 {
			out = append(out, l)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// Verify says why what the ERP has under a receipt's reference is not the receipt that was sent; nil when it is: exactly
// one, with the amount and the lines (q360-api 4.6 rule 5).
func Verify(sent billing.Receipt, number string, found []billing.Receipt) *Reason {
	problem := ""
	switch {
	case len(found) != 1:
		problem = fmt.Sprintf("%d receipts have reference %s", len(found), sent.Reference)
	case !found[0].Amount.Equal(sent.Amount):
		problem = fmt.Sprintf("its amount is %s, not %s", found[0].Amount, sent.Amount)
	case len(MissingLines(sent.Lines, found[0].Lines)) > 0 || len(found[0].Lines) != len(sent.Lines):
		problem = "its lines are not the ones that were sent"
	default:
		return nil
	}
	return reason(ReceiptMismatch, "receipt", number, "problem", problem)
}

// Applied is what a receipt takes off the balance of an invoice in the ERP.
type Applied struct {
	Receipt   string // number
	InvoiceNo string
	Before    money.Money // the balance right before the receipt was posted
	Amount    money.Money
	Now       money.Money // the balance as it is now
}

// Expected is the balance that the receipt should leave.
func (a Applied) Expected() money.Money { return a.Before.Sub(a.Amount) }

// BalancesInput is everything the comparison of balances with posted receipts depends on.
type BalancesInput struct {
	Applied []Applied
	// Later says that the ERP lowers balances some time after the receipt was created: what others do until then is no
	// mismatch. Waited is how long ago the receipts were created.
	Later  bool
	Waited time.Duration
}

// appliedWithin is how long an ERP that applies receipts later may take before a person is told.
const appliedWithin = 5 * 24 * time.Hour

// Balances checks that posted receipts had their effect (q360-api 4.6 rule 5). Verdict None says that they had; Hold that
// the ERP has not applied them yet and next is when to look again; Conflict that a person should look. Nothing is ever
// corrected.
func Balances(in BalancesInput) (p Plan, next time.Duration) {
	for _, a := range in.Applied {
		c := a.Now.Cmp(a.Expected())
		switch {
		case c == 0, in.Later && c < 0:
		case !in.Later:
			p.Reasons = append(p.Reasons, Because(BalanceDiffers, "receipt", a.Receipt, "invoice", a.InvoiceNo, "before", a.Before.String(),
				"amount", a.Amount.String(), "expected", a.Expected().String(), "balance", a.Now.String()))
		case in.Waited >= appliedWithin:
			p.Reasons = append(p.Reasons, Because(NotApplied, "receipt", a.Receipt, "invoice", a.InvoiceNo,
				"days", strconv.Itoa(int(in.Waited/(24*time.Hour))), "expected", a.Expected().String(), "balance", a.Now.String()))
		default:
			p.Reasons = append(p.Reasons, Because(AppliedLater, "receipt", a.Receipt, "invoice", a.InvoiceNo))
		}
	}
	switch {
	case len(p.Reasons) == 0:
		return Plan{Verdict: None}, 0
	case p.Has(AppliedLater):
		p.Verdict = Hold
		return p, min(max(in.Waited, time.Hour), appliedWithin-in.Waited, 48*time.Hour) // doubles with each look
	}
	p.Verdict = Conflict
	return p, 0
}
