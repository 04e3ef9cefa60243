package business

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/shopspring/decimal"
)

// invoice is an invoice in the making.
type invoice struct {
	no                                                     string
	kind                                                   Case
	customer                                               customer
	currency                                               string
	date                                                   time.Time
	lines                                                  []line
	freight, tax, total, retention, paid, writtenOff       decimal.Decimal
	terms, contractNo, project, dispatch, po, comment, typ string
	noDueDate                                              bool
}

func (v *invoice) balance() decimal.Decimal {
	return v.total.Sub(v.retention).Sub(v.paid).Sub(v.writtenOff)
}

// cycle is how many invoices pass before the kinds repeat.
const cycle = 40

// kindOf is the kind of the i-th invoice.
func kindOf(i int) Case {
	kind, ok := map[int]Case{
		0: InvoiceUnposted, 20: InvoiceUnposted, 1: InvoiceCredit, 21: InvoiceCredit, 2: InvoiceZero, 3: InvoiceFreight, 23: InvoiceFreight,
		4: InvoiceFreightInLines, 5: InvoiceRetention, 6: InvoiceLinesOff, 7: InvoiceRounded, 8: InvoiceZeroLines, 9: InvoiceContract,
		29: InvoiceContract, 10: InvoicePartPaid, 30: InvoicePartPaid, 11: InvoiceLong, 12: InvoiceForeign, 13: InvoiceComment,
		15: InvoicePaid, 16: InvoiceWrittenOff, 17: InvoiceManyLines, 18: InvoiceDiscount, 19: InvoiceDueNow, 24: InvoiceNoDueDate,
	}[i%cycle]
	if !ok {
		return InvoicePlain
	}
	return kind
}

// firstInvoice is chosen so that numbers of five and of six digits occur: as text 100000 comes before 99999.
const firstInvoice = 99801

// invoices makes the invoices of all days with everything that hangs on them.
func (g *generator) invoices() {
	days := int(g.options.End.Sub(g.options.Start).Hours()/24) + 1
	sameFrom := g.options.Invoices / 4
	same := g.options.Start.AddDate(0, 0, (sameFrom+g.options.SameStamp)*days/g.options.Invoices).Add(2*time.Hour + 17*time.Millisecond)
	for i := range g.options.Invoices {
		r := random(g.options.Seed, "invoice", i)
		v := g.draft(i, r)
		v.date = g.options.Start.AddDate(0, 0, i*days/g.options.Invoices)
		changed := v.date.Add(time.Duration(8+i%9)*time.Hour + time.Duration(i%3600)*time.Second + time.Duration([]int{0, 3, 7}[i%3])*time.Millisecond)
		if i >= sameFrom && i < sameFrom+g.options.SameStamp {
			changed = same
			g.note(InvoiceSameStamp, v.no)
		}
		g.note(v.kind, v.no)
		if v.currency == "GBP" {
			g.note(InvoiceGBP, v.no)
		}
		g.settle(v, r)
		g.write(v, changed)
		if v.kind != InvoiceUnposted {
			g.attach(i, v, changed)
		}
	}
}

// draft decides what the i-th invoice says.
func (g *generator) draft(i int, r *rand.Rand) *invoice {
	v := &invoice{no: fmt.Sprint(firstInvoice + i), kind: kindOf(i), customer: pick(r, g.billable)}
	if v.kind == InvoiceContract {
		c := pick(r, g.contracts)
		v.customer, v.contractNo = c.customer, c.no
	}
	v.compose(r)
	g.currency(i, v)
	v.shape(r)
	v.complete(r)
	return v
}

// currency is that of the company, apart from some invoices of company 03 in sterling.
func (g *generator) currency(i int, v *invoice) {
	v.currency = v.customer.company.currency
	if v.customer.company.no == "03" && i%5 == 0 {
		v.currency = "GBP"
	}
}

// compose fills an invoice with ordinary content.
func (v *invoice) compose(r *rand.Rand) {
	v.terms, v.typ = v.customer.terms, pick(r, []string{"STANDARD", "PROGRESS", "SERVICE"})
	v.lines = someLines(r, 1+r.IntN(4))
	if r.IntN(3) > 0 {
		v.po = fmt.Sprintf("PO-%04d", 1000+r.IntN(9000))
	}
	switch r.IntN(4) {
	case 0:
		v.project = fmt.Sprintf("P%05d", r.IntN(400))
	case 1:
		v.dispatch = fmt.Sprintf("W%05d", r.IntN(4000))
	}
}

