package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/store"
)

// slowStore takes a while, once, to keep that a receipt is started.
type slowStore struct {
	store.Store
	clock *enginetest.Clock
	takes time.Duration
}

func (s *slowStore) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	versions, err := s.Store.Write(ctx, writes...)
	for _, w := range writes {
		if w.Collection == store.Journal && bytes.Contains(w.Data, []byte(`"kind":"receipt"`)) && bytes.Contains(w.Data, []byte(`"state":"started"`)) {
			s.clock.Advance(s.takes)
			s.takes = 0
		}
	}
	return versions, err
}

// TestLateStartSendsNothing: a call that would leave long after its start was noted is not made, because others count from the
// start when they ask whether it arrived. It is made again from the beginning.
func TestLateStartSendsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		state journal.State
		posts int
	}{
		"in time": {20 * time.Second, journal.Done, 1},
		"late":    {29 * time.Minute, journal.Refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1")
			company := &engine.Company{ID: "us", Settings: f.Settings, ERP: f.ERP, Portal: f.Portal, ParseEvent: enginetest.ParseEvent}
			f.e = engine.New(&slowStore{f.Store, f.Clock, c.takes}, f.Bus, f.Clock, slog.New(slog.DiscardHandler), []*engine.Company{company},
				engine.Options{Owner: "slow", Blobs: f.Blobs})
			paid := f.pays("1", "107")
			f.hook(paid)
			if n := f.ERP.Count("CreateReceipt"); n != c.posts {
				t.Errorf("%d headers were sent, want %d", n, c.posts)
			}
			if got := f.entry("receipt/IVD-" + paid.ObjectID); got.State != c.state {
				t.Errorf("the effect is %s, want %s", got.State, c.state)
			}
			f.run(time.Hour)
			f.receipts("107.00 application:1:107.00")
		})
	}
}
