package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/connector"
)

func TestNextLink(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"none", ``, ``},
		{"last page", `<https://h/x?page=1>; rel="self", <https://h/x?page=1>; rel="last"`, ``},
		{"usual", `<https://h/x?page=1>; rel="self", <https://h/x?page=2>; rel="next", <https://h/x?page=9>; rel="last"`, `https://h/x?page=2`},
		{"raw comma and semicolon in the URL", `<https://h/x?a=1,2;3&page=2>; rel="next"`, `https://h/x?a=1,2;3&page=2`},
		{"no quotes", `<https://h/x?page=2>; rel=next`, `https://h/x?page=2`},
		{"other parameters", `<https://h/x?page=2>; title="a"; REL="next"`, `https://h/x?page=2`},
		{"cut off", `<https://h/x?page=2`, ``},
		{"previous is not next", `<https://h/x?page=1>; rel="previous"`, ``},
	} {
		if got := nextLink(c.in); got != c.want {
			t.Errorf("%s: nextLink = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPagesFollowTheLinkOnlyOnTheSameHost(t *testing.T) {
	for _, c := range []struct {
		name, link string
		items      int
		want       string // the next query, or "error"
	}{
		{"no header, short page", "", 3, ""},
		{"no header, full page", "", 100, "error"},
		{"next", `<%s/contacts?page=2&per_page=25>; rel="next"`, 25, "page=2&per_page=25"},
		{"relative", `</contacts?page=2>; rel="next"`, 1, "page=2"},
		{"another host", `<http://evil.example/contacts?page=2>; rel="next"`, 1, "error"},
		{"no query", `<%s/contacts>; rel="next"`, 1, "error"},
		{"the same page", `<%s/contacts?per_page=100>; rel="next"`, 1, "error"},
		{"no URL", `<http://[::1>; rel="next"`, 1, "error"},
	} {
		v, cl := serve(t, keys{testKey}, func(w http.ResponseWriter, r *http.Request) {
			if c.link != "" {
				w.Header().Set("Link", strings.ReplaceAll(c.link, "%s", "http://"+r.Host))
			}
			answer(200, "["+strings.TrimSuffix(strings.Repeat(`{"id":1},`, c.items), ",")+"]")(w, r)
		})
		l, err := page[Contact](context.Background(), cl, "reading contacts", nil, "", "contacts")
		got := l.Next
		if err != nil {
			got = "error"
			if connector.ClassOf(err) != connector.ClassBadResponse || connector.Ambiguous(err) {
				t.Errorf("%s: error %v, want an unambiguous bad response", c.name, err)
			}
		}
		if got != c.want {
			t.Errorf("%s: next = %q (%v), want %q", c.name, got, err, c.want)
		}
		if q := v.last(t).Query; !slices.Equal(q["per_page"], []string{"100"}) {
			t.Errorf("%s: per_page = %v, want 100", c.name, q["per_page"])
		}
	}
}

func TestTokenWinsAndOurParametersFillGaps(t *testing.T) {
	v, cl := serve(t, keys{testKey}, answer(200, `[]`))
	_, err := page[Payment](context.Background(), cl, "listing", url.Values{"include": {"applied_to"}, "updated_after": {"5"}},
		"page=3&per_page=25&updated_after=9", "payments")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"include": {"applied_to"}, "updated_after": {"9"}, "page": {"3"}, "per_page": {"100"}}
	if got := v.last(t).Query; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("query %v, want %v", got, want)
	}
	if _, err := page[Payment](context.Background(), cl, "listing", nil, "a=%zz", "payments"); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("a broken token gives %v, want a bug", err)
	}
}

