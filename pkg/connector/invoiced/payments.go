package invoiced

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// Payment implements connector.Portal.
func (c *Connector) Payment(ctx context.Context, id string) (billing.Payment, error) {
	w, err := c.api.Payment(ctx, id)
	if err != nil {
		return billing.Payment{}, err
	}
	p, err := fromPayment(w, c.cfg.Currency)
	if err != nil {
		return billing.Payment{}, inexact("reading payment "+id, false, err)
	}
	return p, nil
}

// ListPayments implements connector.Portal, in the order of changes. One second is taken off since, because the vendor
// does not say whether the bound itself is included; a payment changed while the list is read comes twice.
func (c *Connector) ListPayments(ctx context.Context, since time.Time, page string) (connector.Page[billing.Payment], error) {
	var after int64
	if !since.IsZero() {
		after = max(1, since.Unix()-1)
	}
	l, err := c.api.ListPayments(ctx, after, page)
	if err != nil {
		return connector.Page[billing.Payment]{}, err
	}
	return mapped(billing.KindPayment, l,
		func(w client.Payment) (string, string) { return string(w.ID), "" },
		func(w client.Payment) (billing.Payment, error) { return fromPayment(w, c.cfg.Currency) }), nil
}

// ApplyCreditNote implements connector.Credits. What the portal answers is not read beyond the id: read the payment for the rest.
func (c *Connector) ApplyCreditNote(ctx context.Context, a connector.CreditApplication, key string) (string, error) {
	op := fmt.Sprintf("applying credit note %s to invoice %s", a.CreditNoteID, a.InvoiceID)
	switch {
	case a.Amount.Sign() <= 0:
		return "", invalid(op, "amount", "the amount must be more than zero")
	case a.CustomerID == "" || a.CreditNoteID == "" || a.InvoiceID == "":
		return "", connector.NewError(connector.ClassBug, op, "customer, credit note and invoice are all needed")
	}
	id, err := c.api.CreatePayment(ctx, op, toCreditPayment(a, c.cfg.CreditAmount), key)
	if err != nil {
		return "", err
	}
	if id == "" {
		return "", inexact(op, true, missing("id"))
	}
	return string(id), nil
}

// OpenInvoices implements connector.Credits. The filter narrows the list; what it lets through is checked again.
func (c *Connector) OpenInvoices(ctx context.Context, customerID string) ([]billing.PortalDocument, error) {
	op := "listing the open invoices of customer " + customerID
	found, err := c.api.OpenInvoices(ctx, customerID)
	if err != nil {
		return nil, err
	}
	var out []billing.PortalDocument
	for _, w := range found {
		d, err := c.document(op, false, billing.KindInvoice, w)
		if err != nil {
			return nil, err
		}
		if d.CustomerID == customerID && !d.Draft && !d.Voided && !d.Closed && d.Balance.Sign() > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}

// toCreditPayment is the payment that stands for the use of a credit note (invoiced-api 5.3).
func toCreditPayment(a connector.CreditApplication, form CreditAmount) client.PaymentFields {
	f := client.PaymentFields{Customer: client.Some(client.ID(a.CustomerID)), Currency: client.Some(a.Amount.Currency().Lower()),
		AppliedTo: []client.ApplicationFields{{Type: string(billing.ApplyCreditNote),
			CreditNote: client.Some(client.ID(a.CreditNoteID)), DocumentType: "invoice",
			Invoice: client.Some(client.ID(a.InvoiceID)), Amount: client.NewNumber(a.Amount.Decimal())}}}
	if form == CreditAmountZero {
		f.Amount = client.Some(client.NewNumber(money.Zero(a.Amount.Currency()).Decimal()))
	}
	return f
}

// fromPayment is the payment as the portal has it: facts only, whatever they mean. Applications that were not sent are
// an error when money was applied, because a payment without them would look unapplied.
func fromPayment(w client.Payment, account money.Currency) (billing.Payment, error) {
	p := billing.Payment{ID: string(w.ID), CustomerID: string(w.Customer.ID), Date: instant(w.Date), Method: string(w.Method),
		Reference: string(w.Reference), Voided: bool(w.Voided), Created: instant(w.CreatedAt), Updated: instant(w.UpdatedAt)}
	var err error
	if p.Currency, err = fromCurrency(w.Currency, account); err != nil {
		return p, err
	}
	if p.Amount, err = fromAmount("amount", w.Amount, p.Currency); err != nil {
		return p, err
	}
	if p.Unapplied, err = fromAmount("balance", w.Balance, p.Currency); err != nil {
		return p, err
	}
	for i, a := range w.AppliedTo.List {
		amount, err := fromAmount("amount", a.Amount, p.Currency)
		if err != nil {
			return p, fmt.Errorf("application %d: %w", i+1, err)
		}
		p.Applications = append(p.Applications, billing.Application{Type: billing.ApplicationType(a.Type),
			InvoiceID: string(a.Invoice.ID), Amount: amount})
	}
	if p.Charge, err = fromCharge(w.Charge, p.Currency); err != nil {
		return p, fmt.Errorf("charge: %w", err)
	}
	switch {
	case p.ID == "":
		return p, missing("id")
	case w.Date == 0:
		return p, missing("date")
	case !w.AppliedTo.Given && !p.Amount.Equal(p.Unapplied) && !p.Voided:
		return p, errors.New("applied_to is missing although money was applied")
	}
	return p, nil
}

// fromCharge is the processing of a payment. A charge of which only the id was sent has no status, which is not
// "succeeded".
func fromCharge(m client.Maybe[client.Charge], cur money.Currency) (*billing.Charge, error) {
	if !m.Given {
		return nil, nil
	}
	w := m.Value
	if m.ID != "" {
		return &billing.Charge{ID: string(m.ID), Refunded: money.Zero(cur)}, nil
	}
	refunded := money.Zero(cur)
	if w.AmountRefunded.Given {
		var err error
		if refunded, err = fromAmount("amount_refunded", w.AmountRefunded, cur); err != nil {
			return nil, err
		}
	} else if bool(w.Refunded) || len(w.Refunds.List) > 0 {
		return nil, missing("amount_refunded of a refunded charge")
	}
	return &billing.Charge{ID: string(w.ID), Status: billing.ChargeStatus(w.Status), Refunded: refunded,
		Disputed: bool(w.Disputed), Updated: instant(w.UpdatedAt)}, nil
}
