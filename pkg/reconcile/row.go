package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// copies has one copy of what repeats in many rows.
type copies struct {
	words     map[string]string
	traits    map[Traits]*Traits
	standings map[string]*Standing // by what they say
}

func newCopies() copies {
	return copies{words: map[string]string{}, traits: map[Traits]*Traits{}, standings: map[string]*Standing{}}
}

// same is the copy of a text that repeats.
func (k copies) same(s string) string {
	if have, ok := k.words[s]; ok {
		return have
	}
	s = strings.Clone(s) // a part of an answer would keep all of it
	k.words[s] = s
	return s
}

// common is the copy of traits.
func (k copies) common(t Traits) *Traits {
	if have, ok := k.traits[t]; ok {
		return have
	}
	t = Traits{
		Kind: billing.Kind(k.same(string(t.Kind))), Date: billing.Date(k.same(string(t.Date))), Currency: money.Currency(k.same(string(t.Currency))),
		Company: k.same(t.Company), Method: k.same(t.Method), Type: k.same(t.Type), Owner: k.same(t.Owner),
	}
	k.traits[t] = &t
	return &t
}

// standing is the copy of how a record stands. Receipts are each record's own.
func (k copies) standing(rec record.Record) *Standing {
	out := &Standing{Kind: billing.Kind(k.same(string(rec.Kind))), Status: record.Status(k.same(string(rec.Status))), Reasons: rec.Reasons, Receipts: rec.Receipts}
	if len(rec.Receipts) > 0 {
		return out
	}
	var said strings.Builder
	said.WriteString(string(rec.Kind) + "\x00" + string(rec.Status))
	for _, r := range rec.Reasons {
		said.WriteString("\x01" + string(r.Code))
		for _, name := range slices.Sorted(maps.Keys(r.Params)) {
			said.WriteString("\x02" + name + "\x03" + r.Params[name])
		}
	}
	if have, ok := k.standings[said.String()]; ok {
		return have
	}
	k.standings[said.String()] = out
	return out
}

func (r *reader) erpRow(inv billing.Invoice) Document {
	d := Document{
		Traits: r.kept.common(Traits{Kind: inv.Kind(), Date: cmp.Or(inv.PostedDate, inv.Date), Currency: inv.Currency, Company: inv.CompanyNo,
			Method: inv.PayMethod, Type: inv.Type}),
		Number: strings.Clone(inv.Number), Customer: r.kept.same(inv.CustomerNo), Total: inv.Total.Minor(), Balance: inv.Balance.Minor(), Posted: inv.Posted,
	}
	if !inv.Modified.IsZero() {
		d.Modified = inv.Modified.Unix()
	}
	return d
}

func (r *reader) date(d billing.Date) billing.Date { return billing.Date(r.kept.same(string(d))) }

// portalRow takes a document of the portal; credits become negative, as they are in the ERP.
func (r *reader) portalRow(kind billing.Kind, p billing.PortalDocument) Document {
	d := Document{
		Traits: r.portalTraits(kind, p), Number: strings.Clone(p.Number), ID: strings.Clone(p.ID), Total: p.Total.Minor(), Balance: p.Balance.Minor(), Voided: p.Voided,
	}
	if kind == billing.KindCreditNote {
		d.Total, d.Balance = -d.Total, -d.Balance
	}
	return d
}

func (r *reader) portalTraits(kind billing.Kind, p billing.PortalDocument) *Traits {
	t := Traits{Kind: kind, Date: p.Date, Currency: p.Currency}
	switch company, number, ok := strings.Cut(p.Metadata[plan.MetaID], "/"); {
	case !ok || number == "":
	case number == p.Number:
		t.Owner = company + "/"
	default: // renumbered in the portal: nobody shares that
		t.Date, t.Currency, t.Owner = r.date(t.Date), money.Currency(r.kept.same(string(t.Currency))), strings.Clone(p.Metadata[plan.MetaID])
		return &t
	}
	return r.kept.common(t)
}

func (r *reader) paymentRow(p billing.Payment, in *Input) Payment {
	row := Payment{
		ID: p.ID, Customer: r.kept.same(p.CustomerID), Date: r.date(billing.DateOf(p.Date, in.Settings.TimeZone)), Currency: money.Currency(r.kept.same(string(p.Currency))),
		Method: r.kept.same(p.Method), Voided: p.Voided, Amount: p.Amount.Minor(), Unapply: p.Unapplied.Minor(), Parts: make([]Part, len(p.Applications)),
	}
	if !p.Updated.IsZero() {
		row.Updated = p.Updated.Unix()
	}
	for i, a := range p.Applications {
		row.Parts[i] = Part{Type: billing.ApplicationType(r.kept.same(string(a.Type))), InvoiceID: a.InvoiceID, Amount: a.Amount.Minor()}
	}
	if ch := p.Charge; ch != nil {
		row.Charged, row.Status, row.Refunded, row.Disputed = true, billing.ChargeStatus(r.kept.same(string(ch.Status))), ch.Refunded.Minor(), ch.Disputed
	}
	return row
}

func (r *reader) receiptRow(x billing.Receipt) Receipt {
	row := Receipt{
		Number: x.Number, Reference: x.Reference, Company: r.kept.same(x.CompanyNo), Customer: r.kept.same(x.CustomerNo), Date: r.date(x.Date),
		Currency: money.Currency(r.kept.same(string(x.Amount.Currency()))), Amount: x.Amount.Minor(),
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
	row := Record{
		Standing: r.kept.standing(rec), Number: strings.Clone(rec.SourceID), PortalID: strings.Clone(rec.PortalID), Customer: r.kept.same(rec.Customer),
	}
	if !rec.DueAt.IsZero() {
		row.Due = rec.DueAt.Unix()
	}
	return row
}
