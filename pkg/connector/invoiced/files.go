package invoiced

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
)

// UploadFile implements connector.Files. A body that is not size bytes long is not sent.
func (c *Connector) UploadFile(ctx context.Context, name, contentType string, body io.Reader, size int64) (string, error) {
	const op = "uploading a file"
	if size <= 0 || size > c.cfg.MaxFile {
		return "", invalid(op, "size", "the file has %d bytes; it must have 1 to %d", size, c.cfg.MaxFile)
	}
	content, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return "", &connector.Error{Class: connector.ClassRetry, Op: op, Err: fmt.Errorf("reading the file: %w", err)}
	}
	if int64(len(content)) != size {
		return "", invalid(op, "size", "the file does not have the %d bytes it should; fetch it again", size)
	}
	w, err := c.api.UploadFile(ctx, name, contentType, content)
	if err != nil {
		return "", err
	}
	if w.ID == "" {
		return "", inexact(op, true, missing("id"))
	}
	return string(w.ID), nil
}

// Attach implements connector.Files.
func (c *Connector) Attach(ctx context.Context, kind billing.Kind, id string, fileIDs []string) error {
	r, err := resource(fmt.Sprintf("attaching files to %s %s", kind, id), kind)
	if err != nil {
		return err
	}
	ids := make([]client.ID, 0, len(fileIDs))
	for _, f := range fileIDs {
		ids = append(ids, client.ID(f))
	}
	_, err = c.api.UpdateDocument(ctx, r, id, client.DocumentFields{Attachments: client.Some(ids)})
	return err
}

// Attachments implements connector.Files.
func (c *Connector) Attachments(ctx context.Context, kind billing.Kind, id string) ([]connector.Attachment, error) {
	op := fmt.Sprintf("reading the attachments of %s %s", kind, id)
	r, err := resource(op, kind)
	if err != nil {
		return nil, err
	}
	found, err := c.api.Attachments(ctx, r, id)
	if err != nil {
		return nil, err
	}
	out := make([]connector.Attachment, 0, len(found))
	for _, w := range found {
		if w.File.ID == "" {
			return nil, inexact(op, false, errors.New("an attachment has no file"))
		}
		out = append(out, connector.Attachment{FileID: string(w.File.ID), Name: string(w.File.Name), Type: string(w.File.Type),
			Size: w.File.Size.Decimal.IntPart()})
	}
	return out, nil
}

// DeleteFile implements connector.Files.
func (c *Connector) DeleteFile(ctx context.Context, fileID string) error {
	return c.api.DeleteFile(ctx, fileID)
}

// PDF implements PDFs.
func (c *Connector) PDF(ctx context.Context, kind billing.Kind, id string) ([]byte, error) {
	r := client.Payments
	if kind != billing.KindPayment {
		var err error
		if r, err = resource(fmt.Sprintf("reading the PDF of %s %s", kind, id), kind); err != nil {
			return nil, err
		}
	}
	return c.api.PDF(ctx, r, id, c.cfg.MaxFile)
}

// SendDocument implements connector.Mailer.
func (c *Connector) SendDocument(ctx context.Context, kind billing.Kind, id, name, email string) error {
	r, err := resource(fmt.Sprintf("mailing %s %s", kind, id), kind)
	if err != nil {
		return err
	}
	return c.api.SendDocument(ctx, r, id, name, email)
}
