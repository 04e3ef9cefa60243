package reconcile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
)

// group is a payment with its receipts, or receipts whose payment is not there.
type group struct {
	id       string
	payment  int32
	rec      int32
	receipts []int32 // by reference and number
	differs  bool    // a difference of it was noted
}

// paymentOf returns the id of the payment that a reference of our receipts names.
func (c *comparison) paymentOf(r *Receipt) (string, bool) {
	if id, ok := c.adopted[r.Number]; ok {
		return id, true
	}
	prefix := c.in.Settings.Payments.ReferencePrefix
	id, ours := strings.CutPrefix(r.Reference, prefix)
	if prefix == "" || !ours || id == "" {
		return "", false
	}
	if c.byID.has(id) || c.payments.has(id) {
		return id, true
	}
	if i := strings.LastIndexByte(id, '-'); i > 0 && strings.Trim(id[i+1:], "0123456789") == "" && i+1 < len(id) {
		return id[:i], true // the second and later receipts of a payment
	}
	return id, true
}

// group puts payments and their receipts together.
func (c *comparison) group() {
	of := newIndex(len(c.in.Portal.Payments), func(i int32) string { return c.groups[i].id })
	c.groups = make([]group, len(c.in.Portal.Payments))
	for i := range c.in.Portal.Payments {
		id := c.in.Portal.Payments[i].ID
		c.groups[i] = group{id: id, payment: int32(i), rec: c.byID.find(id)}
		of.put(int32(i))
	}
	c.groupOf = make([]int32, len(c.in.ERP.Receipts))
	for i := range c.in.ERP.Receipts {
		c.groupOf[i] = none
		id, ours := c.paymentOf(&c.in.ERP.Receipts[i])
		if !ours {
			continue
		}
		k := of.find(id)
		if k == none {
			k = int32(len(c.groups))
			c.groups = append(c.groups, group{id: id, payment: none, rec: c.byID.find(id)})
			of.put(k)
		}
		c.groups[k].receipts = append(c.groups[k].receipts, int32(i))
		c.groupOf[i] = k
	}
	for i := range c.groups {
		slices.SortFunc(c.groups[i].receipts, func(a, b int32) int {
			x, y := &c.in.ERP.Receipts[a], &c.in.ERP.Receipts[b]
			return cmp.Or(cmp.Compare(x.Reference, y.Reference), cmp.Compare(x.Number, y.Number))
		})
	}
}

// byHand counts the receipts that are not ours.
func (c *comparison) byHand() {
	for i := range c.in.ERP.Receipts {
		if r := &c.in.ERP.Receipts[i]; c.groupOf[i] == none && c.inside(r.Date) {
			b := c.book(r.Currency, c.period(r.Date))
			b.ByHand.add(r.Amount, r.Currency)
		}
	}
}

// cash is a group's money while it is compared.
type cash struct {
	g       *group
	p       *Payment
	rec     *Record
	b       *Book
	d       Difference // what every line of it has
	posted  int64      // own receipts
	elsewhr int64      // receipts in other companies
}

// money compares a payment with its receipts. Both count in the period of the first receipt: a receipt may be dated by the
// settlement, or moved to an open period.
func (c *comparison) money(g *group) {
	p := at(c.in.Portal.Payments, g.payment)
	x := cash{g: g, p: p, rec: c.record(g.rec), d: Difference{Class: Money, Object: billing.KindPayment, Number: g.id, PortalID: g.id}}
	if p != nil {
		x.d.Date, x.d.Currency, x.d.Customer = p.Date, p.Currency, c.payer(p)
	}
	if len(g.receipts) > 0 {
		r := &c.in.ERP.Receipts[g.receipts[0]]
		x.d.Date, x.d.Customer, x.d.Reference, x.d.Receipt = r.Date, r.Customer, r.Reference, r.Number
		if p == nil {
			x.d.Currency, x.d.Object = r.Currency, billing.KindReceipt
		}
	}
	if !c.inside(x.d.Date) {
		return
	}
	x.d.Period = c.period(x.d.Date)
	x.b = c.book(x.d.Currency, x.d.Period)
	before := c.out.n
	if p != nil {
		x.count()
	}
	c.countReceipts(&x)
	if c.in.NoReceipts == "" {
		c.settle(&x)
	} else if p != nil && p.net() != 0 {
		d := x.d.of2(NotPosted, 0, p.net(), -p.net())
		d.Explained, d.Code, d.Why, d.Stake = true, codeUnchecked, "not compared: "+c.in.NoReceipts, 0
		c.add(d)
	}
	g.differs = c.out.n > before
}

