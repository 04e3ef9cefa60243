package client

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/secret"
)

const (
	testKey = "sk-fixture-4711-newest"
	oldKey  = "sk-fixture-4711-older"
)

// keys is a source of secrets with fixed versions.
type keys []string

func (k keys) Get(_ context.Context, name string) ([]secret.Value, error) {
	if len(k) == 0 {
		return nil, secret.ErrNotFound
	}
	out := make([]secret.Value, len(k))
	for i, s := range k {
		out[i] = secret.NewValue(s)
	}
	return out, nil
}

// seen is a request as the server got it.
type seen struct {
	Method, Path string
	Query        map[string][]string
	Header       http.Header
	Body         string
}

// vendor is a server whose answers a test writes by hand.
type vendor struct {
	*httptest.Server
	mu   sync.Mutex
	got  []seen
	logs bytes.Buffer
}

func (v *vendor) requests() []seen {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]seen(nil), v.got...)
}

func (v *vendor) last(t *testing.T) seen {
	t.Helper()
	all := v.requests()
	if len(all) == 0 {
		t.Fatal("no request arrived")
	}
	return all[len(all)-1]
}

// serve starts a vendor and a client of it that knows the given versions of the key.
func serve(t *testing.T, versions keys, h http.HandlerFunc) (*vendor, *Client) {
	t.Helper()
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		v.mu.Lock()
		v.got = append(v.got, seen{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone(), string(body)})
		v.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(v.Close)
	caller, err := httpx.New(httpx.Options{BaseURL: v.URL, PerSecond: 10000, ReadAttempts: 2, MinBackoff: time.Millisecond,
		MaxBackoff: time.Second, Logger: slog.New(slog.NewTextHandler(&v.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(caller, v.URL, versions, "invoiced-api-key")
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

// answer writes one answer to everything.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
