package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

const (
	// early and late are the days around the compared time in which payments and receipts are read, too: a receipt may be
	// dated by the settlement or moved to an open period, and a payment may change long after its date.
	early = 35
	late  = 62
	// farthest is how many days back an older document's receipts are looked for.
	farthest = 3 * 366
)

// reader reads both sides of one company.
type reader struct {
	company Company
	ledger  connector.Ledger
	records store.Table[record.Record]
	kept    copies
}

// read fills the input but for its settings and times. The vendors' sides come before the records, so that whatever
// arbridge does meanwhile is known.
func (r *reader) read(ctx context.Context, in *Input) error {
	in.Since = in.From.AddDays(-early)
	for _, step := range []struct {
		what string
		read func(context.Context, *Input) error
	}{
		{"the ERP's documents", r.readERP},
		{"the portal's documents", r.readPortal},
		{"the portal's payments", r.readPayments},
		{"the ERP's receipts", func(ctx context.Context, in *Input) error {
			return r.readReceipts(ctx, in, in.Since, in.To.AddDays(late))
		}},
		{"the records", r.readRecords},
	} {
		if err := step.read(ctx, in); err != nil {
			return fmt.Errorf("reading %s of %s: %w", step.what, r.company.ID, err)
		}
	}
	return nil
}

// pages calls each for every item of a list.
func pages[T any](ctx context.Context, in *Input, list func(context.Context, string) (connector.Page[T], error), each func(T)) error {
	return connector.EachPage("comparing: listing "+in.Company, func(page string) (connector.Page[T], error) {
		return list(ctx, page)
	}, func(p connector.Page[T]) error {
		for _, bad := range p.Bad {
			in.Unread = append(in.Unread, fmt.Sprintf("%s %s: %s", bad.Kind, bad.Number, bad.Message))
		}
		for _, item := range p.Items {
			each(item)
		}
		return nil
	})
}

func (r *reader) readERP(ctx context.Context, in *Input) error {
	seen := newIndex(0, func(i int32) string { return in.ERP.Documents[i].Number })
	take := func(inv billing.Invoice) {
		if !seen.has(inv.Number) {
			in.ERP.Documents = append(in.ERP.Documents, r.erpRow(inv))
			seen.put(int32(len(in.ERP.Documents) - 1))
		}
	}
	err := pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Invoice], error) {
		return r.ledger.Posted(ctx, in.From, "", page)
	}, take)
	if err != nil || !in.Open {
		return err
	}
	return pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Invoice], error) {
		return r.ledger.Open(ctx, in.From, page)
	}, take)
}

func (r *reader) readPortal(ctx context.Context, in *Input) error {
	seen := newIndex(len(in.ERP.Documents), func(i int32) string { return in.Portal.Documents[i].ID })
	in.Portal.Documents = make([]Document, 0, len(in.ERP.Documents)) // about as many
	for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindCreditNote} {
		err := pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.PortalDocument], error) {
			return r.company.Portal.ListDocuments(ctx, kind, page)
		}, func(d billing.PortalDocument) {
			row := r.portalRow(kind, d)
			if i := seen.find(row.ID); i != none { // it changed while the list was read
				in.Portal.Documents[i] = row
				return
			}
			in.Portal.Documents = append(in.Portal.Documents, row)
			seen.put(int32(len(in.Portal.Documents) - 1))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readPayments reads what changed since in.Since; a payment that is there already is replaced.
func (r *reader) readPayments(ctx context.Context, in *Input) error {
	since := in.Since.Noon(in.Settings.TimeZone)
	seen := newIndex(len(in.Portal.Payments), func(i int32) string { return in.Portal.Payments[i].ID })
	for i := range in.Portal.Payments {
		seen.put(int32(i))
	}
	return pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Payment], error) {
		return r.company.Portal.ListPayments(ctx, since, page)
	}, func(p billing.Payment) {
		row := r.paymentRow(p, in)
		if i := seen.find(row.ID); i != none {
			in.Portal.Payments[i] = row
			return
		}
		in.Portal.Payments = append(in.Portal.Payments, row)
		seen.put(int32(len(in.Portal.Payments) - 1))
	})
}

// readReceipts reads the receipts of a time. A site whose receipts can not be listed is compared without them.
func (r *reader) readReceipts(ctx context.Context, in *Input, from, to billing.Date) error {
	seen := newIndex(len(in.ERP.Receipts), func(i int32) string { return in.ERP.Receipts[i].Number })
	for i := range in.ERP.Receipts {
		seen.put(int32(i))
	}
	err := pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Receipt], error) {
		return r.ledger.Receipts(ctx, from, to, page)
	}, func(x billing.Receipt) {
		if !seen.has(x.Number) {
			in.ERP.Receipts = append(in.ERP.Receipts, r.receiptRow(x))
			seen.put(int32(len(in.ERP.Receipts) - 1))
		}
	})
	if class := connector.ClassOf(err); err != nil && (class == connector.ClassUnsupported || class == connector.ClassForbidden) {
		var ce *connector.Error
		in.NoReceipts = err.Error()
		if errors.As(err, &ce) && ce.Err != nil {
			in.NoReceipts = ce.Err.Error()
		}
		return nil
	}
	return err
}

// readRecords reads our records of documents and payments.
func (r *reader) readRecords(ctx context.Context, in *Input) error {
	q := store.Query{Equal: []store.Equal{{Field: "company", Value: r.company.ID}}, OrderBy: "updated_at", Desc: true, Limit: 500}
	number := func(i int32) string { return in.Records[i].Number }
	in.Records = make([]Record, 0, len(in.ERP.Documents)+len(in.Portal.Payments)) // about as many
	seen := map[billing.Kind]*index{billing.KindInvoice: newIndex(len(in.ERP.Documents), number), billing.KindPayment: newIndex(0, number)}
	for {
		rows, err := r.records.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, row := range rows {
			rec := row.Value
			if have := seen[rec.Kind]; have != nil && !have.has(rec.SourceID) { // one that moved to the front meanwhile was seen there, or is seen by the second look
				in.Records = append(in.Records, r.recordRow(rec))
				have.put(int32(len(in.Records) - 1))
			}
		}
		if len(rows) < q.Limit {
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}
