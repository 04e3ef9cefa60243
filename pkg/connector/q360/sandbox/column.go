package sandbox

import (
	"fmt"
	"strings"
)

// kind is how a column's values are held in memory.
type kind byte

const (
	kindText   kind = iota // string without trailing blanks
	kindNumber             // decimal.Decimal
	kindTime               // time.Time holding the server's wall clock time as if it were UTC
)

// column describes a column as DataDict reports it (q360-api 1.4).
type column struct {
	name      string
	fieldType string // C, N, D, T or L
	sqlType   string
	length    int
	decimals  int
	mandatory bool
	isKey     bool
	related   string // table whose key this column holds
}

func (c column) kind() kind {
	switch c.fieldType {
	case "N", "L":
		return kindNumber
	case "D", "T":
		return kindTime
	}
	return kindText
}

func (c column) must() column            { c.mandatory = true; return c }
func (c column) key() column             { c.isKey, c.mandatory = true, true; return c }
func (c column) ref(table string) column { c.related = table; return c }

func char(name string, length int) column {
	return column{name: name, fieldType: "C", sqlType: "CHAR", length: length}
}

func text(name string, length int) column {
	return column{name: name, fieldType: "C", sqlType: "VARCHAR", length: length}
}

func amount(name string) column {
	return column{name: name, fieldType: "N", sqlType: "MONEY", length: 19, decimals: 4}
}

func number(name string, length, decimals int) column {
	return column{name: name, fieldType: "N", sqlType: "NUMERIC", length: length, decimals: decimals}
}

func integer(name string) column {
	return column{name: name, fieldType: "N", sqlType: "INT", length: 10}
}

func flag(name string) column { return char(name, 1) }

func bit(name string) column {
	return column{name: name, fieldType: "L", sqlType: "BIT", length: 1}
}

func date(name string) column {
	return column{name: name, fieldType: "D", sqlType: "DATETIME", length: 8}
}

func moment(name string) column {
	return column{name: name, fieldType: "T", sqlType: "DATETIME", length: 8}
}

// definition is a table, or a view of one.
type definition struct {
	name      string
	numbering string // format of generated keys, such as "C%05d"
	firstNo   int64  // number before the first generated key
	viewOf    string // base table of a view
	columns   []column
	index     map[string]int // upper-case name to position
	key       int
	stamp     int // position of MODDATE, or -1
}

// finish fills what follows from the columns.
func (d *definition) finish() {
	d.index, d.stamp = make(map[string]int, len(d.columns)), -1
	for i, c := range d.columns {
		d.index[c.name] = i
		if c.isKey {
			d.key = i
		}
		if c.name == "MODDATE" {
			d.stamp = i
		}
	}
}

// at returns the position of a column named in any case, or -1.
func (d *definition) at(name string) int {
	if i, ok := d.index[name]; ok {
		return i
	}
	if i, ok := d.index[strings.ToUpper(strings.TrimSpace(name))]; ok {
		return i
	}
	return -1
}

// mustAt is at for names written in this package.
func (d *definition) mustAt(name string) int {
	i := d.at(name)
	if i < 0 {
		panic(fmt.Sprintf("sandbox: table %s has no column %s", d.name, name))
	}
	return i
}

func (d *definition) keyName() string { return d.columns[d.key].name }
