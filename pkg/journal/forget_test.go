package journal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/arbridge/arbridge/pkg/journal"
)

// TestForget: only the vendor's words go, only from what was refused long enough ago, and only of the record.
func TestForget(t *testing.T) {
	j, _, clk := open(t)
	refused := errors.New("ledger: reference must have 8 letters")
	for _, key := range []string{"us/old", "us/new", "us/lost", "us/done", "us/waiting", "us/other"} {
		e := want(key)
		if key == "us/other" {
			e.Record = "us/payment/8"
		}
		got := intend(t, j, e)
		if key == "us/waiting" {
			continue
		}
		start(t, j, got)
		if key == "us/new" {
			clk.Advance(48 * time.Hour)
		}
		var err error
		switch key {
		case "us/lost":
			err = j.Lose(t.Context(), got, refused, clk.Now())
		case "us/done":
			err = j.Finish(t.Context(), got, "R1")
		default:
			err = j.Refuse(t.Context(), got, refused)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list := func(record string) []journal.Entry {
		all, err := j.OfRecord(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := append(list("us/payment/7"), list("us/payment/8")...)
	for _, n := range []int{1, 0} { // a second time there is nothing left to do
		if got, err := j.Forget(t.Context(), "us/payment/7", clk.Now().Add(-24*time.Hour)); err != nil || got != n {
			t.Errorf("forgot %d, %v; want %d", got, err, n)
		}
	}
	for i := range before {
		if before[i].Key == "us/old" {
			before[i].Error = ""
		}
	}
	after := append(list("us/payment/7"), list("us/payment/8")...)
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(journal.Entry{})); diff != "" {
		t.Errorf("what changed besides the text (-want +got):\n%s", diff)
	}
}

// TestForgetReadsOn: a record may have more effects than one page of them.
func TestForgetReadsOn(t *testing.T) {
	j, s, clk := open(t)
	const n = 450
	for i := range n {
		e := intend(t, j, want(fmt.Sprintf("us/%03d", i)))
		start(t, j, e)
		if err := j.Refuse(t.Context(), e, errors.New("no")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := j.Forget(t.Context(), "us/payment/7", clk.Now()); err != nil || got != n {
		t.Errorf("forgot %d of %d, %v", got, n, err)
	}
	down := errors.New("disk full")
	s.Break(down)
	if _, err := j.Forget(t.Context(), "us/payment/7", clk.Now()); !errors.Is(err, down) {
		t.Errorf("with a broken store: %v", err)
	}
}
