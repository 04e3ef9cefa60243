package q360

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// Check implements connector.ERP: it compares the mapping with the site's data dictionary, then tries the rights with
// reads of one row and previews, then the behaviour that paging relies on (q360-api 4.3). The error is for a site that
// can not be asked at all (unreachable, wrong credentials); everything else is a problem in the report.
func (c *Connector) Check(ctx context.Context) (connector.Capabilities, error) {
	r := c.newReport()
	if err := c.checkDictionary(ctx, r); err != nil {
		return connector.Capabilities{}, err
	}
	for _, step := range []func(context.Context, *report) error{c.checkReads, c.checkInvoices, c.checkAccounts, c.checkWrites} {
		if err := step(ctx, r); err != nil {
			return connector.Capabilities{}, err
		}
	}
	return r.result(), nil
}

func (c *Connector) checkDictionary(ctx context.Context, r *report) error {
	tables, err := c.tables(ctx)
	if err == nil {
		for _, t := range c.m.Tables() {
			if err = c.checkTable(ctx, r, t, tables); err != nil {
				break
			}
		}
	}
	if err == nil || !missing(err) {
		return err
	}
	for _, path := range []string{"entities.invoice", "entities.customer"} {
		r.problem(effectOf(path), stateForbidden, "", "", "the data dictionary can not be read, so the mapping can not be verified; grant the API user the endpoint DataDict: "+err.Error())
	}
	for _, t := range c.m.Tables() {
		r.dead[t.Path] = true
	}
	return nil
}

func (c *Connector) checkTable(ctx context.Context, r *report, t mapping.TableRef, tables map[string]bool) error {
	e := effectOf(t.Path)
	columns, err := c.columns(ctx, t.Table)
	if err != nil {
		return err
	}
	if !tables[strings.ToUpper(t.Table)] || len(columns) == 0 {
		r.dead[t.Path] = true
		r.problem(e, stateMissing, t.Table, "", fmt.Sprintf("the site has no table %s, or does not expose it; correct %s.table in the mapping or have the table exposed", t.Table, t.Path))
		return nil
	}
	for _, ref := range t.Columns {
		c.checkColumn(r, e, t, ref, columns)
	}
	c.checkKey(r, e, t, columns)
	if t.Writes {
		checkMandatory(r, e, t, columns)
	}
	c.checkLengths(r, t, columns)
	return nil
}

func (c *Connector) checkColumn(r *report, e effect, t mapping.TableRef, ref mapping.ColumnRef, columns map[string]client.Column) {
	if _, ok := columns[strings.ToUpper(ref.Column)]; ok {
		return
	}
	message := fmt.Sprintf("the site's table %s has no column %s; correct %s in the mapping, or set it to null if the site has nothing like it", t.Table, ref.Column, ref.Path)
	stamps := strings.HasSuffix(ref.Path, ".columns.modified_at")
	if stamps && c.m.Changes.Strategy != strategyModdate && (e.fatal || e.warning) {
		e.fatal, e.warning = false, true
		message += "; until then changes are found by comparing snapshots"
	} else {
		r.dead[t.Path] = true
	}
	r.problem(e, stateMissing, t.Table, ref.Column, message)
}

func (c *Connector) checkKey(r *report, e effect, t mapping.TableRef, columns map[string]client.Column) {
	key, ok := columns[strings.ToUpper(t.Key)]
	switch {
	case !ok:
		r.dead[t.Path] = true
		r.problem(e, stateMissing, t.Table, t.Key, fmt.Sprintf("the site's table %s has no column %s; correct %s.key in the mapping", t.Table, t.Key, t.Path))
		return
	case !key.Key:
		r.problem(e, stateMissing, t.Table, t.Key, fmt.Sprintf("%s.%s is not a key of the table at the site, so records could be confused; correct %s.key in the mapping", t.Table, t.Key, t.Path))
		return
	}
	if !t.UniqueKey {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if columns[name].Key && !strings.EqualFold(name, t.Key) {
			e.fatal, e.warning = false, true
			r.problem(e, stateMissing, t.Table, name, fmt.Sprintf("the key of %s has a second column, %s; make sure that %s alone identifies a record", t.Table, name, t.Key))
		}
	}
}

