package intake_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/engine/intake"
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
	erp, blobs := enginetest.NewERP(), enginetest.NewBlobs()
	erp.PutFile("1", connector.Document{Number: "D1", Filename: "a.pdf"}, enginetest.PDF("one"))
	full := errors.New("no space left")
	blobs.Break(full)
	if _, _, err := intake.New(blobs, 1<<20).Fetch(t.Context(), intake.From{Company: "us", ERP: erp}, "1", nil); !errors.Is(err, full) {
		t.Errorf("our own store's trouble: %v", err)
	}
}
