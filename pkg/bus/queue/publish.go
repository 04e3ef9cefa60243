package queue

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/internal/wire"
)

// row is a message made ready for storing.
type row struct {
	key, attributes string
	data            []byte
	due, published  int64
}

// Publish stores the messages for every subscription of the topic in one transaction and wakes the dispatchers. It
// refuses all of them when the topic is unknown, or when a message is empty, above bus.MaxMessage or not text where text
// is needed. Any other error means that it is not known whether they were stored.
func (q *Queue) Publish(ctx context.Context, topic string, messages ...bus.Message) error {
	if err := wire.Check(q.opts.Topics, topic, messages); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	rows := make([]row, len(messages))
	now := q.clk.Now()
	for i, m := range messages {
		attributes, err := encodeAttributes(m.Attributes)
		if err != nil {
			return fmt.Errorf("publishing to %s: message %d: attributes: %w", topic, i, err)
		}
		rows[i] = row{
			key: m.Key, attributes: attributes, data: m.Data,
			due: now.Add(max(m.Delay, 0)).UnixNano(), published: now.UnixNano(),
		}
		if m.Data == nil {
			rows[i].data = []byte{}
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	subs := q.subscribed(topic)
	if len(subs) == 0 || len(rows) == 0 {
		return nil
	}
	err := q.db.Exec(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, subs, rows) })
	for _, s := range subs { // also after an error, because the rows may be there
		s.signal()
	}
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	return nil
}

// insert writes each row once per subscription, under the same message id.
func insert(ctx context.Context, tx *sql.Tx, subs []*subscription, rows []row) error {
	stmt, err := tx.PrepareContext(ctx, insertMessage)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, r := range rows {
		var id sql.NullInt64
		for _, s := range subs {
			res, err := stmt.ExecContext(ctx, id, s.name, r.key, r.due, r.published, r.attributes, r.data)
			if err != nil {
				return err
			}
			if id.Valid {
				continue
			}
			if id.Int64, err = res.LastInsertId(); err != nil {
				return err
			}
			id.Valid = true
		}
	}
	return nil
}
