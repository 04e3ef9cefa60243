package sandbox

import (
	"time"

	"github.com/shopspring/decimal"
)

// Ledger is everything of an account that a test or a demo compares. Money is exact decimals as text, with all minor
// units of its currency; times are RFC 3339 in UTC.
type Ledger struct {
	Account     string                `json:"account"`
	Customers   []LedgerCustomer      `json:"customers"`
	Invoices    []LedgerDocument      `json:"invoices"`
	CreditNotes []LedgerDocument      `json:"credit_notes"`
	Payments    []LedgerPayment       `json:"payments"`
	Sums        map[string]LedgerSums `json:"sums"` // by currency in lower case
}

// LedgerCustomer is a customer with its contacts.
type LedgerCustomer struct {
	ID       int64           `json:"id"`
	Number   string          `json:"number"`
	Name     string          `json:"name"`
	Email    string          `json:"email,omitempty"`
	Contacts []LedgerContact `json:"contacts,omitempty"`
}

// LedgerContact is a contact of a customer.
type LedgerContact struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

// LedgerDocument is an invoice or a credit note.
type LedgerDocument struct {
	ID       int64     `json:"id"`
	Number   string    `json:"number"`
	Customer int64     `json:"customer"`
	Date     time.Time `json:"date"`
	Currency string    `json:"currency"`
	Status   string    `json:"status"`
	Total    string    `json:"total"`
	Balance  string    `json:"balance"`
	Files    int       `json:"files,omitempty"` // attachments
}

// LedgerPayment is a payment with its applications.
type LedgerPayment struct {
	ID        int64               `json:"id"`
	Customer  int64               `json:"customer,omitempty"`
	Date      time.Time           `json:"date"`
	Currency  string              `json:"currency"`
	Amount    string              `json:"amount"`
	Unapplied string              `json:"unapplied"`
	Method    string              `json:"method"`
	Reference string              `json:"reference,omitempty"`
	Source    string              `json:"source"`
	Voided    bool                `json:"voided,omitempty"`
	Charge    int64               `json:"charge,omitempty"`        // id
	Status    string              `json:"charge_status,omitempty"` // of the charge
	Refunded  string              `json:"refunded,omitempty"`
	Applied   []LedgerApplication `json:"applied,omitempty"`
}

// LedgerApplication is one application of a payment.
type LedgerApplication struct {
	Type       string `json:"type"`
	Invoice    string `json:"invoice,omitempty"`     // number
	CreditNote string `json:"credit_note,omitempty"` // number
	Amount     string `json:"amount"`
}

// LedgerSums are the sums of one currency. Drafts and voided documents, voided and failed payments do not count; pending
// ones count in Pending alone.
type LedgerSums struct {
	Invoiced    string `json:"invoiced"`
	Outstanding string `json:"outstanding"`
	Credited    string `json:"credited"`    // credit notes
	OpenCredits string `json:"open_credit"` // what is left of them
	Received    string `json:"received"`    // cash of payments
	Fees        string `json:"fees"`        // of that, convenience fees
	Unapplied   string `json:"unapplied"`   // of that, not applied
	Pending     string `json:"pending"`
	Refunded    string `json:"refunded"`
}

// tally is LedgerSums while they are added up.
type tally struct {
	invoiced, outstanding, credited, open, received, fees, unapplied, pending, refunded decimal.Decimal
}

// sums are the tallies by currency.
type sums map[string]*tally

func (s sums) of(currency string) *tally {
	if s[currency] == nil {
		s[currency] = &tally{}
	}
	return s[currency]
}

