package sandbox

import (
	"fmt"
	"time"

	kit "github.com/arbridge/arbridge/pkg/sandbox"
	"github.com/shopspring/decimal"
)

// Done is the answer of an operation that has nothing else to say.
type Done struct {
	OK bool `json:"ok"`
}

// Every operation of this file may carry a Step: one that was done under that key before is not done again and gives the
// answer of the first time.

// NewInvoice is an invoice that a clerk enters. Header and lines are columns of INVOICE and INVOICEITEM; numbers, dates
// and balances that are absent are filled in. Without INVAMOUNT the total is lines plus freight plus tax.
type NewInvoice struct {
	Step   string   `json:"step,omitempty"`
	Header Record   `json:"header"`
	Lines  []Record `json:"lines"`
	Post   bool     `json:"post"` // post it in the same commit
}

// InvoiceAnswer says what an invoice is like after an operation.
type InvoiceAnswer struct {
	InvoiceNo string `json:"invoiceno"`
	Posted    bool   `json:"posted"`
	Total     Amount `json:"total"`
	Balance   Amount `json:"balance"`
}

func answerInvoice(r *row) InvoiceAnswer {
	return InvoiceAnswer{InvoiceNo: r.id(), Posted: r.is("PRTID", "Y"), Total: Amount{r.amount("INVAMOUNT")}, Balance: Amount{r.amount("BALANCE")}}
}

// CreateInvoice enters an invoice and, if wanted, posts it today.
func (s *Server) CreateInvoice(in NewInvoice) (InvoiceAnswer, error) {
	return once(s, "create-invoice", in.Step, func(t *tx) (InvoiceAnswer, error) {
		invoice, err := t.create(s.tables["INVOICE"].def, in.Header.fields())
		if err != nil {
			return InvoiceAnswer{}, err
		}
		if err := t.replaceLines(invoice.id(), in.Lines); err != nil {
			return InvoiceAnswer{}, err
		}
		if in.Header["INVAMOUNT"] == "" {
			if err := t.total(invoice.id()); err != nil {
				return InvoiceAnswer{}, err
			}
		}
		invoice = t.get("INVOICE", invoice.id())
		if in.Post {
			if invoice, err = t.post(invoice.id(), t.today()); err != nil {
				return InvoiceAnswer{}, err
			}
		}
		return answerInvoice(invoice), nil
	})
}

// total sets an invoice's total from its lines, freight and tax.
func (t *tx) total(no string) error {
	invoice := t.get("INVOICE", no)
	sum := invoice.amount("FREIGHT").Add(invoice.amount("TAXAMOUNT"))
	for _, line := range t.where("INVOICEITEM", "INVOICENO", no) {
		sum = sum.Add(line.amount("EXTENDEDPRICE"))
	}
	_, err := t.update(invoice.def, no, map[string]any{"INVAMOUNT": sum.String()})
	return err
}

func (t *tx) replaceLines(no string, lines []Record) error {
	d := t.s.tables["INVOICEITEM"].def
	for _, old := range t.where("INVOICEITEM", "INVOICENO", no) {
		t.remove(old)
	}
	for _, line := range lines {
		fields := line.fields()
		fields["INVOICENO"] = no
		if _, err := t.create(d, fields); err != nil {
			return err
		}
	}
	return nil
}

// InvoiceStep names an invoice for an operation.
type InvoiceStep struct {
	Step      string `json:"step,omitempty"`
	InvoiceNo string `json:"invoiceno"`
	Date      string `json:"date,omitempty"` // of posting, YYYY-MM-DD; today when empty
}

// PostInvoice posts an invoice into the AR journal; its period must be open.
func (s *Server) PostInvoice(in InvoiceStep) (InvoiceAnswer, error) {
	return once(s, "post-invoice", in.Step, func(t *tx) (InvoiceAnswer, error) {
		on, err := t.day(in.Date)
		if err != nil {
			return InvoiceAnswer{}, err
		}
		r, err := t.post(in.InvoiceNo, on)
		if err != nil {
			return InvoiceAnswer{}, err
		}
		return answerInvoice(r), nil
	})
}

func (t *tx) day(s string) (time.Time, error) {
	if s == "" {
		return t.today(), nil
	}
	on, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return on, fmt.Errorf("reading date %q: write it as YYYY-MM-DD", s)
	}
	return on, nil
}

