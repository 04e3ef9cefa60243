package engine

import (
	"context"
	"errors"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// feedRecipients is the cursor that remembers which recipients the portal was last allowed to hold.
const feedRecipients = "recipients"

// checkRecipients wakes every customer that is in the portal when the company goes into sandbox mode, out of it, or to
// another safe address: their recipients have to be replaced whether or not anything is sent to them (F17).
func (e *Engine) checkRecipients(ctx context.Context, c *Company) error {
	want := plan.Recipients(c.Settings)
	if want == "" {
		return nil
	}
	cur, version, err := e.cursor(ctx, c.ID, feedRecipients)
	if err != nil || cur.Value == want {
		return err
	}
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: c.ID}, {Field: "kind", Value: string(billing.KindCustomer)}},
		OrderBy: "source_id", Limit: 200,
	}
	for {
		rows, err := e.sources.Query(ctx, q)
		if err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		if done, err := e.wakeCustomers(ctx, c, ids); err != nil || !done {
			return err // some are being worked on: the next poll looks again
		}
		if len(rows) < q.Limit {
			break
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.SourceID, ID: last.ID}
	}
	cur.Value, cur.Backfill = want, false
	_, err = e.saveCursor(ctx, cur, version)
	return err
}

// wakeCustomers schedules those of the records whose recipients are not right. done is false when somebody has one.
func (e *Engine) wakeCustomers(ctx context.Context, c *Company, ids []string) (done bool, err error) {
	have, err := e.getRecords(ctx, ids)
	if err != nil {
		return false, err
	}
	now, done := e.clock.Now(), true
	for _, id := range ids {
		row, exists := have[id]
		rec := row.Value
		if !exists || rec.PortalID == "" || rec.Status == record.Ignored || plan.RecipientsRight(rec.Memory, c.Settings) {
			continue
		}
		if e.held(rec.LeaseOwner, rec.LeaseUntil, now) {
			done = false
			continue
		}
		if rec.Status != record.Unknown {
			rec.Set(record.Scheduled, nil)
		}
		rec.DueAt, rec.UpdatedAt = store.At(now.Add(e.opt.Grace)), store.At(now)
		rec.Note(now, "recipients change", string(c.Settings.Mode))
		_, err := e.records.Update(ctx, id, rec, row.Version)
		if errors.Is(err, store.ErrConflict) {
			done = false
			continue
		}
		if err != nil {
			return false, err
		}
		e.announce(ctx, &rec)
	}
	return done, nil
}
