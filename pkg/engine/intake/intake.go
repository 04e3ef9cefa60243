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
	"net/http"
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

// ErrGone is a file that was listed some time ago and that the ERP does not have any more.
var ErrGone = errors.New("the listed file is gone")

// Fetch lists the invoice's files in the ERP, and downloads, checks and keeps the preferred one. known is the one from the
// look before: it is not downloaded again while number, size and time are the same. Without a file that can be used the
// reason says why; an error means that the ERP could not be asked.
func (k *Keeper) Fetch(ctx context.Context, f From, number string, known *record.Attachment) (*record.Attachment, plan.Reason, error) {
	docs, err := f.ERP.Documents(ctx, number)
	if err != nil {
		return refusedFile(err)
	}
	a, problem, err := k.Take(ctx, f, number, Files(docs), known)
	if errors.Is(err, ErrGone) {
		err = nil
	}
	return a, problem, err
}

// Files are the ERP's documents as the plan knows them.
func Files(docs []connector.Document) []plan.File {
	files := make([]plan.File, len(docs))
	for i, d := range docs {
		files[i] = plan.File{Number: d.Number, Name: d.Filename, Type: d.Type, Size: d.Size, Modified: d.Modified}
	}
	return files
}

// Take is Fetch for files that were listed before: an ErrGone comes with the reason, and says that the list is out of date.
func (k *Keeper) Take(ctx context.Context, f From, number string, files []plan.File, known *record.Attachment) (*record.Attachment, plan.Reason, error) {
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
	c, err := k.download(ctx, f.ERP, file.Number)
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return nil, plan.FileTooBig(file.Name, big.Limit), nil
	}
	if err != nil {
		a, problem, failed := refusedFile(err)
		if connector.ClassOf(err) == connector.ClassNotFound {
			failed = ErrGone
		}
		return a, problem, failed
	}
	defer c.Close()
	if problem, good := plan.JudgeFile(file.Name, c.head, c.size, k.limit); !good {
		return nil, problem, nil
	}
	a, err := k.keep(ctx, f.Company, number, file, c)
	if err == nil && known != nil && known.SHA256 == a.SHA256 {
		a.FileID, a.Replaces = known.FileID, known.Replaces
	}
	return a, plan.Reason{}, err
}

// unchanged reports whether the ERP lists the file as it was.
func unchanged(known record.Attachment, f plan.File) bool {
	return known.Number == f.Number && (f.Size == 0 || known.Size == f.Size) && !f.Modified.IsZero() && known.Modified.Equal(f.Modified)
}

// content is a downloaded file that was read once, and is at its beginning again.
type content struct {
	io.ReadSeeker
	io.Closer
	head []byte
	size int64
	sum  string // SHA-256 in lower-case hex
}

// download opens a file and reads at most one byte more of it than is allowed. One that can be read again is not copied:
// large files are in memory once.
func (k *Keeper) download(ctx context.Context, erp connector.ERP, fileNo string) (*content, error) {
	body, err := erp.Download(ctx, fileNo)
	if err != nil {
		return nil, err
	}
	c, err := k.readThrough(body)
	if err != nil {
		_ = body.Close() // the error in reading says more
		return nil, &connector.Error{Class: connector.ClassRetry, Op: "downloading document " + fileNo, Err: err}
	}
	return c, nil
}

// judged is how many bytes of a file show what it is.
const judged = 512

func (k *Keeper) readThrough(body io.ReadCloser) (*content, error) {
	c := &content{Closer: body, head: make([]byte, judged)}
	again, can := body.(io.ReadSeeker)
	if !can {
		all, err := io.ReadAll(io.LimitReader(body, k.limit+1))
		if err != nil {
			return nil, err
		}
		again = bytes.NewReader(all)
	}
	c.ReadSeeker = again
	n, err := io.ReadFull(again, c.head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	c.head = c.head[:n]
	hash := sha256.New()
	_, _ = hash.Write(c.head) // a hash takes everything
	rest, err := io.Copy(hash, io.LimitReader(again, k.limit+1-int64(n)))
	if err != nil {
		return nil, err
	}
	c.size, c.sum = int64(n)+rest, hex.EncodeToString(hash.Sum(nil))
	_, err = again.Seek(0, io.SeekStart)
	return c, err
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
func (k *Keeper) keep(ctx context.Context, company, number string, f plan.File, c *content) (*record.Attachment, error) {
	a := &record.Attachment{Number: f.Number, Name: plan.FileName(f.Name), SHA256: c.sum, Size: c.size, Modified: store.At(f.Modified)}
	if f.Modified.IsZero() {
		a.Modified = store.Time{}
	}
	a.Object = strings.Join([]string{part(company), "invoice", part(number), part(f.Number) + "-" + a.SHA256 + ".pdf"}, "/")
	_, err := k.blobs.Create(ctx, a.Object, ContentType, c, k.limit)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return nil, fmt.Errorf("keeping document %s of invoice %s: %w", f.Number, number, err)
	}
	return a, nil
}

// part makes any text a part of an object's name.
func part(s string) string { return strings.ReplaceAll(url.PathEscape(s), ".", "%2E") }
