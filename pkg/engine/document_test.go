package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

var pdf = enginetest.PDF

// file is a PDF of an invoice in the ERP, changed at the n-th minute of the world.
func file(number string, minute int) connector.Document {
	return connector.Document{Number: number, Filename: "Invoice_" + number + ".pdf", Type: "INVOICE", Modified: enginetest.Start().Add(time.Duration(minute) * time.Minute)}
}

// attaching is a steady world with files on and customer C1 known.
func attaching(t *testing.T, change ...func(w *enginetest.World)) *fixture {
	t.Helper()
	f := steady(t, append([]func(w *enginetest.World){attach}, change...)...)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("0", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "0", record.Synced, "")
	f.ERP.Reset()
	f.Portal.Reset()
	return f
}

func attach(w *enginetest.World) {
	w.Settings.Documents.Attach, w.Settings.Documents.WaitDays = true, 14
}

// bill puts invoice 1 into the ERP.
func (f *fixture) bill() { f.ERP.PutInvoices(enginetest.Invoice("1", "C1")) }

// numbered is the document of the portal with a number.
func (f *fixture) numbered(number string) billing.PortalDocument {
	f.t.Helper()
	for _, d := range f.Portal.Invoices() {
		if d.Number == number {
			return d
		}
	}
	f.t.Fatalf("the portal has no document %s", number)
	return billing.PortalDocument{}
}

func (f *fixture) wantAttached(number string, contents ...string) {
	f.t.Helper()
	if got := f.Portal.Attached(f.numbered(number).ID); !slices.Equal(got, contents) {
		f.t.Fatalf("attached to %s: %q, want %q", number, got, contents)
	}
}

// summarised reports whether the invoice went over as one line.
func (f *fixture) summarised(number string) bool {
	f.t.Helper()
	return strings.HasPrefix(f.numbered(number).Items[0].Name, "Invoice ")
}

func TestPDFGoesWithTheInvoice(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
	r := f.want(billing.KindDocument, "1", record.Synced, "")
	a := r.Attachment
	if a == nil || a.Number != "D1" || a.Name != "Invoice_D1.pdf" || a.FileID == "" || a.FileID != r.PortalID || len(a.SHA256) != 64 || a.Size != int64(len(pdf("one"))) {
		t.Errorf("record of the file %+v", a)
	}
	if want := "us/invoice/1/D1-" + a.SHA256 + ".pdf"; !slices.Equal(f.Blobs.Names(), []string{want}) {
		t.Errorf("kept as %v, want %s", f.Blobs.Names(), want)
	}
	if e := f.entry("attachment/1/D1/" + a.SHA256); e.State != journal.Done || e.Attempts != 1 {
		t.Errorf("journal %+v", e)
	}
	f.portalCounts(3, 1) // invoice, file, attachment; its number
	if n := f.ERP.Count("Documents"); n != 1 || f.ERP.Count("Download") != 1 {
		t.Errorf("%d lists and %d downloads of one file", n, f.ERP.Count("Download"))
	}
	f.noOpenEffects()
}

func TestLinesWithAndWithoutPDF(t *testing.T) {
	for _, c := range []struct {
		with, without string
		file, summary bool
	}{
		{"summary", "detail", true, true}, {"summary", "detail", false, false}, {"detail", "summary", true, false}, {"detail", "summary", false, true},
	} {
		f := attaching(t, func(w *enginetest.World) {
			w.Settings.Invoices.LinesWithPDF, w.Settings.Invoices.LinesWithoutPDF = c.with, c.without
		})
		f.bill()
		if c.file {
			f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		}
		f.tick()
		if got := f.summarised("1"); got != c.summary {
			t.Errorf("%+v: summary %v", c, got)
		}
	}
}

