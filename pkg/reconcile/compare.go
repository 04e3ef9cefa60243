package reconcile

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

// comparison is one Compare at work. Rows are named by their index.
type comparison struct {
	in    *Input
	out   pile
	books map[bookKey]*Book

	byNumber *index            // records of documents
	byPortal *index            // records of documents by the portal's id
	byID     *index            // records of payments
	erp      *index            // documents of the ERP
	payments *index            // of the portal
	adopted  map[string]string // payments by the number of a receipt that was keyed in for them

	pairs   []pair
	more    map[int32][]int32 // further documents of the portal, by pair
	groups  []group
	groupOf []int32 // of receipts, none for those that are not ours
	gaps    []gap
	said    map[*Standing]string // texts of records
}

type bookKey struct {
	currency money.Currency
	period   string
}

// Compare finds every difference between the two sides. It reads nothing but its input: the same input gives the same
// report.
func Compare(in Input) Report {
	c := &comparison{in: &in, books: map[bookKey]*Book{}, said: map[*Standing]string{}}
	c.index()
	c.match()
	c.group()
	for i := range c.pairs {
		c.document(int32(i))
	}
	for i := range c.groups {
		c.money(&c.groups[i])
	}
	c.byHand()
	c.balances()
	return c.report()
}

func (c *comparison) index() {
	in := c.in
	number := func(i int32) string { return in.Records[i].Number }
	c.byNumber, c.byID = newIndex(len(in.Records), number), newIndex(len(in.Portal.Payments), number)
	c.byPortal = newIndex(len(in.Records), func(i int32) string { return in.Records[i].PortalID })
	c.adopted = map[string]string{}
	for i := range in.Records {
		r := &in.Records[i]
		if r.Kind == billing.KindPayment {
			c.byID.put(int32(i))
			for _, x := range r.Receipts {
				if x.Adopted {
					c.adopted[x.Number] = r.Number
				}
			}
			continue
		}
		c.byNumber.put(int32(i))
		if r.PortalID != "" {
			c.byPortal.put(int32(i))
		}
	}
	c.erp = all(in.ERP.Documents, func(d *Document) string { return d.Number })
	c.payments = all(in.Portal.Payments, func(p *Payment) string { return p.ID })
}

// all is an index of all rows.
func all[T any](rows []T, text func(*T) string) *index {
	x := newIndex(len(rows), func(i int32) string { return text(&rows[i]) })
	for i := range rows {
		x.put(int32(i))
	}
	return x
}

func at[T any](rows []T, i int32) *T {
	if i == none {
		return nil
	}
	return &rows[i]
}

func (c *comparison) record(i int32) *Record { return at(c.in.Records, i) }

// book is the one of a currency and period.
func (c *comparison) book(cur money.Currency, period string) *Book {
	k := bookKey{cur, period}
	b := c.books[k]
	if b == nil {
		b = &Book{Company: c.in.Company, Currency: cur, Period: period}
		for _, s := range b.sums() {
			s.Amount = money.Zero(cur)
		}
		c.books[k] = b
	}
	return b
}

func (b *Book) sums() []*Sum {
	return []*Sum{&b.Posted, &b.Qualified, &b.Portal, &b.CreditsERP, &b.CreditsPortal, &b.Foreign, &b.ERPOpen, &b.PortalOpen, &b.Payments,
		&b.Pending, &b.GoneBack, &b.Receipts, &b.ByHand, &b.FeesPortal, &b.FeesERP, &b.Unapplied, &b.OnAccount, &b.Explained, &b.Unexplained}
}

// period is the month of a date, Earlier before the compared time.
func (c *comparison) period(d billing.Date) string {
	if d < c.in.From || len(d) < 7 {
		return Earlier
	}
	return string(d[:7])
}

func (c *comparison) inside(d billing.Date) bool { return d >= c.in.From && d <= c.in.To }

// add notes a difference.
func (c *comparison) add(d Difference) { c.out.add(d) }

func (c *comparison) report() Report {
	r := Report{Company: c.in.Company, From: c.in.From, To: c.in.To, Differences: c.out.take()}
	for i := range r.Differences {
		d := &r.Differences[i]
		b := c.book(d.Currency, d.Period)
		if d.Explained {
			b.Explained.add(d.Stake, d.Currency)
		} else {
			b.Unexplained.add(d.Stake, d.Currency)
		}
	}
	sort.Sort(inOrder(r.Differences))
	for _, b := range c.books {
		for _, s := range b.sums() {
			s.settle(b.Currency)
		}
		b.DocumentsGap = b.Posted.Amount.Sub(b.Portal.Amount)
		b.BalancesGap = b.ERPOpen.Amount.Sub(b.PortalOpen.Amount)
		b.MoneyGap = b.Receipts.Amount.Sub(b.Payments.Amount.Sub(b.GoneBack.Amount))
		r.Books = append(r.Books, *b)
	}
	slices.SortFunc(r.Books, func(a, b Book) int {
		early := func(p string) string { return strings.TrimPrefix(p, Earlier) } // before every month
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(early(a.Period), early(b.Period)))
	})
	r.Notes = c.notes()
	return r
}

func (c *comparison) notes() []string {
	var out []string
	if why := c.in.NoReceipts; why != "" {
		out = append(out, "receipts are not compared: "+why)
	}
	const most = 5
	for i, u := range c.in.Unread {
		if i == most {
			out = append(out, "and "+strconv.Itoa(len(c.in.Unread)-most)+" more that could not be read")
			break
		}
		out = append(out, "not compared: "+u)
	}
	return out
}
