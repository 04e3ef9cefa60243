package mapping

import (
	"reflect"
)

// ColumnRef is a use of a column: the key path in the mapping file and the column's name at the site.
type ColumnRef struct {
	Path   string
	Column string
}

// TableRef is a use of a table by the mapping, for the start-up check (q360-api 4.3).
type TableRef struct {
	Path      string // key path, such as entities.invoice
	Table     string
	Key       string
	UniqueKey bool // the key column identifies a row alone
	Columns   []ColumnRef
	Writes    bool              // rows are created in it
	Constants map[string]string // columns that created rows always have
}

// Tables lists every table the mapping uses, in the order of the file. A switched-off history is left out, and the audit
// table too: nothing reads it.
func (m *Mapping) Tables() []TableRef {
	out := m.entityTables()
	if r := m.Receipts; r != nil && r.Mode == "record" {
		out = append(out,
			TableRef{Path: "receipts.header", Table: r.Header.Table, Key: r.Header.Key, UniqueKey: true, Writes: true,
				Columns: refs("receipts.header", r.Header.Columns), Constants: r.Header.Constants},
			TableRef{Path: "receipts.application", Table: r.Application.Table, Key: r.Application.Key, Writes: true,
				Columns: refs("receipts.application", r.Application.Columns), Constants: r.Application.Constants})
	}
	if h := m.History; h != nil && h.Enabled {
		out = append(out, TableRef{Path: "history", Table: h.Table, Key: h.Key, UniqueKey: true, Writes: true,
			Columns: refs("history", h.Columns), Constants: h.Constants})
	}
	return out
}

func (m *Mapping) entityTables() []TableRef {
	var out []TableRef
	add := func(name, table, key string, columns any, extra ...ColumnRef) {
		path := "entities." + name
		out = append(out, TableRef{Path: path, Table: table, Key: key, UniqueKey: name != "invoice_line",
			Columns: append(refs(path, columns), used(extra...)...)})
	}
	e := m.Entities
	if t := e.Invoice; t != nil {
		add("invoice", t.Table, t.Key, t.Columns, ColumnRef{"entities.invoice.posted_when.column", t.PostedWhen.Column})
	}
	if t := e.InvoiceLine; t != nil {
		add("invoice_line", t.Table, t.Key, t.Columns, ColumnRef{"entities.invoice_line.parent", t.Parent},
			ColumnRef{"entities.invoice_line.order_by", t.OrderBy}, ColumnRef{"entities.invoice_line.key", t.Key})
	}
	if t := e.Customer; t != nil {
		add("customer", t.Table, t.Key, t.Columns, condition("entities.customer.active_when", t.ActiveWhen))
	}
	if t := e.Site; t != nil {
		add("site", t.Table, t.Key, t.Columns)
	}
	if t := e.Contact; t != nil {
		add("contact", t.Table, t.Key, t.Columns, append(t.FlagColumns(), condition("entities.contact.active_when", t.ActiveWhen))...)
	}
	if t := e.Agreement; t != nil {
		add("contract", t.Table, t.Key, t.Columns)
	}
	if t := e.Document; t != nil {
		add("document", t.Table, t.Key, t.Columns)
	}
	if t := e.GLAccount; t != nil {
		add("glaccount", t.Table, t.Key, t.Columns)
	}
	if t := e.Company; t != nil {
		add("company", t.Table, t.Key, t.Columns)
	}
	return out
}

// FlagColumns are the Y/N columns that hold roles when RoleSource is "flags".
func (c *Contact) FlagColumns() []ColumnRef {
	if c.RoleSource != "flags" {
		return nil
	}
	var out []ColumnRef
	for _, role := range sortedKeys(c.Roles) {
		for _, column := range c.Roles[role] {
			out = append(out, ColumnRef{"entities.contact.roles." + role, column})
		}
	}
	return out
}

func condition(path string, c *Condition) ColumnRef {
	if c == nil {
		return ColumnRef{}
	}
	return ColumnRef{path + ".column", c.Column}
}

// refs lists the mapped columns of one of the …Columns structs.
func refs(path string, columns any) []ColumnRef {
	v := reflect.ValueOf(columns)
	var out []ColumnRef
	for i := range v.NumField() {
		out = append(out, ColumnRef{path + ".columns." + v.Type().Field(i).Tag.Get("yaml"), v.Field(i).String()})
	}
	return used(out...)
}

func used(in ...ColumnRef) []ColumnRef {
	var out []ColumnRef
	for _, r := range in {
		if r.Column != "" {
			out = append(out, r)
		}
	}
	return out
}

// Names lists the mapped column names of one of the …Columns structs, in the order of the struct.
func Names(columns any) []string {
	v := reflect.ValueOf(columns)
	out := make([]string, 0, v.NumField()+2) // callers add one or two
	for i := range v.NumField() {
		if name := v.Field(i).String(); name != "" {
			out = append(out, name)
		}
	}
	return out
}
