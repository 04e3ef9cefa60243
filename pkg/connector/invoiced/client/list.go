package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
)

// PerPage is the page size of every list: the largest known to work, always sent because the default is unknown
// (invoiced-api 1.5).
const PerPage = 100

// maxPages bounds the lists that are read to their end at once.
const maxPages = 1000

// List is one page of a list. An item that does not decode is in Bad and stops nothing.
type List[T any] struct {
	Items []T
	Raw   []json.RawMessage // the items as received, one for each of Items
	Bad   []Bad
	// Next is the query of the next page, empty on the last. Pages must be read one after the other (invoiced-api 1.5).
	Next string
}

// Bad is an item that does not decode.
type Bad struct {
	ID, Number string // as far as they can be read
	Err        error
}

// page reads one page of a list. token is the Next of the page before; what it says wins over query, whose other
// parameters fill the gaps, so that a link that lost a parameter does not change what is listed.
func page[T any](ctx context.Context, c *Client, op string, query url.Values, token string, parts ...string) (List[T], error) {
	var out List[T]
	p, err := path(op, parts...)
	if err != nil {
		return out, err
	}
	full, err := merge(query, token)
	if err != nil {
		return out, connector.NewError(connector.ClassBug, op, "page %.80q is not one we gave out", token)
	}
	res, err := c.send(ctx, call{op: op, method: http.MethodGet, path: p, query: full})
	if err != nil {
		return out, err
	}
	var rows Rows[json.RawMessage]
	if err := rows.UnmarshalJSON(res.Body); err != nil || !rows.Given {
		return out, unreadable(op, false, res.Status, errors.New("it is not a JSON list"))
	}
	for _, raw := range rows.List {
		var v T
		if plain, ok := any(&v).(*json.RawMessage); ok {
			*plain = raw
		} else if err := json.Unmarshal(raw, &v); err != nil {
			out.Bad = append(out.Bad, bad(raw, err))
			continue
		}
		out.Items, out.Raw = append(out.Items, v), append(out.Raw, raw)
	}
	out.Next, err = c.next(res.Header, full, len(rows.List))
	if err != nil {
		return List[T]{}, unreadable(op, false, res.Status, err)
	}
	return out, nil
}

// all reads a list to its end. Any item that does not decode is an error, because a missing item would look like an
// absent one.
func all[T any](ctx context.Context, c *Client, op string, query url.Values, parts ...string) ([]T, error) {
	var out []T
	token := ""
	for range maxPages {
		l, err := page[T](ctx, c, op, query, token, parts...)
		if err != nil {
			return nil, err
		}
		if len(l.Bad) > 0 {
			return nil, unreadable(op, false, http.StatusOK, fmt.Errorf("record %s: %w", l.Bad[0].ID, l.Bad[0].Err))
		}
		out = append(out, l.Items...)
		if token = l.Next; token == "" {
			return out, nil
		}
	}
	return nil, connector.NewError(connector.ClassBadResponse, op, "the list does not end after %d pages", maxPages)
}

func merge(query url.Values, token string) (url.Values, error) {
	full, err := url.ParseQuery(token)
	if err != nil {
		return nil, err
	}
	for k, v := range query {
		if !full.Has(k) {
			full[k] = v
		}
	}
	full.Set("per_page", strconv.Itoa(PerPage))
	return full, nil
}

// next is the query of the link to the next page. Only its query is used, so credentials can not leave, but a link to
// another host means that something between us and the vendor is wrong, and the list can not be trusted.
func (c *Client) next(h http.Header, current url.Values, items int) (string, error) {
	links := h.Values("Link")
	if len(links) == 0 {
		if items >= PerPage {
			return "", errors.New("a full page came without a Link header, so more pages may be missing")
		}
		return "", nil
	}
	target := nextLink(strings.Join(links, ","))
	if target == "" {
		return "", nil
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", errors.New("the link to the next page is no URL")
	}
	if u.Host != "" && u.Host != c.host {
		return "", errors.New("the link to the next page points to another host")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) == 0 {
		return "", errors.New("the link to the next page has no usable query")
	}
	token := q.Encode()
	if again, err := merge(current, token); err != nil || maps.EqualFunc(again, current, slices.Equal) {
		return "", errors.New("the link to the next page leads to the same page")
	}
	return token, nil
}

// nextLink finds the URL with rel="next". The URL is taken between < and >, so commas and semicolons in it do no harm.
func nextLink(header string) string {
	for {
		_, rest, ok := strings.Cut(header, "<")
		if !ok {
			return ""
		}
		target, rest, ok := strings.Cut(rest, ">")
		if !ok {
			return ""
		}
		params, _, _ := strings.Cut(rest, "<")
		header = rest
		for p := range strings.FieldsFuncSeq(params, func(r rune) bool { return r == ';' || r == ',' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if strings.EqualFold(strings.TrimSpace(name), "rel") && strings.EqualFold(strings.Trim(value, `" `), "next") {
				return target
			}
		}
	}
}

// bad says which record it is as far as that can be read.
func bad(raw json.RawMessage, err error) Bad {
	b := Bad{Err: quiet(err)}
	var head map[string]json.RawMessage
	if json.Unmarshal(raw, &head) != nil {
		return b
	}
	var id ID
	var number Text
	if id.UnmarshalJSON(head["id"]) == nil {
		b.ID = string(id)
	}
	if number.UnmarshalJSON(head["number"]) == nil {
		b.Number = string(number)
	}
	return b
}
