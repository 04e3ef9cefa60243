package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// keptClock is a movable clock whose time outlives the process. Moves are written down before they are made: a clock that
// ran backwards after a kill would leave messages and leases in the future.
type keptClock struct {
	*clock.Movable
	file string
	mu   sync.Mutex // one move at a time, from the file to the clock
	fast bool       // runs ahead by itself, so that the pauses that faults lead to need not be waited for
}

// keepEvery is the distance of writing the running time down; a restart begins well after what may be missing.
const (
	keepEvery    = 50 * time.Millisecond
	restartAfter = 5 * time.Second
)

// openClock gives a live run the machine's clock, and a demo one of its own that goes on where an interrupted run was.
func openClock(opt Options) (clock.Clock, error) {
	if opt.Live {
		return clock.System{}, nil
	}
	file := filepath.Join(opt.Dir, "clock")
	at := firstDay.AddDate(0, 0, 90).Add(14 * time.Hour)
	old, err := os.ReadFile(file)
	if err == nil {
		was, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(old)))
		if err != nil {
			return nil, fmt.Errorf("the demo's clock %s: %w; remove the folder to start afresh", file, err)
		}
		at = was.Add(restartAfter)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the demo's clock: %w", err)
	}
	return &keptClock{Movable: clock.NewMovable(at), file: file, fast: opt.Faults}, nil
}

// move writes the time after the move down and makes it.
func (c *keptClock) move(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(c.Now().Add(d)); err != nil {
		return err
	}
	c.Advance(d)
	return nil
}

// until moves the time forward to a moment, if that is to come.
func (c *keptClock) until(at time.Time) error { return c.move(at.Sub(c.Now())) }

func (c *keptClock) write(at time.Time) error {
	if err := os.WriteFile(c.file+".next", []byte(at.Format(time.RFC3339Nano)), 0o600); err != nil {
		return fmt.Errorf("the demo's clock: %w", err)
	}
	if err := os.Rename(c.file+".next", c.file); err != nil {
		return fmt.Errorf("the demo's clock: %w", err)
	}
	return nil
}

// keep writes the running time down until the context ends.
func (c *keptClock) keep(ctx context.Context) error {
	for {
		step := time.Duration(1)
		if c.fast {
			step = 2 * time.Second
		}
		if err := c.move(step); err != nil {
			return err
		}
		if (clock.System{}).Sleep(ctx, keepEvery) != nil {
			return nil
		}
	}
}
