package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// Column describes a column of the data dictionary (q360-api 1.4).
type Column struct {
	Name      string // upper case
	SQLType   string // VARCHAR, CHAR, DATETIME, MONEY, …
	Len       int    // characters, 0 when unknown
	Mandatory bool
	Key       bool
}

// Tables lists the tables and views the site knows, in upper case.
func (c *Client) Tables(ctx context.Context) (map[string]bool, error) {
	const op = "reading the data dictionary's tables"
	rows, err := c.dictionary(ctx, op, "", request(c.m.Dialect.Tables, nil))
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(rows))
	for _, r := range rows {
		if name := r.Text("table_dbf"); name != "" {
			out[strings.ToUpper(name)] = true
		}
	}
	return out, nil
}

// Columns describes a table's columns by upper-case name; none for a table the site does not know.
func (c *Client) Columns(ctx context.Context, table string) (map[string]Column, error) {
	op := "reading the data dictionary's columns of " + table
	rows, err := c.dictionary(ctx, op, table, request(c.m.Dialect.Columns, tableVars(table)))
	if err != nil {
		return nil, err
	}
	out := make(map[string]Column, len(rows))
	for _, r := range rows {
		name := strings.ToUpper(r.Text("field_name"))
		if name == "" {
			continue
		}
		length, _ := strconv.Atoi(r.Text("field_len")) // unknown lengths are 0
		out[name] = Column{Name: name, SQLType: strings.ToUpper(r.Text("sqltype")), Len: length,
			Mandatory: yes(r.Text("mandatoryflag")), Key: yes(r.Text("p_key"))}
	}
	return out, nil
}

func (c *Client) dictionary(ctx context.Context, op, table string, req httpx.Request) ([]Row, error) {
	a, err := c.read(ctx, call{op: op, table: table}, req)
	if err != nil {
		return nil, err
	}
	rows, found, err := a.rows(c.m.Dialect.RowsAt)
	if err != nil || !found {
		return nil, connector.NewError(connector.ClassBadResponse, op, "the answer has no readable rows")
	}
	return rows, nil
}

func yes(s string) bool {
	switch strings.ToUpper(s) {
	case "Y", "T", "1", "TRUE", "YES":
		return true
	}
	return false
}

// Yes reads a flag column: Y, T, 1, true and yes in either case are true (q360-api 2).
func Yes(s string) bool { return yes(strings.TrimSpace(s)) }

// File is a downloaded file.
type File struct {
	Body        []byte
	ContentType string
}

// Download reads a file of at most Options.MaxFile bytes; the error for a larger one holds an *http.MaxBytesError. A web
// page or an envelope in its place is never taken for a file: ClassBadResponse, ClassAuth for the login page, ClassNotFound
// for a document that does not exist.
func (c *Client) Download(ctx context.Context, documentNo string) (File, error) {
	about := call{op: "downloading document " + documentNo}
	req := request(c.m.Dialect.Download, map[string]string{"documentno": documentNo})
	req.Op, req.MaxBody, req.Timeout = about.op, c.maxFile, c.m.Site.Timeouts.Download
	req.Header = http.Header{"Accept": {"*/*"}}
	res, err := c.http.Do(ctx, req)
	if err != nil {
		return File{}, c.tooLarge(err)
	}
	if res.Status == http.StatusNotFound {
		return File{}, &connector.Error{Class: connector.ClassNotFound, Op: about.op, Status: res.Status, Err: fmt.Errorf("no such document")}
	}
	if a, err := parseEnvelope(res.Body); err == nil {
		if !a.success || a.code >= 400 {
			return File{}, c.refused(about, res.Status, a)
		}
		return File{}, &connector.Error{Class: connector.ClassBadResponse, Op: about.op, Status: res.Status,
			Err: fmt.Errorf("the site answered with an envelope instead of the file; check dialect.download of the mapping")}
	}
	if res.Status >= 300 || isHTML(res) {
		return File{}, c.unreadable(about, res, fmt.Errorf("the site did not answer with the file"))
	}
	return File{Body: res.Body, ContentType: res.Header.Get("Content-Type")}, nil
}

// tooLarge marks the error of a file above the limit. httpx gives an answer up for its size alone when it has a status and
// no meaning.
func (c *Client) tooLarge(err error) error {
	var e *connector.Error
	if !errors.As(err, &e) || e.Class != connector.ClassBadResponse || e.Status == 0 {
		return err
	}
	return &connector.Error{Class: e.Class, Op: e.Op, Status: e.Status, Err: fmt.Errorf("the file is too large: %w", &http.MaxBytesError{Limit: c.maxFile})}
}
