package plan

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// NeedFile asks the caller to look for the invoice's file in the ERP and to plan again; it is never stored.
const NeedFile Code = "need_file"

// File is a file that the ERP has for an invoice.
type File struct {
	Number   string    `json:"number"`
	Name     string    `json:"name"`
	Type     string    `json:"type,omitempty"` // the ERP's document type
	Size     int64     `json:"size,omitempty"` // bytes, 0 when unknown
	Modified time.Time `json:"modified,omitzero"`
}

// FileLook is what looking for an invoice's file in the ERP gave.
type FileLook struct {
	Looked  bool
	Found   bool
	Problem Reason // why there is none that can be used
	// Overdue says that no more is waited for it (documents.wait_days).
	Overdue bool
}

// Attachment is the file that a step puts on a portal document.
type Attachment struct {
	Name   string   `json:"name"`
	SHA256 string   `json:"sha256"`
	Size   int64    `json:"size"`
	Files  []string `json:"files,omitempty"` // the portal's ids of everything that is attached afterwards
}

// withFile lets a document that would go over wait for a look at its file, and for the file itself where that is required
// (F11). What is in the portal already never waits: its customer has it.
func withFile(in InvoiceInput, p Plan) Plan {
	set := in.Settings.Documents
	if !set.Attach && !set.Required || p.Verdict != Create && p.Verdict != Update && p.Verdict != Adopt {
		return p
	}
	if !in.File.Looked {
		return stop(Hold, Because(NeedFile))
	}
	if !set.Required || in.File.Found || p.Verdict != Create || in.Source.Kind() != billing.KindInvoice {
		return p
	}
	if in.File.Overdue {
		return stop(Conflict, in.File.Problem, Because(FileOverdue, "days", strconv.Itoa(set.WaitDays)))
	}
	return stop(Hold, Because(WaitsForFile), in.File.Problem)
}

// LinesFollowFile reports whether the lines of a document are others with its file than without, and may change when the file
// comes after the document (invoices.lines_with_pdf, invoices.update).
func LinesFollowFile(set settings.Company) bool {
	return set.Invoices.LinesWithPDF != set.Invoices.LinesWithoutPDF && set.Invoices.Update != "never"
}

// Relines reports whether a document that went over without its file gets the lines of one with it. It is asked of the
// portal's document first: one with money on it, or that is not open, keeps the lines it has.
func Relines(in InvoiceInput) bool {
	return in.Known.PortalID != "" && in.Known.Bare && in.HasPDF && LinesFollowFile(in.Settings)
}

// reline narrows the plan for a document whose source did not change: other lines, or nothing. That something stands in the
// way of an update is no news then.
func reline(in InvoiceInput, p Plan) Plan {
	if p.Has(NeedLook) {
		return p
	}
	if p.Verdict != Update || SameLines(in.Dest.Items, p.Steps[0].Document.Items) {
		return stop(None, Because(Unchanged))
	}
	step := p.Steps[0]
	step.Lines, step.Key = true, key(string(step.Kind), step.Document.Number, in.Source.Fingerprint(), "lines")
	p.Steps = []Step{step}
	return p
}

// SameLines reports whether two documents have the same lines, by what customers see of them first and by their amounts.
func SameLines(a, b []billing.PortalItem) bool {
	return slices.EqualFunc(a, b, func(x, y billing.PortalItem) bool {
		return x.Name == y.Name && x.Quantity.Equal(y.Quantity) && x.UnitCost.Equal(y.UnitCost)
	})
}

// PickFile chooses the file that goes over: the first PDF of a wanted type, in the ERP's order of preference. There is no
// second choice: where the preferred file can not be used, an older one could be another bill.
func PickFile(files []File, set settings.Documents) (File, bool) {
	for _, f := range files {
		wanted := len(set.Types) == 0 || slices.ContainsFunc(set.Types, func(t string) bool {
			return strings.EqualFold(strings.TrimSpace(t), strings.TrimSpace(f.Type))
		})
		if wanted && f.Number != "" && strings.HasSuffix(strings.ToLower(strings.TrimSpace(f.Name)), ".pdf") {
			return f, true
		}
	}
	return File{}, false
}

