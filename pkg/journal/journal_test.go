package journal_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/store"
)

func open(t *testing.T) (*journal.Journal, *enginetest.Store, *enginetest.Clock) {
	t.Helper()
	s, c := enginetest.NewStore(), enginetest.NewClock(enginetest.Start())
	return journal.New(s, c), s, c
}

func want(key string) journal.Entry {
	return journal.Entry{Key: key, Company: "us", Record: "us/payment/7", Vendor: "q360", Op: "create", Kind: "receipt", Digest: "d1", Amount: "107.00", Fence: 3}
}

func intend(t *testing.T, j *journal.Journal, e journal.Entry) *journal.Entry {
	t.Helper()
	got, err := j.Intend(t.Context(), e)
	if err != nil {
		t.Fatalf("Intend: %v", err)
	}
	return got
}

func start(t *testing.T, j *journal.Journal, e *journal.Entry) {
	t.Helper()
	if _, err := j.Start(t.Context(), e); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

func TestStates(t *testing.T) {
	lost := errors.New("time-out")
	for _, c := range []struct {
		name  string
		steps func(j *journal.Journal, e *journal.Entry, now time.Time) error // after the start
		want  journal.State
		open  bool
		check time.Duration // of the next look-up, from the start; 0 for none
		err   string
		ended bool
	}{
		{"started", func(*journal.Journal, *journal.Entry, time.Time) error { return nil }, journal.Started, true, 5 * time.Minute, "", false},
		{"done", func(j *journal.Journal, e *journal.Entry, _ time.Time) error { return j.Finish(t.Context(), e, "R1") }, journal.Done, false, 0, "", true},
		{"refused", func(j *journal.Journal, e *journal.Entry, _ time.Time) error { return j.Refuse(t.Context(), e, lost) }, journal.Refused, false, 0, "time-out", true},
		{"unknown", func(j *journal.Journal, e *journal.Entry, now time.Time) error {
			return j.Lose(t.Context(), e, lost, now.Add(time.Minute))
		}, journal.Unknown, true, time.Minute, "time-out", false},
		{"unknown, then absent", func(j *journal.Journal, e *journal.Entry, now time.Time) error {
			return errors.Join(j.Lose(t.Context(), e, lost, now.Add(time.Minute)), j.Absent(t.Context(), e, now.Add(6*time.Minute)))
		}, journal.Unknown, true, 6 * time.Minute, "time-out", false},
		{"unknown, then found", func(j *journal.Journal, e *journal.Entry, now time.Time) error {
			return errors.Join(j.Lose(t.Context(), e, lost, now.Add(time.Minute)), j.Finish(t.Context(), e, "R1"))
		}, journal.Done, false, 0, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, _, clock := open(t)
			e := intend(t, j, want("us/receipt/IVD-7"))
			if e.State != journal.Intended || e.Open() || e.Attempts != 0 || !e.IntendedAt.Equal(clock.Now()) {
				t.Fatalf("intended: %+v", e)
			}
			start(t, j, e)
			if err := c.steps(j, e, clock.Now()); err != nil {
				t.Fatal(err)
			}
			got, err := j.Get(t.Context(), "us/receipt/IVD-7")
			if err != nil {
				t.Fatal(err)
			}
			if got.State != c.want || got.Open() != c.open || got.Attempts != 1 || got.Error != c.err || got.EndedAt.IsZero() == c.ended {
				t.Errorf("stored: %+v", got)
			}
			if c.check == 0 && !got.CheckAt.IsZero() || c.check != 0 && !got.CheckAt.Equal(clock.Now().Add(c.check)) {
				t.Errorf("looked up at %s, want %s from now", got.CheckAt.Text(), c.check)
			}
			if c.want == journal.Done && got.VendorID != "R1" {
				t.Errorf("vendor's id %q", got.VendorID)
			}
		})
	}
}

func TestIntendAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(j *journal.Journal, e *journal.Entry) error
		state  journal.State
		digest string // after intending again with digest d2
	}{
		{"intended", func(*journal.Journal, *journal.Entry) error { return nil }, journal.Intended, "d2"},
		{"refused", func(j *journal.Journal, e *journal.Entry) error { return j.Refuse(t.Context(), e, errors.New("no")) }, journal.Intended, "d2"},
		{"done", func(j *journal.Journal, e *journal.Entry) error { return j.Finish(t.Context(), e, "R1") }, journal.Done, "d1"},
		{"unknown", func(j *journal.Journal, e *journal.Entry) error { return j.Lose(t.Context(), e, nil, time.Time{}) }, journal.Unknown, "d1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, _, _ := open(t)
			e := intend(t, j, want("us/k"))
			if c.name != "intended" {
				start(t, j, e)
			}
			if err := c.before(j, e); err != nil {
				t.Fatal(err)
			}
			second := want("us/k")
			second.Digest, second.Fence, second.Amount = "d2", 4, "50.00"
			got := intend(t, j, second)
			if got.State != c.state || got.Digest != c.digest || got.Error != "" {
				t.Errorf("intended again: %+v", got)
			}
			if c.digest == "d2" && (got.Fence != 4 || got.Amount != "50.00" || !got.EndedAt.IsZero()) {
				t.Errorf("the new content is not taken: %+v", got)
			}
		})
	}
}

