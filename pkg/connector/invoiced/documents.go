package invoiced

import (
	"context"
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
)

// The statuses that the connector looks at; the enumeration is open (invoiced-api 4.3).
const (
	statusNotSent = "not_sent"
	statusVoided  = "voided"
)

// FindDocuments implements connector.Portal. As with customers, a filter that is not honoured is an error.
func (c *Connector) FindDocuments(ctx context.Context, kind billing.Kind, number string) ([]billing.PortalDocument, error) {
	op := fmt.Sprintf("finding %s %s", kind, number)
	r, err := resource(op, kind)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(number) == "" {
		return nil, invalid(op, "number", "a document without a number can not be found; give it one")
	}
	found, err := c.api.FindDocuments(ctx, r, number)
	if err != nil {
		return nil, err
	}
	var out []billing.PortalDocument
	for _, w := range found {
		if !like(string(w.Number), number) {
			return nil, inexact(op, false, fmt.Errorf("the portal answered with %s %s, so it ignores the filter", kind, w.ID))
		}
		if string(w.Number) != number {
			continue
		}
		v, err := c.document(op, false, kind, w)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// ListDocuments implements connector.Portal, in the order of changes. A document changed while the list is read comes
// twice.
func (c *Connector) ListDocuments(ctx context.Context, kind billing.Kind, page string) (connector.Page[billing.PortalDocument], error) {
	r, err := resource("listing documents", kind)
	if err != nil {
		return connector.Page[billing.PortalDocument]{}, err
	}
	l, err := c.api.ListDocuments(ctx, r, page)
	if err != nil {
		return connector.Page[billing.PortalDocument]{}, err
	}
	return mapped(kind, l,
		func(w client.Document) (string, string) { return string(w.ID), string(w.Number) },
		func(w client.Document) (billing.PortalDocument, error) { return fromDocument(w, kind, c.cfg) }), nil
}

// Document implements connector.Portal.
func (c *Connector) Document(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	op := fmt.Sprintf("reading %s %s", kind, id)
	r, err := resource(op, kind)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	w, err := c.api.Document(ctx, r, id)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	return c.document(op, false, kind, w)
}

// CreateDocument implements connector.Portal. When the document should be marked sent and the answer says it is not, an
// update follows; should that fail, the error is ambiguous because the document exists.
func (c *Connector) CreateDocument(ctx context.Context, d billing.PortalDocument, key string) (billing.PortalDocument, error) {
	op := fmt.Sprintf("creating %s %s", d.Kind, d.Number)
	r, err := resource(op, d.Kind)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	f, err := toDocument(op, d, c.cfg)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	w, err := c.api.CreateDocument(ctx, r, f, key)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	if w, err = c.markSent(ctx, d, r, w); err != nil {
		return billing.PortalDocument{}, err
	}
	return c.document(op, true, d.Kind, w)
}

// UpdateDocument implements connector.Portal. Items, taxes, discounts and metadata replace what is there; attachments
// stay. A wanted draft leaves the state alone, because an issued document can not become a draft again.
func (c *Connector) UpdateDocument(ctx context.Context, id string, d billing.PortalDocument) (billing.PortalDocument, error) {
	op := fmt.Sprintf("updating %s %s", d.Kind, id)
	r, err := resource(op, d.Kind)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	f, err := toDocumentUpdate(op, d, c.cfg)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	w, err := c.api.UpdateDocument(ctx, r, id, f)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	if w, err = c.markSent(ctx, d, r, w); err != nil {
		return billing.PortalDocument{}, err
	}
	return c.document(op, true, d.Kind, w)
}

// markSent repeats the mark where the answer shows that it was not taken, so that the portal does not mail the customer
// (invoiced-api 4.7, 13). Reports the document as it is then.
func (c *Connector) markSent(ctx context.Context, d billing.PortalDocument, r client.Resource, w client.Document) (client.Document, error) {
	if !marksSent(d) || w.Status != statusNotSent || w.ID == "" {
		return w, nil
	}
	marked, err := c.api.UpdateDocument(ctx, r, string(w.ID), client.DocumentFields{Sent: client.Some(true)})
	if err != nil {
		return w, ambiguous(err)
	}
	return marked, nil
}

// VoidDocument implements connector.Portal.
func (c *Connector) VoidDocument(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	op := fmt.Sprintf("voiding %s %s", kind, id)
	r, err := resource(op, kind)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	w, err := c.api.VoidDocument(ctx, r, id)
	if err != nil {
		return billing.PortalDocument{}, err
	}
	d, err := c.document(op, true, kind, w)
	if err == nil && !d.Voided {
		err = inexact(op, true, fmt.Errorf("the portal shows the status %q afterwards", d.Status))
	}
	return d, err
}

func (c *Connector) document(op string, write bool, kind billing.Kind, w client.Document) (billing.PortalDocument, error) {
	d, err := fromDocument(w, kind, c.cfg)
	if err != nil {
		return d, inexact(op, write, err)
	}
	return d, nil
}

// fromDocument is the document as the portal has it. The tax is the sum of all flat and computed taxes, those of lines
// included; discounts only show in the total.
func fromDocument(w client.Document, kind billing.Kind, cfg Config) (billing.PortalDocument, error) {
	d := billing.PortalDocument{
		ID: string(w.ID), Kind: kind, CustomerID: string(w.Customer.ID), Number: string(w.Number),
		Date: fromDate(w.Date, cfg.Location), DueDate: fromDate(w.DueDate, cfg.Location), Terms: string(w.PaymentTerms),
		PurchaseOrder: string(w.PurchaseOrder), Notes: string(w.Notes), Draft: bool(w.Draft), AutoPay: bool(w.AutoPay),
		Metadata: w.Metadata, Status: string(w.Status), Closed: bool(w.Closed),
		Voided: bool(w.Voided) || w.Status == statusVoided, URL: string(w.URL), Updated: instant(w.UpdatedAt),
	}
	var err error
	if d.Currency, err = fromCurrency(w.Currency, cfg.Currency); err != nil {
		return d, err
	}
	if d.Total, err = fromAmount("total", w.Total, d.Currency); err != nil {
		return d, err
	}
	if d.Balance, err = fromAmount("balance", w.Balance, d.Currency); err != nil {
		return d, err
	}
	taxes := w.Taxes.List
	for i, item := range w.Items.List {
		if !item.Quantity.Given || !item.UnitCost.Given {
			return d, fmt.Errorf("line %d: quantity or unit_cost is missing", i+1)
		}
		d.Items = append(d.Items, billing.PortalItem{Name: string(item.Name), Description: string(item.Description),
			Type: string(item.Type), Quantity: item.Quantity.Decimal, UnitCost: item.UnitCost.Decimal})
		taxes = append(taxes[:len(taxes):len(taxes)], item.Taxes.List...)
	}
	if d.Tax, err = sumTaxes(taxes, d.Currency); err != nil {
		return d, err
	}
	switch {
	case d.ID == "":
		return d, missing("id")
	case d.CustomerID == "":
		return d, missing("customer")
	case w.Date == 0:
		return d, missing("date")
	}
	return d, nil
}

// toDocument is the request that creates the document. Nothing is left to the portal's defaults that the ERP decides.
func toDocument(op string, d billing.PortalDocument, cfg Config) (client.DocumentFields, error) {
	f, err := writable(op, d, cfg)
	if err != nil {
		return f, err
	}
	switch {
	case d.CustomerID == "":
		return f, invalid(op, "customer", "the document has no customer of the portal; create the customer first")
	case strings.TrimSpace(d.Number) == "":
		return f, invalid(op, "number", "the document has no number, so the portal would invent one; give it the ERP's")
	}
	f.Customer, f.Number, f.Draft = client.Some(client.ID(d.CustomerID)), client.Some(d.Number), client.Some(d.Draft)
	if d.Tax.IsZero() {
		f.Taxes = client.Optional[[]client.TaxFields]{}
	}
	f.DueDate, f.PaymentTerms = unlessNull(f.DueDate), unlessNull(f.PaymentTerms)
	f.PurchaseOrder, f.Notes = unlessNull(f.PurchaseOrder), unlessNull(f.Notes)
	if len(d.Metadata) == 0 {
		f.Metadata = client.Optional[map[string]string]{}
	}
	return f, nil
}

// toDocumentUpdate is the request that replaces everything writable but customer and number.
func toDocumentUpdate(op string, d billing.PortalDocument, cfg Config) (client.DocumentFields, error) {
	f, err := writable(op, d, cfg)
	if err != nil {
		return f, err
	}
	f.Discounts = client.Some([]client.TaxFields{})
	if !d.Draft {
		f.Draft = client.Some(false)
	}
	return f, nil
}

// writable are the fields that creation and update have in common, empty ones as null. With AutoPay the portal itself
// sets the terms and wants no due date (invoiced-api 4.2, 4.8).
func writable(op string, d billing.PortalDocument, cfg Config) (client.DocumentFields, error) {
	var f client.DocumentFields
	cur := d.Currency
	if cur == "" {
		cur = cfg.Currency
	}
	if c := d.Tax.Currency(); c != "" && c != cur {
		return f, invalid(op, "taxes", "the tax is in %s and the document in %s; correct it in the ERP", c, cur)
	}
	date, ok := toDate(d.Date, cfg.Location)
	if !ok {
		return f, invalid(op, "date", "the date %q is no calendar date; fill it in the ERP", d.Date)
	}
	f = client.DocumentFields{
		Currency: client.Some(cur.Lower()), Date: client.Some(date), PurchaseOrder: client.Words(d.PurchaseOrder),
		Notes: client.Words(d.Notes), Items: client.Some(toItems(d.Items)), Taxes: client.Some(toTaxes(d)),
		CalculateTaxes: client.Some(false), Metadata: wholeMap(d.Metadata),
	}
	if d.Kind == billing.KindInvoice {
		if err := invoiceOnly(op, d, cfg, &f); err != nil {
			return f, err
		}
	}
	return f, checkMetadata(op, d.Metadata)
}

// invoiceOnly adds what credit notes do not have (invoiced-api 5.2).
func invoiceOnly(op string, d billing.PortalDocument, cfg Config, f *client.DocumentFields) error {
	f.AutoPay = client.Some(d.AutoPay)
	f.DueDate = client.Null[int64]()
	if !d.AutoPay {
		f.PaymentTerms = client.Words(d.Terms)
		if d.DueDate != "" {
			due, ok := toDate(d.DueDate, cfg.Location)
			if !ok {
				return invalid(op, "due_date", "the due date %q is no calendar date; correct it in the ERP", d.DueDate)
			}
			f.DueDate = client.Some(due)
		}
	}
	if marksSent(d) {
		f.Sent = client.Some(true)
	}
	return nil
}

// marksSent reports whether the document is to be marked sent. Drafts are not, and credit notes have no such mark.
func marksSent(d billing.PortalDocument) bool {
	return d.MarkSent && !d.Draft && d.Kind == billing.KindInvoice
}

func unlessNull[T any](o client.Optional[T]) client.Optional[T] {
	if o.IsNull() {
		return client.Optional[T]{}
	}
	return o
}
