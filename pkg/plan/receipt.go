package plan

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// group is the part of a payment that becomes one receipt.
type group struct {
	company, customer string
	lines             []part // one per invoice, by number
	onAccount         money.Money
	fee               money.Money
}

// part is what a payment pays of one invoice, with its share of the fee.
type part struct {
	invoice billing.Balance
	amount  money.Money
	fee     money.Money
}

// groupByCustomer divides the invoices of a payment by company and customer, sorted. Parts that pay the same invoice
// become one. A payment that names no invoice is one group of the payer's, all on account.
func groupByCustomer(in PaymentInput) ([]*group, *Reason) {
	cur := in.Payment.Currency
	byKey := map[[2]string]*group{}
	add := func(company, customer string) *group {
		of := [2]string{company, customer}
		if byKey[of] == nil {
			byKey[of] = &group{company: company, customer: customer, onAccount: money.Zero(cur), fee: money.Zero(cur)}
		}
		return byKey[of]
	}
	for _, a := range in.Payment.Applications {
		if a.Type != billing.ApplyInvoice || a.Amount.IsZero() {
			continue
		}
		inv, ok := in.Invoices[a.InvoiceID]
		if bad := usable(inv, ok, a.InvoiceID, cur); bad != nil {
			return nil, bad
		}
		g := add(inv.CompanyNo, inv.CustomerNo)
		i := slices.IndexFunc(g.lines, func(p part) bool { return p.invoice.Number == inv.Number })
		if i < 0 {
			g.lines = append(g.lines, part{invoice: inv, amount: a.Amount, fee: money.Zero(cur)})
			continue
		}
		g.lines[i].amount = g.lines[i].amount.Add(a.Amount)
	}
	if len(byKey) == 0 {
		if in.Settings.Payments.Overpayment == "hold" {
			return nil, reason(Overpayment, "amount", in.Payment.Amount.String(), "invoice", "(none)", "balance", money.Zero(cur).String())
		}
		if in.PayerNo == "" {
			return nil, reason(UnknownPayer, "amount", in.Payment.Amount.String())
		}
		add(in.Settings.Q360Company, in.PayerNo)
	}
	groups := slices.SortedFunc(maps.Values(byKey), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.company, b.company), cmp.Compare(a.customer, b.customer))
	})
	for _, g := range groups {
		slices.SortFunc(g.lines, func(a, b part) int { return cmp.Compare(a.invoice.Number, b.invoice.Number) })
	}
	return groups, nil
}

// usable checks an invoice that a payment pays (q360-api 4.4.8).
func usable(inv billing.Balance, known bool, id string, cur money.Currency) *Reason {
	switch {
	case !known:
		return reason(UnknownInvoice, "invoice", id)
	case inv.Currency != cur:
		return reason(CurrencyDiffers, "invoice", inv.Number, "currency", string(inv.Currency), "paid", string(cur))
	case !inv.Posted:
		return reason(InvoiceUnposted, "invoice", inv.Number)
	}
	return nil
}

func reason(code Code, pairs ...string) *Reason {
	r := Because(code, pairs...)
	return &r
}

// receipts builds the receipts of one payment.
type receipts struct {
	in      PaymentInput
	reasons []Reason
}

// of is the settings of a company of the site.
func (b *receipts) of(company string) (settings.Company, bool) {
	if company == b.in.Settings.Q360Company {
		return b.in.Settings, true
	}
	set, ok := b.in.Others[company]
	return set, ok
}

