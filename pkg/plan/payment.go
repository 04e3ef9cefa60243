package plan

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// PaymentInput is everything the decision on a portal payment depends on.
type PaymentInput struct {
	Payment  billing.Payment
	Settings settings.Company
	// Invoices are the ERP's balances of the invoices the payment applies to, by the portal's invoice id, read now. An id
	// that is missing belongs to an invoice arbridge did not sync.
	Invoices map[string]billing.Balance
	// Posted are the receipts of this payment that exist already, by reference.
	Posted map[string]billing.Receipt
	// Complete says that Posted are all receipts of the payment with the amount it has now: only a reversal is left to see.
	Complete bool
}

// Payment decides which cash receipts a payment becomes (F21–F25): one per company, currency and customer, with one
// application line per invoice. The references are the prefix and the payment's id, with -2, -3 … in sorted order of
// (company, currency, customer), so that every run builds the same ones.
func Payment(in PaymentInput) Plan {
	pay, set := in.Payment, in.Settings
	if p, no := settled(in); no {
		return p
	}
	cash, parts := pay.Unapplied, pay.Unapplied
	for _, a := range pay.Applications {
		if !a.Known() {
			return stop(Conflict, Because(UnknownPart, "type", string(a.Type)))
		}
		if a.Cash() {
			cash, parts = cash.Add(a.Amount), parts.Add(a.Amount)
		}
	}
	if cash.IsZero() {
		return stop(Skip, Because(CreditsOnly))
	}
	if !parts.Equal(pay.Amount) {
		return stop(Conflict, Because(SumsDiffer, "parts", parts.String(), "amount", pay.Amount.String()))
	}
	method, ok := set.Payments.Methods[pay.Method]
	if !ok {
		return stop(Conflict, Because(NoMethod, "method", pay.Method))
	}
	account, ok := set.Payments.GLAccounts[pay.Currency]
	if !ok || account == "" {
		return stop(Conflict, Because(NoGLAccount, "currency", string(pay.Currency)))
	}
	groups, bad := groupByCustomer(in)
	if bad != nil {
		return stop(Conflict, *bad)
	}
	b := &receipts{in: in, method: method, account: account}
	return b.build(groups)
}

// settled handles the payments that are no cash, or not yet.
func settled(in PaymentInput) (Plan, bool) {
	pay := in.Payment
	if len(in.Posted) > 0 {
		if p, reversed := reversal(in); reversed {
			return p, true
		}
		return stop(None, Because(Unchanged)), in.Complete
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
	case pay.Charge == nil || pay.Charge.Status == billing.ChargeSucceeded:
		return Plan{}, false
	}
	return stop(Hold, Because(PaymentPending)), true // pending, or a status we do not know: money is not here yet
}

func onlyCredits(pay billing.Payment) bool {
	for _, a := range pay.Applications {
		if a.Cash() || !a.Known() {
			return false
		}
	}
	return len(pay.Applications) > 0 && pay.Unapplied.IsZero()
}

// reversal is what happened to a payment after its receipts were posted: they stay, a person is told (design 9).
func reversal(in PaymentInput) (Plan, bool) {
	pay := in.Payment
	references := make([]string, 0, len(in.Posted))
	for r := range in.Posted {
		references = append(references, r)
	}
	slices.Sort(references)
	receipt, amount := in.Posted[references[0]].Number, in.Posted[references[0]].Amount.String()
	failed := pay.Charge != nil && pay.Charge.Status == billing.ChargeFailed
	switch {
	case pay.Voided || failed:
		return stop(Conflict, Because(ReversedAfter, "receipt", receipt, "amount", amount)), true
	case pay.Charge != nil && pay.Charge.Refunded.Sign() > 0:
		return stop(Conflict, Because(Refunded, "amount", pay.Charge.Refunded.String(), "receipt", receipt)), true
	case pay.Charge != nil && pay.Charge.Disputed:
		return stop(Conflict, Because(Disputed, "receipt", receipt)), true
	}
	return Plan{}, false
}

// group is the part of a payment that becomes one receipt.
type group struct {
	company, customer string
	lines             []part
	onAccount         money.Money
	fee               money.Money
}

