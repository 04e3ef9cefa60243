package settings

func (a *Activity) declare() []Setting {
	return []Setting{
		boolean(&a.Viewed, "activity.viewed", "Views",
			"Write a history entry in Q360 when a customer views an invoice.").by(true),
		boolean(&a.Commented, "activity.commented", "Comments",
			"Write a history entry in Q360 when a customer comments.").by(true),
		boolean(&a.Paid, "activity.paid", "Payments",
			"Write a history entry in Q360 when an invoice is paid.").by(true),
		dict(&a.Codes, "activity.codes", "History codes",
			"Q360 history code of each kind of entry. Codes that are not given keep their default.").
			by(map[string]string{"viewed": "RP-VIEWED", "commented": "RP-COMMENTED", "paid": "RP-PAID"}).
			matching(namePattern, "a map from viewed, commented, paid to history code").
			completed(Choice{"viewed", "An invoice was viewed."}, Choice{"commented", "A customer commented."},
				Choice{"paid", "An invoice was paid."}).
			like(map[string]string{"viewed": "WEB-VIEW"}),
		enum(&a.ViewedCollapse, "activity.viewed_collapse", "Repeated views",
			"How many entries the views of one invoice make.",
			Choice{"each", "One for each view."},
			Choice{"daily", "One a day."},
			Choice{"first", "One for the first view only."}).by("daily"),
	}
}

func (l *Limits) declare() []Setting {
	return []Setting{
		number(&l.Q360Parallel, "limits.q360_parallel", "Q360 calls at a time",
			"Calls to Q360 at the same time.", "1", "32").by(3).expert(),
		number(&l.Q360PerSecond, "limits.q360_rps", "Q360 calls per second",
			"Calls to Q360 per second.", "1", "100").by(5).expert(),
		number(&l.InvoicedParallel, "limits.invoiced_parallel", "Invoiced calls at a time",
			"Calls to Invoiced at the same time.", "1", "32").by(4).expert(),
		number(&l.InvoicedPerSec, "limits.invoiced_rps", "Invoiced calls per second",
			"Calls to Invoiced per second.", "1", "100").by(5).expert(),
	}
}