// shape gives the invoice its oddity, as far as that is in its own content.
func (v *invoice) shape(r *rand.Rand) {
	switch v.kind {
	case InvoiceCredit:
		v.lines, v.typ, v.comment = negate(v.lines), "CREDIT", "Returned goods"
	case InvoiceZero:
		v.lines = append(v.lines[:1], v.lines[0])
		v.lines[1].quantity, v.lines[1].amount = v.lines[1].quantity.Neg(), v.lines[1].amount.Neg()
		v.lines[1].description = "Warranty, no charge"
	case InvoiceFreight:
		v.freight = cents(2500 + r.IntN(9000))
	case InvoiceFreightInLines:
		v.freight = cents(2500 + r.IntN(9000))
		v.lines = append(v.lines, line{item: "FREIGHT", description: "Freight", quantity: decimal.New(1, 0), price: v.freight, amount: v.freight})
	case InvoiceRounded:
		v.lines = append(v.lines, line{item: "LIC-SEAT", description: "Seat licence, pro rata", quantity: decimal.New(33333, -4), price: decimal.New(149950, -4), amount: cents(4999)})
	case InvoiceZeroLines:
		v.lines = append([]line{{description: "Room 204: upgrade"}}, append(v.lines, line{description: "Thank you for your business"})...)
	case InvoiceLong:
		v.lines[0].description = longText()
	case InvoiceForeign:
		v.lines[0].description = "Möblierung für Saal „Süd“ – naïve façade, 講堂 Ω ½″ 😀"
		v.comment = "Bitte Überweisung mit Rechnungsnummer – merci"
	case InvoiceComment:
		v.comment = "Phase 1 <of> 3 & \"as built\"\r\nSee drawing A-101; 50% due 'on' signing \\ net"
	case InvoiceManyLines:
		v.lines = someLines(r, 60)
	case InvoiceDiscount:
		v.terms = "2% 10 NET 30"
	case InvoiceDueNow:
		v.terms = "DUE ON RECEIPT"
	case InvoiceNoDueDate:
		v.noDueDate = true
	}
}

// complete adds tax and the total.
func (v *invoice) complete(r *rand.Rand) {
	net := sum(v.lines)
	if r.IntN(3) > 0 {
		v.tax = net.Mul(decimal.New(int64(v.customer.company.tax), -4)).Round(2)
	}
	v.total = net.Add(v.tax)
	switch v.kind {
	case InvoiceFreightInLines: // counted with the lines
	case InvoiceLinesOff:
		v.total = v.total.Add(cents(1234))
	case InvoiceRetention:
		v.retention = v.total.Mul(decimal.New(1, -1)).Round(2)
		v.typ = "RETENTION"
	default:
		v.total = v.total.Add(v.freight)
	}
}

// due is the due date that the terms give.
func (v *invoice) due() string {
	days := map[string]int{"NET15": 15, "NET30": 30, "NET60": 60, "2% 10 NET 30": 30}
	if v.noDueDate {
		return ""
	}
	return stamp(v.date.AddDate(0, 0, days[v.terms]))
}

// header is the invoice's row without what posting and paying add.
func (v *invoice) header() sandbox.Record {
	return sandbox.Record{
		"INVOICENO": v.no, "CUSTOMERNO": v.customer.no, "INVOICESITENO": v.customer.site, "COMPANYNO": v.customer.company.no,
		"CURRENCY": v.currency, "INVOICEDATE": stamp(v.date), "DUEDATE": v.due(), "INVAMOUNT": v.total.StringFixed(4),
		"TAXAMOUNT": v.tax.StringFixed(4), "FREIGHT": v.freight.StringFixed(4), "RETENTION": v.retention.StringFixed(4),
		"INVOICETYPE": v.typ, "PAYMENTTERMS": v.terms, "PAYMETHOD": v.customer.paymethod, "CONTRACTNO": v.contractNo,
		"PROJECTNO": v.project, "DISPATCHNO": v.dispatch, "PONUM": v.po, "COMMENT": v.comment, "SALESPERSON": "REP1",
	}
}

// rows are the lines as rows.
func (v *invoice) rows() []sandbox.Record {
	out := make([]sandbox.Record, len(v.lines))
	for i, l := range v.lines {
		out[i] = sandbox.Record{
			"SEQ": fmt.Sprint(10 * (i + 1)), "MASTERNO": l.item, "DESCRIPTION": l.description, "QTY": l.quantity.String(),
			"PRICE": l.price.String(), "EXTENDEDPRICE": l.amount.StringFixed(4), "TAXAMOUNT": "0", "ACCOUNTNO": "4000",
		}
	}
	return out
}

// write adds the invoice with its lines; posted ones enter the journal and the audit log.
func (g *generator) write(v *invoice, changed time.Time) {
	row := v.header()
	row["PRTID"], row["MODDATE"] = "N", stamp(changed)
	row["PAIDAMOUNT"], row["WRITEOFFAMOUNT"] = v.paid.StringFixed(4), v.writtenOff.StringFixed(4)
	row["BALANCE"] = v.balance().StringFixed(4)
	if v.kind != InvoiceUnposted {
		row["PRTID"], row["POSTDATE"] = "Y", stamp(v.date)
		g.balances[v.customer.no] = g.balances[v.customer.no].Add(v.balance())
		g.journal("IN", v, v.date, "1200", "4000", v.total, "")
	}
	if v.kind == InvoicePaid {
		row["PAIDDATE"] = stamp(v.date.AddDate(0, 0, 1))
	}
	g.add("INVOICE", row)
	for _, l := range v.rows() {
		g.items++
		l["INVOICEITEMNO"], l["INVOICENO"], l["MODDATE"] = fmt.Sprint(g.items), v.no, stamp(changed)
		g.add("INVOICEITEM", l)
	}
	g.add("AUDITLOG", sandbox.Record{
		"AUDITLOGNO": fmt.Sprint(len(g.rows["AUDITLOG"]) + 1), "TABLENAME": "INVOICE", "LINKNO": v.no, "ACTION": "CREATED",
		"DATE": stamp(changed), "USERID": "REP1",
	})
}
