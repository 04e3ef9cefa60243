package enginetest

import (
	"context"
	"slices"
	"sync"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// ERP is a connector.ERP in memory. Receipts lower balances by their application lines, and a reference can be used twice,
// as in the real one; header and lines are two writes.
type ERP struct {
	Calls
	mu        sync.Mutex
	caps      connector.Capabilities
	changes   int
	invoices  table[billing.Invoice]
	customers table[billing.Customer]
	receipts  []billing.Receipt
	history   []billing.HistoryEntry
	closed    billing.Date
	cut       int
	files     files
	gone      []string
	waiting   []billing.ReceiptLine // not applied yet
	behind    int                   // searches for receipts that find none
}

// NewERP makes an empty ERP that can do everything.
func NewERP() *ERP {
	e := &ERP{invoices: table[billing.Invoice]{}, customers: table[billing.Customer]{}, cut: -1, files: newFiles()}
	e.caps = connector.Capabilities{Features: map[connector.Feature]string{}, Changes: "moddate", Applied: connector.AppliedOnCreate}
	for _, f := range []connector.Feature{
		connector.FeatureInvoices, connector.FeatureCustomers, connector.FeatureContacts, connector.FeatureDocuments,
		connector.FeatureReceipts, connector.FeatureFind, connector.FeatureHistory,
	} {
		e.caps.Features[f] = "ok"
	}
	return e
}

// Lack makes a feature missing at the site.
func (e *ERP) Lack(f connector.Feature) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caps.Features[f] = "missing"
}

// Forbid takes away the right that a feature needs.
func (e *ERP) Forbid(f connector.Feature) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caps.Features[f] = "forbidden"
}

// Grant gives a feature back that was lacking.
func (e *ERP) Grant(f connector.Feature) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caps.Features[f] = "ok"
}

// Misfit adds a problem to the start-up check.
func (e *ERP) Misfit(p connector.Problem) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.caps.Problems = append(e.caps.Problems, p)
}

// PutInvoices creates or changes invoices.
func (e *ERP) PutInvoices(invoices ...billing.Invoice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, inv := range invoices {
		e.changes++
		e.invoices.put(inv.Number, inv, e.changes)
	}
}

// PutCustomers creates or changes customers.
func (e *ERP) PutCustomers(customers ...billing.Customer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range customers {
		e.changes++
		e.customers.put(c.Number, c, e.changes)
	}
}

// Spoil makes an invoice one that can not be read exactly, until it is put again.
func (e *ERP) Spoil(number, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes++
	inv := billing.Invoice{Number: number}
	if have, ok := e.invoices[number]; ok {
		inv = have.value
	}
	e.invoices[number] = &stamped[billing.Invoice]{value: inv, stamp: e.changes, bad: why}
}

// Touch makes an invoice appear in the feed again, unchanged.
func (e *ERP) Touch(number string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes++
	e.invoices[number].stamp = e.changes
}

// Check implements connector.ERP.
func (e *ERP) Check(ctx context.Context) (connector.Capabilities, error) {
	return read(ctx, &e.Calls, "Check", func() (connector.Capabilities, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		caps := e.caps
		caps.Features = map[connector.Feature]string{}
		for f, state := range e.caps.Features {
			caps.Features[f] = state
		}
		caps.Problems = slices.Clone(e.caps.Problems)
		return caps, nil
	})
}

// Invoices implements connector.ERP.
func (e *ERP) Invoices(ctx context.Context, at string, since billing.Date, limit int) (connector.InvoicePage, error) {
	return read(ctx, &e.Calls, "Invoices", func() (connector.InvoicePage, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		p, err := e.invoices.page(at, e.changes, limit, func(i billing.Invoice) bool { return i.PostedDate >= since || i.PostedDate == "" })
		if err != nil {
			return connector.InvoicePage{}, refuse(connector.ClassInvalid, "reading invoices", "%w", err)
		}
		out := connector.InvoicePage{Next: p.next, More: p.more, Backfill: p.backfill, Gone: e.gone}
		e.gone = nil
		for _, s := range p.items {
			if s.bad != "" {
				out.Bad = append(out.Bad, connector.BadRecord{Kind: billing.KindInvoice, Number: s.value.Number, Message: s.bad})
				continue
			}
			out.Items = append(out.Items, s.value)
		}
		return out, nil
	})
}

