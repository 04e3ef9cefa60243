package engine

import (
	"context"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/intake"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// indexAge is how long a bulk index of the portal is trusted. A number that somebody else creates in that time is still
// noticed: the portal refuses the second document with it, and the refusal leads to a single look-up.
const indexAge = 10 * time.Minute

// index is what the portal has, by number, read in pages of a hundred: in a backfill it replaces one look-up per document.
type index struct {
	mu        sync.Mutex
	at        time.Time
	documents map[billing.Kind]shelf[billing.PortalDocument]
	customers shelf[billing.PortalCustomer]
	tagged    map[string][]billing.PortalCustomer // by the ERP's number in their metadata
}

// shelf is what a list of the portal has, by number. A number that only an unreadable entry had is doubtful: it is looked
// up singly, because taking it for absent would make a second document.
type shelf[T any] struct {
	byNumber map[string][]T
	doubtful map[string]bool
	unknown  bool // an entry that could not even be named
}

// find returns what has the number; sure is false when it has to be asked for singly.
func (s shelf[T]) find(number string) (found []T, sure bool) {
	return s.byNumber[number], !s.doubtful[number] && !s.unknown
}

// stack reads a whole list. An entry that changes while the list is read comes twice: the later one counts.
func stack[T any](read func(page string) (connector.Page[T], error), key func(T) (id, number string)) (shelf[T], []T, error) {
	s := shelf[T]{byNumber: map[string][]T{}, doubtful: map[string]bool{}}
	var all []T
	at := map[string]int{}
	err := eachPage("listing everything of a kind", func(page string) (connector.Page[T], error) {
		p, err := read(page)
		for _, bad := range p.Bad {
			s.doubtful[bad.Number] = true
			s.unknown = s.unknown || bad.Number == ""
		}
		return p, err
	}, func(item T) {
		id, _ := key(item)
		if i, again := at[id]; again {
			all[i] = item
			return
		}
		at[id] = len(all)
		all = append(all, item)
	})
	for _, item := range all {
		_, number := key(item)
		s.byNumber[number] = append(s.byNumber[number], item)
	}
	return s, all, err
}

// findDocuments returns the portal's documents with a number: from the bulk index, or by one look-up.
func (e *Engine) findDocuments(ctx context.Context, c *Company, kind billing.Kind, number string, bulk bool) ([]billing.PortalDocument, error) {
	if bulk {
		found, sure, err := indexed(ctx, e, c, func(i *index) ([]billing.PortalDocument, bool) { return i.documents[kind].find(number) })
		if err != nil || sure {
			return found, err
		}
	}
	return c.Portal.FindDocuments(ctx, kind, number)
}

// findCustomers returns the portal's customers with a number: from the bulk index, or by one look-up.
func (e *Engine) findCustomers(ctx context.Context, c *Company, number string, bulk bool) ([]billing.PortalCustomer, error) {
	if bulk {
		found, sure, err := indexed(ctx, e, c, func(i *index) ([]billing.PortalCustomer, bool) { return i.customers.find(number) })
		if err != nil || sure {
			return found, err
		}
	}
	return c.Portal.FindCustomers(ctx, number)
}

// findTagged returns the portal's customers whose metadata name a customer of the ERP: by one look-up where the portal
// can, from a list of all otherwise.
func (e *Engine) findTagged(ctx context.Context, c *Company, number string, bulk bool) ([]billing.PortalCustomer, error) {
	if by, can := connector.As[connector.Metadata](c.Portal); can && !bulk {
		found, err := by.FindCustomersByMetadata(ctx, plan.MetaID, number)
		if err == nil || connector.ClassOf(err) != connector.ClassUnsupported {
			return found, err
		}
	}
	found, _, err := indexed(ctx, e, c, func(i *index) ([]billing.PortalCustomer, bool) { return i.tagged[number], true })
	return found, err
}

// indexed asks the company's bulk index, reading it first when it is too old.
func indexed[T any](ctx context.Context, e *Engine, c *Company, find func(*index) ([]T, bool)) ([]T, bool, error) {
	c.bulk.mu.Lock()
	defer c.bulk.mu.Unlock()
	if err := e.loadIndex(ctx, c); err != nil {
		return nil, false, err
	}
	found, sure := find(&c.bulk)
	return found, sure, nil
}

func (e *Engine) loadIndex(ctx context.Context, c *Company) error {
	if !c.bulk.at.IsZero() && e.clock.Now().Sub(c.bulk.at) < indexAge {
		return nil
	}
	began := e.clock.Now()
	documents := map[billing.Kind]shelf[billing.PortalDocument]{}
	for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindCreditNote} {
		s, _, err := stack(func(page string) (connector.Page[billing.PortalDocument], error) {
			return c.Portal.ListDocuments(ctx, kind, page)
		}, func(d billing.PortalDocument) (string, string) { return d.ID, d.Number })
		if err != nil {
			return err
		}
		documents[kind] = s
	}
	customers, all, err := stack(func(page string) (connector.Page[billing.PortalCustomer], error) {
		return c.Portal.ListCustomers(ctx, page)
	}, func(p billing.PortalCustomer) (string, string) { return p.ID, p.Number })
	if err != nil {
		return err
	}
	tagged := map[string][]billing.PortalCustomer{}
	for _, p := range all {
		if number := p.Metadata[plan.MetaID]; number != "" {
			tagged[number] = append(tagged[number], p)
		}
	}
	c.bulk.at, c.bulk.documents, c.bulk.customers, c.bulk.tagged = began, documents, customers, tagged
	return nil
}

