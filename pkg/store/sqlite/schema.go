package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/store"
)

// format is the layout of the file, kept in SQLite's user_version; a newer one is refused.
const format = 1

// recordColumns are fields of a sync record that its view shows beside those of the query shapes.
var recordColumns = []string{"kind", "source_id"}

// field is the SQL expression of a top-level field. Indexes and queries must spell it alike.
func field(name string) string { return `json_extract(data, '$.` + name + `')` }

// migrate creates what is missing, and replaces indexes and views whose definition has changed.
func migrate(db *sql.DB) error {
	var found int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&found); err != nil {
		return err
	}
	if found > format {
		return fmt.Errorf("file has format %d, this version knows %d: use a newer arbridge", found, format)
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := bringUp(tx); err != nil {
		return errors.Join(fmt.Errorf("updating the schema: %w", err), tx.Rollback())
	}
	return tx.Commit()
}

func bringUp(tx *sql.Tx) error {
	statements := []string{
		`CREATE TABLE IF NOT EXISTS arbridge_version (last INTEGER NOT NULL) STRICT`,
		`INSERT INTO arbridge_version (last) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM arbridge_version)`,
		fmt.Sprintf(`PRAGMA user_version = %d`, format),
	}
	for _, c := range store.Collections {
		statements = append(statements, `CREATE TABLE IF NOT EXISTS `+string(c)+
			` (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, data TEXT NOT NULL) STRICT`)
	}
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if err := replace(tx, "index", "%\\_by\\_%", indexes()); err != nil {
		return err
	}
	return replace(tx, "view", "%\\_view", views())
}

// replace makes the objects of a kind whose names are like a pattern be exactly those wanted, by name.
func replace(tx *sql.Tx, kind, like string, wanted map[string]string) error {
	present, err := definitions(tx, kind, like)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if present[name] == wanted[name] {
			continue
		}
		if _, err := tx.Exec(`DROP ` + kind + ` ` + name); err != nil {
			return fmt.Errorf("dropping %s %s: %w", kind, name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if present[name] == wanted[name] {
			continue
		}
		if _, err := tx.Exec(wanted[name]); err != nil {
			return fmt.Errorf("creating %s %s: %w", kind, name, err)
		}
	}
	return nil
}

// definitions are the objects on the collections, by name; those of other packages' tables are left alone.
func definitions(tx *sql.Tx, kind, like string) (map[string]string, error) {
	rows, err := tx.Query(`SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = ? AND name LIKE ? ESCAPE '\'`, kind, like)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]string)
	for rows.Next() {
		var name, table, definition string
		if err := rows.Scan(&name, &table, &definition); err != nil {
			return nil, err
		}
		if slices.Contains(store.Collections, store.Collection(strings.TrimSuffix(table, "_view"))) {
			found[name] = definition
		}
	}
	return found, rows.Err()
}

// indexes gives one index per shape and one per collection with retention, by name.
func indexes() map[string]string {
	all := make(map[string]string, len(store.Shapes))
	for _, s := range store.Shapes {
		names := append(slices.Clone(s.Equal), s.OrderBy)
		terms := make([]string, 0, len(names)+1)
		for _, n := range names {
			terms = append(terms, field(n))
		}
		name := string(s.Collection) + "_by_" + strings.Join(names, "_")
		// SQLite reads an index in both directions, so a descending shape needs no index of its own.
		all[name] = `CREATE INDEX ` + name + ` ON ` + string(s.Collection) + ` (` + strings.Join(append(terms, "id"), ", ") + `)`
	}
	for _, c := range store.Retained {
		name := string(c) + "_by_" + store.TTLField
		all[name] = `CREATE INDEX ` + name + ` ON ` + string(c) + ` (` + field(store.TTLField) + `)`
	}
	return all
}

// views gives one view per collection, by name: the fields that shapes use, the whole document last.
func views() map[string]string {
	all := make(map[string]string, len(store.Collections))
	for _, c := range store.Collections {
		columns := []string{"id"}
		for _, n := range columnsOf(c) {
			columns = append(columns, field(n)+" AS "+n)
		}
		name := string(c) + "_view"
		all[name] = `CREATE VIEW ` + name + ` AS SELECT ` + strings.Join(append(columns, "version", "data"), ", ") + ` FROM ` + string(c)
	}
	return all
}

func columnsOf(c store.Collection) []string {
	var names []string
	add := func(more ...string) {
		for _, n := range more {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	if c == store.Records {
		add("company")
		add(recordColumns...)
	}
	for _, s := range store.Shapes {
		if s.Collection == c {
			add(s.Equal...)
			add(s.OrderBy)
		}
	}
	add(store.TTLField)
	return names
}
