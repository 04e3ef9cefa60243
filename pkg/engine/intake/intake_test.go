package intake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/engine/intake"
	"github.com/arbridge/arbridge/pkg/plan"
)

func TestFetch(t *testing.T) {
	erp, blobs := enginetest.NewERP(), enginetest.NewBlobs()
	k := intake.New(blobs, 1<<20)
	from := intake.From{Company: "us", ERP: erp}
	at := time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC)
	doc := connector.Document{Number: "D/1", Filename: `C:\forms\a.pdf`, Modified: at}
	erp.PutFile("../1", doc, enginetest.PDF("one"))

	first, problem, err := k.Fetch(t.Context(), from, "../1", nil)
	if err != nil || first == nil {
		t.Fatal(problem.Text(), err)
	}
	if first.Name != "a.pdf" || first.Object != "us/invoice/%2E%2E%2F1/D%2F1-"+first.SHA256+".pdf" || len(blobs.Names()) != 1 {
		t.Errorf("kept %+v as %v", first, blobs.Names())
	}
	info, err := blobs.Stat(t.Context(), first.Object)
	if err != nil || info.SHA256 != first.SHA256 || info.ContentType != intake.ContentType || info.Size != first.Size {
		t.Errorf("object %+v, %v", info, err)
	}

	first.FileID = "77"
	for _, c := range []struct {
		name  string
		doc   connector.Document
		text  string
		loads int
		same  bool
	}{
		{"the same time: not read again", doc, "one", 0, true},
		{"touched, the same content", moved(doc, at.Add(time.Hour)), "one", 1, true},
		{"without a time: read again", moved(doc, time.Time{}), "one", 1, true},
		{"changed", moved(doc, at.Add(2*time.Hour)), "two", 1, false},
	} {
		erp.Reset()
		erp.PutFile("../1", c.doc, enginetest.PDF(c.text))
		got, _, err := k.Fetch(t.Context(), from, "../1", first)
		if err != nil || (got.SHA256 == first.SHA256) != c.same || (got.FileID == "77") != c.same || erp.Count("Download") != c.loads {
			t.Errorf("%s: %+v, %v, %d downloads", c.name, got, err, erp.Count("Download"))
		}
	}
}

func moved(d connector.Document, at time.Time) connector.Document {
	d.Modified = at
	return d
}

func TestFetchTroubles(t *testing.T) {
	for _, c := range []struct {
		method string
		class  connector.Class
		retry  bool
	}{
		{"Documents", connector.ClassRetry, true}, {"Download", connector.ClassRetry, true}, {"Documents", connector.ClassAuth, true},
		{"Documents", connector.ClassUnsupported, false}, {"Download", connector.ClassNotFound, false}, {"Download", connector.ClassBadResponse, false},
	} {
		erp := enginetest.NewERP()
		erp.PutFile("1", connector.Document{Number: "D1", Filename: "a.pdf"}, enginetest.PDF("one"))
		erp.Fail(enginetest.Fault{Method: c.method, Class: c.class})
		got, problem, err := intake.New(enginetest.NewBlobs(), 1<<20).Fetch(t.Context(), intake.From{Company: "us", ERP: erp}, "1", nil)
		if got != nil || (err != nil) != c.retry || !c.retry && !strings.Contains(problem.Text(), "as the test wants it") {
			t.Errorf("%s %s: %+v, %s, %v", c.method, c.class, got, problem.Text(), err)
		}
	}
	_, problem, err := intake.New(enginetest.NewBlobs(), 1<<20).Fetch(t.Context(), intake.From{Company: "us", ERP: opened{enginetest.NewERP(), nil, 3 << 20}}, "1", nil)
	if want := "the ERP's file a.pdf has more than 3 MiB (documents.max_mib)"; err != nil || problem.Text() != want {
		t.Errorf("too large for the connector: %s, %v", problem.Text(), err)
	}
	erp, blobs := enginetest.NewERP(), enginetest.NewBlobs()
	erp.PutFile("1", connector.Document{Number: "D1", Filename: "a.pdf"}, enginetest.PDF("one"))
	full := errors.New("no space left")
	blobs.Break(full)
	if _, _, err := intake.New(blobs, 1<<20).Fetch(t.Context(), intake.From{Company: "us", ERP: erp}, "1", nil); !errors.Is(err, full) {
		t.Errorf("our own store's trouble: %v", err)
	}
}

