package breaker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestOneTrial: while one call tries whether the vendor is back, no other is made, and what calls from before the stop say
// does not prolong it.
func TestOneTrial(t *testing.T) {
	clk := clock.NewMovable(time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC))
	var states []record.Breaker
	b := New("invoiced", clk, func(_ context.Context, s record.Breaker) { states = append(states, s) })
	down := &connector.Error{Class: connector.ClassRetry, Op: "a call", Err: errors.New("no answer")}
	for range Failures {
		if err := guard(t.Context(), b, "x", func() error { return down }); !errors.Is(err, down) {
			t.Fatal(err)
		}
	}
	b.leave(t.Context(), false, down) // a call that began before
	if left := b.Wait(); left < 59*time.Second || left > FirstPause {
		t.Errorf("stopped for %s, want %s", left, FirstPause)
	}
	clk.Advance(FirstPause)
	err := guard(t.Context(), b, "trial", func() error {
		if err := guard(t.Context(), b, "another", func() error { t.Error("a second call was made"); return nil }); !errors.Is(err, ErrStopped) {
			t.Errorf("beside the trial: %v", err)
		}
		return down
	})
	if !errors.Is(err, down) || b.Wait() <= FirstPause || b.Wait() > 2*FirstPause {
		t.Errorf("after a trial in vain: %v, stopped for %s", err, b.Wait())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	clk.Advance(2 * FirstPause)
	if err := guard(gone, b, "given up", func() error { return down }); !errors.Is(err, down) || b.Wait() > 0 {
		t.Errorf("a caller that gave up changed the breaker: %v, stopped for %s", err, b.Wait())
	}
	if err := guard(t.Context(), b, "trial", func() error { return nil }); err != nil || b.Wait() != 0 {
		t.Errorf("after a trial that worked: %v, stopped for %s", err, b.Wait())
	}
	got := ""
	for _, s := range states {
		got += s.State + " "
	}
	if got != "open open closed " {
		t.Errorf("told %q", got)
	}
}
