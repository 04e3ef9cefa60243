package enginetest

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// files are the files of invoices in the ERP, and those of documents in the portal, with the e-mails it sent.
type files struct {
	listed   map[string][]connector.Document // by invoice, the preferred one first
	contents map[string][]byte               // by file
	infos    map[string]connector.Attachment // by file
	attached map[string][]string             // by document
	mails    []Mail

	overlooked []string
}

func newFiles() files {
	return files{
		listed: map[string][]connector.Document{}, contents: map[string][]byte{}, infos: map[string]connector.Attachment{},
		attached: map[string][]string{},
	}
}

// Mail is an e-mail that the portal sent.
type Mail struct{ DocumentID, Name, Email string }

// PDF is the content of a PDF file that shows a text.
func PDF(text string) []byte { return []byte("%PDF-1.7\n" + text + "\n%%EOF\n") }

// PutFile gives an invoice of the ERP a file, as its preferred one; one of the same number is replaced.
func (e *ERP) PutFile(invoice string, d connector.Document, content []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	others := slices.DeleteFunc(e.files.listed[invoice], func(have connector.Document) bool { return have.Number == d.Number })
	e.files.listed[invoice] = append([]connector.Document{d}, others...)
	e.files.contents[d.Number] = content
}

// Documents implements connector.ERP.
func (e *ERP) Documents(ctx context.Context, invoice string) ([]connector.Document, error) {
	return read(ctx, &e.Calls, "Documents", func() ([]connector.Document, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Clone(e.files.listed[invoice]), nil
	})
}

// DocumentsOf implements connector.ERP. Invoices that Overlook named are not covered.
func (e *ERP) DocumentsOf(ctx context.Context, invoices []string) (map[string][]connector.Document, error) {
	return read(ctx, &e.Calls, "DocumentsOf", func() (map[string][]connector.Document, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		out := map[string][]connector.Document{}
		for _, number := range invoices {
			if !slices.Contains(e.files.overlooked, number) {
				out[number] = slices.Clone(e.files.listed[number])
			}
		}
		return out, nil
	})
}

// Overlook leaves invoices out of what DocumentsOf answers.
func (e *ERP) Overlook(invoices ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.files.overlooked = append(e.files.overlooked, invoices...)
}

// Download implements connector.ERP.
func (e *ERP) Download(ctx context.Context, number string) (io.ReadCloser, error) {
	return read(ctx, &e.Calls, "Download", func() (io.ReadCloser, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		content, ok := e.files.contents[number]
		if !ok {
			return nil, refuse(connector.ClassNotFound, "downloading document "+number, "no such document")
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	})
}

// UploadFile implements connector.Files.
func (p *Portal) UploadFile(ctx context.Context, name, contentType string, body io.Reader, size int64) (string, error) {
	return write(ctx, &p.Calls, "UploadFile", func() (string, error) {
		content, err := io.ReadAll(body)
		if err != nil || int64(len(content)) != size {
			return "", refuse(connector.ClassInvalid, "uploading "+name, "%d bytes of %d: %w", len(content), size, err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		id := p.id()
		p.files.contents[id] = content
		p.files.infos[id] = connector.Attachment{FileID: id, Name: name, Type: contentType, Size: size}
		return id, nil
	})
}

// Attach implements connector.Files.
func (p *Portal) Attach(ctx context.Context, kind billing.Kind, id string, fileIDs []string) error {
	_, err := write(ctx, &p.Calls, "Attach", func() (struct{}, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range fileIDs {
			if _, ok := p.files.infos[f]; !ok {
				return struct{}{}, refuse(connector.ClassInvalid, "attaching", "no such file: %s", f)
			}
		}
		p.files.attached[id] = slices.Clone(fileIDs)
		_, err := p.document(kind, id)
		return struct{}{}, err
	})
	return err
}

// Attachments implements connector.Files.
func (p *Portal) Attachments(ctx context.Context, kind billing.Kind, id string) ([]connector.Attachment, error) {
	return read(ctx, &p.Calls, "Attachments", func() ([]connector.Attachment, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, err := p.document(kind, id); err != nil {
			return nil, err
		}
		var out []connector.Attachment
		for _, f := range p.files.attached[id] {
			out = append(out, p.files.infos[f])
		}
		return out, nil
	})
}

// DeleteFile implements connector.Files.
func (p *Portal) DeleteFile(ctx context.Context, fileID string) error {
	_, err := write(ctx, &p.Calls, "DeleteFile", func() (struct{}, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.files.infos, fileID)
		delete(p.files.contents, fileID)
		return struct{}{}, nil
	})
	return err
}

// SendDocument implements connector.Mailer.
func (p *Portal) SendDocument(ctx context.Context, kind billing.Kind, id, name, email string) error {
	_, err := write(ctx, &p.Calls, "SendDocument", func() (struct{}, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, err := p.document(kind, id); err != nil {
			return struct{}{}, err
		}
		p.files.mails = append(p.files.mails, Mail{id, name, email})
		return struct{}{}, nil
	})
	return err
}

// EnterFile is a file attached to a document by a person; it returns its id.
func (p *Portal) EnterFile(documentID, name string, content []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.id()
	p.files.contents[id] = content
	p.files.infos[id] = connector.Attachment{FileID: id, Name: name, Type: "application/pdf", Size: int64(len(content))}
	p.files.attached[documentID] = append(p.files.attached[documentID], id)
	return id
}

// Attached lists the contents attached to a document, in order.
func (p *Portal) Attached(documentID string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, f := range p.files.attached[documentID] {
		out = append(out, string(p.files.contents[f]))
	}
	return out
}

// Stored is the number of files in the portal, attached or not.
func (p *Portal) Stored() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.files.infos)
}

// Mails lists the e-mails that were sent, oldest first.
func (p *Portal) Mails() []Mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.files.mails)
}
