package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/bus/internal/wire"
)

func TestPush(t *testing.T) {
	tests := []struct {
		name    string
		handler func(w http.ResponseWriter, r *http.Request)
		want    string // part of the error; empty for none
	}{
		{"says nothing", func(http.ResponseWriter, *http.Request) {}, ""},
		{"only body", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }, ""},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ""},
		{"processing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(102) }, ""},
		{"processing, then refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(102); w.WriteHeader(500) }, "answered 500"},
		{"first status counts", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); w.WriteHeader(200) }, "answered 503"},
		{"http.Error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret text", 400) }, "answered 400"},
		{"partial content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206) }, "answered 206"},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("secret text") }, "panicked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := wire.Push(t.Context(), http.HandlerFunc(tt.handler), bus.Delivery{ID: "1", Data: []byte("x")})
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error = %v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("error = %v repeats what the handler said", err)
			}
		})
	}
}

func TestPushRequest(t *testing.T) {
	want := bus.Delivery{Subscription: "s", ID: "7", Key: "k", Data: []byte("x"), Attributes: map[string]string{"a": "b"},
		Attempt: 3, Published: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	err := wire.Push(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := bus.DecodePush(r)
		if err != nil || r.Method != http.MethodPost || got.ID != "7" || got.Key != "k" || got.Attempt != 3 ||
			got.Attributes["a"] != "b" || !got.Published.Equal(want.Published) || r.ContentLength <= 0 {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}), want)
	if err != nil {
		t.Error(err)
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	tests := []struct {
		name    string
		handler func(w http.ResponseWriter, r *http.Request)
		acked   bool
	}{
		{"gives up", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done(); w.WriteHeader(504) }, false},
		{"finishes late", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true},
		{"hangs", func(http.ResponseWriter, *http.Request) { <-hang }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			err := wire.Push(ctx, http.HandlerFunc(tt.handler), bus.Delivery{ID: "1"})
			if tt.acked && err != nil || !tt.acked && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestCheckNamesTheMessage(t *testing.T) {
	messages := []bus.Message{{Data: []byte("x")}, {Data: make([]byte, bus.MaxMessage+1)}}
	if err := wire.Check(bus.Topics, bus.TopicTasks, messages); err == nil || !strings.Contains(err.Error(), "message 1 for tasks") {
		t.Errorf("error = %v, want one that names message 1 and tasks", err)
	}
	if err := wire.Check(bus.Topics, bus.TopicTasks, messages[:1]); err != nil {
		t.Error(err)
	}
}
