package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// syncPayment reads a payment again, decides, and posts its receipts. Events only say that it should be looked at.
func (e *Engine) syncPayment(ctx context.Context, c *Company, id string) error {
	w, err := e.take(ctx, c, billing.KindPayment, id)
	if errors.Is(err, errBusy) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner := e.handedTo(w.rec); owner != nil {
		return e.handOver(ctx, w, owner)
	}
	if strings.HasPrefix(id, unreadableEntry) || strings.HasPrefix(id, unreadableEvent) { // there is no payment to read
		return w.park(ctx, record.Attention, 0, w.rec.Reasons...)
	}
	pay, err := e.readPayment(ctx, w)
	if err != nil {
		return w.unreadPayment(ctx, err)
	}
	if w.behindList() {
		return w.comeBack(ctx, secondLook)
	}
	in := plan.PaymentInput{
		Payment: pay, Settings: c.Settings, Posted: posted(w.rec), Complete: w.rec.Complete, PostedAs: w.rec.PostedAs,
	}
	p := plan.Payment(in) // most events need nothing more: pending, failed, complete, credits
	if wentBack(p) {
		if err := e.regainReceipts(ctx, w, &in); err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		p = plan.Payment(in)
	}
	return e.goOn(ctx, w, in, p)
}

// goOn follows the first plan of a payment: most end with it, the others need the ERP.
func (e *Engine) goOn(ctx context.Context, w *work, in plan.PaymentInput, p plan.Plan) error {
	begun, err := e.begunInERP(ctx, w)
	switch {
	case err != nil:
		return w.fail(ctx, vendorERP, err)
	case p.Has(plan.UnknownInvoice), p.Has(plan.UnknownPayer), p.Verdict == plan.Create, begun && p.Has(plan.Overpayment):
		return e.receivePayment(ctx, w, in)
	case begun && (p.Has(plan.PaymentsOff) || p.Has(plan.NotCharged)): // half of it is there: somebody changed the mode meanwhile
		p.Verdict = plan.Hold
	}
	return e.endPayment(ctx, w, p)
}

// receivePayment plans the receipts of a payment that is cash, with the balances read under the customers' leases.
func (e *Engine) receivePayment(ctx context.Context, w *work, in plan.PaymentInput) error {
	cover, err := e.covered(ctx, w, &in)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if owner := cover.owner(w); owner != w.c {
		return e.handOver(ctx, w, owner)
	}
	if err := e.otherCompanies(ctx, w.c, &in); err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	release, err := e.leaseAll(ctx, cover.leases())
	if errors.Is(err, errBusy) { // another receipt of the customer is being posted; its balances are about to change
		return w.comeBack(ctx, 2*time.Second)
	}
	if err != nil {
		return err
	}
	defer release()
	found, err := e.readBalances(ctx, w.c, cover, &in)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if plan.Payment(in).Has(plan.Overpayment) { // perhaps because somebody keyed it in under our reference
		if err := e.findOwn(ctx, w.c, cover, &in, found, true); err != nil && !cannotFind(err) {
			return w.fail(ctx, vendorERP, err)
		}
	}
	return e.settlePayment(ctx, w, in, found)
}

// settlePayment does what the plan says once everything that it needs is read. found are receipts that are there already.
func (e *Engine) settlePayment(ctx context.Context, w *work, in plan.PaymentInput, found map[string]billing.Receipt) error {
	p, err := w.asBegun(in, found)
	if err != nil {
		return w.fail(ctx, vendorERP, err)
	}
	if p.Verdict == plan.Conflict {
		if w.allThere(in.Payment, found) { // an interrupted run posted it before what it depends on changed
			for _, reference := range slices.Sorted(maps.Keys(found)) {
				if err := e.closeReceipt(ctx, w, nil, found[reference]); err != nil {
					return w.fail(ctx, vendorERP, err)
				}
				w.addReceipt(found[reference], found[reference].Number, "found in the ERP")
			}
			return e.completed(ctx, w, in, nil)
		}
		if err := e.keepFound(ctx, w, found); err != nil {
			return w.fail(ctx, vendorERP, err)
		}
		p.Reasons = append(p.Reasons, w.begun(found)...)
	}
	switch {
	case p.Has(plan.HeldForEntry):
		return e.closeHeld(ctx, w, in, p, found)
	case p.Has(plan.Overpayment):
		return e.overpaid(ctx, w, in, p)
	case p.Verdict == plan.None: // the last of its receipts was found, or adopted
		return e.completed(ctx, w, in, nil)
	case p.Verdict != plan.Create:
		return e.endPayment(ctx, w, p)
	}
	e.planned(w, p)
	if reason, stop := e.writesStopped(w, p); stop {
		return w.park(ctx, record.Waiting, time.Hour, append(p.Reasons, reason)...)
	}
	return e.postReceipts(ctx, w, in, p, found)
}

