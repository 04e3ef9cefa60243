package reconcile

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
)

// FuzzCSV: whatever the vendors' texts hold, every difference is one record with all columns, none of its texts begins a
// formula, and nothing of them is lost.
func FuzzCSV(f *testing.F) {
	f.Add("104233", "=HYPERLINK(\"x\")", "+1", "a,b\r\nc")
	f.Add("@SUM", "-1+1", "\t=x", "'=x")
	f.Add("\xff", "\"", "", "\n")
	f.Fuzz(func(t *testing.T, number, customer, reference, why string) {
		d := Difference{Number: number, Customer: customer, Reference: reference, Why: why, Currency: "USD", Amount: -1950}
		var out bytes.Buffer
		if err := WriteCSV(&out, []Report{{Company: "us", Differences: []Difference{d}}}); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[1]) != len(rows[0]) {
			t.Fatalf("%d records, %v in %q", len(rows), err, out.String())
		}
		at := map[string]string{}
		for i, name := range rows[0] {
			at[name] = rows[1][i]
		}
		line := d.line()
		for column, want := range map[string]string{"number": line.Number, "customer": line.Customer, "reference": line.Reference, "why": line.Why} {
			got := at[column]
			if got != "" && strings.ContainsRune("=+-@\t\r", rune(got[0])) {
				t.Errorf("%s begins a formula: %q", column, got)
			}
			if want = strings.ReplaceAll(want, "\r\n", "\n"); strings.TrimPrefix(got, "'") != strings.TrimPrefix(want, "'") {
				t.Errorf("%s is %q, was %q", column, got, want)
			}
		}
	})
}
