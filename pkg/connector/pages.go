package connector

import (
	"hash/fnv"
)

// MaxPages bounds a list that is read to its end: far beyond what a company has, so that a vendor whose list never ends
// costs one reading of it and not the work of all others.
const MaxPages = 20_000

// EachPage reads a list to its end: read is called with "" first and with the Next of the page before afterwards, use with
// every page. A list that leads to a page it led to before, or is longer than MaxPages, is an error of ClassBadResponse
// under op; what was used until then stays used.
func EachPage[T any](op string, read func(page string) (Page[T], error), use func(Page[T]) error) error {
	walk := Walk{Op: op}
	for page := ""; ; {
		p, err := read(page)
		if err != nil {
			return err
		}
		if err := use(p); err != nil {
			return err
		}
		if page = p.Next; page == "" {
			return nil
		}
		if err := walk.On(page); err != nil {
			return err
		}
	}
}

// Walk notices a list that never ends. The zero value with an Op is ready.
type Walk struct {
	Op   string          // names the list in errors: "listing payments"
	Most int             // pages, MaxPages when 0
	seen map[uint64]bool // digests of the pages led to: whole tokens would be large
}

// On notes that the list goes on at a page. The error is of ClassBadResponse.
func (w *Walk) On(page string) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte(page)) // never fails
	sum := h.Sum64()
	if w.seen == nil {
		w.seen = map[uint64]bool{}
	}
	if w.seen[sum] {
		return NewError(ClassBadResponse, w.Op, "the list leads to page %.80q again: it would never end", page)
	}
	w.seen[sum] = true
	most := w.Most
	if most <= 0 {
		most = MaxPages
	}
	if len(w.seen) >= most {
		return NewError(ClassBadResponse, w.Op, "the list does not end after %d pages", most)
	}
	return nil
}
