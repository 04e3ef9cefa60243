// Package secrettest is the conformance suite of the secret contract: every implementation of secret.Source passes Run.
package secrettest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/arbridge/arbridge/pkg/secret"
)

// Harness is one source with a way to fill it.
type Harness struct {
	// Source is what is tested.
	Source secret.Source
	// Set makes values the enabled versions of a secret, newest first; none removes it. A later Get must see them, so a
	// source that caches has its cache expire here. It is given up to MaxVersions values.
	Set func(t *testing.T, name string, values ...string)
	// MaxVersions is the number of versions a secret can have.
	MaxVersions int
}

// Run checks the contract against the empty source that open makes, anew for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	tests := []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"values", testValues},
		{"absent", testAbsent},
		{"rotation", testRotation},
		{"names", testNames},
		{"concurrent use", testConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// want requires the values of a secret.
func want(t *testing.T, h Harness, name string, values ...string) {
	t.Helper()
	got, err := h.Source.Get(t.Context(), name)
	if err != nil {
		t.Errorf("getting %s: %v", name, err)
		return
	}
	var texts []string
	for _, v := range got {
		texts = append(texts, v.Reveal())
	}
	if !slices.Equal(texts, values) {
		t.Errorf("%s = %q, want %q", name, texts, values)
	}
	if printed := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(printed, values[0]) {
		t.Errorf("printing the values of %s shows them", name)
	}
}

func testValues(t *testing.T, h Harness) {
	h.Set(t, "invoiced-us-api-key", "key-of-us")
	h.Set(t, "invoiced-ca-api-key", "key of ca = \"quoted\" ümlaut \t tab")
	h.Set(t, "a", "lines\nof\ntext")
	want(t, h, "invoiced-us-api-key", "key-of-us")
	want(t, h, "invoiced-ca-api-key", "key of ca = \"quoted\" ümlaut \t tab")
	want(t, h, "a", "lines\nof\ntext")
}

func testAbsent(t *testing.T, h Harness) {
	h.Set(t, "there", "value")
	for _, name := range []string{"not-there", "ther", "there-2"} {
		got, err := h.Source.Get(t.Context(), name)
		if !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), name) {
			t.Errorf("getting %s: %v, %v, want ErrNotFound with its name", name, got, err)
		}
	}
	h.Set(t, "there")
	if _, err := h.Source.Get(t.Context(), "there"); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("after its removal: %v, want ErrNotFound", err)
	}
}

func testRotation(t *testing.T, h Harness) {
	h.Set(t, "key", "one")
	want(t, h, "key", "one")
	if h.MaxVersions > 1 {
		h.Set(t, "key", "two", "one")
		want(t, h, "key", "two", "one")
	}
	h.Set(t, "key", "two")
	want(t, h, "key", "two")
}

func testNames(t *testing.T, h Harness) {
	for _, name := range []string{"", "A", "a_b", "a.previous", "../a", "/etc/passwd", "a/b", "-a", "a-", "a\x00"} {
		if got, err := h.Source.Get(t.Context(), name); err == nil || errors.Is(err, secret.ErrNotFound) {
			t.Errorf("getting %q: %v, %v, want the name refused", name, got, err)
		}
	}
}

func testConcurrent(t *testing.T, h Harness) {
	h.Set(t, "key", "value")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if got, err := h.Source.Get(t.Context(), "key"); err != nil || got[0].Reveal() != "value" {
					t.Errorf("getting key: %v, want its value", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
