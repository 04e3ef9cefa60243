package reconcile

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode/utf8"
)

// formulas begin with one of these.
const formulas = "=+-@\t\r＝＋－＠"

// FuzzCSV: whatever the vendors' texts hold, every difference is one record with all columns, none of its texts begins a
// formula, whatever a program takes for the separator, and nothing of them is lost.
func FuzzCSV(f *testing.F) {
	f.Add("104233", "=HYPERLINK(\"x\")", "+1", "a,b\r\nc")
	f.Add("@SUM", "-1+1", "\t=x", "'=x")
	f.Add("\xff", "\"", "", "\n")
	f.Add("a;=x", "b|@x", "＝x", "one\n=two; -three \"; +x")
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
			if first, _ := utf8.DecodeRuneInString(got); got != "" && strings.ContainsRune(formulas, first) {
				t.Errorf("%s begins a formula: %q", column, got)
			}
			bare := func(s string) string {
				return strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "'", ""), "\ufffd")
			}
			if bare(got) != bare(want) && !strings.ContainsRune(got, utf8.RuneError) {
				t.Errorf("%s is %q, was %q", column, got, want)
			}
		}
		_, lines, _ := strings.Cut(out.String(), "\n")
		for _, part := range strings.FieldsFunc(lines, func(r rune) bool { return strings.ContainsRune(";|\n\r\t", r) }) {
			if first, _ := utf8.DecodeRuneInString(strings.TrimLeft(part, " ")); strings.ContainsRune(formulas, first) && first != utf8.RuneError {
				t.Errorf("%q begins a formula where another separator is taken", part)
			}
		}
	})
}
