package sandbox

import (
	"time"

	"github.com/shopspring/decimal"
)

// Kinds of receipt item, in the column TYPE.
const (
	itemApply     = "APPLY"  // lowers an invoice's balance
	itemFee       = "FEE"    // goes to a GL account
	itemOnAccount = "ONACCT" // stays with the customer
)

func receiptDefaults(t *tx, r *row) error {
	r.set("UNAPPLIED", r.amount("AMOUNT"))
	r.set("STATUS", "POSTED")
	r.set("USERID", t.actor.name)
	return nil
}

// checkReceipt checks a receipt header (q360-api 5.3 rule 4). The reference may occur any number of times (rule 6).
func checkReceipt(t *tx, old, next *row) error {
	if old != nil {
		return keepFigures(old, next)
	}
	customer := t.get("CUSTOMER", next.text("CUSTOMERNO"))
	if !customer.is("TYPE", "CUSTOMER") && !customer.is("TYPE", "CUSTVEND") {
		return refuse("InvalidCustomer", "Customer %s of type %s has no receivables.", customer.id(), customer.text("TYPE"))
	}
	if err := t.openPeriod(next.text("COMPANYNO"), next.when("RECEIPTDATE")); err != nil {
		return err
	}
	if s := next.amount("AMOUNT").Sign(); s < 0 || (s == 0 && !t.s.quirks.ZeroReceipts) {
		return refuse("InvalidAmount", "The amount of a receipt must be positive.")
	}
	account := t.get("GLACCOUNT", next.text("ACCOUNTNO"))
	if !account.is("BANKFLAG", "Y") {
		return refuse("NotABankAccount", "GL account %s is not a bank account.", account.id())
	}
	if fold(account.text("CURRENCY")) != fold(next.text("CURRENCY")) {
		return refuse("CurrencyMismatch", "GL account %s is kept in %s, the receipt is in %s.", account.id(), account.text("CURRENCY"), next.text("CURRENCY"))
	}
	return nil
}

// keepFigures lets only the remarks of a posted row change.
func keepFigures(old, next *row) error {
	for i, c := range old.def.columns {
		if c.name == "COMMENT" || c.name == "PAYMETHOD" || c.name == "BATCHNO" || i == old.def.stamp {
			continue
		}
		if compareCells(old.cells[i], next.cells[i]) != 0 {
			return refuse("ReceiptPosted", "%s of a posted receipt cannot change.", c.name)
		}
	}
	return nil
}

func keepReceipt(_ *tx, old *row) error {
	return refuse("ReceiptPosted", "%s %s is posted and cannot be deleted.", old.def.name, old.id())
}

func afterReceipt(t *tx, old, next *row) error {
	if old != nil {
		return nil
	}
	t.receipts[next.key()] = true
	ref := Record{"CUSTOMERNO": next.text("CUSTOMERNO"), "RECEIPTNO": next.id()}
	t.journal("CR", next.text("COMPANYNO"), next.text("CURRENCY"), next.text("ACCOUNTNO"), "ARACCOUNT", next.amount("AMOUNT"), ref)
	return nil
}

func itemDefaults(_ *tx, r *row) error {
	if r.text("INVOICENO") != "" {
		r.setDefault("TYPE", itemApply)
	}
	return nil
}

// checkItem checks a line of a receipt (q360-api 5.3 rule 5). That all lines fit into the header is checked when the
// whole call is in, because a credit among them makes room.
func checkItem(t *tx, old, next *row) error {
	if old != nil {
		return keepFigures(old, next)
	}
	switch fold(next.text("TYPE")) {
	case itemApply:
		return checkApplication(t, next)
	case itemFee:
		if next.text("ACCOUNTNO") == "" {
			return refuse("MandatoryField", "Field ACCOUNTNO is mandatory for a fee.")
		}
	case itemOnAccount:
		if next.text("INVOICENO") != "" {
			return refuse("InvalidItemType", "An amount on account has no invoice.")
		}
	default:
		return refuse("InvalidItemType", "Receipt item type '%s' is unknown.", next.text("TYPE"))
	}
	if next.amount("AMOUNT").Sign() <= 0 {
		return refuse("InvalidAmount", "The amount of a receipt item must be positive.")
	}
	return nil
}

