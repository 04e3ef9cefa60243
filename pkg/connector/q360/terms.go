package q360

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

// customerTerms are the customer's values that stand in for missing ones of an invoice.
type customerTerms struct {
	number    string
	companyNo string
	currency  string // as read: checked where it is used
	payMethod string
	read      time.Time
}

// termsCache keeps what stands in for missing values for a short time, so that a page of invoices costs few reads.
type termsCache struct {
	customers map[string]customerTerms
	currency  money.Currency // of the company
	read      time.Time      // when currency was read
}

const (
	termsAge      = 10 * time.Minute
	companyAge    = 24 * time.Hour
	fewCustomers  = 20 // read one by one; more are read all at once
	deniedFor     = time.Hour
	dictionaryAge = 24 * time.Hour
)

// termsFor reads the terms of the customers of some invoice rows, as far as the rows need them, and the company's
// currency likewise.
func (c *Connector) termsFor(ctx context.Context, rows []client.Row) (map[string]customerTerms, money.Currency, error) {
	col := c.m.Entities.Invoice.Columns
	need := map[string]bool{}
	blank := false
	for _, r := range rows {
		noCurrency := r.Text(col.Currency) == ""
		if noCurrency || r.Text(col.CompanyNo) == "" || col.PayMethod == "" {
			need[client.KeyOf(r.Raw(col.CustomerNo))] = true
		}
		blank = blank || noCurrency
	}
	delete(need, "")
	terms, err := c.customersTerms(ctx, need)
	if err != nil || !blank {
		return terms, "", err
	}
	cur, err := c.companyCurrency(ctx)
	return terms, cur, err
}

func (c *Connector) customersTerms(ctx context.Context, need map[string]bool) (map[string]customerTerms, error) {
	out, absent := c.cachedTerms(need)
	if len(absent) > fewCustomers {
		e := c.m.Entities.Customer
		rows, err := c.all(ctx, source{op: "reading the customers' defaults", table: e.Table, key: e.Key, columns: c.termsColumns()})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			c.keepTerms(out, r.Raw(e.Key), r, need)
		}
		_, absent = c.cachedTerms(need)
	}
	for _, number := range absent {
		e := c.m.Entities.Customer
		row, err := c.one(ctx, "reading the defaults of customer "+number, e.Table, e.Key, number, c.termsColumns())
		if err != nil && connector.ClassOf(err) != connector.ClassNotFound {
			return nil, err
		}
		c.keepTerms(out, number, row, need)
	}
	return out, nil
}

func (c *Connector) cachedTerms(need map[string]bool) (found map[string]customerTerms, absent []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found = map[string]customerTerms{}
	for number := range need {
		if t, ok := c.terms.customers[number]; ok && c.clock.Now().Sub(t.read) < termsAge {
			found[number] = t
		} else {
			absent = append(absent, number)
		}
	}
	slices.Sort(absent) // for a stable order of calls
	return found, absent
}

func (c *Connector) keepTerms(out map[string]customerTerms, number string, row client.Row, need map[string]bool) {
	col := c.m.Entities.Customer.Columns
	t := customerTerms{number: strings.TrimSpace(number), companyNo: strings.ToUpper(row.Text(col.CompanyNo)), currency: row.Text(col.Currency),
		payMethod: strings.ToUpper(row.Text(col.PayMethod)), read: c.clock.Now()}
	k := client.KeyOf(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terms.customers == nil {
		c.terms.customers = map[string]customerTerms{}
	}
	c.terms.customers[k] = t
	if need[k] {
		out[k] = t
	}
}

func (c *Connector) termsColumns() []string {
	e := c.m.Entities.Customer
	return mapping.Names(mapping.CustomerColumns{Number: e.Key, CompanyNo: e.Columns.CompanyNo, Currency: e.Columns.Currency, PayMethod: e.Columns.PayMethod})
}

// companyCurrency is the company's own currency, "" when the site does not tell.
func (c *Connector) companyCurrency(ctx context.Context) (money.Currency, error) {
	e := c.m.Entities.Company
	if e == nil || e.Columns.Currency == "" {
		return "", nil
	}
	c.mu.Lock()
	cur, read := c.terms.currency, c.terms.read
	c.mu.Unlock()
	if !read.IsZero() && c.clock.Now().Sub(read) < companyAge {
		return cur, nil
	}
	op := "reading company " + c.cfg.CompanyNo
	row, err := c.one(ctx, op, e.Table, e.Key, c.cfg.CompanyNo, mapping.Names(e.Columns))
	switch {
	case missing(err), connector.ClassOf(err) == connector.ClassNotFound && err != nil:
		cur = ""
	case err != nil:
		return "", err
	default:
		r := c.reader(e.Table, e.Key, row)
		if cur = r.currency(e.Columns.Currency); r.err != nil {
			return "", badRecord(op, r.err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.terms.currency, c.terms.read = cur, c.clock.Now()
	return cur, nil
}
