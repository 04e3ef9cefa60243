package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/intake"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// patience is the number of attempts after which an invoice that does not need its file goes over without it, because the
// ERP does not give it.
const patience = 3

// erpError is trouble of the ERP in the middle of work on the portal.
type erpError struct{ error }

func (e erpError) Unwrap() error { return e.error }

// carriesFiles reports whether the company's files can be carried over at all.
func (e *Engine) carriesFiles(c *Company) bool {
	_, can := connector.As[connector.Files](c.Portal)
	return can && e.opt.Blobs != nil
}

// lookFile finds out whether the ERP has a file for the invoice that is about to go over, and keeps it. What was found
// before is used again for an invoice that is still to be created; one that is there may have a new file.
func (e *Engine) lookFile(ctx context.Context, w *work, in *plan.InvoiceInput) error {
	in.File.Looked = true
	if !e.carriesFiles(w.c) {
		in.File.Problem = plan.Because(plan.FileUnreadable, "problem", "files can not be carried over here")
		return nil
	}
	key := record.ID(w.c.ID, billing.KindDocument, w.rec.SourceID)
	rec, _, err := e.records.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if rec, err = e.firstLook(ctx, w, in.Source); err != nil {
			return err
		}
	case err != nil:
		return err
	case e.lookAgain(rec, in.Known.PortalID != ""):
		if rec, err = e.renewLook(ctx, w, rec, in.Source); err != nil {
			return err
		}
	}
	w.looked = true
	in.File.Found = rec.Attachment != nil
	in.HasPDF = in.File.Found && w.c.Settings.Documents.Attach
	if !in.File.Found && len(rec.Reasons) > 0 {
		in.File.Problem = rec.Reasons[0]
	}
	_, more := e.nextLook(w, in.Source)
	in.File.Overdue = !more
	return nil
}

// firstFetch is fetch for an invoice whose files nobody looked for yet: from what the poll listed with it, where that gives a
// file or the invoice can do without. That there is none for an invoice that needs one is not believed from then.
func (e *Engine) firstFetch(ctx context.Context, w *work, number string) (*record.Attachment, plan.Reason, error) {
	if w.files != nil {
		from := intake.From{Company: w.c.ID, ERP: w.c.ERP, Settings: w.c.Settings.Documents}
		found, problem, err := intake.New(e.opt.Blobs, e.opt.MaxFile).Take(ctx, from, number, w.files.files, nil)
		if !errors.Is(err, intake.ErrGone) && (err != nil || found != nil || !w.needsFile()) {
			return found, problem, err
		}
	}
	return e.fetch(ctx, w.c, number, nil)
}

// fetch finds, checks and keeps the invoice's file; see intake.Keeper.Fetch.
func (e *Engine) fetch(ctx context.Context, c *Company, number string, known *record.Attachment) (*record.Attachment, plan.Reason, error) {
	return intake.New(e.opt.Blobs, e.opt.MaxFile).Fetch(ctx, intake.From{Company: c.ID, ERP: c.ERP, Settings: c.Settings.Documents}, number, known)
}

// hasFile reports whether the invoice's file is, or is about to be, in the portal.
func (e *Engine) hasFile(ctx context.Context, w *work) bool {
	if !w.c.Settings.Documents.Attach {
		return false
	}
	rec, _, err := e.records.Get(ctx, record.ID(w.c.ID, billing.KindDocument, w.rec.SourceID))
	return err == nil && rec.Attachment != nil
}

// laterFile reports whether the file of an invoice that went over without it is in the portal by now.
func (e *Engine) laterFile(ctx context.Context, w *work) (bool, error) {
	if !w.rec.Bare || !plan.LinesFollowFile(w.c.Settings) || !w.c.Settings.Documents.Attach {
		return false, nil
	}
	rec, _, err := e.records.Get(ctx, record.ID(w.c.ID, billing.KindDocument, w.rec.SourceID))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return rec.Attachment != nil && rec.Attachment.FileID != "", err
}

