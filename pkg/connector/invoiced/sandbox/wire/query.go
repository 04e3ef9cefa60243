package wire

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Sort is one column of a sort parameter.
type Sort struct {
	Column string
	Desc   bool
}

// Query is the parsed query of a list or a retrieval (invoiced-api 1.5, 1.6). Parameters it does not know are ignored
// (T14) but stay in the links.
type Query struct {
	Raw           url.Values
	Page, PerPage int
	Filter        map[string]string
	Metadata      map[string]string
	Sort          []Sort
	Start, End    *int64 // start_date, end_date: inclusive, unix seconds
	After, Before *int64 // updated_after, updated_before
	Expand        map[string]bool
	Include       map[string]bool
}

// Paging says which pages a server grants.
type Paging struct {
	Default, Max int
	RejectAbove  bool // a per_page above Max is an error instead of being lowered
}

// ParseQuery reads a raw query. Errors are *Error with status 400.
func ParseQuery(raw string, paging Paging) (*Query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, Invalid("", "The query string is badly encoded")
	}
	q := &Query{
		Raw: values, Filter: map[string]string{}, Metadata: map[string]string{},
		Expand: set(values.Get("expand")), Include: set(values.Get("include")),
	}
	for key, v := range values {
		path, ok := SplitKey(key)
		if !ok || len(path) != 2 {
			continue
		}
		switch path[0] {
		case "filter":
			q.Filter[path[1]] = v[len(v)-1]
		case "metadata":
			q.Metadata[path[1]] = v[len(v)-1]
		}
	}
	if err := q.parsePage(paging); err != nil {
		return nil, err
	}
	for key, at := range map[string]**int64{
		"start_date": &q.Start, "end_date": &q.End, "updated_after": &q.After, "updated_before": &q.Before,
	} {
		if *at, err = q.integer(key); err != nil {
			return nil, err
		}
	}
	return q, q.parseSort(values.Get("sort"))
}

func (q *Query) parsePage(paging Paging) error {
	page, err := q.integer("page")
	if err != nil {
		return err
	}
	size, err := q.integer("per_page")
	if err != nil {
		return err
	}
	q.Page, q.PerPage = 1, paging.Default
	if page != nil {
		q.Page = int(*page)
	}
	if size != nil {
		q.PerPage = int(*size)
	}
	switch {
	case q.Page < 1:
		return Invalid("page", "page must be at least 1")
	case q.PerPage < 1:
		return Invalid("per_page", "per_page must be at least 1")
	case q.PerPage > paging.Max && paging.RejectAbove:
		return Invalid("per_page", "per_page must be at most %d", paging.Max)
	}
	q.PerPage = min(q.PerPage, paging.Max)
	return nil
}

func (q *Query) parseSort(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		s := Sort{Column: words[0]}
		if len(words) > 1 {
			switch strings.ToLower(words[1]) {
			case "asc":
			case "desc":
				s.Desc = true
			default:
				return Invalid("sort", "sort direction %q is neither asc nor desc", words[1])
			}
		}
		if len(words) > 2 {
			return Invalid("sort", "sort has too many words")
		}
		q.Sort = append(q.Sort, s)
	}
	return nil
}

func (q *Query) integer(key string) (*int64, error) {
	if !q.Raw.Has(key) {
		return nil, nil
	}
	return Values{key: q.Raw.Get(key)}.Integer(key)
}

// Flag reads a boolean parameter; nil when it is not given.
func (q *Query) Flag(key string) (*bool, error) {
	return Values{key: q.Raw.Get(key)}.Flag(key)
}

// Key identifies the query apart from its page, for strict paging.
func (q *Query) Key() string {
	rest := url.Values{}
	for k, v := range q.Raw {
		if k != "page" {
			rest[k] = v
		}
	}
	return rest.Encode()
}

// linkEscaper escapes what separates links of a header.
var linkEscaper = strings.NewReplacer(",", "%2C", ";", "%3B")

// Link builds the Link header for a list at address (scheme, host and path as the client called them) with total
// records. The encoding leaves no comma and no semicolon raw, because the vendor's SDKs split there (T4).
func (q *Query) Link(address string, total int) string {
	last := max(1, (total+q.PerPage-1)/q.PerPage)
	type rel struct {
		name string
		page int
	}
	rels := []rel{{"self", q.Page}, {"first", 1}}
	if q.Page > 1 {
		rels = append(rels, rel{"previous", min(q.Page-1, last)})
	}
	if q.Page < last {
		rels = append(rels, rel{"next", q.Page + 1})
	}
	rels = append(rels, rel{"last", last})
	address = linkEscaper.Replace(address)
	parts := make([]string, len(rels))
	for i, r := range rels {
		v := url.Values{}
		for k, old := range q.Raw {
			v[k] = slices.Clone(old)
		}
		v.Set("page", strconv.Itoa(r.page))
		v.Set("per_page", strconv.Itoa(q.PerPage))
		parts[i] = "<" + address + "?" + v.Encode() + `>; rel="` + r.name + `"`
	}
	return strings.Join(parts, ", ")
}

func set(list string) map[string]bool {
	out := map[string]bool{}
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out[part] = true
		}
	}
	return out
}
