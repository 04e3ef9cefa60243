package q360

import (
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// reader takes values out of one row. The first value that can not be taken exactly stays as its error; later reads then
// give zero values.
type reader struct {
	api    *client.Client
	row    client.Row
	table  string
	record string
	err    error
}

func (c *Connector) reader(table, key string, row client.Row) *reader {
	return &reader{api: c.api, row: row, table: table, record: row.Text(key)}
}

func (r *reader) fail(column string, cause error, remedy string) {
	if r.err == nil {
		r.err = &recordError{table: r.table, column: column, record: r.record, cause: cause, remedy: remedy}
	}
}

func (r *reader) text(column string) string { return r.row.Text(column) }

// code is a code value: trimmed and in upper case (q360-api 4.2).
func (r *reader) code(column string) string { return strings.ToUpper(r.row.Text(column)) }

func (r *reader) required(column string) string {
	v := r.row.Text(column)
	if v == "" {
		r.fail(column, errors.New("is empty"), "fill it in Q360 or correct the mapping")
	}
	return v
}

// money reads an amount; an empty one is zero, unless it is required.
func (r *reader) money(column string, cur money.Currency, required bool) money.Money {
	if column == "" || r.err != nil {
		return money.Zero(cur)
	}
	v := r.row.Text(column)
	if v == "" {
		if required {
			r.fail(column, errors.New("is empty"), "an amount is needed here; correct the record in Q360 or the mapping")
		}
		return money.Zero(cur)
	}
	m, err := money.Parse(v, cur)
	if err != nil {
		r.fail(column, err, "round the amount in Q360 to "+strconv.Itoa(cur.MinorUnits())+" decimals, or map the column that holds the document amount")
		return money.Zero(cur)
	}
	return m
}

// decimal reads a quantity or price with all its decimals; otherwise when it is empty.
func (r *reader) decimal(column string, otherwise decimal.Decimal) decimal.Decimal {
	v := r.row.Text(column)
	if v == "" {
		return otherwise
	}
	d, err := money.ParseDecimal(v)
	if err != nil {
		r.fail(column, fmt.Errorf("%q: %w", v, err), "correct the number in Q360 or the mapping")
	}
	return d
}

func (r *reader) currency(column string) money.Currency {
	v := r.row.Text(column)
	if v == "" {
		return ""
	}
	cur, err := money.ParseCurrency(v)
	if err != nil {
		r.fail(column, err, "use ISO 4217 currency codes in Q360, or map a column that holds them")
	}
	return cur
}

func (r *reader) date(column string) billing.Date {
	v := r.row.Text(column)
	if v == "" {
		return ""
	}
	d, err := r.api.ParseDate(v)
	if err != nil {
		r.fail(column, err, "correct the date in Q360 or the mapping")
	}
	return d
}

// moment reads a change stamp; what can not be read is no stamp, because nothing exact hangs on it.
func (r *reader) moment(column string) time.Time {
	t, err := r.api.ParseTime(r.row.Text(column))
	if err != nil {
		return time.Time{}
	}
	return t
}

// whole reads a sequence number or a size; decimals are cut, anything else is 0.
func (r *reader) whole(column string) int64 {
	d, err := money.ParseDecimal(r.row.Text(column))
	if err != nil {
		return 0
	}
	return d.IntPart()
}

// email reads one valid address; "" for anything else.
func (r *reader) email(column string) string {
	v := r.row.Text(column)
	a, err := mail.ParseAddress(v)
	if err != nil || a.Name != "" || !strings.EqualFold(a.Address, v) || !strings.Contains(v[strings.LastIndex(v, "@"):], ".") {
		return ""
	}
	return a.Address
}

// country reads an ISO 3166 alpha-2 code; "" for anything else, which means the company's own country.
func (r *reader) country(column string) string {
	v := r.code(column)
	if len(v) != 2 || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return v
}
