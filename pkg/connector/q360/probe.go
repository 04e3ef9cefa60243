package q360

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/money"
)

// checkInvoices tries what the invoice feed relies on: that the site applies filters and orders, that posted invoices are
// told apart as mapped, that their company and posting date are filled, and that the time zone fits.
func (c *Connector) checkInvoices(ctx context.Context, r *report) error {
	t := c.tableRef("entities.invoice")
	if r.dead[t.Path] {
		return nil
	}
	src, strategy, err := c.invoiceSource(ctx, "")
	if err != nil {
		return r.probed(t, err)
	}
	r.caps.Changes = strategy
	src.op = "probing the right to read " + t.Table
	if err := c.checkPaging(ctx, r, src); err != nil {
		return r.probed(t, err)
	}
	if r.dead[t.Path] {
		return nil
	}
	if err := c.checkBlanks(ctx, r, src); err != nil {
		return r.probed(t, err)
	}
	return r.probed(t, c.checkZone(ctx, r, src))
}

func (c *Connector) tableRef(path string) mapping.TableRef {
	tables := c.m.Tables()
	i := slices.IndexFunc(tables, func(t mapping.TableRef) bool { return t.Path == path })
	if i < 0 {
		return mapping.TableRef{Path: path}
	}
	return tables[i]
}

func (c *Connector) checkPaging(ctx context.Context, r *report, src source) error {
	e := c.m.Entities.Invoice
	fatal := func(column, message string) {
		r.dead["entities.invoice"] = true
		r.problem(effectOf("entities.invoice"), stateMissing, src.table, column, message)
	}
	first, err := c.pageAfter(ctx, src, "", 2)
	if err != nil {
		return err
	}
	if len(first.Rows) == 0 {
		r.problem(effect{features: []connector.Feature{connector.FeatureInvoices}, warning: true}, "", src.table, e.PostedWhen.Column,
			fmt.Sprintf("company %s has no invoice with %s %s %q; if it has posted invoices, correct entities.invoice.posted_when in the mapping", c.cfg.CompanyNo, e.PostedWhen.Column, e.PostedWhen.Op, e.PostedWhen.Value))
		return nil
	}
	if !client.Holds(e.PostedWhen, first.Rows[0]) {
		fatal(e.PostedWhen.Column, fmt.Sprintf("the site returns invoices with %s = %q for the filter %s %q; correct entities.invoice.posted_when in the mapping",
			e.PostedWhen.Column, first.Rows[0].Text(e.PostedWhen.Column), e.PostedWhen.Op, e.PostedWhen.Value))
		return nil
	}
	if len(first.Rows) < 2 {
		return nil
	}
	next, err := c.page(ctx, src, 1, []client.Order{{Column: src.key}}, client.Filter{Column: src.key, Op: ">", Value: first.Rows[0].Raw(src.key)})
	if err != nil {
		return err
	}
	if len(next.Rows) == 0 || client.SameKey(next.Rows[0].Raw(src.key), first.Rows[0].Raw(src.key)) {
		fatal(src.key, fmt.Sprintf("the site does not apply the filter %s > on %s, which paging needs; check the form of list calls (dialect.list) in the mapping", src.key, src.table))
	}
	return nil
}

// checkBlanks warns of posted invoices that the feed's filters hide.
func (c *Connector) checkBlanks(ctx context.Context, r *report, src source) error {
	e := c.m.Entities.Invoice
	warn := effect{features: []connector.Feature{connector.FeatureInvoices}, warning: true}
	for _, probe := range []struct{ column, remedy string }{
		{e.Columns.CompanyNo, "they belong to no company and are not synced; fill in the company in Q360"},
		{e.Columns.PostedDate, "a start date leaves them out; fill in the date in Q360, or set entities.invoice.columns.posted_date to null to go by the invoice date"},
	} {
		if probe.column == "" {
			continue
		}
		p, err := c.api.List(ctx, client.Query{Op: src.op, Table: src.table, Columns: []string{src.key}, Limit: 1,
			Filters: []client.Filter{client.Condition(e.PostedWhen), {Column: probe.column, Op: "isnull"}}})
		if err != nil {
			return err
		}
		if len(p.Rows) > 0 {
			r.problem(warn, "", src.table, probe.column, fmt.Sprintf("posted invoices without %s exist, such as %s: %s", probe.column, p.Rows[0].Text(src.key), probe.remedy))
		}
	}
	return nil
}

