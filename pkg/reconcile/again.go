package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// maxAgain bounds how many unexplained differences are read once more. So many are no matter of the moment of reading.
const maxAgain = 200

// again reads what the unexplained differences of a report are about once more: the two sides were not read at one
// instant, and some of it lies outside of the time that was read. It reports whether there was anything to read.
func (r *reader) again(ctx context.Context, in *Input, first Report, others []string) (bool, error) {
	n, oldest := 0, in.Since
	for i := range first.Differences {
		d := &first.Differences[i]
		if d.Explained || n == maxAgain {
			break
		}
		n++
		if d.Class == Balances && d.Date < oldest {
			oldest = d.Date
		}
		if err := r.one(ctx, in, d, others); err != nil {
			return true, fmt.Errorf("reading %s %s of %s again: %w", d.Object, d.Number, r.company.ID, err)
		}
	}
	if n == 0 {
		return false, nil
	}
	if oldest < in.Since && in.NoReceipts == "" { // older documents: what was paid on them may be older, too
		return true, r.further(ctx, in, max(oldest, in.Since.AddDays(-farthest)))
	}
	return true, r.changed(ctx, in)
}

// further reads payments and receipts from an earlier date on.
func (r *reader) further(ctx context.Context, in *Input, from billing.Date) error {
	to := in.Since.AddDays(-1)
	in.Since = from
	if err := r.readReceipts(ctx, in, from, to); err != nil {
		return err
	}
	return r.readPayments(ctx, in)
}

// changed reads the payments that changed since the reading began.
func (r *reader) changed(ctx context.Context, in *Input) error {
	was := in.Since
	in.Since = billing.DateOf(in.At, in.Settings.TimeZone).AddDays(-1)
	err := r.readPayments(ctx, in)
	in.Since = was
	return err
}

// one reads what a difference is about.
func (r *reader) one(ctx context.Context, in *Input, d *Difference, others []string) error {
	if d.Class == Money {
		return r.oneMoney(ctx, in, d, others)
	}
	if err := r.oneRecord(ctx, in, billing.KindInvoice, d.Number); err != nil {
		return err
	}
	inv, err := r.company.ERP.Invoice(ctx, d.Number)
	if err := known(err); err != nil {
		return err
	}
	at := slices.IndexFunc(in.ERP.Documents, func(x Document) bool { return x.Number == d.Number })
	in.ERP.Documents = put(in.ERP.Documents, at, err == nil, func() Document { return r.erpRow(inv) })
	return r.oneInPortal(ctx, in, d)
}

func (r *reader) oneInPortal(ctx context.Context, in *Input, d *Difference) error {
	kind := d.Object
	if kind != billing.KindCreditNote {
		kind = billing.KindInvoice
	}
	if d.PortalID == "" {
		found, err := r.company.Portal.FindDocuments(ctx, kind, d.Number)
		if err != nil {
			return err
		}
		for _, p := range found {
			at := slices.IndexFunc(in.Portal.Documents, func(x Document) bool { return x.ID == p.ID })
			in.Portal.Documents = put(in.Portal.Documents, at, true, func() Document { return r.portalRow(kind, p) })
		}
		return nil
	}
	p, err := r.company.Portal.Document(ctx, kind, d.PortalID)
	if err := known(err); err != nil {
		return err
	}
	at := slices.IndexFunc(in.Portal.Documents, func(x Document) bool { return x.ID == d.PortalID })
	in.Portal.Documents = put(in.Portal.Documents, at, err == nil, func() Document { return r.portalRow(kind, p) })
	return nil
}

// known lets through that there is no such thing, which is an answer.
func known(err error) error {
	if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
		return nil
	}
	return err
}

// put makes rows have what was read: replaced, added, or removed when it is not there.
func put[T any](rows []T, at int, there bool, row func() T) []T {
	switch {
	case there && at >= 0:
		rows[at] = row()
	case there:
		rows = append(rows, row())
	case at >= 0:
		rows = slices.Delete(rows, at, at+1)
	}
	return rows
}

func (r *reader) oneRecord(ctx context.Context, in *Input, kind billing.Kind, id string) error {
	rec, _, err := r.records.Get(ctx, record.ID(r.company.ID, kind, id))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	at := slices.IndexFunc(in.Records, func(x Record) bool { return x.Kind == kind && x.Number == id })
	in.Records = put(in.Records, at, err == nil, func() Record { return r.recordRow(rec) })
	return nil
}

// oneMoney reads a payment, its record and its receipts. For receipts without a payment it asks the other companies'
// records whose they are.
func (r *reader) oneMoney(ctx context.Context, in *Input, d *Difference, others []string) error {
	if err := r.oneRecord(ctx, in, billing.KindPayment, d.Number); err != nil {
		return err
	}
	p, err := r.company.Portal.Payment(ctx, d.Number)
	if err := known(err); err != nil {
		return err
	}
	at := slices.IndexFunc(in.Portal.Payments, func(x Payment) bool { return x.ID == d.Number })
	in.Portal.Payments = put(in.Portal.Payments, at, err == nil, func() Payment { return r.paymentRow(p, in) })
	if err != nil && d.Kind == WithoutPayment {
		return r.elsewhere(ctx, in, d, others)
	}
	if in.NoReceipts != "" {
		return nil
	}
	return r.oneReceipts(ctx, in, d)
}

// oneReceipts reads the receipts of a payment by their references, in whatever company they are.
func (r *reader) oneReceipts(ctx context.Context, in *Input, d *Difference) error {
	references := []string{plan.Reference(in.Settings, d.Number, 0)}
	at := slices.IndexFunc(in.Records, func(x Record) bool { return x.Kind == billing.KindPayment && x.Number == d.Number })
	if at >= 0 {
		for _, x := range in.Records[at].Receipts {
			references = append(references, x.Reference)
		}
	}
	if d.Reference != "" {
		references = append(references, d.Reference)
	}
	slices.Sort(references)
	for _, reference := range slices.Compact(references) {
		found, err := r.company.ERP.FindReceipts(ctx, reference)
		if err != nil {
			return err
		}
		in.ERP.Receipts = slices.DeleteFunc(in.ERP.Receipts, func(x Receipt) bool { return x.Reference == reference })
		for _, x := range found {
			in.ERP.Receipts = append(in.ERP.Receipts, r.receiptRow(x))
		}
	}
	return nil
}

func (r *reader) elsewhere(ctx context.Context, in *Input, d *Difference, others []string) error {
	for _, company := range others {
		_, _, err := r.records.Get(ctx, record.ID(company, billing.KindPayment, d.Number))
		switch {
		case err == nil:
			if in.Elsewhere == nil {
				in.Elsewhere = map[string]string{}
			}
			in.Elsewhere[d.Reference] = company
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

// countText is a number of things in words.
func countText(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