// TestUnusableFiles: the invoice goes over without its file, and the file's own record says why.
func TestUnusableFiles(t *testing.T) {
	word := file("D1", 0)
	word.Filename = "Invoice_D1.docx"
	listedLarge := file("D1", 0)
	listedLarge.Size = 5000
	for _, c := range []struct {
		name    string
		doc     *connector.Document
		content []byte
		change  func(w *enginetest.World)
		reason  plan.Code
		loads   int
	}{
		{"none", nil, nil, nil, plan.FileMissing, 0},
		{"Word", &word, pdf("x"), nil, plan.FileMissing, 0},
		{"of another type", ptr(file("D1", 0)), pdf("x"), func(w *enginetest.World) { w.Settings.Documents.Types = []string{"NOTE"} }, plan.FileMissing, 0},
		{"empty", ptr(file("D1", 0)), nil, nil, plan.FileEmpty, 1},
		{"a web page", ptr(file("D1", 0)), []byte("\n<!DOCTYPE html><html>Sign in</html>"), nil, plan.FileNoPDF, 1},
		{"damaged", ptr(file("D1", 0)), []byte("PDF-1.7"), nil, plan.FileNoPDF, 1},
		{"too large", ptr(file("D1", 0)), append(pdf("x"), make([]byte, 4000)...), func(w *enginetest.World) { w.Options.MaxFile = 4000 }, plan.FileTooLarge, 1},
		{"listed as too large", &listedLarge, pdf("x"), func(w *enginetest.World) { w.Options.MaxFile = 4000 }, plan.FileTooLarge, 0},
		{"not readable", ptr(file("D1", 0)), pdf("x"), func(w *enginetest.World) {
			w.ERP.Fail(enginetest.Fault{Method: "Download", Class: connector.ClassBadResponse})
		}, plan.FileUnreadable, 1},
		{"no right", ptr(file("D1", 0)), pdf("x"), func(w *enginetest.World) {
			w.ERP.Fail(enginetest.Fault{Method: "Documents", Class: connector.ClassForbidden})
		}, plan.FileUnreadable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := attaching(t, func(w *enginetest.World) {
				if c.change != nil {
					c.change(w)
				}
			})
			f.bill()
			if c.doc != nil {
				f.ERP.PutFile("1", *c.doc, c.content)
			}
			f.tick()
			f.want(billing.KindInvoice, "1", record.Synced, "")
			r := f.want(billing.KindDocument, "1", record.Waiting, c.reason)
			if d := f.due(r); d < 9*time.Minute || d > 10*time.Minute {
				t.Errorf("looks again in %s", d)
			}
			f.wantAttached("1")
			if f.summarised("1") || len(f.Blobs.Names()) != 0 || f.Portal.Count("UploadFile") != 0 || f.ERP.Count("Download") != c.loads {
				t.Errorf("summary %v, kept %v, %d downloads", f.summarised("1"), f.Blobs.Names(), f.ERP.Count("Download"))
			}
			f.ERP.Heal()
			f.Settings.Documents.Types = nil
			f.e = f.Start()
			f.ERP.PutFile("1", file("D2", 5), pdf("good")) // a person mends it
			f.run(15 * time.Minute)
			f.want(billing.KindDocument, "1", record.Synced, "")
			f.wantAttached("1", string(pdf("good")))
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestMissingFileIsLookedForWithGrowingDistance(t *testing.T) {
	for _, required := range []bool{false, true} {
		f := attaching(t, func(w *enginetest.World) {
			w.Settings.Documents.Required, w.Settings.Documents.WaitDays = required, 3
			w.ERP.PutFile("0", file("D0", 0), pdf("zero"))
		})
		f.bill()
		f.tick()
		seen := f.Clock.Now()
		var looks []int // minutes after the invoice was seen
		for last := 1; f.Clock.Now().Before(seen.Add(100 * time.Hour)); {
			f.Clock.Advance(5 * time.Minute)
			f.tick()
			if n := f.ERP.Count("Documents"); n > last {
				last = n
				looks = append(looks, int(f.Clock.Now().Sub(seen).Minutes()))
			}
		}
		kind, status, reason := billing.KindDocument, record.Skipped, plan.FileMissing
		if required {
			kind, status, reason = billing.KindInvoice, record.Attention, plan.FileOverdue
		}
		f.want(kind, "1", status, reason)
		near := func(want int) bool {
			return slices.ContainsFunc(looks, func(got int) bool { return got >= want && got <= want+10 })
		}
		if len(looks) < 6 || len(looks) > 8 || !near(10) || !near(60) || !near(360) || !near(1440) || !near(2880) {
			t.Errorf("required %v: looked after %v minutes", required, looks)
		}
	}
}

func TestRequiredPDF(t *testing.T) {
	f := attaching(t, func(w *enginetest.World) {
		w.Settings.Documents.Required = true
		w.ERP.PutFile("0", file("D0", 0), pdf("zero"))
	})
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), []byte("broken"))
	f.tick()
	r := f.want(billing.KindInvoice, "1", record.Waiting, plan.WaitsForFile)
	if !has(r, plan.FileNoPDF) || f.Portal.Writes() != 0 {
		t.Errorf("reasons %v, %d writes", r.Reasons, f.Portal.Writes())
	}
	f.ERP.PutFile("1", file("D2", 1), pdf("good"))
	f.run(15 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindDocument, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("good")))
	if !f.summarised("1") {
		t.Error("went over in detail although its PDF is attached")
	}
	credit := enginetest.Invoice("2", "C1")
	credit.Total, credit.Balance, credit.Tax, credit.Lines = usd("-50"), usd("-50"), usd("0"), nil
	f.ERP.PutInvoices(credit)
	f.tick()
	f.want(billing.KindInvoice, "2", record.Synced, "") // only invoices wait
}