func (c *Connector) checkZone(ctx context.Context, r *report, src source) error {
	if src.stamp == "" {
		return nil
	}
	src.columns = []string{src.key, src.stamp}
	p, err := c.page(ctx, src, 1, []client.Order{{Column: src.stamp, Desc: true}})
	if err != nil || len(p.Rows) == 0 {
		return err
	}
	warn := effect{features: []connector.Feature{connector.FeatureInvoices}, warning: true}
	at, err := c.api.ParseTime(p.Rows[0].Raw(src.stamp))
	switch {
	case err != nil && p.Rows[0].Text(src.stamp) != "":
		r.problem(warn, "", src.table, src.stamp, fmt.Sprintf("the change stamp of invoice %s can not be read: %v; changes are still found, without overlap", p.Rows[0].Text(src.key), err))
	case at.After(c.clock.Now().Add(10 * time.Minute)):
		r.problem(warn, "", src.table, src.stamp, fmt.Sprintf("the change stamp of invoice %s is %s ahead of now; correct site.timezone in the mapping, or the date in Q360",
			p.Rows[0].Text(src.key), at.Sub(c.clock.Now()).Round(time.Minute)))
	}
	return nil
}

// checkAccounts makes sure that the bank accounts of receipts exist and are bank accounts.
func (c *Connector) checkAccounts(ctx context.Context, r *report) error {
	e := c.m.Entities.GLAccount
	if r.caps.Features[connector.FeatureReceipts] == stateOff || e == nil || r.dead["entities.glaccount"] {
		return nil
	}
	byCurrency := map[string]string{}
	for cur, account := range c.bankAccounts() {
		byCurrency[string(cur)] = account
	}
	for _, cur := range sortedKeys(byCurrency) {
		account := byCurrency[cur]
		row, err := c.one(ctx, "reading GL account "+account, e.Table, e.Key, account, mapping.Names(e.Columns))
		switch {
		case err != nil && connector.ClassOf(err) == connector.ClassNotFound:
			r.problem(effectOf("receipts"), stateMissing, e.Table, e.Key, fmt.Sprintf("the bank account %s of %s does not exist; correct the account of this currency in the settings", account, cur))
		case err != nil:
			if err = r.probed(c.tableRef("entities.glaccount"), err); err != nil {
				return err
			}
			return nil
		case e.Columns.BankFlag != "" && !client.Yes(row.Text(e.Columns.BankFlag)):
			r.problem(effectOf("receipts"), stateMissing, e.Table, e.Columns.BankFlag, fmt.Sprintf("account %s of %s is not a bank account; flag it in Q360 or choose another", account, cur))
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// checkWrites tries the right to create with previews of records that are refused for what is in them. A refusal is a
// success: the right is there.
func (c *Connector) checkWrites(ctx context.Context, r *report) error {
	if c.m.Receipts != nil && !c.m.Receipts.UsePreview {
		return nil
	}
	for _, t := range c.m.Tables() {
		if !t.Writes || r.dead[t.Path] {
			continue
		}
		w := client.Write{Op: "probing the right to create records of " + t.Table, Table: t.Table, Preview: true, Records: []map[string]string{c.probeRecord(t.Path)}}
		_, err := c.api.Create(ctx, w)
		if errors.Is(err, httpx.ErrRecorded) {
			continue // nothing is sent here: that says nothing about the right
		}
		switch connector.ClassOf(err) {
		case connector.ClassForbidden, connector.ClassUnsupported:
			e := effectOf(t.Path)
			if strings.HasPrefix(t.Path, "receipts.") {
				e = effectOf("receipts") // finding receipts needs no right to create them
			}
			state := stateMissing
			if connector.ClassOf(err) == connector.ClassForbidden {
				state = stateForbidden
			}
			r.problem(e, state, t.Table, "", err.Error())
		case connector.ClassAuth, connector.ClassRetry, connector.ClassBadResponse:
			return err
		}
	}
	return nil
}

// probeRecord is a record of no value: an amount of zero, no customer, no invoice.
func (c *Connector) probeRecord(path string) map[string]string {
	const comment = "arbridge checks its rights"
	zero := money.Zero(money.USD).Amount()
	switch path {
	case "receipts.header":
		h := c.m.Receipts.Header
		return record(h.Constants, h.Columns.CompanyNo, c.cfg.CompanyNo, h.Columns.Date, c.api.DateLiteral(c.today()),
			h.Columns.Amount, zero, h.Columns.Reference, c.m.Receipts.Reference.Prefix+"CHECK", h.Columns.Comment, comment)
	case "receipts.application":
		a := c.m.Receipts.Application
		return record(a.Constants, a.Columns.Amount, zero, a.Columns.Comment, comment)
	}
	h := c.m.History
	return record(h.Constants, h.Columns.Comment, comment)
}
