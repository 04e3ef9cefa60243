package reconcile

import (
	"cmp"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
)

// pair is a document on both sides, or on one.
type pair struct {
	number    string
	erp       int32
	portal    int32
	rec       int32
	certainty int8 // of the match
}

// How certain a document of the portal is the ERP's with a number.
const (
	isForeign  int8 = iota
	byItself        // it has the number
	byMetadata      // its metadata say so
	byRecord        // our record names it
)

// owner is the ERP's number of a portal document. others says that it is another company's of the same account.
func (c *comparison) owner(p *Document) (number string, certainty int8, others bool) {
	if r := c.record(c.byPortal.find(p.ID)); r != nil {
		return r.Number, byRecord, false
	}
	if company, number, ok := strings.Cut(p.Owner, "/"); ok {
		return cmp.Or(number, p.Number), byMetadata, company != c.in.Settings.Q360Company
	}
	if c.byNumber.has(p.Number) || c.erp.has(p.Number) {
		return p.Number, byItself, false
	}
	return "", isForeign, false
}

// match finds what belongs together. What is outside of the compared time on the side that has it is left out.
func (c *comparison) match() {
	c.pairs, c.more = make([]pair, len(c.in.ERP.Documents), len(c.in.ERP.Documents)+16), map[int32][]int32{}
	for i := range c.in.ERP.Documents {
		n := c.in.ERP.Documents[i].Number
		c.pairs[i] = pair{number: n, erp: int32(i), portal: none, rec: c.byNumber.find(n)}
	}
	lone := map[string]int32{}
	for i := range c.in.Portal.Documents {
		p := &c.in.Portal.Documents[i]
		number, certainty, others := c.owner(p)
		switch {
		case others:
			continue
		case certainty == isForeign:
			if p.live() && c.compared(p) {
				b := c.book(p.Currency, c.period(p.Date))
				b.Foreign.add(p.Total, p.Currency)
			}
			continue
		}
		k := c.erp.find(number)
		if k == none {
			var have bool
			if k, have = lone[number]; !have {
				if !c.compared(p) {
					continue
				}
				k = int32(len(c.pairs))
				lone[number] = k
				c.pairs = append(c.pairs, pair{number: number, erp: none, portal: none, rec: c.byNumber.find(number)})
			}
		}
		c.assign(k, int32(i), certainty)
	}
}

// assign gives a pair its portal document: the most certain one, and of equals the one that counts.
func (c *comparison) assign(k, i int32, certainty int8) {
	x := &c.pairs[k]
	if x.portal == none {
		x.portal, x.certainty = i, certainty
		return
	}
	have, p := &c.in.Portal.Documents[x.portal], &c.in.Portal.Documents[i]
	if certainty > x.certainty || certainty == x.certainty && have.Voided && !p.Voided {
		c.more[k] = append(c.more[k], x.portal)
		x.portal, x.certainty = i, certainty
		return
	}
	c.more[k] = append(c.more[k], i)
}

// compared reports whether a document belongs to the compared time.
func (c *comparison) compared(d *Document) bool {
	return c.inside(d.Date) || c.in.Open && d.Date < c.in.From && d.Balance != 0 && d.live()
}

// document compares the two sides of one document.
func (c *comparison) document(k int32) {
	x := &c.pairs[k]
	e, p, rec := at(c.in.ERP.Documents, x.erp), at(c.in.Portal.Documents, x.portal), c.record(x.rec)
	if !c.wanted(e, p) {
		return
	}
	first := cmp.Or(e, p)
	period := c.period(first.Date)
	if e.live() {
		c.countPosted(e, p, rec, period)
	}
	if p.live() {
		b := c.book(p.Currency, period)
		b.Portal.add(p.Total, p.Currency)
		if p.Kind == billing.KindCreditNote {
			b.CreditsPortal.add(p.Total, p.Currency)
		}
	}
	for _, i := range c.more[k] {
		c.several(x, &c.in.Portal.Documents[i], period)
	}
	switch {
	case e.live() && p.live() && e.Currency != p.Currency:
		c.otherCurrency(x, e, p, rec, period)
	case e.live() && p.live():
		c.both(x, e, p, rec, period)
	case e.live():
		c.notInPortal(x, e, p, rec, period)
	case p.live():
		c.notInERP(x, e, p, rec, period)
	}
}

// wanted reports whether the document belongs to the compared time: by the ERP's posting date where it is posted there.
func (c *comparison) wanted(e, p *Document) bool {
	if e == nil || !e.Posted {
		return p.live() && c.compared(p)
	}
	if e.Date > c.in.To {
		return false
	}
	return c.compared(e) || c.in.Open && p.live() && p.Balance != 0
}

