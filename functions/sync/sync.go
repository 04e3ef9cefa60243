// Package sync is the function that works on one record: load, plan, journal, apply, record.
package sync

import (
	"log/slog"
	"net/http"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/engine"
)

// Name is the function's name, as FUNCTION_TARGET gives it.
const Name = "sync"

// Handler answers tasks.
func Handler(e *engine.Engine, log *slog.Logger) http.Handler { return push.Handler(log, e.Sync) }
