package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
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
	words   map[string]string // texts that repeat in many rows, kept once
}

// same keeps one copy of a text that repeats.
func (r *reader) same(s string) string {
	if have, ok := r.words[s]; ok {
		return have
	}
	r.words[s] = s
	return s
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
	seen := map[string]bool{}
	take := func(inv billing.Invoice) {
		if !seen[inv.Number] {
			seen[inv.Number] = true
			in.ERP.Documents = append(in.ERP.Documents, r.erpRow(inv))
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
	seen := map[string]int{}
	for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindCreditNote} {
		err := pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.PortalDocument], error) {
			return r.company.Portal.ListDocuments(ctx, kind, page)
		}, func(d billing.PortalDocument) {
			row := r.portalRow(kind, d)
			if i, again := seen[row.ID]; again { // it changed while the list was read
				in.Portal.Documents[i] = row
				return
			}
			seen[row.ID] = len(in.Portal.Documents)
			in.Portal.Documents = append(in.Portal.Documents, row)
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
	seen := map[string]int{}
	for i := range in.Portal.Payments {
		seen[in.Portal.Payments[i].ID] = i
	}
	return pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Payment], error) {
		return r.company.Portal.ListPayments(ctx, since, page)
	}, func(p billing.Payment) {
		row := r.paymentRow(p, in)
		if i, again := seen[row.ID]; again {
			in.Portal.Payments[i] = row
			return
		}
		seen[row.ID] = len(in.Portal.Payments)
		in.Portal.Payments = append(in.Portal.Payments, row)
	})
}

// readReceipts reads the receipts of a time. A site whose receipts can not be listed is compared without them.
func (r *reader) readReceipts(ctx context.Context, in *Input, from, to billing.Date) error {
	seen := map[string]bool{}
	for i := range in.ERP.Receipts {
		seen[in.ERP.Receipts[i].Number] = true
	}
	err := pages(ctx, in, func(ctx context.Context, page string) (connector.Page[billing.Receipt], error) {
		return r.ledger.Receipts(ctx, from, to, page)
	}, func(x billing.Receipt) {
		if !seen[x.Number] {
			seen[x.Number] = true
			in.ERP.Receipts = append(in.ERP.Receipts, r.receiptRow(x))
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
	seen := map[string]bool{}
	for {
		rows, err := r.records.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, row := range rows {
			rec := row.Value
			if key := string(rec.Kind) + "/" + rec.SourceID; rec.Kind == billing.KindInvoice || rec.Kind == billing.KindPayment {
				if !seen[key] { // one that moved to the front meanwhile was seen there, or is seen by the second look
					seen[key] = true
					in.Records = append(in.Records, r.recordRow(rec))
				}
			}
		}
		if len(rows) < q.Limit {
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}

func (r *reader) erpRow(inv billing.Invoice) Document {
	date := inv.PostedDate
	if date == "" {
		date = inv.Date
	}
	d := Document{
		Kind: inv.Kind(), Number: inv.Number, Company: r.same(inv.CompanyNo), Customer: r.same(inv.CustomerNo), Date: billing.Date(r.same(string(date))),
		Currency: money.Currency(r.same(string(inv.Currency))), Method: r.same(inv.PayMethod), Type: r.same(inv.Type),
		Total: inv.Total.Minor(), Balance: inv.Balance.Minor(), Posted: inv.Posted,
	}
	if !inv.Modified.IsZero() {
		d.Modified = inv.Modified.Unix()
	}
	return d
}

// portalRow takes a document of the portal; credits become negative, as they are in the ERP.
func (r *reader) portalRow(kind billing.Kind, p billing.PortalDocument) Document {
	d := Document{
		Kind: kind, Number: p.Number, ID: p.ID, Owner: p.Metadata[plan.MetaID], Customer: r.same(p.CustomerID), Date: billing.Date(r.same(string(p.Date))),
		Currency: money.Currency(r.same(string(p.Currency))), Total: p.Total.Minor(), Balance: p.Balance.Minor(), Voided: p.Voided,
	}
	if kind == billing.KindCreditNote {
		d.Total, d.Balance = -d.Total, -d.Balance
	}
	return d
}

func (r *reader) paymentRow(p billing.Payment, in *Input) Payment {
	row := Payment{
		ID: p.ID, Customer: r.same(p.CustomerID), Date: billing.DateOf(p.Date, in.Settings.TimeZone), Currency: money.Currency(r.same(string(p.Currency))),
		Method: r.same(p.Method), Voided: p.Voided, Amount: p.Amount.Minor(), Unapply: p.Unapplied.Minor(), Parts: make([]Part, len(p.Applications)),
	}
	if !p.Updated.IsZero() {
		row.Updated = p.Updated.Unix()
	}
	for i, a := range p.Applications {
		row.Parts[i] = Part{Type: billing.ApplicationType(r.same(string(a.Type))), InvoiceID: a.InvoiceID, Amount: a.Amount.Minor()}
	}
	if ch := p.Charge; ch != nil {
		row.Charged, row.Status, row.Refunded, row.Disputed = true, billing.ChargeStatus(r.same(string(ch.Status))), ch.Refunded.Minor(), ch.Disputed
	}
	return row
}

func (r *reader) receiptRow(x billing.Receipt) Receipt {
	row := Receipt{
		Number: x.Number, Reference: x.Reference, Company: r.same(x.CompanyNo), Customer: r.same(x.CustomerNo), Date: billing.Date(r.same(string(x.Date))),
		Currency: money.Currency(r.same(string(x.Amount.Currency()))), Amount: x.Amount.Minor(),
	}
	for _, l := range x.Lines {
		switch {
		case l.Kind == billing.LineFee:
			row.Fees += l.Amount.Minor()
		case l.Kind == billing.LineOnAccount:
			row.OnAccount += l.Amount.Minor()
		case l.InvoiceNo != "":
			row.Lines = append(row.Lines, Applied{Invoice: l.InvoiceNo, Amount: l.Amount.Minor()})
		}
	}
	return row
}

func (r *reader) recordRow(rec record.Record) Record {
	row := Record{Kind: rec.Kind, Number: rec.SourceID, PortalID: rec.PortalID, Customer: r.same(rec.Customer), Status: record.Status(r.same(string(rec.Status))), Reasons: rec.Reasons, Receipts: rec.Receipts}
	if !rec.DueAt.IsZero() {
		row.Due = rec.DueAt.Unix()
	}
	return row
}
