package reconcile

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
)

// FuzzTable: whatever the vendors' texts hold, the table has no line more for it, and nothing that a terminal takes for more
// than text.
func FuzzTable(f *testing.F) {
	f.Add("104233", "C1", "IVD-1", "settled, and no receipt of it is in the ERP")
	f.Add("\x1b]0;owned\a", "a\nb", "\u202e321", "\x9b2J")
	f.Add("", "\u2066x", "\r", "\u2028")
	f.Fuzz(func(t *testing.T, number, customer, reference, why string) {
		table := func(number, customer, reference, why string) string {
			d := Difference{Kind: NotPosted, Class: Money, Object: "payment", Number: number, Customer: customer, Reference: reference, Receipt: "R" + reference,
				PortalID: number + "9", Date: "2026-05-02", Why: why + ".", Action: "look at " + why, Currency: "USD", Period: "2026-05", Amount: -1950}
			c := comparison{in: &Input{Company: "us"}, books: map[bookKey]*Book{}}
			c.book("USD", "2026-05").Portal.add(1950, "USD")
			c.add(d)
			d.Explained = true
			c.add(d)
			var out bytes.Buffer
			if err := c.report().Table(&out, true); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		got := table(number, customer, reference, why)
		for _, r := range got {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("%U is in the table:\n%q", r, got)
			}
		}
		if lines := strings.Count(got, "\n"); lines != strings.Count(table("1", "x", "x", "x"), "\n") {
			t.Errorf("%d lines of\n%q", lines, got)
		}
	})
}
