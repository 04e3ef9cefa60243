package demo

import (
	"fmt"

	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/sandbox"
)

// The story of the demo has customers and invoices of its own, beside the generated business. An invoice's number says what
// happens to it.

// person is a customer of the story.
type person struct{ no, company, currency, name string }

func cast() []person {
	return []person{
		{"STAGE-US", "01", "USD", "Harbour Stage Company"}, {"LAKE-US", "01", "USD", "Lakeside Arts"}, {"STAFF", "01", "USD", "Staff purchases"},
		{"TWIN-A", "01", "USD", "Twin Halls North"}, {"TWIN-B", "01", "USD", "Twin Halls South"},
		{"STAGE-CA", "02", "CAD", "Théâtre du Port"}, {"STAGE-EU", "03", "EUR", "Hafenbühne"},
		{"LAB-1", "04", "USD", "First pilot customer"}, {"LAB-2", "04", "USD", "Second pilot customer"},
		{"RENT-1", "05", "USD", "Event rentals"},
	}
}

// charge is an invoice of the story.
type charge struct {
	no, customer, amount string
	more                 q360sim.Record // columns beside the usual ones
}

func firstCharges() []charge {
	return []charge{
		{"CHANGE-1", "STAGE-US", "500.00", nil}, {"CHANGE-2", "STAGE-US", "800.00", nil}, {"GONE-1", "STAGE-US", "150.00", nil},
		{"UNPOST-1", "STAGE-US", "175.00", nil}, {"VOID-1", "STAGE-US", "120.00", nil}, {"DELETE-1", "STAGE-US", "130.00", nil},
		{"STAFF-1", "STAFF", "60.00", nil}, {"SMALL-1", "STAGE-US", "1.50", nil}, {"CHECK-1", "STAGE-US", "90.00", nil},
		{"VOIDPAY-1", "STAGE-US", "410.00", nil}, {"REFUND-1", "STAGE-US", "300.00", nil}, {"REFUND-2", "STAGE-US", "220.00", nil},
		{"DISPUTE-1", "STAGE-US", "260.00", nil}, {"RETURN-1", "STAGE-US", "340.00", nil}, {"HAND-1", "STAGE-US", "275.00", nil},
		{"LOST-1", "STAGE-US", "185.00", nil}, {"CRED-1", "LAKE-US", "300.00", q360sim.Record{"CONTRACTNO": lakeContract}}, {"TWIN-1", "TWIN-A", "210.00", nil},
		{"TWIN-2", "TWIN-B", "190.00", nil}, {"LINES-1", "STAGE-US", "100.00", q360sim.Record{"INVAMOUNT": "112.34"}},
		{"DIRECT-1", "STAGE-CA", "100.00", q360sim.Record{"PAYMETHOD": "DIRECT"}},
		{"NOTE-1", "STAGE-CA", "210.00", q360sim.Record{"COMMENT": noteText}},
		{"OVER-1", "STAGE-CA", "500.00", nil}, {"PERIOD-1", "STAGE-CA", "230.00", nil},
		{"OVER-2", "STAGE-EU", "450.00", nil}, {"PERIOD-2", "STAGE-EU", "310.00", nil}, {"WEB-1", "STAGE-EU", "101.00", nil},
		{"WEB-2", "STAGE-EU", "102.00", nil}, {"WEB-3", "STAGE-EU", "103.00", nil}, {"LINES-2", "STAGE-EU", "100.00", q360sim.Record{"INVAMOUNT": "100.03"}},
		{"PAUSE-1", "STAGE-EU", "240.00", nil},
		{"HOLD-1", "LAB-1", "350.00", nil}, {"WAIT-1", "LAB-1", "280.00", nil}, {"LATER-1", "LAB-2", "90.00", nil},
		{"DRAFT-1", "RENT-1", "640.00", nil},
	}
}

const (
	noteText      = "Gate code 4711, ask for the stage manager"
	stageContract = "SC-STAGE"
	lakeContract  = "SC-LAKE"
)

// branchOf is the company that an invoice of the story belongs to.
func (w *world) branchOf(customer string) branch {
	for _, p := range cast() {
		for _, b := range w.branches {
			if p.no == customer && b.code == p.company {
				return b
			}
		}
	}
	return branch{}
}

