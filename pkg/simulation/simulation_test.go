package simulation

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

func nativePayment(no, reference string) q360sim.NativePayment {
	return q360sim.NativePayment{InvoiceNo: no, Amount: "1.00", Header: q360sim.Record{"REFERENCE": reference}}
}

// ciSeeds are the runs that every test run makes; make sim makes two thousand.
const ciSeeds = 120

// TestSeeds: no invariant breaks, and every kind of fault happens.
func TestSeeds(t *testing.T) {
	r, err := New().RunMany(t.Context(), ciSeeds, false, Options{Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failed {
		t.Errorf("seed %d: %+v", f.Seed, f.Violations)
	}
	if missing := r.Coverage.Missing(); len(missing) > 0 {
		t.Errorf("never happened: %q", missing)
	}
	if r.Runs != ciSeeds || r.Fewest < fewest || r.Receipts == 0 || r.Writes == 0 || r.Writes > r.Calls {
		t.Errorf("%+v", r)
	}
}

// TestKnownCompanies: runs can begin with companies that were polled before.
func TestKnownCompanies(t *testing.T) {
	for _, s := range New().scenes {
		if s.begun == nil {
			t.Errorf("the first polls of %s fail", s.start)
		}
	}
}

// TestCalm: without faults the work is done, and nothing goes wrong.
func TestCalm(t *testing.T) {
	sim := New()
	for seed := range uint64(3) {
		r, err := sim.Run(Options{Seed: seed, Faults: []Fault{}, Events: 80, Logs: true})
		if err != nil {
			t.Fatal(err)
		}
		happened := 0
		for _, n := range r.Coverage {
			happened += n
		}
		if len(r.Violations) > 0 || happened > 0 || r.Documents < 10 || r.Writes < 20 || len(r.Deeds) < 80 {
			t.Errorf("seed %d: %d faults, %d documents, %d writes, %d deeds, %v", seed, happened, r.Documents, r.Writes, len(r.Deeds), r.Violations)
		}
	}
}

// TestSameSeedSameRun: a run can be repeated, also in another simulator and among others.
func TestSameSeedSameRun(t *testing.T) {
	for _, seed := range []uint64{4, 5, 6, 37} {
		opt := Options{Seed: seed, Keep: true}
		a, err := New().Run(opt)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New().Run(opt)
		if err != nil {
			t.Fatal(err)
		}
		if a.Hash != b.Hash || !slices.Equal(a.Trace, b.Trace) {
			i := 0
			for i < min(len(a.Trace), len(b.Trace)) && a.Trace[i] == b.Trace[i] {
				i++
			}
			t.Errorf("seed %d differs from line %d on:\n%s", seed, i, strings.Join(a.Trace[max(0, i-2):min(len(a.Trace), i+2)], "\n"))
		}
		opt.Seed += 3
		c, err := New().Run(opt)
		if err != nil || c.Hash == a.Hash {
			t.Errorf("seeds %d and %d have one trace, error %v", seed, opt.Seed, err)
		}
	}
}

// TestGiven: a run can be repeated from what its result says of it, also one in which people went on because little happened.
func TestGiven(t *testing.T) {
	sim, more := New(), 0
	for seed := range uint64(20) {
		a, err := sim.Run(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		b, err := sim.Run(Options{Seed: seed, Events: a.Events - a.More, More: a.More, Workers: a.Workers, Faults: a.Faults})
		if err != nil || b.Hash != a.Hash {
			t.Errorf("seed %d differs when all is given, error %v", seed, err)
		}
		more += a.More
	}
	if more == 0 {
		t.Error("people never went on")
	}
}

// TestShrink: a run that fails is cut down to a smaller one that breaks the same invariant.
func TestShrink(t *testing.T) {
	sim := New()
	plant := func(w *world) {
		if w.calls > 40 && w.coverage[HTML502] > 0 {
			w.bad(newestWins, "planted")
		}
	}
	sim.scenes[2].plant = plant
	opt := Options{Seed: 2, Faults: []Fault{HTML502, Answer503, MessageTwice}, Events: 40, Workers: 3}
	r, err := sim.Run(opt)
	if err != nil || len(r.Violations) == 0 {
		t.Fatalf("planted nothing: %v", err)
	}
	small, left, err := sim.Shrink(r, opt, 60)
	if err != nil || small.Violations[0].Invariant != newestWins {
		t.Fatalf("%v %v", small.Violations, err)
	}
	if !slices.Equal(left.Faults, []Fault{HTML502}) || left.Workers != 1 || len(left.Skip) < 20 {
		t.Errorf("left are faults %q, %d processes, %d of 40 events", left.Faults, left.Workers, 40-len(left.Skip))
	}
	again, err := sim.Run(left)
	if err != nil || again.Hash != small.Hash {
		t.Errorf("the small run can not be repeated: %v", err)
	}
}

// TestBugsFit: each planted bug can be planted; make sim-bugs does it.
func TestBugsFit(t *testing.T) {
	known := []string{oneDocument, onePayment, onlySettled, noWebhookLost, newestWins, goneStaysGone, paidStays, notForAll, safeOnly, rateKept, somebodyOwns,
		comesToRest, journalExplains, noSecretLogged, onlyOwnSecrets}
	names := map[string]bool{}
	for _, b := range Bugs() {
		text, err := os.ReadFile(filepath.Join("..", "..", b.File))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), b.Old); n != 1 || b.Old == b.New || names[b.Name] || !slices.Contains(known, b.Invariant) {
			t.Errorf("%s: its text is %d times in %s, its invariant is %q", b.Name, n, b.File, b.Invariant)
		}
		names[b.Name] = true
	}
	if len(names) < 20 {
		t.Errorf("%d bugs", len(names))
	}
}
