package digest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// report is what a digest tells, in words.
type report struct {
	Name   string
	ID     string
	Day    string // the day it tells about
	Issues []problem
	More   int // issues beyond those listed
	Stake  string
	Went   []line
	Waits  []line
	// Reconciled tells the last reconciliation.
	Reconciled string
}

// problem is an open issue.
type problem struct {
	Title, Detail, About, Fix, Show string
}

// line is something counted, with its money.
type line struct {
	What  string
	Count int
	Money string
}

// The most issues and kinds of waiting that are listed.
const (
	maxProblems = 25
	maxWaits    = 15
)

// message makes the digest of a company for a day, and tells how many issues are open.
func (s *Sender) message(ctx context.Context, c Company, day billing.Date) (Message, int, error) {
	begin, err := time.ParseInLocation(time.DateOnly, string(day), c.Settings.TimeZone)
	if err != nil {
		return Message{}, 0, fmt.Errorf("digest of %s: day %q is no date like 2026-01-31", c.ID, day)
	}
	r := report{Name: c.Name, ID: c.ID, Day: begin.Format("Monday, 2 January 2006")}
	open, err := issue.List(ctx, s.store, c.ID, false)
	if err != nil {
		return Message{}, 0, err
	}
	r.Stake = issue.Stake(open...)
	for _, i := range open[:min(len(open), maxProblems)] {
		r.Issues = append(r.Issues, tell(i, c.Settings.TimeZone))
	}
	r.More = len(open) - len(r.Issues)
	if r.Went, err = s.went(ctx, c.ID, begin, begin.AddDate(0, 0, 1)); err != nil {
		return Message{}, 0, err
	}
	if r.Waits, err = s.waits(ctx, c.ID); err != nil {
		return Message{}, 0, err
	}
	if r.Reconciled, err = s.reconciled(ctx, c); err != nil {
		return Message{}, 0, err
	}
	text, html, err := r.render()
	return Message{
		ID: "digest." + c.ID + "." + string(day), To: slices.Clone(c.Settings.Notify.Recipients), Subject: plain(subject(len(open), r.Stake, c.Name)),
		Text: text, HTML: html, At: s.clock.Now().In(c.Settings.TimeZone),
	}, len(open), err
}

