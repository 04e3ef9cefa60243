package simulation

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

func (x *doer) portalAction() (invoicedsim.PortalAction, bool) {
	d, ok := pick(x.rng, x.openInPortal())
	return invoicedsim.PortalAction{Account: x.co.id, Number: d.Number}, ok
}

func (x *doer) view() (string, error) {
	a, ok := x.portalAction()
	if !ok {
		return "", nil
	}
	_, err := x.w.portal.View(a)
	return "invoice " + a.Number + " is viewed", err
}

func (x *doer) comment() (string, error) {
	a, ok := x.portalAction()
	if !ok {
		return "", nil
	}
	a.Text, a.Author = "Please add our number", "Payables"
	_, err := x.w.portal.Comment(a)
	return "invoice " + a.Number + " is commented on", err
}

func (x *doer) promise() (string, error) {
	a, ok := x.portalAction()
	if !ok {
		return "", nil
	}
	a.Date = x.w.loop.now.AddDate(0, 0, 3).Unix()
	_, err := x.w.portal.Promise(a)
	return "a payment of invoice " + a.Number + " is promised", err
}

// record is a payment by check that staff of the portal note.
func (x *doer) record() (string, error) {
	d, ok := pick(x.rng, x.openInPortal())
	if !ok {
		return "", nil
	}
	r, err := x.w.portal.Record(invoicedsim.PortalPayment{Account: x.co.id, Method: "check", Lines: []invoicedsim.PortalLine{{Number: d.Number}}})
	x.w.past.outside[x.co.id+" "+d.Number] = true
	return fmt.Sprintf("payment %d by check is noted for %s", r.ID, d.Number), err
}

// join is staff of the portal merging a customer into another.
func (x *doer) join() (string, error) {
	l, err := x.w.portal.Ledger(x.co.id)
	if err != nil {
		return "", err
	}
	gone, ok := pick(x.rng, l.Customers)
	into, _ := pick(x.rng, l.Customers)
	if !ok || gone.ID == into.ID {
		return "", nil
	}
	_, err = x.w.portal.Merge(invoicedsim.Merge{Account: x.co.id, Customer: invoicedsim.Ref(strconv.FormatInt(gone.ID, 10)), Into: invoicedsim.Ref(strconv.FormatInt(into.ID, 10))})
	return "customer " + gone.Number + " is merged into " + into.Number + " in the portal", err
}

// card pays up to three invoices of a customer at once, with a fee, some in part, some with more than is owed.
func (x *doer) card() (string, error) { return x.pay("credit_card", "succeeded", 1+x.rng.IntN(3)) }

// debit pays by bank debit, which settles later.
func (x *doer) debit() (string, error) { return x.pay("ach", "pending", 1+x.rng.IntN(2)) }

func (x *doer) pay(method, outcome string, most int) (string, error) {
	open := x.openInPortal()
	first, ok := pick(x.rng, open)
	if !ok {
		return "", nil
	}
	q := invoicedsim.PortalPayment{Account: x.co.id, Method: method, Outcome: outcome}
	text := ""
	for _, d := range open {
		if d.Customer != first.Customer || d.Currency != first.Currency || len(q.Lines) == most {
			continue
		}
		line := invoicedsim.PortalLine{Number: d.Number}
		if part := half(d.Balance, d.Currency); x.rng.IntN(4) == 0 && part.IsPositive() {
			line.Amount = &part
			text += " half of"
		}
		text += " " + d.Number
		q.Lines = append(q.Lines, line)
	}
	if method == "credit_card" {
		q.FeePercent = percent([]string{"2.9", "3.5", "1.75"}[x.rng.IntN(3)])
		switch x.rng.IntN(8) {
		case 0:
			q.Credit = decimal.New(int64(100+x.rng.IntN(5000)), -2)
			text += " and on account " + q.Credit.String()
		case 1:
			q.Outcome = "failed"
		}
	}
	r, err := x.w.portal.Pay(q)
	if err != nil {
		return "", err
	}
	if r.ID != 0 {
		x.w.past.note(x.w, x.co.id)
	}
	return fmt.Sprintf("payment %d by %s pays%s (%s)", r.ID, method, text, q.Outcome), nil
}

// payment picks one of the portal's payments that fit.
func (x *doer) payment(fits func(invoicedsim.LedgerPayment) bool) (invoicedsim.LedgerPayment, bool) {
	l, err := x.w.portal.Ledger(x.co.id)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	var some []invoicedsim.LedgerPayment
	for _, p := range l.Payments {
		if !p.Voided && p.Charge != 0 && fits(p) {
			some = append(some, p)
		}
	}
	return pick(x.rng, some)
}

