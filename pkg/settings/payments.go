package settings

func (p *Payments) declare() []Setting {
	return append(p.posting(), p.policy()...)
}

func (p *Payments) posting() []Setting {
	return []Setting{
		enum(&p.Mode, "payments.mode", "Payments",
			"Which payments are posted to Q360 as cash receipts.",
			Choice{"charged", "Cards and ACH that Invoiced charged."},
			Choice{"all", "Every payment recorded in Invoiced."},
			Choice{"off", "None."}).by("charged"),
		dict(&p.Methods, "payments.methods_map", "Payment methods",
			"Q360 payment method for each payment method of Invoiced. A payment with any other method waits.").
			mustUnless("payments.mode", "off").
			matching(namePattern, "a map from Invoiced method to Q360 payment method, such as {credit_card: CARD}").
			keyed("^[a-z][a-z0-9_]*$", "an Invoiced payment method such as credit_card").
			like(map[string]string{"credit_card": "CARD", "ach": "ACH"}),
		accounts(&p.GLAccounts, "payments.gl_accounts", "Bank accounts",
			"Bank account of receipts for each currency. Invoices in any other currency wait with that reason.").
			mustUnless("payments.mode", "off").like(map[string]string{"USD": "1010", "CAD": "1020"}),
		enum(&p.Date, "payments.date", "Receipt date",
			"Date of a receipt, in the company's time zone.",
			Choice{"payment", "The day the customer paid."},
			Choice{"settlement", "The day the payment settled."}).by("payment"),
		text(&p.ReferencePrefix, "payments.reference_prefix", "Reference prefix",
			"A receipt's reference is this prefix and the payment's id. It is how a receipt is found again: "+
				"never change it once receipts exist.").
			by("IVD-").matching("^[A-Za-z0-9][A-Za-z0-9_-]{0,7}$", "1 to 8 letters, digits, - or _").expert(),
	}
}

func (p *Payments) policy() []Setting {
	return []Setting{
		enum(&p.Overpayment, "payments.overpayment", "Overpayments",
			"What happens to money beyond an invoice's balance in Q360.",
			Choice{"hold", "The payment waits for a person, with both amounts."},
			Choice{"on_account", "What the balance allows is applied, the rest stays on account."}).by("hold"),
		enum(&p.ClosedPeriod, "payments.closed_period", "Closed periods",
			"What happens to a receipt dated in a closed period.",
			Choice{"hold", "The payment waits for a person."},
			Choice{"next_open_day", "The receipt has the first open day after it."}).by("hold"),
		enum(&p.ReceiptMode, "payments.receipt_mode", "Receipts",
			"Whether receipts are posted or left to a person.",
			Choice{"post", "Posted to Q360."},
			Choice{"hold", "Stored for manual entry; closed when a receipt with the reference is found."}).by("post"),
		number(&p.Attempts, "payments.attempts", "Attempts",
			"Attempts to post a receipt before a person decides.", "1", "10").by(2).expert(),
	}
}

func (f *Fees) declare() []Setting {
	return []Setting{
		enum(&f.Strategy, "fees.strategy", "Convenience fees",
			"How a convenience fee is posted.",
			Choice{"proportional", "Divided over the payment's invoices by amount, to the cent."},
			Choice{"gl_line", "One line of the receipt."},
			Choice{"unapplied", "Left unapplied on the receipt."},
			Choice{"exclude", "Not posted; the receipt is smaller than the payment."}).by("proportional"),
		account(&f.GLAccount, "fees.gl_account", "Fee account",
			"General-ledger account of convenience fees.").mustUnless("fees.strategy", "exclude").like("4950"),
	}
}
