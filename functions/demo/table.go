package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// book is one company in one currency, on both sides. What there is comes from the vendors' own ledgers; why the two sides
// are not the same comes from arbridge's records, which have to account for every cent of it.
type book struct {
	company  string
	currency money.Currency

	posted   int         // documents posted in the ERP
	inPortal int         // documents in the portal that are not voided
	erp      money.Money // totals of those that are on both sides; credits count negative
	apart    money.Money // what the portal's totals are above the ERP's by the records' own reasons
	portal   money.Money

	settled  money.Money // cash that came in through the portal, also if it went back after it was posted
	waiting  money.Money // of that, without a receipt, for a reason
	receipts money.Money // cash receipts of those payments in the ERP
	count    int         // of receipts
	fees     money.Money // of receipts
	back     money.Money // money that the portal paid back, or that was taken back, after its receipt was posted
	tasks    money.Money // what arbridge's tasks tell people to book or reverse, with the receipts' numbers
}

// documents is the difference of documents that no record explains.
func (b book) documents() money.Money { return b.erp.Add(b.apart).Sub(b.portal).Abs() }

// cash is the difference of money that nothing explains: payments without a receipt and without a reason, receipts of
// another amount, money that went back without a task.
func (b book) cash() money.Money {
	return b.settled.Sub(b.waiting).Sub(b.receipts).Abs().Add(b.back.Sub(b.tasks).Abs())
}

// books are both sides and everything that tells them apart.
type books struct {
	at      map[string]*book
	erp     q360sim.Ledger
	portals map[string]invoicedsim.Ledger
	records []record.Record
	known   map[string]record.Record // by company, kind and number
	rows    []row                    // what is out of step, or worth knowing
	world   *world
}

func (b *books) of(company string, cur money.Currency) *book {
	key := company + " " + string(cur)
	if b.at[key] == nil {
		z := money.Zero(cur)
		b.at[key] = &book{company: company, currency: cur, erp: z, apart: z, portal: z, settled: z, waiting: z, receipts: z, fees: z, back: z, tasks: z}
	}
	return b.at[key]
}

// compare reads both vendors and makes the books.
func (s *stage) compare(ctx context.Context) (*books, error) {
	b := &books{at: map[string]*book{}, erp: s.world.erp.Ledger(), portals: map[string]invoicedsim.Ledger{}, known: map[string]record.Record{}, world: s.world}
	var err error
	if b.records, err = s.records(ctx); err != nil {
		return nil, err
	}
	for _, r := range b.records {
		b.known[r.ID()] = r
	}
	for _, c := range s.world.branches {
		l, err := s.world.portal.Ledger(c.id)
		if err != nil {
			return nil, err
		}
		b.portals[c.id] = l
	}
	for _, add := range []func() error{b.addDocuments, b.addMoney, b.addTasks} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	b.list()
	return b, nil
}

// companyOf is the company with a code of the ERP.
func (w *world) companyOf(code string) (branch, error) {
	i := slices.IndexFunc(w.branches, func(b branch) bool { return b.code == code })
	if i < 0 {
		return branch{}, fmt.Errorf("company %s of the ERP takes no part", code)
	}
	return w.branches[i], nil
}

func amountOf(text, currency string) (money.Money, error) {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return money.Money{}, err
	}
	return money.Parse(text, cur)
}

// addDocuments compares each document of the portal with the posted document of the ERP that has its number.
func (b *books) addDocuments() error {
	totals := map[string]money.Money{}
	for _, l := range b.erp.Books {
		c, err := b.world.companyOf(l.CompanyNo)
		if err != nil {
			return err
		}
		for _, inv := range l.Invoices {
			if !inv.Posted {
				continue
			}
			total, err := amountOf(inv.Total.String(), l.Currency)
			if err != nil {
				return err
			}
			b.of(c.id, total.Currency()).posted++
			totals[c.id+" "+inv.InvoiceNo] = total
		}
	}
	for _, c := range b.world.branches {
		l := b.portals[c.id]
		for i, d := range append(l.Invoices[:len(l.Invoices):len(l.Invoices)], l.CreditNotes...) {
			if d.Status == "voided" {
				continue
			}
			amount, err := amountOf(d.Total, d.Currency)
			if err != nil {
				return err
			}
			if i >= len(l.Invoices) {
				amount = amount.Neg()
			}
			k := b.of(c.id, amount.Currency())
			k.inPortal++
			k.portal = k.portal.Add(amount)
			if total, ok := totals[c.id+" "+d.Number]; ok {
				k.erp = k.erp.Add(total)
			}
			k.apart = k.apart.Add(b.apart(c.id, d.Number, amount))
		}
	}
	return nil
}

// apart is how much a document of the portal is above that of the ERP, as its record says.
func (b *books) apart(company, number string, amount money.Money) money.Money {
	zero := money.Zero(amount.Currency())
	rec := b.known[record.ID(company, "invoice", number)]
	for _, r := range rec.Reasons {
		switch r.Code {
		case plan.ChangedWhenPaid:
			was, err := parseMoney(r.Params["portal"])
			now, err2 := parseMoney(r.Params["total"])
			if err == nil && err2 == nil {
				return was.Sub(now)
			}
		case plan.NoLongerPosted, plan.GoneInERP, plan.GoneWhenPaid:
			if was, err := amountOf(rec.PortalTotal, rec.Currency); err == nil {
				return was
			}
		}
	}
	return zero
}