// writesStopped reports whether the mode of a company that gets one of the receipts forbids writing.
func (e *Engine) writesStopped(w *work, p plan.Plan) (plan.Reason, bool) {
	for _, s := range p.Steps {
		of := work{e: e, c: e.onSite(w.c, s.Receipt.CompanyNo)}
		if reason, stop := of.stopped(); stop {
			return reason, true
		}
	}
	return w.stopped()
}

// readPayment reads the payment as the portal has it now. One that was deleted there counts as voided: if it was posted, a
// person is told (invoiced-api 14.2).
func (e *Engine) readPayment(ctx context.Context, w *work) (billing.Payment, error) {
	pay, err := w.c.Portal.Payment(ctx, w.rec.SourceID)
	if err != nil && connector.ClassOf(err) == connector.ClassNotFound {
		return billing.Payment{ID: w.rec.SourceID, Voided: true}, nil
	}
	if err == nil {
		describePayment(w, pay)
		w.rec.Written = paymentPrint(pay)
	}
	return pay, err
}

// unreadPayment ends work on a payment that can not be read. One that the portal has, but not in a form that can be read
// exactly, is shown to a person after some tries, and read again until it can be.
func (w *work) unreadPayment(ctx context.Context, err error) error {
	inexact := connector.ClassOf(err) == connector.ClassBadResponse && w.was != record.Unknown
	if !inexact || w.rec.Attempts < 2 && !strings.HasPrefix(w.rec.Seen, seenUnreadable) {
		return w.fail(ctx, vendorPortal, err)
	}
	w.rec.Attempts++
	return w.park(context.WithoutCancel(ctx), record.Attention, w.backoff(0), plan.Because(plan.BadPayment, "problem", err.Error()))
}

func describePayment(w *work, pay billing.Payment) {
	fee := money.Zero(pay.Currency)
	for _, a := range pay.Applications {
		if a.Type == billing.ApplyConvenienceFee {
			fee = fee.Add(a.Amount)
		}
	}
	w.rec.Currency, w.rec.PortalTotal, w.rec.Method, w.rec.Fee = string(pay.Currency), pay.Amount.Amount(), pay.Method, fee.Amount()
}

// posted gives the plan the receipts that exist already.
func posted(r record.Record) map[string]billing.Receipt {
	out := map[string]billing.Receipt{}
	for _, x := range r.Receipts {
		amount, err := money.Parse(x.Amount, money.Currency(r.Currency))
		if err != nil {
			continue // written by us from an amount; it always parses
		}
		out[x.Reference] = billing.Receipt{Number: x.Number, Reference: x.Reference, Amount: amount}
	}
	return out
}

// recheck is when a decision that waits for a person is looked at again, because what it depends on may be mended
// elsewhere: a balance, a period, a setting, a receipt keyed in by hand. Other decisions wait for a change of the payment.
func recheck(p plan.Plan) time.Duration {
	for _, c := range []struct {
		code  plan.Code
		after time.Duration
	}{
		{plan.UnknownInvoice, time.Hour}, {plan.HeldForEntry, 3 * time.Hour}, {plan.PaymentPending, 6 * time.Hour},
		{plan.Overpayment, 6 * time.Hour}, {plan.PossibleDouble, 6 * time.Hour}, {plan.ClosedPeriod, 6 * time.Hour},
		{plan.InvoiceUnposted, 6 * time.Hour}, {plan.NoMethod, 6 * time.Hour}, {plan.NoGLAccount, 6 * time.Hour},
		{plan.ReceiptRefused, 6 * time.Hour}, {plan.OtherCompany, 6 * time.Hour}, {plan.UnknownPayer, 6 * time.Hour}, {plan.PaymentsOff, 6 * time.Hour},
	} {
		if p.Has(c.code) {
			return c.after
		}
	}
	return 0
}