func TestFilesOff(t *testing.T) {
	f := synced(t, "0")
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if f.Record(billing.KindDocument, "1") != nil || f.ERP.Count("Documents", "Download") != 0 || f.summarised("1") {
		t.Error("files are off, and yet something was done for them")
	}
	f.portalCounts(1, 1)
}

func TestCostWithoutPDF(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.tick()
	f.portalCounts(1, 1)
	if n := f.ERP.Count("Documents"); n != 1 || f.ERP.Count("Download") != 0 {
		t.Errorf("%d lists of files for an invoice without", n)
	}
}

// TestChangedFile: the new file takes the place of ours; what others attached stays.
func TestChangedFile(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.tick()
	f.Portal.EnterFile(f.numbered("1").ID, "terms.pdf", []byte("terms"))
	for i, text := range []string{"two", "one", "three"} { // there and back again
		f.ERP.PutFile("1", file("D1", i+1), pdf(text))
		inv := enginetest.Invoice("1", "C1")
		inv.CustomerPO = fmt.Sprint("PO-", i)
		f.ERP.PutInvoices(inv)
		f.tick()
		f.want(billing.KindDocument, "1", record.Synced, "")
		f.wantAttached("1", "terms", string(pdf(text)))
	}
	f.Portal.Reset()
	f.sync(billing.KindDocument, "1")
	f.portalCounts(0, 0) // unchanged: nothing is sent
	// Replaced without any change of the invoice: found by the next comparison, and at once when a person asks.
	f.ERP.PutFile("1", file("D1", 9), pdf("four"))
	f.run(25 * time.Hour)
	f.wantAttached("1", "terms", string(pdf("four")))
	f.ERP.PutFile("1", file("D1", 10), pdf("five"))
	f.sync(billing.KindInvoice, "1")
	f.wantAttached("1", "terms", string(pdf("five")))
	f.ERP.PutFile("1", file("D1", 11), []byte("broken"))
	f.sync(billing.KindInvoice, "1")
	f.want(billing.KindDocument, "1", record.Waiting, plan.FileNoPDF)
	f.wantAttached("1", "terms", string(pdf("five"))) // better the old one than none
	f.noOpenEffects()
}

// TestFileThatIsThereAlready: a person attached the same file before it came from the ERP.
func TestFileThatIsThereAlready(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.tick()
	f.Portal.EnterFile(f.numbered("1").ID, "Invoice_D1.pdf", pdf("one"))
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.run(15 * time.Minute)
	f.want(billing.KindDocument, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
	if n := f.Portal.Count("UploadFile", "Attach"); n != 0 {
		t.Errorf("%d writes for a file that is there", n)
	}
}

func TestLostAnswersOfFiles(t *testing.T) {
	for _, c := range []struct {
		method   string
		after    bool
		attempts int
	}{{"UploadFile", true, 2}, {"UploadFile", false, 2}, {"Attach", true, 1}, {"Attach", false, 2}} {
		f := attaching(t)
		f.bill()
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.Portal.Fail(lost(c.method, c.after))
		f.tick()
		f.want(billing.KindInvoice, "1", record.Synced, "")
		f.want(billing.KindDocument, "1", record.Unknown, plan.OutcomeUnknown)
		f.run(10 * time.Minute)
		f.want(billing.KindDocument, "1", record.Synced, "")
		f.wantAttached("1", string(pdf("one")))
		if n := f.Portal.Count(c.method); n != c.attempts {
			t.Errorf("%s, done %v: %d attempts, want %d", c.method, c.after, n, c.attempts)
		}
		f.noOpenEffects()
	}
}

func TestRefusedAttachmentLeavesNoFile(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.Portal.Fail(enginetest.Fault{Method: "Attach", Nth: 1, Class: connector.ClassInvalid})
	f.Portal.Fail(enginetest.Fault{Method: "DeleteFile", Nth: 1, Hook: func() { // should it be gone, and we too, it must not count as stored
		if e := f.entry(plan.Upload("1", plan.Attachment{SHA256: f.Record(billing.KindDocument, "1").Attachment.SHA256}).Key); e.State != journal.Refused {
			t.Errorf("the upload is %s when its file is removed", e.State)
		}
	}})
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindDocument, "1", record.Attention, plan.VendorRefused)
	if n := f.Portal.Count("DeleteFile"); n != 1 {
		t.Errorf("%d removals", n)
	}
	if n := f.Portal.Stored(); n != 0 {
		t.Errorf("%d files are left over in the portal", n)
	}
	f.sync(billing.KindDocument, "1") // a person mended the reason
	f.want(billing.KindDocument, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
	f.noOpenEffects()
}

func TestPortalDownForFiles(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.Portal.Fail(enginetest.Fault{Method: "UploadFile", Class: connector.ClassRetry})
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindDocument, "1", record.Scheduled, plan.VendorDown)
	f.Portal.Heal()
	f.run(5 * time.Minute)
	f.wantAttached("1", string(pdf("one")))
}

