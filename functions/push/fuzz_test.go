package push_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/functions/push"
	"github.com/arbridge/arbridge/pkg/bus"
)

// FuzzHandler: a message is handled once with what its JSON says, or it is refused as one that can never be read.
func FuzzHandler(f *testing.F) {
	for _, s := range []string{`{"company":"us"}`, ``, ` `, `null`, `[]`, `{"company":7}`, `{"company":null,"x":[{}]}`, `{"COMPANY":"us"}`, `{"company":"us"} {}`, "\ufeff{}",
		`{"company":"us","company":"eu"}`, `{"company":"\ud800"}`, strings.Repeat(`[`, 20_000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := bus.EncodePush(bus.Delivery{ID: "m1", Subscription: "sync", Data: data, Attempt: 1})
		if err != nil {
			t.Fatal(err)
		}
		var got []body
		h := push.Handler(slog.New(slog.DiscardHandler), func(_ context.Context, b body) error {
			got = append(got, b)
			return nil
		})
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(text))))
		var want body
		fits := len(text) <= 10*bus.MaxMessage && (len(data) == 0 || json.Unmarshal(data, &want) == nil)
		switch {
		case fits && (answer.Code != http.StatusNoContent || len(got) != 1 || got[0] != want):
			t.Errorf("%q: status %d, handled as %v", data, answer.Code, got)
		case !fits && (answer.Code != http.StatusBadRequest || len(got) > 0):
			t.Errorf("%q: status %d, handled as %v although it can not be read", data, answer.Code, got)
		}
	})
}
