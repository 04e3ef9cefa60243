package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"unicode"

	"github.com/arbridge/arbridge/pkg/connector"
)

// File is a stored file (invoiced-api 8).
type File struct {
	ID   ID     `json:"id"`
	Name Text   `json:"name"`
	Size Number `json:"size"` // bytes
	Type Text   `json:"type"` // MIME
	URL  Text   `json:"url"`
}

// Attachment ties a file to a document. Its own id may be missing.
type Attachment struct {
	ID   ID   `json:"id"`
	File File `json:"file"`
}

// UploadFile stores a file by multipart upload, never by address: an address would be linked, not copied, and expire
// (invoiced-api 8). No idempotency key is sent: an answer that was remembered under it could name a file deleted since.
func (c *Client) UploadFile(ctx context.Context, name, contentType string, content []byte) (File, error) {
	name = filename(name)
	op := "uploading file " + sayable(name)
	if strings.ContainsFunc(contentType, unicode.IsControl) || contentType == "" {
		return File{}, connector.NewError(connector.ClassBug, op, "%.40q is no MIME type", contentType)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", name)}, "Content-Type": {contentType},
	})
	if err == nil {
		_, err = part.Write(content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return File{}, connector.NewError(connector.ClassBug, op, "writing the form: %w", err)
	}
	return object[File](ctx, c, call{op: op, method: http.MethodPost, path: "/files", body: body.Bytes(),
		contentType: form.FormDataContentType()})
}

// filename is the last part of a path without control characters, "file" for nothing.
func filename(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	if name = strings.TrimSpace(name); name == "" || name == "." || name == ".." {
		return "file"
	}
	return name
}

// DeleteFile removes a stored file; one that was never attached stays otherwise.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	return c.remove(ctx, "deleting file "+id, "files", id)
}

// Attachments reads the files of a document.
func (c *Client) Attachments(ctx context.Context, r Resource, id string) ([]Attachment, error) {
	return all[Attachment](ctx, c, "reading the attachments of "+r.Noun()+" "+id, nil, string(r), id, "attachments")
}

// PDF reads the portal's own rendering of a document or the receipt of a payment. maxBytes bounds it.
func (c *Client) PDF(ctx context.Context, r Resource, id string, maxBytes int64) ([]byte, error) {
	op := fmt.Sprintf("reading the PDF of %s %s", r.Noun(), id)
	p, err := path(op, string(r), id)
	if err != nil {
		return nil, err
	}
	res, err := c.send(ctx, call{op: op, method: http.MethodGet, path: p, accept: "application/pdf", maxBody: maxBytes})
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(res.Body, []byte("%PDF-")) {
		return nil, unreadable(op, false, res.Status, errors.New("it is not a PDF"))
	}
	return res.Body, nil
}
