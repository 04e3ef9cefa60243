package plan_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// source makes values out of fuzzed bytes; when they are used up it gives zeros.
type source struct{ data []byte }

func (s *source) bytes(n int) []byte {
	out := make([]byte, n)
	copy(out, s.data)
	s.data = s.data[min(n, len(s.data)):]
	return out
}

func (s *source) pick(n int) int { return int(s.bytes(1)[0]) % n }
func (s *source) bit() bool      { return s.pick(2) == 1 }
func (s *source) number() int64  { return int64(int32(binary.LittleEndian.Uint32(s.bytes(4)))) }
func (s *source) text() string   { return string(s.bytes(s.pick(20))) }
func (s *source) date() string   { return []string{"", "2026-05-01", "2025-12-31", "no date"}[s.pick(4)] }
func (s *source) currency() money.Currency {
	return []money.Currency{"USD", "USD", "USD", "JPY", "KWD", "CAD", ""}[s.pick(7)]
}

func (s *source) amount(usual money.Currency) money.Money {
	if s.pick(40) == 1 {
		usual = s.currency()
	}
	return money.FromMinor(s.number(), usual)
}

func (s *source) quantity() decimal.Decimal { return decimal.New(s.number(), -int32(s.pick(8))) }

func (s *source) invoice() billing.Invoice {
	cur := s.currency()
	inv := billing.Invoice{
		Number: s.text(), CompanyNo: []string{"01", "01", "01", "02"}[s.pick(4)], CustomerNo: s.text(), Posted: s.pick(8) != 1,
		Date: billing.Date(s.date()), PostedDate: billing.Date(s.date()), DueDate: billing.Date(s.date()), Currency: cur, Terms: s.text(),
		PayMethod: s.text(), Type: s.text(), Freight: s.amount(cur), Tax: s.amount(cur), Total: s.amount(cur), Balance: s.amount(cur),
		ContractNo: s.text(), CustomerPO: s.text(), Comment: s.text(),
	}
	sum := inv.Freight.Decimal().Add(inv.Tax.Decimal())
	for i := range s.pick(6) {
		l := billing.Line{ID: fmt.Sprint(i), Seq: s.pick(4), Item: s.text(), Description: s.text(), Quantity: s.quantity(), UnitPrice: s.quantity(), Amount: s.amount(cur)}
		if s.bit() && cur != "" {
			l.Amount = money.Round(l.Quantity.Mul(l.UnitPrice), cur)
		}
		sum = sum.Add(l.Amount.Decimal())
		inv.Lines = append(inv.Lines, l)
	}
	if s.bit() && cur != "" { // lines that add up, or nearly
		inv.Total = money.Round(sum.Add(decimal.New(int64(s.pick(5)-2), -2)), cur)
	}
	if s.bit() {
		inv.Balance = inv.Total
	}
	return inv
}

func (s *source) settings() settings.Company {
	set := company()
	set.Mode = []settings.Mode{settings.ModeLive, settings.ModeSandbox, settings.ModeReadOnly}[s.pick(3)]
	set.Invoices.LinesWithPDF, set.Invoices.LinesWithoutPDF = []string{"summary", "detail"}[s.pick(2)], []string{"summary", "detail"}[s.pick(2)]
	set.Invoices.SummaryText, set.Invoices.ZeroTotal = s.text(), []string{"skip", "send"}[s.pick(2)]
	set.Invoices.Variance, set.Qualify.MinBalance = settings.Amount([]string{"", "0.05", "5"}[s.pick(3)]), settings.Amount([]string{"", "10"}[s.pick(2)])
	set.Invoices.Comment, set.Invoices.Update = []string{"off", "notes"}[s.pick(2)], []string{"unpaid_only", "never"}[s.pick(2)]
	set.Invoices.Gone, set.Invoices.Draft, set.Invoices.Send = []string{"flag", "void_if_unpaid"}[s.pick(2)], s.bit(), []string{"portal_default", "mark_sent"}[s.pick(2)]
	set.Invoices.TermsMap = map[string]string{s.text(): s.text()}
	set.Payments.Mode, set.CreditNotes.Sync, set.Qualify.StartDate = "off", s.pick(4) != 1, "2026-01-01"
	set.AutoPay = []settings.AutoPayRule{settings.AutoPayOff, settings.AutoPayContracts, settings.AutoPayAll}[s.pick(3)]
	return set
}

func (s *source) document(cur money.Currency) billing.PortalDocument {
	d := billing.PortalDocument{
		ID: "900", Kind: []billing.Kind{billing.KindInvoice, billing.KindCreditNote}[s.pick(2)], CustomerID: []string{"", "77", "78"}[s.pick(3)],
		Currency: cur, Total: s.amount(cur), Draft: s.bit(), AutoPay: s.bit(), Voided: s.pick(6) == 1, Closed: s.pick(6) == 1, Status: []string{"sent", "pending"}[s.pick(2)],
		Metadata: map[string]string{},
	}
	d.Total = money.FromMinor(d.Total.Minor(), cur)
	if d.Balance = d.Total; s.bit() {
		d.Balance = money.FromMinor(s.number(), cur)
	}
	for range s.pick(11) {
		d.Metadata[s.text()] = s.text()
	}
	if s.pick(6) == 1 {
		d.Items = []billing.PortalItem{{Type: "late_fee", Quantity: decimal.NewFromInt(1), UnitCost: s.quantity()}}
	}
	return d
}

// FuzzInvoice: whatever the ERP and the portal have, a decision is made, and what goes over has the ERP's total to the
// minor unit. A document with money on it, and one that is gone, voided or closed, gets no step.
func FuzzInvoice(f *testing.F) {
	f.Add([]byte{})
	for i := range 8 {
		seed := make([]byte, 400)
		for j := range seed {
			seed[j] = byte(j*(i+3) + i)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source{data}
		in := plan.InvoiceInput{Source: s.invoice(), Settings: s.settings(), CustomerID: []string{"77", ""}[s.pick(2)], Looked: s.pick(4) != 1, HasPDF: s.bit()}
		d := s.document(in.Source.Currency)
		switch s.pick(4) {
		case 1:
			in.Found = []billing.PortalDocument{d}
		case 2:
			in.Known = plan.Known{PortalID: "900", Kind: d.Kind, Fingerprint: "older"}
			in.Dest = &d
		case 3:
			in.Known = plan.Known{PortalID: "900", Kind: d.Kind, Fingerprint: "older"}
		}
		p := plan.Invoice(in)
		checkLaw(t, in, p)
		if in.Known.PortalID != "" && len(p.Steps) > 0 && (in.Dest == nil || d.Voided || d.Closed || !d.Paid().IsZero()) {
			t.Fatalf("%+v would be changed", in.Dest)
		}
		gone := plan.Gone(plan.GoneInput{Number: in.Source.Number, Settings: in.Settings, Known: in.Known, Dest: in.Dest, Looked: true, Confirmed: s.bit()})
		if len(gone.Steps) > 0 && (in.Dest == nil || d.Voided || d.Draft || !d.Paid().IsZero()) {
			t.Fatalf("%+v would be voided", in.Dest)
		}
	})
}