// subject says at once whether something needs a person.
func subject(problems int, stake, name string) string {
	text := "all in step"
	if problems > 0 {
		text = counted(problems, "problem")
	}
	if stake != "" {
		text += ", " + stake + " at stake"
	}
	return "arbridge: " + text + " (" + name + ")"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func tell(i issue.Issue, zone *time.Location) problem {
	var about []string
	if i.Count > 0 {
		what := "record"
		if i.Cause == issue.CauseEvents {
			what = "event"
		}
		about = append(about, counted(i.Count, what))
	}
	if stake := issue.Stake(i); stake != "" {
		about = append(about, stake)
	}
	about = append(about, "since "+i.FirstSeen.In(zone).Format("2 January 2006"))
	return problem{Title: i.Title, Detail: i.Detail, About: strings.Join(about, ", "), Fix: i.Fix, Show: "arbridge issues show " + i.Company + " " + i.Cause}
}

// tally counts things and adds their money.
type tally struct {
	count int
	sums  map[money.Currency]money.Money
}

func (t *tally) add(m money.Money, known bool) {
	t.count++
	if !known {
		return
	}
	if t.sums == nil {
		t.sums = map[money.Currency]money.Money{}
	}
	if was, ok := t.sums[m.Currency()]; ok {
		m = was.Add(m)
	}
	t.sums[m.Currency()] = m
}

// The rows of what went over, in their order.
const (
	wentInvoices = "invoices to the portal"
	wentCredits  = "credit notes to the portal"
	wentUpdates  = "changed documents to the portal"
	wentFiles    = "PDFs attached in the portal"
	wentPayments = "payments seen in the portal"
	wentReceipts = "cash receipts in the ERP"
)

// went counts what went over in a day, by the timelines of the records that changed since.
func (s *Sender) went(ctx context.Context, company string, from, to time.Time) ([]line, error) {
	rows := map[string]*tally{}
	for _, what := range []string{wentInvoices, wentCredits, wentUpdates, wentFiles, wentPayments, wentReceipts} {
		rows[what] = &tally{}
	}
	within := func(t store.Time) bool { return !t.Before(from) && t.Before(to) }
	q := store.Query{Equal: []store.Equal{{Field: "company", Value: company}}, From: store.At(from).Text()}
	err := s.each(ctx, q, func(r record.Record) {
		for _, e := range r.Timeline {
			if within(e.At) {
				count(rows, r, e)
			}
		}
		if r.Kind == billing.KindPayment && within(r.CreatedAt) && r.Status != record.Skipped {
			rows[wentPayments].add(issue.Amount(r))
		}
	})
	var out []line
	for _, what := range []string{wentInvoices, wentCredits, wentUpdates, wentFiles, wentPayments, wentReceipts} {
		t := rows[what]
		if t.count > 0 {
			out = append(out, line{What: what, Count: t.count, Money: issue.Amounts(t.sums)})
		}
	}
	return out, err
}

// count adds one entry of a record's timeline to the row it belongs to.
func count(rows map[string]*tally, r record.Record, e record.Entry) {
	switch {
	case e.What == "created in the portal" && r.PortalKind == billing.KindCreditNote:
		rows[wentCredits].add(issue.Amount(r))
	case e.What == "created in the portal" && r.Kind == billing.KindInvoice:
		rows[wentInvoices].add(issue.Amount(r))
	case e.What == "updated in the portal":
		rows[wentUpdates].add(issue.Amount(r))
	case e.What == "attached":
		rows[wentFiles].add(money.Money{}, false)
	case r.Kind == billing.KindPayment && strings.HasPrefix(e.Text, "cash receipt "):
		rows[wentReceipts].add(receiptOf(r, e.Text))
	}
}

// receiptOf is the amount of the receipt that an entry tells of.
func receiptOf(r record.Record, text string) (money.Money, bool) {
	for _, x := range r.Receipts {
		if strings.Contains(text, "("+x.Reference+")") {
			m, err := money.Parse(x.Amount, money.Currency(r.Currency))
			return m, err == nil && r.Currency != ""
		}
	}
	return money.Money{}, false
}

var parameter = regexp.MustCompile(`\{[a-z_]+\}`)

// waits counts what comes by itself, by its reason: what needs a person is an issue.
func (s *Sender) waits(ctx context.Context, company string) ([]line, error) {
	groups, now := map[string]*tally{}, s.clock.Now()
	for _, status := range []record.Status{record.Waiting, record.Scheduled, record.Unknown} {
		q := store.Query{Equal: []store.Equal{{Field: "company", Value: company}, {Field: "status", Value: string(status)}}}
		err := s.each(ctx, q, func(r record.Record) {
			reason, _, person := issue.Cause(r, now)
			if person {
				return
			}
			what := "will be worked on"
			if reason.Code != "" {
				what = parameter.ReplaceAllString(plan.Because(reason.Code).Text(), "…")
			}
			if groups[what] == nil {
				groups[what] = &tally{}
			}
			groups[what].add(issue.Amount(r))
		})
		if err != nil {
			return nil, err
		}
	}
	var out []line
	for _, what := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, line{What: what, Count: groups[what].count, Money: issue.Amounts(groups[what].sums)})
	}
	slices.SortStableFunc(out, func(a, b line) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(len(out), maxWaits)], nil
}

// reconciled tells the last reconciliation in words.
func (s *Sender) reconciled(ctx context.Context, c Company) (string, error) {
	last, ok, err := issue.LastReconciliation(ctx, s.store, c.ID)
	if err != nil || !ok {
		return "none yet", err
	}
	found := "both sides agree"
	if last.Explained > 0 {
		found = "every difference is explained (" + fmt.Sprint(last.Explained) + ")"
	}
	if last.Unexplained > 0 {
		found = counted(last.Unexplained, "unexplained difference")
	}
	return last.At.In(c.Settings.TimeZone).Format("2 January 2006 15:04") + ": " + found, nil
}

// each does something with every record of a query, the newest first.
func (s *Sender) each(ctx context.Context, q store.Query, do func(record.Record)) error {
	records := store.Table[record.Record]{Store: s.store, Collection: store.Records}
	q.OrderBy, q.Desc, q.Limit = "updated_at", true, 500
	for {
		rows, err := records.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range rows {
			do(r.Value)
		}
		if len(rows) < q.Limit {
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}