// Customers implements connector.ERP.
func (e *ERP) Customers(ctx context.Context, at string, limit int) (connector.CustomerPage, error) {
	return read(ctx, &e.Calls, "Customers", func() (connector.CustomerPage, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		p, err := e.customers.page(at, e.changes, limit, func(billing.Customer) bool { return true })
		if err != nil {
			return connector.CustomerPage{}, refuse(connector.ClassInvalid, "reading customers", "%w", err)
		}
		out := connector.CustomerPage{Next: p.next, More: p.more}
		for _, s := range p.items {
			out.Items = append(out.Items, s.value)
		}
		return out, nil
	})
}

// Invoice implements connector.ERP.
func (e *ERP) Invoice(ctx context.Context, number string) (billing.Invoice, error) {
	return read(ctx, &e.Calls, "Invoice", func() (billing.Invoice, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		s, ok := e.invoices[number]
		switch {
		case !ok:
			return billing.Invoice{}, refuse(connector.ClassNotFound, "reading invoice "+number, "no such invoice")
		case s.bad != "":
			return billing.Invoice{}, refuse(connector.ClassInvalid, "reading invoice "+number, "%s", s.bad)
		}
		return s.value, nil
	})
}

// Balance implements connector.ERP.
func (e *ERP) Balance(ctx context.Context, number string) (billing.Balance, error) {
	return read(ctx, &e.Calls, "Balance", func() (billing.Balance, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.balance(number)
	})
}

// Balances implements connector.ERP with one call.
func (e *ERP) Balances(ctx context.Context, _ string, numbers []string) ([]billing.Balance, error) {
	return read(ctx, &e.Calls, "Balances", func() ([]billing.Balance, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		out := make([]billing.Balance, len(numbers))
		for i, number := range numbers {
			var err error
			if out[i], err = e.balance(number); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

func (e *ERP) balance(number string) (billing.Balance, error) {
	s, ok := e.invoices[number]
	if !ok {
		return billing.Balance{}, refuse(connector.ClassNotFound, "reading the balance of "+number, "no such invoice")
	}
	i := s.value
	return billing.Balance{
		Number: i.Number, CompanyNo: i.CompanyNo, CustomerNo: i.CustomerNo, Currency: i.Currency, Total: i.Total, Balance: i.Balance, Posted: i.Posted,
	}, nil
}

// Customer implements connector.ERP.
func (e *ERP) Customer(ctx context.Context, number string) (billing.Customer, error) {
	return read(ctx, &e.Calls, "Customer", func() (billing.Customer, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		s, ok := e.customers[number]
		if !ok {
			return billing.Customer{}, refuse(connector.ClassNotFound, "reading customer "+number, "no such customer")
		}
		return s.value, nil
	})
}

// FindHistory implements connector.ERP.
func (e *ERP) FindHistory(ctx context.Context, h billing.HistoryEntry) (bool, error) {
	return read(ctx, &e.Calls, "FindHistory", func() (bool, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.ContainsFunc(e.history, func(x billing.HistoryEntry) bool { return x.Key == h.Key && x.InvoiceNo == h.InvoiceNo }), nil
	})
}

// CreateHistory implements connector.ERP.
func (e *ERP) CreateHistory(ctx context.Context, h billing.HistoryEntry) error {
	_, err := write(ctx, &e.Calls, "CreateHistory", func() (struct{}, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.history = append(e.history, h)
		return struct{}{}, nil
	})
	return err
}

// History lists the history entries, oldest first.
func (e *ERP) History() []billing.HistoryEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.history)
}

// Repeat makes the next page of the invoice feed hold the invoice again, as it is now: a feed delivers at least once.
func (e *ERP) Repeat(number string, now billing.Invoice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes++
	e.invoices[number+"\x00again"] = &stamped[billing.Invoice]{value: now, stamp: e.changes}
}
