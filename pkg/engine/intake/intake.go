// Package intake takes the files of invoices in: it finds the one that counts in the ERP, downloads and checks it, and keeps
// it in the blob store (F10, q360-api 4.4.6).
package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// ContentType is the only type of file that is taken in.
const ContentType = "application/pdf"

// Keeper takes files in. It is safe for concurrent use.
type Keeper struct {
	blobs blob.Store
	limit int64
}

// New makes a Keeper that stores files of at most limit bytes.
func New(blobs blob.Store, limit int64) *Keeper { return &Keeper{blobs: blobs, limit: limit} }

// From is the company that a file comes from.
type From struct {
	Company  string
	ERP      connector.ERP
	Settings settings.Documents
}

// Fetch lists the invoice's files in the ERP, and downloads, checks and keeps the preferred one. known is the one from the
// look before: it is not downloaded again while number, size and time are the same. Without a file that can be used the
// reason says why; an error means that the ERP could not be asked.
func (k *Keeper) Fetch(ctx context.Context, f From, number string, known *record.Attachment) (*record.Attachment, plan.Reason, error) {
	docs, err := f.ERP.Documents(ctx, number)
	if err != nil {
		return refusedFile(err)
	}
	files := make([]plan.File, len(docs))
	for i, d := range docs {
		files[i] = plan.File{Number: d.Number, Name: d.Filename, Type: d.Type, Size: d.Size, Modified: d.Modified}
	}
	file, ok := plan.PickFile(files, f.Settings)
	switch {
	case !ok:
		return nil, plan.Because(plan.FileMissing), nil
	case file.Size > k.limit:
		return nil, plan.FileTooBig(file.Name, k.limit), nil
	case known != nil && unchanged(*known, file):
		same := *known
		return &same, plan.Reason{}, nil
	}
	content, err := k.download(ctx, f.ERP, file.Number)
	if err != nil {
		return refusedFile(err)
	}
	if problem, good := plan.JudgeFile(file.Name, content, int64(len(content)), k.limit); !good {
		return nil, problem, nil
	}
	a, err := k.keep(ctx, f.Company, number, file, content)
	if err == nil && known != nil && known.SHA256 == a.SHA256 {
		a.FileID, a.Replaces = known.FileID, known.Replaces
	}
	return a, plan.Reason{}, err
}

// unchanged reports whether the ERP lists the file as it was.
func unchanged(known record.Attachment, f plan.File) bool {
	return known.Number == f.Number && (f.Size == 0 || known.Size == f.Size) && !f.Modified.IsZero() && known.Modified.Equal(f.Modified)
}

// download reads a file, at most one byte more than is allowed.
func (k *Keeper) download(ctx context.Context, erp connector.ERP, fileNo string) ([]byte, error) {
	body, err := erp.Download(ctx, fileNo)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, k.limit+1))
	if err != nil {
		return nil, &connector.Error{Class: connector.ClassRetry, Op: "downloading document " + fileNo, Err: err}
	}
	return content, nil
}

// refusedFile tells an ERP that clearly does not give the file from one that could not be asked.
func refusedFile(err error) (*record.Attachment, plan.Reason, error) {
	switch connector.ClassOf(err) {
	case connector.ClassRetry, connector.ClassAuth, connector.ClassBug:
		return nil, plan.Reason{}, err
	}
	return nil, plan.Because(plan.FileUnreadable, "problem", Cause(err)), nil
}

// Cause is the plain part of a connector's error.
func Cause(err error) string {
	var ce *connector.Error
	if errors.As(err, &ce) && ce.Err != nil {
		return ce.Err.Error()
	}
	return err.Error()
}

// keep stores the content under a name that its hash is part of: an object never changes.
func (k *Keeper) keep(ctx context.Context, company, number string, f plan.File, content []byte) (*record.Attachment, error) {
	sum := sha256.Sum256(content)
	a := &record.Attachment{
		Number: f.Number, Name: plan.FileName(f.Name), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Modified: store.At(f.Modified),
	}
	if f.Modified.IsZero() {
		a.Modified = store.Time{}
	}
	a.Object = strings.Join([]string{part(company), "invoice", part(number), part(f.Number) + "-" + a.SHA256 + ".pdf"}, "/")
	_, err := k.blobs.Create(ctx, a.Object, ContentType, bytes.NewReader(content), k.limit)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return nil, fmt.Errorf("keeping document %s of invoice %s: %w", f.Number, number, err)
	}
	return a, nil
}

// part makes any text a part of an object's name.
func part(s string) string { return strings.ReplaceAll(url.PathEscape(s), ".", "%2E") }
