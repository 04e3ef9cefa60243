package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// invoice makes up an invoice of the company. Its order number tells versions of it apart.
func (x *doer) invoice(posted bool) q360sim.NewInvoice {
	n := x.rng.IntN(20_000)
	for n%20 == 7 {
		n++ // credits are deeds of their own
	}
	site := time.FixedZone("site", -5*3600)
	in := x.w.scene.business.NextInvoice(n, x.w.loop.now.In(site))
	customer, _ := pick(x.rng, x.co.customers)
	currency, _ := pick(x.rng, x.co.currencies)
	for name, v := range map[string]string{"CUSTOMERNO": customer, "INVOICESITENO": x.co.site[customer], "COMPANYNO": x.co.code, "CURRENCY": currency} {
		if in.Header[name] = v; v == "" {
			delete(in.Header, name)
		}
	}
	delete(in.Header, "PROJECTNO")
	delete(in.Header, "DISPATCHNO")
	in.Header["PONUM"], in.Step, in.Post = orderNo(1), "", posted
	return in
}

func orderNo(version int) string { return "PO-V" + strconv.Itoa(version) }

func (x *doer) create(in q360sim.NewInvoice) (*bill, error) {
	a, err := x.w.erp.CreateInvoice(in)
	if err != nil {
		return nil, err
	}
	b := &bill{no: a.InvoiceNo, co: x.co, customer: in.Header["CUSTOMERNO"], currency: in.Header["CURRENCY"], version: 1, lines: in.Lines, wasPosted: in.Post, made: x.w.loop.now, seen: 3 * x.w.every}
	x.w.past.bills[b.no], x.w.past.order = b, append(x.w.past.order, b.no)
	return b, nil
}

func (x *doer) bill() (string, error) {
	b, err := x.create(x.invoice(true))
	if err != nil {
		return "", err
	}
	if x.co.id == "us" && x.rng.IntN(3) > 0 {
		x.attach(b, "")
	}
	return fmt.Sprintf("invoice %s of %s is posted over %s %s", b.no, b.customer, x.total(b), b.currency), nil
}

// oddBill posts an invoice that is not to go over, or hardly: from before the start date, or over nothing.
func (x *doer) oddBill() (string, error) {
	in := x.invoice(false)
	old := x.rng.IntN(2) == 0
	if !old {
		in.Lines = in.Lines[:1]
		for _, name := range []string{"EXTENDEDPRICE", "PRICE"} {
			in.Lines[0][name] = "0.0000"
		}
		in.Header["INVAMOUNT"], in.Header["TAXAMOUNT"], in.Header["FREIGHT"], in.Header["RETENTION"] = "0.0000", "0.0000", "0.0000", "0.0000"
	}
	b, err := x.create(in)
	if err != nil {
		return "", err
	}
	date := x.w.loop.now
	b.wasPosted = true
	if b.old = old; old {
		date = x.w.scene.start.AddDate(0, 0, -5)
	}
	if _, err = x.w.erp.PostInvoice(q360sim.InvoiceStep{InvoiceNo: b.no, Date: date.Format(time.DateOnly)}); err != nil {
		return "", err
	}
	return fmt.Sprintf("invoice %s is posted as of %s over %s", b.no, date.Format(time.DateOnly), x.total(b)), nil
}

func (x *doer) credit() (string, error) {
	in := x.invoice(true)
	sum := decimal.New(int64(500+x.rng.IntN(20_000)), -2).Neg()
	in.Lines = []q360sim.Record{{"SEQ": "10", "DESCRIPTION": "Returned goods", "QTY": "-1", "PRICE": sum.Neg().String(), "EXTENDEDPRICE": sum.String(), "TAXAMOUNT": "0", "ACCOUNTNO": "4000"}}
	for _, name := range []string{"TAXAMOUNT", "FREIGHT", "RETENTION"} {
		in.Header[name] = "0.0000"
	}
	in.Header["INVAMOUNT"], in.Header["INVOICETYPE"] = sum.String(), "CREDIT"
	b, err := x.create(in)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("credit %s of %s is posted over %s", b.no, b.customer, sum), nil
}

func (x *doer) draft() (string, error) {
	b, err := x.create(x.invoice(false))
	if err != nil {
		return "", err
	}
	return "invoice " + b.no + " is entered", nil
}

// mine are the company's invoices in the ERP that fit.
func (x *doer) mine(fits func(q360sim.LedgerInvoice) bool) []q360sim.LedgerInvoice {
	var out []q360sim.LedgerInvoice
	for _, book := range x.w.erp.Ledger().Books {
		for _, inv := range book.Invoices {
			if book.CompanyNo == x.co.code && fits(inv) {
				out = append(out, inv)
			}
		}
	}
	return out
}

// any picks one of the company's invoices that fit.
func (x *doer) any(fits func(q360sim.LedgerInvoice) bool) *bill {
	inv, ok := pick(x.rng, x.mine(fits))
	if !ok {
		return nil
	}
	return x.w.past.bills[inv.InvoiceNo]
}