// payer is the ERP's number of the customer whose documents a payment pays, as far as our records tell.
func (c *comparison) payer(p *Payment) string {
	for _, a := range p.Parts {
		if rec := c.record(c.byPortal.find(a.InvoiceID)); rec != nil && a.InvoiceID != "" {
			return rec.Customer
		}
	}
	return ""
}

func (x *cash) count() {
	p, cur := x.p, x.p.Currency
	switch {
	case p.settled() && p.Amount != 0:
		x.b.Payments.add(p.Amount, cur)
	case p.Charged && !p.Voided && p.Status == billing.ChargePending:
		x.b.Pending.add(p.Amount, cur)
	}
	if !p.settled() {
		return
	}
	for _, s := range []struct {
		to     *Sum
		amount int64
	}{{&x.b.GoneBack, p.Refunded}, {&x.b.FeesPortal, p.fee()}, {&x.b.Unapplied, p.Unapply}} {
		if s.amount != 0 {
			s.to.add(s.amount, cur)
		}
	}
}

// countReceipts counts the receipts of the group and tells of those that are there twice, in another currency than their
// payment, or in another company.
func (c *comparison) countReceipts(x *cash) {
	last := ""
	for n, i := range x.g.receipts {
		r := &c.in.ERP.Receipts[i]
		d := x.d
		d.Reference, d.Receipt, d.Object = r.Reference, r.Number, billing.KindReceipt
		twice := n > 0 && r.Reference == last && c.adopted[r.Number] == ""
		last = r.Reference
		switch {
		case r.Company != c.in.Settings.Q360Company:
			x.elsewhr += r.Amount
			d = d.of2(OtherCompany, 0, 0, -r.Amount)
			d.Explained, d.Code, d.Stake, d.Why = true, codeElsewhere, 0, "receipt "+r.Number+" of it is in company "+r.Company+" of the ERP"
			c.add(d)
			continue
		case r.Currency != x.d.Currency:
			b := c.book(r.Currency, x.d.Period)
			b.Receipts.add(r.Amount, r.Currency)
			d.Currency = r.Currency
			d = d.of2(CurrencyDiffers, r.Amount, 0, r.Amount)
			c.explain(&d, nil, "receipt "+r.Number+" is in "+string(r.Currency)+", and the payment in "+string(x.d.Currency), "correct the receipt in the ERP")
			c.add(d)
			continue
		case twice:
			d = d.of2(SeveralReceipts, r.Amount, 0, r.Amount)
			c.explain(&d, nil, "the ERP has more than one receipt with reference "+r.Reference, "reverse receipt "+r.Number+" in the ERP if the money came once")
			c.add(d)
		default:
			x.posted += r.Amount
		}
		x.b.Receipts.add(r.Amount, r.Currency)
		if r.Fees != 0 {
			x.b.FeesERP.add(r.Fees, r.Currency)
		}
		if r.OnAccount != 0 {
			x.b.OnAccount.add(r.OnAccount, r.Currency)
		}
	}
}

// of2 gives a line both amounts and the part that it explains.
func (d Difference) of2(kind Kind, erp, portal, amount int64) Difference {
	d.Kind, d.ERP, d.Portal, d.Amount, d.Stake = kind, erp, portal, amount, magnitude(amount)
	return d
}

