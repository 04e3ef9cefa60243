package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/shopspring/decimal"
)

// cell is a stored value: nil for NULL, string, decimal.Decimal or time.Time (see kind).
type cell = any

const datetimeLayout = "2006-01-02 15:04:05.000"

var errNotPlain = errors.New("neither a string, a number nor null")

// plain turns a decoded JSON value into text; false means NULL.
func plain(v any) (string, bool, error) {
	switch v := v.(type) {
	case nil:
		return "", false, nil
	case string:
		return v, true, nil
	case json.Number:
		return v.String(), true, nil
	case bool:
		if v {
			return "1", true, nil
		}
		return "0", true, nil
	}
	return "", false, errNotPlain
}

// parse reads a value given for the column. Blank text for a number or a date counts as NULL. exact keeps milliseconds
// instead of rounding them as the SQL type datetime does.
func (c column) parse(v any, exact bool) (cell, error) {
	s, given, err := plain(v)
	if err != nil {
		return nil, refuse("InvalidValue", "Value of %s is %s.", c.name, err)
	}
	if !given {
		return nil, nil
	}
	if c.kind() == kindText {
		s = strings.TrimRight(s, " ")
		if utf8.RuneCountInString(s) > c.length {
			return nil, refuse("InvalidValue", "String or binary data would be truncated in column %s.", c.name).number("8152")
		}
		return s, nil
	}
	if s = strings.TrimSpace(s); s == "" {
		return nil, nil
	}
	if c.kind() == kindTime {
		return c.parseTime(s, exact)
	}
	return c.parseNumber(s)
}

func (c column) parseTime(s string, exact bool) (cell, error) {
	for _, layout := range []string{datetimeLayout, "2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05.000", "2006-01-02T15:04:05"} {
		at, err := time.Parse(layout, s)
		if err != nil || at.Year() < 1753 {
			continue
		}
		if at.Nanosecond()%int(time.Millisecond) != 0 {
			break // a datetime literal has three decimals at most
		}
		return roundTime(at, exact), nil
	}
	return nil, refuse("InvalidValue", "Conversion failed when converting date and/or time from character string in column %s.", c.name).number("241")
}

// roundTime rounds to 1/300 s, which shows as 0, 3 or 7 in the last digit (q360-api 5.2).
func roundTime(at time.Time, exact bool) time.Time {
	at = at.Truncate(time.Microsecond)
	if exact {
		return at.Truncate(time.Millisecond)
	}
	second := at.Truncate(time.Second)
	ticks := (at.Sub(second).Microseconds()*300 + 500_000) / 1_000_000
	return second.Add(time.Duration((ticks*1000+150)/300) * time.Millisecond)
}

func (c column) parseNumber(s string) (cell, error) {
	if c.sqlType == "BIT" {
		switch strings.ToLower(s) {
		case "1", "true":
			return decimal.New(1, 0), nil
		case "0", "false":
			return decimal.Decimal{}, nil
		}
		return nil, refuse("InvalidValue", "Conversion failed when converting the value of %s to data type bit.", c.name).number("245")
	}
	d, err := money.ParseDecimal(s)
	if err != nil {
		return nil, refuse("InvalidValue", "Error converting data type varchar to %s in column %s.", strings.ToLower(c.sqlType), c.name).number("8114")
	}
	if c.sqlType == "INT" && !d.IsInteger() {
		return nil, refuse("InvalidValue", "Conversion failed when converting the value of %s to data type int.", c.name).number("245")
	}
	if d = d.Round(int32(c.decimals)); d.Abs().Cmp(c.limit()) >= 0 {
		return nil, refuse("InvalidValue", "Arithmetic overflow error converting the value of %s.", c.name).number("8115")
	}
	return d, nil
}

// limit is the first magnitude that the column cannot hold.
func (c column) limit() decimal.Decimal {
	switch c.sqlType {
	case "MONEY":
		return decimal.New(9223372036854775807, -4)
	case "INT":
		return decimal.New(1<<31-1, 0)
	}
	return decimal.New(1, int32(c.length-c.decimals))
}

// blanks pad nearly all columns.
const blanks = "                                                                "

// format writes a value as the API does; NULL has no text. Text of CHAR columns is padded unless trimmed.
func (c column) format(v cell, trimmed bool) string {
	switch v := v.(type) {
	case string:
		if pad := c.length - utf8.RuneCountInString(v); pad > 0 && c.sqlType == "CHAR" && !trimmed {
			return v + blanks[:min(pad, len(blanks))] + strings.Repeat(" ", max(0, pad-len(blanks)))
		}
		return v
	case decimal.Decimal:
		return v.StringFixed(int32(c.decimals))
	case time.Time:
		return v.Format(datetimeLayout)
	}
	return ""
}

// compareCells orders values of one column; NULL comes first.
func compareCells(a, b cell) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return compareText(a, b)
		}
	case decimal.Decimal:
		if b, ok := b.(decimal.Decimal); ok {
			return a.Cmp(b)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	case nil:
		if b == nil {
			return 0
		}
		return -1
	}
	if b == nil {
		return 1
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) // unreachable for cells of one column
}
