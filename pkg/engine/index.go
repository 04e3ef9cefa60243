package engine

import (
	"context"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// indexAge is how long a bulk index of the portal is trusted. A number that somebody else creates in that time is still
// noticed: the portal refuses the second document with it, and the refusal leads to a single look-up.
const indexAge = 10 * time.Minute

// index is what the portal has, by number, read in pages of a hundred: in a backfill it replaces one look-up per document.
type index struct {
	mu        sync.Mutex
	at        time.Time
	documents map[billing.Kind]map[string][]billing.PortalDocument
	customers map[string][]billing.PortalCustomer
}

// findDocuments returns the portal's documents with a number: from the bulk index, or by one look-up.
func (e *Engine) findDocuments(ctx context.Context, c *Company, kind billing.Kind, number string, bulk bool) ([]billing.PortalDocument, error) {
	if !bulk {
		return c.Portal.FindDocuments(ctx, kind, number)
	}
	c.bulk.mu.Lock()
	defer c.bulk.mu.Unlock()
	if err := e.loadIndex(ctx, c); err != nil {
		return nil, err
	}
	return c.bulk.documents[kind][number], nil
}

// findCustomers returns the portal's customers with a number: from the bulk index, or by one look-up.
func (e *Engine) findCustomers(ctx context.Context, c *Company, number string, bulk bool) ([]billing.PortalCustomer, error) {
	if !bulk {
		return c.Portal.FindCustomers(ctx, number)
	}
	c.bulk.mu.Lock()
	defer c.bulk.mu.Unlock()
	if err := e.loadIndex(ctx, c); err != nil {
		return nil, err
	}
	return c.bulk.customers[number], nil
}

func (e *Engine) loadIndex(ctx context.Context, c *Company) error {
	if !c.bulk.at.IsZero() && e.clock.Now().Sub(c.bulk.at) < indexAge {
		return nil
	}
	began := e.clock.Now()
	documents := map[billing.Kind]map[string][]billing.PortalDocument{}
	for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindCreditNote} {
		byNumber := map[string][]billing.PortalDocument{}
		err := eachPage(func(page string) (connector.Page[billing.PortalDocument], error) {
			return c.Portal.ListDocuments(ctx, kind, page)
		}, func(d billing.PortalDocument) { byNumber[d.Number] = append(byNumber[d.Number], d) })
		if err != nil {
			return err
		}
		documents[kind] = byNumber
	}
	customers := map[string][]billing.PortalCustomer{}
	err := eachPage(func(page string) (connector.Page[billing.PortalCustomer], error) {
		return c.Portal.ListCustomers(ctx, page)
	}, func(p billing.PortalCustomer) { customers[p.Number] = append(customers[p.Number], p) })
	if err != nil {
		return err
	}
	c.bulk.at, c.bulk.documents, c.bulk.customers = began, documents, customers
	return nil
}

func eachPage[T any](read func(page string) (connector.Page[T], error), use func(T)) error {
	for page := ""; ; {
		p, err := read(page)
		if err != nil {
			return err
		}
		for _, item := range p.Items {
			use(item)
		}
		if p.Next == "" {
			return nil
		}
		page = p.Next
	}
}

// forgetIndex makes the next bulk look-up read the portal again.
func (c *Company) forgetIndex() {
	c.bulk.mu.Lock()
	defer c.bulk.mu.Unlock()
	c.bulk.at, c.bulk.documents, c.bulk.customers = time.Time{}, nil, nil
}