// settle explains what the receipts lack of the payment's money, or have beyond it.
func (c *comparison) settle(x *cash) {
	if x.p == nil {
		c.withoutPayment(x)
		return
	}
	net := x.p.net()
	rest := x.posted + x.elsewhr - net
	switch {
	case rest == 0 && (x.p.Refunded == 0 || net != 0 && x.posted == 0):
	case !x.p.settled():
		d := x.d.of2(PaymentNotSettled, x.posted, 0, rest)
		c.explainReversal(x, &d, "the payment did not settle, and its receipt is in the ERP")
		c.add(d)
	case x.posted == 0 && x.elsewhr == 0 && net != 0:
		c.notPosted(x, net)
	default:
		c.differs(x, rest)
	}
}

func (c *comparison) explainReversal(x *cash, d *Difference, why string) {
	reasons := c.reversed(x.p, x.g.receipts)
	c.explain(d, x.rec, why, "reverse receipt "+x.d.Receipt+" in the ERP")
	if len(reasons) > 0 && !d.Explained {
		d.Explained, d.Code, d.Why = true, string(reasons[0].Code), plan.Text(reasons)
	}
}

// withoutPayment tells of receipts under our references whose payment the portal does not have.
func (c *comparison) withoutPayment(x *cash) {
	if x.posted == 0 {
		return
	}
	d := x.d.of2(WithoutPayment, x.posted, 0, x.posted)
	why := "has our reference, and the portal has no such payment"
	switch other := c.in.Elsewhere[x.d.Reference]; {
	case other != "":
		d.Kind, d.Explained, d.Code, d.Stake = OtherCompany, true, codeElsewhere, 0
		d.Why = "belongs to payment " + x.g.id + " of company " + other
	case x.rec != nil:
		d.Kind, why = PaymentDeleted, "the payment is gone in the portal, and its receipt is in the ERP"
		c.explain(&d, x.rec, why, "reverse receipt "+x.d.Receipt+" in the ERP if the money did not come")
	default:
		c.explain(&d, nil, why, "find out who keyed receipt "+x.d.Receipt+" in, and give it another reference")
	}
	c.add(d)
}

// notPosted explains a settled payment without any receipt.
func (c *comparison) notPosted(x *cash, net int64) {
	d := x.d.of2(NotPosted, 0, net, -net)
	switch {
	case x.rec == nil:
		c.plannedPayment(&d, x.p)
	case len(x.rec.Receipts) > 0 && x.rec.done() && len(x.g.receipts) == 0:
		var numbers []string
		for _, r := range x.rec.Receipts {
			numbers = append(numbers, r.Number)
		}
		d.Kind, d.Receipt, d.Reference = ReceiptGone, strings.Join(numbers, ", "), x.rec.Receipts[0].Reference
		c.explain(&d, x.rec, "its receipt "+d.Receipt+" was in the ERP and is gone there", "enter the receipt in the ERP again, or find who reversed it")
	default:
		c.explain(&d, x.rec, "settled, and no receipt of it is in the ERP", "arbridge sync "+x.g.id)
	}
	c.add(d)
}

// differs divides what receipts and payment differ by into its causes.
func (c *comparison) differs(x *cash, rest int64) {
	net := x.p.net()
	if fee := x.p.fee(); fee != 0 && rest != 0 && c.feeExcluded(x.p, x.rec) {
		d := x.d.of2(FeeLeftOut, x.posted, net, -fee)
		d.Explained, d.Code, d.Stake = true, string(plan.FeeExcluded), 0
		d.Why = plan.Because(plan.FeeExcluded, "fee", money.FromMinor(fee, x.p.Currency).String()).Text()
		c.add(d)
		rest += fee
	}
	if back := x.p.Refunded; back != 0 && x.posted+x.elsewhr != 0 {
		d := x.d.of2(MoneyWentBack, x.posted, net, back)
		c.explainReversal(x, &d, "money went back after the receipt was posted")
		c.add(d)
		rest -= back
	}
	if rest != 0 {
		d := x.d.of2(AmountDiffers, x.posted, net, rest)
		c.explain(&d, x.rec, "the receipts of the payment are not what it brought", "correct receipt "+x.d.Receipt+" in the ERP")
		c.add(d)
	}
}