func TestBadItemsStopNothing(t *testing.T) {
	_, cl := serve(t, keys{testKey}, answer(200,
		`[{"id":1,"number":"A","total":1},{"id":2,"number":"B","total":{"x":1}},{"id":[3],"number":[4]},7]`))
	l, err := cl.ListDocuments(context.Background(), Invoices, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 1 || l.Items[0].Number != "A" || len(l.Bad) != 3 || l.Bad[0].ID != "2" || l.Bad[0].Number != "B" {
		t.Errorf("items %v, bad %v", l.Items, l.Bad)
	}
	if _, err := cl.FindDocuments(context.Background(), Invoices, "A"); connector.ClassOf(err) != connector.ClassBadResponse {
		t.Errorf("a search over a bad item gives %v, want a bad response", err)
	}
}

func TestListsThatAreNone(t *testing.T) {
	for _, body := range []string{`{"error":1}`, `null`, `<html>`, ``, `7`} {
		_, cl := serve(t, keys{testKey}, answer(200, body))
		if _, err := cl.ListPayments(context.Background(), 0, ""); connector.ClassOf(err) != connector.ClassBadResponse {
			t.Errorf("%q gives %v, want a bad response", body, err)
		}
		if err := cl.Ping(context.Background()); connector.ClassOf(err) != connector.ClassBadResponse {
			t.Errorf("Ping with %q gives %v, want a bad response", body, err)
		}
	}
}

func TestAListThatNeverEnds(t *testing.T) {
	v, cl := serve(t, keys{testKey}, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/x?page=%d>; rel="next"`, r.Host, n+1))
		answer(200, `[{"id":1}]`)(w, r)
	})
	if _, err := cl.Contacts(context.Background(), "5"); connector.ClassOf(err) != connector.ClassBadResponse {
		t.Errorf("error %v, want a bad response", err)
	}
	if n := len(v.requests()); n != maxPages {
		t.Errorf("%d requests, want %d", n, maxPages)
	}
}

// shelf is a list sorted by the time of change, as the vendor keeps it.
type shelf struct {
	rows    []Payment
	strict  bool // updated_after excludes its own second
	perPage int
}

func (s *shelf) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("updated_after"), 10, 64)
	var rows []Payment
	for _, p := range s.rows {
		if u := int64(p.UpdatedAt); u > after || (!s.strict && u == after) {
			rows = append(rows, p)
		}
	}
	slices.SortStableFunc(rows, func(a, b Payment) int { return int(a.UpdatedAt - b.UpdatedAt) })
	n := 1
	if q.Has("page") {
		n, _ = strconv.Atoi(q.Get("page"))
	}
	from := min(len(rows), (n-1)*s.perPage)
	to := min(len(rows), from+s.perPage)
	link := fmt.Sprintf(`<http://%s/payments?page=%d>; rel="self"`, r.Host, n)
	if to < len(rows) {
		q.Set("page", strconv.Itoa(n+1))
		link += fmt.Sprintf(`, <http://%s/payments?%s>; rel="next"`, r.Host, q.Encode())
	}
	w.Header().Set("Link", link)
	var out []map[string]any
	for _, p := range rows[from:to] {
		out = append(out, map[string]any{"id": p.ID, "updated_at": p.UpdatedAt})
	}
	b, _ := json.Marshal(out)
	if out == nil {
		b = []byte("[]")
	}
	answer(200, string(b))(w, r)
}

// TestChangesMissNothing changes a record behind the reader's back on every page: with page numbers alone, another one
// would slip through the gap.
func TestChangesMissNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		strict  bool
		spacing int // records with one stamp
		move    bool
		repeats int // records expected twice
	}{
		{"quiet, strictly after", true, 1, false, 0},
		{"quiet, at or after", false, 1, false, 0},
		{"quiet, pages of one second", false, 12, false, 0},
		{"quiet, half pages of one second", true, 3, false, 0},
		{"changing, strictly after", true, 1, true, 3},
		{"changing, at or after", false, 2, true, 3},
	} {
		s := &shelf{strict: c.strict, perPage: 5}
		for i := range 40 {
			s.rows = append(s.rows, Payment{ID: ID(strconv.Itoa(i + 1)), UpdatedAt: Unix(1000 + i/c.spacing)})
		}
		_, cl := serve(t, keys{testKey}, s.serve)
		times, token, pages := map[ID]int{}, "", 0
		for {
			l, err := cl.ListPayments(context.Background(), 0, token)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, p := range l.Items {
				times[p.ID]++
			}
			if pages++; c.move && pages <= 3 {
				s.rows[pages].UpdatedAt = Unix(5000 + pages) // one of those already read moves to the end
			}
			if token = l.Next; token == "" || pages > 100 {
				break
			}
		}
		repeats := 0
		for _, n := range times {
			repeats += n - 1
		}
		if len(times) != 40 || repeats != c.repeats {
			t.Errorf("%s: %d of 40 records, %d repeats (want %d) in %d pages", c.name, len(times), repeats, c.repeats, pages)
		}
	}
}

func TestChangesNeverSendTheirMarks(t *testing.T) {
	v, cl := serve(t, keys{testKey}, answer(200, `[]`))
	if _, err := cl.ListPayments(context.Background(), 7, "updated_after=9&seen=abc&seen=def"); err != nil {
		t.Fatal(err)
	}
	if q := v.last(t).Query; q["seen"] != nil || q["updated_after"][0] != "9" || q["include"][0] != "applied_to" || q["sort"][0] != "updated_at ASC" {
		t.Errorf("query %v", q)
	}
	if _, err := cl.ListPayments(context.Background(), 7, "%zz"); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("a broken token gives %v, want a bug", err)
	}
}
