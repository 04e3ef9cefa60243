package push_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/bus"
)

type body struct {
	Company string `json:"company"`
}

func envelope(t *testing.T, data string) string {
	t.Helper()
	b, err := bus.EncodePush(bus.Delivery{ID: "m1", Subscription: "sync", Data: []byte(data), Attempt: 2})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	own := errors.New("the store is in trouble")
	for _, c := range []struct {
		name   string
		method string
		body   string
		err    error
		status int
		calls  int
		got    string
	}{
		{"message", http.MethodPost, envelope(t, `{"company":"us"}`), nil, 204, 1, "us"},
		{"empty message", http.MethodPost, envelope(t, ""), nil, 204, 1, ""},
		{"trouble of our own", http.MethodPost, envelope(t, `{"company":"us"}`), own, 500, 1, "us"},
		{"no JSON in it", http.MethodPost, envelope(t, "hello"), nil, 400, 0, ""},
		{"another type in it", http.MethodPost, envelope(t, `{"company":7}`), nil, 400, 0, ""},
		{"no envelope", http.MethodPost, `{"company":"us"}`, nil, 400, 0, ""},
		{"no JSON", http.MethodPost, `hello`, nil, 400, 0, ""},
		{"nothing", http.MethodPost, ``, nil, 400, 0, ""},
		{"data that is no base64", http.MethodPost, `{"message":{"messageId":"1","data":"%%"}}`, nil, 400, 0, ""},
		{"too large", http.MethodPost, envelope(t, `{"company":"`+strings.Repeat("x", 10*bus.MaxMessage)+`"}`), nil, 400, 0, ""},
		{"read", http.MethodGet, "", nil, 405, 0, ""},
		{"put", http.MethodPut, envelope(t, `{}`), nil, 405, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls, got := 0, ""
			h := push.Handler(slog.New(slog.DiscardHandler), func(_ context.Context, b body) error {
				calls, got = calls+1, b.Company
				return c.err
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(c.method, "/", strings.NewReader(c.body)))
			if w.Code != c.status || calls != c.calls || got != c.got {
				t.Errorf("status %d, %d calls with %q; want %d, %d with %q", w.Code, calls, got, c.status, c.calls, c.got)
			}
			if bus.Acknowledged(w.Code) != (c.status == 204) {
				t.Errorf("status %d acknowledges: %v", w.Code, bus.Acknowledged(w.Code))
			}
			if c.status == 405 && w.Header().Get("Allow") != http.MethodPost {
				t.Errorf("Allow is %q", w.Header().Get("Allow"))
			}
			if answer, _ := io.ReadAll(w.Body); strings.Contains(string(answer), own.Error()) {
				t.Errorf("the answer tells of our trouble: %s", answer)
			}
		})
	}
}

func TestTroubleIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := push.Handler(slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, body) error { return errors.New("disk full") })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(envelope(t, `{}`))))
	for _, want := range []string{"message_id=m1", "attempt=2", "disk full"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %s: %s", want, log.String())
		}
	}
}
