package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/breaker"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

var (
	// errBusy is a record that another worker has.
	errBusy = errors.New("record is being worked on")
	// errLost is a lease that ran out and was taken by somebody else: what this worker found no longer counts.
	errLost = errors.New("lease was lost")
	// errOpen is an effect whose outcome is unknown and not yet to be looked up again.
	errOpen = errors.New("outcome of a write is unknown")
)

// work is a record under lease.
type work struct {
	e       *Engine
	c       *Company
	rec     record.Record
	version store.Version
	seen    string        // the source's fingerprint when the work began
	was     record.Status // when the work began
	heard   []string      // the record's events when the work began
	news    bool          // there are other events since
	// regained is a document that an earlier run wrote without getting to remember it.
	regained *billing.PortalDocument
	files    *listing // of the invoice, as the poll listed them; nil when it did not
	looked   bool     // the ERP was asked for the invoice's file, or it is not time to ask
}

// take leases the record. errBusy when somebody else has it, store.ErrNotFound when there is none.
func (e *Engine) take(ctx context.Context, c *Company, kind billing.Kind, id string) (*work, error) {
	key := record.ID(c.ID, kind, id)
	for range 5 {
		rec, version, err := e.records.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		now := e.clock.Now()
		if e.held(rec.LeaseOwner, rec.LeaseUntil, now) || rec.Status == record.Ignored {
			return nil, errBusy
		}
		w := &work{e: e, c: c, rec: rec, seen: rec.Seen, was: rec.Status, heard: rec.Events}
		w.rec.LeaseOwner, w.rec.LeaseUntil, w.rec.Fence = e.opt.Owner, store.At(now.Add(e.opt.Lease)), rec.Fence+1
		w.rec.Status, w.rec.DueAt, w.rec.UpdatedAt, w.rec.OverdueSince = record.Working, w.rec.LeaseUntil, store.At(now), store.Time{}
		w.version, err = e.records.Update(ctx, key, w.rec, version)
		if err == nil {
			return w, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
	}
	return nil, errBusy
}

// held reports whether a lease still counts. Where this process is the only one, the leases of others are those of dead
// processes.
func (e *Engine) held(owner string, until store.Time, now time.Time) bool {
	return owner != "" && until.After(now) && (!e.opt.Exclusive || owner == e.opt.Owner)
}

// guard is a write that renews the lease and fails if it was lost; it is batched with whatever must not happen without it. A
// lease that ran out long ago is lost even if nobody took it: what was read under it is too old to act on.
func (w *work) guard() (store.Write, error) {
	now := w.e.clock.Now()
	if now.After(w.rec.LeaseUntil.Add(w.e.opt.SourceFresh)) {
		return store.Write{}, errLost
	}
	w.rec.LeaseUntil = store.At(now.Add(w.e.opt.Lease))
	w.rec.DueAt = w.rec.LeaseUntil
	return w.e.records.Write(w.rec.ID(), w.rec, store.IfVersion, w.version)
}

// refresh reads the record again after somebody else changed it, and fails with errLost when that was a new lease.
func (w *work) refresh(ctx context.Context) error {
	rec, version, err := w.e.records.Get(ctx, w.rec.ID())
	if err != nil {
		return err
	}
	if rec.Fence != w.rec.Fence {
		return errLost
	}
	w.rec.Seen, w.rec.Events, w.version = rec.Seen, rec.Events, version
	w.news = !slices.Equal(rec.Events, w.heard)
	return nil
}

// interrupted reports whether an earlier run may have written something that the record does not know of.
func (w *work) interrupted() bool {
	return w.was == record.Working || w.was == record.Unknown || w.rec.Attempts > 0
}

// settle closes the effects of a record that a crash or a lost answer left open, once both sides are seen to be in step:
// whatever became of them, nothing is left to look up. It is not for money.
func (w *work) settle(ctx context.Context, portalID string) {
	if w.interrupted() {
		w.closeOpen(ctx, portalID)
	}
}

// closeOpen is settle for a record whose status no longer tells of the lost answer.
func (w *work) closeOpen(ctx context.Context, portalID string) {
	entries, err := w.e.journal.OfRecord(ctx, w.rec.ID())
	for i := 0; i < len(entries) && err == nil; i++ {
		id := ""
		if entries[i].Op == string(plan.OpCreate) && entries[i].Kind != string(billing.KindContact) {
			id = portalID
		}
		if entries[i].Open() {
			err = w.e.journal.Finish(ctx, &entries[i], id)
		}
	}
	if err != nil {
		w.e.log.WarnContext(ctx, "open effects not closed", "company", w.c.ID, "source_id", w.rec.SourceID, "error", err)
	}
}

// finish ends the lease and stores what set makes of the record. A change of the source, or an event, that came in meanwhile
// schedules the record again.
func (w *work) finish(ctx context.Context, set func(*record.Record)) error {
	for range 5 {
		rec := w.rec
		rec.LeaseOwner, rec.LeaseUntil, rec.DueAt, rec.WaitsFor, rec.OverdueSince = "", store.Time{}, store.Time{}, "", store.Time{}
		set(&rec)
		now := w.e.clock.Now()
		rec.UpdatedAt = store.At(now)
		again := rec.Seen != w.seen || w.news
		if again {
			rec.DueAt = store.At(now)
		}
		version, err := w.e.records.Update(ctx, rec.ID(), rec, w.version)
		if err == nil {
			w.rec, w.version = rec, version
			if again {
				w.e.announce(ctx, &rec)
			}
			w.e.log.InfoContext(ctx, "record", "company", rec.Company, "kind", rec.Kind, "source_id", rec.SourceID,
				"dest_id", rec.PortalID, "status", rec.Status, "reason", reasonCodes(rec.Reasons), "attempt", rec.Attempts)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		err = w.refresh(ctx)
		if errors.Is(err, errLost) {
			w.lost(ctx)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("storing %s: %w", w.rec.ID(), store.ErrConflict)
}

func reasonCodes(reasons []plan.Reason) string {
	s := ""
	for i, r := range reasons {
		if i > 0 {
			s += ","
		}
		s += string(r.Code)
	}
	return s
}

// park ends the work without success: the reasons say why, due when it is tried again (never, for zero).
func (w *work) park(ctx context.Context, s record.Status, due time.Duration, reasons ...plan.Reason) error {
	return w.finish(ctx, func(r *record.Record) {
		r.Set(s, reasons)
		if due > 0 {
			r.DueAt = store.At(w.e.clock.Now().Add(due))
		}
		r.Note(w.e.clock.Now(), string(s), r.Summary)
	})
}

// comeBack ends the work for a moment. The record says what it said before: that it needs a person, or that an answer was lost.
func (w *work) comeBack(ctx context.Context, after time.Duration) error {
	return w.finish(ctx, func(r *record.Record) {
		switch w.was {
		case record.Attention, record.Waiting, record.Unknown:
			r.Status = w.was
		case record.Working:
			r.Attempts = max(1, r.Attempts)
			fallthrough
		default:
			r.Set(record.Scheduled, nil)
		}
		r.DueAt = store.At(w.e.clock.Now().Add(after))
	})
}

// fail ends the work after an error, by its class. It returns an error only when even that can not be stored.
func (w *work) fail(ctx context.Context, vendor string, err error) error {
	if errors.Is(err, errLost) {
		w.lost(ctx)
		return nil
	}
	if errors.Is(err, errOpen) {
		return w.unknown(ctx, err)
	}
	var ce *connector.Error
	if !errors.As(err, &ce) {
		w.rec.Attempts++
		w.e.log.ErrorContext(ctx, "record", "company", w.c.ID, "kind", w.rec.Kind, "source_id", w.rec.SourceID, "error", err)
		return w.park(context.WithoutCancel(ctx), record.Scheduled, w.backoff(0), plan.Because(plan.InternalError, "problem", err.Error()))
	}
	if errors.Is(err, breaker.ErrStopped) {
		return w.stoppedCall(ctx, vendor, ce)
	}
	w.rec.Attempts++
	problem := ce.Error()
	switch ce.Class {
	case connector.ClassRetry, connector.ClassBadResponse:
		if w.was == record.Unknown { // it could not be looked up: still unknown
			return w.park(context.WithoutCancel(ctx), record.Unknown, w.backoff(ce.RetryAfter), plan.Because(plan.OutcomeUnknown))
		}
		return w.park(context.WithoutCancel(ctx), record.Scheduled, w.backoff(ce.RetryAfter), plan.Because(plan.VendorDown, "vendor", vendor, "problem", problem))
	case connector.ClassAuth:
		return w.park(ctx, record.Waiting, 15*time.Minute, plan.Because(plan.Credentials, "vendor", vendor))
	case connector.ClassForbidden, connector.ClassUnsupported:
		return w.park(ctx, record.Waiting, time.Hour, plan.Because(plan.RightMissing, "vendor", vendor, "problem", problem))
	}
	due := time.Duration(0)
	if ce.Class == connector.ClassNotFound { // somebody may bring back what is missing
		due = missingAgain
	}
	return w.park(ctx, record.Attention, due, plan.Because(plan.VendorRefused, "vendor", vendor, "problem", problem))
}

// missingAgain is when work is tried again for which a vendor does not have something that it should, or which it refused again
// and again.
const missingAgain = 6 * time.Hour

// stoppedCall ends work whose vendor is not called at present: it is tried again when the vendor may be, and the try does
// not count.
func (w *work) stoppedCall(ctx context.Context, vendor string, ce *connector.Error) error {
	due := max(ce.RetryAfter, time.Second) + clock.Jitter(w.e.clock, 5*time.Second)
	if w.was == record.Unknown {
		return w.park(context.WithoutCancel(ctx), record.Unknown, due, plan.Because(plan.OutcomeUnknown))
	}
	return w.park(context.WithoutCancel(ctx), record.Scheduled, due, plan.Because(plan.VendorDown, "vendor", vendor, "problem", breaker.ErrStopped.Error()))
}

// lost ends work whose lease somebody else has by now: that one does what is to be done.
func (w *work) lost(ctx context.Context) {
	w.e.log.WarnContext(ctx, "lease lost; another worker has the record", "company", w.c.ID, "source_id", w.rec.SourceID)
}

// openError carries the time at which an unknown outcome is looked up next.
type openError struct{ at time.Time }

func (openError) Error() string { return errOpen.Error() }
func (openError) Unwrap() error { return errOpen }

func (w *work) unknown(ctx context.Context, err error) error {
	due := time.Minute
	var open openError
	if errors.As(err, &open) {
		due = max(time.Second, open.at.Sub(w.e.clock.Now()))
	}
	return w.park(context.WithoutCancel(ctx), record.Unknown, due, plan.Because(plan.OutcomeUnknown))
}

// backoff grows from half a minute to an hour with the attempts, jittered; the vendor's own wish wins if it is longer.
func (w *work) backoff(wish time.Duration) time.Duration {
	d := min(30*time.Second<<min(w.rec.Attempts, 7), time.Hour)
	return max(wish, d/2+clock.Jitter(w.e.clock, d/2))
}

// stopped reports whether the company may write nothing now, with the reason.
func (w *work) stopped() (plan.Reason, bool) {
	if w.c.readOnly() {
		return plan.Because(plan.ReadOnly), true
	}
	if hold, all := w.c.control.last().Paused[record.FlowAll]; all {
		return pausedReason(record.FlowAll, hold), true
	}
	return plan.Reason{}, false // a company that its settings pause is never worked for
}