// checkMandatory warns of columns that the site wants filled and we do not fill: the create procedure may do it.
func checkMandatory(r *report, e effect, t mapping.TableRef, columns map[string]client.Column) {
	e.warning = true
	filled := func(name string) bool {
		given := slices.ContainsFunc(t.Columns, func(ref mapping.ColumnRef) bool { return strings.EqualFold(ref.Column, name) })
		for constant := range t.Constants {
			given = given || strings.EqualFold(constant, name)
		}
		return given || strings.EqualFold(t.Key, name)
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if columns[name].Mandatory && !filled(name) {
			r.problem(e, stateMissing, t.Table, name, fmt.Sprintf("%s.%s is mandatory at the site and neither mapped nor among %s.constants; add a constant if creates are refused", t.Table, name, t.Path))
		}
	}
}

// checkLengths makes sure that what must arrive whole has room: references, history codes and comments with their key.
func (c *Connector) checkLengths(r *report, t mapping.TableRef, columns map[string]client.Column) {
	tooShort := func(path, column string, need int, what string) {
		if have := columns[strings.ToUpper(column)].Len; column != "" && have > 0 && have < need {
			r.problem(effectOf(path), stateMissing, t.Table, column, fmt.Sprintf("%s.%s holds %d characters, %s needs %d; shorten it in the mapping or map a longer column", t.Table, column, have, what, need))
		}
	}
	switch t.Path {
	case "receipts.header":
		tooShort("receipts", c.m.Receipts.Header.Columns.Reference, c.m.Receipts.Reference.MaxLen, "receipts.reference.max_len")
	case "history":
		h := c.m.History
		if col := columns[strings.ToUpper(h.Columns.Comment)]; !strings.Contains(col.SQLType, "TEXT") {
			tooShort("history", h.Columns.Comment, h.CommentMax, "history.comment_max")
		}
		for _, name := range slices.Sorted(maps.Keys(h.Codes)) {
			tooShort("history", h.Columns.Code, len([]rune(h.Codes[name])), "history.codes."+name+" ("+h.Codes[name]+")")
		}
	}
}

// checkReads lists one row of every table with the columns we will ask for.
func (c *Connector) checkReads(ctx context.Context, r *report) error {
	for _, t := range c.m.Tables() {
		if r.dead[t.Path] || t.Path == "entities.invoice" { // checkInvoices reads invoices
			continue
		}
		_, err := c.api.List(ctx, client.Query{Op: "probing the right to read " + t.Table, Table: t.Table, Columns: c.existing(ctx, t), Limit: 1})
		if err = r.probed(t, err); err != nil {
			return err
		}
		if t.Path == "entities.invoice_line" && !r.dead[t.Path] {
			if err := c.checkPageSize(ctx, r, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPageSize asks for as many rows as the feeds will: the most that a site allows is not known (q360-api 1.4).
func (c *Connector) checkPageSize(ctx context.Context, r *report, t mapping.TableRef) error {
	size := max(c.m.Dialect.PageSize, c.m.Dialect.LinePageSize)
	_, err := c.api.List(ctx, client.Query{Op: "probing the page size", Table: t.Table, Columns: []string{t.Key}, Limit: size})
	if connector.ClassOf(err) != connector.ClassInvalid {
		return err
	}
	r.dead[t.Path] = true
	r.problem(effectOf(t.Path), stateMissing, t.Table, "", fmt.Sprintf("the site refuses lists of %d rows; lower dialect.line_page_size and dialect.page_size in the mapping: %v", size, err))
	return nil
}

// existing are the mapped columns of a table that the site has.
func (c *Connector) existing(ctx context.Context, t mapping.TableRef) []string {
	out := []string{t.Key}
	for _, ref := range t.Columns {
		if has, err := c.hasColumn(ctx, t.Table, ref.Column); has && err == nil {
			out = append(out, ref.Column)
		}
	}
	return out
}

// probed turns the outcome of a probe into a problem. What can not be answered now is returned.
func (r *report) probed(t mapping.TableRef, err error) error {
	if err == nil {
		return nil
	}
	state := stateMissing
	switch connector.ClassOf(err) {
	case connector.ClassForbidden:
		state = stateForbidden
	case connector.ClassInvalid, connector.ClassUnsupported:
	default:
		return err
	}
	r.dead[t.Path] = true
	r.problem(effectOf(t.Path), state, t.Table, "", err.Error())
	return nil
}
