package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// Portal is a connector.Portal in memory. It computes totals by itself, keeps numbers unique, and tells what happens in it
// as events.
type Portal struct {
	Calls
	mu        sync.Mutex
	clock     clock.Clock
	pageSize  int
	last      int
	customers map[string]billing.PortalCustomer
	contacts  map[string]billing.PortalContact
	documents map[string]billing.PortalDocument
	payments  map[string]billing.Payment
	events    []billing.Event
	extra     map[string]money.Money
	files     files
	spoilt    map[string]string // why a payment can not be read, by id
	odd       []connector.BadRecord
}

// NewPortal makes an empty portal whose lists have pages of 100.
func NewPortal(c clock.Clock) *Portal {
	return &Portal{
		clock: c, pageSize: 100, last: 100, customers: map[string]billing.PortalCustomer{}, contacts: map[string]billing.PortalContact{},
		documents: map[string]billing.PortalDocument{}, payments: map[string]billing.Payment{}, extra: map[string]money.Money{},
		files: newFiles(), spoilt: map[string]string{},
	}
}

// Add makes the portal charge something of its own on the document with a number, so that its total is another.
func (p *Portal) Add(number string, amount money.Money) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.extra[number] = amount
}

func (p *Portal) id() string {
	p.last++
	return strconv.Itoa(p.last)
}

// listed is a map's values in the order of their ids.
func listed[T any](m map[string]T, wanted func(T) bool) []T {
	ids := make([]string, 0, len(m))
	for id, v := range m {
		if wanted(v) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = m[id]
	}
	return out
}

func every[T any](T) bool { return true }

// paged cuts a list; a page is named by where it starts.
func (p *Portal) paged(page string) (from int, err error) {
	if page == "" {
		return 0, nil
	}
	from, err = strconv.Atoi(page)
	if err != nil || from < 0 {
		return 0, refuse(connector.ClassInvalid, "reading a list", "page %q is none of this list", page)
	}
	return from, nil
}

func pageOf[T any](p *Portal, page string, all []T) (connector.Page[T], error) {
	from, err := p.paged(page)
	if err != nil {
		return connector.Page[T]{}, err
	}
	from = min(from, len(all))
	to := min(from+p.pageSize, len(all))
	out := connector.Page[T]{Items: all[from:to]}
	if to < len(all) {
		out.Next = strconv.Itoa(to)
	}
	return out, nil
}

// Check implements connector.Portal.
func (p *Portal) Check(ctx context.Context) error {
	_, err := read(ctx, &p.Calls, "Check", func() (struct{}, error) { return struct{}{}, nil })
	return err
}

// FindDocuments implements connector.Portal.
func (p *Portal) FindDocuments(ctx context.Context, kind billing.Kind, number string) ([]billing.PortalDocument, error) {
	return read(ctx, &p.Calls, "FindDocuments", func() ([]billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return listed(p.documents, func(d billing.PortalDocument) bool { return d.Kind == kind && d.Number == number }), nil
	})
}

// ListDocuments implements connector.Portal.
func (p *Portal) ListDocuments(ctx context.Context, kind billing.Kind, page string) (connector.Page[billing.PortalDocument], error) {
	return read(ctx, &p.Calls, "ListDocuments", func() (connector.Page[billing.PortalDocument], error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return pageOf(p, page, listed(p.documents, func(d billing.PortalDocument) bool { return d.Kind == kind }))
	})
}

// Document implements connector.Portal.
func (p *Portal) Document(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	return read(ctx, &p.Calls, "Document", func() (billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.document(kind, id)
	})
}

func (p *Portal) document(kind billing.Kind, id string) (billing.PortalDocument, error) {
	d, ok := p.documents[id]
	if !ok || d.Kind != kind {
		return d, refuse(connector.ClassNotFound, fmt.Sprintf("reading %s %s", kind, id), "no such document")
	}
	return d, nil
}

