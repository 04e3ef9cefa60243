package business

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/shopspring/decimal"
)

// settle does what clerks did with the invoice before the first sync.
func (g *generator) settle(v *invoice, r *rand.Rand) {
	switch v.kind {
	case InvoicePartPaid:
		v.paid = v.total.Mul(decimal.New(int64(10+r.IntN(80)), -2)).Round(2)
	case InvoicePaid:
		v.paid = v.total
	case InvoiceWrittenOff:
		v.writtenOff = v.total.Mul(decimal.New(5, -2)).Round(2)
		g.journal("WO", v, v.date.AddDate(0, 0, 1), "6900", "1200", v.writtenOff, "")
	}
	if v.paid.Sign() > 0 {
		g.receive(v)
	}
}

// receive makes the receipt that a clerk entered on the day after the invoice.
func (g *generator) receive(v *invoice) {
	g.receipts++
	no, on := fmt.Sprintf("R%05d", 20000+g.receipts), v.date.AddDate(0, 0, 1)
	g.add("CASHRECEIPT", sandbox.Record{
		"RECEIPTNO": no, "COMPANYNO": v.customer.company.no, "CUSTOMERNO": v.customer.no, "RECEIPTDATE": stamp(on),
		"AMOUNT": v.paid.StringFixed(4), "CURRENCY": v.currency, "REFERENCE": fmt.Sprintf("CHK %d", 5000+g.receipts),
		"ACCOUNTNO": bankOf(v.currency), "PAYMETHOD": "CHECK", "UNAPPLIED": "0", "STATUS": "POSTED", "USERID": "CLERK", "MODDATE": stamp(on),
	})
	g.add("CASHRECEIPTITEM", sandbox.Record{
		"RECEIPTITEMNO": fmt.Sprint(70000 + g.receipts), "RECEIPTNO": no, "INVOICENO": v.no, "AMOUNT": v.paid.StringFixed(4),
		"TYPE": "APPLY", "MODDATE": stamp(on),
	})
	g.journal("CR", v, on, bankOf(v.currency), "1200", v.paid, no)
}

// journal books amount from one account to the other.
func (g *generator) journal(kind string, v *invoice, on time.Time, debit, credit string, amount decimal.Decimal, receiptNo string) {
	for _, side := range []struct {
		account string
		amount  decimal.Decimal
	}{{debit, amount}, {credit, amount.Neg()}} {
		g.add("ARJOURNAL", sandbox.Record{
			"ARJOURNALNO": fmt.Sprint(len(g.rows["ARJOURNAL"]) + 1), "COMPANYNO": v.customer.company.no, "TYPE": kind, "DATE": stamp(on),
			"ACCOUNTNO": side.account, "AMOUNT": side.amount.StringFixed(4), "CURRENCY": v.currency, "CUSTOMERNO": v.customer.no,
			"INVOICENO": v.no, "RECEIPTNO": receiptNo,
		})
	}
}
