package breaker

import (
	"context"
	"io"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

// abilities are the optional abilities of an ERP or a portal, each behind its circuit breaker.
type abilities []any

// Abilities implements connector.Wrapper.
func (a abilities) Abilities() []any { return a }

// erp is an ERP behind its circuit breaker.
type erp struct {
	next connector.ERP
	b    *Breaker
	abilities
}

// Check implements connector.ERP.
func (g erp) Check(ctx context.Context) (connector.Capabilities, error) {
	return guarded(ctx, g.b, "Check", func() (connector.Capabilities, error) { return g.next.Check(ctx) })
}

// Invoices implements connector.ERP.
func (g erp) Invoices(ctx context.Context, cursor string, since billing.Date, limit int) (connector.InvoicePage, error) {
	return guarded(ctx, g.b, "Invoices", func() (connector.InvoicePage, error) { return g.next.Invoices(ctx, cursor, since, limit) })
}

// Customers implements connector.ERP.
func (g erp) Customers(ctx context.Context, cursor string, limit int) (connector.CustomerPage, error) {
	return guarded(ctx, g.b, "Customers", func() (connector.CustomerPage, error) { return g.next.Customers(ctx, cursor, limit) })
}

// Invoice implements connector.ERP.
func (g erp) Invoice(ctx context.Context, number string) (billing.Invoice, error) {
	return guarded(ctx, g.b, "Invoice", func() (billing.Invoice, error) { return g.next.Invoice(ctx, number) })
}

// Balance implements connector.ERP.
func (g erp) Balance(ctx context.Context, number string) (billing.Balance, error) {
	return guarded(ctx, g.b, "Balance", func() (billing.Balance, error) { return g.next.Balance(ctx, number) })
}

// Balances implements connector.ERP.
func (g erp) Balances(ctx context.Context, customerNo string, numbers []string) ([]billing.Balance, error) {
	return guarded(ctx, g.b, "Balances", func() ([]billing.Balance, error) { return g.next.Balances(ctx, customerNo, numbers) })
}

// Customer implements connector.ERP.
func (g erp) Customer(ctx context.Context, number string) (billing.Customer, error) {
	return guarded(ctx, g.b, "Customer", func() (billing.Customer, error) { return g.next.Customer(ctx, number) })
}

// FindReceipts implements connector.ERP.
func (g erp) FindReceipts(ctx context.Context, reference string) ([]billing.Receipt, error) {
	return guarded(ctx, g.b, "FindReceipts", func() ([]billing.Receipt, error) { return g.next.FindReceipts(ctx, reference) })
}

// SimilarReceipts implements connector.ERP.
func (g erp) SimilarReceipts(ctx context.Context, customerNo string, amount money.Money, date billing.Date) ([]billing.Receipt, error) {
	return guarded(ctx, g.b, "SimilarReceipts", func() ([]billing.Receipt, error) { return g.next.SimilarReceipts(ctx, customerNo, amount, date) })
}

// PreviewReceipt implements connector.ERP.
func (g erp) PreviewReceipt(ctx context.Context, r billing.Receipt) error {
	return guard(ctx, g.b, "PreviewReceipt", func() error { return g.next.PreviewReceipt(ctx, r) })
}

// CreateReceipt implements connector.ERP.
func (g erp) CreateReceipt(ctx context.Context, r billing.Receipt) (string, error) {
	return guarded(ctx, g.b, "CreateReceipt", func() (string, error) { return g.next.CreateReceipt(ctx, r) })
}

// CreateReceiptLines implements connector.ERP.
func (g erp) CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error {
	return guard(ctx, g.b, "CreateReceiptLines", func() error { return g.next.CreateReceiptLines(ctx, number, r, lines) })
}

// FindHistory implements connector.ERP.
func (g erp) FindHistory(ctx context.Context, h billing.HistoryEntry) (bool, error) {
	return guarded(ctx, g.b, "FindHistory", func() (bool, error) { return g.next.FindHistory(ctx, h) })
}

// CreateHistory implements connector.ERP.
func (g erp) CreateHistory(ctx context.Context, h billing.HistoryEntry) error {
	return guard(ctx, g.b, "CreateHistory", func() error { return g.next.CreateHistory(ctx, h) })
}

// Documents implements connector.ERP.
func (g erp) Documents(ctx context.Context, invoiceNo string) ([]connector.Document, error) {
	return guarded(ctx, g.b, "Documents", func() ([]connector.Document, error) { return g.next.Documents(ctx, invoiceNo) })
}

// DocumentsOf implements connector.ERP.
func (g erp) DocumentsOf(ctx context.Context, invoiceNos []string) (map[string][]connector.Document, error) {
	return guarded(ctx, g.b, "DocumentsOf", func() (map[string][]connector.Document, error) { return g.next.DocumentsOf(ctx, invoiceNos) })
}

// Download implements connector.ERP.
func (g erp) Download(ctx context.Context, documentNo string) (io.ReadCloser, error) {
	return guarded(ctx, g.b, "Download", func() (io.ReadCloser, error) { return g.next.Download(ctx, documentNo) })
}

// portal is a portal behind its circuit breaker.
type portal struct {
	next connector.Portal
	b    *Breaker
	abilities
}

// Check implements connector.Portal.
func (g portal) Check(ctx context.Context) error {
	return guard(ctx, g.b, "Check", func() error { return g.next.Check(ctx) })
}

// FindCustomers implements connector.Portal.
func (g portal) FindCustomers(ctx context.Context, number string) ([]billing.PortalCustomer, error) {
	return guarded(ctx, g.b, "FindCustomers", func() ([]billing.PortalCustomer, error) { return g.next.FindCustomers(ctx, number) })
}

// ListCustomers implements connector.Portal.
func (g portal) ListCustomers(ctx context.Context, page string) (connector.Page[billing.PortalCustomer], error) {
	return guarded(ctx, g.b, "ListCustomers", func() (connector.Page[billing.PortalCustomer], error) { return g.next.ListCustomers(ctx, page) })
}

// Customer implements connector.Portal.
func (g portal) Customer(ctx context.Context, id string) (billing.PortalCustomer, error) {
	return guarded(ctx, g.b, "Customer", func() (billing.PortalCustomer, error) { return g.next.Customer(ctx, id) })
}

// CreateCustomer implements connector.Portal.
func (g portal) CreateCustomer(ctx context.Context, c billing.PortalCustomer, key string) (billing.PortalCustomer, error) {
	return guarded(ctx, g.b, "CreateCustomer", func() (billing.PortalCustomer, error) { return g.next.CreateCustomer(ctx, c, key) })
}

// UpdateCustomer implements connector.Portal.
func (g portal) UpdateCustomer(ctx context.Context, id string, c billing.CustomerPatch) (billing.PortalCustomer, error) {
	return guarded(ctx, g.b, "UpdateCustomer", func() (billing.PortalCustomer, error) { return g.next.UpdateCustomer(ctx, id, c) })
}

// Contacts implements connector.Portal.
func (g portal) Contacts(ctx context.Context, customerID string) ([]billing.PortalContact, error) {
	return guarded(ctx, g.b, "Contacts", func() ([]billing.PortalContact, error) { return g.next.Contacts(ctx, customerID) })
}

// CreateContact implements connector.Portal.
func (g portal) CreateContact(ctx context.Context, c billing.PortalContact, key string) (billing.PortalContact, error) {
	return guarded(ctx, g.b, "CreateContact", func() (billing.PortalContact, error) { return g.next.CreateContact(ctx, c, key) })
}

// UpdateContact implements connector.Portal.
func (g portal) UpdateContact(ctx context.Context, c billing.PortalContact) (billing.PortalContact, error) {
	return guarded(ctx, g.b, "UpdateContact", func() (billing.PortalContact, error) { return g.next.UpdateContact(ctx, c) })
}

// DeleteContact implements connector.Portal.
func (g portal) DeleteContact(ctx context.Context, customerID, id string) error {
	return guard(ctx, g.b, "DeleteContact", func() error { return g.next.DeleteContact(ctx, customerID, id) })
}

// FindDocuments implements connector.Portal.
func (g portal) FindDocuments(ctx context.Context, kind billing.Kind, number string) ([]billing.PortalDocument, error) {
	return guarded(ctx, g.b, "FindDocuments", func() ([]billing.PortalDocument, error) { return g.next.FindDocuments(ctx, kind, number) })
}

// ListDocuments implements connector.Portal.
func (g portal) ListDocuments(ctx context.Context, kind billing.Kind, page string) (connector.Page[billing.PortalDocument], error) {
	return guarded(ctx, g.b, "ListDocuments", func() (connector.Page[billing.PortalDocument], error) { return g.next.ListDocuments(ctx, kind, page) })
}

// Document implements connector.Portal.
func (g portal) Document(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	return guarded(ctx, g.b, "Document", func() (billing.PortalDocument, error) { return g.next.Document(ctx, kind, id) })
}

// CreateDocument implements connector.Portal.
func (g portal) CreateDocument(ctx context.Context, d billing.PortalDocument, key string) (billing.PortalDocument, error) {
	return guarded(ctx, g.b, "CreateDocument", func() (billing.PortalDocument, error) { return g.next.CreateDocument(ctx, d, key) })
}

// UpdateDocument implements connector.Portal.
func (g portal) UpdateDocument(ctx context.Context, id string, d billing.PortalDocument) (billing.PortalDocument, error) {
	return guarded(ctx, g.b, "UpdateDocument", func() (billing.PortalDocument, error) { return g.next.UpdateDocument(ctx, id, d) })
}

// VoidDocument implements connector.Portal.
func (g portal) VoidDocument(ctx context.Context, kind billing.Kind, id string) (billing.PortalDocument, error) {
	return guarded(ctx, g.b, "VoidDocument", func() (billing.PortalDocument, error) { return g.next.VoidDocument(ctx, kind, id) })
}

// Payment implements connector.Portal.
func (g portal) Payment(ctx context.Context, id string) (billing.Payment, error) {
	return guarded(ctx, g.b, "Payment", func() (billing.Payment, error) { return g.next.Payment(ctx, id) })
}

// ListPayments implements connector.Portal.
func (g portal) ListPayments(ctx context.Context, since time.Time, page string) (connector.Page[billing.Payment], error) {
	return guarded(ctx, g.b, "ListPayments", func() (connector.Page[billing.Payment], error) { return g.next.ListPayments(ctx, since, page) })
}

// Events implements connector.Portal.
func (g portal) Events(ctx context.Context, from, to time.Time, page string) (connector.Page[billing.Event], error) {
	return guarded(ctx, g.b, "Events", func() (connector.Page[billing.Event], error) { return g.next.Events(ctx, from, to, page) })
}

// files is that ability of a portal behind the portal's circuit breaker.
type files struct {
	next connector.Files
	b    *Breaker
}

// UploadFile implements connector.Files.
func (g files) UploadFile(ctx context.Context, name, contentType string, body io.Reader, size int64) (string, error) {
	return guarded(ctx, g.b, "UploadFile", func() (string, error) { return g.next.UploadFile(ctx, name, contentType, body, size) })
}

// Attach implements connector.Files.
func (g files) Attach(ctx context.Context, kind billing.Kind, id string, fileIDs []string) error {
	return guard(ctx, g.b, "Attach", func() error { return g.next.Attach(ctx, kind, id, fileIDs) })
}

// Attachments implements connector.Files.
func (g files) Attachments(ctx context.Context, kind billing.Kind, id string) ([]connector.Attachment, error) {
	return guarded(ctx, g.b, "Attachments", func() ([]connector.Attachment, error) { return g.next.Attachments(ctx, kind, id) })
}

// DeleteFile implements connector.Files.
func (g files) DeleteFile(ctx context.Context, fileID string) error {
	return guard(ctx, g.b, "DeleteFile", func() error { return g.next.DeleteFile(ctx, fileID) })
}

// credits is that ability of a portal behind the portal's circuit breaker.
type credits struct {
	next connector.Credits
	b    *Breaker
}

// ApplyCreditNote implements connector.Credits.
func (g credits) ApplyCreditNote(ctx context.Context, a connector.CreditApplication, key string) (string, error) {
	return guarded(ctx, g.b, "ApplyCreditNote", func() (string, error) { return g.next.ApplyCreditNote(ctx, a, key) })
}

// OpenInvoices implements connector.Credits.
func (g credits) OpenInvoices(ctx context.Context, customerID string) ([]billing.PortalDocument, error) {
	return guarded(ctx, g.b, "OpenInvoices", func() ([]billing.PortalDocument, error) { return g.next.OpenInvoices(ctx, customerID) })
}

// mailer is that ability of a portal behind the portal's circuit breaker.
type mailer struct {
	next connector.Mailer
	b    *Breaker
}

// SendDocument implements connector.Mailer.
func (g mailer) SendDocument(ctx context.Context, kind billing.Kind, id, name, email string) error {
	return guard(ctx, g.b, "SendDocument", func() error { return g.next.SendDocument(ctx, kind, id, name, email) })
}

// metadata is that ability of a portal behind the portal's circuit breaker.
type metadata struct {
	next connector.Metadata
	b    *Breaker
}

// FindCustomersByMetadata implements connector.Metadata.
func (g metadata) FindCustomersByMetadata(ctx context.Context, name, value string) ([]billing.PortalCustomer, error) {
	return guarded(ctx, g.b, "FindCustomersByMetadata", func() ([]billing.PortalCustomer, error) {
		return g.next.FindCustomersByMetadata(ctx, name, value)
	})
}

// ledger is that ability of an ERP behind the ERP's circuit breaker.
type ledger struct {
	next connector.Ledger
	b    *Breaker
}

// Posted implements connector.Ledger.
func (g ledger) Posted(ctx context.Context, from, to billing.Date, page string) (connector.Page[billing.Invoice], error) {
	return guarded(ctx, g.b, "Posted", func() (connector.Page[billing.Invoice], error) { return g.next.Posted(ctx, from, to, page) })
}

// Open implements connector.Ledger.
func (g ledger) Open(ctx context.Context, before billing.Date, page string) (connector.Page[billing.Invoice], error) {
	return guarded(ctx, g.b, "Open", func() (connector.Page[billing.Invoice], error) { return g.next.Open(ctx, before, page) })
}

// Receipts implements connector.Ledger.
func (g ledger) Receipts(ctx context.Context, from, to billing.Date, page string) (connector.Page[billing.Receipt], error) {
	return guarded(ctx, g.b, "Receipts", func() (connector.Page[billing.Receipt], error) { return g.next.Receipts(ctx, from, to, page) })
}

// AppliesLater implements connector.Ledger.
func (g ledger) AppliesLater() bool { return g.next.AppliesLater() }

// ERP puts the breaker before an ERP and exactly those optional abilities that it has: connector.As finds them.
func ERP(next connector.ERP, b *Breaker) connector.ERP {
	g := erp{next: next, b: b}
	if books, ok := connector.As[connector.Ledger](next); ok {
		g.abilities = append(g.abilities, ledger{books, b})
	}
	return g
}

// Portal puts the breaker before a portal and exactly those optional abilities that it has: connector.As finds them.
func Portal(next connector.Portal, b *Breaker) connector.Portal {
	g := portal{next: next, b: b}
	if has, ok := connector.As[connector.Files](next); ok {
		g.abilities = append(g.abilities, files{has, b})
	}
	if has, ok := connector.As[connector.Credits](next); ok {
		g.abilities = append(g.abilities, credits{has, b})
	}
	if has, ok := connector.As[connector.Mailer](next); ok {
		g.abilities = append(g.abilities, mailer{has, b})
	}
	if has, ok := connector.As[connector.Metadata](next); ok {
		g.abilities = append(g.abilities, metadata{has, b})
	}
	return g
}
