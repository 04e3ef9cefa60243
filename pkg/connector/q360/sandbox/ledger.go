package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Amount is an exact number that is written with two decimals, or four where it has them.
type Amount struct{ decimal.Decimal }

// MarshalJSON writes the amount as a string, such as "1250.00".
func (a Amount) MarshalJSON() ([]byte, error) {
	places := int32(2)
	if !a.Round(2).Equal(a.Decimal) {
		places = 4
	}
	return json.Marshal(a.StringFixed(places))
}

// Ledger is everything receivable at the site: the oracle for tests (q360-api 5.4).
type Ledger struct {
	Books []Book `json:"books"` // by company, then currency
}

// Book is one company in one currency. All amounts are in that currency.
type Book struct {
	CompanyNo  string          `json:"companyno"`
	Currency   string          `json:"currency"`
	Invoices   []LedgerInvoice `json:"invoices"`
	Receipts   []LedgerReceipt `json:"receipts"`
	Totals     Totals          `json:"totals"`
	JournalSum Amount          `json:"journal_sum"` // of all AR journal rows; books that balance give zero
}

// LedgerInvoice is an invoice with what happened to it: Balance = Total - Retention - Paid - WrittenOff.
type LedgerInvoice struct {
	InvoiceNo  string `json:"invoiceno"`
	CustomerNo string `json:"customerno"`
	Posted     bool   `json:"posted"`
	Total      Amount `json:"total"`
	Retention  Amount `json:"retention"`
	Paid       Amount `json:"paid"`
	WrittenOff Amount `json:"written_off"`
	Balance    Amount `json:"balance"`
}

// LedgerReceipt is a cash receipt: Amount = applications + fees + OnAccount + Unapplied.
type LedgerReceipt struct {
	ReceiptNo    string       `json:"receiptno"`
	CustomerNo   string       `json:"customerno"`
	Date         string       `json:"date"` // of the receipt, YYYY-MM-DD
	Reference    string       `json:"reference"`
	AccountNo    string       `json:"accountno"`
	PayMethod    string       `json:"paymethod"`
	Comment      string       `json:"comment"`
	UserID       string       `json:"userid"`
	Amount       Amount       `json:"amount"`
	Applications []LedgerItem `json:"applications"`
	Fees         []LedgerItem `json:"fees"`
	OnAccount    Amount       `json:"on_account"`
	Unapplied    Amount       `json:"unapplied"`
}

// LedgerItem is one line of a receipt.
type LedgerItem struct {
	InvoiceNo string `json:"invoiceno,omitempty"`
	AccountNo string `json:"accountno,omitempty"`
	Amount    Amount `json:"amount"`
}

// Totals sums a book. Invoiced, Retained, Paid, WrittenOff and Balance cover posted invoices only.
type Totals struct {
	Invoiced   Amount `json:"invoiced"`
	Retained   Amount `json:"retained"`
	Paid       Amount `json:"paid"`
	WrittenOff Amount `json:"written_off"`
	Balance    Amount `json:"balance"`
	Received   Amount `json:"received"`
	Applied    Amount `json:"applied"`
	Fees       Amount `json:"fees"`
	OnAccount  Amount `json:"on_account"`
	Unapplied  Amount `json:"unapplied"`
}

func (a *Amount) add(b Amount) { a.Decimal = a.Add(b.Decimal) }

// all returns the rows of a table in key order; the caller holds the lock.
func (s *Server) all(table string) []*row {
	rows, _ := s.tables[table].find(query{})
	return rows
}

// Ledger returns the books as they are now.
func (s *Server) Ledger() Ledger {
	s.mu.RLock()
	defer s.mu.RUnlock()
	books := map[[2]string]*Book{}
	book := func(r *row) *Book {
		key := [2]string{r.text("COMPANYNO"), r.text("CURRENCY")}
		if books[key] == nil {
			books[key] = &Book{CompanyNo: key[0], Currency: key[1], Invoices: []LedgerInvoice{}, Receipts: []LedgerReceipt{}}
		}
		return books[key]
	}
	for _, r := range s.all("INVOICE") {
		book(r).invoice(r)
	}
	items := map[string][]*row{}
	for _, r := range s.all("CASHRECEIPTITEM") {
		items[fold(r.text("RECEIPTNO"))] = append(items[fold(r.text("RECEIPTNO"))], r)
	}
	for _, r := range s.all("CASHRECEIPT") {
		book(r).receipt(r, items[r.key()])
	}
	for _, r := range s.all("ARJOURNAL") {
		book(r).JournalSum.add(Amount{r.amount("AMOUNT")})
	}
	out := Ledger{Books: []Book{}}
	for _, b := range books {
		out.Books = append(out.Books, *b)
	}
	slices.SortFunc(out.Books, func(a, b Book) int {
		return cmp.Or(cmp.Compare(a.CompanyNo, b.CompanyNo), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}

func (b *Book) invoice(r *row) {
	i := LedgerInvoice{
		InvoiceNo: r.id(), CustomerNo: r.text("CUSTOMERNO"), Posted: r.is("PRTID", "Y"), Total: Amount{r.amount("INVAMOUNT")},
		Retention: Amount{r.amount("RETENTION")}, Paid: Amount{r.amount("PAIDAMOUNT")},
		WrittenOff: Amount{r.amount("WRITEOFFAMOUNT")}, Balance: Amount{r.amount("BALANCE")},
	}
	b.Invoices = append(b.Invoices, i)
	if !i.Posted {
		return
	}
	b.Totals.Invoiced.add(i.Total)
	b.Totals.Retained.add(i.Retention)
	b.Totals.Paid.add(i.Paid)
	b.Totals.WrittenOff.add(i.WrittenOff)
	b.Totals.Balance.add(i.Balance)
}

func (b *Book) receipt(r *row, items []*row) {
	out := LedgerReceipt{
		ReceiptNo: r.id(), CustomerNo: r.text("CUSTOMERNO"), Date: r.when("RECEIPTDATE").Format(time.DateOnly),
		Reference: r.text("REFERENCE"), AccountNo: r.text("ACCOUNTNO"), PayMethod: r.text("PAYMETHOD"), Comment: r.text("COMMENT"),
		UserID: r.text("USERID"), Amount: Amount{r.amount("AMOUNT")}, Unapplied: Amount{r.amount("UNAPPLIED")},
		Applications: []LedgerItem{}, Fees: []LedgerItem{},
	}
	for _, item := range items {
		i := LedgerItem{InvoiceNo: item.text("INVOICENO"), AccountNo: item.text("ACCOUNTNO"), Amount: Amount{item.amount("AMOUNT")}}
		switch fold(item.text("TYPE")) {
		case itemApply:
			out.Applications = append(out.Applications, i)
			b.Totals.Applied.add(i.Amount)
		case itemFee:
			out.Fees = append(out.Fees, i)
			b.Totals.Fees.add(i.Amount)
		default:
			out.OnAccount.add(i.Amount)
		}
	}
	b.Receipts = append(b.Receipts, out)
	b.Totals.Received.add(out.Amount)
	b.Totals.OnAccount.add(out.OnAccount)
	b.Totals.Unapplied.add(out.Unapplied)
}
