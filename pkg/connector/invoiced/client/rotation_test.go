package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/secret"
)

// kept is a source that goes on giving what it once read until it is told to forget.
type kept struct {
	mu        sync.Mutex
	now, read []string
	forgotten int
}

func (k *kept) Get(ctx context.Context, name string) ([]secret.Value, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.read == nil {
		k.read = k.now
	}
	return keys(k.read).Get(ctx, name)
}

func (k *kept) Forget(string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgotten++
	k.read = nil
}

// TestRotationOfTheKey: a key that was replaced is read again when the vendor refuses the one that is kept, once a call, and
// writes are made once.
func TestRotationOfTheKey(t *testing.T) {
	for _, c := range []struct {
		name      string
		was, is   []string // versions when they were read, and now; newest first
		accepted  string
		used      []string // keys in the order of the calls
		forgotten int
		fails     bool
	}{
		{"the kept one is right", []string{"a"}, []string{"b"}, "a", []string{"a"}, 0, false},
		{"the older of two is right", []string{"b", "a"}, []string{"b", "a"}, "a", []string{"b", "a"}, 0, false},
		{"replaced", []string{"a"}, []string{"b"}, "b", []string{"a", "b"}, 1, false},
		{"added", []string{"a"}, []string{"b", "a"}, "b", []string{"a", "b"}, 1, false},
		{"replaced, with the one before", []string{"b", "a"}, []string{"c", "b"}, "c", []string{"b", "a", "c"}, 1, false},
		{"revoked", []string{"a"}, []string{"a"}, "none", []string{"a"}, 1, true},
		{"replaced by a wrong one", []string{"a"}, []string{"b"}, "none", []string{"a", "b"}, 1, true},
		{"gone", []string{"a"}, []string{}, "none", []string{"a"}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var used []string
			done := 0
			v, _ := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
				user, _, _ := r.BasicAuth()
				used = append(used, user)
				if user != c.accepted {
					answer(http.StatusUnauthorized, `{"type":"invalid_request","message":"key `+user+`"}`)(w, r)
					return
				}
				done++
				answer(http.StatusCreated, `{"id":7}`)(w, r)
			})
			caller, err := httpx.New(httpx.Options{BaseURL: v.URL, PerSecond: 10000, ReadAttempts: 1})
			if err != nil {
				t.Fatal(err)
			}
			source := &kept{now: c.was}
			if _, err := source.Get(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			source.now = c.is
			client, err := New(caller, v.URL, source, "invoiced-api-key")
			if err != nil {
				t.Fatal(err)
			}
			_, err = object[Customer](t.Context(), client, call{op: "creating", method: http.MethodPost, path: "/customers", body: map[string]string{"name": "x"}})
			if c.fails != (connector.ClassOf(err) == connector.ClassAuth) || !c.fails && err != nil {
				t.Errorf("error %v", err)
			}
			if !slices.Equal(used, c.used) || source.forgotten != c.forgotten || done > 1 {
				t.Errorf("used %v and forgot %d times, want %v and %d; %d written", used, source.forgotten, c.used, c.forgotten, done)
			}
			if err != nil && strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("a:"))) {
				t.Errorf("the key is in %v", err)
			}
		})
	}
}

// TestRefusedKeyIsSentOnceACall: a key that stays wrong is no storm of calls.
func TestRefusedKeyIsSentOnceACall(t *testing.T) {
	calls := 0
	v, client := serve(t, keys{testKey, oldKey}, func(w http.ResponseWriter, r *http.Request) {
		calls++
		answer(http.StatusUnauthorized, `{}`)(w, r)
	})
	began := time.Now()
	if err := client.Ping(t.Context()); connector.ClassOf(err) != connector.ClassAuth {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if calls != 2 || len(v.requests()) != 2 {
		t.Errorf("%d calls, want one for each version", calls)
	}
}