type part struct {
	invoice billing.Balance
	amount  money.Money
	fee     money.Money
}

func groupByCustomer(in PaymentInput) ([]*group, *Reason) {
	byKey := map[[2]string]*group{}
	for _, a := range in.Payment.Applications {
		if a.Type != billing.ApplyInvoice {
			continue
		}
		inv, ok := in.Invoices[a.InvoiceID]
		if !ok {
			r := Because(UnknownInvoice, "invoice", a.InvoiceID)
			return nil, &r
		}
		of := [2]string{inv.CompanyNo, inv.CustomerNo}
		g := byKey[of]
		if g == nil {
			g = &group{company: inv.CompanyNo, customer: inv.CustomerNo, onAccount: money.Zero(in.Payment.Currency), fee: money.Zero(in.Payment.Currency)}
			byKey[of] = g
		}
		g.lines = append(g.lines, part{invoice: inv, amount: a.Amount, fee: money.Zero(in.Payment.Currency)})
	}
	groups := make([]*group, 0, len(byKey))
	for _, g := range byKey {
		slices.SortStableFunc(g.lines, func(a, b part) int { return cmp.Compare(a.invoice.Number, b.invoice.Number) })
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.company, b.company), cmp.Compare(a.customer, b.customer))
	})
	if len(groups) == 0 {
		r := Because(Overpayment, "amount", in.Payment.Amount.String(), "invoice", "(none)", "balance", money.Zero(in.Payment.Currency).String())
		return nil, &r
	}
	return groups, nil
}

// receipts builds the receipts of one payment.
type receipts struct {
	in              PaymentInput
	method, account string
	reasons         []Reason
}

func (b *receipts) build(groups []*group) Plan {
	pay, set := b.in.Payment, b.in.Settings
	fee, loose := extras(pay)
	allocateFee(fee, groups)
	if !loose.IsZero() {
		if set.Payments.Overpayment == "hold" {
			return stop(Conflict, Because(Overpayment, "amount", pay.Amount.String(), "invoice", groups[0].lines[0].invoice.Number,
				"balance", pay.Amount.Sub(loose).String()))
		}
		groups[0].onAccount = groups[0].onAccount.Add(loose)
	}
	if !fee.IsZero() {
		b.reasons = append(b.reasons, feeReason(fee, set))
	}
	var steps []Step
	for i, g := range groups {
		reference := Reference(set, pay.ID, i)
		if _, done := b.in.Posted[reference]; done {
			continue
		}
		r, bad := b.receipt(reference, g)
		if bad != nil {
			return stop(Conflict, *bad)
		}
		steps = append(steps, Step{Op: OpCreate, Kind: billing.KindReceipt, Key: ReceiptKey(reference), Receipt: r})
	}
	if len(steps) == 0 {
		return stop(None, Because(Unchanged))
	}
	if set.Payments.ReceiptMode == "hold" {
		return Plan{Verdict: Hold, Steps: steps, Reasons: append(b.reasons, Because(HeldForEntry, "reference", steps[0].Receipt.Reference))}
	}
	return Plan{Verdict: Create, Steps: steps, Reasons: b.reasons}
}

// Reference is the natural key of the n-th receipt of a payment, counted from 0 (q360-api 4.6).
func Reference(set settings.Company, paymentID string, n int) string {
	reference := set.Payments.ReferencePrefix + paymentID
	if n > 0 {
		reference += "-" + strconv.Itoa(n+1)
	}
	return reference
}

// ReceiptKey is the key of the step that posts a receipt.
func ReceiptKey(reference string) string { return key("receipt", reference) }

// extras are the convenience fee and what is not applied to an invoice.
func extras(pay billing.Payment) (fee, loose money.Money) {
	fee, loose = money.Zero(pay.Currency), pay.Unapplied
	for _, a := range pay.Applications {
		switch a.Type {
		case billing.ApplyConvenienceFee:
			fee = fee.Add(a.Amount)
		case billing.ApplyCredit, billing.ApplyEstimate:
			loose = loose.Add(a.Amount)
		}
	}
	return fee, loose
}

