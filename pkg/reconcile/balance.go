package reconcile

import (
	"cmp"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
)

// effect is what a payment, a receipt or a credit did to the balance of a document in one of the systems: positive in the
// portal, negative in the ERP, so that the effects on a document add up to the ERP's balance minus the portal's.
type effect struct {
	gap     int32
	group   int32 // of our payments and receipts
	receipt int32 // that is not ours
	credit  bool
	amount  int64
	applied int64 // in the ERP, by receipts of ours
}

// effects finds what was applied to the documents whose balances differ, sorted by document, one for each cause. pending
// is what payments on their way pay of each.
func (c *comparison) effects() (effects []effect, pending []int64) {
	if len(c.gaps) == 0 {
		return nil, nil
	}
	pending = make([]int64, len(c.gaps))
	byPortal, byNumber := make(map[string]int32, len(c.gaps)), make(map[string]int32, len(c.gaps))
	for i := range c.gaps {
		byPortal[c.gaps[i].portal.ID], byNumber[c.gaps[i].erp.Number] = int32(i), int32(i)
	}
	for g := range c.groups {
		p := at(c.in.Portal.Payments, c.groups[g].payment)
		if p != nil && !p.Voided && !(p.Charged && p.Status == billing.ChargeFailed) {
			effects = c.inPortal(effects, pending, int32(g), p, byPortal)
		}
	}
	for i := range c.in.ERP.Receipts {
		effects = c.inERP(effects, int32(i), byNumber)
	}
	return c.folded(effects), pending
}

// inPortal adds what a payment that was not taken back pays of the documents.
func (c *comparison) inPortal(effects []effect, pending []int64, g int32, p *Payment, gaps map[string]int32) []effect {
	for _, a := range p.Parts {
		k, ok := gaps[a.InvoiceID]
		if !ok || a.InvoiceID == "" || p.Currency != c.gaps[k].erp.Currency {
			continue
		}
		switch a.Type {
		case billing.ApplyCreditNote, billing.ApplyAppliedCredit:
			effects = append(effects, effect{gap: k, group: g, receipt: none, credit: true, amount: a.Amount})
		case billing.ApplyInvoice:
			if p.settled() {
				effects = append(effects, effect{gap: k, group: g, receipt: none, amount: a.Amount})
			} else {
				pending[k] += a.Amount
			}
		}
	}
	return effects
}

// inERP adds what a receipt pays of the documents.
func (c *comparison) inERP(effects []effect, i int32, gaps map[string]int32) []effect {
	r := &c.in.ERP.Receipts[i]
	for _, l := range r.Lines {
		k, ok := gaps[l.Invoice]
		if !ok || r.Currency != c.gaps[k].erp.Currency {
			continue
		}
		e := effect{gap: k, group: c.groupOf[i], receipt: none, amount: -l.Amount}
		if e.group == none {
			e.receipt = i
		} else {
			e.applied = l.Amount
		}
		effects = append(effects, e)
	}
	return effects
}

