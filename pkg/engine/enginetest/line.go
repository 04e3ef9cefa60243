package enginetest

import (
	"errors"
	"sync"
)

// ErrDead is what everything answers to a process that was killed: its deferred calls reach nobody.
var ErrDead = errors.New("the process was killed")

// Killed is what a process dies of, as a panic. Dies recovers it.
type Killed struct{ Boundary int }

// Line counts the calls that leave a process, and kills it at one of them. A nil Line never does.
type Line struct {
	mu      sync.Mutex
	crossed int
	at      int
	after   bool
	dead    bool
}

// NewLine kills the process at the n-th call that leaves it, counted from 1: before it has any effect, or after it had its
// effect and before the answer is seen.
func NewLine(n int, after bool) *Line { return &Line{at: n, after: after} }

// Crossed is the number of calls that left the process.
func (l *Line) Crossed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crossed
}

// step counts a call; kill says that the process ends here.
func (l *Line) step() (n int, kill bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return 0, false, ErrDead
	}
	l.crossed++
	if l.crossed == l.at {
		l.dead = true
		return l.crossed, true, nil
	}
	return l.crossed, false, nil
}

// cross makes a call that leaves the process.
func cross[T any](l *Line, call func() (T, error)) (T, error) {
	if l == nil {
		return call()
	}
	var none T
	n, kill, err := l.step()
	switch {
	case err != nil:
		return none, err
	case !kill:
		return call()
	case l.after:
		_, _ = call() // its answer is never seen
	}
	panic(Killed{Boundary: n})
}

// Dies runs a function of a process and reports whether the process was killed in it.
func Dies(run func()) (killed bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(Killed); !ok {
				panic(r)
			}
			killed = true
		}
	}()
	run()
	return false
}
