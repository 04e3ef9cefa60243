// Package poll is the function behind the scheduler's tick: it asks each company's ERP what changed, stores it, publishes
// a task for each changed record, sweeps what is due, and fills gaps in the portal's events.
package poll

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/engine"
)

// Name is the function's name, as FUNCTION_TARGET gives it.
const Name = "poll"

// Handler answers ticks. A company that can not be polled is reported and tried again at the next tick: the tick itself
// is always acknowledged, because repeating it would only repeat the trouble.
func Handler(e *engine.Engine, log *slog.Logger) http.Handler {
	return push.Handler(log, func(ctx context.Context, t engine.Tick) error {
		var err error
		if t.Company == "" {
			_, err = e.PollAll(ctx)
		} else {
			_, err = e.Poll(ctx, t.Company)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			log.ErrorContext(ctx, "tick", "company", t.Company, "error", err)
		}
		return ctx.Err()
	})
}