// folded adds up the effects of one cause on one document, and sorts them.
func (c *comparison) folded(effects []effect) []effect {
	compare := func(a, b effect) int {
		return cmp.Or(cmp.Compare(a.gap, b.gap), cmp.Compare(a.group, b.group), cmp.Compare(a.receipt, b.receipt), truth(a.credit)-truth(b.credit))
	}
	slices.SortStableFunc(effects, compare)
	out := effects[:0]
	for _, e := range effects {
		if n := len(out); n > 0 && compare(out[n-1], e) == 0 {
			out[n-1].amount += e.amount
			out[n-1].applied += e.applied
			continue
		}
		out = append(out, e)
	}
	return out
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// balances explains the documents whose balances differ, each cent by what caused it.
func (c *comparison) balances() {
	slices.SortFunc(c.gaps, func(a, b gap) int { return cmp.Compare(a.pair.number, b.pair.number) })
	effects, pending := c.effects()
	for i := range c.gaps {
		n := 0
		for n < len(effects) && effects[n].gap == int32(i) {
			n++
		}
		c.balance(&c.gaps[i], effects[:n], pending[i])
		effects = effects[n:]
	}
}

// balance explains one document's balances: first by what is known to have been applied on one side only, then the rest.
func (c *comparison) balance(g *gap, effects []effect, pending int64) {
	rest := g.erp.Balance - g.portal.Balance
	if total := g.erp.Total - g.portal.Total; total != 0 {
		d := c.part(g, BalanceDiffers, total)
		d.follows("follows from its total")
		c.add(d)
		rest -= total
	}
	var applied int64
	for _, e := range effects {
		applied += e.applied
		if e.amount == 0 {
			continue
		}
		c.add(c.effectLine(g, e))
		rest -= e.amount
	}
	if rest != 0 {
		c.add(c.leftover(g, rest, applied, pending))
	}
}

// part is a line that explains part of the difference between two balances.
func (c *comparison) part(g *gap, kind Kind, amount int64) Difference {
	d := g.pair.line(kind, g.erp, g.portal, g.period)
	d.Class = Balances
	return d.of2(kind, g.erp.Balance, g.portal.Balance, amount)
}

// follows makes the line a consequence of another one, which has the money at stake.
func (d *Difference) follows(why string) {
	d.Explained, d.Code, d.Why, d.Stake = true, codeFollows, why, 0
}

func (c *comparison) effectLine(g *gap, e effect) Difference {
	d := c.part(g, BalanceDiffers, e.amount)
	amount := d.amount(magnitude(e.amount)).String()
	switch {
	case e.receipt != none:
		r := &c.in.ERP.Receipts[e.receipt]
		d.Kind, d.Receipt, d.Reference, d.Explained, d.Code = PaidOutside, r.Number, r.Reference, true, codeByHand
		d.Why = "receipt " + r.Number + " over " + amount + " was keyed in by hand on " + string(r.Date) + "; the portal's balance is wrong by it"
		d.Action = "record " + amount + " as paid on it in the portal, or the customer may pay twice"
	case e.credit:
		d.Kind, d.Explained, d.Code = CreditUsed, true, "credit_applied"
		d.Why = amount + " of credit was applied to it in the portal and not in the ERP"
		d.Action = "apply the credit in the ERP, too"
	case c.groups[e.group].differs:
		d.follows("follows from payment " + c.groups[e.group].id)
	case magnitude(e.amount) <= c.onAccount(&c.groups[e.group]) && (g.erp.Balance <= 0 || raised(g.rec)):
		group := &c.groups[e.group]
		d.Receipt, d.Reference = c.in.ERP.Receipts[group.receipts[0]].Number, c.in.ERP.Receipts[group.receipts[0]].Reference
		d.Explained, d.Code = true, codeOnAccount
		d.Why = "payment " + group.id + " paid more than was owed: " + amount + " of receipt " + d.Receipt + " stays on the customer's account"
		d.Action = "apply it to another invoice in the ERP, or refund it"
		if g.erp.Balance > 0 {
			d.Action = "apply it to this invoice in the ERP, as far as that is open"
		}
	default:
		group := &c.groups[e.group]
		if len(group.receipts) > 0 {
			d.Receipt, d.Reference = c.in.ERP.Receipts[group.receipts[0]].Number, c.in.ERP.Receipts[group.receipts[0]].Reference
		}
		c.explain(&d, c.record(group.rec), "payment "+group.id+" and its receipt do not pay the same of it", "compare the lines of receipt "+d.Receipt+" with the payment")
	}
	return d
}

// raised reports whether a document was changed in the ERP after it was paid, so that something can be owed of it again.
func raised(rec *Record) bool {
	return rec != nil && slices.ContainsFunc(rec.Reasons, func(r plan.Reason) bool { return r.Code == plan.ChangedWhenPaid })
}

// onAccount is what the receipts of a payment left on the customer's account.
func (c *comparison) onAccount(g *group) (sum int64) {
	for _, i := range g.receipts {
		sum += c.in.ERP.Receipts[i].OnAccount
	}
	return sum
}

// leftover is what no payment and no receipt explains of the difference between two balances.
func (c *comparison) leftover(g *gap, rest, applied, pending int64) Difference {
	d := c.part(g, BalanceDiffers, rest)
	amount := d.amount(magnitude(rest)).String()
	switch {
	case pending != 0 && rest == pending:
		d.Explained, d.Code, d.Stake, d.Why = true, "payment_pending", 0, "a payment over "+amount+" is on its way in the portal"
	case g.erp.Kind == billing.KindCreditNote && rest < 0:
		d.Kind, d.Explained, d.Code = CreditUsed, true, "credit_applied"
		d.Why, d.Action = amount+" of it was used in the portal and not in the ERP", "apply the credit in the ERP, too"
	case c.in.Later && rest > 0 && rest <= applied:
		d.Explained, d.Code, d.Stake = true, codeLater, 0
		d.Why = "receipts over " + amount + " are in the ERP and not applied there yet (receipts.applied_when)"
	case rest < 0 && -rest <= partlyPaid(g.rec, g.erp.Currency):
		d.Kind, d.Explained, d.Code = PaidOutside, true, "partly_paid_in_erp"
		d.Why, d.Action = amount+" was settled in the ERP before it went over", "record it as paid in the portal, or the customer may pay twice"
	case rest < 0 && c.in.NoReceipts != "":
		d.Explained, d.Code, d.Why = true, codeUnchecked, "the ERP's balance is lower by "+amount+"; "+c.in.NoReceipts
	case rest < 0:
		d.Kind = PaidOutside
		c.explain(&d, g.rec, "the ERP's balance fell by "+amount+" and no receipt since "+string(c.in.Since)+" explains it",
			"find out what was booked in the ERP and record it in the portal, or the customer may pay it again")
	default:
		c.explain(&d, g.rec, "the portal's balance is lower by "+amount+" and no payment since "+string(c.in.Since)+" explains it",
			"find out what was entered in the portal")
	}
	return d
}