func (e *Engine) nextLook(w *work, src billing.Invoice) (time.Duration, bool) {
	since := plan.WaitsSince(src, w.rec.CreatedAt.Time, w.rec.Backfill, w.c.Settings)
	return plan.NextLook(since, e.clock.Now(), w.c.Settings.Documents.WaitDays)
}

// lookAgain reports whether the ERP has to be asked although there is a record of an earlier look.
func (e *Engine) lookAgain(rec record.Record, inPortal bool) bool {
	if rec.Attachment != nil {
		return inPortal
	}
	return rec.Status != record.Waiting || !e.clock.Now().Before(rec.DueAt.Time)
}

// firstLook asks the ERP and stores what came of it. An invoice that needs its file waits itself: no record is made.
func (e *Engine) firstLook(ctx context.Context, w *work, src billing.Invoice) (record.Record, error) {
	now := e.clock.Now()
	rec := record.Record{
		Company: w.c.ID, Kind: billing.KindDocument, SourceID: src.Number, Customer: src.CustomerNo,
		CreatedAt: store.At(plan.WaitsSince(src, now, w.rec.Backfill, w.c.Settings)), UpdatedAt: store.At(now),
	}
	found, problem, err := e.firstFetch(ctx, w, src.Number)
	if err != nil {
		if w.needsFile() || w.rec.Attempts < patience {
			return rec, erpError{err}
		}
		problem = plan.Because(plan.FileUnreadable, "problem", intake.Cause(err))
	}
	e.noteLook(w.c, &rec, found, problem)
	if found != nil {
		rec.DueAt = store.At(now.Add(e.opt.Grace))
	} else if w.needsFile() {
		return rec, nil
	}
	_, err = e.records.Create(ctx, rec.ID(), rec)
	if errors.Is(err, store.ErrExists) {
		rec, _, err = e.records.Get(ctx, rec.ID())
	}
	return rec, err
}

func (w *work) needsFile() bool { return w.c.Settings.Documents.Required && w.rec.PortalID == "" }

// renewLook asks the ERP again, under the lease of the file's record; while somebody else has it, what is stored counts.
func (e *Engine) renewLook(ctx context.Context, w *work, rec record.Record, src billing.Invoice) (record.Record, error) {
	fw, err := e.take(ctx, w.c, billing.KindDocument, src.Number)
	if errors.Is(err, errBusy) {
		return rec, nil
	}
	if err != nil {
		return rec, err
	}
	found, problem, err := e.fetch(ctx, w.c, src.Number, fw.rec.Attachment)
	if err != nil {
		lost := fw.fail(ctx, vendorERP, err)
		if w.needsFile() || w.rec.Attempts < patience {
			return rec, errors.Join(erpError{err}, lost)
		}
		return rec, lost
	}
	err = fw.finish(ctx, func(r *record.Record) {
		e.noteLook(w.c, r, found, problem)
		if found != nil {
			r.DueAt = store.At(e.clock.Now().Add(e.opt.Grace))
		}
	})
	return fw.rec, err
}

// noteLook makes the record say what a look gave. A file that was replaced by one that can not be used stays attached
// until there is one that can.
func (e *Engine) noteLook(c *Company, r *record.Record, found *record.Attachment, problem plan.Reason) {
	now := e.clock.Now()
	if found == nil {
		e.noteMissing(c, r, problem)
		return
	}
	if was := r.Attachment; was != nil {
		if found.Document = was.Document; was.SHA256 != found.SHA256 {
			found.Replaces, found.FileID = cmp.Or(was.FileID, was.Replaces), ""
		}
	}
	if r.Attachment == nil || r.Attachment.SHA256 != found.SHA256 {
		r.Note(now, "found in the ERP", fmt.Sprintf("%s, %d bytes, SHA-256 %s", found.Name, found.Size, found.SHA256))
	}
	r.Attachment, r.Seen = found, found.SHA256
	if r.Written != r.Seen {
		r.Set(record.Waiting, []plan.Reason{plan.Because(plan.WaitsForInvoice)})
		return
	}
	r.Set(record.Synced, nil)
}