// UnpostInvoice takes the posting of an invoice without receipts back; its period must be open. Sites do that with their own
// procedures.
func (s *Server) UnpostInvoice(in InvoiceStep) (InvoiceAnswer, error) {
	return once(s, "unpost-invoice", in.Step, func(t *tx) (InvoiceAnswer, error) {
		invoice := t.get("INVOICE", in.InvoiceNo)
		switch {
		case invoice == nil || !invoice.is("PRTID", "Y"):
			return InvoiceAnswer{}, refuse("NotPosted", "Invoice %s is not a posted invoice.", in.InvoiceNo)
		case len(t.where("CASHRECEIPTITEM", "INVOICENO", invoice.id())) > 0:
			return InvoiceAnswer{}, refuse("InvoiceHasReceipts", "Invoice %s has receipts: its posting stays.", in.InvoiceNo)
		}
		if err := t.openPeriod(invoice.text("COMPANYNO"), invoice.when("POSTDATE")); err != nil {
			return InvoiceAnswer{}, err
		}
		r := invoice.clone()
		r.set("PRTID", "N")
		r.set("POSTDATE", nil)
		t.stamp(r)
		t.put(r)
		t.audit(r, "MODIFIED")
		t.customerBalance(r, r.amount("BALANCE").Neg())
		t.journalInvoice("IN", r, r.amount("INVAMOUNT").Neg())
		return answerInvoice(r), nil
	})
}

// DeleteInvoice deletes an unposted invoice with its lines.
func (s *Server) DeleteInvoice(in InvoiceStep) (Done, error) {
	return once(s, "delete-invoice", in.Step, func(t *tx) (Done, error) {
		if r := t.get("INVOICE", in.InvoiceNo); r != nil && r.is("PRTID", "Y") {
			return Done{}, refuse("InvoicePosted", "Invoice %s is posted and cannot be deleted.", in.InvoiceNo)
		}
		return Done{OK: true}, t.delete(s.tables["INVOICE"].def, in.InvoiceNo)
	})
}

// Merge puts the lines of unposted invoices into another one and deletes them (q360-api 3.2 rule 4).
type Merge struct {
	Step string   `json:"step,omitempty"`
	From []string `json:"from"`
	Into string   `json:"into"`
}

// MergeInvoices merges unposted invoices of one customer, company and currency.
func (s *Server) MergeInvoices(in Merge) (InvoiceAnswer, error) {
	return once(s, "merge-invoices", in.Step, func(t *tx) (InvoiceAnswer, error) {
		for _, no := range in.From {
			if err := t.merge(no, in.Into); err != nil {
				return InvoiceAnswer{}, err
			}
		}
		into := t.get("INVOICE", in.Into)
		if into == nil {
			return InvoiceAnswer{}, refuse("RecordNotFound", "Invoice %s does not exist.", in.Into)
		}
		return answerInvoice(into), nil
	})
}

func (t *tx) merge(no, target string) error {
	from, into := t.get("INVOICE", no), t.get("INVOICE", target)
	if from == nil || into == nil || from == into {
		return refuse("RecordNotFound", "Invoices %s and %s must both exist and differ.", no, target)
	}
	for _, r := range []*row{from, into} {
		if r.is("PRTID", "Y") {
			return refuse("InvoicePosted", "Invoice %s is posted and cannot be merged.", r.id())
		}
	}
	for _, name := range []string{"CUSTOMERNO", "COMPANYNO", "CURRENCY"} {
		if fold(from.text(name)) != fold(into.text(name)) {
			return refuse("CompanyMismatch", "Invoices %s and %s differ in %s.", no, target, name)
		}
	}
	count := len(t.where("INVOICEITEM", "INVOICENO", target))
	for i, line := range t.where("INVOICEITEM", "INVOICENO", no) {
		moved := line.clone()
		moved.set("INVOICENO", into.id())
		moved.set("SEQ", decimal.New(int64(10*(count+i+1)), 0))
		t.put(moved)
	}
	sum := map[string]any{}
	for _, name := range []string{"INVAMOUNT", "TAXAMOUNT", "FREIGHT", "RETENTION"} {
		sum[name] = into.amount(name).Add(from.amount(name)).String()
	}
	if _, err := t.update(into.def, target, sum); err != nil {
		return err
	}
	return t.delete(from.def, no)
}

// Change is what a clerk changes in one row. For an invoice, Lines replaces all lines unless it is nil.
type Change struct {
	Step  string    `json:"step,omitempty"`
	No    string    `json:"no"`
	Set   Record    `json:"set"`
	Lines *[]Record `json:"lines,omitempty"`
}

