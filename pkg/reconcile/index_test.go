package reconcile

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestIndexFindsWhatAMapFinds: an index of rows, however small it began, finds the last row of each text, and no other text.
func TestIndexFindsWhatAMapFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,6}`), 0, 200).Draw(t, "texts")
		x := newIndex(rapid.IntRange(0, 300).Draw(t, "expected"), func(i int32) string { return texts[i] })
		want := map[string]int32{}
		for i, text := range texts {
			x.put(int32(i))
			want[text] = int32(i)
		}
		for _, text := range append(texts, "", "c", "aaaaaaa") {
			i, ok := want[text]
			if !ok {
				i = none
			}
			if got := x.find(text); got != i || x.has(text) != ok {
				t.Fatalf("%q is row %d, want %d", text, got, i)
			}
		}
		if x.rows != len(want) {
			t.Fatalf("%d rows, want %d", x.rows, len(want))
		}
	})
}

// TestPileKeepsTheOrder of what is added, over the borders of its parts.
func TestPileKeepsTheOrder(t *testing.T) {
	for _, n := range []int{0, 1, pileChunk, pileChunk + 1, 3*pileChunk + 7} {
		var p pile
		for i := range n {
			p.add(Difference{Amount: int64(i)})
		}
		if p.n != n {
			t.Errorf("%d of %d", p.n, n)
		}
		out := p.take()
		if len(out) != n || p.n != 0 {
			t.Fatalf("%d taken of %d, %d left", len(out), n, p.n)
		}
		for i, d := range out {
			if d.Amount != int64(i) {
				t.Fatalf("place %d has %d", i, d.Amount)
			}
		}
	}
}

// TestSumsBeyondMinorUnits: a sum that no longer fits 64 bits is exact all the same.
func TestSumsBeyondMinorUnits(t *testing.T) {
	var s Sum
	s.Amount = money.Zero(money.USD)
	for range 3 {
		s.add(math.MaxInt64, money.USD)
	}
	for range 4 {
		s.add(-math.MaxInt64, money.USD)
	}
	s.add(0, money.USD)
	s.settle(money.USD)
	if s.Count != 8 || s.Amount.String() != "-92233720368547758.07 USD" {
		t.Errorf("%d, %s", s.Count, s.Amount)
	}
}

// TestRowsShareWhatRepeats: rows that are alike have one copy of what they share, and none of it is another's.
func TestRowsShareWhatRepeats(t *testing.T) {
	r := &reader{kept: newCopies()}
	inv := billing.Invoice{Number: "1", CompanyNo: "01", PostedDate: "2026-05-02", Currency: money.USD, PayMethod: "CHECK"}
	a := r.erpRow(inv)
	inv.Number = "2"
	b := r.erpRow(inv)
	inv.PayMethod = "WIRE"
	if c := r.erpRow(inv); a.Traits != b.Traits || c.Traits == a.Traits || c.Method != "WIRE" || a.Method != "CHECK" {
		t.Errorf("%+v %+v %+v", a, b, c)
	}
	doc := func(number, owner string) Document {
		return r.portalRow(billing.KindInvoice, billing.PortalDocument{ID: "9", Number: number, Date: "2026-05-02", Currency: money.USD,
			Metadata: map[string]string{plan.MetaID: owner}})
	}
	for owner, want := range map[string]string{"": "", "01": "", "01/": "", "/": "", "01/7": "01/", "02/7": "02/", "01/8": "01/8", "01/7/8": "01/7/8"} {
		if d := doc("7", owner); d.Owner != want {
			t.Errorf("%q is kept as %q, want %q", owner, d.Owner, want)
		}
	}
	one, other := doc("7", "01/8"), doc("7", "01/8")
	if doc("7", "01/7").Traits != doc("8", "01/8").Traits || one.Traits == other.Traits {
		t.Error("what is shared is not, or what is not is")
	}
	rec := func(status record.Status, reasons ...plan.Reason) Record {
		return r.recordRow(record.Record{Kind: billing.KindInvoice, Status: status, Reasons: reasons})
	}
	wire, check := plan.Because(plan.MethodExcluded, "method", "WIRE"), plan.Because(plan.MethodExcluded, "method", "CHECK")
	first, again := rec(record.Skipped, wire), rec(record.Skipped, wire)
	if first.Standing != again.Standing || rec(record.Skipped, wire).Standing == rec(record.Skipped, check).Standing ||
		rec(record.Synced).Standing == rec(record.Skipped).Standing {
		t.Error("records stand alike that do not, or the other way round")
	}
}

// FuzzJSON: whatever the texts hold, the parts that are written one by one make one document with every difference in it.
func FuzzJSON(f *testing.F) {
	f.Add("us", "104233", "\n      \"differences\": [")
	f.Add("\"differences\": [", "\\\n      \"differences\": [", "]")
	f.Add("\xff", "\u2028</script>", "\x00")
	f.Fuzz(func(t *testing.T, company, number, why string) {
		d := Difference{Number: number, Why: why, Currency: "USD", Amount: -1950}
		reports := []Report{{Company: company, Differences: []Difference{d, d}, Notes: []string{why}}, {Company: number}, {Differences: []Difference{d}}}
		var out bytes.Buffer
		if err := WriteJSON(&out, reports); err != nil {
			t.Fatal(err)
		}
		var file File
		dec := json.NewDecoder(&out)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&file); err != nil || len(file.Reports) != 3 {
			t.Fatalf("%v, %d reports", err, len(file.Reports))
		}
		for i, n := range []int{2, 0, 1} {
			if got := file.Reports[i].Differences; len(got) != n || n > 0 && (got[0].Why != strings.ToValidUTF8(got[0].Why, "") || got[0].Amount != "-19.50") {
				t.Errorf("report %d: %+v", i, got)
			}
		}
	})
}