// noteMissing sets the next look. When the days are over, a missing file is nobody's fault and one that can not be used is
// for a person.
func (e *Engine) noteMissing(c *Company, r *record.Record, problem plan.Reason) {
	now := e.clock.Now()
	pause, more := plan.NextLook(r.CreatedAt.Time, now, c.Settings.Documents.WaitDays)
	reasons := []plan.Reason{problem}
	switch {
	case more:
		r.Set(record.Waiting, reasons)
		r.DueAt = store.At(now.Add(pause))
	case problem.Code == plan.FileMissing:
		r.Set(record.Skipped, reasons)
	default:
		r.Set(record.Attention, reasons)
	}
	r.Note(now, string(r.Status), r.Summary)
}

// follow brings the file of an invoice that is in step to the portal: right now, so that the customer has it with the
// invoice. Trouble with it stays in the file's own record. The ERP is asked for the file unless it was just now, or, where
// patient, will be when that is due. fresh says that the document was created a moment ago, so that nothing can be
// attached to it yet.
func (e *Engine) follow(ctx context.Context, w *work, patient, fresh bool) error {
	if !w.c.Settings.Documents.Attach || !e.carriesFiles(w.c) || w.rec.Status != record.Synced && w.rec.Status != record.Variance {
		return nil
	}
	key := record.ID(w.c.ID, billing.KindDocument, w.rec.SourceID)
	rec, _, err := e.records.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound): // the invoice went over before files did
		now := store.At(e.clock.Now())
		_, err = e.records.Create(ctx, key, record.Record{
			Company: w.c.ID, Kind: billing.KindDocument, SourceID: w.rec.SourceID, Customer: w.rec.Customer, Status: record.Scheduled,
			DueAt: now, CreatedAt: now, UpdatedAt: now,
		})
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	case err != nil:
		return err
	case rec.Attachment == nil && (w.looked || patient && !e.lookAgain(rec, true)):
		return nil
	}
	return e.syncFile(ctx, w.c, w.rec.SourceID, fresh)
}

// syncFile works on the record of an invoice's file: looks for it, or attaches it, or compares it again.
func (e *Engine) syncFile(ctx context.Context, c *Company, number string, fresh bool) error {
	w, err := e.take(ctx, c, billing.KindDocument, number)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !c.Settings.Documents.Attach || !e.carriesFiles(c) {
		return w.park(ctx, record.Skipped, 0, plan.Because(plan.FilesOff))
	}
	if reason, stop := w.stopped(); stop {
		return w.park(ctx, record.Waiting, time.Hour, reason)
	}
	inv, _, err := e.records.Get(ctx, record.ID(c.ID, billing.KindInvoice, number))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if inv.PortalID == "" || inv.Written == "" {
		return w.waitForInvoice(ctx)
	}
	if toAttach(w.rec, inv.PortalID) { // found in an earlier look
		return e.attach(ctx, w, inv, fresh && !w.interrupted(), false)
	}
	return e.compareFile(ctx, w, inv)
}

// toAttach reports whether a file that was found is not on a document of the portal. It may be on the one before, where a
// document was made again.
func toAttach(file record.Record, document string) bool {
	a := file.Attachment
	return a != nil && (file.Written != file.Seen || a.Document != "" && a.Document != document)
}

// compareFile asks the ERP for a file that is missing, or for one that may have been replaced.
func (e *Engine) compareFile(ctx context.Context, w *work, inv record.Record) error {
	found, problem, err := e.fetch(ctx, w.c, w.rec.SourceID, w.rec.Attachment)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if found == nil {
		return w.finish(ctx, func(r *record.Record) {
			e.noteMissing(w.c, r, problem)
			r.Attempts = 0
		})
	}
	e.noteLook(w.c, &w.rec, found, problem)
	w.rec.Status = record.Working // still, so that whoever takes over after a crash sees that the work was interrupted
	if w.seen = w.rec.Seen; w.rec.Written == w.rec.Seen {
		return w.attached(ctx, inv, "")
	}
	return e.attach(ctx, w, inv, false, true)
}