// endPayment stores a decision that posts nothing.
func (e *Engine) endPayment(ctx context.Context, w *work, p plan.Plan) error {
	e.planned(w, p)
	switch p.Verdict {
	case plan.None:
		w.rec.Attempts = 0
		if len(w.rec.Applied) > 0 {
			return e.compareBalances(ctx, w, p.Reasons)
		}
		return w.park(ctx, record.Synced, 0, p.Reasons...)
	case plan.Hold: // pending, or to be keyed in by hand: an event usually comes first
		return w.park(ctx, record.Waiting, cmp.Or(recheck(p), 6*time.Hour), p.Reasons...)
	case plan.Conflict:
		if p.Has(plan.ReversedAfter) || p.Has(plan.RefundedWhole) {
			return w.park(ctx, record.Reversed, 0, p.Reasons...)
		}
		return w.park(ctx, record.Attention, recheck(p), p.Reasons...)
	}
	return w.park(ctx, record.Skipped, 0, p.Reasons...)
}

// onSite is the company with an ERP code at the site of c: c itself, or one that shares the site; nil without one.
func (e *Engine) onSite(c *Company, companyNo string) *Company {
	if companyNo == c.Settings.Q360Company {
		return c
	}
	for _, id := range e.CompanyIDs() {
		o := e.companies[id]
		if o != c && c.Site != "" && o.Site == c.Site && o.Settings.Q360Company == companyNo && !o.paused() {
			return o
		}
	}
	return nil
}

// otherCompanies gives the plan the settings of the companies of the same ERP site, and turns posting off where the site
// can not create receipts or not find them again: a receipt that can not be looked up could be posted twice (q360-api 4.6
// rule 0).
func (e *Engine) otherCompanies(ctx context.Context, c *Company, in *plan.PaymentInput) error {
	caps, err := e.Check(ctx, c)
	if err != nil {
		return err
	}
	byHand := !caps.Has(connector.FeatureReceipts) || !caps.Has(connector.FeatureFind)
	if byHand {
		in.Settings.Payments.ReceiptMode = "hold"
	}
	in.Others = map[string]settings.Company{}
	for _, id := range e.CompanyIDs() {
		o := e.companies[id]
		if o == c || e.onSite(c, o.Settings.Q360Company) != o {
			continue
		}
		set := o.Settings
		if byHand {
			set.Payments.ReceiptMode = "hold"
		}
		in.Others[set.Q360Company] = set
	}
	return nil
}

// cover is whose invoices a payment pays: by the portal's invoice id, our record of it and its company.
type cover map[string]covered

type covered struct {
	company *Company
	number  string
	payer   string // the ERP's customer number
}

// covered finds our records of the invoices a payment applies to. The balances they get are read later, under the
// customers' leases. A payment that names no invoice covers its payer's account.
func (e *Engine) covered(ctx context.Context, w *work, in *plan.PaymentInput) (cover, error) {
	in.Invoices = map[string]billing.Balance{}
	out := cover{}
	named := false
	for _, a := range in.Payment.Applications {
		if a.Type != billing.ApplyInvoice || out[a.InvoiceID].company != nil {
			continue
		}
		named = true
		owner, rec, err := e.inAccount(ctx, w.c, billing.KindInvoice, a.InvoiceID)
		if err != nil {
			return nil, err
		}
		if rec != nil {
			out[a.InvoiceID] = covered{owner, rec.SourceID, rec.Customer}
		}
	}
	if named || in.Payment.CustomerID == "" {
		return out, nil
	}
	rec, err := e.byPortalID(ctx, w.c, billing.KindCustomer, in.Payment.CustomerID)
	if err == nil && rec != nil {
		in.PayerNo = rec.SourceID
		out[""] = covered{company: w.c, payer: rec.SourceID}
	}
	return out, err
}

// inAccount finds our record of a thing of the portal, with its company: that of c, or of one that shares its account.
func (e *Engine) inAccount(ctx context.Context, c *Company, kind billing.Kind, portalID string) (*Company, *record.Record, error) {
	rec, err := e.byPortalID(ctx, c, kind, portalID)
	if err != nil || rec != nil {
		return c, rec, err
	}
	for _, id := range e.CompanyIDs() {
		o := e.companies[id]
		if o == c || c.Account == "" || o.Account != c.Account {
			continue
		}
		if rec, err = e.byPortalID(ctx, o, kind, portalID); err != nil || rec != nil {
			return o, rec, err
		}
	}
	return nil, nil, nil
}

// owner is the company that handles the payment, so that two companies that share an account never both do: the first by
// id of those whose invoices it pays, or the one that has receipts of it already.
func (c cover) owner(w *work) *Company {
	owner := w.c
	if len(w.rec.Receipts) > 0 {
		return owner
	}
	first := true
	for _, x := range c {
		if first || x.company.ID < owner.ID {
			owner, first = x.company, false
		}
	}
	return owner
}

