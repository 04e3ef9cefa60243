package issue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The causes that are no reason of a record.
const (
	CausePoll      = "poll_stopped"
	CauseERP       = "erp_not_called"
	CausePortal    = "portal_not_called"
	CauseEvents    = "events_failed"
	CauseWebhooks  = "webhooks_missing"
	CauseReconcile = "reconciliation_differs"
	CauseUnnamed   = "unnamed" // a record that needs a person without saying why
)

// companyCauses are the causes that every refresh looks for.
func companyCauses() []string {
	return []string{CausePoll, CauseERP, CausePortal, CauseEvents, CauseWebhooks, CauseReconcile}
}

const (
	// silence is how long a company may go without a poll that reads its invoices before an error of its polls is an issue;
	// a refusal is one at once.
	silence = time.Hour
	// failedDays is how long an event that could not be used is an issue.
	failedDays = 30
	// Events that only the gap fill brought are an issue when several came over a while in which no webhook did.
	quietHours = 12
	quietLeast = 3
	quietSpan  = time.Hour
)

func (t *Tracker) lookCompany(ctx context.Context, found *findings) error {
	return errors.Join(t.lookPoll(ctx, found), t.lookBreakers(ctx, found), t.lookEvents(ctx, found), t.lookWebhooks(ctx, found),
		t.lookReconciliation(ctx, found))
}

// lookPoll finds a company that can not be polled: refused by the start-up check, or without success for a while.
func (t *Tracker) lookPoll(ctx context.Context, found *findings) error {
	run, ok, err := read[record.Run](ctx, store.Table[record.Run]{Store: t.store, Collection: store.Runs}, store.ID(found.company, "poll"))
	if err != nil || !ok || run.Error == "" {
		return err
	}
	cursors := store.Table[record.Cursor]{Store: t.store, Collection: store.Cursors}
	cur, ok, err := read[record.Cursor](ctx, cursors, store.ID(found.company, "invoices"))
	if err != nil {
		return err
	}
	since, refused := run.StartedAt.Time, strings.Contains(run.Error, "refuses the company")
	if ok && cur.UpdatedAt.Before(since) {
		since = cur.UpdatedAt.Time
	}
	if ok && !refused && found.now.Sub(since) < silence {
		return nil
	}
	found.cause(CausePoll, since, OneLine(run.Error), companyRemedies[CausePoll])
	return nil
}

// lookBreakers finds the vendors that are not called because they do not answer.
func (t *Tracker) lookBreakers(ctx context.Context, found *findings) error {
	breakers := store.Table[record.Breaker]{Store: t.store, Collection: store.Controls}
	for vendor, cause := range map[string]string{"q360": CauseERP, "invoiced": CausePortal} {
		b, ok, err := read[record.Breaker](ctx, breakers, store.ID(found.company, "breaker", vendor))
		if err != nil {
			return err
		}
		// A process that ended while its breaker was open leaves that state behind; it is old when no trial followed.
		if ok && b.State == record.BreakerOpen && found.now.Sub(b.Until.Time) < silence {
			found.cause(cause, b.ChangedAt.Time, OneLine(b.Problem), companyRemedies[cause])
		}
	}
	return nil
}

// lookEvents finds the events that could not be used.
func (t *Tracker) lookEvents(ctx context.Context, found *findings) error {
	rows, err := t.inbox(ctx, found, "state", record.InboxFailed, found.now.AddDate(0, 0, -failedDays), 1000)
	for _, r := range rows {
		found.cause(CauseEvents, r.Value.ReceivedAt.Time, OneLine(r.Value.Effect), companyRemedies[CauseEvents]).concern(r.ID)
	}
	return err
}