// enter puts the customers of the story into the ERP, and posts its first invoices.
func (w *world) enter() error {
	rows := map[string][]q360sim.Record{}
	for _, p := range cast() {
		mail := func(who string) string { return who + "@" + p.no + ".example" }
		rows["CUSTOMER"] = append(rows["CUSTOMER"], q360sim.Record{
			"CUSTOMERNO": p.no, "COMPANY": p.name, "TYPE": "CUSTOMER", "STATUS": "ACTIVE", "ADDRESS1": "1 Main Street", "CITY": "Ogden",
			"STATE": "UT", "ZIP": "84401", "PHONE": "555-0199", "PAYMENTTERMS": "NET30", "DEFCURRENCY": p.currency, "COMPANYNO": p.company,
			"INVOICESITENO": "S-" + p.no, "CONTACTNO": "A-" + p.no, "PAYMETHOD": "CHECK", "CREDITHOLD": "0", "BALANCE": "0",
		})
		rows["SITE"] = append(rows["SITE"], q360sim.Record{
			"SITENO": "S-" + p.no, "CUSTOMERNO": p.no, "SITENAME": "Accounts office", "ADDRESS": "2 Billing Road", "CITY": "Ogden", "STATE": "UT",
			"ZIP": "84401", "STATUS": "ACTIVE",
		})
		for _, k := range [][3]string{{"A-", "AP", "payables"}, {"B-", "AR", "receivables"}, {"C-", "", "stage"}} {
			rows["CONTACT"] = append(rows["CONTACT"], q360sim.Record{
				"CONTACTNO": k[0] + p.no, "CUSTOMERNO": p.no, "FIRSTNAME": "Ana", "LASTNAME": k[2], "EMAIL": mail(k[2]), "TYPE": k[1], "STATUS": "ACTIVE",
			})
		}
	}
	rows["SERVICECONTRACT"] = []q360sim.Record{
		{"CONTRACTNO": stageContract, "CUSTOMERNO": "STAGE-EU", "TITLE": "Care plan", "STATUSCODE": "ACTIVE"},
		{"CONTRACTNO": lakeContract, "CUSTOMERNO": "LAKE-US", "TITLE": "Care plan", "STATUSCODE": "ACTIVE"},
	}
	if _, err := w.erp.LoadRows(q360sim.Batch{Step: "story-parties", Tables: rows}); err != nil {
		return fmt.Errorf("entering the customers of the story: %w", err)
	}
	for _, no := range []string{"HOLD-1", "LATER-1", "NOTE-1"} {
		if err := w.file(no, "1", "Invoice "+no); err != nil {
			return err
		}
	}
	for _, c := range firstCharges() {
		if err := w.post(c); err != nil {
			return err
		}
	}
	return nil
}

// post posts an invoice of the story, with one line.
func (w *world) post(c charge) error {
	b := w.branchOf(c.customer)
	header := q360sim.Record{"INVOICENO": c.no, "CUSTOMERNO": c.customer, "COMPANYNO": b.code, "CURRENCY": b.currency, "INVOICETYPE": "STANDARD"}
	for name, v := range c.more {
		header[name] = v
	}
	_, err := w.erp.CreateInvoice(q360sim.NewInvoice{Step: "story-" + c.no, Header: header, Lines: storyLines(c.amount), Post: true})
	if err != nil {
		return fmt.Errorf("posting %s: %w", c.no, err)
	}
	return nil
}

func storyLines(amount string) []q360sim.Record {
	return []q360sim.Record{{
		"SEQ": "10", "MASTERNO": "STAGE-HAND", "DESCRIPTION": "Stage hands, one evening", "QTY": "1", "PRICE": amount, "EXTENDEDPRICE": amount, "TAXAMOUNT": "0", "ACCOUNTNO": "4000",
	}}
}

// file puts a PDF beside an invoice in the ERP; a new version replaces nothing, but is newer.
func (w *world) file(no, version, text string) error {
	key := no[:min(len(no), 8)] + "." + version
	data := sandbox.PDF(text)
	_, err := w.erp.LoadRows(q360sim.Batch{
		Step: "story-pdf-" + key, Contents: map[string][]byte{key: data},
		Tables: map[string][]q360sim.Record{"DOCUMENT": {{
			"DOCUMENTNO": key, "LINKTYPE": "INVOICE", "LINKNO": no, "FILENAME": "Invoice_" + no + ".pdf", "DOCTYPE": "INVOICE", "FILESIZE": fmt.Sprint(len(data)),
		}}},
	})
	if err != nil {
		return fmt.Errorf("filing the PDF of %s: %w", no, err)
	}
	return nil
}
