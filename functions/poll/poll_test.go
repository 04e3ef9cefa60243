package poll_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
)

func tick(t *testing.T, ctx context.Context, h http.Handler, data string) int {
	t.Helper()
	b, err := bus.EncodePush(bus.Delivery{ID: "1", Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b)).WithContext(ctx))
	return w.Code
}

func TestTick(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		data   string
		broken bool // the ERP of us
		status int
		us, ca int // reads of the feeds
	}{
		{"everything", t.Context(), "", false, 204, 1, 1},
		{"everything, in so many words", t.Context(), "{}", false, 204, 1, 1},
		{"one company", t.Context(), `{"company":"ca"}`, false, 204, 0, 1},
		{"one is down: the other goes on, the tick is done", t.Context(), "", true, 204, 1, 1},
		{"a company nobody knows", t.Context(), `{"company":"xx"}`, false, 204, 0, 0},
		{"the caller went away", gone, "", false, 500, 0, 0},
		{"no tick", t.Context(), "[]", false, 400, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := enginetest.NewWorld()
			ca := w.AddSite("ca")
			if c.broken {
				w.ERP.Fail(enginetest.Fault{Method: "Invoices", Class: connector.ClassRetry})
			}
			h := poll.Handler(w.Start(), slog.New(slog.DiscardHandler))
			if got := tick(t, c.ctx, h, c.data); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if us, ca := w.ERP.Count("Invoices"), ca.ERP.Count("Invoices"); us != c.us || ca != c.ca {
				t.Errorf("%d and %d reads of the feeds, want %d and %d", us, ca, c.us, c.ca)
			}
		})
	}
}
