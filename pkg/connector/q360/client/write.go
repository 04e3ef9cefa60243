package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// Write is a create or update of records of one table: native column name to text.
type Write struct {
	Op      string // for errors: "creating receipt IVD-1"
	Table   string
	Key     string // key column, needed for updates
	Records []map[string]string
	Preview bool // creates only: the server checks everything and keeps nothing
}

// Create inserts the records in one call and returns the keys the server gave them, none for a preview. It is sent once.
// A refusal is ClassInvalid (or a right that is missing) and certain; a lost or unreadable answer is Ambiguous.
func (c *Client) Create(ctx context.Context, w Write) ([]string, error) {
	form := c.m.Dialect.Create
	if w.Preview && form.PreviewPart == "" {
		return nil, connector.NewError(connector.ClassUnsupported, w.Op, "the mapping names no dialect.create.preview_part")
	}
	parts := []part{}
	if w.Preview {
		parts = append(parts, part{form.PreviewPart, "Y"})
	}
	a, err := c.send(ctx, form, w, parts...)
	if err != nil || w.Preview {
		return nil, err
	}
	keys := keysOf(a.outvar(c.m.Dialect.OutvarsAt, "primarykey"))
	if len(keys) == 0 {
		return nil, &connector.Error{Class: connector.ClassBadResponse, Op: w.Op, Ambiguous: true,
			Err: errors.New("the site reported success without the key of the new record")}
	}
	return keys, nil
}

// Update changes the given columns of existing records. A record without its key is refused here and never sent, because
// the server would create a new one (q360-api 1.4).
func (c *Client) Update(ctx context.Context, w Write) error {
	if w.Key == "" {
		return connector.NewError(connector.ClassBug, w.Op, "an update of %s without its key column", w.Table)
	}
	for i, record := range w.Records {
		key := ""
		for name, value := range record {
			if strings.EqualFold(name, w.Key) {
				key = strings.TrimSpace(value)
			}
		}
		if key == "" {
			return connector.NewError(connector.ClassBug, w.Op, "record %d has no value for its key %s.%s: the site would create a new record", i+1, w.Table, w.Key)
		}
	}
	_, err := c.send(ctx, c.m.Dialect.Update, w)
	return err
}

func (c *Client) send(ctx context.Context, form mapping.Call, w Write, extra ...part) (answer, error) {
	if len(w.Records) == 0 {
		return answer{}, connector.NewError(connector.ClassBug, w.Op, "no record to write to %s", w.Table)
	}
	records := make([]map[string]string, len(w.Records))
	for i, record := range w.Records {
		records[i] = make(map[string]string, len(record))
		for name, value := range record {
			records[i][c.column(name)] = value
		}
	}
	doc, err := json.Marshal(map[string]any{"griddata": map[string]any{"record": records}})
	if err != nil {
		return answer{}, connector.NewError(connector.ClassBug, w.Op, "writing the records: %w", err)
	}
	req := request(form, tableVars(w.Table))
	req.Body, req.ContentType, err = multipartForm(append([]part{{form.TablePart, w.Table}, {form.Part, string(doc)}}, extra...)...)
	if err != nil {
		return answer{}, connector.NewError(connector.ClassBug, w.Op, "writing the records: %w", err)
	}
	return c.authorized(ctx, call{op: w.Op, table: w.Table, write: true, preview: w.Preview}, req)
}

// keysOf reads outvars.primarykey, whose form for several records is not known: one value, a list, or texts with commas.
func keysOf(v any) []string {
	var out []string
	if list, ok := v.([]any); ok {
		for _, item := range list {
			out = append(out, keysOf(item)...)
		}
		return out
	}
	for key := range strings.SplitSeq(text(v), ",") {
		if key = strings.TrimSpace(key); key != "" {
			out = append(out, key)
		}
	}
	return out
}

// String describes a write for logs without the values it holds.
func (w Write) String() string { return fmt.Sprintf("%d record(s) of %s", len(w.Records), w.Table) }
