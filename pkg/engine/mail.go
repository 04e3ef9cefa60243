package engine

import (
	"context"
	"errors"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/intake"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// mailed is what became of an invoice's e-mail: what to note, what stays worth knowing, when to try again.
type mailed struct {
	note   string
	reason plan.Reason
	again  time.Duration
}

// tell makes the record say it.
func (m mailed) tell(e *Engine, r *record.Record) {
	now := e.clock.Now()
	r.MailDue = m.again > 0
	if m.reason.Code != "" {
		r.Set(r.Status, append(r.Reasons, m.reason))
		m.note = m.reason.Text()
	}
	if m.again > 0 {
		r.DueAt = store.At(now.Add(m.again))
	}
	if m.note != "" {
		r.Note(now, "e-mail", m.note)
	}
}

// mail makes the portal send a new invoice to its customer, once (invoices.send). An e-mail whose answer was lost may have
// gone out; it is never repeated, because a second one looks like a second bill. An invoice whose e-mail is not due gets one
// only where it was begun and refused.
func (e *Engine) mail(ctx context.Context, w *work, src billing.Invoice, got billing.PortalDocument) (mailed, error) {
	if !plan.Mails(got.Kind, w.c.Settings) || got.Draft {
		return mailed{}, nil
	}
	if reason, stop := w.stopped(); stop {
		return mailed{reason: plan.Because(plan.MailWaits, "problem", reason.Text()), again: time.Hour}, nil
	}
	mailer, can := connector.As[connector.Mailer](w.c.Portal)
	if !can {
		return mailed{reason: plan.Because(plan.MailRefused, "problem", "the portal sends none")}, nil
	}
	customer, err := e.recipient(ctx, w, src.CustomerNo)
	if err != nil {
		return w.mailFailed(err), nil
	}
	step, ok := plan.Send(got.Kind, src.Number, got.ID, customer, w.c.Settings)
	if !ok {
		return mailed{reason: plan.Because(plan.MailNobody)}, nil
	}
	entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
	switch {
	case err != nil:
		return mailed{}, err
	case entry == nil && !w.rec.MailDue, entry != nil && entry.State == journal.Done:
		return mailed{}, nil
	case entry != nil && entry.Open(): // by a process that died
		return mailed{reason: plan.Because(plan.MailUnknown)}, e.journal.Finish(ctx, entry, "")
	}
	return e.send(ctx, w, mailer, step)
}

// send makes the call, once.
func (e *Engine) send(ctx context.Context, w *work, mailer connector.Mailer, step plan.Step) (mailed, error) {
	_, err := e.perform(ctx, w.c, w, effect{
		vendor: vendorPortal, step: step, record: w.rec.ID(), checks: e.opt.DocumentChecks,
		call: func(ctx context.Context) (string, error) {
			return "", mailer.SendDocument(ctx, step.Kind, step.Target, step.Mail.Name, step.Mail.Email)
		},
		look: func(context.Context) (string, bool, error) { return "", false, nil }, // never asked: an open one is closed
	})
	switch {
	case err == nil:
		return mailed{note: "sent to the customer's primary contact"}, nil
	case errors.Is(err, errOpen):
		entry, err := e.journal.Get(ctx, journalKey(w.c, step.Key))
		if err != nil || entry == nil {
			return mailed{}, err
		}
		return mailed{reason: plan.Because(plan.MailUnknown)}, e.journal.Finish(ctx, entry, "")
	case !errors.As(err, new(*connector.Error)):
		return mailed{}, err
	}
	return w.mailFailed(err), nil
}

// mailFailed is an e-mail that certainly did not go out: tried again when that can help.
func (w *work) mailFailed(err error) mailed {
	problem := intake.Cause(err)
	switch connector.ClassOf(err) {
	case connector.ClassRetry, connector.ClassAuth:
		return mailed{reason: plan.Because(plan.MailWaits, "problem", problem), again: 10 * time.Minute}
	}
	return mailed{reason: plan.Because(plan.MailRefused, "problem", problem)}
}

// recipient is the customer as last read.
func (e *Engine) recipient(ctx context.Context, w *work, number string) (billing.Customer, error) {
	var c billing.Customer
	s, _, err := e.sources.Get(ctx, record.ID(w.c.ID, billing.KindCustomer, number))
	if err == nil && s.Decode(&c) == nil {
		return c, nil
	}
	return w.c.ERP.Customer(ctx, number)
}
