package settings

// declare binds every setting of the deployment to its field, in the order of the reference page.
func (d *Deployment) declare() []Setting {
	return scoped(ScopeDeployment, []Setting{
		number(&d.DocumentsMaxMiB, "documents.max_mib", "Largest PDF",
			"Largest PDF that is carried over, in MiB.", "1", "100").by(25).expert(),
		duration(&d.Poll, "schedule.poll", "Poll interval",
			"How often Q360 is asked for changes.", "1m", "24h").by("5m"),
		duration(&d.GapFill, "schedule.gap_fill", "Gap fill interval",
			"How often the events of Invoiced are read for missed webhooks. Done at a poll, so never more often than schedule.poll.", "1m", "24h").by("15m"),
		cron(&d.Reconcile, "schedule.reconcile", "Reconciliation",
			"When both sides are compared, in UTC.").by("0 3 * * *").like("30 2 * * 1-5"),
		number(&d.PayloadsDays, "retention.payloads_days", "Days to keep payloads",
			"Days that PDFs and vendors' answers to refused writes are kept. A PDF that waits to be attached stays, and one that is "+
				"needed again is downloaded again. Keys that keep money from moving twice are kept for ever.",
			"1", "3650").by(90),
		number(&d.InboxDays, "retention.inbox_days", "Days to keep events",
			"Days that received events are kept.", "1", "3650").by(400),
	}, digest(&d.Digest, &d.DigestRecipients, &d.DigestAt))
}

func (n *Notify) declare() []Setting { return digest(&n.Digest, &n.Recipients, &n.At) }

// digest is declared for both scopes: what the deployment gives holds for every company that gives nothing itself.
func digest(when *string, recipients *[]string, at *string) []Setting {
	return []Setting{
		enum(when, "notify.digest", "Digest",
			"When the daily e-mail digest is sent. A value of the deployment is the companies' default.",
			Choice{"daily", "Every day."},
			Choice{"problems", "Only when something needs a person."},
			Choice{"off", "Never."}).by("problems").also(ScopeDeployment).also(ScopeCompany),
		list(recipients, "notify.recipients", "Recipients",
			"E-mail addresses that receive the digest. A value of the deployment is the companies' default.").
			by([]string{}).matching(emailPattern, "a list of e-mail addresses").like([]string{"ar@example.com"}).
			private().also(ScopeDeployment).also(ScopeCompany),
		text(at, "notify.at", "Time of the digest",
			"Time of day at which the digest is sent, in company.time_zone. A value of the deployment is the companies' default.").
			by("07:00").matching(clockPattern, `a time of day such as "07:00"`).like("06:30").also(ScopeDeployment).also(ScopeCompany),
	}
}