// opened is an ERP with one file, which is opened as the test says, or is larger than the connector takes.
type opened struct {
	*enginetest.ERP
	body  io.ReadCloser
	limit int64
}

func (opened) Documents(context.Context, string) ([]connector.Document, error) {
	return []connector.Document{{Number: "D1", Filename: "a.pdf"}}, nil
}

func (o opened) Download(context.Context, string) (io.ReadCloser, error) {
	if o.limit > 0 {
		return nil, connector.NewError(connector.ClassBadResponse, "downloading", "%w", &http.MaxBytesError{Limit: o.limit})
	}
	return o.body, nil
}

// seekable counts what is read, and that it is closed.
type seekable struct {
	*bytes.Reader
	read   int
	closed int
}

func (s *seekable) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.read += n
	return n, err
}

func (s *seekable) Close() error { s.closed++; return nil }

// TestFilesAreNotCopied: one that can be read again is read twice, once to know it and once to keep it.
func TestFilesAreNotCopied(t *testing.T) {
	content := append(enginetest.PDF("one"), make([]byte, 100_000)...)
	for _, c := range []struct {
		limit int64
		read  int
		kept  bool
	}{{1 << 20, 2 * len(content), true}, {int64(len(content)), 2 * len(content), true}, {int64(len(content)) - 1, len(content), false}, {100, 512, false}} {
		body, blobs := &seekable{Reader: bytes.NewReader(content)}, enginetest.NewBlobs()
		a, problem, err := intake.New(blobs, c.limit).Fetch(t.Context(), intake.From{Company: "us", ERP: opened{enginetest.NewERP(), body, 0}}, "1", nil)
		if err != nil || (a != nil) != c.kept || !c.kept && problem.Code != plan.FileTooLarge {
			t.Errorf("limit %d: %+v, %s, %v", c.limit, a, problem.Text(), err)
		}
		if body.closed != 1 || body.read != c.read {
			t.Errorf("limit %d: %d bytes read, want %d; closed %d times", c.limit, body.read, c.read, body.closed)
		}
		if info, err := blobs.Stat(t.Context(), names(blobs)); c.kept && (err != nil || info.Size != int64(len(content)) || info.SHA256 != a.SHA256) {
			t.Errorf("kept %+v, %v", info, err)
		}
	}
}

func names(b *enginetest.Blobs) string { return strings.Join(b.Names(), " ") }

// TestTakeFromAList: a list that is out of date is told from a file that can not be had.
func TestTakeFromAList(t *testing.T) {
	erp := enginetest.NewERP()
	listed := intake.Files([]connector.Document{{Number: "D1", Filename: "a.pdf", Type: "INVOICE", Size: 7}})
	if want := (plan.File{Number: "D1", Name: "a.pdf", Type: "INVOICE", Size: 7}); len(listed) != 1 || listed[0] != want {
		t.Fatalf("listed %+v", listed)
	}
	k, from := intake.New(enginetest.NewBlobs(), 1<<20), intake.From{Company: "us", ERP: erp}
	if a, problem, err := k.Take(t.Context(), from, "1", listed, nil); a != nil || !errors.Is(err, intake.ErrGone) || problem.Code != plan.FileUnreadable {
		t.Errorf("a file that is gone: %+v, %s, %v", a, problem.Text(), err)
	}
	erp.PutFile("1", connector.Document{Number: "D1", Filename: "a.pdf"}, enginetest.PDF("one"))
	if a, problem, err := k.Take(t.Context(), from, "1", listed, nil); err != nil || a == nil || erp.Count("Documents") != 0 {
		t.Errorf("a file that is there: %+v, %s, %v", a, problem.Text(), err)
	}
	if a, problem, err := k.Take(t.Context(), from, "1", nil, nil); err != nil || a != nil || problem.Code != plan.FileMissing {
		t.Errorf("an empty list: %+v, %s, %v", a, problem.Text(), err)
	}
}
