package view_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// FuzzPrint: whatever texts of vendors a record holds, its list has one line and its page the same lines as with plain texts,
// and nothing that a terminal takes for more than text.
func FuzzPrint(f *testing.F) {
	f.Add("104233", "C1", "history entry refused", "invoice.viewed")
	f.Add("\x1b[31m1", "C\t1", "a\nb", "\x9b2J")
	f.Add("\u202e332401", "\u2066C1", "\r\n", "\u2028")
	f.Fuzz(func(t *testing.T, number, customer, text, event string) {
		printed := func(number, customer, text, event string) string {
			now := store.At(time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC))
			row := view.Row{Company: "us", Kind: billing.KindInvoice, Number: "1" + number, Customer: "C" + customer, Status: record.Attention, Currency: "USD",
				SourceTotal: "107.00", PortalID: "9" + number, Text: "why " + text, UpdatedAt: now}
			d := view.Detail{Row: row, URL: "https://portal.example/" + text, Method: "m" + text, WaitsFor: "us/customer/" + customer,
				Receipts: []record.Receipt{{Reference: "IVD-" + number, Number: "R" + text, Amount: "1.00"}},
				Timeline: []view.Event{{At: now, What: "event " + event, Text: "e" + text}}}
			var out strings.Builder
			if err := (view.List{Rows: []view.Row{row}}).Print(&out); err != nil {
				t.Fatal(err)
			}
			if err := (view.Show{Number: number, Records: []view.Detail{d}}).Print(&out); err != nil {
				t.Fatal(err)
			}
			if err := (view.Show{Number: "x" + number}).Print(&out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		got := printed(number, customer, text, event)
		for _, r := range got {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("%U is printed:\n%q", r, got)
			}
		}
		if lines := strings.Count(got, "\n"); lines != strings.Count(printed("", "", "", ""), "\n") {
			t.Errorf("%d lines:\n%q", lines, got)
		}
	})
}
