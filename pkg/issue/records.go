package issue

import (
	"context"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The attempts after which a record that is only scheduled again and again is an issue: some hours of trouble.
const (
	internalAttempts = 5
	vendorAttempts   = 10
)

// maxScheduled bounds the scheduled records that are looked at, the newest first: those of a first full read are many, and
// what does not get anywhere is touched at least every hour.
const maxScheduled = 1000

// Cause is the reason for which a record needs a person at a time, and since when; false when it needs none.
func Cause(r record.Record, now time.Time) (reason plan.Reason, since time.Time, ok bool) {
	reason, words := remedyOf(r.Reasons)
	since = entered(r)
	age := now.Sub(since)
	switch r.Status {
	case record.Attention, record.Reversed:
		ok = true
	case record.Unknown:
		if reason.Code == "" {
			reason = plan.Because(plan.OutcomeUnknown)
		}
		ok = age >= words.wait
	case record.Waiting:
		ok = age >= words.wait
	case record.Scheduled:
		ok = reason.Code == plan.InternalError && r.Attempts >= internalAttempts || reason.Code == plan.VendorDown && r.Attempts >= vendorAttempts
	}
	return reason, since, ok
}

// remedyOf picks the reason that a person can do something about: the first that is one; otherwise the last, which is what
// stopped the record.
func remedyOf(reasons []plan.Reason) (plan.Reason, remedy) {
	for _, r := range reasons {
		if words, ok := remedies[r.Code]; ok {
			return r, words
		}
	}
	if len(reasons) == 0 {
		return plan.Reason{}, unnamed
	}
	return reasons[len(reasons)-1], unnamed
}

// entered is since when a record has its status, as its timeline tells: an entry that repeats the one before only moves its
// time, so the end of what was before counts.
func entered(r record.Record) time.Time {
	at := r.CreatedAt.Time
	if n := len(r.Timeline); n > 0 {
		what := r.Timeline[n-1].What
		for _, e := range slices.Backward(r.Timeline) {
			if e.What != what {
				at = e.At.Time
				break
			}
		}
	}
	if at.IsZero() || r.UpdatedAt.Before(at) {
		return r.UpdatedAt.Time
	}
	return at
}

// lookRecords finds the causes among the records. It reports false when it did not look, because none changed since it last
// did.
func (t *Tracker) lookRecords(ctx context.Context, found *findings) (bool, error) {
	newest, err := t.newest(ctx, found.company)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	last, known := t.scanned[found.company]
	t.mu.Unlock()
	if known && last.newest == newest && found.now.Sub(last.at) < rescan {
		return false, nil
	}
	for _, status := range []record.Status{record.Attention, record.Reversed, record.Unknown, record.Waiting, record.Scheduled} {
		if err := t.eachRecord(ctx, found.company, status, found.record); err != nil {
			return false, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scanned[found.company] = scan{newest: newest, at: found.now}
	return true, nil
}

// newest identifies the state of a company's records: which one changed last, and to which version.
func (t *Tracker) newest(ctx context.Context, company string) (string, error) {
	rows, err := t.records.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "updated_at", Desc: true, Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0].ID + " " + string(rows[0].Version), nil
}

func (t *Tracker) eachRecord(ctx context.Context, company string, status record.Status, do func(record.Record)) error {
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: company}, {Field: "status", Value: string(status)}},
		OrderBy: "updated_at", Desc: true, Limit: 500,
	}
	for read := 0; ; {
		rows, err := t.records.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range rows {
			do(r.Value)
		}
		read += len(rows)
		if len(rows) < q.Limit || status == record.Scheduled && read >= maxScheduled {
			return nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}

// record adds a record to its cause.
func (f *findings) record(r record.Record) {
	reason, since, ok := Cause(r, f.now)
	if !ok {
		return
	}
	name := string(reason.Code)
	words, named := remedies[reason.Code]
	if !named {
		words = unnamed
	}
	if name == "" {
		name = CauseUnnamed
	}
	c := f.cause(name, since, OneLine(reason.Text()), words)
	c.concern(r.ID())
	if m, ok := Amount(r); ok {
		add(c.sums, m)
	}
}

// Amount is the money that a record is about, without its sign: the ERP's total of a document, or the portal's where the ERP
// has none; the amount of a payment. It is false for customers and files, and for what could not be read.
func Amount(r record.Record) (money.Money, bool) {
	if r.Kind == billing.KindCustomer || r.Kind == billing.KindDocument {
		return money.Money{}, false
	}
	text := r.SourceTotal
	if text == "" {
		text = r.PortalTotal
	}
	m, err := money.Parse(text, money.Currency(r.Currency))
	return m.Abs(), err == nil && r.Currency != ""
}
