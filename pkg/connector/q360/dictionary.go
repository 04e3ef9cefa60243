package q360

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/client"
)

// Dictionary is what a site says of its tables (q360-api 4.3), kept for a day. Companies that ask one site as the same user
// can share it. The zero value is empty. It is safe for concurrent use.
type Dictionary struct {
	mu      sync.Mutex
	tables  known[map[string]bool]
	columns map[string]known[map[string]client.Column]
}

// known is something that was read, and when.
type known[T any] struct {
	what T
	read time.Time
}

func (k known[T]) fresh(now time.Time) bool {
	return !k.read.IsZero() && now.Sub(k.read) < dictionaryAge
}

// As is a copy that counts as read at a time. Simulations start with it, because the dictionary of their site never changes.
func (d *Dictionary) As(at time.Time) *Dictionary {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &Dictionary{tables: known[map[string]bool]{d.tables.what, at}, columns: map[string]known[map[string]client.Column]{}}
	for table, c := range d.columns {
		out.columns[table] = known[map[string]client.Column]{c.what, at}
	}
	return out
}

// tables lists the tables the site knows, in upper case. The result is not to be changed.
func (c *Connector) tables(ctx context.Context) (map[string]bool, error) {
	d := c.dictionary
	d.mu.Lock()
	have := d.tables
	d.mu.Unlock()
	if have.fresh(c.clock.Now()) {
		return have.what, nil
	}
	got, err := c.api.Tables(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tables = known[map[string]bool]{got, c.clock.Now()}
	return got, nil
}

// columns describes the columns of a table by upper-case name; none for an unknown table. The result is not to be changed.
func (c *Connector) columns(ctx context.Context, table string) (map[string]client.Column, error) {
	d, name := c.dictionary, strings.ToUpper(table)
	d.mu.Lock()
	have := d.columns[name]
	d.mu.Unlock()
	if have.fresh(c.clock.Now()) {
		return have.what, nil
	}
	got, err := c.api.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.columns == nil {
		d.columns = map[string]known[map[string]client.Column]{}
	}
	d.columns[name] = known[map[string]client.Column]{got, c.clock.Now()}
	return got, nil
}

// hasColumn reports whether a mapped column exists at the site; false for the column name "".
func (c *Connector) hasColumn(ctx context.Context, table, column string) (bool, error) {
	if column == "" {
		return false, nil
	}
	columns, err := c.columns(ctx, table)
	if err != nil {
		return false, err
	}
	_, has := columns[strings.ToUpper(column)]
	return has, nil
}
