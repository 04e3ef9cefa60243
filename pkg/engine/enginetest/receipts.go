package enginetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// Close closes the periods up to a date: receipts dated then are refused.
func (e *ERP) Close(through billing.Date) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = through
}

// CutLines makes the next writing of receipt lines stop after n of them, with its answer lost.
func (e *ERP) CutLines(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut = n
}

// EnterReceipt is a receipt keyed in by a person; it returns the receipt's number.
func (e *ERP) EnterReceipt(r billing.Receipt) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines := r.Lines
	number := e.header(r)
	for _, l := range lines {
		e.line(number, l)
	}
	return number
}

// Receipts lists the receipts, oldest first.
func (e *ERP) Receipts() []billing.Receipt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.find(func(billing.Receipt) bool { return true })
}

func (e *ERP) find(wanted func(billing.Receipt) bool) []billing.Receipt {
	var out []billing.Receipt
	for _, r := range e.receipts {
		if wanted(r) {
			r.Lines = slices.Clone(r.Lines)
			out = append(out, r)
		}
	}
	return out
}

// FindReceipts implements connector.ERP.
func (e *ERP) FindReceipts(ctx context.Context, reference string) ([]billing.Receipt, error) {
	return read(ctx, &e.Calls, "FindReceipts", func() ([]billing.Receipt, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.behind > 0 {
			e.behind--
			return nil, nil
		}
		return e.find(func(r billing.Receipt) bool { return r.Reference == reference }), nil
	})
}

// Behind makes so many of the next searches for receipts be from before anything was posted.
func (e *ERP) Behind(searches int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.behind = searches
}

// SimilarReceipts implements connector.ERP.
func (e *ERP) SimilarReceipts(ctx context.Context, customerNo string, amount money.Money, date billing.Date) ([]billing.Receipt, error) {
	return read(ctx, &e.Calls, "SimilarReceipts", func() ([]billing.Receipt, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.find(func(r billing.Receipt) bool {
			return r.CustomerNo == customerNo && r.Amount.Equal(amount) && r.Date >= date.AddDays(-3) && r.Date <= date.AddDays(3)
		}), nil
	})
}

// PreviewReceipt implements connector.ERP.
func (e *ERP) PreviewReceipt(ctx context.Context, r billing.Receipt) error {
	_, err := read(ctx, &e.Calls, "PreviewReceipt", func() (struct{}, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return struct{}{}, e.accepts(r)
	})
	return err
}

// accepts applies the ERP's rules to a header.
func (e *ERP) accepts(r billing.Receipt) error {
	if r.Date <= e.closed {
		return &connector.Error{
			Class: connector.ClassInvalid, Op: "creating receipt " + r.Reference, Code: "closed_period", Field: "date",
			Err: fmt.Errorf("the period of %s is closed", r.Date),
		}
	}
	return nil
}

// CreateReceipt implements connector.ERP.
func (e *ERP) CreateReceipt(ctx context.Context, r billing.Receipt) (string, error) {
	return write(ctx, &e.Calls, "CreateReceipt", func() (string, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if err := e.accepts(r); err != nil {
			return "", err
		}
		return e.header(r), nil
	})
}

func (e *ERP) header(r billing.Receipt) string {
	r.Number, r.Lines = fmt.Sprintf("R%d", 5001+len(e.receipts)), nil
	e.receipts = append(e.receipts, r)
	return r.Number
}

// line adds a line to a receipt; an application lowers its invoice's balance, which is a change of the invoice.
func (e *ERP) line(number string, l billing.ReceiptLine) {
	for i := range e.receipts {
		if e.receipts[i].Number == number {
			e.receipts[i].Lines = append(e.receipts[i].Lines, l)
		}
	}
	if e.caps.Applied != connector.AppliedOnCreate {
		e.waiting = append(e.waiting, l)
		return
	}
	e.apply(l)
}

// ApplyWhen says when balances fall: connector.AppliedOnCreate, or with ApplyReceipts otherwise.
func (e *ERP) ApplyWhen(when string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caps.Applied = when
}

// ApplyReceipts lowers the balances by what waits for that.
func (e *ERP) ApplyReceipts() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.waiting {
		e.apply(l)
	}
	e.waiting = nil
}

// Shift changes the balance of an invoice, as a person or another system does; it is a change of the invoice.
func (e *ERP) Shift(number string, by money.Money) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.apply(billing.ReceiptLine{Kind: billing.LineApplication, InvoiceNo: number, Amount: by.Neg()})
}

func (e *ERP) apply(l billing.ReceiptLine) {
	if inv, ok := e.invoices[l.InvoiceNo]; ok && l.Kind == billing.LineApplication {
		e.changes++
		inv.stamp = e.changes
		inv.value.Balance, inv.value.Paid = inv.value.Balance.Sub(l.Amount), inv.value.Paid.Add(l.Amount)
	}
}

// CreateReceiptLines implements connector.ERP.
func (e *ERP) CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error {
	_, err := write(ctx, &e.Calls, "CreateReceiptLines", func() (struct{}, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !slices.ContainsFunc(e.receipts, func(x billing.Receipt) bool { return x.Number == number }) {
			return struct{}{}, refuse(connector.ClassNotFound, "writing lines of receipt "+number, "no such receipt")
		}
		if err := e.accepts(r); err != nil {
			return struct{}{}, err
		}
		for i, l := range lines {
			if i == e.cut {
				e.cut = -1
				return struct{}{}, &connector.Error{Class: connector.ClassRetry, Op: "writing lines of receipt " + number, Ambiguous: true}
			}
			e.line(number, l)
		}
		return struct{}{}, nil
	})
	return err
}