func TestKeptFileIsGone(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.Portal.Fail(enginetest.Fault{Method: "UploadFile", Class: connector.ClassRetry})
	f.tick()
	for _, name := range f.Blobs.Names() {
		if err := f.Blobs.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	f.Portal.Heal()
	f.run(5 * time.Minute)
	f.want(billing.KindDocument, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
	if n := f.ERP.Count("Download"); n != 2 {
		t.Errorf("downloaded %d times", n)
	}
}

// TestKeptFileCanNotBeOpened: a bucket that takes a file and does not give it back is no reason to ask the ERP for ever. The
// file is tried again later.
func TestKeptFileCanNotBeOpened(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	f.Blobs.Hide(true)
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindDocument, "1", record.Scheduled, plan.VendorDown)
	if n := f.ERP.Count("Download"); n > 2 {
		t.Errorf("downloaded %d times", n)
	}
	f.Blobs.Hide(false)
	f.run(5 * time.Minute)
	f.want(billing.KindDocument, "1", record.Synced, "")
	f.wantAttached("1", string(pdf("one")))
}

// TestERPDoesNotGiveFiles: for a while the invoice is tried again, so that it goes over as it should; then it goes without.
func TestERPDoesNotGiveFiles(t *testing.T) {
	for _, required := range []bool{false, true} {
		f := attaching(t, func(w *enginetest.World) {
			w.ERP.PutFile("0", file("D0", 0), pdf("zero"))
			w.Settings.Documents.Required = required
		})
		f.bill()
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.ERP.Fail(enginetest.Fault{Method: "Download", Class: connector.ClassRetry})
		f.tick()
		f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorDown)
		f.run(30 * time.Minute)
		if required {
			f.want(billing.KindInvoice, "1", record.Scheduled, plan.VendorDown)
		} else {
			f.want(billing.KindInvoice, "1", record.Synced, "")
		}
		f.ERP.Heal()
		f.run(3 * time.Hour)
		f.want(billing.KindInvoice, "1", record.Synced, "")
		f.wantAttached("1", string(pdf("one")))
	}
}

func TestReadOnlyAttachesNothing(t *testing.T) {
	f := attaching(t)
	f.bill()
	f.ERP.PutFile("1", file("D1", 0), pdf("one"))
	live := f.Settings
	f.Settings.Mode = settings.ModeReadOnly
	f.e = f.Start()
	f.run(5 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Waiting, plan.ReadOnly)
	if f.Portal.Writes() != 0 || f.ERP.Count("Documents") != 1 {
		t.Errorf("%d writes, %d lists", f.Portal.Writes(), f.ERP.Count("Documents"))
	}
	f.Settings = live
	f.e = f.Start()
	f.run(2 * time.Hour)
	f.wantAttached("1", string(pdf("one")))
}

func TestFileCrashEverywhere(t *testing.T) {
	prepare := func(t *testing.T, n int, after bool) (w *enginetest.World, line *enginetest.Line, died bool) {
		w = enginetest.NewWorld()
		w.Options.Exclusive = true
		attach(w)
		w.ERP.PutFile("0", file("D0", 0), pdf("zero"))
		customerKnown(t, w, w.Start())
		w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		w.ERP.PutFile("1", file("D1", 0), pdf("one"))
		line = enginetest.NewLine(n, after)
		e := w.StartOn(line)
		died = enginetest.Dies(func() { tick(t, w, e) })
		w.Bus.Lose()
		if err := w.Run(t.Context(), w.Start(), 40*time.Minute); err != nil {
			t.Fatalf("killed at call %d: %v", n, err)
		}
		return w, line, died
	}
	state := func(w *enginetest.World) outcome {
		o := outcomeOf(t, w)
		for _, id := range []string{"0", "1"} { // when it is compared again depends on when it was first seen
			r := w.Record(billing.KindDocument, id)
			o.Records[r.ID()] = fmt.Sprint(r.Status, r.Written == r.Seen, r.Attempts, r.LeaseOwner, r.WaitsFor)
		}
		for _, d := range w.Portal.Invoices() {
			o.People = append(o.People, fmt.Sprint(d.Number, w.Portal.Attached(d.ID)))
		}
		return o
	}
	w, line, _ := prepare(t, 0, false)
	want := state(w)
	for n := 1; n <= line.Crossed(); n++ {
		for _, after := range []bool{false, true} {
			got, _, _ := prepare(t, n, after)
			if d := cmp.Diff(want, state(got)); d != "" {
				t.Fatalf("killed at call %d of %d, after %v (-want +got):\n%s", n, line.Crossed(), after, d)
			}
		}
	}
}
