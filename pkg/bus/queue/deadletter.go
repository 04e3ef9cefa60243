package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
)

// DeadLetter is a message that was given up.
type DeadLetter struct {
	// ID names the dead letter for Replay and Discard. It is not the message id, which subscriptions share.
	ID string
	// Delivery is the message as last delivered.
	Delivery bus.Delivery
	// Died is when it was given up, in UTC.
	Died time.Time
	// Reason is why the last attempt was not acknowledged, in words.
	Reason string
}

// Depth counts the queued messages of each subscription, those being handled and those of subscriptions that are no
// longer registered included.
func (q *Queue) Depth(ctx context.Context) (map[string]int, error) {
	var out map[string]int
	err := q.db.Read(ctx, func(db *sql.DB) error {
		out = q.empty()
		rows, err := db.QueryContext(ctx, `SELECT subscription, COUNT(*) FROM queue_messages GROUP BY subscription`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var n int
			if err := rows.Scan(&name, &n); err != nil {
				return err
			}
			out[name] = n
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("counting queued messages: %w", err)
	}
	return out, nil
}

// empty is the depth of a queue without messages.
func (q *Queue) empty() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make(map[string]int, len(q.subs))
	for _, s := range q.subs {
		out[s.name] = 0
	}
	return out
}

// DeadLetters lists up to limit messages that a subscription gave up, newest first.
func (q *Queue) DeadLetters(ctx context.Context, subscription string, limit int) ([]DeadLetter, error) {
	var out []DeadLetter
	err := q.db.Read(ctx, func(db *sql.DB) error {
		out = nil
		rows, err := db.QueryContext(ctx, `SELECT seq, id, key, attempts, published, attributes, data, died, reason
			FROM queue_dead_letters WHERE subscription = ? ORDER BY seq DESC LIMIT ?`, subscription, max(limit, 0))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			letter, err := scanDeadLetter(rows)
			if err != nil {
				return err
			}
			letter.Delivery.Subscription = subscription
			out = append(out, letter)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("listing dead letters of %s: %w", subscription, err)
	}
	return out, nil
}

// scanDeadLetter reads one row of DeadLetters.
func scanDeadLetter(rows *sql.Rows) (DeadLetter, error) {
	var out DeadLetter
	var seq, id, published, died int64
	var attributes string
	d := &out.Delivery
	err := rows.Scan(&seq, &id, &d.Key, &d.Attempt, &published, &attributes, &d.Data, &died, &out.Reason)
	if err != nil {
		return DeadLetter{}, err
	}
	if d.Attributes, err = decodeAttributes(attributes); err != nil {
		return DeadLetter{}, fmt.Errorf("dead letter %d: %w", seq, err)
	}
	out.ID, d.ID = strconv.FormatInt(seq, 10), strconv.FormatInt(id, 10)
	d.Published, out.Died = time.Unix(0, published).UTC(), time.Unix(0, died).UTC()
	return out, nil
}

// Replay puts a dead letter back into its queue, behind everything queued, with all its attempts before it.
// ErrNotFound if there is none with that ID.
func (q *Queue) Replay(ctx context.Context, id string) error {
	seq, err := parseID(id)
	if err != nil {
		return fmt.Errorf("replaying dead letter %q: %w", id, err)
	}
	now := q.clk.Now().UnixNano()
	var name string
	err = q.db.Exec(ctx, func(tx *sql.Tx) error {
		var r row
		var message int64
		err := tx.QueryRowContext(ctx, `DELETE FROM queue_dead_letters WHERE seq = ?
			RETURNING id, subscription, key, published, attributes, data`, seq).
			Scan(&message, &name, &r.key, &r.published, &r.attributes, &r.data)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertMessage, message, name, r.key, now, r.published, r.attributes, r.data)
		return err
	})
	if err != nil {
		return fmt.Errorf("replaying dead letter %q: %w", id, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.subs {
		if s.name == name {
			s.signal()
		}
	}
	return nil
}

// Discard removes a dead letter for good. ErrNotFound if there is none with that ID.
func (q *Queue) Discard(ctx context.Context, id string) error {
	seq, err := parseID(id)
	if err != nil {
		return fmt.Errorf("discarding dead letter %q: %w", id, err)
	}
	err = q.db.Exec(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM queue_dead_letters WHERE seq = ?`, seq)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return ErrNotFound
	})
	if err != nil {
		return fmt.Errorf("discarding dead letter %q: %w", id, err)
	}
	return nil
}

// parseID reads DeadLetter.ID.
func parseID(id string) (int64, error) {
	seq, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, ErrNotFound
	}
	return seq, nil
}
