package reconcile

import (
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

// The codes of explanations that no plan gives.
const (
	codeNone      = "unexplained"
	codeOverdue   = "overdue"
	codeNotPolled = "not_polled_yet"
	codeOnItsWay  = "event_on_its_way"
	codeFollows   = "follows"
	codeByHand    = "keyed_by_hand"
	codeOnAccount = "on_account"
	codeLater     = "applied_later"
	codeUnchecked = "receipts_not_listed"
	codeElsewhere = "other_company"
)

const (
	// overdue is how long work may be due before it counts as not being done.
	overdue = 24 * time.Hour
	// pollGrace is how long a change in the ERP may take to be polled and worked on, where polls go on.
	pollGrace = 10 * time.Minute
	// eventGrace is how long the event of a change in the portal may take, gap fills included.
	eventGrace = 2 * time.Hour
)

// explain gives a difference the reasons of our record, or else says in words what is wrong and what would mend it.
func (c *comparison) explain(d *Difference, rec *Record, why, action string) {
	d.Code, d.Why, d.Action = codeNone, why, c.command(action)
	if rec == nil || rec.done() {
		return
	}
	d.Why = c.recordText(rec)
	if c.late(rec) {
		d.Code, d.Action = codeOverdue, c.command("arbridge sync "+rec.Number)
		d.Why += "; that has been due since " + time.Unix(rec.Due, 0).UTC().Format("2006-01-02 15:04") + " UTC"
		return
	}
	d.Explained, d.Code, d.Action = true, string(rec.Status), ""
	if len(rec.Reasons) > 0 {
		d.Code = string(rec.Reasons[0].Code)
	}
	if rec.Status == record.Attention || rec.Status == record.Reversed {
		d.Action = "arbridge show " + rec.Number
	}
}

// command names the company in a command of arbridge, because another company may have the number, too.
func (c *comparison) command(action string) string {
	if before, number, found := strings.Cut(action, "arbridge sync "); found {
		return before + "arbridge sync " + number + " --company " + c.in.Company
	}
	return action
}

// recordText is what a record says of itself; records that say the same share the text.
func (c *comparison) recordText(rec *Record) string {
	text, said := c.said[rec.Standing]
	if !said {
		text = rec.Standing.text()
		c.said[rec.Standing] = text
	}
	return text
}

func (s *Standing) text() string {
	words := strings.ReplaceAll(string(s.Status), "_", " ")
	switch s.Status {
	case record.Scheduled, record.Working:
		words = "is being worked on"
	case record.Unknown:
		words = "the answer to a write was lost; it is being looked up"
	}
	if text := plan.Text(s.Reasons); text != "" {
		return words + ": " + text
	}
	return words
}

// late reports whether arbridge should have worked on the record long ago.
func (c *comparison) late(rec *Record) bool {
	switch rec.Status {
	case record.Scheduled, record.Working, record.Waiting, record.Unknown:
		set := c.in.Settings
		return rec.Due != 0 && set.Enabled && set.Mode != settings.ModePaused && c.in.At.Sub(time.Unix(rec.Due, 0)) > overdue
	}
	return false
}

// decide asks the plan about an ERP document that we have no record of. certain says that the plan needs to look further,
// because nothing keeps the document out of the portal.
func (c *comparison) decide(e *Document) (p plan.Plan, belongs bool) {
	p = plan.Invoice(plan.InvoiceInput{Source: e.header(), Settings: c.in.Settings})
	return p, p.Has(plan.WaitsForCustomer) || p.Has(plan.NeedLook) || p.Has(plan.NeedFile)
}

// belongs reports whether a posted document that is not in the portal should be there.
func (c *comparison) belongs(e *Document, rec *Record) bool {
	if rec != nil {
		return rec.Status != record.Skipped && rec.Status != record.Ignored
	}
	_, yes := c.decide(e)
	return yes
}

// planned explains why a document without a record is not in the portal: by the plan, or because nobody has seen it yet.
func (c *comparison) planned(d *Difference, e *Document, why, action string) {
	p, belongs := c.decide(e)
	switch {
	case !belongs:
		d.Explained, d.Why = true, string(p.Verdict)+": "+plan.Text(p.Reasons)
		d.Code = string(p.Verdict)
		if len(p.Reasons) > 0 {
			d.Code = string(p.Reasons[0].Code)
		}
	case c.notPolled(e):
		d.Explained, d.Code = true, codeNotPolled
		d.Why = "changed in the ERP at " + time.Unix(e.Modified, 0).UTC().Format("2006-01-02 15:04") + " UTC; the next poll takes it"
	default:
		d.Code, d.Why, d.Action = codeNone, why+"; arbridge does not know it", c.command(action)
	}
}

// notPolled reports whether the document changed too lately for arbridge to know it.
func (c *comparison) notPolled(e *Document) bool {
	if e.Modified == 0 || c.in.Polled.IsZero() {
		return false
	}
	return e.Modified >= c.in.Polled.Unix() || c.in.At.Sub(time.Unix(e.Modified, 0)) < pollGrace
}

// plannedPayment explains why a settled payment without a record has no receipt.
func (c *comparison) plannedPayment(d *Difference, p *Payment) {
	in := plan.PaymentInput{Payment: p.full(c.in.Settings.TimeZone), Settings: c.in.Settings, Invoices: c.paid(p)}
	what := plan.Payment(in)
	switch {
	case what.Verdict == plan.Skip, what.Has(plan.UnknownInvoice) && len(in.Invoices) == 0:
		d.Explained, d.Code, d.Why = true, string(what.Reasons[0].Code), string(what.Verdict)+": "+plan.Text(what.Reasons)
	case p.Updated != 0 && c.in.At.Sub(time.Unix(p.Updated, 0)) < eventGrace:
		d.Explained, d.Code, d.Why = true, codeOnItsWay, "changed a short time ago; its event may be on its way"
	default:
		d.Kind, d.Code = Untold, codeNone
		d.Why, d.Action = "settled, and no event told arbridge of it", "send the payment's webhook again in the portal"
	}
}

// paid are the ERP's balances of the invoices that a payment pays, by the portal's id, as far as they are ours.
func (c *comparison) paid(p *Payment) map[string]billing.Balance {
	out := map[string]billing.Balance{}
	for _, a := range p.Parts {
		rec := c.record(c.byPortal.find(a.InvoiceID))
		if a.Type != billing.ApplyInvoice || rec == nil {
			continue
		}
		if e := at(c.in.ERP.Documents, c.erp.find(rec.Number)); e != nil {
			out[a.InvoiceID] = billing.Balance{Number: e.Number, CompanyNo: e.Company, CustomerNo: e.Customer, Currency: e.Currency,
				Total: money.FromMinor(e.Total, e.Currency), Balance: money.FromMinor(e.Balance, e.Currency), Posted: e.Posted}
		}
	}
	return out
}

// reversed reports what the plan says became of a payment's money after its receipts were posted; nil when it stayed.
func (c *comparison) reversed(p *Payment, receipts []int32) []plan.Reason {
	in := plan.PaymentInput{Payment: p.full(c.in.Settings.TimeZone), Settings: c.in.Settings, Posted: map[string]billing.Receipt{}, Complete: true}
	for _, i := range receipts {
		r := &c.in.ERP.Receipts[i]
		in.Posted[r.Reference] = billing.Receipt{Number: r.Number, Reference: r.Reference, Amount: money.FromMinor(r.Amount, r.Currency)}
	}
	if what := plan.Payment(in); what.Verdict == plan.Conflict {
		return what.Reasons
	}
	return nil
}

// feeExcluded reports whether the plan leaves the payment's convenience fee out of its receipts.
func (c *comparison) feeExcluded(p *Payment, rec *Record) bool {
	if rec != nil && (plan.Plan{Reasons: rec.Reasons}).Has(plan.FeeExcluded) {
		return true
	}
	set := c.in.Settings
	set.Payments.Overpayment = "on_account" // what it pays may be paid by now
	return plan.Payment(plan.PaymentInput{Payment: p.full(set.TimeZone), Settings: set, Invoices: c.paid(p)}).Has(plan.FeeExcluded)
}

// partlyPaid is what the record says was settled in the ERP before the document went over, in minor units.
func partlyPaid(rec *Record, cur money.Currency) int64 {
	if rec == nil {
		return 0
	}
	for _, r := range rec.Reasons {
		if r.Code == plan.PartlyPaidInERP {
			if m, err := money.Parse(strings.TrimSuffix(r.Params["paid"], " "+string(cur)), cur); err == nil {
				return m.Minor()
			}
		}
	}
	return 0
}
