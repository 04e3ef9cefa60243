package client

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzNextPage: whatever the header of a page says, the next one is a query at our own host, another page than this one, or
// an error; and reading it as a token gives the same query again.
func FuzzNextPage(f *testing.F) {
	for _, s := range []string{`<https://api.invoiced.com/x?page=2>; rel="next"`, `<https://evil.example/x?page=2>; rel=next`, `<//evil.example?page=2>; rel="next"`,
		`<https://u:p@api.invoiced.com/x?page=2>; rel="next"`, `<?page=%zz>; rel=next`, `<>;rel=next`, `<x`, `<a>,<b?c=1>;REL="NEXT"`} {
		f.Add(s, "page=1", 100)
	}
	c := &Client{host: "api.invoiced.com"}
	f.Fuzz(func(t *testing.T, link, token string, items int) {
		current, err := merge(url.Values{"include": {"applied_to"}}, token)
		if err != nil {
			return
		}
		next, err := c.next(http.Header{"Link": {link}}, current, items)
		if err != nil || next == "" {
			return
		}
		target := nextLink(link)
		u, err := url.Parse(target)
		if err != nil || u.Host != "" && u.Host != c.host {
			t.Fatalf("%q leads to %q", link, next)
		}
		again, err := merge(current, next)
		if err != nil || again.Encode() == current.Encode() || !strings.Contains(again.Encode(), "per_page=100") {
			t.Errorf("%q after %q gives %q, %v", link, current.Encode(), again.Encode(), err)
		}
	})
}

// FuzzPageToken: a token of ours, of a list of changes, or of nobody is a query or an error, and the marks stay few.
func FuzzPageToken(f *testing.F) {
	marks := make([]string, 2*maxSeen)
	for i := range marks {
		marks[i] = mark(json.RawMessage{byte(i), byte(i >> 8)})
	}
	f.Add("updated_after=9&seen=abc&seen=def", int64(3), int64(9))
	f.Add("page=2&per_page=100", int64(0), int64(0))
	f.Add("%zz;a=b&&=", int64(-5), int64(1))
	f.Fuzz(func(t *testing.T, token string, since, last int64) {
		full, err := merge(nil, token)
		if err != nil {
			return
		}
		out, err := url.ParseQuery(window(full.Encode(), since, []int64{last}, marks[:1], marks))
		if err != nil || len(out[seenParam]) > maxSeen {
			t.Errorf("%q gives %d marks, %v", token, len(out[seenParam]), err)
		}
	})
}
