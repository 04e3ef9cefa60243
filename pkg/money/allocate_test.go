package money_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/money"
)

// shares makes shares from "key weight" texts.
func shares(cur money.Currency, texts ...string) []money.Share {
	var out []money.Share
	for _, s := range texts {
		key, weight, _ := strings.Cut(s, " ")
		out = append(out, money.Share{Key: key, Weight: money.MustParse(weight, cur)})
	}
	return out
}

func amounts(parts []money.Money) []string {
	out := []string{}
	for _, p := range parts {
		out = append(out, p.Amount())
	}
	return out
}

func TestAllocate(t *testing.T) {
	tests := []struct {
		name   string
		total  string
		cur    money.Currency
		shares []string
		want   []string
	}{
		{"one share takes all", "29.00", "USD", []string{"a 5"}, []string{"29.00"}},
		// 29.00 × 333.33 / 1000 = 9.66657, × 333.34 = 9.66686: each gets 9.66 and c the largest remainder's cent; the second
		// cent is a tie of a and b, which the smaller key wins.
		{"fee over a third each", "29.00", "USD", []string{"a 333.33", "b 333.33", "c 333.34"}, []string{"9.67", "9.66", "9.67"}},
		{"the same in another order", "29.00", "USD", []string{"c 333.34", "b 333.33", "a 333.33"}, []string{"9.67", "9.66", "9.67"}},
		{"ties go to the smaller key", "0.02", "USD", []string{"z 1", "b 1", "a 1"}, []string{"0.00", "0.01", "0.01"}},
		{"equal shares", "10.00", "USD", []string{"a 1", "b 1", "c 1"}, []string{"3.34", "3.33", "3.33"}},
		{"negative totals mirror positive ones", "-10.00", "USD", []string{"a 1", "b 1", "c 1"}, []string{"-3.34", "-3.33", "-3.33"}},
		{"no weight bears nothing", "1.00", "USD", []string{"a 0", "b 2"}, []string{"0.00", "1.00"}},
		{"negative weights count as none", "1.00", "USD", []string{"a -5", "b 2"}, []string{"0.00", "1.00"}},
		{"no weights at all are equal", "1.00", "USD", []string{"a 0", "b 0"}, []string{"0.50", "0.50"}},
		{"only negative weights are equal", "0.03", "USD", []string{"a -1", "b -9"}, []string{"0.02", "0.01"}},
		{"nothing to share", "0", "USD", []string{"a 1", "b 1"}, []string{"0.00", "0.00"}},
		{"whole yen", "100", "JPY", []string{"a 1", "b 1", "c 1"}, []string{"34", "33", "33"}},
		{"three decimals", "1", "KWD", []string{"a 1", "b 2"}, []string{"0.333", "0.667"}},
		{"large amounts", "9999999999999999.99", "USD", []string{"a 9999999999999999.99", "b 9999999999999999.99"},
			[]string{"5000000000000000.00", "4999999999999999.99"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := amounts(money.Allocate(money.MustParse(tt.total, tt.cur), shares(tt.cur, tt.shares...)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if got := money.Allocate(money.MustParse("1", money.USD), nil); got != nil {
		t.Errorf("without shares: %v", got)
	}
}

func genShares(t *rapid.T) []money.Share {
	n := rapid.IntRange(1, 12).Draw(t, "shares")
	out := make([]money.Share, n)
	for i := range out {
		weight := rapid.Int64Range(-3, 1_000_000).Draw(t, "weight")
		if rapid.Bool().Draw(t, "small") {
			weight %= 4 // many ties
		}
		out[i] = money.Share{Key: fmt.Sprintf("INV-%02d", i), Weight: money.FromMinor(weight, money.USD)}
	}
	return out
}

func TestAllocateLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := money.FromMinor(rapid.Int64Range(-100_000_000, 100_000_000).Draw(t, "total"), money.USD)
		in := genShares(t)
		parts := money.Allocate(total, in)

		if sum := money.Sum(money.USD, parts...); !sum.Equal(total) {
			t.Fatalf("parts %v add up to %s, not %s", amounts(parts), sum, total)
		}
		for i, p := range parts {
			if p.Sign()*total.Sign() < 0 {
				t.Fatalf("part %d is %s of %s", i, p, total)
			}
		}
		bearing := money.Zero(money.USD)
		for _, s := range in {
			if s.Weight.Sign() > 0 {
				bearing = bearing.Add(s.Weight)
			}
		}
		for i, p := range parts { // within one minor unit of the exact share
			if bearing.IsZero() {
				break
			}
			weight := max(0, in[i].Weight.Minor())
			exact := total.Minor() * weight // of bearing.Minor()
			if off := p.Minor()*bearing.Minor() - exact; off >= bearing.Minor() || off <= -bearing.Minor() {
				t.Fatalf("part %d is %s, more than a cent off its share", i, p)
			}
		}
	})
}

func TestAllocateDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := money.FromMinor(rapid.Int64Range(-10_000, 10_000).Draw(t, "total"), money.USD)
		in := genShares(t)
		byKey := map[string]string{}
		for i, p := range money.Allocate(total, in) {
			byKey[in[i].Key] = p.Amount()
		}
		shuffled := rapid.Permutation(in).Draw(t, "order")
		for i, p := range money.Allocate(total, shuffled) {
			if key := shuffled[i].Key; p.Amount() != byKey[key] {
				t.Fatalf("%s gets %s, and %s in another order", key, byKey[key], p.Amount())
			}
		}
	})
}

func TestMoreWeightNeverBearsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := money.FromMinor(rapid.Int64Range(0, 100_000).Draw(t, "total"), money.USD)
		in := genShares(t)
		parts := money.Allocate(total, in)
		for i := range in {
			for j := range in {
				heavier := in[i].Weight.Sign() > 0 && in[i].Weight.Cmp(in[j].Weight) > 0 // negative weights count as zero
				if heavier && parts[i].Cmp(parts[j]) < 0 {
					t.Fatalf("%s bears %s and the lighter %s bears %s", in[i].Weight, parts[i], in[j].Weight, parts[j])
				}
			}
		}
	})
}