// CreateDocument implements connector.Portal.
func (p *Portal) CreateDocument(ctx context.Context, d billing.PortalDocument, _ string) (billing.PortalDocument, error) {
	return write(ctx, &p.Calls, "CreateDocument", func() (billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, have := range p.documents {
			if have.Kind == d.Kind && have.Number == d.Number {
				return d, refuse(connector.ClassConflict, "creating "+d.Number, "the number is taken")
			}
		}
		if _, ok := p.customers[d.CustomerID]; !ok {
			return d, refuse(connector.ClassInvalid, "creating "+d.Number, "no such customer")
		}
		d.ID, d.Updated = p.id(), p.clock.Now()
		d.URL = "https://portal.example/" + d.ID
		d.Total = p.total(d)
		d.Balance, d.Status = d.Total, "not_sent"
		p.documents[d.ID] = d
		return d, nil
	})
}

// total is the portal's own arithmetic.
func (p *Portal) total(d billing.PortalDocument) money.Money {
	total := d.Tax
	for _, it := range d.Items {
		total = total.Add(money.Round(it.Quantity.Mul(it.UnitCost), d.Currency))
	}
	if extra, ok := p.extra[d.Number]; ok {
		total = total.Add(extra)
	}
	return total
}

// UpdateDocument implements connector.Portal.
func (p *Portal) UpdateDocument(ctx context.Context, id string, d billing.PortalDocument) (billing.PortalDocument, error) {
	return write(ctx, &p.Calls, "UpdateDocument", func() (billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		have, err := p.document(d.Kind, id)
		if err != nil {
			return have, err
		}
		if have.Voided {
			return have, refuse(connector.ClassInvalid, "updating "+have.Number, "it is voided")
		}
		paid := have.Paid()
		d.ID, d.CustomerID, d.Number, d.URL, d.Status, d.Updated = id, have.CustomerID, have.Number, have.URL, have.Status, p.clock.Now()
		d.Total = p.total(d)
		d.Balance = d.Total.Sub(paid)
		p.documents[id] = d
		return d, nil
	})
}

// VoidDocument implements connector.Portal.
func (p *Portal) VoidDocument(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	return write(ctx, &p.Calls, "VoidDocument", func() (billing.PortalDocument, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		d, err := p.document(kind, id)
		if err != nil {
			return d, err
		}
		if !d.Balance.Equal(d.Total) {
			return d, refuse(connector.ClassInvalid, "voiding "+id, "payments are applied to it")
		}
		d.Voided, d.Status, d.Balance = true, "voided", money.Zero(d.Currency)
		p.documents[id] = d
		return d, nil
	})
}

// Events implements connector.Portal.
func (p *Portal) Events(ctx context.Context, from, to time.Time, page string) (connector.Page[billing.Event], error) {
	return read(ctx, &p.Calls, "Events", func() (connector.Page[billing.Event], error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		var found []billing.Event
		for _, e := range slices.Backward(p.events) {
			if !e.At.Before(from) && !e.At.After(to) {
				found = append(found, e)
			}
		}
		out, err := pageOf(p, page, found)
		out.Bad = slices.Clone(p.odd)
		return out, err
	})
}

// Invoices lists the documents, voided ones too, in the order they were created.
func (p *Portal) Invoices() []billing.PortalDocument {
	p.mu.Lock()
	defer p.mu.Unlock()
	return listed(p.documents, every)
}

// People lists the contacts of all customers, in the order they were created.
func (p *Portal) People() []billing.PortalContact {
	p.mu.Lock()
	defer p.mu.Unlock()
	return listed(p.contacts, every)
}

// Payers lists the customers, in the order they were created.
func (p *Portal) Payers() []billing.PortalCustomer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return listed(p.customers, every)
}

// EnterCustomer is a customer made by a person; it returns it with its id.
func (p *Portal) EnterCustomer(c billing.PortalCustomer) billing.PortalCustomer {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.ID = p.id()
	p.customers[c.ID] = c
	return c
}

// EnterDocument is a document made by a person; it returns it with its id.
func (p *Portal) EnterDocument(d billing.PortalDocument) billing.PortalDocument {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.ID = p.id()
	d.Total = p.total(d)
	d.Balance = d.Total
	p.documents[d.ID] = d
	return d
}

// EnterContact is a contact made by a person; it returns it with its id.
func (p *Portal) EnterContact(c billing.PortalContact) billing.PortalContact {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.ID, c.Email = p.id(), strings.ToLower(c.Email)
	p.contacts[c.ID] = c
	return c
}

// Remove deletes a document, customer or contact, as a person may.
func (p *Portal) Remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.documents, id)
	delete(p.customers, id)
	delete(p.contacts, id)
}
