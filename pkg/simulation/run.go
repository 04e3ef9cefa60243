// Package simulation runs the whole of arbridge — plan, engine, journal, connectors and functions as they are — against
// both vendors' sandboxes in one process, from one seed: virtual time, several worker processes whose steps are interleaved
// at every boundary where something leaves a process, and faults at each of these boundaries. After every step and at rest
// it checks what must always hold, to the cent.
//
// The same seed gives the same run, byte for byte, so that a failure can be replayed and cut down.
package simulation

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Simulator makes runs. It is safe for concurrent use; make one with New.
type Simulator struct{ scenes []*scene }

// New makes a simulator.
func New() *Simulator {
	s := &Simulator{}
	for _, start := range begins() {
		s.scenes = append(s.scenes, newScene(start))
	}
	return s
}

// Run makes the run of a seed. The same options give the same result, trace and all.
func (s *Simulator) Run(opt Options) (Result, error) {
	return s.scenes[opt.Seed%uint64(len(s.scenes))].run(opt)
}

// Report is what many runs came to.
type Report struct {
	Runs     int      `json:"runs"`
	Coverage Coverage `json:"coverage"`
	Failed   []Result `json:"failed,omitempty"` // by seed
	Events   int      `json:"events"`           // that people caused
	Told     int      `json:"told"`             // that the portal had of it
	Fewest   int      `json:"fewest"`           // of both in a run
	Most     int      `json:"most"`
	Calls    int      `json:"calls"`
	Writes   int      `json:"writes"`
	Receipts int      `json:"receipts"`
}

// RunMany makes the runs of so many seeds from the first on, as many at a time as there are processors. With stop it ends
// soon after the first run that fails. The other options hold for every run. done, if set, is told how many runs are over.
func (s *Simulator) RunMany(ctx context.Context, seeds int, stop bool, opt Options, done func(n int)) (Report, error) {
	out := Report{Coverage: Coverage{}}
	var next, over atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for ctx.Err() == nil && !(stop && failed.Load()) {
				n := next.Add(1) - 1
				if n >= int64(seeds) {
					return
				}
				one := opt
				one.Seed = opt.Seed + uint64(n)
				r, err := s.Run(one)
				mu.Lock()
				if out.add(r); err != nil {
					first = cmp.Or(first, fmt.Errorf("seed %d: %w", one.Seed, err))
				}
				mu.Unlock()
				if err != nil || len(r.Violations) > 0 {
					failed.Store(true)
				}
				if n := over.Add(1); done != nil {
					done(int(n))
				}
			}
		})
	}
	all.Wait()
	slices.SortFunc(out.Failed, func(a, b Result) int { return cmp.Compare(a.Seed, b.Seed) })
	return out, cmp.Or(first, ctx.Err())
}

func (r *Report) add(one Result) {
	r.Runs++
	r.Coverage.Add(one.Coverage)
	r.Events, r.Calls, r.Writes, r.Receipts = r.Events+one.Events, r.Calls+one.Calls, r.Writes+one.Writes, r.Receipts+one.Receipts
	both := one.Events + one.Told
	r.Told, r.Most = r.Told+one.Told, max(r.Most, both)
	if r.Fewest = min(r.Fewest, both); r.Runs == 1 {
		r.Fewest = both
	}
	if len(one.Violations) > 0 {
		r.Failed = append(r.Failed, one)
	}
}