// waitForInvoice parks a file whose invoice is not in the portal. It is brought over with the invoice; looking now and
// then is for a process that died in between.
func (w *work) waitForInvoice(ctx context.Context) error {
	pause, more := plan.NextLook(w.rec.CreatedAt.Time, w.e.clock.Now(), w.c.Settings.Documents.WaitDays)
	if !more {
		pause = 24 * time.Hour
	}
	if err := w.letGo(ctx); err != nil {
		return err
	}
	reason := plan.Because(plan.WaitsForInvoice)
	return w.finish(ctx, func(r *record.Record) {
		r.Set(record.Waiting, []plan.Reason{reason})
		r.WaitsFor = record.ID(r.Company, billing.KindInvoice, r.SourceID)
		r.DueAt = store.At(w.e.clock.Now().Add(pause))
	})
}

// attached ends the work on a file that is where it belongs. The invoice is woken before that is stored: a process that dies
// in between wakes it again.
func (w *work) attached(ctx context.Context, inv record.Record, fileID string) error {
	later, err := w.e.wakeForLines(ctx, w.c, inv)
	if err != nil {
		return err
	}
	now := w.e.clock.Now()
	return w.finish(ctx, func(r *record.Record) {
		r.Set(record.Synced, nil)
		r.Attempts, r.Written = 0, r.Seen
		if pause, more := plan.NextCheck(r.CreatedAt.Time, now, w.c.Settings.Documents.WaitDays); more {
			r.DueAt = store.At(now.Add(pause))
		}
		if later {
			r.DueAt = store.At(now.Add(time.Minute))
		}
		if fileID == "" {
			return
		}
		a := *r.Attachment
		a.FileID, a.Replaces, a.Document = fileID, "", inv.PortalID
		r.Attachment, r.PortalID, r.PortalKind = &a, fileID, billing.KindDocument
		r.Note(now, "attached", fmt.Sprintf("%s as file %s", a.Name, fileID))
	})
}

// wakeForLines makes an invoice that went over without its file be planned again when its lines are others with it. later says
// that somebody works on the invoice and may not know of the file.
func (e *Engine) wakeForLines(ctx context.Context, c *Company, inv record.Record) (later bool, err error) {
	if !inv.Bare || !plan.LinesFollowFile(c.Settings) {
		return false, nil
	}
	for range 5 {
		rec, version, err := e.records.Get(ctx, inv.ID())
		if err != nil {
			return false, err
		}
		if !rec.Bare || rec.Status != record.Synced && rec.Status != record.Variance { // the others are planned anyway, or for a person
			return rec.Bare && rec.Status == record.Working, nil
		}
		now := e.clock.Now()
		rec.DueAt, rec.UpdatedAt = store.At(now), store.At(now)
		rec.Note(now, "its file came", "the lines are those of an invoice with one")
		_, err = e.records.Update(ctx, inv.ID(), rec, version)
		if err == nil {
			e.announce(ctx, &rec)
			return false, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, err
		}
	}
	return true, nil
}

