package settings

func (q *Qualify) declare() []Setting {
	codes := func(s Setting, of string, example ...string) Setting {
		return s.by([]string{}).matching(namePattern, "a list of "+of).like(example)
	}
	return []Setting{
		date(&q.StartDate, "qualify.start_date", "Start date",
			"Invoices posted on this date or later are sent; earlier ones never.").must().like("2026-01-01"),
		codes(list(&q.PayMethods, "qualify.payment_methods", "Payment methods",
			"Only invoices with these Q360 payment methods. Empty means all."), "payment methods", "CARD", "ACH"),
		codes(list(&q.ExcludePayMethod, "qualify.exclude_payment_methods", "Excluded payment methods",
			"No invoices with these Q360 payment methods."), "payment methods", "DIRECT"),
		codes(list(&q.InvoiceTypes, "qualify.invoice_types", "Invoice types",
			"Only invoices of these Q360 types. Empty means all."), "invoice types", "SERVICE"),
		amount(&q.MinBalance, "qualify.min_balance", "Least balance",
			"Only invoices with at least this balance. In the currency of each document.").like("5.00"),
		codes(list(&q.Customers, "qualify.customers", "Pilot customers",
			"Only invoices of these customer numbers. Empty means all."), "customer numbers", "10045", "10078"),
		codes(list(&q.ExcludeCustomers, "qualify.exclude_customers", "Excluded customers",
			"No invoices of these customer numbers."), "customer numbers", "10099"),
	}
}
