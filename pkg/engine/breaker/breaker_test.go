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

// bare, and the abilities a portal may have beside it.
type (
	bare      struct{ connector.Portal }
	aFiles    struct{ connector.Files }
	aCredits  struct{ connector.Credits }
	aMailer   struct{ connector.Mailer }
	aMetadata struct{ connector.Metadata }
)

// TestGuardKeepsAbilities: behind the breaker a portal has exactly the optional abilities it had.
func TestGuardKeepsAbilities(t *testing.T) {
	for _, p := range []connector.Portal{
		struct {
			bare
		}{},
		struct {
			bare
			aMetadata
		}{},
		struct {
			bare
			aMailer
		}{},
		struct {
			bare
			aMailer
			aMetadata
		}{},
		struct {
			bare
			aCredits
		}{},
		struct {
			bare
			aCredits
			aMetadata
		}{},
		struct {
			bare
			aCredits
			aMailer
		}{},
		struct {
			bare
			aCredits
			aMailer
			aMetadata
		}{},
		struct {
			bare
			aFiles
		}{},
		struct {
			bare
			aFiles
			aMetadata
		}{},
		struct {
			bare
			aFiles
			aMailer
		}{},
		struct {
			bare
			aFiles
			aMailer
			aMetadata
		}{},
		struct {
			bare
			aFiles
			aCredits
		}{},
		struct {
			bare
			aFiles
			aCredits
			aMetadata
		}{},
		struct {
			bare
			aFiles
			aCredits
			aMailer
		}{},
		struct {
			bare
			aFiles
			aCredits
			aMailer
			aMetadata
		}{},
	} {
		g := Portal(p, New("invoiced", clock.System{}, nil))
		if got, want := abilities(g), abilities(p); got != want {
			t.Errorf("%T has files, credits, mail, metadata %v behind the breaker, want %v", p, got, want)
		}
	}
}

func abilities(p connector.Portal) [4]bool {
	_, f := p.(connector.Files)
	_, c := p.(connector.Credits)
	_, m := p.(connector.Mailer)
	_, s := p.(connector.Metadata)
	return [4]bool{f, c, m, s}
}

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
