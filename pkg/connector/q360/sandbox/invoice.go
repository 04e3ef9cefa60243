package sandbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// invoiceDefaults fills a new, unposted invoice from its customer (q360-api 2.1: customer attributes are defaults).
func invoiceDefaults(t *tx, r *row) error {
	r.set("PRTID", "N")
	r.setDefault("INVOICEDATE", t.today())
	for _, name := range []string{"INVAMOUNT", "TAXAMOUNT", "FREIGHT", "RETENTION"} {
		r.setDefault(name, decimal.Decimal{})
	}
	r.set("PAIDAMOUNT", decimal.Decimal{})
	r.set("WRITEOFFAMOUNT", decimal.Decimal{})
	r.set("BALANCE", r.amount("INVAMOUNT").Sub(r.amount("RETENTION")))
	if customer := t.get("CUSTOMER", r.text("CUSTOMERNO")); customer != nil {
		for _, pair := range [][2]string{{"COMPANYNO", "COMPANYNO"}, {"CURRENCY", "DEFCURRENCY"}, {"PAYMENTTERMS", "PAYMENTTERMS"}, {"PAYMETHOD", "PAYMETHOD"}, {"INVOICESITENO", "INVOICESITENO"}, {"TAXDIST", "TAXDIST"}} {
			r.setDefault(pair[0], customer.cells[customer.def.mustAt(pair[1])])
		}
	}
	days := 0
	if _, err := fmt.Sscanf(strings.ToUpper(r.text("PAYMENTTERMS")), "NET%d", &days); err != nil {
		days = 0 // other terms are due at once unless a due date is given
	}
	r.setDefault("DUEDATE", r.when("INVOICEDATE").AddDate(0, 0, days))
	return nil
}

func checkInvoice(t *tx, old, next *row) error {
	customer := t.get("CUSTOMER", next.text("CUSTOMERNO"))
	if old == nil && !customer.is("TYPE", "CUSTOMER") && !customer.is("TYPE", "CUSTVEND") {
		return refuse("InvalidCustomer", "Customer %s of type %s cannot be invoiced.", customer.id(), customer.text("TYPE"))
	}
	if old == nil || !old.is("PRTID", "Y") {
		return nil
	}
	if err := t.mayChangePosted(old); err != nil {
		return err
	}
	for _, name := range []string{"COMPANYNO", "CUSTOMERNO", "CURRENCY"} {
		if fold(old.text(name)) != fold(next.text(name)) && len(t.where("CASHRECEIPTITEM", "INVOICENO", old.id())) > 0 {
			return refuse("InvoiceHasReceipts", "%s of invoice %s cannot change: receipts are applied to it.", name, old.id())
		}
	}
	return nil
}

// mayChangePosted refuses changes of a posted invoice without the separate permission (q360-api 3.2 rule 3).
func (t *tx) mayChangePosted(invoice *row) error {
	if invoice.is("PRTID", "Y") && !t.actor.has(RightInvoiceChange) {
		return refuse("InvoicePosted", "Invoice %s is posted. Permission %s is required.", invoice.id(), RightInvoiceChange)
	}
	return nil
}

// afterInvoice follows a changed total with the balance and, when posted, with the journal.
func afterInvoice(t *tx, old, next *row) error {
	if old == nil {
		return nil
	}
	change := next.amount("INVAMOUNT").Sub(old.amount("INVAMOUNT"))
	net := change.Sub(next.amount("RETENTION").Sub(old.amount("RETENTION")))
	if net.Sign() != 0 {
		r := next.clone()
		r.set("BALANCE", r.amount("BALANCE").Add(net))
		t.put(r)
	}
	if !old.is("PRTID", "Y") || (change.Sign() == 0 && net.Sign() == 0) {
		return nil
	}
	t.customerBalance(next, net)
	t.journalInvoice("AD", next, change)
	return nil
}

// removeInvoice deletes the lines with the invoice (q360-api 5.3 rule 2).
func removeInvoice(t *tx, old *row) error {
	if len(t.where("CASHRECEIPTITEM", "INVOICENO", old.id())) > 0 {
		return refuse("InvoiceHasReceipts", "Invoice %s has receipts and cannot be deleted.", old.id())
	}
	if err := t.mayChangePosted(old); err != nil {
		return err
	}
	if old.is("PRTID", "Y") {
		t.customerBalance(old, old.amount("BALANCE").Neg())
		t.journalInvoice("AD", old, old.amount("INVAMOUNT").Neg())
	}
	for _, line := range t.where("INVOICEITEM", "INVOICENO", old.id()) {
		t.remove(line)
	}
	return nil
}

func lineDefaults(t *tx, r *row) error {
	if r.cells[r.def.mustAt("SEQ")] == nil {
		r.set("SEQ", decimal.New(int64(10*(1+len(t.where("INVOICEITEM", "INVOICENO", r.text("INVOICENO"))))), 0))
	}
	r.setDefault("QTY", decimal.Decimal{})
	r.setDefault("PRICE", decimal.Decimal{})
	r.setDefault("EXTENDEDPRICE", r.amount("QTY").Mul(r.amount("PRICE")).Round(2))
	r.setDefault("TAXAMOUNT", decimal.Decimal{})
	return nil
}

func checkLine(t *tx, old, next *row) error {
	for _, r := range []*row{old, next} {
		if r == nil {
			continue
		}
		if err := t.touchParent(r); err != nil {
			return err
		}
	}
	return nil
}

func removeLine(t *tx, old *row) error { return t.touchParent(old) }

