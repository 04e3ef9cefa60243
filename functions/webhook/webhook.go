// Package webhook is the public function that takes the portal's events: verify the raw bytes, store the event under its
// id, wake the receipt function, answer. It calls no vendor and knows no ERP credentials.
package webhook

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/secret"
)

// Name is the function's name, as FUNCTION_TARGET gives it.
const Name = "webhook"

// MaxBody is the largest accepted event in bytes.
const MaxBody = 1 << 20

// SignatureHeader carries the HMAC of the body (invoiced-api 10).
const SignatureHeader = "X-Invoiced-Signature"

// Vendor is the portal's side of the webhook.
type Vendor struct {
	// Verify checks a signature with the active secrets and says which one fits.
	Verify func(body []byte, signature string, secrets []secret.Value) (int, error)
	// Parse reads an event; only what has no type or id is an error.
	Parse func(body []byte) (billing.Event, error)
}

// Handler takes events at /webhook/COMPANY. secretName gives the name of a company's webhook secret.
func Handler(e *engine.Engine, secrets secret.Source, secretName func(company string) string, v Vendor, log *slog.Logger) http.Handler {
	h := &handler{engine: e, secrets: secrets, secretName: secretName, vendor: v, log: log}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := h.take(r)
		if status == http.StatusNoContent {
			w.WriteHeader(status)
			return
		}
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		http.Error(w, text, status)
	})
}

type handler struct {
	engine     *engine.Engine
	secrets    secret.Source
	secretName func(company string) string
	vendor     Vendor
	log        *slog.Logger
}

// take returns the status to answer. The portal repeats everything that is not 2xx and switches the endpoint off after
// two days (invoiced-api 10), so only a wrong request or a store that can not write may fail.
func (h *handler) take(r *http.Request) (int, string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "events are POSTed"
	}
	company, err := h.engine.Company(path.Base(r.URL.Path))
	if err != nil {
		return http.StatusNotFound, "no such company"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || len(body) > MaxBody {
		return http.StatusRequestEntityTooLarge, "event is too large"
	}
	if err != nil {
		return http.StatusBadRequest, "body could not be read"
	}
	no, status := h.verify(r.Context(), company, body, r.Header.Get(SignatureHeader))
	if status != 0 {
		return status, http.StatusText(status)
	}
	ev, err := h.vendor.Parse(body)
	if err != nil {
		h.log.WarnContext(r.Context(), "signed body is no event", "company", company.ID, "error", err)
		return http.StatusBadRequest, "not an event"
	}
	ev.Raw = body
	fresh, err := h.engine.Receive(r.Context(), company, ev, "webhook", no)
	if err != nil {
		h.log.ErrorContext(r.Context(), "event not stored", "company", company.ID, "event_id", ev.ID, "error", err)
		return http.StatusServiceUnavailable, "not stored"
	}
	h.log.DebugContext(r.Context(), "event", "company", company.ID, "event_id", ev.ID, "type", ev.Type, "new", fresh)
	return http.StatusNoContent, ""
}

// verify returns the number of the secret that fits, or the status to answer.
func (h *handler) verify(ctx context.Context, c *engine.Company, body []byte, signature string) (int, int) {
	values, err := h.secrets.Get(ctx, h.secretName(c.ID))
	if err != nil {
		h.log.ErrorContext(ctx, "webhook secret can not be read", "company", c.ID, "error", err)
		return 0, http.StatusServiceUnavailable
	}
	no, err := h.vendor.Verify(body, signature, values)
	if err != nil {
		h.log.WarnContext(ctx, "webhook refused: the signature does not fit", "company", c.ID)
		return 0, http.StatusUnauthorized
	}
	return no, 0
}
