package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// book is one company in one currency, on both sides. The vendors' own ledgers say what there is; arbridge's records only
// say which documents take part.
type book struct {
	company   string
	currency  money.Currency
	posted    int // documents posted in the ERP
	qualified int
	inPortal  int
	erp       money.Money // totals of the qualified documents; credits count negative
	portal    money.Money
	payments  money.Money // cash that settled in the portal
	receipts  money.Money // cash receipts that arbridge posted
	count     int         // of receipts
	fees      money.Money // of receipts
}

// difference is what is unexplained: documents plus money.
func (b book) difference() money.Money {
	return b.erp.Sub(b.portal).Abs().Add(b.payments.Sub(b.receipts).Abs())
}

// compare reads both vendors and makes the books.
func (s *stage) compare(ctx context.Context) ([]book, []view.Row, error) {
	books := map[string]*book{}
	at := func(company string, cur money.Currency) *book {
		key := company + " " + string(cur)
		if books[key] == nil {
			z := money.Zero(cur)
			books[key] = &book{company: company, currency: cur, erp: z, portal: z, payments: z, receipts: z, fees: z}
		}
		return books[key]
	}
	list, err := view.Records(ctx, s.platform.Store, s.platform.Engine.CompanyIDs(), view.Filter{Limit: 1_000_000})
	if err != nil {
		return nil, nil, err
	}
	inSync, left := map[string]bool{}, s.world.unposted()
	for _, r := range list.Rows {
		switch r.Status {
		case record.Synced, record.Variance:
			r.Reasons = plan.Notes(r.Reasons)
			if r.Text = plan.Text(r.Reasons); len(r.Reasons) > 0 {
				left = append(left, r)
			}
			if r.Kind == billing.KindInvoice || r.Kind == billing.KindCreditNote {
				inSync[r.Company+" "+r.Number] = true
			}
		default:
			left = append(left, r)
		}
	}
	if err := s.world.addERP(at, inSync); err != nil {
		return nil, nil, err
	}
	if err := s.world.addPortal(at); err != nil {
		return nil, nil, err
	}
	var out []book
	for _, key := range sortedKeys(books) {
		out = append(out, *books[key])
	}
	slices.SortStableFunc(left, func(a, b view.Row) int {
		return cmp.Or(strings.Compare(a.Company, b.Company), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(string(a.Status), string(b.Status)),
			strings.Compare(code(a), code(b)), strings.Compare(a.Number, b.Number))
	})
	return out, left, nil
}

// unposted are the documents that arbridge never sees, because the ERP has not posted them.
func (w *world) unposted() []view.Row {
	var out []view.Row
	for _, l := range w.erp.Ledger().Books {
		for _, inv := range l.Invoices {
			i := slices.IndexFunc(branches, func(b branch) bool { return b.code == l.CompanyNo })
			if !inv.Posted && i >= 0 {
				out = append(out, view.Row{
					Company: branches[i].id, Kind: billing.KindInvoice, Number: inv.InvoiceNo, Status: record.Skipped,
					Text: plan.Because(plan.NotPosted).Text(),
				})
			}
		}
	}
	return out
}

