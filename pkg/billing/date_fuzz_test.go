package billing_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
)

// FuzzDate: a date is read exactly as it is written or not at all; its noon is the same day in every zone of the business,
// and counting days goes there and back.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-05-31", "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "2026-5-1", "2026-05-31T00:00:00Z", "", " 2026-05-31", "２026-05-31"} {
		f.Add(s, 1, 0)
	}
	f.Add("2026-03-08", -366, -5)
	f.Fuzz(func(t *testing.T, text string, days, hours int) {
		d, err := billing.ParseDate(text)
		if err != nil {
			if d != "" {
				t.Errorf("%q is refused and read as %s", text, d)
			}
			return
		}
		if string(d) != text {
			t.Fatalf("%q is read as %s", text, d)
		}
		zone := time.FixedZone("", hours%12*3600)
		if got := billing.DateOf(d.Noon(zone), zone); got != d {
			t.Errorf("noon of %s is on %s", d, got)
		}
		if year := d[:4]; year < "0100" || year > "9900" {
			return
		}
		n := days % 10_000
		later := d.AddDays(n)
		if later.AddDays(-n) != d || (n > 0) != (later > d) || (n < 0) != (later < d) {
			t.Errorf("%s and %d days is %s", d, n, later)
		}
	})
}
