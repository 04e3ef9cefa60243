package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// Filter is one condition of a list; several are combined with AND, the only way the API knows (q360-api 1.4).
type Filter struct {
	Column string
	Op     string // = != < > <= >= isnull isnotnull; like is never used, because its value would need escaping
	Value  string
}

// Order is one column to sort by.
type Order struct {
	Column string
	Desc   bool
}

// Query is a list of one table. The offset is always 0: pages follow keys, because offsets skip rows of a set that changes.
type Query struct {
	Op      string // for errors: "listing invoices"
	Table   string
	Columns []string
	Filters []Filter
	Order   []Order
	Limit   int
}

// Page is the answer to a Query.
type Page struct {
	Rows []Row
	// More reports that there may be rows after the last one. A site that says nothing about it is believed only when
	// it returns no row at all, because its own limit may be lower than ours.
	More bool
}

type wireFilter struct {
	Field string `json:"field"`
	Op    string `json:"op"`
	Value string `json:"value"`
}

type wireOrder struct {
	Field string `json:"field"`
	Dir   string `json:"dir"`
}

type wireQuery struct {
	Columns []string     `json:"columns"`
	Filters []wireFilter `json:"filters"`
	OrderBy []wireOrder  `json:"orderBy"`
	Offset  int          `json:"offset"`
	Limit   int          `json:"limit"`
}

// List runs a query. Errors are *connector.Error.
func (c *Client) List(ctx context.Context, q Query) (Page, error) {
	form := c.m.Dialect.List
	req := request(form, tableVars(q.Table))
	doc, err := json.Marshal(c.wire(q))
	if err != nil {
		return Page{}, connector.NewError(connector.ClassBug, q.Op, "writing the query: %w", err)
	}
	if form.Body == "json" {
		req.Body, req.ContentType = doc, "application/json"
	} else if req.Body, req.ContentType, err = multipartForm(part{form.TablePart, q.Table}, part{form.Part, string(doc)}); err != nil {
		return Page{}, connector.NewError(connector.ClassBug, q.Op, "writing the query: %w", err)
	}
	a, err := c.read(ctx, call{op: q.Op, table: q.Table}, req)
	if err != nil {
		return Page{}, err
	}
	rows, found, err := a.rows(c.m.Dialect.RowsAt)
	if err == nil && !found {
		err = fmt.Errorf("no rows at %s of the answer; check dialect.rows_at of the mapping", strings.Join(c.m.Dialect.RowsAt, " or "))
	}
	if err != nil {
		return Page{}, connector.NewError(connector.ClassBadResponse, q.Op, "%w", err)
	}
	return Page{Rows: rows, More: c.more(a, len(rows))}, nil
}

func (c *Client) more(a answer, rows int) bool {
	said := strings.ToUpper(strings.TrimSpace(text(a.outvar(c.m.Dialect.OutvarsAt, "hasmore"))))
	return rows > 0 && said != "N"
}

func (c *Client) wire(q Query) wireQuery {
	w := wireQuery{Columns: make([]string, 0, len(q.Columns)), Filters: []wireFilter{}, OrderBy: []wireOrder{}, Limit: q.Limit}
	for _, name := range q.Columns {
		if name = c.column(name); !slices.Contains(w.Columns, name) {
			w.Columns = append(w.Columns, name)
		}
	}
	for _, f := range q.Filters {
		w.Filters = append(w.Filters, wireFilter{Field: c.column(f.Column), Op: f.Op, Value: f.Value})
	}
	for _, o := range q.Order {
		dir := "ASC"
		if o.Desc {
			dir = "DESC"
		}
		w.OrderBy = append(w.OrderBy, wireOrder{Field: c.column(o.Column), Dir: dir})
	}
	return w
}

type part struct{ name, value string }

// multipartForm writes form parts; one without a name is left out.
func multipartForm(parts ...part) (body []byte, contentType string, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		if p.name == "" {
			continue
		}
		if err := w.WriteField(p.name, p.value); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), w.FormDataContentType(), nil
}

// Condition is a mapped condition as a filter.
func Condition(c mapping.Condition) Filter { return Filter{Column: c.Column, Op: c.Op, Value: c.Value} }

// Holds decides a mapped condition on a row as the site's database does, without regard to case and padding.
func Holds(c mapping.Condition, r Row) bool {
	switch c.Op {
	case "=":
		return SameKey(r.Text(c.Column), c.Value)
	case "!=":
		return !SameKey(r.Text(c.Column), c.Value)
	case "isnull":
		return r.Text(c.Column) == ""
	}
	return r.Text(c.Column) != ""
}