func (w *world) addERP(at func(string, money.Currency) *book, inSync map[string]bool) error {
	for _, l := range w.erp.Ledger().Books {
		i := slices.IndexFunc(branches, func(b branch) bool { return b.code == l.CompanyNo })
		cur, err := money.ParseCurrency(l.Currency)
		if err != nil || i < 0 {
			return fmt.Errorf("ledger of company %s in %s: %w", l.CompanyNo, l.Currency, err)
		}
		b := at(branches[i].id, cur)
		for _, inv := range l.Invoices {
			if !inv.Posted {
				continue
			}
			b.posted++
			if inSync[branches[i].id+" "+inv.InvoiceNo] {
				total, err := money.FromDecimal(inv.Total.Decimal, cur)
				if err != nil {
					return err
				}
				b.qualified++
				b.erp = b.erp.Add(total)
			}
		}
		for _, r := range l.Receipts {
			if !strings.HasPrefix(r.Reference, "IVD-") {
				continue
			}
			if err := b.addReceipt(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// addReceipt counts what a receipt's lines do: a header without its lines settles nothing.
func (b *book) addReceipt(r q360sim.LedgerReceipt) error {
	b.count++
	for _, line := range r.Applications {
		amount, err := money.FromDecimal(line.Amount.Decimal, b.currency)
		if err != nil {
			return err
		}
		b.receipts = b.receipts.Add(amount)
	}
	for _, line := range r.Fees {
		amount, err := money.FromDecimal(line.Amount.Decimal, b.currency)
		if err != nil {
			return err
		}
		b.receipts, b.fees = b.receipts.Add(amount), b.fees.Add(amount)
	}
	onAccount, err := money.FromDecimal(r.OnAccount.Decimal, b.currency)
	b.receipts = b.receipts.Add(onAccount)
	return err
}

func (w *world) addPortal(at func(string, money.Currency) *book) error {
	for _, b := range branches {
		l, err := w.portal.Ledger(b.id)
		if err != nil {
			return err
		}
		for _, d := range l.Invoices {
			if err := addDocument(at, b.id, d.Currency, d.Status, d.Total, false); err != nil {
				return err
			}
		}
		for _, d := range l.CreditNotes {
			if err := addDocument(at, b.id, d.Currency, d.Status, d.Total, true); err != nil {
				return err
			}
		}
		for _, p := range l.Payments {
			if p.Voided || p.Status != "succeeded" {
				continue
			}
			cur, err := money.ParseCurrency(p.Currency)
			if err != nil {
				return err
			}
			amount, err := money.Parse(p.Amount, cur)
			if err != nil {
				return err
			}
			k := at(b.id, cur)
			k.payments = k.payments.Add(amount)
		}
	}
	return nil
}

func addDocument(at func(string, money.Currency) *book, company, currency, status, total string, credit bool) error {
	if status == "voided" {
		return nil
	}
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return err
	}
	amount, err := money.Parse(total, cur)
	if err != nil {
		return err
	}
	if credit {
		amount = amount.Neg()
	}
	b := at(company, cur)
	b.inPortal++
	b.portal = b.portal.Add(amount)
	return nil
}

// print writes the table and everything that is not in step, and reports whether both sides agree.
func printBooks(out io.Writer, books []book, left []view.Row) bool {
	agree := true
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "company\tcurrency\tposted\tqualified\tin portal\tERP total\tportal total\tpayments\treceipts\tno.\tof that fees\tdifference\t")
	for _, b := range books {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t\n", b.company, b.currency, b.posted, b.qualified, b.inPortal,
			b.erp.Amount(), b.portal.Amount(), b.payments.Amount(), b.receipts.Amount(), b.count, b.fees.Amount(), b.difference().Amount())
		agree = agree && b.difference().IsZero() && b.qualified == b.inPortal
	}
	_ = t.Flush() // the terminal, or what stands in for it
	step, not := divide(left)
	fmt.Fprintln(out, "\nNot in step, with the reason:")
	printLeft(out, not)
	fmt.Fprintln(out, "\nIn step, and worth knowing:")
	printLeft(out, step)
	return agree
}

// divide tells the records that are in step from the rest.
func divide(rows []view.Row) (step, not []view.Row) {
	for _, r := range rows {
		if r.Status == record.Synced || r.Status == record.Variance {
			step = append(step, r)
		} else {
			not = append(not, r)
		}
	}
	return step, not
}

// code is what groups records: the codes of their reasons, or the words where there are none.
func code(r view.Row) string {
	if len(r.Reasons) == 0 {
		return r.Text
	}
	codes := ""
	for _, reason := range r.Reasons {
		codes += string(reason.Code) + " "
	}
	return codes
}

// printLeft groups records by company, kind, status and reason, with the words of the first.
func printLeft(out io.Writer, left []view.Row) {
	for len(left) > 0 {
		first, n := left[0], 0
		for n < len(left) && left[n].Company == first.Company && left[n].Kind == first.Kind && left[n].Status == first.Status && code(left[n]) == code(first) {
			n++
		}
		numbers := make([]string, n)
		for i, r := range left[:n] {
			numbers[i] = r.Number
		}
		text := first.Text
		if n > 1 && text != left[n-1].Text {
			text += " (and the like)"
		}
		fmt.Fprintf(out, "  %-3s %3d %-13s %-16s %s\n", first.Company, n, strings.ReplaceAll(string(first.Kind), "_", " ")+plural(n),
			strings.ReplaceAll(string(first.Status), "_", " ")+":", text)
		if first.Kind == billing.KindPayment { // their ids are the portal's and say nothing to a reader
			numbers = sums(left[:n])
		}
		for line := range slices.Chunk(numbers, 14) {
			fmt.Fprintf(out, "          %s\n", strings.Join(line, " "))
		}
		left = left[n:]
	}
}

// sums are the amounts of payments, by currency.
func sums(rows []view.Row) []string {
	byCurrency := map[string]money.Money{}
	for _, r := range rows {
		if amount, err := money.Parse(r.PortalTotal, money.Currency(r.Currency)); err == nil {
			byCurrency[r.Currency] = byCurrency[r.Currency].Add(amount)
		}
	}
	var out []string
	for _, cur := range sortedKeys(byCurrency) {
		out = append(out, byCurrency[cur].String())
	}
	return out
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
