package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

func TestFileVerdicts(t *testing.T) {
	missing := plan.Because(plan.FileMissing)
	for _, c := range []struct {
		name    string
		set     settings.Documents
		look    plan.FileLook
		change  func(in *plan.InvoiceInput)
		verdict plan.Verdict
		reason  plan.Code
	}{
		{"files are off", settings.Documents{}, plan.FileLook{}, nil, plan.Create, ""},
		{"not looked for yet", settings.Documents{Attach: true}, plan.FileLook{}, nil, plan.Hold, plan.NeedFile},
		{"required without attaching", settings.Documents{Required: true}, plan.FileLook{}, nil, plan.Hold, plan.NeedFile},
		{"found", settings.Documents{Attach: true, Required: true}, plan.FileLook{Looked: true, Found: true}, nil, plan.Create, ""},
		{"missing", settings.Documents{Attach: true}, plan.FileLook{Looked: true, Problem: missing, Overdue: true}, nil, plan.Create, ""},
		{"missing and required", settings.Documents{Required: true}, plan.FileLook{Looked: true, Problem: missing}, nil, plan.Hold, plan.WaitsForFile},
		{"missing for too long", settings.Documents{Required: true}, plan.FileLook{Looked: true, Problem: missing, Overdue: true}, nil, plan.Conflict, plan.FileOverdue},
		{"a credit does not wait", settings.Documents{Required: true}, plan.FileLook{Looked: true, Problem: missing}, func(in *plan.InvoiceInput) {
			in.Source.Total, in.Source.Balance, in.Source.Tax, in.Source.Freight, in.Source.Lines = usd("-5"), usd("-5"), usd("0"), usd("0"), nil
		}, plan.Create, ""},
		{"excluded anyway: nobody looks", settings.Documents{Required: true}, plan.FileLook{}, func(in *plan.InvoiceInput) { in.Source.Posted = false }, plan.Skip, plan.NotPosted},
		{"in the portal already: it does not wait", settings.Documents{Required: true}, plan.FileLook{Looked: true, Problem: missing}, func(in *plan.InvoiceInput) {
			in.Known = plan.Known{PortalID: "900", Kind: billing.KindInvoice, Fingerprint: "older"}
			d := billing.PortalDocument{ID: "900", Kind: billing.KindInvoice, Total: usd("1"), Balance: usd("1")}
			in.Dest = &d
		}, plan.Update, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true, File: c.look}
			in.Settings.Documents = c.set
			if c.change != nil {
				c.change(&in)
			}
			if p := plan.Invoice(in); p.Verdict != c.verdict || c.reason != "" && !p.Has(c.reason) {
				t.Errorf("%s because %s, want %s because %s", p.Verdict, plan.Text(p.Reasons), c.verdict, c.reason)
			}
		})
	}
}

func TestPickFile(t *testing.T) {
	word := plan.File{Number: "1", Name: "a.docx", Type: "INVOICE"}
	first := plan.File{Number: "2", Name: "a.PDF ", Type: "INVOICE   "}
	second := plan.File{Number: "3", Name: "b.pdf", Type: "note"}
	for _, c := range []struct {
		name  string
		files []plan.File
		types []string
		want  string
	}{
		{"none", nil, nil, ""},
		{"Word only", []plan.File{word}, nil, ""},
		{"the preferred one", []plan.File{word, first, second}, nil, "2"},
		{"of a type", []plan.File{word, first, second}, []string{"NOTE"}, "3"},
		{"padded type", []plan.File{second, first}, []string{"invoice"}, "2"},
		{"of no wanted type", []plan.File{first, second}, []string{"OTHER"}, ""},
		{"without a number", []plan.File{{Name: "a.pdf"}}, nil, ""},
	} {
		if got, ok := plan.PickFile(c.files, settings.Documents{Types: c.types}); got.Number != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", c.name, got.Number, ok)
		}
	}
}

func TestJudgeFile(t *testing.T) {
	for _, c := range []struct {
		head string
		size int64
		want string
	}{
		{"%PDF-1.4", 100, ""},
		{"", 0, "the ERP's file a.pdf is empty: replace it there"},
		{"%PDF-1.4", 1 << 21, "the ERP's file a.pdf has more than 1 MiB (documents.max_mib)"},
		{"\ufeff \n<!DOCTYPE HTML>", 100, "the ERP's file a.pdf is no PDF but a web page: replace it there"},
		{"<html>", 100, "the ERP's file a.pdf is no PDF but a web page: replace it there"},
		{"PK\x03\x04", 100, "the ERP's file a.pdf is no PDF but damaged or of another kind: replace it there"},
		{"%PD", 3, "the ERP's file a.pdf is no PDF but damaged or of another kind: replace it there"},
	} {
		problem, good := plan.JudgeFile("a.pdf", []byte(c.head), c.size, 1<<20)
		if good != (c.want == "") || !good && problem.Text() != c.want {
			t.Errorf("%q: %v, %s", c.head, good, problem.Text())
		}
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"Invoice 1.pdf": "Invoice 1.pdf", ` C:\forms\a.pdf `: "a.pdf", "/srv/b.pdf": "b.pdf", "c\r\nX: 1.pdf": "cX: 1.pdf", "é.pdf": "é.pdf",
	} {
		if got := plan.FileName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzJudgeFile(f *testing.F) {
	f.Add([]byte("%PDF-"), int64(5))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		if _, good := plan.JudgeFile("a.pdf", head, size, 1<<20); good && (!strings.HasPrefix(string(head), "%PDF-") || size > 1<<20 || size == 0) {
			t.Errorf("%q of %d bytes is taken", head, size)
		}
	})
}

