// Package push turns the body of a Pub/Sub push request into a call and the call's outcome into an acknowledgement.
package push

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/arbridge/arbridge/pkg/bus"
)

// Handler answers push requests whose message body is the JSON of a T. A nil error acknowledges. An error is answered 500,
// which makes the message come again; what can never be read is answered 400 and ends up among the dead letters.
func Handler[T any](log *slog.Logger, handle func(ctx context.Context, body T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "push requests are POSTed", http.StatusMethodNotAllowed)
			return
		}
		d, err := bus.DecodePush(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var body T
		if err := decode(d.Data, &body); err != nil {
			log.ErrorContext(r.Context(), "message can not be read", "message_id", d.ID, "subscription", d.Subscription, "error", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := handle(r.Context(), body); err != nil {
			log.ErrorContext(r.Context(), "message not handled; it comes again", "message_id", d.ID, "attempt", d.Attempt, "error", err)
			http.Error(w, "not handled", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// decode accepts an empty body as the zero value: a tick for everything has nothing to say.
func decode(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("message body: %w", err)
	}
	return nil
}