// Print writes the coverage table, and the runs that failed.
func (r Report) Print(to io.Writer) {
	fmt.Fprintf(to, "%d runs: %d events of people and %d of the portal, %d to %d in a run; %d calls to vendors, %d of them writes; %d receipts in the ERP.\n\n",
		r.Runs, r.Events, r.Told, r.Fewest, r.Most, r.Calls, r.Writes, r.Receipts)
	fmt.Fprintf(to, "%-32s %12s %10s\n", "fault", "happened", "per run")
	for _, f := range Faults() {
		n := r.Coverage[f]
		fmt.Fprintf(to, "%-32s %12d %7d.%02d\n", f, n, n/max(1, r.Runs), 100*n/max(1, r.Runs)%100)
	}
	if missing := r.Coverage.Missing(); len(missing) > 0 {
		fmt.Fprintf(to, "\nNever happened: %q\n", missing)
	}
	fmt.Fprintf(to, "\n%d runs failed.\n", len(r.Failed))
	for _, f := range r.Failed[:min(len(r.Failed), 20)] {
		for _, v := range f.Violations[:min(len(f.Violations), 3)] {
			fmt.Fprintf(to, "seed %d: %s (%s): %s\n", f.Seed, v.Invariant, v.At, v.Text)
		}
	}
}

// Print writes a run: what could go wrong in it, what people did, what must never be and was.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "seed %d, %d processes, %s of virtual time, trace %s\nfaults: %q\n\n", r.Seed, r.Workers, r.Virtual, r.Hash, r.Faults)
	lines := r.Trace
	if lines == nil {
		lines = r.Deeds
	}
	for _, line := range lines {
		fmt.Fprintln(to, line)
	}
	fmt.Fprintln(to)
	for _, v := range r.Violations {
		fmt.Fprintf(to, "%s (%s): %s\n", v.Invariant, v.At, v.Text)
	}
}

// Shrink looks for a smaller run that breaks the same invariant: with fewer kinds of faults, fewer processes, fewer events.
// It makes at most so many runs. A run that does not fail is given back as it is.
func (s *Simulator) Shrink(r Result, opt Options, runs int) (Result, Options, error) {
	if len(r.Violations) == 0 {
		return r, opt, nil
	}
	opt.Events, opt.More, opt.Workers, opt.Faults = r.Events-r.More, r.More, r.Workers, slices.Clone(r.Faults)
	h := &shrinker{sim: s, invariant: r.Violations[0].Invariant, best: r, opt: opt, left: runs}
	if !h.try(opt) {
		return r, opt, h.err // it depends on how the options were given
	}
	h.faults()
	h.workers()
	h.events()
	h.faults()
	return h.best, h.opt, h.err
}

type shrinker struct {
	sim       *Simulator
	invariant string
	best      Result
	opt       Options
	left      int
	err       error
}

// try makes a run, and takes it as the best one when it breaks the invariant, too.
func (h *shrinker) try(opt Options) bool {
	if h.left == 0 || h.err != nil {
		return false
	}
	h.left--
	r, err := h.sim.Run(opt)
	if err != nil {
		h.err = err
		return false
	}
	same := func(v Violation) bool { return v.Invariant == h.invariant }
	if !slices.ContainsFunc(r.Violations, same) {
		return false
	}
	h.best, h.opt = r, opt
	return true
}

func (h *shrinker) faults() {
	none := h.opt
	none.Faults = []Fault{}
	if h.try(none) {
		return
	}
	for _, f := range slices.Clone(h.opt.Faults) {
		next := h.opt
		next.Faults = slices.DeleteFunc(slices.Clone(h.opt.Faults), func(o Fault) bool { return o == f })
		h.try(next)
	}
}

func (h *shrinker) workers() {
	for n := 1; n < h.opt.Workers; n++ {
		next := h.opt
		if next.Workers = n; h.try(next) {
			return
		}
	}
}

// events leaves out events: half of them, a quarter, and so on down to single ones.
func (h *shrinker) events() {
	all := h.opt.Events + h.opt.More
	for size := all / 2; size > 0; size /= 2 {
		for from := 0; from < all; from += size {
			next := h.opt
			next.Skip = map[int]bool{}
			for i := range h.opt.Skip {
				next.Skip[i] = true
			}
			for i := from; i < min(from+size, all); i++ {
				next.Skip[i] = true
			}
			if len(next.Skip) > len(h.opt.Skip) {
				h.try(next)
			}
		}
	}
}
