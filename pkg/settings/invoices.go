package settings

func (i *Invoices) declare() []Setting {
	return append(i.content(), i.life()...)
}

func lineChoices() []Choice {
	return []Choice{
		{"summary", "One line with the whole amount; tax and freight stay separate."},
		{"detail", "Every line of Q360."},
	}
}

func (i *Invoices) content() []Setting {
	return []Setting{
		boolean(&i.Draft, "invoices.draft", "Drafts",
			"Create invoices as drafts, for a person to issue in Invoiced.").by(false),
		enum(&i.Send, "invoices.send", "Sending",
			"What Invoiced does with a new invoice.",
			Choice{"portal_default", "Whatever the Invoiced account is set to."},
			Choice{"mark_sent", "Marked as sent; no e-mail goes out."},
			Choice{"email", "Sent to the customer by e-mail."}).by("portal_default"),
		enum(&i.Comment, "invoices.comment", "Comments",
			"Where the Q360 invoice comment goes.",
			Choice{"off", "Nowhere."},
			Choice{"notes", "Into the notes of the invoice, which the customer reads."}).by("off"),
		enum(&i.LinesWithPDF, "invoices.lines_with_pdf", "Lines with a PDF",
			"Lines of an invoice whose PDF is attached.", lineChoices()...).by("summary"),
		enum(&i.LinesWithoutPDF, "invoices.lines_without_pdf", "Lines without a PDF",
			"Lines of an invoice without a PDF.", lineChoices()...).by("detail"),
		template(&i.SummaryText, "invoices.summary_text", "Summary line",
			"Text of the single line of a summary.",
			Choice{"{{number}}", "The invoice number."},
			Choice{"{{po}}", "The customer's purchase order number; empty when there is none."}).
			by("Invoice {{number}}").matching("", "a text, in which {{number}} and {{po}} are filled in").
			like("Invoice {{number}}, PO {{po}}"),
		dict(&i.TermsMap, "invoices.terms_map", "Payment terms",
			"Portal text for payment terms of Q360. Terms that are not listed are sent unchanged when that is safe.").
			by(map[string]string{}).matching(`\S`, "a map from Q360 terms to portal text").
			keyed(`\S`, "a terms code").like(map[string]string{"NET30": "NET 30"}),
		dict(&i.ItemMap, "invoices.item_map", "Items",
			"Invoiced item for items of Q360. Items that are not listed are sent under their Q360 name.").
			by(map[string]string{}).matching(`\S`, "a map from Q360 item to Invoiced item").
			keyed(`\S`, "an item").like(map[string]string{"LAB-01": "labor"}).expert(),
		amount(&i.Variance, "invoices.variance", "Accepted variance",
			"Difference between lines and ERP total that becomes a rounding line. Above it the invoice has one summary "+
				"line with the total of Q360 and the state Synced with variance. In the currency of each document.").
			by("0.00").like("0.05"),
	}
}

func (i *Invoices) life() []Setting {
	return []Setting{
		enum(&i.ZeroTotal, "invoices.zero_total", "Invoices of zero",
			"What happens to an invoice whose total is zero.",
			Choice{"skip", "It is not sent."},
			Choice{"send", "It is sent like any other."}).by("skip"),
		enum(&i.Update, "invoices.update", "Changed invoices",
			"What happens when a posted invoice changes in Q360.",
			Choice{"unpaid_only", "Updated in Invoiced while nothing is paid; reported otherwise."},
			Choice{"never", "Reported only."}).by("unpaid_only"),
		enum(&i.Gone, "invoices.gone", "Vanished invoices",
			"What happens when a posted invoice can no longer be read.",
			Choice{"flag", "Reported; the invoice in Invoiced stays."},
			Choice{"void_if_unpaid", "Voided in Invoiced while nothing is paid; reported otherwise."}).by("flag"),
	}
}

func (n *CreditNotes) declare() []Setting {
	return []Setting{
		boolean(&n.Sync, "credit_notes.sync", "Send credit notes",
			"Send negative invoices of Q360 as credit notes.").by(true),
		enum(&n.Apply, "credit_notes.apply", "Apply credit notes",
			"Whether a new credit note is applied to invoices in Invoiced.",
			Choice{"none", "It stays open."},
			Choice{"oldest", "To the customer's oldest open invoices."},
			Choice{"same_contract", "To open invoices of the same service contract, oldest first."}).by("none"),
	}
}

func (d *Documents) declare() []Setting {
	return []Setting{
		boolean(&d.Attach, "documents.attach", "Attach PDFs",
			"Attach the invoice document of Q360 to the invoice.").by(true),
		boolean(&d.Required, "documents.required", "Wait for the PDF",
			"An invoice waits until its PDF exists.").by(false),
		number(&d.WaitDays, "documents.wait_days", "Days to wait",
			"Days after which a PDF still missing is reported.", "0", "365").by(14),
		list(&d.Types, "documents.types", "Document types",
			"Q360 document types that count as the invoice document. Empty means any PDF.").
			by([]string{}).matching(namePattern, "a list of document types").like([]string{"INVOICE"}),
	}
}
