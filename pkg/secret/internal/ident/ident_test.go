package ident_test

import (
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/secret/internal/ident"
)

func TestCheck(t *testing.T) {
	for _, name := range []string{"a", "7", "invoiced-us-api-key", "q360-2", strings.Repeat("x", 255)} {
		if err := ident.Check(name); err != nil {
			t.Errorf("%q: %v, want it allowed", name, err)
		}
	}
	bad := []string{"", "-", "-a", "a-", "a--b", "A", "a_b", "a.previous", "../a", "a/b", "a b", "ä", "a\n", strings.Repeat("x", 256)}
	for _, name := range bad {
		if ident.Check(name) == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}