// FileName is the name under which a file goes over: without the folders and control characters that an ERP may have kept.
func FileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	return clip(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, name), maxName)
}

// JudgeFile tells from the beginning of a file and its size in bytes whether it can go over. A page of a web site in place
// of the file is the usual trap (q360-api 4.4.6).
func JudgeFile(name string, head []byte, size, limit int64) (problem Reason, good bool) {
	start := bytes.ToLower(bytes.TrimLeft(head[:min(len(head), 512)], " \t\r\n\ufeff"))
	switch {
	case size == 0:
		return Because(FileEmpty, "file", name), false
	case size > limit:
		return FileTooBig(name, limit), false
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return Reason{}, true
	case bytes.HasPrefix(start, []byte("<!doctype html")), bytes.HasPrefix(start, []byte("<html")):
		return Because(FileNoPDF, "file", name, "what", "a web page"), false
	}
	return Because(FileNoPDF, "file", name, "what", "damaged or of another kind"), false
}

// FileTooBig is the reason for a file of more than limit bytes.
func FileTooBig(name string, limit int64) Reason {
	return Because(FileTooLarge, "file", name, "limit", strconv.FormatInt(limit>>20, 10))
}

// day is the distance of late looks.
const day = 24 * time.Hour

// NextLook is how long until a missing file is looked for again: 10 minutes, 1 hour and 6 hours after the beginning, then
// daily for a number of days (q360-api 4.5). more is false when the days are over.
func NextLook(since, now time.Time, days int) (pause time.Duration, more bool) {
	return nextMark(now.Sub(since), days, 10*time.Minute, time.Hour, 6*time.Hour)
}

// NextCheck is how long until a file that was attached is compared again: after one day and at the end of the days. The
// ERP does not touch an invoice when its file is replaced.
func NextCheck(since, now time.Time, days int) (pause time.Duration, more bool) {
	end := time.Duration(days) * day
	for _, mark := range []time.Duration{min(day, end), end} {
		if pause = mark - now.Sub(since); pause > time.Minute {
			return pause, true
		}
	}
	return 0, false
}

func nextMark(waited time.Duration, days int, early ...time.Duration) (time.Duration, bool) {
	end := time.Duration(days) * day
	next := (waited+time.Minute)/day*day + day
	for _, mark := range early {
		if mark > waited+time.Minute {
			next = mark
			break
		}
	}
	if next > end {
		return 0, false
	}
	return next - waited, true
}

// WaitsSince is when the days of waiting begin: when arbridge first saw the invoice, or its posting in a first full read,
// because the files of old invoices do not come any more.
func WaitsSince(src billing.Invoice, seen time.Time, backfill bool, set settings.Company) time.Time {
	if at := posted(src).Noon(set.TimeZone); backfill && !at.IsZero() && at.Before(seen) {
		return at
	}
	return seen
}

// AttachmentSet is what a document's attachments should be: all that others attached, and ours in place of the one it
// replaces. Attaching replaces the set (invoiced-api 8).
func AttachmentSet(have []string, replaced, ours string) []string {
	out := make([]string, 0, len(have)+1)
	for _, id := range have {
		if id != ours && (id != replaced || replaced == "") {
			out = append(out, id)
		}
	}
	return append(out, ours)
}

// Upload is the step that stores a file in the portal. The same content is stored once for an invoice.
func Upload(number string, a Attachment) Step {
	return Step{Op: OpCreate, Kind: billing.KindDocument, Key: key("file", number, a.SHA256), Attachment: &a}
}

// Attach is the step that puts the file on a portal document.
func Attach(number, fileNo, target string, a Attachment) Step {
	return Step{Op: OpUpdate, Kind: billing.KindDocument, Key: key("attachment", number, fileNo, a.SHA256), Target: target, Attachment: &a}
}

// RemoveFile is the step that removes a stored file that no document took.
func RemoveFile(number, fileID string) Step {
	return Step{Op: OpDelete, Kind: billing.KindDocument, Key: key("file", number, "remove", fileID), Target: fileID}
}