// fewFiles new invoices of a page have their files listed one by one, when they are worked on.
const fewFiles = 4

// mostFiles of an invoice are kept with it; one with more is asked for singly.
const mostFiles = 50

// listing is what the ERP listed as the files of an invoice when its feed page was read.
type listing struct{ files []plan.File }

// listFiles lists the files of a page's new invoices with few calls, so that their work need not ask one by one. It only
// saves calls: whatever is missing here is asked for when it is needed.
func (e *Engine) listFiles(ctx context.Context, c *Company, items []item, have map[string]store.Row[record.Record]) {
	set := c.Settings.Documents
	if !set.Attach && !set.Required || !e.carriesFiles(c) {
		return
	}
	var numbers []string
	for _, it := range items {
		_, known := have[record.ID(c.ID, it.kind, it.id)]
		if !known && it.invoice != nil && it.files == nil && plan.Invoice(plan.InvoiceInput{Source: *it.invoice, Settings: c.Settings}).Verdict != plan.Skip {
			numbers = append(numbers, it.id)
		}
	}
	if len(numbers) < fewFiles {
		return
	}
	found, err := c.ERP.DocumentsOf(ctx, numbers)
	if err != nil {
		e.log.InfoContext(ctx, "files not listed in bulk; they are listed one by one", "company", c.ID, "count", len(numbers), "error", err)
	}
	for i, it := range items {
		if docs, covered := found[it.id]; covered && err == nil && len(docs) <= mostFiles {
			items[i].files = &listing{intake.Files(docs)}
		}
	}
}

// eachPage uses every item of a list, at most connector.MaxPages pages of them; op names the list in errors.
func eachPage[T any](op string, read func(page string) (connector.Page[T], error), use func(T)) error {
	return connector.EachPage(op, read, func(p connector.Page[T]) error {
		for _, item := range p.Items {
			use(item)
		}
		return nil
	})
}

// forgetIndex makes the next bulk look-up read the portal again.
func (c *Company) forgetIndex() {
	c.bulk.mu.Lock()
	defer c.bulk.mu.Unlock()
	c.bulk.at, c.bulk.documents, c.bulk.customers, c.bulk.tagged = time.Time{}, nil, shelf[billing.PortalCustomer]{}, nil
}