func feeReason(fee money.Money, set settings.Company) Reason {
	if set.Fees.Strategy == "exclude" {
		return Because(FeeExcluded, "fee", fee.String())
	}
	return Because(FeeAllocated, "fee", fee.String())
}

// allocateFee spreads the fee over all invoices of the payment, by invoice number (F22).
func allocateFee(fee money.Money, groups []*group) {
	var shares []money.Share
	var parts []*part
	for _, g := range groups {
		for i := range g.lines {
			shares = append(shares, money.Share{Key: g.lines[i].invoice.Number, Weight: g.lines[i].amount})
			parts = append(parts, &g.lines[i])
		}
	}
	for i, amount := range money.Allocate(fee, shares) {
		parts[i].fee = amount
	}
	for _, g := range groups {
		for _, p := range g.lines {
			g.fee = g.fee.Add(p.fee)
		}
	}
}

// receipt makes the receipt of a group, or says why there can be none.
func (b *receipts) receipt(reference string, g *group) (*billing.Receipt, *Reason) {
	pay, set := b.in.Payment, b.in.Settings
	if g.company != set.Q360Company {
		r := Because(OtherCompany, "company", g.company)
		return nil, &r
	}
	r := &billing.Receipt{
		Reference: reference, CompanyNo: g.company, CustomerNo: g.customer, Date: receiptDate(pay, set), GLAccount: b.account,
		PayMethod: b.method, Comment: "Invoiced payment " + pay.ID, Amount: money.Zero(pay.Currency),
	}
	onAccount := g.onAccount
	for _, p := range g.lines {
		amount := p.amount
		if amount.Cmp(p.invoice.Balance) > 0 {
			if set.Payments.Overpayment == "hold" {
				bad := Because(Overpayment, "amount", amount.String(), "invoice", p.invoice.Number, "balance", p.invoice.Balance.String())
				return nil, &bad
			}
			amount = money.Sum(pay.Currency, p.invoice.Balance)
			if amount.Sign() < 0 {
				amount = money.Zero(pay.Currency)
			}
			onAccount = onAccount.Add(p.amount.Sub(amount))
		}
		if !amount.IsZero() {
			r.Lines = append(r.Lines, billing.ReceiptLine{Kind: billing.LineApplication, InvoiceNo: p.invoice.Number, Amount: amount})
		}
	}
	if set.Fees.Strategy == "unapplied" {
		onAccount = onAccount.Add(g.fee)
	} else {
		r.Lines = append(r.Lines, feeLines(g, set)...)
	}
	if !onAccount.IsZero() {
		r.Lines = append(r.Lines, billing.ReceiptLine{Kind: billing.LineOnAccount, Amount: onAccount})
		b.reasons = append(b.reasons, Because(OnAccount, "amount", onAccount.String()))
	}
	for _, l := range r.Lines {
		r.Amount = r.Amount.Add(l.Amount)
	}
	return r, nil
}

func feeLines(g *group, set settings.Company) []billing.ReceiptLine {
	switch set.Fees.Strategy {
	case "proportional":
		var out []billing.ReceiptLine
		for _, p := range g.lines {
			if !p.fee.IsZero() {
				out = append(out, billing.ReceiptLine{Kind: billing.LineFee, InvoiceNo: p.invoice.Number, Amount: p.fee, GLAccount: set.Fees.GLAccount})
			}
		}
		return out
	case "gl_line":
		if !g.fee.IsZero() {
			return []billing.ReceiptLine{{Kind: billing.LineFee, Amount: g.fee, GLAccount: set.Fees.GLAccount}}
		}
	}
	return nil // exclude: the fee is no part of the receipt
}

// receiptDate is the payment's or the settlement's calendar date in the company's zone (payments.date).
func receiptDate(pay billing.Payment, set settings.Company) billing.Date {
	at := pay.Date
	if set.Payments.Date == "settlement" && pay.Charge != nil && !pay.Charge.Updated.IsZero() {
		at = pay.Charge.Updated
	}
	return billing.DateOf(at, set.TimeZone)
}
