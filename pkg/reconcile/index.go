package reconcile

import (
	"hash/maphash"
)

// none stands for no row.
const none = int32(-1)

// index finds rows by a text that they have: a hash table of row numbers with some eight bytes a row, where a map of
// texts takes forty. Of rows with the same text the last one that was put is found.
type index struct {
	seed  maphash.Seed
	text  func(row int32) string
	slots []int32 // row + 1, or 0
	rows  int
}

// newIndex makes an index for about so many rows.
func newIndex(rows int, text func(row int32) string) *index {
	size := 8
	for size*3 < rows*4 {
		size *= 2
	}
	return &index{seed: maphash.MakeSeed(), text: text, slots: make([]int32, size)}
}

// slot is where the row with the text is, or would be.
func (x *index) slot(text string) int {
	mask := len(x.slots) - 1
	at := int(maphash.String(x.seed, text)) & mask
	for x.slots[at] != 0 && x.text(x.slots[at]-1) != text {
		at = (at + 1) & mask
	}
	return at
}

// find is the row with the text, or none.
func (x *index) find(text string) int32 { return x.slots[x.slot(text)] - 1 }

// has reports whether a row has the text.
func (x *index) has(text string) bool { return x.find(text) != none }

// put adds a row under its text.
func (x *index) put(row int32) {
	at := x.slot(x.text(row))
	if x.slots[at] == 0 {
		x.rows++
	}
	x.slots[at] = row + 1
	if x.rows*4 <= len(x.slots)*3 {
		return
	}
	old := x.slots
	x.slots = make([]int32, 2*len(old))
	for _, n := range old {
		if n != 0 {
			x.slots[x.slot(x.text(n-1))] = n
		}
	}
}

// pile collects differences: they are large, and a slice that grows would copy them again and again.
type pile struct {
	full []([]Difference)
	last []Difference
	n    int
}

// pileChunk is the number of differences that are allocated together.
const pileChunk = 256

func (p *pile) add(d Difference) {
	if len(p.last) == cap(p.last) {
		if p.last != nil {
			p.full = append(p.full, p.last)
		}
		p.last = make([]Difference, 0, pileChunk)
	}
	p.last = append(p.last, d)
	p.n++
}

// take empties the pile: all its differences in the order in which they were added.
func (p *pile) take() []Difference {
	if p.n == 0 {
		return nil
	}
	out := make([]Difference, 0, p.n)
	for i := range p.full {
		out = append(out, p.full[i]...)
		p.full[i] = nil
	}
	out = append(out, p.last...)
	*p = pile{}
	return out
}