func posted(inv q360sim.LedgerInvoice) bool   { return inv.Posted && inv.Total.IsPositive() }
func unposted(inv q360sim.LedgerInvoice) bool { return !inv.Posted }
func owed(inv q360sim.LedgerInvoice) bool     { return inv.Posted && inv.Balance.IsPositive() }

func (x *doer) total(b *bill) string {
	for _, inv := range x.mine(func(i q360sim.LedgerInvoice) bool { return i.InvoiceNo == b.no }) {
		return inv.Total.StringFixed(2)
	}
	return "nothing"
}

func (x *doer) post() (string, error) {
	b := x.any(unposted)
	if b == nil {
		return "", nil
	}
	_, err := x.w.erp.PostInvoice(q360sim.InvoiceStep{InvoiceNo: b.no})
	if err == nil {
		b.wasPosted, b.unposted, b.old, b.made = true, time.Time{}, false, x.w.loop.now
	}
	return "invoice " + b.no + " is posted", err
}

// change changes what an invoice or a credit is over, and its order number; now and then one becomes the other, or nothing.
func (x *doer) change() (string, error) {
	return x.changeBill(x.any(func(i q360sim.LedgerInvoice) bool { return i.Posted && !i.Total.IsZero() }))
}

func (x *doer) changeBill(b *bill) (string, error) {
	if b == nil || len(b.lines) == 0 {
		return "", nil
	}
	next := *b
	lines := slices.Clone(b.lines)
	price, quantity := decimal.New(int64(1000+x.rng.IntN(90_000)), -2), int64(1)
	if k := x.rng.IntN(16); k < 3 {
		quantity = []int64{-1, -1, 0}[k]
	}
	sum := price.Mul(decimal.NewFromInt(quantity))
	lines = append(lines[:0:0], q360sim.Record{"SEQ": "10", "MASTERNO": "SVC-CALL", "DESCRIPTION": "Service call", "QTY": strconv.FormatInt(quantity, 10), "PRICE": price.String(), "EXTENDEDPRICE": sum.String(), "TAXAMOUNT": "0", "ACCOUNTNO": "4000"})
	next.version++
	set := q360sim.Record{"INVAMOUNT": sum.String(), "TAXAMOUNT": "0", "FREIGHT": "0", "RETENTION": "0", "PONUM": orderNo(next.version)}
	if _, err := x.w.erp.ChangeInvoice(q360sim.Change{No: b.no, Set: set, Lines: &lines}); err != nil {
		return "", err
	}
	*b = next
	return fmt.Sprintf("invoice %s is over %s now, version %d", b.no, sum.StringFixed(2), b.version), nil
}

func (x *doer) note() (string, error) {
	b := x.any(posted)
	if b == nil {
		return "", nil
	}
	if _, err := x.w.erp.ChangeInvoice(q360sim.Change{No: b.no, Set: q360sim.Record{"PONUM": orderNo(b.version + 1)}}); err != nil {
		return "", err
	}
	b.version++
	return fmt.Sprintf("invoice %s has another order number, version %d", b.no, b.version), nil
}

// move bills an invoice to somebody else.
func (x *doer) move() (string, error) {
	b := x.any(posted)
	if b == nil {
		return "", nil
	}
	to, _ := pick(x.rng, x.co.customers)
	set := q360sim.Record{"CUSTOMERNO": to, "INVOICESITENO": x.co.site[to], "PONUM": orderNo(b.version + 1)}
	if _, err := x.w.erp.ChangeInvoice(q360sim.Change{No: b.no, Set: set}); err != nil {
		return "", err
	}
	b.version++
	b.customer = to
	return fmt.Sprintf("invoice %s is billed to %s now, version %d", b.no, to, b.version), nil
}

// leave makes a customer inactive, and lets one who was inactive come back.
func (x *doer) leave() (string, error) {
	no, _ := pick(x.rng, x.co.customers)
	status := []string{"INACTIVE", "ACTIVE"}[x.rng.IntN(2)]
	_, err := x.w.erp.ChangeRow("CUSTOMER", q360sim.Change{No: no, Set: q360sim.Record{"STATUS": status}})
	return "customer " + no + " is " + status, err
}

func (x *doer) unpost() (string, error) {
	inv, ok := pick(x.rng, x.mine(posted))
	if !ok {
		return "", nil
	}
	b := x.w.past.bills[inv.InvoiceNo]
	_, err := x.w.erp.UnpostInvoice(q360sim.InvoiceStep{InvoiceNo: b.no})
	if err == nil {
		b.unposted, b.settled = x.w.loop.now, inv.Balance.IsZero()
	}
	return "invoice " + b.no + " is no longer posted", err
}

func (x *doer) remove() (string, error) {
	b := x.any(unposted)
	if b == nil {
		return "", nil
	}
	_, err := x.w.erp.DeleteInvoice(q360sim.InvoiceStep{InvoiceNo: b.no})
	if err == nil {
		b.deleted = x.w.loop.now
	}
	return "invoice " + b.no + " is deleted", err
}

