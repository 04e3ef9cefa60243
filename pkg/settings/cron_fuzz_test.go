package settings

import (
	"testing"
	"time"
)

// FuzzParseCron: an expression is refused, or it fires, later and later, on whole minutes.
func FuzzParseCron(f *testing.F) {
	for _, expr := range []string{"0 3 * * 1-5", "*/15 * * * *", "0 0 29 FEB *", "0 0 31 2 *", "60 * * * *", "5/20 1-3,7 L * MON#2", "1-5/0 * * * *", "9-3 * * * *", "", "* * * * * *"} {
		f.Add(expr, int64(1_777_903_800))
	}
	f.Fuzz(func(t *testing.T, expr string, from int64) {
		c, err := ParseCron(expr)
		if err != nil {
			return
		}
		at := time.Unix(from%4_000_000_000, 0).UTC()
		for range 3 {
			next := c.Next(at)
			if next.IsZero() || !next.After(at) || next.Second() != 0 {
				t.Fatalf("%q after %s fires at %s", expr, at, next)
			}
			at = next
		}
	})
}
