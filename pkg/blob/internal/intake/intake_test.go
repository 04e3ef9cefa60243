package intake_test

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/internal/intake"
)

func TestName(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"us/invoice/104233/D55102.pdf", true},
		{"a", true},
		{"Müller & Söhne (2).pdf", true},
		{"..a/b..", true},
		{strings.Repeat("x", 240), true},
		{strings.Repeat("x", 241), false},
		{strings.Repeat("abc/", 256) + "d", false},
		{"", false},
		{"/etc/passwd", false},
		{"a//b", false},
		{"a/", false},
		{".", false},
		{"a/../b", false},
		{"a/./b", false},
		{"a\x00b", false},
		{"a\nb", false},
		{"a\u0085b", false},
		{"a\xffb", false},
		{`a\b`, false},
	}
	for _, tt := range tests {
		err := intake.Name(tt.name)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, blob.ErrName) {
			t.Errorf("Name(%.40q) = %v, want ok %t", tt.name, err, tt.ok)
		}
	}
}

func TestBody(t *testing.T) {
	tests := []struct {
		content string
		limit   int64
		ok      bool
	}{
		{"", 0, true}, {"abc", 3, true}, {"abc", 100, true}, {"abc", math.MaxInt64, true}, {"abc", 2, false}, {"abc", 0, false}, {"a", -1, false},
	}
	for _, tt := range tests {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(tt.content), "bytes": iotest.OneByteReader(strings.NewReader(tt.content))} {
			got, err := io.ReadAll(intake.Body(t.Context(), r, tt.limit))
			if tt.ok && (err != nil || string(got) != tt.content) || !tt.ok && !errors.Is(err, blob.ErrTooLarge) {
				t.Errorf("%q in %s with limit %d: %q, %v, want ok %t", tt.content, name, tt.limit, got, err, tt.ok)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := io.ReadAll(intake.Body(ctx, strings.NewReader("abc"), 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, want context.Canceled", err)
	}
}