func TestNextLook(t *testing.T) {
	start := time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		waited time.Duration
		days   int
		next   time.Duration // after the start; 0 for never
	}{
		{0, 14, 10 * time.Minute}, {10 * time.Minute, 14, time.Hour}, {9*time.Minute + 30*time.Second, 14, time.Hour},
		{time.Hour, 14, 6 * time.Hour}, {6 * time.Hour, 14, 24 * time.Hour}, {24 * time.Hour, 14, 48 * time.Hour},
		{13*24*time.Hour + time.Second, 14, 14 * 24 * time.Hour}, {14 * 24 * time.Hour, 14, 0}, {900 * time.Hour, 14, 0},
		{0, 0, 0}, {time.Minute, 1, 10 * time.Minute}, {24 * time.Hour, 1, 0},
	} {
		pause, more := plan.NextLook(start, start.Add(c.waited), c.days)
		if more != (c.next > 0) || more && c.waited+pause != c.next {
			t.Errorf("after %s of %d days: in %s, %v; want at %s", c.waited, c.days, pause, more, c.next)
		}
	}
	for _, c := range []struct {
		waited, next time.Duration
		days         int
	}{{0, 24 * time.Hour, 14}, {24 * time.Hour, 14 * 24 * time.Hour, 14}, {14 * 24 * time.Hour, 0, 14}, {0, 0, 0}} {
		pause, more := plan.NextCheck(start, start.Add(c.waited), c.days)
		if more != (c.next > 0) || more && c.waited+pause != c.next {
			t.Errorf("check after %s: in %s, %v; want at %s", c.waited, pause, more, c.next)
		}
	}
}

func TestWaitsSince(t *testing.T) {
	seen := time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC)
	if got := plan.WaitsSince(invoice(), seen, false, company()); !got.Equal(seen) {
		t.Errorf("a new invoice waits since %s", got)
	}
	if got := plan.WaitsSince(invoice(), seen, true, company()); billing.DateOf(got, company().TimeZone) != "2026-05-02" {
		t.Errorf("an old invoice waits since %s, want its posting", got)
	}
}

// TestAttachmentSet: what others attached stays, in order, whatever is there; ours is there once.
func TestAttachmentSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have := rapid.SliceOfNDistinct(rapid.StringMatching(`[1-9]`), 0, 6, rapid.ID).Draw(t, "have")
		replaced := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "replaced")
		got := plan.AttachmentSet(have, replaced, "1000")
		var want []string
		for _, id := range have {
			if id != replaced {
				want = append(want, id)
			}
		}
		if !slices.Equal(got, append(want, "1000")) {
			t.Fatalf("%v with %q replaced: %v", have, replaced, got)
		}
		if again := plan.AttachmentSet(got, replaced, "1000"); !slices.Equal(again, got) {
			t.Fatalf("again: %v, want %v", again, got)
		}
	})
}

