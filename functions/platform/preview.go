package platform

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// newID begins the id of what a preview did not create. Later requests of the same preview name it where the vendor's id
// would stand.
const newID = "NEW-"

func recorded(err error) bool { return errors.Is(err, httpx.ErrRecorded) }

// previewPortal answers writes that were recorded as the portal would if it took them, so that the work goes on to the
// requests that follow.
type previewPortal struct {
	*invoiced.Connector

	mu        sync.Mutex
	documents map[string]billing.PortalDocument
	files     map[string]connector.Attachment
	attached  map[string][]connector.Attachment
}

func newPreviewPortal(c *invoiced.Connector) *previewPortal {
	return &previewPortal{Connector: c, documents: map[string]billing.PortalDocument{}, files: map[string]connector.Attachment{},
		attached: map[string][]connector.Attachment{}}
}

// CreateCustomer implements connector.Portal.
func (p *previewPortal) CreateCustomer(ctx context.Context, c billing.PortalCustomer, key string) (billing.PortalCustomer, error) {
	got, err := p.Connector.CreateCustomer(ctx, c, key)
	if recorded(err) {
		c.ID = newID + "customer-" + c.Number
		return c, nil
	}
	return got, err
}

// UpdateCustomer implements connector.Portal.
func (p *previewPortal) UpdateCustomer(ctx context.Context, id string, c billing.CustomerPatch) (billing.PortalCustomer, error) {
	got, err := p.Connector.UpdateCustomer(ctx, id, c)
	if recorded(err) {
		return billing.PortalCustomer{ID: id}, nil
	}
	return got, err
}

// Contacts implements connector.Portal.
func (p *previewPortal) Contacts(ctx context.Context, customerID string) ([]billing.PortalContact, error) {
	if strings.HasPrefix(customerID, newID) {
		return nil, nil
	}
	return p.Connector.Contacts(ctx, customerID)
}

// CreateContact implements connector.Portal.
func (p *previewPortal) CreateContact(ctx context.Context, c billing.PortalContact, key string) (billing.PortalContact, error) {
	got, err := p.Connector.CreateContact(ctx, c, key)
	if recorded(err) {
		c.ID = newID + "contact"
		return c, nil
	}
	return got, err
}

// UpdateContact implements connector.Portal.
func (p *previewPortal) UpdateContact(ctx context.Context, c billing.PortalContact) (billing.PortalContact, error) {
	got, err := p.Connector.UpdateContact(ctx, c)
	if recorded(err) {
		return c, nil
	}
	return got, err
}

// DeleteContact implements connector.Portal.
func (p *previewPortal) DeleteContact(ctx context.Context, customerID, id string) error {
	return taken(p.Connector.DeleteContact(ctx, customerID, id))
}

// taken is the answer to a recorded write that has nothing to say.
func taken(err error) error {
	if recorded(err) {
		return nil
	}
	return err
}

// Document implements connector.Portal.
func (p *previewPortal) Document(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	p.mu.Lock()
	d, mine := p.documents[id]
	p.mu.Unlock()
	if mine {
		return d, nil
	}
	return p.Connector.Document(ctx, kind, id)
}

func (p *previewPortal) keep(d billing.PortalDocument) billing.PortalDocument {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.documents[d.ID] = d
	return d
}

// CreateDocument implements connector.Portal.
func (p *previewPortal) CreateDocument(ctx context.Context, d billing.PortalDocument, key string) (billing.PortalDocument, error) {
	got, err := p.Connector.CreateDocument(ctx, d, key)
	if recorded(err) {
		d.ID, d.Total = newID+string(d.Kind)+"-"+d.Number, d.Total.Abs()
		d.Balance = d.Total
		return p.keep(d), nil
	}
	return got, err
}

// UpdateDocument implements connector.Portal.
func (p *previewPortal) UpdateDocument(ctx context.Context, id string, d billing.PortalDocument) (billing.PortalDocument, error) {
	got, err := p.Connector.UpdateDocument(ctx, id, d)
	if recorded(err) {
		d.ID, d.Total = id, d.Total.Abs()
		d.Balance = d.Total
		return p.keep(d), nil
	}
	return got, err
}

// VoidDocument implements connector.Portal.
func (p *previewPortal) VoidDocument(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	got, err := p.Connector.VoidDocument(ctx, kind, id)
	if !recorded(err) {
		return got, err
	}
	if got, err = p.Document(ctx, kind, id); err == nil {
		got.Voided = true
		got = p.keep(got)
	}
	return got, err
}

// UploadFile implements connector.Files.
func (p *previewPortal) UploadFile(ctx context.Context, name, contentType string, body io.Reader, size int64) (string, error) {
	id, err := p.Connector.UploadFile(ctx, name, contentType, body, size)
	if recorded(err) {
		id, err = newID+"file-"+name, nil
		p.mu.Lock()
		p.files[id] = connector.Attachment{FileID: id, Name: name, Type: contentType, Size: size}
		p.mu.Unlock()
	}
	return id, err
}

