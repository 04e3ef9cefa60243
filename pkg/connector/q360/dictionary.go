package q360

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/client"
)

// dictionary caches the site's data dictionary for a day, each table read at most once (q360-api 4.3).
type dictionary struct {
	tables     map[string]bool
	tablesRead time.Time
	columns    map[string]map[string]client.Column
	read       map[string]time.Time
}

// tables lists the tables the site knows, in upper case.
func (c *Connector) tables(ctx context.Context) (map[string]bool, error) {
	c.mu.Lock()
	known, fresh := c.dictionary.tables, c.fresh(c.dictionary.tablesRead)
	c.mu.Unlock()
	if fresh {
		return known, nil
	}
	got, err := c.api.Tables(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dictionary.tables, c.dictionary.tablesRead = got, c.clock.Now()
	return maps.Clone(got), nil
}

// columns describes the columns of a table by upper-case name; none for an unknown table.
func (c *Connector) columns(ctx context.Context, table string) (map[string]client.Column, error) {
	k := strings.ToUpper(table)
	c.mu.Lock()
	known, fresh := c.dictionary.columns[k], c.fresh(c.dictionary.read[k])
	c.mu.Unlock()
	if fresh {
		return known, nil
	}
	got, err := c.api.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dictionary.columns == nil {
		c.dictionary.columns, c.dictionary.read = map[string]map[string]client.Column{}, map[string]time.Time{}
	}
	c.dictionary.columns[k], c.dictionary.read[k] = got, c.clock.Now()
	return got, nil
}

func (c *Connector) fresh(read time.Time) bool {
	return !read.IsZero() && c.clock.Now().Sub(read) < dictionaryAge
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
