package enginetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
)

// Fault disturbs calls of one method of a vendor.
type Fault struct {
	Method string
	// Nth is the call it happens at, counted from 1 since the fault was set; 0 disturbs every call.
	Nth int
	// Class, Ambiguous, RetryAfter and Code describe the error. Without a class the call goes on after Hook.
	Class      connector.Class
	Ambiguous  bool
	RetryAfter time.Duration
	Code       string
	// After lets the call have its effect first: only the answer is lost, or comes after Hook.
	After bool
	// Hook runs before the call, or behind it: somebody else acts at that moment.
	Hook func()

	seen int
}

// Calls counts the calls to a vendor by method, and disturbs those that faults are set for. The zero value is ready.
type Calls struct {
	mu     sync.Mutex
	counts map[string]int
	writes int
	faults []*Fault
	line   *Line
}

// Fail sets a fault.
func (c *Calls) Fail(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &f)
}

// Heal removes all faults.
func (c *Calls) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// Count is the number of calls of the methods; of all, without any.
func (c *Calls) Count(methods ...string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for method, count := range c.counts {
		if len(methods) == 0 || slices.Contains(methods, method) {
			n += count
		}
	}
	return n
}

// Writes is the number of calls that were meant to change something.
func (c *Calls) Writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// Reset starts counting anew.
func (c *Calls) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts, c.writes = nil, 0
}

// connect makes the calls leave a process over l.
func (c *Calls) connect(l *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = l
}

// begin counts a call and returns the faults that disturb it.
func (c *Calls) begin(method string, write bool) ([]Fault, *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[method]++
	if write {
		c.writes++
	}
	var out []Fault
	for _, f := range c.faults {
		if f.Method != method {
			continue
		}
		f.seen++
		if f.Nth == 0 || f.Nth == f.seen {
			out = append(out, *f)
		}
	}
	return out, c.line
}

func (f Fault) err() error {
	return &connector.Error{
		Class: f.Class, Op: f.Method, Ambiguous: f.Ambiguous, RetryAfter: f.RetryAfter, Code: f.Code, Err: errors.New("as the test wants it"),
	}
}

// read and write are calls to a vendor.
func read[T any](ctx context.Context, c *Calls, method string, body func() (T, error)) (T, error) {
	return call(ctx, c, method, false, body)
}

func write[T any](ctx context.Context, c *Calls, method string, body func() (T, error)) (T, error) {
	return call(ctx, c, method, true, body)
}

func call[T any](ctx context.Context, c *Calls, method string, write bool, body func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, &connector.Error{Class: connector.ClassRetry, Op: method, Err: err}
	}
	faults, line := c.begin(method, write)
	return cross(line, func() (T, error) {
		var lost error
		for _, f := range faults {
			switch {
			case f.Hook == nil:
			case f.After:
				defer f.Hook()
			default:
				f.Hook()
			}
			switch {
			case f.Class != "" && !f.After:
				return none, f.err()
			case f.Class != "":
				lost = f.err()
			}
		}
		v, err := body()
		if err == nil && lost != nil {
			return none, lost
		}
		return v, err
	})
}

func refuse(class connector.Class, op, format string, args ...any) error {
	return connector.NewError(class, op, format, args...)
}
