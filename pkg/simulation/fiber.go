package simulation

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// killed is the panic that ends a fiber whose process died.
type killed struct{}

// fiber is work of a process that runs until it leaves the process, and goes on when the loop picks it again. Only one
// fiber runs at a time: which one is the seed's choice, and nobody else's.
type fiber struct {
	name  string
	owner *process
	wake  time.Time
	work  func()
	done  func(dead bool) // told when the work ended, and whether it was killed
	next  func() (time.Duration, bool)
	stop  func()
	yield func(time.Duration) bool
}

// ended is what a fiber yields when its work is done; it can be given other work then.
const ended = time.Duration(-1)

// loop is the scheduler with its virtual clock.
type loop struct {
	rng     *rand.Rand
	now     time.Time
	fibers  []*fiber
	active  *fiber
	resting []*fiber // whose work is done
	ready   []*fiber // scratch space
	steps   int
	timers  []timer // sorted by time
	trace   *trace
}

// timer is something that happens at a time, outside of any process.
type timer struct {
	at   time.Time
	name string
	do   func()
}

func newLoop(seed uint64, start time.Time, t *trace) *loop {
	return &loop{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), now: start, trace: t}
}

// at schedules something. What is scheduled for the same time happens in the order of scheduling.
func (l *loop) at(when time.Time, name string, do func()) {
	if when.Before(l.now) {
		when = l.now
	}
	i := len(l.timers)
	for i > 0 && l.timers[i-1].at.After(when) {
		i--
	}
	l.timers = append(l.timers, timer{})
	copy(l.timers[i+1:], l.timers[i:])
	l.timers[i] = timer{when, name, do}
}

func (l *loop) after(d time.Duration, name string, do func()) { l.at(l.now.Add(d), name, do) }

// spawn begins work; it starts when the loop picks it. done is told when it ended, and whether it was killed.
func (l *loop) spawn(name string, owner *process, work func(), done func(dead bool)) {
	var f *fiber
	if n := len(l.resting); n > 0 {
		f, l.resting = l.resting[n-1], l.resting[:n-1]
	} else {
		f = &fiber{}
		f.next, f.stop = iter.Pull(f.run)
	}
	f.name, f.owner, f.wake, f.work, f.done = name, owner, l.now, work, done
	l.fibers = append(l.fibers, f)
}

// run does one piece of work after the other, on a stack that has grown, until the fiber is stopped.
func (f *fiber) run(yield func(time.Duration) bool) {
	f.yield = yield
	for f.once() && yield(ended) {
	}
}

// once does the work, and reports whether it came to its end.
func (f *fiber) once() (alive bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(fmt.Sprintf("%s: %v", f.name, r))
			}
		}
		f.done(!alive)
	}()
	f.work()
	return true
}

// pause lets others run, and goes on after d at the earliest. Outside of a fiber time just passes.
func (l *loop) pause(d time.Duration) {
	f := l.active
	if f == nil {
		l.now = l.now.Add(d)
		return
	}
	if f.owner != nil && f.owner.dead {
		panic(killed{})
	}
	if !f.yield(d) || f.owner != nil && f.owner.dead {
		panic(killed{})
	}
}

// step lets one fiber go on to its next boundary, or moves the clock to the next thing that happens. It reports whether there
// was anything before the end.
func (l *loop) step(end time.Time) bool {
	ready := l.ready[:0]
	next := end
	for _, f := range l.fibers {
		if !f.wake.After(l.now) {
			ready = append(ready, f)
		} else if f.wake.Before(next) {
			next = f.wake
		}
	}
	l.ready = ready
	if len(l.timers) > 0 && !l.timers[0].at.After(l.now) {
		t := l.timers[0]
		l.timers = l.timers[1:]
		t.do()
		l.steps++
		return true
	}
	if len(ready) > 0 {
		l.resume(ready[l.rng.IntN(len(ready))])
		return true
	}
	if len(l.timers) > 0 && l.timers[0].at.Before(next) {
		next = l.timers[0].at
	}
	if !next.Before(end) {
		l.now = end
		return false
	}
	l.now = next
	return true
}

func (l *loop) resume(f *fiber) {
	l.steps++
	l.active = f
	d, more := f.next()
	l.active = nil
	if !more || d == ended {
		l.remove(f)
		if more {
			l.resting = append(l.resting, f)
		}
		return
	}
	f.wake = l.now.Add(d)
}

func (l *loop) remove(f *fiber) {
	for i, other := range l.fibers {
		if other == f {
			l.fibers = append(l.fibers[:i], l.fibers[i+1:]...)
			return
		}
	}
}

// kill ends the fibers of a process that died, wherever they are.
func (l *loop) kill(p *process) {
	var mine []*fiber
	for _, f := range l.fibers {
		if f.owner == p && f != l.active {
			mine = append(mine, f)
		}
	}
	for _, f := range mine {
		f.stop()
		l.remove(f)
	}
}

// close ends everything that is still under way.
func (l *loop) close() {
	for len(l.fibers) > 0 {
		f := l.fibers[0]
		if f.owner != nil {
			f.owner.dead = true
		}
		f.stop()
		l.remove(f)
	}
	for _, f := range l.resting {
		f.stop()
	}
}

// chance is true in so many of ten thousand cases.
func (l *loop) chance(rate int) bool { return rate > 0 && l.rng.IntN(10_000) < rate }

// between is a duration from a to b.
func (l *loop) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(l.rng.Int64N(int64(b-a)))
}

// watch is a clock of the loop as one process sees it: a little ahead or behind.
type watch struct {
	l    *loop
	skew time.Duration
}

// Now implements clock.Clock.
func (w watch) Now() time.Time { return w.l.now.Add(w.skew).UTC() }

// Sleep implements clock.Clock.
func (w watch) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.l.pause(max(d, 0))
	return ctx.Err()
}