// attach puts the file on the portal's document beside what others put there. fetched says that the ERP was asked for the
// file just now.
func (e *Engine) attach(ctx context.Context, w *work, inv record.Record, fresh, fetched bool) error {
	files, _ := connector.As[connector.Files](w.c.Portal) // carriesFiles asked
	var have []connector.Attachment
	if !fresh {
		var err error
		if have, err = files.Attachments(ctx, inv.PortalKind, inv.PortalID); err != nil {
			return e.notAttached(ctx, w, inv, err)
		}
	}
	a := w.rec.Attachment
	if id, there := attachedAs(have, *a); there {
		w.closeOpen(ctx, id)
		return w.attached(ctx, inv, id)
	}
	body := plan.Attachment{Name: a.Name, SHA256: a.SHA256, Size: a.Size}
	upload := plan.Upload(w.rec.SourceID, body)
	id, err := e.upload(ctx, w, files, upload, *a)
	if errors.Is(err, blob.ErrNotFound) && !fetched { // its days were over before it could go
		a.Modified = store.Time{} // so that it is downloaded again
		return e.compareFile(ctx, w, inv)
	}
	if err != nil {
		return w.fail(ctx, vendorPortal, err)
	}
	ids := make([]string, len(have))
	for i, h := range have {
		ids[i] = h.FileID
	}
	body.Files = plan.AttachmentSet(ids, a.Replaces, id)
	_, err = e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: plan.Attach(w.rec.SourceID, a.Number, inv.PortalID, body), record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			return id, files.Attach(ctx, inv.PortalKind, inv.PortalID, body.Files)
		},
		look: func(ctx context.Context) (string, bool, error) {
			have, err := files.Attachments(ctx, inv.PortalKind, inv.PortalID)
			return id, slices.ContainsFunc(have, func(h connector.Attachment) bool { return h.FileID == id }), err
		},
	})
	if err != nil {
		if definite(err) {
			err = errors.Join(err, e.removeFile(ctx, w, files, upload, id))
		}
		return e.notAttached(ctx, w, inv, err)
	}
	return w.attached(ctx, inv, id)
}

// attachedAs finds the file among a document's attachments: by its id, or, when we never put one there, by name and size.
func attachedAs(have []connector.Attachment, a record.Attachment) (string, bool) {
	for _, h := range have {
		first := a.FileID == "" && a.Replaces == "" && h.Name == a.Name && h.Size == a.Size
		if first || a.FileID != "" && h.FileID == a.FileID {
			return h.FileID, true
		}
	}
	return "", false
}

// upload stores the file in the portal. Nobody sees it until it is attached, and files can not be listed: one whose answer
// was lost is uploaded again, and the first stays unseen.
func (e *Engine) upload(ctx context.Context, w *work, files connector.Files, step plan.Step, a record.Attachment) (string, error) {
	return e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			body, info, err := e.opt.Blobs.Open(ctx, a.Object)
			if err != nil {
				return "", &connector.Error{Class: connector.ClassRetry, Op: "opening " + a.Object, Err: err}
			}
			defer body.Close()
			return files.UploadFile(ctx, a.Name, intake.ContentType, body, info.Size)
		},
		look: func(context.Context) (string, bool, error) { return "", false, nil },
	})
}

// definite reports a clear refusal: what was asked for did not happen and will not.
func definite(err error) bool {
	var ce *connector.Error
	if !errors.As(err, &ce) || ce.Ambiguous {
		return false
	}
	switch ce.Class {
	case connector.ClassInvalid, connector.ClassNotFound, connector.ClassConflict, connector.ClassForbidden, connector.ClassUnsupported:
		return true
	}
	return false
}

// removeFile removes an uploaded file that its document did not take, so that nothing is left over (invoiced-api 8). That it was
// stored is taken back first: a file that is gone and counts as stored would be attached again, for ever.
func (e *Engine) removeFile(ctx context.Context, w *work, files connector.Files, upload plan.Step, id string) error {
	entry, err := e.journal.Get(ctx, journalKey(w.c, upload.Key))
	if err == nil && entry != nil {
		err = e.journal.Refuse(ctx, entry, errors.New("removed again: the document did not take it"))
	}
	if err != nil {
		return err
	}
	_, err = e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: plan.RemoveFile(w.rec.SourceID, id), record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			err := files.DeleteFile(ctx, id)
			if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
				err = nil
			}
			return id, err
		},
		look: func(context.Context) (string, bool, error) { return "", false, nil }, // removing twice is removing
	})
	if err != nil {
		e.log.WarnContext(ctx, "file not removed; nobody sees it", "company", w.c.ID, "source_id", w.rec.SourceID, "dest_id", id, "error", err)
	}
	return nil
}
