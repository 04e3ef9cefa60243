package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	"github.com/arbridge/arbridge/pkg/money"
)

// listing says how one kind is listed.
type listing struct {
	kind  string
	ids   []int64 // candidates, ascending
	date  string  // the field of start_date and end_date; empty ignores them
	newer bool    // newest first unless sorted
	meta  func(objects.Object) attrs
	keep  func(objects.Object) bool // further conditions; nil keeps all
}

// list answers with one page as a bare array with Link and X-Total-Count (T3 to T8).
func (c *call) list(l listing) (*answer, error) {
	found, err := c.selected(l)
	if err != nil {
		return nil, err
	}
	rows := make([]any, 0, c.query.PerPage)
	for _, o := range pageOf(c.query, found) {
		rows = append(rows, c.view.render(o))
	}
	return c.page(rows, len(found))
}

// page answers with the rows of the current page out of total.
func (c *call) page(rows []any, total int) (*answer, error) {
	if err := c.s.pages.visit(c); err != nil {
		return nil, err
	}
	a := jsonAnswer(http.StatusOK, rows)
	a.Header = map[string]string{
		"Link":          c.query.Link(c.address(), total),
		"X-Total-Count": strconv.Itoa(total),
	}
	return a, nil
}

// rows answers with a page of rows that are no stored objects.
func (c *call) rows(all []any) (*answer, error) { return c.page(pageOf(c.query, all), len(all)) }

func pageOf[T any](q *wire.Query, all []T) []T {
	from := min((q.Page-1)*q.PerPage, len(all))
	return all[from:min(from+q.PerPage, len(all))]
}

// selected returns the matching objects in the order asked for.
func (c *call) selected(l listing) ([]objects.Object, error) {
	conditions, err := c.conditions(l)
	if err != nil {
		return nil, err
	}
	if id, ok := c.byNumber(l); ok {
		l.ids = id
	}
	found := make([]objects.Object, 0, len(l.ids))
	for _, id := range l.ids {
		o := c.s.store.Get(l.kind, c.acct.Name, id)
		if o != nil && !slices.ContainsFunc(conditions, func(ok func(objects.Object) bool) bool { return !ok(o) }) {
			found = append(found, o)
		}
	}
	if l.newer {
		slices.Reverse(found)
	}
	return found, c.sort(l, found)
}

// byNumber takes the index instead of all candidates when the number is asked for.
func (c *call) byNumber(l listing) ([]int64, bool) {
	number, ok := c.query.Filter["number"]
	if !ok || number == "" || c.s.opt.AllowDuplicateNumbers {
		return nil, false
	}
	if o := c.s.store.Find(l.kind, c.acct.Name, number); o != nil {
		if _, candidate := slices.BinarySearch(l.ids, o.Meta().ID); candidate {
			return []int64{o.Meta().ID}, true
		}
	}
	if _, named := blank(l.kind).(objects.Named); named && len(l.ids) > 0 {
		return nil, true
	}
	return nil, false
}

// conditions turns the query into predicates.
func (c *call) conditions(l listing) ([]func(objects.Object) bool, error) {
	var out []func(objects.Object) bool
	if l.keep != nil {
		out = append(out, l.keep)
	}
	s := c.s.schemas[l.kind]
	for name, want := range c.query.Filter {
		f := s.byName[name]
		if f == nil {
			if c.s.opt.IgnoreBadFilters {
				continue
			}
			return nil, wire.Invalid("filter", "%s cannot be filtered by %q", l.kind, name)
		}
		out = append(out, func(o objects.Object) bool { return matches(c.view.value(f, o), want) })
	}
	if l.meta != nil {
		for key, want := range c.query.Metadata {
			out = append(out, func(o objects.Object) bool {
				value, has := l.meta(o)[key]
				return has && matches(value, want)
			})
		}
	}
	return append(out, c.times(l, s)...), nil
}