// Attach implements connector.Files.
func (p *previewPortal) Attach(ctx context.Context, kind billing.Kind, id string, fileIDs []string) error {
	err := p.Connector.Attach(ctx, kind, id, fileIDs)
	if recorded(err) {
		p.mu.Lock()
		defer p.mu.Unlock()
		list := make([]connector.Attachment, 0, len(fileIDs))
		for _, f := range fileIDs {
			a, ok := p.files[f]
			if !ok {
				a = connector.Attachment{FileID: f}
			}
			list = append(list, a)
		}
		p.attached[id] = list
		return nil
	}
	return err
}

// Attachments implements connector.Files.
func (p *previewPortal) Attachments(ctx context.Context, kind billing.Kind, id string) ([]connector.Attachment, error) {
	p.mu.Lock()
	list, mine := p.attached[id]
	p.mu.Unlock()
	if mine || strings.HasPrefix(id, newID) {
		return list, nil
	}
	return p.Connector.Attachments(ctx, kind, id)
}

// DeleteFile implements connector.Files.
func (p *previewPortal) DeleteFile(ctx context.Context, fileID string) error {
	return taken(p.Connector.DeleteFile(ctx, fileID))
}

// ApplyCreditNote implements connector.Credits.
func (p *previewPortal) ApplyCreditNote(ctx context.Context, a connector.CreditApplication, key string) (string, error) {
	id, err := p.Connector.ApplyCreditNote(ctx, a, key)
	if recorded(err) {
		return newID + "payment", nil
	}
	return id, err
}

// SendDocument implements connector.Mailer.
func (p *previewPortal) SendDocument(ctx context.Context, kind billing.Kind, id, name, email string) error {
	return taken(p.Connector.SendDocument(ctx, kind, id, name, email))
}

// aside marks, in a context, the calls of the start-up check: they are no part of what a preview shows.
type aside struct{}

// split keeps the writes of a preview, and those of its start-up check aside.
type split struct{ kept, aside *httpx.Recorder }

// RoundTrip implements http.RoundTripper.
func (s split) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Context().Value(aside{}) != nil {
		return s.aside.RoundTrip(req)
	}
	return s.kept.RoundTrip(req)
}

// previewERP does the same for the ERP.
type previewERP struct {
	*q360.Connector

	mu       sync.Mutex
	receipts map[string]billing.Receipt // by number
}

func newPreviewERP(c *q360.Connector) *previewERP {
	return &previewERP{Connector: c, receipts: map[string]billing.Receipt{}}
}

// Check implements connector.ERP. The rights to write are taken for granted: trying them would be a call that a preview does
// not make.
func (p *previewERP) Check(ctx context.Context) (connector.Capabilities, error) {
	return p.Connector.Check(context.WithValue(ctx, aside{}, true))
}

// Balance implements connector.ERP.
func (p *previewERP) Balance(ctx context.Context, number string) (billing.Balance, error) {
	b, err := p.Connector.Balance(ctx, number)
	return p.lowered(b), err
}

// Balances implements connector.ERP.
func (p *previewERP) Balances(ctx context.Context, customerNo string, numbers []string) ([]billing.Balance, error) {
	all, err := p.Connector.Balances(ctx, customerNo, numbers)
	for i := range all {
		all[i] = p.lowered(all[i])
	}
	return all, err
}

// lowered is a balance less what the recorded receipts would take off it.
func (p *previewERP) lowered(b billing.Balance) billing.Balance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.receipts {
		for _, l := range r.Lines {
			if l.Kind == billing.LineApplication && l.InvoiceNo == b.Number {
				b.Balance = b.Balance.Sub(l.Amount)
			}
		}
	}
	return b
}

// PreviewReceipt implements connector.ERP.
func (p *previewERP) PreviewReceipt(ctx context.Context, r billing.Receipt) error {
	return taken(p.Connector.PreviewReceipt(ctx, r))
}

// FindReceipts implements connector.ERP.
func (p *previewERP) FindReceipts(ctx context.Context, reference string) ([]billing.Receipt, error) {
	p.mu.Lock()
	r, mine := p.receipts[newID+"receipt-"+reference]
	p.mu.Unlock()
	if mine {
		return []billing.Receipt{r}, nil
	}
	return p.Connector.FindReceipts(ctx, reference)
}

// CreateReceipt implements connector.ERP.
func (p *previewERP) CreateReceipt(ctx context.Context, r billing.Receipt) (string, error) {
	number, err := p.Connector.CreateReceipt(ctx, r)
	if recorded(err) {
		r.Number, r.Lines = newID+"receipt-"+r.Reference, nil
		p.mu.Lock()
		defer p.mu.Unlock()
		p.receipts[r.Number] = r
		return r.Number, nil
	}
	return number, err
}

// CreateReceiptLines implements connector.ERP.
func (p *previewERP) CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error {
	err := p.Connector.CreateReceiptLines(ctx, number, r, lines)
	if recorded(err) {
		p.mu.Lock()
		defer p.mu.Unlock()
		have := p.receipts[number]
		have.Lines = append(have.Lines, lines...)
		p.receipts[number] = have
		return nil
	}
	return err
}

// CreateHistory implements connector.ERP.
func (p *previewERP) CreateHistory(ctx context.Context, h billing.HistoryEntry) error {
	return taken(p.Connector.CreateHistory(ctx, h))
}