func (x *doer) merge() (string, error) {
	all := x.mine(unposted)
	for i, from := range all {
		for _, into := range all[i+1:] {
			a, b := x.w.past.bills[from.InvoiceNo], x.w.past.bills[into.InvoiceNo]
			if a.customer == b.customer && a.currency == b.currency {
				_, err := x.w.erp.MergeInvoices(q360sim.Merge{From: []string{a.no}, Into: b.no})
				if err == nil {
					a.deleted = x.w.loop.now
				}
				return "invoice " + a.no + " is merged into " + b.no, err
			}
		}
	}
	return "", nil
}

func (x *doer) writeOff() (string, error) {
	b := x.any(owed)
	if b == nil {
		return "", nil
	}
	w := q360sim.WriteOff{InvoiceNo: b.no}
	if x.rng.IntN(2) == 0 {
		w.Amount = "1.00"
	}
	_, err := x.w.erp.WriteOff(w)
	x.w.past.outside[x.co.id+" "+b.no] = true
	return "invoice " + b.no + " is written off, " + cmp.Or(w.Amount, "all of it"), err
}

// check takes a payment that does not come through the portal.
func (x *doer) check() (string, error) {
	b := x.any(owed)
	if b == nil {
		return "", nil
	}
	in := q360sim.NativePayment{InvoiceNo: b.no, Header: q360sim.Record{"REFERENCE": fmt.Sprintf("CHK-%d", x.rng.IntN(1_000_000))}}
	if x.rng.IntN(2) == 0 {
		in.Amount = "2.00"
	}
	_, err := x.w.erp.NativePayment(in)
	x.w.past.outside[x.co.id+" "+b.no] = true
	return "a check for invoice " + b.no + " is booked, " + cmp.Or(in.Amount, "all of it"), err
}

// keyIn is a clerk who books what the portal's payment is, by hand.
func (x *doer) keyIn() (string, error) {
	l, err := x.w.portal.Ledger(x.co.id)
	if err != nil {
		return "", err
	}
	for _, p := range l.Payments {
		if len(p.Applied) == 1 && p.Applied[0].Invoice != "" && p.Status == "succeeded" && x.rng.IntN(2) == 0 {
			in := q360sim.NativePayment{InvoiceNo: p.Applied[0].Invoice, Amount: p.Amount, Header: q360sim.Record{"REFERENCE": "hand " + p.Reference}}
			_, err := x.w.erp.NativePayment(in)
			x.w.past.keyed[fmt.Sprint(x.co.id, " ", p.ID)] = err == nil
			x.w.past.outside[x.co.id+" "+in.InvoiceNo] = true
			return fmt.Sprintf("payment %d is keyed in by hand for invoice %s", p.ID, in.InvoiceNo), err
		}
	}
	return "", nil
}

func (x *doer) customer() (string, error) {
	no, _ := pick(x.rng, x.co.customers)
	name := fmt.Sprintf("Renamed %d", x.rng.IntN(1000))
	_, err := x.w.erp.ChangeRow("CUSTOMER", q360sim.Change{No: no, Set: q360sim.Record{"COMPANY": name}})
	return "customer " + no + " is called " + name, err
}

func (x *doer) contact() (string, error) {
	no, _ := pick(x.rng, x.co.customers)
	key := fmt.Sprintf("N%05d", x.rng.IntN(90_000))
	_, err := x.w.erp.ChangeRow("CONTACT", q360sim.Change{Set: q360sim.Record{
		"CONTACTNO": key, "CUSTOMERNO": no, "FIRSTNAME": "New", "LASTNAME": "Person " + key, "EMAIL": key + "@customer.example", "TYPE": "AP", "STATUS": "ACTIVE",
	}})
	return "customer " + no + " has a new contact", err
}

func (x *doer) closePeriod() (string, error) {
	x.w.setPeriods(x.co, "CLOSED")
	return "the months until this one are closed", nil
}

// setPeriods closes, or opens, the month before this one.
func (w *world) setPeriods(co *company, status string) {
	month := w.scene.start.AddDate(0, 0, -w.scene.start.Day()).Format("2006-01")
	if _, err := w.erp.SetPeriod(q360sim.Period{CompanyNo: co.code, Period: month, Status: status}); err != nil {
		panic("simulation: " + err.Error())
	}
}

func (x *doer) file() (string, error) {
	b := x.any(posted)
	if b == nil {
		return "", nil
	}
	text := fmt.Sprintf(" changed %d", x.rng.IntN(100))
	x.attach(b, text)
	return "invoice " + b.no + " has a new file", nil
}

// attach puts the invoice's file into the ERP, in place of the one before.
func (x *doer) attach(b *bill, text string) {
	content := kit.PDF("Invoice " + b.no + text)
	no := "D" + b.no
	row := q360sim.Record{"DOCUMENTNO": no, "LINKTYPE": "INVOICE", "LINKNO": b.no, "FILENAME": "Invoice_" + b.no + ".pdf", "DOCTYPE": "INVOICE", "FILESIZE": strconv.Itoa(len(content))}
	if _, err := x.w.erp.LoadRows(q360sim.Batch{Tables: map[string][]q360sim.Record{"DOCUMENT": {row}}, Contents: map[string][]byte{no: content}}); err != nil {
		panic("simulation: " + err.Error())
	}
	b.file = len(content)
}
