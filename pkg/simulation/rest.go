package simulation

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"

	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// outside is the context of the world's own reading, which nothing ends.
func outside() context.Context { return new(http.Request).Context() }

// all reads a collection.
func all[T any](w *world, c store.Collection) map[string]T {
	out, err := enginetest.All[T](w.disk, c)
	if err != nil {
		panic("simulation: " + err.Error()) // what was stored can be read
	}
	return out
}

// atRest checks every company.
func (w *world) atRest() {
	records, inbox := all[record.Record](w, store.Records), all[record.Inbox](w, store.Inbox)
	entries := all[journal.Entry](w, store.Journal)
	ledger := w.erp.Ledger()
	for _, co := range w.companies {
		f := w.own(co, records, inbox, entries)
		w.erpFacts(f, co, ledger)
		w.portalFacts(f, co)
		for _, v := range check(*f) {
			w.bad(v.Invariant, "%s", v.Text)
		}
	}
	if w.opt.Seed%4 == 2 {
		w.reconcile()
	}
}

// reconcile has arbridge itself compare both sides of each company. What it can not explain is what people did beside it: they
// took documents back in the portal, or booked money in the ERP.
func (w *world) reconcile() {
	p := w.start()
	for _, co := range w.companies {
		c, err := p.engine.Company(co.id)
		if co.off || err != nil {
			continue
		}
		own := reconcile.Company{ID: c.ID, Settings: c.Settings, ERP: c.ERP, Portal: c.Portal}
		report, err := reconcile.New(w.disk, watch{w.loop, 0}, slog.New(slog.DiscardHandler), []reconcile.Company{own}).Run(outside(), co.id, "", "")
		if err != nil {
			w.bad(allExplained, "%s: the comparison failed: %v", co.id, err)
			continue
		}
		for _, d := range report.Differences {
			key, b := co.id+" "+d.Number, w.past.bills[d.Number]
			unseen := b != nil && b.hasty() // nothing but this comparison can tell of it
			if !d.Explained && !unseen && !w.past.staffVoided[key] && !w.past.staffDeleted[key] && !w.past.outside[key] {
				w.bad(allExplained, "%s: %+v", co.id, d)
			}
		}
	}
}

// own is what arbridge itself, and people, know of a company.
func (w *world) own(co *company, records map[string]record.Record, inbox map[string]record.Inbox, entries map[string]journal.Entry) *facts {
	f := &facts{company: co.id, code: co.code, off: co.off, changed: w.coverage[SettingsChanged] > 0, now: w.loop.now, lastWrite: w.lastWrite,
		onAccount: co.settings(0).Payments.Overpayment == "on_account", waiting: w.queue.overdue(), polled: co.ticked,
		records: map[string]record.Record{}, inbox: map[string]record.Inbox{}, hasty: map[string]bool{}}
	for _, r := range records {
		if r.Company == co.id {
			f.records[string(r.Kind)+"/"+r.SourceID] = r
		}
	}
	for _, in := range inbox {
		if in.Company == co.id {
			f.inbox[in.EventID] = in
		}
	}
	for _, key := range sortedKeys(entries) {
		if e := entries[key]; e.Company == co.id && e.Open() {
			f.open = append(f.open, e)
		}
	}
	f.voided, f.dropped, f.keyed = mine(co, w.past.staffVoided), mine(co, w.past.staffDeleted), mine(co, w.past.keyed)
	f.acked, f.told = sortedKeys(mine(co, w.past.acked)), sortedKeys(mine(co, w.past.told))
	return f
}

// mine are the keys of a company, without it.
func mine(co *company, all map[string]bool) map[string]bool {
	out := map[string]bool{}
	for key, is := range all {
		if rest, ok := strings.CutPrefix(key, co.id+" "); ok && is {
			out[rest] = true
		}
	}
	return out
}

func (w *world) erpFacts(f *facts, co *company, l q360sim.Ledger) {
	for no, b := range w.past.bills {
		f.hasty[no] = b.hasty()
	}
	for _, book := range l.Books {
		if book.CompanyNo != co.code {
			continue
		}
		for _, i := range book.Invoices {
			b := w.past.bills[i.InvoiceNo]
			f.erp = append(f.erp, erpDocument{number: i.InvoiceNo, hasty: b.hasty(), currency: book.Currency, posted: i.Posted, old: b.old, total: i.Total.Decimal, balance: i.Balance.Decimal})
		}
		for _, r := range book.Receipts {
			x := erpReceipt{number: r.ReceiptNo, reference: r.Reference, currency: book.Currency, amount: r.Amount.Decimal, applied: map[string]decimal.Decimal{},
				loose: r.OnAccount.Add(r.Unapplied.Decimal)}
			for _, a := range r.Applications {
				x.applied[a.InvoiceNo] = x.applied[a.InvoiceNo].Add(a.Amount.Decimal)
			}
			for _, a := range r.Fees {
				x.fees = x.fees.Add(a.Amount.Decimal)
			}
			f.receipts = append(f.receipts, x)
		}
	}
}

func amount(text string) decimal.Decimal {
	if text == "" {
		return decimal.Decimal{}
	}
	return decimal.RequireFromString(text)
}

func (w *world) portalFacts(f *facts, co *company) {
	l, err := w.portal.Ledger(co.id)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	for i, d := range append(l.Invoices[:len(l.Invoices):len(l.Invoices)], l.CreditNotes...) {
		f.portal = append(f.portal, portalDocument{number: d.Number, currency: strings.ToUpper(d.Currency), status: d.Status, credit: i >= len(l.Invoices),
			total: amount(d.Total), balance: amount(d.Balance)})
	}
	for _, p := range l.Payments {
		x := portalPayment{id: number(p.ID), currency: strings.ToUpper(p.Currency), status: p.Status, voided: p.Voided, charged: p.Charge != 0,
			amount: amount(p.Amount), refunded: amount(p.Refunded), applied: map[string]decimal.Decimal{}, cash: amount(p.Amount)}
		for _, a := range p.Applied {
			if a.CreditNote == "" && a.Invoice != "" {
				x.applied[a.Invoice] = x.applied[a.Invoice].Add(amount(a.Amount))
			}
			if a.Type == "convenience_fee" {
				x.fee = x.fee.Add(amount(a.Amount))
			}
		}
		f.payments = append(f.payments, x)
	}
}