// Ledger returns an account's books. Errors: an unknown account.
func (s *Server) Ledger(name string) (Ledger, error) {
	acct, err := s.account(name)
	if err != nil {
		return Ledger{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := &view{s: s, acct: acct, now: s.Now().Unix()}
	l := Ledger{Account: acct.Name, Sums: map[string]LedgerSums{}}
	for _, id := range s.store.IDs("customer", acct.Name) {
		if c, ok := s.store.Get("customer", acct.Name, id).(*customer); ok {
			l.Customers = append(l.Customers, s.ledgerCustomer(acct, c))
		}
	}
	total := sums{}
	for kind, at := range map[string]*[]LedgerDocument{"invoice": &l.Invoices, "credit_note": &l.CreditNotes} {
		for _, id := range s.store.IDs(kind, acct.Name) {
			if d, ok := s.store.Get(kind, acct.Name, id).(*document); ok {
				*at = append(*at, ledgerDocument(v, d))
				total.document(d)
			}
		}
	}
	for _, id := range s.store.IDs("payment", acct.Name) {
		if p, ok := s.store.Get("payment", acct.Name, id).(*payment); ok {
			l.Payments = append(l.Payments, s.ledgerPayment(acct, p))
			total.payment(p)
		}
	}
	for currency, t := range total {
		text := func(d decimal.Decimal) string { return d.StringFixed(minorUnits(currency)) }
		l.Sums[currency] = LedgerSums{
			Invoiced: text(t.invoiced), Outstanding: text(t.outstanding), Credited: text(t.credited), OpenCredits: text(t.open),
			Received: text(t.received), Fees: text(t.fees), Unapplied: text(t.unapplied), Pending: text(t.pending),
			Refunded: text(t.refunded),
		}
	}
	return l, nil
}

func (s *Server) ledgerCustomer(acct *account, c *customer) LedgerCustomer {
	out := LedgerCustomer{ID: c.ID, Number: c.Number, Name: c.name(), Email: c.Attr.text("email")}
	for _, id := range s.store.Owned("contact", c.ID) {
		if k, ok := s.store.Get("contact", acct.Name, id).(*contact); ok {
			out.Contacts = append(out.Contacts, LedgerContact{ID: k.ID, Name: k.Attr.text("name"), Email: k.Attr.text("email")})
		}
	}
	return out
}

func ledgerDocument(v *view, d *document) LedgerDocument {
	places := d.places()
	return LedgerDocument{
		ID: d.ID, Number: d.Number, Customer: d.Customer, Date: time.Unix(d.Date, 0).UTC(), Currency: d.Currency,
		Status: d.status(v), Total: d.Total.StringFixed(places), Balance: d.Balance.StringFixed(places), Files: len(d.Attachments),
	}
}

func (s *Server) ledgerPayment(acct *account, p *payment) LedgerPayment {
	places := minorUnits(p.Currency)
	out := LedgerPayment{
		ID: p.ID, Customer: p.Customer, Date: time.Unix(p.Date, 0).UTC(), Currency: p.Currency,
		Amount: p.Amount.StringFixed(places), Unapplied: p.unapplied().StringFixed(places), Method: p.Attr.text("method"),
		Reference: p.Attr.text("reference"), Source: p.Attr.text("source"), Voided: p.Voided,
	}
	if p.Charge != nil {
		out.Charge, out.Status = p.Charge.ID, p.Charge.Status
		if back := p.Charge.refunded(); back.IsPositive() {
			out.Refunded = back.StringFixed(places)
		}
	}
	number := func(kind string, id int64) string {
		if d, ok := s.store.Get(kind, acct.Name, id).(*document); ok {
			return d.Number
		}
		return ""
	}
	for _, a := range p.Applied {
		out.Applied = append(out.Applied, LedgerApplication{
			Type: a.Type, Invoice: number("invoice", a.Invoice), CreditNote: number("credit_note", a.CreditNote),
			Amount: a.Amount.StringFixed(places),
		})
	}
	return out
}

func (s sums) document(d *document) {
	if d.Draft || d.Voided {
		return
	}
	t := s.of(d.Currency)
	if d.Type == "credit_note" {
		t.credited, t.open = t.credited.Add(d.Total), t.open.Add(d.Balance)
		return
	}
	t.invoiced, t.outstanding = t.invoiced.Add(d.Total), t.outstanding.Add(d.Balance)
}

func (s sums) payment(p *payment) {
	t := s.of(p.Currency)
	switch {
	case p.Voided:
		return
	case p.pending():
		t.pending = t.pending.Add(p.Amount)
		return
	}
	t.received, t.unapplied = t.received.Add(p.Amount), t.unapplied.Add(p.unapplied())
	for _, a := range p.Applied {
		if a.Type == applyFee {
			t.fees = t.fees.Add(a.Amount)
		}
	}
	if p.Charge != nil {
		t.refunded = t.refunded.Add(p.Charge.refunded())
	}
}

// Email is a message the vendor would have sent.
type Email struct {
	To       string `json:"to"`
	Template string `json:"template"`
	Subject  string `json:"subject"`
	About    string `json:"about"` // kind of the object
	AboutID  int64  `json:"about_id"`
	At       int64  `json:"at"` // unix seconds
}

// Emails returns the messages an account would have sent, oldest first. Errors: an unknown account.
func (s *Server) Emails(name string) ([]Email, error) {
	acct, err := s.account(name)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Email{}
	for _, id := range s.store.IDs("email", acct.Name) {
		if e, ok := s.store.Get("email", acct.Name, id).(*email); ok {
			out = append(out, Email{To: e.To, Template: e.Template, Subject: e.Subject, About: e.About, AboutID: e.AboutID, At: e.Created})
		}
	}
	return out, nil
}