// ChangeInvoice changes an invoice, posted or not, and moves its change stamp.
func (s *Server) ChangeInvoice(in Change) (InvoiceAnswer, error) {
	return once(s, "change-invoice", in.Step, func(t *tx) (InvoiceAnswer, error) {
		r, err := t.update(s.tables["INVOICE"].def, in.No, in.Set.fields())
		if err == nil && in.Lines != nil {
			err = t.replaceLines(r.id(), *in.Lines)
		}
		if err != nil {
			return InvoiceAnswer{}, err
		}
		return answerInvoice(t.get("INVOICE", in.No)), nil
	})
}

// ChangeRow changes a customer, contact, site or any other row under its table's rules. An empty number creates the row.
func (s *Server) ChangeRow(table string, in Change) (KeyAnswer, error) {
	return once(s, "change-"+table, in.Step, func(t *tx) (KeyAnswer, error) {
		tab := s.tables[table]
		if tab == nil {
			return KeyAnswer{}, fmt.Errorf("table %q is unknown", table)
		}
		var r *row
		var err error
		if in.No == "" {
			r, err = t.create(tab.def, in.Set.fields())
		} else {
			r, err = t.update(tab.def, in.No, in.Set.fields())
		}
		if err != nil {
			return KeyAnswer{}, err
		}
		return KeyAnswer{Key: r.id()}, nil
	})
}

// KeyAnswer names the row that an operation wrote.
type KeyAnswer struct {
	Key string `json:"key"`
}

// WriteOff lowers an invoice's balance without a receipt; an empty amount is the whole balance.
type WriteOff struct {
	Step      string `json:"step,omitempty"`
	InvoiceNo string `json:"invoiceno"`
	Amount    string `json:"amount,omitempty"` // in the invoice's currency, with the sign of its balance
}

// WriteOff writes a balance off, wholly or in part.
func (s *Server) WriteOff(in WriteOff) (InvoiceAnswer, error) {
	return once(s, "write-off", in.Step, func(t *tx) (InvoiceAnswer, error) {
		r := t.get("INVOICE", in.InvoiceNo)
		if r == nil || !r.is("PRTID", "Y") {
			return InvoiceAnswer{}, refuse("NotPosted", "Invoice %s is not a posted invoice.", in.InvoiceNo)
		}
		balance := r.amount("BALANCE")
		amount := balance
		if in.Amount != "" {
			v, err := r.def.columns[r.def.mustAt("BALANCE")].parse(in.Amount, true)
			if err != nil {
				return InvoiceAnswer{}, err
			}
			amount, _ = v.(decimal.Decimal)
		}
		if amount.Sign() == 0 || amount.Sign() != balance.Sign() || amount.Abs().GreaterThan(balance.Abs()) {
			return InvoiceAnswer{}, refuse("OverApplied", "Amount %s exceeds the balance %s of invoice %s.", amount, balance, r.id())
		}
		t.shiftBalance(r.id(), decimal.Decimal{}, amount, t.today())
		ref := Record{"CUSTOMERNO": r.text("CUSTOMERNO"), "INVOICENO": r.id()}
		t.journal("WO", r.text("COMPANYNO"), r.text("CURRENCY"), "WRITEOFFACCOUNT", "ARACCOUNT", amount, ref)
		return answerInvoice(t.get("INVOICE", in.InvoiceNo)), nil
	})
}

// NativePayment is a receipt that comes from Q360 Payments or from a clerk. What is absent is taken from the first
// invoice: customer, company, currency, its whole balance, and the bank account of that currency.
type NativePayment struct {
	Step      string   `json:"step,omitempty"`
	InvoiceNo string   `json:"invoiceno,omitempty"` // short form of one application
	Amount    string   `json:"amount,omitempty"`    // of the receipt
	Date      string   `json:"date,omitempty"`      // YYYY-MM-DD; today when empty
	Header    Record   `json:"header,omitempty"`    // columns of CASHRECEIPT
	Items     []Record `json:"items,omitempty"`     // columns of CASHRECEIPTITEM
}

// ReceiptAnswer says what a receipt is like after an operation.
type ReceiptAnswer struct {
	ReceiptNo string `json:"receiptno"`
	Amount    Amount `json:"amount"`
	Unapplied Amount `json:"unapplied"`
}

