package queue

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // database driver
)

// TestQueriesUseIndexes asks SQLite how it would run each statement: none may look at every row of the queue.
func TestQueriesUseIndexes(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := createTables(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, statement string
		want            string
		args            []any
	}{
		{"insert", insertMessage, "queue_messages_key", []any{nil, "s", "k", 0, 0, "", ""}},
		{"ready", selectReady, "queue_messages_ready", []any{"s", 0, "[]", 1}},
		{"next", selectNext, "queue_messages_ready", []any{"s", 0}},
		{"promote", promoteNext, "queue_messages_key", []any{"[]"}},
		{"delete", deleteGone, "PRIMARY KEY", []any{"[]"}},
		{"postpone", postpone, "PRIMARY KEY", []any{1, 1, 1}},
		{"bury", bury, "PRIMARY KEY", []any{1, 1, 1, ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := explain(t, db, tt.statement, tt.args)
			if !strings.Contains(plan, tt.want) {
				t.Errorf("plan does not use %s:\n%s", tt.want, plan)
			}
			for line := range strings.Lines(plan) {
				if strings.Contains(line, "SCAN") && !strings.Contains(line, "json_each") && !strings.Contains(line, "CONSTANT ROW") ||
					strings.Contains(line, "TEMP B-TREE") {
					t.Errorf("plan reads or sorts the whole table: %s", line)
				}
			}
		})
	}
}

func explain(t *testing.T, db *sql.DB, statement string, args []any) string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		b.WriteString(detail + "\n")
	}
	return b.String()
}