// lookWebhooks finds a portal that tells its events when it is asked, and does not send them.
func (t *Tracker) lookWebhooks(ctx context.Context, found *findings) error {
	from := found.now.Add(-quietHours * time.Hour)
	rows, err := t.inbox(ctx, found, "via", "gap_fill", from, quietLeast)
	if err != nil || len(rows) < quietLeast {
		return err
	}
	// However many there are: one that is older than the newest by the span. Without it one reading brought them all, such as
	// the first.
	newest := rows[0].Value.ReceivedAt
	before, err := t.inboxTo(ctx, found, "via", "gap_fill", from, newest.Add(-quietSpan), 1)
	if err != nil || len(before) == 0 {
		return err
	}
	if sent, err := t.inbox(ctx, found, "via", "webhook", from, 1); err != nil || len(sent) > 0 {
		return err
	}
	found.cause(CauseWebhooks, before[0].Value.ReceivedAt.Time, "", companyRemedies[CauseWebhooks])
	return nil
}

func (t *Tracker) inbox(ctx context.Context, found *findings, field, value string, from time.Time, limit int) ([]store.Row[record.Inbox], error) {
	return t.inboxTo(ctx, found, field, value, from, time.Time{}, limit)
}

// inboxTo reads the newest events from a time to another, both included, of which a field has a value. The zero time to is no
// bound: another process may be ahead of ours.
func (t *Tracker) inboxTo(ctx context.Context, found *findings, field, value string, from, to time.Time, limit int) ([]store.Row[record.Inbox], error) {
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: found.company}, {Field: field, Value: value}},
		OrderBy: "received_at", Desc: true, From: store.At(from).Text(), Limit: limit,
	}
	if !to.IsZero() {
		q.UpTo = store.At(to).Text()
	}
	return store.Table[record.Inbox]{Store: t.store, Collection: store.Inbox}.Query(ctx, q)
}

// lookReconciliation finds differences that the last reconciliation could not explain.
func (t *Tracker) lookReconciliation(ctx context.Context, found *findings) error {
	last, ok, err := LastReconciliation(ctx, t.store, found.company)
	if err != nil || !ok || last.Unexplained == 0 {
		return err
	}
	detail := fmt.Sprintf("%d differences", last.Unexplained)
	if last.Unexplained == 1 {
		detail = "1 difference"
	}
	c := found.cause(CauseReconcile, last.At.Time, detail, companyRemedies[CauseReconcile])
	for _, m := range last.Stake {
		add(c.sums, m.Abs())
	}
	return nil
}

// Reconciliation is what the digest and the issues need to know of a comparison of both sides.
type Reconciliation struct {
	At          store.Time
	Explained   int           // differences with an explanation
	Unexplained int           // and without
	Stake       []money.Money // of those without
}

// LastReconciliation reads the newest reconciliation of a company (package reconcile); false when there is none.
func LastReconciliation(ctx context.Context, s store.Store, company string) (Reconciliation, bool, error) {
	type stored struct {
		At          store.Time `json:"at"`
		Differences int        `json:"differences"` // all
		Unexplained int        `json:"unexplained"`
		Stake       string     `json:"stake"` // such as "12.50 USD, 3.00 EUR"
	}
	rows, err := store.Table[stored]{Store: s, Collection: store.Reconciliations}.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "at", Desc: true, Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return Reconciliation{}, false, err
	}
	v := rows[0].Value
	out := Reconciliation{At: v.At, Explained: v.Differences - v.Unexplained, Unexplained: v.Unexplained}
	for _, text := range strings.Split(v.Stake, ", ") {
		amount, cur, _ := strings.Cut(text, " ")
		if m, err := money.Parse(amount, money.Currency(cur)); err == nil && cur != "" {
			out.Stake = append(out.Stake, m)
		}
	}
	return out, true, nil
}

// read gets a document that may be missing.
func read[T any](ctx context.Context, t interface {
	Get(ctx context.Context, id string) (T, store.Version, error)
}, id string) (T, bool, error) {
	v, _, err := t.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	return v, err == nil, err
}

// maxDetail bounds what a vendor said, in characters.
const maxDetail = 300

// OneLine makes a text fit for a cell: what a vendor says may hold line ends, tabs, codes for the terminal, or marks that turn
// the direction of what follows them.
func OneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
	}), " ")
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail]) + "…"
	}
	return s
}