func (c *call) times(l listing, s *schema) []func(objects.Object) bool {
	var out []func(objects.Object) bool
	if f := s.byName[l.date]; f != nil && (c.query.Start != nil || c.query.End != nil) {
		out = append(out, func(o objects.Object) bool {
			at, ok := c.view.value(f, o).(int64)
			return ok && (c.query.Start == nil || at >= *c.query.Start) && (c.query.End == nil || at <= *c.query.End)
		})
	}
	if after := c.query.After; after != nil {
		bound := *after
		if c.s.opt.UpdatedAfterEquals {
			bound--
		}
		out = append(out, func(o objects.Object) bool { return o.Meta().Updated > bound })
	}
	if before := c.query.Before; before != nil {
		out = append(out, func(o objects.Object) bool { return o.Meta().Updated < *before })
	}
	return out
}

// matches compares a property with the text of a filter: numbers by value, booleans in every spelling (T8).
func matches(value any, want string) bool {
	switch v := value.(type) {
	case nil:
		return want == ""
	case bool:
		b, ok := wire.ParseFlag(want)
		return ok && b == v
	case string:
		return v == want
	}
	have, ok := number(value)
	if !ok {
		return false
	}
	d, err := money.ParseDecimal(want)
	return err == nil && d.Equal(have)
}

func number(value any) (decimal.Decimal, bool) {
	switch v := value.(type) {
	case int64:
		return decimal.NewFromInt(v), true
	case int:
		return decimal.NewFromInt(int64(v)), true
	case decimal.Decimal:
		return v, true
	case json.Number:
		d, err := money.ParseDecimal(v.String())
		return d, err == nil
	}
	return decimal.Decimal{}, false
}

// sort orders rows, equal ones by id, so that pages do not overlap.
func (c *call) sort(l listing, found []objects.Object) error {
	s := c.s.schemas[l.kind]
	type column struct {
		field *field
		desc  bool
	}
	var columns []column
	for _, by := range c.query.Sort {
		f := s.byName[by.Column]
		if f == nil {
			if c.s.opt.IgnoreBadFilters {
				continue
			}
			return wire.Invalid("sort", "%s cannot be sorted by %q", l.kind, by.Column)
		}
		columns = append(columns, column{f, by.Desc})
	}
	if len(columns) == 0 {
		return nil
	}
	type row struct {
		object objects.Object
		keys   []any
	}
	rows := make([]row, len(found))
	for i, o := range found {
		rows[i] = row{o, make([]any, len(columns))}
		for k, col := range columns {
			rows[i].keys[k] = c.view.value(col.field, o)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		for k, col := range columns {
			order := compare(a.keys[k], b.keys[k])
			if col.desc {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return cmp.Compare(a.object.Meta().ID, b.object.Meta().ID)
	})
	for i, r := range rows {
		found[i] = r.object
	}
	return nil
}

// compare orders two values of a column; null comes first.
func compare(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(rank(a), rank(b))
	}
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	x, isNumber := number(a)
	if y, ok := number(b); ok && isNumber {
		return x.Cmp(y)
	}
	if x, ok := a.(bool); ok {
		y, _ := b.(bool)
		return cmp.Compare(rank(nullable(x)), rank(nullable(y)))
	}
	xs, _ := a.(string)
	ys, _ := b.(string)
	return cmp.Or(strings.Compare(strings.ToLower(xs), strings.ToLower(ys)), strings.Compare(xs, ys))
}

func rank(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

const maxTrackedLists = 10_000

// pageTracker remembers which pages of which lists were fetched, for strict paging (T7). The zero value is ready.
type pageTracker struct {
	mu   sync.Mutex
	seen map[string]pageVisit
}

type pageVisit struct {
	page int
	at   time.Time
}

// visit refuses page n of a query when page n-1 of the same query was not fetched within the window.
func (p *pageTracker) visit(c *call) error {
	if !c.s.opt.StrictPaging {
		return nil
	}
	key, now := c.acct.Name+" "+c.r.URL.Path+"?"+c.query.Key(), c.s.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.seen[key]
	fresh := ok && now.Sub(last.at) < c.s.opt.StrictPagingWindow
	if c.query.Page > 1 && (!fresh || c.query.Page > last.page+1) {
		return wire.Invalid("page", "Page %d was requested before the pages that come before it", c.query.Page)
	}
	if p.seen == nil || len(p.seen) >= maxTrackedLists {
		p.seen = map[string]pageVisit{}
	}
	p.seen[key] = pageVisit{c.query.Page, now}
	return nil
}
