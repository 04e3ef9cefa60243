package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// row is one record. A row in a table is never changed; updates replace it.
type row struct {
	def   *definition
	cells []cell
}

func newRow(d *definition) *row { return &row{def: d, cells: make([]cell, len(d.columns))} }

func (r *row) clone() *row { return &row{def: r.def, cells: slices.Clone(r.cells)} }

func (r *row) set(name string, v cell) { r.cells[r.def.mustAt(name)] = v }

// setDefault sets a column that is NULL.
func (r *row) setDefault(name string, v cell) {
	if i := r.def.mustAt(name); r.cells[i] == nil {
		r.cells[i] = v
	}
}

func (r *row) text(name string) string {
	s, _ := r.cells[r.def.mustAt(name)].(string)
	return s
}

// amount reads a number, NULL as zero.
func (r *row) amount(name string) decimal.Decimal {
	d, _ := r.cells[r.def.mustAt(name)].(decimal.Decimal)
	return d
}

// when reads a date, NULL as the zero time.
func (r *row) when(name string) time.Time {
	t, _ := r.cells[r.def.mustAt(name)].(time.Time)
	return t
}

func (r *row) is(name, value string) bool { return fold(r.text(name)) == value }

// id is the text of the key as a person writes it.
func (r *row) id() string { return r.def.columns[r.def.key].format(r.cells[r.def.key], true) }

// key is the identity under which the row is stored.
func (r *row) key() string { return fold(r.id()) }

// record is the row in its durable form: text by column, without NULLs.
func (r *row) record() Record {
	out := make(Record, len(r.cells))
	for i, v := range r.cells {
		if v != nil {
			out[r.def.columns[i].name] = r.def.columns[i].format(v, true)
		}
	}
	return out
}

// term is one part of a sort order.
type term struct {
	col  int
	desc bool
}

// order is all rows of a table sorted by terms; the last term is always the key, so no two rows are equal.
type order struct {
	terms []term
	rows  []*row
	used  uint64
}

func (o *order) compare(a, b *row) int {
	for _, t := range o.terms {
		c := compareCells(a.cells[t.col], b.cells[t.col])
		if c == 0 {
			continue
		}
		if t.desc {
			return -c
		}
		return c
	}
	return 0
}

// replace puts next in the place of old; either may be nil.
func (o *order) replace(old, next *row) {
	if old != nil {
		i, found := slices.BinarySearchFunc(o.rows, old, o.compare)
		if found && next != nil && o.compare(old, next) == 0 {
			o.rows[i] = next
			return
		}
		if found {
			o.rows = slices.Delete(o.rows, i, i+1)
		}
	}
	if next != nil {
		i, _ := slices.BinarySearchFunc(o.rows, next, o.compare)
		o.rows = slices.Insert(o.rows, i, next)
	}
}

// maxOrders bounds the memory that unusual sort orders take.
const maxOrders = 16

// table holds rows by key and keeps the sort orders in use up to date. Rows change only under the server's write lock;
// mu guards the building of orders by readers.
type table struct {
	def    *definition
	rows   map[string]*row
	mu     sync.Mutex
	orders map[string]*order
	tick   uint64
}

func newTable(d *definition) *table {
	return &table{def: d, rows: map[string]*row{}, orders: map[string]*order{}}
}

// sorted returns the rows in the given order. The slice is valid while the server's lock is held.
func (t *table) sorted(terms []term) *order {
	name := fmt.Sprint(terms)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tick++
	if o, ok := t.orders[name]; ok {
		o.used = t.tick
		return o
	}
	if len(t.orders) >= maxOrders {
		t.dropOldest()
	}
	o := &order{terms: terms, rows: make([]*row, 0, len(t.rows)), used: t.tick}
	for _, r := range t.rows {
		o.rows = append(o.rows, r)
	}
	slices.SortFunc(o.rows, o.compare)
	t.orders[name] = o
	return o
}

func (t *table) dropOldest() {
	oldest := ""
	for name, o := range t.orders {
		if oldest == "" || o.used < t.orders[oldest].used {
			oldest = name
		}
	}
	delete(t.orders, oldest)
}