// handedTo is the company that a payment was left to; nil for one that is handled here.
func (e *Engine) handedTo(r record.Record) *Company {
	for _, reason := range r.Reasons {
		if reason.Code == plan.OtherOwner {
			return e.companies[reason.Params["company"]]
		}
	}
	return nil
}

// handOver leaves a payment to another company of the same portal account.
func (e *Engine) handOver(ctx context.Context, w *work, owner *Company) error {
	if err := e.notePayment(ctx, owner, w.rec.SourceID, "company "+w.c.ID, ""); err != nil {
		return err
	}
	e.announce(ctx, &record.Record{Company: owner.ID, Kind: billing.KindPayment, SourceID: w.rec.SourceID})
	return e.endPayment(ctx, w, plan.Plan{Verdict: plan.Skip, Reasons: []plan.Reason{plan.Because(plan.OtherOwner, "company", owner.ID)}})
}

// leases are the leases that serialise receipts per customer, because two receipts on one invoice race on its balance
// (q360-api 4.6 rule 6), sorted.
func (c cover) leases() []string {
	var out []string
	for _, x := range c {
		out = append(out, store.ID(x.company.ID, "receipts", x.payer))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// perCustomer are the portal's ids of the invoices, those of one customer of one company together.
func (c cover) perCustomer() map[[2]string][]string {
	out := map[[2]string][]string{}
	for id, x := range c {
		if x.number != "" {
			of := [2]string{x.company.ID, x.payer}
			out[of] = append(out[of], id)
		}
	}
	return out
}

// leaseAll takes named leases, all or none.
func (e *Engine) leaseAll(ctx context.Context, names []string) (func(), error) {
	var releases []func()
	release := func() {
		for _, r := range releases {
			r()
		}
	}
	for _, name := range names {
		r, err := e.lease(ctx, name)
		if err != nil {
			release()
			return nil, err
		}
		releases = append(releases, r)
	}
	return release, nil
}

// readBalances reads the ERP's balances now, without what an interrupted run of this payment, or a person under its
// references, applied already: its own receipts must not look like somebody else's. It returns those receipts.
func (e *Engine) readBalances(ctx context.Context, c *Company, of cover, in *plan.PaymentInput) (map[string]billing.Receipt, error) {
	for _, ids := range of.perCustomer() {
		numbers := make([]string, len(ids))
		for i, id := range ids {
			numbers[i] = of[id].number
		}
		got, err := readOrMissing(ctx, of[ids[0]].company, of[ids[0]].payer, numbers, in.Payment.Currency)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			in.Invoices[id] = got[i]
		}
	}
	own := map[string]billing.Receipt{}
	byHand := in.Settings.Payments.ReceiptMode == "hold"
	for _, set := range in.Others {
		byHand = byHand || set.Payments.ReceiptMode == "hold"
	}
	err := e.findOwn(ctx, c, of, in, own, byHand)
	if byHand && err != nil && cannotFind(err) {
		err = nil
	}
	return own, err
}

// findOwn adds the receipts that are in the ERP under the payment's references to own, and what they applied back to the
// balances: all of them, or those that an interrupted run may have posted.
func (e *Engine) findOwn(ctx context.Context, c *Company, of cover, in *plan.PaymentInput, own map[string]billing.Receipt, all bool) error {
	for n := range of.leases() {
		reference := plan.Reference(c.Settings, in.Payment.ID, n)
		_, known := in.Posted[reference]
		if _, found := own[reference]; found || known {
			continue
		}
		entry, err := e.journal.Get(ctx, journalKey(c, plan.ReceiptKey(reference)))
		if err != nil {
			return err
		}
		if !all && (entry == nil || entry.Attempts == 0) {
			continue
		}
		found, err := c.ERP.FindReceipts(ctx, reference)
		if err != nil {
			return err
		}
		addBack(in.Invoices, found)
		if len(found) == 1 {
			own[reference] = found[0]
		}
	}
	return nil
}

// cannotFind reports whether the site has no way of finding receipts, which is why they are keyed in by hand.
func cannotFind(err error) bool {
	class := connector.ClassOf(err)
	return class == connector.ClassForbidden || class == connector.ClassUnsupported
}

func addBack(invoices map[string]billing.Balance, receipts []billing.Receipt) {
	for _, r := range receipts {
		for _, l := range r.Lines {
			for id, b := range invoices {
				if l.Kind == billing.LineApplication && l.InvoiceNo == b.Number {
					b.Balance = b.Balance.Add(l.Amount)
					invoices[id] = b
				}
			}
		}
	}
}