// TestOneStarts: of two that hold the same entry only one may make the call.
func TestOneStarts(t *testing.T) {
	j, _, _ := open(t)
	first := intend(t, j, want("us/k"))
	second, err := j.Get(t.Context(), "us/k")
	if err != nil {
		t.Fatal(err)
	}
	start(t, j, first)
	if _, err := j.Start(t.Context(), second); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("the second start: %v", err)
	}
	if err := j.Finish(t.Context(), second, "R2"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second finish: %v", err)
	}
	if err := j.Finish(t.Context(), first, "R1"); err != nil {
		t.Error(err)
	}
}

func TestGuardedStart(t *testing.T) {
	j, s, _ := open(t)
	versions, err := s.Write(t.Context(), store.Write{Collection: store.Records, ID: "r", Data: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	e := intend(t, j, want("us/k"))
	guard := store.Write{Collection: store.Records, ID: "r", Data: []byte(`{"fence":1}`), If: store.IfVersion, Version: versions[0]}
	got, err := j.Start(t.Context(), e, guard)
	if err != nil || len(got) != 1 || got[0] == versions[0] {
		t.Fatalf("Start = %v, %v", got, err)
	}
	if err := j.Refuse(t.Context(), e, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	var we *store.WriteError
	if _, err := j.Start(t.Context(), e, guard); !errors.As(err, &we) || we.Collection != store.Records {
		t.Fatalf("a start with a lost lease: %v", err)
	}
	if stored, err := j.Get(t.Context(), "us/k"); err != nil || stored.State != journal.Refused || stored.Attempts != 1 {
		t.Errorf("after the lost start: %+v, %v", stored, err)
	}
}

func TestReopen(t *testing.T) {
	j, _, _ := open(t)
	e := intend(t, j, want("us/k"))
	start(t, j, e)
	if err := j.Finish(t.Context(), e, "inv_1"); err != nil {
		t.Fatal(err)
	}
	second := want("us/k")
	second.Digest = "d2"
	if err := j.Reopen(t.Context(), e, second); err != nil {
		t.Fatal(err)
	}
	start(t, j, e)
	if got, err := j.Get(t.Context(), "us/k"); err != nil || got.State != journal.Started || got.Attempts != 2 || got.Digest != "d2" || !got.EndedAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOfRecord(t *testing.T) {
	j, _, clock := open(t)
	for _, key := range []string{"us/receipt/IVD-7", "us/receipt/IVD-7-2", "us/receipt/IVD-7%2Flines"} {
		intend(t, j, want(key))
		clock.Advance(time.Second)
	}
	other := want("us/receipt/IVD-8")
	other.Record = "us/payment/8"
	intend(t, j, other)
	all, err := j.OfRecord(t.Context(), "us/payment/7")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	if !slices.Equal(keys, []string{"us/receipt/IVD-7", "us/receipt/IVD-7-2", "us/receipt/IVD-7%2Flines"}) {
		t.Errorf("effects %v", keys)
	}
	if err := j.Finish(t.Context(), &all[0], "R1"); err != nil {
		t.Errorf("an entry of the list can be changed: %v", err)
	}
	if none, err := j.OfRecord(t.Context(), "us/payment/9"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	if e, err := j.Get(t.Context(), "us/nothing"); e != nil || err != nil {
		t.Errorf("Get of nothing = %v, %v", e, err)
	}
}

func TestStoreTrouble(t *testing.T) {
	j, s, _ := open(t)
	e := intend(t, j, want("us/k"))
	broken := errors.New("disk full")
	s.Break(broken)
	_, get := j.Get(t.Context(), "us/k")
	_, intended := j.Intend(t.Context(), want("us/k"))
	_, started := j.Start(t.Context(), e)
	_, list := j.OfRecord(t.Context(), "us/payment/7")
	for name, err := range map[string]error{"Get": get, "Intend": intended, "Start": started, "OfRecord": list, "Finish": j.Finish(t.Context(), e, "R1")} {
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
