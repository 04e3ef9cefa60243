package client

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/connector"
)

const (
	afterParam = "updated_after"
	seenParam  = "seen" // ours alone: marks of records that the overlap of two pages would repeat; never sent
	maxSeen    = 400    // marks in a token; beyond that records may repeat
)

// changes reads a page of a list in the order of changes; stamp gives an item's updated_at. since 0 is everything.
//
// Page numbers alone would lose records: one that is changed while the list is read moves to its end, and the first of
// the next page slips onto the page just read. So the next page starts again at the last change seen, less a second, and
// leaves out what it has in common with this one. A record that really changed meanwhile comes once more.
func changes[T any](ctx context.Context, c *Client, op string, since int64, query url.Values, token string,
	stamp func(T) Unix, parts ...string) (List[T], error) {
	var none List[T]
	given, err := url.ParseQuery(token)
	if err != nil {
		return none, connector.NewError(connector.ClassBug, op, "page %.80q is not one we gave out", token)
	}
	seen := given[seenParam]
	given.Del(seenParam)
	q := url.Values{"sort": {"updated_at ASC"}}
	maps.Copy(q, query)
	if since > 0 {
		q.Set(afterParam, strconv.FormatInt(since, 10))
	}
	l, err := page[T](ctx, c, op, q, given.Encode(), parts...)
	if err != nil {
		return none, err
	}
	stamps, marks := make([]int64, len(l.Items)), make([]string, len(l.Items))
	for i, v := range l.Items {
		stamps[i], marks[i] = int64(stamp(v)), mark(l.Raw[i])
	}
	if given.Has(afterParam) {
		since, _ = strconv.ParseInt(given.Get(afterParam), 10, 64)
	}
	if l.Next != "" && len(l.Bad) == 0 && len(stamps) > 0 && slices.IsSorted(stamps) {
		l.Next = window(l.Next, since, stamps, marks, seen)
	}
	l.drop(marks, seen)
	return l, nil
}

// window is the token of the next page: from the last change seen, or along the link where that would not advance
// because a whole page has one time.
func window(link string, since int64, stamps []int64, marks, seen []string) string {
	start := stamps[len(stamps)-1] - 1
	if start <= since || start <= 0 {
		q, err := url.ParseQuery(link)
		if err != nil {
			return link
		}
		q[seenParam] = limited(append(slices.Clone(seen), marks...))
		return q.Encode()
	}
	var keep []string
	if start <= since+1 {
		keep = slices.Clone(seen)
	}
	for i, s := range stamps {
		if s >= start {
			keep = append(keep, marks[i])
		}
	}
	return url.Values{afterParam: {strconv.FormatInt(start, 10)}, seenParam: limited(keep)}.Encode()
}

func limited(marks []string) []string {
	slices.Sort(marks)
	marks = slices.Compact(marks)
	return marks[:min(len(marks), maxSeen)]
}

// drop removes the items that the page before had in exactly this form.
func (l *List[T]) drop(marks, seen []string) {
	if len(seen) == 0 {
		return
	}
	var items []T
	var raw []json.RawMessage
	for i, m := range marks {
		if !slices.Contains(seen, m) {
			items, raw = append(items, l.Items[i]), append(raw, l.Raw[i])
		}
	}
	l.Items, l.Raw = items, raw
}

// mark identifies the exact content of a record; its id is part of that.
func mark(raw json.RawMessage) string {
	h := fnv.New64a()
	h.Write(raw)
	return strconv.FormatUint(h.Sum64(), 36)
}