// apply makes a transaction's writes visible. Many writes at once drop the orders, to be built anew by the next reader.
func (t *table) apply(writes map[string]*row) {
	if len(writes) > 200 && len(writes) > len(t.rows)/20 {
		t.orders = map[string]*order{}
	}
	for key, next := range writes {
		for _, o := range t.orders {
			o.replace(t.rows[key], next)
		}
		if next == nil {
			delete(t.rows, key)
		} else {
			t.rows[key] = next
		}
	}
}

// condition is one filter.
type condition struct {
	col  int
	op   string
	want cell
	like pattern
}

// holds is false whenever NULL is compared, as in SQL.
func (c condition) holds(r *row) bool {
	v := r.cells[c.col]
	switch {
	case c.op == "isnull":
		return v == nil
	case v == nil:
		return false
	case c.op == "isnotnull":
		return true
	case c.op == "like":
		return c.like != nil && c.like.match(r.def.columns[c.col].format(v, true))
	case c.want == nil:
		return false
	}
	return satisfies(c.op, compareCells(v, c.want))
}

func satisfies(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// query selects rows; limit 0 means all.
type query struct {
	conditions []condition
	order      []term
	offset     int
	limit      int
}

func (q query) accepts(r *row) bool {
	for _, c := range q.conditions {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

// find runs a query and says whether rows beyond the limit match. The caller holds the server's lock.
func (t *table) find(q query) (found []*row, more bool) {
	for _, r := range t.candidates(q) {
		if !q.accepts(r) {
			continue
		}
		if q.offset > 0 {
			q.offset--
			continue
		}
		if q.limit > 0 && len(found) == q.limit {
			return found, true
		}
		found = append(found, r)
	}
	return found, false
}

// candidates returns the rows worth looking at, in order: the one row of a key, or the part of a sort order that
// starts with the columns tested for equality.
func (t *table) candidates(q query) []*row {
	var equal []condition
	for _, c := range q.conditions {
		if c.op != "=" || c.want == nil {
			continue
		}
		if c.col == t.def.key {
			if r := t.rows[fold(t.def.columns[c.col].format(c.want, true))]; r != nil {
				return []*row{r}
			}
			return nil
		}
		if !slices.ContainsFunc(equal, func(e condition) bool { return e.col == c.col }) {
			equal = append(equal, c)
		}
	}
	slices.SortFunc(equal, func(a, b condition) int { return cmp.Compare(a.col, b.col) })
	var terms []term
	add := func(next term) {
		if !slices.ContainsFunc(terms, func(t term) bool { return t.col == next.col }) {
			terms = append(terms, next)
		}
	}
	for _, c := range equal {
		add(term{col: c.col})
	}
	for _, o := range q.order {
		add(o)
	}
	add(term{col: t.def.key})
	o := t.sorted(terms)
	rows := equalRange(o.rows, equal)
	if len(equal) < len(terms) {
		rows = cutRange(rows, terms[len(equal)], q.conditions)
	}
	return rows
}

// equalRange narrows rows, sorted by the columns of equal first, to those with the wanted values.
func equalRange(rows []*row, equal []condition) []*row {
	compare := func(r *row) int {
		for _, c := range equal {
			if d := compareCells(r.cells[c.col], c.want); d != 0 {
				return d
			}
		}
		return 0
	}
	low := sort.Search(len(rows), func(i int) bool { return compare(rows[i]) >= 0 })
	rows = rows[low:]
	return rows[:sort.Search(len(rows), func(i int) bool { return compare(rows[i]) > 0 })]
}

// cutRange narrows rows, sorted by t, with the comparisons on that column.
func cutRange(rows []*row, t term, conditions []condition) []*row {
	for _, c := range conditions {
		if c.col != t.col || c.want == nil || !strings.Contains("<=>=", c.op) || c.op == "=" {
			continue
		}
		ends := strings.HasPrefix(c.op, ">") == t.desc // the condition bounds the end of the rows
		cut := sort.Search(len(rows), func(i int) bool {
			ok := satisfies(c.op, compareCells(rows[i].cells[t.col], c.want))
			return ok != ends
		})
		if ends {
			rows = rows[:cut]
		} else {
			rows = rows[cut:]
		}
	}
	return rows
}
