package engine

import (
	"context"
	"errors"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// invoiceSource is the ERP's invoice of a record.
func (e *Engine) invoiceSource(ctx context.Context, w *work) (billing.Invoice, error) {
	return sourceOf(ctx, w, w.c.ERP.Invoice, billing.Invoice.Fingerprint)
}

// customerSource is the ERP's customer of a record.
func (e *Engine) customerSource(ctx context.Context, w *work) (billing.Customer, error) {
	return sourceOf(ctx, w, w.c.ERP.Customer, billing.Customer.Fingerprint)
}

// sourceOf is the ERP record behind a sync record: as the poll read it if that is fresh, else read now and kept.
func sourceOf[T billing.Invoice | billing.Customer](
	ctx context.Context, w *work, read func(context.Context, string) (T, error), fingerprint func(T) string,
) (doc T, err error) {
	e, id := w.e, w.rec.ID()
	s, _, err := e.sources.Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return doc, err
	}
	now := e.clock.Now()
	if err == nil && now.Sub(s.ReadAt.Time) < e.opt.SourceFresh && s.Decode(&doc) == nil { // else it is read again
		if w.rec.Seen == "" && w.rec.Written == "" { // a record made on demand, from what the poll had read before
			w.seen, w.rec.Seen = s.Fingerprint, s.Fingerprint
		}
		return doc, nil
	}
	if doc, err = read(ctx, w.rec.SourceID); err != nil {
		return doc, err
	}
	w.seen = fingerprint(doc)
	w.rec.Seen = w.seen
	if s, err = record.NewSource(w.c.ID, w.rec.Kind, w.rec.SourceID, w.seen, now, doc); err != nil {
		return doc, err
	}
	_, err = e.sources.Put(ctx, id, s)
	return doc, err
}

// source is the item's ERP record as it is kept.
func (it item) source(company string, e *Engine) (record.Source, error) {
	if it.invoice != nil {
		return record.NewSource(company, it.kind, it.id, it.fingerprint, e.clock.Now(), *it.invoice)
	}
	return record.NewSource(company, it.kind, it.id, it.fingerprint, e.clock.Now(), *it.cust)
}
