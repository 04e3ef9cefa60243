package store_test

import (
	"encoding/json"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

// FuzzTime: a stored time is refused, or it reads as what is written again, to the character, so that texts sort as times do.
func FuzzTime(f *testing.F) {
	for _, s := range []string{`""`, `"2026-05-05T14:00:00.000001Z"`, `"2026-05-05T14:00:00,000001Z"`, `"2026-05-05t14:00:00.000001Z"`, `"2026-02-30T14:00:00.000000Z"`,
		`"2026-05-05T14:00:00Z"`, `"2026-05-05T24:00:00.000000Z"`, `"0000-01-01T00:00:00.000000Z"`, `"0001-01-01T00:00:00.000000Z"`, `"-001-05-05T14:00:00.00000Z"`,
		`"2026-05-05T14:00:00.0+00:0Z"`, `"2026-05-05T14:00:60.000000Z"`, `"2026-05-05T14:00:00.123456\u005a"`, `null`, `7`, `"`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var at store.Time
		if json.Unmarshal(body, &at) != nil {
			return
		}
		var said string
		if err := json.Unmarshal(body, &said); err != nil {
			t.Errorf("%q is read as %s, and is no text: %v", body, at, err)
		}
		if at.Text() != said && !at.IsZero() {
			t.Errorf("%q is read as %s", body, at.Text())
		}
		written, err := json.Marshal(at)
		var again store.Time
		if err != nil || json.Unmarshal(written, &again) != nil || !again.Equal(at.Time) {
			t.Errorf("%q is written as %s and read as %s, %v", body, written, again, err)
		}
	})
}