func settledPayment(p invoicedsim.LedgerPayment) bool { return p.Status == "succeeded" }
func pendingPayment(p invoicedsim.LedgerPayment) bool { return p.Status == "pending" }

func (x *doer) onPayment(fits func(invoicedsim.LedgerPayment) bool, what string, do func(invoicedsim.PaymentAction, invoicedsim.LedgerPayment) error) (string, error) {
	p, ok := x.payment(fits)
	if !ok {
		return "", nil
	}
	err := do(invoicedsim.PaymentAction{Account: x.co.id, Ref: invoicedsim.Ref(strconv.FormatInt(p.ID, 10))}, p)
	x.w.past.note(x.w, x.co.id)
	return fmt.Sprintf("payment %d %s", p.ID, what), err
}

func (x *doer) settle() (string, error) {
	outcome := "succeeded"
	if x.rng.IntN(4) == 0 {
		outcome = "failed"
	}
	return x.onPayment(pendingPayment, outcome, func(a invoicedsim.PaymentAction, _ invoicedsim.LedgerPayment) error {
		a.Outcome = outcome
		_, err := x.w.portal.Settle(a)
		return err
	})
}

func (x *doer) voidPayment() (string, error) {
	return x.onPayment(settledPayment, "is voided", func(a invoicedsim.PaymentAction, _ invoicedsim.LedgerPayment) error {
		_, err := x.w.portal.Void(a)
		return err
	})
}

func (x *doer) giveBack() (string, error) {
	return x.onPayment(settledPayment, "is returned by the bank", func(a invoicedsim.PaymentAction, _ invoicedsim.LedgerPayment) error {
		_, err := x.w.portal.Return(a)
		return err
	})
}

func (x *doer) dispute() (string, error) {
	return x.onPayment(settledPayment, "is disputed", func(a invoicedsim.PaymentAction, _ invoicedsim.LedgerPayment) error {
		_, err := x.w.portal.Dispute(a)
		return err
	})
}

func (x *doer) refund() (string, error) {
	whole := x.rng.IntN(2) == 0
	return x.onPayment(settledPayment, "is refunded", func(a invoicedsim.PaymentAction, p invoicedsim.LedgerPayment) error {
		a.Ref = invoicedsim.Ref(strconv.FormatInt(p.Charge, 10))
		if !whole {
			a.Amount = percent("1.00")
		}
		_, err := x.w.portal.Refund(a)
		return err
	})
}

func (x *doer) profile() (string, error) {
	l, err := x.w.portal.Ledger(x.co.id)
	if err != nil {
		return "", err
	}
	c, ok := pick(x.rng, l.Customers)
	if !ok {
		return "", nil
	}
	_, err = x.w.portal.ChangeProfile(invoicedsim.Profile{
		Account: x.co.id, Customer: invoicedsim.Ref(strconv.FormatInt(c.ID, 10)), Changes: map[string]any{"phone": fmt.Sprintf("555-%04d", x.rng.IntN(10_000))},
	})
	return "customer " + c.Number + " changes its profile", err
}

func (x *doer) voidDocument() (string, error) {
	a, ok := x.portalAction()
	if !ok {
		return "", nil
	}
	if _, err := x.w.portal.VoidDocument(a); err != nil {
		return "", err
	}
	x.w.past.staffVoided[x.co.id+" "+a.Number] = true
	return "invoice " + a.Number + " is voided in the portal", nil
}

func (x *doer) deleteDocument() (string, error) {
	a, ok := x.portalAction()
	if !ok {
		return "", nil
	}
	if _, err := x.w.portal.DeleteDocument(a); err != nil {
		return "", err
	}
	key := x.co.id + " " + a.Number
	x.w.past.staffDeleted[key] = true
	if rec := all[record.Record](x.w, store.Records)[record.ID(x.co.id, billing.KindInvoice, a.Number)]; rec.PortalID != "" {
		x.w.past.knownDeleted[key] = true // otherwise arbridge can not know that it ever was there
	}
	return "invoice " + a.Number + " is deleted in the portal", nil
}

// half is half of an amount, rounded to the currency's minor unit.
func half(text, currency string) decimal.Decimal {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	return money.Round(decimal.RequireFromString(text).Div(decimal.NewFromInt(2)), cur).Decimal()
}

// openInPortal are the portal's invoices that can be paid.
func (x *doer) openInPortal() []invoicedsim.LedgerDocument {
	l, err := x.w.portal.Ledger(x.co.id)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	return slices.DeleteFunc(l.Invoices, func(d invoicedsim.LedgerDocument) bool {
		balance, err := decimal.NewFromString(d.Balance)
		return err != nil || !balance.IsPositive() || d.Status == "voided" || d.Status == "pending" || d.Status == "draft"
	})
}
