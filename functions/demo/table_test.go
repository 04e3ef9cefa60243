package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

func dollars(text string) q360sim.Amount {
	return q360sim.Amount{Decimal: decimal.RequireFromString(text)}
}

// ledgers are books of company us: invoice 1 over 100 on both sides, paid by payment 7 with receipt R1.
func ledgers(change func(*q360sim.Book, *invoicedsim.Ledger), records ...record.Record) *books {
	erp := q360sim.Book{
		CompanyNo: "01", Currency: "USD", Invoices: []q360sim.LedgerInvoice{{InvoiceNo: "1", Posted: true, Total: dollars("100")}},
		Receipts: []q360sim.LedgerReceipt{{ReceiptNo: "R1", Reference: "IVD-7", Applications: []q360sim.LedgerItem{{InvoiceNo: "1", Amount: dollars("100")}}}},
	}
	portal := invoicedsim.Ledger{
		Invoices: []invoicedsim.LedgerDocument{{Number: "1", Currency: "usd", Status: "paid", Total: "100.00"}},
		Payments: []invoicedsim.LedgerPayment{{ID: 7, Currency: "usd", Amount: "100.00", Status: "succeeded"}},
	}
	change(&erp, &portal)
	b := &books{
		at: map[string]*book{}, erp: q360sim.Ledger{Books: []q360sim.Book{erp}}, portals: map[string]invoicedsim.Ledger{"us": portal},
		records: records, known: map[string]record.Record{}, world: &world{branches: branches[:1]},
	}
	for _, r := range records {
		b.known[r.ID()] = r
	}
	return b
}

func told(kind, id string, status record.Status, code plan.Code, pairs ...string) record.Record {
	r := record.Record{Company: "us", SourceID: id, Currency: "USD", PortalTotal: "100.00"}
	r.Kind = "invoice"
	if kind == "payment" {
		r.Kind = "payment"
	}
	r.Set(status, []plan.Reason{plan.Because(code, pairs...)})
	return r
}

// TestOnlyWhatIsExplainedAgrees: the difference is zero because every cent is accounted for, not because it is left out.
func TestOnlyWhatIsExplainedAgrees(t *testing.T) {
	noReceipt := func(e *q360sim.Book, _ *invoicedsim.Ledger) { e.Receipts = nil }
	voided := func(_ *q360sim.Book, p *invoicedsim.Ledger) { p.Payments[0].Voided = true }
	refunded := func(_ *q360sim.Book, p *invoicedsim.Ledger) { p.Payments[0].Refunded = "30.00" }
	changed := func(e *q360sim.Book, _ *invoicedsim.Ledger) { e.Invoices[0].Total = dollars("120") }
	unposted := func(e *q360sim.Book, _ *invoicedsim.Ledger) { e.Invoices[0].Posted = false }
	for _, c := range []struct {
		name            string
		change          func(*q360sim.Book, *invoicedsim.Ledger)
		records         []record.Record
		documents, cash string
	}{
		{"in step", func(*q360sim.Book, *invoicedsim.Ledger) {}, nil, "0.00", "0.00"},
		{"not posted, nobody says why", noReceipt, nil, "0.00", "100.00"},
		{"not posted, called in step", noReceipt, []record.Record{told("payment", "7", record.Synced, plan.Overpayment)}, "0.00", "100.00"},
		{"not posted, with a reason", noReceipt, []record.Record{told("payment", "7", record.Attention, plan.Overpayment)}, "0.00", "0.00"},
		{"failed before it was posted", func(e *q360sim.Book, p *invoicedsim.Ledger) { noReceipt(e, p); p.Payments[0].Status = "failed" }, nil, "0.00", "0.00"},
		{"receipt of another amount", func(e *q360sim.Book, _ *invoicedsim.Ledger) { e.Receipts[0].Applications[0].Amount = dollars("99.99") }, nil, "0.00", "0.01"},
		{"receipt twice", func(e *q360sim.Book, _ *invoicedsim.Ledger) { e.Receipts = append(e.Receipts, e.Receipts[0]) }, nil, "0.00", "100.00"},
		{"voided later, no task", voided, nil, "0.00", "100.00"},
		{"voided later, task without such a receipt", voided, []record.Record{told("payment", "7", record.Reversed, plan.ReversedAfter, "amount", "100.00 USD", "receipt", "R2")}, "0.00", "100.00"},
		{"voided later, task", voided, []record.Record{told("payment", "7", record.Reversed, plan.ReversedAfter, "amount", "100.00 USD", "receipt", "R1")}, "0.00", "0.00"},
		{"refunded, task of another amount", refunded, []record.Record{told("payment", "7", record.Attention, plan.Refunded, "amount", "29.00 USD", "receipt", "R1")}, "0.00", "1.00"},
		{"refunded, task", refunded, []record.Record{told("payment", "7", record.Attention, plan.Refunded, "amount", "30.00 USD", "receipt", "R1")}, "0.00", "0.00"},
		{"changed, nobody says so", changed, nil, "20.00", "0.00"},
		{"changed, flagged", changed, []record.Record{told("invoice", "1", record.Attention, plan.ChangedWhenPaid, "total", "120.00 USD", "portal", "100.00 USD")}, "0.00", "0.00"},
		{"changed, flagged with an old amount", changed, []record.Record{told("invoice", "1", record.Attention, plan.ChangedWhenPaid, "total", "115.00 USD", "portal", "100.00 USD")}, "5.00", "0.00"},
		{"un-posted, nobody says so", unposted, nil, "100.00", "0.00"},
		{"un-posted, flagged", unposted, []record.Record{told("invoice", "1", record.Attention, plan.NoLongerPosted)}, "0.00", "0.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := ledgers(c.change, c.records...)
			for _, add := range []func() error{b.addDocuments, b.addMoney, b.addTasks} {
				if err := add(); err != nil {
					t.Fatal(err)
				}
			}
			k := b.at["us USD"]
			if got := k.documents().Amount(); got != c.documents {
				t.Errorf("difference of documents %s, want %s", got, c.documents)
			}
			if got := k.cash().Amount(); got != c.cash {
				t.Errorf("difference of money %s, want %s", got, c.cash)
			}
			var out bytes.Buffer
			b.list()
			if agree := b.print(&out); agree != (c.documents == "0.00" && c.cash == "0.00") {
				t.Errorf("agree is %t:\n%s", agree, out.String())
			}
		})
	}
}

func TestLongListsAreCut(t *testing.T) {
	var rows []row
	for i := range 33 {
		rows = append(rows, row{company: []string{"us", "ca"}[i/30], kind: "invoice", number: string(rune('A' + i%26)), status: record.Skipped, text: "why"})
	}
	var out bytes.Buffer
	printRows(&out, rows)
	if want := "  33 invoices, skipped (us 30, ca 3): why\n      A B C D E F G H I J and 23 more\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
