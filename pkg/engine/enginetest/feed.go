package enginetest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// stamped is a record with its place in the order of changes, and why it can not be used.
type stamped[T any] struct {
	value T
	stamp int
	bad   string
}

// table holds records by number.
type table[T any] map[string]*stamped[T]

// put stores a record as the latest change.
func (t table[T]) put(number string, v T, stamp int) { t[number] = &stamped[T]{value: v, stamp: stamp} }

// cursor is a position in a feed: "full/HIGH/AFTER" while everything up to HIGH is read the first time, "new/AFTER" then.
type cursor struct {
	full  bool
	high  int
	after int
}

func parseCursor(s string, now int) (cursor, error) {
	if s == "" {
		return cursor{full: true, high: now}, nil
	}
	parts := strings.Split(s, "/")
	numbers := make([]int, len(parts)-1)
	for i, p := range parts[1:] {
		n, err := strconv.Atoi(p)
		if err != nil {
			return cursor{}, fmt.Errorf("cursor %q: %w", s, err)
		}
		numbers[i] = n
	}
	switch {
	case parts[0] == "full" && len(numbers) == 2:
		return cursor{full: true, high: numbers[0], after: numbers[1]}, nil
	case parts[0] == "new" && len(numbers) == 1:
		return cursor{after: numbers[0]}, nil
	}
	return cursor{}, fmt.Errorf("cursor %q is not one of this feed", s)
}

func (c cursor) String() string {
	if c.full {
		return fmt.Sprintf("full/%d/%d", c.high, c.after)
	}
	return fmt.Sprintf("new/%d", c.after)
}

// page is a part of a feed: what changed after the cursor, in the order of changes.
type page[T any] struct {
	items    []*stamped[T]
	next     string
	more     bool
	backfill bool
}

func (t table[T]) page(at string, now, limit int, wanted func(T) bool) (page[T], error) {
	c, err := parseCursor(at, now)
	if err != nil {
		return page[T]{}, err
	}
	var found []*stamped[T]
	for _, s := range t {
		if s.stamp > c.after && (!c.full || s.stamp <= c.high && wanted(s.value)) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *stamped[T]) int { return cmp.Compare(a.stamp, b.stamp) })
	p := page[T]{items: found, backfill: c.full}
	if len(found) > limit {
		p.items, p.more = found[:limit], true
		c.after = p.items[limit-1].stamp
	} else if c.full {
		c = cursor{after: c.high}
		p.more = now > c.after
	} else if len(found) > 0 {
		c.after = found[len(found)-1].stamp
	}
	p.next = c.String()
	return p, nil
}
