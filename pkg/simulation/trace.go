package simulation

import (
	"fmt"
	"hash"
	"hash/fnv"
	"time"
)

// trace is what happened in a run, in order: its hash tells runs apart, its lines tell a person.
type trace struct {
	loop  *loop
	sum   hash.Hash64
	lines []string
	keep  bool // the lines, not only the hash
	count int
}

func newTrace(keep bool) *trace { return &trace{sum: fnv.New64a(), keep: keep} }

func (t *trace) add(format string, args ...any) {
	t.count++
	line := format
	if len(args) > 0 {
		line = fmt.Sprintf(format, args...)
	}
	var at [8]byte
	ns := t.loop.now.UnixNano()
	for i := range at {
		at[i] = byte(ns >> (8 * i))
	}
	_, _ = t.sum.Write(at[:]) // a hash takes everything
	_, _ = t.sum.Write([]byte(line))
	if t.keep {
		t.lines = append(t.lines, t.loop.now.Format("01-02 15:04:05.000 ")+line)
	}
}

// detail is a line that is not part of the hash, because making it costs time.
func (t *trace) detail(format string, args ...any) {
	if t.keep {
		t.lines = append(t.lines, t.loop.now.Format("01-02 15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// hash identifies everything that was added, with the virtual time of each line.
func (t *trace) hash() string { return fmt.Sprintf("%016x-%d", t.sum.Sum64(), t.count) }

// day is how a time is shown in event lists.
func day(at time.Time) string { return at.Format("Mon 15:04:05") }
