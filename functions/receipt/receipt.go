// Package receipt is the function that handles portal events: payments become cash receipts in the ERP, views, comments
// and paid invoices become history entries.
package receipt

import (
	"log/slog"
	"net/http"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/engine"
)

// Name is the function's name, as FUNCTION_TARGET gives it.
const Name = "receipt"

// Handler answers events.
func Handler(e *engine.Engine, log *slog.Logger) http.Handler {
	return push.Handler(log, e.HandleEvent)
}