// touchParent checks that the line's invoice may change and moves its change stamp, as the totalling procedure does.
func (t *tx) touchParent(line *row) error {
	invoice := t.get("INVOICE", line.text("INVOICENO"))
	if invoice == nil {
		return nil
	}
	if err := t.mayChangePosted(invoice); err != nil {
		return err
	}
	r := invoice.clone()
	t.stamp(r)
	t.put(r)
	return nil
}

// shiftBalance changes what is paid, written off and open on an invoice. The change stamp moves only where the site does
// that (q360-api 5.3 rule 8).
func (t *tx) shiftBalance(invoiceNo string, paid, writtenOff decimal.Decimal, at time.Time) {
	r := t.get("INVOICE", invoiceNo).clone()
	change := paid.Add(writtenOff).Neg()
	r.set("PAIDAMOUNT", r.amount("PAIDAMOUNT").Add(paid))
	r.set("WRITEOFFAMOUNT", r.amount("WRITEOFFAMOUNT").Add(writtenOff))
	r.set("BALANCE", r.amount("BALANCE").Add(change))
	if r.amount("BALANCE").Sign() == 0 && paid.Sign() != 0 {
		r.set("PAIDDATE", at)
	}
	if t.s.quirks.ReceiptTouchesStamp {
		t.stamp(r)
	}
	t.put(r)
	t.audit(r, "MODIFIED")
	t.customerBalance(r, change)
}

// customerBalance keeps the customer's balance, which mixes currencies as the vendor's aggregates do (q360-api 3.3).
func (t *tx) customerBalance(invoice *row, change decimal.Decimal) {
	customer := t.get("CUSTOMER", invoice.text("CUSTOMERNO"))
	if customer == nil || change.Sign() == 0 {
		return
	}
	r := customer.clone()
	r.set("BALANCE", r.amount("BALANCE").Add(change))
	t.put(r)
}

// post posts an invoice: it gets its flag and date and enters the AR journal.
func (t *tx) post(no string, on time.Time) (*row, error) {
	invoice := t.get("INVOICE", no)
	if invoice == nil {
		return nil, refuse("RecordNotFound", "Invoice %s does not exist.", no)
	}
	if invoice.is("PRTID", "Y") {
		return nil, refuse("InvoicePosted", "Invoice %s is posted already.", no)
	}
	if err := t.openPeriod(invoice.text("COMPANYNO"), on); err != nil {
		return nil, err
	}
	r := invoice.clone()
	r.set("PRTID", "Y")
	r.set("POSTDATE", on)
	t.stamp(r)
	t.put(r)
	t.audit(r, "MODIFIED")
	t.customerBalance(r, r.amount("BALANCE"))
	t.journalInvoice("IN", r, r.amount("INVAMOUNT"))
	if t.s.quirks.ForeignExchange {
		t.journalExchange(r.text("COMPANYNO"), r.text("CURRENCY"), r.amount("INVAMOUNT"), r.when("INVOICEDATE"), on, Record{"CUSTOMERNO": r.text("CUSTOMERNO"), "INVOICENO": r.id()})
	}
	return r, nil
}

// openPeriod refuses dates outside the open periods of a company (q360-api 5.3 rule 4).
func (t *tx) openPeriod(company string, on time.Time) error {
	day := on.Truncate(24 * time.Hour)
	for _, p := range t.where("FISCALENDAR", "COMPANYNO", company) {
		if day.Before(p.when("STARTDATE")) || day.After(p.when("ENDDATE")) {
			continue
		}
		if p.is("STATUS", "OPEN") {
			return nil
		}
		return refuse("ClosedPeriod", "Fiscal period %s of company %s is closed.", p.text("PERIOD"), company)
	}
	return refuse("ClosedPeriod", "Company %s has no open fiscal period for %s.", company, day.Format(time.DateOnly))
}

// journalInvoice books an invoice's amount: receivables against sales.
func (t *tx) journalInvoice(kind string, invoice *row, amount decimal.Decimal) {
	ref := Record{"CUSTOMERNO": invoice.text("CUSTOMERNO"), "INVOICENO": invoice.id()}
	t.journal(kind, invoice.text("COMPANYNO"), invoice.text("CURRENCY"), "ARACCOUNT", "SALESACCOUNT", amount, ref)
}

// journal books amount from one account to the other.
func (t *tx) journal(kind, company, currency, debit, credit string, amount decimal.Decimal, ref Record) {
	t.entry(kind, company, currency, debit, amount, ref)
	t.entry(kind, company, currency, credit, amount.Neg(), ref)
}

// entry writes one row of the AR journal. The account is a number or the column of COMPANY that holds it.
func (t *tx) entry(kind, company, currency, account string, amount decimal.Decimal, ref Record) {
	d := t.s.tables["ARJOURNAL"].def
	r := newRow(d)
	r.cells[d.key] = t.nextKey(d)
	r.set("ACCOUNTNO", account)
	if i := t.s.tables["COMPANY"].def.at(account); i >= 0 {
		r.set("ACCOUNTNO", nil)
		if owner := t.get("COMPANY", company); owner != nil {
			r.set("ACCOUNTNO", owner.cells[i])
		}
	}
	r.set("COMPANYNO", company)
	r.set("TYPE", kind)
	r.set("DATE", t.today())
	r.set("AMOUNT", amount)
	r.set("CURRENCY", currency)
	for name, v := range ref {
		if v != "" {
			r.set(name, v)
		}
	}
	t.put(r)
}