func (c *comparison) countPosted(e, p *Document, rec *Record, period string) {
	b := c.book(e.Currency, period)
	b.Posted.add(e.Total, e.Currency)
	if e.Kind == billing.KindCreditNote {
		b.CreditsERP.add(e.Total, e.Currency)
	}
	if p.live() || c.belongs(e, rec) {
		b.Qualified.add(e.Total, e.Currency)
	}
}

// line is a difference of a document, without its amounts.
func (x *pair) line(kind Kind, d *Document, p *Document, period string) Difference {
	out := Difference{Kind: kind, Class: Documents, Object: d.Kind, Number: x.number, Date: d.Date, Currency: d.Currency, Period: period}
	if p != nil {
		out.PortalID = p.ID
	}
	if d.ID == "" {
		out.Customer = d.Customer // the portal's ids of customers say nothing to a reader
	}
	return out
}

func (d Difference) of(erp, portal int64) Difference {
	d.ERP, d.Portal, d.Amount = erp, portal, erp-portal
	d.Stake = magnitude(d.Amount)
	return d
}

func magnitude(n int64) int64 { return max(n, -n) }

// both compares a document that both sides have.
func (c *comparison) both(x *pair, e, p *Document, rec *Record, period string) {
	b := c.book(e.Currency, period)
	b.ERPOpen.add(e.Balance, e.Currency)
	b.PortalOpen.add(p.Balance, e.Currency)
	if e.Balance != p.Balance {
		c.gaps = append(c.gaps, gap{pair: x, erp: e, portal: p, rec: rec, period: period})
	}
	if e.Total == p.Total {
		return
	}
	d := x.line(TotalDiffers, e, p, period).of(e.Total, p.Total)
	c.explain(&d, rec, "the portal's total is not the ERP's", "arbridge sync "+x.number)
	c.add(d)
}

func (c *comparison) otherCurrency(x *pair, e, p *Document, rec *Record, period string) {
	here, there := x.line(CurrencyDiffers, e, p, period).of(e.Total, 0), x.line(CurrencyDiffers, p, p, period).of(0, p.Total)
	for _, d := range []Difference{here, there} {
		c.explain(&d, rec, "is in "+string(e.Currency)+" in the ERP and in "+string(p.Currency)+" in the portal",
			"void it in the portal; then arbridge sync "+x.number)
		c.add(d)
	}
}

// notInPortal explains a posted document that the portal does not have, or has voided.
func (c *comparison) notInPortal(x *pair, e, p *Document, rec *Record, period string) {
	d := x.line(MissingInPortal, e, p, period).of(e.Total, 0)
	why, action := "is posted and belongs into the portal, but is not there", "arbridge sync "+x.number
	switch {
	case p != nil:
		d.Kind, why = VoidedInPortal, "was voided in the portal, and counts in the ERP"
		action = "credit it in the ERP, or enter it in the portal again"
	case rec != nil && rec.PortalID != "":
		d.Kind, d.PortalID, why = DeletedInPortal, rec.PortalID, "was in the portal and is gone there, and counts in the ERP"
		action = "credit it in the ERP, or enter it in the portal again"
	}
	if rec == nil {
		c.planned(&d, e, why, action)
	} else {
		c.explain(&d, rec, why, action)
	}
	c.add(d)
}

// notInERP explains a document of ours that the portal has and the ERP has not, or not posted.
func (c *comparison) notInERP(x *pair, e, p *Document, rec *Record, period string) {
	d := x.line(MissingInERP, p, p, period).of(0, p.Total)
	if rec != nil {
		d.Customer = rec.Customer
	}
	why, action := "is in the portal, and the ERP has no such document", "void it in the portal, or restore it in the ERP"
	if e != nil {
		d.Kind, why = UnpostedInERP, "is in the portal, and is not posted in the ERP any more"
		action = "post it in the ERP again, or void it in the portal"
	}
	if paid := p.Total - p.Balance; paid != 0 {
		d.Stake = magnitude(paid)
		why += "; " + d.amount(magnitude(paid)).String() + " of it was paid"
		action = "find where the ERP has the money: the customer paid it"
	}
	c.explain(&d, rec, why, action)
	c.add(d)
}

// several tells of one more document of the portal with the same number.
func (c *comparison) several(x *pair, p *Document, period string) {
	if !p.live() {
		return
	}
	b := c.book(p.Currency, period)
	b.Portal.add(p.Total, p.Currency)
	d := x.line(SeveralInPortal, p, p, period).of(0, p.Total)
	c.explain(&d, nil, "the portal has it more than once", "void the one that is too many in the portal")
	c.add(d)
}

// gap is a document whose balances differ.
type gap struct {
	pair        *pair
	erp, portal *Document
	rec         *Record
	period      string
}
