package connector

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEachPage(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		next  func(page string, n int) (string, error)
		use   error
		pages int
		want  string // part of the error, empty for none
	}{
		"one page":              {func(string, int) (string, error) { return "", nil }, nil, 1, ""},
		"three pages":           {func(_ string, n int) (string, error) { return []string{"a", "b", ""}[n], nil }, nil, 3, ""},
		"unreadable":            {func(string, int) (string, error) { return "", broken }, nil, 0, "broken"},
		"unusable":              {func(string, int) (string, error) { return "x", nil }, broken, 0, "broken"},
		"the same page":         {func(string, int) (string, error) { return "a", nil }, nil, 2, `listing x: bad_response: the list leads to page "a" again`},
		"round and round":       {func(_ string, n int) (string, error) { return []string{"a", "b", "c"}[n%3], nil }, nil, 4, `page "a" again`},
		"on and on":             {func(_ string, n int) (string, error) { return fmt.Sprint(n), nil }, nil, MaxPages, "does not end after 20000 pages"},
		"a token of a megabyte": {func(string, int) (string, error) { return strings.Repeat("y", 1<<20), nil }, nil, 2, `again`},
	} {
		t.Run(name, func(t *testing.T) {
			calls, used := 0, 0
			err := EachPage("listing x", func(page string) (Page[int], error) {
				next, err := c.next(page, calls)
				calls++
				return Page[int]{Items: []int{1}, Next: next}, err
			}, func(p Page[int]) error {
				if c.use == nil {
					used += len(p.Items)
				}
				return c.use
			})
			if used != c.pages || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%d pages and %v, want %d and %q", used, err, c.pages, c.want)
			}
			if err != nil && !errors.Is(err, broken) && (ClassOf(err) != ClassBadResponse || Ambiguous(err) || len(err.Error()) > 300) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWalkHasItsOwnLimit(t *testing.T) {
	w := Walk{Op: "listing x", Most: 3}
	for n := range 3 {
		if err := w.On(fmt.Sprint(n)); (err != nil) != (n == 2) {
			t.Errorf("page %d: %v", n, err)
		}
	}
}