// parseMoney reads an amount with its currency, as reasons have it.
func parseMoney(text string) (money.Money, error) {
	amount, currency, _ := strings.Cut(text, " ")
	return amountOf(amount, currency)
}

// paymentOf is the portal's id of the payment that a receipt of the ERP was posted for; "" for other receipts.
func (b *books) paymentOf(company string, r q360sim.LedgerReceipt) string {
	if id, ok := strings.CutPrefix(r.Reference, "IVD-"); ok {
		id, _, _ = strings.Cut(id, "-")
		return id
	}
	for _, rec := range b.records {
		if rec.Company == company && slices.ContainsFunc(rec.Receipts, func(x record.Receipt) bool { return x.Number == r.ReceiptNo }) {
			return rec.SourceID // one that was keyed in by hand
		}
	}
	return ""
}

// addMoney compares the payments of the portal with the receipts of the ERP.
func (b *books) addMoney() error {
	posted := map[string]bool{}
	for _, l := range b.erp.Books {
		c, err := b.world.companyOf(l.CompanyNo)
		if err != nil {
			return err
		}
		cur, err := money.ParseCurrency(l.Currency)
		if err != nil {
			return err
		}
		for _, r := range l.Receipts {
			if id := b.paymentOf(c.id, r); id != "" {
				posted[c.id+" "+id] = true
				if err := b.of(c.id, cur).addReceipt(r); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range b.world.branches {
		for _, p := range b.portals[c.id].Payments {
			if err := b.addPayment(c.id, p, posted[c.id+" "+strconv.FormatInt(p.ID, 10)]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *books) addPayment(company string, p invoicedsim.LedgerPayment, posted bool) error {
	amount, err := amountOf(p.Amount, p.Currency)
	if err != nil {
		return err
	}
	gone := p.Voided || p.Status == "failed"
	if amount.IsZero() || p.Status == "pending" || gone && !posted {
		return nil // no cash came
	}
	k := b.of(company, amount.Currency())
	k.settled = k.settled.Add(amount)
	rec := b.known[record.ID(company, "payment", strconv.FormatInt(p.ID, 10))]
	switch {
	case !posted && rec.Status != record.Synced && rec.Summary != "":
		k.waiting = k.waiting.Add(amount)
	case gone:
		k.back = k.back.Add(amount)
	case p.Refunded != "":
		back, err := amountOf(p.Refunded, p.Currency)
		if err != nil {
			return err
		}
		k.back = k.back.Add(back)
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

// addTasks adds what arbridge tells people to do about money that went back, if the receipt it names is in the ERP.
func (b *books) addTasks() error {
	numbers := map[string]bool{}
	for _, l := range b.erp.Books {
		for _, r := range l.Receipts {
			numbers[r.ReceiptNo] = true
		}
	}
	for _, rec := range b.records {
		for _, r := range rec.Reasons {
			switch r.Code {
			case plan.ReversedAfter, plan.Refunded, plan.RefundedWhole:
				amount, err := parseMoney(r.Params["amount"])
				if err != nil {
					return err
				}
				if named := strings.Split(r.Params["receipt"], ", "); !slices.ContainsFunc(named, func(n string) bool { return !numbers[n] }) {
					k := b.of(rec.Company, amount.Currency())
					k.tasks = k.tasks.Add(amount)
				}
			}
		}
	}
	return nil
}

// list makes the rows of what is out of step, or worth knowing.
func (b *books) list() {
	b.rows = b.unposted()
	for _, r := range b.records {
		reasons := r.Reasons
		if r.Status == record.Synced || r.Status == record.Variance {
			reasons = plan.Without(plan.Notes(reasons), plan.MailUnknown) // by chance, and told apart
		}
		if len(reasons) == 0 && (r.Status == record.Synced || r.Status == record.Variance) {
			continue
		}
		kind := string(r.Kind)
		if r.PortalKind == "credit_note" {
			kind = "credit_note"
		}
		b.rows = append(b.rows, row{
			company: r.Company, kind: kind, number: r.SourceID, status: r.Status, reasons: reasons, text: plan.Text(reasons), currency: r.Currency, amount: r.PortalTotal,
		})
	}
	slices.SortFunc(b.rows, func(x, y row) int {
		return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(string(x.status), string(y.status)), strings.Compare(x.code(), y.code()),
			b.rank(x.company)-b.rank(y.company), strings.Compare(x.number, y.number))
	})
}

func (b *books) rank(company string) int {
	return slices.IndexFunc(b.world.branches, func(c branch) bool { return c.id == company })
}

// unposted are the documents that arbridge never sees, because the ERP has not posted them.
func (b *books) unposted() []row {
	var out []row
	for _, l := range b.erp.Books {
		c, err := b.world.companyOf(l.CompanyNo)
		for _, inv := range l.Invoices {
			if _, seen := b.known[record.ID(c.id, "invoice", inv.InvoiceNo)]; err == nil && !inv.Posted && !seen {
				out = append(out, row{company: c.id, kind: "invoice", number: inv.InvoiceNo, status: record.Skipped, text: plan.Because(plan.NotPosted).Text()})
			}
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