func (b *receipts) build(groups []*group) Plan {
	pay, set := b.in.Payment, b.in.Settings
	fee, loose := extras(pay)
	allocateFee(fee, groups)
	if !loose.IsZero() {
		if _, done := b.in.Posted[Reference(set, pay.ID, 0)]; set.Payments.Overpayment == "hold" && !done {
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
		r, bad := b.receipt(reference, g)
		if bad != nil {
			return stop(Conflict, *bad)
		}
		if r != nil && !r.Amount.IsZero() {
			steps = append(steps, Step{Op: OpCreate, Kind: billing.KindReceipt, Key: ReceiptKey(reference), Receipt: r})
		}
	}
	if len(steps) == 0 {
		return stop(None, Because(Unchanged))
	}
	return b.finish(steps)
}

// finish holds the receipts when one of the companies leaves its own to people: a payment is keyed in as one thing.
func (b *receipts) finish(steps []Step) Plan {
	held := false
	references := make([]string, len(steps))
	for i, s := range steps {
		set, _ := b.of(s.Receipt.CompanyNo)
		held = held || set.Payments.ReceiptMode == "hold"
		references[i] = s.Receipt.Reference
	}
	if held {
		return Plan{Verdict: Hold, Steps: steps, Reasons: append(b.reasons, Because(HeldForEntry, "reference", strings.Join(references, ", ")))}
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
	code := map[string]Code{"exclude": FeeExcluded, "gl_line": FeeOneLine, "unapplied": FeeUnapplied}[set.Fees.Strategy]
	return Because(cmp.Or(code, FeeAllocated), "fee", fee.String())
}

// allocateFee spreads the fee over all invoices of the payment, by invoice number (F22). Without an invoice it is the
// first group's.
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
	if len(parts) == 0 {
		groups[0].fee = fee
	}
	for _, g := range groups {
		for _, p := range g.lines {
			g.fee = g.fee.Add(p.fee)
		}
	}
}

// receipt makes the receipt of a group, says why there can be none, or gives neither for one that is there already.
func (b *receipts) receipt(reference string, g *group) (*billing.Receipt, *Reason) {
	pay := b.in.Payment
	set, ok := b.of(g.company)
	if !ok {
		return nil, reason(OtherCompany, "company", g.company)
	}
	if have, done := b.in.Posted[reference]; done {
		return nil, g.differs(have, set)
	}
	method, account := set.Payments.Methods[pay.Method], set.Payments.GLAccounts[pay.Currency]
	switch {
	case method == "":
		return nil, reason(NoMethod, "method", pay.Method)
	case account == "":
		return nil, reason(NoGLAccount, "currency", string(pay.Currency))
	}
	r := &billing.Receipt{
		Reference: reference, CompanyNo: g.company, CustomerNo: g.customer, Date: receiptDate(pay, set), GLAccount: account,
		PayMethod: method, Comment: "Invoiced payment " + pay.ID, Amount: money.Zero(pay.Currency),
	}
	lines, onAccount, bad := g.apply(pay.Currency, set)
	if bad != nil {
		return nil, bad
	}
	r.Lines = lines
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

// apply makes the application lines of a group, and what is left for the account where more was paid than is owed.
func (g *group) apply(cur money.Currency, set settings.Company) ([]billing.ReceiptLine, money.Money, *Reason) {
	var lines []billing.ReceiptLine
	onAccount := g.onAccount
	for _, p := range g.lines {
		amount := p.amount
		if amount.Cmp(p.invoice.Balance) > 0 {
			if set.Payments.Overpayment == "hold" {
				return nil, onAccount, reason(Overpayment, "amount", amount.String(), "invoice", p.invoice.Number, "balance", p.invoice.Balance.String())
			}
			if amount = p.invoice.Balance; amount.Sign() < 0 {
				amount = money.Zero(cur)
			}
			onAccount = onAccount.Add(p.amount.Sub(amount))
		}
		if !amount.IsZero() {
			lines = append(lines, billing.ReceiptLine{Kind: billing.LineApplication, InvoiceNo: p.invoice.Number, Amount: amount})
		}
	}
	return lines, onAccount, nil
}

// total is the amount of the group's receipt, however it is divided.
func (g *group) total(set settings.Company) money.Money {
	sum := g.onAccount
	for _, p := range g.lines {
		sum = sum.Add(p.amount)
	}
	if set.Fees.Strategy != "exclude" {
		sum = sum.Add(g.fee)
	}
	return sum
}

// differs says that a receipt which an interrupted run posted is not the one the payment makes now.
func (g *group) differs(have billing.Receipt, set settings.Company) *Reason {
	if want := g.total(set); !have.Amount.Equal(want) {
		return reason(ReceiptMismatch, "receipt", have.Number, "problem", "its amount is "+have.Amount.String()+", the payment makes it "+want.String()+" now")
	}
	return nil
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
		if len(g.lines) > 0 {
			return out
		}
		fallthrough // an advance has no invoice to name
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
