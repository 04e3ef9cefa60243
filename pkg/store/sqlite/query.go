package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/store"
)

// Query implements store.Store. The order is that of UTF-8 bytes, with ids in the same direction as OrderBy.
func (s *Store) Query(ctx context.Context, q store.Query) (docs []store.Doc, err error) {
	if err := errors.Join(q.Validate(), s.writer.check()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("query of %s: %w", q.Collection, err)
		}
	}()
	if q.After == (store.Position{}) {
		text, args := build(q, everything)
		return rows(ctx, s.read, text, args...)
	}
	// Both parts see one state of the file.
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	limit := q.Limit
	for _, p := range []part{sameValue, beyondValue} {
		if q.Limit = limit - len(docs); q.Limit == 0 {
			break
		}
		text, args := build(q, p)
		more, err := rows(ctx, tx, text, args...)
		if err != nil {
			return nil, err
		}
		docs = append(docs, more...)
	}
	return docs, nil
}

// part is what of a query's answer is asked for. SQLite can start at a pair of value and id in an index of columns but
// not of expressions, so a continued query asks first for the rest of its value and then for what lies beyond.
type part int

const (
	everything  part = iota
	sameValue        // the value of Query.After, beyond its id
	beyondValue      // beyond the value of Query.After
)

// build writes the SQL of a valid query; names come from store.Shapes, values are arguments.
func build(q store.Query, p part) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	// Only texts match, as in Firestore; json_extract alone would also give numbers, and objects as text.
	text := func(name string) { add(`json_type(data, '$.` + name + `') = 'text'`) }
	for _, e := range q.Equal {
		add(field(e.Field)+` = ?`, e.Value)
		text(e.Field)
	}
	by, direction, beyond := field(q.OrderBy), "ASC", ">"
	if q.Desc {
		direction, beyond = "DESC", "<"
	}
	order := by + ` ` + direction + `, id ` + direction
	switch p {
	case sameValue:
		order = `id ` + direction
		add(by+` = ?`, q.After.Value)
		add(`id `+beyond+` ?`, q.After.ID)
	case beyondValue:
		add(by+` `+beyond+` ?`, q.After.Value)
	}
	add(by+` >= ?`, q.From)
	if q.UpTo != "" {
		add(by+` <= ?`, q.UpTo)
	}
	text(q.OrderBy)
	query := `SELECT id, version, data FROM ` + string(q.Collection) + ` WHERE ` + strings.Join(where, " AND ") +
		` ORDER BY ` + order + ` LIMIT ?`
	return query, append(args, q.Limit)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rows runs a query for id, version and data.
func rows(ctx context.Context, from querier, query string, args ...any) ([]store.Doc, error) {
	found, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var docs []store.Doc
	for found.Next() {
		var d store.Doc
		if err := found.Scan(&d.ID, (*string)(&d.Version), &d.Data); err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, found.Err()
}