func checkApplication(t *tx, item *row) error {
	header, invoice := t.get("CASHRECEIPT", item.text("RECEIPTNO")), t.get("INVOICE", item.text("INVOICENO"))
	if item.text("INVOICENO") == "" {
		return refuse("MandatoryField", "Field INVOICENO is mandatory for an application.")
	}
	switch {
	case !invoice.is("PRTID", "Y"):
		return refuse("NotPosted", "Invoice %s is not posted.", invoice.id())
	case fold(invoice.text("COMPANYNO")) != fold(header.text("COMPANYNO")):
		return refuse("CompanyMismatch", "Invoice %s belongs to company %s, receipt %s to %s.", invoice.id(), invoice.text("COMPANYNO"), header.id(), header.text("COMPANYNO"))
	case fold(invoice.text("CURRENCY")) != fold(header.text("CURRENCY")):
		return refuse("CurrencyMismatch", "Invoice %s is in %s, receipt %s in %s.", invoice.id(), invoice.text("CURRENCY"), header.id(), header.text("CURRENCY"))
	}
	amount, balance := item.amount("AMOUNT"), invoice.amount("BALANCE")
	if amount.Sign() == 0 {
		return refuse("InvalidAmount", "The amount of an application must not be zero.")
	}
	if amount.Sign() != balance.Sign() || amount.Abs().GreaterThan(balance.Abs()) {
		return refuse("OverApplied", "Amount %s exceeds the balance %s of invoice %s.", amount.StringFixed(2), balance.StringFixed(2), invoice.id())
	}
	return nil
}

// afterItem lowers the balance, uses up the header and books the item.
func afterItem(t *tx, old, next *row) error {
	if old != nil {
		return nil
	}
	amount := next.amount("AMOUNT")
	header := t.get("CASHRECEIPT", next.text("RECEIPTNO")).clone()
	header.set("UNAPPLIED", header.amount("UNAPPLIED").Sub(amount))
	t.stamp(header)
	t.put(header)
	t.receipts[header.key()] = true
	company, currency := header.text("COMPANYNO"), header.text("CURRENCY")
	ref := Record{"CUSTOMERNO": header.text("CUSTOMERNO"), "RECEIPTNO": header.id(), "INVOICENO": next.text("INVOICENO")}
	switch fold(next.text("TYPE")) {
	case itemFee:
		t.journal("CR", company, currency, "ARACCOUNT", next.text("ACCOUNTNO"), amount, ref)
	case itemApply:
		t.entry("CR", company, currency, "ARACCOUNT", amount, Record{"CUSTOMERNO": header.text("CUSTOMERNO"), "RECEIPTNO": header.id()})
		t.entry("CR", company, currency, "ARACCOUNT", amount.Neg(), ref)
		t.shiftBalance(next.text("INVOICENO"), amount, decimal.Decimal{}, header.when("RECEIPTDATE"))
		if t.s.quirks.ForeignExchange && t.s.quirks.FXReceipts {
			invoice := t.get("INVOICE", next.text("INVOICENO"))
			t.journalExchange(company, currency, amount, invoice.when("INVOICEDATE"), header.when("RECEIPTDATE"), ref)
		}
	}
	return nil
}

// journalExchange books the difference that the exchange rate made between two days, in the company's own currency. It
// books rows even when there is none, as long as the amount is in a foreign currency (q360-api 5.3 rule 7).
func (t *tx) journalExchange(company, currency string, amount decimal.Decimal, from, to time.Time, ref Record) {
	owner := t.get("COMPANY", company)
	if owner == nil || fold(owner.text("DEFCURRENCY")) == fold(currency) {
		return
	}
	own := owner.text("DEFCURRENCY")
	value := func(on time.Time) decimal.Decimal {
		return amount.Mul(t.rate(currency, on)).Div(t.rate(own, on)).Round(4)
	}
	t.journal("FE", company, own, "ARACCOUNT", "FXACCOUNT", value(to).Sub(value(from)), ref)
}

// rate is the posting rate of a currency on a day; 1 where none is kept (q360-api 2.8).
func (t *tx) rate(currency string, on time.Time) decimal.Decimal {
	for _, r := range t.where("FXRATE", "CURRENCY", currency) {
		end := r.when("ENDDATE")
		if on.Before(r.when("STARTDATE")) || (!end.IsZero() && on.After(end)) || r.amount("RATE").Sign() <= 0 {
			continue
		}
		return r.amount("RATE")
	}
	return decimal.New(1, 0)
}
