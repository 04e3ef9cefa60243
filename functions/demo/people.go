package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/money"
)

// feePercent is the portal's convenience fee on card payments.
var feePercent = decimal.RequireFromString("2.9")

// debt is an invoice that a customer can pay: open in the portal, and nothing else settled it in the ERP.
type debt struct {
	Branch string      `json:"branch"`
	Number string      `json:"number"`
	Amount money.Money `json:"amount"`
}

// script is what the customers of a demo are going to pay. It is made once and kept, so that a demo that was interrupted
// goes on with the same payments.
func (s *stage) script() ([][]debt, error) {
	file := filepath.Join(s.opt.Dir, "payments.json")
	var groups [][]debt
	text, err := os.ReadFile(file)
	if err == nil {
		return groups, json.Unmarshal(text, &groups)
	}
	if groups, err = s.world.debts(); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(groups); err != nil {
		return nil, fmt.Errorf("the demo's payments: %w", err)
	}
	if err := os.WriteFile(file+".next", text, 0o600); err != nil {
		return nil, fmt.Errorf("the demo's payments: %w", err)
	}
	return groups, os.Rename(file+".next", file)
}

// debts lists what customers can pay, by customer and currency, in a fixed order.
func (w *world) debts() ([][]debt, error) {
	inERP := map[string]string{} // balance by invoice number
	for _, book := range w.erp.Ledger().Books {
		for _, i := range book.Invoices {
			inERP[i.InvoiceNo] = i.Balance.StringFixed(2)
		}
	}
	var out [][]debt
	for _, b := range w.branches {
		ledger, err := w.portal.Ledger(b.id)
		if err != nil {
			return nil, err
		}
		numbers := map[int64]string{}
		for _, c := range ledger.Customers {
			numbers[c.ID] = c.Number
		}
		groups := map[string][]debt{}
		for _, d := range ledger.Invoices {
			cur, err := money.ParseCurrency(d.Currency)
			if err != nil {
				return nil, err
			}
			balance, err := money.Parse(d.Balance, cur)
			if err != nil {
				return nil, err
			}
			if balance.Sign() <= 0 || d.Status == "pending" || d.Status == "voided" || inERP[d.Number] != balance.Amount() {
				continue
			}
			key := numbers[d.Customer] + " " + string(cur) // ids depend on who came first; numbers do not
			groups[key] = append(groups[key], debt{b.id, d.Number, balance})
		}
		for _, key := range sortedKeys(groups) {
			slices.SortFunc(groups[key], func(x, y debt) int { return cmp.Compare(x.Number, y.Number) })
			out = append(out, groups[key])
		}
	}
	return out, nil
}

// pay plays the customers: every group of invoices is paid in another way, by position, so that each run is the same.
// Repeating it after an interruption does nothing twice, because each payment is a step of the sandbox.
func (s *stage) pay(ctx context.Context) error {
	if _, err := s.world.portal.SetChaos(invoicedsim.Chaos{Account: "ca", Step: "twice", DuplicatePercent: 100}); err != nil {
		return err
	}
	groups, err := s.script()
	if err != nil {
		return err
	}
	for n, g := range groups {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.world.look(g[0], n); err != nil {
			return err
		}
		if err := s.world.payGroup(g, n); err != nil {
			return err
		}
		s.progress.show("customers view, comment and pay", s.world)
	}
	return nil
}

// look lets a customer view an invoice, several times, and comment on it.
func (w *world) look(d debt, n int) error {
	for i := range 1 + n%3 {
		step := fmt.Sprintf("view-%s-%d", d.Number, i)
		if _, err := w.portal.View(invoicedsim.PortalAction{Account: d.Branch, Step: step, Number: d.Number}); err != nil {
			return fmt.Errorf("viewing %s: %w", d.Number, err)
		}
	}
	if n%4 != 0 {
		return nil
	}
	_, err := w.portal.Comment(invoicedsim.PortalAction{
		Account: d.Branch, Step: "comment-" + d.Number, Number: d.Number, Author: "Accounts payable", Text: "Please add our PO number.",
	})
	return err
}

// payGroup pays some of a customer's invoices: three at once by card with a fee, one by bank debit that settles, one that
// fails, one in part, one that stays pending.
func (w *world) payGroup(g []debt, n int) error {
	take := func(k int) []debt {
		k = min(k, len(g))
		out := g[:k]
		g = g[k:]
		return out
	}
	ways := []func() error{
		func() error { return w.payment(take(3), "credit_card", "succeeded", nil) },
		func() error { return w.debit(take(1), "succeeded") },
		func() error { return w.payment(take(1), "credit_card", "succeeded", half) },
		func() error { return w.debit(take(2), "failed") },
		func() error { return w.payment(take(1), "credit_card", "failed", nil) },
		func() error { return w.payment(take(1), "ach", "pending", nil) },
	}
	for i := range min(len(ways), 1+n%len(ways)) {
		if err := ways[(i+n)%len(ways)](); err != nil {
			return err
		}
	}
	return nil
}

func half(m money.Money) decimal.Decimal {
	return money.Round(m.Decimal().Div(decimal.NewFromInt(2)), m.Currency()).Decimal()
}

// payment pays invoices of one customer at once; part says how much of each, nil for all of it.
func (w *world) payment(ds []debt, method, outcome string, part func(money.Money) decimal.Decimal) error {
	_, err := w.paymentID(ds, method, outcome, part)
	return err
}

func (w *world) paymentID(ds []debt, method, outcome string, part func(money.Money) decimal.Decimal) (int64, error) {
	if len(ds) == 0 {
		return 0, nil
	}
	p := invoicedsim.PortalPayment{Account: ds[0].Branch, Step: "pay-" + method + "-" + outcome + "-" + ds[0].Number, Method: method, Outcome: outcome}
	for _, d := range ds {
		line := invoicedsim.PortalLine{Number: d.Number}
		if part != nil {
			amount := part(d.Amount)
			line.Amount = &amount
		}
		p.Lines = append(p.Lines, line)
	}
	if method == "credit_card" {
		p.FeePercent = &feePercent
	}
	r, err := w.portal.Pay(p)
	if err != nil {
		return 0, fmt.Errorf("paying %s: %w", ds[0].Number, err)
	}
	return r.ID, nil
}

// debit pays by bank debit, which is pending first and ends with the outcome.
func (w *world) debit(ds []debt, outcome string) error {
	id, err := w.paymentID(ds, "ach", "pending", nil)
	if err != nil || id == 0 {
		return err
	}
	_, err = w.portal.Settle(invoicedsim.PaymentAction{
		Account: ds[0].Branch, Step: "settle-" + ds[0].Number, Ref: invoicedsim.Ref(strconv.FormatInt(id, 10)), Outcome: outcome,
	})
	return err
}

// bill posts new invoices in the ERP.
func (s *stage) bill(from, to int) error {
	for n := from; n < to; n++ {
		if _, err := s.world.erp.CreateInvoice(s.world.business.NextInvoice(n, s.world.clock.Now())); err != nil {
			return fmt.Errorf("posting a new invoice: %w", err)
		}
	}
	return nil
}
