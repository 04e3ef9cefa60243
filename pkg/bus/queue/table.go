package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The tables. Times are nanoseconds since 1970 in UTC. A row with waiting = 1 stands behind an earlier one of its key:
// only heads of keys are ever looked at, so a long queue behind one key costs nothing, and the partial indexes hold no
// more than what their queries read.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS queue_messages (
		seq          INTEGER PRIMARY KEY AUTOINCREMENT,
		id           INTEGER,          -- message id, the same in every subscription; NULL means seq
		subscription TEXT    NOT NULL,
		key          TEXT    NOT NULL,
		waiting      INTEGER NOT NULL,
		due          INTEGER NOT NULL,
		attempts     INTEGER NOT NULL,
		published    INTEGER NOT NULL,
		attributes   TEXT    NOT NULL, -- JSON
		data         BLOB    NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS queue_messages_ready ON queue_messages (subscription, due) WHERE waiting = 0`,
	`CREATE INDEX IF NOT EXISTS queue_messages_key ON queue_messages (subscription, key) WHERE key <> ''`,
	`CREATE TABLE IF NOT EXISTS queue_dead_letters (
		seq          INTEGER PRIMARY KEY,
		id           INTEGER NOT NULL,
		subscription TEXT    NOT NULL,
		key          TEXT    NOT NULL,
		attempts     INTEGER NOT NULL,
		published    INTEGER NOT NULL,
		attributes   TEXT    NOT NULL,
		data         BLOB    NOT NULL,
		died         INTEGER NOT NULL,
		reason       TEXT    NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS queue_dead_letters_subscription ON queue_dead_letters (subscription)`,
	// Rows deleted by hand must not leave the rest of their key waiting for ever.
	`UPDATE queue_messages SET waiting = 0 WHERE waiting = 1 AND NOT EXISTS (SELECT 1 FROM queue_messages AS m
		WHERE m.subscription = queue_messages.subscription AND m.key = queue_messages.key AND m.key <> ''
		AND m.seq < queue_messages.seq)`,
}

const (
	// insertMessage takes id, subscription, key, due, published, attributes, data.
	insertMessage = `INSERT INTO queue_messages (id, subscription, key, waiting, due, attempts, published, attributes, data)
		VALUES (?1, ?2, ?3, ?3 <> '' AND EXISTS (SELECT 1 FROM queue_messages WHERE subscription = ?2 AND key = ?3 AND key <> ''),
		?4, 0, ?5, ?6, ?7)`
	// selectReady takes subscription, now, a JSON array of seqs to leave out, limit.
	selectReady = `SELECT seq, COALESCE(id, seq), key, attempts, published, attributes, data FROM queue_messages
		WHERE subscription = ?1 AND waiting = 0 AND due <= ?2 AND seq NOT IN (SELECT value FROM json_each(?3))
		ORDER BY due, seq LIMIT ?4`
	// selectNext takes subscription, now.
	selectNext = `SELECT due FROM queue_messages WHERE subscription = ?1 AND waiting = 0 AND due > ?2 ORDER BY due LIMIT 1`
	// promoteNext takes a JSON array of the seqs about to go, and lets the next message of each one's key pass.
	promoteNext = `UPDATE queue_messages SET waiting = 0 WHERE seq IN (SELECT (SELECT MIN(n.seq) FROM queue_messages AS n
		WHERE n.subscription = m.subscription AND n.key = m.key AND n.key <> '' AND n.seq > m.seq)
		FROM queue_messages AS m WHERE m.key <> '' AND m.seq IN (SELECT value FROM json_each(?1)))`
	deleteGone = `DELETE FROM queue_messages WHERE seq IN (SELECT value FROM json_each(?1))`
	postpone   = `UPDATE queue_messages SET attempts = ?2, due = ?3 WHERE seq = ?1`
	// bury takes seq, attempts, time of death, reason.
	bury = `INSERT INTO queue_dead_letters (seq, id, subscription, key, attempts, published, attributes, data, died, reason)
		SELECT seq, COALESCE(id, seq), subscription, key, ?2, published, attributes, data, ?3, ?4
		FROM queue_messages WHERE seq = ?1`
)

// message is one row that is ready.
type message struct {
	seq, id    int64
	key        string
	attempts   int // deliveries that failed so far
	published  time.Time
	attributes map[string]string
	data       []byte
}

// createTables makes what is missing of the schema.
func createTables(tx *sql.Tx) error {
	for _, statement := range schema {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// ready reads up to limit messages of a subscription that may be delivered now, except those held. When there are fewer,
// next is the time of the next one to become ready, or zero.
func (q *Queue) ready(ctx context.Context, name string, held map[int64]struct{}, limit int) (out []message, next time.Time, err error) {
	now := q.clk.Now().UnixNano()
	seqs := make([]int64, 0, len(held))
	for seq := range held {
		seqs = append(seqs, seq)
	}
	err = q.db.Read(ctx, func(db *sql.DB) error {
		out, next = nil, time.Time{}
		rows, err := db.QueryContext(ctx, selectReady, name, now, jsonArray(seqs), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			m, err := scanMessage(rows)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		if err := rows.Err(); err != nil || len(out) == limit {
			return err
		}
		var due int64
		switch err := db.QueryRowContext(ctx, selectNext, name, now).Scan(&due); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		default:
			next = time.Unix(0, due).UTC()
		}
		return nil
	})
	return out, next, err
}

// scanMessage reads a row of selectReady.
func scanMessage(rows *sql.Rows) (message, error) {
	var m message
	var published int64
	var attributes string
	err := rows.Scan(&m.seq, &m.id, &m.key, &m.attempts, &published, &attributes, &m.data)
	if err != nil {
		return message{}, err
	}
	if m.attributes, err = decodeAttributes(attributes); err != nil {
		return message{}, fmt.Errorf("reading queued message %d: %w", m.seq, err)
	}
	m.published = time.Unix(0, published).UTC()
	return m, nil
}

// encodeAttributes is the stored form of attributes; none are the empty text.
func encodeAttributes(attributes map[string]string) (string, error) {
	if len(attributes) == 0 {
		return "", nil
	}
	b, err := json.Marshal(attributes)
	return string(b), err
}

// decodeAttributes reads the form written by encodeAttributes.
func decodeAttributes(text string) (attributes map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return attributes, nil
}

// jsonArray writes numbers for json_each.
func jsonArray(numbers []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	b.WriteByte(']')
	return b.String()
}