func TestSendTo(t *testing.T) {
	customer := billing.Customer{Number: "C1", Contacts: []billing.Contact{
		{Number: "K1", Name: "Ann", Email: "Ann@customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true},
	}}
	live, sandbox := company(), company()
	sandbox.Mode = settings.ModeSandbox
	for _, c := range []struct {
		name     string
		customer billing.Customer
		set      settings.Company
		want     string
	}{
		{"live", customer, live, "ann@customer.example"},
		{"sandbox", customer, sandbox, "safe@arbridge.example"},
		{"no contact", billing.Customer{}, live, ""},
		{"no contact in sandbox", billing.Customer{}, sandbox, ""},
	} {
		step, ok := plan.Send(billing.KindInvoice, "1", "900", c.customer, c.set)
		if ok != (c.want != "") || ok && (step.Mail.Email != c.want || step.Key != "mail/invoice/1" || step.Target != "900") {
			t.Errorf("%s: %+v, %v", c.name, step, ok)
		}
	}
	for _, c := range []struct {
		kind  billing.Kind
		send  string
		draft bool
		want  bool
	}{
		{billing.KindInvoice, "email", false, true}, {billing.KindInvoice, "email", true, false}, {billing.KindCreditNote, "email", false, false},
		{billing.KindInvoice, "mark_sent", false, false}, {billing.KindInvoice, "portal_default", false, false},
	} {
		set := live
		set.Invoices.Send, set.Invoices.Draft = c.send, c.draft
		if got := plan.Mails(c.kind, set); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestLinesOfALateFile: the source is as it was written, without its file; now the file is there.
func TestLinesOfALateFile(t *testing.T) {
	written := func(in plan.InvoiceInput, hasPDF bool) billing.PortalDocument {
		in.Known, in.HasPDF, in.Looked, in.File = plan.Known{}, hasPDF, true, plan.FileLook{Looked: true, Found: hasPDF}
		d := *plan.Invoice(in).Steps[0].Document
		d.ID, d.Balance, d.Status = "900", d.Total, "not_sent"
		return d
	}
	for _, c := range []struct {
		name    string
		change  func(in *plan.InvoiceInput, d *billing.PortalDocument)
		verdict plan.Verdict
	}{
		{"unpaid", func(*plan.InvoiceInput, *billing.PortalDocument) {}, plan.Update},
		{"no file yet", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.HasPDF = false }, plan.None},
		{"it had its file", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Known.Bare = false }, plan.None},
		{"the same lines", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Settings.Invoices.LinesWithPDF = "detail" }, plan.None},
		{"no updates", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Settings.Invoices.Update = "never" }, plan.None},
		{"paid in part", func(_ *plan.InvoiceInput, d *billing.PortalDocument) { d.Balance = d.Balance.Sub(usd("1")) }, plan.None},
		{"payment under way", func(_ *plan.InvoiceInput, d *billing.PortalDocument) { d.Status = "pending" }, plan.None},
		{"closed", func(_ *plan.InvoiceInput, d *billing.PortalDocument) { d.Closed = true }, plan.None},
		{"voided", func(_ *plan.InvoiceInput, d *billing.PortalDocument) { d.Voided = true }, plan.None},
		{"gone", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Dest = nil }, plan.None},
		{"another customer's", func(_ *plan.InvoiceInput, d *billing.PortalDocument) { d.CustomerID = "78" }, plan.None},
		{"it has them already", func(in *plan.InvoiceInput, d *billing.PortalDocument) { d.Items = written(*in, true).Items }, plan.None},
		{"not read yet", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Looked = false }, plan.Hold},
		{"changed as well", func(in *plan.InvoiceInput, _ *billing.PortalDocument) { in.Source.CustomerPO = "PO-2" }, plan.Update},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true, HasPDF: true}
			in.Settings.Invoices.LinesWithPDF, in.Settings.Invoices.LinesWithoutPDF, in.Settings.Documents.Attach = "summary", "detail", true
			d := written(in, false)
			in.Known = plan.Known{PortalID: "900", Kind: billing.KindInvoice, Fingerprint: in.Source.Fingerprint(), Bare: true}
			in.Dest, in.File = &d, plan.FileLook{Looked: true, Found: true}
			c.change(&in, &d)
			p := plan.Invoice(in)
			if p.Verdict != c.verdict {
				t.Fatalf("%s because %s, want %s", p.Verdict, plan.Text(p.Reasons), c.verdict)
			}
			if p.Verdict != plan.Update {
				return
			}
			step, same := p.Steps[0], in.Known.Fingerprint == in.Source.Fingerprint()
			if step.Lines != same || strings.HasSuffix(step.Key, "/lines") != same || step.Target != "900" || !plan.SameLines(step.Document.Items, written(in, true).Items) || !step.Document.Total.Equal(d.Total) {
				t.Errorf("step %+v", step)
			}
		})
	}
}

func TestSameLines(t *testing.T) {
	line := func(name string, quantity, cost int64) billing.PortalItem {
		return billing.PortalItem{Name: name, Quantity: decimal.NewFromInt(quantity), UnitCost: decimal.NewFromInt(cost)}
	}
	spelled := line("A", 1, 10)
	spelled.UnitCost, spelled.Description = decimal.RequireFromString("10.00"), "as the portal writes it"
	for _, c := range []struct {
		name string
		a, b []billing.PortalItem
		want bool
	}{
		{"equal", []billing.PortalItem{line("A", 1, 10)}, []billing.PortalItem{spelled}, true},
		{"another name", []billing.PortalItem{line("A", 1, 10)}, []billing.PortalItem{line("B", 1, 10)}, false},
		{"another quantity", []billing.PortalItem{line("A", 1, 10)}, []billing.PortalItem{line("A", 2, 10)}, false},
		{"another price", []billing.PortalItem{line("A", 1, 10)}, []billing.PortalItem{line("A", 1, 9)}, false},
		{"one more", []billing.PortalItem{line("A", 1, 10)}, []billing.PortalItem{line("A", 1, 10), line("B", 1, 0)}, false},
		{"none", nil, []billing.PortalItem{}, true},
	} {
		if got := plan.SameLines(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