// NativePayment posts a receipt with its items under the same rules as the API.
func (s *Server) NativePayment(in NativePayment) (ReceiptAnswer, error) {
	return once(s, "native-payment", in.Step, func(t *tx) (ReceiptAnswer, error) {
		header, items, err := t.completePayment(in)
		if err != nil {
			return ReceiptAnswer{}, err
		}
		r, err := t.create(s.tables["CASHRECEIPT"].def, header)
		if err != nil {
			return ReceiptAnswer{}, err
		}
		for _, item := range items {
			fields := item.fields()
			fields["RECEIPTNO"] = r.id()
			if _, err := t.create(s.tables["CASHRECEIPTITEM"].def, fields); err != nil {
				return ReceiptAnswer{}, err
			}
		}
		r = t.get("CASHRECEIPT", r.id())
		return ReceiptAnswer{ReceiptNo: r.id(), Amount: Amount{r.amount("AMOUNT")}, Unapplied: Amount{r.amount("UNAPPLIED")}}, nil
	})
}

func (t *tx) completePayment(in NativePayment) (map[string]any, []Record, error) {
	on, err := t.day(in.Date)
	if err != nil {
		return nil, nil, err
	}
	items := in.Items
	no := in.InvoiceNo
	if no == "" && len(items) > 0 {
		no = items[0]["INVOICENO"]
	}
	header := map[string]any{"RECEIPTDATE": on.Format(datetimeLayout), "PAYMETHOD": "CHECK"}
	if invoice := t.get("INVOICE", no); invoice != nil {
		amount := in.Amount
		if amount == "" {
			amount = invoice.amount("BALANCE").String()
		}
		header["AMOUNT"] = amount
		for _, name := range []string{"COMPANYNO", "CUSTOMERNO", "CURRENCY"} {
			header[name] = invoice.text(name)
		}
		header["ACCOUNTNO"] = t.bankAccount(invoice.text("CURRENCY"))
		if len(items) == 0 {
			items = []Record{{"INVOICENO": no, "AMOUNT": amount}}
		}
	} else if no != "" {
		return nil, nil, refuse("RecordNotFound", "Invoice %s does not exist.", no)
	}
	for name, v := range in.Header.fields() {
		header[name] = v
	}
	return header, items, nil
}

// bankAccount is the first bank account in a currency.
func (t *tx) bankAccount(currency string) string {
	for _, r := range t.where("GLACCOUNT", "CURRENCY", currency) {
		if r.is("BANKFLAG", "Y") {
			return r.id()
		}
	}
	return ""
}

// Period opens or closes a fiscal period of a company.
type Period struct {
	Step      string `json:"step,omitempty"`
	CompanyNo string `json:"companyno"`
	Period    string `json:"period"` // as in FISCALENDAR, such as "2026-03"
	Status    string `json:"status"` // OPEN or CLOSED
}

// SetPeriod changes the status of a period.
func (s *Server) SetPeriod(in Period) (Done, error) {
	return once(s, "period", in.Step, func(t *tx) (Done, error) {
		if in.Status != "OPEN" && in.Status != "CLOSED" {
			return Done{}, fmt.Errorf("status %q of period %s: use OPEN or CLOSED", in.Status, in.Period)
		}
		for _, p := range t.where("FISCALENDAR", "COMPANYNO", in.CompanyNo) {
			if p.text("PERIOD") == in.Period {
				r := p.clone()
				r.set("STATUS", in.Status)
				t.put(r)
				t.audit(r, "MODIFIED")
				return Done{OK: true}, nil
			}
		}
		return Done{}, fmt.Errorf("company %q has no period %q", in.CompanyNo, in.Period)
	})
}

// FaultRules are the faults in front of the vendor's API. They outlive the process; their counters start again.
type FaultRules struct {
	Step  string     `json:"step,omitempty"`
	Seed  uint64     `json:"seed"`
	Rules []kit.Rule `json:"rules"`
	// UnauthorizedSeconds answers every call with 401 for that long, counted from now and not durable.
	UnauthorizedSeconds int `json:"unauthorized_seconds,omitempty"`
}

// SetFaults replaces all faults.
func (s *Server) SetFaults(in FaultRules) (Done, error) {
	return once(s, "faults", in.Step, func(t *tx) (Done, error) {
		var probe kit.Faults
		if err := probe.Set(in.Seed, in.Rules...); err != nil {
			return Done{}, err
		}
		kept := FaultRules{Seed: in.Seed, Rules: in.Rules}
		t.setting(settingFaults, kept)
		t.done = append(t.done, func() {
			_ = s.faults.Set(in.Seed, in.Rules...) // the same rules were accepted above
			s.faultSet = kept
			s.noAuth = s.config.Clock.Now().Add(time.Duration(in.UnauthorizedSeconds) * time.Second)
		})
		return Done{OK: true}, nil
	})
}
